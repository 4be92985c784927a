//! The calls to a shard ([`crate::rpc`]): their names, bodies and answers, all JSON but for the body of `put`, a JSON
//! head followed by the raw parts, since BLOBs in JSON would triple.
//!
//! ```text
//! u32 LE  length of the head
//! head    JSON, PutHead
//! for each part of the head, its bytes
//! the summary, if the head has its length
//! ```

use serde::{Deserialize, Serialize};

use super::entry::Part;
use crate::backend::{BackendError, to_json};
use crate::batch::SpanPlace;
use crate::bucket_keys::batch_times;
use crate::record::{Dataset, RayKey};
use crate::rpc::{Call, calls, from_json};

calls! {
    "v1/find": Find => Found,
    "v1/forget": Forget => Forgotten,
    "v1/within": Within => Batches,
}

/// Which version of which object an entry is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectVersion {
    /// Its key in the bucket.
    pub key: String,
    /// Its version.
    pub etag: String,
    /// When that version was written, in Unix milliseconds.
    pub uploaded_ms: i64,
    /// Its size in stored bytes.
    pub size: u64,
}

impl ObjectVersion {
    /// The instant of records that tell none themselves: what the object's name says, so that it is the same however
    /// often the same bytes are written, or else when they were.
    #[must_use]
    pub fn default_ms(&self) -> i64 {
        batch_times(&self.key).map_or(self.uploaded_ms, |(start_ms, _)| start_ms)
    }
}

/// An entry to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The dataset of its records.
    pub dataset: Dataset,
    /// The object.
    pub object: ObjectVersion,
    /// Which slots have rays, ascending (see [`super::shard`]).
    pub slots: Vec<u8>,
    /// The packed rays.
    pub parts: Vec<Part>,
    /// The batch's summary (see [`super::summary::form`]).
    pub summary: Option<Vec<u8>>,
}

/// The head of a `put`.
#[derive(Debug, Serialize, Deserialize)]
struct PutHead {
    dataset: Dataset,
    object: ObjectVersion,
    slots: Vec<u8>,
    parts: Vec<PartHead>,
    /// Bytes of the summary. A Worker of the version before sends none, and a shard of that version reads none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    summary: Option<usize>,
}

/// A part without its bytes.
#[derive(Debug, Serialize, Deserialize)]
struct PartHead {
    lo: u64,
    hi: u64,
    len: usize,
}

impl Call for Put {
    const NAME: &'static str = "v1/put";
    type Answer = PutAnswer;

    fn to_body(&self) -> Vec<u8> {
        let parts = self.parts.iter().map(|part| PartHead { lo: part.lo, hi: part.hi, len: part.bytes.len() });
        let summary = self.summary.as_ref().map(Vec::len);
        let (object, slots) = (self.object.clone(), self.slots.clone());
        let head = to_json(&PutHead { dataset: self.dataset, object, slots, parts: parts.collect(), summary });
        let mut body = u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
        body.extend_from_slice(&head);
        for part in &self.parts {
            body.extend_from_slice(&part.bytes);
        }
        body.extend_from_slice(self.summary.as_deref().unwrap_or_default());
        body
    }

    fn from_body(body: &[u8]) -> Result<Self, BackendError> {
        let cut = || BackendError::new("reading a call to a shard", "its body ends too early");
        let (length, rest) = body.split_first_chunk::<4>().ok_or_else(cut)?;
        let (head, mut rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(cut)?;
        let head: PutHead = from_json(head)?;
        let mut parts = Vec::with_capacity(head.parts.len());
        for PartHead { lo, hi, len } in head.parts {
            let (bytes, after) = rest.split_at_checked(len).ok_or_else(cut)?;
            parts.push(Part { lo, hi, bytes: bytes.to_vec() });
            rest = after;
        }
        let summary = head.summary.map(|length| rest.get(..length).map(<[u8]>::to_vec).ok_or_else(cut)).transpose()?;
        Ok(Self { dataset: head.dataset, object: head.object, slots: head.slots, parts, summary })
    }
}

/// What became of a `put`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// The entry is new, or took the place of an older version's.
    Stored,
    /// The same version was there already.
    Unchanged,
    /// A newer version is there: this one is not kept.
    Superseded,
}

/// The answer to a `put`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutAnswer {
    /// What became of it.
    pub kept: Kept,
    /// Rows that the platform bills as written.
    pub rows_written: u64,
}

/// Asks for a ray.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Find {
    /// The ray's 16 digits, or the nonstandard id.
    pub id: String,
    /// The datasets that are asked for; entries of others are not looked at.
    pub datasets: Vec<Dataset>,
}

impl Find {
    /// Asks for `key` in these datasets.
    #[must_use]
    pub fn new(key: &RayKey, datasets: &[Dataset]) -> Self {
        Self { id: key.to_string(), datasets: datasets.to_vec() }
    }
}

/// A batch that holds a ray.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The dataset of its records.
    pub dataset: Dataset,
    /// The object, in the version that was indexed.
    pub object: ObjectVersion,
    /// The span of each of the ray's lines, ascending.
    pub spans: Vec<u32>,
    /// Where these spans lie, ascending; those that are not here were indexed before spans had places.
    #[serde(default)]
    pub places: Vec<SpanPlace>,
}

/// The answer to a `find`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The batches that hold the ray: by dataset, in the order of [`Dataset::ALL`], then the oldest entry first.
    pub candidates: Vec<Candidate>,
}

/// Drops an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forget {
    /// The object's key.
    pub key: String,
    /// Only versions written before this instant, in Unix milliseconds.
    pub before_ms: i64,
}

/// The answer to a `forget`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// How many entries were dropped: 0 or 1.
    pub entries: u64,
}

/// Asks for the batches of one dataset in a shard, page by page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Within {
    /// The dataset.
    pub dataset: Dataset,
    /// The first place that is asked for; 0 for the first page.
    pub from: i64,
    /// Most batches of the page, [`crate::limits::WITHIN_PAGE`] at most.
    pub limit: u64,
}

/// A batch of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardBatch {
    /// Its place among the shard's batches of its dataset, from 1: the later it was indexed, the higher.
    pub place: i64,
    /// The object, in the version that was indexed.
    pub object: ObjectVersion,
    /// Its summary; none where it was indexed before there were any.
    #[serde(default, with = "base64_bytes", skip_serializing_if = "Option::is_none")]
    pub summary: Option<Vec<u8>>,
}

/// The answer to a `within`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Batches {
    /// The batches, by place.
    pub batches: Vec<ShardBatch>,
    /// There are more behind the last one.
    pub more: bool,
}

/// Bytes in JSON: base64.
mod base64_bytes {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands it so")]
    pub(super) fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| STANDARD.decode(text).map_err(D::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Batches, Call, Dataset, Find, Forget, Found, Kept, ObjectVersion, Part, Put, PutAnswer, Within, from_json,
        to_json,
    };

    fn put() -> Put {
        let object = ObjectVersion { key: "logs/é".into(), etag: "e".into(), uploaded_ms: 5, size: 9 };
        let part = |lo, hi, bytes: &[u8]| Part { lo, hi, bytes: bytes.to_vec() };
        let parts = vec![part(1, 2, b"ab"), part(3, 4, b"\0c")];
        Put { dataset: Dataset::FirewallEvents, object, slots: vec![1, 255], parts, summary: None }
    }

    #[test]
    fn the_wire_forms_are_unchanged() {
        let head = r#"{"dataset":"firewall_events","object":{"key":"logs/é","etag":"e","uploaded_ms":5,"size":9},"slots":[1,255],"parts":[{"lo":1,"hi":2,"len":2},{"lo":3,"hi":4,"len":2}]}"#;
        let body = [&u32::try_from(head.len()).unwrap().to_le_bytes(), head.as_bytes(), b"ab\0c"].concat();
        assert_eq!(put().to_body(), body);
        let head = head.replace("}]}", r#"}],"summary":3}"#);
        let body = [&u32::try_from(head.len()).unwrap().to_le_bytes(), head.as_bytes(), b"ab\0csum"].concat();
        assert_eq!(with_summary().to_body(), body);
        let within = Within { dataset: Dataset::HttpRequests, from: 7, limit: 200 };
        assert_eq!(to_json(&within), br#"{"dataset":"http_requests","from":7,"limit":200}"#);
        let batches = r#"{"batches":[{"place":7,"object":{"key":"k","etag":"e","uploaded_ms":1,"size":2},"summary":"AP8="},{"place":9,"object":{"key":"l","etag":"e","uploaded_ms":1,"size":2}}],"more":true}"#;
        let read = from_json::<Batches>(batches.as_bytes()).unwrap();
        assert_eq!((&read.batches[0].summary, &read.batches[1].summary), (&Some(vec![0, 255]), &None));
        assert_eq!(to_json(&read), batches.as_bytes());
        let answer = PutAnswer { kept: Kept::Stored, rows_written: 3 };
        assert_eq!(to_json(&answer), br#"{"kept":"stored","rows_written":3}"#);
        let find = Find { id: "00".into(), datasets: vec![Dataset::HttpRequests, Dataset::WorkersTraceEvents] };
        assert_eq!(to_json(&find), br#"{"id":"00","datasets":["http_requests","workers_trace_events"]}"#);
        assert_eq!(to_json(&Forget { key: "k".into(), before_ms: 7 }), br#"{"key":"k","before_ms":7}"#);
        let found = r#"{"candidates":[{"dataset":"http_requests","object":{"key":"k","etag":"e","uploaded_ms":1,"size":2},"spans":[0,3],"places":[]}]}"#;
        assert_eq!(to_json(&from_json::<Found>(found.as_bytes()).unwrap()), found.as_bytes());
        let place = r#"{"number":3,"form":"block","bit":9,"bytes":8,"offset":7,"head":6,"text":5,"window":{"start":3,"end":4}}"#;
        let with_places = found.replace("[]", &format!("[{place}]"));
        assert_eq!(to_json(&from_json::<Found>(with_places.as_bytes()).unwrap()), with_places.as_bytes());
        // A shard of the version before names no places.
        let before = found.replace(r#","places":[]"#, "");
        assert_eq!(from_json::<Found>(before.as_bytes()), from_json(found.as_bytes()));
    }

    #[test]
    fn put_survives_its_body_and_cuts_are_refused() {
        for put in [put(), with_summary()] {
            let body = put.to_body();
            assert_eq!(Put::from_body(&body), Ok(put));
            for end in 0..body.len() {
                assert!(Put::from_body(&body[..end]).is_err(), "{end}");
            }
        }
    }

    fn with_summary() -> Put {
        Put { summary: Some(b"sum".to_vec()), ..put() }
    }
}
