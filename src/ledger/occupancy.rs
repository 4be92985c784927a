//! The occupancy map in the registry: which shard prefixes of each dataset have entries.
//!
//! Table `occupancy_v1` has one row for each dataset and row number, whose `bits` are an [`OccupancyRow`];
//! [`crate::index::occupancy`] documents their layout. The pipeline marks the prefixes of a batch before it writes the
//! batch's entries; a range query reads the rows of its range and asks the shards of no other prefix.
//!
//! # Invariants
//! No shard holds an entry whose prefix is not marked for the entry's dataset. A bit once set stays set.

use serde::{Deserialize, Serialize};

use super::calls::CallAck;
use super::ids::REGISTRY;
use super::known::KnownFacts;
use super::tables::LedgerRow;
use crate::backend::{BackendError, DurableObjects, SqlDatabase, SqlRow, SqlValue};
use crate::index::{OccupancyMap, OccupancyRow};
use crate::limits::{MARKS_KNOWN, OCCUPANCY_ROW, OCCUPANCY_ROWS};
use crate::record::Dataset;
use crate::rpc::{self, Dispatcher, calls};

/// The table: one row per dataset and row number.
pub(super) const SCHEMA: [&str; 1] = ["CREATE TABLE IF NOT EXISTS occupancy_v1 (
        dataset TEXT NOT NULL, number INTEGER NOT NULL, bits BLOB NOT NULL, PRIMARY KEY (dataset, number)) WITHOUT ROWID"];

calls! {
    "v1/mark-occupied": MarkOccupied => CallAck,
    "v1/occupancy": ReadOccupancy => OccupancyMap,
}

/// A request to mark the prefixes whose shards are about to receive entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkOccupied {
    /// The dataset of the entries.
    pub dataset: Dataset,
    /// The prefixes of their shards, in any order.
    pub prefixes: Vec<u32>,
}

/// A request for the prefixes that have entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadOccupancy {
    /// The dataset of the entries.
    pub dataset: Dataset,
    /// The first prefix of the range.
    pub first: u32,
    /// The last prefix of the range, inclusive.
    pub last: u32,
}

/// The prefixes that an isolate knows to be marked; its clones are the same one. A batch of prefixes that others marked calls
/// nothing, so the calls grow with the number of isolates, and not with the traffic.
#[derive(Debug, Clone, Default)]
pub struct KnownMarks(KnownFacts<(Dataset, u32), ()>);

impl KnownMarks {
    /// Marks those of the prefixes that are not known to be marked, before entries of `dataset` are written to their shards.
    ///
    /// # Errors
    /// [`BackendError`] if the registry cannot be reached: nothing may be written then.
    pub async fn mark(
        &self,
        ledgers: &impl DurableObjects,
        dataset: Dataset,
        prefixes: &[u32],
    ) -> Result<(), BackendError> {
        let is_new = |prefix: &u32| self.0.get(&(dataset, *prefix)).is_none();
        let new: Vec<u32> = prefixes.iter().copied().filter(is_new).collect();
        mark_occupied(ledgers, dataset, &new).await?;
        for prefix in new {
            self.0.insert((dataset, prefix), (), MARKS_KNOWN);
        }
        Ok(())
    }
}

/// Marks prefixes in the registry, before entries of `dataset` are written to their shards. Marking again changes
/// nothing.
///
/// # Errors
/// [`BackendError`] if the registry cannot be reached.
pub async fn mark_occupied(
    ledgers: &impl DurableObjects,
    dataset: Dataset,
    prefixes: &[u32],
) -> Result<(), BackendError> {
    if prefixes.is_empty() {
        return Ok(());
    }
    rpc::call(ledgers, REGISTRY, &MarkOccupied { dataset, prefixes: prefixes.to_vec() }).await.map(drop)
}

/// Reads which prefixes from `first` to `last` have entries of `dataset`. The map may end before `last`; it holds its
/// own end.
///
/// # Errors
/// [`BackendError`] if the registry cannot be reached.
pub async fn read_occupancy(
    ledgers: &impl DurableObjects,
    dataset: Dataset,
    (first, last): (u32, u32),
) -> Result<OccupancyMap, BackendError> {
    rpc::call(ledgers, REGISTRY, &ReadOccupancy { dataset, first, last }).await
}

/// Registers the calls about occupancy.
pub(super) fn dispatch<'a, S: SqlDatabase>(sql: &S, calls: Dispatcher<'a, S>) -> Dispatcher<'a, S> {
    calls.on(|call| mark(sql, call)).on(|call| read(sql, *call))
}

/// Sets the bits of the prefixes, and writes each row that gains one.
fn mark(sql: &impl SqlDatabase, MarkOccupied { dataset, prefixes }: &MarkOccupied) -> Result<CallAck, BackendError> {
    let mut prefixes = prefixes.clone();
    prefixes.sort_unstable();
    for of_row in prefixes.chunk_by(|a, b| OccupancyRow::number_of(*a) == OccupancyRow::number_of(*b)) {
        let Some(number) = of_row.first().map(|prefix| OccupancyRow::number_of(*prefix)) else { continue };
        let row_key = [SqlValue::text(dataset.name()), SqlValue::number(number)];
        let stored = sql.run("SELECT bits FROM occupancy_v1 WHERE dataset = ? AND number = ?", &row_key)?;
        let mut row = stored.rows.first().map_or_else(|| Ok(OccupancyRow::default()), |row| row_of(row, 0))?;
        // No short circuit: every bit must be set, even once one is known to be new.
        if of_row.iter().fold(false, |is_new, prefix| row.insert(*prefix) | is_new) {
            let [dataset, number] = row_key;
            sql.run(
                "INSERT INTO occupancy_v1 (dataset, number, bits) VALUES (?1, ?2, ?3)
                    ON CONFLICT (dataset, number) DO UPDATE SET bits = ?3",
                &[dataset, number, SqlValue::Blob(row.as_bytes().to_vec())],
            )?;
        }
    }
    Ok(CallAck {})
}

/// Returns the map from the first prefix to the last, or to the end of the last row that fits into an answer.
fn read(
    sql: &impl SqlDatabase,
    ReadOccupancy { dataset, first, last }: ReadOccupancy,
) -> Result<OccupancyMap, BackendError> {
    let stored = sql.run(
        "SELECT number, bits FROM occupancy_v1 WHERE dataset = ? AND number BETWEEN ? AND ? ORDER BY number LIMIT ?",
        &[
            SqlValue::text(dataset.name()),
            SqlValue::number(OccupancyRow::number_of(first)),
            SqlValue::number(OccupancyRow::number_of(last)),
            SqlValue::number(OCCUPANCY_ROWS + 1),
        ],
    )?;
    let numbered = |row: &SqlRow| Ok((LedgerRow(row).number(0)?, row_of(row, 1)?));
    let rows = stored.rows.iter().take(OCCUPANCY_ROWS).map(numbered).collect::<Result<_, BackendError>>()?;
    // Nothing is occupied between two rows, so the map is complete up to the first row that does not fit.
    let left_out = stored.rows.get(OCCUPANCY_ROWS).map(|row| LedgerRow(row).number::<u32>(0)).transpose()?;
    let until = left_out.map_or(last.saturating_add(1), |number| number.saturating_mul(OCCUPANCY_ROW));
    Ok(OccupancyMap { rows, until })
}

/// Reads a row's bits from a column.
fn row_of(row: &SqlRow, column: usize) -> Result<OccupancyRow, BackendError> {
    let bits = match row.get(column) {
        Some(SqlValue::Blob(bits)) => OccupancyRow::from_bytes(bits),
        _ => None,
    };
    bits.ok_or_else(|| BackendError::new("reading the occupancy map", "a row has a wrong length"))
}
