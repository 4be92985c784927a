//! The operators, with the values that each accepts. An operator with `!` differs from the one without only in its
//! result.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::error::FilterFault;
use super::network::IpNetwork;
use crate::record::FieldValue;
use crate::record::decimal::Decimal;

/// A string, integer or boolean in a filter, as spelled there, or a network.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FilterScalar {
    Text(Box<str>),
    /// An integer, as spelled in the filter.
    Integer(Box<str>),
    Bool(bool),
    /// A network, with its text.
    Network(IpNetwork, Box<str>),
}

/// The test applied to a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FieldTest {
    Equals(FilterScalar),
    /// The field is on one side of the integer.
    Compares(NumberSide, Box<str>),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    /// The field contains it: a text as a substring, an array as an element.
    Contains(FilterScalar),
    In(Vec<FilterScalar>),
}

impl FieldTest {
    /// Reads the operands of a field of addresses: one with a slash is a network.
    pub(super) fn of_addresses(self) -> Result<Self, FilterFault> {
        Ok(match self {
            Self::Equals(value) => Self::Equals(value.of_addresses()?),
            Self::Contains(value) => Self::Contains(value.of_addresses()?),
            Self::In(values) => {
                Self::In(values.into_iter().map(FilterScalar::of_addresses).collect::<Result<_, FilterFault>>()?)
            }
            Self::Compares(..) | Self::StartsWith(_) | Self::EndsWith(_) => self,
        })
    }

    /// Collects the operands of the test; returns whether they are compared as whole values.
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
    fn of_addresses(self) -> Result<Self, FilterFault> {
        match self {
            Self::Text(text) if text.contains('/') => {
                let network = IpNetwork::parse(&text).map_err(FilterFault::Network)?;
                Ok(Self::Network(network, text))
            }
            other => Ok(other),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Integer(text) | Self::Network(_, text) => text,
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
        }
    }
}

/// One side of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberSide {
    Below,
    UpTo,
    Above,
    From,
}

/// Parses an operator with its value; returns the test, and whether its result is negated.
pub(super) fn read(operator: &str, value: &RawValue) -> Result<(FieldTest, bool), FilterFault> {
    let (name, negated) = match operator.strip_prefix('!') {
        Some(name) => (name, true),
        None if operator == "neq" => ("eq", true),
        None => (operator, false),
    };
    let test = match name {
        "eq" => FieldTest::Equals(scalar(value).ok_or(FilterFault::Value("a string, an integer or a boolean"))?),
        "lt" if !negated => FieldTest::Compares(NumberSide::Below, integer(value)?),
        "leq" if !negated => FieldTest::Compares(NumberSide::UpTo, integer(value)?),
        "gt" if !negated => FieldTest::Compares(NumberSide::Above, integer(value)?),
        "geq" if !negated => FieldTest::Compares(NumberSide::From, integer(value)?),
        "startsWith" => FieldTest::StartsWith(text(value)?),
        "endsWith" => FieldTest::EndsWith(text(value)?),
        "contains" => FieldTest::Contains(element(value).ok_or(FilterFault::Value("a string or an integer"))?),
        "in" => FieldTest::In(list(value).ok_or(FilterFault::Value(LIST))?),
        _ => return Err(FilterFault::Operator),
    };
    Ok((test, negated))
}

const LIST: &str = "a non-empty array of strings and integers, or a comma-separated string of them";

fn scalar(value: &RawValue) -> Option<FilterScalar> {
    match FieldValue::from_json(value.get()) {
        FieldValue::Text(text) => Some(FilterScalar::Text(text.into())),
        FieldValue::Number(digits) if is_integer(digits) => Some(FilterScalar::Integer(digits.into())),
        FieldValue::Bool(value) => Some(FilterScalar::Bool(value)),
        FieldValue::Number(_) | FieldValue::Nested(_) | FieldValue::Absent => None,
    }
}

/// Parses a string or an integer.
fn element(value: &RawValue) -> Option<FilterScalar> {
    scalar(value).filter(|scalar| !matches!(scalar, FilterScalar::Bool(_)))
}

/// Parses an integer, possibly in a string.
fn integer(value: &RawValue) -> Result<Box<str>, FilterFault> {
    let digits = match FieldValue::from_json(value.get()) {
        FieldValue::Number(digits) => Some(Cow::Borrowed(digits)),
        FieldValue::Text(digits) => Some(digits),
        FieldValue::Bool(_) | FieldValue::Nested(_) | FieldValue::Absent => None,
    };
    digits.filter(|digits| is_integer(digits)).map(Into::into).ok_or(FilterFault::Value("an integer"))
}

fn text(value: &RawValue) -> Result<Box<str>, FilterFault> {
    match FieldValue::from_json(value.get()) {
        FieldValue::Text(text) => Ok(text.into()),
        FieldValue::Number(_) | FieldValue::Bool(_) | FieldValue::Nested(_) | FieldValue::Absent => {
            Err(FilterFault::Value("a string"))
        }
    }
}

/// Parses the elements of an in-list, at least one.
fn list(value: &RawValue) -> Option<Vec<FilterScalar>> {
    let list = match FieldValue::from_json(value.get()) {
        FieldValue::Nested(array) => {
            serde_json::from_str::<Vec<&RawValue>>(array).ok()?.into_iter().map(element).collect::<Option<Vec<_>>>()?
        }
        FieldValue::Text(text) => {
            let named = |part: &str| {
                Some(part.trim()).filter(|part| !part.is_empty()).map(|part| FilterScalar::Text(part.into()))
            };
            text.split(',').map(named).collect::<Option<Vec<_>>>()?
        }
        FieldValue::Number(_) | FieldValue::Bool(_) | FieldValue::Absent => return None,
    };
    (!list.is_empty()).then_some(list)
}

/// Returns whether `text` spells an integer without point and exponent.
fn is_integer(text: &str) -> bool {
    Decimal::parse(text).is_some() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}
