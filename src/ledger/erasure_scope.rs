//! Which batches of a ledger can hold lines of an erasure, by what the ledger knows of them.
//!
//! A line may be in any batch that was written after its request, whatever the names of the batches say. The index has every ray of a
//! batch, and the shards that it is in are listed here, with the times of its records: so most batches need not be read.
//!
//! # Invariants
//! A batch is ruled out only if it was read to its end and the index has it as it was read.

use serde::{Deserialize, Serialize};

use super::source_id::SourceId;
use super::state::BatchState;
use super::tables::LedgerRow;
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::erasure::{ErasureRange, ErasureScope};
use crate::index::{LineCounts, ShardName};
use crate::record::RayId;
use crate::rpc::calls;

calls! {
    "v1/find-in-scope": FindInScope => SourcesInScope,
}

/// A request for those of these sources that can hold lines of an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindInScope {
    /// The sources; all must be of batches of this ledger.
    pub sources: Vec<SourceId>,
    /// Where the lines can be.
    pub scope: ErasureScope,
}

/// The answer to [`FindInScope`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcesInScope {
    /// Those that can hold such lines, and those that the ledger does not know.
    pub sources: Vec<SourceId>,
}

/// Answers [`FindInScope`].
pub(super) fn find_in_scope(sql: &impl SqlDatabase, call: &FindInScope) -> Result<SourcesInScope, BackendError> {
    let mut sources = Vec::new();
    for source in &call.sources {
        if may_hold(sql, source, call.scope)? {
            sources.push(source.clone());
        }
    }
    Ok(SourcesInScope { sources })
}

fn may_hold(sql: &impl SqlDatabase, source: &SourceId, scope: ErasureScope) -> Result<bool, BackendError> {
    let statement = "SELECT state, indexed, shards, counts, first_ms, last_ms FROM source_v1 WHERE id = ?";
    let known = sql.run(statement, &[SqlValue::text(source.as_str())])?;
    let Some(row) = known.rows.first().map(LedgerRow) else { return Ok(true) };
    if row.batch_state(0)? != BatchState::Sealed {
        return Ok(true);
    }
    let times = row.maybe_integer(4).zip(row.maybe_integer(5));
    if let Some(range) = scope.times
        && !times.is_some_and(|(first, last)| first < range.end_ms && last >= range.start_ms)
    {
        return Ok(false);
    }
    let Some(range) = scope.ray_times.filter(|_| row.integer(1).is_ok_and(|indexed| indexed != 0)) else {
        return Ok(true);
    };
    let shards: Vec<String> = row.json(2)?;
    let has_unindexed = row.json::<LineCounts>(3)?.unindexed_children > 0;
    Ok(has_unindexed || shards.iter().any(|shard| has_rays_of(shard, range)))
}

/// Returns whether rays with such times are in the shard.
fn has_rays_of(shard: &str, range: ErasureRange) -> bool {
    let prefix_at = |unix_ms: i64| RayId::prefix_at(unix_ms.saturating_mul(1_000_000));
    let prefixes = prefix_at(range.start_ms)..=prefix_at(range.end_ms);
    ShardName::parse(shard).is_none_or(|name| name.prefix().is_some_and(|prefix| prefixes.contains(&prefix)))
}
