//! Advances backfills: lists the bucket from where the last step ended, and announces the objects that match a job's
//! window.
//!
//! An object is announced with the message that R2 would send, plus the job's options; the parse stage does the rest,
//! record by record. A step announces first and then saves the cursor: an interrupted step is repeated, and the ledgers
//! recognise what is already done.
//!
//! # Invariants
//!
//! A job announces no more lines than its rate allows, apart from a single larger object. No object is skipped: the
//! cursor moves only past objects that were examined, and announced if they match. The folders of the window's days
//! come first, then the complete bucket: an object that was moved into another day's folder is found last.

use serde::Serialize;

use super::backfill_counts::count_backfills;
use super::backfill_objects::{is_in_near_folders, is_near, wanted_objects};
use super::erasures_made::note_erasures;
use super::first_start::first_start;
use crate::backend::{BackendError, Bucket, ListPage, ListRequest, ObjectHead, Queue};
use crate::bucket_keys::skip_unread_folder;
use crate::config::Config;
use crate::ledger::backfills::{
    BackfillCursor, BackfillJob, BackfillRequest, BackfillStart, BackfillState, FindUnfinishedBackfills,
    RecordBackfillStep, StartBackfill, SwitchAnswer, SwitchBackfill,
};
use crate::ledger::first_start::FirstStart;
use crate::ledger::ids::{PARTNER, REGISTRY};
use crate::ledger::pacer::{BackfillHold, HoldBackfills};
use crate::limits::{
    BACKFILL_BURST_S, BACKFILL_JOBS, BACKFILL_LINE_BYTES, BACKFILL_PAGES, BACKFILL_RATE, BACKFILL_WAITING_S,
    ERASURE_PAGES, ERASURES_FRESH_MS,
};
use crate::r2_event::{EventBackfill, R2Event};
use crate::rpc;
use crate::services::Services;

/// The work done in one run of the cron.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct BackfillProgress {
    /// Number of running jobs.
    pub jobs: usize,
    /// Number of announced objects.
    pub announced: u64,
    /// Unix milliseconds of the first start, if this run made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_start_ms: Option<i64>,
}

/// Advances every running job as far as its rate allows.
///
/// # Errors
/// [`BackendError`] if a backend failed; the next run continues.
pub async fn drive_backfills(services: &impl Services, config: &Config) -> Result<BackfillProgress, BackendError> {
    let mut driven = BackfillProgress::default();
    if config.is_meant_to_deliver() {
        let start = first_start(services).await?;
        driven.first_start_ms = start.new.then_some(start.at_ms);
        start_from_push_time(services, config, start).await?;
    }
    let call = FindUnfinishedBackfills { limit: BACKFILL_JOBS };
    let jobs = rpc::call(services.ledgers(), REGISTRY, &call).await?.jobs;
    hold_stopped(services, &jobs).await?;
    for (id, job) in jobs.iter().filter(|(_, job)| job.state == BackfillState::Running) {
        driven.jobs += 1;
        driven.announced += drive(services, config, *id, job.clone()).await?;
    }
    count_backfills(services, &jobs).await?;
    Ok(driven)
}

/// Tells the pacer which of these jobs are stopped, in case it did not hear of it when they were.
async fn hold_stopped(services: &impl Services, jobs: &[(i64, BackfillJob)]) -> Result<(), BackendError> {
    let delivering = jobs.iter().filter(|(_, job)| job.request.deliver && job.state != BackfillState::Done);
    let hold = |(id, job): &(i64, BackfillJob)| BackfillHold {
        id: *id,
        steps: job.steps,
        stopped: job.state == BackfillState::Stopped,
    };
    let backfills: Vec<_> = delivering.map(hold).collect();
    if backfills.is_empty() {
        return Ok(());
    }
    rpc::call(services.ledgers(), PARTNER, &HoldBackfills { backfills }).await.map(drop)
}

/// Stops a job, or resumes a stopped one, and has the pacer hold what it sends, or let it go on. It is held again if the job was
/// stopped before, in case that failed.
///
/// # Errors
/// [`BackendError`] if the registry or the pacer cannot be reached.
pub async fn switch_backfill(services: &impl Services, id: i64, run: bool) -> Result<SwitchAnswer, BackendError> {
    let switched = rpc::call(services.ledgers(), REGISTRY, &SwitchBackfill { id, run }).await?;
    hold_stopped(services, switched.job.as_slice()).await?;
    Ok(switched)
}

/// Starts a job.
///
/// # Errors
/// [`BackendError`] if the registry cannot be reached.
pub async fn start_backfill(
    services: &impl Services,
    config: &Config,
    request: BackfillRequest,
    name: Option<String>,
) -> Result<BackfillStart, BackendError> {
    rpc::call(
        services.ledgers(),
        REGISTRY,
        &StartBackfill { request, folders: config.log_prefix.folders().to_vec(), name },
    )
    .await
}

/// Starts a backfill from a `PUSH_START_TIME` in the past until now, once per value. After a loss, of which values it was started is
/// not known, so what is before it is delivered only where a person starts a backfill.
async fn start_from_push_time(
    services: &impl Services,
    config: &Config,
    start: FirstStart,
) -> Result<(), BackendError> {
    let now_ms = services.now_ms();
    if start.after_loss && config.push_start_ms.is_some_and(|push_ms| push_ms < start.at_ms) {
        return Ok(());
    }
    let Some(start_ms) = config.push_start_ms.filter(|start| *start < now_ms && config.delivery.is_some()) else {
        return Ok(());
    };
    let request = BackfillRequest {
        start_ms,
        end_ms: now_ms,
        index: true,
        deliver: true,
        lines_per_second: BACKFILL_RATE,
        again: false,
        erasure: None,
        filter: None,
        reason: None,
        rebuild: false,
    };
    start_backfill(services, config, request, Some(format!("push-start-{start_ms}"))).await.map(drop)
}

/// Advances one job; returns the number of announced objects.
async fn drive(services: &impl Services, config: &Config, id: i64, mut job: BackfillJob) -> Result<u64, BackendError> {
    // What is read now would count as read, and its lines would not be delivered.
    if job.request.deliver && config.delivery.is_none() {
        return Ok(0);
    }
    // Payloads that wait come back again and again: no more of them than some minutes take.
    let rate = rate_of(&job, config);
    if job.request.deliver && job.sums.lines.pending > rate.saturating_mul(BACKFILL_WAITING_S) {
        return Ok(0);
    }
    let now_ms = services.now_ms();
    if let Some(erasure) = job.request.erasure {
        if now_ms - job.created_ms < ERASURES_FRESH_MS {
            return Ok(0);
        }
        if job.steps == 0 {
            // The request for it may have been cut off before that.
            note_erasures(services, erasure).await?;
        }
    }
    let mut announced = 0;
    job.credit = credit(&job, rate, now_ms);
    for _ in 0..if job.request.erasure.is_some() { ERASURE_PAGES } else { BACKFILL_PAGES } {
        if job.credit <= 0 || job.state != BackfillState::Running {
            break;
        }
        let after_steps = job.steps;
        let keys = page(services, config, id, &mut job).await?;
        job.updated_ms = now_ms;
        announced += keys.len() as u64;
        let step = RecordBackfillStep { id, after_steps, job: job.clone(), keys };
        if !rpc::call(services.ledgers(), REGISTRY, &step).await?.kept {
            // Another driver was faster, or the job was stopped.
            break;
        }
        job.steps += 1;
    }
    Ok(announced)
}

/// Returns the number of lines that a job announces in a second: no more than the partner is sent.
fn rate_of(job: &BackfillJob, config: &Config) -> u64 {
    let cap = config.delivery.as_ref().filter(|_| job.request.deliver).and_then(|delivery| delivery.lines_per_second);
    cap.unwrap_or(u64::MAX).min(job.request.lines_per_second)
}

/// Returns the number of lines that may be announced now: earned since the last step, and at most one burst.
fn credit(job: &BackfillJob, rate: u64, now_ms: i64) -> i64 {
    let rate = i64::try_from(rate).unwrap_or(i64::MAX);
    let earned = rate.saturating_mul((now_ms - job.updated_ms).max(0)) / 1000;
    job.credit.saturating_add(earned).min(rate.saturating_mul(BACKFILL_BURST_S))
}

/// Examines one page of the listing, as far as the credit allows. Returns the keys of the announced objects.
async fn page(
    services: &impl Services,
    config: &Config,
    id: i64,
    job: &mut BackfillJob,
) -> Result<Vec<String>, BackendError> {
    let whole_bucket = job.cursor.whole_bucket;
    let Some(folder) = job.cursor.folders.last().cloned() else {
        if whole_bucket {
            job.state = BackfillState::Announced;
        } else {
            let folders = config.log_prefix.folders().to_vec();
            job.cursor = BackfillCursor { folders, after: None, whole_bucket: true };
        }
        return Ok(Vec::new());
    };
    let request =
        ListRequest { prefix: folder, after: job.cursor.after.clone(), cursor: None, by_folder: !whole_bucket };
    let mut listed = services.bucket().list(&request).await?;
    listed.folders.retain(|folder| config.log_prefix.may_hold(folder));
    let now_ms = services.now_ms();
    let wanted = wanted_objects(services, config, &job.request, &listed).await?;
    let mut events = Vec::new();
    let mut stopped_at = None;
    for (key, head) in &listed.objects {
        if job.credit <= 0 {
            break;
        }
        stopped_at = Some(key.clone());
        if whole_bucket && is_in_near_folders(key, config, &job.request) {
            continue;
        }
        job.considered += 1;
        if wanted.contains(key) {
            let lines = (head.size / BACKFILL_LINE_BYTES).max(1);
            job.credit = job.credit.saturating_sub_unsigned(lines);
            job.estimated_lines += lines;
            events.push(event(services.bucket_name(), key, head, id, &job.request, now_ms));
        }
    }
    if stopped_at.as_ref() == listed.objects.last().map(|(key, _)| key) {
        stopped_at = None;
    }
    move_on(&mut job.cursor, &listed, stopped_at, &job.request);
    if !events.is_empty() {
        services.parse_queue().send(&events).await?;
    }
    Ok(events.into_iter().map(|event| event.object.key).collect())
}

/// Moves the cursor past the examined objects: the whole page, or up to the key at which the credit ran out.
fn move_on(cursor: &mut BackfillCursor, listed: &ListPage, stopped_at: Option<String>, request: &BackfillRequest) {
    let current = cursor.folders.pop();
    // The next page lists the folders after that key again.
    let seen = listed.folders.iter().filter(|folder| stopped_at.as_ref().is_none_or(|key| *folder < key));
    cursor.folders.splice(0..0, seen.filter(|folder| is_near(folder, request)).cloned());
    if listed.cursor.is_none() && stopped_at.is_none() {
        cursor.after = None;
        return;
    }
    let last_key = listed.objects.last().map(|(key, _)| skip_unread_folder(key));
    // The position after everything in the folder.
    let last_folder = listed.folders.last().map(|folder| format!("{folder}{}", char::MAX));
    cursor.after = stopped_at.or_else(|| last_key.max(last_folder)).or_else(|| cursor.after.take());
    cursor.folders.extend(current);
}

/// Builds the message of an object, with the job's options.
fn event(bucket_name: &str, key: &str, head: &ObjectHead, id: i64, request: &BackfillRequest, now_ms: i64) -> R2Event {
    let BackfillRequest { start_ms, end_ms, index, deliver, lines_per_second, again, erasure, rebuild, .. } = *request;
    let filtered = request.filter.is_some();
    let event = R2Event::put_object(bucket_name, key, head.size, &head.etag, now_ms);
    let backfill =
        EventBackfill { id, start_ms, end_ms, index, deliver, lines_per_second, again, erasure, filtered, rebuild };
    R2Event { backfill: Some(backfill), ..event }
}
