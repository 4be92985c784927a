//! Facts that an object keeps beside its entries: the number of its chain, how many chains there ever were, and the generation of
//! the erasures that isolates must know.
//!
//! *Stored*: `audit_fact_v1`, a row for each fact. The object of the first chain has no such table before there are more
//! chains; that of another one has its number from its first row on, since the platform does not tell an alarm its object's name.
//!
//! # Invariants
//! The number of chains never falls, nor does the generation of erasures. The number of an object's chain never changes.

use super::entry::broken;
use crate::access::ChainNumber;
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::limits::AUDIT_CHAINS_MAX;

/// The fact of an object's own number.
const NUMBER: &str = "chain";
/// The fact of how many chains there ever were.
const COUNT: &str = "chains";
/// The fact of the generation of erasures.
const ERASURES: &str = "erasures";

/// The number of the chain that this object keeps.
pub(super) fn stored_chain(sql: &impl SqlDatabase) -> Result<ChainNumber, BackendError> {
    let number = read_fact(sql, NUMBER)?;
    number.map_or(Ok(ChainNumber::FIRST), |number| ChainNumber::new(number).ok_or_else(broken))
}

/// Keeps the number of the chain, unless the object has it.
///
/// # Errors
/// [`BackendError`] where the database failed, or the object keeps another chain.
pub(super) fn keep_chain(sql: &impl SqlDatabase, chain: ChainNumber) -> Result<(), BackendError> {
    if chain == ChainNumber::FIRST {
        return Ok(());
    }
    match read_fact(sql, NUMBER)? {
        None => write_fact(sql, NUMBER, chain.number().into()),
        Some(number) if number == u64::from(chain.number()) => Ok(()),
        Some(_) => Err(BackendError::new("opening a chain", "the object keeps another one")),
    }
}

/// How many chains there ever were.
pub(super) fn stored_chains(sql: &impl SqlDatabase) -> Result<u8, BackendError> {
    let count = read_fact(sql, COUNT)?.unwrap_or(1);
    u8::try_from(count).ok().filter(|count| (1..=AUDIT_CHAINS_MAX).contains(count)).ok_or_else(broken)
}

/// Notes that there are `count` chains, if there were fewer; returns how many there ever were.
pub(super) fn raise_chains(sql: &impl SqlDatabase, count: u8) -> Result<u8, BackendError> {
    let known = stored_chains(sql)?;
    if count > known {
        write_fact(sql, COUNT, count.min(AUDIT_CHAINS_MAX).into())?;
    }
    stored_chains(sql)
}

/// The generation of the erasures that isolates must know; 0 without any.
pub(super) fn stored_erasures(sql: &impl SqlDatabase) -> Result<u64, BackendError> {
    Ok(read_fact(sql, ERASURES)?.unwrap_or_default())
}

/// Notes a generation of erasures, unless a later one is known; returns the latest.
pub(super) fn raise_erasures(sql: &impl SqlDatabase, generation: u64) -> Result<u64, BackendError> {
    write_fact(sql, ERASURES, generation)?;
    stored_erasures(sql)
}

fn read_fact(sql: &impl SqlDatabase, name: &str) -> Result<Option<u64>, BackendError> {
    let made = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'audit_fact_v1'";
    if sql.run(made, &[])?.rows.is_empty() {
        return Ok(None);
    }
    let answer = sql.run("SELECT value FROM audit_fact_v1 WHERE name = ?", &[SqlValue::text(name)])?;
    let Some(row) = answer.rows.first() else { return Ok(None) };
    let value = row.first().and_then(SqlValue::as_integer).and_then(|value| u64::try_from(value).ok());
    value.map(Some).ok_or_else(broken)
}

fn write_fact(sql: &impl SqlDatabase, name: &str, value: u64) -> Result<(), BackendError> {
    let table =
        "CREATE TABLE IF NOT EXISTS audit_fact_v1 (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID";
    sql.run(table, &[])?;
    let kept = "INSERT INTO audit_fact_v1 (name, value) VALUES (?, ?)
        ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)";
    sql.run(kept, &[SqlValue::text(name), SqlValue::number(value)]).map(drop)
}
