//! Moves the entries of closed tables to the bucket, one segment for each alarm.
//!
//! Calls go on meanwhile: a closed table is never changed, and the next segment is chosen by what the last one was, in
//! the database, not in memory. What is kept in memory alone is whether an alarm is to be expected.
//!
//! # Invariants
//! Entries are removed only after the bucket confirmed their segment, in the transaction that records it. A segment whose
//! put failed but happened is found the next time, and read before it is trusted. No call waits for the bucket. An alarm
//! that failed is set again; a lost one is set by a later entry.

use std::cell::{Cell, RefCell};

use super::calls::{AuditSegment, ReadEntries};
use super::chain::TableBounds;
use super::commit::append_due;
use super::entry::{before_all, broken, time_of};
use super::facts::stored_chain;
use super::search::EntryFilter;
use super::segment::{SegmentWriter, read};
use super::tables::{EntryTable, last_segment, note_segment, open};
use super::{AuditMemory, OBJECT};
use crate::backend::{BackendError, Bucket, SqlDatabase};
use crate::bucket_keys::segment_key;
use crate::ledger::Alarm;
use crate::limits::{AUDIT_AGAIN_MAX_MS, AUDIT_AGAIN_MS, AUDIT_ALARM_MS, AUDIT_PAGE};
use crate::memory::MemoryBudget;

/// The alarm's state in memory. An alarm costs a written row, so it is set for a table that is full, not for an entry.
#[derive(Debug, Default)]
pub struct AlarmWatch {
    /// When the alarm that was set last is to fire.
    expected_ms: Option<i64>,
    /// Until then the bucket is left alone, since it refused.
    pause_until_ms: i64,
    /// How often the bucket refused in a row.
    failures: u32,
}

impl AlarmWatch {
    /// When to set the alarm to, if something waits or is due and no alarm is expected as early.
    pub(super) fn wake_ms(&mut self, waits: bool, due_ms: Option<i64>, now_ms: i64) -> Option<i64> {
        let wanted_ms = if waits { Some(now_ms) } else { due_ms };
        let at_ms = wanted_ms?.max(now_ms).max(self.pause_until_ms);
        let is_covered =
            self.expected_ms.is_some_and(|expected_ms| expected_ms <= at_ms && now_ms < expected_ms + AUDIT_ALARM_MS);
        (!is_covered).then(|| self.at(at_ms))
    }

    fn at(&mut self, at_ms: i64) -> i64 {
        self.expected_ms = Some(at_ms);
        at_ms
    }

    /// When to come again after an alarm that came to this.
    fn again_ms<T>(
        &mut self,
        outcome: &Result<(T, bool), BackendError>,
        due_ms: Option<i64>,
        now_ms: i64,
    ) -> Option<i64> {
        if outcome.is_err() {
            let pause = AUDIT_AGAIN_MS.saturating_mul(1 << self.failures.min(20)).min(AUDIT_AGAIN_MAX_MS);
            self.failures += 1;
            self.pause_until_ms = now_ms + pause;
            return Some(self.at(now_ms + pause));
        }
        (self.failures, self.pause_until_ms) = (0, 0);
        if matches!(outcome, Ok((_, true))) {
            return Some(self.at(now_ms));
        }
        self.expected_ms = None;
        due_ms.map(|due_ms| self.at(due_ms.max(now_ms)))
    }
}

/// Entries of the first table, packed.
struct NextSegment {
    table: EntryTable,
    segment: AuditSegment,
    object: Vec<u8>,
    /// The table has no more.
    ends_table: bool,
}

/// Sets the alarm that an answer wants, if it wants one.
///
/// # Errors
/// [`BackendError`] where it cannot be set; a later entry will do it.
pub async fn set_alarm(
    held: &RefCell<AuditMemory>,
    alarm: &impl Alarm,
    wake_ms: Option<i64>,
) -> Result<(), BackendError> {
    if wake_ms.is_none() {
        return Ok(());
    }
    alarm.set(wake_ms).await.inspect_err(|_| held.borrow_mut().watch.expected_ms = None)
}

/// Appends what denials are due, brings the next segment to the bucket, if one is closed, and sets the alarm again where
/// there is more to do; says which segment it was.
///
/// # Errors
/// [`BackendError`] where the world failed. The alarm is set to try again; where that failed too, an entry will do it.
pub async fn alarm(
    sql: &impl SqlDatabase,
    held: &RefCell<AuditMemory>,
    bucket: &impl Bucket,
    alarm: &impl Alarm,
    clock: impl Fn() -> i64,
) -> Result<Option<AuditSegment>, BackendError> {
    let bounds = {
        let mut held = held.borrow_mut();
        held.watch.at(clock());
        held.bounds()
    };
    let opened = ensure(sql).and_then(|()| append_due(sql, &mut held.borrow_mut(), clock()));
    let outcome = match opened {
        Ok(()) => archive(sql, bounds, bucket).await,
        Err(error) => Err(error),
    };
    let again_ms = {
        let mut held = held.borrow_mut();
        let due_ms = held.denials.due_ms();
        held.watch.again_ms(&outcome, due_ms, clock())
    };
    set_alarm(held, alarm, again_ms).await?;
    outcome.map(|(segment, _)| segment)
}

/// Brings the tables up to this version, or makes them.
fn ensure(sql: &impl SqlDatabase) -> Result<(), BackendError> {
    if OBJECT.ensure(sql, &Cell::new(false))? { Ok(()) } else { sql.transaction(&mut || open(sql)) }
}

/// Brings the next segment to the bucket; says which it was, and whether another one waits.
async fn archive(
    sql: &impl SqlDatabase,
    bounds: TableBounds,
    bucket: &impl Bucket,
) -> Result<(Option<AuditSegment>, bool), BackendError> {
    let Some(mut slice) = next(sql, bounds)? else { return Ok((None, false)) };
    put(bucket, &slice.segment, std::mem::take(&mut slice.object)).await?;
    remove(sql, &slice)?;
    Ok((Some(slice.segment), EntryTable::oldest(sql)?.len() > 1))
}

/// Packs what comes next, if it is closed.
fn next(sql: &impl SqlDatabase, bounds: TableBounds) -> Result<Option<NextSegment>, BackendError> {
    let mut oldest = EntryTable::oldest(sql)?.into_iter();
    let (Some(table), Some(following)) = (oldest.next(), oldest.next()) else { return Ok(None) };
    let chain = stored_chain(sql)?;
    let (done, before) =
        last_segment(sql)?.map_or_else(|| (0, before_all(chain)), |segment| (segment.last, segment.hash));
    let (PackedEntries { last, hash, last_time, .. }, writer) = pack(sql, bounds, &table, done)?;
    let object = writer.finish()?;
    let key = segment_key(chain.number(), done + 1, last, &hash);
    let segment = AuditSegment { first: done + 1, last, before, hash, last_time, key };
    Ok(Some(NextSegment { ends_table: last + 1 == following.first, table, segment, object }))
}

/// The entries packed so far.
struct PackedEntries {
    /// The number of the last packed entry.
    last: u64,
    /// The hash of the last packed entry.
    hash: String,
    /// The time of the last packed entry.
    last_time: String,
    /// Sum of the sizes of their texts.
    bytes: u64,
}

/// Packs the entries of a table after the last archived one, until they fill a segment or the table ends.
fn pack(
    sql: &impl SqlDatabase,
    bounds: TableBounds,
    table: &EntryTable,
    done: u64,
) -> Result<(PackedEntries, SegmentWriter), BackendError> {
    let (none, mut writer) = (String::new(), SegmentWriter::default());
    let mut packed = PackedEntries { last: done, hash: none.clone(), last_time: none, bytes: 0 };
    loop {
        // Page by page, so that the object never holds the text of a whole table.
        let rows = table.rows(sql, packed.last, AUDIT_PAGE)?;
        if rows.is_empty() {
            return if packed.last > done { Ok((packed, writer)) } else { Err(broken()) };
        }
        for kept in rows {
            if kept.seq != packed.last + 1 {
                return Err(broken());
            }
            writer.push(&kept)?;
            let bytes = packed.bytes + kept.entry.len() as u64;
            packed = PackedEntries { last: kept.seq, last_time: time_of(&kept.entry)?, hash: kept.hash, bytes };
            if bounds.are_reached(packed.last - done, packed.bytes) {
                return Ok((packed, writer));
            }
        }
    }
}

/// Puts a segment; there is no error only where the bucket has it.
async fn put(bucket: &impl Bucket, segment: &AuditSegment, object: Vec<u8>) -> Result<(), BackendError> {
    if bucket.put_new(&segment.key, object).await? {
        return Ok(());
    }
    // Most likely an earlier put succeeded, but its answer was lost.
    let none = ReadEntries { after: segment.last, limit: 0, filter: EntryFilter::default() };
    let read = read(bucket, segment, &none, &MemoryBudget::default().reservation()).await;
    let refused = |why: String| BackendError::new("writing a segment of the audit log", why);
    match read {
        Ok(part) if part.chain_valid => Ok(()),
        Ok(_) => Err(refused(format!("{} has other content", segment.key))),
        Err(error) => Err(refused(format!("{}: {error}", segment.key))),
    }
}

/// Notes the segment and removes the table that has no more, both or neither.
fn remove(sql: &impl SqlDatabase, slice: &NextSegment) -> Result<(), BackendError> {
    sql.transaction(&mut || {
        let done = last_segment(sql)?.map_or(0, |segment| segment.last);
        // Another alarm was quicker: the platform runs one at a time, but nothing here hangs on that.
        if done + 1 != slice.segment.first {
            return Ok(());
        }
        note_segment(sql, &slice.segment)?;
        if slice.ends_table { slice.table.remove(sql) } else { Ok(()) }
    })
}
