//! The members of a record that a filter reads, each as its text in the line.
//!
//! # Invariants
//!
//! A line is walked once. Of a repeated member the last one counts. Only the record's top level is read.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::FilterFields;
use crate::record::FieldValue;
use crate::record::fields::MemberName;

/// The values of a filter's fields in one record.
#[derive(Debug)]
pub(super) struct FieldValues<'a>(Vec<Option<&'a RawValue>>);

impl<'a> FieldValues<'a> {
    /// Returns the value of the name at `place`.
    pub(super) fn get(&self, place: usize) -> FieldValue<'a> {
        self.0.get(place).copied().flatten().map_or(FieldValue::Absent, |raw| FieldValue::from_json(raw.get()))
    }
}

/// Reads the members of one line.
pub(super) fn read<'a>(line: &'a str, names: &FilterFields) -> serde_json::Result<FieldValues<'a>> {
    let mut json = serde_json::Deserializer::from_str(line);
    let members = json.deserialize_map(FieldValuesVisitor { names })?;
    json.end().map(|()| members)
}

struct FieldValuesVisitor<'n> {
    names: &'n FilterFields,
}

impl<'de> Visitor<'de> for FieldValuesVisitor<'_> {
    type Value = FieldValues<'de>;

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
        Ok(FieldValues(found))
    }
}
