//! The accounts of a ledger or a source, and the reasons why its payloads wait, for people to read.
//!
//! Lines in are those that the reader of the object counted; the other side is the sum of payloads, rejections and
//! filters, each from its own rows. The difference is shown, never hidden.

use std::collections::BTreeMap;

use super::attempts::last_refusal;
use super::books::{
    AgainTotals, BatchSummary, BeforeStartTotals, DROPPED, LedgerTotals, LineTotals, PayloadView, add_all,
};
use super::breaker::PartnerStanding;
use super::calls::{
    BatchDetails, BatchList, GetBatch, GetTotals, LedgerReport, ListBatches, PayloadSelection, PlanStanding,
};
use super::delivery::{Delivery, DeliveryState};
use super::delivery_rows::deliveries;
use super::duplicates::PlanDuplicates;
use super::edge_sums::edge_totals;
use super::erased_lines::erased_bodies;
use super::freshness::freshness;
use super::health::{DeliveryHealth, PendingPayload, PostTimes};
use super::ids::BatchId;
use super::inflated_sizes::inflated_sizes;
use super::outage;
use super::packs;
use super::plans::plans;
use super::replays::is_due;
use super::sources::id_of;
use super::state::BatchState;
use super::tables::{LedgerRow, json_note};
use super::waiting::PayloadWait;
use crate::backend::{BackendError, SqlDatabase, SqlRow, SqlValue, to_json};
use crate::index::{LineCounts, ObjectVersion, RejectedLines};
use crate::limits::REJECTED_LISTED;
use crate::record::Dataset;

/// The reason for records without a plan: delivery is off, their dataset is not delivered, or their time is outside
/// every plan.
const NO_PLAN: &str = "no_plan";
/// The reason for records without a plan in batches that lay in the bucket before the first start.
const BEFORE_START: &str = "before_start";

/// The name of the note with the sums of the batches that expired.
pub(super) const EXPIRED: &str = "expired";

/// Returns the accounts of the whole ledger, and the reasons why its payloads wait.
pub(super) fn totals(
    sql: &impl SqlDatabase,
    ledger: &str,
    _ask: GetTotals,
    now_ms: i64,
) -> Result<LedgerReport, BackendError> {
    let known = outage::standing(sql)?;
    let oldest_pending = oldest_pending(sql)?
        .map(|(delivery, since_ms)| PendingPayload { since_ms, payload: view_of(ledger, &delivery, &known, now_ms) });
    let held_ledgers = u64::from(known.is_open() && oldest_pending.is_some());
    let delivery = DeliveryHealth {
        breaker: PartnerStanding::default(),
        held_ledgers,
        paced_payloads: waiting_payloads(sql, "place_ms IS NOT NULL")?,
        stopped_payloads: waiting_payloads(sql, "held = 1")?,
        last_refusal: last_refusal(sql)?,
        oldest_pending,
        post_times: post_times(sql)?,
    };
    let (mut totals, freshness, edge) = (books(sql, "1", &[])?, freshness(sql)?, edge_totals(sql)?);
    totals.add(expired_totals(sql)?);
    Ok(LedgerReport { totals, delivery, freshness, edge, inflated: inflated_sizes(sql)? })
}

/// Returns the sums of the batches that expired.
pub(super) fn expired_totals(sql: &impl SqlDatabase) -> Result<LedgerTotals, BackendError> {
    Ok(json_note(sql, EXPIRED)?.unwrap_or_default())
}

/// Returns the number of payloads that wait, and meet a condition.
fn waiting_payloads(sql: &impl SqlDatabase, condition: &str) -> Result<u64, BackendError> {
    let state = [SqlValue::text(DeliveryState::Prepared.name())];
    let counted = sql.run(&format!("SELECT count(*) FROM payload_v1 WHERE state = ? AND {condition}"), &state)?.rows;
    counted.first().map_or(Ok(0), |row| LedgerRow(row).number(0))
}

/// Returns how long the last POST of each payload took.
fn post_times(sql: &impl SqlDatabase) -> Result<PostTimes, BackendError> {
    let rows = sql.run("SELECT took_ms, count(*) FROM payload_v1 WHERE took_ms IS NOT NULL GROUP BY took_ms", &[])?;
    let mut times = PostTimes::default();
    for row in rows.rows.iter().map(LedgerRow) {
        times.add(row.integer(0)?, row.number(1)?);
    }
    Ok(times)
}

/// Returns the payload that has been waiting or being sent longest, with the time of its plan's seal.
fn oldest_pending(sql: &impl SqlDatabase) -> Result<Option<(Delivery, i64)>, BackendError> {
    let rows = sql.run(
        "SELECT payload_v1.source, payload_v1.plan, payload_v1.number, sealed_ms
         FROM payload_v1 JOIN plan_v1 ON plan_v1.source = payload_v1.source AND plan_v1.number = payload_v1.plan
         WHERE state IN ('prepared', 'sending')
         ORDER BY sealed_ms, payload_v1.source, payload_v1.plan, payload_v1.number LIMIT 1",
        &[],
    )?;
    let Some(row) = rows.rows.first() else { return Ok(None) };
    let found = deliveries(sql, "source = ? AND plan = ? AND number = ?", row.get(..3).unwrap_or_default())?.pop();
    let since_ms = LedgerRow(row).integer(3)?;
    Ok(found.map(|delivery| (delivery, since_ms)))
}

/// Returns the accounts of the sources that meet the condition, in which `id` names the source in `source_v1`.
pub(super) fn books(
    sql: &impl SqlDatabase,
    condition: &str,
    parameters: &[SqlValue],
) -> Result<LedgerTotals, BackendError> {
    let mut totals = LedgerTotals::default();
    let mut records = 0;
    // Records without a plan, by source.
    let mut before_start: BTreeMap<String, u64> = BTreeMap::new();
    let columns = "state, counts, id, before_start, dataset";
    let rows = sql.run(&format!("SELECT {columns} FROM source_v1 WHERE {condition}"), parameters)?.rows;
    for row in rows.iter().map(LedgerRow) {
        let state = row.batch_state(0)?;
        if state == BatchState::Sealed {
            let counts: LineCounts = row.json(1)?;
            totals.lines.lines_in += counts.lines;
            records += counts.records;
            totals.count_ray_times(&row.text(4)?, counts.compared_rays(), counts.clock_skewed);
            if row.integer(3)? != 0 {
                before_start.insert(row.text(2)?, counts.records);
            }
            add_all(&mut totals.lines.rejected, counts.rejected);
        }
        *totals.batches.entry(state.name().to_owned()).or_default() += 1;
    }
    let of_these = format!("source IN (SELECT id FROM source_v1 WHERE {condition})");
    let mut in_window = 0;
    let rows = sql
        .run(&format!("SELECT in_window, filtered, source, changed, again FROM plan_v1 WHERE {of_these}"), parameters)?
        .rows;
    for row in rows.iter().map(LedgerRow) {
        let planned = row.number::<u64>(0)?;
        if row.integer(4)? != 0 {
            totals.again.lines_in += planned;
            add_all(&mut totals.again.filtered, row.json(1)?);
            continue;
        }
        in_window += planned;
        add_all(&mut totals.lines.filtered, row.json(1)?);
        if let Some(left) = before_start.get_mut(&row.text(2)?) {
            *left = left.saturating_sub(planned);
        }
        totals.changed.add(row.json(3)?);
    }
    before_start.retain(|_, lines| *lines > 0);
    let kept_back = before_start.values().sum::<u64>();
    totals.before_start = BeforeStartTotals { batches: before_start.len() as u64, lines: kept_back };
    let reasons = [(BEFORE_START, kept_back), (NO_PLAN, records.saturating_sub(in_window + kept_back))];
    let reasons = reasons.into_iter().filter(|(_, lines)| *lines > 0);
    totals.lines.filtered.extend(reasons.map(|(reason, lines)| (reason.to_owned(), lines)));
    let rows = sql.run(
        &format!(
            "SELECT state, count(*), sum(lines), sum(token), sum(unknown_outcomes), sum(not_sent),
                (source, plan) IN (SELECT source, number FROM plan_v1 WHERE again = 1) AS is_again
             FROM payload_v1 WHERE {of_these} GROUP BY state, is_again"
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
    totals.posts.not_sent += row.number::<u64>(5)?;
    let LedgerTotals { lines: first, again, .. } = totals;
    let (pending, delivered, confirmed, parked, filtered) = if row.integer(6)? == 0 {
        let LineTotals { pending, delivered, confirmed, parked, filtered, .. } = first;
        (pending, delivered, confirmed, parked, filtered)
    } else {
        let AgainTotals { pending, delivered, confirmed, parked, filtered, .. } = again;
        (pending, delivered, confirmed, parked, filtered)
    };
    match state {
        DeliveryState::Prepared | DeliveryState::Sending => *pending += lines,
        DeliveryState::Delivered => *delivered += lines,
        DeliveryState::Confirmed => *confirmed += lines,
        DeliveryState::Parked => *parked += lines,
        DeliveryState::Dropped => *filtered.entry(DROPPED.into()).or_default() += lines,
        // Counted by the payloads that replace it, and as filtered.
        DeliveryState::Split => {}
    }
    Ok(())
}

/// Returns the difference between both sides of the accounts.
fn unaccounted(lines: &LineTotals) -> i64 {
    let (rejected, filtered): (u64, u64) = (lines.rejected.values().sum(), lines.filtered.values().sum());
    let right = lines.delivered + lines.confirmed + lines.pending + lines.parked + rejected + filtered;
    i64::try_from(lines.lines_in).unwrap_or(i64::MAX).saturating_sub(i64::try_from(right).unwrap_or(i64::MAX))
}

/// The columns of a source, in the order of [`batch_of`].
const SOURCE: &str = "id, object_key, etag, uploaded_ms, size, dataset, state, code, reason, indexed, gone, first_seen_ms, \
     sealed_ms, counts, inflated, shards, replay, rejected, first_ms, last_ms, possible_datasets, origin, revision, written_ms";

/// Lists sources, most recently first seen first.
pub(super) fn batches(sql: &impl SqlDatabase, ledger: &str, call: &ListBatches) -> Result<BatchList, BackendError> {
    let state = call.state.map_or(SqlValue::Null, |state| SqlValue::text(state.name()));
    let names = |datasets: &Vec<Dataset>| format!(",{},", itertools::join(datasets.iter().map(|one| one.name()), ","));
    let datasets = call.datasets.as_ref().map_or(SqlValue::Null, |datasets| SqlValue::text(names(datasets)));
    let (after_ms, after_source) =
        call.after.as_ref().map_or((SqlValue::Null, SqlValue::Null), |(first_seen_ms, source)| {
            (SqlValue::Integer(*first_seen_ms), SqlValue::text(source.as_str()))
        });
    let rows = sql.run(
        &format!(
            "SELECT {SOURCE} FROM source_v1 WHERE (?1 IS NULL OR state = ?1)
             AND (?3 IS NULL OR (first_seen_ms <= ?3 AND (first_seen_ms < ?3 OR id > ?4)))
             AND (?5 IS NULL OR instr(?5, ',' || dataset || ',') > 0)
             ORDER BY first_seen_ms DESC, id LIMIT ?2"
        ),
        &[state, SqlValue::number(call.limit), after_ms, after_source, datasets],
    )?;
    let batches = rows.rows.iter().map(|row| batch_of(ledger, row)).collect::<Result<_, _>>()?;
    Ok(BatchList { batches })
}

/// Returns the payloads that a call asks for.
fn selected_payloads(sql: &impl SqlDatabase, call: &GetBatch) -> Result<Vec<Delivery>, BackendError> {
    let source = SqlValue::text(call.source.as_str());
    match &call.payloads {
        PayloadSelection::All => deliveries(sql, "source = ? ORDER BY plan, number", &[source]),
        PayloadSelection::At(offsets) => {
            let covers = "EXISTS (SELECT 1 FROM json_each(?2) WHERE value BETWEEN first_offset AND last_offset)";
            let offsets = SqlValue::text(String::from_utf8_lossy(&to_json(offsets)));
            deliveries(sql, &format!("source = ?1 AND {covers} ORDER BY plan, number"), &[source, offsets])
        }
        PayloadSelection::Page { after, limit } => {
            let (plan, number) = after.as_ref().map_or((0, ""), |(plan, number)| (*plan, number.as_str()));
            let next = "source = ?1 AND (plan, number) > (?2, ?3) ORDER BY plan, number LIMIT ?4";
            deliveries(sql, next, &[source, SqlValue::number(plan), SqlValue::text(number), SqlValue::number(*limit)])
        }
    }
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
    let mut payloads = selected_payloads(sql, call)?;
    packs::locate(sql, &call.source, &mut payloads)?;
    let known = outage::standing(sql)?;
    let payloads = payloads.iter().map(|delivery| view_of(ledger, delivery, &known, now_ms)).collect();
    let (totals, rejected) = (books(sql, "id = ?", &source)?, rejected.first(REJECTED_LISTED));
    let erased = erased_bodies(sql, &call.source)?;
    Ok(BatchDetails { batch, shards, totals, rejected, plans, duplicates, payloads, erased })
}

/// Returns the duplicates in the plans of a source.
fn duplicates(sql: &impl SqlDatabase, source: &[SqlValue]) -> Result<Vec<PlanDuplicates>, BackendError> {
    let statement = "SELECT duplicates FROM plan_v1 WHERE source = ? AND duplicates IS NOT NULL ORDER BY number";
    sql.run(statement, source)?.rows.iter().map(|row| LedgerRow(row).json(0)).collect()
}

fn batch_of(ledger: &str, row: &SqlRow) -> Result<BatchSummary, BackendError> {
    let row = LedgerRow(row);
    let counts = row.text(13)?;
    let object = ObjectVersion {
        key: row.text(1)?,
        etag: row.text(2)?,
        uploaded_ms: row.integer(3)?,
        size: row.number(4)?,
        origin: row.object_origin(21)?,
    };
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

/// Returns a payload as the API shows it.
pub(super) fn view_of(ledger: &str, delivery: &Delivery, known: &PartnerStanding, now_ms: i64) -> PayloadView {
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
        refusal: delivery.refusal.clone(),
        last_attempt_ms: (delivery.token > 0).then_some(delivery.claimed_ms),
        last_post_ms: delivery.took_ms,
        not_sent: delivery.not_sent,
        next_attempt_ms: (delivery.state == DeliveryState::Prepared).then_some(delivery.next_attempt_ms),
        wait: PayloadWait::new(delivery, known, now_ms),
        completed_ms: delivery.completed_ms,
    }
}
