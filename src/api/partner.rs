//! `POST /v1/partner/try`: tries the partner now, instead of when the breaker's pause is over.

use serde::Serialize;

use super::ledgers::ask_ledger;
use super::views::BreakerResponse;
use crate::config::Config;
use crate::http::{Problem, Reply, problems};
use crate::ledger::breaker::PartnerStanding;
use crate::ledger::ids::PARTNER;
use crate::ledger::partner::TryPartner;
use crate::limits::HEALTH_HOURS;
use crate::pipeline::tell_ledgers;
use crate::services::Services;

/// What is tried.
#[derive(Serialize)]
struct TryResponse {
    breaker: BreakerResponse,
    /// Number of ledgers that send what waits.
    ledgers: u64,
    /// Number of payloads that wait there.
    waiting_payloads: u64,
}

/// Makes the breaker's next probe due; returns what it says. `None` if nothing is delivered.
pub(super) async fn make_probe_due(
    config: &Config,
    services: &impl Services,
) -> Result<Option<PartnerStanding>, Problem> {
    let Some(settings) = &config.delivery else { return Ok(None) };
    let call = TryPartner { fingerprint: settings.fingerprint() };
    ask_ledger(services, PARTNER, &call).await.map(Some)
}

/// Makes the breaker's next probe due, and what waits in the newest ledgers: all of it while the breaker is closed, one
/// payload of each ledger while it is open.
pub(crate) async fn try_partner(config: &Config, services: &impl Services) -> Result<Reply, Problem> {
    let breaker = make_probe_due(config, services).await?.ok_or_else(problems::delivery_off)?.into();
    let (ledgers, waiting_payloads) = tell_ledgers(services, None, HEALTH_HOURS).await;
    Ok(Reply::json(services.memory(), &TryResponse { breaker, ledgers, waiting_payloads })?)
}
