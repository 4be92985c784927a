//! Hours that get several ledgers, by a number that changes in one isolate after the other.

use std::cell::Cell;

use raydex::backend::{SqlDatabase, SqlValue};
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::ledger::partitions::FixPartitions;
use raydex::ledger::{LedgerHour, SourceId};
use raydex::limits::PARTITIONS_MAX;
use raydex::rpc::Call;

use super::random::Random;
use super::run::Run;
use super::traffic::Batch;
use super::violations::ContractViolation;
use super::world::{ISOLATES, Ledger, Platform};

/// Steps of a thousand in which an isolate gets another number, in worlds where that changes.
const CHANGED: u64 = 5;

/// How many partitions an hour gets, as each isolate has it.
#[derive(Debug)]
pub(crate) struct Partitions {
    wanted: [Cell<u8>; ISOLATES],
}

impl Default for Partitions {
    fn default() -> Self {
        Self { wanted: [1; ISOLATES].map(Cell::new) }
    }
}

impl Partitions {
    /// The number that an isolate has.
    pub(crate) fn of_isolate(&self, number: usize) -> u8 {
        self.wanted.get(number).map_or(1, Cell::get)
    }

    /// An isolate gets another number, or none does.
    pub(crate) fn change(&self, draw: &mut Random) {
        if draw.chance(CHANGED) {
            let partitions = draw.between(1, i64::from(PARTITIONS_MAX) + 1);
            draw.of(&self.wanted).set(u8::try_from(partitions).unwrap());
        }
    }
}

impl Platform {
    /// The ledgers that have a version of the object at `key`; one, unless something is wrong.
    pub(crate) fn ledgers_of(&self, key: &str, source: &SourceId) -> Vec<String> {
        let parameters = [SqlValue::text(source.as_str())];
        let ledgers = self.ledgers.borrow();
        let has_it = |name: &String| {
            let Some(Ledger { sql, .. }) = ledgers.get(name) else { return false };
            let found = sql.sql.run("SELECT 1 FROM source_v1 WHERE id = ?", &parameters);
            found.is_ok_and(|answer| !answer.rows.is_empty())
        };
        LedgerHour::of_key(key).ledgers(PARTITIONS_MAX).filter(has_it).collect()
    }

    /// Has a ledger forget how many partitions its hour has, if databases do.
    pub(crate) fn forget_partitions(&self, sql: &impl SqlDatabase, call: &str) {
        if call == FixPartitions::NAME && self.violates(ContractViolation::NoteLost) {
            let _forgotten = sql.run("DELETE FROM note_v1 WHERE name = 'partitions'", &[]);
        }
    }
}

/// The ledger of a batch, if it was begun.
pub(crate) fn ledger_of(run: &Run, batch: &Batch) -> Option<(String, SourceId)> {
    let source = SourceId::for_object(BUCKET_NAME, &batch.key, &batch.etag);
    Some((run.platform.ledgers_of(&batch.key, &source).pop()?, source))
}

/// Each batch is in one ledger, wherever its messages came from. Returns the number of those that are not in the first of their
/// hour.
pub(crate) fn judge_partitions(run: &Run) -> Result<u64, String> {
    let mut elsewhere = 0;
    for batch in &run.batches {
        let source = SourceId::for_object(BUCKET_NAME, &batch.key, &batch.etag);
        let ledgers = run.platform.ledgers_of(&batch.key, &source);
        if let [_, _, ..] = ledgers[..] {
            return Err(format!("{} is in {}", batch.key, ledgers.join(" and ")));
        }
        let first = LedgerHour::of_key(&batch.key);
        elsewhere += u64::from(ledgers.first().is_some_and(|name| name != first.first_ledger()));
    }
    Ok(elsewhere)
}
