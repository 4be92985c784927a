//! The door: who may ask.
//!
//! What always holds: only the token's hash is known here; it is compared in constant time; nothing of the world
//! is asked before.

use super::{Problem, problems};
use crate::access;
use crate::config::{Config, ConfigFault};

/// The settings, for a caller who may ask: no route that needs them can be answered to another.
///
/// # Errors
/// The [`Problem`] of a deployment without settings, or of a caller without a token that may do everything: what a
/// narrower one may do is not told apart here yet.
pub(super) fn admit<'a>(
    config: &'a Result<Config, Vec<ConfigFault>>,
    authorization: Option<&str>,
    now_ms: impl Fn() -> i64,
) -> Result<&'a Config, Problem> {
    let config = config.as_ref().map_err(|_| problems::not_configured())?;
    // The clock is read only where something ends.
    let ends = config.access.tokens.iter().any(|rule| rule.expires_ms.is_some());
    let caller = access::admit(&config.access.tokens, authorization, if ends { now_ms() } else { 0 });
    let caller = caller.ok().filter(access::Caller::may_everything);
    caller.map(|_| config).ok_or_else(problems::unauthorized)
}
