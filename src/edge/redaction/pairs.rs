//! Members that have a name, and those beside them that have its value: `{"name":"password","value":"x"}`,
//! `ParameterKey=password, ParameterValue=x`.
//!
//! # Invariants
//! A member counts in any case, alone or as the last word of a longer name; of two longer names the beginnings are the same.

use super::RedactionRules;

/// Members that have the name of another member's value, and those that have the value.
const NAME_MEMBERS: [&str; 12] =
    ["name", "key", "header", "field", "id", "param", "parameter", "property", "attribute", "option", "k", "n"];
const VALUE_MEMBERS: [&str; 6] = ["value", "values", "val", "content", "default", "v"];
/// Longest name of a secret that a member has.
const NAME_MAX: usize = 128;

/// The name of a secret that a member has as its value.
pub(in crate::edge) struct NamedSecret {
    /// What precedes the last word of the member's name.
    prefix: String,
    /// The name of the secret.
    pub(in crate::edge) name: String,
}

impl NamedSecret {
    /// Returns whether a member of the same object has the secret.
    pub(in crate::edge) fn is_in(&self, member: &str) -> bool {
        let fits =
            |prefix: &str| prefix.is_empty() || self.prefix.is_empty() || prefix.eq_ignore_ascii_case(&self.prefix);
        before_last_word(member, &VALUE_MEMBERS).is_some_and(fits)
    }
}

impl RedactionRules {
    /// Returns the names of secrets that members of an object have as their texts.
    pub(in crate::edge) fn named_secrets<'m>(
        &self,
        members: impl Iterator<Item = (&'m str, Option<&'m str>)>,
    ) -> Vec<NamedSecret> {
        let named = members.filter_map(|(member, text)| {
            let prefix = before_last_word(member, &NAME_MEMBERS)?;
            let name = text.filter(|text| text.len() <= NAME_MAX && self.redacts_name(text))?;
            Some(NamedSecret { prefix: prefix.to_owned(), name: name.to_owned() })
        });
        named.collect()
    }
}

/// Returns whether a member may have the name of another one's value.
pub(super) fn has_name(member: &str) -> bool {
    before_last_word(member, &NAME_MEMBERS).is_some()
}

/// Returns whether a member may have the value of a name beside it.
pub(super) fn has_value(member: &str) -> bool {
    before_last_word(member, &VALUE_MEMBERS).is_some()
}

/// Returns what precedes the last word of a member's name, if that is one of these. A letter is a name alone, and a name with dots
/// is an attribute's.
fn before_last_word<'n>(name: &'n str, known: &[&str]) -> Option<&'n str> {
    let name = name.trim_matches(['[', ']']);
    let (before, last) = name.split_at_checked(last_word_at(name))?;
    let is_known = known.iter().any(|word| word.eq_ignore_ascii_case(last));
    (is_known && (before.is_empty() || last.len() > 1) && !before.contains('.'))
        .then(|| before.trim_end_matches(['_', '-']))
}

/// Returns where the last word of a name begins: in `ParameterKey`, `parameter_key` and `PARAMETER-KEY`, `key`.
fn last_word_at(name: &str) -> usize {
    let (mut start, mut after) = (name.len(), None);
    for byte in name.bytes().rev() {
        let begins = after.is_some_and(|after: u8| after.is_ascii_uppercase()) && !byte.is_ascii_uppercase();
        if begins || !(byte.is_ascii_alphanumeric() || byte >= 0x80) {
            break;
        }
        start -= 1;
        after = Some(byte);
    }
    start
}

#[cfg(test)]
mod tests {
    use super::{RedactionRules, has_name, has_value};

    #[test]
    fn members_are_known_in_every_spelling() {
        for name in ["name", "Key", "ParameterKey", "parameter_key", "HEADER-NAME", "[key]", "k"] {
            assert!(has_name(name), "{name}");
        }
        for name in ["monkey", "surname", "feature_flag.key", "task", "link", ""] {
            assert!(!has_name(name), "{name}");
        }
        assert!(has_value("Value") && has_value("ParameterValue") && !has_value("evaluation") && !has_value("dev"));
    }

    #[test]
    fn value_has_the_beginning_of_its_name() {
        let named = RedactionRules::default().named_secrets([("ParameterKey", Some("password"))].into_iter());
        let holds = |member: &str| named.iter().any(|named| named.name == "password" && named.is_in(member));
        assert!(holds("ParameterValue") && holds("parameter_value") && holds("Value"));
        assert!(!holds("OtherValue") && !holds("ParameterType"));
    }
}
