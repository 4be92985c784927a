//! Takes a batch that an isolate hands over.
//!
//! # Invariants
//! A batch is taken once: its isolate and its number say whether it was. What is held stays within its bound; then the oldest rows
//! are dropped for the sinks that have not begun with them, and counted.

use super::shipment::{KnownSinks, drop_oldest};
use super::tables::{HeldRow, KnownIsolate, SpoolMeta};
use super::{SpoolBounds, sink_names};
use crate::backend::{BackendError, SqlDatabase};
use crate::edge::{BatchLabel, EdgeCounts, EdgeSettings, HandOver, HandOverAnswer, inflated};
use crate::limits::EDGE_WAITING_BATCHES;

/// Takes a batch, unless it was taken before; returns when the alarm is to fire.
pub(super) fn take(
    sql: &impl SqlDatabase,
    call: &HandOver,
    settings: &EdgeSettings,
    bounds: SpoolBounds,
    now_ms: i64,
) -> Result<(HandOverAnswer, Option<i64>), BackendError> {
    let taking = |detail: &str| BackendError::new("taking a batch", detail);
    let names = sink_names(settings);
    if call.sinks.is_empty() || !call.sinks.iter().all(|sink| names.contains(&sink.as_str())) {
        return Err(taking("a sink of the edge logger is unknown here: give both Workers the same EDGE_SINKS"));
    }
    let label = &call.batch.label;
    let mut isolate = KnownIsolate::read(sql, &label.isolate)?;
    let is_newest = label.sequence > isolate.upto;
    if !note(&mut isolate, label, call.oldest) {
        return Ok((HandOverAnswer { is_new: false }, None));
    }
    let body = call.batch.gzip().ok_or_else(|| taking("the batch is damaged"))?;
    if inflated(&body, call.batch.text_bytes).is_none() {
        return Err(taking("the batch is damaged"));
    }
    let mut meta = SpoolMeta::read(sql)?;
    if is_newest {
        meta.counts = replaced(meta.counts, isolate.counts, label.counts);
        isolate.counts = label.counts;
    }
    isolate.write(sql, &label.isolate, now_ms)?;
    for name in &names {
        KnownSinks::insert_new(sql, name, meta.last_row)?;
    }
    meta.last_row += 1;
    let row = HeldRow {
        id: meta.last_row,
        lines: label.lines,
        text_bytes: call.batch.text_bytes as u64,
        size: body.len() as u64,
        start_ms: call.batch.start_ms,
        end_ms: call.batch.end_ms,
        taken_ms: now_ms,
        since: label.since,
    };
    row.insert(sql, body)?;
    meta.bytes += row.size;
    meta.pending += row.text_bytes;
    drop_oldest(sql, &names, &mut meta, bounds.bytes)?;
    meta.write(sql)?;
    let is_full = meta.pending >= bounds.batch_bytes;
    Ok((HandOverAnswer { is_new: true }, Some(if is_full { now_ms } else { now_ms + settings.flush.age_ms })))
}

/// Notes the number of a batch; returns whether it has not come before. Numbers below `oldest` never come.
fn note(isolate: &mut KnownIsolate, label: &BatchLabel, oldest: u64) -> bool {
    let sequence = label.sequence;
    if sequence > isolate.upto {
        // An isolate never holds more.
        let most = EDGE_WAITING_BATCHES as u64 * 2;
        let first = (isolate.upto + 1).max(oldest).max(sequence.saturating_sub(most));
        isolate.missing.extend(first..sequence);
        isolate.upto = sequence;
    } else if !isolate.missing.contains(&sequence) {
        return false;
    }
    isolate.missing.retain(|missing| *missing >= oldest && *missing != sequence);
    true
}

/// Returns sums in which the numbers of one isolate are replaced. They were part of the sums, so nothing is below zero.
fn replaced(sums: EdgeCounts, before: EdgeCounts, now: EdgeCounts) -> EdgeCounts {
    let mut out = sums.less(&before);
    out.add(now);
    out
}
