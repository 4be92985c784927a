//! Batches whose records an answer may lack: not yet read, quarantined, or with damaged lines.

use serde::{Deserialize, Serialize};

use super::hours::LedgerHour;
use super::state::BatchState;
use super::tables::LedgerRow;
use crate::backend::{BackendError, SqlDatabase, SqlRow};
use crate::bucket_keys::batch_times;
use crate::index::{LineCounts, ObjectVersion};
use crate::limits::{BACKFILL_LATE_MS, BACKFILL_SKEW_MS, HOUR_MS};
use crate::record::Dataset;
use crate::rpc::calls;

calls! {
    "v1/find-missing": FindMissing => MissingLines,
}

/// A request for the batches that may hold records of a time range that an answer lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindMissing {
    /// The dataset of the batches.
    pub dataset: Dataset,
    /// Start of the range in Unix milliseconds, inclusive.
    pub start_ms: i64,
    /// End of the range in Unix milliseconds, exclusive.
    pub end_ms: i64,
    /// Whether only batches count that are read as this dataset, and not those that may turn out to hold records of it.
    #[serde(default)]
    pub only_own: bool,
}

/// Batches that may hold records of a range, and their lines that are not valid records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct MissingLines {
    /// Number of batches that were begun but not sealed.
    pub open_batches: u64,
    /// Number of quarantined batches.
    pub quarantined_batches: u64,
    /// Number of rejected lines in sealed batches.
    pub rejected_lines: u64,
}

impl MissingLines {
    /// Adds the counts of another ledger.
    pub const fn add(&mut self, other: Self) {
        self.open_batches += other.open_batches;
        self.quarantined_batches += other.quarantined_batches;
        self.rejected_lines += other.rejected_lines;
    }
}

/// Returns the times of a batch that the ledger's name does not imply, for the registry to record, so that a question
/// about them reaches the ledger all the same. `None` in the ordinary case. `records` are the times of the batch's earliest
/// and latest record, as far as they are known, in Unix milliseconds.
#[must_use]
pub fn times_beyond_ledger(object: &ObjectVersion, records: Option<(i64, i64)>) -> Option<(i64, i64)> {
    let hour = LedgerHour::of_key(&object.key);
    if hour.is_other() {
        return None;
    }
    // A question about an instant is asked of ledgers whose hour begins up to an hour after it, or after the bounds below.
    let hour_ms = hour.start_ms();
    let is_implied = |(first_ms, last_ms): &(i64, i64)| {
        hour_ms.is_some_and(|hour_ms| {
            *first_ms >= hour_ms - BACKFILL_LATE_MS
                && *last_ms < hour_ms + HOUR_MS + BACKFILL_LATE_MS + BACKFILL_SKEW_MS
        })
    };
    let named = batch_times(&object.key).unwrap_or((object.uploaded_ms, object.uploaded_ms));
    let known = [Some(named), records].into_iter().flatten();
    let beyond: Vec<(i64, i64)> = known.filter(|times| !is_implied(times)).collect();
    let first_ms = beyond.iter().map(|times| times.0.min(times.1)).min()?;
    let last_ms = beyond.iter().map(|times| times.0.max(times.1)).max()?;
    Some((first_ms.saturating_sub(BACKFILL_LATE_MS), last_ms.saturating_add(BACKFILL_LATE_MS)))
}

/// Answers [`FindMissing`]. A batch that was not read to its end may hold records of any of its possible datasets; a line
/// of another dataset than its batch's may belong to every other dataset. A batch may hold records from an hour before
/// its name's start until shortly after its end; if its name has no times, its upload time stands for both. If it was not
/// read to its end, it may also hold records up to an hour before or after its first ones.
pub(super) fn find_missing(sql: &impl SqlDatabase, call: FindMissing) -> Result<MissingLines, BackendError> {
    let rows = sql.run(
        "SELECT object_key, uploaded_ms, state, counts, dataset, possible_datasets, first_ms, last_ms FROM source_v1
         WHERE gone = 0 AND (state <> 'sealed' OR counts NOT LIKE '%\"rejected\":{}%')",
        &[],
    )?;
    let mut missing = MissingLines::default();
    for row in &rows.rows {
        count_missing(&mut missing, row, call)?;
    }
    Ok(missing)
}

/// Adds a batch, whose row begins with the columns of [`find_missing`].
pub(super) fn count_missing(missing: &mut MissingLines, row: &SqlRow, call: FindMissing) -> Result<(), BackendError> {
    let row = LedgerRow(row);
    let state = row.batch_state(2)?;
    if !is_near(&row, state, call)? {
        return Ok(());
    }
    let is_own = row.text(4)? == call.dataset.name();
    if call.only_own && !is_own {
        return Ok(());
    }
    let possible: Vec<Dataset> = row.json(5)?;
    let is_possible = possible.is_empty() || possible.contains(&call.dataset);
    match state {
        BatchState::Open => missing.open_batches += u64::from(is_possible),
        BatchState::Quarantined => missing.quarantined_batches += u64::from(is_possible),
        BatchState::Sealed => missing.rejected_lines += row.json::<LineCounts>(3)?.rejected_lines_for(is_own),
    }
    Ok(())
}

/// Whether the batch may hold records of the range, by its name or by the times of its records.
fn is_near(row: &LedgerRow<'_>, state: BatchState, call: FindMissing) -> Result<bool, BackendError> {
    let uploaded_ms = row.integer(1)?;
    let (start_ms, end_ms) = batch_times(&row.text(0)?).unwrap_or((uploaded_ms, uploaded_ms));
    let by_name = start_ms.saturating_sub(BACKFILL_LATE_MS) < call.end_ms
        && end_ms.saturating_add(BACKFILL_SKEW_MS) >= call.start_ms;
    let records = row.maybe_integer(6).zip(row.maybe_integer(7));
    let margin_ms = if state == BatchState::Sealed { 0 } else { BACKFILL_LATE_MS };
    let by_records = records.is_some_and(|(first, last)| {
        first.saturating_sub(margin_ms) < call.end_ms && last.saturating_add(margin_ms) >= call.start_ms
    });
    Ok(by_name || by_records)
}

#[cfg(test)]
mod tests {
    use super::{HOUR_MS, times_beyond_ledger};
    use crate::index::ObjectVersion;
    use crate::limits::{BACKFILL_LATE_MS, BACKFILL_SKEW_MS};

    /// 2026-03-28T08:00:00Z.
    const HOUR: i64 = 1_774_684_800_000;

    fn beyond(name: &str, records: Option<(i64, i64)>) -> Option<(i64, i64)> {
        let object =
            ObjectVersion { key: format!("logs/{name}"), etag: "e".into(), uploaded_ms: 7, size: 1, origin: None };
        times_beyond_ledger(&object, records)
    }

    #[test]
    fn only_displaced_times_are_beyond_a_ledger() {
        let last = HOUR + HOUR_MS + BACKFILL_LATE_MS + BACKFILL_SKEW_MS - 1;
        let name = "20260328T083000Z_20260328T083030Z_a.log.gz";
        for (first, last) in [(HOUR, HOUR), (HOUR - BACKFILL_LATE_MS, last), (last, last)] {
            assert_eq!(beyond(name, Some((first, last))), None);
        }
        let widened = |first: i64, last: i64| Some((first - BACKFILL_LATE_MS, last + BACKFILL_LATE_MS));
        for (first, last) in
            [(HOUR - BACKFILL_LATE_MS - 1, HOUR), (HOUR, last + 1), (5, 9), (i64::MAX / 2, i64::MAX / 2)]
        {
            assert_eq!(beyond(name, Some((first, last))), widened(first, last));
        }
        assert_eq!(beyond(name, None), None);
        // Every question reaches the ledgers of no hour.
        assert_eq!(beyond("by-hand.log", Some((5, 9))), None);
        // A name may span more than its ledger's hour, or be of an hour that there is not.
        let day = "20260328T080000Z_20260329T080000Z_a.log.gz";
        assert_eq!(beyond(day, Some((HOUR, HOUR))), widened(HOUR, HOUR + 24 * HOUR_MS));
        assert_eq!(beyond("20260328T990000Z_a.log.gz", None), widened(7, 7));
        assert_eq!(beyond("20260328T990000Z_a.log.gz", Some((90, 95))), widened(7, 95));
    }
}
