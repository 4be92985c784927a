//! The switches of Cloudflare's clients: `CVE-2021-44228`, and positions from before there were logs.

use serde_json::{Value, json};

use super::access::{deployment, rule};
use super::every_route::ZONE;
use super::story::batch;
use super::support::records::{PREFIX, http, ndjson};
use super::support::world::config_with;
use super::support::{Fakes, NOW_MS};
use super::{Ask, Reply};
use raydex::config::Config;
use raydex::record::RayId;

const CASE: &[u8] = include_bytes!("../../fixtures/cases/33-cve-2021-44228-redaction/batch.log.gz");
const KEY: &str = "logs/http_requests/20261122/20261122T081000Z_20261122T081030Z_aa.log.gz";
const FIELDS: &str = "fields=RayID,ClientRequestURI,ClientRequestUserAgent,ClientRequestReferer";

fn text(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).unwrap()
}

/// Whether a value of the answer holds a lookup, however it is spelled.
fn has_lookup(reply: &Reply) -> bool {
    let mut lines = text(reply).lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.any(|line| line.as_object().unwrap().values().any(|value| value.to_string().contains("${")))
}

/// The routes that return records, each with a query but for the switch.
fn routes() -> (Fakes, Vec<String>) {
    let fakes = Fakes::new();
    let now_ms = 1_795_335_360_000;
    fakes.clock_ms.set(now_ms);
    batch(&fakes, KEY, CASE, None);
    let (account, bucket) = ("/client/v4/accounts/a/logs", "bucket=cdn-logs-raw&prefix=logs/");
    let range = format!("start={}&end={}", now_ms - 3_600_000, now_ms);
    let routes = vec![
        format!("{ZONE}/received?{range}&{FIELDS}"),
        format!("{ZONE}/rayids/a5e675fd0f189aa6?{FIELDS}"),
        format!("{account}/retrieve?{range}&{bucket}"),
        format!("{account}/rayids/a5e675fd0f189aa6?{bucket}"),
    ];
    (fakes, routes)
}

#[test]
fn safety_switch_is_obeyed_on_every_route() {
    let (fakes, routes) = routes();
    for path in routes {
        let get = |switch: &str| Ask::get(&format!("{path}&{switch}")).of(&fakes);
        for on in ["true", "TRUE", "True", "1", "t"] {
            for name in ["CVE-2021-44228", "cve-2021-44228", "CVE%2D2021-44228"] {
                let reply = get(&format!("{name}={on}"));
                assert!(reply.status == 200 && !has_lookup(&reply), "{path} {name} {on}: {}", text(&reply));
                assert!(text(&reply).contains("x{jndi:ldap://198.51.100.1/a}x{x{lower:j}ndi}"), "{path} {on}");
            }
        }
        let stored = get("novel=1");
        assert!(has_lookup(&stored));
        for off in ["false", "FALSE", "0", "f"] {
            assert_eq!(get(&format!("CVE-2021-44228={off}")), stored, "{path} {off}");
        }
    }
}

#[test]
fn safety_switch_is_refused_where_not_understood() {
    let (fakes, routes) = routes();
    for path in routes {
        for switch in
            ["CVE-2021-44228=", "CVE-2021-44228", "CVE-2021-44228=yes", "cve-2021-44228=on", "CVE-2021-44228=2"]
        {
            let reply = Ask::get(&format!("{path}&{switch}")).of(&fakes);
            let words = "error parsing CVE-2021-44228: must be true or false";
            assert_eq!(reply.status, 400, "{path} {switch}");
            let expected = if path.starts_with(ZONE) { format!("bad query: {words}\n") } else { format!("{words}.") };
            assert!(text(&reply).contains(&expected), "{path} {switch}: {}", text(&reply));
        }
        let both = Ask::get(&format!("{path}&CVE-2021-44228=true&cve-2021-44228=false")).of(&fakes);
        assert!(both.status == 400 && text(&both).contains("more than once"), "{path}: {}", text(&both));
    }
}

const EARLY: &str = "bad query: error parsing time: invalid time range: too early: logs older than ";

/// The answer of Logpull to a start so many seconds ago.
fn received(fakes: &Fakes, token: &str, config: &Config, ago_s: i64) -> Reply {
    let (start, end) = (NOW_MS / 1_000 - ago_s, NOW_MS / 1_000);
    let ask = Ask::get(&format!("{ZONE}/received?start={start}&end={end}"));
    Ask { authorization: Some(format!("Bearer {token}")), ..ask }.of_deployment(fakes, &Ok(config.clone()))
}

#[test]
fn start_before_the_retention_is_too_early() {
    let config = config_with(&[("LOG_RETENTION_DAYS", "7")]);
    let week = 7 * 86_400;
    let at = |ago| received(&Fakes::new(), super::TOKEN, &config, ago);
    // The clock goes on while the request is answered.
    assert_eq!(at(week - 1).status, 200);
    let reply = at(week + 1);
    assert_eq!((reply.status, text(&reply)), (400, format!("{EARLY}168h0m0s are not available\n").as_str()));
    let since_ever = Ask::get(&format!("{ZONE}/received?start=0&end=2026-03-28T08:00:00Z"));
    let reply = since_ever.clone().of_deployment(&Fakes::new(), &Ok(config));
    assert!(reply.status == 400 && text(&reply).starts_with(EARLY), "{}", text(&reply));
    assert_eq!(since_ever.of(&Fakes::new()).status, 200, "nothing is known of a retention");
}

#[test]
fn start_before_the_first_record_is_too_early() {
    let fakes = Fakes::new();
    // The first record is of about a day ago.
    let back = 132;
    let record = http(&RayId::from_parts(PREFIX - back, 7).to_string(), 0);
    batch(&fakes, "logs/first.log.gz", &ndjson([record]), None);
    let first_s = RayId::prefix_start_ns(PREFIX - back) / 1_000_000_000;
    let age_s = (NOW_MS - RayId::prefix_start_ns(PREFIX - back) / 1_000_000) / 1_000;
    assert!(age_s > 86_400 && first_s > 0);
    let zone = rule("zone", &json!({ "zones": ["a.example"] }));
    let config = deployment(&[rule("all", &json!({})), zone]);
    let day = 86_400;
    assert_eq!(received(&fakes, "all", &config, age_s).status, 200);
    assert_eq!(received(&fakes, "all", &config, age_s + day - 1).status, 200, "a client may be behind by a day");
    let reply = received(&fakes, "all", &config, age_s + day + 2);
    let age = format!("{}h{}m{}s", age_s / 3_600, age_s / 60 % 60, age_s % 60);
    assert_eq!((reply.status, text(&reply)), (400, format!("{EARLY}{age} are not available\n").as_str()));
    // The first record may be of a zone that the caller does not see.
    assert_eq!(received(&fakes, "zone", &config, 400 * day).status, 200);
    assert_eq!(received(&Fakes::new(), "all", &config, 400 * day).status, 200, "there is no first record");
}

#[test]
fn times_that_cannot_be_are_told_to_clients() {
    let account = "/client/v4/accounts/a/logs";
    for (time, words) in [
        ("-1", "is before 1970"),
        ("177468014512", "its unit is unclear"),
        ("9223372036854775808", "is after 2262-04-11"),
        ("9999-12-31T23:59:59Z", "is after 2262-04-11"),
    ] {
        for (name, range) in [
            ("start", format!("start={time}&end=2026-03-28T08:00:00Z")),
            ("end", format!("start=2026-03-28T08:00:00Z&end={time}")),
        ] {
            let reply = Ask::get(&format!("{ZONE}/received?{range}")).of(&Fakes::new());
            assert!(
                reply.status == 400 && text(&reply).starts_with(&format!("bad query: error parsing {name} time: "))
            );
            assert!(text(&reply).contains(words), "{time}: {}", text(&reply));
            for route in ["list", "retrieve"] {
                let reply = Ask::get(&format!("{account}/{route}?{range}&bucket=cdn-logs-raw")).of(&Fakes::new());
                assert!(reply.status == 400 && text(&reply).contains(&format!("The time {name} ")), "{}", text(&reply));
                assert!(text(&reply).contains(words), "{time}: {}", text(&reply));
            }
        }
    }
}
