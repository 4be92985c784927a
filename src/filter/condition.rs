//! One condition: a comparison of a record's field with a value of the filter.
//!
//! # Invariants
//!
//! A condition has a result for every value; with `!` it is the exact complement of the one without. A number equals a
//! string that spells it, and two strings are never compared as numbers.

use std::cmp::Ordering;

use serde_json::value::RawValue;

use super::header::any_value;
use super::operator::{FieldTest, FilterScalar, NumberSide};
use crate::record::FieldValue;
use crate::record::decimal::Decimal;

/// One field, one operator, one value: a leaf of the filter's tree.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FilterCondition {
    /// The position of its field among the names of the filter.
    pub(super) field: usize,
    /// The header that it is on, if the field has headers.
    pub(super) header: Option<Box<str>>,
    /// Whether its operator begins with `!`.
    pub(super) negated: bool,
    /// The test applied to the field.
    pub(super) test: FieldTest,
}

impl FilterCondition {
    /// Returns whether a record with this field satisfies it.
    pub(super) fn holds(&self, field: &FieldValue<'_>) -> bool {
        let is_true = match &self.header {
            Some(header) => any_value(field, header, &|value| self.is_true(value)),
            None => self.is_true(field),
        };
        is_true != self.negated
    }

    /// Returns whether a value satisfies the test.
    fn is_true(&self, field: &FieldValue<'_>) -> bool {
        match &self.test {
            FieldTest::Equals(value) => equals(value, field),
            FieldTest::In(values) => values.iter().any(|value| equals(value, field)),
            FieldTest::Compares(side, value) => compares(*side, value, field),
            FieldTest::StartsWith(start) => text(field).is_some_and(|text| text.starts_with(&**start)),
            FieldTest::EndsWith(end) => text(field).is_some_and(|text| text.ends_with(&**end)),
            FieldTest::Contains(value) => contains(value, field),
        }
    }
}

fn equals(value: &FilterScalar, field: &FieldValue<'_>) -> bool {
    match (value, field) {
        (FilterScalar::Text(value), FieldValue::Text(text)) => **value == **text,
        (FilterScalar::Text(value) | FilterScalar::Integer(value), FieldValue::Number(digits)) => {
            same_number(value, digits)
        }
        (FilterScalar::Integer(value), FieldValue::Text(text)) => same_number(value, text),
        (FilterScalar::Bool(value), FieldValue::Bool(found)) => value == found,
        (FilterScalar::Bool(value), FieldValue::Text(text)) => spelled(*value) == text,
        (FilterScalar::Text(value), FieldValue::Bool(found)) => &**value == spelled(*found),
        (FilterScalar::Network(network, _), FieldValue::Text(text)) => network.has(text),
        _ => false,
    }
}

const fn spelled(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn same_number(a: &str, b: &str) -> bool {
    order(a, b) == Some(Ordering::Equal)
}

/// Compares two values, if both are numbers.
fn order(a: &str, b: &str) -> Option<Ordering> {
    Some(Decimal::parse(a)?.compare(&Decimal::parse(b)?))
}

fn compares(side: NumberSide, value: &str, field: &FieldValue<'_>) -> bool {
    text(field).and_then(|digits| order(digits, value)).is_some_and(|order| match side {
        NumberSide::Below => order.is_lt(),
        NumberSide::UpTo => order.is_le(),
        NumberSide::Above => order.is_gt(),
        NumberSide::From => order.is_ge(),
    })
}

/// Returns a field as text: a string, or a number as spelled in the line.
fn text<'a>(field: &'a FieldValue<'_>) -> Option<&'a str> {
    match field {
        FieldValue::Text(text) => Some(text),
        FieldValue::Number(digits) => Some(digits),
        FieldValue::Absent | FieldValue::Bool(_) | FieldValue::Nested(_) => None,
    }
}

fn contains(value: &FilterScalar, field: &FieldValue<'_>) -> bool {
    if let FieldValue::Nested(raw) = field {
        let elements = serde_json::from_str::<Vec<&RawValue>>(raw).unwrap_or_default();
        return elements.into_iter().any(|element| equals(value, &FieldValue::from_json(element.get())));
    }
    match value {
        FilterScalar::Text(part) | FilterScalar::Integer(part) => {
            text(field).is_some_and(|text| text.contains(&**part))
        }
        // No address has a part that is one.
        FilterScalar::Network(..) => equals(value, field),
        FilterScalar::Bool(_) => false,
    }
}
