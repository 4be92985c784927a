//! What an erasure does to the payloads of a ledger: a body that has an erased line is never sent again, and a payload that
//! waits goes on without the line.
//!
//! # Invariants
//! A payload that is being sent stays as it is; the erasure comes again once its claim has ended. Lines that were taken out
//! of payloads count as filtered, so the accounts balance after each call. A body is overwritten in its pack only after the
//! ledger has noted that it is erased.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::delivery::{Delivery, DeliveryState, Payload};
use super::delivery_rows::save;
use super::ids::DeliveryId;
use super::packs;
use super::source_id::SourceId;
use super::tables::{LedgerRow, json, json_note, keep_note};
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::index::LineOffsets;
use crate::rpc::calls;

calls! {
    "v1/erase-payload": ErasePayload => ErasePayloadAnswer,
}

/// The reason for records that an erasure took out of payloads, and the code of a payload that ended by it.
pub const ERASED: &str = "erased";

/// Erased lines that went to the partner, or may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentLines {
    /// The handle of their payload.
    pub payload: String,
    /// The value of the header `X-Batch-Id` under which the partner knows it.
    pub partner_batch_id: String,
    /// Number of erased lines in it.
    pub lines: u64,
    /// The state of the payload.
    pub state: DeliveryState,
    /// Whether it is unknown that the partner has the lines: it may have them.
    pub in_doubt: bool,
    /// Unix milliseconds at which the payload came to rest.
    pub completed_ms: Option<i64>,
}

/// A request to erase the body of a payload that has erased lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasePayload {
    /// The identity of the payload.
    pub id: DeliveryId,
    /// The SHA-256 of its body, as the caller knows it.
    pub sha256: String,
    /// Its state, as the caller knows it.
    pub state: DeliveryState,
    /// The erased lines that its body has; empty if it cannot be read.
    pub lines: LineOffsets,
    /// What becomes of its other lines.
    pub rest: PayloadRest,
}

/// What becomes of the lines of a payload that are not erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadRest {
    /// The payload stays, without a body: it was sent, or its body cannot be read.
    Stays,
    /// This payload replaces one that waits.
    Goes(Payload),
    /// A payload that waits had no other lines: nothing replaces it.
    Nothing,
}

/// A ledger's answer to [`ErasePayload`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasePayloadAnswer {
    /// Whether the body is erased now. If not, the payload is being sent, or is no longer as the caller knows it.
    pub erased: bool,
    /// The state of the payload; `None` if the ledger does not have it.
    pub state: Option<DeliveryState>,
}

/// The erased lines that the body of a payload had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedBody {
    /// The number of its plan.
    pub plan: u32,
    /// Its index in the plan.
    pub index: String,
    /// The offsets of the lines in the text of the batch.
    pub lines: LineOffsets,
}

/// Erases the body of a payload, and replaces the payload if it waits.
pub(super) fn erase(
    sql: &impl SqlDatabase,
    call: &ErasePayload,
    now_ms: i64,
) -> Result<ErasePayloadAnswer, BackendError> {
    let Some(mut whole) = packs::find(sql, &call.id)? else {
        return Ok(ErasePayloadAnswer { erased: false, state: None });
    };
    let has_body = whole.payload.pack.as_ref().is_some_and(|place| !place.erased);
    let is_known = whole.payload.sha256 == call.sha256 && whole.state == call.state;
    if !has_body || !is_known || whole.state == DeliveryState::Sending {
        return Ok(ErasePayloadAnswer { erased: false, state: Some(whole.state) });
    }
    match &call.rest {
        PayloadRest::Stays => {}
        PayloadRest::Goes(left) => replace(sql, (call, left), &mut whole, now_ms)?,
        PayloadRest::Nothing => end(sql, (call, 0), &mut whole, now_ms)?,
    }
    packs::erase_body(sql, &whole)?;
    if !call.lines.is_empty() {
        keep_note(sql, &note_of(&call.id.source, call.id.plan, &call.id.index), &call.lines)?;
    }
    Ok(ErasePayloadAnswer { erased: true, state: Some(whole.state) })
}

fn refuse(why: &str) -> Result<(), BackendError> {
    Err(BackendError::new("erasing lines of a payload", why))
}

/// Replaces a payload that waits with one of its other lines, which waits as it did.
fn replace(
    sql: &impl SqlDatabase,
    (call, left): (&ErasePayload, &Payload),
    whole: &mut Delivery,
    now_ms: i64,
) -> Result<(), BackendError> {
    if left.index != call.id.index_without_erased() {
        return refuse("the payload that is to replace it has another's name");
    }
    if left.pack.as_ref().is_none_or(|place| place.first != left.index) {
        return refuse("the payload that is to replace it has no pack of its own");
    }
    let next = without_erased(whole, left.clone(), now_ms);
    end(sql, (call, left.lines), whole, now_ms)?;
    packs::keep(sql, &whole.source, whole.plan, std::slice::from_ref(left))?;
    save(sql, &next)
}

/// Returns the payload that replaces one that waits. It waits for the same, as long, and after as many attempts; the claims and
/// doubts that the totals count stay with the other one.
fn without_erased(whole: &Delivery, left: Payload, now_ms: i64) -> Delivery {
    let waits = whole.state == DeliveryState::Prepared;
    Delivery {
        payload: left,
        group: None,
        // The message on the queue, if there is one, names the other one.
        wake_ms: waits.then_some(whole.next_attempt_ms.max(now_ms)),
        token: 0,
        claimant: String::new(),
        uncommitted: false,
        claimed_ms: 0,
        lease_ms: 0,
        unknown_outcomes: 0,
        not_sent: 0,
        took_ms: None,
        status: whole.status.filter(|status| !is_taken(*status)),
        ..whole.clone()
    }
}

/// Returns whether the partner said with this status that it has a payload.
#[must_use]
pub const fn is_taken(status: u16) -> bool {
    status >= 200 && status < 300
}

/// Ends a payload that waits; `left` is the number of its lines in the one that replaces it.
fn end(
    sql: &impl SqlDatabase,
    (call, left): (&ErasePayload, u64),
    whole: &mut Delivery,
    now_ms: i64,
) -> Result<(), BackendError> {
    if !matches!(whole.state, DeliveryState::Prepared | DeliveryState::Parked) {
        return refuse("it does not wait");
    }
    let erased = call.lines.len() as u64;
    if erased == 0 || left.saturating_add(erased) != whole.payload.lines {
        return refuse("what is left and what is erased are not the whole");
    }
    whole.split(now_ms);
    whole.code = Some(ERASED.to_owned());
    save(sql, whole)?;
    count_filtered(sql, whole, erased)
}

/// Counts lines of a plan as filtered.
fn count_filtered(sql: &impl SqlDatabase, whole: &Delivery, lines: u64) -> Result<(), BackendError> {
    let place = [SqlValue::text(whole.source.as_str()), SqlValue::number(whole.plan)];
    let known = sql.run("SELECT filtered FROM plan_v1 WHERE source = ? AND number = ?", &place)?;
    let Some(row) = known.rows.first().map(LedgerRow) else { return refuse("its plan is not known") };
    let mut filtered: BTreeMap<String, u64> = row.json(0)?;
    *filtered.entry(ERASED.to_owned()).or_default() += lines;
    let statement = "UPDATE plan_v1 SET filtered = ? WHERE source = ? AND number = ?";
    sql.run(statement, &[&[json(&filtered)], place.as_slice()].concat()).map(drop)
}

/// The beginning of the names of the notes of a source.
fn notes_of(source: &SourceId) -> String {
    format!("{ERASED}/{}/", source.as_str())
}

/// The name of the note with the erased lines that the body of a payload had.
fn note_of(source: &SourceId, plan: u32, index: &str) -> String {
    format!("{}{plan}/{index}", notes_of(source))
}

/// Returns the erased bodies of a source, with the lines that they had.
pub(super) fn erased_bodies(sql: &impl SqlDatabase, source: &SourceId) -> Result<Vec<ErasedBody>, BackendError> {
    let begin = notes_of(source);
    let statement = "SELECT name FROM note_v1 WHERE name >= ?1 AND name < ?1 || '~' ORDER BY name";
    let names = sql.run(statement, &[SqlValue::text(&*begin)])?.rows;
    let mut bodies = Vec::new();
    for name in &names {
        let name = LedgerRow(name).text(0)?;
        let place = name.strip_prefix(&begin).and_then(|place| place.split_once('/'));
        let Some((Ok(plan), index)) = place.map(|(plan, index)| (plan.parse(), index)) else { continue };
        let lines = json_note(sql, &name)?.unwrap_or_default();
        bodies.push(ErasedBody { plan, index: index.to_owned(), lines });
    }
    Ok(bodies)
}
