//! Batches whose records an answer may lack: not yet read, quarantined, or with damaged lines.

use serde::{Deserialize, Serialize};

use super::state::BatchState;
use super::tables::LedgerRow;
use crate::backend::{BackendError, SqlDatabase, SqlRow};
use crate::bucket_keys::batch_times;
use crate::index::LineCounts;
use crate::limits::{BACKFILL_LATE_MS, BACKFILL_SKEW_MS};
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
}

/// Batches that may hold records of a range, and their lines that are not valid records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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

/// Answers [`FindMissing`]. A batch that was not read to its end may hold records of any of its possible datasets; a line
/// of another dataset than its batch's may belong to every other dataset. A batch may hold records from an hour before
/// its name's start until shortly after its end; if its name has no times, its upload time stands for both.
pub(super) fn find_missing(sql: &impl SqlDatabase, call: FindMissing) -> Result<MissingLines, BackendError> {
    let rows = sql.run(
        "SELECT object_key, uploaded_ms, state, counts, dataset, possible_datasets, first_ms, last_ms FROM source_v1
         WHERE gone = 0 AND (state <> 'sealed' OR counts NOT LIKE '%\"rejected\":{}%')",
        &[],
    )?;
    let mut missing = MissingLines::default();
    for row in &rows.rows {
        count(&mut missing, row, call)?;
    }
    Ok(missing)
}

fn count(missing: &mut MissingLines, row: &SqlRow, call: FindMissing) -> Result<(), BackendError> {
    let row = LedgerRow(row);
    if !is_near(&row, call)? {
        return Ok(());
    }
    let is_own = row.text(4)? == call.dataset.name();
    let possible: Vec<Dataset> = row.json(5)?;
    let is_possible = possible.is_empty() || possible.contains(&call.dataset);
    match row.batch_state(2)? {
        BatchState::Open => missing.open_batches += u64::from(is_possible),
        BatchState::Quarantined => missing.quarantined_batches += u64::from(is_possible),
        BatchState::Sealed => missing.rejected_lines += row.json::<LineCounts>(3)?.rejected_lines_for(is_own),
    }
    Ok(())
}

/// Whether the batch may hold records of the range, by its name or by the times of its records.
fn is_near(row: &LedgerRow<'_>, call: FindMissing) -> Result<bool, BackendError> {
    let uploaded_ms = row.integer(1)?;
    let (start_ms, end_ms) = batch_times(&row.text(0)?).unwrap_or((uploaded_ms, uploaded_ms));
    let by_name = start_ms.saturating_sub(BACKFILL_LATE_MS) < call.end_ms
        && end_ms.saturating_add(BACKFILL_SKEW_MS) >= call.start_ms;
    let records = row.maybe_integer(6).zip(row.maybe_integer(7));
    let by_records = records.is_some_and(|(first, last)| first < call.end_ms && last >= call.start_ms);
    Ok(by_name || by_records)
}
