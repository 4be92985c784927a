//! The records of a ray as they may be passed on: what a text for a ticket and a command are made of.
//!
//! # Invariants
//! Whatever the role of the viewer sees, these show what [`Role::SHARED`] sees at most. A record that cannot be masked has no
//! fields.

use super::AnswerRecord;
use super::facts::RecordFacts;
use super::ray_records::RayRecords;
use super::shortened::shorten_texts;
use crate::limits::{PAGE_SHARED_RECORDS, PAGE_SHARED_TEXT_BYTES};
use crate::mask::{Role, mask_line};

/// The records of a ray, masked.
pub(super) struct SharedRecords {
    ray: String,
    records: Vec<AnswerRecord>,
}

impl SharedRecords {
    /// Masks the records of a ray, as many of them as a text tells of.
    pub(super) fn new(records: &RayRecords<'_>) -> Self {
        let shared = |facts: &RecordFacts<'_>| AnswerRecord {
            dataset: facts.source.dataset.clone(),
            record: shared_json(facts).and_then(|json| serde_json::value::RawValue::from_string(json).ok()),
            ..AnswerRecord::default()
        };
        let request = records.request();
        let others = records.all.iter().filter(|facts| !request.is_some_and(|request| std::ptr::eq(request, *facts)));
        let records_shared = request.into_iter().chain(others).take(PAGE_SHARED_RECORDS).map(shared).collect();
        Self { ray: records.ray.clone(), records: records_shared }
    }

    /// Returns what the records say.
    pub(super) fn read(&self) -> RayRecords<'_> {
        RayRecords { ray: self.ray.clone(), all: self.records.iter().map(RecordFacts::new).collect() }
    }
}

/// Returns the JSON of a record as it may be passed on.
fn shared_json(facts: &RecordFacts<'_>) -> Option<String> {
    facts.source.record.as_ref()?;
    let text = shorten_texts(facts.source.text(), PAGE_SHARED_TEXT_BYTES);
    let mut masked = Vec::new();
    mask_line(Role::SHARED, facts.dataset?, text.as_bytes(), &mut masked).ok()?;
    String::from_utf8(masked).ok()
}
