//! Backfills over HTTP: started, watched, stopped, gone on with.

use raydex::config::Config;
use raydex::ledger::backfills::{BackfillJob, BackfillState, CountEndedObject, ListBackfills, RecordBackfillStep};
use raydex::ledger::ids::REGISTRY;
use raydex::limits::{BACKFILL_RATE, OPERATION_BODY_MAX};
use serde_json::json;

use super::support::Fakes;
use super::support::partner::delivering;
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
        "deliver": false, "lines_per_second": BACKFILL_RATE, "again": false, "state": "running",
        "created_at": "2026-03-28T08:42:25.000Z", "updated_at": "2026-03-28T08:42:25.000Z",
        "objects": {"considered": 0, "announced": 0, "processed": 0, "quarantined": 0, "remaining": 0}, "estimated_lines": 0,
        "list_cursor": "logs/", "folders_remaining": 1,
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
        r#"{"start":1774569600,"end":1774656000,"deliver":false,"index":false}"#,
        r#"{"start":1774569600,"end":1774656000,"deliver":false,"lines_per_second":0}"#,
        r#"{"start":1774569600,"end":1774656000,"deliver":false,"lines_per_second":-1}"#,
        r#"{"start":1774569600,"end":1774656000,"deliver":false,"again":true,"reason":"why"}"#,
        r#"{"start":1774569600,"end":1774656000,"deliver":false,"filter":"{}"}"#,
        r#"{"start":1774569600,"end":1774656000,"filter":7}"#,
        "[0,1774656000]",
        r#"{"start":0,"end":1774656000,"rebuild":true,"reason":"why","deliver":true}"#,
        r#"{"start":0,"end":1774656000,"rebuild":true,"reason":"why","index":false}"#,
        r#"{"start":0,"end":1774656000,"rebuild":true,"reason":"why","again":true}"#,
        r#"{"start":0,"end":1774656000,"rebuild":true,"reason":"why","filter":"{}"}"#,
        r#"{"start":0,"end":1774656000,"rebuild":1,"reason":"why"}"#,
    ] {
        assert_eq!(problem(&start(bad).of(&fakes)), (400, "not_a_backfill".into()), "{bad}");
    }
    let more = start(r#"{"start":0,"end":1774656000,"deliver":false,"what":1}"#);
    assert_eq!(problem(&more.of(&fakes)), (400, "unknown_member".into()));
    let large = format!(r#"{{"start":"{}"}}"#, "x".repeat(OPERATION_BODY_MAX));
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
fn backfill_ranges_that_make_no_sense_are_refused() {
    let fakes = Fakes::new();
    for (from, to, code) in [
        ("2026-03-28T00:00:00Z", "2026-03-27T00:00:00Z", "start_after_end"),
        ("2026-03-27T00:00:00Z", "2026-03-27T00:00:00Z", "empty_range"),
        ("2026-03-27T00:00:00Z", "2026-03-28T08:42:26Z", "end_in_future"),
        ("2025-03-27T00:00:00Z", "2026-03-28T00:00:01Z", "range_too_long"),
    ] {
        let reply = start(&format!(r#"{{"start":"{from}","end":"{to}","deliver":false}}"#)).of(&fakes);
        assert_eq!(problem(&reply), (400, code.into()), "{from} {to}");
    }
    let now = start(r#"{"start":"2025-03-28T00:00:00Z","end":"2026-03-28T08:42:25Z","deliver":false}"#);
    assert_eq!(now.of(&fakes).status, 201);
}

#[test]
fn delivering_again_needs_a_reason_and_shows_it() {
    let fakes = Fakes::new();
    let again = |more: &str| {
        let body = format!(r#"{{"start":"2026-03-27T00:00:00Z","end":"2026-03-28T00:00:00Z","again":true{more}}}"#);
        start(&body).of_deployment(&fakes, &Ok(delivering(&[])))
    };
    for more in ["", r#","reason":"  ""#, r#","reason":7"#] {
        assert_eq!(problem(&again(more)), (400, "reason_missing".into()), "{more}");
    }
    let shown = body(&again(r#","reason":" the partner lost an hour ""#));
    assert_eq!((&shown["again"], &shown["reason"]), (&json!(true), &json!("the partner lost an hour")));
    let none =
        json!({"in": 0, "delivered": 0, "confirmed": 0, "pending": 0, "parked": 0, "rejected": {}, "filtered": {}});
    assert_eq!((&shown["lines"], &shown["counted_at"]), (&none, &json!(null)));
    assert_eq!(shown["earlier"], json!({"lines": 0, "pending": 0, "parked": 0}));
}

#[test]
fn backfill_filter_is_checked_at_its_start() {
    let fakes = Fakes::new();
    let filtered = |filter: &str| {
        let body = json!({"start": "2026-03-27T00:00:00Z", "end": "2026-03-28T00:00:00Z", "filter": filter});
        start(&body.to_string()).of_deployment(&fakes, &Ok(delivering(&[])))
    };
    for bad in ["", "{}", r#"{"where":{"key":"A","operator":"like","value":1}}"#] {
        assert_eq!(problem(&filtered(bad)), (400, "bad_filter".into()), "{bad}");
    }
    let filter = r#"{"where":{"key":"EdgeResponseStatus","operator":"geq","value":500}}"#;
    assert_eq!(body(&filtered(filter))["filter"], filter);
}

#[test]
fn announced_backfill_that_delivers_is_stopped() {
    let fakes = Fakes::new();
    let ask = |ask: Ask| ask.of_deployment(&fakes, &Ok(delivering(&[])));
    assert_eq!(ask(start(&INDEX.replace("false", "true"))).status, 201);
    let (id, job) = fakes.ledgers.ask(REGISTRY, &ListBackfills { id: Some(1), limit: 1 }).jobs.remove(0);
    let announced = BackfillJob { state: BackfillState::Announced, ..job.clone() };
    let step = RecordBackfillStep { id, after_steps: job.steps, job: announced, keys: vec!["logs/a".into()] };
    fakes.ledgers.ask(REGISTRY, &step);
    let switch = |what: &str| ask(Ask::new("POST", &format!("/v1/backfills/1/{what}")));
    assert_eq!(problem(&switch("resume")), (409, "already_announced".into()));
    for (what, state) in [("stop", "stopped"), ("resume", "running")] {
        assert_eq!((switch(what).status, &body(&ask(Ask::get("/v1/backfills/1")))["state"]), (200, &json!(state)));
    }
}

#[test]
fn a_backfill_is_stopped_and_resumed() {
    let fakes = Fakes::new();
    start(INDEX).of(&fakes);
    let switch = |what: &str| Ask::new("POST", &format!("/v1/backfills/1/{what}")).of(&fakes);
    assert_eq!(problem(&switch("resume")), (409, "already_running".into()));
    for (what, state, code) in [("stop", "stopped", "already_stopped"), ("resume", "running", "already_running")] {
        let reply = switch(what);
        assert_eq!((reply.status, &body(&reply)["state"]), (200, &json!(state)));
        assert_eq!(problem(&switch(what)), (409, code.into()));
    }
    for (state, code) in [(BackfillState::Announced, "already_announced"), (BackfillState::Done, "already_done")] {
        let (id, job) = fakes.ledgers.ask(REGISTRY, &ListBackfills { id: Some(1), limit: 1 }).jobs.remove(0);
        // An object that is announced and not processed keeps it from being done.
        let keys = if state == BackfillState::Announced { vec!["logs/a".to_owned()] } else { Vec::new() };
        let step = RecordBackfillStep {
            id,
            after_steps: job.steps,
            job: BackfillJob { state: BackfillState::Announced, ..job },
            keys,
        };
        if state == BackfillState::Announced {
            fakes.ledgers.ask(REGISTRY, &step);
        } else {
            fakes.ledgers.ask(
                REGISTRY,
                &CountEndedObject { id, key: "logs/a".into(), ledger: None, quarantined: false, rebuilt: None },
            );
        }
        for what in ["stop", "resume"] {
            assert_eq!(problem(&switch(what)), (409, code.into()), "{what}");
        }
    }
    for path in ["/v1/backfills/99", "/v1/backfills/x", "/v1/backfills/-1", "/v1/backfills/99999999999"] {
        assert_eq!(problem(&Ask::get(path).of(&fakes)), (404, "no_such_backfill".into()), "{path}");
        let stop = Ask::new("POST", &format!("{path}/stop"));
        assert_eq!(problem(&stop.of(&fakes)), (404, "no_such_backfill".into()), "{path}");
    }
    assert_eq!(problem(&Ask::new("DELETE", "/v1/backfills").of(&fakes)).0, 405);
    assert_eq!(problem(&Ask::new("DELETE", "/v1/backfills/1").of(&fakes)).0, 405);
}

#[test]
fn rebuild_needs_a_reason_and_no_partner() {
    let fakes = Fakes::new();
    let all_times = |more: &str| start(&format!(r#"{{"start":0,"end":1774656000,"rebuild":true{more}}}"#)).of(&fakes);
    assert_eq!(all_times("").status, 400);
    assert_eq!(all_times(r#","reason":" ""#).status, 400);
    let reply = all_times(r#","reason":"the index is gone""#);
    let job = body(&reply);
    let shown = [&job["index"], &job["deliver"], &job["rebuild"], &job["reason"], &job["start"]];
    assert_eq!(
        shown,
        [&json!(true), &json!(false), &json!(true), &json!("the index is gone"), &json!("1970-01-01T00:00:00.000Z")]
    );
    assert_eq!(job["rebuilt"], json!({"objects": 0, "lines": 0, "records": 0, "skipped": {}}));
    assert_eq!((reply.status, job.get("lines")), (201, None));
}
