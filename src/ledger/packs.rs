//! Which bodies lie together in one object of the bucket, and from which byte on each.
//!
//! A row for each pack, not for each payload: rows written are what a ledger costs. The row of a payload whose body
//! lies in a pack says only that none lies under its own key, as it does of one that was removed; a version before
//! packs takes it for that, and neither lists nor resends it.
//!
//! What always holds: a pack holds consecutive payloads of one plan, each behind the one before; it is named as of no
//! use only when every payload of it has been at rest for as long as a body that lies alone.

use itertools::Itertools;

use super::delivery::{Delivery, Payload, Place};
use super::ids::{DeliveryId, PackId, SourceId, number_of};
use super::tables::{self, Row, json};
use crate::backend::{BackendError, Sql, SqlRow, SqlValue};
use crate::mistakes::{Mistake, made};

/// The table. A body begins where `ats` says, in the order of the payloads.
pub(super) const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS pack_v1 (
        source TEXT NOT NULL, plan INTEGER NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
        digest TEXT NOT NULL, ats TEXT NOT NULL, removed INTEGER NOT NULL,
        PRIMARY KEY (source, plan, first)) WITHOUT ROWID";

/// A pack as it is kept, in the order of its columns.
struct Kept {
    plan: u32,
    first: String,
    digest: String,
    ats: Vec<u64>,
}

/// The columns of [`Kept`].
const COLUMNS: &str = "plan, first, digest, ats";

impl Kept {
    fn read(row: &SqlRow) -> Result<Self, BackendError> {
        let row = Row(row);
        Ok(Self { plan: row.number(0)?, first: row.text(1)?, digest: row.text(2)?, ats: row.json(3)? })
    }

    /// Where the body of the payload of that number lies, if it is one of these.
    fn place(&self, index: &str) -> Option<Place> {
        let nth = number_of(index)?.checked_sub(number_of(&self.first)?)?;
        let at = *self.ats.get(nth)?;
        Some(Place { first: self.first.clone(), digest: self.digest.clone(), at })
    }
}

/// Keeps the packs of a plan that is being sealed.
pub(super) fn keep(sql: &impl Sql, source: &SourceId, plan: u32, payloads: &[Payload]) -> Result<(), BackendError> {
    let pack_of = |payload: &&Payload| payload.pack.as_ref().map(|place| (place.first.clone(), place.digest.clone()));
    for (pack, payloads) in &payloads.iter().chunk_by(pack_of) {
        let Some((first, digest)) = pack else { continue };
        let payloads: Vec<&Payload> = payloads.collect();
        let (Some(ats), Some(last)) = (places(&first, &payloads), payloads.last()) else {
            return Err(BackendError::new("sealing a plan", "its packs are not what its payloads make"));
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

/// Where the bodies of a pack begin, if it begins with this number and each lies behind the one before.
fn places(first: &str, payloads: &[&Payload]) -> Option<Vec<u64>> {
    let (number, mut end, mut ats) = (number_of(first)?, 0, Vec::new());
    for (nth, payload) in payloads.iter().enumerate() {
        let at = payload.pack.as_ref()?.at;
        if at != end || number_of(&payload.index)? != number + nth {
            return None;
        }
        ats.push(at);
        end = at.checked_add(payload.bytes)?;
    }
    Some(ats)
}

/// One payload, with the place of its body.
pub(super) fn find(sql: &impl Sql, id: &DeliveryId) -> Result<Option<Delivery>, BackendError> {
    let Some(mut delivery) = tables::find(sql, id)? else { return Ok(None) };
    if delivery.removed {
        let rows = sql.run(
            &format!(
                "SELECT {COLUMNS} FROM pack_v1 WHERE source = ? AND plan = ? AND first <= ? AND removed = 0
                 ORDER BY first DESC LIMIT 1"
            ),
            &tables::place(id),
        )?;
        let kept = rows.rows.first().map(Kept::read).transpose()?;
        delivery.payload.pack = kept.and_then(|pack| pack.place(&id.index));
    }
    Ok(Some(delivery))
}

/// Says of the payloads of a source where their bodies lie.
pub(super) fn locate(sql: &impl Sql, source: &SourceId, deliveries: &mut [Delivery]) -> Result<(), BackendError> {
    let rows = sql.run(
        &format!("SELECT {COLUMNS} FROM pack_v1 WHERE source = ? AND removed = 0"),
        &[SqlValue::text(source.as_str())],
    )?;
    let packs: Vec<Kept> = rows.rows.iter().map(Kept::read).collect::<Result<_, _>>()?;
    for delivery in deliveries.iter_mut().filter(|delivery| delivery.removed) {
        let mut of_plan = packs.iter().filter(|pack| pack.plan == delivery.plan);
        delivery.payload.pack = of_plan.find_map(|pack| pack.place(&delivery.payload.index));
    }
    Ok(())
}

/// Packs of which every payload came to rest before this instant. The halves of one lie alone, and are not asked.
pub(super) fn idle(sql: &impl Sql, before_ms: i64, most: usize) -> Result<Vec<PackId>, BackendError> {
    let last = if made(Mistake::PackGoesWithFirst) { "first" } else { "last" };
    let rows = sql.run(
        &format!(
            "SELECT source, plan, first, digest FROM pack_v1 AS pack WHERE removed = 0 AND NOT EXISTS (
                SELECT 1 FROM delivery_v1 AS body WHERE body.source = pack.source AND body.plan = pack.plan
                AND body.number BETWEEN pack.first AND pack.{last} AND instr(body.number, '.') = 0
                AND NOT ({}))
             LIMIT ?",
            tables::AT_REST
        ),
        &[SqlValue::number(before_ms), SqlValue::number(most)],
    )?;
    let pack = |row| {
        let row = Row(row);
        Ok(PackId { source: row.source(0)?, plan: row.number(1)?, first: row.text(2)?, digest: row.text(3)? })
    };
    rows.rows.iter().map(pack).collect()
}

/// Keeps that a pack was removed.
pub(super) fn removed(sql: &impl Sql, pack: &PackId) -> Result<(), BackendError> {
    let place = [SqlValue::text(pack.source.as_str()), SqlValue::number(pack.plan), SqlValue::text(&*pack.first)];
    sql.run("UPDATE pack_v1 SET removed = 1 WHERE source = ? AND plan = ? AND first = ?", &place).map(drop)
}
