//! What the fields of one record settle.
//!
//! # Invariants
//! A value that is masked, empty or of another type settles nothing: it is `None`, like one that is absent.

use std::borrow::Cow;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::AnswerRecord;
use crate::mask::MASKED;
use crate::record::decimal::Decimal;
use crate::record::{Dataset, FieldValue, RayId, RayKey, RecordMembers, read_key};
use crate::story::TimingUnit;

/// The fields of a record, read once.
#[derive(Debug)]
pub(super) struct RecordFacts<'a> {
    /// The record that they are of.
    pub(super) source: &'a AnswerRecord,
    /// Its dataset, if raydex knows it.
    pub(super) dataset: Option<Dataset>,
    /// Its ray, as its dataset names it.
    pub(super) ray: Option<RayKey>,
    /// The ray that it names as the one that led to it.
    parent: Option<RayId>,
    members: Option<RecordMembers<'a>>,
}

impl<'a> RecordFacts<'a> {
    /// Reads a record; one with a damaged line has no fields.
    pub(super) fn new(source: &'a AnswerRecord) -> Self {
        let dataset = source.dataset();
        let key = dataset.and_then(|dataset| read_key(dataset, source.text().as_bytes()).ok());
        let (ray, parent) = key.map(|key| (key.ray, key.parent)).unwrap_or_default();
        Self { source, dataset, ray, parent, members: RecordMembers::parse(source.text()).ok() }
    }

    /// Returns how its ray came from another one, and that ray, as far as the record says.
    pub(super) fn link(&self) -> Option<(&'static str, String)> {
        let link = if self.dataset == Some(Dataset::HttpRequests) { "subrequest" } else { "challenge" };
        Some((link, self.parent?.to_string()))
    }

    /// Returns all members in order, each with its JSON.
    pub(super) fn members(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.members.iter().flat_map(RecordMembers::iter)
    }

    /// Returns the JSON of a field, if the record has it.
    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        self.members.as_ref()?.get(name)
    }

    /// Returns the text of a field.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        text_of(self.raw(name)?)
    }

    /// Returns the text of a field, which may be empty: `None` if it is masked or absent.
    pub(super) fn word(&self, name: &str) -> Option<Cow<'a, str>> {
        match FieldValue::from_json(self.raw(name)?) {
            FieldValue::Text(text) if !text.contains(MASKED) => Some(text),
            _ => None,
        }
    }

    /// Returns the whole number in a field that is not negative.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        match FieldValue::from_json(self.raw(name)?) {
            FieldValue::Number(digits) => Decimal::parse(digits)?.whole(0),
            FieldValue::Text(text) => Decimal::parse(&text)?.whole(0),
            _ => None,
        }
    }

    /// Returns the number in a field if it is more than nothing.
    pub(super) fn positive(&self, name: &str) -> Option<u64> {
        self.number(name).filter(|number| *number > 0)
    }

    /// Returns whether a field says true.
    pub(super) fn is_true(&self, name: &str) -> bool {
        matches!(self.raw(name), Some("true" | "\"true\"" | "1"))
    }

    /// Returns the nanoseconds in a field with a time: since 1970 for an instant.
    pub(super) fn nanoseconds(&self, name: &str, unit: TimingUnit) -> Option<i64> {
        unit.nanoseconds(self.raw(name)?)
    }

    /// Returns whether the values of the record are masked in whole or in part.
    pub(super) fn masked_fields(&self) -> usize {
        self.members().filter(|(_, raw)| raw.contains(MASKED)).count()
    }
}

/// Returns the text in a value of JSON, unless it is empty or masked as a whole.
pub(super) fn text_of(raw: &str) -> Option<Cow<'_, str>> {
    match FieldValue::from_json(raw) {
        FieldValue::Text(text) if !text.is_empty() && text != MASKED => Some(text),
        _ => None,
    }
}

/// Returns the elements of an array in JSON; none if it is something else.
pub(super) fn elements(raw: &str) -> Vec<&serde_json::value::RawValue> {
    serde_json::from_str(raw).unwrap_or_default()
}

/// Returns the address of a request: `None` if its host is none.
pub(super) fn url_of(facts: &RecordFacts<'_>) -> Option<String> {
    let host = facts.text("ClientRequestHost")?;
    let is_host =
        host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte)) && !host.starts_with('-');
    let scheme = if facts.text("ClientRequestScheme").as_deref() == Some("http") { "http" } else { "https" };
    let uri = facts.text("ClientRequestURI").or_else(|| facts.text("ClientRequestPath")).unwrap_or_default();
    let uri = if uri.contains("://") { "" } else { &uri };
    let slash = if uri.starts_with('/') { "" } else { "/" };
    is_host.then(|| format!("{scheme}://{host}{slash}{uri}"))
}

/// Returns a ray as a part of a path: one of 16 digits as it is.
pub(super) fn ray_in_path(ray: &str) -> String {
    utf8_percent_encode(ray, NON_ALPHANUMERIC).to_string()
}
