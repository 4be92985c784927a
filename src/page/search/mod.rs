//! The page of a search: its form, its records as a table, and what the answer may lack.
//!
//! # Invariants
//! Everything that is selected is in the address. What was passed over, cut or masked is said.

mod columns;
mod query;
mod refusal;
mod rows;

use serde_json::{Map, Value};

pub use columns::search_columns;
pub use query::{SEARCH_CONDITIONS, SEARCH_PARAMETERS, SearchQuery};
pub use refusal::SearchRefusal;
pub use rows::SearchEnd;

use query::{SEARCH_OPERATORS, SEARCH_RANGES, SearchCondition};
use refusal::RefusedPart;
use rows::SearchRow;

use super::frame::PageFrame;
use super::plots::Histogram;
use crate::record::Dataset;

/// The records that a search found.
#[derive(Debug, Default)]
pub struct SearchResult {
    rows: Vec<SearchRow>,
    end: Option<SearchEnd>,
}

impl SearchResult {
    /// Takes a line of the stream: a record, or its end.
    pub fn take_line(&mut self, line: &[u8], query: &SearchQuery, columns: &[&str]) {
        let Ok(record) = serde_json::from_slice::<Map<String, Value>>(line) else { return };
        if let (1, Some(end)) = (record.len(), record.get("raydex")) {
            self.end = serde_json::from_value(end.clone()).ok();
            return;
        }
        let has_ray = query.dataset().is_some_and(Dataset::has_ray);
        self.rows.push(SearchRow::new(&record, columns, has_ray, query));
    }

    /// Returns the number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// A row of the form.
#[derive(Debug)]
struct ConditionRow<'a> {
    nth: usize,
    condition: &'a SearchCondition,
    /// The address of the search without it.
    without: Option<String>,
}

impl ConditionRow<'_> {
    const fn part(&self) -> RefusedPart {
        RefusedPart::Condition(self.nth)
    }
}

/// The page of a search.
#[derive(Debug, askama::Template)]
#[template(path = "search.html")]
pub struct SearchPage<'a> {
    frame: &'a PageFrame,
    query: &'a SearchQuery,
    columns: &'a [&'static str],
    result: Option<&'a SearchResult>,
    histogram: Option<Histogram<'static>>,
    conditions: Vec<ConditionRow<'a>>,
    /// Where the records go on.
    next: Option<String>,
    /// The address of this search in a range that stays.
    permanent: String,
    /// The query of the API for the same records.
    export: String,
    refusal: Option<SearchRefusal>,
}

static NO_CONDITION: SearchCondition =
    SearchCondition { field: String::new(), operator: String::new(), value: String::new() };

impl<'a> SearchPage<'a> {
    /// Makes the page; without a result where nothing is asked for yet.
    #[must_use]
    pub fn new(
        frame: &'a PageFrame,
        (query, columns): (&'a SearchQuery, &'a [&'static str]),
        result: Option<&'a SearchResult>,
        histogram: Option<Histogram<'static>>,
        now_ms: i64,
    ) -> Self {
        let given = query.conditions.iter().enumerate().map(|(nth, condition)| ConditionRow {
            nth: nth + 1,
            condition,
            without: Some(query.without(nth).address(None)),
        });
        let mut conditions: Vec<_> = given.collect();
        if conditions.len() < SEARCH_CONDITIONS {
            conditions.push(ConditionRow { nth: conditions.len() + 1, condition: &NO_CONDITION, without: None });
        }
        let pinned = query.pinned(now_ms);
        let cursor = result.and_then(|result| result.end.as_ref()).and_then(|end| end.cursor.as_deref());
        Self {
            frame,
            query,
            columns,
            result,
            histogram,
            conditions,
            next: cursor.map(|cursor| pinned.address(Some(cursor))),
            permanent: pinned.address(None),
            export: pinned.api_query(now_ms, &[]),
            refusal: None,
        }
    }

    /// The page with what is wrong with the search, in the place of its records.
    #[must_use]
    pub fn with_refusal(self, refusal: Option<SearchRefusal>) -> Self {
        Self { refusal, ..self }
    }

    fn refused(&self, part: RefusedPart) -> Option<&str> {
        self.refusal.as_ref().and_then(|refusal| refusal.at(part))
    }

    fn datasets() -> Vec<&'static str> {
        Dataset::ALL.iter().map(|dataset| dataset.name()).collect()
    }

    const fn operators() -> [(&'static str, &'static str); SEARCH_OPERATORS.len()] {
        SEARCH_OPERATORS
    }

    const fn ranges() -> [(&'static str, i64, &'static str); SEARCH_RANGES.len()] {
        SEARCH_RANGES
    }

    fn has_ray(&self) -> bool {
        self.query.dataset().is_some_and(Dataset::has_ray)
    }

    fn end(&self) -> Option<&SearchEnd> {
        self.result.and_then(|result| result.end.as_ref())
    }
}
