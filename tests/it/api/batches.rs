//! Which batches were seen, what became of one, and another chance for one that was quarantined.

use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::ledger::BatchId;
use raydex::ledger::calls::QuarantineBatch;
use raydex::ledger::ids::REGISTRY;
use raydex::ledger::plan::DeliveryRequest;
use raydex::ledger::{DeliveryPlan, DeliveryWindow};
use raydex::limits::OPERATION_BODY_MAX;
use serde_json::{Value, json};

use super::story::{KEYS, batch, deliver, park, plan_options, records, split, wish};
use super::support::{Fakes, Kind, NOW_MS};
use super::{Ask, Reply, json as body, problem};
use crate::support::ledgers::batch_of;

fn get(fakes: &Fakes, path: &str) -> Value {
    let reply = Ask::get(path).of(fakes);
    assert_eq!(reply.status, 200, "{path}: {}", String::from_utf8_lossy(&reply.body));
    body(&reply)
}

/// The batch that the object at `key` is now.
fn id_of(fakes: &Fakes, key: &str) -> BatchId {
    batch_of(BUCKET_NAME, key, &fakes.bucket.object(key).unwrap().head.etag)
}

/// The keys of a list, in its order.
fn keys(list: &Value) -> Vec<&str> {
    list["batches"].as_array().unwrap().iter().map(|batch| batch["object"]["key"].as_str().unwrap()).collect()
}

/// Four batches, and a damaged one that has no hour.
fn world() -> Fakes {
    let fakes = Fakes::new();
    for (key, first) in KEYS.into_iter().zip([0, 10, 20, 30]) {
        fakes.clock_ms.set(NOW_MS + i64::try_from(first).unwrap());
        batch(&fakes, key, &records(first..first + 3), Some(wish()));
    }
    fakes.clock_ms.set(NOW_MS + 99);
    batch(&fakes, "logs/damaged.log.gz", b"\x1f\x8bdamaged", None);
    fakes
}

#[test]
fn batches_are_listed_by_hour_newest_first() {
    let fakes = world();
    let all = get(&fakes, "/v1/batches");
    assert_eq!(keys(&all)[..3], [KEYS[1], KEYS[0], KEYS[2]]);
    assert_eq!(keys(&all).len(), 5);
    assert_eq!((&all["truncated"], &all["ledgers"]), (&false.into(), &json!({"scanned": 4, "total": 4})));
    let head = fakes.bucket.object(KEYS[1]).unwrap().head;
    let expected = json!({
        "id": id_of(&fakes, KEYS[1]).handle(),
        "object": {"key": KEYS[1], "etag": head.etag, "size": head.size,
            "uploaded_at": raydex::time::rfc3339(head.uploaded_ms)},
        "dataset": "http_requests", "state": "sealed", "indexed": true, "gone": false, "replaying": false,
        "first_seen_at": "2026-03-28T08:42:25.010Z", "sealed_at": "2026-03-28T08:42:25.010Z",
        "first_record_at": all["batches"][0]["first_record_at"], "last_record_at": all["batches"][0]["last_record_at"],
        "inflated_bytes": head.size,
        "counts": {"lines": 3, "records": 3, "rays": 3, "nonstandard_ids": 0, "no_ray": 0, "timed_rays": 0, "clock_skewed": 0, "rejected": {}},
        "skewed_share": null, "rays_ahead_s": 0, "rays_behind_s": 0,
    });
    assert_eq!(all["batches"][0], expected);
}

#[test]
fn list_has_one_state_and_an_end() {
    let fakes = world();
    let aside = get(&fakes, "/v1/batches?state=quarantined");
    assert_eq!(keys(&aside), ["logs/damaged.log.gz"]);
    assert!(aside["batches"][0]["code"].is_string() && aside["batches"][0]["reason"].is_string(), "{aside}");
    assert_eq!(keys(&get(&fakes, "/v1/batches?state=sealed")).len(), 4);
    assert_eq!(keys(&get(&fakes, "/v1/batches?state=open")), [""; 0]);
    for (limit, truncated) in [(1, true), (2, true), (4, true), (5, false), (1000, false)] {
        let list = get(&fakes, &format!("/v1/batches?limit={limit}"));
        assert_eq!((keys(&list).len(), &list["truncated"]), (limit.min(5), &truncated.into()), "{limit}");
    }
    let asked = fakes.faults.count(Kind::Ledger);
    get(&fakes, "/v1/batches?limit=1");
    assert!(fakes.faults.count(Kind::Ledger) - asked <= 5);
}

#[test]
fn invalid_list_parameters_are_refused() {
    for (query, code) in [
        ("state=", "bad_parameter"),
        ("state=pending", "bad_parameter"),
        ("limit=0", "bad_parameter"),
        ("limit=1001", "bad_parameter"),
        ("limit=many", "bad_parameter"),
        ("hour=8", "unknown_parameter"),
    ] {
        let fakes = Fakes::new();
        assert_eq!(problem(&Ask::get(&format!("/v1/batches?{query}")).of(&fakes)), (400, code.into()), "{query}");
        assert_eq!(fakes.faults.calls(), 0, "{query}");
    }
}

#[test]
fn batch_shows_its_books_plans_and_payloads() {
    let fakes = Fakes::new();
    let window = DeliveryWindow { start_ms: NOW_MS - 3_600_000, ..DeliveryWindow::EVER };
    let ids = batch(&fakes, KEYS[0], &records(0..5), Some(DeliveryRequest { window, ..wish() }));
    deliver(&fakes, &ids[0]);
    park(&fakes, &ids[1]);
    let halves = split(&fakes, &batch(&fakes, KEYS[1], &records(5..7), Some(wish()))[0]);
    let path = |key| format!("/v1/batches/{}", id_of(&fakes, key).handle());
    let one = get(&fakes, &path(KEYS[0]));
    assert_eq!(
        one["batch"],
        get(&fakes, "/v1/batches")["batches"]
            .as_array()
            .unwrap()
            .iter()
            .find(|batch| batch["object"]["key"] == KEYS[0])
            .unwrap()
            .clone()
    );
    assert_eq!(
        one["accounts"]["lines"],
        json!({"in": 5, "delivered": 2, "confirmed": 0, "pending": 1, "parked": 2, "rejected": {},
        "filtered": {}, "unaccounted": 0})
    );
    assert_eq!(one["accounts"]["batches"], json!({"open": 0, "sealed": 1, "quarantined": 0}));
    assert_eq!(one["shards"].as_array().unwrap().len(), 1);
    assert_eq!(one["rejected"], json!({"total": 0, "truncated": false, "lines": []}));
    assert_eq!(
        one["plans"],
        json!([{
            "number": 1, "windows": [{"start": "2026-03-28T07:42:25.000Z", "end": null}],
            "options": {"format": 1, "lines": 2, "subrequests": "include", "filter": null, "version": "cs_vod_v3.0", "tenant": "-", "unknown_country": "CN",
            "duplicates": "hold"},
        }])
    );
    let payload = &one["payloads"][0];
    let kept = fakes.ledgers.batch(&id_of(&fakes, KEYS[0]));
    assert_eq!(
        payload,
        &json!({
            "id": ids[0].handle(), "partner_batch_id": ids[0].batch_header(), "plan": 1, "index": "000000",
            "pack": kept.payloads[0].payload.pack, "sha256": kept.payloads[0].payload.sha256, "bytes": kept.payloads[0].payload.bytes, "lines": 2,
            "first_offset": 0, "last_offset": kept.payloads[0].payload.last_offset, "state": "delivered", "attempts": 1, "unknown_outcomes": 0,
            "not_sent": 0, "last_post_ms": null, "waits_reason": null,
            "last_attempt_at": "2026-03-28T08:42:25.000Z", "waits_for": null, "waits_until": null,
            "status": 200, "code": null, "next_attempt_at": null, "completed_at": "2026-03-28T08:42:25.000Z",
        })
    );
    let states: Vec<_> = one["payloads"].as_array().unwrap().iter().map(|payload| &payload["state"]).collect();
    assert_eq!(states, ["delivered", "parked", "prepared"]);
    assert_eq!(
        (&one["payloads"][1]["code"], &one["payloads"][2]["next_attempt_at"]),
        (&"permanent".into(), &"2026-03-28T08:42:25.000Z".into())
    );
    let other = get(&fakes, &path(KEYS[1]));
    assert_eq!(other["plans"][0]["windows"], json!([{"start": null, "end": null}]));
    assert_eq!(other["payloads"][0]["split_into"], json!([halves[0].handle(), halves[1].handle()]));
    assert_eq!(other["payloads"][1]["id"], halves[0].handle());
}

#[test]
fn malformed_and_unknown_handles_are_404() {
    let fakes = world();
    let known = id_of(&fakes, KEYS[0]).handle();
    let digits = "a".repeat(64);
    for handle in [
        "x",
        "registry.x",
        &format!("registry.{digits}"),
        &format!("20260328T08.{digits}"),
        &format!("20260101T00.{digits}"),
        &known.to_uppercase(),
        &known.replace(&known.chars().last().unwrap().to_string(), ""),
        &format!("{known}.1.000000"),
        "logs%2Fhttp_requests",
        "..%2F..",
    ] {
        let expected = if handle.contains("%2F") { "no_such_path" } else { "no_such_batch" };
        let one = Ask::get(&format!("/v1/batches/{handle}")).of(&fakes);
        assert_eq!(problem(&one), (404, expected.into()), "{handle}");
        let replay = Ask::post(&format!("/v1/batches/{handle}/replay"), "why not").of(&fakes);
        assert_eq!(problem(&replay), (404, expected.into()), "{handle}");
    }
    let reply = Ask::get(&format!("/v1/batches/{known}?x=1")).of(&fakes);
    assert_eq!(problem(&reply), (400, "unknown_parameter".into()));
    assert!(body(&reply)["hint"].as_str().unwrap().ends_with("none."));
}

/// A good batch that an earlier version took for a bad one.
fn quarantined_wrongly() -> (Fakes, String) {
    let fakes = Fakes::new();
    fakes.bucket.store(KEYS[0], &records(0..3));
    let id = id_of(&fakes, KEYS[0]);
    let object = raydex::index::ObjectVersion::new(KEYS[0], &fakes.bucket.object(KEYS[0]).unwrap().head);
    let begin = raydex::ledger::calls::BeginBatch {
        source: id.source.clone(),
        object,
        dataset: "http_requests".into(),
        possible_datasets: vec![raydex::record::Dataset::HttpRequests],
        times: None,
        index: true,
        deliver: None,
        rebuild: None,
    };
    fakes.ledgers.ask(&id.ledger, &begin);
    fakes.ledgers.ask(REGISTRY, &raydex::ledger::registry::RegisterLedger { name: id.ledger.clone(), times: None });
    let (code, reason) = ("not_gzip".into(), "It is no gzip.".into());
    fakes.ledgers.ask(&id.ledger, &QuarantineBatch { source: id.source.clone(), code, reason });
    let handle = id.handle();
    (fakes, handle)
}

#[test]
fn quarantined_batch_is_read_again() {
    let (fakes, handle) = quarantined_wrongly();
    let path = format!("/v1/batches/{handle}/replay");
    let reply = Ask::post(&path, "the reader was wrong").of(&fakes);
    assert_eq!((reply.status, body(&reply)), (200, json!({"batch": handle, "before": "quarantined", "state": "open"})));
    let open = get(&fakes, &format!("/v1/batches/{handle}"));
    assert_eq!((&open["batch"]["state"], &open["batch"]["code"]), (&"open".into(), &"replayed".into()));
    assert_eq!(open["batch"]["reason"], "the reader was wrong");
    let messages = fakes.queue.take();
    assert_eq!(messages.len(), 1);
    assert_eq!(fakes.parse(&messages[0], 1).verdict.name(), "sealed");
    assert_eq!(get(&fakes, &format!("/v1/batches/{handle}"))["batch"]["state"], "sealed");
    let again = Ask::post(&path, "once more").of(&fakes);
    assert_eq!(problem(&again), (409, "nothing_to_replay".into()));
    assert!(fakes.queue.sent().is_empty());
}

#[test]
fn replay_with_a_lost_message_can_be_repeated() {
    let (fakes, handle) = quarantined_wrongly();
    let ask = || Ask::post(&format!("/v1/batches/{handle}/replay"), "the reader was wrong");
    fakes.faults.plan(Some(Kind::Send), 0, super::support::Fault::Fails);
    assert_eq!(problem(&ask().of(&fakes)), (503, "unavailable".into()));
    let reply = ask().of(&fakes);
    assert_eq!((reply.status, &body(&reply)["before"]), (200, &"open".into()));
    assert_eq!(fakes.queue.sent().len(), 1);
}

#[test]
fn batch_with_a_lost_object_stays_quarantined() {
    let (fakes, handle) = quarantined_wrongly();
    let path = format!("/v1/batches/{handle}/replay");
    fakes.bucket.store(KEYS[0], &records(0..4));
    assert_eq!(problem(&Ask::post(&path, "why not").of(&fakes)), (409, "object_gone".into()));
    fakes.bucket.delete(KEYS[0]);
    assert_eq!(problem(&Ask::post(&path, "why not").of(&fakes)), (409, "object_gone".into()));
    assert_eq!(get(&fakes, &format!("/v1/batches/{handle}"))["batch"]["state"], "quarantined");
    assert!(fakes.queue.sent().is_empty());
}

#[test]
fn plans_of_one_batch_are_shown_apart() {
    let fakes = Fakes::new();
    let early = DeliveryWindow { end_ms: NOW_MS, ..DeliveryWindow::EVER };
    batch(&fakes, KEYS[0], &records(0..3), Some(DeliveryRequest::new(early, plan_options())));
    let uploaded = fakes.bucket.object(KEYS[0]).unwrap();
    batch(&fakes, KEYS[0], &uploaded.bytes, Some(wish()));
    let one = get(&fakes, &format!("/v1/batches/{}", id_of(&fakes, KEYS[0]).handle()));
    let plans: Vec<DeliveryPlan> = fakes.ledgers.batch(&id_of(&fakes, KEYS[0])).plans;
    assert_eq!(plans.len(), 2);
    assert_eq!(one["plans"][0]["windows"], json!([{"start": null, "end": "2026-03-28T08:42:25.000Z"}]));
    assert_eq!(one["plans"][1]["windows"], json!([{"start": "2026-03-28T08:42:25.000Z", "end": null}]));
}

fn announce(fakes: &Fakes, body: &str) -> Reply {
    Ask { body: body.into(), ..Ask::new("POST", "/v1/batches") }.of(fakes)
}

fn announce_key(fakes: &Fakes, key: &str) -> Reply {
    announce(fakes, &json!({ "key": key }).to_string())
}

#[test]
fn announced_object_is_read_like_any_other() {
    let fakes = Fakes::new();
    fakes.bucket.store(KEYS[0], &records(0..3));
    let handle = id_of(&fakes, KEYS[0]).handle();
    let reply = announce_key(&fakes, KEYS[0]);
    assert_eq!((reply.status, body(&reply)), (202, json!({ "batch": handle })));
    let messages = fakes.queue.take();
    assert_eq!(messages.len(), 1);
    assert_eq!(fakes.parse(&messages[0], 1).verdict.name(), "sealed");
    assert_eq!(get(&fakes, &format!("/v1/batches/{handle}"))["batch"]["state"], "sealed");
    // Once more changes nothing.
    let before = fakes.everything();
    let again = announce_key(&fakes, KEYS[0]);
    assert_eq!((again.status, body(&again)), (202, json!({ "batch": handle })));
    assert_eq!(fakes.parse(&fakes.queue.take()[0], 1).verdict.name(), "already_sealed");
    assert_eq!(fakes.everything(), before);
    // A new version is another batch of the same key.
    fakes.bucket.store(KEYS[0], &records(5..9));
    assert_eq!(body(&announce_key(&fakes, KEYS[0]))["batch"], id_of(&fakes, KEYS[0]).handle());
}

#[test]
fn announcement_of_a_missing_object_is_404() {
    let fakes = Fakes::new();
    fakes.bucket.store("logs/a b.log.gz", &records(0..1));
    let long = format!("logs/{}", "k".repeat(1020));
    for key in [KEYS[0], "logs/a%20b.log.gz", "logs/a b.log.gz ", &long, "logs/../x"] {
        assert_eq!(problem(&announce_key(&fakes, key)), (404, "no_such_object".into()), "{key}");
    }
    assert!(fakes.queue.sent().is_empty());
}

#[test]
fn announcement_of_no_batch_says_why() {
    let fakes = Fakes::new();
    for (key, code) in [
        ("other/a.log.gz", "other_prefix"),
        ("raydex/windows/v1/a", "other_prefix"),
        ("logs/test.txt.gz", "logpush_check"),
        ("logs/http_requests/", "folder"),
        ("logs/", "folder"),
    ] {
        fakes.bucket.store(key, b"x");
        let calls = fakes.faults.count(Kind::Get);
        assert_eq!(problem(&announce_key(&fakes, key)), (422, code.into()), "{key}");
        assert_eq!(fakes.faults.count(Kind::Get), calls, "{key}: the bucket is not asked");
    }
    assert!(fakes.queue.sent().is_empty());
}

#[test]
fn announcement_names_a_key_and_nothing_else() {
    let fakes = Fakes::new();
    let with_dataset = format!(r#"{{"key":"{}","dataset":"http_requests"}}"#, KEYS[0]);
    for body in ["", "{}", "null", "[]", r#"{"key":""}"#, r#"{"key":7}"#, r#"{"key":null}"#, "logs/a"] {
        assert_eq!(problem(&announce(&fakes, body)), (400, "key_missing".into()), "{body}");
    }
    assert_eq!(problem(&announce(&fakes, &with_dataset)), (400, "unknown_member".into()));
    let large = json!({ "key": "k".repeat(OPERATION_BODY_MAX) }).to_string();
    assert_eq!(problem(&announce(&fakes, &large)), (413, "too_large".into()));
    assert!(fakes.queue.sent().is_empty());
}

#[test]
fn failed_announcement_can_be_repeated() {
    for kind in [Kind::Get, Kind::Send] {
        let fakes = Fakes::new();
        fakes.bucket.store(KEYS[0], &records(0..3));
        fakes.faults.plan(Some(kind), 0, super::support::Fault::Fails);
        assert_eq!(problem(&announce_key(&fakes, KEYS[0])), (503, "unavailable".into()), "{kind:?}");
        assert_eq!(announce_key(&fakes, KEYS[0]).status, 202, "{kind:?}");
        assert_eq!(fakes.queue.sent().len(), 1, "{kind:?}");
    }
}

#[test]
fn announcement_is_in_the_audit_log() {
    let fakes = Fakes::new();
    fakes.bucket.store(KEYS[0], &records(0..3));
    announce_key(&fakes, KEYS[0]);
    let entries = get(&fakes, "/v1/audit");
    let entry = &entries["entries"][0]["entry"];
    assert_eq!(entry["action"], "POST /v1/batches");
    assert_eq!(entry["request"], json!({ "key": KEYS[0] }));
}
