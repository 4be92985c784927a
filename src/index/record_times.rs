//! The times of a batch's records: the windows of the index that they are in, and the stretches of time that they cover.
//!
//! The earliest and the latest record say little of a batch with a stray one, so that the ledger keeps its *stretches*: runs of
//! records of which each is less than a window, 655.36 s, after the one before. Most batches have one. Two instants for each
//! window of the index are enough to find them, since a longer hole is between records of two windows, the last of one and the
//! first of another.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::limits::{BATCH_STRETCHES, MAX_SHARDS};
use crate::record::RayId;
use crate::summary::TimeBounds;

/// Length of a hole that parts two stretches, in nanoseconds.
const HOLE_NS: i64 = 655_360_000_000;

/// Gathers the times of a batch's records.
#[derive(Debug, Default)]
pub(super) struct RecordTimes {
    /// The bounds of the records in each window, by its prefix.
    windows: BTreeMap<u32, TimeBounds>,
    /// The window of the last record, all its instants, and the bounds of its records since it was opened.
    last: Option<(u32, Range<i64>, TimeBounds)>,
}

impl RecordTimes {
    /// Takes the instant of another record. Once there are more windows than a batch may have, others are left out.
    pub(super) fn take(&mut self, ns: i64) {
        if let Some((_, window, bounds)) = &mut self.last
            && window.contains(&ns)
        {
            *bounds = bounds.and(ns);
            return;
        }
        self.close();
        let prefix = RayId::prefix_at(ns);
        let window = RayId::prefix_start_ns(prefix)..RayId::prefix_start_ns(prefix + 1);
        self.last = Some((prefix, window, TimeBounds::NONE.and(ns)));
    }

    /// Keeps the bounds of the last window.
    fn close(&mut self) {
        let Some((prefix, _, bounds)) = self.last.take() else { return };
        if self.windows.len() <= MAX_SHARDS {
            let known = self.windows.entry(prefix).or_insert(TimeBounds::NONE);
            *known = known.with(bounds);
        }
    }

    /// Returns the prefixes of all windows, and the stretches of the records in Unix milliseconds, ascending: at most
    /// [`BATCH_STRETCHES`], the longest ones.
    pub(super) fn finish(mut self) -> (BTreeSet<u32>, Vec<(i64, i64)>) {
        self.close();
        let mut stretches: Vec<TimeBounds> = Vec::new();
        // Instants that no ray can have are in the first and the last window.
        for bounds in self.windows.values() {
            match stretches.last_mut() {
                Some(last) if bounds.first_ns.saturating_sub(last.last_ns) < HOLE_NS => *last = last.with(*bounds),
                _ => stretches.push(*bounds),
            }
        }
        stretches.sort_by_key(|stretch| std::cmp::Reverse(stretch.last_ns.saturating_sub(stretch.first_ns)));
        stretches.truncate(BATCH_STRETCHES);
        stretches.sort_by_key(|stretch| stretch.first_ns);
        let ms = |ns: i64| ns.div_euclid(1_000_000);
        let stretches = stretches.into_iter().map(|stretch| (ms(stretch.first_ns), ms(stretch.last_ns))).collect();
        (self.windows.into_keys().collect(), stretches)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::{HOLE_NS, RecordTimes};
    use crate::limits::BATCH_STRETCHES;
    use crate::record::RayId;

    fn finish(instants: &[i64]) -> (BTreeSet<u32>, Vec<(i64, i64)>) {
        let mut times = RecordTimes::default();
        for ns in instants {
            times.take(*ns);
        }
        times.finish()
    }

    /// The stretches of sorted instants, one record after the other.
    fn naive(mut instants: Vec<i64>) -> Vec<(i64, i64)> {
        instants.sort_unstable();
        let runs: Vec<&[i64]> = instants.chunk_by(|a, b| b - a < HOLE_NS).collect();
        let mut runs: Vec<(i64, i64)> = runs.iter().map(|run| (run[0], run[run.len() - 1])).collect();
        runs.sort_by_key(|(first, last)| (-(last - first), *first));
        runs.truncate(BATCH_STRETCHES);
        runs.sort_unstable();
        runs.into_iter().map(|(first, last)| (first.div_euclid(1_000_000), last.div_euclid(1_000_000))).collect()
    }

    #[test]
    fn hole_of_a_window_parts_stretches() {
        let at = RayId::prefix_start_ns(0x9e000) + 7;
        assert_eq!(finish(&[]).1, []);
        let ms = |ns: i64| ns / 1_000_000;
        assert_eq!(finish(&[at, at + HOLE_NS - 1]).1, [(ms(at), ms(at + HOLE_NS - 1))]);
        assert_eq!(finish(&[at + HOLE_NS, at]).1, [(ms(at), ms(at)), (ms(at + HOLE_NS), ms(at + HOLE_NS))]);
    }

    proptest! {
        #[test]
        fn stretches_are_runs_of_records(steps in vec((0..4_u8, 0..HOLE_NS), 0..60), turned: bool) {
            let mut at = RayId::prefix_start_ns(0x9e000);
            let mut instants = Vec::new();
            for (kind, step) in steps {
                at += match kind { 0 => HOLE_NS + step / 9, 1 => HOLE_NS * 40 + step, 2 => step, _ => step / 1_000 };
                instants.push(at);
            }
            if turned {
                instants.reverse();
            }
            let (prefixes, stretches) = finish(&instants);
            prop_assert_eq!(prefixes, instants.iter().map(|ns| RayId::prefix_at(*ns)).collect());
            prop_assert_eq!(stretches, naive(instants));
        }
    }
}
