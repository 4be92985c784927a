//! The operators, and what values each takes.
//!
//! What always holds: an operator with `!` differs from the one without in its result alone.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::decimal::Decimal;
use super::error::Fault;
use crate::record::Value;

/// A string, integer or boolean of a filter, as it was given.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FilterScalar {
    Text(Box<str>),
    /// An integer, as the filter spells it.
    Integer(Box<str>),
    Bool(bool),
}

/// What a field is held against.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FieldTest {
    Equals(FilterScalar),
    /// Stands on one side of the integer.
    Compares(NumberSide, Box<str>),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    /// Holds it: a text as a part, an array as an element.
    Contains(FilterScalar),
    In(Vec<FilterScalar>),
}

impl FieldTest {
    /// Gathers what a field is held against; says whether these are whole values.
    pub(super) fn gather_operands<'a>(&'a self, operands: &mut Vec<&'a str>) -> bool {
        match self {
            Self::Equals(value) => operands.push(value.text()),
            Self::In(values) => operands.extend(values.iter().map(FilterScalar::text)),
            Self::Compares(_, value) => operands.push(value),
            Self::StartsWith(_) | Self::EndsWith(_) | Self::Contains(_) => return false,
        }
        true
    }
}

impl FilterScalar {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Integer(text) => text,
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
        }
    }
}

/// A side of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberSide {
    Below,
    UpTo,
    Above,
    From,
}

/// The test that an operator and its value spell, and whether its result is turned around.
pub(super) fn read(operator: &str, value: &RawValue) -> Result<(FieldTest, bool), Fault> {
    let (name, negated) = match operator.strip_prefix('!') {
        Some(name) => (name, true),
        None if operator == "neq" => ("eq", true),
        None => (operator, false),
    };
    let test = match name {
        "eq" => FieldTest::Equals(scalar(value).ok_or(Fault::Value("a string, an integer or a boolean"))?),
        "lt" if !negated => FieldTest::Compares(NumberSide::Below, integer(value)?),
        "leq" if !negated => FieldTest::Compares(NumberSide::UpTo, integer(value)?),
        "gt" if !negated => FieldTest::Compares(NumberSide::Above, integer(value)?),
        "geq" if !negated => FieldTest::Compares(NumberSide::From, integer(value)?),
        "startsWith" => FieldTest::StartsWith(text(value)?),
        "endsWith" => FieldTest::EndsWith(text(value)?),
        "contains" => FieldTest::Contains(element(value).ok_or(Fault::Value("a string or an integer"))?),
        "in" => FieldTest::In(list(value).ok_or(Fault::Value(LIST))?),
        _ => return Err(Fault::Operator),
    };
    Ok((test, negated))
}

const LIST: &str = "a non-empty array of strings and integers, or a comma-separated string of them";

fn scalar(value: &RawValue) -> Option<FilterScalar> {
    match Value::from_json(value.get()) {
        Value::Text(text) => Some(FilterScalar::Text(text.into())),
        Value::Number(digits) if is_integer(digits) => Some(FilterScalar::Integer(digits.into())),
        Value::Bool(value) => Some(FilterScalar::Bool(value)),
        Value::Number(_) | Value::Nested(_) | Value::Absent => None,
    }
}

/// A string or an integer.
fn element(value: &RawValue) -> Option<FilterScalar> {
    scalar(value).filter(|scalar| !matches!(scalar, FilterScalar::Bool(_)))
}

/// An integer, also one in a string.
fn integer(value: &RawValue) -> Result<Box<str>, Fault> {
    let digits = match Value::from_json(value.get()) {
        Value::Number(digits) => Some(Cow::Borrowed(digits)),
        Value::Text(digits) => Some(digits),
        Value::Bool(_) | Value::Nested(_) | Value::Absent => None,
    };
    digits.filter(|digits| is_integer(digits)).map(Into::into).ok_or(Fault::Value("an integer"))
}

fn text(value: &RawValue) -> Result<Box<str>, Fault> {
    match Value::from_json(value.get()) {
        Value::Text(text) => Ok(text.into()),
        Value::Number(_) | Value::Bool(_) | Value::Nested(_) | Value::Absent => Err(Fault::Value("a string")),
    }
}

/// The elements of an in-list, of which there is one at least.
fn list(value: &RawValue) -> Option<Vec<FilterScalar>> {
    let list = match Value::from_json(value.get()) {
        Value::Nested(array) => {
            serde_json::from_str::<Vec<&RawValue>>(array).ok()?.into_iter().map(element).collect::<Option<Vec<_>>>()?
        }
        Value::Text(text) => {
            let named = |part: &str| {
                Some(part.trim()).filter(|part| !part.is_empty()).map(|part| FilterScalar::Text(part.into()))
            };
            text.split(',').map(named).collect::<Option<Vec<_>>>()?
        }
        Value::Number(_) | Value::Bool(_) | Value::Absent => return None,
    };
    (!list.is_empty()).then_some(list)
}

/// Whether `text` spells a whole number without point and exponent.
fn is_integer(text: &str) -> bool {
    Decimal::parse(text).is_some() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}
