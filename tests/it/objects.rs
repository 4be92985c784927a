//! The kinds of Durable Objects: one list, against which documents and fixtures are held.

use raydex::index::{calls as index_calls, claims, shard};
use raydex::ledger::{
    self, absence, attempts, backfill_ledgers, backfill_sums, backfills, calls as ledger_calls, completeness,
    cursor_keys, decisions, erased_lines, erasure_scope, erasures, first_start, layout_doubts, newest_batches,
    occupancy, outage, partitions, partner, payloads, registry, self_check, sweep_round, tokens, unknown_folders,
};
use raydex::rpc::{Call, ObjectSchema};
use raydex::{audit, edge, spool};

/// A kind of Durable Object.
pub(crate) struct StoredObject {
    /// Its name among the fixtures.
    pub(crate) name: &'static str,
    /// What it stores.
    pub(crate) schema: ObjectSchema,
    /// The names of its calls, by module.
    pub(crate) calls: Vec<&'static [&'static str]>,
}

/// Every kind.
pub(crate) fn objects() -> Vec<StoredObject> {
    vec![
        StoredObject {
            name: "shard",
            schema: shard::OBJECT,
            calls: vec![index_calls::NAMES, claims::NAMES, &[index_calls::PutEntry::NAME, claims::ClaimLines::NAME]],
        },
        StoredObject {
            name: "ledger",
            schema: ledger::OBJECT,
            calls: vec![
                ledger_calls::NAMES,
                attempts::NAMES,
                decisions::NAMES,
                payloads::NAMES,
                completeness::NAMES,
                newest_batches::NAMES,
                absence::NAMES,
                partitions::NAMES,
                outage::NAMES,
                backfill_sums::NAMES,
                erased_lines::NAMES,
                erasure_scope::NAMES,
            ],
        },
        StoredObject {
            name: "registry",
            schema: registry::OBJECT,
            calls: vec![
                registry::NAMES,
                backfills::NAMES,
                backfill_ledgers::NAMES,
                occupancy::NAMES,
                sweep_round::NAMES,
                first_start::NAMES,
                unknown_folders::NAMES,
                layout_doubts::NAMES,
                self_check::NAMES,
                tokens::NAMES,
                cursor_keys::NAMES,
                erasures::NAMES,
            ],
        },
        StoredObject { name: "partner", schema: partner::OBJECT, calls: vec![partner::NAMES] },
        StoredObject { name: "audit", schema: audit::OBJECT, calls: vec![audit::calls::NAMES] },
        StoredObject { name: "spool", schema: spool::OBJECT, calls: vec![edge::handover::NAMES] },
    ]
}
