//! The table of routes: every path that raydex answers, by which method, and for whom.
//!
//! What always holds: the table is the only place that knows a path; a route without a row cannot be reached, and each
//! row says which scopes it takes and whether it leaves an entry in the audit log.

use crate::access::Scope;
use crate::http::{Problem, decoded, problems};
use crate::ledger::calls::DeliveryDecision;

/// Something that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `GET /v1/rays/{ray}`
    Ray,
    /// `POST /v1/rays`
    Rays,
    /// `GET /v1/rays/{ray}/deliveries`
    Deliveries,
    /// `GET /v1/logs`
    Logs,
    /// `GET /v1/coverage`
    Coverage,
    /// `POST /v1/ingest/{dataset}`
    Ingest,
    /// `GET /v1/stats`
    Stats,
    /// `GET /v1/batches`
    Batches,
    /// `GET /v1/batches/{batch}`
    Batch,
    /// `POST /v1/batches/{batch}/replay`
    Replay,
    /// `POST /v1/payloads/{payload}/resend`, `/release` and `/drop`
    Payload(DeliveryDecision),
    /// `POST /v1/backfills`
    Backfill,
    /// `GET /v1/backfills`
    Backfills,
    /// `GET /v1/backfills/{id}`
    BackfillJob,
    /// `POST /v1/backfills/{id}/stop` and `/resume`
    BackfillTurn(bool),
    /// `GET /v1/dead-letters`
    DeadLetters,
    /// `POST /v1/dead-letters/{dead_letter}/redrive`
    Redrive,
    /// `GET /v1/audit`
    Audit,
    /// `GET /metrics`
    Metrics,
    /// `GET /openapi.json`
    OpenApi,
    /// `GET /healthz`
    Health,
    /// What Logpull and the Logs Engine are asked for, as Cloudflare's own clients ask.
    Client(ClientRoute),
}

/// A route of Cloudflare's API that raydex answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientRoute {
    /// Logpull: the records of a time range.
    Received,
    /// Logpull: the names of the fields.
    Fields,
    /// Logpull: the records of a ray.
    ZoneRay,
    /// Logpull: whether logs are kept.
    Retention,
    /// Logpull: asks for logs to be kept.
    SetRetention,
    /// Logs Engine: the objects of a time range.
    List,
    /// Logs Engine: the records of a time range.
    Retrieve,
    /// Logs Engine: asks for an index of a time range.
    Index,
    /// Logs Engine: the records of a ray.
    AccountRay,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The method; `HEAD` goes wherever `GET` does.
    pub method: &'static str,
    /// The path; a name in braces stands for an argument.
    pub path: &'static str,
    /// The route.
    pub route: Route,
    /// Who may ask: whoever has one of these scopes; everyone where there is none.
    pub scopes: &'static [Scope],
    /// The parameters of the query that it takes. Others are refused, but by the routes of Cloudflare's API, whose
    /// clients may send what raydex does not need.
    pub parameters: &'static [&'static str],
    /// Whether it leaves an entry in the audit log.
    pub audited: bool,
}

impl Row {
    /// A row for whoever has one of the scopes.
    const fn new(method: &'static str, path: &'static str, route: Route, scopes: &'static [Scope]) -> Self {
        Self { method, path, route, scopes, parameters: &[], audited: false }
    }

    /// The row with the parameters that it takes.
    const fn taking(self, parameters: &'static [&'static str]) -> Self {
        Self { parameters, ..self }
    }

    /// The row of what must not be asked in secret.
    const fn audited(self) -> Self {
        Self { audited: true, ..self }
    }

    /// Whether it tells of the records of a caller's zones alone; what tells of the whole deployment is not for callers
    /// who are let in for some zones.
    pub(crate) const fn is_for_zones(&self) -> bool {
        match self.route {
            Route::Ray
            | Route::Rays
            | Route::Deliveries
            | Route::Logs
            | Route::Ingest
            | Route::OpenApi
            | Route::Health => true,
            Route::Client(route) => !matches!(route, ClientRoute::List),
            _ => false,
        }
    }

    /// The row as it is written down: `GET /v1/rays/{ray}`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// Whoever may read log lines.
const READ: &[Scope] = &[Scope::Read];
/// Whoever looks after deliveries.
const DELIVER: &[Scope] = &[Scope::Deliver];
/// Whoever looks at figures.
const WATCH: &[Scope] = &[Scope::Read, Scope::Deliver, Scope::Admin];
/// Whoever looks after the deployment.
const ADMIN: &[Scope] = &[Scope::Admin];

/// The parameters of a stream.
const LOGS: &[&str] =
    &["start", "end", "dataset", "filter", "fields", "timestamps", "format", "sample", "limit", "cursor", "summary"];

/// Every route. Where two paths fit, the first one counts.
pub const ROUTES: &[Row] = &[
    Row::new("GET", "/v1/rays/{ray}/deliveries", Route::Deliveries, READ).audited(),
    Row::new("GET", "/v1/rays/{ray}", Route::Ray, READ)
        .taking(&["format", "dataset", "fields", "filter", "timestamps"])
        .audited(),
    Row::new("POST", "/v1/rays", Route::Rays, READ).taking(&["dataset", "fields", "filter", "timestamps"]).audited(),
    Row::new("GET", "/v1/logs", Route::Logs, READ).taking(LOGS).audited(),
    Row::new("GET", "/v1/coverage", Route::Coverage, WATCH).taking(&["start", "end", "dataset"]),
    Row::new("POST", "/v1/ingest/{dataset}", Route::Ingest, &[Scope::Ingest]),
    Row::new("GET", "/v1/stats", Route::Stats, WATCH).taking(&["ledgers"]),
    Row::new("GET", "/v1/batches", Route::Batches, WATCH).taking(&["state", "limit"]),
    Row::new("GET", "/v1/batches/{batch}", Route::Batch, WATCH),
    Row::new("POST", "/v1/batches/{batch}/replay", Route::Replay, DELIVER).audited(),
    Row::new("POST", "/v1/payloads/{payload}/resend", Route::Payload(DeliveryDecision::Resend), DELIVER).audited(),
    Row::new("POST", "/v1/payloads/{payload}/release", Route::Payload(DeliveryDecision::Release), DELIVER).audited(),
    Row::new("POST", "/v1/payloads/{payload}/drop", Route::Payload(DeliveryDecision::Drop), DELIVER).audited(),
    Row::new("GET", "/v1/backfills", Route::Backfills, DELIVER),
    Row::new("POST", "/v1/backfills", Route::Backfill, DELIVER).audited(),
    Row::new("GET", "/v1/backfills/{id}", Route::BackfillJob, DELIVER),
    Row::new("POST", "/v1/backfills/{id}/stop", Route::BackfillTurn(false), DELIVER).audited(),
    Row::new("POST", "/v1/backfills/{id}/resume", Route::BackfillTurn(true), DELIVER).audited(),
    Row::new("GET", "/v1/dead-letters", Route::DeadLetters, DELIVER).taking(&["redriven", "limit"]),
    Row::new("POST", "/v1/dead-letters/{dead_letter}/redrive", Route::Redrive, DELIVER).audited(),
    Row::new("GET", "/v1/audit", Route::Audit, ADMIN).taking(&["after", "limit"]).audited(),
    Row::new("GET", "/metrics", Route::Metrics, WATCH),
    Row::new("GET", "/openapi.json", Route::OpenApi, &[]),
    Row::new("GET", "/healthz", Route::Health, &[]),
    client("GET", "/client/v4/zones/{zone}/logs/received", ClientRoute::Received, READ)
        .taking(&["start", "end", "count", "sample", "fields", "timestamps"])
        .audited(),
    client("GET", "/client/v4/zones/{zone}/logs/received/fields", ClientRoute::Fields, READ),
    client("GET", "/client/v4/zones/{zone}/logs/rayids/{ray}", ClientRoute::ZoneRay, READ)
        .taking(&["fields", "timestamps"])
        .audited(),
    client("GET", "/client/v4/zones/{zone}/logs/control/retention/flag", ClientRoute::Retention, WATCH),
    client("POST", "/client/v4/zones/{zone}/logs/control/retention/flag", ClientRoute::SetRetention, ADMIN).audited(),
    client("GET", "/client/v4/accounts/{account}/logs/list", ClientRoute::List, READ)
        .taking(&["start", "end", "bucket", "prefix", "limit"])
        .audited(),
    client("GET", "/client/v4/accounts/{account}/logs/retrieve", ClientRoute::Retrieve, READ)
        .taking(&["start", "end", "bucket", "prefix"])
        .audited(),
    client("POST", "/client/v4/accounts/{account}/logs/rayids/index", ClientRoute::Index, READ).audited(),
    client("GET", "/client/v4/accounts/{account}/logs/rayids/{ray}", ClientRoute::AccountRay, READ)
        .taking(&["bucket", "prefix"])
        .audited(),
];

/// The row of a route of Cloudflare's API.
const fn client(method: &'static str, path: &'static str, route: ClientRoute, scopes: &'static [Scope]) -> Row {
    Row::new(method, path, Route::Client(route), scopes)
}

/// Whether the path is one of Cloudflare's API, whose clients expect its own form of errors.
pub(crate) fn is_client(path: &str) -> bool {
    path.starts_with("/client/")
}

/// The row of a request, and the decoded arguments of its path.
///
/// # Errors
/// The [`Problem`] of an unknown path, or of a known one with another method.
pub fn route(method: &str, path: &str) -> Result<(&'static Row, Vec<String>), Problem> {
    let mut fitting = ROUTES.iter().filter_map(|row| Some((row, arguments(row, path)?)));
    let (first, first_arguments) = fitting.next().ok_or_else(problems::no_such_path)?;
    let takes = |row: &Row| method == row.method || (method == "HEAD" && row.method == "GET");
    if takes(first) {
        return Ok((first, first_arguments));
    }
    // Another row may take the same path by another method.
    match fitting.find(|(row, _)| row.path == first.path) {
        Some((row, arguments)) if takes(row) => Ok((row, arguments)),
        Some(_) => Err(problems::no_such_method("GET, POST")),
        None => Err(problems::no_such_method(first.method)),
    }
}

/// The decoded arguments of a path that fits the row.
fn arguments(row: &Row, path: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let (mut pattern, mut rest) = (row.path, path);
    while let Some((start, behind)) = pattern.split_once('{') {
        let (_, end) = behind.split_once('}')?;
        rest = rest.strip_prefix(start)?;
        // Only the last argument may have slashes, and only as a part of a pasted URL.
        let argument = if end.contains('{') { rest.split('/').next()? } else { rest.strip_suffix(end)? };
        found.push(fitting(row.route, &decoded(argument))?);
        rest = rest.strip_prefix(argument)?;
        pattern = end;
    }
    (rest == pattern).then_some(found)
}

/// The argument, if it can be one: it is never empty, and a pasted URL alone brings slashes of its own.
fn fitting(route: Route, argument: &str) -> Option<String> {
    let is_url = argument.starts_with("http://") || argument.starts_with("https://");
    let may_have_slashes = is_url && matches!(route, Route::Ray | Route::Deliveries);
    let fits = !argument.is_empty() && (may_have_slashes || !argument.contains('/'));
    fits.then(|| argument.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{ClientRoute, ROUTES, Route, route};
    use crate::ledger::calls::DeliveryDecision;

    #[test]
    fn known_paths_are_routed_with_their_argument() {
        let ok = |method, path| {
            let (row, arguments) = route(method, path).ok().unwrap();
            assert!(arguments.len() <= 1);
            (row.route, arguments.concat())
        };
        assert_eq!(ok("GET", "/v1/rays/764660d8ec5c2ab1"), (Route::Ray, "764660d8ec5c2ab1".into()));
        assert_eq!(ok("HEAD", "/v1/rays/CF-RAY%3A%20a").1, "CF-RAY: a");
        assert_eq!(ok("GET", "/v1/rays/https%3A%2F%2Fe.com%2F%3Fray%3Da").1, "https://e.com/?ray=a");
        assert_eq!(ok("POST", "/v1/ingest/http_requests"), (Route::Ingest, "http_requests".into()));
        assert_eq!(ok("GET", "/healthz").0, Route::Health);
        assert_eq!(ok("GET", "/v1/rays/a/deliveries"), (Route::Deliveries, "a".into()));
        assert_eq!(ok("GET", "/v1/rays/deliveries"), (Route::Ray, "deliveries".into()));
        let url = "/v1/rays/https%3A%2F%2Fe.com%2F%3Fray%3Da/deliveries";
        assert_eq!(ok("GET", url), (Route::Deliveries, "https://e.com/?ray=a".into()));
        assert_eq!(ok("POST", "/v1/payloads/h.1.2/drop"), (Route::Payload(DeliveryDecision::Drop), "h.1.2".into()));
    }

    #[test]
    fn arguments_before_the_last_one_are_found_too() {
        let (row, arguments) = route("GET", "/client/v4/zones/z%201/logs/rayids/764660d8ec5c2ab1").ok().unwrap();
        assert_eq!(row.route, Route::Client(ClientRoute::ZoneRay));
        assert_eq!(arguments, ["z 1", "764660d8ec5c2ab1"]);
        for path in
            ["/client/v4/zones//logs/received", "/client/v4/zones/a/b/logs/received", "/client/v4/zones/a/logs/"]
        {
            assert_eq!(route("GET", path).err().unwrap().status, 404, "{path}");
        }
    }

    #[test]
    fn every_row_of_the_table_can_be_reached() {
        for row in ROUTES {
            let pieces = row.path.split('/').map(|piece| if piece.starts_with('{') { "x" } else { piece });
            let path = pieces.collect::<Vec<_>>().join("/");
            let (found, arguments) = route(row.method, &path).ok().unwrap();
            assert_eq!(found, row, "{} {path}", row.method);
            assert_eq!(arguments.len(), row.path.matches('{').count(), "{path}");
        }
    }

    #[test]
    fn revealing_and_changing_routes_are_audited_and_scoped() {
        for row in ROUTES {
            let changes = row.method == "POST" && row.route != Route::Ingest;
            let shows = matches!(row.route, Route::Ray | Route::Deliveries | Route::Logs | Route::Audit);
            assert!(row.audited || !(changes || shows), "{}", row.name());
            let is_open = matches!(row.route, Route::Health | Route::OpenApi);
            assert_eq!(row.scopes.is_empty(), is_open, "{}", row.name());
        }
    }

    #[test]
    fn unknown_paths_are_404_and_other_methods_405() {
        for path in [
            "/",
            "",
            "/v1",
            "/v1/rays/",
            "/v1/rays//deliveries",
            "/v1/rays/a/b",
            "/v1/rays/a/b/deliveries",
            "/v1/rays/a/deliveries/",
            "/v1/batches/",
            "/v1/batches/a/replays",
            "/v1/batches/https://e.com/replay",
            "/v1/payloads/a",
            "/v1/payloads//drop",
            "/v1/payloads/drop",
            "/v1/stats/x",
            "/healthz/x",
            "/healthzz",
            "/V1/rays/a",
        ] {
            assert_eq!(route("GET", path).err().unwrap().status, 404, "{path}");
        }
        for (method, path) in [
            ("POST", "/v1/rays/a"),
            ("GET", "/v1/ingest/x"),
            ("GET", "/v1/payloads/a/drop"),
            ("POST", "/v1/stats"),
            ("GET", "/v1/rays"),
            ("DELETE", "/v1/backfills"),
            ("DELETE", "/healthz"),
            ("FOO", "/healthz"),
        ] {
            assert_eq!(route(method, path).err().unwrap().status, 405, "{method} {path}");
        }
    }
}
