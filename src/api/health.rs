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
use crate::limits::HEALTH_LEDGERS;
use crate::services::Services;

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
    let Ok(SummedBooks { delivery, .. }) = sum_books(config, services, HEALTH_LEDGERS).await else {
        let faults = configured.faults.iter().cloned().chain([UNREADABLE.to_owned()]).collect();
        return HealthResponse { status: "degraded", faults, ..configured }.into_reply(200);
    };
    let status = if delivery.is_degraded() { "degraded" } else { configured.status };
    let delivery = DeliveryHealthResponse::new(delivery, config.delivery.is_some());
    let delivery = Some(delivery.with_faults(&config.delivery_faults));
    HealthResponse { status, delivery, ..configured }.into_reply(200)
}
