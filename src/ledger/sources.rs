//! The life of a source: begun, then sealed or quarantined.
//!
//! # Invariants
//! A source is sealed in one transaction with all its payloads, and only if the accounts balance. A sealed source stays
//! sealed. A plan is pinned when it is first returned.

use super::calls::{
    BeginAnswer, BeginBatch, CallAck, CheckPlan, DeletedObjectVersions, FindUnfinished, ForgetDeletedObject,
    MarkRegistered, PlanStanding, QuarantineAnswer, QuarantineBatch, RecordShards, RemainingWork, ReplacedVersion,
    SealAnswer, SealBatch, SealedPlan, UnfinishedSources,
};
use super::delivery::{Delivery, DeliveryState};
use super::ids::DeliveryId;
use super::packs;
use super::plan::{DeliveryPlan, DeliveryRequest, DeliveryWindow};
use super::source_id::SourceId;
use super::state::BatchState;
use super::tables::{LedgerRow, deliveries, json, maybe, note, save};
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::index::LineCounts;
use crate::limits::OUTBOX_FIRST_MS;
use crate::record::Dataset;

/// The name of the note that says that the registry knows this ledger.
const REGISTERED: &str = "registered";

/// The row of a version of an object.
struct StoredVersion {
    id: SourceId,
    uploaded_ms: i64,
    state: BatchState,
    code: String,
    indexed: bool,
    shards: Vec<String>,
}

/// Every version of the object at `key`.
fn versions(sql: &impl SqlDatabase, key: &str) -> Result<Vec<StoredVersion>, BackendError> {
    let rows = sql.run(
        "SELECT id, uploaded_ms, state, code, indexed, shards FROM source_v1 WHERE object_key = ?",
        &[SqlValue::text(key)],
    )?;
    let version = |row| {
        let row = LedgerRow(row);
        Ok(StoredVersion {
            id: row.source(0)?,
            uploaded_ms: row.integer(1)?,
            state: row.batch_state(2)?,
            code: row.maybe_text(3).unwrap_or_default(),
            indexed: row.integer(4)? != 0,
            shards: row.json(5)?,
        })
    };
    rows.rows.iter().map(version).collect()
}

/// Returns what remains to be done with a source, and pins its plan.
pub(super) fn begin(sql: &impl SqlDatabase, ask: &BeginBatch, now_ms: i64) -> Result<BeginAnswer, BackendError> {
    let (mine, others): (Vec<_>, Vec<_>) =
        versions(sql, &ask.object.key)?.into_iter().partition(|version| version.id == ask.source);
    if others.iter().any(|version| version.uploaded_ms > ask.object.uploaded_ms) {
        return Ok(BeginAnswer::Superseded);
    }
    let mine = mine.into_iter().next();
    if let Some(mine) = &mine
        && mine.state == BatchState::Quarantined
    {
        return Ok(BeginAnswer::Quarantined { code: mine.code.clone() });
    }
    match &mine {
        None => insert(sql, ask, now_ms)?,
        Some(mine) if mine.uploaded_ms < ask.object.uploaded_ms => touch(sql, ask)?,
        Some(_) => {}
    }
    let index = ask.index && !mine.as_ref().is_some_and(|mine| mine.indexed);
    let (plan, more) = match &ask.deliver {
        Some(request) => plan_for(sql, &ask.source, request)?,
        None => (None, false),
    };
    let replaced: Vec<_> = others.into_iter().filter(|version| !version.shards.is_empty()).map(replaced).collect();
    let sealed = mine.is_some_and(|mine| mine.state == BatchState::Sealed);
    if sealed && !index && plan.is_none() && replaced.is_empty() {
        return Ok(BeginAnswer::Complete);
    }
    Ok(BeginAnswer::Work(RemainingWork { index, plan, replaced, registered: is_registered(sql)?, more }))
}

fn replaced(version: StoredVersion) -> ReplacedVersion {
    ReplacedVersion { source: version.id, uploaded_ms: version.uploaded_ms, shards: version.shards }
}

fn insert(sql: &impl SqlDatabase, ask: &BeginBatch, now_ms: i64) -> Result<(), BackendError> {
    let object = &ask.object;
    sql.run(
        "INSERT INTO source_v1 (id, object_key, etag, uploaded_ms, size, dataset, state, indexed, shards, gone, lines,
            counts, inflated, first_seen_ms) VALUES (?, ?, ?, ?, ?, ?, ?, 0, '[]', 0, 0, '{}', 0, ?)",
        &[
            SqlValue::text(ask.source.as_str()),
            SqlValue::text(&*object.key),
            SqlValue::text(&*object.etag),
            SqlValue::number(object.uploaded_ms),
            SqlValue::number(object.size),
            SqlValue::text(&*ask.dataset),
            SqlValue::text(BatchState::Open.name()),
            SqlValue::number(now_ms),
        ],
    )
    .map(drop)
}

/// Records that the same bytes were written again.
fn touch(sql: &impl SqlDatabase, ask: &BeginBatch) -> Result<(), BackendError> {
    let parameters = [SqlValue::number(ask.object.uploaded_ms), SqlValue::text(ask.source.as_str())];
    sql.run("UPDATE source_v1 SET uploaded_ms = ?, gone = 0 WHERE id = ?", &parameters).map(drop)
}

/// The plan to work on, and whether another one follows it.
fn plan_for(
    sql: &impl SqlDatabase,
    source: &SourceId,
    request: &DeliveryRequest,
) -> Result<(Option<DeliveryPlan>, bool), BackendError> {
    let plans = plans(sql, source)?;
    let left = request.window.without(&covered(&plans));
    if let Some((open, _)) = plans.iter().find(|(_, standing)| *standing == PlanStanding::Open) {
        return Ok((Some(open.clone()), !left.is_empty()));
    }
    if left.is_empty() {
        return Ok((None, false));
    }
    let number = plans.iter().map(|(plan, _)| plan.number).max().unwrap_or(0) + 1;
    let plan = DeliveryPlan { number, windows: left, options: request.options.clone() };
    sql.run(
        "INSERT INTO plan_v1 (source, number, plan, in_window, filtered, sanitised) VALUES (?, ?, ?, 0, '{}', 0)",
        &[SqlValue::text(source.as_str()), SqlValue::number(number), json(&plan)],
    )?;
    Ok((Some(plan), false))
}

/// The plans of a source, each with how far it is.
pub(super) fn plans(
    sql: &impl SqlDatabase,
    source: &SourceId,
) -> Result<Vec<(DeliveryPlan, PlanStanding)>, BackendError> {
    let rows = sql.run(
        "SELECT plan, sealed_ms, abandoned_ms FROM plan_v1 WHERE source = ? ORDER BY number",
        &[SqlValue::text(source.as_str())],
    )?;
    rows.rows.iter().map(|row| Ok((LedgerRow(row).json(0)?, standing_of(&LedgerRow(row), 1)))).collect()
}

/// How far a plan is, by the columns `sealed_ms` and `abandoned_ms`, the first of which is this one.
fn standing_of(row: &LedgerRow<'_>, column: usize) -> PlanStanding {
    match (row.maybe_integer(column), row.maybe_integer(column + 1)) {
        (Some(_), _) => PlanStanding::Sealed,
        (None, Some(_)) => PlanStanding::Void,
        (None, None) => PlanStanding::Open,
    }
}

/// Says how far a plan is, and abandons it where that is asked for and it is open.
pub(super) fn check_plan(sql: &impl SqlDatabase, ask: &CheckPlan, now_ms: i64) -> Result<PlanStanding, BackendError> {
    let place = [SqlValue::text(ask.source.as_str()), SqlValue::number(ask.plan)];
    if ask.abandon {
        let statement = "UPDATE plan_v1 SET abandoned_ms = ? WHERE source = ? AND number = ?
            AND sealed_ms IS NULL AND abandoned_ms IS NULL";
        sql.run(statement, &[&[SqlValue::Integer(now_ms)], place.as_slice()].concat())?;
    }
    let known = sql.run("SELECT sealed_ms, abandoned_ms FROM plan_v1 WHERE source = ? AND number = ?", &place)?;
    Ok(known.rows.first().map_or(PlanStanding::Void, |row| standing_of(&LedgerRow(row), 0)))
}

/// Seals a source if the accounts balance.
pub(super) fn seal(
    sql: &impl SqlDatabase,
    ledger: &str,
    seal: &SealBatch,
    now_ms: i64,
) -> Result<SealAnswer, BackendError> {
    let refuse = |why: String| Err(BackendError::new("sealing a source", why));
    let source = SqlValue::text(seal.source.as_str());
    let known = sql.run("SELECT state, lines FROM source_v1 WHERE id = ?", std::slice::from_ref(&source))?;
    let Some(row) = known.rows.first().map(LedgerRow) else { return refuse("it was never begun".into()) };
    let (state, lines) = (row.batch_state(0)?, row.number::<u64>(1)?);
    if state == BatchState::Quarantined {
        return refuse("it is quarantined".into());
    }
    if state == BatchState::Sealed && lines != seal.counts.lines {
        return refuse(format!("it had {lines} lines, and now {}", seal.counts.lines));
    }
    let LineCounts { lines, records, .. } = seal.counts;
    let rejected = seal.counts.rejected_lines();
    if records + rejected != lines {
        return refuse(format!("of {lines} lines, {records} are records and {rejected} rejected"));
    }
    let already = match &seal.plan {
        Some(plan) => !seal_plan(sql, seal, plan, now_ms)?,
        None => state == BatchState::Sealed,
    };
    match seal.indexed {
        Some(true) => {
            sql.run("UPDATE source_v1 SET indexed = 1 WHERE id = ?", std::slice::from_ref(&source))?;
            replace_older(sql, &source)?;
        }
        Some(false) => {
            let statement = "UPDATE source_v1 SET indexed = 0, shards = '[]' WHERE id = ?";
            sql.run(statement, std::slice::from_ref(&source))?;
        }
        None => {}
    }
    if state == BatchState::Open {
        let counts = json(&seal.counts);
        let (lines, inflated) = (SqlValue::number(seal.counts.lines), SqlValue::number(seal.inflated));
        let (first, last) = (maybe(seal.times.map(|times| times.0)), maybe(seal.times.map(|times| times.1)));
        let state = SqlValue::text(BatchState::Sealed.name());
        sql.run(
            "UPDATE source_v1 SET state = ?, lines = ?, counts = ?, inflated = ?, first_ms = ?, last_ms = ?, sealed_ms = ?
             WHERE id = ?",
            &[state, lines, counts, inflated, first, last, SqlValue::number(now_ms), source],
        )?;
    }
    Ok(SealAnswer { already, send: unsent(sql, ledger, &seal.source)? })
}

/// Records that no ray of an older version is in the index.
fn replace_older(sql: &impl SqlDatabase, source: &SqlValue) -> Result<(), BackendError> {
    sql.run(
        "UPDATE source_v1 SET indexed = 0, shards = '[]' WHERE id <> ?1 AND shards <> '[]'
            AND object_key = (SELECT object_key FROM source_v1 WHERE id = ?1)
            AND uploaded_ms <= (SELECT uploaded_ms FROM source_v1 WHERE id = ?1)",
        std::slice::from_ref(source),
    )
    .map(drop)
}

/// Records the shards that are about to hold rays of a source.
pub(super) fn record_shards(sql: &impl SqlDatabase, ask: &RecordShards) -> Result<CallAck, BackendError> {
    let parameters = [json(&ask.shards), SqlValue::text(ask.source.as_str())];
    sql.run("UPDATE source_v1 SET shards = ?1 WHERE id = ?2 AND shards <> ?1", &parameters)?;
    Ok(CallAck {})
}

/// Seals a plan; returns whether it was not sealed before.
fn seal_plan(sql: &impl SqlDatabase, seal: &SealBatch, plan: &SealedPlan, now_ms: i64) -> Result<bool, BackendError> {
    let refuse = |why: String| Err(BackendError::new("sealing a plan", why));
    let place = [SqlValue::text(seal.source.as_str()), SqlValue::number(plan.number)];
    let known = sql.run("SELECT sealed_ms, abandoned_ms FROM plan_v1 WHERE source = ? AND number = ?", &place)?;
    match known.rows.first().map(|row| standing_of(&LedgerRow(row), 0)) {
        None => return refuse("there is no such plan".into()),
        Some(PlanStanding::Void) => return refuse("it was abandoned, since its object seemed gone".into()),
        Some(PlanStanding::Open) => {}
        Some(PlanStanding::Sealed) => return Ok(false),
    }
    let delivered_lines: u64 = plan.payloads.iter().map(|payload| payload.lines).sum();
    let filtered_lines: u64 = plan.filtered.values().sum();
    if delivered_lines + filtered_lines != plan.in_window || plan.in_window > seal.counts.records {
        let records = seal.counts.records;
        return refuse(format!(
            "of {records} records, {} are in its windows, {delivered_lines} in payloads, {filtered_lines} filtered",
            plan.in_window
        ));
    }
    packs::keep(sql, &seal.source, plan.number, &plan.payloads)?;
    for payload in &plan.payloads {
        let (source, wake) = (seal.source.clone(), now_ms + OUTBOX_FIRST_MS);
        save(sql, &Delivery::new(source, plan.number, payload.clone(), now_ms, wake))?;
    }
    let duplicates = if plan.duplicates.lines == 0 { SqlValue::Null } else { json(&plan.duplicates) };
    let (in_window, sanitised) = (SqlValue::number(plan.in_window), SqlValue::number(plan.sanitised));
    let figures = [SqlValue::Integer(now_ms), in_window, json(&plan.filtered), sanitised, duplicates];
    sql.run(
        "UPDATE plan_v1 SET sealed_ms = ?, in_window = ?, filtered = ?, sanitised = ?, duplicates = ?
         WHERE source = ? AND number = ?",
        &[figures.as_slice(), &place].concat(),
    )?;
    Ok(true)
}

/// The payloads of a source without any claim: their messages may not have been sent.
fn unsent(sql: &impl SqlDatabase, ledger: &str, source: &SourceId) -> Result<Vec<DeliveryId>, BackendError> {
    let parameters = [SqlValue::text(source.as_str()), SqlValue::text(DeliveryState::Prepared.name())];
    let unsent = deliveries(sql, "source = ? AND state = ? AND token = 0 ORDER BY plan, number", &parameters)?;
    Ok(unsent.iter().map(|delivery| id_of(ledger, delivery)).collect())
}

/// The identity of a payload of this ledger.
pub(super) fn id_of(ledger: &str, delivery: &Delivery) -> DeliveryId {
    let Delivery { source, plan, payload, .. } = delivery;
    DeliveryId { ledger: ledger.to_owned(), source: source.clone(), plan: *plan, index: payload.index.clone() }
}

/// Quarantines a source, or opens it again.
pub(super) fn quarantine(sql: &impl SqlDatabase, ask: &QuarantineBatch) -> Result<QuarantineAnswer, BackendError> {
    let (from, to) = (BatchState::Open, BatchState::Quarantined);
    let (from, to) = if ask.replay { (to, from) } else { (from, to) };
    let source = SqlValue::text(ask.source.as_str());
    let parameters = [
        SqlValue::text(to.name()),
        SqlValue::text(&*ask.code),
        SqlValue::text(&*ask.reason),
        source.clone(),
        SqlValue::text(from.name()),
    ];
    sql.run("UPDATE source_v1 SET state = ?, code = ?, reason = ? WHERE id = ? AND state = ?", &parameters)?;
    if !ask.replay {
        replace_older(sql, &source)?;
    }
    let state = state_of(sql, &ask.source)?;
    Ok(QuarantineAnswer { quarantined: state == Some(BatchState::Quarantined) })
}

/// Lists the versions of a deleted object whose entries must be dropped, or records that they were.
pub(super) fn forget_object(
    sql: &impl SqlDatabase,
    ask: &ForgetDeletedObject,
) -> Result<DeletedObjectVersions, BackendError> {
    let key = SqlValue::text(&*ask.key);
    let versions: Vec<StoredVersion> =
        versions(sql, &ask.key)?.into_iter().filter(|version| !version.shards.is_empty()).collect();
    if ask.forgotten {
        sql.run("UPDATE source_v1 SET indexed = 0, shards = '[]', gone = 1 WHERE object_key = ?", &[key])?;
    }
    Ok(DeletedObjectVersions { versions: versions.into_iter().map(replaced).collect() })
}

/// Those of these sources that are neither sealed nor quarantined, or have a plan that is not sealed (another batch with
/// lines of it may wait for that), or none for times that are to be delivered: a backfill may have come before the event.
pub(super) fn find_unfinished(sql: &impl SqlDatabase, ask: &FindUnfinished) -> Result<UnfinishedSources, BackendError> {
    let mut sources = Vec::new();
    for source in &ask.sources {
        let is_finished = match state_of(sql, source)? {
            None | Some(BatchState::Open) => false,
            Some(BatchState::Sealed) => !has_work_left(sql, source, ask.deliver)?,
            Some(BatchState::Quarantined) => true,
        };
        if !is_finished {
            sources.push(source.clone());
        }
    }
    Ok(UnfinishedSources { sources })
}

/// Whether a sealed source has a plan that is not sealed, or lacks one for some of these times.
fn has_work_left(
    sql: &impl SqlDatabase,
    source: &SourceId,
    deliver: Option<DeliveryWindow>,
) -> Result<bool, BackendError> {
    let plans = plans(sql, source)?;
    let is_open = plans.iter().any(|(_, standing)| *standing == PlanStanding::Open);
    let dataset = sql.run("SELECT dataset FROM source_v1 WHERE id = ?", &[SqlValue::text(source.as_str())])?;
    let dataset = dataset.rows.first().map(|row| LedgerRow(row).text(0)).transpose()?;
    let deliver = deliver.filter(|_| dataset.as_deref() == Some(Dataset::HttpRequests.name()));
    Ok(is_open || deliver.is_some_and(|window| !window.without(&covered(&plans)).is_empty()))
}

/// The windows of the plans that were not abandoned.
fn covered(plans: &[(DeliveryPlan, PlanStanding)]) -> Vec<DeliveryWindow> {
    let standing = plans.iter().filter(|(_, standing)| *standing != PlanStanding::Void);
    standing.flat_map(|(plan, _)| &plan.windows).copied().collect()
}

/// The state of a source; `None` where the ledger does not know it.
fn state_of(sql: &impl SqlDatabase, source: &SourceId) -> Result<Option<BatchState>, BackendError> {
    let known = sql.run("SELECT state FROM source_v1 WHERE id = ?", &[SqlValue::text(source.as_str())])?;
    known.rows.first().map(|row| LedgerRow(row).batch_state(0)).transpose()
}

/// Records that the registry knows this ledger.
pub(super) fn mark_registered(sql: &impl SqlDatabase, _ask: MarkRegistered) -> Result<CallAck, BackendError> {
    sql.run("INSERT OR IGNORE INTO note_v1 (name, value) VALUES (?, '')", &[SqlValue::text(REGISTERED)])?;
    Ok(CallAck {})
}

fn is_registered(sql: &impl SqlDatabase) -> Result<bool, BackendError> {
    Ok(note(sql, REGISTERED)?.is_some())
}
