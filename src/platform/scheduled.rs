//! The entry point of the cron triggers: sweeps for whatever the queues lost, checks the deployment, and advances backfills.
//!
//! A failed run only writes a log line; the next run does its work.

use wasm_bindgen::prelude::wasm_bindgen;
use worker::Env;

use super::bindings::Bindings;
use super::log::{self, EventLog};
use super::partner::FetchPartner;
use super::webhook::FetchWebhook;
use super::{env, failed};
use crate::backend::BackendError;
use crate::{pipeline, self_check};

/// Does the work of the given cron.
#[wasm_bindgen(js_name = scheduled)]
#[expect(unreachable_pub, reason = "called from JavaScript alone")]
pub async fn scheduled(cron: String, env: Env) {
    let config = env::config(&env);
    let log = EventLog::for_config(&config);
    let config = match config {
        Ok(config) => config,
        Err(faults) => return log::not_configured(&faults),
    };
    let bindings = match Bindings::new(&env, Some(&config)) {
        Ok(bindings) => bindings,
        Err(error) => return tell_failure(&failed("a cron")(error)),
    };
    if cron == env::BACKFILL_CRON {
        match pipeline::drive_backfills(&bindings, &config).await {
            Ok(driven) if driven == pipeline::BackfillProgress::default() => {}
            Ok(driven) => log.info("backfills", &driven),
            Err(error) => tell_failure(&error),
        }
    } else {
        if !config.delivery_faults.is_empty() {
            log::delivery_stopped(&config.delivery_faults);
        }
        let swept = pipeline::run_sweep(&bindings, &config).await;
        match &swept {
            Ok(swept) => log.info("sweep", swept),
            Err(error) => tell_failure(error),
        }
        let others = (&FetchPartner::new(), &FetchWebhook);
        match self_check::run_self_check(&bindings, &config, others, swept.as_ref().ok()).await {
            Ok(report) => log.info("self_check", &report),
            Err(error) => tell_failure(&error),
        }
    }
}

fn tell_failure(error: &BackendError) {
    log::error("cron_failed", &serde_json::json!({ "reason": error.to_string() }));
}
