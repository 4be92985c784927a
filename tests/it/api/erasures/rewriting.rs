//! Batches are rewritten without their erased lines: what is left is as it was, and as if the lines had never been.

use raydex::config::{Config, DEFAULT_BUCKET_NAME};
use raydex::limits::ERASURES_FRESH_MS;
use raydex::pipeline::{drive_backfills, parse_message, run_sweep};
use raydex::r2_event::R2Event;
use serde_json::{Value, json};

use super::super::every_route::RANGE;
use super::super::story::{KEYS, batch, deliver, wish};
use super::super::support::partner::delivering;
use super::super::support::queue::message;
use super::super::support::records::ray;
use super::super::support::world::config_with;
use super::super::support::{Fakes, Fault, Kind, NOW_MS, run};
use super::super::{Ask, json as body, without_trailer};
use super::{CANARY, check_nothing_told, erase, requests, ways, world};

/// Turns of the cron, and the messages that come of them, until an erasure is done.
pub(super) fn look_through(fakes: &Fakes, config: &Config) -> Value {
    look_through_for(fakes, config, 1)
}

/// The same for the erasure with this number.
fn look_through_for(fakes: &Fakes, config: &Config, number: u64) -> Value {
    for _ in 0..20 {
        fakes.clock_ms.set(fakes.clock_ms.get() + ERASURES_FRESH_MS);
        let _driven = run(drive_backfills(fakes, config));
        for event in fakes.queue.take() {
            for attempt in 1..4 {
                if run(parse_message(fakes, config, &message("parse-queue", &event, attempt))).retry_s.is_none() {
                    break;
                }
            }
        }
        let reply = Ask::get(&format!("/v1/erasures/{number}")).of(fakes);
        let shown = if reply.status == 200 { body(&reply) } else { Value::Null };
        if shown["state"] == "done" {
            return shown;
        }
    }
    panic!("it does not end");
}

#[test]
fn rewritten_world_is_like_one_without_the_lines() {
    for way in &ways()[..2] {
        let (whole, narrow) = (world(true), world(false));
        assert_eq!(erase(way).of(&whole).status, 201);
        look_through(&whole, &config_with(&[]));
        for (key, bytes) in whole.bucket.contents() {
            assert!(!String::from_utf8_lossy(&bytes).contains(CANARY), "{key}");
        }
        check_nothing_told(&whole, &Ok(config_with(&[])), "rewritten");
        for query in ["", "?format=native", "?format=partner", "?format=otlp", "?parts=records,tree"] {
            let [one, other] = [&whole, &narrow].map(|fakes| {
                let reply = Ask::get(&format!("/v1/rays/{}{query}", ray(3))).of(fakes);
                // The counts of a verdict on a ray are those of its batches when they were read first.
                let text = String::from_utf8(reply.body).unwrap().replace(r#""records":10"#, r#""records":7"#);
                (reply.status, reply.headers, text)
            });
            assert_eq!(one, other, "{query}");
        }
        let stats = |fakes: &Fakes| body(&Ask::get("/v1/stats").of(fakes));
        let (one, other) = (stats(&whole), stats(&narrow));
        // The accounts keep what there was.
        assert_eq!(
            (&one["batches"], &one["lines"]["unaccounted"]),
            (&other["batches"], &other["lines"]["unaccounted"])
        );
        let logs = |fakes: &Fakes| without_trailer(&Ask::get(&format!("/v1/logs?{RANGE}")).of(fakes).body);
        assert_eq!(String::from_utf8(logs(&whole)), String::from_utf8(logs(&narrow)));
    }
}

#[test]
fn failed_rewriting_is_finished_by_the_next_attempt() {
    for kind in [Kind::Get, Kind::Put, Kind::PutNew, Kind::Body, Kind::Ledger, Kind::Shard] {
        for fault in Fault::BOTH {
            let mut struck = true;
            for nth in 0..30 {
                if !struck {
                    break;
                }
                let fakes = world(true);
                assert_eq!(erase(&ways()[0]).of(&fakes).status, 201);
                fakes.faults.plan(Some(kind), nth, fault);
                let shown = look_through(&fakes, &config_with(&[]));
                struck = fakes.faults.clear();
                assert_eq!((&shown["batches"], &shown["lines"]), (&json!(2), &json!(4)), "{kind:?} {nth} {shown}");
                for bytes in fakes.bucket.contents().values() {
                    assert!(!String::from_utf8_lossy(bytes).contains(CANARY), "{kind:?} {nth}");
                }
                let found = Ask::get(&format!("/v1/rays/{}", ray(5))).of(&fakes);
                assert_eq!(found.status, 200, "{kind:?} {nth}");
            }
        }
    }
}

#[test]
fn search_goes_on_across_a_rewriting() {
    let fakes = world(true);
    let page = |cursor: Option<&str>| {
        let cursor = cursor.map_or(String::new(), |cursor| format!("&cursor={cursor}"));
        let reply = Ask::get(&format!("/v1/logs?{RANGE}&limit=2{cursor}")).of(&fakes);
        let text = String::from_utf8(reply.body).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let trailer: Value = serde_json::from_str(&lines.pop().unwrap()).unwrap();
        (lines, trailer["raydex"]["cursor"].as_str().map(str::to_owned))
    };
    let (mut shown, mut cursor) = page(None);
    assert_eq!(erase(&ways()[0]).of(&fakes).status, 201);
    look_through(&fakes, &config_with(&[]));
    while let Some(at) = cursor {
        let (lines, next) = page(Some(&at));
        shown.extend(lines);
        cursor = next;
    }
    shown.retain(|line| !line.is_empty());
    let narrow = world(false);
    let whole = without_trailer(&Ask::get(&format!("/v1/logs?{RANGE}")).of(&narrow).body);
    let expected: Vec<&str> = std::str::from_utf8(&whole).unwrap().lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(shown, expected);
}

#[test]
fn hidden_batches_stay_as_they_are() {
    let fakes = world(true);
    assert_eq!(erase(&ways()[0]).of(&fakes).status, 201);
    let before = fakes.bucket.contents();
    let shown = look_through(&fakes, &config_with(&[("ERASURES", "hide")]));
    assert_eq!((&shown["lines"], fakes.bucket.contents() == before), (&json!(4), true));
}

#[test]
fn deliveries_of_other_lines_outlive_rewriting() {
    let fakes = Fakes::new();
    let sent = batch(&fakes, KEYS[0], &requests(true), Some(wish()));
    for id in &sent {
        deliver(&fakes, id);
    }
    let config = Ok(delivering(&[]));
    let deliveries = |number| {
        let reply = Ask::get(&format!("/v1/rays/{}/deliveries", ray(number))).of_deployment(&fakes, &config);
        let mut found = body(&reply)["records"].clone();
        for one in found.as_array_mut().unwrap() {
            one["batch"] = Value::Null;
            // The pack says so where another line of the body was erased.
            one["payloads"].as_array_mut().unwrap().iter_mut().for_each(|payload| payload["pack"] = Value::Null);
        }
        found
    };
    let before: Vec<Value> = [0, 4, 7].map(deliveries).into();
    let totals = |fakes: &Fakes| body(&Ask::get("/v1/stats").of_deployment(fakes, &config));
    let accounts = totals(&fakes);
    assert_eq!(erase(&ways()[0]).of_deployment(&fakes, &config).status, 201);
    look_through(&fakes, config.as_ref().unwrap());
    assert_eq!(before, [0, 4, 7].map(deliveries));
    assert_eq!(before[0][0]["delivery_status"], "assigned", "{before:?}");
    let after = totals(&fakes);
    assert_eq!(
        (&accounts["lines"], &accounts["batches"], &accounts["payloads"]),
        (&after["lines"], &after["batches"], &after["payloads"])
    );
    // Neither its event nor a sweep delivers anything of the new version.
    let head = fakes.bucket.object(KEYS[0]).unwrap().head;
    let event = R2Event::put_object(DEFAULT_BUCKET_NAME, KEYS[0], head.size, &head.etag, NOW_MS);
    run(parse_message(
        &fakes,
        config.as_ref().unwrap(),
        &message("parse-queue", &serde_json::to_string(&event).unwrap(), 1),
    ));
    run(run_sweep(&fakes, config.as_ref().unwrap())).unwrap();
    assert!(fakes.sends.take().is_empty());
    assert_eq!(totals(&fakes)["payloads"], accounts["payloads"]);
}

#[test]
fn batch_is_rewritten_for_each_erasure() {
    let fakes = Fakes::new();
    let sent = batch(&fakes, KEYS[0], &requests(true), Some(wish()));
    for id in &sent {
        deliver(&fakes, id);
    }
    let config = Ok(delivering(&[]));
    let stats = |fakes: &Fakes| body(&Ask::get("/v1/stats").of_deployment(fakes, &config))["lines"].clone();
    let before = stats(&fakes);
    for (number, suffix) in (1..).zip([3, 0, 7]) {
        let way = json!({ "by": "ray", "values": [ray(suffix).to_string()] });
        assert_eq!(erase(&way).of_deployment(&fakes, &config).status, 201);
        let shown = look_through_for(&fakes, config.as_ref().unwrap(), number);
        assert!(shown["payloads"].as_u64().unwrap() > 0, "{shown}");
        assert_eq!(stats(&fakes), before);
    }
    let left = fakes.bucket.object(KEYS[0]).unwrap().bytes;
    let rays = (0..8).filter(|number| String::from_utf8_lossy(&left).contains(&ray(*number).to_string()));
    assert_eq!(rays.collect::<Vec<u64>>(), [1, 2, 4, 5, 6]);
    let found = body(&Ask::get(&format!("/v1/rays/{}/deliveries", ray(5))).of_deployment(&fakes, &config));
    assert_eq!(found["records"][0]["delivery_status"], "assigned", "{found}");
}
