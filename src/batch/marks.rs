//! The signs of a batch's form in a single line. Only lines that are not records are examined, and records without
//! ray and time, so that ordinary lines cost nothing.
//!
//! # Invariants
//!
//! A line that was cut off, or that holds garbage, is no mark: it says nothing about the others.

use memchr::{memchr_iter, memrchr};

use super::file_kind::{archive_of, file_of, is_wide, joined_file_of};
use super::foreign_text::{foreign_text, markup};
use super::form::BatchForm;
use super::json_text::{begins_object, object_length, trim};
use super::line_sign::{LinePlace, LineSign};
use super::open_list::{list, open_wrapper};
use super::wrapper::is_record;
use crate::limits::{DELIMITER_MARK, PREFIX_BRACES, PREFIX_MARK};

/// The sign that a line gives which is not a record.
pub(super) fn sign_of(line: &[u8], place: LinePlace) -> LineSign {
    let file = if place.is_first { file_of(line) } else { joined_file_of(line) };
    if let Some(form) = file.or_else(|| archive_of(line)) {
        return LineSign::Mark(form);
    }
    if is_wide(line) {
        return LineSign::Mark(BatchForm::WideText);
    }
    let text = trim(line);
    if let Some(form) = punctuation(text) {
        return LineSign::Mark(form);
    }
    let sign = match text.first() {
        Some(b'{') => object(text, place),
        Some(b'[') => list(text, place),
        Some(b'"') => string(text),
        Some(b'<') => markup(text, place),
        _ => None,
    };
    // A record that is cut off after one inside of it is not a record with text before it.
    let prefixed = || if text.starts_with(b"{") { None } else { prefixed(text) };
    sign.or_else(prefixed).or_else(|| foreign_text(text, place)).unwrap_or(LineSign::Damage)
}

/// The sign of a form that the object shows: a mark only where that is a record.
fn sign_by(object: &[u8], form: BatchForm) -> LineSign {
    if is_record(object) { LineSign::Mark(form) } else { LineSign::Hint(form) }
}

/// The sign of a line that begins with an object.
fn object(text: &[u8], place: LinePlace) -> Option<LineSign> {
    let Some((object, after)) = object_length(text).and_then(|length| text.split_at_checked(length)) else {
        return open_wrapper(text, place);
    };
    if let Some(form) = joined_file_of(after) {
        return Some(sign_by(object, form));
    }
    match gap_before_object(after) {
        Some(gap) => are_objects(after).then(|| sign_by(object, between_records(after.get(..gap).unwrap_or_default()))),
        // With nothing after it, the object itself is no record: its names are not text.
        None if after.is_empty() => None,
        None => is_delimiter(after).then(|| sign_by(object, after_record(after))),
    }
}

/// Whether a text may be what a job writes after a record: short, and not the members of another.
fn is_delimiter(text: &[u8]) -> bool {
    text.len() <= DELIMITER_MARK && !text.contains(&b'"') && std::str::from_utf8(text).is_ok()
}

/// How many bytes of a delimiter are before the object that comes next.
fn gap_before_object(text: &[u8]) -> Option<usize> {
    let near = text.get(..DELIMITER_MARK.min(text.len())).unwrap_or_default();
    let gap = memchr_iter(b'{', near).find(|at| begins_object(text.get(*at..).unwrap_or_default()))?;
    (!near.get(..gap)?.contains(&b'"')).then_some(gap)
}

/// Whether a text is objects with delimiters around them, up to its end; the last one may be cut off.
fn are_objects(mut text: &[u8]) -> bool {
    while let Some(gap) = gap_before_object(text) {
        let object = text.get(gap..).unwrap_or_default();
        let Some(length) = object_length(object) else { return true };
        text = object.get(length..).unwrap_or_default();
    }
    is_delimiter(text)
}

/// The form of records on one line with this between them.
fn between_records(gap: &[u8]) -> BatchForm {
    match (trim(gap), gap.contains(&b'\r')) {
        (b"", true) => BatchForm::CarriageReturns,
        (b"", false) => BatchForm::GluedRecords,
        _ => BatchForm::RecordDelimiter,
    }
}

/// The form of records with this after them.
fn after_record(after: &[u8]) -> BatchForm {
    match trim(after) {
        [b']', ..] => BatchForm::JsonArray,
        b"," | b";" | b"|" => BatchForm::RecordDelimiter,
        _ => BatchForm::RecordSuffix,
    }
}

/// The form that a line of brackets or delimiters alone gives away. Braces may be the rest of a damaged line.
fn punctuation(text: &[u8]) -> Option<BatchForm> {
    let is_short = (1..=DELIMITER_MARK).contains(&text.len());
    let is_mark = |byte: &u8| {
        byte.is_ascii_whitespace() || byte.is_ascii_punctuation() && !matches!(byte, b'"' | b'\'' | b'\\' | b'<')
    };
    if !is_short || !text.iter().all(is_mark) {
        return None;
    }
    match text.first() {
        Some(b'[' | b']') if text.starts_with(b"[") || !text.contains(&b'}') => Some(BatchForm::JsonArray),
        _ if text.iter().any(|byte| matches!(byte, b'{' | b'}' | b'[' | b']')) => None,
        _ => Some(BatchForm::RecordDelimiter),
    }
}

/// The sign of a line that begins with a JSON string: one that holds a record, in JSON once more.
fn string(text: &[u8]) -> Option<LineSign> {
    let text = text.strip_suffix(b",").unwrap_or(text);
    let inner: String = serde_json::from_slice(text).ok()?;
    let inner = inner.trim().as_bytes();
    object_length(inner)?;
    Some(sign_by(inner, BatchForm::JsonStrings))
}

/// The sign of a line with a whole record at its end, after other text. Members that are left of a record without its
/// beginning have a brace after them.
fn prefixed(text: &[u8]) -> Option<LineSign> {
    let head = text.get(..PREFIX_MARK.min(text.len())).unwrap_or_default();
    // Zeros may come before it in any number.
    let behind_zeros = memrchr(0, text).map(|at| at + 1);
    let (at, object) = memchr_iter(b'{', head).take(PREFIX_BRACES).chain(behind_zeros).find_map(|at| {
        let from = text.get(at..)?;
        let (object, after) = from.split_at_checked(object_length(from)?)?;
        matches!(after.trim_ascii(), b"" | b"," | b";" | b"|").then_some((at, object))
    })?;
    let is_delimiter = matches!(text.get(..at)?.trim_ascii(), b"," | b";" | b"|");
    Some(sign_by(object, if is_delimiter { BatchForm::RecordDelimiter } else { BatchForm::RecordPrefix }))
}

#[cfg(test)]
mod tests {
    use super::{BatchForm, LinePlace, LineSign, sign_of};

    const RECORD: &str = r#"{"ClientIP":"192.0.2.1","RayID":"9e35512345678abc"}"#;

    fn sign(line: &[u8]) -> LineSign {
        sign_of(line, LinePlace::default())
    }

    #[test]
    fn line_of_another_form_is_a_mark() {
        let escaped = serde_json::to_string(RECORD).unwrap();
        for (line, form) in [
            ("[", BatchForm::JsonArray),
            ("]", BatchForm::JsonArray),
            ("[]", BatchForm::JsonArray),
            ("],", BatchForm::JsonArray),
            ("[{", BatchForm::JsonArray),
            (&format!("[{RECORD}"), BatchForm::JsonArray),
            (&format!("[{RECORD},"), BatchForm::JsonArray),
            (&format!("[ {RECORD}, {RECORD} ]"), BatchForm::JsonArray),
            (&format!("{RECORD}]"), BatchForm::JsonArray),
            (&format!("{RECORD}]}}"), BatchForm::JsonArray),
            (&format!("{RECORD},"), BatchForm::RecordDelimiter),
            (&format!("{RECORD} ;"), BatchForm::RecordDelimiter),
            (&format!(",{RECORD}"), BatchForm::RecordDelimiter),
            (",", BatchForm::RecordDelimiter),
            ("---", BatchForm::RecordDelimiter),
            (&format!("{RECORD}{RECORD}"), BatchForm::GluedRecords),
            (&format!("{RECORD} {RECORD}"), BatchForm::GluedRecords),
            (&format!("{RECORD}{{\"ClientIP\":\"cut"), BatchForm::GluedRecords),
            (&format!("{RECORD},{RECORD}"), BatchForm::RecordDelimiter),
            (&format!("{RECORD}\u{2028}{RECORD}"), BatchForm::RecordDelimiter),
            (&format!("{RECORD}\0{RECORD}\0"), BatchForm::RecordDelimiter),
            (&format!("{RECORD}\r{RECORD}"), BatchForm::CarriageReturns),
            (&format!("{RECORD}\0"), BatchForm::RecordSuffix),
            (&format!("{RECORD} END"), BatchForm::RecordSuffix),
            (&format!("data: {RECORD}"), BatchForm::RecordPrefix),
            (&format!("\u{1e}{RECORD}"), BatchForm::RecordPrefix),
            (&format!("<134>1 2026-11-22T08:11:00Z raydex - - - {RECORD}"), BatchForm::RecordPrefix),
            (&format!("[2026-11-22] {RECORD}"), BatchForm::RecordPrefix),
            (&format!("{RECORD}}}"), BatchForm::RecordSuffix),
            (&format!("{{\"event\":{RECORD}}}{{\"event\":{RECORD}}}"), BatchForm::GluedRecords),
            (&escaped, BatchForm::JsonStrings),
            (&format!("{escaped},"), BatchForm::JsonStrings),
            ("</logs>", BatchForm::Xml),
        ] {
            assert_eq!(sign(line.as_bytes()), LineSign::Mark(form), "{line}");
        }
    }

    #[test]
    fn first_line_tells_files_and_headings() {
        let first = |line: &[u8]| sign_of(line, LinePlace { is_first: true, is_cut: false });
        for (line, code) in [
            (&b"\x1f\x8b\x08\0\0"[..], "compressed_twice"),
            (b"BZh91AY", "other_compression"),
            (b"\x78\x9c\xb4\x9d\xff", "other_compression"),
            (b"H4sIAAAAAAAA", "other_compression"),
            (b"PAR1\x15\x04", "other_file"),
            (b"\xff\xfe{\0\"\0", "wide_text"),
            (b"\xfe\xff\0{\0\"", "wide_text"),
            (b"{\0\"\0R\0", "wide_text"),
            (b"\0{\0\"\0R", "wide_text"),
            (b"RayID,ClientIP", "csv"),
            (b"\"ClientIP\"\t\"RayID\"", "csv"),
            (b"<?xml version=\"1.0\"?>", "xml"),
        ] {
            let LineSign::Mark(form) = first(line) else { panic!("{line:?}") };
            assert_eq!(form.code(), code, "{line:?}");
        }
        for line in
            [r#"{"events":["#, &format!(r#"{{"source":"x","events":[{RECORD},"#), &format!(r#"{{"events":[{RECORD}"#)]
        {
            assert_eq!(first(line.as_bytes()), LineSign::Mark(BatchForm::JsonWrapper), "{line}");
            assert_eq!(sign(line.as_bytes()), LineSign::Hint(BatchForm::JsonWrapper), "{line}");
        }
        assert_eq!(sign(b"BZh91AY"), LineSign::Damage, "not in the middle");
        for line in
            [&b"\x1f\x8b\x08\0\0"[..], b"\x28\xb5\x2f\xfd\0", b"H4sIAAAAAAAAA6tWKsrPSVWyUkpUqgUAcmx1", b"PAR1\x15"]
        {
            assert!(matches!(sign(line), LineSign::Mark(_)), "{line:?}");
            let behind = [RECORD.as_bytes(), line].concat();
            assert!(line[0] == b'H' || line[0] == b'P' || matches!(sign(&behind), LineSign::Mark(_)), "{line:?}");
        }
        assert_eq!(sign(b"H4sI is the beginning of a sentence of words"), LineSign::Damage);
    }

    #[test]
    fn damaged_line_is_no_mark_wherever_cut() {
        let record = r#"{"Cookies":{"a":"b"},"Arr":[{"x":{"y":[1,"}"]}}],"Subrequests":[{"RayID":"1"},{"RayID":"2"}],"s":"a\"{b","RayID":"9e35512345678abc","JA4Signals":{"h":1}}"#;
        for at in 4..record.len() {
            let (head, tail) = record.split_at(at);
            for part in [head, tail] {
                assert!(!matches!(sign(part.as_bytes()), LineSign::Mark(_)), "{part}: {:?}", sign(part.as_bytes()));
            }
        }
        for line in
            [&b"\xff\xfe\x00\x80"[..], b"null", b"17", b"{", b"}", b"}}", b"]}", b"\0\0\0\0", b"9e35512345678abc"]
        {
            assert!(!matches!(sign(line), LineSign::Mark(_)), "{line:?}");
        }
    }

    #[test]
    fn beginning_of_a_long_line_shows_its_form() {
        let cut = LinePlace { is_first: true, is_cut: true };
        let (part, _) = RECORD.split_at(20);
        let glued = format!("{}{part}", RECORD.repeat(3));
        assert_eq!(sign_of(glued.as_bytes(), cut), LineSign::Mark(BatchForm::GluedRecords));
        let wrapped = format!(r#"{{"events":[{RECORD},{part}"#);
        assert_eq!(sign_of(wrapped.as_bytes(), cut), LineSign::Mark(BatchForm::JsonWrapper));
        assert_eq!(sign_of(&wrapped.as_bytes()[..30], cut), LineSign::Damage);
        assert_eq!(sign_of(&RECORD.as_bytes()[..20], cut), LineSign::Damage);
    }
}
