//! `GET /v1/stats`: the sums of all ledgers, and the reasons why payloads wait.
//!
//! # Invariants
//! Every count is present, even if it is zero. Each ledger is checked individually, so the alarm is raised even if the
//! errors of two ledgers cancel each other in the sum.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::ledgers::{LedgerCounts, ask_ledger, call_ledger, newest_ledgers};
use super::views::{DeliveryHealthResponse, LayoutDoubtResponse, with_all_states};
use crate::config::Config;
use crate::http::{HttpRequest, Problem, Reply};
use crate::ledger::books::LedgerTotals;
use crate::ledger::calls::{GetTotals, LedgerReport};
use crate::ledger::edge_sums::EdgeTotals;
use crate::ledger::freshness::Freshness;
use crate::ledger::health::DeliveryHealth;
use crate::ledger::ids::PARTNER;
use crate::ledger::inflated_sizes::InflatedSizes;
use crate::ledger::layout_doubts::LayoutDoubt;
use crate::ledger::partner::GetPartner;
use crate::ledger::self_check::SelfCheckReport;
use crate::limits::{CONCURRENT_CALLS, HOURS_READ};
use crate::record::Dataset;
use crate::services::Services;
use crate::time::rfc3339;

/// The alarm for lines without a known outcome.
const UNACCOUNTED_ALARM: &str = "unaccounted";

#[derive(Serialize)]
struct StatsResponse {
    #[serde(flatten)]
    books: LedgerTotals,
    delivery: DeliveryHealthResponse,
    freshness: FreshnessResponse,
    edge: EdgeTotals,
    /// The datasets whose rays have other times than their records at present.
    layout_doubts: Vec<LayoutDoubtResponse>,
    ledgers: LedgerCounts,
    dead_letters: u64,
    /// Number of events that required no work, by reason.
    ignored_events: BTreeMap<String, u64>,
    /// Since when objects are delivered; null if nothing was ever to be delivered.
    first_start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alarm: Option<&'static str>,
}

/// How fresh the partner's lines are.
#[derive(Serialize)]
struct FreshnessResponse {
    /// The time of the oldest line that waits or is being sent; null if there is none.
    oldest_pending_line_at: Option<String>,
    lag: LagResponse,
}

/// How long lines took from their request to their delivery, at most.
#[derive(Serialize)]
struct LagResponse {
    lines: u64,
    p50_s: Option<u32>,
    p99_s: Option<u32>,
}

impl From<&Freshness> for FreshnessResponse {
    fn from(freshness: &Freshness) -> Self {
        let [p50_s, p99_s] = [50, 99].map(|share| freshness.lags.within_s(share));
        let lag = LagResponse { lines: freshness.lags.sum(), p50_s, p99_s };
        Self { oldest_pending_line_at: freshness.oldest_line_ms.map(rfc3339), lag }
    }
}

/// Answers with the sums of the newest ledgers, at most `ledgers`.
pub(crate) async fn get_stats<Y>(
    config: &Config,
    services: &impl Services,
    request: &HttpRequest<Y>,
) -> Result<Reply, Problem> {
    let most = request.number_parameter("ledgers", HOURS_READ, HOURS_READ)?;
    let books = sum_books(config, services, most).await?;
    let delivery = DeliveryHealthResponse::new(books.delivery, config.delivery.is_some());
    let answer = StatsResponse {
        books: books.totals,
        delivery: delivery.with_faults(&config.delivery_faults),
        freshness: FreshnessResponse::from(&books.freshness),
        edge: books.edge,
        layout_doubts: books.layout_doubts.iter().map(LayoutDoubtResponse::from).collect(),
        ledgers: books.ledgers,
        dead_letters: books.dead_letters,
        ignored_events: books.ignored_events,
        first_start: books.first_start_ms.map(rfc3339),
        alarm: (!books.balanced).then_some(UNACCOUNTED_ALARM),
    };
    Ok(Reply::json(services.memory(), &answer)?)
}

/// The sums of several ledgers.
pub(crate) struct SummedBooks {
    pub(crate) totals: LedgerTotals,
    pub(crate) delivery: DeliveryHealth,
    pub(crate) freshness: Freshness,
    /// What the isolates of the edge logger counted.
    pub(crate) edge: EdgeTotals,
    /// How much text sealed batches hold.
    pub(crate) inflated: InflatedSizes,
    pub(crate) ledgers: LedgerCounts,
    /// Number of dead letters that were neither redriven nor dismissed.
    pub(crate) dead_letters: u64,
    /// Number of events that required no work, by reason.
    pub(crate) ignored_events: BTreeMap<String, u64>,
    /// The datasets whose rays have other times than their records at present.
    pub(crate) layout_doubts: Vec<LayoutDoubt>,
    /// Unix milliseconds of the first start.
    pub(crate) first_start_ms: Option<i64>,
    /// What the deployment found when it last checked itself.
    pub(crate) self_check: Option<SelfCheckReport>,
    /// Whether every ledger balances.
    pub(crate) balanced: bool,
}

/// Reads and sums the newest ledgers, at most `most`, and asks the partner's breaker.
pub(crate) async fn sum_books(config: &Config, services: &impl Services, most: u64) -> Result<SummedBooks, Problem> {
    let ledgers = newest_ledgers(services, most).await?;
    let read = ledgers.names.len() as u64;
    let (sum, balanced) = stream::iter(&ledgers.names)
        .map(async |name: &String| call_ledger(services, name, &GetTotals {}).await)
        .buffered(CONCURRENT_CALLS)
        .try_fold((LedgerReport::default(), true), async |(mut sum, balanced), report| {
            let (report, _held) = report.into_parts();
            let balanced = balanced && report.totals.lines.unaccounted == 0;
            sum.add(report);
            Ok((sum, balanced))
        })
        .await?;
    let LedgerReport { totals, mut delivery, freshness, edge, inflated } = sum;
    if let Some(settings) = &config.delivery {
        let get = GetPartner { fingerprint: settings.fingerprint() };
        delivery.set_breaker(ask_ledger(services, PARTNER, &get).await?);
    }
    Ok(SummedBooks {
        totals: with_all_datasets(with_all_states(totals)),
        delivery,
        freshness,
        edge,
        inflated,
        ledgers: LedgerCounts { scanned: read, total: ledgers.total },
        dead_letters: ledgers.dead_letters,
        ignored_events: ledgers.ignored_events.clone(),
        layout_doubts: ledgers.doubts.clone(),
        first_start_ms: ledgers.first_start_ms,
        self_check: ledgers.self_check.clone(),
        balanced,
    })
}

/// Adds zeros for every dataset whose rays the totals lack.
fn with_all_datasets(mut totals: LedgerTotals) -> LedgerTotals {
    for dataset in Dataset::WITH_RAY {
        totals.ray_times.entry(dataset.name().into()).or_default();
    }
    totals
}
