//! The number of partitions of an hour, which its first ledger keeps.
//!
//! The setting says how many an hour gets that nothing asked for yet. The first question fixes the number, and each isolate
//! remembers it: so the setting can be changed at any time, and counts from the next hour on.
//!
//! # Invariants
//! An hour's number never changes. An hour that had batches before anything asked has one partition. The first ledger of an
//! hour takes no batch of another partition.

use serde::{Deserialize, Serialize};

use super::hours::LedgerHour;
use super::known::KnownFacts;
use super::tables::{json_note, keep_note};
use crate::backend::{BackendError, DurableObjects, SqlDatabase};
use crate::limits::{PARTITIONS_KNOWN, PARTITIONS_MAX};
use crate::rpc::{self, calls};

/// The name of the note that holds the number.
const PARTITIONS: &str = "partitions";

calls! {
    "v1/fix-partitions": FixPartitions => HourPartitions,
}

/// A request to the first ledger of an hour for the number of its partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixPartitions {
    /// The number that the hour gets if it has none yet, from 1 to [`PARTITIONS_MAX`]; `None` leaves it without one.
    pub partitions: Option<u8>,
}

/// The number of partitions of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourPartitions {
    /// The number; 1 if there is none yet.
    pub partitions: u8,
    /// Whether it stays.
    pub is_fixed: bool,
}

/// The numbers of partitions that an isolate knows; its clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct KnownPartitions(KnownFacts<LedgerHour, u8>);

impl KnownPartitions {
    /// Returns the number of partitions of an hour. One that has none yet gets `wanted`; if that is `None`, it has no batch, and
    /// counts as one with one partition.
    ///
    /// # Errors
    /// [`BackendError`] if the hour's first ledger cannot be reached.
    pub async fn of_hour(
        &self,
        ledgers: &impl DurableObjects,
        hour: &LedgerHour,
        wanted: Option<u8>,
    ) -> Result<u8, BackendError> {
        if hour.is_other() {
            return Ok(1);
        }
        if let Some(partitions) = self.0.get(hour) {
            return Ok(partitions);
        }
        let call = FixPartitions { partitions: wanted };
        // On the heap, since it is a part of each message, and one of few in fact.
        let found = Box::pin(rpc::call(ledgers, hour.first_ledger(), &call)).await?;
        if !found.is_fixed {
            return Ok(found.partitions);
        }
        self.0.insert(hour.clone(), found.partitions, PARTITIONS_KNOWN);
        Ok(found.partitions)
    }
}

/// Answers [`FixPartitions`].
pub(super) fn fix(sql: &impl SqlDatabase, call: FixPartitions) -> Result<HourPartitions, BackendError> {
    if let Some(partitions) = json_note(sql, PARTITIONS)? {
        return Ok(HourPartitions { partitions, is_fixed: true });
    }
    let Some(wanted) = call.partitions else { return Ok(HourPartitions { partitions: 1, is_fixed: false }) };
    let has_batches = !sql.run("SELECT 1 FROM source_v1 LIMIT 1", &[])?.rows.is_empty();
    let partitions = if has_batches { 1 } else { wanted.clamp(1, PARTITIONS_MAX) };
    keep_note(sql, PARTITIONS, &partitions)?;
    Ok(HourPartitions { partitions, is_fixed: true })
}

/// Checks that a batch at `key` is not one of another partition, as far as this ledger knows: the first of an hour does. A caller
/// that asked for no number knows of one partition.
///
/// # Errors
/// [`BackendError`] if it is: its message comes again, and finds the right one then.
pub(super) fn check(sql: &impl SqlDatabase, ledger: &str, key: &str) -> Result<(), BackendError> {
    if LedgerHour::of_ledger(ledger).first_ledger() != ledger {
        return Ok(());
    }
    let HourPartitions { partitions, .. } = fix(sql, FixPartitions { partitions: Some(1) })?;
    if partitions == 1 || LedgerHour::of_key(key).ledger_of(key, partitions) == ledger {
        return Ok(());
    }
    Err(BackendError::new("beginning a batch", "it belongs to another ledger of its hour"))
}
