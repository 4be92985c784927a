//! The members of a record that a reader names, each as its text in the line.
//!
//! # Invariants
//!
//! A line is walked once. Of a repeated member the last one counts. Only the record's top level is read.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::FieldValue;
use super::fields::MemberName;

/// Names, each with its place among the values.
pub(crate) type NamePlaces = BTreeMap<Box<str>, usize>;

/// The values that a record has under some names.
#[derive(Debug, Default)]
pub(crate) struct NamedValues<'a>(Vec<Option<&'a RawValue>>);

impl<'a> NamedValues<'a> {
    /// Reads them from the text of a record.
    ///
    /// # Errors
    /// The error of a text that is no record.
    pub(crate) fn read(text: &'a str, names: &NamePlaces) -> serde_json::Result<Self> {
        let mut json = serde_json::Deserializer::from_str(text);
        let values = json.deserialize_map(NamedValuesVisitor { names })?;
        json.end().map(|()| values)
    }

    /// Returns the value at a place.
    pub(crate) fn get(&self, place: usize) -> FieldValue<'a> {
        self.raw(place).map_or(FieldValue::Absent, FieldValue::from_json)
    }

    /// Returns the JSON text at a place; `None` if the record has no such member.
    pub(crate) fn raw(&self, place: usize) -> Option<&'a str> {
        self.json(place).map(RawValue::get)
    }

    /// Returns the JSON at a place, to be written as it is; `None` if the record has no such member.
    pub(crate) fn json(&self, place: usize) -> Option<&'a RawValue> {
        self.0.get(place).copied().flatten()
    }
}

struct NamedValuesVisitor<'n> {
    names: &'n NamePlaces,
}

impl<'de> Visitor<'de> for NamedValuesVisitor<'_> {
    type Value = NamedValues<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record: a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = vec![None; self.names.len()];
        while let Some(MemberName(name)) = map.next_key()? {
            match self.names.get(name.as_ref()).and_then(|place| found.get_mut(*place)) {
                Some(slot) => *slot = Some(map.next_value()?),
                None => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(NamedValues(found))
    }
}
