//! Every route of the table answers, and in the form that the document describes (`Ask::of` holds each reply against
//! it).

use std::collections::BTreeSet;

use raydex::config::Config;
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::ledger::ids::REGISTRY;
use raydex::ledger::registry::DeadLetter;
use raydex::limits::OPERATION_BODY_MAX;
use raydex::router::{ROUTES, Route, find_route};

use super::story::{KEYS, batch, batch_of, deliver, park, records, wish};
use super::support::partner::delivering;
use super::support::records::ray;
use super::support::world::{config, config_with};
use super::support::{Fakes, Fault, Kind};
use super::{Ask, header, json};

pub(crate) const ZONE: &str = "/client/v4/zones/z/logs";
const ACCOUNT: &str = "/client/v4/accounts/a/logs";
/// A range that holds the records of the world.
pub(crate) const RANGE: &str = "start=2026-03-28T08:00:00Z&end=2026-03-28T09:00:00Z";

/// A question for each route by which other tools connect.
fn connected_asks(ray: &str) -> Vec<Ask> {
    let listed = br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#.to_vec();
    let exported = Ask { body: br#"{"resourceSpans":[]}"#.to_vec(), ..Ask::new("POST", "/v1/traces") };
    vec![
        Ask { body: listed, ..Ask::new("POST", "/mcp") },
        exported.with_header("content-type", "application/json"),
        Ask::get(&format!("/v1/rays/{ray}?format=otlp")),
        Ask::get("/tempo/api/echo"),
        Ask::get("/tempo/api/status/buildinfo"),
        Ask::get(&format!("/tempo/api/traces/{ray}")),
        Ask::get(&format!("/tempo/api/v2/traces/0000000000000000{ray}?start=1774684800&end=1774688400")),
        Ask::get(&format!("/tempo/api/search?q=%7B%7D&limit=2&{RANGE}")),
        Ask::get("/tempo/api/search/tags?scope=resource"),
        Ask::get("/tempo/api/v2/search/tags?scope=intrinsic"),
        Ask::get(&format!("/tempo/api/search/tag/service.name/values?{RANGE}")),
        Ask::get(&format!("/tempo/api/v2/search/tag/resource.service.name/values?{RANGE}")),
    ]
}

/// A question for each route about erasures.
fn erasure_asks() -> [Ask; 3] {
    let wanted = br#"{"by":"ray","values":["9e35500000000fff"],"reason":"why not"}"#.to_vec();
    [Ask { body: wanted, ..Ask::new("POST", "/v1/erasures") }, Ask::get("/v1/erasures"), Ask::get("/v1/erasures/1")]
}

/// The body that asks for the rays of an hour to be indexed.
fn indexed_range() -> String {
    format!(r#"{{"start":"2026-03-28T08:00:00Z","end":"2026-03-28T09:00:00Z","bucket":"{BUCKET_NAME}"}}"#)
}

/// A world with one of everything, and a question for each route.
pub(crate) fn world() -> (Fakes, Vec<Ask>) {
    let fakes = Fakes::new();
    let ids = batch(&fakes, KEYS[0], &records(0..8), Some(wish()));
    deliver(&fakes, &ids[0]);
    ids[1..].iter().for_each(|id| park(&fakes, id));
    batch(&fakes, "logs/damaged.log.gz", b"\x1f\x8bdamaged", None);
    let (queue, body) = ("send-queue".into(), serde_json::to_string(&ids[1]).unwrap());
    fakes.ledgers.ask(REGISTRY, &DeadLetter { queue, message: "m".into(), body, attempts: 1, code: "gave_up".into() });
    let aside = fakes.kept("logs/damaged.log.gz").batch.unwrap().id;
    let payload = |place: usize, what| Ask::post(&format!("/v1/payloads/{}/{what}", ids[place].handle()), "why not");
    let sent = |path: &str, body: &str| Ask { body: body.into(), ..Ask::new("POST", path) };
    let (ray, bucket) = (ray(1), format!("bucket={BUCKET_NAME}"));
    let indexed = indexed_range();
    let asks = vec![
        Ask::get(&format!("/v1/rays/{ray}/deliveries")),
        Ask::get(&format!("/v1/rays/{ray}")),
        Ask::get(&format!("/v1/rays/{ray}?format=native&fields=RayID")),
        Ask::get(&format!("/v1/rays/{ray}?format=partner")),
        Ask::get(&format!("/v1/rays/{ray}?format=csv&timestamps=unix")),
        Ask::get(&format!("/v1/rays/{ray}?format=explain")),
        Ask::get(&format!("/v1/rays/{ray}?format=har")),
        Ask::get(&format!("/v1/rays/{ray}/diff/{}", super::support::records::ray(2))),
        Ask::get(&format!("/v1/rays/{ray}/neighbours?by=client&within=60s&limit=2")),
        sent("/v1/rays", &format!(r#"{{"rays":["{ray}","9e35500000000fff","!"]}}"#)),
        Ask::get(&format!("/v1/logs?{RANGE}")),
        Ask::get(&format!("/v1/counts?{RANGE}&step=30s&by=EdgeResponseStatus")),
        Ask::get(&format!("/v1/coverage?{RANGE}")),
        Ask::upload(b"{}\n"),
        Ask::upload(br#"{"content":"tests"}"#),
        Ask::get("/v1/stats"),
        Ask::get("/v1/batches"),
        sent("/v1/batches", &format!(r#"{{"key":"{}"}}"#, KEYS[0])),
        Ask::get(&format!("/v1/batches/{}", batch_of(&ids[0]))),
        Ask::post(&format!("/v1/batches/{aside}/replay"), "why not"),
        Ask::get("/v1/payloads?state=parked&code=permanent"),
        sent("/v1/payloads/decide", r#"{"decision":"confirm","code":"permanent","dry_run":true}"#),
        payload(0, "resend"),
        payload(1, "release"),
        payload(2, "drop"),
        payload(3, "confirm"),
        sent("/v1/partner/try", ""),
        sent("/v1/backfills", r#"{"start":"2026-03-27T00:00:00Z","end":"2026-03-28T00:00:00Z","deliver":false}"#),
        Ask::get("/v1/backfills"),
        Ask::get("/v1/backfills/1"),
        sent("/v1/backfills/1/stop", ""),
        sent("/v1/backfills/1/resume", ""),
        Ask::get("/v1/dead-letters"),
        Ask::post("/v1/dead-letters/1/redrive", "why not"),
        Ask::get("/v1/dead-letters?redriven=true"),
        Ask::post("/v1/dead-letters/1/dismiss", "why not"),
        Ask::get("/v1/dead-letters?redriven=true&dismissed=true"),
        Ask::get("/v1/tokens"),
        sent("/v1/tokens", r#"{"id":"desk","scopes":["read"],"role":"support"}"#),
        Ask::post("/v1/tokens/desk/revoke", "why not"),
        Ask::get("/v1/audit"),
        Ask::get("/v1/costs"),
        Ask::get("/metrics"),
        Ask::get("/openapi.json"),
        Ask::get("/healthz"),
        Ask::get(&format!("{ZONE}/received?{RANGE}")),
        Ask::get(&format!("{ZONE}/received/fields")),
        Ask::get(&format!("{ZONE}/rayids/{ray}?fields=RayID,ClientIP&timestamps=rfc3339")),
        Ask::get(&format!("{ZONE}/rayids/9e35500000000fff")),
        Ask::get(&format!("{ZONE}/control/retention/flag")),
        sent(&format!("{ZONE}/control/retention/flag"), r#"{"flag":true}"#),
        Ask::get(&format!("{ACCOUNT}/list?{RANGE}&{bucket}&prefix=logs/http_requests/%7BDATE%7D")),
        Ask::get(&format!("{ACCOUNT}/retrieve?{RANGE}&{bucket}")),
        sent(&format!("{ACCOUNT}/rayids/index"), &indexed),
        Ask::get(&format!("{ACCOUNT}/rayids/{ray}?{bucket}")),
    ];
    (fakes, asks.into_iter().chain(erasure_asks()).chain(connected_asks(&ray.to_string())).collect())
}

#[test]
fn every_route_answers_with_success() {
    let (fakes, asks) = world();
    let mut answered = BTreeSet::new();
    for ask in asks {
        let (row, _) = find_route(&ask.method, &ask.path).unwrap();
        let what = format!("{} {}?{}", ask.method, ask.path, ask.query);
        let reply = ask.of_deployment(&fakes, &Ok(delivering(&[])));
        assert!(matches!(reply.status, 200..=202), "{what}: {}", String::from_utf8_lossy(&reply.body));
        answered.insert(row.name());
    }
    assert_eq!(answered, ROUTES.iter().map(raydex::router::RouteSpec::name).collect());
}

#[test]
fn unchanged_answer_is_not_sent_again() {
    let (fakes, asks) = world();
    let ask = asks[1].clone();
    let tag = header(&ask.clone().of(&fakes), "etag").unwrap().to_owned();
    let again = Ask { if_none_match: Some(tag), ..ask }.of(&fakes);
    assert_eq!((again.status, again.body.len()), (304, 0));
}

#[test]
fn every_route_says_so_where_the_world_fails() {
    for place in 0..world().1.len() {
        let (fakes, asks) = world();
        let ask = asks[place].clone();
        let (row, _) = find_route(&ask.method, &ask.path).unwrap();
        fakes.faults.plan(None, 0, Fault::Fails);
        let reply = ask.of(&fakes);
        // What asks nothing of the world is answered all the same.
        let expected: &[u16] = match row.route {
            Route::GetOpenApi | Route::GetHealth => &[200],
            // The first call is the body's, and the test upload asks for nothing else.
            Route::IngestBatch => &[200, 400, 503],
            _ if row.method == "POST" => &[400, 503],
            _ => &[503],
        };
        assert!(expected.contains(&reply.status), "{}: {}", row.name(), reply.status);
    }
}

#[test]
fn every_route_reports_missing_settings_and_rate_limits() {
    let (fakes, asks) = world();
    let hasty = Ok(config_with(&[("API_RATE_PER_MINUTE", "1")]));
    let missing = Config::read(|_| None);
    while Ask::get("/v1/stats").of_deployment(&fakes, &hasty).status == 200 {}
    for ask in asks {
        let (row, _) = find_route(&ask.method, &ask.path).unwrap();
        let answered = ask.clone().of_deployment(&fakes, &missing);
        assert_eq!(answered.status, 503, "{}", row.name());
        let is_free = row.scopes.is_empty() || matches!(row.route, Route::IngestBatch | Route::IngestTraces);
        let limited = ask.of_deployment(&fakes, &hasty);
        assert_eq!(limited.status, if is_free { 200 } else { 429 }, "{}", row.name());
    }
}

#[test]
fn cloudflare_clients_get_errors_in_their_form() {
    let (fakes, _) = world();
    let range = "start=2026-03-28T08:00:00Z&end=2026-03-28T09:00:00Z";
    let post = |path: String, body: &str| Ask { body: body.into(), ..Ask::new("POST", &path) };
    let large = "x".repeat(OPERATION_BODY_MAX + 1);
    for (ask, status) in [
        (Ask::get(&format!("{ZONE}/received")), 400),
        (Ask::get(&format!("{ZONE}/received?{range}&count=0")), 400),
        (Ask::get(&format!("{ZONE}/received?{range}&sample=2")), 400),
        (Ask::get(&format!("{ZONE}/received?{range}&timestamps=x")), 400),
        (Ask::get(&format!("{ZONE}/rayids/!")), 400),
        (Ask::get(&format!("{ZONE}/rayids/{}?fields=,", ray(1))), 400),
        (Ask::get("/client/v4/zones/z/what"), 404),
        (Ask::new("DELETE", &format!("{ZONE}/received")), 405),
        (post(format!("{ZONE}/control/retention/flag"), r#"{"flag":false}"#), 400),
        (post(format!("{ZONE}/control/retention/flag"), "what"), 400),
        (post(format!("{ZONE}/control/retention/flag"), &large), 413),
        (Ask::get(&format!("{ACCOUNT}/list?bucket={BUCKET_NAME}")), 400),
        (Ask::get(&format!("{ACCOUNT}/list?{range}&bucket={BUCKET_NAME}&limit=x")), 400),
        (Ask::get(&format!("{ACCOUNT}/list?{range}&bucket=other")), 404),
        (Ask::get(&format!("{ACCOUNT}/retrieve?{range}&bucket={BUCKET_NAME}&prefix=other/")), 404),
        (post(format!("{ACCOUNT}/rayids/index"), "{}"), 400),
        (Ask::get(&format!("{ACCOUNT}/rayids/!?bucket={BUCKET_NAME}")), 400),
        (Ask::get(&format!("{ACCOUNT}/rayids/{}", ray(1))), 404),
    ] {
        let what = format!("{} {}?{}", ask.method, ask.path, ask.query);
        let reply = ask.of(&fakes);
        assert_eq!(reply.status, status, "{what}");
        let is_words = reply.body.starts_with(b"bad query: ");
        assert!(is_words || json(&reply)["success"] == false, "{what}: {}", String::from_utf8_lossy(&reply.body));
    }
}

#[test]
fn unreadable_batch_is_reported_alike_to_every_client() {
    for path in [
        format!("/v1/rays/{}", ray(1)),
        format!("/v1/rays/{}/deliveries", ray(1)),
        format!("{ZONE}/rayids/{}", ray(1)),
        format!("{ACCOUNT}/rayids/{}?bucket={BUCKET_NAME}", ray(1)),
    ] {
        let (fakes, _) = world();
        fakes.bucket.delete(KEYS[0]);
        assert_eq!(Ask::get(&path).of(&fakes).status, 502, "{path}");
        let (fakes, _) = world();
        fakes.faults.plan(Some(Kind::GetRange), 0, Fault::Fails);
        assert_eq!(Ask::get(&path).of_deployment(&fakes, &Ok(config())).status, 503, "{path}");
    }
}
