//! What became of the records of one ray on their way to the partner.

use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::ledger::plan::DeliveryRequest;
use raydex::ledger::{DeliveryWindow, PlanBackfill, PlanOptions};
use raydex::record::Dataset;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::access::{deployment, rule};
use super::story::{KEYS, batch, deliver, park, plan_options, records, split, wish};
use super::support::partner::delivering;
use super::support::records::{http, ndjson, ray};
use super::support::{Fakes, NOW_MS};
use super::{Ask, header, json as body, problem};
use crate::support::ledgers::batch_of;

/// The records of the ray with this number.
fn of_ray(fakes: &Fakes, number: u64) -> Vec<Value> {
    let reply = Ask::get(&format!("/v1/rays/{}/deliveries", ray(number))).of(fakes);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    body(&reply)["records"].as_array().unwrap().clone()
}

fn handles(record: &Value) -> Vec<&str> {
    record["payloads"].as_array().unwrap().iter().map(|payload| payload["id"].as_str().unwrap()).collect()
}

#[test]
fn record_is_found_in_its_one_payload() {
    let fakes = Fakes::new();
    let ids = batch(&fakes, KEYS[0], &records(0..5), Some(wish()));
    deliver(&fakes, &ids[0]);
    park(&fakes, &ids[1]);
    for (number, payload, state) in
        [(0, 0, "delivered"), (1, 0, "delivered"), (2, 1, "parked"), (3, 1, "parked"), (4, 2, "prepared")]
    {
        let found = of_ray(&fakes, number);
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0]["delivery_status"], &found[0]["exact"]), (&"assigned".into(), &true.into()));
        assert_eq!(handles(&found[0]), [ids[payload].handle()]);
        assert_eq!(found[0]["payloads"][0]["state"], state);
    }
}

#[test]
fn an_answer_names_batch_payload_answer_and_hash() {
    let fakes = Fakes::new();
    let ids = batch(&fakes, KEYS[0], &records(0..2), Some(wish()));
    deliver(&fakes, &ids[0]);
    let reply = Ask::get(&format!("/v1/rays/{}-SJC/deliveries", ray(1))).of(&fakes);
    let etag = fakes.bucket.object(KEYS[0]).unwrap().head.etag;
    let id = batch_of(BUCKET_NAME, KEYS[0], &etag);
    let payload = fakes.ledgers.batch(&id).payloads.remove(0).payload;
    let cost = body(&reply)["cost"].clone();
    assert_eq!((&cost["shards_asked"], &cost["objects_read"], &cost["elapsed_ms"]), (&1.into(), &1.into(), &28.into()));
    let expected = json!({
        "ray": ray(1).to_string(), "ray_time": "2026-03-28T08:37:22.560Z", "truncated": false, "batches_gone": 0,
        "batches_unreadable": 0,
        "records": [{
            "batch": {"id": id.handle(), "key": KEYS[0], "etag": etag, "offset": payload.last_offset},
            "delivery_status": "assigned", "plan": 1, "exact": true,
            "payloads": [{
                "id": ids[0].handle(), "partner_batch_id": ids[0].batch_header(), "plan": 1, "index": "000000",
                "sha256": payload.sha256, "lines": 2, "bytes": payload.bytes, "first_offset": 0, "last_offset": payload.last_offset,
                "state": "delivered", "attempts": 1, "unknown_outcomes": 0, "not_sent": 0, "last_post_ms": null,
                "waits_reason": null, "status": 200, "code": null, "next_attempt_at": null,
                "last_attempt_at": "2026-03-28T08:42:25.000Z", "waits_for": null, "waits_until": null,
                "completed_at": "2026-03-28T08:42:25.000Z",
                "pack": {"first": "000000", "digest": hex::encode(Sha256::digest(&payload.sha256)), "offset": 0},
            }],
        }],
        "cost": cost,
    });
    assert_eq!(body(&reply), expected);
    assert!(header(&reply, "raydex-cost").is_some_and(|cost| cost.starts_with("shards_asked=1, objects_read=1")));
}

#[test]
fn record_of_a_split_payload_names_both_halves() {
    let fakes = Fakes::new();
    let ids = batch(&fakes, KEYS[0], &records(0..2), Some(wish()));
    let halves = split(&fakes, &ids[0]);
    deliver(&fakes, &halves[0]);
    let found = of_ray(&fakes, 1).remove(0);
    assert_eq!(handles(&found), [ids[0].handle(), halves[0].handle(), halves[1].handle()]);
    assert_eq!((&found["delivery_status"], &found["exact"]), (&"assigned".into(), &false.into()));
    assert_eq!(found["payloads"][0]["split_into"], json!([halves[0].handle(), halves[1].handle()]));
}

#[test]
fn a_record_that_does_not_go_says_why() {
    let filter = Some(r#"{"where":{"key":"ClientRequestURI","operator":"eq","value":"x"}}"#.into());
    let filtered = DeliveryRequest { options: PlanOptions { filter, ..plan_options() }, ..wish() };
    let later = DeliveryRequest { window: DeliveryWindow { start_ms: NOW_MS, ..DeliveryWindow::EVER }, ..wish() };
    let excluded = json!({"delivery_status": "excluded", "reason": "filter", "plan": 1});
    let none = json!({"delivery_status": "no_plan"});
    for (deliver, expected) in [(Some(filtered), excluded), (Some(later), none.clone()), (None, none)] {
        let fakes = Fakes::new();
        batch(&fakes, KEYS[0], &records(0..2), deliver);
        let mut found = of_ray(&fakes, 0).remove(0);
        let found = found.as_object_mut().unwrap();
        assert_eq!((found.remove("exact"), found.remove("payloads")), (Some(true.into()), Some(json!([]))));
        found.remove("batch");
        assert_eq!(&Value::Object(found.clone()), &expected);
    }
}

#[test]
fn each_record_is_judged_in_its_own_batch() {
    let fakes = Fakes::new();
    let first = batch(&fakes, KEYS[0], &[records(0..1), records(0..3)].concat(), Some(wish()));
    assert_eq!(batch(&fakes, KEYS[2], &records(0..1), Some(wish())), [], "its line is in a payload of the first");
    batch(&fakes, KEYS[3], &records(0..1), None);
    let found = of_ray(&fakes, 0);
    assert_eq!(found.iter().flat_map(handles).collect::<Vec<_>>(), [first[0].handle()]);
    for (found, status) in found.iter().zip(["assigned", "excluded", "excluded", "no_plan"]) {
        assert_eq!((&found["delivery_status"], &found["exact"]), (&status.into(), &true.into()));
        assert_eq!(found["reason"].as_str(), (status == "excluded").then_some("duplicate"));
    }
}

/// A backfill that delivers once more for this reason; its number.
fn once_more(fakes: &Fakes, reason: &str) -> i64 {
    let body =
        json!({ "start": "2026-03-27T00:00:00Z", "end": "2026-03-28T00:00:00Z", "again": true, "reason": reason });
    let ask = Ask { body: body.to_string().into_bytes(), ..Ask::new("POST", "/v1/backfills") };
    super::json(&ask.of_deployment(fakes, &Ok(delivering(&[]))))["id"].as_i64().unwrap()
}

/// The wish of that backfill.
fn repetition(id: i64) -> DeliveryRequest {
    DeliveryRequest { backfill: Some(PlanBackfill { id, lines_per_second: 1_000, again: true }), ..wish() }
}

#[test]
fn record_delivered_once_more_shows_both_deliveries() {
    let fakes = Fakes::new();
    let first = batch(&fakes, KEYS[0], &records(0..5), Some(wish()));
    deliver(&fakes, &first[0]);
    assert!(of_ray(&fakes, 1)[0].get("again").is_none());
    let ids = [once_more(&fakes, "the partner lost an hour"), once_more(&fakes, "it lost the next one, too")];
    let repeat = |id| batch(&fakes, KEYS[0], &records(0..5), Some(repetition(id)));
    let again =
        ids.map(|id| repeat(id).into_iter().filter(|payload| i64::from(payload.plan) == id + 1).collect::<Vec<_>>());
    deliver(&fakes, &again[0][0]);
    let found = of_ray(&fakes, 1).remove(0);
    assert_eq!((handles(&found), &found["payloads"][0]["state"]), (vec![&*first[0].handle()], &"delivered".into()));
    let repeated = found["again"].as_array().unwrap();
    let reasons = ["the partner lost an hour", "it lost the next one, too"];
    for (nth, (id, reason)) in ids.iter().zip(reasons).enumerate() {
        let backfill = &repeated[nth]["backfill"];
        assert_eq!((&backfill["id"], &backfill["reason"]), (&json!(id), &json!(reason)));
        assert!(backfill["created_at"].as_str().unwrap().starts_with("2026-03-28T08:42:25."));
        assert_eq!(handles(&repeated[nth]), [again[nth][0].handle()]);
        assert_eq!((&repeated[nth]["delivery_status"], &repeated[nth]["exact"]), (&"assigned".into(), &true.into()));
    }
    let states = repeated.iter().map(|repeated| &repeated["payloads"][0]["state"]);
    assert!(states.eq(["delivered", "prepared"]));
    assert!(repeated[0]["payloads"][0]["completed_at"].as_str().is_some_and(|at| at.starts_with("2026-03-28T08:42:2")));
    let story = Ask::get(&format!("/v1/rays/{}?parts=deliveries", ray(1))).of(&fakes);
    assert_eq!(body(&story)["deliveries"][0]["again"], found["again"]);
}

#[test]
fn caller_with_zones_sees_repetitions_without_words() {
    let fakes = Fakes::new();
    let line = |zone: &str, number| {
        format!(r#"{{"RayID":"{}","ClientRequestURI":"/","ClientIP":"192.0.2.1","ZoneName":"{zone}"}}"#, ray(number))
    };
    let text = ndjson([line("a.example", 1), line("b.example", 2)]);
    batch(&fakes, KEYS[0], &text, Some(wish()));
    let id = once_more(&fakes, "zone b.example lost an hour");
    batch(&fakes, KEYS[0], &text, Some(repetition(id)));
    let config = Ok(deployment(&[rule("a", &json!({ "zones": ["a.example"] }))]));
    let ask = Ask::get(&format!("/v1/rays/{}/deliveries", ray(1))).by("a");
    let found = body(&ask.of_deployment(&fakes, &config))["records"][0].clone();
    let repeated = &found["again"][0];
    assert_eq!((&repeated["delivery_status"], repeated.get("backfill")), (&"assigned".into(), None));
    assert!(repeated["payloads"][0].get("id").is_none() && !found.to_string().contains("b.example"), "{found}");
}

#[test]
fn version_unknown_to_the_ledger_is_reported_unknown() {
    let fakes = Fakes::new();
    batch(&fakes, KEYS[0], &records(0..2), Some(wish()));
    fakes.bucket.store(KEYS[0], &records(0..3));
    let found = of_ray(&fakes, 0).remove(0);
    assert_eq!((&found["delivery_status"], &found["payloads"]), (&"unknown_batch".into(), &json!([])));
}

#[test]
fn plan_in_progress_is_reported_as_pending() {
    let fakes = Fakes::new();
    batch(&fakes, KEYS[0], &records(0..2), None);
    let object = fakes.bucket.object(KEYS[0]).unwrap();
    let id = batch_of(BUCKET_NAME, KEYS[0], &object.head.etag);
    let version = fakes.ledgers.batch(&id).batch.unwrap().object;
    let begin = raydex::ledger::calls::BeginBatch {
        source: id.source.clone(),
        object: version,
        dataset: "http_requests".into(),
        possible_datasets: vec![Dataset::HttpRequests],
        times: None,
        index: false,
        deliver: Some(wish()),
        rebuild: None,
    };
    fakes.ledgers.ask(&id.ledger, &begin);
    let found = of_ray(&fakes, 0).remove(0);
    assert_eq!((&found["delivery_status"], &found["plan"]), (&"pending".into(), &1.into()));
}

#[test]
fn non_rays_and_unknown_rays_answer_like_lookups() {
    let fakes = Fakes::new();
    fakes.index("logs/firewall_events/c", Dataset::FirewallEvents, http(&ray(1).to_string(), 0).as_bytes());
    let nothing = Ask::get(&format!("/v1/rays/{}/deliveries", ray(1))).of(&fakes);
    assert_eq!(problem(&nothing), (404, "ray_not_found".into()));
    let event = format!(r#"{{"RayID":"{}","Action":"log","Source":"waf","Kind":"firewall","MatchIndex":0}}"#, ray(2));
    fakes.index("logs/firewall_events/d", Dataset::FirewallEvents, event.as_bytes());
    let elsewhere = body(&Ask::get(&format!("/v1/rays/{}/deliveries", ray(2))).of(&fakes));
    assert_eq!(elsewhere["verdict"]["code"], "in_another_dataset", "{elsewhere}");
    let part = Ask::get(&format!("/v1/rays/{}?dataset=firewall_events&parts=deliveries", ray(1))).of(&fakes);
    assert_eq!(problem(&part), (400, "bad_parameter".into()));
    assert_eq!(body(&nothing)["cost"]["shards_asked"], 1);
    for (path, code) in [("!", "not_a_ray"), ("9e35512345678abc", "unknown_parameter")] {
        let query = if code == "not_a_ray" { "" } else { "?format=json" };
        let reply = Ask::get(&format!("/v1/rays/{path}/deliveries{query}")).of(&fakes);
        assert_eq!(problem(&reply), (400, code.into()));
    }
}

#[test]
fn part_of_a_story_equals_the_own_answer() {
    let fakes = Fakes::new();
    let ids = batch(&fakes, KEYS[0], &records(0..5), Some(wish()));
    batch(&fakes, KEYS[1], &records(0..2), Some(wish()));
    deliver(&fakes, &ids[0]);
    let story = |query: &str| Ask::get(&format!("/v1/rays/{}?{query}", ray(1))).of(&fakes);
    let both = of_ray(&fakes, 1);
    assert_eq!(both.len(), 2);
    let alone = story("parts=deliveries");
    assert_eq!((body(&alone)["deliveries"].as_array(), &body(&alone)["records"]), (Some(&both), &json!([])));
    assert!(body(&alone).get("tree").is_none());
    let whole = body(&story("parts=tree,records,deliveries"));
    assert_eq!((whole["deliveries"].as_array(), whole["records"].as_array().unwrap().len()), (Some(&both), 1));
    assert_eq!(whole["tree"]["nodes"].as_array().unwrap().len(), 1);
    let filter = |of| {
        let condition = json!({ "where": { "key": "RayID", "operator": "eq", "value": ray(of).to_string() } });
        body(&story(&format!("parts=deliveries&filter={condition}")))["deliveries"].clone()
    };
    assert_eq!((filter(1).as_array(), filter(2)), (Some(&both), json!([])));
    assert!(body(&story("")).get("deliveries").is_none());
    // The tag changes with what became of a payload.
    let tag = |reply: &super::Reply| header(reply, "etag").unwrap().to_owned();
    assert_eq!(tag(&alone), tag(&story("parts=deliveries")));
    let plain = tag(&story(""));
    for id in ids.iter().skip(1) {
        deliver(&fakes, id);
    }
    assert_eq!(plain, tag(&story("")));
    let others = Ask::get(&format!("/v1/rays/{}?parts=deliveries", ray(3)));
    assert_eq!(body(&others.of(&fakes))["deliveries"][0]["payloads"][0]["state"], "delivered");
    for format in ["native", "csv", "partner", "explain", "har"] {
        assert_eq!(problem(&story(&format!("format={format}&parts=deliveries"))).0, 400, "{format}");
    }
}
