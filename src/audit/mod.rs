//! The audit log: a chain of entries that cannot be changed unnoticed, and a rate limit for each caller.
//!
//! Reading order: [`calls`] has the wire forms, [`chain`] the entries and their hashes, `tables` their storage, [`segment`]
//! the form in which they move to the bucket, [`archive`] what moves them, [`rate`] the limiter; [`answer`] combines
//! them inside the one object that keeps the log.
//!
//! # Invariants
//! Entries are only appended, and the hash of each covers the hash of the one before it. The object keeps the newest
//! entries, and of all others the hashes at the borders of their segments. A caller over its rate leaves no entry; any
//! other request that is audited has its entry before anything is served.

pub mod archive;
pub mod calls;
pub mod chain;
pub mod rate;
pub mod segment;
mod tables;

use self::archive::AlarmWatch;
use self::calls::{AppendAnswer, AppendEvent};
use self::chain::TableBounds;
use self::rate::RateLimiter;
use crate::backend::{BackendError, SqlDatabase};
use crate::rpc::{CallReply, Dispatcher};

pub use archive::{alarm, set_alarm};
pub use tables::open;

/// The one object that keeps the chain.
pub const AUDIT: &str = "audit";

/// What the object keeps in memory alone.
#[derive(Debug, Default)]
pub struct AuditMemory {
    rates: RateLimiter,
    watch: AlarmWatch,
    bounds: TableBounds,
}

impl AuditMemory {
    /// With tables of another size than the usual one.
    #[must_use]
    pub fn with_bounds(bounds: TableBounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// How much one table may hold.
    #[must_use]
    pub const fn bounds(&self) -> TableBounds {
        self.bounds
    }
}

/// Answers one call, in the object that keeps the chain, and says when to set the alarm to.
///
/// # Errors
/// [`BackendError`] where the call is unknown or the database failed; nothing was appended then.
pub fn answer(
    sql: &impl SqlDatabase,
    held: &mut AuditMemory,
    name: &str,
    body: &[u8],
    now_ms: i64,
) -> Result<CallReply, BackendError> {
    let mut waits = false;
    let reply = Dispatcher::new(sql, name, body)
        .on(|ask| append(sql, held, ask, &mut waits, now_ms))
        .on(|ask| chain::read(sql, ask))
        .finish()?;
    // Not before the transaction has ended: an entry that was not written sets no alarm.
    Ok(CallReply { wake_ms: held.watch.wake_ms(waits, now_ms), ..reply })
}

/// Lets the caller in, and writes down what it is about to do; learns whether a table `waits` to be archived.
fn append(
    sql: &impl SqlDatabase,
    held: &mut AuditMemory,
    ask: &AppendEvent,
    waits: &mut bool,
    now_ms: i64,
) -> Result<AppendAnswer, BackendError> {
    if let Err(wait_ms) = held.rates.take(&ask.actor, ask.per_minute, now_ms) {
        return Ok(AppendAnswer::Limited { wait_ms });
    }
    let Some(event) = &ask.event else { return Ok(AppendAnswer::Passed {}) };
    let written = chain::append(sql, held.bounds, &ask.actor, event, now_ms)?;
    *waits = written.waits;
    Ok(AppendAnswer::Written { seq: written.seq })
}
