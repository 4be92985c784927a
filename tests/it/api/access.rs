//! Every route for every kind of caller.

use raydex::config::Config;
use raydex::router::{CloudflareRoute, ROUTES, Route, RouteSpec};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::story::{KEYS, batch};
use super::support::Fakes;
use super::support::records::{ndjson, ray};
use super::support::world::config_with;
use super::{Ask, Reply, json as body, problem};

/// A token that a deployment lets in.
pub(crate) fn rule(id: &str, more: &serde_json::Value) -> serde_json::Value {
    let mut rule =
        json!({ "id": id, "sha256": hex::encode(Sha256::digest(id)), "scopes": ["read"], "role": "forensics" });
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rule
}

/// A deployment with these tokens; each token is its id.
pub(crate) fn deployment(rules: &[serde_json::Value]) -> Config {
    config_with(&[("API_TOKENS", &serde_json::to_string(rules).unwrap()), ("API_RATE_PER_MINUTE", "0")])
}

/// A caller of the table.
struct Caller {
    token: Option<&'static str>,
    scope: Option<&'static str>,
    /// Only some zones.
    narrow: bool,
}

const SCOPES: [&str; 4] = ["read", "ingest", "deliver", "admin"];
const ROLES: [&str; 3] = ["viewer", "support", "forensics"];

fn callers() -> (Vec<Caller>, Vec<serde_json::Value>) {
    let mut callers = vec![
        Caller { token: None, scope: None, narrow: false },
        Caller { token: Some("wrong"), scope: None, narrow: false },
        Caller { token: Some("expired"), scope: None, narrow: false },
    ];
    let mut rules = vec![rule("expired", &json!({ "scopes": SCOPES, "expires": "2026-03-28T08:42:24Z" }))];
    for scope in SCOPES {
        for role in ROLES {
            for narrow in [false, true] {
                let id: &'static str = format!("{scope}-{role}-{narrow}").leak();
                let zones = if narrow {
                    json!({ "scopes": [scope], "role": role, "zones": ["a.example"] })
                } else {
                    json!({ "scopes": [scope], "role": role })
                };
                rules.push(rule(id, &zones));
                callers.push(Caller { token: Some(id), scope: Some(scope), narrow });
            }
        }
    }
    (callers, rules)
}

/// A request of the row that would be answered.
fn ask(row: &RouteSpec) -> Ask {
    /// A call of a tool that shows records.
    const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"counts","arguments":{"start":"2026-03-28T08:00:00Z"}}}"#;
    let path =
        row.path.replace("{ray}", &ray(1).to_string()).replace("{dataset}", "http_requests").replace("{id}", "1");
    let path =
        path.split('/').map(|piece| if piece.starts_with('{') { "x" } else { piece }).collect::<Vec<_>>().join("/");
    let query = match row.route {
        Route::SearchLogs
        | Route::CountRecords
        | Route::GetCoverage
        | Route::Cloudflare(CloudflareRoute::ReceivedLogs) => "?start=2026-03-28T08:00:00Z&end=2026-03-28T08:42:00Z",
        Route::FindNeighbours => "?by=client",
        _ => "",
    };
    let body = match row.route {
        Route::Cloudflare(_) => r#"{"flag":true}"#,
        Route::IngestBatch => r#"{"ZoneName":"a.example"}"#,
        Route::IngestTraces => EXPORT,
        Route::Mcp => CALL,
        _ => r#"{"reason":"a reason"}"#,
    };
    let ask = Ask { body: body.into(), ..Ask::new(row.method, &format!("{path}{query}")) };
    if row.route == Route::IngestTraces { ask.with_header("content-type", "application/json") } else { ask }
}

/// A span of the zone.
const EXPORT: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736",
    "spanId":"00f067aa0ba902b7","startTimeUnixNano":"1774687330000000000","endTimeUnixNano":"1774687330000000000",
    "attributes":[{"key":"server.address","value":{"stringValue":"a.example"}}]}]}]}]}"#;

/// The routes that answer a caller who is restricted to zones; so do those of Cloudflare's API, but for the list of
/// objects.
const FOR_ZONES: [&str; 12] = [
    "GET /healthz",
    "GET /openapi.json",
    "GET /v1/counts",
    "GET /v1/logs",
    "GET /v1/rays/{a}/diff/{b}",
    "GET /v1/rays/{ray}",
    "GET /v1/rays/{ray}/deliveries",
    "GET /v1/rays/{ray}/neighbours",
    "POST /mcp",
    "POST /v1/ingest/{dataset}",
    "POST /v1/rays",
    "POST /v1/traces",
];

fn is_for_zones(row: &RouteSpec) -> bool {
    let is_list = row.path.ends_with("/logs/list");
    let is_of_others = row.path.starts_with("/client/") || row.path.starts_with("/tempo/");
    FOR_ZONES.contains(&row.name().as_str()) || (is_of_others && !is_list)
}

#[test]
fn health_shows_deliveries_to_those_who_see_totals() {
    let (callers, rules) = callers();
    let config = Ok(deployment(&rules));
    for caller in callers {
        let authorization = caller.token.map(|token| format!("Bearer {token}"));
        let reply = Ask { authorization, ..Ask::get("/healthz") }.of_deployment(&Fakes::new(), &config);
        let sees = !caller.narrow && caller.scope.is_some_and(|scope| scope != "ingest");
        assert_eq!((reply.status, body(&reply).get("delivery").is_some()), (200, sees), "{:?}", caller.token);
    }
}

#[test]
fn every_route_admits_exactly_those_who_may() {
    let (callers, rules) = callers();
    let config = Ok(deployment(&rules));
    let line = format!(r#"{{"RayID":"{}","ZoneName":"a.example","ClientIP":"::1"}}"#, ray(1));
    let (mut in_, mut out, mut none_yet) = (0, 0, true);
    let mut fakes = Fakes::new();
    for (place, row) in ROUTES.iter().enumerate() {
        // A world watches a thousand different denials a minute.
        if place % 25 == 0 {
            (fakes, none_yet) = (Fakes::new(), true);
            batch(&fakes, KEYS[0], &ndjson([line.clone()]), None);
        }
        for caller in &callers {
            let asked = Ask { authorization: caller.token.map(|token| format!("Bearer {token}")), ..ask(row) };
            let (before, entries) = (fakes.faults.calls(), fakes.audits.count());
            let reply = asked.of_deployment(&fakes, &config);
            let what = format!("{} for {:?}", row.name(), caller.token);
            let names = |scope: &str| row.scopes.iter().any(|known| known.name() == scope);
            let expected = match caller.scope {
                _ if row.scopes.is_empty() => None,
                None => Some(401),
                Some(scope) if !names(scope) || (caller.narrow && !is_for_zones(row)) => Some(403),
                Some(_) => None,
            };
            match expected {
                None => {
                    assert!(!matches!(reply.status, 401 | 403), "{what}: {}", reply.status);
                    // A change that was admitted and then refused leaves two.
                    let is_change = row.audited && row.method != "GET" && !row.shows_records();
                    let is_refused = is_change && (400..500).contains(&reply.status);
                    let added = fakes.audits.count() - entries;
                    assert!(added == u64::from(row.audited) || is_refused && added == 2, "{what}: {added}");
                    in_ += 1;
                }
                Some(status) => {
                    assert_eq!(reply.status, status, "{what}");
                    assert_eq!(fakes.faults.calls(), before, "{what}: nothing is asked of the world");
                    // Each of the known callers who is denied leaves an entry, and the first of the unknown ones.
                    let is_known = caller.token.is_some_and(|token| token != "wrong");
                    let is_first = !is_known && std::mem::replace(&mut none_yet, false);
                    assert_eq!(fakes.audits.count() - entries, u64::from(is_known || is_first), "{what}");
                    refused_in_its_own_form(row, &reply);
                    out += 1;
                }
            }
        }
    }
    assert!(in_ > 100 && out > 300, "{in_} {out}");
}

/// Our own routes answer problems, Cloudflare's their envelope, and that of exporters their status.
fn refused_in_its_own_form(row: &RouteSpec, reply: &Reply) {
    if matches!(row.route, Route::Cloudflare(_)) {
        let expected = br#"{"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"messages":[],"result":null}"#;
        assert_eq!(reply.body, expected);
    } else if matches!(row.route, Route::Tempo(_)) {
        assert!(reply.body.ends_with(b".\n"), "{}", String::from_utf8_lossy(&reply.body));
    } else if row.route == Route::IngestTraces {
        assert!(matches!(body(reply)["code"].as_u64(), Some(7 | 16)), "{}", String::from_utf8_lossy(&reply.body));
    } else {
        assert_eq!(problem(reply).0, reply.status);
    }
}

#[test]
fn foreign_zones_ray_looks_like_an_unknown_one() {
    let fakes = Fakes::new();
    let line = |zone: &str, number| format!(r#"{{"RayID":"{}","ZoneName":"{zone}"}}"#, ray(number));
    batch(&fakes, KEYS[0], &ndjson([line("a.example", 1), line("b.example", 2)]), None);
    let config = Ok(deployment(&[rule("a", &json!({ "zones": ["a.example"] }))]));
    let get =
        |path: &str| Ask { authorization: Some("Bearer a".into()), ..Ask::get(path) }.of_deployment(&fakes, &config);
    assert_eq!(get(&format!("/v1/rays/{}", ray(1))).status, 200);
    let (hidden, unknown) = (ray(2).to_string(), ray(3).to_string());
    for path in [
        "/v1/rays/{}",
        "/v1/rays/{}?format=native",
        "/v1/rays/{}?format=explain",
        "/v1/rays/{}?format=har",
        "/v1/rays/{}?format=otlp",
        "/v1/rays/{}/deliveries",
        "/tempo/api/traces/{}",
        "/tempo/api/v2/traces/{}",
        "/client/v4/zones/z/logs/rayids/{}",
    ] {
        let (other, none) = (get(&path.replace("{}", &hidden)), get(&path.replace("{}", &unknown)));
        let body = |reply: &Reply, ray: &str| String::from_utf8(reply.body.clone()).unwrap().replace(ray, "RAY");
        assert_eq!((other.status, &other.headers), (none.status, &none.headers), "{path}");
        assert_eq!(body(&other, &hidden), body(&none, &unknown), "{path}");
    }
}

#[test]
fn a_token_for_one_dataset_gets_no_other() {
    let fakes = Fakes::new();
    let config = Ok(deployment(&[rule("waf", &json!({ "datasets": ["firewall_events"] }))]));
    let get =
        |path: &str| Ask { authorization: Some("Bearer waf".into()), ..Ask::get(path) }.of_deployment(&fakes, &config);
    for query in ["?dataset=http_requests", "?format=csv", "?format=partner", "?format=explain", "?format=har"] {
        let reply = get(&format!("/v1/rays/764660d8ec5c2ab1{query}"));
        assert_eq!(problem(&reply), (403, "other_dataset".into()), "{query}");
    }
    for query in ["", "?format=native", "?dataset=firewall_events"] {
        assert_eq!(problem(&get(&format!("/v1/rays/764660d8ec5c2ab1{query}"))).0, 404, "{query}");
    }
    assert_eq!(problem(&get("/v1/logs?start=2026-03-28T08:00:00Z")), (403, "other_dataset".into()));
}
