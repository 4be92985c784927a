//! Memory that runs out: every route in every form, at every point of its answer.

use std::cell::Cell;
use std::rc::Rc;

use raydex::backend::{BackendError, ByteStream};
use raydex::limits::{CALLER_SHARES, MEMORY_BUDGET, REQUEST_BYTES, STREAM_BYTES};
use raydex::memory::MemoryBudget;
use raydex::router::{Route, answer_request, find_route};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::access::deployment;
use super::every_route::{RANGE, world};
use super::support::bucket::MemoryBody;
use super::support::world::{TOKEN, config, config_with};
use super::support::{Fakes, run};
use super::{Ask, Reply, header, problem, without_trailer};

/// A question for each route, and for each form of those that have several.
fn asks() -> (Fakes, Vec<Ask>) {
    let (fakes, mut asks) = world();
    for format in ["json", "native", "partner", "csv"] {
        asks.push(Ask::get(&format!("/v1/logs?{RANGE}&format={format}")));
        asks.push(Ask::get(&format!("/v1/rays/{}?format={format}", super::support::records::ray(1))));
    }
    let explain = Ask::get(&format!("/v1/rays/{}?format=explain", super::support::records::ray(1)));
    asks.push(explain.accept("text/plain"));
    asks.push(Ask::get(&format!("/v1/rays/{}?format=har", super::support::records::ray(1))));
    asks.push(Ask::get(&format!("/v1/logs?{RANGE}&fields=RayID,ClientIP&timestamps=unix")));
    asks.push(Ask::get(&format!("/v1/counts?{RANGE}&format=json&by=RayID,ClientIP")));
    let neighbours = format!("/v1/rays/{}/neighbours?by=client&format=ndjson", super::support::records::ray(1));
    asks.push(Ask::get(&neighbours));
    asks.push(Ask::get("/v1/audit?format=ndjson"));
    (fakes, asks)
}

/// Budgets from none to enough, close together where a request's base amount ends.
fn budgets() -> impl Iterator<Item = usize> {
    let shares = (0..24).map(|step| REQUEST_BYTES + step * 4 * 1024).chain((17..=24).map(|bits| 1 << bits));
    [0, REQUEST_BYTES / 2].into_iter().chain(shares).map(|share| share * CALLER_SHARES)
}

/// The answer with so much memory in all, none of which is kept.
fn answer(fakes: &Fakes, ask: &Ask, bytes: usize) -> Reply {
    let mut fakes = fakes.clone();
    fakes.memory = MemoryBudget::new(bytes);
    let reply = ask.clone().of_deployment(&fakes, &Ok(config_with(&[("API_RATE_PER_MINUTE", "0")])));
    assert_eq!(fakes.memory.available(), bytes, "{} {} keeps memory", ask.method, ask.path);
    reply
}

/// Whether a route answers in the form of Cloudflare's API.
fn is_client(name: &str) -> bool {
    name.contains("/client/v4/")
}

#[test]
fn every_form_of_every_route_survives_exhaustion() {
    let (fakes, asks) = asks();
    for ask in asks {
        let (row, _) = find_route(&ask.method, &ask.path).unwrap();
        let what = format!("{} {}?{}", ask.method, ask.path, ask.query);
        let mut refused = 0;
        for bytes in budgets() {
            let reply = answer(&fakes, &ask, bytes);
            match reply.status {
                503 => assert!(header(&reply, "retry-after").is_some(), "{what} with {bytes}"),
                413 if ask.path.starts_with("/tempo/") || ask.path == "/v1/traces" => {
                    assert!(!reply.body.is_empty(), "{what}: {bytes}");
                }
                413 => assert!(is_client(&row.name()) || problem(&reply).1 == "answer_too_large", "{what}: {bytes}"),
                // A change that was made before is refused the next time.
                status => assert!(matches!(status, 200..=202 | 404 | 409 | 422), "{what} with {bytes}: {status}"),
            }
            refused += usize::from(matches!(reply.status, 413 | 503));
        }
        // That the Worker is up is said without memory.
        assert!(refused >= 1 || row.route == Route::GetHealth, "{what}: its base amount alone does not fit");
        assert!(!matches!(answer(&fakes, &ask, MEMORY_BUDGET).status, 413 | 503), "{what}");
    }
}

#[test]
fn request_without_room_is_refused_before_any_call() {
    let (fakes, asks) = asks();
    for ask in asks.into_iter().filter(|ask| ask.path != "/healthz") {
        let calls = fakes.faults.calls();
        let reply = answer(&fakes, &ask, REQUEST_BYTES - 1);
        assert_eq!((reply.status, fakes.faults.calls() - calls), (503, 0), "{} {}", ask.method, ask.path);
        assert_eq!(header(&reply, "retry-after"), Some("1"));
    }
}

#[test]
fn request_futures_fit_into_its_base_amount() {
    let (fakes, _) = world();
    let request = raydex::http::HttpRequest {
        method: "GET".to_owned(),
        path: "/v1/logs".to_owned(),
        query: String::new(),
        headers: http::HeaderMap::new(),
        body: MemoryBody::new(Vec::new(), vec![1], &fakes.faults),
    };
    let (config, services) = (Ok(config()), Rc::new(fakes));
    let bytes = size_of_val(&answer_request(&config, &services, request));
    assert!(bytes < REQUEST_BYTES / 2, "{bytes}");
}

/// A body that breaks after so many bytes, when it sees what is held for it.
struct StallingBody {
    pieces: Vec<Vec<u8>>,
    memory: MemoryBudget,
    held: Rc<Cell<usize>>,
}

impl ByteStream for StallingBody {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, BackendError> {
        self.held.set(MEMORY_BUDGET - self.memory.available());
        self.pieces.pop().map(Some).ok_or_else(|| BackendError::new("reading a body", "it stalls"))
    }
}

#[test]
fn upload_holds_little_until_it_sends_more() {
    const KIB: usize = 1024;
    for (sent, most) in
        [(0, 0), (KIB, 4 * KIB), (60 * KIB, 200 * KIB), (100 * KIB, 700 * KIB), (600 * KIB, 1_500 * KIB)]
    {
        let (fakes, held) = (Fakes::new(), Rc::<Cell<usize>>::default());
        let bytes = [&[0x1f, 0x8b][..], &vec![0x5a; sent]].concat();
        let mut pieces: Vec<Vec<u8>> = bytes.chunks(20 * KIB).map(<[u8]>::to_vec).collect();
        pieces.reverse();
        let request = raydex::http::HttpRequest {
            method: "POST".to_owned(),
            path: "/v1/ingest/http_requests".to_owned(),
            query: String::new(),
            headers: [(http::header::AUTHORIZATION, format!("Bearer {TOKEN}").parse().unwrap())].into_iter().collect(),
            body: StallingBody { pieces, memory: fakes.memory.clone(), held: held.clone() },
        };
        let reply = run(answer_request(&Ok(config()), &Rc::new(fakes.clone()), request));
        assert_eq!((reply.status, fakes.memory.available()), (400, MEMORY_BUDGET));
        assert!(held.get() <= REQUEST_BYTES + KIB + most, "{} after {sent}", held.get());
    }
}

#[test]
fn long_queries_count_more_than_once() {
    let (fakes, _) = world();
    let ask = |bytes: usize| Ask::get(&format!("/v1/stats?ledgers=1&x={}", "x".repeat(bytes))).of(&fakes);
    let others = fakes.memory.reservation();
    others.reserve(MEMORY_BUDGET - REQUEST_BYTES - 20_000).unwrap();
    assert_eq!((ask(100).status, ask(16_000).status), (400, 503), "the parameter is unknown");
}

/// A deployment with two callers, and a question of each.
fn two_callers() -> (Fakes, Result<raydex::config::Config, Vec<raydex::config::ConfigFault>>, [Ask; 2]) {
    let hash = |token: &str| hex::encode(Sha256::digest(token));
    let token = |id: &str| json!({ "id": id, "sha256": hash(id), "scopes": ["read"], "role": "viewer", "scans": 64 });
    let config = Ok(deployment(&[token("ann"), token("bob")]));
    let ask = |id: &str| Ask { authorization: Some(format!("Bearer {id}")), ..Ask::get(&format!("/v1/logs?{RANGE}")) };
    (world().0, config, ["ann", "bob"].map(ask))
}

#[test]
fn one_callers_streams_leave_others_their_memory() {
    let (fakes, config, [ann, bob]) = two_callers();
    let mut held = Vec::new();
    let refused = loop {
        let reply = ann.clone().begin(&fakes, &config);
        if reply.status != 200 {
            break reply;
        }
        held.push(reply);
        assert!(held.len() <= MEMORY_BUDGET / CALLER_SHARES / STREAM_BYTES, "more than a share");
    };
    assert_eq!(refused.status, 503);
    assert!(held.len() > 10, "{}", held.len());
    assert_eq!(bob.clone().of_deployment(&fakes, &config).status, 200);
    assert!(fakes.memory.available() >= MEMORY_BUDGET - MEMORY_BUDGET / CALLER_SHARES);
    drop((held, refused));
    assert_eq!(fakes.memory.available(), MEMORY_BUDGET);
    assert_eq!(ann.of_deployment(&fakes, &config).status, 200);
}

#[test]
fn stream_out_of_memory_ends_with_a_cursor() {
    let (fakes, _) = world();
    let whole = without_trailer(&Ask::get(&format!("/v1/logs?{RANGE}")).of(&fakes).body);
    let whole: Vec<&str> = std::str::from_utf8(&whole).unwrap().lines().collect();
    let ask = Ask::get(&format!("/v1/logs?{RANGE}"));
    // The first cursor makes the key of cursors.
    Ask::get(&format!("/v1/logs?{RANGE}&limit=1")).of(&fakes);
    let mut ended_early = 0;
    for extra in (0..256).step_by(8) {
        let share = REQUEST_BYTES + 3_000 + STREAM_BYTES + extra * 1024;
        let reply = answer(&fakes, &ask, CALLER_SHARES * share);
        if reply.status != 200 {
            continue;
        }
        let mut lines: Vec<&str> = std::str::from_utf8(&reply.body).unwrap().lines().collect();
        let trailer: Value = serde_json::from_str(lines.pop().unwrap()).unwrap();
        let trailer = &trailer["raydex"];
        assert_eq!(lines, whole[..lines.len()], "what was sent is whole");
        if trailer["error"].is_null() {
            assert_eq!(lines.len(), whole.len());
            continue;
        }
        ended_early += 1;
        let cursor = trailer["cursor"].as_str().unwrap();
        let rest = Ask::get(&format!("/v1/logs?{RANGE}&cursor={cursor}")).of(&fakes);
        let rest = without_trailer(&rest.body);
        let rest = std::str::from_utf8(&rest).unwrap().lines();
        assert_eq!(lines.into_iter().chain(rest).collect::<Vec<_>>(), whole);
    }
    assert!(ended_early > 0, "no budget was exhausted in a stream");
}
