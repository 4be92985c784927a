//! `GET /v1/stats`: the books of all ledgers, added up.
//!
//! What always holds: every count is there, zeroes too; books that do not balance raise the alarm, also where the
//! errors of two ledgers would cancel each other.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::ledgers::{LedgerCounts, call_ledger, newest_ledgers};
use super::views::with_all_states;
use crate::http::{HttpRequest, Problem, Reply};
use crate::ledger::books::LedgerTotals;
use crate::ledger::calls::GetTotals;
use crate::limits::{CONCURRENT_CALLS, LEDGERS_READ};
use crate::services::Services;

/// The alarm: lines came in of which nobody knows what became.
const UNACCOUNTED_ALARM: &str = "unaccounted";

/// The answer.
#[derive(Serialize)]
struct StatsResponse {
    #[serde(flatten)]
    books: LedgerTotals,
    ledgers: LedgerCounts,
    dead_letters: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    alarm: Option<&'static str>,
}

/// Adds up the books.
pub(crate) async fn get_stats<Y>(services: &impl Services, request: &HttpRequest<Y>) -> Result<Reply, Problem> {
    let most = request.number_parameter("ledgers", LEDGERS_READ, LEDGERS_READ)?;
    let SummedBooks { totals, ledgers, dead_letters, balanced } = sum_books(services, most).await?;
    let alarm = (!balanced).then_some(UNACCOUNTED_ALARM);
    Ok(Reply::json(&StatsResponse { books: totals, ledgers, dead_letters, alarm }))
}

/// The books of several ledgers.
pub(crate) struct SummedBooks {
    /// Their sums.
    pub(crate) totals: LedgerTotals,
    /// How many were read.
    pub(crate) ledgers: LedgerCounts,
    /// Dead letters that nobody has put back.
    pub(crate) dead_letters: u64,
    /// Whether each of them balances.
    pub(crate) balanced: bool,
}

/// Adds up the books of the latest ledgers, at most `most`.
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
