//! Backfills: jobs that index or deliver objects already in the bucket, for a time range. Stored in the registry,
//! driven by the cron ([`crate::pipeline::drive_backfills`]).
//!
//! # Invariants
//! A backfill continues from its last recorded step, and two drivers cannot both record the same step. It delivers
//! through the ledgers of its batches, so no line is delivered twice.

use serde::{Deserialize, Serialize};

use super::tables::{LedgerRow, json};
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::rpc::{Dispatcher, calls};

/// The table: one row per job, read and written as a whole. A named job is started only once.
pub(super) const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS backfill_v1 (id INTEGER PRIMARY KEY, name TEXT UNIQUE, job TEXT NOT NULL)";

/// The announced objects of unfinished backfills whose messages were processed: a message may arrive twice.
pub(super) const OBJECTS: &str = "CREATE TABLE IF NOT EXISTS backfill_object_v1 (
        backfill INTEGER NOT NULL, object_key TEXT NOT NULL, PRIMARY KEY (backfill, object_key)) WITHOUT ROWID";

/// The state of a backfill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackfillState {
    /// Each run of the cron continues it.
    Running,
    /// Stopped by a person, who can resume it.
    Stopped,
    /// Every object in its range was announced; some are not processed yet.
    Listed,
    /// Every object in its range was processed.
    Done,
}

/// How far a backfill has listed the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BackfillCursor {
    /// The remaining folders; the last one is being listed.
    pub folders: Vec<String>,
    /// The last key in that folder that was considered.
    pub after: Option<String>,
    /// Whether the range's day folders are done, and the listing continues over the complete bucket.
    pub whole_bucket: bool,
}

/// The range and the work of a backfill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillRequest {
    /// Start of the range in Unix milliseconds, inclusive.
    pub start_ms: i64,
    /// End of the range in Unix milliseconds, exclusive.
    pub end_ms: i64,
    /// Whether to index the batches.
    pub index: bool,
    /// Whether to deliver their records.
    pub deliver: bool,
    /// Lines to announce per second, estimated from the sizes of the objects.
    pub lines_per_second: u64,
}

/// A backfill with its progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillJob {
    /// The requested range and work.
    pub request: BackfillRequest,
    /// Its state; the cron continues a running one.
    pub state: BackfillState,
    /// Number of steps taken; it fences two drivers from each other.
    pub steps: u64,
    /// How far it has listed the bucket.
    pub cursor: BackfillCursor,
    /// Number of lines that may still be announced in this second; negative after an object that exceeded it.
    pub credit: i64,
    /// Number of listed objects that were considered.
    pub listed: u64,
    /// Number of objects for which a message was sent.
    pub announced: u64,
    /// Number of lines in the announced objects, estimated from their sizes.
    pub lines: u64,
    /// Number of announced objects whose message was processed; an object counts once.
    pub ended: u64,
    /// Unix milliseconds of its start.
    pub created_ms: i64,
    /// Unix milliseconds of its last step.
    pub updated_ms: i64,
}

calls! {
    "v1/backfill-start": StartBackfill => BackfillStart,
    "v1/backfills": ListBackfills => BackfillList,
    "v1/backfill-step": RecordBackfillStep => StepAnswer,
    "v1/backfill-switch": SwitchBackfill => BackfillList,
    "v1/backfill-ended": CountEndedObject => StepAnswer,
}

/// A request to start a backfill, unless its name is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartBackfill {
    /// The requested range and work.
    pub request: BackfillRequest,
    /// The key prefixes to list.
    pub folders: Vec<String>,
    /// A name that makes the start idempotent: a second start with it returns the first backfill.
    pub name: Option<String>,
}

/// The registry's answer to [`StartBackfill`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillStart {
    /// The number of the backfill.
    pub id: i64,
    /// Whether this call started the backfill.
    pub new: bool,
}

/// A request for backfills, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListBackfills {
    /// The number of the only backfill to return; `None` for all.
    pub id: Option<i64>,
    /// Maximum number of backfills in the answer.
    pub limit: u64,
}

/// The backfills that a call lists or changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillList {
    /// Pairs of number and backfill, newest first.
    pub jobs: Vec<(i64, BackfillJob)>,
}

/// A request to record one step of a backfill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordBackfillStep {
    /// The number of the backfill.
    pub id: i64,
    /// The number of steps that the driver read; a different number means that another driver was faster.
    pub after_steps: u64,
    /// The backfill after the step.
    pub job: BackfillJob,
}

/// Whether a change to a backfill was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAnswer {
    /// `false` if the backfill is unknown, stopped, or was changed by another driver.
    pub kept: bool,
}

/// A request to stop or resume a backfill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchBackfill {
    /// The number of the backfill.
    pub id: i64,
    /// `true` to resume, `false` to stop.
    pub run: bool,
}

/// A request to count an announced object whose message was processed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountEndedObject {
    /// The number of the backfill that announced it.
    pub id: i64,
    /// The key of the object; each counts once.
    pub key: String,
}

/// Registers the calls about backfills.
pub(super) fn dispatch<'a, S: SqlDatabase>(sql: &S, calls: Dispatcher<'a, S>, now_ms: i64) -> Dispatcher<'a, S> {
    calls
        .on(|call| start(sql, call, now_ms))
        .on(|call| jobs(sql, call))
        .on(|call| step(sql, call))
        .on(|call| switch(sql, *call, now_ms))
        .on(|call| ended(sql, call))
}

fn start(sql: &impl SqlDatabase, start: &StartBackfill, now_ms: i64) -> Result<BackfillStart, BackendError> {
    let name = start.name.as_deref().map_or(SqlValue::Null, SqlValue::text);
    let known = sql.run("SELECT id FROM backfill_v1 WHERE name = ?", std::slice::from_ref(&name))?;
    if let Some(row) = known.rows.first() {
        return Ok(BackfillStart { id: LedgerRow(row).integer(0)?, new: false });
    }
    let job = BackfillJob {
        credit: i64::try_from(start.request.lines_per_second).unwrap_or(i64::MAX),
        request: start.request.clone(),
        state: BackfillState::Running,
        steps: 0,
        cursor: BackfillCursor { folders: start.folders.clone(), after: None, whole_bucket: false },
        listed: 0,
        announced: 0,
        lines: 0,
        ended: 0,
        created_ms: now_ms,
        updated_ms: now_ms,
    };
    let new = sql.run("INSERT INTO backfill_v1 (name, job) VALUES (?, ?) RETURNING id", &[name, json(&job)])?;
    let id = new.rows.first().ok_or_else(|| BackendError::new("starting a backfill", "the database named no row"))?;
    Ok(BackfillStart { id: LedgerRow(id).integer(0)?, new: true })
}

fn jobs(sql: &impl SqlDatabase, call: &ListBackfills) -> Result<BackfillList, BackendError> {
    let parameters = [call.id.map_or(SqlValue::Null, SqlValue::Integer), SqlValue::number(call.limit)];
    let statement = "SELECT id, job FROM backfill_v1 WHERE ?1 IS NULL OR id = ?1 ORDER BY id DESC LIMIT ?2";
    let rows = sql.run(statement, &parameters)?.rows;
    let jobs = rows.iter().map(|row| Ok((LedgerRow(row).integer(0)?, LedgerRow(row).json(1)?)));
    Ok(BackfillList { jobs: jobs.collect::<Result<_, BackendError>>()? })
}

/// Returns the backfill with a number.
fn job(sql: &impl SqlDatabase, id: i64) -> Result<Option<BackfillJob>, BackendError> {
    Ok(jobs(sql, &ListBackfills { id: Some(id), limit: 1 })?.jobs.pop().map(|(_, job)| job))
}

fn keep(sql: &impl SqlDatabase, id: i64, job: &BackfillJob) -> Result<(), BackendError> {
    sql.run("UPDATE backfill_v1 SET job = ? WHERE id = ?", &[json(job), SqlValue::Integer(id)]).map(drop)
}

fn step(sql: &impl SqlDatabase, step: &RecordBackfillStep) -> Result<StepAnswer, BackendError> {
    let Some(known) = job(sql, step.id)? else { return Ok(StepAnswer { kept: false }) };
    if known.steps != step.after_steps || known.state != BackfillState::Running {
        return Ok(StepAnswer { kept: false });
    }
    // Messages may have been processed in the meantime.
    let job = BackfillJob { ended: known.ended, steps: known.steps + 1, ..step.job.clone() };
    keep(sql, step.id, &finished(sql, step.id, job)?)?;
    Ok(StepAnswer { kept: true })
}

fn switch(sql: &impl SqlDatabase, request: SwitchBackfill, now_ms: i64) -> Result<BackfillList, BackendError> {
    let Some(known) = job(sql, request.id)? else { return Ok(BackfillList { jobs: Vec::new() }) };
    let state = match (known.state, request.run) {
        (state @ (BackfillState::Done | BackfillState::Listed), _) => state,
        (_, true) => BackfillState::Running,
        (_, false) => BackfillState::Stopped,
    };
    // A step that is in progress when the job is stopped is discarded, and redone later.
    let job = BackfillJob { state, steps: known.steps + 1, updated_ms: now_ms, ..known };
    keep(sql, request.id, &job)?;
    Ok(BackfillList { jobs: vec![(request.id, job)] })
}

fn ended(sql: &impl SqlDatabase, ended: &CountEndedObject) -> Result<StepAnswer, BackendError> {
    let Some(known) = job(sql, ended.id)? else { return Ok(StepAnswer { kept: false }) };
    let parameters = [SqlValue::Integer(ended.id), SqlValue::text(&*ended.key)];
    let statement =
        "INSERT OR IGNORE INTO backfill_object_v1 (backfill, object_key) VALUES (?, ?) RETURNING object_key";
    let is_new = known.state != BackfillState::Done && !sql.run(statement, &parameters)?.rows.is_empty();
    if is_new {
        let job = BackfillJob { ended: known.ended + 1, ..known };
        keep(sql, ended.id, &finished(sql, ended.id, job)?)?;
    }
    Ok(StepAnswer { kept: is_new })
}

/// Returns the job, marked as done if its listing is complete and every announced object was processed.
fn finished(sql: &impl SqlDatabase, id: i64, job: BackfillJob) -> Result<BackfillJob, BackendError> {
    let is_listed = matches!(job.state, BackfillState::Listed | BackfillState::Done);
    if !is_listed {
        return Ok(job);
    }
    if job.ended < job.announced {
        return Ok(BackfillJob { state: BackfillState::Listed, ..job });
    }
    sql.run("DELETE FROM backfill_object_v1 WHERE backfill = ?", &[SqlValue::Integer(id)])?;
    Ok(BackfillJob { state: BackfillState::Done, ..job })
}
