//! The spans of an `ExportTraceServiceRequest`, as protobuf or as JSON, one after the other.
//!
//! # Invariants
//! Beside the body one span with its resource and its scope is held at a time, each within [`TRACE_SPAN_ROOM`]; what is larger is
//! handed on without its value. The same request gives the same values in both forms, but for the spelling of numbers. In JSON, members
//! have their names in JSON or those in the schema.

use std::fmt;
use std::ops::ControlFlow;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::decode::{MessageTable, RESOURCE, SCOPE, SPAN, Unreadable, read_message};
use super::wire::{MalformedExport, WireFields, WireValue};
use crate::limits::{TRACE_ELEMENT_ROOM, TRACE_OBJECT_ROOM, TRACE_SPAN_BYTES, TRACE_SPAN_ROOM};
use crate::record::fields::LastMember;

/// The levels of a value that are read.
const JSON_DEPTH: usize = 127;

/// The form of a request and of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportForm {
    /// OTLP's JSON.
    Json,
    /// Protobuf.
    Protobuf,
}

/// A span as it was sent, by the names that OTLP's JSON has.
#[derive(Debug)]
pub struct ExportedSpan<'r> {
    /// What it is of.
    pub resource: &'r Value,
    /// What made it.
    pub scope: &'r Value,
    /// The number of this pair in the request, from 1.
    pub origin: u32,
    /// The span, or why it, its resource or its scope cannot be held.
    pub span: Result<Value, UnheldPart>,
}

/// Why a part of a request cannot be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnheldPart {
    /// It is too large, or nested too deep.
    TooLarge,
    /// It has a number beyond the range of a double.
    Number,
}

/// Hands each span of a request on to `sink`, which may end the reading. A body in JSON has no half surrogate pairs any more
/// ([`crate::record::repair_halves`]).
///
/// # Errors
/// [`MalformedExport`] if the body is no such request; `sink` may have seen spans before.
pub fn each_span(
    form: ExportForm,
    body: &[u8],
    sink: &mut dyn FnMut(ExportedSpan<'_>) -> ControlFlow<()>,
) -> Result<(), MalformedExport> {
    let flow = match form {
        ExportForm::Json => {
            let text = std::str::from_utf8(body).map_err(|_| MalformedExport)?;
            JsonPart(text).each_span(sink)
        }
        ExportForm::Protobuf => WirePart(body).each_span(sink),
    };
    flow.map(drop)
}

/// A part of a request in one of the forms.
trait ExportPart: Copy {
    /// Hands the elements of a list on, by name or number.
    fn each(
        self,
        list: (&'static str, u32),
        sink: &mut dyn FnMut(Self) -> Result<ControlFlow<()>, MalformedExport>,
    ) -> Result<ControlFlow<()>, MalformedExport>;

    /// Returns a member; `None` if there is none.
    fn member(self, member: (&'static str, u32)) -> Result<Option<Self>, MalformedExport>;

    /// Reads the part as a whole, as far as it can be held.
    fn value(self, table: &'static MessageTable) -> Result<Result<Value, UnheldPart>, MalformedExport>;

    /// Hands the spans of a request on.
    fn each_span(
        self,
        sink: &mut dyn FnMut(ExportedSpan<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, MalformedExport> {
        let mut origin = 0;
        self.each(("resourceSpans", 1), &mut |of_resource| {
            let resource = of_resource.part(("resource", 1), &RESOURCE)?;
            of_resource.each(("scopeSpans", 2), &mut |of_scope| {
                let scope = of_scope.part(("scope", 1), &SCOPE)?;
                origin += 1;
                of_scope.each(("spans", 2), &mut |span| {
                    let read = span.value(&SPAN)?;
                    let (span, resource, scope) = match (&resource, &scope) {
                        (Ok(resource), Ok(scope)) => (read, resource, scope),
                        (Err(unheld), _) | (_, Err(unheld)) => (Err(*unheld), &Value::Null, &Value::Null),
                    };
                    Ok(sink(ExportedSpan { resource, scope, origin, span }))
                })
            })
        })
    }

    /// Reads a member as a whole: an empty one where there is none.
    fn part(
        self,
        member: (&'static str, u32),
        table: &'static MessageTable,
    ) -> Result<Result<Value, UnheldPart>, MalformedExport> {
        self.member(member)?.map_or(Ok(Ok(Value::Null)), |part| part.value(table))
    }
}

#[derive(Clone, Copy)]
struct WirePart<'b>(&'b [u8]);

impl WirePart<'_> {
    /// Hands the values of a field on.
    fn values(
        self,
        number: u32,
        sink: &mut dyn FnMut(Self) -> Result<ControlFlow<()>, MalformedExport>,
    ) -> Result<ControlFlow<()>, MalformedExport> {
        for field in WireFields::new(self.0) {
            let (known, value) = field?;
            if known != number {
                continue;
            }
            let WireValue::Bytes(bytes) = value else { return Err(MalformedExport) };
            if sink(Self(bytes))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl ExportPart for WirePart<'_> {
    fn each(
        self,
        (_, number): (&'static str, u32),
        sink: &mut dyn FnMut(Self) -> Result<ControlFlow<()>, MalformedExport>,
    ) -> Result<ControlFlow<()>, MalformedExport> {
        self.values(number, sink)
    }

    fn member(self, (_, number): (&'static str, u32)) -> Result<Option<Self>, MalformedExport> {
        let mut found = None;
        let read = self.values(number, &mut |value| {
            found = Some(value);
            Ok(ControlFlow::Continue(()))
        });
        read.map(|_| found)
    }

    fn value(self, table: &'static MessageTable) -> Result<Result<Value, UnheldPart>, MalformedExport> {
        if self.0.len() > TRACE_SPAN_BYTES {
            return Ok(Err(UnheldPart::TooLarge));
        }
        match read_message(table, self.0, TRACE_SPAN_ROOM) {
            Ok(value) => Ok(Ok(value)),
            Err(Unreadable::TooLarge) => Ok(Err(UnheldPart::TooLarge)),
            Err(Unreadable::Malformed) => Err(MalformedExport),
        }
    }
}

#[derive(Clone, Copy)]
struct JsonPart<'b>(&'b str);

impl<'b> ExportPart for JsonPart<'b> {
    fn each(
        self,
        list: (&'static str, u32),
        sink: &mut dyn FnMut(Self) -> Result<ControlFlow<()>, MalformedExport>,
    ) -> Result<ControlFlow<()>, MalformedExport> {
        let Some(list) = self.member(list)? else { return Ok(ControlFlow::Continue(())) };
        let mut flow = Ok(ControlFlow::Continue(()));
        let take = |element: &'b RawValue| {
            flow = sink(Self(element.get()));
            matches!(flow, Ok(ControlFlow::Continue(())))
        };
        let read = serde_json::Deserializer::from_str(list.0).deserialize_seq(Elements(take));
        if matches!(flow, Ok(ControlFlow::Continue(()))) && read.is_err() { Err(MalformedExport) } else { flow }
    }

    fn member(self, (name, _): (&'static str, u32)) -> Result<Option<Self>, MalformedExport> {
        let find = |name| {
            let mut json = serde_json::Deserializer::from_str(self.0);
            let found = json.deserialize_map(LastMember(name)).and_then(|found| json.end().map(|()| found));
            found.map_err(|_| MalformedExport)
        };
        let found = match (find(name)?, name) {
            (None, "resourceSpans") => find("resource_spans")?,
            (None, "scopeSpans") => find("scope_spans")?,
            (found, _) => found,
        };
        Ok(found.map(RawValue::get).filter(|raw| *raw != "null").map(Self))
    }

    fn value(self, _: &'static MessageTable) -> Result<Result<Value, UnheldPart>, MalformedExport> {
        let (room, depth) = json_extent(self.0);
        if self.0.len() > TRACE_SPAN_BYTES || room > TRACE_SPAN_ROOM || depth > JSON_DEPTH {
            return Ok(Err(UnheldPart::TooLarge));
        }
        // The syntax was checked with the body, and its texts have no half surrogate pairs: what fails is a number.
        let mut value = serde_json::from_str(self.0).map_err(|_| UnheldPart::Number);
        if let Ok(value) = &mut value {
            rename_members(value);
        }
        Ok(value)
    }
}

/// Gives members with the names of the schema (`trace_id`) those that JSON has (`traceId`): a reader takes both. Names of
/// attributes are values, which stay.
fn rename_members(value: &mut Value) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(rename_members),
        Value::Object(members) => {
            let of_schema: Vec<String> = members.keys().filter(|name| name.contains('_')).cloned().collect();
            for name in of_schema {
                if let Some(member) = members.remove(&name) {
                    members.entry(json_name(&name)).or_insert(member);
                }
            }
            members.values_mut().for_each(rename_members);
        }
        _ => {}
    }
}

/// Returns the name in JSON of a member that has this one in the schema.
fn json_name(name: &str) -> String {
    let mut is_first = false;
    let sign = |sign: char| {
        let begins = std::mem::replace(&mut is_first, sign == '_');
        (sign != '_').then(|| if begins { sign.to_ascii_uppercase() } else { sign })
    };
    name.chars().filter_map(sign).collect()
}

/// Returns the memory of a value as it is read, in bytes, at most, and the number of its levels.
fn json_extent(text: &str) -> (usize, usize) {
    let (mut is_inside, mut is_escaped, mut room) = (false, false, 2 * text.len());
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        if is_inside {
            let is_end = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            is_inside = !is_end;
            continue;
        }
        room += match byte {
            b'{' => TRACE_OBJECT_ROOM,
            b'[' | b',' => TRACE_ELEMENT_ROOM,
            _ => 0,
        };
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
        is_inside = byte == b'"';
    }
    (room, deepest)
}

/// Hands the elements of a list on, as long as that returns true.
struct Elements<F>(F);

impl<'de, F: FnMut(&'de RawValue) -> bool> Visitor<'de> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element()? {
            if !(self.0)(element) {
                return Err(serde::de::Error::custom("ended"));
            }
        }
        Ok(())
    }
}
