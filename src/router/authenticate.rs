//! Authenticates the caller of a request, and checks the scope.
//!
//! # Invariants
//! Before this succeeds, a request reaches no service but the keys of the identity provider, and the audit log, which
//! records the denial.

use ::http::header::AUTHORIZATION;

use super::routes::RouteSpec;
use crate::access::{AuthFailure, Caller, Credentials};
use crate::config::Config;
use crate::http::{ACCESS_ASSERTION, HttpRequest, Problem, problems};
use crate::services::Services;

/// Identifies the caller.
///
/// # Errors
/// The [`AuthFailure`] of a caller who is not let in.
pub(super) async fn authenticate<B>(
    config: &Config,
    services: &impl Services,
    request: &HttpRequest<B>,
) -> Result<Caller, AuthFailure> {
    let (authorization, assertion) = (request.header(AUTHORIZATION), request.header(ACCESS_ASSERTION));
    let presented = Credentials { authorization: authorization.as_deref(), assertion: assertion.as_deref() };
    services.authenticate(&config.access, presented).await
}

/// What a caller who is not let in is answered.
pub(super) fn failure_problem(failure: &AuthFailure) -> Problem {
    match failure.status() {
        403 => problems::forbidden(),
        503 => problems::no_keys(),
        _ => problems::unauthorized(),
    }
}

/// Checks that the caller has one of the scopes of the route and, if restricted to zones, that the route is for zones.
///
/// # Errors
/// The [`Problem`] of a caller who lacks the scope.
pub(super) fn check_scope(spec: &RouteSpec, caller: &Caller) -> Result<(), Problem> {
    let has_scope = spec.scopes.iter().any(|scope| caller.may(*scope));
    let is_zone_restricted = caller.zones.is_some();
    if has_scope && (spec.is_for_zones() || !is_zone_restricted) { Ok(()) } else { Err(problems::forbidden()) }
}
