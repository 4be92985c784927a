//! The named members of a record that raydex reads, each as the JSON text in the line.
//!
//! A line is walked once; a known member keeps the position of its raw text (so a number prints as spelled, whatever
//! its size), an unknown one is skipped. This reading by `serde_json` is the slow path, and the oracle for the fast one
//! of [`super::scan`].
//!
//! # Invariants
//!
//! Of a repeated member the last one counts, as in JavaScript. Only the record's top level is read.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::decimal::is_plain_integer;
use super::surrogates;

/// The reason why a line is not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum RecordError {
    /// The line is longer than [`crate::limits::MAX_LINE`].
    #[error("the line is longer than {} bytes", crate::limits::MAX_LINE)]
    TooLong,
    /// The line is not valid JSON.
    #[error("the line is not valid JSON")]
    NotJson,
    /// The line is JSON, but not an object.
    #[error("the line is JSON, but not an object")]
    NotAnObject,
    /// The line is a record of a dataset other than its batch's.
    #[error("the line is a record of another dataset")]
    OtherDataset,
}

impl RecordError {
    /// Returns the stable code for counts and logs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong => "line_too_long",
            Self::NotJson => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::OtherDataset => "other_dataset",
        }
    }

    /// Returns the reason that `error` implies for the line.
    pub(crate) fn of(line: &[u8], error: &serde_json::Error) -> Self {
        let first = line.iter().find(|byte| !byte.is_ascii_whitespace());
        if error.is_data() && first != Some(&b'{') { Self::NotAnObject } else { Self::NotJson }
    }
}

/// Returns the line as text, if it is UTF-8.
#[must_use]
pub(crate) fn utf8(line: &[u8]) -> Option<&str> {
    simdutf8::basic::from_utf8(line).ok()
}

/// Returns the text of a line, as every reader of values must read it: whatever a text cannot represent becomes U+FFFD,
/// which only the rendered forms show. These are bytes that are not UTF-8, and escapes of half a surrogate pair. If the
/// bytes are UTF-8, positions in the text equal those in the line.
#[must_use]
pub fn line_text(line: &[u8]) -> Cow<'_, str> {
    // Checking alone is many times faster than replacing, and nearly always sufficient.
    let text = utf8(line).map_or_else(|| String::from_utf8_lossy(line), Cow::Borrowed);
    surrogates::repaired(&text).map_or(text, Cow::Owned)
}

macro_rules! fields {
    ($($variant:ident)*) => {
        /// A member of an `http_requests` record that raydex reads.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Field {
            $(
                #[doc = concat!("`", stringify!($variant), "`.")]
                $variant,
            )*
        }

        impl Field {
            /// All fields in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the member's name in the record.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),* }
            }

            /// Parses a field from its name; `None` if raydex does not read it.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $(stringify!($variant) => Some(Self::$variant),)* _ => None }
            }
        }

        /// Number of fields.
        const COUNT: usize = [$(Field::$variant),*].len();
    };
}

fields! {
    CacheCacheStatus ClientIP ClientRequestBytes ClientRequestHost ClientRequestMethod ClientRequestProtocol
    ClientRequestReferer ClientRequestScheme ClientRequestSource ClientRequestURI ClientRequestUserAgent ClientSSLProtocol ClientSrcPort
    EdgeColoCode EdgeResponseBodyBytes EdgeResponseBytes EdgeResponseContentType EdgeResponseStatus EdgeServerIP
    EdgeStartTimestamp EdgeTimeToFirstByteMs OriginIP OriginRequestHeaderSendDurationMs OriginResponseDurationMs
    OriginResponseHeaderReceiveDurationMs OriginResponseStatus OriginTLSHandshakeDurationMs ParentRayID RayID ResponseFields ResponseHeaders
}

/// The value of a record's member.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue<'a> {
    /// The member is absent, or its value is `null`.
    Absent,
    /// A string with its escapes resolved; borrowed if it has none.
    Text(Cow<'a, str>),
    /// A number, as spelled in the line.
    Number(&'a str),
    /// A boolean: JSON's `true` or `false`.
    Bool(bool),
    /// An object or an array, as spelled in the line.
    Nested(&'a str),
}

impl<'a> FieldValue<'a> {
    /// Parses the JSON text `raw`, which must be valid and without surrounding spaces.
    #[must_use]
    pub fn from_json(raw: &'a str) -> Self {
        match raw.as_bytes().first() {
            Some(b'"') => unescape(raw).map_or(FieldValue::Absent, FieldValue::Text),
            Some(b't') => FieldValue::Bool(true),
            Some(b'f') => FieldValue::Bool(false),
            Some(b'{' | b'[') => FieldValue::Nested(raw),
            Some(b'-' | b'0'..=b'9') => FieldValue::Number(raw),
            _ => FieldValue::Absent,
        }
    }
}

impl FieldValue<'_> {
    /// Returns the text, if the value is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            FieldValue::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Unescapes a JSON string, borrowing if it has no escape. Half a surrogate pair becomes U+FFFD.
fn unescape(raw: &str) -> Option<Cow<'_, str>> {
    let inside = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    if let Some(text) = inside.filter(|text| memchr::memchr(b'\\', text.as_bytes()).is_none()) {
        return Some(Cow::Borrowed(text));
    }
    let read = |raw: &str| serde_json::from_str::<String>(raw).ok();
    read(raw).or_else(|| read(&surrogates::repaired(raw)?)).map(Cow::Owned)
}

/// The position of a value in its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ValueSpan {
    start: u32,
    end: u32,
}

impl ValueSpan {
    /// Creates the position from `start` to `end`; empty if they exceed `u32`, which no line is long enough for.
    #[inline]
    pub(super) fn new(start: usize, end: usize) -> Self {
        let place = |at| u32::try_from(at).unwrap_or_default();
        Self { start: place(start), end: place(end) }
    }

    /// Returns the position of `part` in `line`, which must contain it.
    pub(super) fn of(line: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr().addr().wrapping_sub(line.as_ptr().addr());
        Self::new(start, start.saturating_add(part.len()))
    }

    /// Returns the offset of the value's first byte in the line.
    #[inline]
    pub(super) const fn start(self) -> usize {
        self.start as usize
    }

    /// Returns the bytes at this position; `None` if there is no value.
    #[inline]
    pub(super) fn text(self, line: &[u8]) -> Option<&[u8]> {
        line.get(self.start as usize..self.end as usize).filter(|text| !text.is_empty())
    }
}

/// The fields of one record, each as the text in the line.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    /// UTF-8, unless there are no fields.
    line: &'a [u8],
    spans: [ValueSpan; COUNT],
    /// Whether the line contains escapes.
    escapes: bool,
}

impl<'a> Fields<'a> {
    /// Creates an empty set of fields of this line.
    pub(super) fn of(line: &'a [u8]) -> Self {
        let escapes = memchr::memchr(b'\\', line).is_some();
        Self { line, spans: [ValueSpan { start: 0, end: 0 }; COUNT], escapes }
    }

    /// Creates an empty set of fields of the line at the start of this text; [`Self::cut`] sets its end.
    pub(super) const fn of_text(text: &'a [u8]) -> Self {
        Self { line: text, spans: [ValueSpan { start: 0, end: 0 }; COUNT], escapes: true }
    }

    /// Sets the length of the line.
    pub(super) fn cut(&mut self, length: usize) {
        self.line = self.line.get(..length).unwrap_or_default();
        self.escapes = memchr::memchr(b'\\', self.line).is_some();
    }

    /// Sets the position of the value of `field`.
    #[inline]
    pub(super) fn set(&mut self, field: Field, span: ValueSpan) {
        if let Some(slot) = self.spans.get_mut(field as usize) {
            *slot = span;
        }
    }

    /// Parses the fields of one line.
    ///
    /// # Errors
    /// [`RecordError`] if the line is not a JSON object.
    pub fn parse(line: &'a str) -> Result<Self, RecordError> {
        Self::parse_by(line, &Field::from_name)
    }

    /// Like [`Self::parse`], for a job that has renamed fields: `field_of` maps names to fields.
    ///
    /// # Errors
    /// [`RecordError`] if the line is not a JSON object.
    pub fn parse_by(line: &'a str, field_of: &dyn Fn(&str) -> Option<Field>) -> Result<Self, RecordError> {
        let mut json = serde_json::Deserializer::from_str(line);
        json.deserialize_map(FieldsVisitor { line, field_of })
            .and_then(|fields| json.end().map(|()| fields))
            .map_err(|error| RecordError::of(line.as_bytes(), &error))
    }

    /// Returns the value of `field`, or [`FieldValue::Absent`] if the record lacks it.
    #[must_use]
    pub fn get(&self, field: Field) -> FieldValue<'a> {
        let text = self.raw(field).and_then(utf8);
        text.map_or(FieldValue::Absent, FieldValue::from_json)
    }

    /// Returns the text of the string or short integer under `field` if the line has it verbatim, so that it contains no
    /// control character and has no other spelling. If this is `None`, only [`Fields::get`] can decide.
    #[must_use]
    #[inline]
    pub fn plain(&self, field: Field) -> Option<&'a [u8]> {
        match self.raw(field)? {
            [b'"', text @ .., b'"'] if !self.escapes || !text.contains(&b'\\') => Some(text),
            number if is_plain_integer(number) => Some(number),
            _ => None,
        }
    }

    /// Returns whether the line contains half a surrogate pair, which the text of the line replaces.
    pub(super) fn has_half_pair(&self) -> bool {
        self.escapes && surrogates::has_half(self.line)
    }

    /// Returns the JSON text under `field`, if there is any.
    #[must_use]
    #[inline]
    pub fn raw(&self, field: Field) -> Option<&'a [u8]> {
        self.spans.get(field as usize)?.text(self.line)
    }
}

/// Collects the known members of an object.
struct FieldsVisitor<'l, 'f> {
    line: &'l str,
    field_of: &'f dyn Fn(&str) -> Option<Field>,
}

impl<'de> Visitor<'de> for FieldsVisitor<'de, '_> {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record: a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let line = self.line.as_bytes();
        let mut fields = Fields::of(line);
        while let Some(name) = map.next_key::<MemberName<'de>>()? {
            match (self.field_of)(&name.0) {
                Some(field) => {
                    let raw = map.next_value::<&'de RawValue>()?;
                    fields.set(field, ValueSpan::of(line, raw.get().as_bytes()));
                }
                None => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(fields)
    }
}

/// Finds the last member with a name.
pub(crate) struct LastMember(pub(crate) &'static str);

impl<'de> Visitor<'de> for LastMember {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(MemberName(name)) = map.next_key()? {
            if name == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>().map(drop)?;
            }
        }
        Ok(found)
    }
}

/// A member's name, unescaped like any string; borrowed if it has no escape.
pub(crate) struct MemberName<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for MemberName<'a> {
    fn deserialize<D: Deserializer<'de>>(name: D) -> Result<Self, D::Error> {
        Self::from_raw(<&RawValue>::deserialize(name)?)
    }
}

impl<'a> MemberName<'a> {
    /// Unescapes a name as it is spelled.
    pub(super) fn from_raw<E: Error>(raw: &'a RawValue) -> Result<Self, E> {
        unescape(raw.get()).map(Self).ok_or_else(|| E::custom("not a name"))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{Field, FieldValue, Fields, RecordError, line_text};

    #[test]
    fn a_number_stays_as_the_line_spells_it() {
        let line = r#"{"EdgeStartTimestamp":1774680145123456789,"EdgeResponseBytes":1.50e3,"ClientIP":"::1"}"#;
        let fields = Fields::parse(line).unwrap();
        assert_eq!(fields.get(Field::EdgeStartTimestamp), FieldValue::Number("1774680145123456789"));
        assert_eq!(fields.get(Field::EdgeResponseBytes), FieldValue::Number("1.50e3"));
        assert_eq!(fields.get(Field::ClientIP), FieldValue::Text(Cow::Borrowed("::1")));
        assert_eq!(fields.get(Field::RayID), FieldValue::Absent);
    }

    #[test]
    fn top_level_is_read_and_last_duplicate_counts() {
        let line = r#"{"Subrequests":[{"RayID":"a"}],"RayID":"b","\u0052ayID" : "c","OriginIP":null}"#;
        let fields = Fields::parse(line).unwrap();
        assert_eq!(fields.get(Field::RayID), FieldValue::Text(Cow::Borrowed("c")));
        assert_eq!(fields.get(Field::OriginIP), FieldValue::Absent);
    }

    #[test]
    fn half_a_pair_is_one_replacement() {
        let line = r#"{"ClientIP":"a\ud83d b","X\ude00":1,"\u0052ayID":"\ud83d\ud83d\ude00","n":["\ud83d"]}"#;
        for text in [line, &line_text(line.as_bytes())] {
            let fields = Fields::parse(text).unwrap();
            assert_eq!(fields.get(Field::ClientIP), FieldValue::Text("a\u{fffd} b".into()));
            assert_eq!(fields.get(Field::RayID), FieldValue::Text("\u{fffd}😀".into()));
        }
        assert_eq!(line_text(line.as_bytes()).len(), line.len());
        assert_eq!(line_text(b"\xed\xa0\x80\"\\ud83d\""), "\u{fffd}\u{fffd}\u{fffd}\"\\ufffd\"");
    }

    #[test]
    fn what_is_no_object_says_what_it_is() {
        for (line, reason) in [
            ("", RecordError::NotJson),
            ("{", RecordError::NotJson),
            ("{}x", RecordError::NotJson),
            (r#"{"a":}"#, RecordError::NotJson),
            ("{\"RayID\":\"\u{1}\"}", RecordError::NotJson),
            ("null", RecordError::NotAnObject),
            ("[1]", RecordError::NotAnObject),
            ("17", RecordError::NotAnObject),
            ("a,b,c", RecordError::NotJson),
        ] {
            assert_eq!(Fields::parse(line).err(), Some(reason), "{line:?}");
        }
    }

    #[test]
    fn depth_without_end_neither_overflows_nor_panics() {
        let deep = format!(r#"{{"x":{}{},"RayID":"a"}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(Fields::parse(&deep).unwrap().get(Field::RayID), FieldValue::Text(Cow::Borrowed("a")));
        let nested = format!(r#"{{"RayID":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(Fields::parse(&nested).unwrap().get(Field::RayID), FieldValue::Nested(_)));
    }

    #[test]
    fn every_field_is_found_by_its_name() {
        for &field in Field::ALL {
            assert_eq!(Field::from_name(field.name()), Some(field));
        }
    }
}
