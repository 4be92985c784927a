//! `POST /v1/backfills`, `GET /v1/backfills`, `GET /v1/backfills/{id}`, `POST /v1/backfills/{id}/stop` and `/resume`:
//! jobs that index or deliver objects already in the bucket, for a time range. The range is half-open and not empty.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ledgers::{ask_ledger, call_ledger};
use super::operation_reason::check_reason;
use super::record_view::check_fields;
use crate::access::Caller;
use crate::config::Config;
use crate::filter::Filter;
use crate::http::{Problem, Reply, parse_instant, problems};
use crate::ledger::backfill_sums::BackfillSums;
use crate::ledger::backfills::{BackfillJob, BackfillList, BackfillRequest, BackfillState, ListBackfills, RebuildSums};
use crate::ledger::ids::REGISTRY;
use crate::limits::{BACKFILL_JOBS, BACKFILL_RANGE_MS, BACKFILL_RATE};
use crate::mask::{Disclosure, shown};
use crate::pipeline::{start_backfill, switch_backfill};
use crate::record::Dataset;
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
    deliver: Option<bool>,
    #[serde(default = "rate")]
    lines_per_second: u64,
    #[serde(default)]
    again: bool,
    filter: Option<String>,
    reason: Option<Value>,
    #[serde(default)]
    rebuild: bool,
}

impl BackfillBody {
    /// Whether to deliver, which a rebuild never does.
    fn delivers(&self) -> bool {
        self.deliver.unwrap_or(!self.rebuild)
    }

    /// Whether it asks for some work, and for nothing that excludes it.
    fn is_sound(&self) -> bool {
        let is_for_delivery = self.again || self.filter.is_some();
        let is_idle = !self.delivers() && (!self.index || is_for_delivery);
        let is_odd_rebuild = self.rebuild && (self.delivers() || !self.index);
        !is_idle && !is_odd_rebuild && self.lines_per_second > 0
    }
}

const fn yes() -> bool {
    true
}

const fn rate() -> u64 {
    BACKFILL_RATE
}

/// The settings and the progress of a backfill.
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
#[derive(Serialize)]
struct BackfillResponse {
    id: i64,
    start: String,
    end: String,
    index: bool,
    deliver: bool,
    lines_per_second: u64,
    again: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    rebuild: bool,
    state: BackfillState,
    created_at: String,
    updated_at: String,
    objects: ObjectCounts,
    /// Number of lines in the announced objects, estimated from their sizes.
    estimated_lines: u64,
    /// What is in the index now; absent if it is no rebuild.
    #[serde(skip_serializing_if = "Option::is_none")]
    rebuilt: Option<RebuildSums>,
    /// Its lines as its ledgers counted them; absent if it delivers none.
    #[serde(flatten)]
    counted: Option<CountedLines>,
    /// The last key or folder that the listing reached; null when it is complete.
    list_cursor: Option<String>,
    /// Number of folders found so far that are not yet listed.
    folders_remaining: usize,
}

/// The progress of a backfill, in objects.
#[derive(Serialize)]
pub(super) struct ObjectCounts {
    considered: u64,
    announced: u64,
    /// Number of objects whose message was processed; each object counts once.
    processed: u64,
    /// Number of these that are no valid batches.
    quarantined: u64,
    remaining: u64,
}

/// The progress of a backfill, in lines.
#[derive(Serialize)]
struct CountedLines {
    #[serde(flatten)]
    sums: BackfillSums,
    /// The time of the latest count; null before the first one.
    counted_at: Option<String>,
}

impl ObjectCounts {
    pub(super) const fn of(job: &BackfillJob) -> Self {
        let BackfillJob { considered, announced, processed, quarantined, .. } = *job;
        Self { considered, announced, processed, quarantined, remaining: announced.saturating_sub(processed) }
    }
}

impl BackfillResponse {
    fn new(caller: &Caller, id: i64, job: BackfillJob) -> Self {
        let objects = ObjectCounts::of(&job);
        let BackfillJob {
            request,
            state,
            cursor,
            estimated_lines,
            rebuilt,
            sums,
            counted_ms,
            created_ms,
            updated_ms,
            ..
        } = job;
        let BackfillRequest {
            start_ms, end_ms, index, deliver, lines_per_second, again, filter, reason, rebuild, ..
        } = request;
        let filter = shown_filter(caller, filter);
        Self {
            id,
            start: rfc3339(start_ms),
            end: rfc3339(end_ms),
            index,
            deliver,
            lines_per_second,
            again,
            filter,
            reason,
            rebuild,
            state,
            created_at: rfc3339(created_ms),
            updated_at: rfc3339(updated_ms),
            objects,
            estimated_lines,
            rebuilt: rebuild.then_some(rebuilt),
            counted: deliver.then(|| CountedLines { sums, counted_at: counted_ms.map(rfc3339) }),
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
pub(crate) async fn create_backfill(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    body: &[u8],
) -> Result<Reply, Problem> {
    let wanted: BackfillBody = serde_json::from_slice(body).map_err(|_| problems::not_a_backfill())?;
    let (start_ms, end_ms) = (instant_ms("start", &wanted.start)?, instant_ms("end", &wanted.end)?);
    // A rebuild asks no ledger for lines, so its range may be all times.
    let range_ms = if wanted.rebuild { i64::MAX } else { BACKFILL_RANGE_MS };
    check_range((start_ms, end_ms), range_ms, services.now_ms())?;
    if !wanted.is_sound() {
        return Err(problems::not_a_backfill());
    }
    let deliver = wanted.delivers();
    if deliver && config.delivery.is_none() {
        let is_stopped = !config.delivery_faults.is_empty();
        return Err(if is_stopped { problems::delivery_stopped() } else { problems::delivery_off() });
    }
    let BackfillBody { index, lines_per_second, again, filter, reason, rebuild, .. } = wanted;
    check_filter(caller, filter.as_deref())?;
    // Nothing goes to the partner twice, and nothing is indexed twice, without a reason.
    let reason = if again || rebuild || reason.is_some() { Some(check_reason(reason)?) } else { None };
    let request = BackfillRequest {
        start_ms,
        end_ms,
        index,
        deliver,
        lines_per_second,
        again,
        erasure: None,
        filter,
        reason,
        rebuild,
    };
    let started = start_backfill(services, config, request, None).await.map_err(|_| problems::unavailable())?;
    let reply = get_backfill(services, caller, &started.id.to_string()).await?;
    Ok(Reply { status: 201, ..reply })
}

/// Checks that a range is one of the past, and not too long.
pub(super) fn check_range((start_ms, end_ms): (i64, i64), range_ms: i64, now_ms: i64) -> Result<(), Problem> {
    if start_ms > end_ms {
        return Err(problems::start_after_end());
    }
    if start_ms == end_ms {
        return Err(problems::empty_range());
    }
    if end_ms > now_ms {
        return Err(problems::end_in_future());
    }
    if end_ms.saturating_sub(start_ms) > range_ms { Err(problems::range_too_long(BACKFILL_RANGE_MS)) } else { Ok(()) }
}

/// Checks that the filter parses, and reads only fields that the caller sees as they are: it is applied to whole
/// records, and the counts show its result.
fn check_filter(caller: &Caller, filter: Option<&str>) -> Result<(), Problem> {
    let filter = filter.map(Filter::parse).transpose().map_err(|error| problems::bad_filter(&error))?;
    let dataset = Dataset::HttpRequests;
    let is_hidden = |field: &str| shown(caller.role, dataset, field) != Disclosure::Verbatim;
    check_fields(filter.as_ref(), &[dataset], is_hidden)
}

/// Returns the filter of a backfill, if the caller could have started it: its counts show what the fields hold that it reads.
pub(super) fn shown_filter(caller: &Caller, filter: Option<String>) -> Option<String> {
    filter.filter(|filter| check_filter(caller, Some(filter)).is_ok())
}

/// Parses a JSON number or string into Unix milliseconds.
pub(super) fn instant_ms(name: &'static str, value: &Value) -> Result<i64, Problem> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err(problems::not_a_backfill()),
    };
    let instant = parse_instant(&text).map_err(|fault| problems::bad_time(name, fault))?;
    Ok(instant.div_euclid(1_000_000))
}

/// Lists at most [`BACKFILL_JOBS`] backfills, newest first.
pub(crate) async fn list_backfills(services: &impl Services, caller: &Caller) -> Result<Reply, Problem> {
    let jobs = call_ledger(services, REGISTRY, &ListBackfills { id: None, limit: BACKFILL_JOBS }).await?;
    let (BackfillList { jobs }, _held) = jobs.into_parts();
    let backfills = jobs.into_iter().map(|(id, job)| BackfillResponse::new(caller, id, job)).collect();
    Ok(Reply::json(services.memory(), &BackfillListResponse { backfills })?)
}

/// Answers with one backfill, or 404.
pub(crate) async fn get_backfill(services: &impl Services, caller: &Caller, argument: &str) -> Result<Reply, Problem> {
    let id = parse_id(argument)?;
    let job = ask_ledger(services, REGISTRY, &ListBackfills { id: Some(id), limit: 1 }).await?.jobs.pop();
    let (id, job) = job.filter(|(_, job)| job.request.erasure.is_none()).ok_or_else(problems::no_such_backfill)?;
    Ok(Reply::json(services.memory(), &BackfillResponse::new(caller, id, job))?)
}

/// Stops a backfill, or resumes a stopped one.
pub(crate) async fn set_backfill_running(
    services: &impl Services,
    caller: &Caller,
    argument: &str,
    run: bool,
) -> Result<Reply, Problem> {
    let id = parse_id(argument)?;
    let switched = switch_backfill(services, id, run).await.map_err(|_| problems::unavailable())?;
    let (id, job) = switched.job.ok_or_else(problems::no_such_backfill)?;
    match (switched.before, run) {
        (Some(BackfillState::Announced), false) if job.state == BackfillState::Stopped => {}
        (Some(BackfillState::Running), true) => return Err(problems::already_running()),
        (Some(BackfillState::Stopped), false) => return Err(problems::already_stopped()),
        (Some(BackfillState::Announced), _) => return Err(problems::already_announced()),
        (Some(BackfillState::Done), _) => return Err(problems::already_done()),
        _ => {}
    }
    Ok(Reply::json(services.memory(), &BackfillResponse::new(caller, id, job))?)
}

fn parse_id(argument: &str) -> Result<i64, Problem> {
    argument.parse::<u32>().map(i64::from).map_err(|_| problems::no_such_backfill())
}
