//! Two records, field by field: which values differ, which fields only one of them has, and how many are equal.
//!
//! # Invariants
//! A difference is one of JSON values: white space, the order of members, escapes and the spelling of numbers do not count,
//! unless a value is longer than [`DIFF_COMPARED`]. The work grows with the sizes of the records, but for their sorting.

use itertools::EitherOrBoth::{Both, Left, Right};
use itertools::merge_join_by;

use crate::limits::DIFF_COMPARED;
use crate::record::{RecordMembers, canonical_text};

/// A field of two records, and its JSON in each that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldPair<'a> {
    /// Both records have this field, with values that are equal.
    Equal(&'a str),
    /// Both records have this field, with these values.
    Different(&'a str, [&'a str; 2]),
    /// The first record alone has this field, with this value.
    OnlyFirst(&'a str, &'a str),
    /// The second record alone has this field, with this value.
    OnlySecond(&'a str, &'a str),
}

/// Two records, each with its fields in the order of their names.
#[derive(Debug)]
pub struct RecordDiff<'a> {
    first: Vec<(&'a str, &'a str)>,
    second: Vec<(&'a str, &'a str)>,
}

impl<'a> RecordDiff<'a> {
    /// Compares two records. Of several members with one name the last one counts.
    #[must_use]
    pub fn new(first: &'a RecordMembers<'a>, second: &'a RecordMembers<'a>) -> Self {
        Self { first: sorted(first), second: sorted(second) }
    }

    /// Returns each field that one of the records has, in the order of the names.
    pub fn pairs(&self) -> impl Iterator<Item = FieldPair<'a>> {
        let [first, second] = [&self.first, &self.second].map(|fields| fields.iter().copied());
        merge_join_by(first, second, |first, second| first.0.cmp(second.0)).map(|fields| match fields {
            Both((name, first), (_, second)) if is_equal(first, second) => FieldPair::Equal(name),
            Both((name, first), (_, second)) => FieldPair::Different(name, [first, second]),
            Left((name, value)) => FieldPair::OnlyFirst(name, value),
            Right((name, value)) => FieldPair::OnlySecond(name, value),
        })
    }

    /// Returns the JSON of a field in each record that has it.
    #[must_use]
    pub fn values(&self, name: &str) -> [Option<&'a str>; 2] {
        [&self.first, &self.second].map(|fields| {
            let place = fields.binary_search_by(|(known, _)| (*known).cmp(name)).ok()?;
            fields.get(place).map(|(_, value)| *value)
        })
    }
}

/// The fields of a record by name, each once.
fn sorted<'a>(record: &'a RecordMembers<'a>) -> Vec<(&'a str, &'a str)> {
    let mut fields: Vec<(&str, &str)> = Vec::with_capacity(record.len());
    fields.extend(record.iter());
    // Members of one name stay in their order, and of those next to each other the later one takes the place.
    fields.sort_by_key(|(name, _)| *name);
    fields.dedup_by(|later, kept| {
        let is_repeated = later.0 == kept.0;
        if is_repeated {
            kept.1 = later.1;
        }
        is_repeated
    });
    fields
}

/// Whether two JSON texts are one value.
fn is_equal(first: &str, second: &str) -> bool {
    let is_compared = first.len().max(second.len()) <= DIFF_COMPARED;
    let is_same = || canonical_text(first).is_some_and(|text| canonical_text(second) == Some(text));
    first == second || is_compared && is_same()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_assert_eq, proptest};
    use serde_json::{Map, Value};

    use super::{DIFF_COMPARED, FieldPair, RecordDiff};
    use crate::record::RecordMembers;

    /// The fields of two records, each with a sign: equal, different, only in the first, only in the second.
    fn pairs(first: &str, second: &str) -> Vec<(char, String)> {
        let [first, second] = [first, second].map(|text| RecordMembers::parse(text).unwrap());
        let diff = RecordDiff::new(&first, &second);
        let pairs = diff.pairs().map(|pair| match pair {
            FieldPair::Equal(name) => ('=', name.to_owned()),
            FieldPair::Different(name, [first, second]) => ('!', format!("{name} {first} {second}")),
            FieldPair::OnlyFirst(name, value) => ('<', format!("{name} {value}")),
            FieldPair::OnlySecond(name, value) => ('>', format!("{name} {value}")),
        });
        pairs.collect()
    }

    fn of(pairs: &[(char, &str)]) -> Vec<(char, String)> {
        pairs.iter().map(|(sign, text)| (*sign, (*text).to_owned())).collect()
    }

    #[test]
    fn fields_are_compared_by_value_and_name() {
        let first = r#"{"b":1,"a":{"x": [1,"é"]},"c":null,"e":"z","d":1}"#;
        let second = r#"{"a":{"x":[1.0,"\u00e9"]},"c":0,"b":2,"f":[],"e":"z"}"#;
        let expected = of(&[('=', "a"), ('!', "b 1 2"), ('!', "c null 0"), ('<', "d 1"), ('=', "e"), ('>', "f []")]);
        assert_eq!(pairs(first, second), expected);
        assert_eq!(pairs("{}", "{}"), of(&[]));
        assert_eq!(pairs(r#"{"":1}"#, "{}"), of(&[('<', " 1")]));
    }

    #[test]
    fn last_of_several_members_counts() {
        let expected = of(&[('=', "a"), ('>', "b 5")]);
        assert_eq!(pairs(r#"{"a":1,"a":2,"a":3}"#, r#"{"b":4,"a":3,"\u0062":5}"#), expected);
    }

    #[test]
    fn long_values_are_compared_byte_for_byte() {
        let long = "x".repeat(DIFF_COMPARED);
        let [plain, escaped] = ["x", r"\u0078"].map(|sign| format!(r#"{{"a":"{long}{sign}"}}"#));
        assert_eq!(pairs(&plain, &plain), of(&[('=', "a")]));
        assert_eq!(pairs(&plain, &escaped).first().map(|(sign, _)| *sign), Some('!'));
        assert_eq!(pairs(r#"{"a":"xx"}"#, r#"{"a":"\u0078x"}"#), of(&[('=', "a")]));
    }

    #[test]
    fn values_are_found_by_name() {
        let [first, second] = [r#"{"z":1,"a":2,"a":3}"#, r#"{"m":4}"#].map(|text| RecordMembers::parse(text).unwrap());
        let diff = RecordDiff::new(&first, &second);
        assert_eq!(
            ["a", "z", "m", "x"].map(|name| diff.values(name)),
            [[Some("3"), None], [Some("1"), None], [None, Some("4")], [None, None]]
        );
    }

    /// A record of a few fields, of which two have many in common.
    fn record() -> impl Strategy<Value = Map<String, Value>> {
        let member = ("[a-f]{1,2}", any::<bool>(), 0_u8..3);
        let members = proptest::collection::vec(member, 0..12);
        members.prop_map(|members| {
            let value = |is_text, value: u8| if is_text { value.to_string().into() } else { Value::from(value) };
            members.into_iter().map(|(name, is_text, number)| (name, value(is_text, number))).collect()
        })
    }

    proptest! {
        #[test]
        fn pairs_agree_with_maps(first in record(), second in record()) {
            let text = |record: &Map<String, Value>| Value::from(record.clone()).to_string();
            let names: std::collections::BTreeSet<&String> = first.keys().chain(second.keys()).collect();
            let expected: Vec<(char, String)> = names.into_iter().map(|name| match (first.get(name), second.get(name)) {
                (Some(one), Some(other)) if one == other => ('=', name.clone()),
                (Some(one), Some(other)) => ('!', format!("{name} {one} {other}")),
                (one, None) => ('<', format!("{name} {}", one.unwrap())),
                (None, other) => ('>', format!("{name} {}", other.unwrap())),
            }).collect();
            prop_assert_eq!(pairs(&text(&first), &text(&second)), expected);
        }
    }
}
