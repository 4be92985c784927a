//! The newest batches of a ledger, one for each dataset: what a canary tries.

use serde::{Deserialize, Serialize};

use super::state::BatchState;
use super::tables::LedgerRow;
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::index::ObjectVersion;
use crate::rpc::calls;

calls! {
    "v1/newest-batches": FindNewestBatches => NewestBatches,
}

/// A request for the batch of each dataset that was sealed last and has lines, with all of its rays in the index, or of which
/// the object is gone or was overwritten by what is no batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindNewestBatches {
    /// Unix milliseconds: batches that were written before are not considered.
    pub since_ms: i64,
}

/// The ledger's answer to [`FindNewestBatches`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewestBatches {
    /// At most one batch for each dataset.
    pub batches: Vec<NewestBatch>,
}

/// The newest batch of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewestBatch {
    /// The dataset that its lines were read as.
    pub dataset: String,
    /// The version of the object that was read.
    pub object: ObjectVersion,
    /// Unix milliseconds at which it was sealed.
    pub sealed_ms: i64,
    /// Whether its object was deleted since.
    pub gone: bool,
}

/// Returns the newest batches.
pub(super) fn newest_batches(sql: &impl SqlDatabase, call: FindNewestBatches) -> Result<NewestBatches, BackendError> {
    // Of a row with max(), SQLite returns the other columns of the row that has it.
    let rows = sql.run(
        "SELECT dataset, object_key, etag, uploaded_ms, size, gone, max(sealed_ms), origin, revision, written_ms FROM source_v1
         WHERE state = ?1 AND uploaded_ms >= ?2 AND lines > 0
            AND (indexed = 1 OR gone = 1 OR EXISTS (
                SELECT 1 FROM source_v1 AS newer WHERE newer.object_key = source_v1.object_key AND newer.state = ?3))
         GROUP BY dataset",
        &[
            SqlValue::text(BatchState::Sealed.name()),
            SqlValue::Integer(call.since_ms),
            SqlValue::text(BatchState::Quarantined.name()),
        ],
    )?;
    let batch = |row| {
        let row = LedgerRow(row);
        Ok(NewestBatch {
            dataset: row.text(0)?,
            object: ObjectVersion {
                key: row.text(1)?,
                etag: row.text(2)?,
                uploaded_ms: row.integer(3)?,
                size: row.number(4)?,
                origin: row.object_origin(7)?,
            },
            gone: row.integer(5)? != 0,
            sealed_ms: row.integer(6)?,
        })
    };
    Ok(NewestBatches { batches: rows.rows.iter().map(batch).collect::<Result<_, BackendError>>()? })
}
