//! Every row of the table of pages: who is admitted, what is recorded, and which errors are pages.

use raydex::config::Config;
use raydex::router::{PAGES, PageRoute, Route, RouteSpec};

use super::super::audit::entries;
use super::super::support::Fakes;
use super::super::{Ask, header};
use super::ray;
use super::{deployment, form, signed_in, text, visit};

/// A request for a page.
fn ask(row: &RouteSpec) -> Ask {
    let path = row.path.replace("{ray}", &ray(1)).replace("{version}", "0").replace("{name}", "page.css");
    let query = if row.parameters.contains(&"ids") { format!("?ids={},{}", ray(1), ray(2)) } else { String::new() };
    if row.method == "POST" { form(&path, &[("text", &ray(1))]) } else { Ask::get(&(path + &query)) }
}

fn is_form(row: &RouteSpec) -> bool {
    matches!(row.route, Route::Page(route) if route.is_form())
}

#[test]
fn every_page_admits_exactly_those_who_may() {
    let config = deployment(&[]);
    for row in PAGES.iter().filter(|row| !row.scopes.is_empty()) {
        for (id, scope) in [("desk", "read"), ("zone", "read"), ("firewall", "read"), ("ops", "deliver"), ("old", "")] {
            let fakes = Fakes::new();
            let reply = visit(&fakes, &config, signed_in(ask(row), &format!("token of {id}")));
            let may = row.scopes.iter().any(|known| known.name() == scope);
            let expected = if scope.is_empty() { 401 } else { 403 };
            assert_eq!(!matches!(reply.status, 401 | 403), may, "{} {id}: {}", row.name(), reply.status);
            assert!(may || reply.status == expected, "{} {id}: {}", row.name(), reply.status);
            assert_eq!(entries(&fakes).len(), usize::from(row.audited || !may), "{} {id}", row.name());
            assert!(may || text(&reply).contains("<h1>"));
        }
        let reply = visit(&Fakes::new(), &config, ask(row).without_token());
        assert!(reply.status == 401 && text(&reply).contains("Sign in"), "{}", row.name());
    }
}

#[test]
fn open_pages_need_no_token() {
    for row in PAGES.iter().filter(|row| row.scopes.is_empty() && !is_form(row)) {
        let fakes = Fakes::new();
        let reply = visit(&fakes, &deployment(&[]), ask(row).without_token());
        assert_eq!((reply.status, fakes.faults.calls()), (200, 0), "{}", row.name());
    }
}

#[test]
fn unknown_parameters_are_refused_on_pages() {
    for row in PAGES
        .iter()
        .filter(|row| !matches!(row.route, Route::Page(PageRoute::Asset | PageRoute::Icon | PageRoute::Robots)))
    {
        for more in ["novel=1", "token=x", "&", "text=1"] {
            let token = if row.scopes.iter().any(|scope| scope.name() == "read") { "desk" } else { "ops" };
            let asked = Ask { query: more.to_owned(), ..signed_in(ask(row), &format!("token of {token}")) };
            let reply = visit(&Fakes::new(), &deployment(&[]), asked);
            assert_eq!(reply.status, 400, "{} {more}", row.name());
            assert!(text(&reply).contains("parameter"), "{} {more}", row.name());
        }
    }
}

#[test]
fn errors_of_pages_are_pages() {
    let (fakes, config) = (Fakes::new(), deployment(&[]));
    for (method, path, status) in [
        ("GET", "/r/ray%3F", 400),
        ("GET", "/r/9e3550d8ec5c2ab1?tab=other", 400),
        ("GET", "/rays", 400),
        ("GET", "/rays?ids=", 400),
        ("GET", "/rays?ids=a%20b,c", 400),
        ("GET", "/assets/0/other.css", 404),
        ("DELETE", "/r/9e3550d8ec5c2ab1", 405),
        ("GET", "/look-up", 405),
    ] {
        let reply = visit(&fakes, &config, signed_in(Ask::new(method, path), "token of desk"));
        assert_eq!(reply.status, status, "{method} {path}");
        assert!(text(&reply).contains("<h1>"), "{method} {path}");
    }
    let missing = Config::read(|_| None);
    for (path, status) in [("/", 503), ("/sign-in", 503), ("/robots.txt", 200), ("/assets/0/page.css", 200)] {
        let reply = super::Reply::of(Ask::get(path).begin(&fakes, &missing));
        assert_eq!(reply.status, status, "{path}");
    }
}

#[test]
fn unknown_paths_are_pages_for_browsers() {
    let (fakes, config) = (Fakes::new(), deployment(&[]));
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for path in ["/nonsense", "/r/", "/ops/nothing", "/v2/rays/x", "/v1/nothing", "/r/a/b"] {
        for asked in [Ask::get(path).without_token(), signed_in(Ask::get(path), "token of desk")] {
            let page = text(&visit(&fakes, &config, asked.accept(browser)));
            assert!(
                page.contains("There is no such page")
                    && page.contains(if path.starts_with("/ops") {
                        "<a href=\"/ops\">"
                    } else {
                        "<a href=\"/\">Look up"
                    }),
                "{page}"
            );
        }
        let reply = super::Reply::of(Ask::get(path).accept("application/json").begin(&fakes, &Ok(config.clone())));
        assert_eq!((reply.status, header(&reply, "content-type")), (404, Some("application/problem+json")), "{path}");
    }
    // A known path of the API answers as the API, and Cloudflare's as theirs.
    for path in ["/v1/stats", "/client/v4/nothing"] {
        let reply = super::Reply::of(Ask::get(path).without_token().accept(browser).begin(&fakes, &Ok(config.clone())));
        assert!(header(&reply, "content-type").is_some_and(|kind| kind.contains("json")), "{path}");
    }
}

#[test]
fn pages_of_problems_name_their_reader() {
    let config = deployment(&[]);
    for (path, status) in [("/r/ray%3F", 400), ("/r/9e3550d8ec5c2ab1", 404), ("/ops/payloads", 403), ("/rays", 400)] {
        let reply = visit(&Fakes::new(), &config, signed_in(Ask::get(path), "token of desk"));
        assert_eq!(reply.status, status, "{path}");
        assert!(text(&reply).contains("desk · support"), "{path}");
    }
    let form = text(&visit(&Fakes::new(), &config, signed_in(Ask::get("/rays"), "token of old")));
    assert!(!form.contains("class=\"viewer\""), "no one is signed in");
}

#[test]
fn reason_is_asked_for_without_loss() {
    let config = deployment(&[("API_REASON_ROLES", "support")]);
    let path =
        "/search?start=2026-03-28T00:00:00Z&end=2026-03-29T00:00:00Z&field1=ZoneName&operator1=eq&value1=%22x%22";
    let reply = visit(&Fakes::new(), &config, signed_in(Ask::get(path), "token of desk"));
    let page = text(&reply);
    assert_eq!(reply.status, 400);
    for kept in
        ["name=\"start\" value=\"2026-03-28T00:00:00Z\"", "name=\"value1\" value=\"&quot;x&quot;\"", "name=\"reason\""]
    {
        assert!(page.contains(kept), "{kept} in {page}");
    }
}

#[test]
fn files_are_kept_under_their_hash_alone() {
    let (fakes, config) = (Fakes::new(), deployment(&[]));
    let form = text(&visit(&fakes, &config, Ask::get("/sign-in").without_token()));
    let path = form.split('"').find(|text| text.starts_with("/assets/")).unwrap().to_owned();
    let reply = visit(&fakes, &config, Ask::get(&path).without_token());
    assert_eq!(header(&reply, "cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(header(&reply, "content-type"), Some("text/css; charset=utf-8"));
    let tag = header(&reply, "etag").unwrap().to_owned();
    let again = Ask { if_none_match: Some(tag), ..Ask::get(&path).without_token() };
    assert_eq!(visit(&fakes, &config, again).status, 304);
    let old = visit(&fakes, &config, Ask::get("/assets/0123456789abcdef/page.css").without_token());
    assert_eq!((old.status, header(&old, "cache-control")), (200, Some("no-store")));
}
