//! `GET /healthz`: whether the deployment is configured, which settings are missing or doubtful, and for callers who
//! may see totals, why payloads wait.
//!
//! # Invariants
//! Without a token it shows nothing but faults of settings, and calls no service, so it is open to anyone at any rate.

use serde::Serialize;

use super::stats::{SummedBooks, sum_books};
use super::views::DeliveryHealthResponse;
use crate::backend::to_json;
use crate::config::{Config, ConfigFault};
use crate::http::Reply;
use crate::http::media_type::JSON;
use crate::ledger::layout_doubts::LayoutDoubt;
use crate::limits::HEALTH_HOURS;
use crate::services::Services;
use crate::time::rfc3339;

/// The fault shown if the health of deliveries cannot be read.
const UNREADABLE: &str = "the ledgers cannot be read";

#[derive(Serialize)]
struct HealthResponse {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<DeliveryHealthResponse>,
}

impl HealthResponse {
    /// Creates the health of a deployment that works, with warnings about doubtful settings. Faults of those of delivery
    /// degrade it.
    fn configured(config: &Config) -> Self {
        let faults: Vec<String> = config.delivery_faults.iter().map(ToString::to_string).collect();
        let status = if faults.is_empty() { "ok" } else { "degraded" };
        Self { status, faults, warnings: config.warnings(), delivery: None }
    }

    fn into_reply(self, status: u16) -> Reply {
        Reply::small(status, JSON, &to_json(&self))
    }
}

/// Answers 200 with warnings if every setting is valid or only delivery is stopped, else 503 with the invalid ones.
pub(crate) fn get_health(config: &Result<Config, Vec<ConfigFault>>) -> Reply {
    match config {
        Ok(config) => HealthResponse::configured(config).into_reply(200),
        Err(faults) => {
            let faults = faults.iter().map(ToString::to_string).collect();
            let health = HealthResponse { status: "not_configured", faults, warnings: Vec::new(), delivery: None };
            health.into_reply(503)
        }
    }
}

/// Answers 200 with the reasons why payloads wait in the newest ledgers; the status is `degraded` while the partner's
/// breaker holds some: the Worker itself is well.
pub(crate) async fn get_delivery_health(config: &Config, services: &impl Services) -> Reply {
    let configured = HealthResponse::configured(config);
    let Ok(SummedBooks { delivery, layout_doubts, .. }) = sum_books(config, services, HEALTH_HOURS).await else {
        let faults = configured.faults.iter().cloned().chain([UNREADABLE.to_owned()]).collect();
        return HealthResponse { status: "degraded", faults, ..configured }.into_reply(200);
    };
    let status = if delivery.is_degraded() { "degraded" } else { configured.status };
    let delivery = DeliveryHealthResponse::new(delivery, config.delivery.is_some());
    let delivery = Some(delivery.with_faults(&config.delivery_faults));
    let warnings = configured.warnings.iter().cloned().chain(layout_doubts.iter().map(words_of_doubt)).collect();
    HealthResponse { status, warnings, delivery, ..configured }.into_reply(200)
}

/// Returns the warning of a dataset whose rays have other times than their records.
fn words_of_doubt(doubt: &LayoutDoubt) -> String {
    let LayoutDoubt { dataset, since_ms, skew, .. } = doubt;
    let (dataset, since) = (dataset.name(), rfc3339(*since_ms));
    let (ahead_s, behind_s) = (skew.ahead_ms / 1_000, skew.behind_ms / 1_000);
    format!(
        "rays of {dataset} have other times than their records since {since}, up to {ahead_s} s ahead and {behind_s} s behind: \
         the layout of Ray IDs has changed, or a clock is wrong"
    )
}
