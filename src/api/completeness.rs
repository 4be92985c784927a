//! The reasons why an answer about a time range may lack records, derived from what is known of the batches of that
//! time.
//!
//! # Invariants
//! A caller gets no reason that stems from batches that do not exist for them. An answer without reasons has the records
//! of every batch that the sweep or an event has found.

use std::ops::Range;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use crate::access::Visibility;
use crate::backend::CallError;
use crate::ledger::LedgerHour;
use crate::ledger::completeness::{FindMissing, MissingLines};
use crate::ledger::hours::keep_hours;
use crate::ledger::ids::REGISTRY;
use crate::ledger::layout_doubts::LayoutDoubt;
use crate::ledger::registry::{FindLedgers, LedgerNames};
use crate::limits::{BACKFILL_LATE_MS, BACKFILL_SKEW_MS, COMPLETENESS_HOURS, CONCURRENT_CALLS};
use crate::record::Dataset;
use crate::rpc::{self, Call};
use crate::services::Services;

/// A reason why records may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct MissingReason {
    /// `ends_after_now`, `not_swept`, `open_batches`, `quarantined_batches`, `rejected_lines`, `not_checked`.
    pub(crate) code: &'static str,
    /// Number of affected batches or lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) count: Option<u64>,
}

impl MissingReason {
    const fn new(code: &'static str) -> Self {
        Self { code, count: None }
    }

    /// Returns whether records are missing for certain, and not only perhaps.
    pub(crate) const fn is_certain(&self) -> bool {
        self.count.is_some()
    }

    fn counted(code: &'static str, count: u64) -> Option<Self> {
        (count > 0).then_some(Self { code, count: Some(count) })
    }
}

/// Finds the reasons why records of a range may be missing, in Unix milliseconds.
///
/// # Errors
/// [`CallError`] if a ledger cannot be reached.
pub(crate) async fn find_missing_reasons(
    services: &impl Services,
    (dataset, visibility): (Dataset, Visibility),
    range: Range<i64>,
) -> Result<Vec<MissingReason>, CallError> {
    if !visibility.has_batches() {
        return Ok(Vec::new());
    }
    let now_ms = services.now_ms();
    let mut reasons = Vec::new();
    if range.end > now_ms {
        reasons.push(MissingReason::new("ends_after_now"));
    }
    let ledgers = RangeLedgers::find(services, services.now_ms(), &range, None).await?;
    let RangeLedgers { swept_ms, is_whole, .. } = ledgers;
    let only_own = !visibility.has_totals();
    let call = FindMissing { dataset, start_ms: range.start, end_ms: range.end, only_own };
    let missing = ledgers.sum(services, &call, MissingLines::add).await?;
    if swept_ms.is_some_and(|swept_ms| swept_ms < range.end.min(now_ms)) {
        reasons.push(MissingReason::new("not_swept"));
    }
    let MissingLines { open_batches, quarantined_batches, rejected_lines } = missing;
    reasons.extend(MissingReason::counted("open_batches", open_batches));
    reasons.extend(MissingReason::counted("quarantined_batches", quarantined_batches));
    reasons.extend(MissingReason::counted("rejected_lines", rejected_lines));
    if !is_whole {
        reasons.push(MissingReason::new("not_checked"));
    }
    Ok(reasons)
}

/// The ledgers whose batches may hold records of a range.
pub(crate) struct RangeLedgers {
    names: Vec<String>,
    /// Unix milliseconds up to which the sweep has looked for objects.
    swept_ms: Option<i64>,
    /// Unix milliseconds until which every object was written that the last sweep found finished.
    pub(super) finished_ms: Option<i64>,
    /// Whether these are all of them.
    pub(crate) is_whole: bool,
    /// Why the time of the ray that was asked about is in doubt, if it is.
    pub(super) doubt: Option<LayoutDoubt>,
}

impl RangeLedgers {
    /// Asks the registry, which keeps the names. If the range begins with the time of a ray, `ray_of` is its dataset.
    ///
    /// # Errors
    /// [`CallError`] if it cannot be reached.
    pub(crate) async fn find(
        services: &impl Services,
        now_ms: i64,
        range: &Range<i64>,
        ray_of: Option<Dataset>,
    ) -> Result<Self, CallError> {
        let call = FindLedgers { ray_of, ..ledgers_of_range(now_ms, range) };
        let LedgerNames { mut names, swept_ms, finished_ms, doubt } =
            rpc::call_held(services.ledgers(), services.memory(), REGISTRY, &call).await?.into_parts().0;
        let is_whole = keep_hours(&mut names, COMPLETENESS_HOURS);
        Ok(Self { names, swept_ms, finished_ms, is_whole, doubt })
    }

    /// Asks each of them, and adds up their answers.
    ///
    /// # Errors
    /// [`CallError`] if one cannot be reached.
    pub(crate) async fn sum<C: Call<Answer: Default>>(
        &self,
        services: &impl Services,
        call: &C,
        add: impl Fn(&mut C::Answer, C::Answer),
    ) -> Result<C::Answer, CallError> {
        stream::iter(&self.names)
            .map(async |name: &String| rpc::call_held(services.ledgers(), services.memory(), name, call).await)
            .buffered(CONCURRENT_CALLS)
            .try_fold(C::Answer::default(), async |mut sum, one| {
                add(&mut sum, one.into_parts().0);
                Ok(sum)
            })
            .await
    }
}

/// Returns the call that asks the registry for the ledgers whose batches may hold records of a range, and for those of one hour
/// more than may be asked.
pub(super) fn ledgers_of_range(now_ms: i64, range: &Range<i64>) -> FindLedgers {
    // The ledger of a batch is that of the hour in which it begins.
    let hour = |ms: i64| LedgerHour::of_time(ms).first_ledger().to_owned();
    let latest = now_ms.saturating_add(BACKFILL_LATE_MS);
    FindLedgers {
        first: hour(range.start.saturating_sub(BACKFILL_SKEW_MS + BACKFILL_LATE_MS).clamp(0, latest)),
        last: hour(range.end.saturating_add(BACKFILL_LATE_MS).clamp(0, latest)),
        start_ms: range.start,
        end_ms: range.end,
        limit: COMPLETENESS_HOURS + 1,
        ray_of: None,
    }
}
