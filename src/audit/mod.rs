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
use self::calls::{Append, Appended, Read};
use self::chain::Bounds;
use self::rate::Rates;
use crate::backend::{BackendError, Sql, from_json, to_json};
use crate::ledger::Answered;
use crate::ledger::calls::Call;

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
pub fn answer(sql: &impl Sql, held: &mut Held, call: &str, body: &[u8], now_ms: i64) -> Result<Answered, BackendError> {
    match call {
        Append::NAME => append(sql, held, from_json(body)?, now_ms),
        Read::NAME => chain::read(sql, &from_json(body)?).map(|page| Answered { body: to_json(&page), wake_ms: None }),
        _ => Err(BackendError::new("calling the audit log", "it knows no such call")),
    }
}

/// Lets the caller in, and writes down what it is about to do.
fn append(sql: &impl Sql, held: &mut Held, ask: Append, now_ms: i64) -> Result<Answered, BackendError> {
    let said = |appended: &Appended, wake_ms| Ok(Answered { body: to_json(appended), wake_ms });
    if let Err(wait_ms) = held.rates.take(&ask.who, ask.per_minute, now_ms) {
        return said(&Appended::Limited { wait_ms }, None);
    }
    let Some(deed) = ask.deed else { return said(&Appended::Passed {}, None) };
    let written = chain::append(sql, held.bounds, &ask.who, &deed, now_ms)?;
    said(&Appended::Written { seq: written.seq }, held.watch.wake_ms(written.waits, now_ms))
}
