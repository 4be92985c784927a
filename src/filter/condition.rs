//! One condition: a field of the record held against a value of the filter.
//!
//! What always holds: a condition is decided for every value; with `!` it is the exact complement of the one
//! without; a number is the same number as a string that spells it, and two strings are never numbers.

use std::cmp::Ordering;

use serde_json::value::RawValue;

use super::decimal::Decimal;
use super::operator::{Scalar, Side, Test};
use crate::record::Value;

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    /// The place of its field among the names of the filter.
    pub(super) field: usize,
    /// Whether its operator begins with `!`.
    pub(super) negated: bool,
    /// What the field is held against.
    pub(super) test: Test,
}

impl Condition {
    /// Whether a record with this field satisfies it.
    pub(super) fn holds(&self, field: &Value<'_>) -> bool {
        let is_true = match &self.test {
            Test::Equals(value) => equals(value, field),
            Test::In(values) => values.iter().any(|value| equals(value, field)),
            Test::Compares(side, value) => compares(*side, value, field),
            Test::StartsWith(start) => text(field).is_some_and(|text| text.starts_with(&**start)),
            Test::EndsWith(end) => text(field).is_some_and(|text| text.ends_with(&**end)),
            Test::Contains(value) => contains(value, field),
        };
        is_true != self.negated
    }
}

fn equals(value: &Scalar, field: &Value<'_>) -> bool {
    match (value, field) {
        (Scalar::Text(value), Value::Text(text)) => **value == **text,
        (Scalar::Text(value) | Scalar::Integer(value), Value::Number(digits)) => same_number(value, digits),
        (Scalar::Integer(value), Value::Text(text)) => same_number(value, text),
        (Scalar::Bool(value), Value::Bool(found)) => value == found,
        (Scalar::Bool(value), Value::Text(text)) => spelled(*value) == text,
        (Scalar::Text(value), Value::Bool(found)) => &**value == spelled(*found),
        _ => false,
    }
}

const fn spelled(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn same_number(a: &str, b: &str) -> bool {
    order(a, b) == Some(Ordering::Equal)
}

/// How two numbers stand to each other, if both are numbers.
fn order(a: &str, b: &str) -> Option<Ordering> {
    Some(Decimal::parse(a)?.compare(&Decimal::parse(b)?))
}

fn compares(side: Side, value: &str, field: &Value<'_>) -> bool {
    text(field).and_then(|digits| order(digits, value)).is_some_and(|order| match side {
        Side::Below => order.is_lt(),
        Side::UpTo => order.is_le(),
        Side::Above => order.is_gt(),
        Side::From => order.is_ge(),
    })
}

/// A field as a text: a string, or a number as the line spells it.
fn text<'a>(field: &'a Value<'_>) -> Option<&'a str> {
    match field {
        Value::Text(text) => Some(text),
        Value::Number(digits) => Some(digits),
        Value::Absent | Value::Bool(_) | Value::Nested(_) => None,
    }
}

fn contains(value: &Scalar, field: &Value<'_>) -> bool {
    if let Value::Nested(raw) = field {
        let elements = serde_json::from_str::<Vec<&RawValue>>(raw).unwrap_or_default();
        return elements.into_iter().any(|element| equals(value, &Value::from_json(element.get())));
    }
    match value {
        Scalar::Text(part) | Scalar::Integer(part) => text(field).is_some_and(|text| text.contains(&**part)),
        Scalar::Bool(_) => false,
    }
}
