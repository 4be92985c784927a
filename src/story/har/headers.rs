//! Objects of a record as lists of names and values: headers and cookies.
//!
//! # Invariants
//! A list is written while the object is read, one value at a time. A header with several values is in the list as often.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::record::FieldValue;
use crate::record::fields::MemberName;

/// A name with its value.
#[derive(Serialize)]
pub(super) struct NameValue<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

/// A list of names and values.
pub(super) struct NameValueList<'a> {
    /// The first ones, which are fields of their own. An object's member of the same name is left out.
    pub(super) first: Vec<(&'static str, Cow<'a, str>)>,
    /// The object with the others.
    pub(super) object: FieldValue<'a>,
}

impl Serialize for NameValueList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for (name, value) in &self.first {
            list.serialize_element(&NameValue { name, value })?;
        }
        if let FieldValue::Nested(object) = self.object {
            let mut failed = None;
            let writer = ObjectWriter { first: &self.first, list: &mut list, failed: &mut failed };
            // An array has no names, and is no object of headers: nothing is written of it.
            let _read = serde_json::Deserializer::from_str(object).deserialize_map(writer);
            if let Some(error) = failed {
                return Err(error);
            }
        }
        list.end()
    }
}

/// Writes the members of an object to a list.
struct ObjectWriter<'w, L: SerializeSeq> {
    first: &'w [(&'static str, Cow<'w, str>)],
    list: &'w mut L,
    failed: &'w mut Option<L::Error>,
}

impl<L: SerializeSeq> ObjectWriter<'_, L> {
    /// Writes a value; `false` if the list failed.
    fn push(&mut self, name: &str, raw: &str) -> bool {
        let value = match FieldValue::from_json(raw) {
            FieldValue::Absent => return true,
            FieldValue::Text(text) => text,
            FieldValue::Number(raw) | FieldValue::Nested(raw) => Cow::Borrowed(raw),
            FieldValue::Bool(is) => Cow::Borrowed(if is { "true" } else { "false" }),
        };
        match self.list.serialize_element(&NameValue { name, value: &value }) {
            Ok(()) => true,
            Err(error) => {
                *self.failed = Some(error);
                false
            }
        }
    }
}

impl<'de, L: SerializeSeq> Visitor<'de> for ObjectWriter<'_, L> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of names and values")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(MemberName(name)) = map.next_key::<MemberName<'de>>()? {
            if self.first.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name)) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let raw = map.next_value::<&RawValue>()?.get();
            let is_written = if raw.starts_with('[') {
                serde_json::Deserializer::from_str(raw)
                    .deserialize_seq(ArrayWriter { name: &name, to: &mut self })
                    .is_ok()
            } else {
                self.push(&name, raw)
            };
            if !is_written {
                return Err(A::Error::custom("the list failed"));
            }
        }
        Ok(())
    }
}

/// Writes the elements of an array to a list, each under the same name.
struct ArrayWriter<'w, 'o, L: SerializeSeq> {
    name: &'w str,
    to: &'w mut ObjectWriter<'o, L>,
}

impl<'de, L: SerializeSeq> Visitor<'de> for ArrayWriter<'_, '_, L> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(Element(raw)) = seq.next_element()? {
            if !self.to.push(self.name, raw.get()) {
                return Err(A::Error::custom("the list failed"));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Element<'a>(#[serde(borrow)] &'a RawValue);

#[cfg(test)]
mod tests {
    use super::NameValueList;
    use crate::record::FieldValue;

    fn written(object: &str) -> String {
        let list = NameValueList { first: vec![("host", "a.example".into())], object: FieldValue::from_json(object) };
        let text = serde_json::to_string(&list).unwrap();
        text.strip_prefix(r#"[{"name":"host","value":"a.example"}"#).unwrap().to_owned()
    }

    #[test]
    fn each_value_of_a_header_is_listed() {
        assert_eq!(
            written(r#"{"a":"1","B":["2",3,null],"\u0063" : true,"d":null,"e":{"f":1},"Host":"b.example"}"#),
            concat!(
                r#",{"name":"a","value":"1"},{"name":"B","value":"2"},{"name":"B","value":"3"},"#,
                r#"{"name":"c","value":"true"},{"name":"e","value":"{\"f\":1}"}]"#
            )
        );
    }

    #[test]
    fn what_is_no_object_lists_nothing() {
        for object in ["{}", "[1]", "null", "\"x\"", "7"] {
            assert_eq!(written(object), "]", "{object}");
        }
    }
}
