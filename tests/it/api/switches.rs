//! What a request says is obeyed or refused, on every route: unknown parameters, repeated ones, times that cannot be.

use std::collections::BTreeSet;

use raydex::router::{ROUTES, Route, RouteSpec, find_route};
use serde_json::json;

use super::every_route::world;
use super::support::{Fakes, NOW_MS};
use super::{Ask, Reply, header, json as body, problem, without_trailer};

/// Rows of raydex's own API; the other two routes take no parameters and read none.
fn is_own(row: &RouteSpec) -> bool {
    !matches!(row.route, Route::Cloudflare(_) | Route::Tempo(_) | Route::GetOpenApi | Route::GetHealth)
}

/// The same request with more in its query.
fn with(ask: &Ask, more: &str) -> Ask {
    let query = if ask.query.is_empty() { more.to_owned() } else { format!("{}&{more}", ask.query) };
    Ask { query, ..ask.clone() }
}

#[test]
fn unknown_parameters_are_refused_on_own_routes() {
    let (fakes, asks) = world();
    let mut seen = BTreeSet::new();
    for ask in asks {
        let (row, _) = find_route(&ask.method, &ask.path).unwrap();
        if !is_own(row) {
            continue;
        }
        seen.insert(row.name());
        for more in ["CVE-2021-44228=true", "novel=1", "novel", "=1", "Start=1", "dry_run=true&dry_run=true"] {
            let before = (fakes.everything(), fakes.faults.calls());
            let reply = with(&ask, more).untyped().of(&fakes);
            assert_eq!(problem(&reply), (400, "unknown_parameter".into()), "{} {more}", row.name());
            let hint = body(&reply)["hint"].as_str().unwrap().to_owned();
            let takes = if row.parameters.is_empty() { "none".into() } else { row.parameters.join(", ") };
            assert_eq!(hint, format!("It accepts: {takes}."), "{}", row.name());
            assert_eq!((fakes.everything(), fakes.faults.calls()), before, "{} {more}", row.name());
        }
    }
    assert_eq!(seen, ROUTES.iter().filter(|row| is_own(row)).map(RouteSpec::name).collect());
}

#[test]
fn repeated_parameters_are_refused_on_every_route() {
    let (fakes, asks) = world();
    let mut seen = BTreeSet::new();
    for ask in asks {
        let (row, _) = find_route(&ask.method, &ask.path).unwrap();
        for name in row.parameters {
            seen.insert((row.name(), *name));
            // Equal values, and an escaped name: what is given twice is never guessed at.
            let spelled = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
            let before = (fakes.everything(), fakes.faults.calls());
            let reply = Ask { query: format!("{name}=1&{spelled}=1"), ..ask.clone() }.of(&fakes);
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            assert!(reply.status == 400 && text.contains(name) && text.contains("more than once"), "{text}");
            if matches!(row.route, Route::Tempo(_)) {
                assert_eq!(header(&reply, "content-type"), Some("text/plain; charset=utf-8"), "{} {name}", row.name());
            } else if is_own(row) || row.route == Route::GetHealth {
                assert_eq!(problem(&reply).1, "repeated_parameter", "{} {name}", row.name());
            } else if row.path.contains("/zones/") {
                assert_eq!(text, format!("bad query: error parsing {name}: must not be given more than once\n"));
            } else {
                assert_eq!(body(&reply)["errors"][0]["code"], 1_001, "{} {name}", row.name());
            }
            assert_eq!((fakes.everything(), fakes.faults.calls()), before, "{} {name}", row.name());
        }
    }
    let all = ROUTES.iter().flat_map(|row| row.parameters.iter().map(|name| (row.name(), *name)));
    assert_eq!(seen, all.collect());
}

#[test]
fn every_parameter_of_a_route_is_read() {
    let (fakes, asks) = world();
    let mut seen = BTreeSet::new();
    for ask in asks {
        let (row, _) = find_route(&ask.method, &ask.path).unwrap();
        for name in row.parameters {
            seen.insert((row.name(), *name));
            // A query that is being written is no error.
            if *name == "q" && row.path.ends_with("/values") {
                continue;
            }
            // Any text but this one may be the name of a field.
            let value = if ["fields", "by"].contains(name) { "," } else { "!" };
            let others = ask.query.split('&').filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(*name));
            let query = others.map(str::to_owned).chain([format!("{name}={value}")]).collect::<Vec<_>>().join("&");
            let status = Ask { query, ..ask.clone() }.of(&fakes).status;
            assert!(matches!(status, 400 | 404), "{} {name}: {status}", row.name());
        }
    }
    let all = ROUTES.iter().flat_map(|row| row.parameters.iter().map(|name| (row.name(), *name)));
    assert_eq!(seen, all.collect());
}

#[test]
fn routes_of_others_pass_over_what_they_ignore() {
    let (fakes, asks) = world();
    for ask in asks {
        let (row, _) = find_route(&ask.method, &ask.path).unwrap();
        if matches!(row.route, Route::Cloudflare(_) | Route::Tempo(_)) {
            assert_eq!(with(&ask, "novel=1&novel=2&page=3").of(&fakes).status, 200, "{}", row.name());
        }
    }
}

#[test]
fn uploads_take_the_parameters_that_become_headers() {
    let upload = Ask::upload(b"{}\n");
    let reply = with(&upload, "header_Authorization=Bearer%20x&header_X-Y=1").of(&Fakes::new());
    assert_eq!(reply.status, 200);
    assert_eq!(problem(&with(&upload, "header=1").of(&Fakes::new())), (400, "unknown_parameter".into()));
}

/// Each time that no range begins with, its code, and what the words must say.
const NO_TIMES: [(&str, &str, &str); 12] = [
    ("yesterday", "bad_time", "must be RFC 3339"),
    ("", "bad_time", "must be RFC 3339"),
    ("2026-03-28", "bad_time", "must be RFC 3339"),
    ("-1", "bad_time", "is before 1970"),
    ("1969-12-31T23:59:59Z", "bad_time", "is before 1970"),
    ("1", "bad_time", "its unit is unclear"),
    ("177468014512", "bad_time", "its unit is unclear"),
    ("9999999999", "bad_time", "is after 2262-04-11"),
    ("9223372036854775808", "bad_time", "is after 2262-04-11"),
    ("9999-12-31T23:59:59Z", "bad_time", "is after 2262-04-11"),
    ("2026-03-28T08:42:26Z", "range_in_future", "in the future"),
    ("4102444800", "range_in_future", "in the future"),
];

#[test]
fn impossible_times_have_their_own_words() {
    assert_eq!(raydex::time::rfc3339(NOW_MS), "2026-03-28T08:42:25.000Z");
    for route in ["logs", "counts", "coverage"] {
        for (start, code, words) in NO_TIMES {
            let reply = Ask::get(&format!("/v1/{route}?start={start}&end=2026-03-29T00:00:00Z")).of(&Fakes::new());
            assert_eq!(problem(&reply), (400, code.into()), "{route} {start}");
            assert!(body(&reply)["detail"].as_str().unwrap().contains(words), "{route} {start}");
        }
        for (query, code) in [
            ("end=2026-03-28T08:00:00Z", "missing_parameter"),
            ("start=2026-03-28T08:00:00Z&end=2026-03-28T08:00:00Z", "empty_range"),
            ("start=2026-03-28T08:00:00Z&end=0", "empty_range"),
            ("start=2026-03-28T08:00:00Z&end=1", "bad_time"),
            ("start=2026-03-28T08:00:00Z&end=99999999999", "bad_time"),
        ] {
            let reply = Ask::get(&format!("/v1/{route}?{query}")).of(&Fakes::new());
            assert_eq!(problem(&reply), (400, code.into()), "{route} {query}");
        }
    }
}

#[test]
fn zero_is_the_beginning_of_all_logs() {
    let (fakes, _) = world();
    let lines = |start: &str| {
        let reply = Ask::get(&format!("/v1/logs?start={start}&end=2026-03-28T09:00:00Z")).of(&fakes);
        assert_eq!((reply.status, header(&reply, "content-type")), (200, Some("application/x-ndjson")));
        without_trailer(&reply.body)
    };
    let all = lines("2026-03-28T08:00:00Z");
    assert_eq!(String::from_utf8_lossy(&all).lines().count(), 8);
    for start in ["0", "0.0", "1970-01-01T00:00:00Z", "2000-01-01T00:00:00Z"] {
        assert_eq!(lines(start), all, "{start}");
    }
    // A week is the most that coverage answers, so that it says so.
    assert_eq!(problem(&Ask::get("/v1/coverage?start=0").of(&fakes)), (400, "range_too_long".into()));
}

#[test]
fn a_backfill_takes_the_times_of_a_range() {
    let start = |start: &serde_json::Value, end: &serde_json::Value| -> Reply {
        let sent = json!({ "start": start, "end": end, "deliver": false }).to_string();
        Ask { body: sent.into(), ..Ask::new("POST", "/v1/backfills") }.of(&Fakes::new())
    };
    let end = json!("2026-03-28T08:00:00Z");
    for (time, code, words) in NO_TIMES.into_iter().filter(|(_, code, _)| *code == "bad_time") {
        let reply = start(&json!(time), &end);
        assert_eq!(problem(&reply), (400, code.into()), "{time}");
        assert!(body(&reply)["detail"].as_str().unwrap().contains(words), "{time}");
        assert_eq!(problem(&start(&json!(0), &json!(time))), (400, code.into()), "{time}");
    }
    assert_eq!(problem(&start(&json!(1), &end)), (400, "bad_time".into()));
    assert_eq!(problem(&start(&json!(-1.5), &end)), (400, "bad_time".into()));
    assert_eq!(problem(&start(&end, &end)), (400, "empty_range".into()));
    assert_eq!(problem(&start(&json!([0]), &end)), (400, "not_a_backfill".into()));
    // A year is the most, so that it says so.
    assert_eq!(problem(&start(&json!(0), &end)), (400, "range_too_long".into()));
}
