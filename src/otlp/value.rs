//! The values of attributes.

use prost::{Message, Oneof};
use serde::Serialize;

use super::json::signed;

/// A name with its value.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct OtlpKeyValue {
    /// The name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The value.
    #[prost(message, optional, tag = "2")]
    pub value: Option<OtlpAnyValue>,
}

/// A value of any type.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(transparent)]
pub struct OtlpAnyValue {
    /// The value.
    #[prost(oneof = "OtlpValue", tags = "1, 2, 3, 4, 5")]
    pub value: Option<OtlpValue>,
}

/// A value, by its type.
#[derive(Clone, PartialEq, Oneof, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum OtlpValue {
    /// A text.
    #[prost(string, tag = "1")]
    StringValue(String),
    /// A truth value.
    #[prost(bool, tag = "2")]
    BoolValue(bool),
    /// A whole number.
    #[prost(int64, tag = "3")]
    #[serde(serialize_with = "signed")]
    IntValue(i64),
    /// Another number.
    #[prost(double, tag = "4")]
    DoubleValue(f64),
    /// A list of values.
    #[prost(message, tag = "5")]
    ArrayValue(OtlpArray),
}

/// A list of values.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct OtlpArray {
    /// The values.
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<OtlpAnyValue>,
}

impl From<OtlpValue> for OtlpAnyValue {
    fn from(value: OtlpValue) -> Self {
        Self { value: Some(value) }
    }
}
