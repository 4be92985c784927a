//! Random questions over all routes and formats.

use std::fmt::Write as _;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::time::rfc3339;
use serde_json::json;

use super::super::mcp::call;
use super::world::{SPAN_MS, START_MS};
use super::{Ask, Random, World, random_ray};

const FILTERS: [&str; 7] = [
    r#"{"where":{"key":"EdgeResponseStatus","operator":"eq","value":404}}"#,
    r#"{"where":{"key":"ClientIP","operator":"eq","value":"192.0.2.3"}}"#,
    r#"{"where":{"key":"ClientIP","operator":"in","value":"192.0.2.0/30,2001:db8::/32"}}"#,
    r#"{"where":{"key":"ClientRequestHost","operator":"eq","value":"b.example"}}"#,
    r#"{"where":{"key":"ZoneName","operator":"startsWith","value":"b"}}"#,
    r#"{"where":{"key":"Hidden_Field","operator":"eq","value":"x"}}"#,
    r#"{"where":{"or":[{"key":"EdgeResponseStatus","operator":"lt","value":300},{"key":"Our_Field","operator":"eq","value":1}]}}"#,
];

/// A question about a world.
pub(super) fn question(random: &mut Random, world: &World) -> Ask {
    match random.below(21) {
        0..=5 => lookup(random, world),
        6 => Ask::get(&format!("/v1/rays/{}/deliveries", any_ray(random, world))),
        7 if random.chance(500) => diff(random, world),
        7 => neighbours(random, world),
        8 | 9 => many(random, world),
        10..=13 => logs(random),
        14 | 15 => counts(random),
        16 => small(random, world),
        17 => assistant(random, world),
        _ => cloudflare(random, world),
    }
}

/// A ray that one sees, one that is hidden, or one that is nowhere.
fn any_ray(random: &mut Random, world: &World) -> String {
    let known = if random.chance(400) { &world.hidden } else { &world.ours };
    if known.is_empty() || random.chance(200) {
        return random_ray(random, START_MS + SPAN_MS / 2);
    }
    random.of(known).clone()
}

fn maybe(random: &mut Random, query: &mut String, name: &str, values: &[&str]) {
    if random.chance(250) {
        let value = *random.of(values);
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
        write!(query, "&{name}={value}").unwrap();
    }
}

/// The parameters that lookups and searches have in common.
fn view(random: &mut Random, query: &mut String) {
    maybe(random, query, "dataset", &["http_requests", "http_requests", "firewall_events", "dns_logs"]);
    maybe(random, query, "filter", &FILTERS);
    maybe(
        random,
        query,
        "fields",
        &["RayID,ClientIP", "Hidden_Field", "Our_Field,ZoneName,Nowhere", "ClientRequestHost"],
    );
    maybe(random, query, "timestamps", &["unix", "rfc3339", "unixnano"]);
    // The partner's columns are fixed.
    let formats = ["json", "native", "csv", "partner"];
    let most = if query.contains("fields") || query.contains("timestamps") { 3 } else { 4 };
    maybe(random, query, "format", &formats[..most]);
}

fn lookup(random: &mut Random, world: &World) -> Ask {
    let mut query = String::new();
    view(random, &mut query);
    maybe(random, &mut query, "subrequests", &["list", "merge", "none", "all"]);
    maybe(random, &mut query, "parts", &["records", "tree"]);
    maybe(random, &mut query, "depth", &["0", "1"]);
    if random.chance(100) {
        query = format!("&format={}", random.of(&["explain", "har"]));
        maybe(random, &mut query, "filter", &FILTERS);
    }
    let ask = Ask::get(&format!("/v1/rays/{}?{}", any_ray(random, world), query.trim_start_matches('&')));
    if random.chance(100) { Ask { if_none_match: Some("*".into()), ..ask } } else { ask }
}

fn diff(random: &mut Random, world: &World) -> Ask {
    let mut query = String::new();
    maybe(random, &mut query, "dataset", &["http_requests", "firewall_events", "dns_logs"]);
    let (a, b) = (any_ray(random, world), any_ray(random, world));
    Ask::get(&format!("/v1/rays/{a}/diff/{b}?{}", query.trim_start_matches('&')))
}

fn neighbours(random: &mut Random, world: &World) -> Ask {
    let mut query = format!("by={}", random.of(&["client", "client", "status", "path", "page"]));
    maybe(random, &mut query, "within", &["1s", "60s", "20m", "60m", "1h"]);
    maybe(random, &mut query, "dataset", &["http_requests", "firewall_events", "dns_logs"]);
    maybe(random, &mut query, "fields", &["RayID,ClientIP", "Hidden_Field", "Our_Field,ZoneName,Nowhere"]);
    maybe(random, &mut query, "limit", &["1", "3", "500", "501"]);
    maybe(random, &mut query, "format", &["json", "ndjson"]);
    Ask::get(&format!("/v1/rays/{}/neighbours?{query}", any_ray(random, world)))
}

/// What an assistant asks. A search of one is a search, whose cursors others follow.
fn assistant(random: &mut Random, world: &World) -> Ask {
    let (range, ray) =
        (json!({ "start": rfc3339(START_MS), "end": rfc3339(START_MS + SPAN_MS) }), any_ray(random, world));
    let with = |mut asked: serde_json::Value, name: &str, value: serde_json::Value| {
        asked[name] = value;
        asked
    };
    match random.below(5) {
        0 => call("ray", &json!({ "ray": ray })),
        1 => {
            call("ray", &json!({ "ray": ray, "subrequests": "list", "fields": ["RayID", "Hidden_Field", "Our_Field"] }))
        }
        2 => call("why_not_found", &json!({ "ray": ray })),
        3 => call("deliveries", &json!({ "ray": ray })),
        _ => call("counts", &with(range, "by", json!([random.of(&["ClientRequestHost", "Hidden_Field", "ZoneName"])]))),
    }
}

fn many(random: &mut Random, world: &World) -> Ask {
    let mut query = String::new();
    maybe(random, &mut query, "dataset", &["http_requests", "firewall_events"]);
    maybe(random, &mut query, "filter", &FILTERS);
    maybe(random, &mut query, "fields", &["RayID", "Hidden_Field,Our_Field"]);
    let rays: Vec<String> = (0..=random.below(8)).map(|_| any_ray(random, world)).collect();
    let body = json!({ "rays": rays }).to_string().into_bytes();
    Ask { body, ..Ask::new("POST", &format!("/v1/rays?{}", query.trim_start_matches('&'))) }
}

fn range(random: &mut Random) -> String {
    let start = START_MS - 60_000 + random.between(0, SPAN_MS) * random.between(0, 2);
    let end = start + *random.of(&[60_000, SPAN_MS / 2, SPAN_MS, 2 * SPAN_MS, 2 * SPAN_MS]);
    format!("start={}&end={}", rfc3339(start), rfc3339(end))
}

fn logs(random: &mut Random) -> Ask {
    let mut query = range(random);
    view(random, &mut query);
    maybe(random, &mut query, "sample", &["0.5", "0.1", "1"]);
    maybe(random, &mut query, "limit", &["1", "2", "7", "1000"]);
    maybe(random, &mut query, "summary", &["false"]);
    Ask::get(&format!("/v1/logs?{query}"))
}

fn counts(random: &mut Random) -> Ask {
    let mut query = range(random);
    maybe(random, &mut query, "dataset", &["http_requests", "firewall_events", "dns_logs"]);
    maybe(random, &mut query, "filter", &FILTERS);
    maybe(random, &mut query, "step", &["1", "30s", "5m", "1h"]);
    maybe(random, &mut query, "format", &["json", "ndjson"]);
    let fields = ["EdgeResponseStatus", "ClientIP,ZoneName", "ZoneName", "Our_Field", "Hidden_Field,Nowhere", "RayID"];
    if random.chance(800) {
        write!(query, "&by={}", random.of(&fields)).unwrap();
        maybe(random, &mut query, "top", &["1", "3", "1000"]);
    }
    Ask::get(&format!("/v1/counts?{query}"))
}

/// Routes whose answers are short, or not for everyone.
fn small(random: &mut Random, world: &World) -> Ask {
    let key = world.keys().nth(random.below(3)).unwrap_or_default().to_owned();
    match random.below(12) {
        0 => Ask::get("/healthz"),
        1 => Ask::get("/openapi.json"),
        2 | 3 => Ask::get(&format!(
            "/v1/coverage?{}&dataset={}",
            range(random),
            random.of(&["http_requests", "firewall_events"])
        )),
        4 => Ask::get("/v1/stats"),
        5 | 6 => Ask::get(&format!("/v1/batches?limit={}", 1 + random.below(4))),
        7 => Ask::get("/metrics"),
        8 => Ask::get("/v1/dead-letters"),
        9 => Ask::get("/v1/backfills"),
        10 => Ask { body: json!({ "key": key }).to_string().into_bytes(), ..Ask::new("POST", "/v1/batches") },
        _ => Ask::get("/v1/audit"),
    }
}

fn cloudflare(random: &mut Random, world: &World) -> Ask {
    let zone = random.of(&["a.example", "b.example", "023e105f"]);
    let (zone, account) = (format!("/client/v4/zones/{zone}/logs"), "/client/v4/accounts/x/logs");
    let prefix = random.of(&["", "&prefix=logs/http_requests/%7BDATE%7D", "&prefix=logs/firewall_events"]);
    let (range, ray) = (range(random), any_ray(random, world));
    match random.below(9) {
        0 | 1 => Ask::get(&format!("{zone}/received?{range}&count={}", 1 + random.below(30))),
        2 => Ask::get(&format!("{zone}/received?{range}&sample=0.5&fields=RayID,ZoneName,Hidden_Field")),
        3 => Ask::get(&format!("{zone}/received/fields")),
        4 => Ask::get(&format!("{zone}/rayids/{ray}?timestamps=rfc3339")),
        5 => Ask::get(&format!("{zone}/control/retention/flag")),
        6 => Ask::get(&format!("{account}/retrieve?{range}&bucket={BUCKET_NAME}{prefix}")),
        7 => Ask::get(&format!("{account}/list?{range}&bucket={BUCKET_NAME}{prefix}")),
        _ => Ask::get(&format!("{account}/rayids/{ray}?bucket={BUCKET_NAME}{prefix}")),
    }
}
