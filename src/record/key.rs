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
use super::fields::{Field, FieldValue, LastMember, MemberName, RecordError};
use super::merged::{MergedChild, MergedChildren, SUBREQUESTS, each_object};
use super::{Dataset, DatasetEvidence, RayId, RayKey, Timestamp};

/// The key of one record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordKey {
    /// What the record is found by; `None` where it has no ray, or one that is not a possible id.
    pub ray: Option<RayKey>,
    /// The ID of the trace that the record is of, which finds it too; `None` where it has none, or one of 16 digits.
    pub trace: Option<RayKey>,
    /// When the request began, as the record says.
    pub start: Option<Timestamp>,
    /// The request that caused this one: `ParentRayID`, or `OriginatorRayID` of a firewall event. `None` where it is no
    /// ray of 16 digits, as `"00"` and `""` of a visitor's request.
    pub parent: Option<RayId>,
    /// The records inside of it; `None` where there are none.
    pub merged: Option<Box<MergedChildren>>,
}

impl RecordKey {
    /// The records inside of it that are found by their own rays, in their order.
    #[must_use]
    pub fn children(&self) -> &[MergedChild] {
        self.merged.as_ref().map_or(&[], |merged| &merged.children)
    }

    /// How many records inside of it are beyond those.
    #[must_use]
    pub fn children_beyond(&self) -> usize {
        self.merged.as_ref().map_or(0, |merged| merged.beyond)
    }

    /// Every id that finds the record.
    pub fn ids(&self) -> impl Iterator<Item = &RayKey> {
        self.ray.iter().chain(&self.trace)
    }

    fn of((ray, trace): (FieldValue<'_>, FieldValue<'_>), start: FieldValue<'_>, parent: FieldValue<'_>) -> Self {
        let ray = text_of(ray).and_then(|id| RayKey::from_logged(&id));
        let trace = text_of(trace).and_then(|id| trace_key(&id));
        let start = text_of(start).and_then(|time| Timestamp::parse_logged(&time));
        let parent = text_of(parent).and_then(|id| RayKey::from_logged(&id)?.ray());
        Self { ray, trace, start, parent: parent.filter(|parent| parent.bits() != 0), merged: None }
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

/// The key by which the ID of a trace finds a record. One of 16 digits would be a ray, and so of another shard.
pub(super) fn trace_key(id: &str) -> Option<RayKey> {
    RayKey::from_logged(id).filter(|id| id.ray().is_none())
}

/// Whether a member of this name is the ray or the time of a record, in whatever dataset.
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    let is_of = |known: KeyNames| {
        let also = known.also.is_some_and(|(ray, start)| name == ray || name == start);
        known.ray.as_deref() == Some(name) || known.start == name || also
    };
    Dataset::ALL.into_iter().map(KeyNames::of).any(is_of)
}

/// Whether a member of this name holds, in a record, other records or the record's own ray.
#[must_use]
pub fn is_nested_record_name(name: &str) -> bool {
    name == SUBREQUESTS || Dataset::ALL.into_iter().map(KeyNames::of).any(|known| known.outer == Some(name))
}

/// Reads the key of one line.
///
/// # Errors
/// [`RecordError`] where the line is not a record of the dataset.
pub fn read_key(dataset: Dataset, line: &[u8]) -> Result<RecordKey, RecordError> {
    read_key_by(&KeyNames::of(dataset), line)
}

/// The same where the dataset's job has renamed fields.
///
/// # Errors
/// [`RecordError`] where the line is not a record of the dataset.
pub fn read_key_by(names: &KeyNames, line: &[u8]) -> Result<RecordKey, RecordError> {
    let (key, evidence) = read_key_text(names, (line, &super::fields::line_text(line)))?;
    if evidence.possible().contains(names.dataset) { Ok(key) } else { Err(RecordError::OtherDataset) }
}

/// The records inside of a line with this ray.
fn read_children(names: &KeyNames, line: &[u8], line_ray: Option<&RayKey>) -> Option<Box<MergedChildren>> {
    let mut found = MergedChildren::default();
    each_object(line, |span, child| found.take(line_ray, span, || child_key(names, child)));
    found.boxed()
}

/// The ray of a record inside of another and the parent that it names, if it is a record with a ray.
pub(super) fn child_key(names: &KeyNames, child: &[u8]) -> Option<(RayKey, Option<RayId>)> {
    let (key, evidence, _) = read_members(names, &super::fields::line_text(child)).ok()?;
    Some((key.ray.filter(|_| evidence.possible().contains(names.dataset))?, key.parent))
}

/// What the names of a line's members say of its dataset.
///
/// # Errors
/// [`RecordError`] where the line is not a record at all.
pub fn read_evidence(line: &[u8]) -> Result<DatasetEvidence, RecordError> {
    let names = KeyNames::of(Dataset::HttpRequests);
    read_members(&names, &super::fields::line_text(line)).map(|(_, evidence, _)| evidence)
}

/// The key of a line whose text is `text`, and what its names say of its dataset.
pub(super) fn read_key_text(
    names: &KeyNames,
    (line, text): (&[u8], &str),
) -> Result<(RecordKey, DatasetEvidence), RecordError> {
    let (mut key, evidence, has_merged) = read_members(names, text)?;
    if has_merged {
        key.merged = read_children(names, line, key.ray.as_ref());
    }
    Ok((key, evidence))
}

/// The key of a text without the records inside of it, what its names say of its dataset, and whether it may have such
/// records.
fn read_members(names: &KeyNames, text: &str) -> Result<(RecordKey, DatasetEvidence, bool), RecordError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let found = json
        .deserialize_map(KeyVisitor { names })
        .and_then(|found| json.end().map(|()| found))
        .map_err(|error| RecordError::of(text.as_bytes(), &error))?;
    let ids = (value_of(found.ray), value_of(found.trace));
    let key = RecordKey::of(ids, value_of(found.start), value_of(found.parent));
    Ok((key, found.evidence, found.has_merged))
}

/// What a member is of its record's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyPart {
    Ray,
    /// The ID of the trace.
    Trace,
    /// The object that the ray is in.
    Outer,
    Start,
    /// The ray of the request that caused it.
    Parent,
    /// The records inside of it.
    Merged,
}

/// The name of a ray that is inside of an object.
pub(super) const INNER_RAY: &str = "RayID";

/// Where the records of a batch keep their ray, their time and their parent's ray.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyNames {
    dataset: Dataset,
    /// The object that holds the ray, where it is not the record itself.
    outer: Option<&'static str>,
    ray: Option<Cow<'static, str>>,
    start: Cow<'static, str>,
    parent: Option<Cow<'static, str>>,
    /// Other spellings of ray and time.
    also: Option<(&'static str, &'static str)>,
    /// Fields of the partner's columns under other names.
    renamed: Vec<(String, Field)>,
}

impl KeyNames {
    /// The names that the dataset's documentation has.
    #[must_use]
    pub fn of(dataset: Dataset) -> Self {
        let DatasetSpec { ray, time, parent, also, .. } = dataset.spec();
        let (outer, ray) = match ray.and_then(|path| path.split_once('.')) {
            Some((outer, inner)) => (Some(outer), Some(inner)),
            None => (None, *ray),
        };
        Self {
            dataset,
            outer,
            ray: ray.map(Cow::Borrowed),
            start: Cow::Borrowed(time),
            parent: parent.map(Cow::Borrowed),
            also: *also,
            renamed: Vec::new(),
        }
    }

    /// The names of a job that has renamed the members of the record with ray, time and parent's ray, or one of them.
    #[must_use]
    pub fn renamed(dataset: Dataset, ray: Option<&str>, time: Option<&str>, parent: Option<&str>) -> Self {
        let mut names = Self::of(dataset);
        let columns = [(ray, Field::RayID), (time, Field::EdgeStartTimestamp), (parent, Field::ParentRayID)];
        if dataset == Dataset::HttpRequests {
            names.renamed = columns.iter().filter_map(|(name, field)| Some(((*name)?.to_owned(), *field))).collect();
        }
        if let Some(ray) = ray {
            (names.outer, names.ray, names.also) = (None, Some(Cow::Owned(ray.to_owned())), None);
        }
        if let Some(time) = time {
            (names.start, names.also) = (Cow::Owned(time.to_owned()), None);
        }
        if let Some(parent) = parent {
            names.parent = Some(Cow::Owned(parent.to_owned()));
        }
        names
    }

    /// The dataset of the records.
    #[must_use]
    pub const fn dataset(&self) -> Dataset {
        self.dataset
    }

    /// The field of the partner's columns that has this name.
    #[must_use]
    pub fn field_of(&self, name: &str) -> Option<Field> {
        let renamed = self.renamed.iter().find(|(known, _)| known == name).map(|(_, field)| *field);
        renamed.or_else(|| Field::from_name(name))
    }

    /// What the member `name` of the record itself is.
    pub(super) fn part_of(&self, name: &str) -> Option<KeyPart> {
        if name == self.start {
            return Some(KeyPart::Start);
        }
        let (own, part) = match self.outer {
            Some(outer) => (Some(outer), KeyPart::Outer),
            None => (self.ray.as_deref(), KeyPart::Ray),
        };
        if own == Some(name) {
            return Some(part);
        }
        if self.parent.as_deref() == Some(name) {
            return Some(KeyPart::Parent);
        }
        if self.dataset == Dataset::HttpRequests && name == SUBREQUESTS {
            return Some(KeyPart::Merged);
        }
        if self.dataset.trace() == Some(name) {
            return Some(KeyPart::Trace);
        }
        let (ray, start) = self.also?;
        if name == ray { Some(KeyPart::Ray) } else { (name == start).then_some(KeyPart::Start) }
    }
}

/// The JSON texts of a record's key members, not yet parsed.
#[derive(Default)]
struct KeyTexts<'a> {
    ray: Option<&'a RawValue>,
    trace: Option<&'a RawValue>,
    start: Option<&'a RawValue>,
    parent: Option<&'a RawValue>,
    /// Whether it has a member for records inside of it.
    has_merged: bool,
    evidence: DatasetEvidence,
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

struct KeyVisitor<'n> {
    names: &'n KeyNames,
}

impl<'de> Visitor<'de> for KeyVisitor<'_> {
    type Value = KeyTexts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record: a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = KeyTexts::default();
        while let Some(MemberName(name)) = map.next_key()? {
            found.evidence = found.evidence.and(DatasetEvidence::of_name(&name));
            match self.names.part_of(&name) {
                Some(KeyPart::Start) => found.start = Some(map.next_value()?),
                Some(KeyPart::Ray) => found.ray = Some(map.next_value()?),
                Some(KeyPart::Trace) => found.trace = Some(map.next_value()?),
                Some(KeyPart::Parent) => found.parent = Some(map.next_value()?),
                Some(KeyPart::Outer) => found.ray = inner_ray(map.next_value::<&RawValue>()?.get()),
                Some(KeyPart::Merged) => {
                    found.has_merged = true;
                    map.next_value::<IgnoredAny>().map(drop)?;
                }
                None => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(found)
    }
}

/// The ray in the nested object `raw`, if it is one.
fn inner_ray(raw: &str) -> Option<&RawValue> {
    serde_json::Deserializer::from_str(raw).deserialize_map(LastMember(INNER_RAY)).ok()?
}

/// The text of the ray in the nested object `raw`, if it is one.
pub(super) fn inner_ray_text(raw: &str) -> Option<&str> {
    inner_ray(raw).map(RawValue::get)
}

#[cfg(test)]
mod tests {
    use super::{KeyNames, RecordKey, read_evidence, read_key, read_key_by};
    use crate::record::{Dataset, RayId, RayKey, RecordError, Timestamp};

    fn key(dataset: Dataset, line: &str) -> RecordKey {
        read_key(dataset, line.as_bytes()).unwrap()
    }

    #[test]
    fn record_of_another_dataset_is_refused() {
        let event =
            br#"{"Action":"block","Datetime":"2022-11-03T16:10:08Z","Kind":"firewall","RayID":"764660d8ec5c2ab1"}"#;
        assert_eq!(read_key(Dataset::HttpRequests, event), Err(RecordError::OtherDataset));
        assert!(read_key(Dataset::FirewallEvents, event).is_ok());
        assert_eq!(read_key(Dataset::DnsLogs, event), Err(RecordError::OtherDataset));
        assert_eq!(read_evidence(event).unwrap().settled(), Some(Dataset::FirewallEvents));
        let own = br#"{"my_ray":"764660d8ec5c2ab1","at":1667491808}"#;
        for dataset in Dataset::ALL {
            assert!(read_key(dataset, own).is_ok(), "{dataset}");
        }
        assert_eq!(read_evidence(own).unwrap().settled(), None);
    }

    #[test]
    fn renamed_fields_are_the_key() {
        let line = br#"{"RayID":"no","EdgeStartTimestamp":1667491807,"ray":"764660d8ec5c2ab1","at":1667491808}"#;
        let names = |ray, time| KeyNames::renamed(Dataset::HttpRequests, ray, time, None);
        let found = |ray, time| read_key_by(&names(ray, time), line).unwrap();
        let key =
            |ray, at| RecordKey { ray: RayKey::from_logged(ray), start: Timestamp::parse(at), ..RecordKey::default() };
        assert_eq!(found(Some("ray"), Some("at")), key("764660d8ec5c2ab1", "1667491808"));
        assert_eq!(found(Some("ray"), None), key("764660d8ec5c2ab1", "1667491807"));
        assert_eq!(found(None, Some("at")), key("no", "1667491808"));
        let by_cause = KeyNames::renamed(Dataset::HttpRequests, None, None, Some("cause"));
        let line = br#"{"ParentRayID":"764660d8ec5c2ab2","cause":"764660d8ec5c2ab3"}"#;
        assert_eq!(read_key_by(&by_cause, line).unwrap().parent, RayId::from_hex(b"764660d8ec5c2ab3"));
        let trace = KeyNames::renamed(Dataset::WorkersTraceEvents, Some("ray"), None, None);
        assert_eq!(read_key_by(&trace, br#"{"ray":"x","Event":{"RayID":"y"}}"#).unwrap().ray, RayKey::from_logged("x"));
    }

    #[test]
    fn each_dataset_keeps_its_ray_where_it_does() {
        let expected = RecordKey {
            ray: RayKey::from_logged("764660d8ec5c2ab1"),
            start: Timestamp::parse("2022-11-03T16:10:08.142Z"),
            ..RecordKey::default()
        };
        let http =
            r#"{"Nested":[{"RayID":"0"}],"RayID":"764660d8ec5c2ab1","EdgeStartTimestamp":"2022-11-03T16:10:08.142Z"}"#;
        assert_eq!(key(Dataset::HttpRequests, http), expected);
        let firewall = r#"{"Datetime":1667491808142000000,"RayID":"764660d8ec5c2ab1"}"#;
        assert_eq!(key(Dataset::FirewallEvents, firewall), expected);
        let trace = r#"{"ray":"x","Event":{"RayID":"764660D8EC5C2AB1","Request":{}},"EventTimestampMs":1667491808142}"#;
        assert_eq!(key(Dataset::WorkersTraceEvents, trace), expected);
    }

    #[test]
    fn parent_is_a_ray_or_none() {
        let parent = |dataset, line: &str| key(dataset, line).parent;
        let known = RayId::from_hex(b"764660d8ec5c2ab1");
        for spelled in
            ["\"764660d8ec5c2ab1\"", "\"764660D8EC5C2AB1\"", "\"764660d8ec5c2ab1-HKG\"", r#""\u003764660d8ec5c2ab1""#]
        {
            let line = format!(r#"{{"RayID":"764660d8ec5c2ab2","ParentRayID":{spelled}}}"#);
            assert_eq!(parent(Dataset::HttpRequests, &line), known, "{spelled}");
        }
        for spelled in ["\"00\"", "\"\"", "null", "0", "[]", "\"0000000000000000\"", "\"test-ray-001\""] {
            let line = format!(r#"{{"RayID":"764660d8ec5c2ab2","ParentRayID":{spelled}}}"#);
            assert_eq!(parent(Dataset::HttpRequests, &line), None, "{spelled}");
        }
        let line = r#"{"OriginatorRayID":"764660d8ec5c2ab1","ParentRayID":"764660d8ec5c2ab9"}"#;
        assert_eq!(parent(Dataset::FirewallEvents, line), known);
        assert_eq!(parent(Dataset::WorkersTraceEvents, line), None);
    }

    #[test]
    fn every_dataset_keeps_its_time_where_it_does() {
        for dataset in Dataset::ALL {
            let marker = dataset.marker().map(|name| format!(r#","{name}":"x""#)).unwrap_or_default();
            let line = format!(r#"{{"{}":"2022-11-03T16:10:08.142Z"{marker}}}"#, dataset.spec().time);
            assert_eq!(key(dataset, &line).start, Timestamp::parse("2022-11-03T16:10:08.142Z"), "{dataset}");
            let id = "\"764660d8ec5c2ab1\"";
            let ray = match dataset.spec().ray.and_then(|path| path.split_once('.')) {
                Some((outer, inner)) => format!(r#"{{"{outer}":{{"{inner}":{id}}}}}"#),
                None => format!(r#"{{"{}":{id}{marker}}}"#, dataset.spec().ray.unwrap_or("ray")),
            };
            assert_eq!(key(dataset, &ray).ray.is_some(), dataset.has_ray(), "{dataset}");
        }
        let line = r#"{"rayId":"764660d8ec5c2ab1","timestampStartNanos":1667491808142000000}"#;
        assert_eq!(key(Dataset::WebsocketAnalytics, line).unix_ms(), Some(1_667_491_808_142));
    }

    #[test]
    fn record_without_a_ray_is_still_a_record() {
        for line in ["{}", r#"{"RayID":null}"#, r#"{"RayID":""}"#, r#"{"RayID":["764660d8ec5c2ab1"]}"#] {
            assert_eq!(key(Dataset::HttpRequests, line).ray, None, "{line}");
        }
        for line in ["{}", r#"{"Event":null}"#, r#"{"Event":"x"}"#, r#"{"Event":{}}"#, r#"{"ray":"764660d8ec5c2ab1"}"#]
        {
            assert_eq!(key(Dataset::WorkersTraceEvents, line).ray, None, "{line}");
        }
    }

    #[test]
    fn span_is_found_by_ray_and_trace() {
        let (ray, trace) = ("764660d8ec5c2ab1", "4bf92f3577b34da6a3ce929d0e0e4736");
        let line = format!(r#"{{"RayID":"{ray}","SpanID":"00f067aa0ba902b7","TraceID":"{trace}"}}"#);
        let found = key(Dataset::Traces, &line);
        assert!(found.ids().eq(&[RayKey::from_logged(ray).unwrap(), RayKey::from_logged(trace).unwrap()]));
        let line = format!(r#"{{"SpanID":"00f067aa0ba902b7","TraceID":"{ray}"}}"#);
        assert_eq!(key(Dataset::Traces, &line).ids().count(), 0);
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
