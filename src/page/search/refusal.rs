//! Why a search was refused, beside the part of its form that is wrong.

use super::query::{SearchCondition, SearchQuery};
use crate::filter::{Filter, FilterError};
use crate::page::problem_words::ProblemWords;

/// Why a search was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchRefusal {
    part: RefusedPart,
    words: String,
}

/// A part of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusedPart {
    /// The times.
    Range,
    /// The dataset.
    Dataset,
    /// A condition, by its number from 1.
    Condition(usize),
    /// The filter that is typed.
    Filter,
    /// The form as a whole.
    Form,
}

impl SearchRefusal {
    /// Finds the part of the form that a problem of the API is about, by its code and its words for a page.
    #[must_use]
    pub fn new(query: &SearchQuery, code: &str, words: &ProblemWords) -> Self {
        let (part, own_words) = match code {
            "bad_filter" => part_of_filter(query),
            "field_masked" => (query.only_filter().unwrap_or(RefusedPart::Form), None),
            "bad_time" | "missing_parameter" | "range_in_future" | "empty_range" | "range_too_long" => {
                (RefusedPart::Range, None)
            }
            "other_dataset" => (RefusedPart::Dataset, None),
            "bad_parameter" if query.dataset().is_none() => {
                (RefusedPart::Dataset, Some("There is no dataset of this name.".to_owned()))
            }
            _ => (RefusedPart::Form, None),
        };
        let lacks_start = query.last.is_empty() && query.start.is_empty();
        let own_words = if code == "missing_parameter" || code == "bad_time" && lacks_start {
            Some("Say when the range starts.".to_owned())
        } else {
            own_words
        };
        Self { part, words: own_words.unwrap_or_else(|| words.text()) }
    }

    /// Returns the words for a part of the form; `None` where another one is wrong.
    pub(super) fn at(&self, part: RefusedPart) -> Option<&str> {
        (self.part == part).then_some(self.words.as_str())
    }
}

/// The part of the form that is no filter, with what is wrong there.
fn part_of_filter(query: &SearchQuery) -> (RefusedPart, Option<String>) {
    let faults = query.conditions.iter().map(SearchCondition::fault);
    if let Some((nth, fault)) = faults.enumerate().find_map(|(nth, fault)| Some((nth + 1, fault?))) {
        return (RefusedPart::Condition(nth), Some(sentence(&fault.fault.to_string())));
    }
    match Filter::parse(&query.filter) {
        Err(error) if !query.filter.is_empty() => {
            (RefusedPart::Filter, Some(format!("The filter is invalid: {error}.")))
        }
        // Each is one, but all of them together are not.
        _ => (RefusedPart::Form, None),
    }
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    format!("{}{}.", first.map(String::from).unwrap_or_default(), letters.as_str())
}

impl SearchCondition {
    /// Returns what is wrong with the condition.
    fn fault(&self) -> Option<FilterError> {
        Filter::parse(&serde_json::json!({ "where": self.to_json() }).to_string()).err()
    }
}

impl SearchQuery {
    /// Returns the part that all of the filter is in; `None` where there are several.
    fn only_filter(&self) -> Option<RefusedPart> {
        match (self.conditions.len(), self.filter.is_empty()) {
            (1, true) => Some(RefusedPart::Condition(1)),
            (0, false) => Some(RefusedPart::Filter),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ProblemWords, RefusedPart, SearchCondition, SearchQuery, SearchRefusal};

    fn condition(field: &str, operator: &str, value: &str) -> SearchCondition {
        SearchCondition { field: field.into(), operator: operator.into(), value: value.into() }
    }

    fn refusal(query: &SearchQuery, code: &str) -> (RefusedPart, String) {
        let words = ProblemWords { detail: "A sentence.".into(), hint: Some("A step.".into()) };
        let SearchRefusal { part, words } = SearchRefusal::new(query, code, &words);
        (part, words)
    }

    #[test]
    fn fault_is_beside_the_condition_that_has_it() {
        let conditions = vec![condition("RayID", "eq", "x"), condition("EdgeResponseStatus", "geq", "many")];
        let (part, words) = refusal(&SearchQuery { conditions, ..SearchQuery::default() }, "bad_filter");
        assert_eq!(part, RefusedPart::Condition(2));
        assert!(words.starts_with("The value of this operator must be "), "{words}");
    }

    #[test]
    fn fault_of_a_typed_filter_is_beside_it() {
        let query = SearchQuery {
            conditions: vec![condition("RayID", "eq", "x")],
            filter: r#"{"where":{"key":"A","operator":"nearly","value":1}}"#.into(),
            ..SearchQuery::default()
        };
        let (part, words) = refusal(&query, "bad_filter");
        assert_eq!(part, RefusedPart::Filter);
        assert!(words.starts_with("The filter is invalid: where") && words.contains("operator"), "{words}");
    }

    #[test]
    fn other_faults_are_beside_what_they_name() {
        let bare = SearchQuery { conditions: vec![condition("Cookies", "eq", "x")], ..SearchQuery::default() };
        let start = (RefusedPart::Range, "Say when the range starts.".to_owned());
        assert_eq!(refusal(&bare, "bad_time"), start);
        let query = SearchQuery { start: "yesterday".into(), ..bare };
        let both = "A sentence. A step.".to_owned();
        for (code, part) in [
            ("bad_time", RefusedPart::Range),
            ("field_masked", RefusedPart::Condition(1)),
            ("other_dataset", RefusedPart::Dataset),
            ("bad_cursor", RefusedPart::Form),
        ] {
            assert_eq!(refusal(&query, code), (part, both.clone()), "{code}");
        }
        let query = SearchQuery { dataset: "dns_log".into(), ..SearchQuery::default() };
        assert_eq!(refusal(&query, "bad_parameter").0, RefusedPart::Dataset);
    }
}
