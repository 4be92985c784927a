//! Reads the lines of one ray out of one batch.
//!
//! The shard named the spans that hold them, so reading stops behind the last of these. (Access points will let
//! it begin at the first of them; today it inflates from the start.) An object that is another version than the
//! indexed one, or that does not hold the ray where it should, is read in full.
//!
//! What always holds: every line is checked by the same function that indexed it.

use std::ops::ControlFlow;

use super::{Cost, FoundRecord, Lookup};
use crate::backend::{BackendError, Bucket, Bytes, WholeBody};
use crate::batch::{BatchError, BatchReader, Line};
use crate::index::Candidate;
use crate::index::calls::ObjectVersion;
use crate::limits::{LOOKUP_BYTES, LOOKUP_RECORDS, SPAN_BYTES};
use crate::record::{Dataset, RayKey, read_key};

/// Reads what the candidate holds of `key`.
pub(super) async fn read(
    bucket: &impl Bucket,
    dataset: Dataset,
    key: &RayKey,
    candidate: Candidate,
) -> Result<Lookup, BackendError> {
    let where_to_look = Scan { dataset, key, spans: Some(&candidate.spans) };
    let first = scan(bucket, &candidate, &where_to_look).await?;
    let unavailable = first.objects_gone + first.objects_unreadable > 0;
    let was_full = first.cost.full_scans > 0;
    if !first.records.is_empty() || unavailable || was_full {
        return Ok(first);
    }
    let second = scan(bucket, &candidate, &Scan { spans: None, ..where_to_look }).await?;
    Ok(Lookup { cost: first.cost.add(second.cost), ..second })
}

/// What is looked for, and where.
#[derive(Clone, Copy)]
struct Scan<'a> {
    dataset: Dataset,
    key: &'a RayKey,
    /// The spans to look at, ascending; `None` for all.
    spans: Option<&'a [u32]>,
}

impl Scan<'_> {
    /// Whether the span's lines are looked at; `Break` behind the last one.
    fn wants(&self, span: u64) -> ControlFlow<(), bool> {
        let Some(spans) = self.spans else { return ControlFlow::Continue(true) };
        if spans.last().is_none_or(|&last| span > u64::from(last)) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(spans.iter().any(|&wanted| u64::from(wanted) == span))
    }

    /// Whether the line is a record of the key.
    fn is_of_key(&self, line: &[u8]) -> bool {
        read_key(self.dataset, line).is_ok_and(|found| found.ray.as_ref() == Some(self.key))
    }
}

/// Reads the object once.
async fn scan(bucket: &impl Bucket, candidate: &Candidate, scan: &Scan<'_>) -> Result<Lookup, BackendError> {
    let mut found = Lookup::default();
    let Some((head, body)) = bucket.get(&candidate.object.key).await? else {
        found.objects_gone = 1;
        return Ok(found);
    };
    let changed = head.etag != candidate.object.etag;
    let scan = if changed { Scan { spans: None, ..*scan } } else { *scan };
    let mut object = candidate.object.clone();
    (object.etag, object.size, object.uploaded_ms) = (head.etag, head.size, head.uploaded_ms);
    let mut gathering = Gathering { scan, object, records: Vec::new(), bytes: 0, truncated: false };
    let mut reader = BatchReader::default();
    let outcome = gathering.read_all(&mut reader, WholeBody::new(body, head.size)).await?;
    let totals = reader.totals();
    if outcome.is_err() {
        found.objects_unreadable = 1;
    } else {
        (found.records, found.truncated) = (gathering.records, gathering.truncated);
    }
    found.cost = Cost {
        shards_asked: 0,
        objects_read: 1,
        bytes_read: totals.stored,
        bytes_inflated: totals.inflated,
        full_scans: u64::from(scan.spans.is_none()),
    };
    Ok(found)
}

/// The lines found so far.
struct Gathering<'a> {
    scan: Scan<'a>,
    object: ObjectVersion,
    records: Vec<FoundRecord>,
    bytes: usize,
    truncated: bool,
}

impl Gathering<'_> {
    /// Reads until there is nothing more to find. The outer error is the world's, the inner one the object's own.
    async fn read_all(
        &mut self,
        reader: &mut BatchReader,
        mut body: impl Bytes,
    ) -> Result<Result<(), BatchError>, BackendError> {
        while let Some(piece) = body.next().await? {
            match reader.push(&piece, |line| self.line(line)) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Ok(Ok(())),
                Err(why) => return Ok(Err(why)),
            }
        }
        Ok(reader.finish(|line| self.line(line)).map(drop))
    }

    /// Takes the line if it is wanted.
    fn line(&mut self, line: Line<'_>) -> ControlFlow<()> {
        let wanted = self.scan.wants(line.offset() / SPAN_BYTES)?;
        let Line::Text { offset, bytes } = line else { return ControlFlow::Continue(()) };
        if wanted && self.scan.is_of_key(bytes) {
            self.bytes += bytes.len();
            if self.records.len() >= LOOKUP_RECORDS || self.bytes > LOOKUP_BYTES {
                self.truncated = true;
                return ControlFlow::Break(());
            }
            self.records.push(FoundRecord { object: self.object.clone(), offset, line: bytes.to_vec() });
        }
        ControlFlow::Continue(())
    }
}
