//! The table of routes: every path that raydex answers, and by which method.
//!
//! What always holds: the table is the only place that knows a path.

use super::problem::{Problem, problems};
use super::request::decoded;
use crate::ledger::calls::Decision;

/// Something that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `GET /v1/rays/{ray}`
    Ray,
    /// `GET /v1/rays/{ray}/deliveries`
    Deliveries,
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
    Payload(Decision),
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
    /// `POST /v1/dead-letters/{letter}/redrive`
    Redrive,
    /// `GET /healthz`
    Health,
}

/// Stands for the argument of a path, which is never empty.
const ARGUMENT: &str = "{}";

/// Method, path, route. `HEAD` goes wherever `GET` does; where two paths fit, the first one counts.
const ROUTES: [(&str, &str, Route); 18] = [
    ("GET", "/v1/rays/{}/deliveries", Route::Deliveries),
    ("GET", "/v1/rays/{}", Route::Ray),
    ("POST", "/v1/ingest/{}", Route::Ingest),
    ("GET", "/v1/stats", Route::Stats),
    ("GET", "/v1/batches", Route::Batches),
    ("GET", "/v1/batches/{}", Route::Batch),
    ("POST", "/v1/batches/{}/replay", Route::Replay),
    ("POST", "/v1/payloads/{}/resend", Route::Payload(Decision::Resend)),
    ("POST", "/v1/payloads/{}/release", Route::Payload(Decision::Release)),
    ("POST", "/v1/payloads/{}/drop", Route::Payload(Decision::Drop)),
    ("GET", "/v1/backfills", Route::Backfills),
    ("POST", "/v1/backfills", Route::Backfill),
    ("GET", "/v1/backfills/{}", Route::BackfillJob),
    ("POST", "/v1/backfills/{}/stop", Route::BackfillTurn(false)),
    ("POST", "/v1/backfills/{}/resume", Route::BackfillTurn(true)),
    ("GET", "/v1/dead-letters", Route::DeadLetters),
    ("POST", "/v1/dead-letters/{}/redrive", Route::Redrive),
    ("GET", "/healthz", Route::Health),
];

/// The route of a request, and the decoded argument of its path.
///
/// # Errors
/// The [`Problem`] of an unknown path, or of a known one with another method.
pub fn route(method: &str, path: &str) -> Result<(Route, String), Problem> {
    let mut fitting = ROUTES
        .into_iter()
        .filter_map(|(known, pattern, route)| Some((known, pattern, argument(pattern, path, route)?, route)));
    let (first, first_pattern, argument, route) = fitting.next().ok_or_else(problems::no_such_path)?;
    let takes = |known: &str| method == known || (method == "HEAD" && known == "GET");
    if takes(first) {
        return Ok((route, argument));
    }
    // Another row may take the same path by another method.
    match fitting.find(|(_, pattern, ..)| *pattern == first_pattern) {
        Some((known, _, argument, route)) if takes(known) => Ok((route, argument)),
        Some(_) => Err(problems::no_such_method("GET, POST")),
        None => Err(problems::no_such_method(first)),
    }
}

/// The decoded argument of a path that fits the pattern; empty where it takes none.
fn argument(pattern: &str, path: &str, route: Route) -> Option<String> {
    let Some((start, end)) = pattern.split_once(ARGUMENT) else { return (path == pattern).then(String::new) };
    let argument = decoded(path.strip_prefix(start)?.strip_suffix(end)?);
    // A pasted URL brings slashes of its own; nothing else may.
    let is_url = argument.starts_with("http://") || argument.starts_with("https://");
    let may_have_slashes = is_url && matches!(route, Route::Ray | Route::Deliveries);
    let fits = !argument.is_empty() && (may_have_slashes || !argument.contains('/'));
    fits.then_some(argument)
}

#[cfg(test)]
mod tests {
    use super::{ROUTES, Route, route};
    use crate::ledger::calls::Decision;

    #[test]
    fn known_paths_are_routed_with_their_argument() {
        let ok = |method, path| route(method, path).ok().unwrap();
        assert_eq!(ok("GET", "/v1/rays/764660d8ec5c2ab1"), (Route::Ray, "764660d8ec5c2ab1".into()));
        assert_eq!(ok("HEAD", "/v1/rays/CF-RAY%3A%20a").1, "CF-RAY: a");
        assert_eq!(ok("GET", "/v1/rays/https%3A%2F%2Fe.com%2F%3Fray%3Da").1, "https://e.com/?ray=a");
        assert_eq!(ok("POST", "/v1/ingest/http_requests"), (Route::Ingest, "http_requests".into()));
        assert_eq!(ok("GET", "/healthz").0, Route::Health);
        assert_eq!(ok("GET", "/v1/rays/a/deliveries"), (Route::Deliveries, "a".into()));
        assert_eq!(ok("GET", "/v1/rays/deliveries"), (Route::Ray, "deliveries".into()));
        let url = "/v1/rays/https%3A%2F%2Fe.com%2F%3Fray%3Da/deliveries";
        assert_eq!(ok("GET", url), (Route::Deliveries, "https://e.com/?ray=a".into()));
        assert_eq!(ok("POST", "/v1/payloads/h.1.2/drop"), (Route::Payload(Decision::Drop), "h.1.2".into()));
    }

    #[test]
    fn every_row_of_the_table_can_be_reached() {
        for (method, pattern, known) in ROUTES {
            let path = pattern.replace("{}", "x");
            let argument = if path == pattern { "" } else { "x" };
            assert_eq!(route(method, &path).ok().unwrap(), (known, argument.into()), "{method} {path}");
        }
    }

    #[test]
    fn unknown_paths_are_404_and_other_methods_405() {
        for path in [
            "/",
            "",
            "/v1",
            "/v1/rays",
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
            ("DELETE", "/healthz"),
            ("FOO", "/healthz"),
        ] {
            assert_eq!(route(method, path).err().unwrap().status, 405, "{method} {path}");
        }
    }
}
