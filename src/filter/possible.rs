//! Decides whether any of many records could match a filter, from what is known of their fields, so that whole batches
//! are skipped.
//!
//! # Invariants
//!
//! If some record with these values matches, the answer is yes. An unknown value may be anything.

use super::Filter;
use super::condition::FilterCondition;
use super::operator::{FieldTest, FilterScalar};
use crate::record::FieldValue;

/// The values that a field may have in some records.
pub enum PossibleValues<'a> {
    /// The field may have any value.
    Any,
    /// The field has one of these values; [`FieldValue::Absent`] stands for records without it.
    OneOf(Vec<FieldValue<'a>>),
    /// The field is absent, or a text that this function accepts; it may accept others, too.
    Texts(Box<dyn Fn(&str) -> bool + 'a>),
}

impl Filter {
    /// Returns whether a record could match whose fields have the values in `possible`, which is called once for each
    /// field that the filter reads.
    pub fn may_match<'a>(&self, mut possible: impl FnMut(&str) -> PossibleValues<'a>) -> bool {
        let mut fields: Vec<PossibleValues<'a>> = self.names.iter().map(|_| PossibleValues::Any).collect();
        for (name, place) in &self.names {
            if let Some(slot) = fields.get_mut(*place) {
                *slot = possible(name);
            }
        }
        // The parts of a group are tested one by one and may match different records, so the answer can be a false yes,
        // but never a false no.
        self.root.holds_by(&|condition| condition.may_hold(fields.get(condition.field)))
    }
}

impl FilterCondition {
    /// Returns whether some of the field's possible values satisfies it.
    fn may_hold(&self, field: Option<&PossibleValues<'_>>) -> bool {
        match field {
            None | Some(PossibleValues::Any) => true,
            Some(PossibleValues::OneOf(values)) => values.iter().any(|value| self.holds(value)),
            Some(PossibleValues::Texts(test)) => match &self.test {
                _ if self.negated => true,
                FieldTest::Equals(value) => may_equal(value, test),
                FieldTest::In(values) => values.iter().any(|value| may_equal(value, test)),
                FieldTest::Compares(..)
                | FieldTest::StartsWith(_)
                | FieldTest::EndsWith(_)
                | FieldTest::Contains(_) => true,
            },
        }
    }
}

/// Returns whether a text that `test` accepts may equal the value. Two strings are compared byte for byte; a number
/// equals all texts that spell it, and a network all addresses in it, which a test cannot know.
fn may_equal(value: &FilterScalar, test: &dyn Fn(&str) -> bool) -> bool {
    match value {
        FilterScalar::Text(value) => test(value),
        FilterScalar::Integer(_) | FilterScalar::Bool(_) | FilterScalar::Network(..) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::{Filter, PossibleValues};
    use crate::record::FieldValue;

    fn may(operator: &str, value: &str, possible: impl Fn() -> PossibleValues<'static>) -> bool {
        let text = format!(r#"{{"where":{{"key":"A","operator":"{operator}","value":{value}}}}}"#);
        Filter::parse(&text).unwrap().may_match(|_| possible())
    }

    #[test]
    fn a_set_is_held_against_the_condition_itself() {
        let set = || PossibleValues::OneOf(vec![FieldValue::Number("200"), FieldValue::Text("a".into())]);
        for (operator, value, expected) in [
            ("eq", "200", true),
            ("eq", "\"200\"", true),
            ("eq", "404", false),
            ("in", "\"404,a\"", true),
            ("geq", "201", false),
            ("lt", "201", true),
            ("!eq", "200", true),
            ("startsWith", "\"b\"", false),
            ("!in", "[200,\"a\"]", false),
        ] {
            assert_eq!(may(operator, value, set), expected, "{operator} {value}");
        }
        assert!(may("!in", "[200,\"a\"]", || PossibleValues::OneOf(vec![FieldValue::Absent])));
        assert!(!may("!eq", "1", || PossibleValues::OneOf(vec![])), "no record at all passes nothing");
    }

    #[test]
    fn a_test_of_texts_rules_out_strings_alone() {
        let texts = || PossibleValues::Texts(Box::new(|text: &str| text == "192.0.2.1"));
        for (operator, value, expected) in [
            ("eq", "\"192.0.2.1\"", true),
            ("eq", "\"192.0.2.2\"", false),
            ("in", "\"192.0.2.2, 192.0.2.1\"", true),
            ("in", "[\"192.0.2.2\",\"x\"]", false),
            ("in", "[\"192.0.2.2\",7]", true),
            ("eq", "7", true),
            ("eq", "true", true),
            ("!eq", "\"192.0.2.2\"", true),
            ("startsWith", "\"x\"", true),
            ("contains", "\"x\"", true),
        ] {
            assert_eq!(may(operator, value, texts), expected, "{operator} {value}");
        }
    }

    #[test]
    fn groups_are_what_they_say_of_their_parts() {
        let set = |name: &str| PossibleValues::OneOf(vec![FieldValue::Text(name.to_lowercase().into())]);
        let leaf = |key: &str, value: &str| format!(r#"{{"key":"{key}","operator":"eq","value":"{value}"}}"#);
        for (group, expected) in [("and", false), ("or", true)] {
            let parts = [leaf("A", "a"), leaf("B", "x")].join(",");
            let filter = Filter::parse(&format!(r#"{{"where":{{"{group}":[{parts}]}}}}"#)).unwrap();
            assert_eq!(filter.may_match(|name| set(name)), expected, "{group}");
        }
    }
}
