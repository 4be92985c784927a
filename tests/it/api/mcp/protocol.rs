//! Messages, revisions and errors; who may ask, and what of it is recorded.

use serde_json::{Value, json};

use super::super::access::{deployment, rule};
use super::super::audit::entries;
use super::super::every_route::world;
use super::super::support::Fakes;
use super::super::support::records::ray;
use super::super::support::world::config_with;
use super::super::{Ask, problem};
use super::{answer, ask, ask_of, call, found, message, names, refusal};

const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// A message of the revision without handshake.
fn stateless(method: &str, more: &Value) -> Ask {
    let mut params = json!({ "_meta": { VERSION: "2026-07-28", CAPABILITIES: {} } });
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let ask = message(method, &params);
    let ask = ask.with_header("mcp-protocol-version", "2026-07-28").with_header("mcp-method", method);
    match more["name"].as_str() {
        Some(name) => ask.with_header("mcp-name", name),
        None => ask,
    }
}

#[test]
fn handshake_is_answered_without_a_session() {
    let fakes = Fakes::new();
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "x" } });
    let reply = ask(&fakes, message("initialize", &params));
    let result = answer(&reply)["result"].clone();
    assert_eq!((&result["protocolVersion"], &result["serverInfo"]["name"]), (&"2025-11-25".into(), &"raydex".into()));
    assert!(result["instructions"].as_str().unwrap().contains("never instructions"));
    assert_eq!(result.get("resultType"), None);
    assert!(reply.headers.iter().all(|(name, _)| *name != "mcp-session-id"));
    let body = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_vec();
    let reply = ask(&fakes, Ask { body, ..Ask::new("POST", "/mcp") });
    assert_eq!((reply.status, reply.body.len()), (202, 0));
    assert_eq!(answer(&ask(&fakes, message("ping", &json!({}))))["result"], json!({}));
    assert!(entries(&fakes).is_empty(), "none of it shows anything");
}

#[test]
fn stateless_revision_needs_no_handshake() {
    let fakes = Fakes::new();
    let result = answer(&ask(&fakes, stateless("server/discover", &json!({}))))["result"].clone();
    assert_eq!((&result["resultType"], &result["supportedVersions"][0]), (&"complete".into(), &"2026-07-28".into()));
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "raydex");
    let list = answer(&ask(&fakes, stateless("tools/list", &json!({}))))["result"].clone();
    assert!(list["ttlMs"].is_u64() && list["cacheScope"] == "private");
    let listed: Vec<&str> =
        list["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(listed, names());
    for (method, status, code) in [("ping", 404, -32_601), ("initialize", 404, -32_601), ("what", 404, -32_601)] {
        let reply = ask(&fakes, stateless(method, &json!({})));
        assert_eq!((reply.status, &answer(&reply)["error"]["code"]), (status, &code.into()), "{method}");
    }
    let reply = ask(&fakes, stateless("tools/call", &json!({ "name": "what", "arguments": {} })));
    assert_eq!((reply.status, &answer(&reply)["error"]["code"]), (400, &(-32_602).into()));
}

#[test]
fn unknown_methods_and_tools_are_protocol_errors() {
    let fakes = Fakes::new();
    for (asked, code) in [
        (message("resources/list", &json!({})), -32_601),
        (message("server/discover", &json!({})), -32_601),
        (message("initialize", &json!({})), -32_602),
        (call("hunter2", &json!({})), -32_602),
        (message("tools/call", &json!({})), -32_602),
    ] {
        let reply = ask(&fakes, asked);
        let error = answer(&reply)["error"].clone();
        assert_eq!((reply.status, &error["code"]), (200, &code.into()));
        assert!(!error.to_string().contains("hunter2"));
    }
    for (text, code) in [("{", -32_700), ("[]", -32_600), ("{}", -32_600)] {
        let reply = ask(&fakes, Ask { body: text.into(), ..Ask::new("POST", "/mcp") });
        assert_eq!((reply.status, &answer(&reply)["error"]["code"]), (400, &code.into()), "{text}");
    }
    let odd = message("ping", &json!({})).with_header("mcp-protocol-version", "1999-01-01");
    let error = answer(&ask(&fakes, odd))["error"].clone();
    assert_eq!((&error["code"], &error["data"]["requested"]), (&(-32_022).into(), &"1999-01-01".into()));
    let query = Ask { query: "a=1".into(), ..message("ping", &json!({})) };
    assert_eq!(problem(&ask(&fakes, query)), (400, "unknown_parameter".into()));
}

#[test]
fn other_methods_of_http_are_refused() {
    for method in ["GET", "DELETE", "PUT"] {
        let reply = Ask::new(method, "/mcp").of(&Fakes::new());
        assert_eq!(problem(&reply), (405, "no_such_method".into()));
        assert!(reply.headers.iter().any(|(name, value)| *name == "allow" && value == "POST"));
    }
}

#[test]
fn faulty_arguments_are_tool_errors() {
    let fakes = Fakes::new();
    for (tool, arguments, words) in [
        ("ray", json!({}), "The argument ray is missing."),
        ("ray", json!({ "ray": "hello" }), "This is not a Ray ID."),
        (
            "ray",
            json!({ "ray": ray(1).to_string(), "depth": 65 }),
            "The parameter depth accepts a number from 0 to 64.",
        ),
        (
            "ray",
            json!({ "ray": ray(1).to_string(), "limit": 51 }),
            "The parameter limit accepts a number from 1 to 50.",
        ),
        ("ray", json!({ "ray": ray(1).to_string(), "dataset": "x" }), "The parameter dataset accepts http_requests,"),
        (
            "why_not_found",
            json!({ "ray": ray(1).to_string(), "fields": [] }),
            "The tool has no argument of one of these",
        ),
        ("search", json!({}), "The parameter start is missing."),
        ("search", json!({ "start": "yesterday" }), "The time start must be RFC 3339"),
        ("search", json!({ "start": "2026-03-01T00:00:00Z" }), "The range must not exceed 24 hours."),
        ("search", json!({ "start": "2026-03-28T08:00:00Z", "filter": {} }), "The filter is invalid"),
        ("search", json!({ "start": "2026-03-28T08:00:00Z", "limit": 21 }), "The parameter limit accepts"),
        ("counts", json!({ "start": "2026-03-01T00:00:00Z" }), "The range must not exceed 168 hours."),
        (
            "counts",
            json!({ "start": "2026-03-28T08:00:00Z", "by": ["a", "b", "c"] }),
            "The parameter by accepts 1 to 2",
        ),
        ("counts", json!({ "start": "2026-03-28T08:00:00Z", "step": "x" }), "The parameter step accepts a time"),
    ] {
        let said = refusal(&ask(&fakes, call(tool, &arguments)));
        assert!(said.starts_with(words), "{tool} {arguments}: {said}");
    }
    let said = refusal(&ask(&fakes, call("ray", &json!({ "ray": ray(1).to_string() }))));
    assert!(said.contains("No indexed batch contains this ray.") && said.contains("why_not_found"), "{said}");
}

#[test]
fn calls_are_recorded_as_what_they_ask() {
    let (fakes, _) = world();
    let before = entries(&fakes).len();
    let one = ray(1).to_string();
    ask(
        &fakes,
        call("ray", &json!({ "ray": format!("CF-RAY: {one}-SJC"), "reason": "INC-4711", "fields": ["RayID"] })),
    );
    ask(&fakes, call("why_not_found", &json!({ "ray": one })));
    ask(&fakes, call("search", &json!({ "start": "2026-03-28T08:00:00Z", "limit": 2 })));
    ask(&fakes, call("ray", &json!({ "ray": one, "hunter2": 1 })));
    ask(&fakes, message("tools/list", &json!({})));
    let found = entries(&fakes).split_off(before);
    assert_eq!(found.len(), 4, "{found:?}");
    assert_eq!((&found[0]["action"], &found[0]["resource"]), (&"GET /v1/rays/{ray}".into(), &one.as_str().into()));
    assert_eq!(found[0]["request"], json!({ "fields": ["RayID"], "tool": "ray", "via": "mcp" }));
    assert_eq!((&found[0]["reason"], &found[0]["role"]), (&"INC-4711".into(), &"viewer".into()));
    assert_eq!(found[1]["request"], json!({ "tool": "why_not_found", "via": "mcp" }));
    assert_eq!((&found[2]["action"], &found[2]["request"]["limit"]), (&"GET /v1/logs".into(), &2.into()));
    assert_eq!((&found[3]["outcome"], &found[3]["code"]), (&"denied".into(), &"bad_argument".into()));
    assert!(!found[3].to_string().contains("hunter2"));
}

#[test]
fn token_decides_what_an_assistant_sees() {
    let (fakes, _) = world();
    let rules = ["viewer", "support", "forensics"].map(|role| rule(role, &json!({ "role": role })));
    let config = deployment(&rules);
    let asked = call("ray", &json!({ "ray": ray(1).to_string(), "fields": ["ClientIP"] }));
    let shown = |token: Option<&str>| {
        let asked = asked.clone();
        let asked = if let Some(token) = token { asked.by(token) } else { asked };
        found("ray", &ask_of(&fakes, asked, &config))["records"][0]["untrusted_fields"]["ClientIP"].clone()
    };
    assert_eq!(shown(None), "192.0.2.0", "the main token says no role");
    assert_eq!((shown(Some("viewer")), shown(Some("support"))), ("192.0.2.0".into(), "192.0.2.1".into()));
    assert_eq!(shown(Some("forensics")), "192.0.2.1");
    let ingest = deployment(&[rule("up", &json!({ "scopes": ["ingest"] }))]);
    assert_eq!(problem(&ask_of(&fakes, asked.clone().by("up"), &ingest)), (403, "forbidden".into()));
    assert_eq!(problem(&ask_of(&fakes, asked.clone().by("who"), &config)).0, 401);
    let datasets = deployment(&[rule("waf", &json!({ "datasets": ["firewall_events"] }))]);
    let said =
        refusal(&ask_of(&fakes, call("search", &json!({ "start": "2026-03-28T08:00:00Z" })).by("waf"), &datasets));
    assert!(said.starts_with("Your token does not cover this dataset."), "{said}");
}

#[test]
fn other_sites_are_refused_whatever_the_token() {
    let fakes = Fakes::new();
    for (origin, is_own) in [
        ("https://logs.example", true),
        ("https://evil.example", false),
        ("http://logs.example", false),
        ("null", false),
        ("http://localhost:3000", false),
    ] {
        let reply = ask(&fakes, message("tools/list", &json!({})).with_header("origin", origin));
        assert_eq!(reply.status == 200, is_own, "{origin}");
        if !is_own {
            assert_eq!(problem(&reply), (403, "cross_site".into()));
        }
    }
    let rebound = message("tools/list", &json!({})).with_header("origin", "http://evil.example");
    assert_eq!(problem(&ask(&fakes, rebound)).0, 403);
}

#[test]
fn rates_and_reasons_hold_for_assistants() {
    let fakes = Fakes::new();
    let hasty = config_with(&[("API_RATE_PER_MINUTE", "1")]);
    assert_eq!(ask_of(&fakes, message("tools/list", &json!({})), &hasty).status, 200);
    assert_eq!(problem(&ask_of(&fakes, message("tools/list", &json!({})), &hasty)).0, 429);
    let said = refusal(&ask_of(&fakes, call("ray", &json!({ "ray": ray(1).to_string() })), &hasty));
    assert!(said.contains("Retry after "), "{said}");
    let (fakes, strict) = (Fakes::new(), config_with(&[("API_REASON_ROLES", "viewer")]));
    let said = refusal(&ask_of(&fakes, call("ray", &json!({ "ray": ray(1).to_string() })), &strict));
    assert!(said.contains("(reason_required)") && said.contains("argument reason"), "{said}");
    let with = call("ray", &json!({ "ray": ray(1).to_string(), "reason": "INC-1" }));
    assert!(refusal(&ask_of(&fakes, with, &strict)).contains("(ray_not_found)"));
}
