//! `GET /healthz`: whether the deployment is configured, which settings are missing, and which are doubtful.
//!
//! It needs no token, so it shows nothing else and calls no service.

use serde::Serialize;

use crate::config::{Config, ConfigFault};
use crate::http::Reply;
use crate::http::media_type::JSON;

#[derive(Serialize)]
struct HealthResponse {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// Answers 200 if every setting is valid, with what is doubtful about them, else 503 with the invalid ones.
pub(crate) fn get_health(config: &Result<Config, Vec<ConfigFault>>) -> Reply {
    let (status, health) = match config {
        Ok(config) => (200, HealthResponse { status: "ok", faults: Vec::new(), warnings: config.warnings() }),
        Err(faults) => {
            let faults = faults.iter().map(ToString::to_string).collect();
            (503, HealthResponse { status: "not_configured", faults, warnings: Vec::new() })
        }
    };
    Reply::new(status, JSON, serde_json::to_vec(&health).unwrap_or_default())
}
