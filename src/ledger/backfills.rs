//! Backfills: jobs that index or deliver objects already in the bucket, for a time range. Stored in the registry,
//! driven by the cron ([`crate::pipeline::drive_backfills`]).
//!
//! # Invariants
//! A backfill continues from its last recorded step, and two drivers cannot both record the same step. It delivers
//! through the ledgers of its batches, so no line is delivered twice unless it is to be. It is done once every object that it announced
//! was processed, and no ledger that was asked after that has a line of its window that waits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::backfill_ledgers::{self, BackfillLedgers, ListBackfillLedgers, RecordBackfillSums};
use super::backfill_sums::BackfillSums;
use super::calls::CallAck;
use super::hours::LedgerHour;
use super::plan::DeliveryWindow;
use super::tables::{LedgerRow, json};
use crate::backend::{BackendError, SqlDatabase, SqlRow, SqlValue};
use crate::rpc::{Dispatcher, calls};

/// The table: one row per job, read and written as a whole. A named job is started only once.
pub(super) const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS backfill_v1 (id INTEGER PRIMARY KEY, name TEXT UNIQUE, job TEXT NOT NULL)";

/// The objects of unfinished backfills: whether a recorded step announced each, and whether its message was processed.
/// A message may arrive twice, and before its step is recorded.
pub(super) const OBJECTS: &str = "CREATE TABLE IF NOT EXISTS backfill_object_v1 (
        backfill INTEGER NOT NULL, object_key TEXT NOT NULL, announced INTEGER NOT NULL, processed INTEGER NOT NULL,
        PRIMARY KEY (backfill, object_key)) WITHOUT ROWID";

/// The state of a backfill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackfillState {
    /// Each run of the cron continues it.
    Running,
    /// Stopped by a person, who can resume it: nothing is announced, and nothing goes to the partner.
    Stopped,
    /// Every object in its range was announced; some are not processed yet, or some of their lines still wait.
    Announced,
    /// Every line in its range is delivered, parked, filtered or rejected.
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
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
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
    /// Lines to send to the partner per second, and to announce, estimated from the sizes of the objects.
    pub lines_per_second: u64,
    /// Whether to deliver once more what other plans cover.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub again: bool,
    /// The number of the erasure whose lines it looks for; it neither indexes nor delivers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub erasure: Option<u64>,
    /// A filter in Logpush's language; only records that match are delivered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub filter: Option<String>,
    /// The reason that the person gave.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Whether to index once more whatever the ledgers say is indexed, after a loss. It delivers nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub rebuild: bool,
}

impl BackfillRequest {
    /// Returns its range.
    #[must_use]
    pub const fn window(&self) -> DeliveryWindow {
        DeliveryWindow { start_ms: self.start_ms, end_ms: self.end_ms }
    }
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
    pub considered: u64,
    /// Number of objects for which a message was sent; an object counts once.
    pub announced: u64,
    /// Number of lines in the announced objects, estimated from their sizes.
    pub estimated_lines: u64,
    /// Number of announced objects whose message was processed; an object counts once.
    pub processed: u64,
    /// Number of processed objects that are no valid batches.
    pub quarantined: u64,
    /// What a rebuild has indexed; nothing for any other backfill.
    #[serde(skip_serializing_if = "RebuildSums::is_empty", default)]
    pub rebuilt: RebuildSums,
    /// The lines of its range, as its ledgers last counted them.
    pub sums: BackfillSums,
    /// Unix milliseconds at which a ledger last counted; `None` before that.
    pub counted_ms: Option<i64>,
    /// Unix milliseconds of its start.
    pub created_ms: i64,
    /// Unix milliseconds of its last step.
    pub updated_ms: i64,
}

/// What the objects of a rebuild came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RebuildSums {
    /// Number of objects that are now in the index.
    pub objects: u64,
    /// Number of lines that were read of them.
    pub lines: u64,
    /// Number of these that are records.
    pub records: u64,
    /// Number of objects that are not in the index, by the code of the reason; those that are no valid batches are counted elsewhere.
    pub skipped: BTreeMap<String, u64>,
}

impl RebuildSums {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn add(mut self, object: RebuiltObject) -> Self {
        match object {
            RebuiltObject::Indexed { lines, records } => {
                self.objects += 1;
                self.lines += lines;
                self.records += records;
            }
            RebuiltObject::Skipped { code } => *self.skipped.entry(code).or_default() += 1,
        }
        self
    }
}

/// What an object of a rebuild came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RebuiltObject {
    /// The index has it.
    Indexed {
        /// Number of its lines.
        lines: u64,
        /// Number of these that are records.
        records: u64,
    },
    /// The index does not have it.
    Skipped {
        /// The code of the reason.
        code: String,
    },
}

impl BackfillJob {
    /// Returns whether its ledgers may have other counts than it has.
    #[must_use]
    pub const fn is_counted(&self) -> bool {
        self.request.deliver && (!matches!(self.state, BackfillState::Done) || self.sums.is_open())
    }
}

calls! {
    "v1/backfill-start": StartBackfill => BackfillStart,
    "v1/backfills": ListBackfills => BackfillList,
    "v1/backfills-unfinished": FindUnfinishedBackfills => BackfillList,
    "v1/backfill-step": RecordBackfillStep => StepAnswer,
    "v1/backfill-switch": SwitchBackfill => SwitchAnswer,
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

/// A request for backfills, newest first: those of erasures by their numbers alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListBackfills {
    /// The number of the only backfill to return; `None` for all.
    pub id: Option<i64>,
    /// Maximum number of backfills in the answer.
    pub limit: u64,
}

/// A request for the backfills that have work left: those that run first, then those whose lines wait, each from the
/// oldest on, so that new ones keep none from its end; then those whose counts may still change, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindUnfinishedBackfills {
    /// Maximum number of backfills in the answer.
    pub limit: u64,
}

/// The backfills that a call lists or changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillList {
    /// Pairs of number and backfill, in the order of the call.
    pub jobs: Vec<(i64, BackfillJob)>,
}

/// A request to record one step of a backfill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordBackfillStep {
    /// The number of the backfill.
    pub id: i64,
    /// The number of steps that the driver read; a different number means that another driver was faster.
    pub after_steps: u64,
    /// The backfill after the step. What the registry counts itself is ignored.
    pub job: BackfillJob,
    /// The keys of the objects that the step announced.
    pub keys: Vec<String>,
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

/// The registry's answer to [`SwitchBackfill`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchAnswer {
    /// The state before the call; `None` if the registry does not have the backfill, or it is that of an erasure.
    pub before: Option<BackfillState>,
    /// The backfill after it, with its number.
    pub job: Option<(i64, BackfillJob)>,
}

/// A request to count an announced object whose message was processed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountEndedObject {
    /// The number of the backfill that announced it.
    pub id: i64,
    /// The key of the object; each counts once.
    pub key: String,
    /// The name of its ledger; `None` from a version that knew no partitions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ledger: Option<String>,
    /// Whether it is no valid batch.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub quarantined: bool,
    /// What it came to, if the backfill is a rebuild.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rebuilt: Option<RebuiltObject>,
}

impl CountEndedObject {
    /// Returns the name of the object's ledger.
    fn ledger(&self) -> String {
        self.ledger.clone().unwrap_or_else(|| LedgerHour::of_key(&self.key).first_ledger().to_owned())
    }
}

/// Registers the calls about backfills.
pub(super) fn dispatch<'a, S: SqlDatabase>(sql: &S, calls: Dispatcher<'a, S>, now_ms: i64) -> Dispatcher<'a, S> {
    calls
        .on(|call| start(sql, call, now_ms))
        .on(|call| jobs(sql, call))
        .on(|call| unfinished(sql, *call))
        .on(|call| step(sql, call))
        .on(|call| switch(sql, *call, now_ms))
        .on(|call| ended(sql, call))
        .on(|call| ledgers(sql, *call, now_ms))
        .on(|call| count(sql, call, now_ms))
}

pub(super) fn start(sql: &impl SqlDatabase, start: &StartBackfill, now_ms: i64) -> Result<BackfillStart, BackendError> {
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
        considered: 0,
        announced: 0,
        estimated_lines: 0,
        processed: 0,
        quarantined: 0,
        rebuilt: RebuildSums::default(),
        sums: BackfillSums::default(),
        counted_ms: None,
        created_ms: now_ms,
        updated_ms: now_ms,
    };
    let new = sql.run("INSERT INTO backfill_v1 (name, job) VALUES (?, ?) RETURNING id", &[name, json(&job)])?;
    let id = new.rows.first().ok_or_else(|| BackendError::new("starting a backfill", "the database named no row"))?;
    Ok(BackfillStart { id: LedgerRow(id).integer(0)?, new: true })
}

pub(super) fn jobs(sql: &impl SqlDatabase, call: &ListBackfills) -> Result<BackfillList, BackendError> {
    let parameters = [call.id.map_or(SqlValue::Null, SqlValue::Integer), SqlValue::number(call.limit)];
    let statement = "SELECT id, job FROM backfill_v1
        WHERE id = ?1 OR ?1 IS NULL AND json_extract(job, '$.request.erasure') IS NULL ORDER BY id DESC LIMIT ?2";
    read_list(&sql.run(statement, &parameters)?.rows)
}

fn unfinished(sql: &impl SqlDatabase, call: FindUnfinishedBackfills) -> Result<BackfillList, BackendError> {
    let statement = "SELECT id, job, CASE json_extract(job, '$.state') WHEN 'running' THEN 0 WHEN 'announced' THEN 1 ELSE 2 END AS turn
         FROM backfill_v1 ORDER BY turn, CASE turn WHEN 2 THEN -id ELSE id END LIMIT ?";
    read_list(&sql.run(statement, &[SqlValue::number(call.limit)])?.rows)
}

/// Reads rows whose first two columns are the number and the backfill.
fn read_list(rows: &[SqlRow]) -> Result<BackfillList, BackendError> {
    let jobs = rows.iter().map(|row| Ok((LedgerRow(row).integer(0)?, LedgerRow(row).json(1)?)));
    Ok(BackfillList { jobs: jobs.collect::<Result<_, BackendError>>()? })
}

/// Returns the backfill with a number.
fn job(sql: &impl SqlDatabase, id: i64) -> Result<Option<BackfillJob>, BackendError> {
    Ok(jobs(sql, &ListBackfills { id: Some(id), limit: 1 })?.jobs.pop().map(|(_, job)| job))
}

/// Stores a backfill, as done if nothing of it is left.
fn keep(sql: &impl SqlDatabase, id: i64, job: BackfillJob) -> Result<(), BackendError> {
    let job = finished(sql, id, job)?;
    sql.run("UPDATE backfill_v1 SET job = ? WHERE id = ?", &[json(&job), SqlValue::Integer(id)]).map(drop)
}

fn step(sql: &impl SqlDatabase, step: &RecordBackfillStep) -> Result<StepAnswer, BackendError> {
    let Some(known) = job(sql, step.id)? else { return Ok(StepAnswer { kept: false }) };
    if known.steps != step.after_steps || known.state != BackfillState::Running {
        return Ok(StepAnswer { kept: false });
    }
    let (announced, processed) = announce(sql, step)?;
    let BackfillJob { state, cursor, credit, considered, estimated_lines, updated_ms, .. } = step.job.clone();
    let job = BackfillJob {
        state,
        cursor,
        credit,
        considered,
        estimated_lines,
        updated_ms,
        steps: known.steps + 1,
        announced: known.announced + announced,
        processed: known.processed + processed,
        ..known
    };
    keep(sql, step.id, job)?;
    Ok(StepAnswer { kept: true })
}

/// Records the objects that a step announced; returns how many no earlier step did, and how many of these were already
/// processed.
fn announce(sql: &impl SqlDatabase, step: &RecordBackfillStep) -> Result<(u64, u64), BackendError> {
    let statement = "INSERT INTO backfill_object_v1 (backfill, object_key, announced, processed)
         SELECT ?1, value, 1, 0 FROM json_each(?2) WHERE true
         ON CONFLICT (backfill, object_key) DO UPDATE SET announced = 1 WHERE announced = 0
         RETURNING processed";
    let rows = sql.run(statement, &[SqlValue::Integer(step.id), json(&step.keys)])?.rows;
    let processed = rows.iter().map(|row| LedgerRow(row).number::<u64>(0)).sum::<Result<u64, _>>()?;
    Ok((rows.len() as u64, processed))
}

fn switch(sql: &impl SqlDatabase, request: SwitchBackfill, now_ms: i64) -> Result<SwitchAnswer, BackendError> {
    let known = job(sql, request.id)?.filter(|known| known.request.erasure.is_none());
    let Some(known) = known else { return Ok(SwitchAnswer { before: None, job: None }) };
    let before = known.state;
    let state = match (before, request.run) {
        (BackfillState::Running, false) => BackfillState::Stopped,
        // Lines of it wait: once resumed, its listing ends where it ended.
        (BackfillState::Announced, false) if known.request.deliver => BackfillState::Stopped,
        (BackfillState::Stopped, true) => BackfillState::Running,
        _ => return Ok(SwitchAnswer { before: Some(before), job: Some((request.id, known)) }),
    };
    // A step that is in progress when the job is stopped is discarded, and redone later.
    let job = BackfillJob { state, steps: known.steps + 1, updated_ms: now_ms, ..known };
    keep(sql, request.id, job.clone())?;
    Ok(SwitchAnswer { before: Some(before), job: Some((request.id, job)) })
}

fn ended(sql: &impl SqlDatabase, ended: &CountEndedObject) -> Result<StepAnswer, BackendError> {
    let Some(known) = job(sql, ended.id)? else { return Ok(StepAnswer { kept: false }) };
    if known.state == BackfillState::Done {
        return Ok(StepAnswer { kept: false });
    }
    let statement = "INSERT INTO backfill_object_v1 (backfill, object_key, announced, processed) VALUES (?, ?, 0, 1)
         ON CONFLICT (backfill, object_key) DO UPDATE SET processed = 1 WHERE processed = 0 RETURNING announced";
    let new = sql.run(statement, &[SqlValue::Integer(ended.id), SqlValue::text(&*ended.key)])?.rows;
    let Some(row) = new.first() else { return Ok(StepAnswer { kept: false }) };
    // An object counts once its step is recorded.
    let counted = LedgerRow(row).number::<u64>(0)?;
    if known.request.deliver {
        backfill_ledgers::add(sql, ended.id, &ended.ledger())?;
    }
    let job = BackfillJob {
        processed: known.processed + counted,
        quarantined: known.quarantined + u64::from(ended.quarantined),
        rebuilt: ended.rebuilt.clone().map_or(known.rebuilt.clone(), |object| known.rebuilt.clone().add(object)),
        ..known
    };
    keep(sql, ended.id, job)?;
    Ok(StepAnswer { kept: true })
}

fn ledgers(sql: &impl SqlDatabase, call: ListBackfillLedgers, now_ms: i64) -> Result<BackfillLedgers, BackendError> {
    let Some(known) = job(sql, call.id)? else {
        return Ok(BackfillLedgers { names: Vec::new(), all_processed: false });
    };
    let is_announced = matches!(known.state, BackfillState::Announced | BackfillState::Done);
    let all_processed = is_announced && known.processed >= known.announced;
    Ok(BackfillLedgers { names: backfill_ledgers::due(sql, call, now_ms)?, all_processed })
}

fn count(sql: &impl SqlDatabase, call: &RecordBackfillSums, now_ms: i64) -> Result<CallAck, BackendError> {
    if let Some(known) = job(sql, call.id)? {
        backfill_ledgers::record(sql, call, now_ms)?;
        let sums = backfill_ledgers::total(sql, call.id)?;
        keep(sql, call.id, BackfillJob { sums, counted_ms: Some(now_ms), ..known })?;
    }
    Ok(CallAck {})
}

/// Returns the job, marked as done if its listing is complete, every announced object was processed, and none of its
/// lines waits.
fn finished(sql: &impl SqlDatabase, id: i64, job: BackfillJob) -> Result<BackfillJob, BackendError> {
    if job.state != BackfillState::Announced || job.processed < job.announced || backfill_ledgers::wait(sql, id)? {
        return Ok(job);
    }
    sql.run("DELETE FROM backfill_object_v1 WHERE backfill = ?", &[SqlValue::Integer(id)])?;
    Ok(BackfillJob { state: BackfillState::Done, ..job })
}
