//! The plans of a source over SQL: selecting the next one, and sealing it.
//!
//! # Invariants
//! A plan is pinned when it is first returned. Apart from repetitions, no line is in the payloads of two plans: windows
//! are disjoint, and a repair covers the lines that its earlier plan rejected, once per replay. A backfill repeats a
//! source once, and only what its own plans of the source did not deliver.

use super::books::ChangedLines;
use super::calls::{CheckPlan, PlanStanding, SealBatch, SealedPlan};
use super::delivery::{Delivery, Payload};
use super::delivery_rows;
use super::packs;
use super::plan::{DeliveryPlan, DeliveryRequest, DeliveryWindow, PlanBackfill, PlanRepair};
use super::source_id::SourceId;
use super::tables::{LedgerRow, json, maybe};
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::index::LineOffsets;
use crate::limits::OUTBOX_FIRST_MS;
use crate::partner::DuplicatePolicy;

/// A plan as stored.
pub(super) struct StoredPlan {
    pub(super) plan: DeliveryPlan,
    pub(super) standing: PlanStanding,
    /// Its lines that were not valid records when it was sealed.
    rejected: LineOffsets,
    /// Whether it left out lines that other payloads have.
    has_left_out: bool,
}

/// Returns the plans of a source in the order of their numbers.
pub(super) fn plans(sql: &impl SqlDatabase, source: &SourceId) -> Result<Vec<StoredPlan>, BackendError> {
    let rows = sql.run(
        "SELECT plan, sealed_ms, abandoned_ms, rejected, duplicates IS NOT NULL FROM plan_v1
            WHERE source = ? ORDER BY number",
        &[SqlValue::text(source.as_str())],
    )?;
    let plan = |row| {
        let row = LedgerRow(row);
        let plan: DeliveryPlan = row.json(0)?;
        let has_left_out = row.integer(4)? == 1 && plan.options.duplicates == DuplicatePolicy::Hold;
        Ok(StoredPlan { plan, standing: standing_of(&row, 1), rejected: row.json(3)?, has_left_out })
    };
    rows.rows.iter().map(plan).collect()
}

/// Reads a plan's standing from the columns `sealed_ms` (this one) and `abandoned_ms` (the next).
fn standing_of(row: &LedgerRow<'_>, column: usize) -> PlanStanding {
    match (row.maybe_integer(column), row.maybe_integer(column + 1)) {
        (Some(_), _) => PlanStanding::Sealed,
        (None, Some(_)) => PlanStanding::Void,
        (None, None) => PlanStanding::Open,
    }
}

/// Returns a plan's standing, and abandons the plan if that is requested and it is open. For the asker, a plan delivers
/// nothing if it is a repetition and the asker is not, and a repetition leaves out only what its own backfill delivers.
pub(super) fn check_plan(sql: &impl SqlDatabase, call: &CheckPlan, now_ms: i64) -> Result<PlanStanding, BackendError> {
    let place = [SqlValue::text(call.source.as_str()), SqlValue::number(call.plan)];
    if call.abandon {
        let statement = "UPDATE plan_v1 SET abandoned_ms = ? WHERE source = ? AND number = ?
            AND sealed_ms IS NULL AND abandoned_ms IS NULL";
        sql.run(statement, &[&[SqlValue::Integer(now_ms)], place.as_slice()].concat())?;
    }
    let statement = "SELECT sealed_ms, abandoned_ms, backfill, again FROM plan_v1 WHERE source = ? AND number = ?";
    let known = sql.run(statement, &place)?;
    let Some(row) = known.rows.first().map(LedgerRow) else { return Ok(PlanStanding::Void) };
    let delivers = match call.repetition {
        Some(backfill) => row.maybe_integer(2) == Some(backfill),
        None => row.integer(3)? == 0,
    };
    Ok(if delivers { standing_of(&row, 0) } else { PlanStanding::Void })
}

/// Returns whether a source has an unsealed plan, or lacks one for some of these times.
pub(super) fn has_plans_left(
    sql: &impl SqlDatabase,
    source: &SourceId,
    deliver: Option<DeliveryWindow>,
) -> Result<bool, BackendError> {
    let plans = plans(sql, source)?;
    let is_open = plans.iter().any(|stored| stored.standing == PlanStanding::Open);
    Ok(is_open || deliver.is_some_and(|window| !window.without(&covered(&plans)).is_empty()))
}

/// Returns the windows of the plans that were not abandoned, and are no repetitions.
fn covered(plans: &[StoredPlan]) -> Vec<DeliveryWindow> {
    let covers = |stored: &&StoredPlan| stored.standing != PlanStanding::Void && stored.plan.repetition().is_none();
    plans.iter().filter(covers).flat_map(|stored| &stored.plan.windows).copied().collect()
}

/// Returns the windows that the request repeats, unless it did so before: all but those that plans of its own delivered
/// whole. Whether an open plan will leave lines to other batches is not known, so its windows are among them.
fn repeated(plans: &[StoredPlan], request: &DeliveryRequest) -> Vec<DeliveryWindow> {
    let Some(backfill) = request.backfill.filter(|backfill| backfill.again) else { return Vec::new() };
    let standing = || plans.iter().filter(|stored| stored.standing != PlanStanding::Void);
    if standing().any(|stored| stored.plan.repetition() == Some(backfill.id)) {
        return Vec::new();
    }
    let is_done = |stored: &&StoredPlan| {
        let is_own = stored.plan.backfill.is_some_and(|own| own.id == backfill.id);
        is_own && stored.standing == PlanStanding::Sealed && !stored.has_left_out
    };
    let done: Vec<DeliveryWindow> =
        standing().filter(is_done).flat_map(|stored| &stored.plan.windows).copied().collect();
    request.window.without(&done)
}

/// Returns the plan to work on, and whether another one may follow. `replay` is the number of the replay that is due.
pub(super) fn next_plan(
    sql: &impl SqlDatabase,
    source: &SourceId,
    request: &DeliveryRequest,
    replay: Option<u32>,
) -> Result<(Option<DeliveryPlan>, bool), BackendError> {
    let plans = plans(sql, source)?;
    let left = request.window.without(&covered(&plans));
    let repeated = repeated(&plans, request);
    let mut owing = replay.map(|replay| owing(&plans, replay)).unwrap_or_default().into_iter();
    if let Some(open) = plans.iter().find(|stored| stored.standing == PlanStanding::Open) {
        let follows = !left.is_empty() || !repeated.is_empty() || owing.next().is_some();
        return Ok((Some(open.plan.clone()), follows));
    }
    let number = plans.iter().map(|stored| stored.plan.number).max().unwrap_or(0) + 1;
    let options = request.options.clone();
    let (plan, follows) = if !left.is_empty() {
        let backfill = request.backfill.map(|backfill| PlanBackfill { again: false, ..backfill });
        (DeliveryPlan { number, windows: left, options, repair: None, backfill }, !repeated.is_empty())
    } else if !repeated.is_empty() {
        let backfill = request.backfill;
        (DeliveryPlan { number, windows: repeated, options, repair: None, backfill }, false)
    } else if let Some((earlier, replay)) = owing.next().zip(replay) {
        let repair = PlanRepair { plan: earlier.plan.number, replay, lines: earlier.rejected.clone() };
        let windows = earlier.plan.windows.clone();
        (DeliveryPlan { number, windows, options, repair: Some(repair), backfill: None }, false)
    } else {
        return Ok((None, false));
    };
    sql.run(
        "INSERT INTO plan_v1 (source, number, plan, in_window, filtered, changed, rejected, backfill, again)
         VALUES (?, ?, ?, 0, '{}', ?, ?, ?, ?)",
        &[
            SqlValue::text(source.as_str()),
            SqlValue::number(number),
            json(&plan),
            json(&ChangedLines::default()),
            json(&LineOffsets::default()),
            maybe(plan.backfill.map(|backfill| backfill.id)),
            SqlValue::Integer(plan.backfill.is_some_and(|backfill| backfill.again).into()),
        ],
    )?;
    Ok((Some(plan), follows || owing.next().is_some()))
}

/// Returns the sealed plans with rejected lines that no repair has followed, except those made by this replay. What a
/// repetition rejected, the plan that it repeats rejected, too.
fn owing(plans: &[StoredPlan], replay: u32) -> Vec<&StoredPlan> {
    let standing = || plans.iter().filter(|stored| stored.standing != PlanStanding::Void);
    let repairs =
        |number| move |other: &StoredPlan| other.plan.repair.as_ref().is_some_and(|repair| repair.plan == number);
    let owes = |stored: &&StoredPlan| {
        let is_own = stored.plan.repair.as_ref().is_some_and(|repair| repair.replay == replay);
        let is_sealed = stored.standing == PlanStanding::Sealed && stored.plan.repetition().is_none();
        is_sealed && !stored.rejected.is_empty() && !is_own && !standing().any(repairs(stored.plan.number))
    };
    plans.iter().filter(owes).collect()
}

/// Returns whether a replay could deliver lines that a plan of the source rejected.
pub(super) fn owes_lines(sql: &impl SqlDatabase, source: &SourceId) -> Result<bool, BackendError> {
    Ok(!owing(&plans(sql, source)?, u32::MAX).is_empty())
}

/// Returns the numbers of a source's sealed plans.
pub(super) fn sealed_plans(sql: &impl SqlDatabase, source: &SourceId) -> Result<Vec<u32>, BackendError> {
    let plans = plans(sql, source)?;
    let sealed = plans.iter().filter(|stored| stored.standing == PlanStanding::Sealed);
    Ok(sealed.map(|stored| stored.plan.number).collect())
}

/// Seals a plan; returns whether it was open before.
pub(super) fn seal_plan(
    sql: &impl SqlDatabase,
    seal: &SealBatch,
    sealed: &SealedPlan,
    now_ms: i64,
) -> Result<bool, BackendError> {
    let refuse = |why: String| Err(BackendError::new("sealing a plan", why));
    let place = [SqlValue::text(seal.source.as_str()), SqlValue::number(sealed.number)];
    let known = sql.run("SELECT plan, sealed_ms, abandoned_ms FROM plan_v1 WHERE source = ? AND number = ?", &place)?;
    let Some(row) = known.rows.first().map(LedgerRow) else { return refuse("there is no such plan".into()) };
    match standing_of(&row, 1) {
        PlanStanding::Void => return refuse("it was abandoned, since its object seemed gone".into()),
        PlanStanding::Open => {}
        PlanStanding::Sealed => return Ok(false),
    }
    let plan: DeliveryPlan = row.json(0)?;
    let delivered_lines: u64 = sealed.payloads.iter().map(|payload| payload.lines).sum();
    let filtered_lines: u64 = sealed.filtered.values().sum();
    if delivered_lines + filtered_lines != sealed.in_window || sealed.in_window > seal.counts.records {
        let records = seal.counts.records;
        return refuse(format!(
            "of {records} records, {} are in its windows, {delivered_lines} in payloads, {filtered_lines} filtered",
            sealed.in_window
        ));
    }
    packs::keep(sql, &seal.source, sealed.number, &sealed.payloads)?;
    let wake_ms = now_ms + OUTBOX_FIRST_MS;
    let new = |payload: &Payload| Delivery::new(seal.source.clone(), sealed.number, payload.clone(), now_ms, wake_ms);
    let new: Vec<Delivery> = sealed.payloads.iter().map(new).collect();
    delivery_rows::insert(sql, &new, sealed.together)?;
    let duplicates = if sealed.duplicates.lines == 0 { SqlValue::Null } else { json(&sealed.duplicates) };
    let figures = [
        SqlValue::Integer(now_ms),
        SqlValue::number(sealed.in_window),
        json(&sealed.filtered),
        json(&sealed.changed),
        duplicates,
        json(&rejected_of(&plan, seal)),
    ];
    sql.run(
        "UPDATE plan_v1 SET sealed_ms = ?, in_window = ?, filtered = ?, changed = ?, duplicates = ?, rejected = ?
         WHERE source = ? AND number = ?",
        &[figures.as_slice(), &place].concat(),
    )?;
    Ok(true)
}

/// Returns the lines of a plan that are not valid records: their times are unknown, so they may be in its windows.
fn rejected_of(plan: &DeliveryPlan, seal: &SealBatch) -> LineOffsets {
    let rejected = seal.rejected.offsets();
    let Some(repair) = &plan.repair else { return rejected };
    let lines: Vec<u64> = repair.lines.iter().collect();
    rejected.iter().filter(|offset| lines.binary_search(offset).is_ok()).collect()
}
