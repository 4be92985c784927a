//! What is searched for, as it is in the address of the page.
//!
//! # Invariants
//! Reading an address and writing it again gives the same search.

use serde_json::{Value, json};

use crate::page::plots::{CountBars, CountRowDocument, Histogram, PlotName, PlotRange};
use crate::record::Dataset;

/// Number of conditions that the page has rows for.
pub const SEARCH_CONDITIONS: usize = 6;

/// The parameters of the page, in the order of its address.
pub const SEARCH_PARAMETERS: &[&str] = &[
    "last",
    "start",
    "end",
    "dataset",
    "field1",
    "operator1",
    "value1",
    "field2",
    "operator2",
    "value2",
    "field3",
    "operator3",
    "value3",
    "field4",
    "operator4",
    "value4",
    "field5",
    "operator5",
    "value5",
    "field6",
    "operator6",
    "value6",
    "filter",
    "cursor",
    "reason",
];

/// The operators that conditions offer, with their names for people.
pub(super) const SEARCH_OPERATORS: [(&str, &str); 11] = [
    ("eq", "is"),
    ("!eq", "is not"),
    ("contains", "contains"),
    ("!contains", "does not contain"),
    ("startsWith", "starts with"),
    ("endsWith", "ends with"),
    ("in", "is one of, or in network"),
    ("lt", "is below"),
    ("leq", "is at most"),
    ("gt", "is above"),
    ("geq", "is at least"),
];

/// Ranges that end now, by the minutes that they last.
pub(super) const SEARCH_RANGES: [(&str, i64, &str); 6] = [
    ("15m", 15, "last 15 minutes"),
    ("1h", 60, "last hour"),
    ("6h", 360, "last 6 hours"),
    ("24h", 1_440, "last 24 hours"),
    ("7d", 10_080, "last 7 days"),
    ("30d", 43_200, "last 30 days"),
];

/// A condition on one field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchCondition {
    /// The name of the field.
    pub field: String,
    /// The operator, in Logpush's language.
    pub operator: String,
    /// The value, as it is typed.
    pub value: String,
}

impl SearchCondition {
    /// Returns the condition in Logpush's language. Only comparisons need a number.
    pub(super) fn to_json(&self) -> Value {
        let compares = matches!(self.operator.as_str(), "lt" | "leq" | "gt" | "geq");
        let number = self.value.trim().parse::<i64>().ok().filter(|_| compares);
        let value = number.map_or_else(|| json!(self.value), |number| json!(number));
        json!({ "key": self.field, "operator": self.operator, "value": value })
    }
}

/// What is searched for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchQuery {
    /// A range that ends now: such as `1h`. It takes precedence over `start` and `end`.
    pub last: String,
    /// The start of the range, as it is typed.
    pub start: String,
    /// The end of the range, as it is typed.
    pub end: String,
    /// The name of the dataset; empty for `http_requests`.
    pub dataset: String,
    /// The conditions, all of which hold.
    pub conditions: Vec<SearchCondition>,
    /// A further filter in Logpush's language.
    pub filter: String,
}

impl SearchQuery {
    /// Reads a search from the parameters of an address.
    pub fn read(parameter: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name: &str| parameter(name).unwrap_or_default().trim().to_owned();
        let condition = |nth: usize| SearchCondition {
            field: text(&format!("field{nth}")),
            operator: text(&format!("operator{nth}")),
            value: parameter(&format!("value{nth}")).unwrap_or_default(),
        };
        let conditions = (1..=SEARCH_CONDITIONS)
            .map(condition)
            .filter(|condition| !condition.field.is_empty() || !condition.value.is_empty());
        Self {
            last: text("last"),
            start: text("start"),
            end: text("end"),
            dataset: text("dataset"),
            conditions: conditions.collect(),
            filter: text("filter"),
        }
    }

    /// Returns whether the address asks for nothing yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.last.is_empty()
            && self.start.is_empty()
            && self.end.is_empty()
            && self.conditions.is_empty()
            && self.filter.is_empty()
    }

    /// Returns the dataset; `None` if there is none of this name.
    #[must_use]
    pub fn dataset(&self) -> Option<Dataset> {
        if self.dataset.is_empty() { Some(Dataset::HttpRequests) } else { Dataset::from_name(&self.dataset) }
    }

    /// Returns the range: its start and its end, as the API takes them; an end that is missing is now.
    #[must_use]
    pub fn range(&self, now_ms: i64) -> (String, Option<String>) {
        let last = SEARCH_RANGES.iter().find(|(name, _, _)| *name == self.last);
        let Some((_, minutes, _)) = last else {
            return (self.start.clone(), Some(self.end.clone()).filter(|end| !end.is_empty()));
        };
        let start_ms = now_ms - minutes * 60_000;
        (crate::time::rfc3339(start_ms), Some(crate::time::rfc3339(now_ms)))
    }

    /// Returns all conditions as one filter in Logpush's language; `None` without any. What is typed as a filter and is no
    /// JSON is passed on as it is, so that the API says what is wrong with it.
    #[must_use]
    pub fn filter(&self) -> Option<String> {
        let mut nodes: Vec<Value> = self.conditions.iter().map(SearchCondition::to_json).collect();
        if !self.filter.is_empty() {
            let typed: Option<Value> = serde_json::from_str(&self.filter).ok();
            match typed.as_ref().and_then(|typed| typed.get("where")) {
                Some(node) if typed.as_ref().and_then(Value::as_object).is_some_and(|typed| typed.len() == 1) => {
                    nodes.push(node.clone());
                }
                _ => return Some(self.filter.clone()),
            }
        }
        let node = if nodes.len() > 1 { json!({ "and": nodes }) } else { nodes.pop()? };
        Some(json!({ "where": node }).to_string())
    }

    /// Returns the address of the search, with a place to go on from.
    #[must_use]
    pub fn address(&self, cursor: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let mut add = |name: &str, value: &str| {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        };
        add("last", &self.last);
        if self.last.is_empty() {
            add("start", &self.start);
            add("end", &self.end);
        }
        add("dataset", &self.dataset);
        for (nth, SearchCondition { field, operator, value }) in self.conditions.iter().enumerate() {
            let nth = nth + 1;
            add(&format!("field{nth}"), field);
            add(&format!("operator{nth}"), operator);
            add(&format!("value{nth}"), value);
        }
        add("filter", &self.filter);
        add("cursor", cursor.unwrap_or_default());
        format!("/search?{}", query.finish())
    }

    /// Returns the same search in a range that no longer moves.
    #[must_use]
    pub fn pinned(&self, now_ms: i64) -> Self {
        let (start, end) = self.range(now_ms);
        let end = end.unwrap_or_else(|| crate::time::rfc3339(now_ms));
        Self { last: String::new(), start, end, ..self.clone() }
    }

    /// Returns the search that also asks for this value of a field; `None` where it already has as many conditions as the
    /// page has rows, or asks for that.
    #[must_use]
    pub fn with(&self, field: &str, value: &str) -> Option<Self> {
        let more = SearchCondition { field: field.to_owned(), operator: "eq".to_owned(), value: value.to_owned() };
        if self.conditions.len() >= SEARCH_CONDITIONS || self.conditions.contains(&more) {
            return None;
        }
        let mut changed = self.clone();
        changed.conditions.push(more);
        Some(changed)
    }

    /// Returns the search without its nth condition.
    #[must_use]
    pub fn without(&self, nth: usize) -> Self {
        let mut changed = self.clone();
        if nth < changed.conditions.len() {
            changed.conditions.remove(nth);
        }
        changed
    }

    /// Draws the counts of the search.
    #[must_use]
    pub fn histogram(&self, range: PlotRange, rows: &[CountRowDocument]) -> Histogram<'static> {
        let by_status = self.dataset() == Some(Dataset::HttpRequests);
        let title = if by_status { "Records by time and status" } else { "Records by time" };
        Histogram::new(PlotName { id: "search-counts", title }, range, &CountBars::new(range, rows))
    }

    /// Returns the query of the API for the records of this search.
    #[must_use]
    pub fn api_query(&self, now_ms: i64, more: &[(&str, &str)]) -> String {
        let (start, end) = self.range(now_ms);
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("start", &start);
        if let Some(end) = end {
            query.append_pair("end", &end);
        }
        if !self.dataset.is_empty() {
            query.append_pair("dataset", &self.dataset);
        }
        if let Some(filter) = self.filter() {
            query.append_pair("filter", &filter);
        }
        for (name, value) in more {
            query.append_pair(name, value);
        }
        query.finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{SEARCH_CONDITIONS, SEARCH_OPERATORS, SEARCH_PARAMETERS, SearchCondition, SearchQuery};
    use crate::filter::Filter;

    fn read(address: &str) -> SearchQuery {
        let query = address.strip_prefix("/search?").unwrap();
        assert!(!query.split('&').any(str::is_empty) || query.is_empty(), "{address}");
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert!(pairs.iter().all(|(name, _)| SEARCH_PARAMETERS.contains(&name.as_str())), "{address}");
        SearchQuery::read(|name| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()))
    }

    fn condition(field: &str, operator: &str, value: &str) -> SearchCondition {
        SearchCondition { field: field.into(), operator: operator.into(), value: value.into() }
    }

    #[test]
    fn conditions_and_typed_filter_hold_together() {
        let filter = |conditions: &[SearchCondition], filter: &str| {
            SearchQuery { conditions: conditions.to_vec(), filter: filter.into(), ..SearchQuery::default() }.filter()
        };
        let (status, host) = (condition("EdgeResponseStatus", "geq", "500"), condition("ClientRequestHost", "eq", "7"));
        let status_json = r#"{"key":"EdgeResponseStatus","operator":"geq","value":500}"#;
        let host_json = r#"{"key":"ClientRequestHost","operator":"eq","value":"7"}"#;
        assert_eq!(filter(&[], ""), None);
        assert_eq!(filter(std::slice::from_ref(&status), ""), Some(format!(r#"{{"where":{status_json}}}"#)));
        let both = format!(r#"{{"where":{{"and":[{status_json},{host_json}]}}}}"#);
        assert_eq!(filter(&[status.clone(), host], ""), Some(both.clone()));
        assert_eq!(filter(&[status], &format!(r#"{{"where":{host_json}}}"#)), Some(both));
        assert_eq!(filter(&[], "{nonsense"), Some("{nonsense".into()));
    }

    #[test]
    fn offered_operators_are_those_of_filters() {
        for (operator, _) in SEARCH_OPERATORS {
            let conditions = vec![condition("EdgeResponseStatus", operator, "500")];
            let filter = SearchQuery { conditions, ..SearchQuery::default() }.filter().unwrap();
            assert!(Filter::parse(&filter).is_ok(), "{filter}");
        }
    }

    #[test]
    fn relative_range_ends_now() {
        let query = SearchQuery { last: "1h".into(), start: "x".into(), ..SearchQuery::default() };
        let range = ("2026-03-28T07:00:00.000Z".to_owned(), Some("2026-03-28T08:00:00.000Z".to_owned()));
        assert_eq!(query.range(1_774_684_800_000), range);
        let pinned = query.pinned(1_774_684_800_000);
        assert_eq!(pinned.range(0), range);
    }

    proptest! {
        #[test]
        fn address_gives_the_same_search_again(
            last in "(1h|7d)?", texts in proptest::collection::vec("\\PC{0,9}", 3),
            conditions in proptest::collection::vec(("[A-Za-z.]{1,9}", 0..11_usize, any::<String>()), 0..=SEARCH_CONDITIONS),
        ) {
            let [start, end, filter] = [0, 1, 2].map(|nth: usize| texts[nth].trim().to_owned());
            let (start, end) = if last.is_empty() { (start, end) } else { (String::new(), String::new()) };
            let conditions = conditions.into_iter();
            let conditions = conditions.map(|(field, nth, value)| condition(&field, SEARCH_OPERATORS[nth].0, &value));
            let query = SearchQuery { last, start, end, filter, conditions: conditions.collect(), dataset: "dns_logs".into() };
            prop_assert_eq!(read(&query.address(None)), query);
        }
    }
}
