//! Finds the records of rays in one batch.
//!
//! The shard names the spans that hold them; each is a small ranged read. A batch is read in full if that does not
//! work: the object is not the indexed version, an access point is damaged or gone, or the ray's lines are spread over
//! the batch.
//!
//! # Invariants
//!
//! A span yields all lines that the index counted in it, or none and the reason. A full read is counted. Lines come in
//! the order of the batch.

use std::rc::Rc;

use futures_util::{StreamExt, TryStreamExt, stream};
use itertools::Itertools;

use super::sink::{LookupSink, ScanMode};
use super::target::LookupTarget;
use super::{LookupError, LookupResult};
use crate::backend::{BatchStore, Bucket, Turns};
use crate::batch::SpanExtent;
use crate::index::{Candidate, ObjectVersion};
use crate::limits::{LOOKUP_SPANS, LOOKUP_SPANS_AT_ONCE};
use crate::span_reader::{ReadError, ReadStart, ReadStats, SpanRange, SpanReader};

/// A span that holds lines of the ray.
#[derive(Debug)]
struct SpanLines<'a> {
    extent: &'a SpanExtent,
    /// Number of the ray's records in lines that start in it.
    lines: usize,
}

/// The outcome of reading one span.
#[derive(Debug)]
enum SpanOutcome<'a> {
    /// All lines of the ray were found.
    Complete(LookupSink<'a>),
    /// The batch no longer exists.
    ObjectGone,
    /// The batch is another version now, or the window is damaged or gone.
    SpanUnusable,
    /// Fewer lines than the index counted were found: the access point is damaged, or lines spell the ray in another
    /// way.
    Incomplete,
}

/// Finds the candidate's records of the rays.
pub(super) async fn find_in_batch(
    (store, turns): (BatchStore<'_, impl Bucket>, &impl Turns),
    target: &LookupTarget<'_>,
    candidate: &Candidate,
) -> Result<LookupResult, LookupError> {
    let object = Rc::new(candidate.object.clone());
    let Some(spans) = spans_to_read(candidate) else { return scan_object((store.logs, turns), target, &object).await };
    let reads: Vec<_> = stream::iter(&spans)
        .map(async |span| read_span((store, turns), target, &object, span).await)
        .buffered(LOOKUP_SPANS_AT_ONCE)
        .try_collect()
        .await?;
    let mut result = LookupResult::default();
    let (mut is_gone, mut needs_scan) = (false, false);
    for (outcome, stats) in reads {
        result.stats += stats;
        match outcome {
            SpanOutcome::Complete(LookupSink { records, room, .. }) => {
                result.records.extend(records);
                result.cut.add(&room.cut);
            }
            SpanOutcome::ObjectGone => is_gone = true,
            SpanOutcome::SpanUnusable | SpanOutcome::Incomplete => needs_scan = true,
        }
    }
    if needs_scan {
        let mut scan = scan_object((store.logs, turns), target, &object).await?;
        scan.stats += result.stats;
        return Ok(scan);
    }
    result.stats.batches_gone = u64::from(is_gone);
    Ok(result)
}

/// Returns the spans to read; `None` if it is better to read the object in full.
fn spans_to_read(candidate: &Candidate) -> Option<Vec<SpanLines<'_>>> {
    let Candidate { object, spans, extents, .. } = candidate;
    let counts = spans.iter().dedup_with_count();
    let found: Option<Vec<SpanLines<'_>>> = counts
        .map(|(lines, number)| {
            let at = extents.binary_search_by_key(number, |extent| extent.number).ok()?;
            Some(SpanLines { extent: extents.get(at)?, lines })
        })
        .collect();
    let bytes = |spans: &[SpanLines<'_>]| spans.iter().map(|span| span.extent.bytes).sum::<u64>();
    found.filter(|spans| spans.len() <= 2 || (spans.len() <= LOOKUP_SPANS && bytes(spans) <= object.size))
}

/// Reads the lines of the ray that start in this span. If some are missing among those that spell the ray in a usual
/// way, reads the span again and parses every line.
async fn read_span<'a>(
    (store, turns): (BatchStore<'_, impl Bucket>, &impl Turns),
    target: &'a LookupTarget<'a>,
    object: &Rc<ObjectVersion>,
    span: &SpanLines<'_>,
) -> Result<(SpanOutcome<'a>, ReadStats), LookupError> {
    let mut stats = ReadStats::default();
    target.reserve_reader()?;
    let mut outcome = try_read_span((store, turns), target, object, (span, true), &mut stats).await;
    if matches!(outcome, Ok(SpanOutcome::Incomplete)) {
        outcome = try_read_span((store, turns), target, object, (span, false), &mut stats).await;
    }
    target.release_reader();
    Ok((outcome?, stats))
}

async fn try_read_span<'a>(
    (store, turns): (BatchStore<'_, impl Bucket>, &impl Turns),
    target: &'a LookupTarget<'a>,
    object: &Rc<ObjectVersion>,
    (span, by_spelling): (&SpanLines<'_>, bool),
    stats: &mut ReadStats,
) -> Result<SpanOutcome<'a>, LookupError> {
    let range = SpanRange::from_extent(span.extent);
    let mut reader = match SpanReader::open_spans(store, object, &range, target.memory(), stats).await? {
        ReadStart::Reading(reader) => reader,
        ReadStart::ObjectGone => return Ok(SpanOutcome::ObjectGone),
        ReadStart::SpanUnusable => return Ok(SpanOutcome::SpanUnusable),
    };
    let mode = ScanMode::Expect { lines: span.lines, by_spelling };
    let mut sink = LookupSink::new(target, mode, Rc::clone(object));
    match reader.read_to_end(&mut sink, stats, turns).await {
        Err(ReadError::Backend(error)) => return Err(error.into()),
        Err(ReadError::OutOfMemory(error)) => return Err(error.into()),
        // Damage ends the span early; the number of lines found shows it.
        Ok(()) | Err(ReadError::Batch(_)) => {}
    }
    sink.check_memory()?;
    Ok(if sink.is_complete() { SpanOutcome::Complete(sink) } else { SpanOutcome::Incomplete })
}

/// Reads the object in full, regardless of its version.
async fn scan_object(
    (bucket, turns): (&impl Bucket, &impl Turns),
    target: &LookupTarget<'_>,
    object: &Rc<ObjectVersion>,
) -> Result<LookupResult, LookupError> {
    let mut result = LookupResult::default();
    let opened = SpanReader::open_object(bucket, object, target.memory(), &mut result.stats).await?;
    let ReadStart::Reading(mut reader) = opened else {
        result.stats.batches_gone = 1;
        return Ok(result);
    };
    result.stats.full_scans = 1;
    target.reserve_reader()?;
    let mut sink = LookupSink::new(target, ScanMode::Full, Rc::clone(reader.version()));
    let outcome = reader.read_to_end(&mut sink, &mut result.stats, turns).await;
    target.release_reader();
    sink.check_memory()?;
    match outcome {
        Ok(()) => (result.records, result.cut) = (sink.records, sink.room.cut),
        Err(ReadError::Batch(_)) => result.stats.batches_unreadable = 1,
        Err(ReadError::Backend(error)) => return Err(error.into()),
        Err(ReadError::OutOfMemory(error)) => return Err(error.into()),
    }
    Ok(result)
}
