//! Two requests side by side: the fields in which they differ first.
//!
//! # Invariants
//! What differs is what the API says of the records as the caller sees them. The fields that are equal are those of the ray's own
//! record that it does not name, and are shown only if there are as many of them as it counts.

use std::collections::HashSet;

use serde_json::value::RawValue;

use super::comparison_document::{ComparedFieldDocument, ComparedTimingDocument, ComparisonDocument};
use super::facts::{RecordFacts, ray_in_path};
use super::field_groups::label_of;
use super::texts::{InstantText, ShownText, counted, duration_text};
use crate::limits::{PAGE_FIELDS, PAGE_VALUE_CHARACTERS};
use crate::record::FieldValue;
use crate::story::{TIMINGS, TimingUnit};

/// Two requests, as a tab shows them.
#[derive(Debug)]
pub(super) struct ComparisonPart {
    /// The text in the box: the other ray.
    pub(super) with: String,
    /// The same in a path.
    pub(super) path: String,
    /// Why they are not shown; empty where they are, or nothing is asked yet.
    pub(super) problem: String,
    /// The comparison.
    pub(super) found: Option<Comparison>,
}

/// How two requests differ.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// The numbers of fields, in words.
    pub(super) words: String,
    /// The fields that differ, and those of one record alone.
    pub(super) rows: Vec<ComparedRow>,
    /// The times that differ.
    pub(super) timings: Vec<ComparedTiming>,
    /// The fields that are equal, each with its value.
    pub(super) equal: Vec<(String, String, ShownText)>,
    /// Their number.
    pub(super) equal_count: String,
    /// What the comparison lacks.
    pub(super) notes: Vec<String>,
}

/// A field of both records.
#[derive(Debug)]
pub(super) struct ComparedRow {
    /// What people call it.
    pub(super) label: String,
    /// Its name.
    pub(super) name: String,
    /// The values; `None` where a record lacks it.
    pub(super) values: [Option<ShownText>; 2],
}

/// A time of both requests.
#[derive(Debug)]
pub(super) struct ComparedTiming {
    /// What people call it.
    pub(super) label: String,
    /// The name of its field.
    pub(super) name: String,
    /// The values; `none` where a record lacks it.
    pub(super) values: [String; 2],
    /// How much longer, or later, the second is.
    pub(super) difference: String,
}

impl ComparisonPart {
    /// Shows a comparison, or why there is none: `None` where no other ray is named.
    pub(super) fn new(
        with: &str,
        own: Option<&RecordFacts<'_>>,
        found: Option<Result<&ComparisonDocument, &str>>,
    ) -> Self {
        let problem = found.and_then(Result::err).unwrap_or_default().to_owned();
        let found = found.and_then(Result::ok).map(|document| Comparison::new(document, own));
        Self { with: with.to_owned(), path: ray_in_path(with), problem, found }
    }
}

impl Comparison {
    fn new(document: &ComparisonDocument, own: Option<&RecordFacts<'_>>) -> Self {
        let ComparisonDocument { different, only_a, only_b, equal, .. } = document;
        let fields = || different.iter().chain(only_a).chain(only_b);
        let named: HashSet<&str> = fields().map(|field| field.field.as_str()).collect();
        let members = own.into_iter().flat_map(RecordFacts::members);
        let same: Vec<(&str, &str)> = members.filter(|(name, _)| !named.contains(name)).collect();
        let same = if same.len() == *equal { same } else { Vec::new() };
        let shown = |(name, raw): (&str, &str)| (label_of(name), ShownText::new(name, 80).text, value_text(raw));
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let beyond = fields().count().saturating_sub(PAGE_FIELDS);
        let mut notes: Vec<String> = [&document.a, &document.b]
            .into_iter()
            .filter(|ray| ray.records > 1)
            .map(|ray| format!("{} has {}: the first one is compared.", ray.ray, counted(ray.records, "record")))
            .collect();
        if beyond > 0 {
            notes.push(format!("{} are in the API's answer.", counted(count(beyond), "more field")));
        }
        let alone = only_a.len() + only_b.len();
        Self {
            words: format!(
                "{} different, {} in one of the records alone.",
                counted(count(different.len()), "value"),
                counted(count(alone), "field")
            ),
            rows: fields().take(PAGE_FIELDS).map(ComparedRow::new).collect(),
            timings: document.timings.iter().filter_map(ComparedTiming::new).collect(),
            equal: same.into_iter().take(PAGE_FIELDS).map(shown).collect(),
            equal_count: counted(count(*equal), "equal field"),
            notes,
        }
    }
}

impl ComparedRow {
    fn new(field: &ComparedFieldDocument) -> Self {
        let value = |raw: &Option<Box<RawValue>>| raw.as_ref().map(|raw| value_text(raw.get()));
        Self {
            label: label_of(&field.field),
            name: ShownText::new(&field.field, 80).text,
            values: [value(&field.a), value(&field.b)],
        }
    }
}

fn value_text(raw: &str) -> ShownText {
    match FieldValue::from_json(raw) {
        FieldValue::Text(text) => ShownText::new(&text, PAGE_VALUE_CHARACTERS),
        _ => ShownText::new(raw, PAGE_VALUE_CHARACTERS),
    }
}

impl ComparedTiming {
    /// Reads a time; `None` if both are equal, or it is none that the page knows.
    fn new(timing: &ComparedTimingDocument) -> Option<Self> {
        let (name, unit) = TIMINGS.into_iter().find(|(name, _)| *name == timing.field)?;
        let value = |raw: &Option<Box<RawValue>>| raw.as_ref().and_then(|raw| nanoseconds(raw.get()));
        let (a, b, difference) = (value(&timing.a_ms), value(&timing.b_ms), value(&timing.difference_ms));
        if difference == Some(0) {
            return None;
        }
        let text = |ns: Option<i64>| match (ns, unit) {
            (None, _) => "none".to_owned(),
            (Some(ns), TimingUnit::Instant) => InstantText::new(ns.div_euclid(1_000_000), 0).text,
            (Some(ns), _) => duration_text(ns),
        };
        let signed = |ns: i64| format!("{}{}", if ns < 0 { "−" } else { "+" }, duration_text(ns.saturating_abs()));
        Some(Self {
            label: label_of(name),
            name: name.to_owned(),
            values: [text(a), text(b)],
            difference: difference.map(signed).unwrap_or_default(),
        })
    }
}

/// Returns the nanoseconds in a number of milliseconds, which may be below 0.
pub(super) fn nanoseconds(milliseconds: &str) -> Option<i64> {
    let (digits, sign) = milliseconds.strip_prefix('-').map_or((milliseconds, 1), |digits| (digits, -1));
    TimingUnit::Milliseconds.nanoseconds(digits).map(|ns| sign * ns)
}
