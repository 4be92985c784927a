//! Secrets in one element of a list or member of an object that another one names: `["token:", "x"]`,
//! `{"name":"token","value":"x"}`.

use super::FieldClass;
use super::lists::{NAME_MEMBERS, VALUE_MEMBERS};
use super::names::{ends_in_name, has_named_place, may_name, names_secret};
use super::normal::normal;
use super::own_words::is_own_word;
use crate::record::FieldValue;

/// Longest text that is the name of something.
const NAME_LENGTH: usize = 64;

/// Longest text that only separates.
const SEPARATOR_LENGTH: usize = 4;

/// Whether the texts of a class are those of programs and people, so that one may name what the next one holds.
const fn is_free(class: FieldClass) -> bool {
    matches!(
        class,
        FieldClass::Message
            | FieldClass::Metadata
            | FieldClass::Attributes
            | FieldClass::Header
            | FieldClass::Person
            | FieldClass::Text
            | FieldClass::Agent
            | FieldClass::Name
            | FieldClass::Word
            | FieldClass::Url
            | FieldClass::Query
    )
}

/// The elements of a list, in their order.
pub(super) struct ListCursor {
    is_free: bool,
    /// The next element is a secret.
    hide: bool,
    /// A text has places for values, and names a secret: all that follow are.
    hide_all: bool,
}

impl ListCursor {
    pub(super) const fn new(of: FieldClass) -> Self {
        Self { is_free: is_free(of), hide: false, hide_all: false }
    }

    /// Whether the next element, in JSON, is a secret.
    pub(super) fn hides(&mut self, raw: &str) -> bool {
        if !self.is_free {
            return false;
        }
        let hides = self.hide || self.hide_all;
        if !raw.starts_with('"') {
            self.hide = false;
        } else if let FieldValue::Text(text) = FieldValue::from_json(raw) {
            // A colon or an arrow only separates a name from what it is.
            if text.len() <= SEPARATOR_LENGTH && text.bytes().all(|byte| b":=->,| ".contains(&byte)) {
                return false;
            }
            let Some(text) = normal(&text) else {
                // What cannot be judged may name a secret.
                self.hide = true;
                return hides;
            };
            let names = may_name(&text) && !is_own_word(&text);
            self.hide = names && ends_in_name(&text);
            self.hide_all |= names && has_named_place(&text);
        }
        hides
    }
}

/// The members of an object, in their order; twice, if one before a name holds what it names.
pub(super) struct PairCursor {
    of: FieldClass,
    /// A member names a secret.
    has_name: bool,
    /// A member was shown that may hold what another one names.
    has_value: bool,
    is_second: bool,
}

impl PairCursor {
    pub(super) const fn new(of: FieldClass) -> Self {
        Self { of, has_name: false, has_value: false, is_second: false }
    }

    /// Whether the next member holds the secret that another one names.
    pub(super) fn hides(&mut self, name: &str, raw: &str) -> bool {
        let is = |list: &[&str]| list.iter().any(|known| known.eq_ignore_ascii_case(name));
        if !matches!(self.of, FieldClass::Message | FieldClass::Metadata | FieldClass::Attributes) {
            return false;
        }
        if is(NAME_MEMBERS)
            && let FieldValue::Text(text) = FieldValue::from_json(raw)
        {
            self.has_name |= text.len() <= NAME_LENGTH && names_secret(&text);
        }
        let is_value = is(VALUE_MEMBERS);
        self.has_value |= is_value && !self.has_name;
        is_value && self.has_name
    }

    /// Whether the object has to be written again, since a name came after what it names. It is asked once.
    pub(super) fn has_missed(&mut self) -> bool {
        !std::mem::replace(&mut self.is_second, true) && self.has_name && self.has_value
    }
}

#[cfg(test)]
mod tests {
    use super::{ListCursor, PairCursor};
    use crate::mask::FieldClass;

    fn hidden(list: &[&str]) -> String {
        let mut cursor = ListCursor::new(FieldClass::Message);
        list.iter().map(|raw| if cursor.hides(raw) { '#' } else { '.' }).collect()
    }

    #[test]
    fn element_after_a_name_is_hidden() {
        for (list, expected) in [
            (&[r#""token:""#, r#""x""#, r#""y""#][..], ".#."),
            (&[r#""token""#, "7"], ".#"),
            (&[r#""the password is""#, r#"{"a":1}"#], ".#"),
            (&[r#""key""#, r#"":""#, r#""x""#], "..#"),
            (&[r#""user %s has the token %s""#, r#""ann""#, r#""x""#, "1"], ".###"),
            (&[r#""--password""#, r#""x""#], ".#"),
            (&[r#""Authorization""#, r#""Bearer""#, r#""x""#], ".##"),
            (&[r#""token:""#, "\"\u{e000}://\""], ".#"),
            (&[r#""token expired""#, r#""x""#], ".."),
            (&[r#""fetch""#, r#""x""#], ".."),
            (&["[\"token\"]", r#""x""#], ".."),
        ] {
            assert_eq!(hidden(list), expected, "{list:?}");
        }
        let mut actions = ListCursor::new(FieldClass::Number);
        assert!(!actions.hides(r#""token""#) && !actions.hides(r#""x""#));
    }

    #[test]
    fn member_that_another_names_is_hidden() {
        let mut pairs = PairCursor::new(FieldClass::Message);
        assert!(
            !pairs.hides("Name", r#""Authorization""#) && pairs.hides("value", r#""x""#) && !pairs.hides("id", "1")
        );
        assert!(!pairs.has_missed());
        let mut pairs = PairCursor::new(FieldClass::Message);
        assert!(!pairs.hides("value", r#""x""#) && !pairs.hides("name", r#""token""#));
        assert!(pairs.has_missed() && pairs.hides("value", r#""x""#) && !pairs.has_missed());
        let mut record = PairCursor::new(FieldClass::Records);
        assert!(!record.hides("name", r#""token""#) && !record.hides("value", r#""x""#));
    }
}
