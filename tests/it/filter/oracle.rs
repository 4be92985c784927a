//! The filter language once more, naively: over whole JSON values, with numbers as whole counts of halves.
//!
//! It reads what [`super::generate`] makes: integers that an `i64` holds, fractions that are halves.

use serde_json::{Map, Value};

/// Whether the record passes.
pub(crate) fn passes(filter: &str, record: &str) -> bool {
    let filter: Value = serde_json::from_str(filter).unwrap();
    let record: Map<String, Value> = serde_json::from_str(record).unwrap();
    node(&filter["where"], &record)
}

fn node(this: &Value, record: &Map<String, Value>) -> bool {
    if let Some(parts) = this["and"].as_array() {
        return parts.iter().filter(|part| node(part, record)).count() == parts.len();
    }
    if let Some(parts) = this["or"].as_array() {
        return parts.iter().filter(|part| node(part, record)).count() > 0;
    }
    let field = record.get(this["key"].as_str().unwrap()).unwrap_or(&Value::Null);
    match this["operator"].as_str().unwrap() {
        "neq" | "!eq" => !positive("eq", &this["value"], field),
        "!startsWith" => !positive("startsWith", &this["value"], field),
        "!endsWith" => !positive("endsWith", &this["value"], field),
        "!contains" => !positive("contains", &this["value"], field),
        "!in" => !positive("in", &this["value"], field),
        operator => positive(operator, &this["value"], field),
    }
}

fn positive(operator: &str, value: &Value, field: &Value) -> bool {
    let numbers = || Some((halves(field)?, halves(value)?));
    let texts = || Some((text(field)?, text(value)?));
    match operator {
        "eq" => same(value, field),
        "lt" => numbers().is_some_and(|(field, value)| field < value),
        "leq" => numbers().is_some_and(|(field, value)| field <= value),
        "gt" => numbers().is_some_and(|(field, value)| field > value),
        "geq" => numbers().is_some_and(|(field, value)| field >= value),
        "startsWith" => texts().is_some_and(|(field, value)| field.find(&value) == Some(0)),
        "endsWith" => texts().is_some_and(|(field, value)| field.as_bytes().ends_with(value.as_bytes())),
        "contains" => match field {
            Value::Array(elements) => elements.iter().any(|element| same(value, element)),
            _ => texts().is_some_and(|(field, value)| field.split(&value).count() > 1),
        },
        "in" => match value {
            Value::Array(values) => values.iter().any(|value| same(value, field)),
            values => values.as_str().unwrap().split(',').any(|value| same(&value.trim().into(), field)),
        },
        other => panic!("{other}"),
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::String(text), Value::Bool(truth)) | (Value::Bool(truth), Value::String(text)) => {
            *text == truth.to_string()
        }
        _ => halves(a).is_some() && halves(a) == halves(b),
    }
}

/// Twice the number.
fn halves(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => number.as_i64().map(|number| 2 * i128::from(number)).or_else(|| {
            let text = (number.as_f64()? * 2.0).to_string();
            Some(text.parse().unwrap_or_else(|_| panic!("{number} is not a count of halves")))
        }),
        Value::String(text) if text.trim() == text => {
            serde_json::from_str::<Value>(text).ok().filter(Value::is_number).and_then(|number| halves(&number))
        }
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
