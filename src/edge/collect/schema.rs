//! The shape that a rule asks of a report, by a subset of JSON Schema.
//!
//! | keyword | value | a value has the shape if |
//! |---|---|---|
//! | `type` | a type's name, or an array of them | it is of the type: `object`, `array`, `string`, `number`, `integer`, `boolean`, `null` |
//! | `enum` | an array | it equals one of the elements |
//! | `required` | an array of names | it is no object, or has all of these members |
//! | `properties` | an object of schemas | it is no object, or its members of these names have their shapes |
//! | `additionalProperties` | `true` or `false` | `false`: it is no object, or has only members of `properties` |
//! | `items` | a schema | it is no array, or each element has the shape |
//! | `maxLength` | a number | it is no string, or has at most this number of characters |
//! | `minimum`, `maximum` | a number | it is no number, or is not below or above it |
//!
//! # Invariants
//! A keyword that is not in the table is a fault: a check that is written is made. Numbers are compared exactly.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::report::ReportValue;
use crate::limits::COLLECT_SCHEMA_DEPTH;
use crate::record::decimal::Decimal;

/// Longest keyword that a fault repeats.
const KEYWORD_CHARS: usize = 32;

/// Why a schema is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaFault {
    /// A keyword is not one of the table.
    #[error(
        "the keyword {0} is not known: use type, enum, required, properties, additionalProperties, items, maxLength, minimum or \
         maximum"
    )]
    Keyword(String),
    /// The value of this keyword is not of its form.
    #[error("{0} has a value that it does not take")]
    Value(&'static str),
    /// A schema is no object.
    #[error("a schema is an object of keywords")]
    NotAnObject,
    /// Schemas are nested too deep.
    #[error("has more than {COLLECT_SCHEMA_DEPTH} levels")]
    TooDeep,
}

/// A type of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JsonType {
    Object,
    Array,
    String,
    Number,
    Integer,
    Boolean,
    Null,
}

impl JsonType {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "object" => Self::Object,
            "array" => Self::Array,
            "string" => Self::String,
            "number" => Self::Number,
            "integer" => Self::Integer,
            "boolean" => Self::Boolean,
            "null" => Self::Null,
            _ => return None,
        })
    }

    fn has(self, value: &ReportValue) -> bool {
        match value {
            ReportValue::Object(_) => self == Self::Object,
            ReportValue::List(_) => self == Self::Array,
            ReportValue::Text(_) => self == Self::String,
            ReportValue::Number(number) => self == Self::Number || self == Self::Integer && is_integer(number),
            ReportValue::Flag(_) => self == Self::Boolean,
            ReportValue::Null => self == Self::Null,
        }
    }
}

/// Returns whether a number in its canonical spelling is whole: that of a large one has an exponent.
fn is_integer(number: &str) -> bool {
    let Some((mantissa, exponent)) = number.split_once('e') else { return !number.contains('.') };
    let decimals = mantissa.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    !exponent.starts_with('-') && exponent.parse().map_or(true, |exponent: usize| exponent >= decimals)
}

/// The shape of a report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReportSchema {
    types: Vec<JsonType>,
    choices: Option<Vec<ReportValue>>,
    required: Vec<String>,
    properties: BTreeMap<String, ReportSchema>,
    is_closed: bool,
    items: Option<Box<ReportSchema>>,
    max_length: Option<u64>,
    minimum: Option<Box<str>>,
    maximum: Option<Box<str>>,
}

impl ReportSchema {
    /// Parses a schema from its JSON value.
    ///
    /// # Errors
    /// [`SchemaFault`], of which only an unknown keyword is repeated.
    pub fn parse(schema: &Value) -> Result<Self, SchemaFault> {
        Self::parse_level(schema, COLLECT_SCHEMA_DEPTH)
    }

    fn parse_level(schema: &Value, depth: usize) -> Result<Self, SchemaFault> {
        let depth = depth.checked_sub(1).ok_or(SchemaFault::TooDeep)?;
        let mut parsed = Self::default();
        for (keyword, value) in schema.as_object().ok_or(SchemaFault::NotAnObject)? {
            match keyword.as_str() {
                "type" => parsed.types = types(value).ok_or(SchemaFault::Value("type"))?,
                "enum" => parsed.choices = Some(choices(value).ok_or(SchemaFault::Value("enum"))?),
                "required" => parsed.required = names(value).ok_or(SchemaFault::Value("required"))?,
                "properties" => {
                    let members = value.as_object().ok_or(SchemaFault::Value("properties"))?;
                    let parse =
                        |(name, schema): (&String, &Value)| Ok((name.clone(), Self::parse_level(schema, depth)?));
                    parsed.properties = members.iter().map(parse).collect::<Result<_, _>>()?;
                }
                "additionalProperties" => {
                    parsed.is_closed = !value.as_bool().ok_or(SchemaFault::Value("additionalProperties"))?;
                }
                "items" => parsed.items = Some(Box::new(Self::parse_level(value, depth)?)),
                "maxLength" => parsed.max_length = Some(value.as_u64().ok_or(SchemaFault::Value("maxLength"))?),
                "minimum" => parsed.minimum = Some(number(value).ok_or(SchemaFault::Value("minimum"))?),
                "maximum" => parsed.maximum = Some(number(value).ok_or(SchemaFault::Value("maximum"))?),
                other => return Err(SchemaFault::Keyword(other.chars().take(KEYWORD_CHARS).collect())),
            }
        }
        Ok(parsed)
    }

    /// Returns whether a value has the shape.
    pub(super) fn accepts(&self, value: &ReportValue) -> bool {
        let is_of_type = self.types.is_empty() || self.types.iter().any(|kind| kind.has(value));
        let is_chosen = self.choices.as_ref().is_none_or(|choices| choices.contains(value));
        is_of_type && is_chosen && self.accepts_inside(value)
    }

    fn accepts_inside(&self, value: &ReportValue) -> bool {
        match value {
            ReportValue::Object(members) => {
                let fits = |(name, value)| match self.properties.get(name) {
                    Some(schema) => schema.accepts(value),
                    None => !self.is_closed,
                };
                self.required.iter().all(|name| members.contains_key(name)) && members.iter().all(fits)
            }
            ReportValue::List(items) => {
                self.items.as_ref().is_none_or(|schema| items.iter().all(|item| schema.accepts(item)))
            }
            ReportValue::Text(text) => {
                let fits = |most| u64::try_from(text.chars().count()).is_ok_and(|length| length <= most);
                self.max_length.is_none_or(fits)
            }
            ReportValue::Number(number) => {
                let compare = |bound: &str| Some(Decimal::parse(number)?.compare(&Decimal::parse(bound)?));
                let minimum =
                    self.minimum.as_deref().map(|bound| compare(bound).is_some_and(std::cmp::Ordering::is_ge));
                let maximum =
                    self.maximum.as_deref().map(|bound| compare(bound).is_some_and(std::cmp::Ordering::is_le));
                minimum != Some(false) && maximum != Some(false)
            }
            ReportValue::Flag(_) | ReportValue::Null => true,
        }
    }
}

fn types(value: &Value) -> Option<Vec<JsonType>> {
    match value {
        Value::String(name) => Some(vec![JsonType::from_name(name)?]),
        _ => value.as_array()?.iter().map(|name| JsonType::from_name(name.as_str()?)).collect(),
    }
}

fn choices(value: &Value) -> Option<Vec<ReportValue>> {
    value.as_array()?.iter().map(report_value).collect()
}

fn report_value(value: &Value) -> Option<ReportValue> {
    ReportValue::parse(serde_json::from_str::<&RawValue>(&value.to_string()).ok()?)
}

fn names(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

fn number(value: &Value) -> Option<Box<str>> {
    match report_value(value)? {
        ReportValue::Number(number) => Some(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::value;
    use super::{ReportSchema, SchemaFault};

    #[test]
    fn schemas_accept_what_has_their_shape() {
        for (schema, accepted, refused) in [
            (json!({"type": "object"}), &["{}", r#"{"a":1}"#][..], &["[]", "1", "null"][..]),
            (json!({"type": ["string", "null"]}), &["\"\"", "null"], &["true", "0"]),
            (json!({"type": "integer"}), &["1", "1.0", "-2e3", "1.5e30", "1e21"], &["1.5", "1e-3", "\"1\"", "1e-7"]),
            (json!({"enum": ["a", 1, null, [2]]}), &["\"a\"", "1.0", "null", "[2]"], &["\"b\"", "2", "[]"]),
            (json!({"required": ["a"]}), &[r#"{"a":null}"#, "7"], &["{}", r#"{"b":1}"#]),
            (json!({"properties": {"a": {"type": "string"}}}), &["{}", r#"{"a":"","b":1}"#], &[r#"{"a":1}"#]),
            (json!({"properties": {"a": {}}, "additionalProperties": false}), &["{}", r#"{"a":1}"#], &[r#"{"b":1}"#]),
            (json!({"items": {"type": "number", "maximum": 2}}), &["[]", "[1,2]", "{}"], &["[3]", "[1,\"\"]"]),
            (json!({"maxLength": 2}), &["\"éé\"", "123"], &["\"abc\""]),
            (json!({"minimum": -1, "maximum": 1.5}), &["-1", "1.5", "\"9\""], &["-1.0000000000000000000001", "2"]),
        ] {
            let parsed = ReportSchema::parse(&schema).unwrap();
            assert!(accepted.iter().all(|text| parsed.accepts(&value(text))), "{schema}");
            assert!(!refused.iter().any(|text| parsed.accepts(&value(text))), "{schema}");
        }
    }

    #[test]
    fn schema_with_an_unknown_keyword_is_faulty() {
        let mut deep = json!({});
        for _ in 0..8 {
            deep = json!({"items": deep});
        }
        for (schema, fault) in [
            (json!({"items": {"pattern": "^a"}}), SchemaFault::Keyword("pattern".into())),
            (json!({"type": "text"}), SchemaFault::Value("type")),
            (json!({"enum": 7}), SchemaFault::Value("enum")),
            (json!({"required": [7]}), SchemaFault::Value("required")),
            (json!({"properties": []}), SchemaFault::Value("properties")),
            (json!({"properties": {"a": 7}}), SchemaFault::NotAnObject),
            (json!({"additionalProperties": {}}), SchemaFault::Value("additionalProperties")),
            (json!({"maxLength": -1}), SchemaFault::Value("maxLength")),
            (json!({"minimum": "1"}), SchemaFault::Value("minimum")),
            (deep, SchemaFault::TooDeep),
        ] {
            assert_eq!(ReportSchema::parse(&schema), Err(fault), "{schema}");
        }
    }
}
