//! Records a request in the audit log and counts it against the rate limit, before anything is answered.
//!
//! # Invariants
//! No audited request is served that the audit log did not record; one over the rate limit is answered 429 and not
//! recorded.

use ::http::header::AUTHORIZATION;

use super::routes::RouteSpec;
use crate::access::Caller;
use crate::audit::AUDIT;
use crate::audit::calls::{AppendAnswer, AppendEvent, AuditEvent};
use crate::config::Config;
use crate::http::{HttpRequest, Problem, problems};
use crate::limits::AUDIT_ASKED;
use crate::record::ray_from_user;
use crate::rpc;
use crate::services::Services;

/// The method of a caller with a bearer token.
const TOKEN: &str = "token";
/// The method of a caller whom Cloudflare Access authenticated.
const ACCESS: &str = "access";

/// Records and counts the request in one call of the audit log.
///
/// # Errors
/// The [`Problem`] of a caller over the rate limit, or of an audit log that does not respond.
pub(crate) async fn audit_and_rate_limit(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    spec: &RouteSpec,
    request: &HttpRequest<Vec<u8>>,
    arguments: &[String],
) -> Result<(), Problem> {
    let event = spec.audited.then(|| AuditEvent {
        auth_method: if request.headers.contains_key(AUTHORIZATION) { TOKEN } else { ACCESS }.to_owned(),
        role: caller.role.name().to_owned(),
        action: spec.name(),
        resource: resource(spec, arguments),
        request: parameters(request),
    });
    let append = AppendEvent { actor: caller.name.clone(), per_minute: config.per_minute, event };
    match rpc::call(services.audit_log(), AUDIT, &append).await {
        Ok(AppendAnswer::Written { .. } | AppendAnswer::Passed {}) => Ok(()),
        Ok(AppendAnswer::Limited { wait_ms }) => Err(problems::too_many(wait_ms)),
        Err(_) => Err(problems::not_audited()),
    }
}

/// The resource that the path names; a ray in its canonical digits, without what was pasted around it.
fn resource(spec: &RouteSpec, arguments: &[String]) -> String {
    let Some(last) = arguments.last() else { return String::new() };
    if spec.path.contains("{ray}") {
        return ray_from_user(last).map_or_else(|_| "no ray".into(), |key| key.to_string());
    }
    last.chars().take(AUDIT_ASKED).collect()
}

/// The query and the body, cut to [`AUDIT_ASKED`] characters.
fn parameters(request: &HttpRequest<Vec<u8>>) -> String {
    let body = String::from_utf8_lossy(&request.body);
    let both = [request.query.as_str(), &body].into_iter().filter(|part| !part.is_empty());
    itertools::join(both, "\n").chars().take(AUDIT_ASKED).collect()
}
