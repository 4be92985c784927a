//! Selects a record's fields in the requested order, and converts its times to the requested format.
//!
//! # Invariants
//!
//! A value keeps the spelling of the line, except for converted times, and for anything that a text cannot represent. A
//! field that the record does not have is omitted. The output is one JSON object on one line.

use super::disarm::disarm;
use crate::record::fields::line_text;
use crate::record::{FieldValue, RecordError, RecordMembers, Timestamp};
use crate::time;

/// The fields with an instant.
const TIMES: [&str; 3] = ["EdgeStartTimestamp", "EdgeEndTimestamp", "Datetime"];

/// The format of timestamps, as named by Logpush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeForm {
    /// Unix nanoseconds, a number.
    UnixNano,
    /// Unix seconds, a number.
    Unix,
    /// RFC 3339 with whole seconds, a string.
    Rfc3339,
    /// RFC 3339 with milliseconds, a string.
    Rfc3339Ms,
    /// RFC 3339 with nanoseconds, a string.
    Rfc3339Ns,
}

impl TimeForm {
    /// All formats in the order of the API's documentation.
    pub const ALL: [Self; 5] = [Self::UnixNano, Self::Unix, Self::Rfc3339, Self::Rfc3339Ms, Self::Rfc3339Ns];

    /// Returns the name in requests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnixNano => "unixnano",
            Self::Unix => "unix",
            Self::Rfc3339 => "rfc3339",
            Self::Rfc3339Ms => "rfc3339ms",
            Self::Rfc3339Ns => "rfc3339ns",
        }
    }

    /// Parses a format from its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.name() == name)
    }

    /// Returns the instant in this format, as JSON.
    fn spell(self, at: Timestamp) -> String {
        match self {
            Self::UnixNano => at.unix_ns().to_string(),
            Self::Unix => at.unix_s().to_string(),
            Self::Rfc3339 => format!("\"{}\"", time::rfc3339_s(at.unix_s())),
            Self::Rfc3339Ms => format!("\"{}\"", time::rfc3339(at.unix_ms())),
            Self::Rfc3339Ns => format!("\"{}\"", time::rfc3339_ns(at.unix_ns())),
        }
    }
}

/// The part of each record that is written, and its formats.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldProjection {
    /// The fields in order; `None` for all.
    pub fields: Option<Vec<String>>,
    /// The format of times; `None` keeps that of the line.
    pub times: Option<TimeForm>,
    /// Whether every `${` becomes `x{`, which disarms the lookups of CVE-2021-44228.
    pub disarmed: bool,
}

impl FieldProjection {
    /// Returns whether it leaves every line unchanged.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.fields.is_none() && self.times.is_none() && !self.disarmed
    }

    /// Appends the selected part of the record `line`, without a newline.
    ///
    /// # Errors
    /// [`RecordError`] if the line is not a record; nothing is appended in that case.
    pub fn write(&self, out: &mut Vec<u8>, line: &[u8]) -> Result<(), RecordError> {
        let text = line_text(line);
        let members = RecordMembers::parse(&text)?;
        out.push(b'{');
        let start = out.len();
        let mut put = |name: &str, value: &str| {
            if out.len() > start {
                out.push(b',');
            }
            out.extend(serde_json::to_vec(name).unwrap_or_default());
            out.push(b':');
            match self.time(name, value) {
                Some(spelled) => out.extend_from_slice(spelled.as_bytes()),
                None => out.extend_from_slice(value.as_bytes()),
            }
        };
        match &self.fields {
            Some(fields) => {
                for name in fields {
                    if let Some(value) = members.get(name) {
                        put(name, value);
                    }
                }
            }
            None => members.iter().for_each(|(name, value)| put(name, value)),
        }
        out.push(b'}');
        if self.disarmed {
            disarm(out, start);
        }
        Ok(())
    }

    /// Converts the time in `value`, if that is requested and it is a time.
    fn time(&self, name: &str, value: &str) -> Option<String> {
        let form = self.times.filter(|_| TIMES.contains(&name))?;
        let at = match FieldValue::from_json(value) {
            FieldValue::Text(text) => Timestamp::parse_logged(&text),
            FieldValue::Number(digits) => Timestamp::parse_logged(digits),
            _ => None,
        };
        at.map(|at| form.spell(at))
    }
}

#[cfg(test)]
mod tests {
    use super::{FieldProjection, TimeForm};

    const LINE: &str = r#"{"RayID":"764660d8ec5c2ab1","EdgeStartTimestamp":1667491808142000001,"n":1.50,"EdgeEndTimestamp":"2022-11-03T16:10:09.5Z","x":{"a":[1]}}"#;

    fn written(fields: Option<&[&str]>, times: Option<TimeForm>) -> String {
        let fields = fields.map(|fields| fields.iter().map(|name| (*name).to_owned()).collect());
        let mut out = Vec::new();
        FieldProjection { fields, times, disarmed: false }.write(&mut out, LINE.as_bytes()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn fields_come_as_ordered_without_unknown_ones() {
        assert_eq!(
            written(Some(&["x", "n", "nothing", "RayID"]), None),
            r#"{"x":{"a":[1]},"n":1.50,"RayID":"764660d8ec5c2ab1"}"#
        );
        assert_eq!(written(Some(&["nothing"]), None), "{}");
        assert_eq!(written(None, None), LINE);
        assert!(FieldProjection::default().is_whole());
    }

    #[test]
    fn disarmed_record_has_no_lookup_in_it() {
        let projection = FieldProjection { disarmed: true, ..FieldProjection::default() };
        assert!(!projection.is_whole());
        let mut out = b"${".to_vec();
        projection.write(&mut out, br#"{"a":"$\u007bx","${b":1}"#).unwrap();
        assert_eq!(out, br#"${{"a":"x\u007bx","x{b":1}"#);
    }

    #[test]
    fn times_are_spelled_as_asked_from_any_form() {
        let times = |form| written(Some(&["EdgeStartTimestamp", "EdgeEndTimestamp", "n"]), Some(form));
        let expect = |start, end| format!(r#"{{"EdgeStartTimestamp":{start},"EdgeEndTimestamp":{end},"n":1.50}}"#);
        assert_eq!(times(TimeForm::UnixNano), expect("1667491808142000001", "1667491809500000000"));
        assert_eq!(times(TimeForm::Unix), expect("1667491808", "1667491809"));
        assert_eq!(times(TimeForm::Rfc3339), expect("\"2022-11-03T16:10:08Z\"", "\"2022-11-03T16:10:09Z\""));
        assert_eq!(times(TimeForm::Rfc3339Ms), expect("\"2022-11-03T16:10:08.142Z\"", "\"2022-11-03T16:10:09.500Z\""));
        assert_eq!(
            times(TimeForm::Rfc3339Ns),
            expect("\"2022-11-03T16:10:08.142000001Z\"", "\"2022-11-03T16:10:09.500000000Z\"")
        );
        for form in TimeForm::ALL {
            assert_eq!(TimeForm::from_name(form.name()), Some(form));
        }
    }

    #[test]
    fn non_times_stay_and_non_records_append_nothing() {
        let projection = FieldProjection { times: Some(TimeForm::Unix), ..FieldProjection::default() };
        let mut out = Vec::new();
        projection.write(&mut out, br#"{"EdgeStartTimestamp":"soon","Datetime":null}"#).unwrap();
        assert_eq!(out, br#"{"EdgeStartTimestamp":"soon","Datetime":null}"#);
        assert!(projection.write(&mut out, b"[]").is_err());
        assert_eq!(out.len(), 45);
    }

    #[test]
    fn half_a_pair_is_replaced_everywhere() {
        let mut out = Vec::new();
        let projection = FieldProjection { times: Some(TimeForm::Unix), ..FieldProjection::default() };
        projection.write(&mut out, br#"{"X\ud83d":"a\ude00","n":["\ud83d"]}"#).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "{\"X\u{fffd}\":\"a\\ufffd\",\"n\":[\"\\ufffd\"]}");
    }
}
