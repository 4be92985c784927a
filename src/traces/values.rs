//! The values of a span, as OTLP's JSON has them, read one by one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};

use super::rules::RULES;
use crate::edge::REDACTED;
use crate::limits::{TRACE_ATTRIBUTES, TRACE_DEPTH, TRACE_NAME_BYTES, TRACE_PARTS, TRACE_TEXT_BYTES};

/// A message as OTLP's JSON has it.
pub(super) type Message = Map<String, Value>;

/// The largest whole number up to which all are numbers of 64 bits with a fraction.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Takes parts of a message apart, and counts what it drops.
#[derive(Default)]
pub(super) struct ExportedValues {
    /// Number of attributes, events, links and values that were dropped or cut, here or by the exporter.
    pub(super) dropped: u64,
    /// Whether a whole number is none of 64 bits, or no number.
    pub(super) is_beyond: bool,
}

impl ExportedValues {
    /// Takes a text, at most [`TRACE_TEXT_BYTES`] of it; an empty one is none.
    pub(super) fn text(&mut self, message: &mut Message, name: &str) -> Option<String> {
        let Some(Value::String(text)) = message.remove(name) else { return None };
        Some(self.cut(text)).filter(|text| !text.is_empty())
    }

    /// Cuts a text that is too long. Secrets leave it before, since of one that is cut the rest may look like none.
    fn cut(&mut self, mut text: String) -> String {
        if text.len() > TRACE_TEXT_BYTES {
            text = RULES.text(&text).into_owned();
            let end = text.floor_char_boundary(TRACE_TEXT_BYTES);
            // A part of a mark would look like the value of a secret.
            let mut marks = text.match_indices(REDACTED).map(|(start, mark)| start + 1..start + mark.len());
            let end = marks.find(|mark| mark.contains(&end)).map_or(end, |mark| mark.start - 1);
            text.truncate(end);
            self.dropped += 1;
        }
        text
    }

    /// Takes the elements of a list, at most [`TRACE_PARTS`] of them.
    pub(super) fn list(&mut self, message: &mut Message, name: &str) -> Vec<Value> {
        let Some(Value::Array(mut list)) = message.remove(name) else { return Vec::new() };
        self.dropped += list.len().saturating_sub(TRACE_PARTS) as u64;
        list.truncate(TRACE_PARTS);
        list
    }

    /// Counts what the exporter dropped itself.
    pub(super) fn count_dropped(&mut self, message: &Message, name: &str) {
        self.dropped = self.dropped.saturating_add(self.whole(message, name).unwrap_or_default());
    }

    /// Reads a whole number of at least 0; `None` without one.
    pub(super) fn whole(&mut self, message: &Message, name: &str) -> Option<u64> {
        let value = message.get(name).filter(|value| !value.is_null())?;
        let number = unsigned(value);
        self.is_beyond |= number.is_none();
        number
    }

    /// Takes the attributes of a message, by name. Of several with a name the last one counts.
    pub(super) fn attributes(&mut self, message: &mut Message, name: &str) -> Message {
        self.count_dropped(message, "droppedAttributesCount");
        let list = message.remove(name);
        self.pairs(list, TRACE_DEPTH)
    }

    fn pairs(&mut self, list: Option<Value>, levels: usize) -> Message {
        let mut pairs = Message::new();
        let Some(Value::Array(list)) = list else { return pairs };
        for pair in list {
            let Value::Object(mut pair) = pair else { continue };
            let Some(Value::String(name)) = pair.remove("key") else { continue };
            let has_room = pairs.len() < TRACE_ATTRIBUTES || pairs.contains_key(&name);
            if name.is_empty() || name.len() > TRACE_NAME_BYTES || !has_room {
                self.dropped += 1;
                continue;
            }
            let value = pair.remove("value").unwrap_or_default();
            let value = self.value(value, levels);
            pairs.insert(name, value);
        }
        pairs
    }

    /// Returns the value inside of one of any type.
    fn value(&mut self, value: Value, levels: usize) -> Value {
        let Value::Object(mut value) = value else { return Value::Null };
        let mut take = |name: &str| value.remove(name).filter(|value| !value.is_null());
        if let Some(Value::String(text)) = take("stringValue") {
            return self.cut(text).into();
        }
        if let Some(Value::String(bytes)) = take("bytesValue") {
            return self.cut(plain_text(bytes)).into();
        }
        if let Some(flag @ Value::Bool(_)) = take("boolValue") {
            return flag;
        }
        if let Some(number) = take("intValue") {
            let number = signed(&number);
            self.is_beyond |= number.is_none();
            return number.map_or(Value::Null, Value::from);
        }
        if let Some(number) = take("doubleValue") {
            return double(number);
        }
        let (list, pairs) = (take("arrayValue"), take("kvlistValue"));
        let Some(levels) = levels.checked_sub(1) else {
            self.dropped += u64::from(list.or(pairs).is_some());
            return Value::Null;
        };
        let inner = |list: Option<Value>| match list {
            Some(Value::Object(list)) => Some(list),
            _ => None,
        };
        if let Some(mut list) = inner(list) {
            let elements = self.list(&mut list, "values");
            return elements.into_iter().map(|element| self.value(element, levels)).collect::<Vec<_>>().into();
        }
        inner(pairs).map_or(Value::Null, |mut pairs| self.pairs(pairs.remove("values"), levels).into())
    }
}

/// Returns the text that bytes are, so that secrets are found in it; what is none stays in base64.
fn plain_text(bytes: String) -> String {
    let decoded = STANDARD.decode(&bytes).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let is_text = |text: &String| text.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\r' | '\n'));
    decoded.filter(is_text).unwrap_or(bytes)
}

/// Reads a whole number of at least 0: JSON has those of 64 bits as texts.
pub(super) fn unsigned(value: &Value) -> Option<u64> {
    let whole = || u64::try_from(exact(value)?).ok();
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).or_else(whole)
}

/// Reads a whole number.
pub(super) fn signed(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok()).or_else(|| exact(value))
}

/// Reads a whole number that is spelled like another one: `1.0`, `1e3`.
fn exact(value: &Value) -> Option<i64> {
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
    // Those beyond are not exact.
    let is_exact = number.abs() <= EXACT_MAX && number.fract() == 0.0;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole, and within the bound")]
    is_exact.then_some(number as i64)
}

/// Reads a number: what JSON cannot write stays a text.
fn double(value: Value) -> Value {
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
    match number.map(Number::from_f64) {
        Some(Some(number)) => number.into(),
        Some(None) if value.is_string() => value,
        _ => Value::Null,
    }
}

/// Reads an ID of this number of digits that is not zero, in lower case.
pub(super) fn id(value: Option<&Value>, digits: usize) -> Option<String> {
    let text = value?.as_str()?;
    let is_id = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_id && text.bytes().any(|byte| byte != b'0')).then(|| text.to_ascii_lowercase())
}
