//! The batch that a sink gets: a range of rows, chosen once.
//!
//! # Invariants
//! Rows and key of a shipment are written down before it is sent. Rows of a shipment are neither dropped nor removed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SpoolBounds;
use super::tables::{HeldRow, KnownSink, SpoolMeta, broken};
use crate::backend::{BackendError, SqlDatabase};
use crate::edge::{
    BatchLabel, DropReason, EdgeBatch, EdgeCounts, EdgeSettings, SinkCounts, SinkPath, StoreResult, inflated,
};
use crate::limits::{SPOOL_BATCH_LINES, SPOOL_BATCH_ROWS, SPOOL_KEEP_MS, SPOOL_RETRY_MS};

/// A sink with the batch that is being brought to it.
pub(super) type KnownSinks = KnownSink<Shipment>;

/// A batch of a sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shipment {
    /// The number of its first row.
    first: u64,
    /// The number of its last row.
    last: u64,
    /// Number of bytes of its lines.
    text_bytes: u64,
    /// When the first of its lines was recorded, in Unix milliseconds.
    start_ms: i64,
    /// When the last of its rows was closed, in Unix milliseconds.
    end_ms: i64,
    /// When it was chosen, in Unix milliseconds.
    chosen_ms: i64,
    /// The folder of its object.
    folder: String,
    /// What travels with it.
    label: BatchLabel,
}

impl KnownSinks {
    /// Has the next batch carry the numbers of lines that were dropped.
    fn owe(&mut self, mut since: EdgeCounts, reason: DropReason, lines: u64) {
        since.lose(reason, lines);
        self.owed.add(since);
    }
}

impl Shipment {
    /// Reads its lines, and makes the batch of them.
    pub(super) fn batch(&self, sql: &impl SqlDatabase) -> Result<EdgeBatch, BackendError> {
        let mut lines = Vec::new();
        for (size, body) in HeldRow::bodies(sql, self.first, self.last)? {
            lines.extend_from_slice(&inflated(&body, size).ok_or_else(broken)?);
        }
        if lines.len() as u64 != self.text_bytes {
            return Err(broken());
        }
        EdgeBatch::close(&self.folder, &lines, (self.start_ms, self.end_ms), self.label.clone()).ok_or_else(broken)
    }
}

/// Returns the batch that is due for a sink: the one that is being brought to it, or one that is chosen now.
pub(super) fn choose(
    sql: &impl SqlDatabase,
    sink: &str,
    settings: &EdgeSettings,
    bounds: SpoolBounds,
    now_ms: i64,
) -> Result<Option<Shipment>, BackendError> {
    let names = super::sink_names(settings);
    let mut sinks = KnownSinks::list(sql, &names)?;
    let Some(place) = sinks.iter().position(|known| known.name == sink) else { return Ok(None) };
    let counts = if names.len() > 1 { sink_counts(sql, &sinks)? } else { BTreeMap::new() };
    let Some(known) = sinks.get_mut(place) else { return Ok(None) };
    if let Some(shipment) = &known.shipment {
        return Ok((known.due_ms <= now_ms).then(|| shipment.clone()));
    }
    let rows = HeldRow::after(sql, known.done, SPOOL_BATCH_ROWS)?;
    let Some(chosen) = due_rows(&rows, settings.flush.age_ms, bounds, now_ms) else { return Ok(None) };
    let (Some(first), Some(last)) = (chosen.first(), chosen.last()) else { return Ok(None) };
    let mut meta = SpoolMeta::read(sql)?;
    let label = BatchLabel {
        isolate: meta.id.clone(),
        sequence: known.shipped + 1,
        lines: chosen.iter().map(|row| row.lines).sum(),
        counts: equation(meta.counts, known.counts, settings),
        since: chosen.iter().fold(known.owed, |mut since, row| {
            since.add(row.since);
            since
        }),
        sinks: counts,
    };
    known.owed = EdgeCounts::default();
    let shipment = Shipment {
        first: first.id,
        last: last.id,
        text_bytes: chosen.iter().map(|row| row.text_bytes).sum(),
        start_ms: chosen.iter().map(|row| row.start_ms).min().unwrap_or(now_ms),
        end_ms: chosen.iter().map(|row| row.end_ms).max().unwrap_or(now_ms),
        chosen_ms: now_ms,
        folder: settings.folder.clone(),
        label,
    };
    meta.pending = 0;
    (known.done, known.shipped, known.attempts, known.due_ms) = (last.id, shipment.label.sequence, 0, now_ms);
    known.shipment = Some(shipment.clone());
    sql.transaction(&mut || known.write(sql).and_then(|()| meta.write(sql)))?;
    Ok(Some(shipment))
}

/// Returns the first rows that make a batch: as many as fit, or all of them once the first is old enough.
fn due_rows(rows: &[HeldRow], age_ms: i64, bounds: SpoolBounds, now_ms: i64) -> Option<&[HeldRow]> {
    let (mut text, mut lines) = (0, 0);
    let fits = |row: &&HeldRow| {
        (text, lines) = (text + row.text_bytes, lines + row.lines);
        text <= bounds.batch_bytes && lines <= SPOOL_BATCH_LINES
    };
    let fitting = rows.iter().take_while(fits).count();
    let is_full = fitting < rows.len() || rows.len() as u64 >= SPOOL_BATCH_ROWS;
    let is_old = rows.first().is_some_and(|first| now_ms >= first.taken_ms + age_ms);
    if is_full || is_old { rows.get(..fitting.max(1)) } else { None }
}

/// Returns the numbers of all isolates with what the object dropped, if they are about the same sink.
fn equation(sums: EdgeCounts, sink: SinkCounts, settings: &EdgeSettings) -> EdgeCounts {
    let mut counts = sums;
    if settings.sinks.sinks.first().is_some_and(|first| first.path == SinkPath::Object) {
        for (reason, lines) in [
            (DropReason::Overflow, sink.overflow),
            (DropReason::Unconfirmed, sink.unconfirmed),
            (DropReason::Refused, sink.refused),
        ] {
            let lines = lines.min(counts.recorded);
            counts.recorded -= lines;
            counts.drop(reason, lines);
        }
    }
    counts
}

/// Returns the numbers of sinks with the lines that wait.
pub(super) fn sink_counts(
    sql: &impl SqlDatabase,
    sinks: &[KnownSinks],
) -> Result<BTreeMap<String, SinkCounts>, BackendError> {
    let counts = |sink: &KnownSinks| {
        let chosen = sink.shipment.as_ref().map_or(0, |shipment| shipment.label.lines);
        let waiting = chosen + HeldRow::lines_after(sql, sink.done)?;
        Ok((sink.name.clone(), SinkCounts { waiting, ..sink.counts }))
    };
    sinks.iter().map(counts).collect()
}

/// Notes what came of bringing a shipment to its sink; returns the sink's numbers. One that failed is tried again, for [`SPOOL_KEEP_MS`].
pub(super) fn settle(
    sql: &impl SqlDatabase,
    sink: &str,
    names: &[&str],
    result: StoreResult,
    now_ms: i64,
) -> Result<SinkCounts, BackendError> {
    let mut counts = SinkCounts::default();
    sql.transaction(&mut || {
        let mut sinks = KnownSinks::list(sql, names)?;
        let Some(known) = sinks.iter_mut().find(|known| known.name == sink) else { return Ok(()) };
        let Some(shipment) = known.shipment.take() else { return Ok(()) };
        let lines = shipment.label.lines;
        let is_kept = now_ms - shipment.chosen_ms < SPOOL_KEEP_MS;
        match result {
            StoreResult::Stored => known.counts.handed += lines,
            StoreResult::Refused(refused) => {
                let refused = refused.min(lines);
                known.counts.handed += lines - refused;
                known.counts.drop(DropReason::Refused, refused);
            }
            _ if !is_kept => {
                known.counts.drop(DropReason::Unconfirmed, lines);
                known.owe(shipment.label.since, DropReason::Unconfirmed, lines);
            }
            _ => {
                let (least, most) = SPOOL_RETRY_MS;
                let wait =
                    least.checked_shl(known.attempts).filter(|wait| (least..most).contains(wait)).unwrap_or(most);
                let wait = if let StoreResult::Later(ms) = result { ms.max(wait) } else { wait };
                (known.attempts, known.due_ms) = (known.attempts.saturating_add(1), now_ms + wait);
                known.shipment = Some(shipment);
            }
        }
        known.write(sql)?;
        counts = sink_counts(sql, std::slice::from_ref(known))?.remove(sink).unwrap_or_default();
        remove_done(sql, &sinks)
    })?;
    Ok(counts)
}

/// Removes the rows that all sinks are past.
fn remove_done(sql: &impl SqlDatabase, sinks: &[KnownSinks]) -> Result<(), BackendError> {
    let done = sinks.iter().map(|sink| sink.done).min().unwrap_or_default();
    // A shipment is a run of rows, and rows before all shipments went with an earlier one.
    let held = sinks.iter().filter_map(|sink| sink.shipment.as_ref()).map(|shipment| shipment.first).min();
    let last = held.map_or(done, |first| done.min(first.saturating_sub(1)));
    let mut meta = SpoolMeta::read(sql)?;
    let removed = HeldRow::remove(sql, 0, last)?;
    if removed > 0 {
        meta.bytes = meta.bytes.saturating_sub(removed);
        meta.write(sql)?;
    }
    Ok(())
}

/// Drops the oldest rows that no shipment has, until what is held fits; for inside of a transaction.
pub(super) fn drop_oldest(
    sql: &impl SqlDatabase,
    names: &[&str],
    meta: &mut SpoolMeta,
    most: u64,
) -> Result<(), BackendError> {
    if meta.bytes <= most {
        return Ok(());
    }
    let mut sinks = KnownSinks::list(sql, names)?;
    let mut after = sinks.iter().map(|sink| sink.done).min().unwrap_or_default();
    while meta.bytes > most {
        let Some(oldest) = HeldRow::after(sql, after, 1)?.pop() else { break };
        for sink in sinks.iter_mut().filter(|sink| sink.done < oldest.id) {
            sink.counts.drop(DropReason::Overflow, oldest.lines);
            sink.owe(oldest.since, DropReason::Overflow, oldest.lines);
            sink.done = oldest.id;
        }
        let is_chosen = |sink: &KnownSinks| {
            sink.shipment.as_ref().is_some_and(|shipment| (shipment.first..=shipment.last).contains(&oldest.id))
        };
        if !sinks.iter().any(is_chosen) {
            meta.bytes = meta.bytes.saturating_sub(HeldRow::remove(sql, oldest.id, oldest.id)?);
        }
        after = oldest.id;
    }
    sinks.iter().try_for_each(|sink| sink.write(sql))
}

/// Returns when the next batch of any sink is due; `None` if nothing is held.
pub(super) fn next_due_ms(
    sql: &impl SqlDatabase,
    names: &[&str],
    (age_ms, bounds): (i64, SpoolBounds),
    now_ms: i64,
) -> Result<Option<i64>, BackendError> {
    let mut next: Option<i64> = None;
    for sink in KnownSinks::list(sql, names)? {
        let due_ms = if sink.shipment.is_some() {
            Some(sink.due_ms)
        } else {
            let rows = HeldRow::after(sql, sink.done, SPOOL_BATCH_ROWS)?;
            let is_due = due_rows(&rows, age_ms, bounds, now_ms).is_some();
            rows.first().map(|first| if is_due { now_ms } else { first.taken_ms + age_ms })
        };
        next = next.into_iter().chain(due_ms).min();
    }
    Ok(next)
}
