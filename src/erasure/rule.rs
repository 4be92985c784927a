//! A rule: which lines an erasure erases.

use serde::{Deserialize, Serialize};

use super::digest::{DigestSet, ErasureKey};
use super::values::{address_text, holds_address, holds_field};
use crate::record::fields::line_text;
use crate::record::{Dataset, RayKey, RecordKey};

/// What the values of an erasure are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasureKind {
    /// Rays and IDs of traces: a line is erased if it is found by one, names it as its parent, or has such a record inside.
    Ray,
    /// Addresses: a line is erased if any string of it holds one.
    Address,
    /// Values of the member with this name, at the top level of the record or of one inside of it.
    Field(String),
}

/// A half-open range of records, in Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureRange {
    /// Start in Unix milliseconds, inclusive.
    pub start_ms: i64,
    /// End in Unix milliseconds, exclusive.
    pub end_ms: i64,
}

/// Which lines an erasure erases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureRule {
    /// What its values are.
    pub kind: ErasureKind,
    /// The dataset of the lines; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dataset: Option<Dataset>,
    /// The times of the records; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub range: Option<ErasureRange>,
    /// The times that its rays have by their bits, if each has one: other rays need no digest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ray_times: Option<ErasureRange>,
    /// The digests of its values.
    pub values: DigestSet,
}

/// Where the lines of an erasure can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureScope {
    /// The times of the records; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub times: Option<ErasureRange>,
    /// The times that the rays have by their bits; `None` if lines are not erased by such rays.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ray_times: Option<ErasureRange>,
}

/// A line, with what was read of it.
#[derive(Debug, Clone, Copy)]
pub struct JudgedLine<'a> {
    /// The dataset of its batch.
    pub dataset: Dataset,
    /// Its key.
    pub key: &'a RecordKey,
    /// The instant that stands for the time of a record without one, in Unix milliseconds.
    pub default_ms: i64,
    /// The line, without a newline.
    pub line: &'a [u8],
}

impl ErasureRule {
    /// Returns whether the rule erases the line.
    #[must_use]
    pub fn erases(&self, secret: &ErasureKey, judged: &JudgedLine<'_>) -> bool {
        let JudgedLine { dataset, key, default_ms, line } = *judged;
        if self.dataset.is_some_and(|only| only != dataset) || !self.covers(key.unix_ms().unwrap_or(default_ms)) {
            return false;
        }
        match &self.kind {
            ErasureKind::Ray => rays_of(key).any(|ray| self.has(secret, &ray.to_string())),
            ErasureKind::Address => holds_address(&line_text(line), |found| self.has(secret, &address_text(found))),
            ErasureKind::Field(name) => {
                let inside = key.children().iter().map(|child| child.record(line));
                let mut records = std::iter::once(line).chain(inside);
                records.any(|record| holds_field(&line_text(record), name, |text| self.has(secret, text)))
            }
        }
    }

    /// Returns whether the rule erases every record of its rays.
    pub(super) fn is_of_whole_rays(&self) -> bool {
        self.kind == ErasureKind::Ray && self.dataset.is_none() && self.range.is_none()
    }

    fn covers(&self, unix_ms: i64) -> bool {
        self.range.is_none_or(|ErasureRange { start_ms, end_ms }| (start_ms..end_ms).contains(&unix_ms))
    }

    fn has(&self, secret: &ErasureKey, text: &str) -> bool {
        self.values.has(secret.digest(text))
    }
}

/// Returns every ray of a line: those that find it, those that it names as parents, and those of the records inside of it.
pub(super) fn rays_of(key: &RecordKey) -> impl Iterator<Item = RayKey> {
    let inside = key.children().iter().flat_map(|child| [Some(child.ray.clone()), child.parent.map(RayKey::Ray)]);
    key.ids().cloned().chain(key.parent.map(RayKey::Ray)).chain(inside.flatten())
}

#[cfg(test)]
mod tests {
    use super::{ErasureKey, ErasureKind, ErasureRange, ErasureRule, JudgedLine};
    use crate::record::{Dataset, read_key};

    const RAY: &str = "a61500b5bf9d9a2f";
    const OTHER: &str = "a61500b5bf9d9a30";

    fn key() -> ErasureKey {
        ErasureKey::draw(|| 7)
    }

    fn rule(kind: ErasureKind, values: &[&str]) -> ErasureRule {
        ErasureRule {
            kind,
            dataset: None,
            range: None,
            ray_times: None,
            values: values.iter().map(|text| key().digest(text)).collect(),
        }
    }

    fn erases(rule: &ErasureRule, dataset: Dataset, line: &str) -> bool {
        let record = read_key(dataset, line.as_bytes()).unwrap();
        rule.erases(&key(), &JudgedLine { dataset, key: &record, default_ms: 5_000, line: line.as_bytes() })
    }

    #[test]
    fn ray_erases_whatever_names_it() {
        let rule = rule(ErasureKind::Ray, &[RAY]);
        let requests = Dataset::HttpRequests;
        for (dataset, line, expected) in [
            (requests, format!(r#"{{"RayID":"{RAY}"}}"#), true),
            (requests, format!(r#"{{"RayID":"{}-SJC"}}"#, RAY.to_uppercase()), true),
            (requests, format!(r#"{{"RayID":"{OTHER}","ParentRayID":"{RAY}"}}"#), true),
            (requests, format!(r#"{{"RayID":"{OTHER}","Subrequests":[{{"RayID":"{RAY}"}}]}}"#), true),
            (Dataset::FirewallEvents, format!(r#"{{"RayID":"{RAY}","Action":"block"}}"#), true),
            (requests, format!(r#"{{"RayID":"{OTHER}"}}"#), false),
            (requests, format!(r#"{{"RayID":"{OTHER}","ClientRequestURI":"/{RAY}"}}"#), false),
        ] {
            assert_eq!(erases(&rule, dataset, &line), expected, "{line}");
        }
    }

    #[test]
    fn range_and_dataset_bound_a_rule() {
        let of_field = rule(ErasureKind::Field("ClientRequestHost".into()), &["a.example"]);
        let line = r#"{"ClientRequestHost":"a.example","EdgeStartTimestamp":"1970-01-01T00:00:10Z"}"#;
        let within =
            |start_ms, end_ms| ErasureRule { range: Some(ErasureRange { start_ms, end_ms }), ..of_field.clone() };
        assert!(erases(&of_field, Dataset::HttpRequests, line));
        for (rule, expected) in
            [(within(10_000, 10_001), true), (within(9_000, 10_000), false), (within(10_001, 20_000), false)]
        {
            assert_eq!(erases(&rule, Dataset::HttpRequests, line), expected, "{:?}", rule.range);
        }
        // A record without a time has that of its batch.
        assert!(erases(&within(5_000, 5_001), Dataset::HttpRequests, r#"{"ClientRequestHost":"a.example"}"#));
        let other = ErasureRule { dataset: Some(Dataset::FirewallEvents), ..of_field };
        assert!(!erases(&other, Dataset::HttpRequests, line));
    }

    #[test]
    fn field_of_a_record_inside_counts() {
        let rule = rule(ErasureKind::Field("ClientRequestURI".into()), &["/x"]);
        let line = format!(
            r#"{{"RayID":"{RAY}","ClientRequestURI":"/","Subrequests":[{{"RayID":"{OTHER}","ClientRequestURI":"/x"}}]}}"#
        );
        assert!(erases(&rule, Dataset::HttpRequests, &line));
        assert!(!erases(&rule, Dataset::HttpRequests, &line.replace("/x", "/y")));
    }

    #[test]
    fn stored_rule_is_read_back() {
        let rule = ErasureRule {
            dataset: Some(Dataset::HttpRequests),
            range: Some(ErasureRange { start_ms: 1, end_ms: 2 }),
            ..rule(ErasureKind::Field("A".into()), &["x"])
        };
        let json = serde_json::to_string(&rule).unwrap();
        assert_eq!(serde_json::from_str::<ErasureRule>(&json).unwrap(), rule);
        assert!(json.starts_with(
            r#"{"kind":{"field":"A"},"dataset":"http_requests","range":{"start_ms":1,"end_ms":2},"values":""#
        ));
    }
}
