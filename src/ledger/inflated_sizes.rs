//! How much text batches hold: what one reading of a batch takes of the Worker's CPU grows with it.

use serde::{Deserialize, Serialize};

use super::books::add_each;
use super::freshness::case_of_steps;
use super::state::BatchState;
use super::tables::LedgerRow;
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::limits::MAX_INFLATED;

/// Upper bounds of the steps in which batches are counted, in bytes of inflated text; no larger batch is read.
pub const INFLATED_STEPS: [u64; 9] = [
    1_000_000,
    10_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    MAX_INFLATED / 2,
    MAX_INFLATED,
];

/// Numbers of sealed batches by the size of their inflated text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InflatedSizes {
    /// Number of batches within each of [`INFLATED_STEPS`] and above the one before.
    pub counts: [u64; INFLATED_STEPS.len()],
    /// Sum of all sizes in bytes.
    pub sum: u64,
}

impl InflatedSizes {
    /// Adds the batches of another ledger.
    pub fn add(&mut self, other: &Self) {
        add_each(&mut self.counts, &other.counts);
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// Returns the sizes of a ledger's sealed batches.
pub(super) fn inflated_sizes(sql: &impl SqlDatabase) -> Result<InflatedSizes, BackendError> {
    let step = case_of_steps("inflated", &INFLATED_STEPS);
    let sealed = [SqlValue::text(BatchState::Sealed.name())];
    let statement =
        format!("SELECT {step} AS step, count(*), sum(inflated) FROM source_v1 WHERE state = ? GROUP BY step");
    let mut found = InflatedSizes::default();
    for row in sql.run(&statement, &sealed)?.rows.iter().map(LedgerRow) {
        if let Some(count) = found.counts.get_mut(row.number::<usize>(0)?) {
            *count = row.number(1)?;
        }
        found.sum = found.sum.saturating_add(row.number(2)?);
    }
    Ok(found)
}
