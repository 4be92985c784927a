//! Subrequests inside of the record of the request that caused them, as Logpush writes them with `merge_subrequests`.
//!
//! # Invariants
//! A record is merged whole or not at all, and none is lost: what does not qualify stays a record of its own.

use serde_json::value::RawValue;

use crate::limits::{MERGED_SUBREQUESTS, MERGED_WITHIN_NS};
use crate::record::SUBREQUESTS;
use crate::record::fields::{FieldValue, line_text};
use crate::record::members::RecordMembers;
use crate::record::timestamp::Timestamp;

/// The members that say when a request was completed: the first that has a time.
const COMPLETED: [&str; 2] = ["EdgeEndTimestamp", "EdgeStartTimestamp"];

/// A record with its subrequests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedRecord {
    /// The line, without a newline.
    pub line: Vec<u8>,
    /// Which of the children are in it, ascending.
    pub merged: Vec<usize>,
}

/// Merges the records of the requests that a request caused into its own: the first [`MERGED_SUBREQUESTS`] that were completed
/// within five minutes after it, after those that are in it already. `None` if the record is none, or stays as it is because
/// none of them is added to those that it has.
#[must_use]
pub fn merge_subrequests(parent: &[u8], children: &[&[u8]]) -> Option<MergedRecord> {
    let text = line_text(parent);
    let members = RecordMembers::parse(&text).ok()?;
    let place = MergePlace::find(&text, &members)?;
    let latest_ns = completed_ns(&members).map(|ns| ns.saturating_add(MERGED_WITHIN_NS));
    let qualifies = |child: &&[u8]| {
        let text = line_text(child);
        let ns = RecordMembers::parse(&text).ok().and_then(|members| completed_ns(&members));
        ns.zip(latest_ns).is_some_and(|(ns, latest_ns)| ns <= latest_ns)
    };
    let merged = children.iter().enumerate().filter(|(_, child)| qualifies(child)).map(|(nth, _)| nth);
    let merged: Vec<usize> = merged.take(MERGED_SUBREQUESTS.saturating_sub(place.known.unwrap_or(0))).collect();
    if place.known.is_some() && merged.is_empty() {
        return None;
    }
    let inner: Vec<&[u8]> =
        merged.iter().filter_map(|nth| children.get(*nth)).map(|child| child.trim_ascii()).collect();
    let (before, after) = text.split_at_checked(place.at)?;
    let comma = if place.follows { "," } else { "" };
    let (head, tail) = match place.known {
        Some(_) => (comma.to_owned(), ""),
        None => (format!("{comma}\"{SUBREQUESTS}\":["), "]"),
    };
    let line = [before.as_bytes(), head.as_bytes(), &inner.join(&b","[..]), tail.as_bytes(), after.as_bytes()].concat();
    let line = if place.known.is_some() { line } else { line.trim_ascii_end().to_vec() };
    Some(MergedRecord { line, merged })
}

/// Where the records are put.
struct MergePlace {
    /// How many the record has already, if it has the member.
    known: Option<usize>,
    /// The position in the text.
    at: usize,
    /// Whether something is before them that a comma must follow.
    follows: bool,
}

impl MergePlace {
    /// Returns the end of the record, or that of the array that it has; `None` if its member has another form.
    fn find(text: &str, members: &RecordMembers<'_>) -> Option<Self> {
        let mut named = members.iter().filter(|(name, _)| *name == SUBREQUESTS).map(|(_, value)| value);
        let Some(array) = named.next() else {
            let at = text.trim_end().strip_suffix('}')?.len();
            return Some(Self { known: None, at, follows: members.iter().next().is_some() });
        };
        let elements: Vec<&RawValue> = serde_json::from_str(array).ok()?;
        if named.next().is_some() || !elements.iter().all(|element| element.get().starts_with('{')) {
            return None;
        }
        let start = array.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
        let known = Some(elements.len());
        Some(Self { known, at: start + array.len().checked_sub(1)?, follows: !elements.is_empty() })
    }
}

/// Returns when a request was completed, in Unix nanoseconds, as far as its record says.
fn completed_ns(members: &RecordMembers<'_>) -> Option<i64> {
    COMPLETED.iter().find_map(|name| {
        let value = FieldValue::from_json(members.get(name)?);
        let text = match &value {
            FieldValue::Text(text) => text.as_ref(),
            FieldValue::Number(number) => number,
            _ => return None,
        };
        Timestamp::parse_logged(text).map(Timestamp::unix_ns)
    })
}

#[cfg(test)]
mod tests {
    use super::{MergedRecord, merge_subrequests};

    const END_S: i64 = 1_774_687_345;

    fn ended(at_s: i64) -> String {
        format!(r#"{{"EdgeEndTimestamp":{at_s}000000000}}"#)
    }

    fn merged(parent: &str, children: &[String]) -> Option<(String, Vec<usize>)> {
        let children: Vec<&[u8]> = children.iter().map(String::as_bytes).collect();
        let MergedRecord { line, merged } = merge_subrequests(parent.as_bytes(), &children)?;
        Some((String::from_utf8(line).unwrap(), merged))
    }

    #[test]
    fn fifty_of_five_minutes_are_merged() {
        for (number, late_s, wanted) in
            [(50, 300, 50), (51, 300, 50), (50, 301, 49), (51, 301, 50), (0, 0, 0), (1, 301, 0)]
        {
            let mut children = vec![ended(END_S + 1); number];
            children.extend((number > 0).then(|| ended(END_S + late_s)));
            children.rotate_right(1.min(number));
            children.truncate(number);
            let (line, merged) = merged(&ended(END_S), &children).unwrap();
            assert_eq!(merged.len(), wanted, "{number} children, one after {late_s} s");
            let record: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(record["Subrequests"].as_array().unwrap().len(), wanted);
            let rest: Vec<usize> = (0..number).filter(|nth| !merged.contains(nth)).collect();
            assert!(merged.len() + rest.len() == number && merged.is_sorted());
        }
    }

    #[test]
    fn merged_record_has_its_members_and_children() {
        let child = format!(" {} \n", ended(END_S));
        for (parent, wanted) in [
            (
                r#"{"A":"}","EdgeStartTimestamp":"2026-03-28T08:42:25Z"}"#,
                Some(r#"{"A":"}","EdgeStartTimestamp":"2026-03-28T08:42:25Z","Subrequests":[$]}"#),
            ),
            ("{\"EdgeEndTimestamp\":1774687345 } \r\n", Some(r#"{"EdgeEndTimestamp":1774687345 ,"Subrequests":[$]}"#)),
            ("{}", Some(r#"{"Subrequests":[]}"#)),
            (r#"{"A":1,"Subrequests":[]}"#, None),
            ("[1]", None),
            ("{", None),
        ] {
            let wanted = wanted.map(|wanted| wanted.replace('$', child.trim()));
            assert_eq!(merged(parent, std::slice::from_ref(&child)).map(|(line, _)| line), wanted, "{parent}");
        }
    }

    #[test]
    fn merged_record_takes_more_up_to_fifty() {
        let child = |n: usize| format!(r#"{{"n":{n},"EdgeEndTimestamp":{END_S}}}"#);
        for (known, more, wanted) in [(0, 2, 2), (48, 5, 50), (50, 3, 50), (3, 0, 3), (60, 1, 60)] {
            let inside: Vec<String> = (0..known).map(child).collect();
            let parent = format!(r#"{{"Subrequests":[{}],"EdgeEndTimestamp":{END_S}}}"#, inside.join(","));
            let children: Vec<String> = (known..known + more).map(child).collect();
            let found = merged(&parent, &children);
            let added = wanted - known;
            assert_eq!(
                found.as_ref().map(|(_, merged)| merged.len()),
                (added > 0).then_some(added),
                "{known} and {more}"
            );
            let (line, _) = found.unwrap_or((parent, Vec::new()));
            let record: serde_json::Value = serde_json::from_str(&line).unwrap();
            let numbers = record["Subrequests"].as_array().unwrap().iter().map(|child| child["n"].as_u64().unwrap());
            assert!(numbers.eq(0..wanted as u64), "{line}");
        }
        for form in [r#"{"x":1}"#, "null", "[1]", r#"[{}],"Subrequests":[]"#] {
            let parent = format!(r#"{{"EdgeEndTimestamp":{END_S},"Subrequests":{form}}}"#);
            assert_eq!(merged(&parent, &[child(0)]), None, "{form}");
        }
    }
}
