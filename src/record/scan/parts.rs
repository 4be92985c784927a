//! Builds a record's key from the positions of its parts.
//!
//! # Invariants
//!
//! The parts of a walked line give the key that [`crate::record::read_key`] finds in it.

use super::nested::{NotPlain, member};
use crate::record::fields::{ValueSpan, line_text};
use crate::record::key::{INNER_RAY, KeyPart, inner_ray_text, text_of, trace_key};
use crate::record::{FieldValue, RayId, RayKey, RecordKey, Timestamp};

/// The positions of the parts of a record's key in its line.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct KeyParts {
    ray: ValueSpan,
    trace: ValueSpan,
    outer: ValueSpan,
    start: ValueSpan,
    parent: ValueSpan,
    merged: ValueSpan,
}

impl KeyParts {
    /// Sets the position of `part`. Of several the last one counts.
    #[inline]
    pub(super) fn keep(&mut self, part: Option<KeyPart>, span: ValueSpan) {
        match part {
            None => {}
            Some(KeyPart::Ray) => self.ray = span,
            Some(KeyPart::Trace) => self.trace = span,
            Some(KeyPart::Outer) => self.outer = span,
            Some(KeyPart::Start) => self.start = span,
            Some(KeyPart::Parent) => self.parent = span,
            Some(KeyPart::Merged) => self.merged = span,
        }
    }

    /// Returns the position of the array with the records inside of this one, if it may have any.
    #[inline(always)]
    pub(super) fn merged(self, line: &[u8]) -> Option<ValueSpan> {
        // Most records have no such member.
        let array = Some(self.merged).filter(|span| span.start() != 0)?;
        let text = array.text(line)?;
        (text.first() == Some(&b'[') && text.len() > 2).then_some(array)
    }

    /// Returns the ray of the record and the parent that it names, if it has a ray.
    pub(super) fn rays(self, line: &[u8]) -> Option<(RayKey, Option<RayId>)> {
        Some((self.ray.text(line).and_then(ray_of)?, self.parent.text(line).and_then(parent_of)))
    }

    /// Returns the key of the line.
    pub(super) fn key(self, line: &[u8]) -> RecordKey {
        let inner = self.outer.text(line).and_then(ray_inside);
        let ray = self.ray.text(line).map_or(inner, ray_of);
        let start = self.start.text(line).and_then(start_of);
        let trace = self.trace.text(line).and_then(trace_of);
        RecordKey { ray, trace, start, parent: self.parent.text(line).and_then(parent_of), merged: None }
    }
}

/// Parses the ID of a trace from the JSON text `raw`.
fn trace_of(raw: &[u8]) -> Option<RayKey> {
    let text = line_text(raw);
    text_of(FieldValue::from_json(&text)).and_then(|id| trace_key(&id))
}

/// Parses the ray of a parent from the JSON text `raw`. Most records have none, and say so in one of three ways.
fn parent_of(raw: &[u8]) -> Option<RayId> {
    if matches!(raw, b"\"00\"" | b"\"\"" | b"null") {
        return None;
    }
    ray_of(raw)?.ray().filter(|parent| parent.bits() != 0)
}

/// Parses a ray from the JSON text `raw`.
fn ray_of(raw: &[u8]) -> Option<RayKey> {
    if let [b'"', digits @ .., b'"'] = raw
        && let Some(ray) = RayId::from_hex(digits)
    {
        return Some(RayKey::Ray(ray));
    }
    let text = line_text(raw);
    text_of(FieldValue::from_json(&text)).and_then(|id| RayKey::from_logged(&id))
}

/// Parses an instant from the JSON text `raw`.
fn start_of(raw: &[u8]) -> Option<Timestamp> {
    if let Some(start) = Timestamp::of_digits(raw) {
        return Some(start);
    }
    // Texts without escapes are read in place.
    let inside = match raw {
        [b'"', text @ .., b'"'] if !text.contains(&b'\\') => Some(text),
        [b'-' | b'0'..=b'9', ..] => Some(raw),
        _ => None,
    };
    if let Some(text) = inside.and_then(|text| std::str::from_utf8(text).ok()) {
        return Timestamp::parse_logged(text);
    }
    let text = line_text(raw);
    text_of(FieldValue::from_json(&text)).and_then(|time| Timestamp::parse_logged(&time))
}

/// Parses a ray inside the object `raw`, if it is one.
fn ray_inside(raw: &[u8]) -> Option<RayKey> {
    match member(raw, |name| name == INNER_RAY.as_bytes()) {
        Ok(ray) => ray_of(ray?),
        Err(NotPlain) => ray_of(inner_ray_text(&line_text(raw))?.as_bytes()),
    }
}
