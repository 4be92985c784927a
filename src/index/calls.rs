//! The calls to a shard ([`crate::rpc`]): their names, bodies and answers. All are JSON but for the body of
//! [`PutEntry`], a frame of its head, the bytes of each part, and the summary.

use serde::{Deserialize, Serialize};

use super::entry::EntryPart;
use super::frame;
use crate::backend::BackendError;
use crate::batch::SpanExtent;
use crate::bucket_keys::batch_times;
use crate::record::{Dataset, RayKey};
use crate::rpc::{Call, calls, from_json};

calls! {
    "v1/find-ray": FindRay => RayCandidates,
    "v1/forget-entry": ForgetEntry => ForgetAnswer,
    "v1/list-batches": ListShardBatches => BatchPage,
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
    /// The instant of records that have none themselves: what the object's name says, so that it is the same however
    /// often the same bytes are written, or else when they were.
    #[must_use]
    pub fn default_ms(&self) -> i64 {
        batch_times(&self.key).map_or(self.uploaded_ms, |(start_ms, _)| start_ms)
    }
}

/// An entry to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutEntry {
    /// The dataset of its records.
    pub dataset: Dataset,
    /// The object.
    pub object: ObjectVersion,
    /// Which time slots have rays, ascending (see [`super::shard`]).
    pub time_slots: Vec<u8>,
    /// The packed rays.
    pub parts: Vec<EntryPart>,
    /// The batch's summary, packed as [`crate::summary::form`] says.
    pub summary: Vec<u8>,
    /// Whether it takes the place of an entry of the same version, which is kept as it is else.
    pub rewrites: bool,
}

/// The head of a [`PutEntry`].
#[derive(Debug, Serialize, Deserialize)]
struct PutHead {
    dataset: Dataset,
    object: ObjectVersion,
    time_slots: Vec<u8>,
    parts: Vec<PartHead>,
    /// Bytes of the summary.
    summary: usize,
    rewrites: bool,
}

/// A part without its bytes.
#[derive(Debug, Serialize, Deserialize)]
struct PartHead {
    first_suffix: u64,
    last_suffix: u64,
    len: usize,
}

impl Call for PutEntry {
    const NAME: &'static str = "v1/put-entry";
    type Answer = PutAnswer;

    fn to_body(&self) -> Vec<u8> {
        let parts = self.parts.iter().map(|part| PartHead {
            first_suffix: part.first_suffix,
            last_suffix: part.last_suffix,
            len: part.bytes.len(),
        });
        let (object, time_slots) = (self.object.clone(), self.time_slots.clone());
        let summary = self.summary.len();
        let (dataset, rewrites) = (self.dataset, self.rewrites);
        let head = PutHead { dataset, object, time_slots, parts: parts.collect(), summary, rewrites };
        let parts = self.parts.iter().map(|part| part.bytes.as_slice());
        frame::write(&head, parts.chain([self.summary.as_slice()]))
    }

    fn from_body(body: &[u8]) -> Result<Self, BackendError> {
        let (head, mut rest) = frame::split(body)?;
        let head: PutHead = from_json(head)?;
        let mut parts = Vec::with_capacity(head.parts.len());
        let PutHead { dataset, object, time_slots, parts: heads, summary, rewrites } = head;
        for PartHead { first_suffix, last_suffix, len } in heads {
            let bytes = frame::take(&mut rest, len)?.to_vec();
            parts.push(EntryPart { first_suffix, last_suffix, bytes });
        }
        let summary = frame::take(&mut rest, summary)?.to_vec();
        Ok(Self { dataset, object, time_slots, parts, summary, rewrites })
    }
}

/// What became of an entry that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PutOutcome {
    /// The entry is new, or took the place of an older version's.
    Stored,
    /// The same version was there already.
    Unchanged,
    /// A newer version is there: this one is not kept.
    Superseded,
}

/// The answer to [`PutEntry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutAnswer {
    /// What became of it.
    pub outcome: PutOutcome,
    /// Rows that the platform bills as written.
    pub rows_written: u64,
}

/// Asks for a ray.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindRay {
    /// The ray's 16 digits, or the nonstandard id.
    pub id: String,
    /// The datasets that are asked for; entries of others are not looked at.
    pub datasets: Vec<Dataset>,
}

impl FindRay {
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
    /// The extents of these spans, ascending by number. A batch of less than 1 MiB of text has no spans, and none here.
    pub extents: Vec<SpanExtent>,
}

/// The answer to [`FindRay`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RayCandidates {
    /// The batches that hold the ray: by dataset, in the order of [`Dataset::WITH_RAY`], then the oldest entry first.
    pub candidates: Vec<Candidate>,
}

/// Drops an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetEntry {
    /// The object's key.
    pub key: String,
    /// Only versions written before this instant, in Unix milliseconds.
    pub before_ms: i64,
}

/// The answer to [`ForgetEntry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetAnswer {
    /// How many entries were dropped: 0 or 1.
    pub entries: u64,
}

/// Asks for the batches of one dataset in a shard, page by page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListShardBatches {
    /// The dataset.
    pub dataset: Dataset,
    /// The first number that is asked for; 0 for the first page.
    pub from: i64,
    /// Most batches of the page, [`crate::limits::SHARD_PAGE`] at most.
    pub limit: u64,
}

/// A batch of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardBatch {
    /// Its number among the shard's batches of its dataset, from 1: the later it was indexed, the higher.
    pub number: i64,
    /// The object, in the version that was indexed.
    pub object: ObjectVersion,
    /// Its summary, packed as [`crate::summary::form`] says; in JSON in base64.
    #[serde(with = "base64_bytes")]
    pub summary: Vec<u8>,
}

/// The answer to [`ListShardBatches`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BatchPage {
    /// The batches, by number.
    pub batches: Vec<ShardBatch>,
    /// There are more after the last one.
    pub more: bool,
}

/// Bytes in JSON: base64.
mod base64_bytes {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, Dataset, EntryPart, ObjectVersion, PutEntry};

    fn put() -> PutEntry {
        let object = ObjectVersion { key: "logs/é".into(), etag: "e".into(), uploaded_ms: 5, size: 9 };
        let part =
            |first_suffix, last_suffix, bytes: &[u8]| EntryPart { first_suffix, last_suffix, bytes: bytes.to_vec() };
        let parts = vec![part(1, 2, b"ab"), part(3, 4, b"\0c")];
        PutEntry {
            dataset: Dataset::FirewallEvents,
            object,
            time_slots: vec![1, 255],
            parts,
            summary: b"sum".to_vec(),
            rewrites: true,
        }
    }

    #[test]
    fn put_survives_its_body_and_cuts_are_refused() {
        let body = put().to_body();
        assert_eq!(PutEntry::from_body(&body), Ok(put()));
        for end in 0..body.len() {
            assert!(PutEntry::from_body(&body[..end]).is_err(), "{end}");
        }
    }
}
