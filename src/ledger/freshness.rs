//! How fresh the partner's lines are: since when the oldest line waits, and how long lines took from their request to
//! their delivery.
//!
//! A line's time is that of the earliest record of its batch, so that no age is less than the true one, and none is more by
//! longer than a batch spans, which is half a minute as a rule.

use serde::{Deserialize, Serialize};

use super::books::add_each;
use super::tables::LedgerRow;
use crate::backend::{BackendError, SqlDatabase};

/// Upper bounds of the steps in which lags are counted, in seconds: to 30 days, which the last one stands for.
pub const LAG_STEPS_S: [u32; 13] = [30, 60, 90, 120, 180, 300, 600, 1_200, 3_600, 7_200, 21_600, 86_400, 2_592_000];

/// Numbers of what took so long, by the step of its time: [`LAG_STEPS_S`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LagCounts(pub [u64; LAG_STEPS_S.len()]);

impl LagCounts {
    /// Counts one that took this time, in milliseconds.
    pub fn count(&mut self, lag_ms: i64) {
        let step = LAG_STEPS_S.iter().position(|bound| lag_ms <= i64::from(*bound) * 1_000);
        if let Some(number) = self.0.get_mut(step.unwrap_or(LAG_STEPS_S.len() - 1)) {
            *number += 1;
        }
    }

    /// Adds other numbers.
    pub fn add(&mut self, other: &Self) {
        add_each(&mut self.0, &other.0);
    }

    /// Returns how many there are.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Returns the seconds within which this share of them ended, as the bound of a step; `None` without any.
    #[must_use]
    pub fn within_s(&self, per_cent: u64) -> Option<u32> {
        let wanted = (self.sum() * per_cent).div_ceil(100);
        let mut sum = 0;
        let reached = LAG_STEPS_S.iter().zip(self.0).find(|(_, number)| {
            sum += number;
            sum >= wanted
        });
        reached.filter(|_| wanted > 0).map(|(step, _)| *step)
    }
}

/// How fresh the partner's lines are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Freshness {
    /// Unix milliseconds of the oldest line that waits or is being sent.
    pub oldest_line_ms: Option<i64>,
    /// Number of delivered lines by the step of their lag: [`LAG_STEPS_S`].
    pub lags: LagCounts,
}

impl Freshness {
    /// Adds the figures of another ledger.
    pub fn add(&mut self, other: &Self) {
        let oldest = [self.oldest_line_ms, other.oldest_line_ms];
        self.oldest_line_ms = oldest.into_iter().flatten().min();
        self.lags.add(&other.lags);
    }
}

/// Returns the figures of a ledger.
pub(super) fn freshness(sql: &impl SqlDatabase) -> Result<Freshness, BackendError> {
    let oldest = sql.run(
        "SELECT min(first_ms) FROM source_v1 WHERE first_ms IS NOT NULL
         AND id IN (SELECT source FROM payload_v1 WHERE state IN ('prepared', 'sending'))",
        &[],
    )?;
    let mut found = Freshness {
        oldest_line_ms: oldest.rows.first().and_then(|row| LedgerRow(row).maybe_integer(0)),
        ..Freshness::default()
    };
    let step = case_of_steps("lag_ms", &LAG_STEPS_S.map(|bound| u64::from(bound) * 1_000));
    let rows = sql.run(
        &format!(
            "SELECT {step} AS step, sum(lines) FROM (
                SELECT payload_v1.lines AS lines, completed_ms - first_ms AS lag_ms
                FROM payload_v1 JOIN source_v1 ON source_v1.id = payload_v1.source
                WHERE payload_v1.state = 'delivered' AND first_ms IS NOT NULL)
             GROUP BY step"
        ),
        &[],
    )?;
    for row in rows.rows.iter().map(LedgerRow) {
        if let Some(lines) = found.lags.0.get_mut(row.number::<usize>(0)?) {
            *lines = row.number(1)?;
        }
    }
    Ok(found)
}

/// Returns the SQL of the number of the step that bounds the value of a column; the last one has what is beyond it.
pub(super) fn case_of_steps(column: &str, bounds: &[u64]) -> String {
    let last = bounds.len().saturating_sub(1);
    let cases = bounds.iter().take(last).zip(0..).map(|(bound, step)| format!("WHEN {column} <= {bound} THEN {step} "));
    format!("CASE {}ELSE {last} END", cases.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::{Freshness, LAG_STEPS_S, LagCounts};

    #[test]
    fn share_arrives_within_the_bound_of_its_step() {
        let mut lags = [0; LAG_STEPS_S.len()];
        (lags[1], lags[3], lags[12]) = (50, 49, 1);
        let lags = LagCounts(lags);
        assert_eq!(
            [50, 51, 99, 100].map(|share| lags.within_s(share)),
            [Some(60), Some(120), Some(120), Some(2_592_000)]
        );
        assert_eq!(LagCounts::default().within_s(50), None);
    }

    #[test]
    fn time_counts_in_the_step_that_bounds_it() {
        let mut lags = LagCounts::default();
        for lag_ms in [-5, 0, 30_000, 30_001, 60_000, i64::MAX] {
            lags.count(lag_ms);
        }
        assert_eq!((lags.0[0], lags.0[1], lags.0[12], lags.sum()), (3, 2, 1, 6));
    }

    #[test]
    fn sum_has_the_oldest_line_of_all() {
        let of = |oldest_line_ms| Freshness { oldest_line_ms, ..Freshness::default() };
        let mut sum = Freshness::default();
        for oldest in [None, Some(9), Some(4), None, Some(6)] {
            sum.add(&of(oldest));
        }
        assert_eq!(sum.oldest_line_ms, Some(4));
    }
}
