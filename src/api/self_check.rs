//! `GET /healthz?deep=1`: what the deployment finds when it asks each of its parts, and what it found when it last checked
//! itself.
//!
//! # Invariants
//! It changes nothing, and shows no log line, key, ray or secret. A part that does not answer is a check that fails, never a
//! failing answer.

use serde::Serialize;

use super::audit_figures::sum_chains;
use super::ledgers::ask_ledger;
use super::silent_part::{describe_audit_log, describe_ledgers, describe_silence};
use super::stats::{SummedBooks, sum_books};
use crate::backend::{Bucket, CallError, ListRequest};
use crate::bucket_keys::FOLDER;
use crate::config::Config;
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::index::ShardName;
use crate::index::calls::FindRay;
use crate::ledger::breaker::BreakerState;
use crate::ledger::erasures::ListErasures;
use crate::ledger::health::DeliveryHealth;
use crate::ledger::ids::REGISTRY;
use crate::ledger::self_check::{CanaryOutcome, CanaryResult, SelfCheckReport};
use crate::limits::{HEALTH_HOURS, PARTNER_CLOCK_MS, SELF_CHECK_LATE_MS};
use crate::pipeline::made_erasures;
use crate::record::{Dataset, RayId, RayKey};
use crate::rpc;
use crate::services::Services;
use crate::time::rfc3339;

/// What no Worker can see of its own deployment; `scripts/doctor` asks the platform for it.
const NOT_VISIBLE: [&str; 5] = [
    "the consumers of the queues, and their dead-letter queues",
    "the bucket's event notification, with its prefix and suffix",
    "the bucket's lifecycle rules",
    "messages that wait in the queues",
    "invocations that exceeded their CPU time or memory",
];

/// How well a part is, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum CheckStatus {
    Ok,
    Unknown,
    Warning,
    Failing,
}

/// One check.
#[derive(Serialize)]
struct Check {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dataset: Option<&'static str>,
    status: CheckStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl Check {
    const fn ok(name: &'static str) -> Self {
        Self { name, dataset: None, status: CheckStatus::Ok, detail: None }
    }

    fn new(name: &'static str, status: CheckStatus, detail: impl Into<String>) -> Self {
        Self { name, dataset: None, status, detail: Some(detail.into()) }
    }

    /// Creates the check of a part that has to answer.
    fn of_answer<T, E>(name: &'static str, answer: &Result<T, E>) -> Self {
        if answer.is_ok() { Self::ok(name) } else { Self::new(name, CheckStatus::Failing, describe_silence(None)) }
    }
}

#[derive(Serialize)]
struct SelfCheckResponse {
    status: CheckStatus,
    checked_at: String,
    /// When the cron last checked the deployment; null before the first time.
    last_self_check_at: Option<String>,
    checks: Vec<Check>,
    not_visible: [&'static str; 5],
}

/// Asks each part of the deployment, and answers with what it found.
pub(crate) async fn get_self_check<Y>(
    config: &Config,
    services: &impl Services,
    request: &HttpRequest<Y>,
) -> Result<Reply, Problem> {
    if request.parameter("deep").is_none_or(|deep| deep != "1") {
        return Err(problems::bad_parameter("deep", "1"));
    }
    let now_ms = services.now_ms();
    let books = sum_books(config, services, HEALTH_HOURS).await;
    let mut checks = vec![settings(config)];
    checks.extend(buckets(config, services).await);
    checks.extend(objects(services, books.is_ok()).await);
    checks.push(erasures(services).await);
    let mut last_self_check_at = None;
    if let Ok(books) = &books {
        last_self_check_at = books.self_check.as_ref().map(|report| rfc3339(report.at_ms));
        checks.extend(accounts(books));
        checks.push(delivery(config, &books.delivery));
        checks.extend(found_by_cron(books.self_check.as_ref(), now_ms));
    }
    let status = checks.iter().map(|check| check.status).max().unwrap_or(CheckStatus::Unknown);
    let checked_at = rfc3339(now_ms);
    let answer = SelfCheckResponse { status, checked_at, last_self_check_at, checks, not_visible: NOT_VISIBLE };
    Ok(Reply::json(services.memory(), &answer)?)
}

fn settings(config: &Config) -> Check {
    let faults: Vec<String> = config.delivery_faults.iter().map(ToString::to_string).collect();
    let warnings = config.warnings();
    if !faults.is_empty() {
        return Check::new("settings", CheckStatus::Failing, faults.join("; "));
    }
    if warnings.is_empty() {
        Check::ok("settings")
    } else {
        Check::new("settings", CheckStatus::Warning, warnings.join("; "))
    }
}

async fn buckets(config: &Config, services: &impl Services) -> [Check; 2] {
    let list = |prefix: String| ListRequest { prefix, by_folder: true, ..ListRequest::default() };
    let folder = config.log_prefix.folders().first().cloned().unwrap_or_default();
    let logs = match services.bucket().list(&list(folder)).await {
        Err(_) => Check::new("log_bucket", CheckStatus::Failing, "it cannot be listed"),
        Ok(page) if page.objects.is_empty() && page.folders.is_empty() => {
            Check::new("log_bucket", CheckStatus::Warning, "it has no object under LOG_PREFIX")
        }
        Ok(_) => Check::ok("log_bucket"),
    };
    let own = services.data_bucket().list(&list(FOLDER.to_owned())).await;
    [logs, Check::of_answer("data_bucket", &own)]
}

/// Compares the erasures that the registry has with those that the audit log knows to have been made.
async fn erasures(services: &impl Services) -> Check {
    let list = ListErasures { id: None, limit: 1 };
    let (known, made) = match (ask_ledger(services, REGISTRY, &list).await, made_erasures(services).await) {
        (Ok(list), Ok(made)) => (list.erasures.first().map_or(0, |latest| latest.id), made),
        _ => return Check::new("erasures", CheckStatus::Unknown, "the registry or the audit log does not answer"),
    };
    if known >= made {
        return Check::ok("erasures");
    }
    let detail = format!("the registry has {known} of {made}: make the others again (docs/operations.md)");
    Check::new("erasures", CheckStatus::Failing, detail)
}

/// Asks the index and the audit log; the ledgers were asked before.
async fn objects(services: &impl Services, has_books: bool) -> [Check; 3] {
    let failing = |name, detail: &str| Check::new(name, CheckStatus::Failing, detail);
    let index = match ask_shard(services).await {
        Ok(()) => Check::ok("index"),
        Err(error) => failing("index", describe_silence(Some(&error.to_string()))),
    };
    let audit_log = match Box::pin(sum_chains(services)).await {
        Ok(_) => Check::ok("audit_log"),
        Err(_) => failing("audit_log", describe_audit_log(services).await),
    };
    let ledgers = if has_books { Check::ok("ledgers") } else { failing("ledgers", describe_ledgers(services).await) };
    [index, audit_log, ledgers]
}

/// Asks the shard of the present for a ray that no request has.
async fn ask_shard(services: &impl Services) -> Result<(), CallError> {
    let key = RayKey::Ray(RayId::from_parts(RayId::prefix_at(services.now_ms() * 1_000_000), 0));
    let shard = ShardName::for_key(&key).to_string();
    let find = FindRay::new(&key, &[Dataset::HttpRequests]);
    rpc::call_held(services.shards(), services.memory(), &shard, &find).await.map(drop)
}

fn accounts(books: &SummedBooks) -> [Check; 2] {
    let balance = if books.balanced {
        Check::ok("accounts")
    } else {
        Check::new("accounts", CheckStatus::Failing, "lines of sealed batches have no known outcome")
    };
    let letters = match books.dead_letters {
        0 => Check::ok("dead_letters"),
        waiting => Check::new("dead_letters", CheckStatus::Failing, format!("{waiting} wait for a decision")),
    };
    [balance, letters]
}

fn delivery(config: &Config, health: &DeliveryHealth) -> Check {
    if !config.is_meant_to_deliver() {
        return Check::new("delivery", CheckStatus::Ok, "nothing is delivered: its settings are not there");
    }
    let refusal = health.last_refusal.as_ref();
    let last = refusal.map(|refusal| format!("; its last refusal was {} at {}", refusal.code, rfc3339(refusal.at_ms)));
    let last = last.unwrap_or_default();
    match health.breaker.state {
        BreakerState::Closed if refusal.is_none() => Check::ok("delivery"),
        BreakerState::Closed => {
            Check::new("delivery", CheckStatus::Ok, format!("the partner's breaker is closed{last}"))
        }
        state => {
            let reason = health.breaker.reason.as_deref().unwrap_or("unknown");
            let detail = format!("the partner's breaker is {} because of {reason}{last}", state.name());
            Check::new("delivery", CheckStatus::Failing, detail)
        }
    }
}

/// The checks that the cron made.
fn found_by_cron(report: Option<&SelfCheckReport>, now_ms: i64) -> Vec<Check> {
    let Some(report) = report else {
        let detail = "the cron has not run yet; it runs every ten minutes";
        return vec![Check::new("cron", CheckStatus::Unknown, detail)];
    };
    let minutes = (now_ms - report.at_ms) / 60_000;
    let cron = if now_ms - report.at_ms <= SELF_CHECK_LATE_MS {
        Check::ok("cron")
    } else {
        Check::new("cron", CheckStatus::Failing, format!("it last ran {minutes} minutes ago"))
    };
    let mut checks = vec![cron, parse_queue(report, now_ms)];
    checks.extend(report.partner_clock_ms.map(partner_clock));
    checks.extend(report.canaries.iter().map(canary));
    checks
}

fn parse_queue(report: &SelfCheckReport, now_ms: i64) -> Check {
    let Some(swept) = report.swept else { return Check::new("parse_queue", CheckStatus::Unknown, "the sweep failed") };
    if swept.announced == 0 {
        return Check::ok("parse_queue");
    }
    let minutes = swept.oldest_ms.map_or(0, |oldest_ms| (now_ms - oldest_ms) / 60_000);
    let detail = format!("{} objects have no outcome; the oldest was written {minutes} minutes ago", swept.announced);
    Check::new("parse_queue", CheckStatus::Failing, detail)
}

fn partner_clock(ahead_ms: i64) -> Check {
    if ahead_ms.abs() <= PARTNER_CLOCK_MS {
        return Check::ok("partner_clock");
    }
    let word = if ahead_ms > 0 { "ahead" } else { "behind" };
    let detail = format!("the partner's clock is {} s {word}", ahead_ms.abs() / 1_000);
    Check::new("partner_clock", CheckStatus::Warning, detail)
}

fn canary(result: &CanaryResult) -> Check {
    let CanaryResult { dataset, outcome, rays, slowest_ms, .. } = result;
    let status = match outcome {
        CanaryOutcome::Found => CheckStatus::Ok,
        CanaryOutcome::Failed | CanaryOutcome::NothingToTry => CheckStatus::Unknown,
        _ => CheckStatus::Failing,
    };
    let detail = format!("{}: {rays} rays were looked up, the slowest in {slowest_ms} ms", outcome.name());
    Check { dataset: Some(dataset.name()), ..Check::new("canary", status, detail) }
}
