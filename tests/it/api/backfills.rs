//! Backfills over HTTP: started, watched, stopped, gone on with.

use raydex::config::Config;
use raydex::limits::BACKFILL_RATE;
use serde_json::json;

use super::support::Fakes;
use super::support::world::config;
use super::{Ask, json as body, problem};

/// A start with this body.
fn start(body: &str) -> Ask {
    Ask { body: body.as_bytes().to_vec(), ..Ask::new("POST", "/v1/backfills") }
}

const INDEX: &str = r#"{"start":"2026-03-27T00:00:00Z","end":"2026-03-28T00:00:00Z","deliver":false}"#;

#[test]
fn a_backfill_is_started_and_shown() {
    let fakes = Fakes::new();
    let reply = start(INDEX).of(&fakes);
    assert_eq!(reply.status, 201);
    let shown = json!({
        "id": 1, "start": "2026-03-27T00:00:00.000Z", "end": "2026-03-28T00:00:00.000Z", "index": true,
        "deliver": false, "lines_per_second": BACKFILL_RATE, "state": "running",
        "created_at": "2026-03-28T08:42:25.000Z", "updated_at": "2026-03-28T08:42:25.000Z",
        "objects": {"listed": 0, "announced": 0, "finished": 0, "remaining": 0}, "estimated_lines": 0, "list_cursor": "logs/",
        "folders_remaining": 1,
    });
    let near = |mut job: serde_json::Value| {
        for instant in ["created_at", "updated_at"] {
            assert!(job[instant].as_str().unwrap().starts_with("2026-03-28T08:42:25"));
            job[instant] = shown[instant].clone();
        }
        job
    };
    assert_eq!(near(body(&reply)), shown);
    assert_eq!(near(body(&Ask::get("/v1/backfills/1").of(&fakes))), shown);
    assert_eq!(near(body(&Ask::get("/v1/backfills").of(&fakes))["backfills"][0].clone()), shown);
}

#[test]
fn times_are_taken_in_every_unit() {
    let fakes = Fakes::new();
    for (from, to) in [
        (r#""2026-03-27T00:00:00Z""#, r#""2026-03-28T08:00:00+08:00""#),
        ("1774569600", "1774656000"),
        ("1774569600000", r#""1774656000000""#),
        ("1774569600000000000", "1774656000000000000"),
    ] {
        let reply = start(&format!(r#"{{"start":{from},"end":{to},"deliver":false}}"#)).of(&fakes);
        let job = body(&reply);
        assert_eq!(
            (&job["start"], &job["end"]),
            (&json!("2026-03-27T00:00:00.000Z"), &json!("2026-03-28T00:00:00.000Z"))
        );
    }
}

#[test]
fn invalid_backfill_bodies_are_refused_with_help() {
    let fakes = Fakes::new();
    for bad in [
        "",
        "[]",
        "{}",
        r#"{"start":"2026-03-27T00:00:00Z"}"#,
        r#"{"start":null,"end":"2026-03-27T00:00:00Z","deliver":false}"#,
        r#"{"start":0,"end":1774656000,"deliver":false,"index":false}"#,
        r#"{"start":0,"end":1774656000,"deliver":false,"lines_per_second":0}"#,
        r#"{"start":0,"end":1774656000,"deliver":false,"lines_per_second":-1}"#,
        "[0,1774656000]",
    ] {
        assert_eq!(problem(&start(bad).of(&fakes)), (400, "not_a_backfill".into()), "{bad}");
    }
    let more = start(r#"{"start":0,"end":1774656000,"deliver":false,"what":1}"#);
    assert_eq!(problem(&more.of(&fakes)), (400, "unknown_member".into()));
    let large = format!(r#"{{"start":"{}"}}"#, "x".repeat(20_000));
    assert_eq!(problem(&start(&large).of(&fakes)), (413, "too_large".into()));
    assert_eq!(body(&Ask::get("/v1/backfills").of(&fakes)), json!({"backfills": []}));
}

#[test]
fn deployment_without_a_partner_delivers_nothing() {
    let fakes = Fakes::new();
    let both = INDEX.replace("false", "true");
    let off = Ok(Config { delivery: None, ..config() });
    assert_eq!(problem(&start(&both).of_deployment(&fakes, &off)), (409, "delivery_off".into()));
}

#[test]
fn a_backfill_is_stopped_and_resumed() {
    let fakes = Fakes::new();
    start(INDEX).of(&fakes);
    for (what, state) in [("stop", "stopped"), ("stop", "stopped"), ("resume", "running"), ("resume", "running")] {
        let reply = Ask::new("POST", &format!("/v1/backfills/1/{what}")).of(&fakes);
        assert_eq!((reply.status, &body(&reply)["state"]), (200, &json!(state)));
    }
    for path in ["/v1/backfills/2", "/v1/backfills/x", "/v1/backfills/-1", "/v1/backfills/99999999999"] {
        assert_eq!(problem(&Ask::get(path).of(&fakes)), (404, "no_such_backfill".into()), "{path}");
        let stop = Ask::new("POST", &format!("{path}/stop"));
        assert_eq!(problem(&stop.of(&fakes)), (404, "no_such_backfill".into()), "{path}");
    }
    assert_eq!(problem(&Ask::new("DELETE", "/v1/backfills").of(&fakes)).0, 405);
    assert_eq!(problem(&Ask::new("DELETE", "/v1/backfills/1").of(&fakes)).0, 405);
}
