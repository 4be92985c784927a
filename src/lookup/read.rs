//! Reads the lines of one ray out of one batch.
//!
//! The shard named the spans that hold them, and where these lie: each is a small ranged read. What cannot be read so
//! is read in full: an object that is another version than the indexed one, an access point that is damaged or gone, a
//! ray with lines all over the batch.
//!
//! What always holds: a full reading is counted in the cost; lines come as they stand in the batch.

use std::ops::ControlFlow;

use futures_util::{StreamExt, TryStreamExt, stream};
use itertools::Itertools;

use super::gather::{Gathering, Look, Wanted};
use super::span::{self, SpanRead, WantedSpan};
use super::{Cost, Lookup, LookupError};
use crate::backend::{BackendError, BatchStore, Bucket, Bytes, WholeBody};
use crate::batch::{BatchError, BatchReader};
use crate::index::Candidate;
use crate::limits::{CONCURRENT_CALLS, LOOKUP_SPANS};

/// Reads what the candidate holds of the ray.
pub(super) async fn read(
    store: BatchStore<'_, impl Bucket>,
    wanted: &Wanted<'_>,
    candidate: &Candidate,
) -> Result<Lookup, LookupError> {
    let Some(spans) = spans_of(candidate) else { return scan(store.logs, wanted, candidate).await };
    let found: Vec<_> = stream::iter(&spans)
        .map(async |span| span::read(store, wanted, &candidate.object, span).await)
        .buffered(CONCURRENT_CALLS)
        .try_collect()
        .await?;
    let mut lookup = Lookup::default();
    let mut is_useless = false;
    for (read, cost) in found {
        lookup.cost = lookup.cost.add(cost);
        match read {
            SpanRead::All(Gathering { records, truncated, .. }) => {
                lookup.records.extend(records);
                lookup.truncated |= truncated;
            }
            SpanRead::Gone => lookup.objects_gone = 1,
            SpanRead::Useless | SpanRead::Less => is_useless = true,
        }
    }
    if is_useless {
        let full = scan(store.logs, wanted, candidate).await?;
        return Ok(Lookup { cost: lookup.cost.add(full.cost), ..full });
    }
    Ok(lookup)
}

/// The spans to read; `None` where the object is better read in full.
fn spans_of(candidate: &Candidate) -> Option<Vec<WantedSpan<'_>>> {
    let Candidate { object, spans, places, .. } = candidate;
    let counts = spans.iter().dedup_with_count();
    let wanted: Option<Vec<WantedSpan<'_>>> = counts
        .map(|(lines, number)| {
            let at = places.binary_search_by_key(number, |place| place.number).ok()?;
            Some(WantedSpan { place: places.get(at)?, lines })
        })
        .collect();
    let bytes = |spans: &[WantedSpan<'_>]| spans.iter().map(|span| span.place.bytes).sum::<u64>();
    wanted.filter(|spans| spans.len() <= 2 || (spans.len() <= LOOKUP_SPANS && bytes(spans) <= object.size))
}

/// Reads the object in full, whatever version it is.
async fn scan(bucket: &impl Bucket, wanted: &Wanted<'_>, candidate: &Candidate) -> Result<Lookup, LookupError> {
    let mut found = Lookup::default();
    let Some((head, body)) = bucket.get(&candidate.object.key).await? else {
        found.objects_gone = 1;
        return Ok(found);
    };
    let mut object = candidate.object.clone();
    (object.etag, object.size, object.uploaded_ms) = (head.etag, head.size, head.uploaded_ms);
    let mut gathering = Gathering::new(wanted, Look::Through, object);
    let mut reader = BatchReader::default();
    wanted.reserve_reader()?;
    let outcome = read_all(&mut gathering, &mut reader, WholeBody::new(body, head.size)).await;
    wanted.release_reader();
    gathering.check_memory()?;
    let outcome = outcome?;
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
        full_scans: 1,
    };
    Ok(found)
}

/// Reads until there is nothing more to find. The outer error is the world's, the inner one the object's own.
async fn read_all(
    gathering: &mut Gathering<'_>,
    reader: &mut BatchReader,
    mut body: impl Bytes,
) -> Result<Result<(), BatchError>, BackendError> {
    while let Some(piece) = body.next().await? {
        match reader.push(&piece, |line| gathering.line(line)) {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => return Ok(Ok(())),
            Err(why) => return Ok(Err(why)),
        }
    }
    Ok(reader.finish(|line| gathering.line(line)).map(drop))
}
