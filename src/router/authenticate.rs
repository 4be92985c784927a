//! Authenticates the caller of a request, and checks the scope.
//!
//! # Invariants
//! Before this succeeds, a request reaches no service but the keys of the identity provider.

use ::http::header::AUTHORIZATION;

use super::routes::RouteSpec;
use crate::access::{Caller, Credentials};
use crate::config::Config;
use crate::http::{ACCESS_ASSERTION, HttpRequest, Problem, problems};
use crate::services::Services;

/// Identifies the caller, who must have one of the scopes of the route and, if restricted to zones, a route for zones.
///
/// # Errors
/// The [`Problem`] of a caller who is unknown or lacks the scope.
pub(crate) async fn authenticate<B>(
    config: &Config,
    services: &impl Services,
    spec: &RouteSpec,
    request: &HttpRequest<B>,
) -> Result<Caller, Problem> {
    let (authorization, assertion) = (request.header(AUTHORIZATION), request.header(ACCESS_ASSERTION));
    let presented = Credentials { authorization: authorization.as_deref(), assertion: assertion.as_deref() };
    let authenticated = services.authenticate(&config.access, presented).await;
    let caller = authenticated.map_err(|denied| match denied.status() {
        403 => problems::forbidden(),
        503 => problems::no_keys(),
        _ => problems::unauthorized(),
    })?;
    let has_scope = spec.scopes.iter().any(|scope| caller.may(*scope));
    let is_zone_restricted = caller.zones.is_some();
    if has_scope && (spec.is_for_zones() || !is_zone_restricted) { Ok(caller) } else { Err(problems::forbidden()) }
}
