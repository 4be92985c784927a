//! `GET /v1/stats`: the sums of all ledgers, and the reasons why payloads wait.
//!
//! # Invariants
//! Every count is present, even if it is zero. Each ledger is checked individually, so the alarm is raised even if the
//! errors of two ledgers cancel each other in the sum.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::ledgers::{LedgerCounts, call_ledger, newest_ledgers};
use super::views::{DeliveryHealthResponse, with_all_states};
use crate::config::Config;
use crate::http::{HttpRequest, Problem, Reply};
use crate::ledger::books::LedgerTotals;
use crate::ledger::calls::{GetTotals, LedgerReport};
use crate::ledger::health::DeliveryHealth;
use crate::limits::{CONCURRENT_CALLS, LEDGERS_READ};
use crate::services::Services;

/// The alarm for lines without a known outcome.
const UNACCOUNTED_ALARM: &str = "unaccounted";

#[derive(Serialize)]
struct StatsResponse {
    #[serde(flatten)]
    books: LedgerTotals,
    delivery: DeliveryHealthResponse,
    ledgers: LedgerCounts,
    dead_letters: u64,
    /// Number of events that required no work, by reason.
    ignored_events: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alarm: Option<&'static str>,
}

/// Answers with the sums of the newest ledgers, at most `ledgers`.
pub(crate) async fn get_stats<Y>(
    config: &Config,
    services: &impl Services,
    request: &HttpRequest<Y>,
) -> Result<Reply, Problem> {
    let most = request.number_parameter("ledgers", LEDGERS_READ, LEDGERS_READ)?;
    let SummedBooks { totals, delivery, ledgers, dead_letters, ignored_events, balanced } =
        sum_books(services, most).await?;
    let alarm = (!balanced).then_some(UNACCOUNTED_ALARM);
    let delivery = DeliveryHealthResponse::new(delivery, config.delivery.is_some());
    Ok(Reply::json(&StatsResponse { books: totals, delivery, ledgers, dead_letters, ignored_events, alarm }))
}

/// The sums of several ledgers.
pub(crate) struct SummedBooks {
    pub(crate) totals: LedgerTotals,
    pub(crate) delivery: DeliveryHealth,
    pub(crate) ledgers: LedgerCounts,
    /// Number of dead letters that were not redriven.
    pub(crate) dead_letters: u64,
    /// Number of events that required no work, by reason.
    pub(crate) ignored_events: BTreeMap<String, u64>,
    /// Whether every ledger balances.
    pub(crate) balanced: bool,
}

/// Reads and sums the newest ledgers, at most `most`.
pub(crate) async fn sum_books(services: &impl Services, most: u64) -> Result<SummedBooks, Problem> {
    let ledgers = newest_ledgers(services, most).await?;
    let read = ledgers.names.len() as u64;
    let empty = (LedgerTotals::default(), DeliveryHealth::default(), true);
    let (totals, delivery, balanced) = stream::iter(ledgers.names)
        .map(async |name| call_ledger(services, &name, &GetTotals {}).await)
        .buffered(CONCURRENT_CALLS)
        .try_fold(empty, async |(mut sum, mut health, balance), LedgerReport { totals, delivery }| {
            let balance = balance && totals.lines.unaccounted == 0;
            sum.add(totals);
            health.add(delivery);
            Ok((sum, health, balance))
        })
        .await?;
    Ok(SummedBooks {
        totals: with_all_states(totals),
        delivery,
        ledgers: LedgerCounts { scanned: read, total: ledgers.total },
        dead_letters: ledgers.dead_letters,
        ignored_events: ledgers.ignored_events,
        balanced,
    })
}
