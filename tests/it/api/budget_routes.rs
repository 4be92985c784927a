//! What a spent budget refuses, and what every answer says of it.

use raydex::services::IsolateMemory;
use raydex::time::DAY_MS;
use serde_json::{Value, json};

use super::budgets::{cost_of, lookup, with_budget, world};
use super::generate::Store;
use super::random::Random;
use super::story::records;
use super::support::records::ray;
use super::support::{Fakes, NOW_MS};
use super::{Ask, Reply, header, json as body};

#[test]
fn routes_that_show_records_are_refused() {
    let (fakes, config) = (world(), with_budget("0"));
    let tool = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "ray", "arguments": { "ray": ray(1).to_string() } } });
    let asks = [
        Ask::get("/v1/logs?start=-1h"),
        Ask::get(&format!("/v1/rays/{}/deliveries", ray(1))),
        Ask::get("/client/v4/zones/a/logs/rayids/x"),
        Ask::get(&format!("/tempo/api/v2/traces/{}", ray(1))),
        Ask::get("/tempo/api/search"),
        Ask::get("/v1/counts?start=-1h"),
        lookup(),
    ];
    for ask in asks {
        let fresh = Fakes { isolate: IsolateMemory::default(), ..fakes.clone() };
        let what = format!("{ask:?}");
        let reply = ask.of_deployment(&fresh, &config);
        assert_eq!(reply.status, 429, "{what}");
        assert!(header(&reply, "raydex-budget").unwrap().starts_with("budget=0.00, spent=0.00"), "{what}");
    }
    let fresh = Fakes { isolate: IsolateMemory::default(), ..fakes.clone() };
    let reply = message(&tool).of_deployment(&fresh, &config);
    assert!(String::from_utf8_lossy(&reply.body).contains("daily_budget_spent"), "a tool shows records");
    assert!(header(&reply, "raydex-budget").is_some());
    assert_eq!(cost_of(&fakes, "main").map_or(0, |counted| counted.requests), 0, "what is denied costs nothing");
}

fn message(message: &Value) -> Ask {
    let ask = Ask { body: message.to_string().into_bytes(), ..Ask::new("POST", "/mcp") };
    ask.with_header("content-type", "application/json").with_header("accept", "application/json, text/event-stream")
}

#[test]
fn operators_are_let_in_without_a_budget() {
    let (fakes, config) = (world(), with_budget("0"));
    let made = json!({ "id": "desk", "scopes": ["read"], "role": "viewer", "daily_budget": "0" });
    let creation = Ask { body: made.to_string().into(), ..Ask::new("POST", "/v1/tokens") };
    let revoke = Ask { body: br#"{"reason":"x"}"#.to_vec(), ..Ask::new("POST", "/v1/tokens/desk/revoke") };
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {} });
    let asks = [
        (Ask::get("/v1/stats"), 200),
        (Ask::get("/v1/audit"), 200),
        (Ask::get("/metrics"), 200),
        (Ask::get("/v1/costs"), 200),
        (Ask::get("/healthz"), 200),
        (Ask::get("/v1/batches"), 200),
        (Ask::get("/v1/payloads"), 200),
        (creation, 201),
        (Ask::get("/v1/tokens"), 200),
        (revoke, 200),
        (message(&list), 200),
        (Ask::upload(&records(3..5)), 200),
    ];
    // Also where the isolate refuses lookups by itself.
    assert_eq!(lookup().of_deployment(&fakes, &config).status, 429);
    let mut requests = 0;
    for (ask, status) in asks {
        let what = format!("{ask:?}");
        let is_health = what.contains("healthz");
        let reply = ask.of_deployment(&fakes, &config);
        assert_eq!(reply.status, status, "{what}: {}", String::from_utf8_lossy(&reply.body));
        assert!(is_health || header(&reply, "raydex-budget").unwrap().contains("spent="), "{what}");
        requests += 1;
        assert_eq!(cost_of(&fakes, "main").unwrap().requests, requests, "{what} is counted");
    }
}

#[test]
fn every_answer_says_the_budget() {
    let (fakes, config) = (world(), with_budget("1"));
    let budget = |reply: &Reply| header(reply, "raydex-budget").map(|said| said.starts_with("budget=1.00, spent=0.0"));
    let unknown = Ask::get(&format!("/v1/rays/{}", ray(77))).of_deployment(&fakes, &config);
    assert_eq!((unknown.status, budget(&unknown)), (404, Some(true)));
    let bad = Ask::get("/v1/logs?start=x").of_deployment(&fakes, &config);
    assert_eq!((bad.status, budget(&bad)), (400, Some(true)));
    let tempo = Ask::get(&format!("/tempo/api/traces/{}", ray(77))).of_deployment(&fakes, &config);
    assert_eq!((tempo.status, budget(&tempo)), (404, Some(true)));
    let upload = Ask::upload(&records(3..5)).of_deployment(&fakes, &config);
    assert_eq!((upload.status, budget(&upload)), (200, Some(true)));
    for (ask, status) in [
        (Ask::get("/v1/nowhere"), 404),
        (Ask::get("/tempo/nowhere"), 404),
        (Ask::get("/client/v4/nowhere"), 404),
        (Ask::new("DELETE", "/v1/stats"), 405),
        (Ask::new("DELETE", "/v1/tokens"), 405),
        (Ask::get("/v1/traces"), 405),
    ] {
        let what = format!("{ask:?}");
        let stranger = Ask::new(&ask.method, &ask.path).by("stranger").of_deployment(&fakes, &config);
        let reply = ask.of_deployment(&fakes, &config);
        assert_eq!((reply.status, budget(&reply)), (status, Some(true)), "{what}");
        assert_eq!((stranger.status, budget(&stranger)), (status, None), "no caller is known: {what}");
    }
    let health = Ask::get("/healthz").of_deployment(&fakes, &config);
    assert_eq!((health.status, budget(&health)), (200, None));
    let free = lookup().of(&fakes);
    assert_eq!((free.status, budget(&free)), (200, None), "nor has every caller a budget");
}

#[test]
fn each_refusal_says_what_is_spent_now() {
    let (fakes, config) = (world(), with_budget("0.000004"));
    let said = |reply: &Reply| header(reply, "raydex-budget").unwrap().to_owned();
    while lookup().of_deployment(&fakes, &config).status == 200 {}
    let first = said(&lookup().of_deployment(&fakes, &config));
    // What shows no records is let in, and costs.
    for _ in 0..20 {
        assert_eq!(Ask::get("/v1/audit").of_deployment(&fakes, &config).status, 200);
    }
    let stats = said(&Ask::get("/v1/stats").of_deployment(&fakes, &config));
    let refused = lookup().of_deployment(&fakes, &config);
    assert_eq!(refused.status, 429);
    let spent = |said: &str| -> f64 {
        said.split("spent=").nth(1).and_then(|rest| rest.split(',').next()).unwrap().parse().unwrap()
    };
    let now = said(&refused);
    assert!(spent(&now) >= spent(&stats) && spent(&stats) > spent(&first), "{first}, {stats}, {now}");
    let detail = body(&refused)["detail"].as_str().unwrap().to_owned();
    let words = now.split("spent=").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
    assert!(detail.contains(&format!("has cost {words}")), "{detail} {now}");
}

#[test]
fn tempo_search_ends_where_its_budget_does() {
    let mut store = Store::random(&mut Random::new(71), 8, 40);
    let (start, end) = (super::generate::start_ms() - 2 * super::generate::PREFIX_MS, NOW_MS);
    let path = format!("/tempo/api/search?limit=100&start={}&end={}", start / 1_000, end / 1_000);
    let asked = |fakes: &Fakes, budget: &str| Ask::get(&path).of_deployment(fakes, &with_budget(budget));
    let traces = |reply: &Reply| body(reply)["traces"].as_array().unwrap().len();
    let full = asked(&store.fakes, "1");
    assert_eq!((full.status, traces(&full)), (200, 100));
    // What the isolate did not report counts on the next day.
    store.fakes.isolate = IsolateMemory::default();
    store.fakes.clock_ms.set(NOW_MS + DAY_MS);
    let partial = asked(&store.fakes, "0.000003");
    assert_eq!((partial.status, header(&partial, "raydex-truncated")), (200, Some("true")));
    assert_eq!(traces(&partial), 100);
    assert_eq!(body(&partial)["metrics"]["completedJobs"], 0);
    assert_eq!(asked(&store.fakes, "0.000003").status, 429, "nothing was done");
}
