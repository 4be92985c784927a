//! Protobuf messages as the values that OTLP's JSON has for them.
//!
//! # Invariants
//! A value takes no more memory than its caller grants. Fields that no table lists are skipped; one of another type than its table
//! says is no message of OTLP. Of a field that occurs several times, and may only once, the last one counts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::wire::{MalformedExport, WireFields, WireValue};
use crate::limits::{TRACE_ELEMENT_ROOM, TRACE_OBJECT_ROOM, TRACE_WIRE_DEPTH};

/// Why a part of a body is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// The body is no message.
    Malformed,
    /// The part is too large or too deep.
    TooLarge,
}

impl From<MalformedExport> for Unreadable {
    fn from(MalformedExport: MalformedExport) -> Self {
        Self::Malformed
    }
}

/// The type of a field.
enum FieldType {
    Text,
    /// Bytes that JSON has in hexadecimal digits.
    Id,
    /// Other bytes.
    Bytes,
    Bool,
    Signed,
    Unsigned,
    Fixed64,
    Double,
    Message(&'static MessageTable),
    Repeated(&'static MessageTable),
}

/// The fields of a message: number, name in JSON, type.
pub(super) struct MessageTable(&'static [(u32, &'static str, FieldType)]);

use FieldType::{Bool, Bytes, Double, Fixed64, Id, Message, Repeated, Signed, Text, Unsigned};

/// `opentelemetry.proto.resource.v1.Resource`.
pub(super) static RESOURCE: MessageTable =
    MessageTable(&[(1, "attributes", Repeated(&KEY_VALUE)), (2, "droppedAttributesCount", Unsigned)]);

/// `opentelemetry.proto.common.v1.InstrumentationScope`.
pub(super) static SCOPE: MessageTable = MessageTable(&[
    (1, "name", Text),
    (2, "version", Text),
    (3, "attributes", Repeated(&KEY_VALUE)),
    (4, "droppedAttributesCount", Unsigned),
]);

/// `opentelemetry.proto.trace.v1.Span`.
pub(super) static SPAN: MessageTable = MessageTable(&[
    (1, "traceId", Id),
    (2, "spanId", Id),
    (3, "traceState", Text),
    (4, "parentSpanId", Id),
    (5, "name", Text),
    (6, "kind", Signed),
    (7, "startTimeUnixNano", Fixed64),
    (8, "endTimeUnixNano", Fixed64),
    (9, "attributes", Repeated(&KEY_VALUE)),
    (10, "droppedAttributesCount", Unsigned),
    (11, "events", Repeated(&EVENT)),
    (12, "droppedEventsCount", Unsigned),
    (13, "links", Repeated(&LINK)),
    (14, "droppedLinksCount", Unsigned),
    (15, "status", Message(&STATUS)),
]);

static EVENT: MessageTable = MessageTable(&[
    (1, "timeUnixNano", Fixed64),
    (2, "name", Text),
    (3, "attributes", Repeated(&KEY_VALUE)),
    (4, "droppedAttributesCount", Unsigned),
]);

static LINK: MessageTable = MessageTable(&[
    (1, "traceId", Id),
    (2, "spanId", Id),
    (3, "traceState", Text),
    (4, "attributes", Repeated(&KEY_VALUE)),
    (5, "droppedAttributesCount", Unsigned),
]);

static STATUS: MessageTable = MessageTable(&[(2, "message", Text), (3, "code", Signed)]);

static KEY_VALUE: MessageTable = MessageTable(&[(1, "key", Text), (2, "value", Message(&ANY_VALUE))]);

static ANY_VALUE: MessageTable = MessageTable(&[
    (1, "stringValue", Text),
    (2, "boolValue", Bool),
    (3, "intValue", Signed),
    (4, "doubleValue", Double),
    (5, "arrayValue", Message(&ARRAY_VALUE)),
    (6, "kvlistValue", Message(&LIST_VALUE)),
    (7, "bytesValue", Bytes),
]);

static ARRAY_VALUE: MessageTable = MessageTable(&[(1, "values", Repeated(&ANY_VALUE))]);

static LIST_VALUE: MessageTable = MessageTable(&[(1, "values", Repeated(&KEY_VALUE))]);

/// Reads a message of this table, in at most `room` bytes of memory.
pub(super) fn read_message(table: &'static MessageTable, bytes: &[u8], room: usize) -> Result<Value, Unreadable> {
    MessageReader { room, depth: TRACE_WIRE_DEPTH }.message(table, bytes)
}

struct MessageReader {
    room: usize,
    depth: usize,
}

impl MessageReader {
    fn spend(&mut self, bytes: usize) -> Result<(), Unreadable> {
        self.room = self.room.checked_sub(bytes).ok_or(Unreadable::TooLarge)?;
        Ok(())
    }

    fn message(&mut self, table: &'static MessageTable, bytes: &[u8]) -> Result<Value, Unreadable> {
        self.spend(TRACE_OBJECT_ROOM)?;
        self.depth = self.depth.checked_sub(1).ok_or(Unreadable::TooLarge)?;
        let mut members = Map::new();
        for field in WireFields::new(bytes) {
            let (number, value) = field?;
            let Some((_, name, kind)) = table.0.iter().find(|(known, _, _)| *known == number) else { continue };
            self.spend(TRACE_ELEMENT_ROOM)?;
            if let Repeated(inner) = kind {
                let WireValue::Bytes(bytes) = value else { return Err(Unreadable::Malformed) };
                let element = self.message(inner, bytes)?;
                if let Value::Array(list) = members.entry(*name).or_insert_with(|| Value::Array(Vec::new())) {
                    list.push(element);
                }
            } else {
                let value = self.single(kind, value)?;
                members.insert((*name).to_owned(), value);
            }
        }
        self.depth += 1;
        Ok(Value::Object(members))
    }

    /// Reads the value of a field that occurs once.
    fn single(&mut self, kind: &FieldType, value: WireValue<'_>) -> Result<Value, Unreadable> {
        if let WireValue::Bytes(bytes) = value {
            self.spend(2 * bytes.len())?;
        }
        Ok(match (kind, value) {
            (Text, WireValue::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned().into(),
            (Id, WireValue::Bytes(bytes)) => hex::encode(bytes).into(),
            (Bytes, WireValue::Bytes(bytes)) => STANDARD.encode(bytes).into(),
            (Bool, WireValue::Varint(number)) => (number != 0).into(),
            (Signed, WireValue::Varint(number)) => number.cast_signed().into(),
            (Unsigned, WireValue::Varint(number)) | (Fixed64, WireValue::Fixed64(number)) => number.into(),
            (Double, WireValue::Fixed64(bits)) => double(f64::from_bits(bits)),
            (Message(table), WireValue::Bytes(bytes)) => self.message(table, bytes)?,
            _ => return Err(Unreadable::Malformed),
        })
    }
}

/// A number as JSON has it: those that it cannot write are texts.
fn double(number: f64) -> Value {
    serde_json::Number::from_f64(number).map_or_else(
        || {
            Value::from(if number.is_nan() {
                "NaN"
            } else if number > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            })
        },
        Value::Number,
    )
}
