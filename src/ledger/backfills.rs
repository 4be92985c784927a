//! Backfills: objects that are in the bucket already, to be indexed or delivered between two times. Kept in the
//! registry, driven by the cron ([`crate::pipeline::drive_backfills`]).
//!
//! # Invariants
//! A backfill continues from its last recorded step, and two drivers cannot both record the same step. What it delivers
//! goes through the ledgers of its batches, so no line is delivered twice.

use serde::{Deserialize, Serialize};

use super::tables::{LedgerRow, json};
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::rpc::{Dispatcher, calls};

/// The table: a job is one row, read and written whole. A name makes a job one that is started once.
pub(super) const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS backfill_v1 (id INTEGER PRIMARY KEY, name TEXT UNIQUE, job TEXT NOT NULL)";

/// The objects of backfills that are not done whose messages were processed: a message may come twice.
pub(super) const OBJECTS: &str = "CREATE TABLE IF NOT EXISTS backfill_object_v1 (
        backfill INTEGER NOT NULL, object_key TEXT NOT NULL, PRIMARY KEY (backfill, object_key)) WITHOUT ROWID";

/// The state of a backfill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackfillState {
    /// It continues at each run of the cron.
    Running,
    /// A person stopped it and can resume it.
    Stopped,
    /// Every object of its range was announced, and some are not processed yet.
    Listed,
    /// Every object of its range was processed.
    Done,
}

/// How far a backfill has listed the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BackfillCursor {
    /// Folders that remain; the last one is being listed.
    pub folders: Vec<String>,
    /// The last key of that folder that was considered.
    pub after: Option<String>,
    /// Whether the folders of the range's days are done, and the complete bucket is listed for what else there is.
    pub whole_bucket: bool,
}

/// What a backfill must do.
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
    /// The range and the work that were requested.
    pub request: BackfillRequest,
    /// Whether the cron continues it.
    pub state: BackfillState,
    /// Number of steps taken, which fences two drivers from each other.
    pub steps: u64,
    /// How far it has listed the bucket.
    pub cursor: BackfillCursor,
    /// Lines that may still be announced in this second; negative after an object that was larger.
    pub credit: i64,
    /// Number of objects in the listing that were considered.
    pub listed: u64,
    /// Number of objects for which a message was sent.
    pub announced: u64,
    /// Lines of the announced objects, estimated from their sizes.
    pub lines: u64,
    /// Announced objects whose message was processed; one that was delivered twice counts twice.
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

/// Starts a backfill, unless its name is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartBackfill {
    /// The range and the work that were requested.
    pub request: BackfillRequest,
    /// The prefix of the keys to list.
    pub folders: Vec<String>,
    /// A name that makes the start happen once: a second start with it returns the first backfill.
    pub name: Option<String>,
}

/// What the registry answers to [`StartBackfill`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillStart {
    /// The number of the backfill.
    pub id: i64,
    /// Whether this call started it.
    pub new: bool,
}

/// Asks for backfills, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListBackfills {
    /// Only this one; `None` for all.
    pub id: Option<i64>,
    /// Maximum number of backfills in the answer.
    pub limit: u64,
}

/// The backfills that a call lists or changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillList {
    /// Number and backfill, newest first.
    pub jobs: Vec<(i64, BackfillJob)>,
}

/// Records one step of a backfill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordBackfillStep {
    /// The number of the backfill.
    pub id: i64,
    /// The number of steps that the driver read; another number means that a different driver was faster.
    pub after_steps: u64,
    /// The backfill after the step.
    pub job: BackfillJob,
}

/// Whether a change to a backfill was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAnswer {
    /// `false` where the backfill is unknown, stopped, or was changed by another driver.
    pub kept: bool,
}

/// Stops or resumes a backfill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchBackfill {
    /// The number of the backfill.
    pub id: i64,
    /// `true` to resume, `false` to stop.
    pub run: bool,
}

/// Counts an announced object whose message was processed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountEndedObject {
    /// The number of the backfill that announced it.
    pub id: i64,
    /// The key of the object, which counts once.
    pub key: String,
}

/// Offers the calls about backfills.
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

/// One backfill by its number.
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
    // Messages may have been processed meanwhile.
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
    // A step that is under way when the job is stopped is not kept, and done again.
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

/// The job, done if it is listed to its end and every announced object was processed.
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
