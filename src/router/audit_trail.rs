//! Records requests in the audit log and counts them against the rate limit, before anything is answered.
//!
//! A request that is served has one entry, written before it is answered. A request of a known caller that is denied has
//! one too, or counts as a repeat of an equal one. Where it is denied after its entry was written, the second entry refers
//! to the first.
//!
//! # Invariants
//! No audited request is served that the audit log did not record. A caller over the rate limit is answered 429.

use std::net::IpAddr;

use ::http::header::AUTHORIZATION;
use serde_json::Value;

use super::canonical::RequestRecord;
use super::routes::RouteSpec;
use crate::access::{AuthFailure, Caller, UnknownReport, UnknownRequest};
use crate::audit::AUDIT;
use crate::audit::calls::{AppendAnswer, AppendEvent, AuditEvent, AuditMode, Denial};
use crate::config::Config;
use crate::http::{CLIENT_ADDRESS, HttpRequest, Problem, problems};
use crate::rpc;
use crate::services::Services;

/// The method of a caller with a bearer token.
const TOKEN: &str = "token";
/// The method of a caller whom Cloudflare Access authenticated.
const ACCESS: &str = "access";
/// The method of a caller whom nothing authenticated.
const NONE: &str = "none";
/// The action of requests of unknown callers.
const UNAUTHENTICATED: &str = "unauthenticated";

/// One caller's use of one route.
pub(super) struct AuditTrail<'a, D> {
    services: &'a D,
    spec: &'a RouteSpec,
    per_minute: u32,
    actor: String,
    role: &'static str,
    auth_method: &'static str,
    address: String,
}

impl<'a, D: Services> AuditTrail<'a, D> {
    /// For a caller who is known.
    pub(super) fn new<B>(
        config: &Config,
        services: &'a D,
        spec: &'a RouteSpec,
        caller: &Caller,
        request: &HttpRequest<B>,
    ) -> Self {
        let (actor, role) = (caller.name.clone(), caller.role.name());
        Self { per_minute: config.per_minute, role, ..Self::of_name(services, spec, actor, request) }
    }

    /// For a caller whose name is known, and who has no rights.
    fn of_name<B>(services: &'a D, spec: &'a RouteSpec, actor: String, request: &HttpRequest<B>) -> Self {
        let auth_method = if request.headers.contains_key(AUTHORIZATION) { TOKEN } else { ACCESS };
        Self { services, spec, per_minute: 0, actor, role: "", auth_method, address: client_address(request) }
    }

    /// Records and counts a request that is about to be answered. Returns the number of its entry, where it has one.
    ///
    /// # Errors
    /// The [`Problem`] of a caller over the rate limit, or of an audit log that does not respond.
    pub(super) async fn admit(&self, record: &RequestRecord) -> Result<Option<u64>, Problem> {
        let mode = if self.spec.audited { AuditMode::Admit } else { AuditMode::Count };
        self.append(record, mode, self.per_minute).await
    }

    /// Records an upload, which does not count against the rate limit.
    ///
    /// # Errors
    /// The [`Problem`] of an audit log that does not respond.
    pub(super) async fn admit_upload(&self, record: &RequestRecord) -> Result<(), Problem> {
        self.append(record, AuditMode::Admit, 0).await.map(drop)
    }

    /// Records and counts a request that is denied with `problem`. Returns what to answer: that, or 429.
    pub(super) async fn deny(&self, record: &RequestRecord, problem: Problem) -> Problem {
        let denial = denial(problem.status, problem.code, None);
        match self.append(record, AuditMode::Deny(denial), self.per_minute).await {
            Err(limited) if limited.status == 429 => limited,
            // What is denied shows nothing, whether it is recorded or not.
            _ => problem,
        }
    }

    /// Records that a request was denied whose entry has the number `seq`.
    pub(super) async fn deny_after(&self, record: &RequestRecord, status: u16, code: &str, seq: Option<u64>) {
        let _as_well_as_can_be = self.append(record, AuditMode::Deny(denial(status, code, seq)), 0).await;
    }

    async fn append(&self, record: &RequestRecord, mode: AuditMode, per_minute: u32) -> Result<Option<u64>, Problem> {
        let RequestRecord { resource, values, reason } = record.clone();
        let event = AuditEvent {
            auth_method: self.auth_method.to_owned(),
            role: self.role.to_owned(),
            address: self.address.clone(),
            action: self.spec.name(),
            resource,
            request: values,
            reason,
        };
        let append = AppendEvent { actor: self.actor.clone(), per_minute, event, mode };
        match rpc::call(self.services.audit_log(), AUDIT, &append).await {
            Ok(AppendAnswer::Written { seq }) => Ok(Some(seq)),
            Ok(AppendAnswer::Passed {}) => Ok(None),
            Ok(AppendAnswer::Limited { wait_ms }) => Err(problems::too_many(wait_ms)),
            Err(_) => Err(problems::not_audited()),
        }
    }
}

/// Records that a caller was not let in: under its name where that is known, else as one of the unknown callers.
pub(super) async fn record_failure<B>(
    services: &impl Services,
    spec: &RouteSpec,
    record: &RequestRecord,
    request: &HttpRequest<B>,
    failure: &AuthFailure,
) {
    match failure {
        AuthFailure::Expired(name) => {
            let trail = AuditTrail::of_name(services, spec, name.to_string(), request);
            trail.deny_after(record, 401, "token_expired", None).await;
        }
        AuthFailure::NoGrant(name) => {
            let trail = AuditTrail::of_name(services, spec, name.to_string(), request);
            trail.deny_after(record, 403, "no_grant", None).await;
        }
        AuthFailure::NoKeys => {}
        failure => {
            let (action, address) = (spec.name(), client_address(request));
            let unknown = UnknownRequest { action, address, reason: failure.to_string() };
            if let Some(report) = services.unknown_callers().note(unknown, services.now_ms()) {
                report_unknown(services, report).await;
            }
        }
    }
}

/// Brings what this isolate counted of unknown callers to the audit log.
async fn report_unknown(services: &impl Services, report: UnknownReport) {
    let samples = serde_json::to_value(&report.samples).unwrap_or(Value::Null);
    let event = AuditEvent {
        auth_method: NONE.to_owned(),
        role: String::new(),
        address: String::new(),
        action: UNAUTHENTICATED.to_owned(),
        resource: String::new(),
        request: [("samples".to_owned(), samples)].into(),
        reason: None,
    };
    let denial = Denial { count: report.count, ..denial(401, "unauthorized", None) };
    let append = AppendEvent { actor: String::new(), per_minute: 0, event, mode: AuditMode::Deny(denial) };
    if rpc::call(services.audit_log(), AUDIT, &append).await.is_err() {
        services.unknown_callers().restore(report);
    }
}

fn denial(status: u16, code: &str, refers_to: Option<u64>) -> Denial {
    Denial { status, code: code.to_owned(), count: 1, refers_to }
}

/// The address that the request came from; empty where the platform does not say it.
fn client_address<B>(request: &HttpRequest<B>) -> String {
    let address = request.header(CLIENT_ADDRESS).and_then(|text| text.trim().parse::<IpAddr>().ok());
    address.map_or_else(String::new, |address| address.to_string())
}
