//! What the Worker says to its log: nothing of what log lines hold, whatever goes wrong.

use raydex::record::Dataset;
use raydex::sample::SamplePlan;
use serde_json::json;

use super::audit::{rule, settings};
use super::canaries::{Canary, Random};
use super::harness::{Harness, TOKEN, event};
use super::spellings::gzip;

/// How many secrets are planted.
const SECRETS: usize = 36;

/// A record with the secret in fields of many kinds.
fn line(batch: u32, number: usize, secret: &str) -> String {
    let ray = format!("9e3550{batch:02x}{number:08x}");
    json!({
        "RayID": ray, "ClientRequestURI": format!("/x?token={secret}"), "ClientRequestUserAgent": secret,
        "Cookies": { "session": secret }, "RequestHeaders": { "authorization": secret }, "Novel": secret,
        "ClientRequestHost": secret, "EdgeStartTimestamp": secret, secret: secret,
    })
    .to_string()
}

#[test]
fn no_log_line_says_anything_of_a_record() {
    let mut random = Random::new(0x106);
    let canaries: Vec<Canary> = (0..SECRETS).map(|_| Canary::draw(&mut random)).collect();
    let text = |batch| -> Vec<u8> {
        let lines = canaries.iter().enumerate().map(|(number, canary)| line(batch, number, &canary.text) + "\n");
        lines.collect::<String>().into_bytes()
    };
    let settings = {
        let mut settings = settings(&[rule("eye", &["read"], "viewer")], 0);
        settings["LOG_LEVEL"] = "debug".into();
        settings
    };
    let harness = Harness::with(json!({ "faulty": true, "partner": true, "settings": settings }));
    harness.behave(&json!([{ "share": 0.5, "do": { "status": 400 } }, { "share": 0.5, "do": { "status": 503 } }]));
    assert_eq!(harness.index("logs/good.log.gz", &gzip(&text(1)))["verdict"], "sealed");
    // Set aside: cut, no records, a secret where JSON should be, one line that is none.
    let (whole, secret) = (gzip(&text(2)), canaries[0].text.as_str());
    for (key, bytes) in [
        ("logs/cut.log.gz", whole[..whole.len() / 2].to_vec()),
        ("logs/csv.log.gz", gzip(format!("RayID,Cookie\n{secret},{secret}\n").as_bytes())),
        ("logs/odd.log.gz", gzip(&[&text(3)[..], format!("{{\"RayID\":{secret}\n").as_bytes()].concat())),
        ("logs/none.log.gz", gzip(format!("{{\"{secret}\":\"{secret}\"}}\n").as_bytes())),
    ] {
        harness.parse(&[event(&harness.put(key, bytes.as_slice()))]);
    }
    harness.dispatch("parse-queue", &[json!({ "secret": secret }), json!(secret)]);
    harness.dispatch("send-queue", &[json!({ "secret": secret }), json!(secret)]);
    harness.dispatch("parse-dlq", &[json!({ "secret": secret })]);
    ask_everything(&harness, &canaries);
    // A batch that breaks in the middle of a stream, and one that is gone.
    harness.faults(&json!([{ "op": "get", "key": "logs/good.log.gz", "fault": "error" }]));
    let path = "/v1/logs?start=2026-03-28T08:00:00Z&end=2026-03-28T10:00:00Z";
    let broken = harness.get(path);
    assert!(broken.text().contains("\"error\":{"), "{}", broken.text());
    let plan = SamplePlan { batches: 1, window_ms: 30_000, records: 20, ..SamplePlan::default() };
    assert_eq!(harness.index("logs/good.log.gz", &plan.batch(Dataset::HttpRequests, 0).gzip)["verdict"], "sealed");
    harness.scheduled();
    harness.wait_for("the sweep", || harness.said("sweep").pop());
    let log = harness.log();
    assert!(log.len() > 10, "{}", log.len());
    assert!(log.iter().any(|line| line["level"] == "error"), "something went wrong");
    for line in &log {
        let line = line.to_string();
        let told = canaries.iter().find(|canary| canary.is_in(&line));
        assert!(told.is_none(), "{told:?} in {line}");
    }
}

/// Lookups, streams and nonsense with secrets in them.
fn ask_everything(harness: &Harness, canaries: &[Canary]) {
    let escaped =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    for (number, canary) in canaries.iter().enumerate() {
        let secret = escaped(&canary.text);
        let filter = json!({ "where": { "key": "ClientRequestURI", "operator": "contains", "value": canary.text } });
        let filter = escaped(&filter.to_string());
        for path in [
            format!("/v1/rays/9e355001{number:08x}?format=native"),
            format!("/v1/rays/{secret}"),
            format!("/v1/logs?start={secret}"),
            format!("/v1/logs?start=2026-03-28T08:00:00Z&end=2026-03-28T10:00:00Z&filter={filter}"),
            format!("/v1/{secret}?{secret}={secret}"),
            format!("/client/v4/zones/{secret}/logs/rayids/{secret}"),
        ] {
            for token in [TOKEN, "eye", canary.text.as_str()] {
                let reply = harness.get_with(&path, &[("authorization", &format!("Bearer {token}"))]);
                assert!((200..500).contains(&reply.status), "{path}: {}", reply.text());
            }
        }
    }
}
