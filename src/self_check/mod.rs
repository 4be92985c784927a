//! The self-check: what the sweep found, and the canaries, as one report that the registry keeps and a webhook hears of.
//!
//! `canary` looks rays up as the support desk does, and so depends on the index as well as on what fills it; `notice` says
//! what needs someone.

mod canary;
mod notice;

use self::canary::try_canaries;
use self::notice::tell_webhook;
use crate::backend::{BackendError, PartnerClient, WebhookClient};
use crate::config::Config;
use crate::ledger::ids::REGISTRY;
use crate::ledger::registry::ListLedgers;
use crate::ledger::self_check::{RecordSelfCheck, SelfCheckReport, SweepFindings};
use crate::limits::{HEALTH_LEDGERS, SEEN_LEDGERS};
use crate::pipeline::SweepReport;
use crate::rpc;
use crate::services::Services;

/// Checks the deployment, records the report, and returns it. `swept` is what the sweep found; `None` if it failed. A
/// deployment that delivers asks its partner for the time; one with a webhook tells it what changed.
///
/// # Errors
/// [`BackendError`] if the registry or a ledger failed; the last report stays.
pub async fn run_self_check(
    services: &impl Services,
    config: &Config,
    (partner, webhook): (&impl PartnerClient, &impl WebhookClient),
    swept: Option<&SweepReport>,
) -> Result<SelfCheckReport, BackendError> {
    let at_ms = services.now_ms();
    let list = rpc::call(services.ledgers(), REGISTRY, &ListLedgers { limit: HEALTH_LEDGERS }).await?;
    let newest = (0..SEEN_LEDGERS).zip(&list.names).map(|(_, name)| name);
    let canaries = try_canaries(services, newest).await?;
    let partner_clock_ms = match &config.delivery {
        Some(delivery) => {
            partner.read_clock(&delivery.endpoint.root()).await.map(|clock_ms| clock_ms - services.now_ms())
        }
        None => None,
    };
    let heard = tell_webhook(services, config, webhook, &list, &canaries).await?;
    let findings =
        |swept: &SweepReport| SweepFindings { announced: swept.announced as u64, oldest_ms: swept.oldest_ms };
    let report = SelfCheckReport { at_ms, swept: swept.map(findings), partner_clock_ms, canaries, heard };
    let record = RecordSelfCheck { report };
    rpc::call(services.ledgers(), REGISTRY, &record).await?;
    Ok(record.report)
}
