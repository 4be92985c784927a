//! Walks a record and writes it again, each value as its class is shown.
//!
//! What always holds: the members stand in the order of the record, doubles included; what is not altered is copied as
//! the line spells it; nothing is written for a line that is no record; values nested deeper than
//! [`crate::limits::MASK_DEPTH`] are masked, so that the stack does not grow with the line.

use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::names::names_secret;
use super::words::refused;
use super::{Class, MASKED, Role, Treatment, class_of, fields, ip, scrub, shapes};
use crate::limits::MASK_DEPTH;
use crate::record::fields::{Name, line_text};
use crate::record::{Dataset, RecordError, Value};

/// Appends the record `line` as `role` sees it: JSON on one line, without a line feed.
///
/// # Errors
/// [`RecordError`] where the line is no record; nothing is appended then.
pub fn mask_line(role: Role, dataset: Dataset, line: &[u8], out: &mut Vec<u8>) -> Result<(), RecordError> {
    if role == Role::Forensics {
        out.extend_from_slice(line);
        return Ok(());
    }
    let text = line_text(line);
    let start = out.len();
    let mut json = serde_json::Deserializer::from_str(&text);
    let mask = Mask { role, dataset, depth: MASK_DEPTH };
    let masked = json.deserialize_map(Members { mask, of: Class::Records, out }).and_then(|()| json.end());
    masked.map_err(|error| {
        out.truncate(start);
        RecordError::of(line, &error)
    })
}

/// What a value is masked for, so many levels deep.
#[derive(Clone, Copy)]
struct Mask {
    role: Role,
    dataset: Dataset,
    depth: u32,
}

impl Mask {
    /// Writes the value that `raw` spells.
    fn value(self, class: Class, raw: &str, out: &mut Vec<u8>) {
        let treatment = class.treatment(self.role);
        match Value::from_json(raw) {
            Value::Nested(_) => self.nested(class, raw, out),
            Value::Text(text) if text.is_empty() || self.text(class, treatment, &text, out) => put(out, raw),
            Value::Text(_) => {}
            Value::Number(digits) if treatment == Treatment::Checked && shapes::fits_number(class, digits) => {
                put(out, raw);
            }
            Value::Bool(_) if treatment > Treatment::Names => put(out, raw),
            // A string that no text can be made of is masked, as all that is not known.
            Value::Absent if raw.starts_with('"') => put_masked(out),
            Value::Absent | Value::Number(_) | Value::Bool(_) => put(out, "null"),
        }
    }

    /// Whether a text is shown as it stands; otherwise what is shown for it is written.
    fn text(self, class: Class, treatment: Treatment, text: &str, out: &mut Vec<u8>) -> bool {
        let mut shown = String::new();
        match treatment {
            Treatment::Raw => return true,
            Treatment::Checked if shapes::fits(self.role, class, text) => return true,
            // A host is masked label by label.
            Treatment::Checked if class == Class::Host && text.len() <= 260 => {
                shown = scrub::scrubbed(self.role, class, text);
            }
            Treatment::Cut => match ip::network(text) {
                Some(network) => shown = network.to_string(),
                None => shown.push_str(MASKED),
            },
            Treatment::Scrubbed => shown = scrub::scrubbed(self.role, class, text),
            Treatment::Hidden | Treatment::Names | Treatment::Members | Treatment::Checked => shown.push_str(MASKED),
        }
        if shown != text {
            put_text(out, &shown);
        }
        shown == text
    }

    /// Writes an object or an array: nothing of it where its class has neither.
    fn nested(self, class: Class, raw: &str, out: &mut Vec<u8>) {
        let Some(depth) = self.depth.checked_sub(1) else { return put_masked(out) };
        let (mask, start) = (Self { depth, ..self }, out.len());
        let mut json = serde_json::Deserializer::from_str(raw);
        let is_hidden = class.treatment(self.role) == Treatment::Hidden;
        let written = if raw.starts_with('{') {
            let is_open = is_object(class) && !is_hidden;
            if is_open { json.deserialize_map(Members { mask, of: class, out }) } else { Err(not_shown()) }
        } else if is_hidden {
            Err(not_shown())
        } else {
            json.deserialize_seq(Elements { mask, of: class, out })
        };
        if written.is_err() {
            out.truncate(start);
            // What is empty stays empty.
            let inside = raw.get(1..raw.len().saturating_sub(1)).unwrap_or("x");
            if inside.trim().is_empty() { put(out, raw) } else { put_masked(out) }
        }
    }

    /// The class of the member `name` of an object of a class.
    fn member(self, of: Class, name: &str) -> Class {
        match of {
            Class::Records => class_of(self.dataset, name),
            Class::Cookies => Class::Secret,
            Class::Signals => Class::Number,
            Class::Headers => header(name),
            Class::Message | Class::Metadata if names_secret(name) => Class::Secret,
            Class::Message | Class::Metadata => Class::Message,
            _ => fields::member(of, name),
        }
    }

    /// Whether the name of a member is shown: it is Cloudflare's own, or no secret by its looks.
    fn shows_name(self, of: Class, name: &str, class: Class) -> bool {
        let is_known =
            class != Class::Unknown && matches!(of, Class::Records | Class::Event | Class::Request | Class::LogLine);
        let is_field = || name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match of {
            _ if is_known || name == MASKED => true,
            // A field of the record: the job names it, and new ones have long names.
            Class::Records => is_field() && !refused(Role::Support, name),
            _ => !refused(self.role, name),
        }
    }
}

/// The class of a header.
fn header(name: &str) -> Class {
    if name.eq_ignore_ascii_case("content-length") {
        Class::Number
    } else if name.eq_ignore_ascii_case("content-type") {
        Class::Mime
    } else if names_secret(name) {
        Class::Secret
    } else {
        Class::Header
    }
}

/// Whether objects of a class are looked into.
const fn is_object(class: Class) -> bool {
    matches!(
        class,
        Class::Records
            | Class::Headers
            | Class::Metadata
            | Class::Event
            | Class::Request
            | Class::Response
            | Class::Exception
            | Class::LogLine
            | Class::Version
            | Class::Signals
            | Class::Cookies
            | Class::Message
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
struct Members<'o> {
    mask: Mask,
    of: Class,
    out: &'o mut Vec<u8>,
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record: a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { mask, of, out } = self;
        let mut mark = '{';
        while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
            let class = mask.member(of, &name);
            put(out, mark.encode_utf8(&mut [0; 4]));
            put_text(out, if mask.shows_name(of, &name, class) { &name } else { MASKED });
            put(out, ":");
            mask.value(class, map.next_value::<&'de RawValue>()?.get(), out);
            mark = ',';
        }
        put(out, if mark == '{' { "{}" } else { "}" });
        Ok(())
    }
}

/// Writes the elements of an array.
struct Elements<'o> {
    mask: Mask,
    of: Class,
    out: &'o mut Vec<u8>,
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { mask, of, out } = self;
        put(out, "[");
        let mut is_first = true;
        while let Some(raw) = seq.next_element::<&'de RawValue>()? {
            put(out, if is_first { "" } else { "," });
            mask.value(of, raw.get(), out);
            is_first = false;
        }
        put(out, "]");
        Ok(())
    }
}
