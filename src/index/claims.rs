//! Claims of lines for delivery: which plan of which batch was the first to claim the lines of some rays.
//!
//! A plan claims its lines in every shard that holds a ray of its batch, before it is sealed. The shard numbers claims
//! in the order of their arrival and answers with the earlier ones that share a ray, so that of two batches with the
//! same line exactly one learns of the other. A line without a ray is claimed in the shard of its time, by a digest of
//! its text in place of the ray's suffix.
//!
//! Table `claim_v1` has a row for each claim, `claim_part_v1` its packed rays, in the form of [`super::entry`]. A
//! shared ray says where to compare, not that lines are equal: the pipeline compares them.
//!
//! # Invariants
//!
//! A claim keeps its number, however often it is repeated. It outlives the entry of its batch: the lines of an object
//! that was moved away were delivered all the same.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::entry::{EntryPart, PartView, RayLocation};
use super::frame;
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::limits::SQL_BLOB_MAX;
use crate::rpc::{Call, calls, from_json};

calls! {
    "v1/remove-claims": RemoveClaims => ClaimsRemoved,
}

/// The statements that create the tables if they do not exist.
pub(super) const SCHEMA: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS claim_v1 (
        number INTEGER PRIMARY KEY, object_key TEXT NOT NULL, etag TEXT NOT NULL, plan INTEGER NOT NULL,
        written_ms INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS claim_part_v1 (
        claim INTEGER NOT NULL, kind INTEGER NOT NULL, number INTEGER NOT NULL,
        first INTEGER NOT NULL, last INTEGER NOT NULL, lines BLOB NOT NULL,
        PRIMARY KEY (claim, kind, number)) WITHOUT ROWID",
];

/// The kind of numbers in a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimKind {
    /// The suffixes of rays.
    Rays,
    /// Digests of lines without a ray.
    Digests,
}

impl ClaimKind {
    const fn column(self) -> i64 {
        match self {
            Self::Rays => 0,
            Self::Digests => 1,
        }
    }
}

/// A plan that delivers lines, named by the object version that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlanName {
    /// The object's key in the log bucket.
    pub key: String,
    /// The `ETag` of the object's version.
    pub etag: String,
    /// The number of the plan.
    pub plan: u32,
}

/// Packed numbers of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPart {
    /// The kind of its numbers.
    pub kind: ClaimKind,
    /// The numbers, packed like the rays of an entry.
    pub part: EntryPart,
}

/// A request to claim the lines of a plan in one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimLines {
    /// The claiming plan.
    pub plan: PlanName,
    /// Unix milliseconds from which the bucket counts the days of its object: the claim is kept from then on.
    pub written_ms: i64,
    /// The rays and digests of its batch in this shard; those of undelivered lines are harmless.
    pub parts: Vec<ClaimPart>,
}

/// The answer to [`ClaimLines`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierClaims {
    /// The earlier claims that share a ray or a digest, in order.
    pub claims: Vec<EarlierClaim>,
}

/// A claim with an earlier number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierClaim {
    /// The plan that made it.
    pub plan: PlanName,
    /// Whether it claims exactly the same rays and digests in this shard, with the same multiplicity.
    pub is_same: bool,
}

/// A request to remove the claims of all plans of an object; a copy of its lines is then delivered as if it were new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveClaims {
    /// The object's key.
    pub key: String,
}

/// The answer to [`RemoveClaims`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimsRemoved {}

/// The head of a claim's body; the bytes of its parts follow.
#[derive(Debug, Serialize, Deserialize)]
struct ClaimHead {
    plan: PlanName,
    written_ms: i64,
    parts: Vec<ClaimPartHead>,
}

/// A part without its bytes.
#[derive(Debug, Serialize, Deserialize)]
struct ClaimPartHead {
    kind: ClaimKind,
    first: u64,
    last: u64,
    len: usize,
}

impl Call for ClaimLines {
    const NAME: &'static str = "v1/claim-lines";
    type Answer = EarlierClaims;

    fn to_body(&self) -> Vec<u8> {
        let parts = self.parts.iter().map(|ClaimPart { kind, part }| ClaimPartHead {
            kind: *kind,
            first: part.first_suffix,
            last: part.last_suffix,
            len: part.bytes.len(),
        });
        let head = ClaimHead { plan: self.plan.clone(), written_ms: self.written_ms, parts: parts.collect() };
        frame::write(&head, self.parts.iter().map(|part| part.part.bytes.as_slice()))
    }

    fn from_body(body: &[u8]) -> Result<Self, BackendError> {
        let (head, mut rest) = frame::split(body)?;
        let ClaimHead { plan, written_ms, parts: heads } = from_json(head)?;
        let mut parts = Vec::with_capacity(heads.len());
        for ClaimPartHead { kind, first, last, len } in heads {
            let bytes = frame::take(&mut rest, len)?.to_vec();
            parts.push(ClaimPart { kind, part: EntryPart { first_suffix: first, last_suffix: last, bytes } });
        }
        Ok(Self { plan, written_ms, parts })
    }
}

/// Returns the sorted numbers of one kind in a claim.
fn numbers(parts: &[ClaimPart], kind: ClaimKind) -> Result<Vec<u64>, BackendError> {
    let mut numbers = Vec::new();
    for part in parts.iter().filter(|part| part.kind == kind) {
        numbers.extend(numbers_of(&part.part.bytes)?);
    }
    // Parts are in order, and each is sorted.
    Ok(numbers)
}

fn numbers_of(bytes: &[u8]) -> Result<Vec<u64>, BackendError> {
    let view = PartView::open(bytes).and_then(|part| part.locations());
    let locations = view.map_err(|error| BackendError::new("claiming lines", error.to_string()))?;
    Ok(locations.into_iter().map(RayLocation::suffix).collect())
}

/// Records a claim; returns the earlier ones that share a ray or a digest.
pub(super) fn claim(sql: &impl SqlDatabase, call: &ClaimLines) -> Result<EarlierClaims, BackendError> {
    let number = match number_of(sql, &call.plan)? {
        Some(number) => {
            renew(sql, number, call.written_ms)?;
            number
        }
        None => insert(sql, call)?,
    };
    let own = [ClaimKind::Rays, ClaimKind::Digests].map(|kind| numbers(&call.parts, kind));
    let [rays, digests] = own;
    let own = [(ClaimKind::Rays, rays?), (ClaimKind::Digests, digests?)];
    let mut claims = Vec::new();
    for earlier in candidates(sql, number, &call.parts)? {
        let (mut shares, mut is_same) = (false, true);
        for (kind, own) in &own {
            let theirs = stored_numbers(sql, earlier, *kind)?;
            shares |= have_common(own, &theirs);
            is_same &= *own == theirs;
        }
        if shares {
            claims.push(EarlierClaim { plan: plan_of(sql, earlier)?, is_same });
        }
    }
    Ok(EarlierClaims { claims })
}

/// Keeps a claim from this instant on, if it is later than the one that was known: its object was written again.
fn renew(sql: &impl SqlDatabase, number: i64, written_ms: i64) -> Result<(), BackendError> {
    let parameters = [SqlValue::Integer(written_ms), SqlValue::Integer(number)];
    sql.run("UPDATE claim_v1 SET written_ms = ?1 WHERE number = ?2 AND written_ms < ?1", &parameters).map(drop)
}

/// Removes a claim.
pub(super) fn drop_claim(sql: &impl SqlDatabase, number: i64) -> Result<(), BackendError> {
    let number = [SqlValue::Integer(number)];
    sql.run("DELETE FROM claim_part_v1 WHERE claim = ?", &number)?;
    sql.run("DELETE FROM claim_v1 WHERE number = ?", &number).map(drop)
}

/// Removes the claims of an object.
pub(super) fn remove(sql: &impl SqlDatabase, call: &RemoveClaims) -> Result<ClaimsRemoved, BackendError> {
    let key = [SqlValue::text(&*call.key)];
    sql.run("DELETE FROM claim_part_v1 WHERE claim IN (SELECT number FROM claim_v1 WHERE object_key = ?)", &key)?;
    sql.run("DELETE FROM claim_v1 WHERE object_key = ?", &key)?;
    Ok(ClaimsRemoved {})
}

fn number_of(sql: &impl SqlDatabase, plan: &PlanName) -> Result<Option<i64>, BackendError> {
    let PlanName { key, etag, plan } = plan;
    let parameters = [SqlValue::text(&**key), SqlValue::text(&**etag), SqlValue::number(*plan)];
    let rows = sql.run("SELECT number FROM claim_v1 WHERE object_key = ? AND etag = ? AND plan = ?", &parameters)?;
    Ok(rows.rows.first().and_then(|row| row.first()?.as_integer()))
}

fn insert(sql: &impl SqlDatabase, call: &ClaimLines) -> Result<i64, BackendError> {
    let PlanName { key, etag, plan } = &call.plan;
    let inserted = sql.run(
        "INSERT INTO claim_v1 (number, object_key, etag, plan, written_ms)
         SELECT coalesce(max(number), 0) + 1, ?, ?, ?, ? FROM claim_v1 RETURNING number",
        &[SqlValue::text(&**key), SqlValue::text(&**etag), SqlValue::number(*plan), SqlValue::Integer(call.written_ms)],
    )?;
    let number = inserted.rows.first().and_then(|row| row.first()?.as_integer());
    let number = number.ok_or_else(|| BackendError::new("claiming lines", "the database named no row"))?;
    for (place, ClaimPart { kind, part }) in call.parts.iter().enumerate() {
        if part.bytes.len() > SQL_BLOB_MAX {
            return Err(BackendError::new("claiming lines", "a part is larger than a row can be"));
        }
        sql.run(
            "INSERT INTO claim_part_v1 (claim, kind, number, first, last, lines) VALUES (?, ?, ?, ?, ?, ?)",
            &[
                SqlValue::Integer(number),
                SqlValue::Integer(kind.column()),
                SqlValue::number(place as u64),
                SqlValue::number(part.first_suffix),
                SqlValue::number(part.last_suffix),
                SqlValue::Blob(part.bytes.clone()),
            ],
        )?;
    }
    Ok(number)
}

/// Returns the earlier claims with a part that overlaps one of these, in order.
fn candidates(sql: &impl SqlDatabase, number: i64, parts: &[ClaimPart]) -> Result<BTreeSet<i64>, BackendError> {
    let mut found = BTreeSet::new();
    for ClaimPart { kind, part } in parts {
        let parameters = [
            SqlValue::Integer(number),
            SqlValue::Integer(kind.column()),
            SqlValue::number(part.last_suffix),
            SqlValue::number(part.first_suffix),
        ];
        let statement =
            "SELECT claim FROM claim_part_v1 WHERE claim < ? AND kind = ? AND first <= ? AND last >= ? GROUP BY claim";
        let rows = sql.run(statement, &parameters)?.rows;
        found.extend(rows.iter().filter_map(|row| row.first()?.as_integer()));
    }
    Ok(found)
}

fn stored_numbers(sql: &impl SqlDatabase, claim: i64, kind: ClaimKind) -> Result<Vec<u64>, BackendError> {
    let statement = "SELECT lines FROM claim_part_v1 WHERE claim = ? AND kind = ? ORDER BY number";
    let rows = sql.run(statement, &[SqlValue::Integer(claim), SqlValue::Integer(kind.column())])?.rows;
    let mut numbers = Vec::new();
    for row in &rows {
        if let Some(SqlValue::Blob(part)) = row.first() {
            numbers.extend(numbers_of(part)?);
        }
    }
    Ok(numbers)
}

fn plan_of(sql: &impl SqlDatabase, claim: i64) -> Result<PlanName, BackendError> {
    let rows =
        sql.run("SELECT object_key, etag, plan FROM claim_v1 WHERE number = ?", &[SqlValue::Integer(claim)])?.rows;
    let plan = rows.first().and_then(|row| {
        let [SqlValue::Text(key), SqlValue::Text(etag), SqlValue::Integer(plan)] = row.as_slice() else { return None };
        Some(PlanName { key: key.clone(), etag: etag.clone(), plan: u32::try_from(*plan).ok()? })
    });
    plan.ok_or_else(|| BackendError::new("claiming lines", "a claim names no plan"))
}

/// Returns whether two ascending lists share a number.
fn have_common(a: &[u64], b: &[u64]) -> bool {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        match x.cmp(y) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => a.next(),
            std::cmp::Ordering::Greater => b.next(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert_eq, proptest};

    use super::{Call, ClaimKind, ClaimLines, ClaimPart, PlanName, have_common};
    use crate::index::entry::EntryPart;

    #[test]
    fn claim_survives_its_body_and_cuts_are_refused() {
        let part = |kind, bytes: &[u8]| ClaimPart {
            kind,
            part: EntryPart { first_suffix: 1, last_suffix: 9, bytes: bytes.to_vec() },
        };
        let plan = PlanName { key: "logs/é".into(), etag: "e".into(), plan: 2 };
        let claim = ClaimLines {
            plan,
            written_ms: 7,
            parts: vec![part(ClaimKind::Rays, b"ab"), part(ClaimKind::Digests, b"\0c")],
        };
        let body = claim.to_body();
        assert_eq!(ClaimLines::from_body(&body), Ok(claim));
        for end in 0..body.len() {
            assert!(ClaimLines::from_body(&body[..end]).is_err(), "{end}");
        }
    }

    proptest! {
        #[test]
        fn common_numbers_are_found_in_sorted_lists(
            a in prop::collection::btree_set(0_u64..60, 0..12),
            b in prop::collection::btree_set(0_u64..60, 0..12),
        ) {
            let (x, y): (Vec<u64>, Vec<u64>) = (a.iter().copied().collect(), b.iter().copied().collect());
            prop_assert_eq!(have_common(&x, &y), !a.is_disjoint(&b));
        }
    }
}
