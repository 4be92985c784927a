//! Who asked for what, and when: a chain of entries that cannot be changed without being seen, and the rate at which
//! each caller may ask.
//!
//! Reading order: [`calls`] is what travels, [`chain`] the entries and their hashes, `tables` where they lie, [`segment`]
//! the form in which they go to the bucket, [`archive`] what brings them there, [`rate`] the limiter; [`answer`] puts
//! them together inside the one object that keeps them.
//!
//! What always holds: an entry is only ever appended; its hash covers that of the one before it; the object holds the
//! last ones alone, and of all others the hashes at the borders of their segments; whoever is refused for asking too
//! often leaves no entry, and whoever is not refused has one before anything is served.

pub mod archive;
pub mod calls;
pub mod chain;
pub mod rate;
pub mod segment;
mod tables;

use self::archive::Watch;
use self::calls::{Append, Appended};
use self::chain::Bounds;
use self::rate::Rates;
use crate::backend::{BackendError, Sql};
use crate::rpc::{CallReply, Dispatcher};

pub use archive::{alarm, set_alarm};
pub use tables::open;

/// The one object that keeps the chain.
pub const AUDIT: &str = "audit";

/// What the object keeps in memory alone.
#[derive(Debug, Default)]
pub struct Held {
    rates: Rates,
    watch: Watch,
    bounds: Bounds,
}

impl Held {
    /// With tables of another size than the usual one.
    #[must_use]
    pub fn of(bounds: Bounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// How much one table may hold.
    #[must_use]
    pub const fn bounds(&self) -> Bounds {
        self.bounds
    }
}

/// Answers one call, in the object that keeps the chain, and says when to set the alarm to.
///
/// # Errors
/// [`BackendError`] where the call is unknown or the database failed; nothing was appended then.
pub fn answer(
    sql: &impl Sql,
    held: &mut Held,
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
    sql: &impl Sql,
    held: &mut Held,
    ask: &Append,
    waits: &mut bool,
    now_ms: i64,
) -> Result<Appended, BackendError> {
    if let Err(wait_ms) = held.rates.take(&ask.who, ask.per_minute, now_ms) {
        return Ok(Appended::Limited { wait_ms });
    }
    let Some(deed) = &ask.deed else { return Ok(Appended::Passed {}) };
    let written = chain::append(sql, held.bounds, &ask.who, deed, now_ms)?;
    *waits = written.waits;
    Ok(Appended::Written { seq: written.seq })
}
