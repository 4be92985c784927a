//! The books, for people to read: of a ledger, of a source.
//!
//! What always holds: the left side of the books (lines in) is what the reader of the object counted, the right side
//! is added up from payloads, rejections and filters, each from its own rows; the difference is shown, never hidden.

use super::books::{Batch, Lines, PayloadView, Totals, add_all};
use super::calls::{BatchAnswer, BatchAsk, BatchesAnswer, BatchesAsk, TotalsAsk};
use super::delivery::{Delivery, State};
use super::ids::BatchId;
use super::packs;
use super::sources::{SEALED, id_of, plans};
use super::tables::{Row, deliveries};
use crate::backend::{BackendError, Sql, SqlRow, SqlValue};
use crate::index::{Counts, ObjectVersion};

/// The reason of records that no plan covers: delivery is off, their dataset is not the partner's, their time was
/// not asked for.
const NO_PLAN: &str = "no_plan";
/// The reason of records that a person decided against.
const DROPPED: &str = "dropped";

/// The books of the whole ledger.
pub(super) fn totals(sql: &impl Sql, _ask: TotalsAsk) -> Result<Totals, BackendError> {
    books(sql, "1 = 1", &[])
}

/// The books of the sources that the condition holds for. `id` names the source in `source_v1`.
fn books(sql: &impl Sql, condition: &str, parameters: &[SqlValue]) -> Result<Totals, BackendError> {
    let mut totals = Totals::default();
    let mut records = 0;
    let rows = sql.run(&format!("SELECT state, counts FROM source_v1 WHERE {condition}"), parameters)?.rows;
    for row in rows.iter().map(Row) {
        let state = row.text(0)?;
        if state == SEALED {
            let counts: Counts = row.json(1)?;
            totals.lines.lines_in += counts.lines;
            records += counts.records;
            add_all(&mut totals.lines.rejected, counts.rejected);
        }
        *totals.sources.entry(state).or_default() += 1;
    }
    let of_these = format!("source IN (SELECT id FROM source_v1 WHERE {condition})");
    let mut in_window = 0;
    let rows = sql.run(&format!("SELECT in_window, filtered FROM plan_v1 WHERE {of_these}"), parameters)?.rows;
    for row in rows.iter().map(Row) {
        in_window += row.number::<u64>(0)?;
        add_all(&mut totals.lines.filtered, row.json(1)?);
    }
    if records > in_window {
        totals.lines.filtered.insert(NO_PLAN.into(), records - in_window);
    }
    let rows = sql.run(
        &format!(
            "SELECT state, count(*), sum(lines), sum(token), sum(ambiguous) FROM delivery_v1 WHERE {of_these}
             GROUP BY state"
        ),
        parameters,
    )?;
    for row in rows.rows.iter().map(Row) {
        let state = State::from_name(&row.text(0)?);
        add_payloads(&mut totals, state, &row)?;
    }
    totals.lines.unaccounted = unaccounted(&totals.lines);
    Ok(totals)
}

/// Adds the payloads of one state.
fn add_payloads(totals: &mut Totals, state: Option<State>, row: &Row<'_>) -> Result<(), BackendError> {
    let (payloads, lines) = (row.number::<u64>(1)?, row.number::<u64>(2)?);
    let name = state.map_or("unknown", State::name);
    *totals.payloads.entry(name.into()).or_default() += payloads;
    totals.posts.sent += row.number::<u64>(3)?;
    totals.posts.ambiguous += row.number::<u64>(4)?;
    match state {
        Some(State::Prepared | State::Sending) => totals.lines.pending += lines,
        Some(State::Delivered) => totals.lines.delivered += lines,
        Some(State::Parked) => totals.lines.parked += lines,
        Some(State::Dropped) => *totals.lines.filtered.entry(DROPPED.into()).or_default() += lines,
        // Its halves are counted.
        Some(State::Split) | None => {}
    }
    Ok(())
}

/// What the right side of the books lacks.
fn unaccounted(lines: &Lines) -> i64 {
    let (rejected, filtered): (u64, u64) = (lines.rejected.values().sum(), lines.filtered.values().sum());
    let right = lines.delivered + lines.pending + lines.parked + rejected + filtered;
    i64::try_from(lines.lines_in).unwrap_or(i64::MAX).saturating_sub(i64::try_from(right).unwrap_or(i64::MAX))
}

/// The columns of a source, in the order of [`batch_of`].
const SOURCE: &str = "id, object_key, etag, uploaded_ms, size, dataset, state, code, reason, indexed, gone, begun_ms, \
     sealed_ms, counts, inflated, shards";

/// Sources, newest first.
pub(super) fn batches(sql: &impl Sql, ledger: &str, ask: &BatchesAsk) -> Result<BatchesAnswer, BackendError> {
    let state = ask.state.as_deref().map_or(SqlValue::Null, SqlValue::text);
    let rows = sql.run(
        &format!("SELECT {SOURCE} FROM source_v1 WHERE ?1 IS NULL OR state = ?1 ORDER BY begun_ms DESC, id LIMIT ?2"),
        &[state, SqlValue::number(ask.limit)],
    )?;
    let batches = rows.rows.iter().map(|row| batch_of(ledger, row)).collect::<Result<_, _>>()?;
    Ok(BatchesAnswer { batches })
}

/// One source with its payloads.
pub(super) fn batch(sql: &impl Sql, ledger: &str, ask: &BatchAsk) -> Result<BatchAnswer, BackendError> {
    let source = [SqlValue::text(ask.source.as_str())];
    let rows = sql.run(&format!("SELECT {SOURCE} FROM source_v1 WHERE id = ?"), &source)?;
    let shards = rows.rows.first().map(|row| Row(row).json(15)).transpose()?.unwrap_or_default();
    let batch = rows.rows.first().map(|row| batch_of(ledger, row)).transpose()?;
    let plans = plans(sql, &ask.source)?.into_iter().map(|(plan, _)| plan).collect();
    let mut payloads = deliveries(sql, "source = ? ORDER BY plan, number", &source)?;
    packs::locate(sql, &ask.source, &mut payloads)?;
    let payloads = payloads.iter().map(|delivery| view_of(ledger, delivery)).collect();
    Ok(BatchAnswer { batch, shards, totals: books(sql, "id = ?", &source)?, plans, payloads })
}

fn batch_of(ledger: &str, row: &SqlRow) -> Result<Batch, BackendError> {
    let row = Row(row);
    let counts = row.text(13)?;
    let object =
        ObjectVersion { key: row.text(1)?, etag: row.text(2)?, uploaded_ms: row.integer(3)?, size: row.number(4)? };
    Ok(Batch {
        id: BatchId { ledger: ledger.to_owned(), source: row.source(0)? }.handle(),
        object,
        dataset: row.text(5)?,
        state: row.text(6)?,
        code: row.maybe_text(7),
        reason: row.maybe_text(8),
        indexed: row.integer(9)? != 0,
        gone: row.integer(10)? != 0,
        begun_ms: row.integer(11)?,
        sealed_ms: row.maybe_integer(12),
        counts: if counts == "{}" { Counts::default() } else { row.json(13)? },
        inflated: row.number(14)?,
    })
}

fn view_of(ledger: &str, delivery: &Delivery) -> PayloadView {
    let id = id_of(ledger, delivery);
    PayloadView {
        id: id.handle(),
        batch_id: id.batch_header(),
        plan: delivery.plan,
        payload: delivery.payload.clone(),
        state: delivery.state,
        attempts: delivery.attempts,
        ambiguous: delivery.ambiguous,
        status: delivery.status,
        code: delivery.code.clone(),
        due_ms: (delivery.state == State::Prepared).then_some(delivery.due_ms),
        settled_ms: delivery.settled_ms,
    }
}
