//! The life of a source: begun, then sealed or set aside.
//!
//! What always holds: a source is sealed in one transaction with all its payloads, and only if the books balance;
//! a sealed one stays sealed; a plan is pinned when it is first handed out.

use super::calls::{
    Begin, BeginAnswer, Done, Entries, Gone, GoneAnswer, Missing, MissingAnswer, Registered, Replaced, Seal,
    SealAnswer, SealedPlan, SetAside, SetAsideAnswer, Work,
};
use super::delivery::{Delivery, State};
use super::ids::{DeliveryId, SourceId};
use super::packs;
use super::plan::{Plan, Window, Wish};
use super::tables::{Row, deliveries, json, note, save};
use crate::backend::{BackendError, Sql, SqlValue};
use crate::index::Counts;
use crate::limits::{OUTBOX_FIRST_MS, PACK_BYTES};
use crate::mistakes::{Mistake, made};

/// A source is being read, or its reading was cut off.
pub const OPEN: &str = "open";
/// Every line of it is accounted for.
pub const SEALED: &str = "sealed";
/// It is no batch.
pub const SET_ASIDE: &str = "set_aside";

/// The name of the note that says that the registry knows this ledger.
const REGISTERED: &str = "registered";

/// What the ledger knows of a version of an object.
struct Version {
    id: SourceId,
    uploaded_ms: i64,
    state: String,
    code: String,
    indexed: bool,
    shards: Vec<String>,
}

/// Every version of the object at `key`.
fn versions(sql: &impl Sql, key: &str) -> Result<Vec<Version>, BackendError> {
    let rows = sql.run(
        "SELECT id, uploaded_ms, state, code, indexed, shards FROM source_v1 WHERE object_key = ?",
        &[SqlValue::text(key)],
    )?;
    let version = |row| {
        let row = Row(row);
        Ok(Version {
            id: row.source(0)?,
            uploaded_ms: row.integer(1)?,
            state: row.text(2)?,
            code: row.maybe_text(3).unwrap_or_default(),
            indexed: row.integer(4)? != 0,
            shards: row.json(5)?,
        })
    };
    rows.rows.iter().map(version).collect()
}

/// Says what there is to do with a source, and pins how.
pub(super) fn begin(sql: &impl Sql, ask: &Begin, now_ms: i64) -> Result<BeginAnswer, BackendError> {
    let (mine, others): (Vec<_>, Vec<_>) =
        versions(sql, &ask.object.key)?.into_iter().partition(|version| version.id == ask.source);
    if others.iter().any(|version| version.uploaded_ms > ask.object.uploaded_ms) {
        return Ok(BeginAnswer::Superseded);
    }
    let mine = mine.into_iter().next();
    if let Some(mine) = &mine
        && mine.state == SET_ASIDE
    {
        return Ok(BeginAnswer::SetAside { code: mine.code.clone() });
    }
    if mine.is_some() && made(Mistake::MarkerFirst) {
        return Ok(BeginAnswer::Done);
    }
    match &mine {
        None => insert(sql, ask, now_ms)?,
        Some(mine) if mine.uploaded_ms < ask.object.uploaded_ms => touch(sql, ask)?,
        Some(_) => {}
    }
    let index = ask.index && !mine.as_ref().is_some_and(|mine| mine.indexed);
    let (plan, more) = match &ask.deliver {
        Some(wish) => plan_for(sql, &ask.source, wish)?,
        None => (None, false),
    };
    let replaced: Vec<_> = others.into_iter().filter(|version| !version.shards.is_empty()).map(replaced).collect();
    let sealed = mine.is_some_and(|mine| mine.state == SEALED);
    if sealed && !index && plan.is_none() && replaced.is_empty() {
        return Ok(BeginAnswer::Done);
    }
    Ok(BeginAnswer::Work(Work { index, plan, replaced, registered: is_registered(sql)?, more, pack_bytes: PACK_BYTES }))
}

fn replaced(version: Version) -> Replaced {
    Replaced { source: Some(version.id), uploaded_ms: version.uploaded_ms, shards: version.shards }
}

fn insert(sql: &impl Sql, ask: &Begin, now_ms: i64) -> Result<(), BackendError> {
    let object = &ask.object;
    sql.run(
        "INSERT INTO source_v1 (id, object_key, etag, uploaded_ms, size, dataset, state, indexed, shards, gone, lines,
            counts, inflated, begun_ms) VALUES (?, ?, ?, ?, ?, ?, ?, 0, '[]', 0, 0, '{}', 0, ?)",
        &[
            SqlValue::text(ask.source.as_str()),
            SqlValue::text(&*object.key),
            SqlValue::text(&*object.etag),
            SqlValue::number(object.uploaded_ms),
            SqlValue::number(object.size),
            SqlValue::text(&*ask.dataset),
            SqlValue::text(OPEN),
            SqlValue::number(now_ms),
        ],
    )
    .map(drop)
}

/// The same bytes were written once more.
fn touch(sql: &impl Sql, ask: &Begin) -> Result<(), BackendError> {
    let parameters = [SqlValue::number(ask.object.uploaded_ms), SqlValue::text(ask.source.as_str())];
    sql.run("UPDATE source_v1 SET uploaded_ms = ?, gone = 0 WHERE id = ?", &parameters).map(drop)
}

/// The plan to work on, and whether there is another one to ask for behind it.
fn plan_for(sql: &impl Sql, source: &SourceId, wish: &Wish) -> Result<(Option<Plan>, bool), BackendError> {
    let plans = plans(sql, source)?;
    let covered: Vec<Window> = plans.iter().flat_map(|(plan, _)| &plan.windows).copied().collect();
    let covered = if made(Mistake::ForgetCoverage) { Vec::new() } else { covered };
    let left = wish.window.without(&covered);
    if let Some((open, _)) = plans.iter().find(|(_, sealed)| !sealed) {
        return Ok((Some(open.clone()), !left.is_empty()));
    }
    if left.is_empty() {
        return Ok((None, false));
    }
    let number = plans.iter().map(|(plan, _)| plan.number).max().unwrap_or(0) + 1;
    let plan = Plan { number, windows: left, form: wish.form.clone() };
    sql.run(
        "INSERT INTO plan_v1 (source, number, plan, sealed, in_window, filtered, sanitised) VALUES (?, ?, ?, 0, 0, '{}', 0)",
        &[SqlValue::text(source.as_str()), SqlValue::number(number), json(&plan)],
    )?;
    Ok((Some(plan), false))
}

/// The plans of a source, each with whether it is sealed.
pub(super) fn plans(sql: &impl Sql, source: &SourceId) -> Result<Vec<(Plan, bool)>, BackendError> {
    let rows = sql
        .run("SELECT plan, sealed FROM plan_v1 WHERE source = ? ORDER BY number", &[SqlValue::text(source.as_str())])?;
    rows.rows.iter().map(|row| Ok((Row(row).json(0)?, Row(row).integer(1)? != 0))).collect()
}

/// Keeps what a source came to, if the books balance.
pub(super) fn seal(sql: &impl Sql, ledger: &str, seal: &Seal, now_ms: i64) -> Result<SealAnswer, BackendError> {
    let refuse = |why: String| Err(BackendError::new("sealing a source", why));
    let source = SqlValue::text(seal.source.as_str());
    let known = sql.run("SELECT state, lines FROM source_v1 WHERE id = ?", std::slice::from_ref(&source))?;
    let Some(row) = known.rows.first().map(Row) else { return refuse("it was never begun".into()) };
    let (state, lines) = (row.text(0)?, row.number::<u64>(1)?);
    if state == SET_ASIDE {
        return refuse("it was set aside".into());
    }
    if state == SEALED && lines != seal.counts.lines {
        return refuse(format!("it had {lines} lines, and now {}", seal.counts.lines));
    }
    let Counts { lines, records, .. } = seal.counts;
    let rejected = seal.counts.rejected_lines();
    if records + rejected != lines {
        return refuse(format!("of {lines} lines, {records} are records and {rejected} rejected"));
    }
    let already = match &seal.plan {
        Some(plan) => !seal_plan(sql, seal, plan, now_ms)?,
        None => state == SEALED,
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
    if state == OPEN {
        let counts = json(&seal.counts);
        let (lines, inflated) = (SqlValue::number(seal.counts.lines), SqlValue::number(seal.inflated));
        let parameters = [SqlValue::text(SEALED), lines, counts, inflated, SqlValue::number(now_ms), source];
        sql.run(
            "UPDATE source_v1 SET state = ?, lines = ?, counts = ?, inflated = ?, sealed_ms = ? WHERE id = ?",
            &parameters,
        )?;
    }
    Ok(SealAnswer { already, send: unsent(sql, ledger, &seal.source)? })
}

/// Keeps that nothing of older versions is in the index.
fn replace_older(sql: &impl Sql, source: &SqlValue) -> Result<(), BackendError> {
    sql.run(
        "UPDATE source_v1 SET indexed = 0, shards = '[]' WHERE id <> ?1 AND shards <> '[]'
            AND object_key = (SELECT object_key FROM source_v1 WHERE id = ?1)
            AND uploaded_ms <= (SELECT uploaded_ms FROM source_v1 WHERE id = ?1)",
        std::slice::from_ref(source),
    )
    .map(drop)
}

/// Keeps which shards are about to hold rays of a source.
pub(super) fn entries(sql: &impl Sql, ask: &Entries) -> Result<Done, BackendError> {
    let parameters = [json(&ask.shards), SqlValue::text(ask.source.as_str())];
    sql.run("UPDATE source_v1 SET shards = ?1 WHERE id = ?2 AND shards <> ?1", &parameters)?;
    Ok(Done {})
}

/// Keeps what a plan came to; says whether it was not sealed before.
fn seal_plan(sql: &impl Sql, seal: &Seal, plan: &SealedPlan, now_ms: i64) -> Result<bool, BackendError> {
    let refuse = |why: String| Err(BackendError::new("sealing a plan", why));
    let place = [SqlValue::text(seal.source.as_str()), SqlValue::number(plan.number)];
    let known = sql.run("SELECT sealed FROM plan_v1 WHERE source = ? AND number = ?", &place)?;
    match known.rows.first().map(|row| Row(row).integer(0)).transpose()? {
        None => return refuse("there is no such plan".into()),
        Some(0) => {}
        Some(_) if made(Mistake::SealTwice) => {}
        Some(_) => return Ok(false),
    }
    let gone_out: u64 = plan.payloads.iter().map(|payload| payload.lines).sum();
    let kept_back: u64 = plan.filtered.values().sum();
    if gone_out + kept_back != plan.in_window || plan.in_window > seal.counts.records {
        let records = seal.counts.records;
        return refuse(format!(
            "of {records} records, {} are in its windows, {gone_out} in payloads, {kept_back} kept back",
            plan.in_window
        ));
    }
    packs::keep(sql, &seal.source, plan.number, &plan.payloads)?;
    for payload in &plan.payloads {
        let (source, wake) = (seal.source.clone(), now_ms + OUTBOX_FIRST_MS);
        save(sql, &Delivery::new(source, plan.number, payload.clone(), now_ms, wake))?;
    }
    let figures = [SqlValue::number(plan.in_window), json(&plan.filtered), SqlValue::number(plan.sanitised)];
    sql.run(
        "UPDATE plan_v1 SET sealed = 1, in_window = ?, filtered = ?, sanitised = ? WHERE source = ? AND number = ?",
        &[figures.as_slice(), &place].concat(),
    )?;
    Ok(true)
}

/// The payloads of a source that nobody has claimed yet: their messages may not have been sent.
fn unsent(sql: &impl Sql, ledger: &str, source: &SourceId) -> Result<Vec<DeliveryId>, BackendError> {
    let parameters = [SqlValue::text(source.as_str()), SqlValue::text(State::Prepared.name())];
    let unsent = deliveries(sql, "source = ? AND state = ? AND token = 0 ORDER BY plan, number", &parameters)?;
    Ok(unsent.iter().map(|delivery| id_of(ledger, delivery)).collect())
}

/// The identity of a payload of this ledger.
pub(super) fn id_of(ledger: &str, delivery: &Delivery) -> DeliveryId {
    let Delivery { source, plan, payload, .. } = delivery;
    DeliveryId { ledger: ledger.to_owned(), source: source.clone(), plan: *plan, index: payload.index.clone() }
}

/// Keeps that a source is no batch, or has it read again.
pub(super) fn set_aside(sql: &impl Sql, ask: &SetAside) -> Result<SetAsideAnswer, BackendError> {
    let (from, to) = if ask.replay { (SET_ASIDE, OPEN) } else { (OPEN, SET_ASIDE) };
    let source = SqlValue::text(ask.source.as_str());
    let parameters = [
        SqlValue::text(to),
        SqlValue::text(&*ask.code),
        SqlValue::text(&*ask.reason),
        source.clone(),
        SqlValue::text(from),
    ];
    sql.run("UPDATE source_v1 SET state = ?, code = ?, reason = ? WHERE id = ? AND state = ?", &parameters)?;
    if !ask.replay {
        replace_older(sql, &source)?;
    }
    let now = sql.run("SELECT state FROM source_v1 WHERE id = ?", &[source])?;
    let state = now.rows.first().and_then(|row| Row(row).maybe_text(0));
    Ok(SetAsideAnswer { set_aside: state.as_deref() == Some(SET_ASIDE) })
}

/// The object is there no more: which entries are to be dropped, or that they were.
pub(super) fn gone(sql: &impl Sql, ask: &Gone) -> Result<GoneAnswer, BackendError> {
    let key = SqlValue::text(&*ask.key);
    let versions: Vec<Version> =
        versions(sql, &ask.key)?.into_iter().filter(|version| !version.shards.is_empty()).collect();
    if ask.forgotten {
        sql.run("UPDATE source_v1 SET indexed = 0, shards = '[]', gone = 1 WHERE object_key = ?", &[key])?;
    }
    Ok(GoneAnswer { versions: versions.into_iter().map(replaced).collect() })
}

/// Which of these sources nobody has finished.
pub(super) fn missing(sql: &impl Sql, ask: &Missing) -> Result<MissingAnswer, BackendError> {
    let mut sources = Vec::new();
    for source in &ask.sources {
        let known = sql.run("SELECT state FROM source_v1 WHERE id = ?", &[SqlValue::text(source.as_str())])?;
        let state = known.rows.first().and_then(|row| Row(row).maybe_text(0));
        if !matches!(state.as_deref(), Some(SEALED | SET_ASIDE)) {
            sources.push(source.clone());
        }
    }
    Ok(MissingAnswer { sources })
}

/// The registry knows this ledger.
pub(super) fn registered(sql: &impl Sql, _ask: Registered) -> Result<Done, BackendError> {
    sql.run("INSERT OR IGNORE INTO note_v1 (name, value) VALUES (?, '')", &[SqlValue::text(REGISTERED)])?;
    Ok(Done {})
}

fn is_registered(sql: &impl Sql) -> Result<bool, BackendError> {
    Ok(note(sql, REGISTERED)?.is_some())
}
