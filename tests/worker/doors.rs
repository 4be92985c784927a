//! The doors under the real runtime: methods, headers, changes of another site, tokens that end at once.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::access::{Issuer, now_s};
use super::harness::{Harness, TOKEN};
use super::issuer::Key;

/// What is answered to a request that no client of HTTP would send.
fn raw(harness: &Harness, head: &str) -> String {
    let mut stream = TcpStream::connect(harness.worker.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let rest = format!("host: x\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\n\r\n");
    stream.write_all(format!("{head} HTTP/1.1\r\n{rest}").as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _read = stream.take(64 * 1024).read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
}

#[test]
fn unknown_methods_are_not_read_as_get() {
    let harness = Harness::start();
    assert_eq!(status(&raw(&harness, "GET /v1/stats")), 200);
    for method in ["PROPFIND", "PURGE", "SEARCH", "REPORT", "LOCK", "OPTIONS", "TRACE", "PUT", "DELETE", "PATCH"] {
        let answer = raw(&harness, &format!("{method} /v1/stats"));
        let text = answer.to_ascii_lowercase();
        assert!(status(&answer) == 405 && text.contains("allow: get, head"), "{method}: {answer}");
    }
    // The runtime itself answers what is no method to it.
    for method in ["FOO", "GETX", "get", "Post"] {
        let answer = raw(&harness, &format!("{method} /v1/stats"));
        assert!(matches!(status(&answer), 400 | 405 | 501) && !answer.contains("lines"), "{method}: {answer}");
    }
}

#[test]
fn every_reply_has_the_security_headers() {
    let harness = Harness::start();
    for (method, path) in [
        ("GET", "/healthz"),
        ("GET", "/openapi.json"),
        ("GET", "/v1/stats"),
        ("HEAD", "/v1/stats"),
        ("GET", "/v1/rays/a5e33aff24280fa2"),
        ("GET", "/v1/logs?start=2026-03-28T08:00:00Z&end=2026-03-28T09:00:00Z"),
        ("GET", "/what"),
        ("PUT", "/v1/stats"),
        ("GET", "/client/v4/zones/z/what"),
        ("GET", "/client/v4/zones/z/logs/received/fields"),
    ] {
        for token in [TOKEN, "wrong"] {
            let reply = harness.send(method, path, &[("authorization", &format!("Bearer {token}"))], &[]);
            for (name, value) in [
                ("strict-transport-security", "max-age=31536000"),
                ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
                ("cross-origin-resource-policy", "same-origin"),
                ("referrer-policy", "no-referrer"),
                ("x-content-type-options", "nosniff"),
                ("cache-control", "no-store"),
            ] {
                assert_eq!(reply.header(name), value, "{method} {path} {}", reply.status);
            }
        }
    }
}

#[test]
fn page_of_another_site_changes_nothing() {
    let (issuer, key) = (Issuer::start(), Key::new("one", 0));
    issuer.publish(&[&key]);
    let harness = issuer.worker_with(&json!([
        { "group": "staff", "scopes": ["read", "ingest", "deliver", "admin"], "role": "forensics" },
    ]));
    let groups = [("custom", json!({ "groups": ["staff"] }))];
    let assertion = key.token(&issuer.claims(&groups));
    let own = harness.worker.clone();
    let body = br#"{"start":"2026-03-27T00:00:00Z","end":"2026-03-28T00:00:00Z","deliver":false}"#;
    let post = |path: &str, headers: &[(&str, &str)]| {
        let headers = [&[("cf-access-jwt-assertion", assertion.as_str())], headers].concat();
        harness.send("POST", path, &headers, body)
    };
    let (json, text) = (("content-type", "application/json"), ("content-type", "text/plain"));
    for headers in [
        &[text, ("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")][..],
        &[("content-type", "application/x-www-form-urlencoded"), ("origin", "https://evil.example")],
        &[json, ("origin", "null")],
        &[json],
        &[],
        &[text, ("origin", own.as_str()), ("sec-fetch-site", "same-origin")],
    ] {
        for path in ["/v1/backfills", "/v1/backfills/1/stop", "/v1/tokens", "/v1/ingest/http_requests"] {
            // Nothing is uploaded that a form could not send.
            if path.contains("ingest") && headers == [json] {
                continue;
            }
            post(path, headers).assert_problem(403, "cross_site");
        }
    }
    assert_eq!(harness.read("/v1/backfills")["backfills"], json!([]));
    assert_eq!(post("/v1/backfills", &[json, ("origin", own.as_str())]).status, 201, "raydex's own page");
    let old = key.token(&issuer.claims(&[groups[0].clone(), ("iat", json!(now_s() - 25 * 3_600))]));
    harness.get_with("/v1/stats", &[("cf-access-jwt-assertion", &old)]).assert_problem(401, "unauthorized");
}

#[test]
fn token_of_the_api_ends_at_once() {
    let harness = Harness::start();
    let made = harness.post("/v1/tokens", br#"{"id":"desk","scopes":["read"],"role":"viewer"}"#);
    assert_eq!(made.status, 201, "{}", made.text());
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let ask = || harness.get_with("/v1/stats", &[("authorization", &format!("Bearer {token}"))]);
    for _ in 0..20 {
        assert_eq!(ask().status, 200);
    }
    assert_eq!(harness.read("/v1/tokens")["tokens"][0]["created_by"], "main");
    harness.operate("/v1/tokens/desk/revoke");
    for _ in 0..20 {
        ask().assert_problem(401, "unauthorized");
    }
    let denied = harness.read("/v1/audit?actor=desk&outcome=denied");
    assert_eq!(denied["entries"][0]["entry"]["code"], "token_revoked", "{denied}");
    let log = harness.log();
    assert!(log.iter().all(|line: &Value| !line.to_string().contains(&token)));
}
