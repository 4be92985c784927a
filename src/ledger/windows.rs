//! The windows of time that batches cover, and the gaps between them.
//!
//! # Rule
//! A sealed batch without rejected lines covers what it was named for, where its records bear that out:
//!
//! - A name of at most [`BATCH_NAME_MS`] covers the window that it spans, if a stretch of its records is within
//!   [`BACKFILL_LATE_MS`] of it. Records before or after the window extend nothing: a few late records do not say that all of
//!   their time are here. A window in which nothing was requested is covered all the same.
//! - A longer name, which Logpush does not write, covers the stretches of its records within it.
//! - A batch whose records are all elsewhere was renamed, and one without a window in its name was not written by Logpush: it
//!   covers the stretches of its records.
//!
//! A *stretch* is a run of records with holes of less than eleven minutes ([`LineCounts::stretches`]): a stray record is one of its
//! own, without length, and joins nothing. Of a batch with rejected lines, or one that was not read to its end, the windows
//! are those that its unread lines may be in: what its name says, and from its earliest to its latest known record.
//!
//! # Invariants
//! Merged windows are sorted, disjoint and not adjacent.

use super::state::BatchState;
use crate::bucket_keys::batch_times;
#[cfg(doc)]
use crate::index::LineCounts;
use crate::limits::{BACKFILL_LATE_MS, BATCH_NAME_MS, COVERAGE_JOIN_MS};

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
    /// The stretches of its records, if it has several.
    pub stretches: &'b [(i64, i64)],
}

impl BatchSpan<'_> {
    /// Returns the windows that the batch covers, or that its unread lines may be in.
    #[must_use]
    pub fn windows(&self) -> TimeWindows {
        if self.state == BatchState::Sealed && !self.has_rejected { self.covered() } else { self.possible() }
    }

    /// Returns the stretches of its records that are before the window of its name, and the start of that: they came later than
    /// the batches that are named for their time. `None` if there are none.
    #[must_use]
    pub fn late(&self) -> Option<(TimeWindows, i64)> {
        let held = self.held();
        let (start, _) = self.named_for(&held).filter(|_| self.state == BatchState::Sealed)?;
        let early = held.into_iter().filter(|(first, _)| *first < start);
        let late: TimeWindows = early.map(|(first, last)| (first, (last + 1).min(start))).collect();
        (!late.is_empty()).then_some((late, start))
    }

    /// Returns when what it holds began, a late record or two left aside: the start of the window of its name, or of the last
    /// stretch of its records.
    #[must_use]
    pub fn begun_ms(&self) -> Option<i64> {
        let held = self.held();
        let named = self.named_for(&held).map(|(start, _)| start);
        named.or_else(|| held.last().map(|(first, _)| *first))
    }

    /// Returns the window that its name spans. The name of an upload spans none: it says when it came.
    fn named(&self) -> Option<(i64, i64)> {
        batch_times(self.key).filter(|(start, end)| start < end)
    }

    /// Returns the stretches of its records.
    fn held(&self) -> TimeWindows {
        if self.stretches.is_empty() { self.records.into_iter().collect() } else { self.stretches.to_vec() }
    }

    /// Returns the window that its name spans, if these stretches of its records bear that out.
    fn named_for(&self, held: &[(i64, i64)]) -> Option<(i64, i64)> {
        let (start, end) = self.named()?;
        let is_short = end - start <= BATCH_NAME_MS;
        // Up to an hour off, a short name is believed.
        let margin_ms = if is_short { BACKFILL_LATE_MS } else { 0 };
        let is_near = |(first, last): &(i64, i64)| *last >= start - margin_ms && *first <= end + margin_ms;
        let is_borne_out = held.iter().any(is_near) || is_short && held.is_empty();
        is_borne_out.then_some((start, end))
    }

    /// Returns the windows that the batch covers, all of whose lines are records.
    fn covered(&self) -> TimeWindows {
        let held = self.held();
        match self.named_for(&held) {
            None => held,
            Some((start, end)) if end - start <= BATCH_NAME_MS => vec![(start, end)],
            Some((start, end)) => {
                let cut = held.into_iter().map(|(first, last)| (first.max(start), last.min(end)));
                cut.filter(|(first, last)| first <= last).collect()
            }
        }
    }

    /// Returns the windows that its unread lines may be in.
    fn possible(&self) -> TimeWindows {
        let is_sealed = self.state == BatchState::Sealed;
        let named = self.named();
        let length = named.map_or(COVERAGE_JOIN_MS, |(start, end)| end - start);
        // The first records of an unsealed batch say where it begins.
        let records =
            self.records.map(|(first, last)| (first, if is_sealed { last } else { last.max(first + length) }));
        let Some((start, end)) = named else {
            let arrived = || (self.uploaded_ms, self.uploaded_ms + length);
            return records.or_else(|| (!is_sealed).then(arrived)).into_iter().collect();
        };
        let (earliest, latest) = (start - BACKFILL_LATE_MS, end + BACKFILL_LATE_MS);
        match records {
            Some(records) if records.0 < earliest || records.1 > latest => vec![(start, end), records],
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

/// Returns the parts of the windows, which are merged, that none of the others covers, which are merged, too.
#[must_use]
pub fn windows_without(windows: &[(i64, i64)], others: &[(i64, i64)]) -> TimeWindows {
    let parts = windows.iter().flat_map(|(from, to)| {
        let first = others.partition_point(|(_, end)| end <= from);
        let meeting: TimeWindows = others.iter().skip(first).take_while(|(start, _)| start < to).copied().collect();
        gaps_between(&meeting, *from, *to)
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::{BatchSpan, TimeWindows, gaps_between, join_windows, merge_windows, windows_without};
    use crate::ledger::BatchState;
    use crate::limits::{BACKFILL_LATE_MS, BATCH_NAME_MS};

    /// 2026-03-28T08:00:00Z.
    const HOUR: i64 = 1_774_684_800_000;
    const MINUTE: i64 = 60_000;

    /// The windows of a sealed batch without rejected lines, and those of its late records, from the hour.
    fn of(name: &str, stretches: &[(i64, i64)]) -> (TimeWindows, TimeWindows) {
        let at: TimeWindows = stretches.iter().map(|(first, last)| (HOUR + first, HOUR + last)).collect();
        let records = at.first().zip(at.last()).map(|(first, last)| (first.0, last.1));
        let key = format!("logs/http_requests/20260328/{name}_a.log.gz");
        let several = if at.len() > 1 { at.as_slice() } else { &[] };
        let span = BatchSpan {
            key: &key,
            uploaded_ms: HOUR + 9,
            state: BatchState::Sealed,
            has_rejected: false,
            records,
            stretches: several,
        };
        let from_hour = |windows: TimeWindows| windows.iter().map(|(start, end)| (start - HOUR, end - HOUR)).collect();
        (from_hour(span.windows()), span.late().map_or_else(Vec::new, |(late, _)| from_hour(late)))
    }

    #[test]
    fn batch_covers_what_it_was_named_for() {
        let name = "20260328T080000Z_20260328T080030Z";
        let own = (2_000, 29_000);
        let eight = -8 * MINUTE;
        for (stretches, covered, late) in [
            (vec![own], vec![(0, 30_000)], vec![]),
            (vec![], vec![(0, 30_000)], vec![]),
            // Late records in one stretch with the others, and apart.
            (vec![(eight, 29_000)], vec![(0, 30_000)], vec![(eight, 0)]),
            (vec![(-40 * MINUTE, -40 * MINUTE), own], vec![(0, 30_000)], vec![(-40 * MINUTE, 1 - 40 * MINUTE)]),
            (vec![(-300 * MINUTE, -299 * MINUTE), own], vec![(0, 30_000)], vec![(-300 * MINUTE, 1 - 299 * MINUTE)]),
            // Late records alone say nothing of their own time.
            (vec![(eight, eight)], vec![(0, 30_000)], vec![(eight, eight + 1)]),
            // Records that are all elsewhere: nothing happened in between.
            (vec![(120 * MINUTE, 121 * MINUTE)], vec![(120 * MINUTE, 121 * MINUTE)], vec![]),
            (
                vec![(-900 * MINUTE, -899 * MINUTE), (700 * MINUTE, 700 * MINUTE)],
                vec![(-900 * MINUTE, -899 * MINUTE), (700 * MINUTE, 700 * MINUTE)],
                vec![],
            ),
            (
                vec![(-BACKFILL_LATE_MS, -BACKFILL_LATE_MS)],
                vec![(0, 30_000)],
                vec![(-BACKFILL_LATE_MS, 1 - BACKFILL_LATE_MS)],
            ),
        ] {
            assert_eq!(of(name, &stretches), (covered, late), "{stretches:?}");
        }
    }

    #[test]
    fn long_or_missing_names_cover_their_records() {
        let day = "20260328T000000Z_20260329T000000Z";
        let (early, stray, own) = ((-700 * MINUTE, -690 * MINUTE), (300 * MINUTE, 300 * MINUTE), (0, 30 * MINUTE));
        assert_eq!(of(day, &[own]).0, [own]);
        assert_eq!(of(day, &[]).0, []);
        assert_eq!(of(day, &[early, own, stray]).0, [own, stray], "what is before the day was not named");
        assert_eq!(of(day, &[(-500 * MINUTE, 5)]).0, [(-480 * MINUTE, 5)]);
        assert_eq!(of(day, &[early]).0, [early], "a renamed file");
        for name in ["by-hand", "20260328T080000Z_20260328T080000Z"] {
            assert_eq!(of(name, &[early, own]), (vec![early, own], vec![]), "{name}");
        }
        let ten = "20260328T080000Z_20260328T081000Z";
        assert_eq!(of(ten, &[(5, 9)]).0, [(0, BATCH_NAME_MS)]);
        let more = "20260328T080000Z_20260328T081001Z";
        assert_eq!(of(more, &[(5, 9)]).0, [(5, 9)]);
    }

    proptest! {
        #[test]
        fn windows_without_others_are_the_rest(
            some in vec((0..60_i64, 0..9_i64), 0..9),
            others in vec((0..60_i64, 0..9_i64), 0..9),
        ) {
            let seconds = |list: &[(i64, i64)]| {
                merge_windows(list.iter().map(|(from, length)| (from * 2_000, (from + length) * 2_000)).collect())
            };
            let (some, others) = (seconds(&some), seconds(&others));
            let rest = windows_without(&some, &others);
            let within = |windows: &[(i64, i64)], at: i64| windows.iter().any(|(from, to)| *from <= at && at < *to);
            for at in (0..140_000).step_by(500) {
                prop_assert_eq!(within(&rest, at), within(&some, at) && !within(&others, at), "{}", at);
            }
        }
    }

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
