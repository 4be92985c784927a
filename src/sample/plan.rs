//! Sample plans: the traffic to invent, and the settings of the job that logs it.
//!
//! # Invariants
//!
//! A plan that passes [`SamplePlan::check`] can be written to its last record. Batch `n` depends only on the plan and
//! on `n`, so any batch can be generated without those before it.

use std::ops::Range;

use crate::bucket_keys::batch_key;
use crate::record::{Dataset, RayId};
use crate::time::DAY_MS;

/// Maximum number of subrequests in an ordinary family.
pub(super) const FAMILY_SUBREQUESTS: u32 = 3;
/// Number of rays reserved for one family: those of a [story](super::story) are the most.
pub(super) const MAX_FAMILY: u32 = 8;
/// Maximum number of records in a plan: every possible member of every family needs its own low ray bits.
const MAX_RECORDS: u32 = (1 << 28) / MAX_FAMILY;
/// Maximum share of late records, in thousandths: those held back for the next batch must fit into it.
const MAX_LATE: u32 = 200;
/// Maximum share of subrequests, in thousandths: beyond it, every visitor would need more than a family holds.
const MAX_SUBREQUESTS: u32 = 600;

/// The unit in which a job writes timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampUnit {
    /// Unix nanoseconds, as a JSON number: the API's default.
    UnixNano,
    /// Unix seconds, as a JSON number.
    Unix,
    /// A string in whole seconds, the dashboard's default: `2022-11-03T16:10:08Z`.
    Rfc3339,
}

impl TimestampUnit {
    /// All units, in the order in which mixed batches alternate.
    pub const ALL: [Self; 3] = [Self::UnixNano, Self::Rfc3339, Self::Unix];

    /// Returns the name in a job's settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnixNano => "unixnano",
            Self::Unix => "unix",
            Self::Rfc3339 => "rfc3339",
        }
    }
}

/// The units of a plan's batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanUnits {
    /// The same unit in every batch.
    Always(TimestampUnit),
    /// Each unit in turn, as if the job had been changed in between.
    Mixed,
}

/// The fields of `http_requests` that the job writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldSet {
    /// The fields of a job that feeds a partner and an investigation: lines of 1.0 to 2.5 KB.
    Usual,
    /// All fields: the names alone take 2 KB of each line.
    All,
}

/// A plan of the traffic to invent. Shares are in thousandths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamplePlan {
    /// The seed of everything random.
    pub seed: u64,
    /// The start of the first batch, in Unix milliseconds.
    pub start_ms: i64,
    /// The time that all batches cover together, in milliseconds.
    pub window_ms: i64,
    /// Number of batches of each dataset.
    pub batches: u32,
    /// Number of lines of `http_requests` over all batches; the other datasets follow from them.
    pub records: u32,
    /// The timestamp unit of each batch.
    pub units: PlanUnits,
    /// The share of records that are subrequests of Workers.
    pub subrequests: u32,
    /// The share of records that are written later than the batch they belong to.
    pub late: u32,
    /// The share of visitors whose record is written twice, as after a retry.
    pub duplicates: u32,
    /// Number of gzip members of the second batch (or of the only one); all others have one.
    pub members: u32,
    /// The compression level of gzip, 1 to 9.
    pub level: u32,
    /// The set of `http_requests` fields that the job selects.
    pub fields: FieldSet,
    /// Whether subrequests are inside their visitor's record (`merge_subrequests`).
    pub merged: bool,
    /// Whether logged headers are arrays of strings (`preserve_duplicates`).
    pub preserve_duplicates: bool,
    /// The prefix of keys, without a trailing slash.
    pub prefix: String,
}

impl Default for SamplePlan {
    /// Returns a plan of 20,000 records in four batches of 30 s, starting at 2026-03-28T06:42:00Z.
    fn default() -> Self {
        Self {
            seed: 1,
            start_ms: 1_774_680_120_000,
            window_ms: 120_000,
            batches: 4,
            records: 20_000,
            units: PlanUnits::Always(TimestampUnit::UnixNano),
            subrequests: 120,
            late: 20,
            duplicates: 0,
            members: 1,
            level: 6,
            fields: FieldSet::Usual,
            merged: false,
            preserve_duplicates: false,
            prefix: "logs".to_owned(),
        }
    }
}

/// The reason why a plan cannot be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// There would be no batch, or an empty one.
    #[error("there must be at least one batch and at least one record per batch")]
    Empty,
    /// There are not enough low ray bits.
    #[error("the maximum is {MAX_RECORDS} records, because each needs its own ray")]
    TooManyRecords,
    /// Batches would share their timestamps.
    #[error("the window must be at least one second per batch")]
    ShortWindow,
    /// A ray cannot express these times.
    #[error("all times must be between 2012-10-13 and 2034-07-22, the range that a Ray ID can encode")]
    OutsideOfRayTime,
    /// A share is out of its range.
    #[error("of 1000 records, at most {MAX_SUBREQUESTS} can be subrequests, {MAX_LATE} late and 1000 duplicated")]
    Share,
    /// The compression level does not exist.
    #[error("the level must be from 1 (fast) to 9 (small), and there must be at least one gzip member")]
    Gzip,
}

impl SamplePlan {
    /// Checks that the plan can be carried out.
    ///
    /// # Errors
    /// The first reason why it cannot.
    pub fn check(&self) -> Result<(), PlanError> {
        let end = self.start_ms.checked_add(self.window_ms).and_then(|end| end.checked_add(DAY_MS));
        let rays = |at: Option<i64>| at.is_some_and(|at| RayId::at(at, 0).is_some());
        let failed = [
            (self.batches == 0 || self.records < self.batches, PlanError::Empty),
            (self.records > MAX_RECORDS, PlanError::TooManyRecords),
            (self.window_ms < i64::from(self.batches) * 1000, PlanError::ShortWindow),
            (!rays(self.start_ms.checked_sub(DAY_MS)) || !rays(end), PlanError::OutsideOfRayTime),
            (self.subrequests > MAX_SUBREQUESTS || self.late > MAX_LATE || self.duplicates > 1000, PlanError::Share),
            (!(1..=9).contains(&self.level) || self.members == 0, PlanError::Gzip),
        ];
        failed.into_iter().find(|(failed, _)| *failed).map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Returns the time that batch `number` covers, in Unix milliseconds.
    #[must_use]
    pub fn window(&self, number: u32) -> Range<i64> {
        let edge = |at: u32| self.start_ms + self.window_ms / i64::from(self.batches.max(1)) * i64::from(at);
        edge(number)..edge(number.saturating_add(1))
    }

    /// Returns the number of `http_requests` lines in batch `number`: an equal share, plus one in the first batches.
    #[must_use]
    pub fn records_of(&self, number: u32) -> u32 {
        let batches = self.batches.max(1);
        self.records / batches + u32::from(number < self.records % batches)
    }

    /// Returns the number of `http_requests` lines in the batches before `number`.
    pub(super) fn records_before(&self, number: u32) -> u32 {
        let batches = self.batches.max(1);
        number.saturating_mul(self.records / batches).saturating_add(number.min(self.records % batches))
    }

    /// Returns the unit of the timestamps in batch `number`.
    #[must_use]
    pub fn unit(&self, number: u32) -> TimestampUnit {
        match (self.units, number % 3) {
            (PlanUnits::Always(unit), _) => unit,
            (PlanUnits::Mixed, 0) => TimestampUnit::UnixNano,
            (PlanUnits::Mixed, 1) => TimestampUnit::Rfc3339,
            (PlanUnits::Mixed, _) => TimestampUnit::Unix,
        }
    }

    /// Returns the number of gzip members of batch `number`.
    #[must_use]
    pub fn members_of(&self, number: u32) -> u32 {
        if number == 1.min(self.batches.saturating_sub(1)) { self.members.max(1) } else { 1 }
    }

    /// Returns the key of batch `number` of `dataset`: `logs/http_requests/20260328/<start>_<end>_<id>.log.gz`.
    #[must_use]
    pub fn key(&self, dataset: Dataset, number: u32) -> String {
        let Range { start, end } = self.window(number);
        let [a, b, c, d, ..] = mix(self.seed, mix(dataset as u64, u64::from(number))).to_be_bytes();
        batch_key(&format!("{}/", self.prefix), dataset, start, end, u32::from_be_bytes([a, b, c, d]))
    }
}

/// Combines two numbers into a seed that depends on every bit of both (the finisher of `SplitMix64`).
pub(super) const fn mix(a: u64, b: u64) -> u64 {
    let mut bits = a ^ b.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::{PlanError, PlanUnits, SamplePlan, TimestampUnit};
    use crate::record::Dataset;

    #[test]
    fn records_and_time_are_divided_without_gap() {
        let plan = SamplePlan { batches: 7, records: 100, window_ms: 70_000, ..SamplePlan::default() };
        assert_eq!((0..7).map(|number| plan.records_of(number)).sum::<u32>(), 100);
        assert_eq!((0..7).map(|number| plan.records_before(number)).collect::<Vec<_>>(), [0, 15, 30, 44, 58, 72, 86]);
        assert!((0..6).all(|number| plan.window(number).end == plan.window(number + 1).start));
    }

    #[test]
    fn key_has_the_form_logpush_gives() {
        let key = SamplePlan::default().key(Dataset::HttpRequests, 1);
        let rest = key.strip_prefix("logs/http_requests/20260328/20260328T064230Z_20260328T064300Z_").unwrap();
        let id = rest.strip_suffix(".log.gz").unwrap();
        assert!(id.len() == 8 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{id}");
    }

    #[test]
    fn mixed_units_take_turns() {
        let plan = SamplePlan { units: PlanUnits::Mixed, ..SamplePlan::default() };
        assert_eq!([0, 1, 2].map(|number| plan.unit(number)), TimestampUnit::ALL);
        assert_eq!(plan.unit(3), TimestampUnit::UnixNano);
    }

    #[test]
    fn impossible_plan_says_why() {
        let plan = SamplePlan::default();
        assert_eq!(plan.check(), Ok(()));
        for (plan, error) in [
            (SamplePlan { batches: 0, ..plan.clone() }, PlanError::Empty),
            (SamplePlan { records: 3, ..plan.clone() }, PlanError::Empty),
            (SamplePlan { records: u32::MAX, ..plan.clone() }, PlanError::TooManyRecords),
            (SamplePlan { window_ms: 3999, ..plan.clone() }, PlanError::ShortWindow),
            (SamplePlan { start_ms: 0, ..plan.clone() }, PlanError::OutsideOfRayTime),
            (SamplePlan { start_ms: i64::MAX, ..plan.clone() }, PlanError::OutsideOfRayTime),
            (SamplePlan { start_ms: i64::MIN, ..plan.clone() }, PlanError::OutsideOfRayTime),
            (SamplePlan { late: 201, ..plan.clone() }, PlanError::Share),
            (SamplePlan { level: 0, ..plan.clone() }, PlanError::Gzip),
            (SamplePlan { members: 0, ..plan.clone() }, PlanError::Gzip),
        ] {
            assert_eq!(plan.check(), Err(error));
        }
    }
}
