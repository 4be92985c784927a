//! The services of the bench: one batch in the isolate's memory, with its index entries.
//!
//! Bytes enter the module in pieces, like a body from R2. The answer of a shard is decoded from the packed parts at
//! each call.

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Range;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use js_sys::Uint8Array;

use crate::backend::{
    BackendError, Bucket, ByteStream, DurableObjects, ListPage, ListRequest, MultipartUpload, ObjectHead, RangedRead,
    RewriteNote, to_json,
};
use crate::index::calls::{FindRay, RayCandidates};
use crate::index::entry::PartView;
use crate::index::part::EntryError;
use crate::index::{Candidate, ObjectVersion, ShardEntry, part};
use crate::record::{Dataset, RayId, RayKey};
use crate::rpc::Call;

/// Size of one piece of a body: the maximum that R2 returns at once.
const PIECE: u32 = 65_536;

/// Runs a future that never has to wait.
pub(super) fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// Returns the error for services that the bench does not use.
fn not_here() -> BackendError {
    BackendError::new("asking the bench's bucket", "it holds one object and takes none")
}

/// A bucket that holds one batch, in JavaScript's memory.
#[derive(Debug, Clone)]
pub(super) struct MemoryBucket {
    object: ObjectVersion,
    bytes: Uint8Array,
    /// The windows of the batch's access points.
    windows: Option<Uint8Array>,
}

impl MemoryBucket {
    /// Creates the bucket of the batch `bytes` at `key`.
    pub(super) fn new(key: &str, bytes: Uint8Array) -> Self {
        let size = u64::from(bytes.length());
        let object = ObjectVersion { key: key.to_owned(), etag: "bench".into(), uploaded_ms: 0, size, origin: None };
        Self { object, bytes, windows: None }
    }

    /// Adds the windows of the batch's access points.
    pub(super) fn with_windows(self, windows: &[u8]) -> Self {
        Self { windows: Some(Uint8Array::from(windows)), ..self }
    }

    /// Returns the batch.
    pub(super) const fn object(&self) -> &ObjectVersion {
        &self.object
    }

    /// Returns the bytes of the batch.
    pub(super) fn body(&self) -> MemoryBody {
        MemoryBody { bytes: self.bytes.clone(), at: 0 }
    }

    fn head(&self) -> ObjectHead {
        let ObjectVersion { etag, size, uploaded_ms, .. } = self.object.clone();
        ObjectHead { etag, size, uploaded_ms, rewrite: None }
    }
}

impl Bucket for MemoryBucket {
    type Body = MemoryBody;
    type Upload = NoUpload;

    async fn get(&self, key: &str) -> Result<Option<(ObjectHead, MemoryBody)>, BackendError> {
        Ok((key == self.object.key).then(|| (self.head(), self.body())))
    }

    async fn get_range(
        &self,
        key: &str,
        _etag: Option<&str>,
        bytes: Range<u64>,
    ) -> Result<RangedRead<MemoryBody>, BackendError> {
        let of = if key == self.object.key { Some(&self.bytes) } else { self.windows.as_ref() };
        let (Some(of), Ok(start), Ok(end)) = (of, u32::try_from(bytes.start), u32::try_from(bytes.end)) else {
            return Ok(RangedRead::Gone);
        };
        Ok(RangedRead::Body(MemoryBody { bytes: of.subarray(start, end), at: 0 }))
    }

    async fn put(&self, _key: &str, _bytes: Vec<u8>) -> Result<ObjectHead, BackendError> {
        Err(not_here())
    }

    /// Copies a payload out of the module, as on its way to R2, and drops it.
    async fn put_new(&self, _key: &str, bytes: Vec<u8>) -> Result<bool, BackendError> {
        Ok(Uint8Array::from(bytes.as_slice()).length() > 0)
    }

    async fn delete(&self, _keys: &[String]) -> Result<(), BackendError> {
        Err(not_here())
    }

    async fn list(&self, _ask: &ListRequest) -> Result<ListPage, BackendError> {
        Err(not_here())
    }

    async fn put_upload(&self, _key: &str, _bytes: Vec<u8>, _uploader: &str) -> Result<ObjectHead, BackendError> {
        Err(not_here())
    }

    async fn uploader(&self, _key: &str, _etag: &str) -> Result<Option<String>, BackendError> {
        Ok(None)
    }

    async fn edge_label(&self, _key: &str, _etag: &str) -> Result<Option<String>, BackendError> {
        Ok(None)
    }

    async fn replace(
        &self,
        _key: &str,
        _etag: &str,
        _bytes: Vec<u8>,
        _note: &RewriteNote,
    ) -> Result<bool, BackendError> {
        Err(not_here())
    }

    async fn rewrite(&self, _key: &str, _etag: &str, _note: &RewriteNote) -> Result<NoUpload, BackendError> {
        Err(not_here())
    }

    async fn upload(&self, _key: &str, _uploader: &str) -> Result<NoUpload, BackendError> {
        Err(not_here())
    }
}

/// A body that is read in pieces.
#[derive(Debug)]
pub(super) struct MemoryBody {
    bytes: Uint8Array,
    at: u32,
}

impl ByteStream for MemoryBody {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, BackendError> {
        let end = self.at.saturating_add(PIECE).min(self.bytes.length());
        let piece = self.bytes.subarray(self.at, end).to_vec();
        self.at = end;
        Ok((!piece.is_empty()).then_some(piece))
    }
}

/// A type without values, since the bench never uploads.
#[derive(Debug)]
pub(super) struct NoUpload;

impl MultipartUpload for NoUpload {
    async fn part(&mut self, _bytes: Vec<u8>) -> Result<(), BackendError> {
        Err(not_here())
    }

    async fn complete(self) -> Result<ObjectHead, BackendError> {
        Err(not_here())
    }

    async fn abort(self) -> Result<(), BackendError> {
        Err(not_here())
    }
}

/// Shards with the entries of one batch.
#[derive(Debug)]
pub(super) struct MemoryShards {
    object: ObjectVersion,
    entries: BTreeMap<String, ShardEntry>,
}

impl MemoryShards {
    /// Creates the shards with the entries of `object`.
    pub(super) fn new(object: &ObjectVersion, entries: Vec<ShardEntry>) -> Self {
        let entries = entries.into_iter().map(|entry| (entry.shard.to_string(), entry)).collect();
        Self { object: object.clone(), entries }
    }

    /// Returns the answer of `v1/find-ray` for one entry.
    fn find(&self, entry: &ShardEntry, ray: RayId) -> Result<RayCandidates, BackendError> {
        let (mut spans, mut extents) = (Vec::new(), Vec::new());
        let suffix = ray.suffix();
        for part in entry.parts.iter().filter(|part| (part.first_suffix..=part.last_suffix).contains(&suffix)) {
            let found = PartView::open(&part.bytes).and_then(|view| view.spans_of(suffix));
            let failed = |error: EntryError| BackendError::new("finding a ray", error.to_string());
            spans.extend(found.map_err(failed)?);
            extents.extend(part::extents(&part.bytes).map_err(failed)?);
        }
        extents.retain(|extent| spans.contains(&extent.number));
        let (dataset, object) = (Dataset::HttpRequests, self.object.clone());
        let candidate = (!spans.is_empty()).then_some(Candidate { dataset, object, spans, extents });
        Ok(RayCandidates { candidates: candidate.into_iter().collect() })
    }
}

impl DurableObjects for MemoryShards {
    async fn call(&self, name: &str, _call: &str, body: Vec<u8>) -> Result<Vec<u8>, BackendError> {
        let find = FindRay::from_body(&body)?;
        let key = RayKey::from_logged(&find.id);
        let asked = self.entries.get(name).zip(key.as_ref().and_then(RayKey::ray));
        let found = asked.map(|(entry, ray)| self.find(entry, ray)).transpose()?;
        Ok(to_json(&found.unwrap_or(RayCandidates { candidates: Vec::new() })))
    }
}
