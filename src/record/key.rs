//! What the index reads of a line: the ray it is found by, and when the request began.
//!
//! # Invariants
//!
//! The same function reads a line when it is indexed and when a line found by a lookup is confirmed, so a line that
//! was indexed under a ray is found by it. Where a whole object is read, [`super::scan`] reads the same faster.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::dataset::DatasetSpec;
use super::fields::{FieldValue, MemberName, RecordError};
use super::{Dataset, RayId, RayKey, Timestamp};

/// The key of one record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordKey {
    /// What the record is found by; `None` where it has no ray, or one that is not a possible id.
    pub ray: Option<RayKey>,
    /// When the request began, as the record says.
    pub start: Option<Timestamp>,
}

impl RecordKey {
    fn of(ray: FieldValue<'_>, start: FieldValue<'_>) -> Self {
        let ray = text_of(ray).and_then(|id| RayKey::from_logged(&id));
        let start = text_of(start).and_then(|time| Timestamp::parse(&time));
        Self { ray, start }
    }

    /// When the request began, as the record says, or else as its ray does, in Unix nanoseconds.
    #[must_use]
    pub fn unix_ns(&self) -> Option<i64> {
        let ray = || self.ray.as_ref().and_then(RayKey::ray).map(|ray| ray.unix_ms() * 1_000_000);
        self.start.map(Timestamp::unix_ns).or_else(ray)
    }

    /// The same in Unix milliseconds.
    #[must_use]
    pub fn unix_ms(&self) -> Option<i64> {
        let ray = || self.ray.as_ref().and_then(RayKey::ray).map(RayId::unix_ms);
        self.start.map(Timestamp::unix_ms).or_else(ray)
    }
}

/// Whether a member of this name is the ray or the time of a record, in whatever dataset.
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    let is_of = |known: KeyNames| {
        let also = known.also.is_some_and(|(ray, start)| name == ray || name == start);
        known.ray == Some(name) || known.start == name || also
    };
    Dataset::ALL.into_iter().map(KeyNames::of).any(is_of)
}

/// Whether a member of this name holds, in a record, other records or the record's own ray.
#[must_use]
pub fn is_nested_record_name(name: &str) -> bool {
    name == "Subrequests" || Dataset::ALL.into_iter().map(KeyNames::of).any(|known| known.outer == Some(name))
}

/// Reads the key of one line.
///
/// # Errors
/// [`RecordError`] where the line is not a record.
pub fn read_key(dataset: Dataset, line: &[u8]) -> Result<RecordKey, RecordError> {
    read_key_text(dataset, &super::fields::line_text(line))
}

/// The same for a line's text.
pub(super) fn read_key_text(dataset: Dataset, text: &str) -> Result<RecordKey, RecordError> {
    let names = KeyNames::of(dataset);
    let mut json = serde_json::Deserializer::from_str(text);
    let found = json
        .deserialize_map(KeyVisitor { names })
        .and_then(|found| json.end().map(|()| found))
        .map_err(|error| RecordError::of(text.as_bytes(), &error))?;
    Ok(RecordKey::of(value_of(found.ray), value_of(found.start)))
}

/// What a member is of its record's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyPart {
    Ray,
    /// The object that the ray is in.
    Outer,
    Start,
}

/// The name of a ray that is inside of an object.
pub(super) const INNER_RAY: &str = "RayID";

/// Where a dataset keeps its ray and its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyNames {
    /// The object that holds the ray, where it is not the record itself.
    outer: Option<&'static str>,
    ray: Option<&'static str>,
    start: &'static str,
    /// Other spellings of ray and time.
    also: Option<(&'static str, &'static str)>,
}

impl KeyNames {
    /// What the member `name` of the record itself is.
    pub(super) fn part_of(&self, name: &str) -> Option<KeyPart> {
        if name == self.start {
            return Some(KeyPart::Start);
        }
        let (own, part) = match self.outer {
            Some(outer) => (Some(outer), KeyPart::Outer),
            None => (self.ray, KeyPart::Ray),
        };
        if own == Some(name) {
            return Some(part);
        }
        let (ray, start) = self.also?;
        if name == ray { Some(KeyPart::Ray) } else { (name == start).then_some(KeyPart::Start) }
    }

    pub(super) fn of(dataset: Dataset) -> Self {
        let DatasetSpec { ray, time, also, .. } = dataset.spec();
        let (outer, ray) = match ray.and_then(|path| path.split_once('.')) {
            Some((outer, inner)) => (Some(outer), Some(inner)),
            None => (None, *ray),
        };
        Self { outer, ray, start: time, also: *also }
    }
}

/// The JSON texts of a record's key members, not yet parsed.
#[derive(Default)]
struct KeyTexts<'a> {
    ray: Option<&'a RawValue>,
    start: Option<&'a RawValue>,
}

/// The value of a member, if there is one.
fn value_of(raw: Option<&RawValue>) -> FieldValue<'_> {
    raw.map_or(FieldValue::Absent, |raw| FieldValue::from_json(raw.get()))
}

/// The text of a string or number.
pub(super) fn text_of(value: FieldValue<'_>) -> Option<Cow<'_, str>> {
    match value {
        FieldValue::Text(text) => Some(text),
        FieldValue::Number(digits) => Some(Cow::Borrowed(digits)),
        FieldValue::Absent | FieldValue::Bool(_) | FieldValue::Nested(_) => None,
    }
}

struct KeyVisitor {
    names: KeyNames,
}

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = KeyTexts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record: a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = KeyTexts::default();
        while let Some(MemberName(name)) = map.next_key()? {
            match self.names.part_of(&name) {
                Some(KeyPart::Start) => found.start = Some(map.next_value()?),
                Some(KeyPart::Ray) => found.ray = Some(map.next_value()?),
                Some(KeyPart::Outer) => found.ray = inner_ray(map.next_value()?, self.names.ray),
                None => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(found)
    }
}

/// The ray in the nested object `raw`, if it is one.
fn inner_ray<'a>(raw: &'a RawValue, ray: Option<&'static str>) -> Option<&'a RawValue> {
    let names = KeyNames { outer: None, ray, start: "", also: None };
    serde_json::Deserializer::from_str(raw.get()).deserialize_map(KeyVisitor { names }).ok()?.ray
}

/// The text of the ray in the nested object `raw`, if it is one.
pub(super) fn inner_ray_text(raw: &str) -> Option<&str> {
    let names = KeyNames { outer: None, ray: Some(INNER_RAY), start: "", also: None };
    serde_json::Deserializer::from_str(raw).deserialize_map(KeyVisitor { names }).ok()?.ray.map(RawValue::get)
}

#[cfg(test)]
mod tests {
    use super::{RecordKey, read_key};
    use crate::record::{Dataset, RayKey, RecordError, Timestamp};

    fn key(dataset: Dataset, line: &str) -> RecordKey {
        read_key(dataset, line.as_bytes()).unwrap()
    }

    #[test]
    fn each_dataset_keeps_its_ray_where_it_does() {
        let expected = RecordKey {
            ray: RayKey::from_logged("764660d8ec5c2ab1"),
            start: Timestamp::parse("2022-11-03T16:10:08.142Z"),
        };
        let http = r#"{"Subrequests":[{"RayID":"0"}],"RayID":"764660d8ec5c2ab1","EdgeStartTimestamp":"2022-11-03T16:10:08.142Z"}"#;
        assert_eq!(key(Dataset::HttpRequests, http), expected);
        let firewall = r#"{"Datetime":1667491808142000000,"RayID":"764660d8ec5c2ab1"}"#;
        assert_eq!(key(Dataset::FirewallEvents, firewall), expected);
        let trace =
            r#"{"RayID":"x","Event":{"RayID":"764660D8EC5C2AB1","Request":{}},"EventTimestampMs":1667491808142}"#;
        assert_eq!(key(Dataset::WorkersTraceEvents, trace), expected);
    }

    #[test]
    fn every_dataset_keeps_its_time_where_it_does() {
        for dataset in Dataset::ALL {
            let line = format!(r#"{{"{}":"2022-11-03T16:10:08.142Z"}}"#, dataset.spec().time);
            assert_eq!(key(dataset, &line).start, Timestamp::parse("2022-11-03T16:10:08.142Z"), "{dataset}");
            let ray = key(dataset, r#"{"RayID":"764660d8ec5c2ab1","Event":{"RayID":"764660d8ec5c2ab1"}}"#).ray;
            assert_eq!(ray.is_some(), dataset.has_ray(), "{dataset}");
        }
        let line = r#"{"rayId":"764660d8ec5c2ab1","timestampStartNanos":1667491808142000000}"#;
        assert_eq!(key(Dataset::WebsocketAnalytics, line).unix_ms(), Some(1_667_491_808_142));
    }

    #[test]
    fn record_without_a_ray_is_still_a_record() {
        for line in ["{}", r#"{"RayID":null}"#, r#"{"RayID":""}"#, r#"{"RayID":["764660d8ec5c2ab1"]}"#] {
            assert_eq!(key(Dataset::HttpRequests, line).ray, None, "{line}");
        }
        for line in
            ["{}", r#"{"Event":null}"#, r#"{"Event":"x"}"#, r#"{"Event":{}}"#, r#"{"RayID":"764660d8ec5c2ab1"}"#]
        {
            assert_eq!(key(Dataset::WorkersTraceEvents, line).ray, None, "{line}");
        }
    }

    #[test]
    fn numeric_ray_is_read_by_its_digits() {
        let line = r#"{"RayID":1234567890123456}"#;
        assert_eq!(key(Dataset::HttpRequests, line).ray, RayKey::from_logged("1234567890123456"));
    }

    #[test]
    fn invalid_utf8_does_not_hide_the_ray() {
        let line = b"{\"ClientRequestUserAgent\":\"\xff\xfe\",\"RayID\":\"764660d8ec5c2ab1\"}";
        let found = read_key(Dataset::HttpRequests, line).unwrap();
        assert_eq!(found.ray, RayKey::from_logged("764660d8ec5c2ab1"));
    }

    #[test]
    fn non_record_is_refused_with_its_reason() {
        assert_eq!(read_key(Dataset::HttpRequests, b"[]"), Err(RecordError::NotAnObject));
        assert_eq!(read_key(Dataset::HttpRequests, b"{\"RayID\":\"764660d8ec5c2ab1\""), Err(RecordError::NotJson));
        assert_eq!(read_key(Dataset::HttpRequests, b"{} {}"), Err(RecordError::NotJson));
    }
}
