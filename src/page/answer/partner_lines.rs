//! The partner's lines of a ray: each column with its value and the reason for it.
//!
//! # Invariants
//! A value is that of the line which the API shows the same caller, from the record as the caller sees it. Long values are cut, which
//! is said.

use super::facts::RecordFacts;
use super::ray_records::RayRecords;
use super::shortened::shorten_texts;
use super::texts::ShownText;
use crate::limits::{PAGE_EXPLAINED_BYTES, PAGE_PARTNER_LINES, PAGE_SHARED_TEXT_BYTES, PAGE_VALUE_CHARACTERS};
use crate::mask::{Role, may_be_altered};
use crate::record::Dataset;
use crate::render::partner::ExplainedColumn;
use crate::render::{ExplainedLine, PartnerOptions};

/// A line.
#[derive(Debug, Default)]
pub(super) struct PartnerTable {
    /// The object that the record is in.
    pub(super) place: String,
    /// The columns that have a value, in order.
    pub(super) cells: Vec<PartnerRow>,
    /// The numbers and names of those that never have one, or for which the record has nothing.
    pub(super) empty: Vec<String>,
    /// Why there are no columns; empty where there are.
    pub(super) gap: &'static str,
}

/// A column.
#[derive(Debug)]
pub(super) struct PartnerRow {
    /// Its position.
    pub(super) number: usize,
    /// Its name.
    pub(super) name: String,
    /// Its value.
    pub(super) value: ShownText,
    /// Where that comes from.
    pub(super) reason: String,
    /// The fields that it is made of, with their values.
    pub(super) sources: Vec<(&'static str, ShownText)>,
}

/// Returns the lines of a ray's requests, and how many follow the last of them.
pub(super) fn partner_tables(
    records: &RayRecords<'_>,
    options: &PartnerOptions,
    role: Role,
) -> (Vec<PartnerTable>, usize) {
    let lines: Vec<&RecordFacts<'_>> = records.of(Dataset::HttpRequests).collect();
    let tables = lines.iter().take(PAGE_PARTNER_LINES).map(|facts| PartnerTable::new(facts, options, role)).collect();
    (tables, lines.len().saturating_sub(PAGE_PARTNER_LINES))
}

impl PartnerTable {
    fn new(facts: &RecordFacts<'_>, options: &PartnerOptions, role: Role) -> Self {
        let place = facts.source.batch.key.clone();
        let gap = |gap| Self { place: place.clone(), gap, ..Self::default() };
        let text = shorten_texts(facts.source.text(), PAGE_SHARED_TEXT_BYTES);
        if text.len() > PAGE_EXPLAINED_BYTES {
            return gap("This record is too long to be explained here.");
        }
        let Ok(line) = ExplainedLine::parse(&text, options) else { return gap("The line of this record is damaged.") };
        let is_masked =
            |field: crate::record::Field, seen: &str| may_be_altered(role, Dataset::HttpRequests, field.name(), seen);
        let (empty, filled): (Vec<_>, Vec<_>) =
            line.columns(is_masked).partition(|column| column.outcome().any(|outcome| outcome == "unavailable"));
        let name = |column: &ExplainedColumn<'_>| format!("{} {}", column.column.number, column.column.name());
        Self {
            cells: filled.iter().map(|column| PartnerRow::new(column, facts)).collect(),
            empty: empty.iter().map(name).collect(),
            place,
            gap: "",
        }
    }
}

impl PartnerRow {
    /// Shows a column; `facts` are of the record before its long texts were cut.
    fn new(column: &ExplainedColumn<'_>, facts: &RecordFacts<'_>) -> Self {
        let source = |(field, _): (crate::record::Field, Option<&str>)| {
            (field.name(), ShownText::new(facts.raw(field.name()).unwrap_or("absent"), PAGE_VALUE_CHARACTERS))
        };
        let is_whole = column.natives().all(|(field, raw)| facts.raw(field.name()).map(str::len) == raw.map(str::len));
        let value = ShownText::new(column.value, PAGE_VALUE_CHARACTERS);
        let length = value.length.map(|length| if is_whole { length } else { "cut for this page".to_owned() });
        Self {
            number: column.column.number,
            name: column.column.name().into_owned(),
            value: ShownText { text: value.text, length },
            reason: reason(column),
            sources: column.natives().map(source).collect(),
        }
    }
}

/// Returns why a column has its value.
fn reason(column: &ExplainedColumn<'_>) -> String {
    let mut text = format!("rule {}", column.column.rule);
    for outcome in column.outcome() {
        text.push_str(", ");
        text.push_str(match outcome {
            "defaulted" => "a default, since the record lacks it",
            "sanitised" => "control characters became spaces",
            "cut" => "cut to its longest length",
            "masked" => "masked for your role: the partner may get another value",
            _ => "without a value",
        });
    }
    text
}
