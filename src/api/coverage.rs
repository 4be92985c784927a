//! `GET /v1/coverage`: the complete, pending and quarantined windows of a time range, and its gaps.
//!
//! The window of a batch comes from the name of its object, or from its records if the name spans no time. A gap does
//! not mean that data was lost: a site without traffic has gaps too.
//!
//! # Invariants
//! Only time covered by a sealed batch without rejected lines is shown as complete. The windows of each kind are
//! sorted, disjoint and not adjacent.

use std::ops::RangeInclusive;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::ledgers::call_ledger;
use super::time_range::parse_range;
use crate::bucket_keys::{KeyClass, batch_times, classify};
use crate::config::Config;
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::ledger::BatchState;
use crate::ledger::books::BatchSummary;
use crate::ledger::calls::ListBatches;
use crate::ledger::ids::{REGISTRY, ledger_of};
use crate::ledger::sweep_round::GetSweepRound;
use crate::limits::{CONCURRENT_CALLS, COVERAGE_BATCHES, COVERAGE_JOIN_MS, COVERAGE_MS};
use crate::record::Dataset;
use crate::services::Services;
use crate::time::{rfc3339, stamp};

const HOUR_MS: i64 = 3_600_000;

#[derive(Serialize)]
struct CoverageResponse {
    start: String,
    end: String,
    dataset: &'static str,
    /// Windows covered by sealed batches.
    complete: Vec<TimeWindow>,
    /// Windows of batches that are known but not yet sealed.
    pending: Vec<TimeWindow>,
    /// Windows of quarantined batches; `GET /v1/batches?state=quarantined` has the reasons.
    quarantined: Vec<TimeWindow>,
    /// Windows of sealed batches with rejected lines.
    damaged: Vec<TimeWindow>,
    /// Windows without a known batch.
    gaps: Vec<TimeWindow>,
    batches: u64,
    /// Whether an hour has more batches than one answer reads, so that windows may be missing.
    truncated: bool,
    /// The instant up to which the complete bucket was searched for objects; null before the first such listing.
    listed_until: Option<String>,
    /// Whether that listing takes longer than a day, so that batches whose event was lost may be missing.
    listing_behind: bool,
}

/// A half-open window; both ends are in RFC 3339.
#[derive(Serialize)]
struct TimeWindow {
    start: String,
    end: String,
}

/// Half-open windows in Unix milliseconds.
type TimeWindows = Vec<(i64, i64)>;

/// The windows of the batches of the range, by state.
#[derive(Default)]
struct BatchWindows {
    complete: TimeWindows,
    pending: TimeWindows,
    quarantined: TimeWindows,
    damaged: TimeWindows,
    batches: u64,
    truncated: bool,
}

/// Answers with the windows of the range `start` to `end`.
pub(crate) async fn get_coverage<B>(
    config: &Config,
    services: &impl Services,
    request: &HttpRequest<B>,
) -> Result<Reply, Problem> {
    let dataset = super::record_view::parse_dataset(request)?;
    let now = services.now_ms();
    let range = parse_range(request, now)?;
    let (start, end) = (range.start_ms(), range.end_ms().min(now).max(range.start_ms()));
    if end - start > COVERAGE_MS {
        return Err(problems::range_too_long(COVERAGE_MS));
    }
    let round = call_ledger(services, REGISTRY, &GetSweepRound {}).await?.round;
    let seen = collect_windows(config, services, dataset, start..=end).await?;
    let joined = |windows: &TimeWindows| join_windows(windows, start, end);
    let (complete, pending, quarantined) = (joined(&seen.complete), joined(&seen.pending), joined(&seen.quarantined));
    let damaged = joined(&seen.damaged);
    let any = join_windows(&[seen.complete, seen.pending, seen.quarantined, seen.damaged].concat(), start, end);
    let gaps = gaps_between(&any, start, end);
    let shown =
        |windows: TimeWindows| windows.into_iter().map(|(a, b)| TimeWindow { start: rfc3339(a), end: rfc3339(b) });
    Ok(Reply::json(&CoverageResponse {
        start: rfc3339(start),
        end: rfc3339(end),
        dataset: dataset.name(),
        complete: shown(complete).collect(),
        pending: shown(pending).collect(),
        quarantined: shown(quarantined).collect(),
        damaged: shown(damaged).collect(),
        gaps: shown(gaps).collect(),
        batches: seen.batches,
        truncated: seen.truncated,
        listed_until: round.as_ref().and_then(|round| round.listed_until_ms).map(rfc3339),
        listing_behind: round.is_some_and(|round| round.is_behind(now)),
    }))
}

/// Reads the ledgers of every hour in which a batch of the range can start.
async fn collect_windows(
    config: &Config,
    services: &impl Services,
    dataset: Dataset,
    range: RangeInclusive<i64>,
) -> Result<BatchWindows, Problem> {
    let (first, last) = (range.start().div_euclid(HOUR_MS) - 1, range.end().div_euclid(HOUR_MS));
    let call = ListBatches { state: None, limit: COVERAGE_BATCHES };
    let seen = stream::iter(first..=last)
        .map(async |hour| call_ledger(services, &ledger_of(&stamp(hour * HOUR_MS)), &call).await)
        .buffered(CONCURRENT_CALLS)
        .try_fold(BatchWindows::default(), async |mut seen, answer| {
            seen.truncated |= answer.batches.len() as u64 == COVERAGE_BATCHES;
            for batch in answer.batches {
                seen.take(config, dataset, &batch);
            }
            Ok(seen)
        })
        .await?;
    Ok(seen)
}

impl BatchWindows {
    /// Adds the window of the batch if it may hold records of the dataset and its object still exists.
    fn take(&mut self, config: &Config, dataset: Dataset, batch: &BatchSummary) {
        let is_batch = matches!(classify(&batch.object.key, &config.log_prefix), KeyClass::Batch(_));
        let is_own = batch.dataset == dataset.name();
        let rejected = batch.counts.rejected_lines_for(is_own);
        let possible = &batch.possible_datasets;
        let may_hold = match batch.state {
            BatchState::Sealed => is_own || rejected > 0,
            BatchState::Open | BatchState::Quarantined => possible.is_empty() || possible.contains(&dataset),
        };
        let is_wanted = is_batch && may_hold && !batch.gone;
        // The name of an upload says when it came, so its records say what it covers.
        let named = batch_times(&batch.object.key).filter(|(start, end)| start < end);
        let Some((start, end)) = named.or(batch.times).filter(|_| is_wanted) else { return };
        self.batches += 1;
        let windows = match batch.state {
            BatchState::Sealed if rejected > 0 => &mut self.damaged,
            BatchState::Sealed => &mut self.complete,
            BatchState::Open => &mut self.pending,
            BatchState::Quarantined => &mut self.quarantined,
        };
        windows.push((start, end.max(start)));
    }
}

/// Cuts the windows to the range, sorts them and merges those that overlap or touch.
fn join_windows(windows: &[(i64, i64)], start: i64, end: i64) -> TimeWindows {
    let mut sorted: TimeWindows = windows
        .iter()
        .map(|(a, b)| ((*a).max(start), (*b).min(end)))
        .filter(|(a, b)| a <= b && *a < end && *b >= start)
        .collect();
    sorted.sort_unstable();
    let mut join_windows: TimeWindows = Vec::new();
    for (from, to) in sorted {
        match join_windows.last_mut() {
            Some((_, last)) if from <= *last + COVERAGE_JOIN_MS => *last = to.max(*last),
            _ => join_windows.push((from, to)),
        }
    }
    join_windows.retain(|(from, to)| from < to);
    join_windows
}

/// Returns the parts of the range that no window covers.
fn gaps_between(windows: &[(i64, i64)], start: i64, end: i64) -> TimeWindows {
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
