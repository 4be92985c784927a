//! The rows of a search's table, and what the stream says at its end.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::query::SearchQuery;
use crate::page::code_words::words_of_missing;

/// Maximum number of characters of a value in the table.
const SHOWN_CHARS: usize = 200;

/// A record in the table.
#[derive(Debug, Default)]
pub(super) struct SearchRow {
    pub(super) time: String,
    pub(super) ray: Option<String>,
    /// The ray as a part of an address.
    pub(super) ray_part: String,
    pub(super) cells: Vec<SearchCell>,
    /// The first digit of the record's status, where it has one.
    pub(super) status_class: Option<char>,
}

/// A value in the table.
#[derive(Debug, Default)]
pub(super) struct SearchCell {
    pub(super) text: String,
    /// The address of the search for this value too.
    pub(super) narrower: Option<String>,
    pub(super) is_number: bool,
}

/// What a stream says at its end.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub struct SearchEnd {
    pub(super) complete: bool,
    pub(super) truncated: bool,
    pub(super) cursor: Option<String>,
    pub(super) missing: Vec<SearchMissing>,
    pub(super) warnings: Vec<SearchWarning>,
    pub(super) stats: SearchStats,
    pub(super) error: Option<Value>,
}

/// What the answer may lack.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct SearchMissing {
    pub(super) code: String,
    pub(super) count: Option<u64>,
}

impl SearchMissing {
    /// The reason as a sentence.
    pub(super) fn words(&self) -> String {
        words_of_missing(&self.code, self.count)
    }
}

/// What may be wrong with the question.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct SearchWarning {
    pub(super) at: String,
    pub(super) detail: String,
    pub(super) hint: Option<String>,
}

/// The work of the search.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct SearchStats {
    pub(super) records_scanned: Option<u64>,
    pub(super) batches_skipped: Option<u64>,
    pub(super) batches_unreadable: Option<u64>,
}

impl SearchRow {
    /// Makes a row of a record: its time and its ray, then the other columns.
    pub(super) fn new(record: &Map<String, Value>, columns: &[&str], has_ray: bool, query: &SearchQuery) -> Self {
        let (first, rest) = columns.split_first().map_or(("", columns), |(first, rest)| (*first, rest));
        let (ray_name, others) = match rest.split_first() {
            Some((ray, others)) if has_ray => (Some(*ray), others),
            _ => (None, rest),
        };
        let text_of = |name: &str| record.get(name).map(text).unwrap_or_default();
        let cell = |name: &&str| {
            let value = record.get(*name);
            let text = value.map(text).unwrap_or_default();
            let is_scalar = !matches!(value, None | Some(Value::Null | Value::Array(_) | Value::Object(_)));
            let narrower = query.with(name, &text).filter(|_| is_scalar && text.chars().count() <= SHOWN_CHARS);
            let narrower = narrower.map(|query| query.address(None));
            SearchCell { text: cut(text), narrower, is_number: value.is_some_and(Value::is_number) }
        };
        let ray = ray_name.map(text_of).filter(|ray| !ray.is_empty());
        let ray_part = ray.as_deref().map(|ray| utf8_percent_encode(ray, NON_ALPHANUMERIC).to_string());
        Self {
            time: text_of(first),
            ray: ray.map(cut),
            ray_part: ray_part.unwrap_or_default(),
            cells: others.iter().map(cell).collect(),
            status_class: record.get("EdgeResponseStatus").and_then(|status| text(status).chars().next()),
        }
    }
}

/// A value as a text.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The beginning of a text that is too long for the table.
fn cut(text: String) -> String {
    let at = text.char_indices().nth(SHOWN_CHARS).map(|(at, _)| at);
    match at.and_then(|at| text.get(..at)) {
        Some(beginning) => format!("{beginning}…"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use askama::filters::Escaper;
    use serde_json::json;

    use super::{SHOWN_CHARS, SearchRow};
    use crate::page::PageText;
    use crate::page::search::query::SearchQuery;

    fn row(record: &serde_json::Value, columns: &[&str]) -> SearchRow {
        SearchRow::new(record.as_object().unwrap(), columns, true, &SearchQuery::default())
    }

    /// What each text is shown as, by `web/values.js` too.
    const CASES: &str = include_str!("../../../tests/fixtures/page/texts.json");

    #[test]
    fn texts_are_shown_as_by_the_script() {
        let cases: Vec<[String; 2]> = serde_json::from_str(CASES).unwrap();
        assert!(cases.len() > 15);
        for [value, shown] in cases {
            let row =
                row(&json!({ "T": "2026-03-28T08:00:00.000Z", "RayID": value, "A": value }), &["T", "RayID", "A"]);
            for text in [&row.cells[0].text, row.ray.as_ref().unwrap_or(&String::new())] {
                let mut html = String::new();
                PageText.write_escaped_str(&mut html, text).unwrap();
                let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
                let seen = entities.into_iter().fold(html, |seen, (entity, c)| seen.replace(entity, c));
                assert_eq!(seen, shown, "{value:?}");
            }
        }
    }

    #[test]
    fn long_values_are_cut_and_lead_nowhere() {
        let record =
            json!({ "T": 1, "R": "", "A": "x".repeat(SHOWN_CHARS + 1), "B": "y", "C": [1], "EdgeResponseStatus": 502 });
        let row = row(&record, &["T", "R", "A", "B", "C"]);
        assert_eq!((row.cells[0].text.chars().count(), row.ray.is_none()), (SHOWN_CHARS + 1, true));
        let leads: Vec<bool> = row.cells.iter().map(|cell| cell.narrower.is_some()).collect();
        assert_eq!((leads, row.status_class), (vec![false, true, false], Some('5')));
    }
}
