//! Reads lines fast: each is walked along the names of its predecessors, and anything unusual is left to the slow path
//! by `serde_json`.
//!
//! # Invariants
//!
//! A scanner's answers equal those of [`super::read_key`] and [`Fields::parse`] for every line, valid or not, whatever
//! lines it has read before. Text that the walk accepts is proven valid to its last byte.
#![expect(clippy::inline_always, reason = "measured in wasm: a call for each member is a tenth of indexing")]

mod literal;
mod names;
pub(crate) mod nested;
mod parts;
mod text;
mod value;
mod verdict;

use std::borrow::Cow;

use self::names::{KnownNames, NameRole};
use self::parts::KeyParts;
use self::verdict::DatasetVerdicts;
use super::fields::{Fields, RecordError, ValueSpan, line_text, utf8};
use super::indexed_fields::IndexedFields;
use super::key::{KeyNames, RecordKey, child_key, read_key_text};
use super::lanes::LaneMarks;
use super::merged::MergedChildren;
use super::{Dataset, DatasetEvidence, RayKey};

/// Reads the lines of one object.
#[derive(Debug)]
pub struct LineScanner {
    names: KnownNames,
    verdicts: DatasetVerdicts,
    marks: LaneMarks,
    indexed_fields: IndexedFields,
    /// The text of a line with bytes or escapes that a text cannot represent.
    lossy: String,
    scanned: u64,
    parsed: u64,
}

/// A record with the results of reading it.
#[derive(Debug)]
pub struct RecordScan<'a> {
    /// The record's ray and the start of its request.
    pub key: RecordKey,
    /// The fields that the partner's columns need.
    pub fields: Fields<'a>,
    /// Whether the line contains something that a text cannot represent, so that its fields show replacement
    /// characters.
    pub lossy: bool,
    /// Whether its names settle that it is of `http_requests`: without fields of its own it might be of another
    /// dataset.
    pub settled: bool,
    /// The members that summaries cover.
    pub indexed_fields: &'a IndexedFields,
}

/// The result of reading the line at the start of a text.
#[derive(Debug)]
pub struct NextLine<T> {
    /// Length of the record in bytes, without the line feed.
    pub record: usize,
    /// Length of the line in bytes, including its line feed.
    pub length: usize,
    /// The parts of the record that the caller asked for.
    pub found: T,
}

/// Counts of lines by the way in which they were read, for tests and benches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScanCounts {
    /// Number of lines that were walked along known names.
    pub scanned: u64,
    /// Number of lines that were left to the slow path.
    pub parsed: u64,
    /// Number of names that were not predicted.
    pub missed: u64,
}

impl LineScanner {
    /// Creates a scanner of lines of this dataset.
    #[must_use]
    pub fn new(dataset: Dataset) -> Self {
        Self::by_names(KeyNames::of(dataset))
    }

    /// Creates a scanner of a batch whose records keep ray and time under these names.
    #[must_use]
    pub fn by_names(names: KeyNames) -> Self {
        Self {
            verdicts: DatasetVerdicts::new(names.dataset()),
            names: KnownNames::new(names),
            marks: LaneMarks::JSON,
            indexed_fields: IndexedFields::none(),
            lossy: String::new(),
            scanned: 0,
            parsed: 0,
        }
    }

    /// Returns the names of the members with ray and time.
    #[must_use]
    pub const fn key_names(&self) -> &KeyNames {
        self.names.parts()
    }

    /// Returns counts of the lines read so far.
    #[must_use]
    pub const fn counts(&self) -> ScanCounts {
        ScanCounts { scanned: self.scanned, parsed: self.parsed, missed: self.names.missed() }
    }

    /// Reads the key of a line, like [`super::read_key`].
    ///
    /// # Errors
    /// [`RecordError`] if the line is not a record.
    pub fn key(&mut self, line: &[u8]) -> Result<RecordKey, RecordError> {
        self.key_and_indexed_fields(line).map(|(key, _)| key)
    }

    /// Reads the key of a line and the members that summaries cover, like [`super::read_key`] and
    /// [`IndexedFields::read`].
    ///
    /// # Errors
    /// [`RecordError`] if the line is not a record.
    pub fn key_and_indexed_fields(&mut self, line: &[u8]) -> Result<(RecordKey, &IndexedFields), RecordError> {
        let walked = self.walk_key(line).filter(|(walked, _)| walked.length == line.len());
        if let Some((WalkResult { evidence, .. }, found)) = walked {
            self.scanned += 1;
            self.verdicts.check(evidence)?;
            return Ok((self.key_of(found, line), &self.indexed_fields));
        }
        self.parsed += 1;
        let key = super::read_key_by(self.names.parts(), line)?;
        self.indexed_fields = IndexedFields::read(line);
        Ok((key, &self.indexed_fields))
    }

    /// Like [`Self::key_and_indexed_fields`], for the line at the start of this text. Returns `None`, and has read
    /// nothing, if something about the line is unusual: the caller must then find its end first.
    pub fn next_key(&mut self, text: &[u8]) -> Option<NextLine<(RecordKey, &IndexedFields)>> {
        let (WalkResult { length: record, evidence }, found) = self.walk_key(text)?;
        let length = line_length(text, record)?;
        self.verdicts.check(evidence).ok()?;
        self.scanned += 1;
        Some(NextLine { record, length, found: (self.key_of(found, text), &self.indexed_fields) })
    }

    /// Reads the key and the fields of a line, like [`super::read_key`] and [`Fields::parse`].
    ///
    /// # Errors
    /// [`RecordError`] if the line is not a record.
    pub fn record<'a>(&'a mut self, line: &'a [u8]) -> Result<RecordScan<'a>, RecordError> {
        let mut fields = Fields::of(line);
        let walked = self.walk_record(line, &mut fields).filter(|(walked, _)| walked.length == line.len());
        if let Some((WalkResult { evidence, .. }, found)) = walked
            && utf8(line).is_some()
            && !fields.has_half_pair()
        {
            self.scanned += 1;
            let settled = self.verdicts.check(evidence)?;
            let (key, indexed_fields) = (self.key_of(found, line), &self.indexed_fields);
            return Ok(RecordScan { key, fields, lossy: false, settled, indexed_fields });
        }
        self.parsed += 1;
        // Positions found by the walk are right even in a line that is not UTF-8.
        if walked.is_none() {
            self.indexed_fields = IndexedFields::read(line);
        }
        let (text, lossy) = match line_text(line) {
            Cow::Borrowed(text) => (text, false),
            Cow::Owned(text) => {
                self.lossy = text;
                (self.lossy.as_str(), true)
            }
        };
        let names = self.names.parts();
        let fields = Fields::parse_by(text, &|name| names.field_of(name))?;
        let (key, evidence) = read_key_text(names, (line, text))?;
        let settled = self.verdicts.check(evidence)?;
        Ok(RecordScan { key, fields, lossy, settled, indexed_fields: &self.indexed_fields })
    }

    /// Like [`Self::record`], for the line at the start of this text. Returns `None`, and has read nothing, if
    /// something about the line is unusual: the caller must then find its end first.
    pub fn next_record<'a>(&'a mut self, text: &'a [u8]) -> Option<NextLine<RecordScan<'a>>> {
        let mut fields = Fields::of_text(text);
        let (WalkResult { length: record, evidence }, found) = self.walk_record(text, &mut fields)?;
        let length = line_length(text, record)?;
        fields.cut(record);
        utf8(text.get(..record)?).filter(|_| !fields.has_half_pair())?;
        let settled = self.verdicts.check(evidence).ok()?;
        self.scanned += 1;
        let (key, indexed_fields) = (self.key_of(found, text), &self.indexed_fields);
        Some(NextLine { record, length, found: RecordScan { key, fields, lossy: false, settled, indexed_fields } })
    }

    /// Returns the key of a walked line, with the records inside of it.
    #[inline(always)]
    fn key_of(&mut self, found: KeyParts, line: &[u8]) -> RecordKey {
        let mut key = found.key(line);
        if let Some(array) = found.merged(line) {
            key.merged = self.children_of(key.ray.as_ref(), array, line);
        }
        key
    }

    /// Reads the records in the array of a walked line with this ray, each along the same names.
    #[cold]
    #[inline(never)]
    fn children_of(&mut self, line_ray: Option<&RayKey>, array: ValueSpan, line: &[u8]) -> Option<Box<MergedChildren>> {
        let (mut found, mut at) = (MergedChildren::default(), array.start() + 1);
        while let Some(rest) = line.get(at..) {
            let is_object = rest.first() == Some(&b'{');
            let walked = if is_object { self.walk_child(rest) } else { None };
            let length = walked.as_ref().map(|(walked, _)| walked.length);
            // Part of a value that was walked already.
            let Some(end) = length.map(|length| at + length).or_else(|| value::value_end(line, at, &self.marks)) else {
                break;
            };
            if is_object {
                let read = || match walked {
                    Some((WalkResult { evidence, .. }, parts)) => {
                        self.verdicts.check(evidence).ok().and_then(|_| parts.rays(rest))
                    }
                    None => child_key(self.names.parts(), line.get(at..end)?),
                };
                found.take(line_ray, ValueSpan::new(at, end), read);
            }
            if line.get(end) != Some(&b',') {
                break;
            }
            at = end + 1;
        }
        found.boxed()
    }

    /// Walks the record inside of another for its key.
    fn walk_child(&mut self, text: &[u8]) -> Option<(WalkResult, KeyParts)> {
        let Self { names, marks, .. } = self;
        let mut found = KeyParts::default();
        let walked = walk((names, marks), text, false, |mark, span| found.keep(mark.part, span))?;
        Some((walked, found))
    }

    /// Walks a record for its key and for summaries.
    fn walk_key(&mut self, text: &[u8]) -> Option<(WalkResult, KeyParts)> {
        let Self { names, marks, indexed_fields, .. } = self;
        let mut found = KeyParts::default();
        indexed_fields.begin();
        // Bytes that are not UTF-8 can only be in strings here, and do not affect the text of any other member.
        let walked = walk((names, marks), text, false, |mark, span| {
            found.keep(mark.part, span);
            indexed_fields.keep(mark.indexed_fields, span);
        })?;
        Some((walked, found))
    }

    /// Walks a record for its fields, too.
    fn walk_record(&mut self, text: &[u8], fields: &mut Fields<'_>) -> Option<(WalkResult, KeyParts)> {
        let Self { names, marks, indexed_fields, .. } = self;
        let mut found = KeyParts::default();
        indexed_fields.begin();
        let walked = walk((names, marks), text, true, |mark, span| {
            found.keep(mark.part, span);
            indexed_fields.keep(mark.indexed_fields, span);
            if let Some(field) = mark.field {
                fields.set(field, span);
            }
        })?;
        Some((walked, found))
    }
}

/// The result of walking a record.
#[derive(Debug, Clone, Copy)]
struct WalkResult {
    /// Length of the record in bytes.
    length: usize,
    /// The evidence of its names about the dataset.
    evidence: DatasetEvidence,
}

/// Walks the members of the record at the start of this text, and passes those with a role beyond their field, or
/// `all`, to `take`. `None` if anything is unusual or invalid.
#[inline(always)]
fn walk(
    (names, marks): (&mut KnownNames, &LaneMarks),
    text: &[u8],
    all: bool,
    mut take: impl FnMut(&NameRole, ValueSpan),
) -> Option<WalkResult> {
    let mut evidence = DatasetEvidence::default();
    if text.starts_with(b"{}") {
        return Some(WalkResult { length: 2, evidence });
    }
    let (mut rest, mut last, marks) = (text, KnownNames::START, *marks);
    // Whether every name so far came in the order in which the names were learned.
    let mut in_order = true;
    loop {
        let before = last;
        let foreseen = names.expected_after(last, text.len() - rest.len());
        let mut left = foreseen.len();
        last += u16::try_from(left).unwrap_or_default();
        for known in foreseen {
            let value = known.literal.after(rest).or_else(|| known.literal.surely_after(rest));
            let Some(value) = value else { break };
            let length = value::length(value, &marks)?;
            rest = value.get(length..)?;
            left -= 1;
            if all || known.tells {
                let end = text.len() - rest.len();
                take(&known.mark, ValueSpan::new(end - length, end));
            }
        }
        last -= u16::try_from(left).unwrap_or_default();
        evidence = if in_order { names.evidence_to(last) } else { evidence.and(names.evidence_between(before, last)) };
        let at = text.len() - rest.len();
        if rest.first() == Some(&b'}') {
            return (at > 0).then_some(WalkResult { length: at + 1, evidence });
        }
        let step = names.other(last, text, at)?;
        in_order = at == 0;
        evidence = evidence.and(step.evidence);
        let end = value::value_end(text, step.end, &marks)?;
        rest = text.get(end..)?;
        last = step.place;
        take(&step.mark, ValueSpan::new(step.end, end));
    }
}

/// Returns the length of the line at the start of the text, including its line feed, if a record of this length is all
/// of it.
fn line_length(text: &[u8], record: usize) -> Option<usize> {
    match text.get(record..)? {
        [b'\n', ..] => Some(record + 1),
        [b'\r', b'\n', ..] => Some(record + 2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{LineScanner, ScanCounts};
    use crate::limits::{SCAN_NAME_BYTES, SCAN_NAMES};
    use crate::record::{Dataset, Field, FieldValue, RayKey, RecordError, read_key};

    const LINE: &str =
        r#"{"ClientIP":"::1","EdgeStartTimestamp":1667491808142000000,"RayID":"764660d8ec5c2ab1","x":[1]}"#;

    fn counts(lines: &[&str]) -> ScanCounts {
        let mut scanner = LineScanner::new(Dataset::HttpRequests);
        for line in lines {
            assert_eq!(scanner.key(line.as_bytes()), read_key(Dataset::HttpRequests, line.as_bytes()), "{line}");
        }
        scanner.counts()
    }

    #[test]
    fn names_are_foreseen_from_the_second_line_on() {
        assert_eq!(counts(&[LINE; 9]), ScanCounts { scanned: 9, parsed: 0, missed: 4 });
    }

    #[test]
    fn alternating_lines_of_two_jobs_are_foreseen() {
        let other = r#"{"EdgeStartTimestamp":1667491808,"ClientIP":"::1","RayID":"764660d8ec5c2ab1"}"#;
        let first = counts(&[LINE, other]);
        let lines: Vec<&str> = (0..40).map(|number| if number % 2 == 0 { LINE } else { other }).collect();
        assert_eq!(counts(&lines), ScanCounts { scanned: 40, ..first });
    }

    #[test]
    fn unusual_line_does_not_slow_the_next() {
        let unusual = [r#"{"RayID" :"764660d8ec5c2ab1"}"#, r#"{"\u0052ayID":"764660d8ec5c2ab1"}"#, "null", "{", ""];
        for line in unusual {
            let found = counts(&[LINE, line, LINE]);
            assert_eq!((found.scanned, found.parsed), (2, 1), "{line}");
            assert!(found.missed <= 6, "{line}: {found:?}");
        }
    }

    #[test]
    fn first_name_of_a_line_is_never_another() {
        let many: Vec<String> = (0..=SCAN_NAMES).map(|n| format!(r#""n{n}":{n}"#)).collect();
        let (one, many) = (r#"{"A":"1","C":"2"}"#, format!("{{{}}}", many.join(",")));
        let long = format!(r#"{{"{}":"1","B":"2"}}"#, "n".repeat(SCAN_NAME_BYTES));
        let after = format!(r#"{{"{}":"1"{{"A":"2"}}"#, "n".repeat(SCAN_NAME_BYTES));
        let last = format!(r#","n{SCAN_NAMES}":1}}"#);
        for wrong in
            [r#"{"A":"1","C":"2"{"B":"3"}"#, r#"{"A":"1"{"B":"3"}"#, r#","C":"2"}"#, r#","B":"2"}"#, &after, &last]
        {
            for before in
                [&[one, r#"{"B":"3"}"#][..], &[one, &long], &[&long, one], &[&many], &[one, &many, r#"{"B":"3"}"#]]
            {
                let lines = [before, &[wrong, one]].concat();
                assert_eq!(counts(&lines).parsed, 1, "{wrong}");
            }
        }
    }

    #[test]
    fn names_beyond_the_memory_are_read_too() {
        let many = |start: usize| {
            let members: Vec<String> = (start..start + SCAN_NAMES).map(|n| format!(r#""n{n}":{n}"#)).collect();
            format!(r#"{{{},"RayID":"764660d8ec5c2ab1"}}"#, members.join(","))
        };
        let long = format!(r#"{{"{}":1,"é":2,"RayID":"x"}}"#, "n".repeat(SCAN_NAME_BYTES));
        let lines: [&str; 7] = [&many(0), &many(0), &many(99), &long, LINE, LINE, &many(0)];
        assert_eq!(counts(&lines).scanned, 7);
    }

    #[test]
    fn record_is_key_fields_and_utf8_flag() {
        let mut scanner = LineScanner::new(Dataset::HttpRequests);
        let found = scanner.record(LINE.as_bytes()).unwrap();
        assert_eq!(found.key.ray, RayKey::from_logged("764660d8ec5c2ab1"));
        assert!(!found.settled, "a WebSocket connection might have these names too");
        assert_eq!(found.fields.get(Field::EdgeStartTimestamp), FieldValue::Number("1667491808142000000"));
        assert!(!found.lossy);
        let found = scanner.record(b"{\"ClientIP\":\"a\xff\",\"RayID\":\"x\"}").unwrap();
        assert_eq!(found.fields.get(Field::ClientIP), FieldValue::Text("a\u{fffd}".into()));
        assert!(found.lossy);
        let found = scanner.record(br#"{"ClientIP":"a\ud83d","RayID":"x"}"#).unwrap();
        assert_eq!(found.fields.get(Field::ClientIP), FieldValue::Text("a\u{fffd}".into()));
        assert!(found.lossy);
        assert!(scanner.next_record(b"{\"ClientIP\":\"a\\ud83d\",\"RayID\":\"x\"}\n").is_none());
        assert_eq!(scanner.record(b"[1]").err(), Some(RecordError::NotAnObject));
        assert_eq!(scanner.record(b"{\"a\":01}").err(), Some(RecordError::NotJson));
        assert_eq!(scanner.counts(), ScanCounts { scanned: 1, parsed: 4, missed: 6 });
    }
}
