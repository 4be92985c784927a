//! Who may ask, what a deployment without settings says, and what a trap leaves behind.

use std::thread;

use serde_json::json;

use super::forms::gzip;
use super::harness::{Harness, TOKEN, event};

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
    assert!(harness.log().iter().all(|line| !line.to_string().contains("was called")), "{:?}", harness.log());
    assert_eq!(harness.get("/healthz").text(), r#"{"status":"ok"}"#);
    // The same with the token shows that the bindings do throw.
    assert_ne!(harness.get(&format!("/v1/rays/{RAY}")).status, 200);
    harness.wait_for("the fault", || {
        harness.log().iter().any(|line| line.to_string().contains("was called")).then_some(())
    });
}

#[test]
fn a_deployment_without_settings_answers_nothing_and_says_what_is_missing() {
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

#[test]
fn requests_that_would_outgrow_the_memory_together_wait_or_come_again_and_nothing_traps() {
    let harness = Harness::start();
    // Each answer to this ray takes several times 8 MB at once: twenty together outgrow the module's 96 MiB.
    let line = format!(r#"{{"RayID":"{RAY}","Padding":"{}"}}"#, "x".repeat(8000));
    harness.index("logs/heavy.log.gz", &gzip([line.as_str(); 1000].join("\n").as_bytes()));
    let light = r#"{"RayID":"a5e33aff24280fa3"}"#;
    harness.index("logs/light.log.gz", &gzip(light.as_bytes()));
    let replies: Vec<_> = thread::scope(|scope| {
        let ask = || harness.get(&format!("/v1/rays/{RAY}"));
        let asked: Vec<_> = (0..20).map(|_| scope.spawn(ask)).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    for reply in &replies {
        if reply.status != 200 {
            reply.assert_problem(503, "busy");
            assert_eq!(reply.header("retry-after"), "1");
        }
    }
    assert!(replies.iter().any(|reply| reply.status == 200));
    assert_eq!(harness.native("http_requests", "a5e33aff24280fa3").text(), format!("{light}\n"));
    assert!(!harness.log().iter().any(|line| line["event"] == "instance_replaced"), "{:?}", harness.log());
}

#[test]
fn after_a_trap_the_next_request_is_answered() {
    let harness = Harness::start();
    let light = r#"{"RayID":"a5e33aff24280fa3"}"#;
    harness.index("logs/light.log.gz", &gzip(light.as_bytes()));
    // Uploads are in no account: each holds a part of 5 MiB, and sixty together outgrow the module's 96 MiB.
    let body = [&[0x1f, 0x8b][..], &vec![0x5a; 9 * 1024 * 1024]].concat();
    let statuses: Vec<u16> = thread::scope(|scope| {
        let put = || harness.post("/v1/ingest/http_requests", &body).status;
        let asked: Vec<_> = (0..60).map(|_| scope.spawn(put)).collect();
        // A connection that is reset in the midst of its body is no answer.
        asked.into_iter().map(|asked| asked.join().unwrap_or(0)).collect()
    });
    assert!(statuses.iter().any(|&status| status != 200), "no trap: {statuses:?}");
    for _ in 0..3 {
        assert_eq!(harness.native("http_requests", "a5e33aff24280fa3").text(), format!("{light}\n"));
    }
    assert!(harness.log().iter().any(|line| line["event"] == "instance_replaced"), "{:?}", harness.log());
}
