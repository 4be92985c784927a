//! What the cron tells a webhook: the five alerts that need someone at once, for deployments without a Prometheus.
//!
//! # Invariants
//! The webhook hears of a change, once: what it did not take is sent again by the next cron. No key, ray, address or word of the
//! partner is in a notice.

use std::fmt::Write;

use serde::Serialize;

use crate::backend::{BackendError, WebhookClient, to_json};
use crate::config::{Config, WebhookForm};
use crate::ledger::breaker::BreakerState;
use crate::ledger::calls::GetTotals;
use crate::ledger::health::DeliveryHealth;
use crate::ledger::ids::PARTNER;
use crate::ledger::partner::GetPartner;
use crate::ledger::registry::LedgerList;
use crate::ledger::self_check::{CanaryOutcome, CanaryResult};
use crate::limits::{NOTICE_OPEN_MS, NOTICE_PENDING_MS};
use crate::rpc;
use crate::services::Services;
use crate::time::rfc3339;

/// The alert on lookups that do not find what is there.
const CANARY: &str = "RaydexCanaryFailing";

/// An alert, by the name that it has in `schemas/alerts.yml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Alert {
    name: &'static str,
    summary: String,
}

/// The body of a notice in form `json`.
#[derive(Serialize)]
struct Notice<'a> {
    /// The deployment, by the bucket whose logs it reads.
    bucket: &'a str,
    status: &'static str,
    at: String,
    alerts: &'a [Alert],
}

/// Tells the webhook what needs someone, if that is not what it heard last; returns the names of the alerts that it has heard
/// of.
///
/// # Errors
/// [`BackendError`] if a ledger failed; nothing was sent.
pub(super) async fn tell_webhook(
    services: &impl Services,
    config: &Config,
    client: &impl WebhookClient,
    list: &LedgerList,
    canaries: &[CanaryResult],
) -> Result<Vec<String>, BackendError> {
    let Some(webhook) = &config.webhook else { return Ok(Vec::new()) };
    let heard = list.self_check.as_ref().map(|report| report.heard.clone()).unwrap_or_default();
    let alerts = find_alerts(services, config, list, canaries).await?;
    let names: Vec<String> = alerts.iter().map(|alert| alert.name.to_owned()).collect();
    if names == heard {
        return Ok(heard);
    }
    let body = write_notice(webhook.form, &config.bucket_name, &alerts, services.now_ms());
    Ok(if client.post_json(&webhook.url, body).await { names } else { heard })
}

/// Finds the alerts, the worst first.
async fn find_alerts(
    services: &impl Services,
    config: &Config,
    list: &LedgerList,
    canaries: &[CanaryResult],
) -> Result<Vec<Alert>, BackendError> {
    let (mut health, mut unaccounted) = (DeliveryHealth::default(), false);
    for name in &list.names {
        let report = rpc::call(services.ledgers(), name, &GetTotals {}).await?;
        unaccounted |= report.totals.lines.unaccounted != 0;
        health.add(report.delivery);
    }
    if let Some(settings) = &config.delivery {
        let get = GetPartner { fingerprint: settings.fingerprint() };
        health.set_breaker(rpc::call(services.ledgers(), PARTNER, &get).await?);
    }
    let mut alerts = Vec::new();
    let mut add = |name, summary: String| alerts.push(Alert { name, summary });
    if unaccounted {
        add("RaydexLinesUnaccounted", "lines of sealed batches have no known outcome".into());
    }
    if list.dead_letters > 0 {
        add("RaydexDeadLetters", format!("dead letters that wait for a decision: {}", list.dead_letters));
    }
    let of = |is: &dyn Fn(CanaryOutcome) -> bool| {
        itertools::join(canaries.iter().filter(|canary| is(canary.outcome)).map(|canary| canary.dataset.name()), ", ")
    };
    let (failing, unknown) = (of(&CanaryOutcome::is_failing), of(&|outcome| outcome == CanaryOutcome::Failed));
    let was_failing = list.self_check.as_ref().is_some_and(|last| last.heard.iter().any(|name| name == CANARY));
    if !failing.is_empty() {
        add(CANARY, format!("lookups do not find what is there in {failing}"));
    } else if was_failing && !unknown.is_empty() {
        // What could not be asked is as it was.
        add(CANARY, format!("lookups did not find what is there, and {unknown} cannot be asked"));
    }
    for (name, summary) in delivery_alerts(&health, services.now_ms()) {
        add(name, summary);
    }
    Ok(alerts)
}

/// The alerts on what waits for the partner.
fn delivery_alerts(health: &DeliveryHealth, now_ms: i64) -> Vec<(&'static str, String)> {
    let mut alerts = Vec::new();
    let open_ms = health.breaker.since_ms.map_or(0, |since_ms| now_ms - since_ms);
    if health.breaker.state != BreakerState::Closed && open_ms > NOTICE_OPEN_MS {
        let reason = health.breaker.reason.as_deref().unwrap_or("unknown");
        alerts.push(("RaydexBreakerOpen", format!("the partner takes nothing: {reason}")));
    }
    let waited_ms = health.oldest_pending.as_ref().map_or(0, |pending| now_ms - pending.since_ms);
    if waited_ms > NOTICE_PENDING_MS {
        alerts.push(("RaydexOldestPending", "a payload has waited for more than an hour".into()));
    }
    alerts
}

fn write_notice(form: WebhookForm, bucket: &str, alerts: &[Alert], now_ms: i64) -> Vec<u8> {
    let status = if alerts.is_empty() { "resolved" } else { "firing" };
    match form {
        WebhookForm::Json => to_json(&Notice { bucket, status, at: rfc3339(now_ms), alerts }),
        WebhookForm::Slack => {
            let mut text = format!("raydex of {bucket}: {status}");
            for Alert { name, summary } in alerts {
                // Writing to a string does not fail.
                let _written = write!(text, "\n• {name}: {summary}");
            }
            to_json(&serde_json::json!({ "text": text }))
        }
    }
}
