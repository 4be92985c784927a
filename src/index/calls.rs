//! A shard's calls ([`crate::rpc`]): names, bodies and answers. All are JSON except the body of [`PutEntry`], which is
//! a frame of its head, the bytes of each part, and the summary.

use serde::{Deserialize, Serialize};

use super::entry::EntryPart;
use super::frame;
use crate::backend::{BackendError, ObjectHead, RewriteNote};
use crate::batch::SpanExtent;
use crate::bucket_keys::batch_times;
use crate::record::{Dataset, RayKey};
use crate::rpc::{Call, calls, from_json};

calls! {
    "v1/find-ray": FindRay => RayCandidates,
    "v1/find-family": FindFamily => FamilyPart,
    "v1/forget-entry": ForgetEntry => ForgetAnswer,
    "v1/list-batches": ListShardBatches => BatchPage,
}

/// The version of an object that an entry describes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectVersion {
    /// Its key in the bucket.
    pub key: String,
    /// The `ETag` of the version.
    pub etag: String,
    /// Unix milliseconds at which the version was written.
    pub uploaded_ms: i64,
    /// Its size in the bucket, in bytes.
    pub size: u64,
    /// What it was rewritten from, if raydex rewrote it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub origin: Option<ObjectOrigin>,
}

/// The version of an object that raydex first rewrote without erased lines. It is the same batch: it has its place in the accounts, and
/// its other lines at the same offsets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectOrigin {
    /// Its `ETag`.
    pub etag: String,
    /// Number of times that the batch was rewritten.
    pub revision: u32,
    /// Unix milliseconds at which it was rewritten last: the bucket counts its days from then on.
    pub rewritten_ms: i64,
}

impl ObjectVersion {
    /// Returns the version of the object at `key` with this metadata. One that was rewritten counts as written when its batch was.
    #[must_use]
    pub fn new(key: &str, head: &ObjectHead) -> Self {
        let ObjectHead { etag, size, uploaded_ms: written_ms, rewrite } = head.clone();
        let uploaded_ms = rewrite.as_ref().map_or(written_ms, |note| note.uploaded_ms);
        let origin =
            rewrite.map(|RewriteNote { etag, revision, .. }| ObjectOrigin { etag, revision, rewritten_ms: written_ms });
        Self { key: key.to_owned(), etag, uploaded_ms, size, origin }
    }

    /// Returns the `ETag` of the batch as it was written, which is part of its identity.
    #[must_use]
    pub fn batch_etag(&self) -> &str {
        self.origin.as_ref().map_or(&self.etag, |origin| &origin.etag)
    }

    /// Returns the instant from which the bucket counts the days of the object, in Unix milliseconds.
    #[must_use]
    pub fn written_ms(&self) -> i64 {
        self.origin.as_ref().map_or(self.uploaded_ms, |origin| origin.rewritten_ms)
    }

    /// Returns what the versions of an object are ordered by: when the batch was written, and how often it was rewritten.
    #[must_use]
    pub fn age(&self) -> VersionAge {
        VersionAge { uploaded_ms: self.uploaded_ms, revision: self.origin.as_ref().map_or(0, |origin| origin.revision) }
    }

    /// Returns the instant that stands for the time of records without one: the time in the object's name, which does
    /// not change when the same bytes are written again, or else the time of the upload.
    #[must_use]
    pub fn default_ms(&self) -> i64 {
        batch_times(&self.key).map_or(self.uploaded_ms, |(start_ms, _)| start_ms)
    }
}

/// How old a version of an object is: later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VersionAge {
    /// Unix milliseconds at which its batch was written.
    pub uploaded_ms: i64,
    /// Number of times that the batch was rewritten since.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub revision: u32,
}

impl VersionAge {
    /// Returns the age that is not exceeded by any version written at this instant or before.
    #[must_use]
    pub const fn until(uploaded_ms: i64) -> Self {
        Self { uploaded_ms, revision: u32::MAX }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A request to store an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutEntry {
    /// The dataset of its records.
    pub dataset: Dataset,
    /// The object.
    pub object: ObjectVersion,
    /// The time slots that have rays, ascending (see [`super::shard`]).
    pub time_slots: Vec<u8>,
    /// The packed rays.
    pub parts: Vec<EntryPart>,
    /// The time slots that have parents, ascending.
    pub link_slots: Vec<u8>,
    /// The packed links to parents of this shard (see [`super::links`]).
    pub links: Vec<EntryPart>,
    /// The batch's summary, packed as described in [`crate::summary::form`].
    pub summary: Vec<u8>,
    /// Whether it replaces an entry of the same version, which is otherwise kept.
    pub rewrites: bool,
}

/// The head of a [`PutEntry`]'s body.
#[derive(Debug, Serialize, Deserialize)]
struct PutHead {
    dataset: Dataset,
    object: ObjectVersion,
    time_slots: Vec<u8>,
    parts: Vec<PartHead>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    link_slots: Vec<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    links: Vec<PartHead>,
    /// Size of the summary in bytes.
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
        let (object, time_slots, link_slots) = (self.object.clone(), self.time_slots.clone(), self.link_slots.clone());
        let head = PutHead {
            dataset: self.dataset,
            object,
            time_slots,
            parts: heads_of(&self.parts),
            link_slots,
            links: heads_of(&self.links),
            summary: self.summary.len(),
            rewrites: self.rewrites,
        };
        let parts = self.parts.iter().chain(&self.links).map(|part| part.bytes.as_slice());
        frame::write(&head, parts.chain([self.summary.as_slice()]))
    }

    fn from_body(body: &[u8]) -> Result<Self, BackendError> {
        let (head, mut rest) = frame::split(body)?;
        let head: PutHead = from_json(head)?;
        let PutHead { dataset, object, time_slots, parts, link_slots, links, summary, rewrites } = head;
        let (parts, links) = (take_parts(&mut rest, parts)?, take_parts(&mut rest, links)?);
        let summary = frame::take(&mut rest, summary)?.to_vec();
        Ok(Self { dataset, object, time_slots, parts, link_slots, links, summary, rewrites })
    }
}

fn heads_of(parts: &[EntryPart]) -> Vec<PartHead> {
    let head = |part: &EntryPart| PartHead {
        first_suffix: part.first_suffix,
        last_suffix: part.last_suffix,
        len: part.bytes.len(),
    };
    parts.iter().map(head).collect()
}

/// Takes the bytes of these parts from the rest of a body.
fn take_parts(rest: &mut &[u8], heads: Vec<PartHead>) -> Result<Vec<EntryPart>, BackendError> {
    let mut parts = Vec::with_capacity(heads.len());
    for PartHead { first_suffix, last_suffix, len } in heads {
        let bytes = frame::take(rest, len)?.to_vec();
        parts.push(EntryPart { first_suffix, last_suffix, bytes });
    }
    Ok(parts)
}

/// The outcome of putting an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PutOutcome {
    /// The entry is new, or replaced that of an older version.
    Stored,
    /// The shard already had the same version.
    Unchanged,
    /// The shard has a newer version: this one was discarded.
    Superseded,
}

/// The answer to [`PutEntry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutAnswer {
    /// Whether the entry was stored.
    pub outcome: PutOutcome,
    /// Number of rows billed as written.
    pub rows_written: u64,
}

/// A request for the batches that hold a ray.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindRay {
    /// The ray's 16 digits, or the nonstandard id.
    pub id: String,
    /// The datasets to search; entries of others are not read.
    pub datasets: Vec<Dataset>,
}

impl FindRay {
    /// Creates a request for `key` in these datasets.
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
    /// The object in its indexed version.
    pub object: ObjectVersion,
    /// The span of each of the ray's lines, ascending.
    pub spans: Vec<u32>,
    /// The extents of these spans, ascending by number. Empty for a batch of less than 1 MiB of text, which has no
    /// spans.
    pub extents: Vec<SpanExtent>,
}

impl Candidate {
    /// Adds places in the same batch.
    pub(crate) fn join(&mut self, spans: Vec<u32>, extents: Vec<SpanExtent>) {
        self.spans.extend(spans);
        self.spans.sort_unstable();
        self.extents.extend(extents);
        self.extents.sort_unstable_by_key(|extent| extent.number);
        self.extents.dedup_by_key(|extent| extent.number);
    }
}

/// The answer to [`FindRay`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RayCandidates {
    /// The batches that hold the ray: by dataset in the order of [`Dataset::WITH_RAY`], then oldest entry first.
    pub candidates: Vec<Candidate>,
}

/// A request for the families of rays, as far as they are of one shard: what they caused, and what that caused in turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindFamily {
    /// Rays of the shard, in the order in which their families are wanted.
    pub rays: Vec<FamilyStart>,
    /// The datasets to search, for links and for records; entries of others are not read.
    pub datasets: Vec<Dataset>,
    /// Whether to look for what caused them too. Its other children are then of the family.
    pub ancestors: bool,
    /// Maximum number of children in the answer, at most one more than [`crate::limits::FAMILY_RAYS`].
    pub limit: usize,
}

/// A ray whose children are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FamilyStart {
    /// Its 16 digits.
    pub ray: String,
    /// The 16 digits after which its children are wanted; all of them without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// The answer to [`FindFamily`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FamilyPart {
    /// Rays of the shard with their children, each ray before those that it caused. A ray of the shard that is among the
    /// children of others, but is not here, is to be asked for.
    pub families: Vec<RayChildren>,
    /// Where the records of rays of the shard are: of those that were asked for, of what caused them, and of the children. A ray
    /// that is not here is to be asked for.
    pub places: Vec<RayPlaces>,
    /// What may have caused the rays, nearest first.
    pub ancestors: Vec<String>,
}

/// What a ray caused, as records name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RayChildren {
    /// The 16 digits of the ray.
    pub ray: String,
    /// The 16 digits of what it caused, ascending. Those of other shards are to be asked for there.
    pub children: Vec<String>,
    /// Whether there are more after these.
    pub more: bool,
}

/// The batches that hold a ray.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RayPlaces {
    /// The 16 digits of the ray.
    pub ray: String,
    /// The batches, with the places of the ray's lines: by dataset, then oldest entry first. At most one more than any caller
    /// gets of a ray.
    pub batches: Vec<Candidate>,
}

/// A request to drop an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetEntry {
    /// The object's key.
    pub key: String,
    /// The greatest age of a version that is dropped.
    pub until: VersionAge,
}

/// The answer to [`ForgetEntry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetAnswer {
    /// Number of dropped entries: 0 or 1.
    pub entries: u64,
}

/// A request for one page of a shard's batches of one dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListShardBatches {
    /// The dataset.
    pub dataset: Dataset,
    /// The lowest batch number of the page; 0 for the first page.
    pub from: i64,
    /// Maximum number of batches in the page, at most [`crate::limits::SHARD_PAGE`].
    pub limit: u64,
}

/// A batch of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardBatch {
    /// Its number among the shard's batches of its dataset, from 1, in the order of indexing.
    pub number: i64,
    /// The object in its indexed version.
    pub object: ObjectVersion,
    /// Its summary, packed as described in [`crate::summary::form`]; base64 in JSON.
    #[serde(with = "base64_bytes")]
    pub summary: Vec<u8>,
}

/// The answer to [`ListShardBatches`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BatchPage {
    /// The batches in the order of their numbers.
    pub batches: Vec<ShardBatch>,
    /// Whether more follow the last one.
    pub more: bool,
}

/// Bytes as base64 in JSON.
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
        let object = ObjectVersion { key: "logs/é".into(), etag: "e".into(), uploaded_ms: 5, size: 9, origin: None };
        let part =
            |first_suffix, last_suffix, bytes: &[u8]| EntryPart { first_suffix, last_suffix, bytes: bytes.to_vec() };
        let parts = vec![part(1, 2, b"ab"), part(3, 4, b"\0c")];
        let links = vec![part(5, 6, b"d")];
        PutEntry {
            dataset: Dataset::FirewallEvents,
            object,
            time_slots: vec![1, 255],
            parts,
            link_slots: vec![9],
            links,
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
