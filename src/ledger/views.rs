//! The accounts of a ledger or a source, and the reasons why its payloads wait, for people to read.
//!
//! Lines in are those that the reader of the object counted; the other side is the sum of payloads, rejections and
//! filters, each from its own rows. The difference is shown, never hidden.

use super::books::{BatchSummary, LedgerTotals, LineTotals, PayloadView, add_all};
use super::breaker::Breaker;
use super::calls::{BatchDetails, BatchList, GetBatch, GetTotals, LedgerReport, ListBatches, PlanStanding};
use super::delivery::{Delivery, DeliveryState};
use super::duplicates::PlanDuplicates;
use super::health::{DeliveryHealth, PendingPayload};
use super::ids::BatchId;
use super::packs;
use super::plans::plans;
use super::replays::is_due;
use super::sources::id_of;
use super::state::BatchState;
use super::tables::{LedgerRow, breaker, deliveries};
use super::waiting::PayloadWait;
use crate::backend::{BackendError, SqlDatabase, SqlRow, SqlValue};
use crate::index::{LineCounts, ObjectVersion, RejectedLines};
use crate::limits::{LEASE_MS, REJECTED_LISTED};

/// The reason for records without a plan: delivery is off, their dataset is not delivered, or their time is outside
/// every plan.
const NO_PLAN: &str = "no_plan";
/// The reason for records of payloads dropped by a person.
const DROPPED: &str = "dropped";

/// Returns the accounts of the whole ledger, and the reasons why its payloads wait.
pub(super) fn totals(
    sql: &impl SqlDatabase,
    ledger: &str,
    _ask: GetTotals,
    now_ms: i64,
) -> Result<LedgerReport, BackendError> {
    let breaker = breaker(sql)?;
    let oldest = oldest_pending(sql)?
        .map(|(delivery, since_ms)| PendingPayload { since_ms, payload: view_of(ledger, &delivery, &breaker, now_ms) });
    Ok(LedgerReport { totals: books(sql, "1 = 1", &[])?, delivery: DeliveryHealth::new(&breaker, oldest, now_ms) })
}

/// Returns the payload that has been waiting or being sent longest, with the time of its plan's seal.
fn oldest_pending(sql: &impl SqlDatabase) -> Result<Option<(Delivery, i64)>, BackendError> {
    let rows = sql.run(
        "SELECT delivery_v1.source, delivery_v1.plan, delivery_v1.number, sealed_ms
         FROM delivery_v1 JOIN plan_v1 ON plan_v1.source = delivery_v1.source AND plan_v1.number = delivery_v1.plan
         WHERE state IN ('prepared', 'sending')
         ORDER BY sealed_ms, delivery_v1.source, delivery_v1.plan, delivery_v1.number LIMIT 1",
        &[],
    )?;
    let Some(row) = rows.rows.first() else { return Ok(None) };
    let found = deliveries(sql, "source = ? AND plan = ? AND number = ?", row.get(..3).unwrap_or_default())?.pop();
    let since_ms = LedgerRow(row).integer(3)?;
    Ok(found.map(|delivery| (delivery, since_ms)))
}

/// Returns the accounts of the sources that meet the condition, in which `id` names the source in `source_v1`.
fn books(sql: &impl SqlDatabase, condition: &str, parameters: &[SqlValue]) -> Result<LedgerTotals, BackendError> {
    let mut totals = LedgerTotals::default();
    let mut records = 0;
    let rows = sql.run(&format!("SELECT state, counts FROM source_v1 WHERE {condition}"), parameters)?.rows;
    for row in rows.iter().map(LedgerRow) {
        let state = row.batch_state(0)?;
        if state == BatchState::Sealed {
            let counts: LineCounts = row.json(1)?;
            totals.lines.lines_in += counts.lines;
            records += counts.records;
            add_all(&mut totals.lines.rejected, counts.rejected);
        }
        *totals.batches.entry(state.name().to_owned()).or_default() += 1;
    }
    let of_these = format!("source IN (SELECT id FROM source_v1 WHERE {condition})");
    let mut in_window = 0;
    let rows = sql.run(&format!("SELECT in_window, filtered FROM plan_v1 WHERE {of_these}"), parameters)?.rows;
    for row in rows.iter().map(LedgerRow) {
        in_window += row.number::<u64>(0)?;
        add_all(&mut totals.lines.filtered, row.json(1)?);
    }
    if records > in_window {
        totals.lines.filtered.insert(NO_PLAN.into(), records - in_window);
    }
    let rows = sql.run(
        &format!(
            "SELECT state, count(*), sum(lines), sum(token), sum(unknown_outcomes) FROM delivery_v1 WHERE {of_these}
             GROUP BY state"
        ),
        parameters,
    )?;
    for row in rows.rows.iter().map(LedgerRow) {
        add_payloads(&mut totals, row.delivery_state(0)?, &row)?;
    }
    totals.lines.unaccounted = unaccounted(&totals.lines);
    Ok(totals)
}

/// Adds the payloads in one state.
fn add_payloads(totals: &mut LedgerTotals, state: DeliveryState, row: &LedgerRow<'_>) -> Result<(), BackendError> {
    let (payloads, lines) = (row.number::<u64>(1)?, row.number::<u64>(2)?);
    *totals.payloads.entry(state.name().to_owned()).or_default() += payloads;
    totals.posts.attempts += row.number::<u64>(3)?;
    totals.posts.unknown_outcomes += row.number::<u64>(4)?;
    match state {
        DeliveryState::Prepared | DeliveryState::Sending => totals.lines.pending += lines,
        DeliveryState::Delivered => totals.lines.delivered += lines,
        DeliveryState::Parked => totals.lines.parked += lines,
        DeliveryState::Dropped => *totals.lines.filtered.entry(DROPPED.into()).or_default() += lines,
        // Counted by the two payloads that replace it.
        DeliveryState::Split => {}
    }
    Ok(())
}

/// Returns the difference between both sides of the accounts.
fn unaccounted(lines: &LineTotals) -> i64 {
    let (rejected, filtered): (u64, u64) = (lines.rejected.values().sum(), lines.filtered.values().sum());
    let right = lines.delivered + lines.pending + lines.parked + rejected + filtered;
    i64::try_from(lines.lines_in).unwrap_or(i64::MAX).saturating_sub(i64::try_from(right).unwrap_or(i64::MAX))
}

/// The columns of a source, in the order of [`batch_of`].
const SOURCE: &str = "id, object_key, etag, uploaded_ms, size, dataset, state, code, reason, indexed, gone, first_seen_ms, \
     sealed_ms, counts, inflated, shards, replay, rejected, first_ms, last_ms, possible_datasets";

/// Lists sources, most recently first seen first.
pub(super) fn batches(sql: &impl SqlDatabase, ledger: &str, call: &ListBatches) -> Result<BatchList, BackendError> {
    let state = call.state.map_or(SqlValue::Null, |state| SqlValue::text(state.name()));
    let rows = sql.run(
        &format!(
            "SELECT {SOURCE} FROM source_v1 WHERE ?1 IS NULL OR state = ?1 ORDER BY first_seen_ms DESC, id LIMIT ?2"
        ),
        &[state, SqlValue::number(call.limit)],
    )?;
    let batches = rows.rows.iter().map(|row| batch_of(ledger, row)).collect::<Result<_, _>>()?;
    Ok(BatchList { batches })
}

/// Returns one source with its payloads.
pub(super) fn batch(
    sql: &impl SqlDatabase,
    ledger: &str,
    call: &GetBatch,
    now_ms: i64,
) -> Result<BatchDetails, BackendError> {
    let source = [SqlValue::text(call.source.as_str())];
    let rows = sql.run(&format!("SELECT {SOURCE} FROM source_v1 WHERE id = ?"), &source)?;
    let shards = rows.rows.first().map(|row| LedgerRow(row).json(15)).transpose()?.unwrap_or_default();
    let rejected: RejectedLines = rows.rows.first().map(|row| LedgerRow(row).json(17)).transpose()?.unwrap_or_default();
    let batch = rows.rows.first().map(|row| batch_of(ledger, row)).transpose()?;
    // An abandoned plan delivers nothing, and another one covers its times.
    let plans = plans(sql, &call.source)?.into_iter().filter(|stored| stored.standing != PlanStanding::Void);
    let plans = plans.map(|stored| stored.plan).collect();
    let duplicates = duplicates(sql, &source)?;
    let mut payloads = deliveries(sql, "source = ? ORDER BY plan, number", &source)?;
    packs::locate(sql, &call.source, &mut payloads)?;
    let breaker = breaker(sql)?;
    let payloads = payloads.iter().map(|delivery| view_of(ledger, delivery, &breaker, now_ms)).collect();
    let (totals, rejected) = (books(sql, "id = ?", &source)?, rejected.first(REJECTED_LISTED));
    Ok(BatchDetails { batch, shards, totals, rejected, plans, duplicates, payloads })
}

/// Returns the duplicates in the plans of a source.
fn duplicates(sql: &impl SqlDatabase, source: &[SqlValue]) -> Result<Vec<PlanDuplicates>, BackendError> {
    let statement = "SELECT duplicates FROM plan_v1 WHERE source = ? AND duplicates IS NOT NULL ORDER BY number";
    sql.run(statement, source)?.rows.iter().map(|row| LedgerRow(row).json(0)).collect()
}

fn batch_of(ledger: &str, row: &SqlRow) -> Result<BatchSummary, BackendError> {
    let row = LedgerRow(row);
    let counts = row.text(13)?;
    let object =
        ObjectVersion { key: row.text(1)?, etag: row.text(2)?, uploaded_ms: row.integer(3)?, size: row.number(4)? };
    Ok(BatchSummary {
        id: BatchId { ledger: ledger.to_owned(), source: row.source(0)? }.handle(),
        object,
        dataset: row.text(5)?,
        possible_datasets: row.json(20)?,
        state: row.batch_state(6)?,
        code: row.maybe_text(7),
        reason: row.maybe_text(8),
        indexed: row.integer(9)? != 0,
        gone: row.integer(10)? != 0,
        replaying: is_due(row.number(16)?),
        first_seen_ms: row.integer(11)?,
        sealed_ms: row.maybe_integer(12),
        counts: if counts == "{}" { LineCounts::default() } else { row.json(13)? },
        inflated: row.number(14)?,
        times: row.maybe_integer(18).zip(row.maybe_integer(19)),
    })
}

fn view_of(ledger: &str, delivery: &Delivery, breaker: &Breaker, now_ms: i64) -> PayloadView {
    let id = id_of(ledger, delivery);
    PayloadView {
        id: id.handle(),
        partner_batch_id: id.batch_header(),
        plan: delivery.plan,
        payload: delivery.payload.clone(),
        state: delivery.state,
        attempts: delivery.attempts,
        unknown_outcomes: delivery.unknown_outcomes,
        status: delivery.status,
        code: delivery.code.clone(),
        last_attempt_ms: (delivery.token > 0).then_some(delivery.lease_ms - LEASE_MS),
        next_attempt_ms: (delivery.state == DeliveryState::Prepared).then_some(delivery.next_attempt_ms),
        wait: PayloadWait::new(delivery, breaker, now_ms),
        completed_ms: delivery.completed_ms,
    }
}
