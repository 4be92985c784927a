//! Rays whose bits have another time than their records: what is found all the same, what is said of a ray without
//! records, and who is warned.

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};
use raydex::bucket_keys::batch_key;
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::ledger::ids::REGISTRY;
use raydex::ledger::registry::{AdvanceSweep, register};
use raydex::r2_event::R2Event;
use raydex::record::{Dataset, RayId};
use raydex::time::rfc3339;
use serde_json::{Value, json};

use super::access::{deployment, rule};
use super::support::records::ndjson;
use super::support::{Fakes, Kind, NOW_MS, run};
use super::{Ask, json as body, without_trailer};
use crate::support::ledgers::only_ledger;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// The time of the first request: two hours ago.
const AT: i64 = NOW_MS - 2 * HOUR;
/// Time that a batch covers.
const BATCH_MS: i64 = 30_000;
/// How far rays are ahead of their records.
const AHEAD: i64 = 20 * MINUTE;

fn ray(at_ms: i64, suffix: u32) -> RayId {
    RayId::at(at_ms, suffix).unwrap()
}

/// The key of the batch of the half minute that begins then.
fn key(start_ms: i64) -> String {
    batch_key("logs/", Dataset::HttpRequests, start_ms, start_ms + BATCH_MS, 7)
}

/// A record of this time, whose ray is ahead of it.
fn record(at_ms: i64, ahead_ms: i64, suffix: u32) -> String {
    let (ray, start) = (ray(at_ms + ahead_ms, suffix), rfc3339(at_ms));
    format!(r#"{{"RayID":"{ray}","ZoneName":"b.example","ClientIP":"192.0.2.1","EdgeStartTimestamp":"{start}"}}"#)
}

/// The lines of the batch that begins then: a request every other second.
fn lines(start_ms: i64, ahead_ms: i64) -> Vec<u8> {
    ndjson((0..15).map(|number| record(start_ms + number * 2_000, ahead_ms, 0x77)))
}

/// Writes an object and has it read, as by its event.
fn put(fakes: &Fakes, key: &str, text: &[u8]) -> (String, Option<String>, String) {
    let head = fakes.bucket.store(key, text);
    let event = R2Event::put_object(BUCKET_NAME, key, head.size, &head.etag, NOW_MS);
    let verdict = fakes.parse(&serde_json::to_string(&event).unwrap(), 1);
    let level = verdict.level().name().to_owned();
    (verdict.verdict.name().to_owned(), verdict.warning.map(|warning| warning.reason), level)
}

/// A world with the batches of six and a half minutes from half a minute before this instant.
fn batches(fakes: &Fakes, from_ms: i64, ahead_ms: i64) {
    for nth in -1..12 {
        let start_ms = from_ms + nth * BATCH_MS;
        run(register(&fakes.ledgers, &only_ledger(&key(start_ms)), None)).unwrap();
        put(fakes, &key(start_ms), &lines(start_ms, ahead_ms));
    }
    fakes.ledgers.ask(REGISTRY, &AdvanceSweep { at_ms: Some(NOW_MS), finished_ms: Some(NOW_MS) });
}

/// The verdict on a ray without records.
fn verdict(fakes: &Fakes, ray: RayId) -> Value {
    let reply = Ask::get(&format!("/v1/rays/{ray}")).of(fakes);
    assert_eq!(reply.status, 404);
    body(&reply)["verdict"].clone()
}

/// The records of a range of a minute and a half around an instant, by `/v1/logs`.
fn logged(fakes: &Fakes, from_ms: i64, until_ms: i64) -> Vec<String> {
    let path = format!("/v1/logs?start={}&end={}", rfc3339(from_ms), rfc3339(until_ms));
    let reply = Ask::get(&path).of(fakes);
    assert_eq!(reply.status, 200);
    let text = String::from_utf8(without_trailer(&reply.body)).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn skewed_rays_are_found_by_both_times() {
    for ahead_ms in [AHEAD, -AHEAD, 5 * HOUR, -400 * 24 * HOUR] {
        let fakes = Fakes::new();
        put(&fakes, &key(AT), &lines(AT, ahead_ms));
        // By the ray: its shard is a function of its bits, whatever they mean.
        for number in 0..15 {
            let reply = Ask::get(&format!("/v1/rays/{}", ray(AT + number * 2_000 + ahead_ms, 0x77))).of(&fakes);
            assert_eq!(body(&reply)["records"].as_array().map(Vec::len), Some(1), "{ahead_ms}");
        }
        // By time: each record where it is itself, and nowhere else.
        assert_eq!(logged(&fakes, AT - MINUTE, AT + MINUTE).len(), 15, "{ahead_ms}");
        if ahead_ms < 0 {
            assert_eq!(logged(&fakes, AT + ahead_ms - MINUTE, AT + ahead_ms + MINUTE), [""; 0]);
        }
        let counts = format!("/v1/counts?start={}&end={}", rfc3339(AT - MINUTE), rfc3339(AT + MINUTE));
        let counted = String::from_utf8(without_trailer(&Ask::get(&counts).of(&fakes).body)).unwrap();
        let counted: Vec<Value> = counted.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(counted.iter().filter_map(|row| row["count"].as_u64()).sum::<u64>(), 15, "{counted:?}");
        let coverage = format!("/v1/coverage?start={}&end={}", rfc3339(AT - MINUTE), rfc3339(AT + MINUTE));
        let covered = body(&Ask::get(&coverage).of(&fakes));
        assert_eq!(covered["complete"], json!([{ "start": rfc3339(AT), "end": rfc3339(AT + BATCH_MS) }]), "{covered}");
    }
}

#[test]
fn tree_of_skewed_rays_is_whole() {
    let fakes = Fakes::new();
    let (parent, child) = (ray(AT + AHEAD, 1), ray(AT + AHEAD + HOUR, 2));
    let line = |ray, parent: &str, at_ms: i64| {
        format!(
            r#"{{"RayID":"{ray}","ParentRayID":"{parent}","EdgeStartTimestamp":"{}","ClientIP":"192.0.2.1"}}"#,
            rfc3339(at_ms)
        )
    };
    put(&fakes, &key(AT), line(parent, "00", AT).as_bytes());
    put(&fakes, &key(AT + BATCH_MS), line(child, &parent.to_string(), AT + BATCH_MS).as_bytes());
    for of in [parent, child] {
        let found = body(&Ask::get(&format!("/v1/rays/{of}?parts=tree")).of(&fakes));
        let tree = found["tree"].to_string();
        assert!(tree.contains(&parent.to_string()) && tree.contains(&child.to_string()), "{found}");
    }
}

#[test]
fn unread_batch_of_skewed_rays_leaves_doubt() {
    // The batch of the ray is quarantined, and is of twenty minutes before the time that the ray's bits say; the batches of
    // that time are whole, and their rays are as they should be.
    for ahead_ms in [AHEAD, 5 * HOUR / 3] {
        let fakes = Fakes::new();
        batches(&fakes, AT + ahead_ms, 0);
        let lost = ray(AT + ahead_ms, 1);
        assert_eq!(verdict(&fakes, lost)["code"], "not_logged");
        batches(&fakes, AT, ahead_ms);
        put(&fakes, &key(AT).replace(".log", "0.log"), b"a,b\n1,2\n");
        let found = verdict(&fakes, lost);
        assert_eq!(
            (&found["code"], &found["evidence"]["layout_doubtful"]),
            (&"of_unknown_layout".into(), &true.into())
        );
        // A month before, nothing was in doubt.
        let before = ray(AT - 30 * 24 * HOUR, 1);
        assert_eq!(verdict(&fakes, before)["code"], "older_than_kept");
    }
}

#[test]
fn ray_ahead_of_the_clock_may_be_skewed() {
    let fakes = Fakes::new();
    let ahead = ray(NOW_MS + 15 * MINUTE, 1);
    assert_eq!(verdict(&fakes, ahead)["code"], "ahead_of_clock");
    batches(&fakes, NOW_MS - 10 * MINUTE, AHEAD);
    assert_eq!(verdict(&fakes, ahead)["code"], "of_unknown_layout");
    // No clock is off by a year.
    assert_eq!(verdict(&fakes, ray(NOW_MS + 8_000 * HOUR, 1))["code"], "ahead_of_clock");
    // The batches are no longer of late.
    fakes.clock_ms.set(NOW_MS + 2 * HOUR);
    assert_eq!(verdict(&fakes, ray(NOW_MS + 135 * MINUTE, 1))["code"], "ahead_of_clock");
}

#[test]
fn skewed_batches_warn_once_an_hour() {
    let fakes = Fakes::new();
    let sealed = |level: &str| ("sealed".to_owned(), level.to_owned());
    let warned = |start_ms: i64, text: &[u8]| {
        let (verdict, reason, level) = put(&fakes, &key(start_ms), text);
        assert_eq!(reason.is_some(), level == "warn");
        ((verdict, level), reason.unwrap_or_default())
    };
    let hour = AT - AT.rem_euclid(HOUR);
    assert_eq!(warned(hour, &lines(hour, 0)).0, sealed("info"));
    // Half of the rays are not enough.
    let half = ndjson((0..10).map(|number| record(hour + number, if number < 5 { AHEAD } else { 0 }, 9)));
    assert_eq!(warned(hour + BATCH_MS, &half).0, sealed("info"));
    let (found, reason) = warned(hour + 2 * BATCH_MS, &lines(hour + 2 * BATCH_MS, -AHEAD));
    assert_eq!(found, sealed("warn"));
    assert!(
        reason.starts_with("15 of 15 rays have other times than their records, up to 0 s ahead and 1200 s behind"),
        "{reason}"
    );
    assert_eq!(warned(hour + 3 * BATCH_MS, &lines(hour + 3 * BATCH_MS, AHEAD)).0, sealed("info"));
    assert_eq!(warned(hour + HOUR, &lines(hour + HOUR, AHEAD)).0, sealed("warn"));
    // Another dataset of the same hour.
    let event = |number: u32| {
        format!(
            r#"{{"RayID":"{}","Datetime":"{}","Action":"block","Source":"waf"}}"#,
            ray(hour - HOUR, number),
            rfc3339(hour)
        )
    };
    let events = batch_key("logs/", Dataset::FirewallEvents, hour, hour + BATCH_MS, 8);
    assert_eq!(put(&fakes, &events, &ndjson((0..3).map(event))).2, "warn");
}

#[test]
fn warning_comes_again_with_its_message() {
    // The seal fails after the registry knows of the skew: the message is retried, and its warning was not written yet.
    let text = lines(AT, AHEAD);
    let calls = |fakes: &Fakes| fakes.faults.count(Kind::Ledger);
    let whole = Fakes::new();
    put(&whole, &key(AT), &text);
    let mut warned = 0;
    for nth in 0..calls(&whole) {
        let fakes = Fakes::new();
        fakes.faults.plan(Some(Kind::Ledger), nth, super::support::Fault::Fails);
        let first = put(&fakes, &key(AT), &text);
        fakes.faults.clear();
        let second = put(&fakes, &key(AT), &text);
        assert!(first.2 == "warn" && second.2 == "warn", "{nth}: {first:?} {second:?}");
        assert_eq!(second.0, "sealed");
        warned += usize::from(second.1.is_some_and(|reason| reason.contains("15 of 15 rays")));
    }
    assert!(warned > 3, "{warned}");
}

#[test]
fn skew_is_in_figures_and_health() {
    let fakes = Fakes::new();
    put(&fakes, &key(NOW_MS - HOUR), &lines(NOW_MS - HOUR, 0));
    let stats = || body(&Ask::get("/v1/stats").of(&fakes));
    let health = || body(&Ask::get("/healthz").of(&fakes));
    let page = || String::from_utf8(Ask::get("/metrics").of(&fakes).body).unwrap();
    let figures = |skewed: u64, doubtful: u64| {
        assert_eq!(stats()["ray_times"]["http_requests"]["clock_skewed"], skewed);
        let [skewed, doubtful] = [("raydex_rays_skewed", skewed), ("raydex_layout_doubtful", doubtful)]
            .map(|(name, value)| format!("{name}{{dataset=\"http_requests\"}} {value}\n"));
        let text = page();
        assert!(text.contains(&skewed) && text.contains(&doubtful), "{text}");
        assert!(text.contains("raydex_layout_doubtful{dataset=\"firewall_events\"} 0\n"));
    };
    figures(0, 0);
    assert_eq!(
        (&stats()["layout_doubts"], &stats()["ray_times"]["http_requests"]["compared"]),
        (&json!([]), &15.into())
    );
    assert_eq!(health()["warnings"], Value::Null);
    let skewed = key(NOW_MS - 2 * MINUTE);
    put(&fakes, &skewed, &lines(NOW_MS - 2 * MINUTE, -AHEAD));
    figures(15, 1);
    let listed = body(&Ask::get("/v1/batches").of(&fakes));
    let batch = listed["batches"].as_array().unwrap().iter().find(|batch| batch["object"]["key"] == skewed.as_str());
    let batch = batch.unwrap();
    let since = &batch["object"]["uploaded_at"];
    let doubt = json!({ "dataset": "http_requests", "since": since, "until": since, "ahead_s": 0, "behind_s": 1_200 });
    assert_eq!(stats()["layout_doubts"], json!([doubt]));
    let warning = health()["warnings"][0].as_str().unwrap().to_owned();
    let words = format!("rays of http_requests have other times than their records since {}", since.as_str().unwrap());
    assert!(warning.starts_with(&words), "{warning}");
    assert_eq!(
        (&batch["skewed_share"], &batch["rays_ahead_s"], &batch["rays_behind_s"], &batch["counts"]["timed_rays"]),
        (&json!(1.0), &0.into(), &1_200.into(), &15.into())
    );
    let one = body(&Ask::get(&format!("/v1/batches/{}", batch["id"].as_str().unwrap())).of(&fakes));
    assert_eq!(one["batch"]["skewed_share"], 1.0);
    assert_eq!(one["accounts"]["ray_times"], json!({ "http_requests": { "compared": 15, "clock_skewed": 15 } }));
    // An hour later nothing is in doubt any more.
    fakes.clock_ms.set(NOW_MS + HOUR + MINUTE);
    figures(15, 0);
    assert_eq!((&stats()["layout_doubts"], &health()["warnings"]), (&json!([]), &Value::Null));
}

#[test]
fn layout_without_doubt_costs_no_call() {
    let calls = |ahead_ms: i64| {
        let fakes = Fakes::new();
        put(&fakes, &key(AT - BATCH_MS), &lines(AT - BATCH_MS, 0));
        let before = fakes.faults.calls();
        put(&fakes, &key(AT), &lines(AT, ahead_ms));
        let written = fakes.faults.calls() - before;
        verdict(&fakes, ray(AT, 1));
        (written, fakes.faults.calls() - before - written)
    };
    let (healthy, skewed) = (calls(0), calls(1_000 * HOUR));
    // The note, the mark of the rays' prefix, and their shard.
    assert_eq!((skewed.0, skewed.1), (healthy.0 + 3, healthy.1));
}

#[test]
fn doubt_is_unknown_to_a_zone() {
    let config = deployment(&[
        rule("zone", &json!({ "zones": ["a.example"] })),
        rule("waf", &json!({ "datasets": ["firewall_events"] })),
    ]);
    let (healthy, skewed) = (Fakes::new(), Fakes::new());
    batches(&healthy, AT, 0);
    batches(&skewed, AT, AHEAD);
    for token in ["zone", "waf"] {
        for at_ms in [AT + 100, AT + AHEAD, NOW_MS + 15 * MINUTE, NOW_MS - MINUTE] {
            let ask = || Ask {
                authorization: Some(format!("Bearer {token}")),
                ..Ask::get(&format!("/v1/rays/{}", ray(at_ms, 1)))
            };
            let [one, other] = [&healthy, &skewed].map(|fakes| ask().of_deployment(fakes, &Ok(config.clone())));
            assert_eq!((one.status, &one), (404, &other), "{token} {at_ms}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn doubt_is_where_skewed_batches_are(
        batches in vec((0..1_500_i64, 0..40_u64, -400..400_i64, -400..400_i64, 0..3_i64), 0..12),
        asked in vec((-900..2_400_i64, 0..2_000_i64), 1..20),
    ) {
        use raydex::index::RaySkew;
        use raydex::ledger::layout_doubts::NoteSkew;
        use raydex::ledger::registry::FindLedgers;
        use raydex::ledger::SourceId;
        use raydex::limits::{LAYOUT_MARGIN_MS, LAYOUT_RECENT_MS};
        let fakes = Fakes::new();
        let minute = |nth: i64| NOW_MS + nth * MINUTE;
        let mut noted = Vec::new();
        for (at, hour, one, other, later) in batches {
            // Two rays of records of the same minute.
            let skew = [one, other].map(|ahead| RaySkew::of(minute(at + ahead), minute(at)));
            let skew = skew[0].with(skew[1]);
            let source = SourceId::from_digits(&format!("{at:064x}")).unwrap();
            let uploaded_ms = minute(at + later);
            let note = NoteSkew { dataset: Dataset::HttpRequests, ledger: format!("v1/{hour}"), source, uploaded_ms, skew };
            let is_new = fakes.ledgers.ask(REGISTRY, &note).is_new;
            let repeated = fakes.ledgers.ask(REGISTRY, &note).is_new;
            prop_assert_eq!(is_new, repeated, "a repeated call has the same answer");
            noted.push((hour, uploaded_ms, skew));
        }
        for (at, now) in asked {
            let (at_ms, now_ms) = (minute(at), minute(now));
            fakes.clock_ms.set(now_ms);
            let call = FindLedgers {
                first: "v1/".into(), last: "v1/".into(), start_ms: at_ms, end_ms: at_ms + 1, limit: 1,
                ray_of: Some(Dataset::HttpRequests),
            };
            let doubt = fakes.ledgers.ask(REGISTRY, &call).doubt;
            let other = FindLedgers { ray_of: Some(Dataset::FirewallEvents), ..call.clone() };
            prop_assert_eq!(fakes.ledgers.ask(REGISTRY, &other).doubt, None);
            // The batches of an hour count as one.
            let is_doubtful = noted.iter().any(|(hour, _, _)| {
                let of_hour: Vec<_> = noted.iter().filter(|(other, _, _)| hour == other).collect();
                let skew = of_hour.iter().map(|(_, _, skew)| *skew).reduce(RaySkew::with).unwrap();
                let uploaded_ms = of_hour.iter().map(|(_, uploaded_ms, _)| *uploaded_ms).max().unwrap();
                let begun = skew.first_ms - LAYOUT_MARGIN_MS <= at_ms;
                let seen = at_ms <= skew.last_ms + LAYOUT_MARGIN_MS;
                let goes_on = uploaded_ms >= now_ms - LAYOUT_RECENT_MS && at_ms <= now_ms + skew.ahead_ms + LAYOUT_MARGIN_MS;
                begun && (seen || goes_on)
            });
            prop_assert_eq!(doubt.is_some(), is_doubtful, "{} {}", at, now);
        }
    }
}
