//! Backfills: objects that are in the bucket already, to be indexed or delivered between two times. Kept in the
//! registry, driven by the cron ([`crate::pipeline::drive_backfills`]).
//!
//! What always holds: a job goes on from where its last step was kept, and two drivers cannot both take the same step;
//! what a job delivers goes through the ledgers of its batches, so that no line goes out twice.

use serde::{Deserialize, Serialize};

use super::tables::{Row, json};
use crate::backend::{BackendError, Sql, SqlValue};
use crate::rpc::{Dispatcher, calls};

/// The table: a job is one row, read and written whole. A name makes a job one that is started once.
pub(super) const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS backfill_v1 (id INTEGER PRIMARY KEY, name TEXT UNIQUE, job TEXT NOT NULL)";

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It goes on with each turn of the cron.
    Running,
    /// A person stopped it.
    Stopped,
    /// Every object was announced.
    Done,
}

/// How far a job has listed the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// Folders still to be listed; the last one is being listed.
    pub folders: Vec<String>,
    /// The last key of that folder that was looked at.
    pub after: Option<String>,
}

/// What a job is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The first instant that is in it, in Unix milliseconds.
    pub start_ms: i64,
    /// The first instant behind it.
    pub end_ms: i64,
    /// Whether to index.
    pub index: bool,
    /// Whether to deliver.
    pub deliver: bool,
    /// How many lines a second, as far as sizes tell.
    pub lines_per_second: u64,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// What it is to do.
    pub ask: Ask,
    /// Where it stands.
    pub state: JobState,
    /// Steps taken: the fence between two drivers.
    pub steps: u64,
    /// How far it has listed.
    pub cursor: Cursor,
    /// Lines that may be announced before the next second; below 0 where an object was larger.
    pub credit: i64,
    /// Objects looked at.
    pub listed: u64,
    /// Objects announced.
    pub announced: u64,
    /// Their lines, as far as sizes tell.
    pub lines: u64,
    /// Announced objects whose message came to its end; one that came twice counts twice.
    pub ended: u64,
    /// When it was started, in Unix milliseconds.
    pub created_ms: i64,
    /// When it took its last step.
    pub changed_ms: i64,
}

calls! {
    "v1/backfill-start": Start => Started,
    "v1/backfills": JobsAsk => Jobs,
    "v1/backfill-step": Step => Stepped,
    "v1/backfill-turn": Turn => Jobs,
    "v1/backfill-ended": Ended => Stepped,
}

/// Starts a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// What it is to do.
    pub ask: Ask,
    /// The folder to list.
    pub folder: String,
    /// Where there is a job of that name already, no other one is started.
    pub name: Option<String>,
}

/// A job that was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Its number.
    pub id: i64,
    /// Whether it is new.
    pub new: bool,
}

/// Asks for jobs, the latest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobsAsk {
    /// This one alone.
    pub id: Option<i64>,
    /// At most so many.
    pub limit: u64,
}

/// Jobs, with their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jobs {
    /// They.
    pub jobs: Vec<(i64, Job)>,
}

/// A job was driven on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its number.
    pub id: i64,
    /// The steps it had taken before.
    pub after_steps: u64,
    /// The job as it is now.
    pub job: Job,
}

/// Whether something was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stepped {
    /// Whether it was.
    pub kept: bool,
}

/// A person stops a job, or has it go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Its number.
    pub id: i64,
    /// Whether it is to go on.
    pub run: bool,
}

/// The message of an object that a job announced came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The job's number.
    pub id: i64,
}

/// Offers the calls about backfills.
pub(super) fn dispatch<'a, S: Sql>(sql: &S, calls: Dispatcher<'a, S>, now_ms: i64) -> Dispatcher<'a, S> {
    calls
        .on(|ask| start(sql, ask, now_ms))
        .on(|ask| jobs(sql, ask))
        .on(|ask| step(sql, ask))
        .on(|ask| turn(sql, *ask, now_ms))
        .on(|ask| ended(sql, *ask))
}

fn start(sql: &impl Sql, start: &Start, now_ms: i64) -> Result<Started, BackendError> {
    let name = start.name.as_deref().map_or(SqlValue::Null, SqlValue::text);
    let known = sql.run("SELECT id FROM backfill_v1 WHERE name = ?", std::slice::from_ref(&name))?;
    if let Some(row) = known.rows.first() {
        return Ok(Started { id: Row(row).integer(0)?, new: false });
    }
    let job = Job {
        credit: i64::try_from(start.ask.lines_per_second).unwrap_or(i64::MAX),
        ask: start.ask.clone(),
        state: JobState::Running,
        steps: 0,
        cursor: Cursor { folders: vec![start.folder.clone()], after: None },
        listed: 0,
        announced: 0,
        lines: 0,
        ended: 0,
        created_ms: now_ms,
        changed_ms: now_ms,
    };
    let new = sql.run("INSERT INTO backfill_v1 (name, job) VALUES (?, ?) RETURNING id", &[name, json(&job)])?;
    let id = new.rows.first().ok_or_else(|| BackendError::new("starting a backfill", "the database named no row"))?;
    Ok(Started { id: Row(id).integer(0)?, new: true })
}

fn jobs(sql: &impl Sql, ask: &JobsAsk) -> Result<Jobs, BackendError> {
    let parameters = [ask.id.map_or(SqlValue::Null, SqlValue::Integer), SqlValue::number(ask.limit)];
    let statement = "SELECT id, job FROM backfill_v1 WHERE ?1 IS NULL OR id = ?1 ORDER BY id DESC LIMIT ?2";
    let rows = sql.run(statement, &parameters)?.rows;
    let jobs = rows.iter().map(|row| Ok((Row(row).integer(0)?, Row(row).json(1)?)));
    Ok(Jobs { jobs: jobs.collect::<Result<_, BackendError>>()? })
}

/// One job by its number.
fn job(sql: &impl Sql, id: i64) -> Result<Option<Job>, BackendError> {
    Ok(jobs(sql, &JobsAsk { id: Some(id), limit: 1 })?.jobs.pop().map(|(_, job)| job))
}

fn keep(sql: &impl Sql, id: i64, job: &Job) -> Result<(), BackendError> {
    sql.run("UPDATE backfill_v1 SET job = ? WHERE id = ?", &[json(job), SqlValue::Integer(id)]).map(drop)
}

fn step(sql: &impl Sql, step: &Step) -> Result<Stepped, BackendError> {
    let Some(known) = job(sql, step.id)? else { return Ok(Stepped { kept: false }) };
    if known.steps != step.after_steps || known.state != JobState::Running {
        return Ok(Stepped { kept: false });
    }
    // Messages may have come to their end meanwhile.
    let job = Job { ended: known.ended, steps: known.steps + 1, ..step.job.clone() };
    keep(sql, step.id, &job)?;
    Ok(Stepped { kept: true })
}

fn turn(sql: &impl Sql, turn: Turn, now_ms: i64) -> Result<Jobs, BackendError> {
    let Some(known) = job(sql, turn.id)? else { return Ok(Jobs { jobs: Vec::new() }) };
    let state = match (known.state, turn.run) {
        (JobState::Done, _) => JobState::Done,
        (_, true) => JobState::Running,
        (_, false) => JobState::Stopped,
    };
    // A step that is under way when the job is stopped is not kept, and done again.
    let job = Job { state, steps: known.steps + 1, changed_ms: now_ms, ..known };
    keep(sql, turn.id, &job)?;
    Ok(Jobs { jobs: vec![(turn.id, job)] })
}

fn ended(sql: &impl Sql, ended: Ended) -> Result<Stepped, BackendError> {
    let Some(known) = job(sql, ended.id)? else { return Ok(Stepped { kept: false }) };
    keep(sql, ended.id, &Job { ended: known.ended + 1, ..known })?;
    Ok(Stepped { kept: true })
}
