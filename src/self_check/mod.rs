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
use crate::ledger::LedgerHour;
use crate::ledger::ids::REGISTRY;
use crate::ledger::registry::{FindLedgers, ListLedgers};
use crate::ledger::self_check::{RecordSelfCheck, SelfCheckReport, SweepFindings};
use crate::limits::{CANARY_AGE_MS, CANARY_HOURS, HEALTH_HOURS, HOUR_MS};
use crate::pipeline::{SweepReport, note_latest_erasure};
use crate::rpc;
use crate::services::Services;

/// Checks the deployment, records the report, and returns it. The audit log hears of the latest erasure once more. `swept` is what the sweep found; `None` if it failed. A
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
    note_latest_erasure(services).await?;
    let list = rpc::call(services.ledgers(), REGISTRY, &ListLedgers { limit: HEALTH_HOURS }).await?;
    let names = recent_ledgers(services).await?;
    let canaries = try_canaries(services, names.iter()).await?;
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

/// Returns the ledgers of the hours of which canaries are tried: one without a batch of a dataset for some hours, or names of
/// hours to come, hide none.
async fn recent_ledgers(services: &impl Services) -> Result<Vec<String>, BackendError> {
    let now_ms = services.now_ms();
    let (start_ms, end_ms) = (now_ms - CANARY_AGE_MS, now_ms + HOUR_MS);
    let name = |at_ms| LedgerHour::of_time(at_ms).first_ledger().to_owned();
    let find =
        FindLedgers { first: name(start_ms), last: name(end_ms), start_ms, end_ms, limit: CANARY_HOURS, ray_of: None };
    Ok(rpc::call(services.ledgers(), REGISTRY, &find).await?.names)
}
