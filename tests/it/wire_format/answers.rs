//! Answers of every route but `GET /openapi.json`, whose body is a file of its own: `answers/{route}.txt`, each a request,
//! `<` the status and the headers, and the body. `\x01` is the separator of the partner's columns.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use raydex::router::{ROUTES, RouteSpec, find_route};

use super::api::every_route::{RANGE, ZONE, world};
use super::api::story::KEYS;
use super::api::{Ask, Reply};
use super::support::partner::delivering;
use super::{Fixture, compare};

/// The route whose body is `schemas/openapi.json`.
const OPENAPI: &str = "/openapi.json";

/// The neighbours of a ray that has some.
const NEAR: &str = "/v1/rays/9e35500000000001/neighbours";

/// The path of a route's fixture.
fn path_of(row: &RouteSpec) -> String {
    let letters: String = row.name().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { ' ' }).collect();
    let words: Vec<&str> = letters.split_whitespace().collect();
    format!("answers/{}.txt", words.join("-").to_lowercase())
}

/// The routes that have a fixture.
fn rows() -> impl Iterator<Item = &'static RouteSpec> {
    ROUTES.iter().filter(|row| row.path != OPENAPI)
}

/// A request with its answer.
fn exchange(ask: &Ask, reply: Reply) -> String {
    let query = if ask.query.is_empty() { String::new() } else { format!("?{}", ask.query) };
    let mut text = format!("{} {}{query}\n", ask.method, ask.path);
    if !ask.body.is_empty() {
        writeln!(text, "{}", String::from_utf8_lossy(&ask.body).trim_end()).unwrap();
    }
    writeln!(text, "< {}", reply.status).unwrap();
    for (name, value) in &reply.headers {
        writeln!(text, "< {name}: {value}").unwrap();
    }
    let body = String::from_utf8(reply.body).unwrap().replace('\u{1}', "\\x01");
    writeln!(text, "{body}\n").unwrap();
    text
}

/// The ends of streams, whole and broken off; then the errors of Cloudflare's clients.
fn more() -> Vec<Ask> {
    let logs = |query: &str| Ask::get(&format!("/v1/logs?{RANGE}{query}"));
    vec![
        logs(""),
        logs("&limit=2"),
        logs("&format=csv&fields=RayID,ClientIP&limit=2"),
        logs("&format=partner&limit=1"),
        Ask::get(&format!("/v1/counts?{RANGE}&step=1h&by=ClientRequestHost,EdgeColoCode&top=1&format=json")),
        Ask::get(&format!("/v1/counts?{RANGE}")),
        Ask::get(&format!("/v1/counts?{RANGE}&by=Nowhere")),
        Ask::get(&format!("{NEAR}?by=client&within=60m&limit=2")),
        Ask::get(&format!("{NEAR}?by=client&within=60m&limit=1&fields=RayID,Nowhere&format=ndjson")),
        Ask::get(&format!("{NEAR}?by=path")),
        Ask::get(&format!("{ZONE}/received?start=2026-03-28T08:00:00Z")),
        Ask::get(&format!("{ZONE}/rayids/!")),
        Ask::get("/v1/rays/9e35500000000fff"),
        assistant(
            "initialize",
            r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}}"#,
        ),
        assistant("tools/call", r#"{"name":"ray","arguments":{"ray":"9e35500000000001"}}"#),
        assistant("tools/call", r#"{"name":"why_not_found","arguments":{"ray":"9e35500000000fff"}}"#),
        assistant("tools/call", r#"{"name":"deliveries","arguments":{"ray":"9e35500000000001"}}"#),
        assistant("tools/call", r#"{"name":"search","arguments":{"start":"2026-03-28T08:00:00Z","limit":2}}"#),
        assistant(
            "tools/call",
            r#"{"name":"counts","arguments":{"start":"2026-03-28T08:00:00Z","by":["ClientRequestHost"]}}"#,
        ),
        assistant("tools/call", r#"{"name":"ray","arguments":{}}"#),
    ]
}

/// A message of an assistant.
fn assistant(method: &str, params: &str) -> Ask {
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
    let mut ask = Ask::new("POST", "/mcp");
    ask.body = body.into();
    ask
}

pub(super) fn fixtures() -> Vec<Fixture> {
    let (fakes, asks) = world();
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let mut add = |ask: Ask, reply: Reply| {
        let (row, _) = find_route(&ask.method, &ask.path).unwrap();
        if row.path != OPENAPI {
            texts.entry(path_of(row)).or_default().push_str(&exchange(&ask, reply));
        }
    };
    for ask in asks.into_iter().chain(more()) {
        let reply = ask.clone().of_deployment(&fakes, &Ok(delivering(&[])));
        add(ask, reply);
    }
    for is_there in [true, false] {
        fakes.bucket.store(KEYS[0], b"\x1f\x8b\x08\0not gzip");
        if !is_there {
            fakes.bucket.delete(KEYS[0]);
        }
        for path in [format!("/v1/logs?{RANGE}"), format!("{ZONE}/received?{RANGE}")] {
            let ask = Ask::get(&path);
            let reply = ask.clone().of(&fakes);
            add(ask, reply);
        }
    }
    texts.into_iter().map(|(path, text)| Fixture::new(path, text)).collect()
}

#[test]
fn answers_match_their_fixtures() {
    compare(&fixtures());
}

#[test]
fn every_route_has_an_answer() {
    let made: BTreeSet<String> = fixtures().into_iter().map(|fixture| fixture.path).collect();
    assert_eq!(made, rows().map(path_of).collect());
}
