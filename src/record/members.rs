//! The members of a record in their order, each as the JSON text in the line: for a reader that selects some of them,
//! or rewrites the record.
//!
//! # Invariants
//!
//! Only the record's top level is read. No value is changed.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::{MemberName, RecordError};

/// The members of one record.
#[derive(Debug)]
pub struct RecordMembers<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> RecordMembers<'a> {
    /// Parses the members of the record in `text`.
    ///
    /// # Errors
    /// [`RecordError`] if it is not a record.
    pub fn parse(text: &'a str) -> Result<Self, RecordError> {
        let mut json = serde_json::Deserializer::from_str(text);
        let members = json.deserialize_map(RecordMembersVisitor).and_then(|members| json.end().map(|()| members));
        members.map(Self).map_err(|error| RecordError::of(text.as_bytes(), &error))
    }

    /// Returns the value of the member `name`: the last one, if there are several.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.get())
    }

    /// Returns the number of members, repeated ones included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns all members in order, with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.get()))
    }
}

struct RecordMembersVisitor;

impl<'de> Visitor<'de> for RecordMembersVisitor {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((MemberName(name), value)) = map.next_entry()? {
            members.push((name, value));
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::RecordMembers;
    use crate::record::RecordError;

    #[test]
    fn members_keep_their_spelling_and_last_duplicate_counts() {
        let members = RecordMembers::parse(r#"{"a": 1.50,"\u0062":"\n","c":{"a":[ 2 ]},"a":null}"#).unwrap();
        let all: Vec<_> = members.iter().collect();
        assert_eq!(all, [("a", "1.50"), ("b", r#""\n""#), ("c", r#"{"a":[ 2 ]}"#), ("a", "null")]);
        assert_eq!((members.get("a"), members.get("d")), (Some("null"), None));
    }

    #[test]
    fn what_is_no_record_has_no_members() {
        for (text, why) in
            [("[1]", RecordError::NotAnObject), ("{\"a\":1", RecordError::NotJson), ("", RecordError::NotJson)]
        {
            assert_eq!(RecordMembers::parse(text).err(), Some(why), "{text}");
        }
    }
}
