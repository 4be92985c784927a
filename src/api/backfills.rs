//! `POST /v1/backfills`, `GET /v1/backfills`, `GET /v1/backfills/{id}`, `POST /v1/backfills/{id}/stop` and `/resume`:
//! jobs that index or deliver objects already in the bucket, for a time range. The range is half-open and not empty.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ledgers::call_ledger;
use crate::config::Config;
use crate::http::{Problem, Reply, parse_instant, problems};
use crate::ledger::backfills::{BackfillJob, BackfillRequest, BackfillState, ListBackfills, SwitchBackfill};
use crate::ledger::ids::REGISTRY;
use crate::limits::{BACKFILL_JOBS, BACKFILL_RATE};
use crate::pipeline::start_backfill;
use crate::services::Services;
use crate::time::rfc3339;

/// The body of `POST /v1/backfills`. `start` and `end` are numbers or strings in a format of instants.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BackfillBody {
    start: Value,
    end: Value,
    #[serde(default = "yes")]
    index: bool,
    #[serde(default = "yes")]
    deliver: bool,
    #[serde(default = "rate")]
    lines_per_second: u64,
}

const fn yes() -> bool {
    true
}

const fn rate() -> u64 {
    BACKFILL_RATE
}

/// The settings and the progress of a backfill.
#[derive(Serialize)]
struct BackfillResponse {
    id: i64,
    start: String,
    end: String,
    index: bool,
    deliver: bool,
    lines_per_second: u64,
    state: BackfillState,
    created_at: String,
    updated_at: String,
    objects: ObjectCounts,
    /// Number of lines in the announced objects, estimated from their sizes.
    estimated_lines: u64,
    /// The last key or folder that the listing reached; null when it is complete.
    list_cursor: Option<String>,
    /// Number of folders found so far that are not yet listed.
    folders_remaining: usize,
}

/// The progress of a backfill, in objects.
#[derive(Serialize)]
struct ObjectCounts {
    listed: u64,
    announced: u64,
    /// Number of objects whose message was acked or given up; each object counts once.
    finished: u64,
    remaining: u64,
}

impl BackfillResponse {
    fn new(id: i64, job: BackfillJob) -> Self {
        let BackfillJob {
            request,
            state,
            steps: _,
            cursor,
            credit: _,
            listed,
            announced,
            lines,
            ended,
            created_ms,
            updated_ms,
        } = job;
        let BackfillRequest { start_ms, end_ms, index, deliver, lines_per_second } = request;
        Self {
            id,
            start: rfc3339(start_ms),
            end: rfc3339(end_ms),
            index,
            deliver,
            lines_per_second,
            state,
            created_at: rfc3339(created_ms),
            updated_at: rfc3339(updated_ms),
            objects: ObjectCounts { listed, announced, finished: ended, remaining: announced.saturating_sub(ended) },
            estimated_lines: lines,
            folders_remaining: cursor.folders.len(),
            list_cursor: cursor.after.or_else(|| cursor.folders.last().cloned()),
        }
    }
}

#[derive(Serialize)]
struct BackfillListResponse {
    backfills: Vec<BackfillResponse>,
}

/// Starts a backfill and answers 201 with it; 409 if it would deliver and delivery is not configured.
pub(crate) async fn create_backfill(config: &Config, services: &impl Services, body: &[u8]) -> Result<Reply, Problem> {
    let wanted: BackfillBody = serde_json::from_slice(body).map_err(|_| problems::not_a_backfill())?;
    let (start_ms, end_ms) = (instant_ms("start", &wanted.start)?, instant_ms("end", &wanted.end)?);
    if start_ms >= end_ms {
        return Err(problems::empty_range());
    }
    if !(wanted.index || wanted.deliver) || wanted.lines_per_second == 0 {
        return Err(problems::not_a_backfill());
    }
    if wanted.deliver && config.delivery.is_none() {
        return Err(problems::delivery_off());
    }
    let BackfillBody { index, deliver, lines_per_second, .. } = wanted;
    let request = BackfillRequest { start_ms, end_ms, index, deliver, lines_per_second };
    let started = start_backfill(services, config, request, None).await.map_err(|_| problems::unavailable())?;
    let reply = get_backfill(services, &started.id.to_string()).await?;
    Ok(Reply { status: 201, ..reply })
}

/// Parses a JSON number or string into Unix milliseconds.
fn instant_ms(name: &'static str, value: &Value) -> Result<i64, Problem> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err(problems::not_a_backfill()),
    };
    let instant = parse_instant(&text).map_err(|fault| problems::bad_time(name, fault))?;
    Ok(instant.div_euclid(1_000_000))
}

/// Lists at most [`BACKFILL_JOBS`] backfills, newest first.
pub(crate) async fn list_backfills(services: &impl Services) -> Result<Reply, Problem> {
    let jobs = call_ledger(services, REGISTRY, &ListBackfills { id: None, limit: BACKFILL_JOBS }).await?.jobs;
    Ok(Reply::json(&BackfillListResponse {
        backfills: jobs.into_iter().map(|(id, job)| BackfillResponse::new(id, job)).collect(),
    }))
}

/// Answers with one backfill, or 404.
pub(crate) async fn get_backfill(services: &impl Services, argument: &str) -> Result<Reply, Problem> {
    let id = parse_id(argument)?;
    let job = call_ledger(services, REGISTRY, &ListBackfills { id: Some(id), limit: 1 }).await?.jobs.pop();
    job.map(|(id, job)| Reply::json(&BackfillResponse::new(id, job))).ok_or_else(problems::no_such_backfill)
}

/// Stops a backfill, or resumes a stopped one.
pub(crate) async fn set_backfill_running(
    services: &impl Services,
    argument: &str,
    run: bool,
) -> Result<Reply, Problem> {
    let id = parse_id(argument)?;
    let job = call_ledger(services, REGISTRY, &SwitchBackfill { id, run }).await?.jobs.pop();
    job.map(|(id, job)| Reply::json(&BackfillResponse::new(id, job))).ok_or_else(problems::no_such_backfill)
}

fn parse_id(argument: &str) -> Result<i64, Problem> {
    argument.parse::<u32>().map(i64::from).map_err(|_| problems::no_such_backfill())
}
