//! The members of a record that summaries cover, each as the JSON text in the line.
//!
//! # Invariants
//!
//! Of a repeated member the last one counts, as in filters. The positions of the names are stored with summaries, so
//! names are only appended, never moved.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::{MemberName, ValueSpan, line_text, utf8};
use super::lanes::TextHead;

/// The names, for all datasets: the address, and the common filter fields with few values.
pub const INDEXED_FIELDS: [&str; 12] = [
    "EdgeResponseStatus",
    "ClientRequestHost",
    "ClientRequestMethod",
    "ClientCountry",
    "ZoneName",
    "CacheCacheStatus",
    "SecurityAction",
    "Action",
    "Source",
    "ScriptName",
    "Outcome",
    "ClientIP",
];

/// Returns the position of a name in the list.
#[must_use]
pub fn indexed_field_position(name: &str) -> Option<usize> {
    INDEXED_FIELDS.iter().position(|indexed_fields| *indexed_fields == name)
}

/// The value of an indexed field: the JSON text in the line, or nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldToken<'l> {
    pub(crate) text: &'l [u8],
    /// The first bytes of the text, which decide most comparisons.
    pub(crate) head: TextHead,
}

impl<'l> FieldToken<'l> {
    /// Creates the token that begins at `start` in a line.
    #[inline]
    pub(crate) fn at(line: &[u8], start: usize, text: &'l [u8]) -> Self {
        Self { text, head: TextHead::at(line, start, text.len()) }
    }
}

/// The positions of the indexed members in one line.
#[derive(Debug, Clone, Copy)]
pub struct IndexedFields {
    spans: [ValueSpan; INDEXED_FIELDS.len()],
    /// The number of the line in which each was found, so that forgetting them all costs nothing.
    lines: [u32; INDEXED_FIELDS.len()],
    line: u32,
    is_known: bool,
}

impl IndexedFields {
    /// Creates the fields of a line in which none is present.
    pub(super) fn none() -> Self {
        Self {
            spans: [ValueSpan::default(); INDEXED_FIELDS.len()],
            lines: [0; INDEXED_FIELDS.len()],
            line: 1,
            is_known: true,
        }
    }

    /// Creates the fields of a line in which any may be present.
    pub(super) fn unknown() -> Self {
        Self { is_known: false, ..Self::none() }
    }

    /// Reads a line by the slow path, with the same result as a scanner.
    #[must_use]
    pub fn read(line: &[u8]) -> Self {
        // If the line is not UTF-8, positions in its text differ from those in the line.
        if utf8(line).is_none() {
            return Self::unknown();
        }
        let text = line_text(line);
        let mut json = serde_json::Deserializer::from_str(&text);
        json.deserialize_map(IndexedFieldsVisitor { line: text.as_bytes() }).unwrap_or_else(|_| Self::unknown())
    }

    /// Begins the next line, in which none is present yet.
    #[inline]
    pub(super) fn begin(&mut self) {
        match self.line.checked_add(1) {
            Some(line) => (self.line, self.is_known) = (line, true),
            None => *self = Self::none(),
        }
    }

    /// Sets the position of the member at `place`, if there is one.
    #[inline]
    pub(super) fn keep(&mut self, place: Option<u8>, span: ValueSpan) {
        let Some(place) = place.map(usize::from) else { return };
        if let (Some(slot), Some(line)) = (self.spans.get_mut(place), self.lines.get_mut(place)) {
            (*slot, *line) = (span, self.line);
        }
    }

    /// Returns whether the fields of the line are known.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.is_known
    }

    /// Returns the JSON text of the member at `place`; empty if the line has no such member.
    #[must_use]
    #[inline]
    pub fn token<'l>(&self, line: &'l [u8], place: usize) -> &'l [u8] {
        let of = self.lines.get(place).filter(|of| **of == self.line);
        of.and_then(|_| self.spans.get(place)?.text(line)).unwrap_or_default()
    }

    /// Returns all values in the order of the names, each with its offset in the line.
    #[inline]
    pub(crate) fn values<'l>(&self, line: &'l [u8]) -> impl Iterator<Item = (usize, &'l [u8])> {
        self.spans.iter().enumerate().map(|(place, span)| (span.start(), self.token(line, place)))
    }
}

struct IndexedFieldsVisitor<'l> {
    line: &'l [u8],
}

impl<'de> Visitor<'de> for IndexedFieldsVisitor<'de> {
    type Value = IndexedFields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record: a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut indexed_fields = IndexedFields::none();
        while let Some(name) = map.next_key::<MemberName<'de>>()? {
            match indexed_field_position(&name.0).and_then(|place| u8::try_from(place).ok()) {
                place @ Some(_) => {
                    let value = map.next_value::<&'de RawValue>()?.get();
                    indexed_fields.keep(place, ValueSpan::of(self.line, value.as_bytes()));
                }
                None => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(indexed_fields)
    }
}

#[cfg(test)]
mod tests {
    use super::{INDEXED_FIELDS, IndexedFields, indexed_field_position};

    #[test]
    fn the_places_of_the_names_never_change() {
        let first = ["EdgeResponseStatus", "ClientRequestHost", "ClientRequestMethod", "ClientCountry", "ZoneName"];
        let next = ["CacheCacheStatus", "SecurityAction", "Action", "Source", "ScriptName", "Outcome", "ClientIP"];
        let names = first.into_iter().chain(next);
        for (place, name) in names.enumerate() {
            assert_eq!(indexed_field_position(name), Some(place));
        }
        assert!(INDEXED_FIELDS.len() < 256 && indexed_field_position("RayID").is_none());
    }

    #[test]
    fn last_duplicate_counts_and_invalid_utf8_is_skipped() {
        let line = r#"{"Action":"a","ClientIP": 7 ,"\u0041ction":["b"],"x":{"Action":"c"}}"#.as_bytes();
        let indexed_fields = IndexedFields::read(line);
        assert!(indexed_fields.is_known());
        let token = |name| indexed_fields.token(line, indexed_field_position(name).unwrap());
        assert_eq!((token("Action"), token("ClientIP"), token("Source")), (&b"[\"b\"]"[..], &b"7"[..], &b""[..]));
        assert!(!IndexedFields::read(b"{\"Action\":\"\xff\"}").is_known());
        assert!(!IndexedFields::read(b"[]").is_known());
        let line = r#"{"\ud83d":1,"Action":"\ud83d"}"#.as_bytes();
        let action = indexed_field_position("Action").unwrap();
        assert_eq!(IndexedFields::read(line).token(line, action), br#""\ud83d""#);
    }
}
