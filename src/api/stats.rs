//! `GET /v1/stats`: the sums of all ledgers.
//!
//! # Invariants
//! Every count is present, zeroes too. Each ledger is checked for itself, so the alarm is raised even if the errors of
//! two ledgers cancel each other in the sum.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::ledgers::{LedgerCounts, call_ledger, newest_ledgers};
use super::views::with_all_states;
use crate::http::{HttpRequest, Problem, Reply};
use crate::ledger::books::LedgerTotals;
use crate::ledger::calls::GetTotals;
use crate::limits::{CONCURRENT_CALLS, LEDGERS_READ};
use crate::services::Services;

/// The alarm for lines that came in without a known outcome.
const UNACCOUNTED_ALARM: &str = "unaccounted";

#[derive(Serialize)]
struct StatsResponse {
    #[serde(flatten)]
    books: LedgerTotals,
    ledgers: LedgerCounts,
    dead_letters: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    alarm: Option<&'static str>,
}

/// Answers with the sums of the newest ledgers, at most `ledgers` of them.
pub(crate) async fn get_stats<Y>(services: &impl Services, request: &HttpRequest<Y>) -> Result<Reply, Problem> {
    let most = request.number_parameter("ledgers", LEDGERS_READ, LEDGERS_READ)?;
    let SummedBooks { totals, ledgers, dead_letters, balanced } = sum_books(services, most).await?;
    let alarm = (!balanced).then_some(UNACCOUNTED_ALARM);
    Ok(Reply::json(&StatsResponse { books: totals, ledgers, dead_letters, alarm }))
}

/// The sums of several ledgers.
pub(crate) struct SummedBooks {
    pub(crate) totals: LedgerTotals,
    pub(crate) ledgers: LedgerCounts,
    /// Dead letters that are not redriven.
    pub(crate) dead_letters: u64,
    /// Whether every ledger balances.
    pub(crate) balanced: bool,
}

/// Reads and sums the newest ledgers, at most `most`.
pub(crate) async fn sum_books(services: &impl Services, most: u64) -> Result<SummedBooks, Problem> {
    let ledgers = newest_ledgers(services, most).await?;
    let read = ledgers.names.len() as u64;
    let (totals, balanced) = stream::iter(ledgers.names)
        .map(async |name| call_ledger(services, &name, &GetTotals {}).await)
        .buffered(CONCURRENT_CALLS)
        .try_fold((LedgerTotals::default(), true), async |(mut sum, balance), one| {
            let balance = balance && one.lines.unaccounted == 0;
            sum.add(one);
            Ok((sum, balance))
        })
        .await?;
    Ok(SummedBooks {
        totals: with_all_states(totals),
        ledgers: LedgerCounts { scanned: read, total: ledgers.total },
        dead_letters: ledgers.dead_letters,
        balanced,
    })
}
