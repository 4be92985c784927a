//! Lists of records, whole or not, on a line that is no record.
//!
//! # Invariants
//!
//! A list that is left of a damaged record has more of the record after it, and is no mark.

use memchr::memchr_iter;

use super::form::BatchForm;
use super::json_text::{ListReader, ListStep, json_in_string, object_length};
use super::line_sign::{LinePlace, LineSign};
use super::wrapper::is_record;
use crate::limits::{PREFIX_MARK, WRAPPER_ELEMENTS};
use crate::record::fields::line_text;
use crate::record::{NameKind, RecordMembers, is_key_name, is_nested_record_name};

/// The sign of a line that begins with a bracket. Before other text than JSON, such as a date, it says nothing.
pub(super) fn list(text: &[u8], place: LinePlace) -> Option<LineSign> {
    let list = text.get(1..)?.trim_ascii_start();
    let (mut reader, mut count, mut has_record) = (ListReader::new(list), 0, false);
    let is_whole = loop {
        match reader.step() {
            ListStep::Element(element) if count < WRAPPER_ELEMENTS => {
                count += 1;
                has_record |= holds_record(element, 1);
            }
            ListStep::Element(_) => {}
            ListStep::End(after) => break matches!(after.trim_ascii(), b"" | b"," | b";"),
            ListStep::CutOff => break count > 0 || place.is_cut,
            // The next file's text may come where the list was cut off.
            ListStep::Garbage => break count > 1,
        }
    };
    match list.first()? {
        _ if is_whole && has_record => Some(LineSign::Mark(BatchForm::JsonArray)),
        b'{' | b'"' | b'[' => Some(LineSign::Hint(BatchForm::JsonArray)),
        _ => None,
    }
}

/// Whether an element is a record, or a string or a list with one in it.
fn holds_record(element: &[u8], depth: u32) -> bool {
    match element.first() {
        Some(b'{') => is_record(element),
        Some(b'"') => json_in_string(element).is_some_and(|text| {
            let text = text.as_bytes();
            object_length(text).and_then(|length| text.get(..length)).is_some_and(is_record)
        }),
        Some(b'[') if depth == 1 => {
            let mut elements = ListReader::new(element.get(1..).unwrap_or_default()).first_elements(WRAPPER_ELEMENTS);
            elements.any(|element| holds_record(element, depth + 1))
        }
        _ => false,
    }
}

/// The sign of the beginning of an object around records: `{"events":[`, then nothing or whole records up to the line's
/// end. A record that was cut off ends there by a rare chance alone, and has seldom two of them before.
pub(super) fn open_wrapper(text: &[u8], place: LinePlace) -> Option<LineSign> {
    let head = text.get(..PREFIX_MARK.min(text.len())).unwrap_or_default();
    memchr_iter(b'[', head).find_map(|at| {
        let closed = [text.get(..=at)?, b"]}"].concat();
        let closed = line_text(&closed);
        let members = RecordMembers::parse(&closed).ok()?;
        let (name, _) = members.iter().last()?;
        if is_nested_record_name(name) || members.iter().any(|(name, _)| is_key_name(name)) {
            return None;
        }
        let records = open_records(text.get(at + 1..)?, place.is_cut)?;
        let is_mark = place.is_first || records >= 2 && NameKind::of(name).is_none();
        Some(if is_mark { LineSign::Mark } else { LineSign::Hint }(BatchForm::JsonWrapper))
    })
}

/// How many records a text has that are all of a list whose end is missing; the last of several, or of a line that was
/// cut, may be a part.
fn open_records(list: &[u8], is_cut: bool) -> Option<usize> {
    let (mut reader, mut records) = (ListReader::new(list), 0);
    loop {
        match reader.step() {
            ListStep::Element(element) if records > 0 || is_record(element) => records += 1,
            ListStep::CutOff => return (reader.is_at_end() || records > usize::from(!is_cut)).then_some(records),
            ListStep::Garbage => return (records > 1).then_some(records),
            ListStep::Element(_) | ListStep::End(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BatchForm, LinePlace, LineSign, list, open_wrapper};

    const RECORD: &str = r#"{"ClientIP":"192.0.2.1","RayID":"9e35512345678abc"}"#;

    #[test]
    fn list_with_a_record_anywhere_is_a_mark() {
        let string = serde_json::to_string(RECORD).unwrap();
        for line in [
            &format!("[{string},{string}]"),
            &format!("[[{RECORD},{RECORD}]]"),
            &format!("[null,{RECORD}]"),
            &format!(r#"[{{"count":2}},{RECORD}],"#),
            &format!("[{RECORD},{RECORD},{}", RECORD.split_at(20).0),
        ] {
            let mark = Some(LineSign::Mark(BatchForm::JsonArray));
            assert_eq!(list(line.as_bytes(), LinePlace::default()), mark, "{line}");
        }
        for line in [
            &format!("[{RECORD}],\"RayID\":1}}"),
            &format!("[{RECORD}]}}"),
            r#"["RayID","ClientIP"]"#,
            r#"[{"count":2}]"#,
            &format!("[{RECORD},x"),
        ] {
            assert_eq!(
                list(line.as_bytes(), LinePlace::default()),
                Some(LineSign::Hint(BatchForm::JsonArray)),
                "{line}"
            );
        }
        assert_eq!(list(b"[2026-11-22] started", LinePlace::default()), None);
    }

    #[test]
    fn wrapper_without_its_end_is_a_mark() {
        let sign = |line: &str| open_wrapper(line.as_bytes(), LinePlace::default());
        let part = RECORD.split_at(20).0;
        let mark = Some(LineSign::Mark(BatchForm::JsonWrapper));
        assert_eq!(sign(&format!(r#"{{"n":1,"events":[{RECORD},{RECORD},{part}"#)), mark);
        assert_eq!(sign(&format!(r#"{{"n":1,"events":[{RECORD},{part}"#)), None);
        assert_eq!(
            sign(&format!(r#"{{"n":1,"Exceptions":[{RECORD},{RECORD},"#)),
            Some(LineSign::Hint(BatchForm::JsonWrapper))
        );
        assert_eq!(sign(&format!(r#"{{"RayID":"1","events":[{RECORD},{RECORD},{part}"#)), None);
    }
}
