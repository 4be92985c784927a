//! The packs of a ledger: which bodies share an object in the bucket, and the offset of each.
//!
//! One row per pack rather than per payload: rows written dominate the cost of a ledger.
//!
//! # Invariants
//!
//! Every body is in a pack. A pack holds consecutive payloads of one plan, the two that replace a split payload, or the one
//! that replaces a payload with erased lines, each body directly after the previous one. A pack is listed for removal only once all its payloads have been
//! terminal for the retention time of bodies.

use itertools::Itertools;

use super::delivery::{BodyLocation, Delivery, Payload};
use super::delivery_rows;
use super::ids::{DeliveryId, PackId};
use super::source_id::SourceId;
use super::tables::{LedgerRow, json};
use crate::backend::{BackendError, SqlDatabase, SqlRow, SqlValue};
use crate::limits::SWEEP_BODIES;

/// A pack as stored, in the order of its columns.
struct StoredPack {
    plan: u32,
    first: String,
    digest: String,
    /// The offset of each body; of one that is erased, the complement of that.
    ats: Vec<i64>,
}

/// The columns that [`StoredPack::read`] expects, in order.
const COLUMNS: &str = "plan, first, digest, ats";

impl StoredPack {
    fn read(row: &SqlRow) -> Result<Self, BackendError> {
        let row = LedgerRow(row);
        Ok(Self { plan: row.number(0)?, first: row.text(1)?, digest: row.text(2)?, ats: row.json(3)? })
    }

    /// Returns the location of the body of the payload with that index, if it is in this pack.
    fn place(&self, index: &str) -> Option<BodyLocation> {
        let nth = offset_of(index, &self.first)?;
        let at = *self.ats.get(nth)?;
        let offset = u64::try_from(if at < 0 { !at } else { at }).ok()?;
        Some(BodyLocation { first: self.first.clone(), digest: self.digest.clone(), offset, erased: at < 0 })
    }
}

/// Returns the distance from `first` to `index`: both numbers of a plan, or both parts of one payload.
fn offset_of(index: &str, first: &str) -> Option<usize> {
    let ((whole, number), (whole_of_first, number_of_first)) = (number_in(index)?, number_in(first)?);
    if whole == whole_of_first { number.checked_sub(number_of_first) } else { None }
}

/// Splits an index into the payload that it is a part of (empty for an unsplit payload) and its number there.
fn number_in(index: &str) -> Option<(&str, usize)> {
    let (whole, number) = index.rsplit_once('.').unwrap_or(("", index));
    Some((whole, number.parse().ok()?))
}

/// Stores the packs of new payloads; every payload must be in one.
pub(super) fn keep(
    sql: &impl SqlDatabase,
    source: &SourceId,
    plan: u32,
    payloads: &[Payload],
) -> Result<(), BackendError> {
    let pack_of = |payload: &&Payload| payload.pack.as_ref().map(|place| (place.first.clone(), place.digest.clone()));
    for (pack, payloads) in &payloads.iter().chunk_by(pack_of) {
        let payloads: Vec<&Payload> = payloads.collect();
        let ((Some((first, digest)), Some(last)), Some(ats)) = ((pack, payloads.last()), places(&payloads)) else {
            return Err(BackendError::new("recording packs", "the packs are not what the payloads make"));
        };
        let parameters = [
            SqlValue::text(source.as_str()),
            SqlValue::number(plan),
            SqlValue::text(first),
            SqlValue::text(&*last.index),
            SqlValue::text(digest),
            json(&ats),
        ];
        sql.run(
            "INSERT OR REPLACE INTO pack_v1 (source, plan, first, last, digest, ats, removed) VALUES (?, ?, ?, ?, ?, ?, 0)",
            &parameters,
        )?;
    }
    Ok(())
}

/// Returns the offsets of the bodies in a pack, if the pack is named after its first payload and its bodies are
/// contiguous.
fn places(payloads: &[&Payload]) -> Option<Vec<u64>> {
    let (mut end, mut ats) = (0, Vec::new());
    for (nth, payload) in payloads.iter().enumerate() {
        let BodyLocation { first, offset, .. } = payload.pack.as_ref()?;
        if *offset != end || offset_of(&payload.index, first)? != nth {
            return None;
        }
        ats.push(*offset);
        end = offset.checked_add(payload.bytes)?;
    }
    Some(ats)
}

/// Returns one payload with the location of its body.
pub(super) fn find(sql: &impl SqlDatabase, id: &DeliveryId) -> Result<Option<Delivery>, BackendError> {
    let Some(mut delivery) = delivery_rows::find(sql, id)? else { return Ok(None) };
    // Both payloads of a split are in one pack, whatever packs precede it by name; what an erasure left has a pack of its own.
    let (first, digits) = match id.index.rsplit_once('.') {
        Some((whole, "0" | "1")) => (format!("{whole}.0"), 0),
        Some(_) => (id.index.clone(), 0),
        None => (id.index.clone(), id.index.len()),
    };
    let [source, plan, _] = delivery_rows::place(id);
    let rows = sql.run(
        &format!(
            "SELECT {COLUMNS} FROM pack_v1 WHERE source = ?1 AND plan = ?2 AND removed = 0
                AND (first = ?3 OR first < ?3 AND length(first) = ?4)
             ORDER BY first DESC LIMIT 1"
        ),
        &[source, plan, SqlValue::text(first), SqlValue::number(digits)],
    )?;
    let kept = rows.rows.first().map(StoredPack::read).transpose()?;
    delivery.payload.pack = kept.and_then(|pack| pack.place(&id.index));
    Ok(Some(delivery))
}

/// Adds the locations of their bodies to the payloads of a source.
pub(super) fn locate(
    sql: &impl SqlDatabase,
    source: &SourceId,
    deliveries: &mut [Delivery],
) -> Result<(), BackendError> {
    let rows = sql.run(
        &format!("SELECT {COLUMNS} FROM pack_v1 WHERE source = ? AND removed = 0"),
        &[SqlValue::text(source.as_str())],
    )?;
    let packs: Vec<StoredPack> = rows.rows.iter().map(StoredPack::read).collect::<Result<_, _>>()?;
    for delivery in deliveries {
        let mut of_plan = packs.iter().filter(|pack| pack.plan == delivery.plan);
        delivery.payload.pack = of_plan.find_map(|pack| pack.place(&delivery.payload.index));
    }
    Ok(())
}

/// Notes that the body of a payload is erased.
pub(super) fn erase_body(sql: &impl SqlDatabase, delivery: &Delivery) -> Result<(), BackendError> {
    let Some(place) = &delivery.payload.pack else { return Ok(()) };
    let pack =
        [SqlValue::text(delivery.source.as_str()), SqlValue::number(delivery.plan), SqlValue::text(&*place.first)];
    let of_pack = "WHERE source = ? AND plan = ? AND first = ?";
    let rows = sql.run(&format!("SELECT {COLUMNS} FROM pack_v1 {of_pack}"), &pack)?;
    let Some(mut kept) = rows.rows.first().map(StoredPack::read).transpose()? else { return Ok(()) };
    let nth = offset_of(&delivery.payload.index, &place.first);
    if let Some(at) = nth.and_then(|nth| kept.ats.get_mut(nth)).filter(|at| **at >= 0) {
        *at = !*at;
    }
    let changed = [&[json(&kept.ats)], pack.as_slice()].concat();
    sql.run(&format!("UPDATE pack_v1 SET ats = ? {of_pack}"), &changed).map(drop)
}

/// Returns the packs whose payloads all became terminal before this instant. Indexes of equal depth have equal length.
pub(super) fn idle(sql: &impl SqlDatabase, before_ms: i64) -> Result<Vec<PackId>, BackendError> {
    let rows = sql.run(
        &format!(
            "SELECT source, plan, first, digest FROM pack_v1 AS pack WHERE removed = 0 AND NOT EXISTS (
                SELECT 1 FROM payload_v1 AS body WHERE body.source = pack.source AND body.plan = pack.plan
                AND body.number BETWEEN pack.first AND pack.last AND length(body.number) = length(pack.first)
                AND NOT ({}))
             LIMIT ?",
            delivery_rows::TERMINAL_BEFORE
        ),
        &[SqlValue::number(before_ms), SqlValue::number(SWEEP_BODIES)],
    )?;
    let pack = |row| {
        let row = LedgerRow(row);
        Ok(PackId { source: row.source(0)?, plan: row.number(1)?, first: row.text(2)?, digest: row.text(3)? })
    };
    rows.rows.iter().map(pack).collect()
}

/// Records that a pack was removed.
pub(super) fn removed(sql: &impl SqlDatabase, pack: &PackId) -> Result<(), BackendError> {
    let place = [SqlValue::text(pack.source.as_str()), SqlValue::number(pack.plan), SqlValue::text(&*pack.first)];
    sql.run("UPDATE pack_v1 SET removed = 1 WHERE source = ? AND plan = ? AND first = ?", &place).map(drop)
}
