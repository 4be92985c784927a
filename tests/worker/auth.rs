//! Who may ask, and what a deployment without settings says.

use serde_json::json;

use super::harness::{Harness, TOKEN, event};
use super::spellings::gzip;

const RAY: &str = "a5e33aff24280fa2";

#[test]
fn without_the_token_nothing_is_touched() {
    // Every call of a binding throws here.
    let harness = Harness::with(json!({ "untouchable": true }));
    for authorization in ["", "Bearer", "Bearer ", "Bearer wrong", TOKEN, &format!("Basic {TOKEN}"), "Bearer ~"] {
        for (method, path) in [("GET", format!("/v1/rays/{RAY}")), ("POST", "/v1/ingest/http_requests".into())] {
            let reply = harness.send(method, &path, &[("authorization", authorization)], b"{}");
            reply.assert_problem(401, "unauthorized");
            assert_eq!(reply.header("www-authenticate"), "Bearer");
        }
    }
    let reply = harness.get_with(&format!("/v1/rays/{RAY}"), &[]);
    reply.assert_problem(401, "unauthorized");
    // But for the audit log, which is asked to count them, once a minute.
    let log = harness.log();
    let called: Vec<_> = log.iter().filter(|line| line.to_string().contains("was called")).collect();
    assert!(called.len() == 1 && called[0].to_string().contains("calling the audit log"), "{called:?}");
    assert_eq!(harness.get_with("/healthz", &[]).text(), r#"{"status":"ok"}"#);
    // The same with the token shows that the bindings do throw.
    assert_ne!(harness.get(&format!("/v1/rays/{RAY}")).status, 200);
    harness.wait_for("the fault", || {
        harness.log().iter().any(|line| line.to_string().contains("was called")).then_some(())
    });
}

#[test]
fn unconfigured_deployment_answers_nothing_and_names_missing_settings() {
    let harness = Harness::with(json!({ "settings": {} }));
    let health = harness.get_with("/healthz", &[]);
    assert_eq!(health.status, 503);
    assert_eq!(health.json(), json!({ "status": "not_configured", "faults": ["API_TOKEN_SHA256 is not set"] }));
    let lookup = harness.get(&format!("/v1/rays/{RAY}"));
    lookup.assert_problem(503, "not_configured");
    assert!(lookup.header("retry-after").parse::<u32>().is_ok());
    harness.post("/v1/ingest/http_requests", b"{}").assert_problem(503, "not_configured");
    // Messages wait until it is put right.
    let parsed = harness.parse(&[event(&harness.put("logs/a.log.gz", &gzip(b"{}")))]);
    assert_eq!((parsed.acked, parsed.retry_s), (vec![false], vec![Some(60)]));
    assert_eq!(parsed.messages[0]["code"], "not_configured");
}
