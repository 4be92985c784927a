//! Payloads as rows: in groups as they were sealed, for as long as they share their fate, and each by itself from then on.
//!
//! The payloads of a group are sent together, and mostly delivered together: then sealing, claiming and committing all of
//! them write a row each time, and not a row for each of them. What happens to one of them alone gives that one a row of
//! its own, which counts from then on. Statements read payloads from the view `payload_v1`, wherever they are stored.
//!
//! # Invariants
//! A payload is in the view exactly once. A group's row says of each of its payloads what a row of its own would say.

use serde::{Deserialize, Serialize};

use super::delivery::{Delivery, Payload};
use super::ids::DeliveryId;
use super::tables::{LedgerRow, json, maybe};
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::partner::OnUnknown;

/// The condition for payloads that became terminal before an instant.
pub(super) const TERMINAL_BEFORE: &str = "state IN ('delivered', 'dropped', 'confirmed', 'split') AND completed_ms < ?";

/// The columns of a payload's facts, and then those of [`FATE`], in the order of [`delivery`].
const FACTS: &str = "source, plan, number, sha256, lines, bytes, first_offset, last_offset, took_ms";

/// The columns that all payloads of a group have in common, in the order of [`fate`].
const FATE: &str = "state, next_attempt_ms, wake_ms, token, claimant, uncommitted, claimed_ms, lease_ms, park, attempts, \
     unknown_outcomes, unanswered, not_sent, released, status, code, completed_ms, refusal, place_ms, held";

/// What a group's row holds of one payload: its index, hash, lines, bytes, offsets, and the time of its last POST.
#[derive(Debug, Serialize, Deserialize)]
struct Member(String, String, u64, u64, u64, u64, Option<i64>);

/// Returns the payloads that meet the condition, without the locations of their bodies, which [`super::packs`] has.
pub(super) fn deliveries(
    sql: &impl SqlDatabase,
    condition: &str,
    parameters: &[SqlValue],
) -> Result<Vec<Delivery>, BackendError> {
    let statement = format!("SELECT {FACTS}, {FATE}, together FROM payload_v1 WHERE {condition}");
    let rows = sql.run(&statement, parameters)?.rows;
    rows.iter().map(|row| delivery(&LedgerRow(row))).collect()
}

/// Returns one payload, without the location of its body.
pub(super) fn find(sql: &impl SqlDatabase, id: &DeliveryId) -> Result<Option<Delivery>, BackendError> {
    Ok(deliveries(sql, "source = ? AND plan = ? AND number = ?", &place(id))?.pop())
}

/// Returns the primary key of a payload's row: source, plan, number.
pub(super) fn place(id: &DeliveryId) -> [SqlValue; 3] {
    [SqlValue::text(id.source.as_str()), SqlValue::number(id.plan), SqlValue::text(&*id.index)]
}

/// Changes all payloads that meet a condition on what groups have in common: `change` is what follows `SET`.
pub(super) fn change_all(sql: &impl SqlDatabase, change: &str, parameters: &[SqlValue]) -> Result<(), BackendError> {
    sql.run(&format!("UPDATE delivery_v1 SET {change}"), parameters)?;
    sql.run(&format!("UPDATE delivery_group_v1 SET {change}"), parameters).map(drop)
}

/// Stores new payloads of a plan, consecutive ones of a pack in groups of at most `together`.
pub(super) fn insert(sql: &impl SqlDatabase, new: &[Delivery], together: usize) -> Result<(), BackendError> {
    let pack_of = |delivery: &Delivery| delivery.payload.pack.as_ref().map(|pack| pack.first.clone());
    let packs = new.chunk_by(|one, next| pack_of(one) == pack_of(next));
    for group in packs.flat_map(|pack| pack.chunks(together.max(1))) {
        match group {
            [first, _, ..] => write_group(sql, &first.payload.index, group)?,
            alone => alone.iter().try_for_each(|delivery| save(sql, delivery))?,
        }
    }
    Ok(())
}

/// Stores what changed of payloads: in the row of their group if they are all that is left of it and share their fate, each in a
/// row of its own otherwise.
pub(super) fn save_all(sql: &impl SqlDatabase, changed: &[Delivery]) -> Result<(), BackendError> {
    for some in changed.chunk_by(is_same_group) {
        match some {
            [first, _, ..] if share_fate(some) && is_whole_group(sql, some)? => {
                write_group(sql, first.group.as_deref().unwrap_or_default(), some)?;
            }
            some => some.iter().try_for_each(|delivery| save(sql, delivery))?,
        }
    }
    Ok(())
}

/// Returns whether both payloads are stored in the row of one group.
pub(super) fn is_same_group(one: &Delivery, other: &Delivery) -> bool {
    one.group.is_some() && (&one.source, one.plan, &one.group) == (&other.source, other.plan, &other.group)
}

/// Returns whether all payloads have the same in the columns of [`FATE`].
fn share_fate(some: &[Delivery]) -> bool {
    let fates: Vec<_> = some.iter().map(fate).collect();
    fates.windows(2).all(|pair| matches!(pair, [one, next] if one == next))
}

/// Returns whether no other payload is stored in the row of their group.
fn is_whole_group(sql: &impl SqlDatabase, some: &[Delivery]) -> Result<bool, BackendError> {
    let Some(Delivery { source, plan, group: Some(group), .. }) = some.first() else { return Ok(false) };
    let place = [SqlValue::text(source.as_str()), SqlValue::number(*plan), SqlValue::text(&**group)];
    let statement = "SELECT count(*) FROM payload_v1 WHERE source = ? AND plan = ? AND together = ?";
    let counted = sql.run(statement, &place)?.rows;
    Ok(counted.first().map_or(Ok(0), |row| LedgerRow(row).number::<usize>(0))? == some.len())
}

/// Inserts or replaces the row of a group.
fn write_group(sql: &impl SqlDatabase, name: &str, group: &[Delivery]) -> Result<(), BackendError> {
    let Some(first) = group.first() else { return Ok(()) };
    let member = |Delivery { payload, took_ms, .. }: &Delivery| {
        let Payload { index, sha256, lines, bytes, first_offset, last_offset, pack: _ } = payload.clone();
        Member(index, sha256, lines, bytes, first_offset, last_offset, *took_ms)
    };
    let members: Vec<Member> = group.iter().map(member).collect();
    let place =
        [SqlValue::text(first.source.as_str()), SqlValue::number(first.plan), SqlValue::text(name), json(&members)];
    let statement = format!(
        "INSERT OR REPLACE INTO delivery_group_v1 (source, plan, first, members, {FATE}) VALUES (?{})",
        ", ?".repeat(23)
    );
    sql.run(&statement, &[place.as_slice(), &fate(first)].concat()).map(drop)
}

/// Inserts or replaces the row of a payload.
pub(super) fn save(sql: &impl SqlDatabase, delivery: &Delivery) -> Result<(), BackendError> {
    let Delivery { source, plan, payload, took_ms, .. } = delivery;
    let facts = [
        SqlValue::text(source.as_str()),
        SqlValue::number(*plan),
        SqlValue::text(&*payload.index),
        SqlValue::text(&*payload.sha256),
        SqlValue::number(payload.lines),
        SqlValue::number(payload.bytes),
        SqlValue::number(payload.first_offset),
        SqlValue::number(payload.last_offset),
        maybe(*took_ms),
    ];
    let statement = format!("INSERT OR REPLACE INTO delivery_v1 ({FACTS}, {FATE}) VALUES (?{})", ", ?".repeat(28));
    sql.run(&statement, &[facts.as_slice(), &fate(delivery)].concat()).map(drop)
}

/// Returns the values of [`FATE`].
fn fate(delivery: &Delivery) -> [SqlValue; 20] {
    let text = |text: &Option<String>| text.as_deref().map_or(SqlValue::Null, SqlValue::text);
    [
        SqlValue::text(delivery.state.name()),
        SqlValue::number(delivery.next_attempt_ms),
        maybe(delivery.wake_ms),
        SqlValue::number(delivery.token),
        SqlValue::text(&*delivery.claimant),
        SqlValue::Integer(delivery.uncommitted.into()),
        SqlValue::number(delivery.claimed_ms),
        SqlValue::number(delivery.lease_ms),
        SqlValue::Integer((delivery.on_unknown == OnUnknown::Park).into()),
        SqlValue::number(delivery.attempts),
        SqlValue::number(delivery.unknown_outcomes),
        SqlValue::number(delivery.unanswered),
        SqlValue::number(delivery.not_sent),
        SqlValue::number(delivery.released),
        maybe(delivery.status),
        text(&delivery.code),
        maybe(delivery.completed_ms),
        text(&delivery.refusal),
        maybe(delivery.place_ms),
        SqlValue::Integer(delivery.is_held.into()),
    ]
}

fn delivery(row: &LedgerRow<'_>) -> Result<Delivery, BackendError> {
    let payload = Payload {
        index: row.text(2)?,
        sha256: row.text(3)?,
        lines: row.number(4)?,
        bytes: row.number(5)?,
        first_offset: row.number(6)?,
        last_offset: row.number(7)?,
        pack: None,
    };
    Ok(Delivery {
        source: row.source(0)?,
        plan: row.number(1)?,
        payload,
        took_ms: row.maybe_integer(8),
        state: row.delivery_state(9)?,
        next_attempt_ms: row.integer(10)?,
        wake_ms: row.maybe_integer(11),
        token: row.number(12)?,
        claimant: row.text(13)?,
        uncommitted: row.integer(14)? != 0,
        claimed_ms: row.integer(15)?,
        lease_ms: row.integer(16)?,
        on_unknown: if row.integer(17)? == 0 { OnUnknown::Resend } else { OnUnknown::Park },
        attempts: row.number(18)?,
        unknown_outcomes: row.number(19)?,
        unanswered: row.number(20)?,
        not_sent: row.number(21)?,
        released: row.number(22)?,
        status: row.maybe_integer(23).and_then(|status| u16::try_from(status).ok()),
        code: row.maybe_text(24),
        completed_ms: row.maybe_integer(25),
        refusal: row.maybe_text(26),
        place_ms: row.maybe_integer(27),
        is_held: row.integer(28)? != 0,
        group: row.maybe_text(29),
    })
}
