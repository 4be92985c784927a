//! Indexes one object of the bucket: read it once, gather its rays, write one entry per shard.
//!
//! The order is what keeps it safe to be cut off anywhere and begun again: read to the end and check → put the
//! entries (each idempotent) → drop what an older version left in other shards → write the object's record.
//!
//! What always holds: what is indexed is the object as it is now, whatever an event said of it; a damaged object
//! leaves nothing in the index, of this version or of one that is gone; the outcome of the same bytes is the same.

use std::ops::ControlFlow;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::build::ShardEntry;
use super::calls::{self, Forget, Forgotten, Kept, ObjectVersion, Put, PutAnswer, ShardCall, to_json};
use super::source::{self, SourceRecord};
use super::{Counts, IndexBuilder, ShardName};
use crate::backend::{BackendError, Bucket, Bytes, Shards, WholeBody};
use crate::batch::{BatchError, BatchReader, Totals};
use crate::limits::CONCURRENT_CALLS;
use crate::record::Dataset;

/// What became of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the index.
    Indexed {
        /// What was read.
        totals: Totals,
        /// What it holds, in lines.
        counts: Counts,
        /// Shards it was written to.
        shards: usize,
        /// Bytes of packed rays.
        packed: u64,
        /// Rows that the platform bills as written.
        rows_written: u64,
    },
    /// This version is in the index already; nothing was done.
    AlreadyIndexed,
    /// Another reader has indexed a newer version meanwhile; nothing of this one is left.
    Superseded,
    /// It is no batch; the reason is in its record.
    SetAside(BatchError),
    /// There is no such object (any more).
    Gone,
}

/// Indexes the object at `key`.
///
/// # Errors
/// [`BackendError`] where the world failed; trying again goes on from the start, with the same result.
pub async fn ingest(
    bucket: &impl Bucket,
    shards: &impl Shards,
    key: &str,
    dataset: Dataset,
    now_ms: i64,
) -> Result<Outcome, BackendError> {
    let before = source::read(bucket, key).await?;
    let Some((head, body)) = bucket.get(key).await? else { return Ok(Outcome::Gone) };
    if before.as_ref().is_some_and(|record| record.has_indexed(&head.etag)) {
        return Ok(Outcome::AlreadyIndexed);
    }
    let object =
        ObjectVersion { key: key.into(), etag: head.etag.clone(), uploaded_ms: head.uploaded_ms, size: head.size };
    let old = before.as_ref().map_or(&[][..], SourceRecord::shards);
    match gather(WholeBody::new(body, head.size), dataset).await? {
        Ok((totals, entries, counts)) => {
            let names: Vec<ShardName> = entries.iter().map(|entry| entry.shard).collect();
            let packed = entries.iter().flat_map(|entry| &entry.parts).map(|part| part.bytes.len() as u64).sum();
            let kept: Vec<String> = names.iter().map(ToString::to_string).collect();
            let Some(rows_written) = put_all(shards, &object, entries).await? else {
                // Some shards knew of the newer version, others may hold this one now.
                let own = ObjectVersion { uploaded_ms: object.uploaded_ms + 1, ..object };
                forget_all(shards, &own, kept.iter()).await?;
                return Ok(Outcome::Superseded);
            };
            forget_all(shards, &object, old.iter().filter(|name| !kept.contains(name))).await?;
            let record = SourceRecord::indexed(object, dataset, &names, totals, counts.clone(), now_ms);
            source::write(bucket, &record).await?;
            Ok(Outcome::Indexed { totals, counts, shards: names.len(), packed, rows_written })
        }
        Err(why) => {
            forget_all(shards, &object, old.iter()).await?;
            source::write(bucket, &SourceRecord::set_aside(object, dataset, why, now_ms)).await?;
            Ok(Outcome::SetAside(why))
        }
    }
}

/// What a whole batch gives.
type Gathered = (Totals, Vec<ShardEntry>, Counts);

/// Reads the object to its end. The outer error is the world's, the inner one the object's own.
async fn gather(mut body: impl Bytes, dataset: Dataset) -> Result<Result<Gathered, BatchError>, BackendError> {
    let mut reader = BatchReader::default();
    let mut builder = IndexBuilder::new(dataset);
    while let Some(piece) = body.next().await? {
        if let Err(why) = feed(&mut builder, |sink| reader.push(&piece, sink).map(drop)) {
            return Ok(Err(why));
        }
    }
    let mut totals = Totals::default();
    let read = feed(&mut builder, |sink| reader.finish(sink).map(|read| totals = read));
    Ok(read.and_then(|()| builder.finish()).map(|(entries, counts)| (totals, entries, counts)))
}

/// Runs `read` with a sink that gives each line to the builder; the builder's error ends the reading.
fn feed(
    builder: &mut IndexBuilder,
    read: impl FnOnce(&mut dyn FnMut(crate::batch::Line<'_>) -> ControlFlow<()>) -> Result<(), BatchError>,
) -> Result<(), BatchError> {
    let mut refused = None;
    read(&mut |line| match builder.line(line) {
        Ok(()) => ControlFlow::Continue(()),
        Err(why) => {
            refused = Some(why);
            ControlFlow::Break(())
        }
    })?;
    refused.map_or(Ok(()), Err)
}

/// Writes every entry to its shard; says how many rows that wrote, or `None` where a shard has a newer version.
async fn put_all(
    shards: &impl Shards,
    object: &ObjectVersion,
    entries: Vec<ShardEntry>,
) -> Result<Option<u64>, BackendError> {
    stream::iter(entries)
        .map(async |ShardEntry { shard, slots, parts }| {
            let put = Put { object: object.clone(), slots, parts };
            let answer: PutAnswer = calls::call(shards, &shard.to_string(), ShardCall::Put, put.to_body()).await?;
            Ok((answer.kept != Kept::Superseded).then_some(answer.rows_written))
        })
        .buffer_unordered(CONCURRENT_CALLS)
        .try_fold(Some(0), async |sum: Option<u64>, rows| Ok(sum.zip(rows).map(|(sum, rows)| sum + rows)))
        .await
}

/// Drops the entries that older versions of the object left in these shards.
async fn forget_all(
    shards: &impl Shards,
    object: &ObjectVersion,
    names: impl Iterator<Item = &String>,
) -> Result<(), BackendError> {
    let body = to_json(&Forget { key: object.key.clone(), before_ms: object.uploaded_ms });
    for name in names {
        let _: Forgotten = calls::call(shards, name, ShardCall::Forget, body.clone()).await?;
    }
    Ok(())
}
