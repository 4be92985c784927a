//! The batch that a run is reading, with its planned reads.
//!
//! If a sidecar object cannot be read, the batch is read in full, at no other cost.

use std::collections::VecDeque;
use std::rc::Rc;

use super::RangeQuery;
use super::pruning::{PrefixWindow, can_skip_spans};
use super::read_plan::{PlannedRead, ReadPlan};
use crate::backend::{BatchStore, Bucket, ByteStream, CallError, WholeBody};
use crate::bucket_keys::{summaries_key, version_digest};
use crate::index::ObjectVersion;
use crate::limits::SUMMARIES_OBJECT_MAX;
use crate::memory::Reservation;
use crate::span_reader::{ReadStats, SpanReader};
use crate::summary::{PruningSummary, SpanSummaries};

/// The batch that a run is reading; `Y` is the bucket's body.
#[derive(Debug)]
pub(super) struct OpenBatch<Y> {
    /// Its number in its shard.
    pub(super) number: i64,
    pub(super) object: Rc<ObjectVersion>,
    pub(super) window: PrefixWindow,
    pub(super) summary: Option<PruningSummary>,
    /// The remaining reads; `None` before they are planned, and again after an error.
    pub(super) reads: Option<VecDeque<PlannedRead>>,
    /// Whether the batch must be read as a whole.
    pub(super) in_full: bool,
    pub(super) reader: Option<Box<SpanReader<Y>>>,
    /// The zone of its records that do not name it themselves.
    pub(super) zone: Option<String>,
    /// Offset in its text at which this run starts.
    pub(super) from: u64,
    /// Whether its skipped spans have been counted.
    pub(super) was_counted: bool,
    pub(super) was_read: bool,
}

impl<Y> OpenBatch<Y> {
    /// Opens a batch for reading from the offset `from` of its text on.
    pub(super) fn new(
        number: i64,
        object: ObjectVersion,
        window: PrefixWindow,
        summary: Option<PruningSummary>,
        from: u64,
    ) -> Self {
        Self {
            number,
            object: Rc::new(object),
            window,
            summary,
            reads: None,
            in_full: false,
            reader: None,
            zone: None,
            from,
            was_counted: false,
            was_read: false,
        }
    }

    /// Plans the reads from the offset `from` of its text on.
    pub(super) async fn plan(
        &self,
        query: &RangeQuery,
        store: BatchStore<'_, impl Bucket>,
        from: u64,
        stats: &mut ReadStats,
    ) -> Result<ReadPlan, CallError> {
        let has_spans = self
            .summary
            .as_ref()
            .is_some_and(|summary| can_skip_spans(query, self.window, summary) || (from > 0 && summary.spans > 1));
        if self.in_full || !has_spans {
            return Ok(ReadPlan::for_object());
        }
        let reservation = query.memory.reservation();
        let summaries = read_summaries(store, &self.object, &reservation, stats).await?;
        Ok(summaries.map_or_else(ReadPlan::for_object, |summaries| {
            ReadPlan::for_spans(query, self.window, &summaries, self.object.size, from)
        }))
    }
}

/// Returns the summaries of the batch's spans; `None` if they are gone or damaged. Their memory is reserved: the bytes, and
/// as much for their parsed form.
async fn read_summaries(
    store: BatchStore<'_, impl Bucket>,
    object: &ObjectVersion,
    reservation: &Reservation,
    stats: &mut ReadStats,
) -> Result<Option<SpanSummaries>, CallError> {
    stats.bucket_calls += 1;
    let key = summaries_key(&store.version_digest(&object.key, &object.etag));
    let Some((head, body)) = store.data.get(&key).await? else { return Ok(None) };
    stats.objects_read += 1;
    if head.size > SUMMARIES_OBJECT_MAX {
        return Ok(None);
    }
    reservation.reserve(usize::try_from(head.size).unwrap_or(usize::MAX).saturating_mul(2))?;
    let bytes = WholeBody::new(body, head.size).all().await?;
    stats.bytes_read += bytes.len() as u64;
    Ok(SpanSummaries::from_bytes(&bytes))
}

/// Returns a hash of the version as it was written, never 0: rewriting moves no line. All batches of a query are in one bucket, so
/// its name is omitted.
pub(super) fn version_hash(object: &ObjectVersion) -> u64 {
    let digest = version_digest("", &object.key, object.batch_etag());
    u64::from_str_radix(digest.get(..16).unwrap_or_default(), 16).unwrap_or_default() | 1
}
