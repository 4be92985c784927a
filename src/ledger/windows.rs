//! The windows of time that batches cover, and the gaps between them.
//!
//! # Invariants
//! Merged windows are sorted, disjoint and not adjacent.

use super::state::BatchState;
use crate::bucket_keys::batch_times;
use crate::limits::{BACKFILL_LATE_MS, COVERAGE_JOIN_MS};

/// Half-open windows in Unix milliseconds.
pub type TimeWindows = Vec<(i64, i64)>;

/// What says which time a batch covers.
#[derive(Debug, Clone, Copy)]
pub struct BatchSpan<'b> {
    /// The key of its object.
    pub key: &'b str,
    /// Unix milliseconds of its upload.
    pub uploaded_ms: i64,
    /// Its state.
    pub state: BatchState,
    /// Whether some of its lines are no records.
    pub has_rejected: bool,
    /// The times of its earliest and latest known record, in Unix milliseconds.
    pub records: Option<(i64, i64)>,
}

impl BatchSpan<'_> {
    /// Returns the windows that the records of the batch are in. If some of its lines are unknown, they may be where its
    /// name says and where its other records are.
    #[must_use]
    pub fn windows(&self) -> TimeWindows {
        let is_sealed = self.state == BatchState::Sealed;
        // The name of an upload says when it came, so its records say what it covers.
        let named = batch_times(self.key).filter(|(start, end)| start < end);
        let length = named.map_or(COVERAGE_JOIN_MS, |(start, end)| end - start);
        // The first records of an unsealed batch say where it begins.
        let records =
            self.records.map(|(first, last)| (first, if is_sealed { last } else { last.max(first + length) }));
        let Some((start, end)) = named else {
            let arrived = || (self.uploaded_ms, self.uploaded_ms + length);
            return records.or_else(|| (!is_sealed).then(arrived)).into_iter().collect();
        };
        // Up to an hour off, the name is believed.
        let (earliest, latest) = (start - BACKFILL_LATE_MS, end + BACKFILL_LATE_MS);
        let is_whole = is_sealed && !self.has_rejected;
        match records {
            Some((first, last)) if is_whole && (last < earliest || first > latest) => vec![(first, last)],
            Some(records) if !is_whole && (records.0 < earliest || records.1 > latest) => vec![(start, end), records],
            _ => vec![(start, end)],
        }
    }
}

/// Cuts the windows to the range, sorts them and merges those that overlap or touch.
#[must_use]
pub fn join_windows(windows: &[(i64, i64)], start: i64, end: i64) -> TimeWindows {
    let cut = windows
        .iter()
        .map(|(a, b)| ((*a).max(start), (*b).min(end)))
        .filter(|(a, b)| a <= b && *a < end && *b >= start)
        .collect();
    let mut joined = merge_windows(cut);
    joined.retain(|(from, to)| from < to);
    joined
}

/// Sorts the windows and merges those that overlap or touch.
#[must_use]
pub fn merge_windows(mut windows: TimeWindows) -> TimeWindows {
    windows.sort_unstable();
    windows.dedup_by(|(from, to), (_, last)| {
        let touches = *from <= *last + COVERAGE_JOIN_MS;
        if touches {
            *last = (*to).max(*last);
        }
        touches
    });
    windows
}

/// Returns the parts of the range that none of the windows covers, which are merged.
#[must_use]
pub fn gaps_between(windows: &[(i64, i64)], start: i64, end: i64) -> TimeWindows {
    let mut gaps = Vec::new();
    let mut at = start;
    for (from, to) in windows {
        if *from > at {
            gaps.push((at, *from));
        }
        at = at.max(*to);
    }
    if at < end {
        gaps.push((at, end));
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::{gaps_between, join_windows};

    #[test]
    fn windows_that_touch_or_nearly_so_are_one() {
        let windows = [(30_000, 60_000), (0, 29_000), (61_000, 90_000), (200_000, 230_000), (40_000, 45_000)];
        let one = join_windows(&windows, 10_000, 220_000);
        assert_eq!(one, [(10_000, 90_000), (200_000, 220_000)]);
        assert_eq!(gaps_between(&one, 10_000, 220_000), [(90_000, 200_000)]);
    }

    #[test]
    fn a_range_without_batches_is_one_gap() {
        assert_eq!(join_windows(&[(0, 10), (90, 100)], 20, 80), []);
        assert_eq!(gaps_between(&[], 20, 80), [(20, 80)]);
        assert_eq!(gaps_between(&[(20, 80)], 20, 80), []);
    }
}
