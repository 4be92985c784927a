//! The partner's lines of a ray: each column with its value and the reason for it.

use super::explain_document::{ExplainDocument, PartnerCell, PartnerLineRecord};
use super::units::ShownText;
use crate::limits::{PAGE_PARTNER_LINES, PAGE_VALUE_CHARACTERS};
use crate::record::RecordMembers;

/// A line.
#[derive(Debug)]
pub(super) struct PartnerTable {
    /// The object that the record is in.
    pub(super) place: String,
    /// The columns that have a value, in order.
    pub(super) cells: Vec<PartnerRow>,
    /// The numbers and names of those that never have one, or for which the record has nothing.
    pub(super) empty: Vec<String>,
    /// Whether the line of the record is damaged.
    pub(super) is_damaged: bool,
}

/// A column.
#[derive(Debug)]
pub(super) struct PartnerRow {
    /// Its position.
    pub(super) number: u32,
    /// Its name.
    pub(super) name: String,
    /// Its value.
    pub(super) value: ShownText,
    /// Where that comes from.
    pub(super) reason: String,
    /// The fields that it is made of, with their values.
    pub(super) sources: Vec<(String, ShownText)>,
}

/// Returns the lines of an explanation, and how many follow the last of them.
pub(super) fn partner_tables(document: &ExplainDocument) -> (Vec<PartnerTable>, usize) {
    let tables = document.records.iter().take(PAGE_PARTNER_LINES).map(PartnerTable::new).collect();
    (tables, document.records.len().saturating_sub(PAGE_PARTNER_LINES))
}

impl PartnerTable {
    fn new(record: &PartnerLineRecord) -> Self {
        let columns = record.columns.as_deref().unwrap_or_default();
        let is_empty = |cell: &&PartnerCell| cell.outcome.iter().any(|outcome| outcome == "unavailable");
        let name = |cell: &PartnerCell| format!("{} {}", cell.number, ShownText::new(&cell.name, 80).text);
        Self {
            place: record.batch.key.clone(),
            cells: columns.iter().filter(|cell| !is_empty(cell)).map(PartnerRow::new).collect(),
            empty: columns.iter().filter(is_empty).map(name).collect(),
            is_damaged: record.columns.is_none(),
        }
    }
}

impl PartnerRow {
    fn new(cell: &PartnerCell) -> Self {
        let natives = cell.native.as_ref().and_then(|native| RecordMembers::parse(native.get()).ok());
        let source = |name: &String| {
            let raw = natives.as_ref().and_then(|natives| natives.get(name)).unwrap_or("absent");
            (ShownText::new(name, 80).text, ShownText::new(raw, PAGE_VALUE_CHARACTERS))
        };
        Self {
            number: cell.number,
            name: ShownText::new(&cell.name, 80).text,
            value: ShownText::new(&cell.value, PAGE_VALUE_CHARACTERS),
            reason: reason(cell),
            sources: cell.fields.iter().take(20).map(source).collect(),
        }
    }
}

/// Returns why a column has its value.
fn reason(cell: &PartnerCell) -> String {
    let mut text = format!("rule {}", ShownText::new(&cell.rule, 80).text);
    for outcome in cell.outcome.iter().take(8) {
        text.push_str(", ");
        text.push_str(match outcome.as_str() {
            "defaulted" => "a default, since the record lacks it",
            "sanitised" => "control characters became spaces",
            "cut" => "cut to its longest length",
            "masked" => "masked for your role: the partner may get another value",
            _ => "of an unknown outcome",
        });
    }
    text
}
