//! The table of routes: what each path and method leads to.

use super::{CloudflareRoute, PAGES, ROUTES, Route, find_route};
use crate::ledger::calls::DeliveryDecision;
use crate::web::PageRoute;

#[test]
fn known_paths_are_routed_with_their_argument() {
    let ok = |method, path| {
        let (spec, arguments) = find_route(method, path).ok().unwrap();
        assert!(arguments.len() <= 1);
        (spec.route, arguments.concat())
    };
    assert_eq!(ok("GET", "/v1/rays/764660d8ec5c2ab1"), (Route::GetRay, "764660d8ec5c2ab1".into()));
    assert_eq!(ok("HEAD", "/v1/rays/CF-RAY%3A%20a").1, "CF-RAY: a");
    assert_eq!(ok("GET", "/v1/rays/https%3A%2F%2Fe.com%2F%3Fray%3Da").1, "https://e.com/?ray=a");
    assert_eq!(ok("POST", "/v1/ingest/http_requests"), (Route::IngestBatch, "http_requests".into()));
    assert_eq!(ok("GET", "/healthz").0, Route::GetHealth);
    assert_eq!(ok("GET", "/v1/rays/a/deliveries"), (Route::GetDeliveries, "a".into()));
    assert_eq!(ok("GET", "/v1/rays/deliveries"), (Route::GetRay, "deliveries".into()));
    assert_eq!(ok("GET", "/v1/rays/CF-RAY%3A%20a/neighbours"), (Route::FindNeighbours, "CF-RAY: a".into()));
    let url = "/v1/rays/https%3A%2F%2Fe.com%2F%3Fray%3Da/deliveries";
    assert_eq!(ok("GET", url), (Route::GetDeliveries, "https://e.com/?ray=a".into()));
    assert_eq!(ok("POST", "/v1/payloads/h.1.2/drop"), (Route::DecidePayload(DeliveryDecision::Drop), "h.1.2".into()));
}

#[test]
fn arguments_before_the_last_one_are_found_too() {
    let (spec, arguments) = find_route("GET", "/client/v4/zones/z%201/logs/rayids/764660d8ec5c2ab1").ok().unwrap();
    assert_eq!(spec.route, Route::Cloudflare(CloudflareRoute::ZoneRay));
    assert_eq!(arguments, ["z 1", "764660d8ec5c2ab1"]);
    for path in ["/client/v4/zones//logs/received", "/client/v4/zones/a/b/logs/received", "/client/v4/zones/a/logs/"] {
        assert_eq!(find_route("GET", path).err().unwrap().status, 404, "{path}");
    }
}

#[test]
fn every_row_of_the_table_can_be_reached() {
    for spec in ROUTES.iter().chain(PAGES) {
        let pieces = spec.path.split('/').map(|piece| if piece.starts_with('{') { "x" } else { piece });
        let path = pieces.collect::<Vec<_>>().join("/");
        let (found, arguments) = find_route(spec.method, &path).ok().unwrap();
        assert_eq!(found, spec, "{} {path}", spec.method);
        assert_eq!(arguments.len(), spec.path.matches('{').count(), "{path}");
    }
}

#[test]
fn revealing_and_changing_routes_are_audited_and_scoped() {
    for spec in ROUTES.iter().chain(PAGES) {
        // A paste is nothing but read.
        let changes = spec.method == "POST" && spec.route != Route::Page(PageRoute::GoToRays);
        let shows = spec.shows_records() || spec.route == Route::ListAuditEntries;
        assert!(spec.audited || !(changes || shows), "{}", spec.name());
        let is_open = match spec.route {
            Route::GetHealth | Route::GetOpenApi => true,
            Route::Page(route) => {
                route.is_entrance() || matches!(route, PageRoute::Asset | PageRoute::Icon | PageRoute::Robots)
            }
            _ => false,
        };
        assert_eq!(spec.scopes.is_empty(), is_open, "{}", spec.name());
    }
}

#[test]
fn unknown_paths_are_404_and_other_methods_405() {
    for path in [
        "",
        "//",
        "/r/",
        "/r/a/b",
        "/assets/page.css",
        "/assets/a/b/c",
        "/v1",
        "/v1/rays/",
        "/v1/rays//deliveries",
        "/v1/rays/a/b",
        "/v1/rays/a/b/deliveries",
        "/v1/rays/a/deliveries/",
        "/v1/rays//neighbours",
        "/v1/rays/a/diff/",
        "/v1/rays//diff/b",
        "/v1/rays/a/diff/b/c",
        "/v1/rays/a/b/diff/c",
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
        assert_eq!(find_route("GET", path).err().unwrap().status, 404, "{path}");
    }
    for (method, path) in [
        ("POST", "/v1/rays/a"),
        ("POST", "/v1/rays/a/diff/b"),
        ("GET", "/v1/ingest/x"),
        ("GET", "/v1/payloads/a/drop"),
        ("POST", "/v1/stats"),
        ("GET", "/v1/rays"),
        ("POST", "/"),
        ("GET", "/look-up"),
        ("GET", "/sign-out"),
        ("PUT", "/sign-in"),
        ("DELETE", "/v1/backfills"),
        ("DELETE", "/healthz"),
        ("FOO", "/healthz"),
    ] {
        assert_eq!(find_route(method, path).err().unwrap().status, 405, "{method} {path}");
    }
}
