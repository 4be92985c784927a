//! A record as spans are made of it: its members by name, and values of an attribute's type.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::super::TimingUnit;
use crate::limits::OTLP_MEMBER_BYTES;
use crate::memory::{OutOfMemory, Reservation};
use crate::otlp::{OtlpArray, OtlpValue};
use crate::record::{FieldValue, RecordMembers};

/// Reserves the memory of reading the members of a text.
pub(super) fn reserve_members(text: &str, room: &Reservation) -> Result<(), OutOfMemory> {
    let members = serde_json::Deserializer::from_str(text).deserialize_map(MemberCounter).unwrap_or_default();
    room.reserve(members * OTLP_MEMBER_BYTES)
}

/// Counts the members of an object.
struct MemberCounter;

impl<'de> Visitor<'de> for MemberCounter {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
        let mut members = 0;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            members += 1;
        }
        Ok(members)
    }
}

/// The members of an object, each once, by name.
pub(super) struct OtlpRecord<'m> {
    values: BTreeMap<&'m str, &'m str>,
}

impl<'m> OtlpRecord<'m> {
    pub(super) fn new(members: &'m RecordMembers<'m>) -> Self {
        // Of a repeated member the last one counts.
        Self { values: members.iter().collect() }
    }

    /// Returns the names and the JSON of all members, in the order of the names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'m str, &'m str)> {
        self.values.iter().map(|(name, raw)| (*name, *raw))
    }

    /// Returns the JSON of a member.
    pub(super) fn raw(&self, name: &str) -> Option<&'m str> {
        self.values.get(name).copied()
    }

    /// Returns the text of a member, if it has one that is not empty; a number is its digits.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'m, str>> {
        text_of(self.raw(name)?)
    }

    /// Returns the instant in a member, in Unix nanoseconds.
    pub(super) fn instant(&self, name: &str) -> Option<i64> {
        TimingUnit::Instant.nanoseconds(self.raw(name)?)
    }

    /// Returns the whole number in a member.
    pub(super) fn whole(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }
}

/// Reads each object in a list; nothing of what is no list.
pub(super) fn each_object(
    raw: &str,
    room: &Reservation,
    mut take: impl FnMut(&OtlpRecord<'_>) -> Result<(), OutOfMemory>,
) -> Result<(), OutOfMemory> {
    if !raw.starts_with('[') {
        return Ok(());
    }
    room.reserve(raw.matches(',').count() * 3 * size_of::<&RawValue>())?;
    for element in serde_json::from_str::<Vec<&RawValue>>(raw).unwrap_or_default() {
        reserve_members(element.get(), room)?;
        if let Ok(members) = RecordMembers::parse(element.get()) {
            take(&OtlpRecord::new(&members))?;
        }
    }
    Ok(())
}

/// Returns the text of a value, if it has one that is not empty; a number is its digits.
pub(super) fn text_of(raw: &str) -> Option<Cow<'_, str>> {
    match FieldValue::from_json(raw) {
        FieldValue::Text(text) => Some(text).filter(|text| !text.is_empty()),
        FieldValue::Number(digits) => Some(Cow::Borrowed(digits)),
        FieldValue::Absent | FieldValue::Bool(_) | FieldValue::Nested(_) => None,
    }
}

/// Returns a value as that of an attribute; `None` for what is empty. Objects are their JSON.
pub(super) fn value_of(raw: &str) -> Option<OtlpValue> {
    match FieldValue::from_json(raw) {
        FieldValue::Absent => None,
        FieldValue::Text(text) if text.is_empty() => None,
        FieldValue::Text(text) => Some(OtlpValue::StringValue(text.into_owned())),
        FieldValue::Number(digits) => Some(number_of(digits)),
        FieldValue::Bool(value) => Some(OtlpValue::BoolValue(value)),
        FieldValue::Nested(raw) => list_of(raw),
    }
}

fn number_of(digits: &str) -> OtlpValue {
    let whole = digits.parse().ok().map(OtlpValue::IntValue);
    let other = || digits.parse().ok().filter(|number: &f64| number.is_finite()).map(OtlpValue::DoubleValue);
    whole.or_else(other).unwrap_or_else(|| OtlpValue::StringValue(digits.to_owned()))
}

fn list_of(raw: &str) -> Option<OtlpValue> {
    if raw.starts_with('[')
        && let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(raw)
    {
        let is_plain = |element: &&RawValue| !element.get().starts_with(['[', '{']);
        if elements.iter().all(is_plain) {
            let values: Vec<_> =
                elements.iter().filter_map(|element| value_of(element.get())).map(Into::into).collect();
            return (!values.is_empty()).then_some(OtlpValue::ArrayValue(OtlpArray { values }));
        }
    }
    let is_empty = raw.get(1..raw.len().saturating_sub(1)).is_none_or(|inside| inside.trim().is_empty());
    (!is_empty).then(|| OtlpValue::StringValue(raw.to_owned()))
}
