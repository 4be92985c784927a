//! The records of an answer by their rays.

use std::collections::HashMap;

use super::AnswerDocument;
use super::facts::RecordFacts;
use crate::record::Dataset;

/// The records of one ray.
#[derive(Debug, Default)]
pub(super) struct RayRecords<'a> {
    /// The ray, as the answer spells it.
    pub(super) ray: String,
    /// All of them, in the order of the answer.
    pub(super) all: Vec<RecordFacts<'a>>,
}

impl<'a> RayRecords<'a> {
    /// Returns the record of the request: the first one of `http_requests` whose line is not damaged.
    pub(super) fn request(&self) -> Option<&RecordFacts<'a>> {
        self.of(Dataset::HttpRequests).find(|facts| facts.source.record.is_some())
    }

    /// Returns the records of a dataset.
    pub(super) fn of(&self, dataset: Dataset) -> impl Iterator<Item = &RecordFacts<'a>> {
        self.all.iter().filter(move |facts| facts.dataset == Some(dataset))
    }
}

/// All records of an answer, by ray: in the order in which the answer names the rays first.
#[derive(Debug, Default)]
pub(super) struct AnswerRays<'a> {
    rays: Vec<RayRecords<'a>>,
    places: HashMap<String, usize>,
}

impl<'a> AnswerRays<'a> {
    /// Reads the records of a document. One whose line names no ray counts as one of the ray that was asked for.
    pub(super) fn new(document: &'a AnswerDocument) -> Self {
        let mut rays = Self::default();
        rays.place(&document.ray);
        for record in &document.records {
            let facts = RecordFacts::new(record);
            let ray = facts.ray.as_ref().map_or_else(|| document.ray.clone(), ToString::to_string);
            let at = rays.place(&ray);
            if let Some(of_ray) = rays.rays.get_mut(at) {
                of_ray.all.push(facts);
            }
        }
        rays
    }

    fn place(&mut self, ray: &str) -> usize {
        if let Some(at) = self.places.get(ray) {
            return *at;
        }
        self.rays.push(RayRecords { ray: ray.to_owned(), all: Vec::new() });
        self.places.insert(ray.to_owned(), self.rays.len() - 1);
        self.rays.len() - 1
    }

    /// Returns the records of a ray; `None` if the answer has none of it.
    pub(super) fn get(&self, ray: &str) -> Option<&RayRecords<'a>> {
        self.rays.get(*self.places.get(ray)?)
    }

    /// Returns whether the answer has a record of a ray.
    pub(super) fn has_records(&self, ray: &str) -> bool {
        self.get(ray).is_some_and(|records| !records.all.is_empty())
    }

    /// Returns the records of all rays.
    pub(super) fn iter(&self) -> impl Iterator<Item = &RayRecords<'a>> {
        self.rays.iter()
    }
}
