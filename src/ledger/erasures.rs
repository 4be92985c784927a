//! Erasures: which lines no answer shows any more, and what became of them. Stored in the registry.
//!
//! An erasure holds from the moment it is stored. Its backfill then reads the batches that may have such lines, and reports of
//! each what it found ([`NoteErased`]).
//!
//! Tables: `erasure_key_v1`, the key of the digests; `erasure_v1`, a row for each erasure; `erased_object_v1`, the batches with
//! erased lines; `erased_payload_v1`, the payloads by which such lines went to the partner, or may have.
//!
//! # Invariants
//! An erasure is never removed or changed. The number of erasures is the generation of the rules. No table has a value that is
//! erased.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::backfills::{self, BackfillJob, BackfillRequest, ListBackfills, StartBackfill};
use super::calls::CallAck;
use super::erased_lines::SentLines;
use super::ids::REGISTRY;
use super::tables::{LedgerRow, json, maybe};
use crate::backend::{BackendError, DurableObjects, SqlDatabase, SqlRow, SqlValue};
use crate::erasure::{ErasedLines, ErasureKey, ErasureRule, KnownErasures};
use crate::limits::{ERASED_VALUES_KEPT, ERASURES_FRESH_MS, ERASURES_KEPT};
use crate::rpc::{self, Dispatcher, calls};

/// The statements that create the tables if they do not exist.
pub(super) const SCHEMA: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS erasure_key_v1 (one INTEGER PRIMARY KEY, secret TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS erasure_v1 (
        id INTEGER PRIMARY KEY, rule TEXT NOT NULL, digests INTEGER NOT NULL, backfill INTEGER NOT NULL, by TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS erased_object_v1 (
        erasure INTEGER NOT NULL, object_key TEXT NOT NULL, lines INTEGER NOT NULL, taken_out INTEGER NOT NULL,
        is_unknown INTEGER NOT NULL,
        PRIMARY KEY (erasure, object_key)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS erased_payload_v1 (
        erasure INTEGER NOT NULL, payload TEXT NOT NULL, sent TEXT NOT NULL,
        PRIMARY KEY (erasure, payload)) WITHOUT ROWID",
];

calls! {
    "v1/erasure-key": MakeErasureKey => MadeErasureKey,
    "v1/erase": StartErasure => ErasureStart,
    "v1/erasure-rules": ReadErasureRules => ErasureRules,
    "v1/erasures": ListErasures => ErasureList,
    "v1/note-erased": NoteErased => CallAck,
    "v1/erased-payloads": ListErasedPayloads => ErasedPayloads,
}

/// A request for the key of the digests, which is made if there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeErasureKey {
    /// Random bits of the one who asks, which become the key if there is none.
    pub candidate: ErasureKey,
}

/// The registry's answer to [`MakeErasureKey`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeErasureKey {
    /// The key.
    pub key: ErasureKey,
}

/// A request to erase lines, from now on and for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartErasure {
    /// Which lines.
    pub rule: ErasureRule,
    /// The name of the caller.
    pub by: String,
    /// The backfill that finds the batches with such lines.
    pub request: BackfillRequest,
    /// The key prefixes that it lists.
    pub folders: Vec<String>,
}

/// The registry's answer to [`StartErasure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureStart {
    /// The number of the erasure, which is also the generation of the rules; `None` if there are too many rules or values.
    pub id: Option<u64>,
}

/// A request for the rules of all erasures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadErasureRules {}

/// The registry's answer to [`ReadErasureRules`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureRules {
    /// The generation of the rules: the number of the latest erasure, 0 without one.
    pub generation: u64,
    /// The key of the digests; `None` if there is none, and so no rule.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<ErasureKey>,
    /// The rules, oldest first.
    pub rules: Vec<ErasureRule>,
}

/// A request for erasures, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListErasures {
    /// The number of the only erasure to return; `None` for all.
    pub id: Option<u64>,
    /// Maximum number of erasures in the answer.
    pub limit: u64,
}

/// The registry's answer to [`ListErasures`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureList {
    /// The erasures, newest first.
    pub erasures: Vec<StoredErasure>,
}

/// An erasure with its progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredErasure {
    /// Its number.
    pub id: u64,
    /// Which lines it erases; its values are left out.
    pub rule: ErasureRule,
    /// Number of its different values.
    pub values: u64,
    /// The name of the caller who asked for it.
    pub by: String,
    /// The backfill that finds the batches with such lines.
    pub job: BackfillJob,
    /// What was found so far.
    pub found: ErasedTotals,
}

/// What an erasure has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ErasedTotals {
    /// Number of batches with erased lines.
    pub batches: u64,
    /// Number of erased lines in them.
    pub lines: u64,
    /// Number of lines that were taken out of payloads before these were sent.
    pub taken_out: u64,
    /// Number of payloads by which erased lines went to the partner, or may have.
    pub payloads: u64,
    /// Number of those batches that no ledger knew, so that nothing says what of them was sent.
    pub unknown_batches: u64,
}

/// A request to note what an erasure found in a batch; a later note about the same one takes the place of an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteErased {
    /// The number of the erasure.
    pub id: u64,
    /// The key of the batch.
    pub key: String,
    /// Number of erased lines in it.
    pub lines: u64,
    /// Number of lines that were taken out of its payloads.
    pub taken_out: u64,
    /// The payloads by which erased lines went to the partner, or may have.
    pub sent: Vec<SentLines>,
    /// Whether no ledger knows the batch, so that nothing says what of it was sent.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub is_unknown: bool,
}

/// A request for the payloads by which lines of an erasure went to the partner, or may have, in the order of their handles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListErasedPayloads {
    /// The number of the erasure.
    pub id: u64,
    /// The last payload of the page before.
    pub after: Option<String>,
    /// Maximum number of payloads in the answer.
    pub limit: u64,
}

/// The registry's answer to [`ListErasedPayloads`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedPayloads {
    /// The payloads.
    pub sent: Vec<SentLines>,
}

/// Why an isolate does not know the erasures of a generation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErasureError {
    /// The registry cannot be reached.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The registry was lost, and erasures with it.
    #[error("the registry has {known} of {made} erasures: make the others again")]
    Lost {
        /// Number of erasures that it has.
        known: u64,
        /// Number of erasures that were made.
        made: u64,
    },
}

impl From<ErasureError> for BackendError {
    fn from(error: ErasureError) -> Self {
        match error {
            ErasureError::Backend(error) => error,
            ErasureError::Lost { .. } => Self::new("reading the erasures", error.to_string()),
        }
    }
}

/// Has the isolate know the rules of this generation at least.
///
/// # Errors
/// [`ErasureError`] if the registry cannot be reached, or does not have them.
pub async fn ensure_generation(
    ledgers: &impl DurableObjects,
    known: &KnownErasures,
    generation: u64,
    now_ms: i64,
) -> Result<(), ErasureError> {
    if known.generation() < generation {
        read_rules(ledgers, known, now_ms).await?;
    }
    match known.generation() {
        read if read < generation => Err(ErasureError::Lost { known: read, made: generation }),
        _ => Ok(()),
    }
}

/// Has the isolate know the rules as they were [`ERASURES_FRESH_MS`] ago at most.
///
/// # Errors
/// [`BackendError`] if the registry cannot be reached.
pub async fn ensure_fresh(
    ledgers: &impl DurableObjects,
    known: &KnownErasures,
    now_ms: i64,
) -> Result<Rc<ErasedLines>, BackendError> {
    if !known.are_read_within(ERASURES_FRESH_MS, now_ms) {
        read_rules(ledgers, known, now_ms).await?;
    }
    Ok(known.lines())
}

async fn read_rules(ledgers: &impl DurableObjects, known: &KnownErasures, now_ms: i64) -> Result<(), BackendError> {
    let ErasureRules { generation, key, rules } = rpc::call(ledgers, REGISTRY, &ReadErasureRules {}).await?;
    known.keep(key.map_or_else(ErasedLines::default, |key| ErasedLines::new(key, rules)), generation, now_ms);
    Ok(())
}

/// Registers the calls about erasures.
pub(super) fn dispatch<'a, S: SqlDatabase>(sql: &S, calls: Dispatcher<'a, S>, now_ms: i64) -> Dispatcher<'a, S> {
    calls
        .on(|call| make_key(sql, call))
        .on(|call| start(sql, call, now_ms))
        .on(|_: &ReadErasureRules| rules(sql))
        .on(|call| list(sql, *call))
        .on(|call| note(sql, call))
        .on(|call| payloads(sql, call))
}

fn make_key(sql: &impl SqlDatabase, call: &MakeErasureKey) -> Result<MadeErasureKey, BackendError> {
    let candidate = SqlValue::text(call.candidate.digits());
    sql.run("INSERT OR IGNORE INTO erasure_key_v1 (one, secret) VALUES (1, ?)", &[candidate])?;
    let lost = || BackendError::new("making the key of erasures", "the database has none");
    Ok(MadeErasureKey { key: key(sql)?.ok_or_else(lost)? })
}

fn key(sql: &impl SqlDatabase) -> Result<Option<ErasureKey>, BackendError> {
    let rows = sql.run("SELECT secret FROM erasure_key_v1", &[])?.rows;
    let Some(row) = rows.first() else { return Ok(None) };
    let key = ErasureKey::from_digits(&LedgerRow(row).text(0)?);
    key.map(Some).ok_or_else(|| BackendError::new("reading the key of erasures", "it is damaged"))
}

fn start(sql: &impl SqlDatabase, call: &StartErasure, now_ms: i64) -> Result<ErasureStart, BackendError> {
    let StartErasure { rule, by, request, folders } = call;
    let kept = sql.run("SELECT count(*), coalesce(sum(digests), 0) FROM erasure_v1", &[])?.rows;
    let kept = kept.first().map(|row| Ok::<_, BackendError>((LedgerRow(row).number(0)?, LedgerRow(row).number(1)?)));
    let (erasures, values): (u64, u64) = kept.transpose()?.unwrap_or_default();
    let digests = rule.values.len() as u64;
    if erasures >= ERASURES_KEPT || values + digests > ERASED_VALUES_KEPT {
        return Ok(ErasureStart { id: None });
    }
    let id = erasures + 1;
    let request = BackfillRequest { erasure: Some(id), ..request.clone() };
    let start = StartBackfill { request, folders: folders.clone(), name: None };
    let backfill = backfills::start(sql, &start, now_ms)?.id;
    let row = [
        SqlValue::number(id),
        json(rule),
        SqlValue::number(digests),
        SqlValue::Integer(backfill),
        SqlValue::text(&**by),
    ];
    sql.run("INSERT INTO erasure_v1 (id, rule, digests, backfill, by) VALUES (?, ?, ?, ?, ?)", &row)?;
    Ok(ErasureStart { id: Some(id) })
}

fn rules(sql: &impl SqlDatabase) -> Result<ErasureRules, BackendError> {
    let rows = sql.run("SELECT id, rule FROM erasure_v1 ORDER BY id", &[])?.rows;
    let generation = rows.last().map_or(Ok(0), |row| LedgerRow(row).number(0))?;
    let rules = rows.iter().map(|row| LedgerRow(row).json(1)).collect::<Result<_, _>>()?;
    Ok(ErasureRules { generation, key: key(sql)?, rules })
}

/// The totals of an erasure's batches and payloads, by its number in the outer statement.
const TOTALS: &str = "(SELECT count(*) FROM erased_object_v1 WHERE erasure = e.id),
    (SELECT coalesce(sum(lines), 0) FROM erased_object_v1 WHERE erasure = e.id),
    (SELECT coalesce(sum(taken_out), 0) FROM erased_object_v1 WHERE erasure = e.id),
    (SELECT count(*) FROM erased_payload_v1 WHERE erasure = e.id),
    (SELECT count(*) FROM erased_object_v1 WHERE erasure = e.id AND is_unknown = 1)";

fn list(sql: &impl SqlDatabase, call: ListErasures) -> Result<ErasureList, BackendError> {
    let rows = sql.run(
        &format!(
            "SELECT e.id, e.rule, e.digests, e.by, e.backfill, {TOTALS} FROM erasure_v1 AS e
             WHERE ?1 IS NULL OR e.id = ?1 ORDER BY e.id DESC LIMIT ?2"
        ),
        &[maybe(call.id), SqlValue::number(call.limit)],
    )?;
    let erasures = rows.rows.iter().map(|row| read_erasure(sql, row)).collect::<Result<_, _>>()?;
    Ok(ErasureList { erasures })
}

fn read_erasure(sql: &impl SqlDatabase, row: &SqlRow) -> Result<StoredErasure, BackendError> {
    let row = LedgerRow(row);
    let rule: ErasureRule = row.json(1)?;
    let backfill = ListBackfills { id: Some(row.integer(4)?), limit: 1 };
    let lost = || BackendError::new("reading an erasure", "its backfill is gone");
    let (_, job) = backfills::jobs(sql, &backfill)?.jobs.pop().ok_or_else(lost)?;
    let found = ErasedTotals {
        batches: row.number(5)?,
        lines: row.number(6)?,
        taken_out: row.number(7)?,
        payloads: row.number(8)?,
        unknown_batches: row.number(9)?,
    };
    let rule = ErasureRule { values: std::iter::empty().collect(), ..rule };
    Ok(StoredErasure { id: row.number(0)?, rule, values: row.number(2)?, by: row.text(3)?, job, found })
}

fn note(sql: &impl SqlDatabase, note: &NoteErased) -> Result<CallAck, BackendError> {
    let erasure = SqlValue::number(note.id);
    sql.run(
        "INSERT INTO erased_object_v1 (erasure, object_key, lines, taken_out, is_unknown) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (erasure, object_key) DO UPDATE SET lines = ?3, taken_out = ?4, is_unknown = ?5",
        &[
            erasure.clone(),
            SqlValue::text(&*note.key),
            SqlValue::number(note.lines),
            SqlValue::number(note.taken_out),
            SqlValue::Integer(note.is_unknown.into()),
        ],
    )?;
    for sent in &note.sent {
        let row = [erasure.clone(), SqlValue::text(&*sent.payload), json(sent)];
        sql.run("INSERT OR REPLACE INTO erased_payload_v1 (erasure, payload, sent) VALUES (?, ?, ?)", &row)?;
    }
    Ok(CallAck {})
}

fn payloads(sql: &impl SqlDatabase, call: &ListErasedPayloads) -> Result<ErasedPayloads, BackendError> {
    let after = SqlValue::text(call.after.as_deref().unwrap_or_default());
    let rows = sql.run(
        "SELECT sent FROM erased_payload_v1 WHERE erasure = ? AND payload > ? ORDER BY payload LIMIT ?",
        &[SqlValue::number(call.id), after, SqlValue::number(call.limit)],
    )?;
    let sent = rows.rows.iter().map(|row| LedgerRow(row).json(0)).collect::<Result<_, _>>()?;
    Ok(ErasedPayloads { sent })
}
