//! The durable buffer of the edge logger: an object that takes closed batches from isolates, keeps them in its database, and
//! brings them to the bucket and to collectors in batches of its own.
//!
//! Reading order: `tables` has the rows, `take` a batch that an isolate hands over, `shipment` the batch that a sink gets, `ship`
//! the alarm that brings it.
//!
//! # Invariants
//! A batch that was answered is stored, and comes once to each sink's batches, however often it is handed over. The rows of a
//! sink's batch are chosen once and written down with its key, before anything is sent: a repetition sends the same batch, so
//! that the bucket has it once and a collector at least once. Rows go when all sinks are past them. For each sink, lines taken are
//! handed, waiting or dropped.

mod ship;
mod shipment;
mod tables;
mod take;

use std::cell::Cell;

use crate::backend::{BackendError, SqlDatabase};
use crate::edge::{EdgeSettings, SinkPath};
use crate::limits::{SPOOL_BATCH_BYTES, SPOOL_BYTES};
use crate::rpc::{CallReply, Dispatcher};

pub use ship::alarm;
pub use tables::{OBJECT, open};

/// How much an object holds, and when it closes a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolBounds {
    /// Maximum number of bytes of rows, in gzip.
    pub bytes: u64,
    /// Number of bytes of lines after which a batch is closed.
    pub batch_bytes: u64,
}

impl Default for SpoolBounds {
    fn default() -> Self {
        Self { bytes: SPOOL_BYTES, batch_bytes: SPOOL_BATCH_BYTES }
    }
}

/// Returns the names of the sinks that the object brings batches to.
fn sink_names(settings: &EdgeSettings) -> Vec<&str> {
    settings.sinks.by_path(SinkPath::Object).map(|sink| sink.name.as_str()).collect()
}

/// Answers one call, and says when to set the alarm to. `id` is the object's ID if it has none yet.
///
/// # Errors
/// [`BackendError`] if the call is unknown or damaged, a sink is unknown, or the database failed: nothing was taken then.
pub fn serve(
    sql: &impl SqlDatabase,
    is_open: &Cell<bool>,
    (name, body): (&str, &[u8]),
    (settings, bounds): (&EdgeSettings, SpoolBounds),
    id: &str,
    now_ms: i64,
) -> Result<CallReply, BackendError> {
    if !OBJECT.ensure(sql, is_open)? {
        sql.transaction(&mut || open(sql, id))?;
        is_open.set(true);
    }
    Dispatcher::new(sql, name, body).on_timed(|call| take::take(sql, call, settings, bounds, now_ms)).finish()
}
