//! The door: who asks, and whether they may.
//!
//! What always holds: nothing of the world is asked before but the keys of the identity provider; whoever is not known
//! is told no more than that.

use ::http::header::AUTHORIZATION;

use super::routes::Row;
use crate::access::{Caller, Presented};
use crate::config::Config;
use crate::http::{ACCESS_ASSERTION, Problem, Request, problems};
use crate::services::Services;

/// Who asks.
///
/// # Errors
/// The [`Problem`] of a caller who is not known, or who may not do this.
pub(crate) async fn authenticate<B>(
    config: &Config,
    desk: &impl Services,
    row: &Row,
    request: &Request<B>,
) -> Result<Caller, Problem> {
    let (authorization, assertion) = (request.header(AUTHORIZATION), request.header(ACCESS_ASSERTION));
    let presented = Presented { authorization: authorization.as_deref(), assertion: assertion.as_deref() };
    let admitted = desk.authenticate(&config.access, presented).await;
    let caller = admitted.map_err(|denied| match denied.status() {
        403 => problems::forbidden(),
        503 => problems::no_keys(),
        _ => problems::unauthorized(),
    })?;
    let has_scope = row.scopes.iter().any(|scope| caller.may(*scope));
    let is_narrow = caller.zones.is_some();
    if has_scope && (row.is_for_zones() || !is_narrow) { Ok(caller) } else { Err(problems::forbidden()) }
}
