//! The JSON body of a request.
//!
//! # Invariants
//! A member that the route does not read is refused rather than ignored: it may be a switch that the client relies on.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::problem::Problem;
use super::problems;

/// The members of a JSON object in their order; `None` where the body is no JSON object.
pub(crate) fn parse_members<V: for<'de> Deserialize<'de>>(body: &[u8]) -> Option<Vec<(String, V)>> {
    let mut json = serde_json::Deserializer::from_slice(body);
    json.deserialize_map(BodyMembersVisitor(PhantomData)).and_then(|members| json.end().map(|()| members)).ok()
}

/// Refuses any other member, and one of these that is repeated.
///
/// # Errors
/// The [`Problem`] of a member that is not in `known`, or of one that is there twice.
pub(crate) fn check_members<V>(members: &[(String, V)], known: &[&'static str]) -> Result<(), Problem> {
    if !members.iter().all(|(name, _)| known.contains(&name.as_str())) {
        return Err(problems::unknown_member(known));
    }
    let is_repeated = |name: &&&str| members.iter().filter(|(given, _)| given == *name).count() > 1;
    known.iter().find(is_repeated).map_or(Ok(()), |name| Err(problems::repeated_member(name)))
}

/// The value of the member `known` of a JSON object that has no other; `None` where it is not there, or the body is no
/// JSON object.
///
/// # Errors
/// The [`Problem`] of another member, or of a repeated one.
pub(crate) fn parse_only_member(body: &[u8], known: &'static str) -> Result<Option<Value>, Problem> {
    let mut members = parse_members(body).unwrap_or_default();
    check_members(&members, &[known])?;
    Ok(members.pop().map(|(_, value)| value))
}

struct BodyMembersVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for BodyMembersVisitor<V> {
    type Value = Vec<(String, V)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::parse_only_member;

    #[test]
    fn only_member_is_read_and_others_refused() {
        let parse = |body: &str| parse_only_member(body.as_bytes(), "a").map_err(|problem| problem.code);
        assert_eq!(parse(r#"{"a":[1]}"#), Ok(Some(serde_json::json!([1]))));
        for body in ["{}", "", "null", "[]", "[[\"a\",1]]", r#"{"a":1"#, r#"{"a":1}{}"#] {
            assert_eq!(parse(body), Ok(None), "{body}");
        }
        for body in [r#"{"b":1}"#, r#"{"a":1,"b":1}"#, r#"{"A":1}"#, r#"{"b":1,"b":1}"#] {
            assert_eq!(parse(body), Err("unknown_member"), "{body}");
        }
        assert_eq!(parse(r#"{"a":1,"\u0061":1}"#), Err("repeated_member"));
    }
}
