//! Authenticates the caller of a request, and checks the scope.
//!
//! # Invariants
//! Before this succeeds, a request reaches no service but the keys of the identity provider, the registry if it has what
//! looks like one of its tokens, and the audit log, which records the denial.

use super::proof::authorization_of;
use super::registry_tokens::{RegistryToken, admit_registry_token};
use super::routes::RouteSpec;
use crate::access::{AuthFailure, Caller, Credentials, bearer_token, hash_of_secret};
use crate::config::Config;
use crate::http::{ACCESS_ASSERTION, HttpRequest, Problem, problems};
use crate::services::Services;

/// The hint for a caller whose zones or datasets, and not whose scopes, keep from a route.
const UNLIMITED_ALONE: &str =
    "It answers with what all zones or datasets have in common: use a token without that limit.";

/// A caller who is let in.
#[derive(Debug, Clone)]
pub(super) struct AuthenticatedCaller {
    pub(super) caller: Caller,
    /// The caller's token, if it is one of the registry's.
    pub(super) token: Option<RegistryToken>,
}

/// Identifies the caller: by the settings, and then by the tokens of the registry.
///
/// # Errors
/// The [`AuthFailure`] of a caller who is not let in.
pub(super) async fn authenticate<B>(
    config: &Config,
    services: &impl Services,
    request: &HttpRequest<B>,
) -> Result<AuthenticatedCaller, AuthFailure> {
    let (authorization, assertion) = (authorization_of(request), request.header(ACCESS_ASSERTION));
    let presented = Credentials { authorization: authorization.as_deref(), assertion: assertion.as_deref() };
    let failure = match services.authenticate(&config.access, presented).await {
        Ok(caller) => return Ok(AuthenticatedCaller { caller, token: None }),
        Err(failure) => failure,
    };
    let secret = authorization.as_deref().filter(|_| failure == AuthFailure::Unknown).and_then(bearer_token);
    let sha256 = secret.and_then(hash_of_secret).ok_or(failure)?;
    let (caller, token) = admit_registry_token(config, services, sha256).await?;
    Ok(AuthenticatedCaller { caller, token: Some(token) })
}

/// What a caller who is not let in is answered.
pub(super) fn failure_problem(failure: &AuthFailure) -> Problem {
    match failure {
        AuthFailure::NoGrant(_) => problems::forbidden(),
        AuthFailure::NoKeys => problems::no_keys(),
        AuthFailure::NoTokens => problems::no_tokens(),
        _ => problems::unauthorized(),
    }
}

/// Checks that the caller has one of the scopes of the route, and that it can be answered with what exists for them.
///
/// # Errors
/// The [`Problem`] of a caller who lacks the scope.
pub(super) fn check_scope(spec: &RouteSpec, caller: &Caller) -> Result<(), Problem> {
    let has_scope = spec.scopes.iter().any(|scope| caller.may(*scope));
    match (has_scope, spec.is_for(caller.visibility())) {
        (true, true) => Ok(()),
        (true, false) => Err(problems::forbidden().with_hint(UNLIMITED_ALONE)),
        (false, _) => Err(problems::forbidden()),
    }
}
