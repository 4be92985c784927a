//! The lifecycle of a source: begun, then sealed or quarantined.
//!
//! # Invariants
//! A source is sealed in one transaction with all its payloads, and only if the accounts balance. A sealed source stays
//! sealed.

use std::borrow::Cow;

use super::calls::{
    BeginAnswer, BeginBatch, CallAck, DeletedObjectVersions, FindUnfinished, ForgetDeletedObject, QuarantineAnswer,
    QuarantineBatch, RecordShards, RemainingWork, ReplacedVersion, ReplayStep, RevisedBatch, SealAnswer, SealBatch,
    UnfinishedSources,
};
use super::delivery::{Delivery, DeliveryState};
use super::delivery_rows::{deliveries, is_same_group};
use super::edge_sums::add_label;
use super::ids::{DeliveryGroup, DeliveryId};
use super::loss::{self, HELD_AFTER_LOSS, is_registered};
use super::partitions;
use super::plan::{DeliveryRequest, DeliveryWindow, delivers};
use super::plans::{has_plans_left, next_plan, seal_plan, sealed_plans};
use super::replays::is_due;
use super::source_id::SourceId;
use super::state::BatchState;
use super::tables::{LedgerRow, json, maybe};
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::index::{LineCounts, ObjectVersion, VersionAge};
use crate::record::Dataset;

/// The row of an object version.
struct StoredVersion {
    id: SourceId,
    /// The entity tag of the version that the index has.
    etag: String,
    age: VersionAge,
    state: BatchState,
    code: String,
    indexed: bool,
    shards: Vec<String>,
    replay: u32,
}

/// Returns every version of the object at `key`.
fn versions(sql: &impl SqlDatabase, key: &str) -> Result<Vec<StoredVersion>, BackendError> {
    let rows = sql.run(
        "SELECT id, uploaded_ms, state, code, indexed, shards, replay, etag, revision FROM source_v1 WHERE object_key = ?",
        &[SqlValue::text(key)],
    )?;
    let version = |row| {
        let row = LedgerRow(row);
        Ok(StoredVersion {
            id: row.source(0)?,
            etag: row.text(7)?,
            age: VersionAge { uploaded_ms: row.integer(1)?, revision: row.number(8)? },
            state: row.batch_state(2)?,
            code: row.maybe_text(3).unwrap_or_default(),
            indexed: row.integer(4)? != 0,
            shards: row.json(5)?,
            replay: row.number(6)?,
        })
    };
    rows.rows.iter().map(version).collect()
}

/// Returns the work that remains on a source, and pins its plan.
pub(super) fn begin(
    sql: &impl SqlDatabase,
    ledger: &str,
    call: &BeginBatch,
    now_ms: i64,
) -> Result<BeginAnswer, BackendError> {
    partitions::check(sql, ledger, &call.object.key)?;
    let (mine, others): (Vec<_>, Vec<_>) =
        versions(sql, &call.object.key)?.into_iter().partition(|version| version.id == call.source);
    let mine = mine.into_iter().next();
    let is_older = |version: &StoredVersion| version.age.uploaded_ms > call.object.uploaded_ms;
    let is_revised = |mine: &StoredVersion| !is_older(mine) && mine.age > call.object.age();
    if others.iter().any(is_older) || mine.as_ref().is_some_and(is_revised) {
        return Ok(BeginAnswer::Superseded);
    }
    if let Some(mine) = &mine
        && mine.state == BatchState::Quarantined
    {
        return Ok(BeginAnswer::Quarantined { code: mine.code.clone() });
    }
    let is_renewed = mine.as_ref().is_some_and(|mine| mine.age.uploaded_ms < call.object.uploaded_ms);
    match &mine {
        None => insert(sql, call, now_ms)?,
        Some(mine) => {
            if is_renewed {
                touch(sql, call)?;
            }
            if mine.state == BatchState::Open {
                describe(sql, call)?;
            }
        }
    }
    let is_rebuild = call.rebuild.is_some();
    let due = mine.as_ref().map(|mine| mine.replay).filter(|replay| call.index && !is_rebuild && is_due(*replay));
    let before_start = is_kept_back(sql, call, mine.is_some())?;
    let (plan, more) = match &call.deliver {
        // A plan that an earlier attempt left open is finished, and a replay's repairs are made.
        Some(request) if before_start => {
            next_plan(sql, &call.source, &DeliveryRequest { window: DeliveryWindow::NEVER, ..request.clone() }, due)?
        }
        Some(request) => next_plan(sql, &call.source, request, due)?,
        None => (None, false),
    };
    // Plans that an earlier attempt left open precede the replay.
    let is_step = plan.as_ref().is_none_or(|plan| plan.repair.is_some());
    let replay = due.filter(|_| is_step).map(|number| ReplayStep { number, is_last: !more });
    let more = more || due.is_some() && replay.is_none();
    let revises = call.index && mine.as_ref().is_some_and(|mine| mine.etag != call.object.etag);
    let is_indexed = mine.as_ref().is_some_and(|mine| mine.indexed) && !revises && !is_renewed;
    let index = call.index && (is_rebuild || replay.is_some() || !is_indexed);
    let sealed = mine.as_ref().is_some_and(|mine| mine.state == BatchState::Sealed);
    let replaced = others.into_iter().chain(mine.filter(|_| revises));
    let replaced: Vec<_> = replaced.filter(|version| !version.shards.is_empty()).map(replaced_version).collect();
    if sealed && !index && plan.is_none() && replaced.is_empty() {
        return Ok(BeginAnswer::Complete);
    }
    // Claims are kept as long as the entries: what writes these makes those again.
    let claims = if sealed && index { sealed_plans(sql, &call.source)? } else { Vec::new() };
    Ok(BeginAnswer::Work(RemainingWork {
        index,
        plan,
        replaced,
        revises,
        before_start,
        registered: is_registered(sql)?,
        more,
        replay,
        claims,
    }))
}

/// Returns whether a source is only indexed, and records it: it lay in the bucket before the instant from which objects are delivered, or
/// is held back because of a loss. So is a copy of the same bytes under the same file name, whenever it was made. `is_known`: whether
/// the ledger knew the source before this call.
fn is_kept_back(sql: &impl SqlDatabase, call: &BeginBatch, is_known: bool) -> Result<bool, BackendError> {
    let live = call.deliver.as_ref().filter(|request| request.backfill.is_none());
    if live.is_none() && call.rebuild.is_none() {
        return Ok(false);
    }
    let etag = SqlValue::text(call.object.batch_etag());
    let copies = sql.run("SELECT max(before_start) FROM source_v1 WHERE coalesce(origin, etag) = ?", &[etag])?;
    let marked = copies.rows.first().and_then(|row| LedgerRow(row).maybe_integer(0)).unwrap_or_default();
    let mark = if marked == HELD_AFTER_LOSS || loss::holds(sql, call, is_known)? {
        HELD_AFTER_LOSS
    } else {
        let from_ms = live.and_then(|request| request.written_from_ms);
        from_ms.is_some_and(|from_ms| marked != 0 || call.object.uploaded_ms < from_ms).into()
    };
    let statement = "UPDATE source_v1 SET before_start = ?1 WHERE id = ?2 AND before_start < ?1";
    sql.run(statement, &[SqlValue::Integer(mark), SqlValue::text(call.source.as_str())])?;
    Ok(mark != 0)
}

fn replaced_version(version: StoredVersion) -> ReplacedVersion {
    let StoredVersion { etag, age, shards, .. } = version;
    ReplacedVersion { etag, age, shards }
}

fn insert(sql: &impl SqlDatabase, call: &BeginBatch, now_ms: i64) -> Result<(), BackendError> {
    let object = &call.object;
    sql.run(
        "INSERT INTO source_v1 (id, object_key, etag, uploaded_ms, size, dataset, possible_datasets, state, indexed, shards, gone, lines,
            counts, rejected, inflated, replay, before_start, first_seen_ms, first_ms, last_ms, origin, revision, written_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, '[]', 0, 0, '{}', '{}', 0, 0, 0, ?, ?, ?, ?, ?, ?)",
        &[
            SqlValue::text(call.source.as_str()),
            SqlValue::text(&*object.key),
            SqlValue::text(&*object.etag),
            SqlValue::number(object.uploaded_ms),
            SqlValue::number(object.size),
            SqlValue::text(&*call.dataset),
            json(&call.possible_datasets),
            SqlValue::text(BatchState::Open.name()),
            SqlValue::number(now_ms),
            maybe(call.times.map(|times| times.0)),
            maybe(call.times.map(|times| times.1)),
            origin_of(object),
            SqlValue::number(object.age().revision),
            SqlValue::Integer(object.written_ms()),
        ],
    )
    .map(drop)
}

/// Returns the entity tag of what a version was rewritten from, for the column `origin`.
fn origin_of(object: &ObjectVersion) -> SqlValue {
    object.origin.as_ref().map_or(SqlValue::Null, |origin| SqlValue::text(&*origin.etag))
}

/// Records the dataset that the batch is read as, and the times of its first records; settings may have changed since an
/// earlier attempt.
fn describe(sql: &impl SqlDatabase, call: &BeginBatch) -> Result<(), BackendError> {
    let statement = "UPDATE source_v1 SET dataset = ?1, possible_datasets = ?2, first_ms = ?3, last_ms = ?4
         WHERE id = ?5 AND (dataset, possible_datasets, first_ms, last_ms) IS NOT (?1, ?2, ?3, ?4)";
    let parameters = [
        SqlValue::text(&*call.dataset),
        json(&call.possible_datasets),
        maybe(call.times.map(|times| times.0)),
        maybe(call.times.map(|times| times.1)),
        SqlValue::text(call.source.as_str()),
    ];
    sql.run(statement, &parameters).map(drop)
}

/// Records that an object with the same content was uploaded again. It is indexed again: the bucket keeps it from now on, and
/// entries and claims are kept as long.
fn touch(sql: &impl SqlDatabase, call: &BeginBatch) -> Result<(), BackendError> {
    let age = call.object.age();
    let parameters = [
        SqlValue::Integer(age.uploaded_ms),
        SqlValue::number(age.revision),
        SqlValue::Integer(call.object.written_ms()),
        SqlValue::text(call.source.as_str()),
    ];
    let statement =
        "UPDATE source_v1 SET uploaded_ms = ?, revision = ?, written_ms = ?, gone = 0, indexed = 0 WHERE id = ?";
    sql.run(statement, &parameters).map(drop)
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
    let known = sql.run("SELECT state, lines, replay FROM source_v1 WHERE id = ?", std::slice::from_ref(&source))?;
    let Some(row) = known.rows.first().map(LedgerRow) else { return refuse("it was never begun".into()) };
    let (state, lines, replay) = (row.batch_state(0)?, row.number::<u64>(1)?, row.number::<u32>(2)?);
    if state == BatchState::Quarantined {
        return refuse("it is quarantined".into());
    }
    let is_rewritten = seal.revision > 0 || seal.revised.is_some();
    if state == BatchState::Sealed && lines != seal.counts.lines && !is_rewritten {
        return refuse(format!("it had {lines} lines, and now {}", seal.counts.lines));
    }
    let LineCounts { lines, records, .. } = seal.counts;
    let rejected = seal.counts.rejected_lines();
    if records + rejected != lines {
        return refuse(format!("of {lines} lines, {records} are records and {rejected} rejected"));
    }
    if seal.rejected.counts() != seal.counts.rejected {
        return refuse("its rejected lines are not those that are listed".into());
    }
    let already = match &seal.plan {
        Some(plan) => !seal_plan(sql, seal, plan, now_ms)?,
        None => state == BatchState::Sealed,
    };
    seal_index(sql, seal, &source)?;
    if let Some(label) = seal.edge.as_ref().filter(|_| state == BatchState::Open) {
        add_label(sql, label)?;
    }
    let step = seal.replay.filter(|step| step.number == replay && is_due(replay));
    if state == BatchState::Open || step.is_some() {
        let next = replay + u32::from(step.is_some_and(|step| step.is_last));
        let counts = with_erased(&seal.counts, if state == BatchState::Sealed { lines } else { 0 });
        let parameters = [
            SqlValue::text(BatchState::Sealed.name()),
            SqlValue::number(counts.lines),
            json(&*counts),
            json(&seal.rejected),
            SqlValue::number(seal.inflated),
            maybe(seal.times.map(|times| times.0)),
            maybe(seal.times.map(|times| times.1)),
            SqlValue::number(next),
            SqlValue::number(now_ms),
            source,
        ];
        sql.run(
            "UPDATE source_v1 SET state = ?, lines = ?, counts = ?, rejected = ?, inflated = ?, first_ms = ?, last_ms = ?,
                replay = ?, sealed_ms = coalesce(sealed_ms, ?) WHERE id = ?",
            &parameters,
        )?;
    }
    Ok(SealAnswer { already, send: unsent(sql, ledger, &seal.source)? })
}

/// Returns the counts of a batch that had this number of lines when it was first sealed: the lines that it lacks now were erased,
/// and all of them were records.
fn with_erased(counts: &LineCounts, lines: u64) -> Cow<'_, LineCounts> {
    match lines.saturating_sub(counts.lines) {
        0 => Cow::Borrowed(counts),
        erased => Cow::Owned(LineCounts { lines, records: counts.records + erased, ..counts.clone() }),
    }
}

/// Records whether the index has the rays of a source, if indexing was requested.
fn seal_index(sql: &impl SqlDatabase, seal: &SealBatch, source: &SqlValue) -> Result<(), BackendError> {
    match seal.indexed {
        Some(true) => {
            sql.run("UPDATE source_v1 SET indexed = 1 WHERE id = ?", std::slice::from_ref(source))?;
            if let Some(RevisedBatch { object, shards }) = &seal.revised {
                let parameters = [
                    SqlValue::text(&*object.etag),
                    SqlValue::number(object.size),
                    origin_of(object),
                    SqlValue::number(object.age().revision),
                    json(shards),
                    source.clone(),
                    SqlValue::Integer(object.written_ms()),
                ];
                let statement = "UPDATE source_v1 SET etag = ?1, size = ?2, origin = ?3, revision = ?4, shards = ?5, written_ms = ?7
                     WHERE id = ?6 AND revision <= ?4";
                sql.run(statement, &parameters)?;
            }
            replace_older(sql, source)
        }
        Some(false) => {
            // A later version of the same batch may be what the index has.
            let statement = "UPDATE source_v1 SET indexed = 0, shards = '[]' WHERE id = ? AND revision <= ?";
            sql.run(statement, &[source.clone(), SqlValue::number(seal.revision)]).map(drop)
        }
        None => Ok(()),
    }
}

/// Records that the index has no ray of an older version.
fn replace_older(sql: &impl SqlDatabase, source: &SqlValue) -> Result<(), BackendError> {
    sql.run(
        "UPDATE source_v1 SET indexed = 0, shards = '[]' WHERE id <> ?1 AND shards <> '[]'
            AND object_key = (SELECT object_key FROM source_v1 WHERE id = ?1)
            AND uploaded_ms <= (SELECT uploaded_ms FROM source_v1 WHERE id = ?1)",
        std::slice::from_ref(source),
    )
    .map(drop)
}

/// Records the shards that are about to receive rays of a source.
pub(super) fn record_shards(sql: &impl SqlDatabase, call: &RecordShards) -> Result<CallAck, BackendError> {
    let source = SqlValue::text(call.source.as_str());
    let mut shards = call.shards.clone();
    if call.adds {
        let known = sql.run("SELECT shards FROM source_v1 WHERE id = ?", std::slice::from_ref(&source))?;
        let known = known.rows.first().map(|row| LedgerRow(row).json::<Vec<String>>(0)).transpose()?;
        shards.extend(known.unwrap_or_default());
        shards.sort();
        shards.dedup();
    }
    sql.run("UPDATE source_v1 SET shards = ?1 WHERE id = ?2 AND shards <> ?1", &[json(&shards), source])?;
    Ok(CallAck {})
}

/// Returns the payloads of a source that were never claimed: their messages may not have been sent.
fn unsent(sql: &impl SqlDatabase, ledger: &str, source: &SourceId) -> Result<Vec<DeliveryGroup>, BackendError> {
    let parameters = [SqlValue::text(source.as_str()), SqlValue::text(DeliveryState::Prepared.name())];
    let unsent = deliveries(sql, "source = ? AND state = ? AND token = 0 ORDER BY plan, number", &parameters)?;
    Ok(groups_of(ledger, &unsent))
}

/// Returns what to send together of payloads of this ledger: those that are stored as a group, each other one alone.
pub(super) fn groups_of(ledger: &str, deliveries: &[Delivery]) -> Vec<DeliveryGroup> {
    let groups = deliveries.chunk_by(is_same_group);
    groups.filter_map(|group| DeliveryGroup::new(group.iter().map(|delivery| id_of(ledger, delivery)))).collect()
}

/// Returns the identity of a payload of this ledger.
pub(super) fn id_of(ledger: &str, delivery: &Delivery) -> DeliveryId {
    let Delivery { source, plan, payload, .. } = delivery;
    DeliveryId { ledger: ledger.to_owned(), source: source.clone(), plan: *plan, index: payload.index.clone() }
}

/// Quarantines a source. A sealed source stays sealed, and its replay ends.
pub(super) fn quarantine(sql: &impl SqlDatabase, call: &QuarantineBatch) -> Result<QuarantineAnswer, BackendError> {
    let source = SqlValue::text(call.source.as_str());
    let parameters = [
        SqlValue::text(BatchState::Quarantined.name()),
        SqlValue::text(&*call.code),
        SqlValue::text(&*call.reason),
        source.clone(),
        SqlValue::text(BatchState::Open.name()),
    ];
    sql.run("UPDATE source_v1 SET state = ?, code = ?, reason = ? WHERE id = ? AND state = ?", &parameters)?;
    let statement = "UPDATE source_v1 SET replay = replay + 1 WHERE id = ? AND replay % 2 = 1";
    sql.run(statement, std::slice::from_ref(&source))?;
    replace_older(sql, &source)?;
    let state = standing(sql, &call.source)?.map(|(state, _)| state);
    Ok(QuarantineAnswer { quarantined: state == Some(BatchState::Quarantined) })
}

/// Lists the versions of a deleted object whose entries must be dropped, or records that they were.
pub(super) fn forget_object(
    sql: &impl SqlDatabase,
    call: &ForgetDeletedObject,
) -> Result<DeletedObjectVersions, BackendError> {
    let key = SqlValue::text(&*call.key);
    let versions: Vec<StoredVersion> =
        versions(sql, &call.key)?.into_iter().filter(|version| !version.shards.is_empty()).collect();
    if call.forgotten {
        sql.run("UPDATE source_v1 SET indexed = 0, shards = '[]', gone = 1 WHERE object_key = ?", &[key])?;
    }
    Ok(DeletedObjectVersions { versions: versions.into_iter().map(replaced_version).collect() })
}

/// Returns the unfinished ones of these sources: neither sealed nor quarantined, waiting for a replay, with an unsealed
/// plan (another batch that shares its lines may wait for that), or without a plan for times to be delivered (a
/// backfill may have preceded the event).
pub(super) fn find_unfinished(
    sql: &impl SqlDatabase,
    call: &FindUnfinished,
) -> Result<UnfinishedSources, BackendError> {
    let mut sources = Vec::new();
    for source in &call.sources {
        let is_finished = match standing(sql, source)? {
            None | Some((BatchState::Open, _)) => false,
            Some((BatchState::Sealed, replay)) => {
                !is_due(replay) && has_version(sql, source, call)? && !has_work_left(sql, source, call)?
            }
            Some((BatchState::Quarantined, _)) => true,
        };
        if !is_finished {
            sources.push(source.clone());
        }
    }
    Ok(UnfinishedSources { sources })
}

/// Returns whether the index has the version of a source that the bucket has, as far as that is said.
fn has_version(sql: &impl SqlDatabase, source: &SourceId, call: &FindUnfinished) -> Result<bool, BackendError> {
    let Some(etag) = call.rewritten.get(source) else { return Ok(true) };
    let parameters = [SqlValue::text(source.as_str()), SqlValue::text(&**etag)];
    let known = sql.run("SELECT 1 FROM source_v1 WHERE id = ? AND etag = ? AND indexed = 1", &parameters)?;
    Ok(!known.rows.is_empty())
}

/// Returns whether a sealed source has an unsealed plan, or lacks one for some times to be delivered.
fn has_work_left(sql: &impl SqlDatabase, source: &SourceId, call: &FindUnfinished) -> Result<bool, BackendError> {
    let statement = "SELECT dataset, uploaded_ms, before_start FROM source_v1 WHERE id = ?";
    let known = sql.run(statement, &[SqlValue::text(source.as_str())])?;
    let Some(row) = known.rows.first().map(LedgerRow) else { return Ok(true) };
    let (uploaded_ms, before_start) = (row.integer(1)?, row.integer(2)?);
    let is_kept_back = before_start == HELD_AFTER_LOSS
        || call.written_from_ms.is_some_and(|from_ms| before_start != 0 || uploaded_ms < from_ms);
    let dataset = Dataset::from_name(&row.text(0)?);
    let is_delivered = dataset.is_some_and(|dataset| delivers(dataset, call.edge_records)) && !is_kept_back;
    has_plans_left(sql, source, call.deliver.filter(|_| is_delivered))
}

/// Returns the state of a source and the number of its replay; `None` if the ledger does not know it.
fn standing(sql: &impl SqlDatabase, source: &SourceId) -> Result<Option<(BatchState, u32)>, BackendError> {
    let known = sql.run("SELECT state, replay FROM source_v1 WHERE id = ?", &[SqlValue::text(source.as_str())])?;
    known.rows.first().map(|row| Ok((LedgerRow(row).batch_state(0)?, LedgerRow(row).number(1)?))).transpose()
}
