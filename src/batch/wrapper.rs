//! Objects around records: one around many, or one around each. Their line is a JSON object, and so a record as far as
//! the form goes; the records inside of it would be lost without a word.
//!
//! # Invariants
//!
//! A record with a ray is none. Other records stay what they are, whatever objects and strings they hold: documented
//! fields may hold anything, and what is under other names has to say more of a record than the object around it.
//! A text is read at most [`WRAPPER_DEPTH`] times more, and nothing is kept of it.

use super::form::BatchForm;
use super::json_text::{ListReader, json_in_string, object_length};
use crate::limits::{TIMED_WRAPPER, WRAPPER_DEPTH, WRAPPER_ELEMENTS, WRAPPER_HEAD};
use crate::record::fields::line_text;
use crate::record::{NameKind, RecordMembers, is_key_name};

/// Documented fields of which others make wrappers: what a Worker's record holds in them has no time of that name.
const WRAPPER_NAMES: [&str; 2] = ["Event", "Logs"];

/// The form that a record without a ray gives away: an object around records.
pub(super) fn wrapper_of(line: &[u8]) -> Option<BatchForm> {
    let text = line_text(line);
    let members = RecordMembers::parse(&text).ok()?;
    let outer = NameScore::of(&members);
    if outer.has_ray {
        return None;
    }
    let search = RecordSearch { outer };
    search.members(&members, 1).or_else(|| (!outer.has_time && is_action(&members)).then_some(BatchForm::BulkActions))
}

/// Whether a whole object is a record, or is around records. A member that is left of a damaged record is neither.
pub(super) fn is_record(object: &[u8]) -> bool {
    let text = line_text(object);
    let has_key = RecordMembers::parse(&text).is_ok_and(|members| members.iter().any(|(name, _)| is_key_name(name)));
    has_key || wrapper_of(object).is_some()
}

/// Whether a line with a time of its own may be an object around records, by its length and its ends alone: the records
/// are nearly always the first or the last member.
pub(super) fn may_be_wrapper(line: &[u8]) -> bool {
    let end = line.trim_ascii_end();
    let last = end.strip_suffix(b"}").unwrap_or_default().trim_ascii_end();
    let last = last.strip_suffix(b"\"").unwrap_or(last).last();
    let head = line.get(..WRAPPER_HEAD.min(line.len())).unwrap_or_default();
    let first = memchr::memchr(b':', head).and_then(|at| line.get(at + 1..)).unwrap_or_default().trim_ascii_start();
    let first = first.strip_prefix(b"\"").unwrap_or(first).first();
    line.len() > TIMED_WRAPPER || matches!(last, Some(b']' | b'}')) || matches!(first, Some(b'[' | b'{'))
}

/// Whether the only member is an action of a bulk API, with nothing but metadata.
fn is_action(members: &RecordMembers<'_>) -> bool {
    let mut members = members.iter();
    let (Some((name, value)), None) = (members.next(), members.next()) else { return false };
    matches!(name, "index" | "create" | "update" | "delete") && value.starts_with('{')
}

/// How much the names of an object say that it is a record.
#[derive(Debug, Clone, Copy, Default)]
struct NameScore {
    has_ray: bool,
    has_time: bool,
    /// Documented names beside them.
    fields: u32,
}

impl NameScore {
    fn of(members: &RecordMembers<'_>) -> Self {
        let mut score = Self::default();
        for (name, value) in members.iter() {
            match NameKind::of(name) {
                Some(NameKind::Ray) => score.has_ray |= !matches!(value, "null" | "\"\""),
                Some(NameKind::Time) => score.has_time = true,
                Some(NameKind::Field) => score.fields += 1,
                Some(NameKind::Anywhere) | None => {}
            }
        }
        score
    }

    /// A ray says more than a time, which other things have too, and that more than another field.
    const fn weight(self) -> u32 {
        3 * self.has_ray as u32 + 2 * self.has_time as u32 + self.fields
    }

    const fn has_key(self) -> bool {
        self.has_ray || self.has_time
    }
}

/// Where a value of the outer object is.
#[derive(Debug, Clone, Copy)]
struct ValuePlace {
    depth: u32,
    /// It is under a documented name.
    is_documented: bool,
    is_in_list: bool,
}

/// Looks for records inside of an object.
#[derive(Debug, Clone, Copy)]
struct RecordSearch {
    /// The object around them.
    outer: NameScore,
}

impl RecordSearch {
    /// Whether members hold records below them, and how.
    fn members(self, members: &RecordMembers<'_>, depth: u32) -> Option<BatchForm> {
        let mut found = None;
        for (name, value) in members.iter() {
            let is_documented = match NameKind::of(name) {
                Some(_) if depth == 1 && !WRAPPER_NAMES.contains(&name) => continue,
                kind => depth == 1 && kind.is_some(),
            };
            let form = self.value(value.as_bytes(), ValuePlace { depth, is_documented, is_in_list: false });
            // One member with a record wraps that; several, or a list, are the whole batch.
            match (found, form) {
                (_, Some(BatchForm::JsonWrapper)) | (Some(_), Some(_)) => return Some(BatchForm::JsonWrapper),
                (None, Some(form)) => found = Some(form),
                (_, None) => {}
            }
        }
        found
    }

    fn value(self, value: &[u8], place: ValuePlace) -> Option<BatchForm> {
        match value.first()? {
            b'{' => self.object(value, place),
            b'[' => self.list(value, place),
            // What is in the texts of documented fields was written by anyone.
            b'"' if !place.is_documented => self.string(value, place),
            _ => None,
        }
    }

    fn object(self, object: &[u8], place: ValuePlace) -> Option<BatchForm> {
        let text = std::str::from_utf8(object).ok()?;
        let members = RecordMembers::parse(text).ok()?;
        if self.is_record(NameScore::of(&members), place) {
            return Some(if place.is_in_list { BatchForm::JsonWrapper } else { BatchForm::RecordWrapper });
        }
        let form = (place.depth < WRAPPER_DEPTH && !place.is_documented)
            .then(|| self.members(&members, place.depth + 1))??;
        Some(if place.is_in_list { BatchForm::JsonWrapper } else { form })
    }

    fn list(self, list: &[u8], place: ValuePlace) -> Option<BatchForm> {
        if place.depth > WRAPPER_DEPTH {
            return None;
        }
        let place = ValuePlace { depth: place.depth + u32::from(place.is_in_list), is_in_list: true, ..place };
        let mut elements = ListReader::new(list.get(1..)?).first_elements(WRAPPER_ELEMENTS);
        elements.find_map(|element| self.value(element, place)).map(|_| BatchForm::JsonWrapper)
    }

    /// A string with one record in it, or with many.
    fn string(self, value: &[u8], place: ValuePlace) -> Option<BatchForm> {
        if place.depth > WRAPPER_DEPTH {
            return None;
        }
        let text = json_in_string(value)?;
        let place = ValuePlace { depth: place.depth + 1, ..place };
        let Some(length) = object_length(text.as_bytes()) else { return self.list(text.as_bytes(), place) };
        let (object, after) = text.as_bytes().split_at_checked(length)?;
        let form = self.object(object, place)?;
        Some(if after.trim_ascii().is_empty() { form } else { BatchForm::JsonWrapper })
    }

    /// Whether an object inside says more of a record than the one around it.
    fn is_record(self, inner: NameScore, place: ValuePlace) -> bool {
        if place.is_documented {
            return self.outer.fields == 1
                && inner.has_ray
                && (inner.has_time || place.is_in_list && !self.outer.has_time);
        }
        // Records in a list may have the time of the object around them all.
        let shares_time = place.is_in_list && self.outer.has_time && inner.fields > self.outer.fields;
        // What a record with a time holds beside may name a ray: that alone is no record.
        let least = self.outer.weight() + u32::from(self.outer.has_time);
        (inner.has_key() || shares_time) && inner.weight() > least
    }
}

#[cfg(test)]
mod tests {
    use super::{BatchForm, may_be_wrapper, wrapper_of};

    const RECORD: &str = r#"{"ClientIP":"192.0.2.1","RayID":"9e35512345678abc"}"#;

    fn quoted(text: &str) -> String {
        serde_json::to_string(text).unwrap()
    }

    #[test]
    fn object_around_records_is_known() {
        let string = quoted(RECORD);
        for (line, form) in [
            (format!(r#"{{"events":[{RECORD},{RECORD}]}}"#), BatchForm::JsonWrapper),
            (format!(r#"{{"data":{{"result":{{"e":[{RECORD}]}}}}}}"#), BatchForm::JsonWrapper),
            (format!(r#"{{"a":{RECORD},"b":{RECORD}}}"#), BatchForm::JsonWrapper),
            (format!(r#"{{"time":1,"event":{RECORD}}}"#), BatchForm::RecordWrapper),
            (format!(r#"{{"events":[null,{{"count":2}},{RECORD}]}}"#), BatchForm::JsonWrapper),
            (format!(r#"{{"rows":[["http_requests",{RECORD}]]}}"#), BatchForm::JsonWrapper),
            (r#"{"index":{"_index":"logs"}}"#.into(), BatchForm::BulkActions),
            (r#"{"create":{}}"#.into(), BatchForm::BulkActions),
            // With a time of its own.
            (format!(r#"{{"EdgeStartTimestamp":1,"events":[{RECORD}]}}"#), BatchForm::JsonWrapper),
            (format!(r#"{{"Timestamp":"2026","event":{RECORD}}}"#), BatchForm::RecordWrapper),
            (
                r#"{"Timestamp":1,"records":[{"QueryName":"a","QueryType":1,"Timestamp":1}]}"#.into(),
                BatchForm::JsonWrapper,
            ),
            (
                r#"{"Timestamp":1,"records":[{"QueryName":"a","QueryType":1,"SourceIP":"b","ResponseCode":0}]}"#.into(),
                BatchForm::JsonWrapper,
            ),
            (
                format!(r#"{{"Datetime":1,"Event":{{"EdgeStartTimestamp":1,{}}}"#, RECORD.split_at(1).1),
                BatchForm::RecordWrapper,
            ),
            // In strings.
            (format!(r#"{{"message":{string}}}"#), BatchForm::RecordWrapper),
            (format!(r#"{{"Timestamp":1,"host":"x","message":{string}}}"#), BatchForm::RecordWrapper),
            (format!(r#"{{"events":[{string},{string}]}}"#), BatchForm::JsonWrapper),
            (format!(r#"{{"body":{}}}"#, quoted(&format!("{RECORD}\n{RECORD}\n"))), BatchForm::JsonWrapper),
            (format!(r#"{{"body":{}}}"#, quoted(&format!("[{RECORD}]"))), BatchForm::JsonWrapper),
            (format!(r#"{{"logGroup":"a","logEvents":[{{"id":"1","message":{string}}}]}}"#), BatchForm::JsonWrapper),
            (format!(r#"{{"body":{}}}"#, quoted(&format!(r#"{{"event":{RECORD}}}"#))), BatchForm::RecordWrapper),
        ] {
            assert_eq!(wrapper_of(line.as_bytes()), Some(form), "{line}");
        }
    }

    #[test]
    fn record_stays_one_whatever_it_holds() {
        let string = quoted(RECORD);
        for line in [
            r#"{"RayID":{"RayID":"9e35512345678abc"}}"#,
            r#"{"Subrequests":[{"RayID":"9e35512345678abc"}]}"#,
            r#"{"EdgeStartTimestamp":1,"Subrequests":[{"RayID":"9e35512345678abc","EdgeStartTimestamp":1}]}"#,
            r#"{"Event":{"RayID":"9e35512345678abc"}}"#,
            r#"{"ClientIP":"192.0.2.1","Cookies":{"a":"b"},"x":[1,{"y":2}]}"#,
            r#"{"EdgeStartTimestamp":1,"Cookies":{"RayID":"9e35512345678abc","Timestamp":"1"}}"#,
            "{}",
            &format!(r#"{{"RayID":"9e35512345678abc","events":[{RECORD}],"message":{string}}}"#),
            &format!(r#"{{"EventTimestampMs":1,"Logs":[{{"Message":[{string}],"TimestampMs":1}}]}}"#),
            &format!(r#"{{"EventTimestampMs":1,"ScriptName":"a","Outcome":"ok","own":{string}}}"#),
            &format!(
                r#"{{"When":1,"ActionType":"a","OldValue":{RECORD},"NewValue":{{"EdgeStartTimestamp":1,{}}}"#,
                RECORD.split_at(1).1
            ),
            &format!(r#"{{"When":1,"NewValue":{string}}}"#),
            &format!(r#"{{"EdgeStartTimestamp":1,"ClientRequestUserAgent":{string}}}"#),
            r#"{"EdgeStartTimestamp":1,"ClientIP":"192.0.2.1","related":[{"RayID":"9e35512345678abc"}]}"#,
            r#"{"Timestamp":1,"own":{"RayID":"9e35512345678abc","a":1}}"#,
            r#"{"EdgeStartTimestamp":1,"ClientIP":"a","own":{"Timestamp":1,"Datetime":2}}"#,
        ] {
            assert_eq!(wrapper_of(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn ends_of_a_line_show_possible_wrappers() {
        let long = format!(r#"{{"Timestamp":1,"a":"{}"}}"#, "x".repeat(10_000));
        for line in [
            r#"{"Timestamp":1,"records":[{}] }"#,
            r#"{"Timestamp":1,"event":{"a":1}}"#,
            r#"{"Timestamp":1,"message":"{}"}"#,
            r#"{"records": [{}],"Timestamp":1}"#,
            r#"{"message":"{}","Timestamp":1}"#,
            &long,
        ] {
            assert!(may_be_wrapper(line.as_bytes()), "{line}");
        }
        for line in [r#"{"QueryName":"a","Timestamp":1}"#, r#"{"a":1,"Message":"b"}"#, "{}", ""] {
            assert!(!may_be_wrapper(line.as_bytes()), "{line}");
        }
    }
}
