//! The gate: what is asked is written down, and counted, before anything is answered.
//!
//! What always holds: nothing is served that the audit log did not take; whoever asks too often is told when to come
//! again, and is written down neither.

use ::http::header::AUTHORIZATION;

use super::routes::Row;
use crate::access::Caller;
use crate::audit::AUDIT;
use crate::audit::calls::{AppendAnswer, AppendEvent, AuditEvent};
use crate::config::Config;
use crate::http::{Problem, Request, problems};
use crate::limits::AUDIT_ASKED;
use crate::record::ray_from_user;
use crate::rpc;
use crate::services::Services;

/// How a caller with a token is written down.
const TOKEN: &str = "token";
/// How a caller is written down whom Cloudflare Access knows.
const ACCESS: &str = "access";

/// Lets the request through.
pub(crate) async fn audit_and_rate_limit(
    config: &Config,
    desk: &impl Services,
    caller: &Caller,
    row: &Row,
    request: &Request<Vec<u8>>,
    arguments: &[String],
) -> Result<(), Problem> {
    let event = row.audited.then(|| AuditEvent {
        auth_method: if request.headers.contains_key(AUTHORIZATION) { TOKEN } else { ACCESS }.to_owned(),
        role: caller.role.name().to_owned(),
        action: row.name(),
        resource: resource(row, arguments),
        request: parameters(request),
    });
    let append = AppendEvent { actor: caller.name.clone(), per_minute: config.per_minute, event };
    match rpc::call(desk.audit_log(), AUDIT, &append).await {
        Ok(AppendAnswer::Written { .. } | AppendAnswer::Passed {}) => Ok(()),
        Ok(AppendAnswer::Limited { wait_ms }) => Err(problems::too_many(wait_ms)),
        Err(_) => Err(problems::not_audited()),
    }
}

/// What the path names: a ray in its canonical digits, whatever was pasted around it.
fn resource(row: &Row, arguments: &[String]) -> String {
    let Some(last) = arguments.last() else { return String::new() };
    if row.path.contains("{ray}") {
        return ray_from_user(last).map_or_else(|_| "no ray".into(), |key| key.to_string());
    }
    last.chars().take(AUDIT_ASKED).collect()
}

/// What the query and the body say, cut where they are long.
fn parameters(request: &Request<Vec<u8>>) -> String {
    let body = String::from_utf8_lossy(&request.body);
    let both = [request.query.as_str(), &body].into_iter().filter(|part| !part.is_empty());
    itertools::join(both, "\n").chars().take(AUDIT_ASKED).collect()
}
