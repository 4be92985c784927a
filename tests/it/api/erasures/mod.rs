//! Erasures: no answer shows an erased line, whatever failed on the way, in whatever isolate; what is not erased stays as it is.

mod accounts;
mod rewriting;

use raydex::config::{Config, ConfigFault};
use raydex::ledger::erasures::ReadErasureRules;
use raydex::ledger::ids::REGISTRY;
use raydex::limits::ERASURES_KEPT;
use raydex::record::Dataset;
use raydex::rpc;
use raydex::services::IsolateMemory;
use serde_json::{Value, json};

use super::chains::{DESKS, deployment};
use super::every_route::{RANGE, ZONE};
use super::story::{KEYS, batch, wish};
use super::support::gzip::gunzip_each;
use super::support::partner::delivering;
use super::support::records::{http, marked, ndjson, ray};
use super::support::world::config_with;
use super::support::{Fakes, Fault, Kind, run};
use super::{Ask, Reply, json as body, problem, without_trailer};

/// What an erased line has, and no other.
const CANARY: &str = "canary/1.0";
/// The address of erased lines alone.
const ADDRESS: &str = "203.0.113.77";
/// The folder of the firewall's batches.
const FIREWALL: &str = "logs/firewall_events/20260328/20260328T084200Z_20260328T084225Z_fa.log.gz";

/// A record whose ray is to be erased, or which is to be erased otherwise.
fn erased_record(id: &str) -> String {
    http(id, 4).replacen('{', &format!(r#"{{"ClientRequestUserAgent":"{CANARY}","#), 1).replace("192.0.2.1", ADDRESS)
}

/// The lines of the batch of requests; those that are to be erased are left out without `with`.
fn requests(with: bool) -> Vec<u8> {
    let child = format!(r#"{{"RayID":"{}","ParentRayID":"{}","ClientRequestUserAgent":"{CANARY}"}}"#, ray(20), ray(3));
    let merged = format!(
        r#"{{"RayID":"{}","ClientRequestUserAgent":"x","Subrequests":[{}]}}"#,
        ray(21),
        erased_record(&ray(3).to_string())
    );
    let erased = [erased_record(&ray(3).to_string()), child, merged];
    let kept = (0..8).filter(|number| *number != 3).map(|number| http(&ray(number).to_string(), 4));
    ndjson(kept.chain(erased.into_iter().filter(|_| with)))
}

fn world(with: bool) -> Fakes {
    let fakes = Fakes::new();
    batch(&fakes, KEYS[0], &requests(with), None);
    let event = marked(
        Dataset::FirewallEvents,
        &format!(
            r#"{{"RayID":"{}","Action":"block","Datetime":"2026-03-28T08:42:01Z","ClientRequestUserAgent":"{CANARY}"}}"#,
            ray(3)
        ),
    );
    let other = event.replace(&ray(3).to_string(), &ray(4).to_string()).replace(CANARY, "x");
    batch(&fakes, FIREWALL, &ndjson([Some(event).filter(|_| with), Some(other)].into_iter().flatten()), None);
    fakes
}

/// An erasure with this body, whose reason is given.
fn erase(wanted: &Value) -> Ask {
    let mut wanted = wanted.clone();
    wanted["reason"] = "request 4711".into();
    Ask { body: wanted.to_string().into_bytes(), ..Ask::new("POST", "/v1/erasures") }
}

/// The three ways to erase the same lines.
fn ways() -> [Value; 3] {
    let (start, end) = ("2026-03-28T08:00:00Z", "2026-03-28T08:42:25Z");
    [
        json!({ "by": "ray", "values": [ray(3).to_string(), format!("{}-SJC", ray(20))] }),
        json!({ "by": "field", "field": "ClientRequestUserAgent", "values": [CANARY], "start": start, "end": end }),
        json!({ "by": "address", "values": [format!("::ffff:{ADDRESS}")], "start": start, "end": end }),
    ]
}

/// Questions that would show the erased lines.
fn questions() -> Vec<Ask> {
    let (asked, other) = (ray(3), ray(2));
    let mut asks: Vec<Ask> = [
        "",
        "?format=native",
        "?format=partner",
        "?format=csv",
        "?format=explain",
        "?format=har",
        "?format=otlp",
        "?parts=records,tree",
        "?parts=deliveries",
    ]
    .iter()
    .flat_map(|query| [asked, ray(20), ray(21)].map(|ray| Ask::get(&format!("/v1/rays/{ray}{query}"))))
    .collect();
    let filter = "filter=%7B%22where%22%3A%7B%22key%22%3A%22ClientRequestUserAgent%22%2C%22operator%22%3A%22contains%22%2C%22value%22%3A%22a%22%7D%7D";
    asks.extend([
        Ask::get(&format!("/v1/rays/{asked}/deliveries")),
        Ask::get(&format!("/v1/rays/{asked}/diff/{other}")),
        Ask::get(&format!("/v1/rays/{other}/neighbours?within=600s&fields=RayID,ClientIP,ClientRequestUserAgent")),
        Ask {
            body: json!({ "rays": [asked.to_string(), other.to_string()] }).to_string().into(),
            ..Ask::new("POST", "/v1/rays")
        },
        Ask::get(&format!("/v1/logs?{RANGE}")),
        Ask::get(&format!("/v1/logs?{RANGE}&dataset=firewall_events")),
        Ask::get(&format!("/v1/logs?{RANGE}&{filter}")),
        Ask::get(&format!("/v1/counts?{RANGE}&by=ClientRequestUserAgent")),
        Ask::get(&format!("/v1/counts?{RANGE}&by=ClientIP")),
        Ask::get(&format!("{ZONE}/received?{RANGE}&fields=RayID,ClientIP,ClientRequestUserAgent")),
        Ask::get(&format!("{ZONE}/rayids/{asked}")),
        Ask::get(&format!("/tempo/api/traces/{asked}")),
        Ask::get(&format!("/tempo/api/search?q=%7B%7D&{RANGE}")),
        Ask::get("/v1/batches"),
        Ask::get("/v1/erasures"),
        Ask::get("/v1/erasures/1"),
    ]);
    asks
}

/// What the answer to a question says of the erased lines, beside the ray that it was asked for.
fn told(ask: &Ask, reply: &Reply) -> Vec<&'static str> {
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    let is_asked =
        ask.path.contains(&ray(3).to_string()) || String::from_utf8_lossy(&ask.body).contains(&ray(3).to_string());
    let id: &'static str = "9e35500000000003";
    [CANARY, ADDRESS, id].into_iter().filter(|word| text.contains(word) && !(is_asked && *word == id)).collect()
}

/// Pages that would show the erased lines.
fn pages() -> [Ask; 3] {
    [format!("/r/{}", ray(3)), format!("/r/{}?tab=neighbours", ray(2)), format!("/search?{RANGE}")]
        .map(|path| Ask::get(&path))
}

fn check_nothing_told(fakes: &Fakes, config: &Result<Config, Vec<ConfigFault>>, what: &str) {
    for ask in pages() {
        let reply = Reply::of(ask.clone().begin(fakes, config));
        assert!(told(&ask, &reply).is_empty(), "{what}: {}", ask.path);
    }
    for ask in questions() {
        let reply = ask.clone().of_deployment(fakes, config);
        assert!(
            told(&ask, &reply).is_empty(),
            "{what}: {} {}?{}: {}",
            ask.method,
            ask.path,
            ask.query,
            String::from_utf8_lossy(&reply.body)
        );
    }
}

#[test]
fn questions_tell_of_lines_that_are_not_erased() {
    let fakes = world(true);
    let telling = questions().into_iter().filter(|ask| !told(ask, &ask.clone().of(&fakes)).is_empty()).count();
    assert!(telling > 30, "{telling}");
}

#[test]
fn erased_line_is_in_no_answer() {
    for way in &ways()[..2] {
        let fakes = world(true);
        let made = erase(way).of(&fakes);
        assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
        if way["by"] == "ray" {
            check_nothing_told(&fakes, &Ok(config_with(&[])), "ray");
        } else {
            let asks = questions();
            let lines = asks.iter().filter(|ask| {
                ask.path.contains("/logs") || ask.path.contains("counts") || ask.path.contains("received")
            });
            for ask in lines.clone() {
                let reply = ask.clone().of(&fakes);
                assert!(!String::from_utf8_lossy(&reply.body).contains(CANARY), "{}?{}", ask.path, ask.query);
            }
            assert!(lines.count() > 4);
        }
    }
}

#[test]
fn other_lines_stay_byte_for_byte() {
    let logs = |fakes: &Fakes| {
        let reply = Ask::get(&format!("/v1/logs?{RANGE}")).of(fakes);
        String::from_utf8(without_trailer(&reply.body)).unwrap()
    };
    for way in ways() {
        let (whole, narrow) = (world(true), world(false));
        assert_eq!(erase(&way).of(&whole).status, 201);
        let (left, expected) = (logs(&whole), logs(&narrow));
        if way["by"] == "address" {
            // The child names no address.
            assert_eq!(
                left.replace(
                    &format!(
                        r#"{{"RayID":"{}","ParentRayID":"{}","ClientRequestUserAgent":"{CANARY}"}}"#,
                        ray(20),
                        ray(3)
                    ),
                    ""
                )
                .trim_end(),
                expected.trim_end()
            );
        } else {
            assert_eq!(left, expected);
        }
        for number in [0, 4, 7] {
            let lookup =
                |fakes: &Fakes| body(&Ask::get(&format!("/v1/rays/{}", ray(number))).of(fakes))["records"].clone();
            let without_place = |mut records: Value| {
                records.as_array_mut().unwrap().iter_mut().for_each(|record| record["batch"] = Value::Null);
                records
            };
            assert_eq!(without_place(lookup(&whole)), without_place(lookup(&narrow)), "{number}");
        }
    }
}

#[test]
fn erased_ray_answers_like_one_never_logged() {
    let (whole, narrow) = (world(true), world(false));
    assert_eq!(erase(&ways()[0]).of(&whole).status, 201);
    for query in ["", "?format=native", "?format=partner", "?format=otlp", "?parts=records,tree"] {
        let [one, other] = [&whole, &narrow].map(|fakes| {
            let reply = Ask::get(&format!("/v1/rays/{}{query}", ray(3))).of(fakes);
            let text = String::from_utf8(reply.body.clone()).unwrap();
            // The batches are rewritten later.
            (reply.status, reply.headers, text.replace("\"records\":10", "\"records\":7"))
        });
        assert_eq!(one, other, "{query}");
        assert_eq!(one.0, 404, "{query}");
    }
}

#[test]
fn range_and_dataset_bound_what_is_erased() {
    let fakes = world(true);
    let of = |more: Value| {
        let mut way = ways()[1].clone();
        more.as_object().unwrap().iter().for_each(|(name, value)| way[name] = value.clone());
        way
    };
    let early = of(json!({ "start": "2026-03-28T07:00:00Z", "end": "2026-03-28T08:00:00Z" }));
    for way in [early, of(json!({ "dataset": "workers_trace_events" })), of(json!({ "values": ["other"] }))] {
        assert_eq!(erase(&way).of(&fakes).status, 201);
        let logs = Ask::get(&format!("/v1/logs?{RANGE}")).of(&fakes);
        assert!(String::from_utf8_lossy(&logs.body).contains(CANARY), "{way}");
    }
}

#[test]
fn number_is_compared_by_all_its_digits() {
    let fakes = Fakes::new();
    let spelled = ["18446744073709551617", "0.12345678901234567891", "18446744073709551618"];
    let numbered = |(number, digits): (u64, &&str)| {
        http(&ray(number).to_string(), 4).replacen('{', &format!(r#"{{"BotScore":{digits},"#), 1)
    };
    batch(&fakes, KEYS[0], &ndjson((0..).zip(&spelled).map(numbered)), None);
    let body = format!(
        r#"{{"by":"field","field":"BotScore","values":[{},{}],"start":"2026-03-28T08:00:00Z","end":"2026-03-28T08:42:25Z",
        "reason":"request 4711"}}"#,
        spelled[0], spelled[1]
    );
    let reply = Ask { body: body.into_bytes(), ..Ask::new("POST", "/v1/erasures") }.of(&fakes);
    assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
    let logs = Ask::get(&format!("/v1/logs?{RANGE}")).of(&fakes);
    let shown = String::from_utf8_lossy(&logs.body);
    assert_eq!(spelled.map(|digits| shown.contains(digits)), [false, false, true], "{shown}");
}

#[test]
fn isolates_of_every_chain_learn_of_it() {
    let fakes = world(true);
    let isolate = |fakes: &Fakes| Fakes { isolate: IsolateMemory::default(), ..fakes.clone() };
    let (one, two, config) = (isolate(&fakes), isolate(&fakes), Ok(deployment(4, &[])));
    let lookup = |fakes: &Fakes, desk: &str, config: &Result<Config, Vec<ConfigFault>>| {
        Ask::get(&format!("/v1/rays/{}", ray(3))).by(desk).of_deployment(fakes, config).status
    };
    // Both have asked before, and remember what they were told.
    for desk in DESKS {
        assert_eq!([lookup(&one, desk, &config), lookup(&two, desk, &config)], [200, 200]);
    }
    assert_eq!(erase(&ways()[0]).of_deployment(&one, &config).status, 201);
    for desk in DESKS {
        assert_eq!([lookup(&one, desk, &config), lookup(&two, desk, &config)], [404, 404], "{desk}");
    }
    // A chain without an entry until now, an object that was started anew, an isolate that knows nothing.
    for object in fakes.audits.objects() {
        object.restart();
    }
    let (fresh, more) = (isolate(&fakes), Ok(deployment(16, &[])));
    for desk in DESKS {
        assert_eq!(lookup(&fresh, desk, &more), 404, "{desk}");
    }
}

#[test]
fn failed_erasure_is_whole_after_repetition() {
    for kind in [Kind::Ledger, Kind::Audit] {
        for fault in Fault::BOTH {
            for nth in 0..40 {
                let fakes = world(true);
                fakes.faults.plan(Some(kind), nth, fault);
                let first = erase(&ways()[0]).of(&fakes).status;
                fakes.faults.clear();
                assert!(matches!(first, 201 | 503), "{kind:?} {nth}");
                let second = if first == 201 { 201 } else { erase(&ways()[0]).of(&fakes).status };
                assert_eq!(second, 201, "{kind:?} {nth}");
                let other = Fakes { isolate: IsolateMemory::default(), ..fakes.clone() };
                for fakes in [&fakes, &other] {
                    assert_eq!(Ask::get(&format!("/v1/rays/{}", ray(3))).of(fakes).status, 404, "{kind:?} {nth}");
                }
            }
        }
    }
}

#[test]
fn unknown_rules_keep_records_back() {
    let fakes = world(true);
    assert_eq!(erase(&ways()[0]).of(&fakes).status, 201);
    let other = Fakes { isolate: IsolateMemory::default(), ..fakes.clone() };
    other.faults.plan(Some(Kind::Ledger), 0, Fault::BOTH[0]);
    let reply = Ask::get(&format!("/v1/rays/{}", ray(3))).of(&other);
    assert_eq!(problem(&reply), (503, "unavailable".into()));
    assert_eq!(Ask::get(&format!("/v1/rays/{}", ray(3))).of(&other).status, 404);
}

#[test]
fn erased_values_are_stored_and_recorded_nowhere() {
    let fakes = world(true);
    for way in ways() {
        assert_eq!(erase(&way).of(&fakes).status, 201);
    }
    let rules = run(rpc::call(&fakes.ledgers, REGISTRY, &ReadErasureRules {})).unwrap();
    let stored = serde_json::to_string(&rules.rules).unwrap();
    let audit = String::from_utf8(Ask::get("/v1/audit").of(&fakes).body).unwrap();
    let shown = String::from_utf8(Ask::get("/v1/erasures").of(&fakes).body).unwrap();
    for text in [&stored, &audit, &shown] {
        for value in [CANARY, ADDRESS, "9e35500000000003"] {
            assert!(!text.contains(value), "{value}: {text}");
        }
    }
    assert!(audit.contains(r#""action":"POST /v1/erasures""#) && audit.contains("request 4711"), "{audit}");
    assert!(audit.contains(r#""values":1"#) && shown.contains(r#""by":"address""#), "{audit} {shown}");
}

#[test]
fn body_says_what_is_wrong_with_it() {
    let fakes = world(true);
    let many: Vec<String> = (0..1_001).map(|number| ray(number).to_string()).collect();
    let range = json!({ "start": "2026-03-28T08:00:00Z", "end": "2026-03-28T08:42:25Z" });
    for (wanted, status, code) in [
        (json!({ "by": "ray", "values": ["nothing!"] }), 400, "bad_erasure_value"),
        (json!({ "by": "ray", "values": [7] }), 400, "bad_erasure_value"),
        (
            json!({ "by": "address", "values": ["203.0.113.0/24"], "start": range["start"], "end": range["end"] }),
            400,
            "bad_erasure_value",
        ),
        (
            json!({ "by": "field", "field": "A", "values": [[1]], "start": range["start"], "end": range["end"] }),
            400,
            "bad_erasure_value",
        ),
        (json!({ "by": "address", "values": [ADDRESS] }), 400, "erasure_range_missing"),
        (json!({ "by": "ray", "values": ["0123456789abcdef0123456789abcdef"] }), 400, "erasure_range_missing"),
        (json!({ "by": "address", "values": [ADDRESS], "start": range["start"] }), 400, "erasure_range_missing"),
        (json!({ "by": "ray", "values": [] }), 400, "not_an_erasure"),
        (json!({ "by": "ray", "values": many }), 400, "not_an_erasure"),
        (json!({ "by": "zone", "values": ["x"] }), 400, "not_an_erasure"),
        (json!({ "by": "field", "values": ["x"] }), 400, "not_an_erasure"),
        (json!({ "by": "ray", "field": "RayID", "values": [ray(1).to_string()] }), 400, "not_an_erasure"),
        (json!({ "by": "ray", "values": [ray(1).to_string()], "dataset": "nothing" }), 400, "not_an_erasure"),
        (json!({ "by": "ray", "values": [ray(1).to_string()], "again": true }), 400, "unknown_member"),
        (
            json!({ "by": "ray", "values": [ray(1).to_string()], "start": range["end"], "end": range["start"] }),
            400,
            "start_after_end",
        ),
        (json!({ "by": "ray", "values": [ray(1).to_string()], "lines_per_second": 0 }), 400, "not_an_erasure"),
    ] {
        let reply = erase(&wanted).of(&fakes);
        assert_eq!(problem(&reply), (status, code.into()), "{wanted}");
    }
    let unsaid = Ask { body: ways()[0].to_string().into(), ..Ask::new("POST", "/v1/erasures") }.of(&fakes);
    assert_eq!(problem(&unsaid), (400, "reason_missing".into()));
    assert_eq!(body(&Ask::get("/v1/erasures").of(&fakes))["erasures"], json!([]));
    for id in ["0", "1", "x", "99999999999"] {
        assert_eq!(
            problem(&Ask::get(&format!("/v1/erasures/{id}")).of(&fakes)),
            (404, "no_such_erasure".into()),
            "{id}"
        );
    }
}

#[test]
fn erasures_have_a_bound() {
    let (fakes, config) = (Fakes::new(), Ok(config_with(&[("API_RATE_PER_MINUTE", "0")])));
    for _ in 0..ERASURES_KEPT {
        assert_eq!(erase(&ways()[0]).of_deployment(&fakes, &config).status, 201);
    }
    let over = erase(&ways()[0]).of_deployment(&fakes, &config);
    assert_eq!(problem(&over), (409, "too_many_erasures".into()));
}

#[test]
fn batches_with_erased_lines_are_counted() {
    let fakes = world(true);
    assert_eq!(erase(&ways()[0]).of(&fakes).status, 201);
    let shown = rewriting::look_through(&fakes, &config_with(&[]));
    assert_eq!((&shown["batches"], &shown["lines"], &shown["payloads"]), (&json!(2), &json!(4), &json!(0)), "{shown}");
    assert_eq!(shown["objects"]["remaining"], 0);
    // It is no backfill for those who work with backfills.
    assert_eq!(body(&Ask::get("/v1/backfills").of(&fakes))["backfills"], json!([]));
    for path in ["/v1/backfills/1/stop", "/v1/backfills/1/resume"] {
        assert_eq!(problem(&Ask::new("POST", path).of(&fakes)), (404, "no_such_backfill".into()));
    }
}

#[test]
fn line_erased_before_its_batch_is_never_sent() {
    let fakes = Fakes::new();
    assert_eq!(erase(&ways()[1]).of(&fakes).status, 201);
    let sent = batch(&fakes, KEYS[0], &requests(true), Some(wish()));
    let totals = body(&Ask::get("/v1/stats").of_deployment(&fakes, &Ok(delivering(&[]))))["lines"].clone();
    assert_eq!(
        (&totals["in"], &totals["filtered"]["erased"], &totals["unaccounted"]),
        (&json!(10), &json!(3), &json!(0)),
        "{totals}"
    );
    let packs: Vec<_> = fakes.data.contents().into_iter().filter(|(key, _)| key.contains("/payloads/")).collect();
    assert!(!packs.is_empty());
    for (key, bytes) in packs {
        let text = gunzip_each(&bytes).concat();
        assert!(!String::from_utf8_lossy(&text).contains(CANARY), "{key}");
    }
    assert!(!sent.is_empty());
}
