//! `GET /v1/coverage`: the complete, pending and quarantined windows of a time range, and its gaps.
//!
//! Which time a batch covers is a matter of what it was named for and of what it holds: [`crate::ledger::windows`] has the
//! rule. A gap does not mean that data was lost: a site without traffic has gaps too. A complete window may have got records
//! later, in batches that are named for a later time: `late` says where, and by how much.
//!
//! # Invariants
//! Only time covered by a sealed batch without rejected lines, and by no other batch, is shown as complete. The windows of each
//! kind are sorted, disjoint and not adjacent.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Serialize, Serializer};

use super::batches::next_page;
use super::completeness::ledgers_of_range;
use super::ledgers::{ask_ledger, call_ledger, ledgers_of_hour};
use super::time_range::parse_range;
use crate::access::{Caller, Visibility};
use crate::bucket_keys::{KeyClass, classify};
use crate::config::Config;
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::ledger::books::BatchSummary;
use crate::ledger::calls::ListBatches;
use crate::ledger::hours::keep_hours;
use crate::ledger::ids::REGISTRY;
use crate::ledger::sweep_round::GetSweepRound;
use crate::ledger::windows::{BatchSpan, TimeWindows, gaps_between, join_windows, merge_windows, windows_without};
use crate::ledger::{BatchState, LedgerHour};
use crate::limits::{
    BATCHES_PAGE, COMPLETENESS_HOURS, CONCURRENT_CALLS, COVERAGE_BATCHES, COVERAGE_MS, HOUR_MS, WINDOW_BYTES,
};
use crate::memory::Reservation;
use crate::record::Dataset;
use crate::services::Services;
use crate::time::rfc3339;

#[derive(Serialize)]
struct CoverageResponse {
    start: String,
    end: String,
    dataset: &'static str,
    /// Windows covered by sealed batches without rejected lines, and by no other batches.
    complete: ShownWindows,
    /// Windows of batches that are known but not yet sealed.
    pending: ShownWindows,
    /// Windows of quarantined batches; `GET /v1/batches?state=quarantined` has the reasons.
    quarantined: ShownWindows,
    /// Windows of sealed batches with rejected lines.
    damaged: ShownWindows,
    /// Windows without a known batch.
    gaps: ShownWindows,
    /// Where records are that came in sealed batches named for a later time.
    late: ShownWindows,
    batches: u64,
    open_batches: u64,
    quarantined_batches: u64,
    /// Lines that are not records, in the batches of `damaged`.
    rejected_lines: u64,
    /// Sealed batches with records from before the window of their name.
    late_batches: u64,
    /// Maximum time by which such a record is before that window, in seconds.
    late_by_s: i64,
    /// Whether an hour has more batches, or the range more ledgers, than one answer reads, so that windows may be missing.
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

/// Windows that are written one after the other.
struct ShownWindows(TimeWindows);

impl Serialize for ShownWindows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer
            .collect_seq(self.0.iter().map(|(start, end)| TimeWindow { start: rfc3339(*start), end: rfc3339(*end) }))
    }
}

/// The windows of the batches of the range, by state.
#[derive(Default)]
struct BatchWindows {
    complete: TimeWindows,
    pending: TimeWindows,
    quarantined: TimeWindows,
    damaged: TimeWindows,
    late: TimeWindows,
    counts: BatchCounts,
    truncated: bool,
}

/// The batches of the range, by kind.
#[derive(Debug, Clone, Copy, Default)]
struct BatchCounts {
    all: u64,
    open: u64,
    quarantined: u64,
    rejected_lines: u64,
    late: u64,
    late_by_ms: i64,
}

/// Answers with the windows of the range `start` to `end`.
pub(crate) async fn get_coverage<B>(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    request: &HttpRequest<B>,
) -> Result<Reply, Problem> {
    let dataset = super::record_view::parse_dataset(request)?;
    if !caller.may_dataset(dataset) {
        return Err(problems::other_dataset());
    }
    let now = services.now_ms();
    let range = parse_range(request, now)?;
    let (start, end) = (range.start_ms(), range.end_ms().min(now).max(range.start_ms()));
    if end - start > COVERAGE_MS {
        return Err(problems::range_too_long(COVERAGE_MS));
    }
    let round = ask_ledger(services, REGISTRY, &GetSweepRound {}).await?.round;
    let (seen, _held) = collect_windows(config, services, (dataset, caller.visibility()), start..=end).await?;
    let joined = |windows: &TimeWindows| join_windows(windows, start, end);
    let (pending, quarantined, damaged) = (joined(&seen.pending), joined(&seen.quarantined), joined(&seen.damaged));
    let late = joined(&seen.late);
    let uncertain = [&seen.pending[..], &seen.quarantined, &seen.damaged].concat();
    let any = [&seen.complete[..], &uncertain].concat();
    let complete = windows_without(&joined(&seen.complete), &joined(&uncertain));
    let gaps = gaps_between(&joined(&any), start, end);
    let BatchCounts { all, open, quarantined: quarantined_batches, rejected_lines, late: late_batches, late_by_ms } =
        seen.counts;
    let answer = CoverageResponse {
        start: rfc3339(start),
        end: rfc3339(end),
        dataset: dataset.name(),
        complete: ShownWindows(complete),
        pending: ShownWindows(pending),
        quarantined: ShownWindows(quarantined),
        damaged: ShownWindows(damaged),
        gaps: ShownWindows(gaps),
        late: ShownWindows(late),
        batches: all,
        open_batches: open,
        quarantined_batches,
        rejected_lines,
        late_batches,
        late_by_s: late_by_ms / 1_000,
        truncated: seen.truncated,
        listed_until: round.as_ref().and_then(|round| round.listed_until_ms).map(rfc3339),
        listing_behind: round.is_some_and(|round| round.is_behind(now)),
    };
    Ok(Reply::json(services.memory(), &answer)?)
}

/// Reads the ledgers of every hour in which a batch of the range can start, and those that the registry knows to have
/// batches of the range, whatever their names say.
async fn collect_windows(
    config: &Config,
    services: &impl Services,
    (dataset, visibility): (Dataset, Visibility),
    range: RangeInclusive<i64>,
) -> Result<(BatchWindows, Reservation), Problem> {
    // Batches that are read as other datasets may hold records of this one, but do not exist for every caller.
    let datasets = (!visibility.has_totals()).then(|| vec![dataset]);
    let first_page = ListBatches { state: None, datasets, limit: BATCHES_PAGE, after: None };
    let (first, last) = (range.start().div_euclid(HOUR_MS) - 1, range.end().div_euclid(HOUR_MS));
    let call = ledgers_of_range(services.now_ms(), &(*range.start()..*range.end()));
    let known = call_ledger(services, REGISTRY, &call).await?;
    let truncated = !keep_hours(&mut known.names.clone(), COMPLETENESS_HOURS);
    let registered: BTreeSet<String> = known.names.iter().cloned().collect();
    let names = stream::iter((first..=last).map(|hour| LedgerHour::of_time(hour * HOUR_MS)))
        .map(async |hour| ledgers_of_hour(services, &hour).await)
        .buffered(CONCURRENT_CALLS)
        .try_fold(registered, async |mut names, ledgers| {
            names.extend(ledgers);
            Ok(names)
        })
        .await?;
    let held = services.memory().reservation();
    let seen = stream::iter(names)
        .map(async |ledger| ledger_windows(config, services, (dataset, &range), (&ledger, &first_page), &held).await)
        .buffered(CONCURRENT_CALLS)
        .try_fold(BatchWindows { truncated, ..BatchWindows::default() }, async |mut seen, found| {
            seen.append(found);
            Ok(seen)
        })
        .await?;
    Ok((seen, held))
}

/// Reads the batches of one ledger, page by page. What touches is merged at once, so that few windows are held.
async fn ledger_windows(
    config: &Config,
    services: &impl Services,
    (dataset, range): (Dataset, &RangeInclusive<i64>),
    (ledger, first): (&str, &ListBatches),
    held: &Reservation,
) -> Result<BatchWindows, Problem> {
    let mut call = first.clone();
    let (mut found, mut read) = (BatchWindows::default(), 0);
    loop {
        let page = call_ledger(services, ledger, &call).await?;
        read += page.batches.len() as u64;
        let most = page.batches.iter().map(most_windows).sum::<usize>();
        held.reserve(WINDOW_BYTES * most)?;
        let before = found.count();
        for batch in &page.batches {
            found.take(config, dataset, batch, range);
        }
        found.merge();
        held.release(WINDOW_BYTES * (most + before).saturating_sub(found.count()));
        match next_page(&page, &call) {
            Some(next) if read < COVERAGE_BATCHES => call = next,
            next => {
                found.truncated = next.is_some();
                return Ok(found);
            }
        }
    }
}

/// Returns the maximum number of windows of a batch: each stretch of its records covers one and may be late, and its name
/// spans another.
fn most_windows(batch: &BatchSummary) -> usize {
    2 * batch.counts.stretches.len().max(1) + 1
}

impl BatchWindows {
    fn kinds(&mut self) -> [&mut TimeWindows; 5] {
        [&mut self.complete, &mut self.pending, &mut self.quarantined, &mut self.damaged, &mut self.late]
    }

    /// Returns the number of windows.
    fn count(&self) -> usize {
        let Self { complete, pending, quarantined, damaged, late, .. } = self;
        [complete, pending, quarantined, damaged, late].map(Vec::len).into_iter().sum()
    }

    /// Adds the windows of another ledger.
    fn append(&mut self, mut other: Self) {
        self.counts.add(other.counts);
        self.truncated |= other.truncated;
        for (windows, others) in self.kinds().into_iter().zip(other.kinds()) {
            windows.append(others);
        }
    }

    /// Merges the windows of each kind that overlap or touch.
    fn merge(&mut self) {
        for windows in self.kinds() {
            *windows = merge_windows(std::mem::take(windows));
        }
    }

    /// Adds the windows of the batch if it may hold records of the dataset and range, and its object still exists.
    fn take(&mut self, config: &Config, dataset: Dataset, batch: &BatchSummary, range: &RangeInclusive<i64>) {
        let is_batch = matches!(classify(&batch.object.key, &config.log_prefix), KeyClass::Batch(_));
        let is_own = batch.dataset == dataset.name();
        let rejected = batch.counts.rejected_lines_for(is_own);
        let possible = &batch.possible_datasets;
        let may_hold = match batch.state {
            BatchState::Sealed => is_own || rejected > 0,
            BatchState::Open | BatchState::Quarantined => possible.is_empty() || possible.contains(&dataset),
        };
        if !is_batch || !may_hold || batch.gone {
            return;
        }
        let span = BatchSpan {
            key: &batch.object.key,
            uploaded_ms: batch.object.uploaded_ms,
            state: batch.state,
            has_rejected: rejected > 0,
            records: batch.times,
            stretches: &batch.counts.stretches,
        };
        let meets = |(start, end): &(i64, i64)| start <= range.end() && end >= range.start();
        if is_own {
            self.take_late(&span, meets);
        }
        let mut found = span.windows();
        found.retain(meets);
        if found.is_empty() {
            return;
        }
        self.counts.all += 1;
        let windows = match batch.state {
            BatchState::Sealed if rejected > 0 => {
                self.counts.rejected_lines += rejected;
                &mut self.damaged
            }
            BatchState::Sealed => &mut self.complete,
            BatchState::Open => {
                self.counts.open += 1;
                &mut self.pending
            }
            BatchState::Quarantined => {
                self.counts.quarantined += 1;
                &mut self.quarantined
            }
        };
        windows.append(&mut found);
    }

    /// Adds the windows of the batch's late records.
    fn take_late(&mut self, span: &BatchSpan<'_>, meets: impl Fn(&(i64, i64)) -> bool) {
        let Some((mut late, start)) = span.late() else { return };
        late.retain(meets);
        let Some(first) = late.iter().map(|(first, _)| *first).min() else { return };
        self.counts.late += 1;
        self.counts.late_by_ms = self.counts.late_by_ms.max(start.saturating_sub(first));
        self.late.append(&mut late);
    }
}

impl BatchCounts {
    /// Adds the batches of another ledger.
    fn add(&mut self, other: Self) {
        let Self { all, open, quarantined, rejected_lines, late, late_by_ms } = other;
        self.all += all;
        self.open += open;
        self.quarantined += quarantined;
        self.rejected_lines += rejected_lines;
        self.late += late;
        self.late_by_ms = self.late_by_ms.max(late_by_ms);
    }
}
