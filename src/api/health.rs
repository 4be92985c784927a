//! `GET /healthz`: up, and which settings are missing.
//!
//! It needs no token, so it shows nothing else and calls no service.

use serde::Serialize;

use crate::config::{Config, ConfigFault};
use crate::http::Reply;
use crate::http::media_type::JSON;

/// The answer.
#[derive(Serialize)]
struct HealthResponse {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<String>,
}

/// Answers 200 where the deployment is whole, 503 with what is wrong where it is not.
pub(crate) fn get_health(config: &Result<Config, Vec<ConfigFault>>) -> Reply {
    let (status, health) = match config {
        Ok(_) => (200, HealthResponse { status: "ok", faults: Vec::new() }),
        Err(faults) => {
            (503, HealthResponse { status: "not_configured", faults: faults.iter().map(ToString::to_string).collect() })
        }
    };
    Reply::new(status, JSON, serde_json::to_vec(&health).unwrap_or_default())
}
