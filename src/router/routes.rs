//! The table of routes: method, path, scopes and query parameters of everything that raydex answers.
//!
//! # Invariants
//! The two tables are the only place with paths. Every row declares its scopes and whether the audit log records it.

use super::foreign_routes::{CloudflareRoute, TempoRoute};
use super::path_families::TRACES_PATH;
use super::route_inputs::{
    AUDIT, BACKFILL, COUNTS, DECISION, ERASURE, GET_RAY, LOGS, NEIGHBOURS, PAYLOADS, REASON, SHOW_RAY, TAG_VALUES,
    TOKEN, TRACE_RANGE, TRACE_SEARCH,
};
use crate::access::{Scope, Visibility};
use crate::cloudflare_api::CVE_SWITCH;
use crate::http::{Problem, percent_decoded, problems};
use crate::ledger::calls::DeliveryDecision;
use crate::mcp::ToolName;
use crate::page::ops::DECISION_FILTER;
use crate::page::search::SEARCH_PARAMETERS;
use crate::tempo::TempoVersion;
use crate::web::{OperationTarget, PageRoute};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// The records of one ray: `GET /v1/rays/{ray}`.
    GetRay,
    /// The records of several rays: `POST /v1/rays`.
    LookUpRays,
    /// The deliveries of the records of a ray: `GET /v1/rays/{ray}/deliveries`.
    GetDeliveries,
    /// How the records of two rays differ: `GET /v1/rays/{a}/diff/{b}`.
    DiffRays,
    /// The records around a ray that have something in common with it: `GET /v1/rays/{ray}/neighbours`.
    FindNeighbours,
    /// The records of a time range: `GET /v1/logs`.
    SearchLogs,
    /// The number of records of a time range, by time and values: `GET /v1/counts`.
    CountRecords,
    /// The complete and missing windows of a range: `GET /v1/coverage`.
    GetCoverage,
    /// The HTTP destination of Logpush: `POST /v1/ingest/{dataset}`.
    IngestBatch,
    /// The spans of an exporter of OpenTelemetry: `POST /v1/traces`.
    IngestTraces,
    /// The sums of the ledgers: `GET /v1/stats`.
    GetStats,
    /// The known batches, newest first: `GET /v1/batches`.
    ListBatches,
    /// Announces an object that is in the bucket: `POST /v1/batches`.
    AnnounceBatch,
    /// One batch with its plans and payloads: `GET /v1/batches/{batch}`.
    GetBatch,
    /// Reads a quarantined batch again: `POST /v1/batches/{batch}/replay`.
    ReplayBatch,
    /// The payloads that a filter selects: `GET /v1/payloads`.
    ListPayloads,
    /// Decides about several payloads: `POST /v1/payloads/decide`.
    DecidePayloads,
    /// Decides about a payload: `POST /v1/payloads/{payload}/resend`, `/release`, `/drop` and `/confirm`.
    DecidePayload(DeliveryDecision),
    /// Tries the partner now: `POST /v1/partner/try`.
    TryPartner,
    /// Starts a backfill of a range: `POST /v1/backfills`.
    CreateBackfill,
    /// The backfills, newest first: `GET /v1/backfills`.
    ListBackfills,
    /// The progress of one backfill: `GET /v1/backfills/{id}`.
    GetBackfill,
    /// Stops (`false`) or resumes (`true`) a backfill: `POST /v1/backfills/{id}/stop` and `/resume`.
    SetBackfillRunning(bool),
    /// Hides lines from every answer: `POST /v1/erasures`.
    CreateErasure,
    /// The erasures, newest first: `GET /v1/erasures`.
    ListErasures,
    /// What became of one erasure: `GET /v1/erasures/{id}`.
    GetErasure,
    /// The messages that queues gave up: `GET /v1/dead-letters`.
    ListDeadLetters,
    /// Returns a message to its queue: `POST /v1/dead-letters/{dead_letter}/redrive`.
    RedriveDeadLetter,
    /// Records that a message calls for nothing more: `POST /v1/dead-letters/{dead_letter}/dismiss`.
    DismissDeadLetter,
    /// Makes a token: `POST /v1/tokens`.
    CreateToken,
    /// The tokens, by id: `GET /v1/tokens`.
    ListTokens,
    /// Ends a token at once: `POST /v1/tokens/{token}/revoke`.
    RevokeToken,
    /// A page of the audit log: `GET /v1/audit`.
    ListAuditEntries,
    /// The sums in Prometheus text format: `GET /metrics`.
    GetMetrics,
    /// What callers cost today.
    GetCosts,
    /// The description of this API: `GET /openapi.json`.
    GetOpenApi,
    /// Whether the deployment is configured: `GET /healthz`.
    GetHealth,
    /// What the deployment finds when it checks itself: `GET /healthz?deep=1`.
    GetSelfCheck,
    /// A route of Logpull or the Logs Engine under `/client/v4`.
    Cloudflare(CloudflareRoute),
    /// A message of an assistant: `POST /mcp`.
    Mcp,
    /// What such a message asks of the API.
    Tool(ToolName),
    /// A route of Tempo's API under `/tempo`.
    Tempo(TempoRoute),
    /// A route of the support desk's page.
    Page(PageRoute),
}

/// One row of the table of routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteSpec {
    /// The method; a row for `GET` answers `HEAD` too.
    pub method: &'static str,
    /// The path; a name in braces matches one argument.
    pub path: &'static str,
    /// The route, with what the path alone decides.
    pub route: Route,
    /// The caller needs one of these scopes; none is needed where the list is empty.
    pub scopes: &'static [Scope],
    /// The accepted query parameters, each at most once. Others are refused, except by the routes of Cloudflare's API,
    /// whose clients may send parameters that raydex does not need.
    pub parameters: &'static [&'static str],
    /// The members that it reads of a JSON body. Others are refused, or ignored in the same way.
    pub members: &'static [&'static str],
    /// Whether it leaves an entry in the audit log.
    pub audited: bool,
}

impl RouteSpec {
    /// A row for callers with one of the scopes.
    pub(super) const fn new(method: &'static str, path: &'static str, route: Route, scopes: &'static [Scope]) -> Self {
        Self { method, path, route, scopes, parameters: &[], members: &[], audited: false }
    }

    /// The row with its query parameters.
    pub(super) const fn taking(self, parameters: &'static [&'static str]) -> Self {
        Self { parameters, ..self }
    }

    /// The row with the members of its body.
    const fn with_body(self, members: &'static [&'static str]) -> Self {
        Self { members, ..self }
    }

    /// The row of a route that leaves an entry in the audit log.
    pub(super) const fn audited(self) -> Self {
        Self { audited: true, ..self }
    }

    /// Those who see least among its callers. To callers for whom less exists, it cannot be answered with that alone.
    const fn narrowest(&self) -> Visibility {
        match self.route {
            Route::Cloudflare(CloudflareRoute::ListObjects)
            | Route::GetCoverage
            | Route::ListBatches
            | Route::AnnounceBatch
            | Route::GetBatch
            | Route::ReplayBatch
            | Route::DecidePayload(_)
            | Route::CreateToken
            | Route::ListTokens
            | Route::RevokeToken => Visibility::Datasets,
            Route::GetRay
            | Route::LookUpRays
            | Route::GetDeliveries
            | Route::DiffRays
            | Route::FindNeighbours
            | Route::SearchLogs
            | Route::CountRecords
            | Route::IngestBatch
            | Route::IngestTraces
            | Route::GetOpenApi
            | Route::GetHealth
            | Route::Cloudflare(_)
            | Route::Mcp
            | Route::Tool(_)
            | Route::Tempo(_)
            | Route::Page(_) => Visibility::Zones,
            _ => Visibility::Everything,
        }
    }

    /// Whether its body is read as a stream, and recorded once it was read.
    pub(crate) const fn is_upload(&self) -> bool {
        matches!(self.route, Route::IngestBatch | Route::IngestTraces)
    }

    /// Whether callers for whom this exists may use it.
    pub(crate) fn is_for(&self, visibility: Visibility) -> bool {
        visibility <= self.narrowest()
    }

    /// Whether it is a route of Cloudflare's API.
    pub(crate) const fn is_client(&self) -> bool {
        matches!(self.route, Route::Cloudflare(_))
    }

    /// Whether its clients may send parameters that it does not read.
    pub(crate) const fn ignores_parameters(&self) -> bool {
        matches!(self.route, Route::Cloudflare(_) | Route::Tempo(_))
    }

    /// Whether it is a route of the support desk's page.
    pub(crate) const fn is_page(&self) -> bool {
        matches!(self.route, Route::Page(_))
    }

    /// Whether it shows log lines or their values, so that roles may have to say why they ask.
    #[must_use]
    pub const fn shows_records(&self) -> bool {
        match self.route {
            Route::GetRay
            | Route::LookUpRays
            | Route::GetDeliveries
            | Route::DiffRays
            | Route::FindNeighbours
            | Route::SearchLogs
            | Route::CountRecords
            | Route::Mcp
            | Route::Tool(_) => true,
            Route::Cloudflare(route) => matches!(
                route,
                CloudflareRoute::ReceivedLogs
                    | CloudflareRoute::ZoneRay
                    | CloudflareRoute::RetrieveLogs
                    | CloudflareRoute::AccountRay
            ),
            Route::Tempo(route) => {
                matches!(route, TempoRoute::GetTrace(_) | TempoRoute::Search | TempoRoute::ListTagValues(_))
            }
            Route::Page(route) => route.shows_records(),
            _ => false,
        }
    }

    /// Method and path, as the audit log records them: `GET /v1/rays/{ray}`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// Routes that show log lines.
pub(super) const READ: &[Scope] = &[Scope::Read];
/// Routes that bring batches.
const INGEST: &[Scope] = &[Scope::Ingest];
/// Routes for the operators of deliveries.
const DELIVER: &[Scope] = &[Scope::Deliver];
/// Routes that show totals and states but no log lines.
pub(super) const WATCH: &[Scope] = &[Scope::Read, Scope::Deliver, Scope::Admin];
/// Routes for all operators.
const OPERATE: &[Scope] = &[Scope::Deliver, Scope::Admin];
/// Routes for the administrators of the deployment.
pub(super) const ADMIN: &[Scope] = &[Scope::Admin];

/// Every route; if two paths match, the first one wins.
pub const ROUTES: &[RouteSpec] = &[
    RouteSpec::new("GET", "/v1/rays/{ray}/deliveries", Route::GetDeliveries, READ).audited(),
    RouteSpec::new("GET", "/v1/rays/{ray}/neighbours", Route::FindNeighbours, READ).taking(NEIGHBOURS).audited(),
    RouteSpec::new("GET", "/v1/rays/{a}/diff/{b}", Route::DiffRays, READ).taking(&["dataset"]).audited(),
    RouteSpec::new("GET", "/v1/rays/{ray}", Route::GetRay, READ).taking(GET_RAY).audited(),
    RouteSpec::new("POST", "/v1/rays", Route::LookUpRays, READ)
        .taking(&["dataset", "fields", "filter", "timestamps"])
        .with_body(&["rays"])
        .audited(),
    RouteSpec::new("GET", "/v1/logs", Route::SearchLogs, READ).taking(LOGS).audited(),
    RouteSpec::new("GET", "/v1/counts", Route::CountRecords, READ).taking(COUNTS).audited(),
    RouteSpec::new("GET", "/v1/coverage", Route::GetCoverage, WATCH).taking(&["start", "end", "dataset"]),
    RouteSpec::new("POST", "/v1/ingest/{dataset}", Route::IngestBatch, INGEST).audited(),
    RouteSpec::new("POST", TRACES_PATH, Route::IngestTraces, INGEST).audited(),
    RouteSpec::new("GET", "/v1/stats", Route::GetStats, WATCH).taking(&["ledgers"]),
    RouteSpec::new("GET", "/v1/batches", Route::ListBatches, WATCH).taking(&["state", "limit"]),
    RouteSpec::new("POST", "/v1/batches", Route::AnnounceBatch, INGEST).with_body(&["key"]).audited(),
    RouteSpec::new("GET", "/v1/batches/{batch}", Route::GetBatch, WATCH),
    RouteSpec::new("POST", "/v1/batches/{batch}/replay", Route::ReplayBatch, DELIVER).with_body(REASON).audited(),
    RouteSpec::new("GET", "/v1/payloads", Route::ListPayloads, WATCH).taking(PAYLOADS).audited(),
    RouteSpec::new("POST", "/v1/payloads/decide", Route::DecidePayloads, DELIVER).with_body(DECISION).audited(),
    RouteSpec::new("POST", "/v1/payloads/{payload}/resend", Route::DecidePayload(DeliveryDecision::Resend), DELIVER)
        .with_body(REASON)
        .audited(),
    RouteSpec::new("POST", "/v1/payloads/{payload}/release", Route::DecidePayload(DeliveryDecision::Release), DELIVER)
        .with_body(REASON)
        .audited(),
    RouteSpec::new("POST", "/v1/payloads/{payload}/drop", Route::DecidePayload(DeliveryDecision::Drop), DELIVER)
        .with_body(REASON)
        .audited(),
    RouteSpec::new("POST", "/v1/payloads/{payload}/confirm", Route::DecidePayload(DeliveryDecision::Confirm), DELIVER)
        .with_body(REASON)
        .audited(),
    RouteSpec::new("POST", "/v1/partner/try", Route::TryPartner, DELIVER).audited(),
    RouteSpec::new("GET", "/v1/backfills", Route::ListBackfills, DELIVER),
    RouteSpec::new("POST", "/v1/backfills", Route::CreateBackfill, DELIVER).with_body(BACKFILL).audited(),
    RouteSpec::new("GET", "/v1/backfills/{id}", Route::GetBackfill, DELIVER),
    RouteSpec::new("POST", "/v1/backfills/{id}/stop", Route::SetBackfillRunning(false), DELIVER).audited(),
    RouteSpec::new("POST", "/v1/backfills/{id}/resume", Route::SetBackfillRunning(true), DELIVER).audited(),
    RouteSpec::new("GET", "/v1/erasures", Route::ListErasures, ADMIN),
    RouteSpec::new("POST", "/v1/erasures", Route::CreateErasure, ADMIN).with_body(ERASURE).audited(),
    RouteSpec::new("GET", "/v1/erasures/{id}", Route::GetErasure, ADMIN).taking(&["after"]),
    RouteSpec::new("GET", "/v1/dead-letters", Route::ListDeadLetters, DELIVER).taking(&[
        "redriven",
        "dismissed",
        "limit",
    ]),
    RouteSpec::new("POST", "/v1/dead-letters/{dead_letter}/redrive", Route::RedriveDeadLetter, DELIVER)
        .with_body(REASON)
        .audited(),
    RouteSpec::new("POST", "/v1/dead-letters/{dead_letter}/dismiss", Route::DismissDeadLetter, DELIVER)
        .with_body(REASON)
        .audited(),
    RouteSpec::new("GET", "/v1/tokens", Route::ListTokens, ADMIN).taking(&["after", "limit"]).audited(),
    RouteSpec::new("POST", "/v1/tokens", Route::CreateToken, ADMIN).with_body(TOKEN).audited(),
    RouteSpec::new("POST", "/v1/tokens/{token}/revoke", Route::RevokeToken, ADMIN)
        .taking(&["made"])
        .with_body(REASON)
        .audited(),
    RouteSpec::new("GET", "/v1/costs", Route::GetCosts, OPERATE),
    RouteSpec::new("GET", "/v1/audit", Route::ListAuditEntries, ADMIN).taking(AUDIT).audited(),
    RouteSpec::new("GET", "/metrics", Route::GetMetrics, WATCH),
    RouteSpec::new("GET", "/openapi.json", Route::GetOpenApi, &[]),
    RouteSpec::new("GET", "/healthz", Route::GetHealth, &[]).taking(&["deep"]),
    client("GET", "/client/v4/zones/{zone}/logs/received", CloudflareRoute::ReceivedLogs, READ)
        .taking(&["start", "end", "count", "sample", "fields", "timestamps", CVE_SWITCH])
        .audited(),
    client("GET", "/client/v4/zones/{zone}/logs/received/fields", CloudflareRoute::ListFields, READ),
    client("GET", "/client/v4/zones/{zone}/logs/rayids/{ray}", CloudflareRoute::ZoneRay, READ)
        .taking(&["fields", "timestamps", CVE_SWITCH])
        .audited(),
    client("GET", "/client/v4/zones/{zone}/logs/control/retention/flag", CloudflareRoute::GetRetention, WATCH),
    client("POST", "/client/v4/zones/{zone}/logs/control/retention/flag", CloudflareRoute::SetRetention, ADMIN)
        .with_body(&["flag"])
        .audited(),
    client("GET", "/client/v4/accounts/{account}/logs/list", CloudflareRoute::ListObjects, READ)
        .taking(&["start", "end", "bucket", "prefix", "limit"])
        .audited(),
    client("GET", "/client/v4/accounts/{account}/logs/retrieve", CloudflareRoute::RetrieveLogs, READ)
        .taking(&["start", "end", "bucket", "prefix", CVE_SWITCH])
        .audited(),
    client("POST", "/client/v4/accounts/{account}/logs/rayids/index", CloudflareRoute::IndexRays, READ)
        .with_body(&["start", "end", "bucket", "prefix"])
        .audited(),
    client("GET", "/client/v4/accounts/{account}/logs/rayids/{ray}", CloudflareRoute::AccountRay, READ)
        .taking(&["bucket", "prefix", CVE_SWITCH])
        .audited(),
    RouteSpec::new("POST", "/mcp", Route::Mcp, READ).audited(),
    tempo("/tempo/api/echo", TempoRoute::Echo),
    tempo("/tempo/api/status/buildinfo", TempoRoute::BuildInfo),
    tempo("/tempo/api/traces/{trace}", TempoRoute::GetTrace(TempoVersion::V1)).taking(TRACE_RANGE).audited(),
    tempo("/tempo/api/v2/traces/{trace}", TempoRoute::GetTrace(TempoVersion::V2)).taking(TRACE_RANGE).audited(),
    tempo("/tempo/api/search", TempoRoute::Search).taking(TRACE_SEARCH).audited(),
    tempo("/tempo/api/search/tags", TempoRoute::ListTags(TempoVersion::V1)).taking(&["scope"]),
    tempo("/tempo/api/v2/search/tags", TempoRoute::ListTags(TempoVersion::V2)).taking(&["scope"]),
    tempo("/tempo/api/search/tag/{tag}/values", TempoRoute::ListTagValues(TempoVersion::V1))
        .taking(TAG_VALUES)
        .audited(),
    tempo("/tempo/api/v2/search/tag/{tag}/values", TempoRoute::ListTagValues(TempoVersion::V2))
        .taking(TAG_VALUES)
        .audited(),
];

/// Every route of the support desk's page. What it shows is what a route of [`ROUTES`] answers the same caller.
pub const PAGES: &[RouteSpec] = &[
    page("GET", "/", PageRoute::Home, WATCH),
    page("POST", "/look-up", PageRoute::GoToRays, WATCH),
    page("GET", "/r/{ray}", PageRoute::ShowRay, READ).taking(SHOW_RAY).audited(),
    page("GET", "/rays", PageRoute::ShowRays, READ).taking(&["ids", "more", "reason"]).audited(),
    page("GET", "/search", PageRoute::Search, READ).taking(SEARCH_PARAMETERS).audited(),
    page("GET", "/ops", PageRoute::ShowOperations, WATCH).audited(),
    page("GET", "/ops/payloads", PageRoute::CountPayloads, DELIVER).taking(DECISION_FILTER).audited(),
    page("POST", "/ops/payloads", PageRoute::Operate(OperationTarget::Payloads), DELIVER).audited(),
    page("POST", "/ops/payloads/{payload}", PageRoute::Operate(OperationTarget::Payload), DELIVER).audited(),
    page("POST", "/ops/dead-letters/{dead_letter}", PageRoute::Operate(OperationTarget::DeadLetter), DELIVER).audited(),
    page("POST", "/ops/backfills/{id}", PageRoute::Operate(OperationTarget::Backfill), DELIVER).audited(),
    page("POST", "/ops/partner", PageRoute::Operate(OperationTarget::Partner), DELIVER).audited(),
    page("GET", "/sign-in", PageRoute::SignInForm, &[]).taking(&["to"]),
    page("POST", "/sign-in", PageRoute::SignIn, &[]).audited(),
    page("POST", "/sign-out", PageRoute::SignOut, &[]).audited(),
    page("GET", "/assets/{version}/{name}", PageRoute::Asset, &[]),
    page("GET", "/favicon.svg", PageRoute::Icon, &[]),
    page("GET", "/robots.txt", PageRoute::Robots, &[]),
];

/// The row of a route of the support desk's page.
const fn page(method: &'static str, path: &'static str, route: PageRoute, scopes: &'static [Scope]) -> RouteSpec {
    RouteSpec::new(method, path, Route::Page(route), scopes)
}

/// Whether the path belongs to the support desk's page, where a person reads errors.
pub(crate) fn is_page_path(path: &str) -> bool {
    PAGES.iter().any(|spec| arguments(spec, path).is_some())
}

/// Whether any route has the path.
pub(crate) fn is_known_path(path: &str) -> bool {
    ROUTES.iter().chain(PAGES).any(|spec| arguments(spec, path).is_some())
}

/// The row of a route of Cloudflare's API.
const fn client(
    method: &'static str,
    path: &'static str,
    route: CloudflareRoute,
    scopes: &'static [Scope],
) -> RouteSpec {
    RouteSpec::new(method, path, Route::Cloudflare(route), scopes)
}

/// The row of a route of Tempo's API.
const fn tempo(path: &'static str, route: TempoRoute) -> RouteSpec {
    RouteSpec::new("GET", path, Route::Tempo(route), READ)
}

/// The row of a request, and the percent-decoded arguments of its path.
///
/// # Errors
/// The [`Problem`] of an unknown path, or of a known one with another method.
pub fn find_route(method: &str, path: &str) -> Result<(&'static RouteSpec, Vec<String>), Problem> {
    let mut fitting = ROUTES.iter().chain(PAGES).filter_map(|spec| Some((spec, arguments(spec, path)?)));
    let (first, first_arguments) = fitting.next().ok_or_else(problems::no_such_path)?;
    let takes = |spec: &RouteSpec| method == spec.method || (method == "HEAD" && spec.method == "GET");
    if takes(first) {
        return Ok((first, first_arguments));
    }
    // Another row may take the same path by another method.
    match fitting.find(|(spec, _)| spec.path == first.path) {
        Some((spec, arguments)) if takes(spec) => Ok((spec, arguments)),
        Some(_) => Err(problems::no_such_method("GET, POST")),
        None => Err(problems::no_such_method(first.method)),
    }
}

/// The percent-decoded arguments of a path that matches the row.
fn arguments(spec: &RouteSpec, path: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let (mut pattern, mut rest) = (spec.path, path);
    while let Some((start, behind)) = pattern.split_once('{') {
        let (_, end) = behind.split_once('}')?;
        rest = rest.strip_prefix(start)?;
        // Only the last argument may have slashes, and only as a part of a pasted URL.
        let argument = if end.contains('{') { rest.split('/').next()? } else { rest.strip_suffix(end)? };
        found.push(fitting(spec.route, &percent_decoded(argument))?);
        rest = rest.strip_prefix(argument)?;
        pattern = end;
    }
    (rest == pattern).then_some(found)
}

/// The argument unless it is empty or contains a slash; only a ray may, since it can be a pasted URL.
fn fitting(route: Route, argument: &str) -> Option<String> {
    let is_url = argument.starts_with("http://") || argument.starts_with("https://");
    let may_have_slashes = is_url
        && matches!(
            route,
            Route::GetRay
                | Route::GetDeliveries
                | Route::DiffRays
                | Route::FindNeighbours
                | Route::Page(PageRoute::ShowRay)
        );
    let fits = !argument.is_empty() && (may_have_slashes || !argument.contains('/'));
    fits.then(|| argument.to_owned())
}

#[cfg(test)]
mod tests;
