//! Who may ask: nothing of the world is touched for anyone else.

use raydex::config::Config;

use super::support::Fakes;
use super::support::world::{TOKEN, config_with};
use super::{Ask, header, json, problem};

/// Every route that needs a token.
const GUARDED: [(&str, &str); 34] = [
    ("GET", "/v1/rays/9e35512345678abc"),
    ("HEAD", "/v1/rays/9e35512345678abc"),
    ("GET", "/v1/rays/not a ray?format=what"),
    ("POST", "/v1/ingest/http_requests"),
    ("POST", "/v1/ingest/what"),
    ("GET", "/v1/rays/9e35512345678abc/deliveries"),
    ("GET", "/v1/rays/what/deliveries?x"),
    ("GET", "/v1/stats"),
    ("HEAD", "/v1/stats?ledgers=what"),
    ("GET", "/v1/batches"),
    ("POST", "/v1/batches"),
    ("GET", "/v1/batches/what"),
    ("POST", "/v1/batches/what/replay"),
    ("POST", "/v1/payloads/what/resend"),
    ("POST", "/v1/payloads/what/release"),
    ("POST", "/v1/payloads/what/drop"),
    ("POST", "/v1/payloads/what/confirm"),
    ("POST", "/v1/payloads/decide"),
    ("GET", "/v1/payloads"),
    ("POST", "/v1/partner/try"),
    ("GET", "/v1/dead-letters"),
    ("POST", "/v1/dead-letters/1/redrive"),
    ("POST", "/v1/dead-letters/what/redrive"),
    ("POST", "/v1/dead-letters/1/dismiss"),
    ("GET", "/v1/tokens"),
    ("HEAD", "/v1/tokens?after=what"),
    ("POST", "/v1/tokens"),
    ("POST", "/v1/tokens/what/revoke"),
    ("GET", "/v1/backfills"),
    ("HEAD", "/v1/backfills"),
    ("POST", "/v1/backfills"),
    ("GET", "/v1/backfills/1"),
    ("POST", "/v1/backfills/1/stop"),
    ("POST", "/v1/backfills/what/resume"),
];

fn with_authorization(method: &str, path: &str, authorization: Option<&str>) -> Ask {
    Ask { authorization: authorization.map(str::to_owned), body: b"{}\n".to_vec(), ..Ask::new(method, path) }
}

#[test]
fn no_route_touches_the_world_before_the_token() {
    let other = "x".repeat(TOKEN.len());
    let wrong = [
        None,
        Some(String::new()),
        Some("Bearer".into()),
        Some("Bearer ".into()),
        Some(TOKEN.into()),
        Some(format!("Basic {TOKEN}")),
        Some(format!("Bearer{TOKEN}")),
        Some(format!("Bearer {other}")),
        Some(format!("Bearer {TOKEN}x")),
        Some(format!("Bearer {}", TOKEN.trim_start_matches('t'))),
        Some(format!("Bearer {TOKEN} {TOKEN}")),
        Some(format!("Bearer Bearer {TOKEN}")),
        Some(format!("Bearer {}", TOKEN.to_uppercase())),
    ];
    for (method, path) in GUARDED {
        for authorization in &wrong {
            let fakes = Fakes::new();
            let reply = with_authorization(method, path, authorization.as_deref()).of(&fakes);
            assert_eq!(problem(&reply), (401, "unauthorized".into()), "{method} {path} {authorization:?}");
            assert_eq!(header(&reply, "www-authenticate"), Some("Bearer"));
            assert_eq!(fakes.faults.calls(), 0, "{method} {path} {authorization:?}");
        }
    }
}

#[test]
fn right_token_opens_every_route_in_any_case() {
    for (method, path) in GUARDED {
        for scheme in ["Bearer ", "bearer ", "BEARER ", "  Bearer   "] {
            let reply = with_authorization(method, path, Some(&format!("{scheme}{TOKEN} "))).of(&Fakes::new());
            assert_ne!(reply.status, 401, "{method} {path} {scheme:?}");
        }
    }
}

#[test]
fn the_hash_of_the_token_is_no_token() {
    let hash = hex::encode(super::config().access.tokens[0].sha256);
    let reply = with_authorization("GET", GUARDED[0].1, Some(&format!("Bearer {hash}"))).of(&Fakes::new());
    assert_eq!(problem(&reply).0, 401);
}

#[test]
fn health_needs_no_token_and_tells_nothing_else() {
    for (method, authorization) in [("GET", None), ("HEAD", None), ("GET", Some("Bearer wrong")), ("HEAD", Some("x"))] {
        let fakes = Fakes::new();
        let reply = with_authorization(method, "/healthz", authorization).of(&fakes);
        assert_eq!((reply.status, json(&reply)), (200, serde_json::json!({"status": "ok"})));
        assert_eq!(header(&reply, "content-type"), Some("application/json"));
        assert_eq!(fakes.faults.calls(), 0);
    }
}

#[test]
fn health_warns_of_a_filter_by_unlisted_fields() {
    let filter = r#"{"where":{"key":"edge_response_status","operator":"eq","value":200}}"#;
    let config = Ok(config_with(&[("PARTNER_FILTER", filter)]));
    let reply = Ask { authorization: None, ..Ask::get("/healthz") }.of_deployment(&Fakes::new(), &config);
    let words =
        "PARTNER_FILTER names a field at where that http_requests does not list; did you mean EdgeResponseStatus?";
    assert_eq!((reply.status, json(&reply)), (200, serde_json::json!({"status": "ok", "warnings": [words]})));
}

#[test]
fn unconfigured_deployment_answers_503_and_health_names_settings() {
    let secret = "s3cret-that-is-no-hash";
    for (faults, named) in [
        (Config::read(|_| None), "API_TOKEN_SHA256 is not set"),
        (
            Config::read(|name| (name == "API_TOKEN_SHA256").then(|| secret.to_owned())),
            "API_TOKEN_SHA256 must be a SHA-256",
        ),
        (Config::read(|name| (name == "LOG_PREFIX").then(|| secret.to_owned())), "LOG_PREFIX must be folders"),
    ] {
        for (method, path) in GUARDED {
            let fakes = Fakes::new();
            let reply = Ask::new(method, path).of_deployment(&fakes, &faults);
            assert_eq!(problem(&reply), (503, "not_configured".into()), "{method} {path}");
            assert_eq!(header(&reply, "retry-after"), Some("30"));
            assert_eq!(fakes.faults.calls(), 0);
        }
        let reply = Ask::get("/healthz").of_deployment(&Fakes::new(), &faults);
        let body = json(&reply);
        assert_eq!((reply.status, &body["status"]), (503, &"not_configured".into()));
        assert!(body["faults"].to_string().contains(named), "{body}");
        assert!(!body.to_string().contains(secret));
    }
}

#[test]
fn unknown_paths_are_404_and_methods_405() {
    for path in [
        "",
        "/v1",
        "/v1/",
        "/v1/rays/",
        "/v1/rays/a/b",
        "/v1/ingest/",
        "/v1/ingest/a/b",
        "/v1/rays//deliveries",
        "/v1/rays/a/b/deliveries",
        "/v1/stats/",
        "/v1/batches/",
        "/v1/batches/a/b/replay",
        "/v1/payloads/a",
        "/v1/payloads/a/keep",
        "/v1/payloads/a%2Fb/drop",
        "/v1/dead-letters/1",
        "/healthz/",
        "/HEALTHZ",
        "/v2/rays/9e35512345678abc",
        "//v1/rays/9e35512345678abc",
        "/v1/rays/..%2f..%2fhealthz",
    ] {
        for method in ["GET", "POST", "HEAD", "BREW"] {
            let fakes = Fakes::new();
            assert_eq!(problem(&Ask::new(method, path).of(&fakes)), (404, "no_such_path".into()), "{method} {path}");
            assert_eq!(fakes.faults.calls(), 0);
        }
    }
    for (path, methods, allow) in [
        ("/v1/rays/a", &["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get", ""][..], "GET, HEAD"),
        ("/healthz", &["POST", "DELETE"], "GET, HEAD"),
        ("/v1/ingest/http_requests", &["GET", "HEAD", "PUT", "DELETE"], "POST"),
        ("/v1/rays/a/deliveries", &["POST", "PUT"], "GET, HEAD"),
        ("/v1/stats", &["POST", "DELETE"], "GET, HEAD"),
        ("/v1/batches", &["PUT", "DELETE"], "GET, POST"),
        ("/v1/batches/a", &["POST", "DELETE"], "GET, HEAD"),
        ("/v1/batches/a/replay", &["GET", "HEAD"], "POST"),
        ("/v1/payloads/a/resend", &["GET", "HEAD"], "POST"),
        ("/v1/payloads/a/release", &["GET"], "POST"),
        ("/v1/payloads/a/drop", &["GET", "DELETE"], "POST"),
        ("/v1/payloads", &["POST", "DELETE"], "GET, HEAD"),
        ("/v1/payloads/decide", &["GET", "HEAD"], "POST"),
        ("/v1/dead-letters", &["POST"], "GET, HEAD"),
        ("/v1/stats", &["FOO", "GETX", "Get", "GET ", " GET", "PROPFIND", "TRACE"], "GET, HEAD"),
        ("/v1/tokens", &["FOO", "PUT", "DELETE", "post"], "GET, POST"),
        ("/v1/tokens/a/revoke", &["GET", "DELETE"], "POST"),
        ("/v1/dead-letters/1/redrive", &["GET"], "POST"),
        ("/v1/dead-letters/1/dismiss", &["GET"], "POST"),
    ] {
        for method in methods {
            let fakes = Fakes::new();
            let reply = Ask::new(method, path).of(&fakes);
            assert_eq!(problem(&reply), (405, "no_such_method".into()), "{method} {path}");
            assert_eq!(header(&reply, "allow"), Some(allow));
            assert_eq!(fakes.faults.calls(), 0);
        }
    }
}
