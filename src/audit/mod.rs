//! Who asked for what, and when: a chain of entries that cannot be changed without being seen, and the rate at which
//! each caller may ask.
//!
//! Reading order: [`calls`] is what travels, [`chain`] the entries and their hashes, [`rate`] the limiter, [`answer`]
//! puts them together inside the one object that keeps them.
//!
//! What always holds: an entry is only ever appended; its hash covers that of the one before it; whoever is refused for
//! asking too often leaves no entry, and whoever is not refused has one before anything is served.

pub mod calls;
pub mod chain;
pub mod rate;

use self::calls::{Append, Appended, Read};
use self::rate::Rates;
use crate::backend::{BackendError, Sql, from_json, to_json};
use crate::ledger::calls::Call;

/// The one object that keeps the chain.
pub const AUDIT: &str = "audit";

/// Answers one call, in the object that keeps the chain.
///
/// # Errors
/// [`BackendError`] where the call is unknown or the database failed; nothing was appended then.
pub fn answer(
    sql: &impl Sql,
    rates: &mut Rates,
    call: &str,
    body: &[u8],
    now_ms: i64,
) -> Result<Vec<u8>, BackendError> {
    match call {
        Append::NAME => append(sql, rates, from_json(body)?, now_ms).map(|appended| to_json(&appended)),
        Read::NAME => chain::read(sql, &from_json(body)?).map(|page| to_json(&page)),
        _ => Err(BackendError::new("calling the audit log", "it knows no such call")),
    }
}

/// Lets the caller in, and writes down what it is about to do.
fn append(sql: &impl Sql, rates: &mut Rates, ask: Append, now_ms: i64) -> Result<Appended, BackendError> {
    if let Err(wait_ms) = rates.take(&ask.who, ask.per_minute, now_ms) {
        return Ok(Appended::Limited { wait_ms });
    }
    match ask.deed {
        None => Ok(Appended::Passed {}),
        Some(deed) => chain::append(sql, &ask.who, &deed, now_ms).map(|seq| Appended::Written { seq }),
    }
}
