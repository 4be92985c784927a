//! `GET /v1/stats`: the books of all ledgers, added up.
//!
//! What always holds: every count is there, zeroes too; books that do not balance raise the alarm, also where the
//! errors of two ledgers would cancel each other.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::ledgers::{LedgersRead, ask, newest};
use super::views::whole;
use crate::http::{Problem, Reply, Request};
use crate::ledger::books::LedgerTotals;
use crate::ledger::calls::GetTotals;
use crate::limits::{CONCURRENT_CALLS, LEDGERS_READ};
use crate::services::Services;

/// The alarm: lines came in of which nobody knows what became.
const UNACCOUNTED: &str = "unaccounted";

/// The answer.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    books: LedgerTotals,
    ledgers: LedgersRead,
    dead_letters: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    alarm: Option<&'static str>,
}

/// Adds up the books.
pub(crate) async fn answer<Y>(world: &impl Services, request: &Request<Y>) -> Result<Reply, Problem> {
    let most = request.number("ledgers", LEDGERS_READ, LEDGERS_READ)?;
    let Books { totals, ledgers, dead_letters, balanced } = books(world, most).await?;
    let alarm = (!balanced).then_some(UNACCOUNTED);
    Ok(Reply::json(&Answer { books: totals, ledgers, dead_letters, alarm }))
}

/// The books of several ledgers.
pub(crate) struct Books {
    /// Their sums.
    pub(crate) totals: LedgerTotals,
    /// How many were read.
    pub(crate) ledgers: LedgersRead,
    /// Dead letters that nobody has put back.
    pub(crate) dead_letters: u64,
    /// Whether each of them balances.
    pub(crate) balanced: bool,
}

/// Adds up the books of the latest ledgers, at most `most`.
pub(crate) async fn books(world: &impl Services, most: u64) -> Result<Books, Problem> {
    let ledgers = newest(world, most).await?;
    let read = ledgers.names.len() as u64;
    let (totals, balanced) = stream::iter(ledgers.names)
        .map(async |name| ask(world, &name, &GetTotals {}).await)
        .buffered(CONCURRENT_CALLS)
        .try_fold((LedgerTotals::default(), true), async |(mut sum, balance), one| {
            let balance = balance && one.lines.unaccounted == 0;
            sum.add(one);
            Ok((sum, balance))
        })
        .await?;
    Ok(Books {
        totals: whole(totals),
        ledgers: LedgersRead { scanned: read, total: ledgers.total },
        dead_letters: ledgers.dead_letters,
        balanced,
    })
}
