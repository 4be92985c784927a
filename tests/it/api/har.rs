//! `format=har`: the requests of a ray and of all that it caused, as an archive with no secret of any role.

use raydex::config::Config;
use raydex::limits::{CALLER_SHARES, HAR_RECORD_NS, WORK_SLICE_NS};
use raydex::memory::MemoryBudget;
use raydex::record::{Dataset, RayId};
use serde_json::{Value, json};

use super::access::{deployment, rule};
use super::plant::Places;
use super::support::Fakes;
use super::support::records::{http, ndjson, ray};
use super::{Ask, Canary, Random, Reply, header, json as body, problem};

const ROLES: [&str; 3] = ["viewer", "support", "forensics"];

/// A caller for each role, whose token is the role's name, and one with a zone.
fn callers() -> Config {
    let zone = rule("zone", &json!({ "zones": ["a.example"] }));
    let roles = ROLES.map(|role| rule(role, &json!({ "role": role })));
    deployment(&roles.into_iter().chain([zone]).collect::<Vec<_>>())
}

fn get(fakes: &Fakes, token: &str, path: &str) -> Reply {
    Ask { authorization: Some(format!("Bearer {token}")), ..Ask::get(path) }.of_deployment(fakes, &Ok(callers()))
}

fn path(number: u64) -> String {
    format!("/v1/rays/{}?format=har", ray(number))
}

/// A record of a ray in a zone, with the milliseconds from the first one to its start.
fn record(number: u64, parent: Option<u64>, after_ms: u64, zone: &str) -> String {
    let begin = 1_774_687_330_000_000_000 + after_ms * 1_000_000;
    json!({
        "RayID": ray(number).to_string(), "ParentRayID": parent.map_or("00".into(), |of| ray(of).to_string()),
        "ZoneName": zone, "ClientIP": "192.0.2.77", "ClientRequestHost": zone, "ClientRequestURI": format!("/{number}"),
        "EdgeStartTimestamp": begin, "EdgeEndTimestamp": begin + 9_000_000, "EdgeTimeToFirstByteMs": 7,
        "EdgeResponseStatus": 200, "OriginIP": "198.51.100.9",
    })
    .to_string()
}

/// A family in several batches: 1 caused 2 and 3, 2 caused 4; 3 is of another zone. Of ray 1 there is also an event.
fn family() -> Fakes {
    let fakes = Fakes::new();
    fakes.index("logs/a", Dataset::HttpRequests, &ndjson([record(4, Some(2), 3, "a.example")]));
    fakes.index("logs/b", Dataset::HttpRequests, &ndjson([record(2, Some(1), 2, "a.example")]));
    let others = [record(3, Some(1), 1, "b.example"), record(1, None, 0, "a.example"), record(9, None, 5, "a.example")];
    fakes.index("logs/c", Dataset::HttpRequests, &ndjson(others));
    let event = format!(r#"{{"RayID":"{}","Action":"block"}}"#, ray(1));
    fakes.index("logs/firewall_events/d", Dataset::FirewallEvents, &ndjson([event]));
    fakes
}

/// The entries of an archive.
fn entries(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    body(reply)["log"]["entries"].as_array().unwrap().clone()
}

/// The numbers of the rays of an archive, in its order.
fn rays(reply: &Reply) -> Vec<u64> {
    let suffix = |entry: &Value| RayId::from_hex(entry["_ray"].as_str().unwrap().as_bytes()).unwrap().suffix();
    entries(reply).iter().map(suffix).collect()
}

#[test]
fn archive_has_the_family_in_time_order() {
    let fakes = family();
    let reply = get(&fakes, "forensics", &path(1));
    assert_eq!(rays(&reply), [1, 3, 2, 4]);
    assert_eq!(rays(&get(&fakes, "forensics", &path(2))), [2, 4]);
    assert_eq!(rays(&get(&fakes, "forensics", &(path(1) + "&subrequests=none"))), [1]);
    assert_eq!(rays(&get(&fakes, "zone", &path(1))), [1, 2, 4]);
    let log = body(&reply)["log"].take();
    assert_eq!((&log["version"], &log["creator"]["name"]), (&json!("1.2"), &json!("raydex")));
    assert_eq!((&log["_truncated"], log["pages"].as_array().unwrap().len()), (&json!(false), 1));
    assert_eq!(log["pages"][0]["startedDateTime"], log["entries"][0]["startedDateTime"]);
    assert!(entries(&reply).iter().all(|entry| entry["pageref"] == log["pages"][0]["id"]));
    let name = format!("attachment; filename=\"{}.har\"", ray(1));
    assert_eq!(header(&reply, "content-disposition"), Some(&*name));
}

#[test]
fn archive_is_asked_for_by_media_type() {
    let fakes = family();
    let (har, json) = ("application/har+json", "application/json");
    let plain = format!("/v1/rays/{}", ray(1));
    for (path, accept, media_type) in [
        (path(1), "", har),
        (path(1), json, har),
        (plain.clone(), har, har),
        (plain.clone(), "application/json;q=0.5, application/har+json", har),
        (plain.clone(), "application/json, application/har+json;q=0.5", json),
        (plain.clone(), "*/*", json),
        (plain + "?format=json", har, json),
    ] {
        let reply = Ask::get(&path).accept(accept).of(&fakes);
        assert_eq!((reply.status, header(&reply, "content-type")), (200, Some(media_type)), "{path} {accept}");
        assert_eq!(body(&reply).get("log").is_some(), media_type == har, "{path} {accept}");
    }
}

#[test]
fn parameters_beside_an_archive_are_refused() {
    for query in [
        "dataset=firewall_events",
        "fields=RayID",
        "timestamps=unix",
        "parts=tree",
        "parts=deliveries",
        "subrequests=merge",
    ] {
        let fakes = family();
        let before = fakes.faults.calls();
        let reply = Ask::get(&format!("{}&{query}", path(1))).of(&fakes);
        assert_eq!(problem(&reply), (400, "bad_parameter".into()), "{query}");
        assert_eq!(fakes.faults.calls(), before, "{query}");
    }
    let fakes = Fakes::new();
    let event = format!(r#"{{"RayID":"{}","Action":"block"}}"#, ray(1));
    fakes.index("logs/firewall_events/d", Dataset::FirewallEvents, &ndjson([event]));
    assert_eq!(problem(&Ask::get(&path(1)).of(&fakes)), (404, "ray_not_found".into()));
}

#[test]
fn no_role_gets_secrets_in_an_archive() {
    let mut random = Random::new(0x4a6);
    let (mut compared, mut planted) = (0, 0);
    for _ in 0..4 {
        let canary = Canary::draw(&mut random);
        let (fakes, mut lines) = (Fakes::new(), Vec::new());
        for (dataset, _, line) in Places::of(&canary, &mut random) {
            let Ok(Value::Object(mut record)) = serde_json::from_str(&line) else { continue };
            if dataset == Dataset::HttpRequests {
                record.insert("RayID".into(), ray(lines.len() as u64).to_string().into());
                lines.push(Value::Object(record).to_string());
            }
        }
        fakes.index("logs/a", Dataset::HttpRequests, &ndjson(&lines));
        for number in (0..lines.len() as u64).step_by(3) {
            let [viewer, support, forensics] = ROLES.map(|role| get(&fakes, role, &path(number)));
            for reply in [&viewer, &support, &forensics] {
                assert_eq!(reply.status, 200);
                let text = format!("{}\n{:?}", String::from_utf8_lossy(&reply.body), reply.headers);
                assert!(!canary.is_in(&text), "{canary:?} of {}", lines[usize::try_from(number).unwrap()]);
            }
            assert_eq!(support.body, forensics.body);
            compared += 1;
            planted += usize::from(canary.is_in(&lines[usize::try_from(number).unwrap()]));
        }
    }
    assert!(compared > 100 && planted * 2 > compared, "{compared} compared, {planted} planted");
}

#[test]
fn addresses_are_those_that_the_role_sees() {
    let fakes = family();
    for (role, client, origin) in [
        ("viewer", "192.0.2.0", "198.51.100.0"),
        ("support", "192.0.2.77", "198.51.100.9"),
        ("forensics", "192.0.2.77", "198.51.100.9"),
    ] {
        let entry = entries(&get(&fakes, role, &path(1)))[0].take();
        assert_eq!((&entry["_clientIPAddress"], &entry["serverIPAddress"]), (&json!(client), &json!(origin)), "{role}");
    }
}

#[test]
fn order_ignores_times_that_are_masked() {
    let order = |first: &str, second: &str| {
        let line = |number: u64, time: &str| {
            let parent = if number == 1 { "00".to_owned() } else { ray(1).to_string() };
            format!(r#"{{"RayID":"{}","ParentRayID":"{parent}","EdgeStartTimestamp":{time}}}"#, ray(number))
        };
        let fakes = Fakes::new();
        let lines = [line(1, "1774687330000000000"), line(2, first), line(3, second)];
        fakes.index("logs/a", Dataset::HttpRequests, &ndjson(lines));
        let reply = get(&fakes, "support", &path(1));
        let times: Vec<Value> = entries(&reply).iter().map(|entry| entry["startedDateTime"].clone()).collect();
        (rays(&reply), times)
    };
    let (_, times) = order("1774687331000000000", "1774687329000000000");
    assert!(times.is_sorted_by_key(Value::to_string), "{times:?}");
    for time in ["\"2026-03-28T08:42:25Z, soon\"", "\"1774687331 4111111111111111\"", "null", "{}"] {
        let (order, times) = order(time, "1774687332000000000");
        assert!(times.is_sorted_by_key(Value::to_string), "{time}: {order:?} {times:?}");
    }
}

#[test]
fn filter_selects_the_entries() {
    let filter = json!({ "where": { "key": "ClientRequestURI", "operator": "eq", "value": "/2" } }).to_string();
    let filter = percent_encoding::utf8_percent_encode(&filter, percent_encoding::NON_ALPHANUMERIC).to_string();
    assert_eq!(rays(&get(&family(), "viewer", &format!("{}&filter={filter}", path(1)))), [2]);
    let none = json!({ "where": { "key": "ClientRequestURI", "operator": "eq", "value": "/none" } }).to_string();
    let none = percent_encoding::utf8_percent_encode(&none, percent_encoding::NON_ALPHANUMERIC).to_string();
    let reply = get(&family(), "viewer", &format!("{}&filter={none}", path(1)));
    assert_eq!((rays(&reply), &body(&reply)["log"]["pages"]), (Vec::new(), &json!([])));
    let hidden = json!({ "where": { "key": "Cookies", "operator": "eq", "value": "x" } }).to_string();
    let hidden = percent_encoding::utf8_percent_encode(&hidden, percent_encoding::NON_ALPHANUMERIC).to_string();
    for role in ROLES {
        let reply = get(&family(), role, &format!("{}&filter={hidden}", path(1)));
        assert_eq!(problem(&reply), (403, "field_masked".into()), "{role}");
    }
}

#[test]
fn unchanged_archive_is_not_sent_again() {
    let fakes = family();
    let ask = |tag: Option<&str>| Ask { if_none_match: tag.map(str::to_owned), ..Ask::get(&path(1)) };
    let tag = header(&ask(None).of(&fakes), "etag").unwrap().to_owned();
    let again = ask(Some(&tag)).of(&fakes);
    assert_eq!((again.status, again.body.len()), (304, 0));
    fakes.index("logs/e", Dataset::HttpRequests, &ndjson([record(5, Some(1), 4, "a.example")]));
    assert_eq!(rays(&ask(Some(&tag)).of(&fakes)), [1, 3, 2, 4, 5]);
}

#[test]
fn long_records_take_reserved_memory_alone() {
    let long = "語".repeat(100_000);
    let line = json!({
        "RayID": ray(1).to_string(), "ClientRequestURI": format!("/?{long}={long}"), "RequestHeaders": { "a": long },
    });
    let mut fakes = Fakes::new();
    fakes.index("logs/a", Dataset::HttpRequests, &ndjson([line.to_string(), http(&ray(1).to_string(), 0)]));
    let (mut answered, mut refused) = (0, 0);
    for megabytes in 1..=48 {
        let bytes = CALLER_SHARES * (megabytes << 20);
        fakes.memory = MemoryBudget::new(bytes);
        let reply = Ask::get(&path(1)).of(&fakes);
        assert!(matches!(reply.status, 200 | 413 | 503), "{megabytes}: {}", reply.status);
        assert_eq!(fakes.memory.available(), bytes, "{megabytes}");
        *(if reply.status == 200 { &mut answered } else { &mut refused }) += 1;
    }
    assert!(answered > 2 && refused > 2, "{answered} answered, {refused} refused");
}

#[test]
fn many_archived_records_let_others_go_first() {
    let fakes = Fakes::new();
    let records = 600;
    fakes.index("logs/a", Dataset::HttpRequests, &ndjson((0..records).map(|number| http(&ray(1).to_string(), number))));
    let before = fakes.turns.get();
    let reply = Ask::get(&path(1)).of(&fakes);
    assert_eq!(entries(&reply).len(), records);
    let slices = records as u64 * HAR_RECORD_NS / WORK_SLICE_NS;
    assert!(slices > 5 && u64::from(fakes.turns.get() - before) >= slices - 1);
}
