//! The table of routes: every path that raydex answers, and by which method.
//!
//! What always holds: the table is the only place that knows a path.

use super::problem::{Problem, problems};
use super::request::decoded;

/// Something that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `GET /v1/rays/{ray}`
    Ray,
    /// `POST /v1/ingest/{dataset}`
    Ingest,
    /// `GET /healthz`
    Health,
}

/// Method, path before the argument, whether there is an argument, route. `HEAD` goes wherever `GET` does.
const ROUTES: [(&str, &str, bool, Route); 3] = [
    ("GET", "/v1/rays/", true, Route::Ray),
    ("POST", "/v1/ingest/", true, Route::Ingest),
    ("GET", "/healthz", false, Route::Health),
];

/// The route of a request, and the decoded argument of its path.
///
/// # Errors
/// The [`Problem`] of an unknown path, or of a known one with another method.
pub fn route(method: &str, path: &str) -> Result<(Route, String), Problem> {
    let (known, argument, route) = ROUTES
        .into_iter()
        .find_map(|(known, start, takes_argument, route)| {
            let argument = path.strip_prefix(start)?;
            (takes_argument != argument.is_empty()).then_some((known, argument, route))
        })
        .ok_or_else(problems::no_such_path)?;
    // A pasted URL brings slashes of its own; nothing else may.
    let argument = decoded(argument);
    let is_url = argument.starts_with("http://") || argument.starts_with("https://");
    if argument.contains('/') && !(route == Route::Ray && is_url) {
        return Err(problems::no_such_path());
    }
    if method == known || (method == "HEAD" && known == "GET") {
        Ok((route, argument))
    } else {
        Err(problems::no_such_method(known))
    }
}

#[cfg(test)]
mod tests {
    use super::{Route, route};

    #[test]
    fn known_paths_are_routed_with_their_argument() {
        let ok = |method, path| route(method, path).ok().unwrap();
        assert_eq!(ok("GET", "/v1/rays/764660d8ec5c2ab1"), (Route::Ray, "764660d8ec5c2ab1".into()));
        assert_eq!(ok("HEAD", "/v1/rays/CF-RAY%3A%20a").1, "CF-RAY: a");
        assert_eq!(ok("GET", "/v1/rays/https%3A%2F%2Fe.com%2F%3Fray%3Da").1, "https://e.com/?ray=a");
        assert_eq!(ok("POST", "/v1/ingest/http_requests"), (Route::Ingest, "http_requests".into()));
        assert_eq!(ok("GET", "/healthz").0, Route::Health);
    }

    #[test]
    fn unknown_paths_are_404_and_other_methods_405() {
        for path in ["/", "", "/v1", "/v1/rays", "/v1/rays/", "/v1/rays/a/b", "/healthz/x", "/healthzz", "/V1/rays/a"] {
            assert_eq!(route("GET", path).err().unwrap().status, 404, "{path}");
        }
        for (method, path) in
            [("POST", "/v1/rays/a"), ("GET", "/v1/ingest/x"), ("DELETE", "/healthz"), ("FOO", "/healthz")]
        {
            assert_eq!(route(method, path).err().unwrap().status, 405, "{method} {path}");
        }
    }
}
