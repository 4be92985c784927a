//! Walks a record and writes it again, each value as its class is shown.
//!
//! # Invariants
//!
//! The members keep the order of the record, duplicates included. What is not altered is copied as the line spells it.
//! A line that is not a record writes nothing. Values nested deeper than [`crate::limits::MASK_DEPTH`] are masked, so
//! that the stack does not grow with the line.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::follow::{ListCursor, PairCursor};
use super::host::HOST_LENGTH;
use super::names::names_secret;
use super::normal::normal;
use super::words::refused;
use super::{FieldClass, FieldTreatment, MASKED, Role, class_of, fields, ip, scrub, shapes};
use crate::limits::MASK_DEPTH;
use crate::record::fields::{MemberName, line_text};
use crate::record::{Dataset, FieldValue, RecordError};

/// Appends the record `line` as `role` sees it: JSON on one line, without a line feed.
///
/// # Errors
/// [`RecordError`] where the line is not a record; nothing is appended then.
pub fn mask_line(role: Role, dataset: Dataset, line: &[u8], out: &mut Vec<u8>) -> Result<(), RecordError> {
    if role == Role::Forensics {
        out.extend_from_slice(line);
        return Ok(());
    }
    let text = line_text(line);
    let start = out.len();
    let mut json = serde_json::Deserializer::from_str(&text);
    let mask = ValueMask { role, dataset, depth: MASK_DEPTH };
    let mut pairs = PairCursor::new(FieldClass::Records);
    let members = MaskedMembers { mask, of: FieldClass::Records, pairs: &mut pairs, out };
    let masked = json.deserialize_map(members).and_then(|()| json.end());
    masked.map_err(|error| {
        out.truncate(start);
        RecordError::of(line, &error)
    })
}

/// The role and class that a value is masked for, and its depth in levels.
#[derive(Clone, Copy)]
struct ValueMask {
    role: Role,
    dataset: Dataset,
    depth: u32,
}

impl ValueMask {
    /// Writes the value that `raw` spells.
    fn value(self, class: FieldClass, raw: &str, out: &mut Vec<u8>) {
        let treatment = class.treatment(self.role);
        match FieldValue::from_json(raw) {
            FieldValue::Nested(_) => self.nested(class, raw, out),
            FieldValue::Text(text) if text.is_empty() || self.text(class, treatment, &text, out) => put(out, raw),
            FieldValue::Text(_) => {}
            FieldValue::Number(digits)
                if treatment == FieldTreatment::Checked && shapes::fits_number(class, digits) =>
            {
                put(out, raw);
            }
            FieldValue::Bool(_) if treatment > FieldTreatment::Names => put(out, raw),
            FieldValue::Absent | FieldValue::Number(_) | FieldValue::Bool(_) => put(out, "null"),
        }
    }

    /// Whether a text is shown unchanged; otherwise its replacement is written.
    fn text(self, class: FieldClass, treatment: FieldTreatment, text: &str, out: &mut Vec<u8>) -> bool {
        let masked = Cow::Borrowed(MASKED);
        let shown = match treatment {
            FieldTreatment::Raw => return true,
            // A host is masked label by label.
            FieldTreatment::Checked if class == FieldClass::Host && text.len() <= HOST_LENGTH => {
                scrub::scrubbed(self.role, class, text)
            }
            FieldTreatment::Checked if shapes::fits(self.role, class, text) => return true,
            FieldTreatment::Cut => ip::network(text).map_or(masked, |network| network.to_string().into()),
            FieldTreatment::Scrubbed => scrub::scrubbed(self.role, class, text),
            FieldTreatment::Hidden | FieldTreatment::Names | FieldTreatment::Members | FieldTreatment::Checked => {
                masked
            }
        };
        if shown != text {
            put_text(out, &shown);
        }
        shown == text
    }

    /// Writes an object or an array: nothing of it where its class has neither.
    fn nested(self, class: FieldClass, raw: &str, out: &mut Vec<u8>) {
        let Some(depth) = self.depth.checked_sub(1) else { return put_masked(out) };
        let (mask, start) = (Self { depth, ..self }, out.len());
        let is_hidden = class.treatment(self.role) == FieldTreatment::Hidden;
        let written = if raw.starts_with('{') {
            let is_open = is_object(class) && !is_hidden;
            if is_open { mask.object(class, raw, out) } else { Err(not_shown()) }
        } else if is_hidden {
            Err(not_shown())
        } else {
            serde_json::Deserializer::from_str(raw).deserialize_seq(MaskedElements { mask, of: class, out })
        };
        if written.is_err() {
            out.truncate(start);
            // What is empty stays empty.
            let inside = raw.get(1..raw.len().saturating_sub(1)).unwrap_or("x");
            if inside.trim().is_empty() { put(out, raw) } else { put_masked(out) }
        }
    }

    /// Writes an object, anew where a member names a secret that one before it holds.
    fn object(self, of: FieldClass, raw: &str, out: &mut Vec<u8>) -> serde_json::Result<()> {
        let (start, mut pairs) = (out.len(), PairCursor::new(of));
        let write = |pairs: &mut PairCursor, out: &mut Vec<u8>| {
            serde_json::Deserializer::from_str(raw).deserialize_map(MaskedMembers { mask: self, of, pairs, out })
        };
        write(&mut pairs, out)?;
        if pairs.has_missed() {
            out.truncate(start);
            write(&mut pairs, out)?;
        }
        Ok(())
    }

    /// The class of the member `name` of an object of a class.
    fn member(self, of: FieldClass, name: &str) -> FieldClass {
        match of {
            FieldClass::Records => class_of(self.dataset, name),
            FieldClass::Cookies => FieldClass::Secret,
            FieldClass::Signals => FieldClass::Number,
            FieldClass::Headers => header(name),
            FieldClass::Message | FieldClass::Metadata if names_secret(name) => FieldClass::Secret,
            FieldClass::Message | FieldClass::Metadata => FieldClass::Message,
            FieldClass::Attributes => fields::attribute(name),
            _ => fields::member(of, name),
        }
    }

    /// Whether the name of a member is shown: it is Cloudflare's own, or no secret by its looks.
    fn shows_name(self, of: FieldClass, name: &str, class: FieldClass) -> bool {
        let is_known = match of {
            FieldClass::Records => class != FieldClass::Unknown || fields::is_known(name),
            _ => fields::member(of, name) != FieldClass::Unknown,
        };
        let is_sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | char::REPLACEMENT_CHARACTER);
        let is_field = || name.len() <= 64 && name.chars().all(is_sign);
        match of {
            _ if is_known => true,
            // It is numbered anew, so that it differs from those that are masked now.
            _ if is_masked_name(name) => false,
            // A field of the record: the job names it, and new ones have long names.
            FieldClass::Records => is_field() && !refused(Role::Support, name),
            _ => normal(name).is_some_and(|name| !refused(self.role, &name)),
        }
    }
}

/// The name of the member whose name is masked as the `number`th of its object.
fn masked_name(number: usize) -> String {
    format!("[masked-{number}]")
}

/// Whether a name is one that masking gives.
#[must_use]
pub fn is_masked_name(name: &str) -> bool {
    let inner = name.strip_prefix("[masked").and_then(|rest| rest.strip_suffix(']'));
    let digits =
        |rest: &str| rest.strip_prefix('-').is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    inner.is_some_and(|rest| rest.is_empty() || digits(rest))
}

/// The class of a header.
fn header(name: &str) -> FieldClass {
    if name.eq_ignore_ascii_case("content-length") {
        FieldClass::Number
    } else if name.eq_ignore_ascii_case("content-type") {
        FieldClass::Mime
    } else if name.eq_ignore_ascii_case("traceparent") {
        FieldClass::TraceContext
    } else if names_secret(name) {
        FieldClass::Secret
    } else {
        FieldClass::Header
    }
}

/// Whether objects of a class are looked into.
const fn is_object(class: FieldClass) -> bool {
    matches!(
        class,
        FieldClass::Records
            | FieldClass::Headers
            | FieldClass::Metadata
            | FieldClass::Attributes
            | FieldClass::SpanPart
            | FieldClass::Event
            | FieldClass::Request
            | FieldClass::Response
            | FieldClass::Exception
            | FieldClass::LogLine
            | FieldClass::Version
            | FieldClass::Signals
            | FieldClass::Cookies
            | FieldClass::Message
    )
}

fn not_shown() -> serde_json::Error {
    serde::de::Error::custom("not shown")
}

fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn put_masked(out: &mut Vec<u8>) {
    put_text(out, MASKED);
}

/// A text as JSON, which every text has.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let json = serde_json::to_string(text);
    put(out, json.as_deref().unwrap_or("null"));
}

/// Writes the members of an object.
struct MaskedMembers<'o> {
    mask: ValueMask,
    of: FieldClass,
    pairs: &'o mut PairCursor,
    out: &'o mut Vec<u8>,
}

impl<'de> Visitor<'de> for MaskedMembers<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record: a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { mask, of, pairs, out } = self;
        let (mut mark, mut masked) = ('{', 0);
        while let Some(MemberName(name)) = map.next_key::<MemberName<'de>>()? {
            let class = mask.member(of, &name);
            put(out, mark.encode_utf8(&mut [0; 4]));
            if mask.shows_name(of, &name, class) {
                put_text(out, &name);
            } else {
                masked += 1;
                put_text(out, &masked_name(masked));
            }
            put(out, ":");
            let raw = map.next_value::<&'de RawValue>()?.get();
            mask.value(if pairs.hides(&name, raw) { FieldClass::Secret } else { class }, raw, out);
            mark = ',';
        }
        put(out, if mark == '{' { "{}" } else { "}" });
        Ok(())
    }
}

/// Writes the elements of an array.
struct MaskedElements<'o> {
    mask: ValueMask,
    of: FieldClass,
    out: &'o mut Vec<u8>,
}

impl<'de> Visitor<'de> for MaskedElements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { mask, of, out } = self;
        put(out, "[");
        let (mut is_first, mut list) = (true, ListCursor::new(of));
        while let Some(raw) = seq.next_element::<&'de RawValue>()? {
            put(out, if is_first { "" } else { "," });
            mask.value(if list.hides(raw.get()) { FieldClass::Secret } else { of }, raw.get(), out);
            is_first = false;
        }
        put(out, "]");
        Ok(())
    }
}
