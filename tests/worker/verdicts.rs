//! Each verdict on a ray without records, from a bucket in which it is so.

use raydex::bucket_keys::batch_key;
use raydex::record::{Dataset, RayId};
use raydex::time::rfc3339;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::access::now_s;
use super::harness::{Harness, TOKEN};
use super::reply::Reply;

const HOUR_MS: i64 = 3_600_000;
/// Time that a batch covers.
const BATCH_MS: i64 = 30_000;

fn key(at_ms: i64, nth: i64) -> String {
    let [start_ms, end_ms] = [nth, nth + 1].map(|nth| at_ms + nth * BATCH_MS);
    batch_key("logs/", Dataset::HttpRequests, start_ms, end_ms, 7)
}

fn ray(at_ms: i64) -> RayId {
    RayId::at(at_ms, 1).unwrap()
}

/// A batch of a dozen requests of a zone, the first of them this ray's.
fn lines(at_ms: i64, suffix: u32) -> Vec<u8> {
    let line = |number: i64| {
        let at_ms = at_ms + number * 2_000;
        let (ray, start) = (RayId::at(at_ms, suffix).unwrap(), rfc3339(at_ms));
        format!("{{\"RayID\":\"{ray}\",\"ZoneName\":\"b.example\",\"EdgeStartTimestamp\":\"{start}\"}}\n")
    };
    (0..12).map(line).collect::<String>().into_bytes()
}

/// Writes batches for the six minutes after an instant, but for one that has this text.
fn write_batches(harness: &Harness, at_ms: i64, odd: Option<&[u8]>) -> Value {
    let mut last = Value::Null;
    for nth in 0..12 {
        let text = lines(at_ms + nth * BATCH_MS, 9);
        let line = harness.index(&key(at_ms, nth), odd.filter(|_| nth == 3).unwrap_or(&text));
        if nth == 3 {
            last = line;
        }
    }
    last
}

fn verdict(reply: &Reply) -> Value {
    assert_eq!(reply.status, 404, "{}", reply.text());
    reply.json()["verdict"].clone()
}

#[test]
fn each_verdict_comes_from_its_situation() {
    let token = json!([{
        "id": "zone", "sha256": hex::encode(Sha256::digest("zone")), "scopes": ["read"], "role": "support", "zones": ["a.example"],
    }]);
    let harness = Harness::with(json!({ "settings": {
        "API_TOKEN_SHA256": hex::encode(Sha256::digest(TOKEN)), "API_TOKENS": token.to_string(),
        "API_RATE_PER_MINUTE": "0", "LOG_RETENTION_DAYS": "30",
    } }));
    let seconds = i64::try_from(now_s()).unwrap() * 1_000;
    let [logged, quarantined, damaged] = [4, 8, 12].map(|hours| seconds - hours * HOUR_MS);
    write_batches(&harness, logged, None);
    assert_eq!(write_batches(&harness, quarantined, Some(b"a,b\n1,2\n"))["verdict"], "quarantined");
    let odd = [&lines(damaged + 3 * BATCH_MS, 9)[..], b"no record\n"].concat();
    assert_eq!(write_batches(&harness, damaged, Some(&odd))["verdict"], "sealed");
    let ask = |at_ms: i64, query: &str| harness.get(&format!("/v1/rays/{}{query}", ray(at_ms)));
    assert_eq!(verdict(&ask(logged, ""))["code"], "maybe_not_logged", "the bucket was not searched");
    harness.scheduled();
    let found = verdict(&ask(logged, ""));
    assert_eq!((&found["code"], &found["evidence"]["sealed_batches"]), (&"not_logged".into(), &10.into()), "{found}");

    for (at_ms, member) in [(quarantined, "quarantined_batches"), (damaged, "rejected_lines")] {
        let found = verdict(&ask(at_ms, ""));
        assert_eq!((&found["code"], &found["evidence"][member]), (&"maybe_not_logged".into(), &1.into()), "{found}");
        let handle = found["evidence"]["uncertain"][0].as_str().unwrap();
        assert_eq!(harness.read(&format!("/v1/batches/{handle}"))["batch"]["object"]["key"], key(at_ms, 3));
    }
    let fresh = ask(seconds - 20_000, "");
    assert_eq!(verdict(&fresh)["code"], "not_yet");
    assert_eq!(fresh.header("retry-after"), verdict(&fresh)["retry_after_s"].to_string());
    assert_eq!(verdict(&ask(seconds + 60_000, ""))["code"], "ahead_of_clock");
    assert_eq!(verdict(&ask(seconds - 31 * 24 * HOUR_MS, ""))["code"], "older_than_kept");

    let event = format!(
        "{{\"RayID\":\"{}\",\"MatchIndex\":0,\"Action\":\"block\",\"Source\":\"waf\",\"Kind\":\"firewall\"}}\n",
        ray(logged)
    );
    harness.index(&key(logged, 0).replace("http_requests", "firewall_events"), event.as_bytes());
    let found = verdict(&ask(logged, "?dataset=http_requests"));
    assert_eq!((&found["code"], &found["datasets"]), (&"in_another_dataset".into(), &json!(["firewall_events"])));

    // A record of another zone, and none: the answers differ in the ray alone.
    let [hidden, absent] = [9, 1].map(|suffix| {
        let ray = RayId::at(logged, suffix).unwrap().to_string();
        let reply = harness.get_with(&format!("/v1/rays/{ray}"), &[("authorization", "Bearer zone")]);
        assert_eq!(verdict(&reply), json!({ "code": "maybe_not_logged" }));
        reply.text().replace(&ray, "")
    });
    assert_eq!(hidden, absent);
}
