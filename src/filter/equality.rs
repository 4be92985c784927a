//! Filters for the records that have the same values as another one.
//!
//! # Invariants
//!
//! Such a filter matches the record that its values are from. Its values are compared as they are: an address with a slash is no
//! network. They may be longer than those of a filter that a client sends.

use std::borrow::Cow;

use serde_json::json;

use super::condition::FilterCondition;
use super::operator::{FieldTest, FilterScalar};
use super::{Filter, FilterNode};
use crate::record::FieldValue;

impl Filter {
    /// Creates the filter of the records in which each of these fields equals its value. `None` without any, for a value that no
    /// condition compares with, such as a list, and for a name that comes twice.
    #[must_use]
    pub fn for_equal_fields(values: &[(&str, FieldValue<'_>)]) -> Option<Self> {
        let mut filter =
            Self { text: "".into(), names: [].into(), named_at: Vec::new(), root: FilterNode::And(Vec::new()) };
        let (mut nodes, mut documents) = (Vec::new(), Vec::new());
        for (place, (name, value)) in values.iter().enumerate() {
            let (scalar, text) = scalar(value)?;
            if filter.names.insert((*name).into(), place).is_some() {
                return None;
            }
            filter.named_at.push(format!("where.and[{place}]").into());
            documents.push(json!({ "key": name, "operator": "eq", "value": text }));
            nodes.push(FilterNode::Leaf(FilterCondition {
                field: place,
                header: None,
                negated: false,
                test: FieldTest::Equals(scalar),
            }));
        }
        filter.text = json!({ "where": { "and": documents } }).to_string().into();
        filter.root = FilterNode::And(nodes);
        (!values.is_empty()).then_some(filter)
    }
}

/// Returns what a field is compared with to equal the value, and its text.
fn scalar<'a>(value: &'a FieldValue<'_>) -> Option<(FilterScalar, Cow<'a, str>)> {
    Some(match value {
        FieldValue::Text(text) => (FilterScalar::Text(text.as_ref().into()), Cow::Borrowed(text)),
        FieldValue::Number(digits) => (FilterScalar::Integer((*digits).into()), Cow::Borrowed(*digits)),
        FieldValue::Bool(value) => (FilterScalar::Bool(*value), value.to_string().into()),
        FieldValue::Nested(_) | FieldValue::Absent => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use serde_json::{Value, json};

    use crate::filter::Filter;
    use crate::record::FieldValue;

    fn matches(value: &str, other: &str) -> bool {
        let filter = Filter::for_equal_fields(&[("A", FieldValue::from_json(value))]).unwrap();
        filter.accepts(format!("{{\"A\":{other}}}").as_bytes()).unwrap()
    }

    #[test]
    fn values_are_compared_as_in_a_filter() {
        for (value, other, is_same) in [
            ("200", "200", true),
            ("200", "\"200\"", true),
            ("\"200\"", "200", true),
            ("2e2", "200", true),
            ("200.0", "2e2", true),
            ("200", "404", false),
            ("\"2e2\"", "\"200\"", false),
            ("\"a\"", r#""\u0061""#, true),
            ("\"a\"", "\"A\"", false),
            ("\"\"", "\"\"", true),
            ("\"\"", "null", false),
            ("true", "true", true),
            ("true", "\"true\"", true),
            ("true", "false", false),
        ] {
            assert_eq!(matches(value, other), is_same, "{value} {other}");
        }
        for value in ["null", "[1]", "{}"] {
            assert_eq!(Filter::for_equal_fields(&[("A", FieldValue::from_json(value))]), None);
        }
        assert_eq!(Filter::for_equal_fields(&[]), None);
        let twice = [("A", FieldValue::from_json("1")), ("A", FieldValue::from_json("2"))];
        assert_eq!(Filter::for_equal_fields(&twice), None);
    }

    #[test]
    fn address_with_a_slash_is_no_network() {
        let filter = Filter::for_equal_fields(&[("ClientIP", FieldValue::Text("192.0.2.0/24".into()))]).unwrap();
        assert_eq!(filter.accepts(br#"{"ClientIP":"192.0.2.7"}"#), Ok(false));
        assert_eq!(filter.accepts(br#"{"ClientIP":"192.0.2.0/24"}"#), Ok(true));
        assert_eq!(filter.exact_operands("ClientIP"), Some(vec!["192.0.2.0/24"]));
    }

    #[test]
    fn every_field_has_to_be_the_same() {
        let values = [("B", FieldValue::Text("x".into())), ("A", FieldValue::Number("7"))];
        let filter = Filter::for_equal_fields(&values).unwrap();
        assert_eq!(filter.fields().collect::<Vec<_>>(), ["A", "B"]);
        for (line, is_same) in
            [(r#"{"A":7,"B":"x"}"#, true), (r#"{"A":7,"B":"y"}"#, false), (r#"{"B":"x"}"#, false), ("{}", false)]
        {
            assert_eq!(filter.accepts(line.as_bytes()), Ok(is_same), "{line}");
        }
    }

    proptest! {
        #[test]
        fn parsed_text_is_the_same_filter(text in any::<String>(), number in any::<i64>(), other in any::<String>()) {
            let (text_json, number_json) = (json!(text).to_string(), number.to_string());
            let values = [("A", FieldValue::from_json(&text_json)), ("B", FieldValue::from_json(&number_json))];
            let filter = Filter::for_equal_fields(&values).unwrap();
            let parsed = Filter::parse(filter.text()).unwrap();
            prop_assert_eq!(filter.fields().collect::<Vec<_>>(), parsed.fields().collect::<Vec<_>>());
            prop_assert_eq!(
                filter.fields_with_places().collect::<Vec<_>>(),
                parsed.fields_with_places().collect::<Vec<_>>()
            );
            let own = json!({ "A": text, "B": number });
            prop_assert_eq!(filter.accepts(own.to_string().as_bytes()), Ok(true));
            let lines: [Value; 3] = [own, json!({ "A": other, "B": number }), json!({ "A": text, "B": number.wrapping_add(1) })];
            for line in lines {
                let line = line.to_string();
                prop_assert_eq!(filter.accepts(line.as_bytes()), parsed.accepts(line.as_bytes()));
            }
            prop_assert!(filter.text().contains("where"));
        }
    }
}
