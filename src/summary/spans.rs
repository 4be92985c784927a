//! The stored form of the summaries of a batch's spans, with their extents: one sidecar object of the batch.
//!
//! ```text
//! 0  u8      version = 1
//! 1  i64 LE  the first instant of all, in Unix nanoseconds
//! 9  the table of all spans (`batch::span_table`), its length before it
//! …  the number of fields, and for each the number of its values, then for each its length and its bytes
//! …  for each span: the hash of its packed window (u32 LE), the number of its records, and where there are any
//!      its first instant above the first of all, its last above its first,
//!      for each field a kind: 0 anything · 1 values of the field, a bit each, lowest first · 2 a filter, with its length
//! …  u64 LE  the hash of all bytes before it
//! ```
//! Numbers without a type are LEB128.
//!
//! # Invariants
//!
//! Bytes that changed in transit are refused, and so is a window with another hash, by its reader ([`WindowHash`]).
//! Tests freeze the form; any other form gets a new version.

use super::filter::{TextFilter, hash};
use super::form::{read_bytes, write_bytes};
use super::{TimeBounds, one_of};
use crate::batch::{ObjectSpans, SpanExtent, read_leb128, read_span_table, write_leb128, write_span_table};
use crate::filter::PossibleValues;
use crate::limits::SUMMARY_TOKENS;
use crate::record::indexed_field_position;

/// The version of this stored form.
const VERSION: u8 = 1;

/// A set of a field's first 256 values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct TokenSet([u64; Self::LENGTH / 64]);

impl TokenSet {
    /// Maximum number of values.
    pub(super) const LENGTH: usize = SUMMARY_TOKENS;

    /// Adds a value by its number.
    #[inline]
    pub(super) fn set(&mut self, number: usize) {
        if let Some(word) = self.0.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }

    fn has(&self, number: usize) -> bool {
        self.0.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// Selects the tokens that are in the set.
    pub(super) fn of(self, tokens: &[Box<[u8]>]) -> impl Iterator<Item = &[u8]> {
        tokens.iter().enumerate().filter(move |(number, _)| self.has(*number)).map(|(_, token)| token.as_ref())
    }

    fn to_bytes(self, tokens: usize) -> impl Iterator<Item = u8> {
        self.0.into_iter().flat_map(u64::to_le_bytes).take(tokens.div_ceil(8))
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let mut bits = Self::default();
        for (word, bytes) in bits.0.iter_mut().zip(bytes.chunks(8)) {
            let mut all = [0; 8];
            all.iter_mut().zip(bytes).for_each(|(all, byte)| *all = *byte);
            *word = u64::from_le_bytes(all);
        }
        bits
    }
}

/// The values of a field in one span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ValueSet {
    /// The field may have any value.
    Any,
    /// Every value is one of these in the field's dictionary.
    Tokens(TokenSet),
    /// Every value is a text in this filter, or absent.
    Texts(TextFilter),
}

/// The collected values of one span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpanValues {
    pub(super) times: TimeBounds,
    pub(super) records: u64,
    pub(super) fields: Vec<ValueSet>,
}

impl Default for SpanValues {
    fn default() -> Self {
        Self { times: TimeBounds::NONE, records: 0, fields: Vec::new() }
    }
}

/// Returns the stored form; `dictionaries` are the values of each field.
pub(super) fn to_bytes(dictionaries: &[&[Box<[u8]>]], summaries: &[SpanValues], spans: &ObjectSpans) -> Vec<u8> {
    let base = summaries.iter().fold(TimeBounds::NONE, |times, span| times.with(span.times)).first_ns;
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&base.to_le_bytes());
    write_bytes(&mut bytes, &write_span_table(spans.extents.iter()));
    write_leb128(&mut bytes, dictionaries.len() as u64);
    for tokens in dictionaries {
        write_leb128(&mut bytes, tokens.len() as u64);
        for token in *tokens {
            write_bytes(&mut bytes, token);
        }
    }
    for (extent, span) in spans.extents.iter().zip(summaries) {
        bytes.extend_from_slice(&WindowHash::new(window_of(spans, extent)).0.to_le_bytes());
        write_span(&mut bytes, span, base, dictionaries);
    }
    let sum = hash(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

fn window_of<'a>(spans: &'a ObjectSpans, extent: &SpanExtent) -> &'a [u8] {
    let at = |byte| usize::try_from(byte).unwrap_or(usize::MAX);
    spans.windows.get(at(extent.window.start)..at(extent.window.end)).unwrap_or_default()
}

/// The hash of a packed window, by which a reader verifies that the window belongs to its span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowHash(u32);

impl WindowHash {
    fn new(packed: &[u8]) -> Self {
        let [a, b, c, d, ..] = hash(packed).to_le_bytes();
        Self(u32::from_le_bytes([a, b, c, d]))
    }

    /// Returns whether these bytes are the packed window.
    #[must_use]
    pub fn matches(self, packed: &[u8]) -> bool {
        Self::new(packed) == self
    }
}

fn write_span(bytes: &mut Vec<u8>, span: &SpanValues, base: i64, dictionaries: &[&[Box<[u8]>]]) {
    write_leb128(bytes, span.records);
    if span.records == 0 {
        return;
    }
    let TimeBounds { first_ns, last_ns } = span.times;
    write_leb128(bytes, first_ns.abs_diff(base));
    write_leb128(bytes, last_ns.abs_diff(first_ns));
    for (seen, tokens) in span.fields.iter().zip(dictionaries) {
        match seen {
            ValueSet::Any => bytes.push(0),
            ValueSet::Tokens(seen) => {
                bytes.push(1);
                bytes.extend(seen.to_bytes(tokens.len()));
            }
            ValueSet::Texts(texts) => {
                bytes.push(2);
                write_bytes(bytes, texts.bytes());
            }
        }
    }
}

/// The summaries of a batch's spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanSummaries {
    /// The dictionary of each field.
    dictionaries: Vec<Vec<Box<[u8]>>>,
    /// The spans in the order of their numbers.
    pub spans: Vec<SpanSummary>,
}

/// The summary of one span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanSummary {
    /// The extents of the span and of its window.
    pub extent: SpanExtent,
    /// The times of its records.
    pub times: TimeBounds,
    /// Number of its records.
    pub records: u64,
    /// The hash of its packed window.
    pub window_hash: WindowHash,
    fields: Vec<ValueSet>,
}

impl SpanSummaries {
    /// Parses stored summaries; `None` if they are damaged, or of another version.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (bytes, sum) = bytes.split_last_chunk()?;
        let (&VERSION, rest) = bytes.split_first().filter(|_| hash(bytes) == u64::from_le_bytes(*sum))? else {
            return None;
        };
        let (base, mut rest) = rest.split_first_chunk()?;
        let base = i64::from_le_bytes(*base);
        let extents = read_span_table(read_bytes(&mut rest)?)?;
        let dictionaries = read_dictionaries(&mut rest)?;
        let mut spans = Vec::with_capacity(extents.len());
        for extent in extents {
            spans.push(read_span(&mut rest, extent, base, &dictionaries)?);
        }
        rest.is_empty().then_some(Self { dictionaries, spans })
    }

    /// Returns the values that a field may have in a span.
    #[must_use]
    pub fn possible<'a>(&'a self, span: &'a SpanSummary, name: &str) -> PossibleValues<'a> {
        let Some(position) = indexed_field_position(name) else { return PossibleValues::Any };
        match (span.fields.get(position), self.dictionaries.get(position)) {
            (Some(ValueSet::Tokens(seen)), Some(tokens)) => one_of(seen.of(tokens)),
            (Some(ValueSet::Texts(texts)), _) => PossibleValues::Texts(Box::new(|text| texts.may_hold(text))),
            _ => PossibleValues::Any,
        }
    }
}

fn read_dictionaries(from: &mut &[u8]) -> Option<Vec<Vec<Box<[u8]>>>> {
    let count = read_leb128(from)?;
    let mut dictionaries = Vec::new();
    for _ in 0..count {
        let mut tokens = Vec::new();
        for _ in 0..read_leb128(from)? {
            tokens.push(read_bytes(from)?.into());
        }
        dictionaries.push(tokens);
    }
    Some(dictionaries)
}

fn read_span(from: &mut &[u8], extent: SpanExtent, base: i64, dictionaries: &[Vec<Box<[u8]>>]) -> Option<SpanSummary> {
    let (window, rest) = from.split_first_chunk()?;
    *from = rest;
    let window_hash = WindowHash(u32::from_le_bytes(*window));
    let records = read_leb128(from)?;
    if records == 0 {
        return Some(SpanSummary { extent, times: TimeBounds::NONE, records, window_hash, fields: Vec::new() });
    }
    let first_ns = base.checked_add_unsigned(read_leb128(from)?)?;
    let last_ns = first_ns.checked_add_unsigned(read_leb128(from)?)?;
    let mut fields = Vec::with_capacity(dictionaries.len());
    for tokens in dictionaries {
        fields.push(read_seen(from, tokens.len())?);
    }
    Some(SpanSummary { extent, times: TimeBounds { first_ns, last_ns }, records, window_hash, fields })
}

fn read_seen(from: &mut &[u8], tokens: usize) -> Option<ValueSet> {
    let (&kind, rest) = from.split_first()?;
    *from = rest;
    match kind {
        0 => Some(ValueSet::Any),
        1 => {
            let (bits, rest) = from.split_at_checked(tokens.div_ceil(8))?;
            *from = rest;
            Some(ValueSet::Tokens(TokenSet::from_bytes(bits)))
        }
        2 => TextFilter::from_bytes(read_bytes(from)?).map(ValueSet::Texts),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{SpanSummaries, SpanSummary, SpanValues, TextFilter, TimeBounds, TokenSet, ValueSet, to_bytes};
    use crate::batch::{ObjectSpans, PointForm, SpanExtent};
    use crate::filter::PossibleValues;
    use crate::record::FieldValue;

    fn tokens(texts: &[&str]) -> Vec<Box<[u8]>> {
        texts.iter().map(|text| text.as_bytes().into()).collect()
    }

    fn extent(number: u32, window: std::ops::Range<u64>) -> SpanExtent {
        let form = if number == 0 { PointForm::Start } else { PointForm::Block };
        let at = u64::from(number);
        let text = (number < 2).then_some(1_100_000);
        SpanExtent {
            number,
            form,
            bit: at * 790_123,
            bytes: 98_765,
            offset: at * 1_100_000,
            head: at * 700,
            text,
            window,
        }
    }

    fn stored() -> (Vec<u8>, ObjectSpans) {
        let spans =
            ObjectSpans { extents: vec![extent(0, 0..0), extent(1, 0..3), extent(2, 3..4)], windows: b"abcd".to_vec() };
        let (first, second) = (tokens(&["200", "404"]), tokens(&["\"a\"", ""]));
        let mut bits = TokenSet::default();
        bits.set(1);
        let times = |first_ns, last_ns| TimeBounds { first_ns, last_ns };
        let texts = || ValueSet::Texts(TextFilter::from_hashes(&[super::hash(b"a")]));
        let summaries = [
            SpanValues { times: times(1000, 1007), records: 3, fields: vec![ValueSet::Tokens(bits), ValueSet::Any] },
            SpanValues::default(),
            SpanValues { times: times(5, 2000), records: 300, fields: vec![ValueSet::Any, texts()] },
        ];
        (to_bytes(&[&first, &second], &summaries, &spans), spans)
    }

    #[test]
    fn the_stored_form_is_unchanged_and_comes_back() {
        let (bytes, spans) = stored();
        let head = "0105000000000000002f000000cd83060000e1914300000101eb9c30cd8306e09143bc05e1914300030101eb9c30cd8306e09143f80a0000";
        let fields = "01020203323030033430340203226122000000000003e30707010200";
        let others = "c80e592f00f7102d1eac0200cb0f0002088020080010044100bdc62d58000db82a";
        assert_eq!(hex::encode(&bytes), [head, fields, others].concat());
        let read = SpanSummaries::from_bytes(&bytes).unwrap();
        let extents: Vec<SpanExtent> = read.spans.iter().map(|span| span.extent.clone()).collect();
        assert_eq!(extents, spans.extents);
        let [first, second, third] = read.spans.as_slice() else { panic!("three spans") };
        assert_eq!((first.times, first.records), (TimeBounds { first_ns: 1000, last_ns: 1007 }, 3));
        assert_eq!((second.times, second.records), (TimeBounds::NONE, 0));
        assert_eq!((third.times, third.records), (TimeBounds { first_ns: 5, last_ns: 2000 }, 300));
        let fits = |span: &SpanSummary, packed: &[u8]| span.window_hash.matches(packed);
        assert!(fits(second, b"abc") && !fits(second, b"abd") && fits(third, b"d") && fits(first, b""));
        let PossibleValues::OneOf(values) = read.possible(first, "EdgeResponseStatus") else { panic!("a set") };
        assert_eq!(values, [FieldValue::Number("404")]);
        let PossibleValues::Texts(test) = read.possible(third, "ClientRequestHost") else { panic!("a test") };
        assert!(test("a") && !test("b"));
        for name in ["ClientRequestHost", "ClientIP", "x"] {
            assert!(matches!(read.possible(first, name), PossibleValues::Any), "{name}");
        }
    }

    #[test]
    fn any_byte_that_changes_is_seen() {
        let (bytes, _) = stored();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            assert_eq!(SpanSummaries::from_bytes(&damaged), None, "{at}");
            assert_eq!(SpanSummaries::from_bytes(&bytes[..at]), None, "{at}");
        }
    }

    #[test]
    fn bytes_with_the_right_hash_never_panic() {
        let (bytes, _) = stored();
        let body = &bytes[..bytes.len() - 8];
        for at in 0..body.len() {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut other = body.to_vec();
                other[at] = byte;
                let sum = super::hash(&other).to_le_bytes();
                let _either = SpanSummaries::from_bytes(&[other, sum.to_vec()].concat());
            }
        }
    }
}
