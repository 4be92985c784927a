//! The books of all ledgers together.

use raydex::backend::SqlDatabase;
use raydex::config::Config;
use raydex::ledger::breaker::{BreakerState, PartnerNews, PartnerStanding};
use raydex::ledger::edge_sums::EdgeTotals;
use raydex::ledger::ids::{PARTNER, REGISTRY};
use raydex::ledger::outage::LearnPartner;
use raydex::ledger::partner::{AskPartner, AttemptReportAnswer, ReportAttempt};
use raydex::ledger::plan::DeliveryRequest;
use raydex::ledger::registry::DeadLetter;
use raydex::ledger::{AttemptOutcome, DeliveryId};
use raydex::record::Dataset;
use serde_json::json;

use super::story::{
    KEYS, attempt, batch, batch_of, claimed, claimed_under, deliver, park, plan_options, records, split, wish,
};
use super::support::{self, Fakes};
use super::{Ask, json as body, problem};

/// The answer to a path that must be one.
fn stats(fakes: &Fakes, query: &str) -> serde_json::Value {
    let reply = Ask::get(&format!("/v1/stats{query}")).of(fakes);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    body(&reply)
}

/// What the records of these tests say of their rays' times: nothing, since they have no times of their own.
fn no_ray_times() -> serde_json::Value {
    let none = |dataset: &Dataset| (dataset.name().to_owned(), json!({ "compared": 0, "clock_skewed": 0 }));
    Dataset::WITH_RAY.iter().map(none).collect()
}

/// The counts of an edge logger that saw nothing.
fn no_edge() -> serde_json::Value {
    serde_json::to_value(EdgeTotals::default()).unwrap()
}

#[test]
fn an_empty_world_answers_every_count_with_zero() {
    let expected = json!({
        "lines": {"in": 0, "delivered": 0, "confirmed": 0, "pending": 0, "parked": 0, "rejected": {}, "filtered": {}, "unaccounted": 0},
        "batches": {"open": 0, "sealed": 0, "quarantined": 0},
        "payloads": {"prepared": 0, "sending": 0, "delivered": 0, "parked": 0, "dropped": 0, "confirmed": 0, "split": 0},
        "posts": {"attempts": 0, "unknown_outcomes": 0, "not_sent": 0}, "before_start": {"batches": 0, "lines": 0}, "first_start": null,
        "changed": {"sanitised": 0, "cut": 0, "defaulted": 0},
        "again": {"in": 0, "delivered": 0, "confirmed": 0, "pending": 0, "parked": 0, "filtered": {}},
        "ray_times": no_ray_times(),
        "edge": no_edge(),
        "layout_doubts": [],
        "delivery": {
            "enabled": false,
            "breaker": {
                "state": "closed", "since": null, "until": null, "reason": null, "status": null, "failures": 0,
            },
            "held_ledgers": 0,
            "paced_payloads": 0,
    "stopped_payloads": 0,
            "last_refusal": null,
            "oldest_pending": null,
        },
        "freshness": {"oldest_pending_line_at": null, "lag": {"lines": 0, "p50_s": null, "p99_s": null}},
        "ledgers": {"scanned": 0, "total": 0},
        "dead_letters": 0,
        "ignored_events": {},
    });
    assert_eq!(stats(&Fakes::new(), ""), expected);
}

/// Batches of two hours and of none, with a payload in every state.
fn world() -> Fakes {
    let fakes = Fakes::new();
    let ids = batch(&fakes, KEYS[0], &[records(0..9), b"no record\n".to_vec()].concat(), Some(wish()));
    deliver(&fakes, &ids[0]);
    park(&fakes, &ids[1]);
    claimed(&fakes, &ids[2]);
    let halves = split(&fakes, &ids[3]);
    deliver(&fakes, &halves[1]);
    let ids = batch(&fakes, KEYS[1], &records(9..13), Some(wish()));
    attempt(&fakes, &ids[0], AttemptOutcome::Unknown { code: "timeout".into() });
    let drop = Ask::post(&format!("/v1/payloads/{}/drop", ids[0].handle()), "enough of it").of(&fakes);
    assert_eq!(drop.status, 200);
    let filter = Some(r#"{"where":{"key":"ClientRequestURI","operator":"eq","value":"x"}}"#.into());
    let options = raydex::ledger::PlanOptions { filter, ..plan_options() };
    batch(&fakes, KEYS[2], &records(13..16), Some(DeliveryRequest { options, ..wish() }));
    batch(&fakes, KEYS[3], &records(16..17), None);
    batch(&fakes, "logs/damaged.log.gz", b"\x1f\x8bdamaged", None);
    fakes
}

#[test]
fn books_of_batches_over_hours_add_up() {
    let fakes = world();
    let mut found = stats(&fakes, "");
    assert_eq!(found["delivery"].take()["held_ledgers"], 0);
    let fresh = found["freshness"].take();
    assert_eq!((&fresh["lag"]["lines"], fresh["oldest_pending_line_at"].is_string()), (&3.into(), true), "{fresh}");
    let expected = json!({
        "lines": {
            "in": 18, "delivered": 3, "confirmed": 0, "pending": 6, "parked": 2, "rejected": {"not_json": 1},
            "filtered": {"dropped": 2, "filter": 3, "no_plan": 1}, "unaccounted": 0,
        },
        "batches": {"open": 0, "sealed": 4, "quarantined": 1},
        "payloads": {"prepared": 3, "sending": 1, "delivered": 2, "parked": 1, "dropped": 1, "confirmed": 0, "split": 1},
        "posts": {"attempts": 6, "unknown_outcomes": 1, "not_sent": 0}, "before_start": {"batches": 0, "lines": 0}, "first_start": null,
        "changed": {"sanitised": 0, "cut": 0, "defaulted": 13},
        "again": {"in": 0, "delivered": 0, "confirmed": 0, "pending": 0, "parked": 0, "filtered": {}},
        "ray_times": no_ray_times(),
        "edge": no_edge(),
        "layout_doubts": [],
        "delivery": null,
        "freshness": null,
        "ledgers": {"scanned": 4, "total": 4},
        "dead_letters": 0,
        "ignored_events": {},
    });
    assert_eq!(found, expected);
    assert_eq!(Ask::new("HEAD", "/v1/stats").of(&fakes), Ask::get("/v1/stats").of(&fakes));
}

#[test]
fn limited_ledgers_are_the_latest_and_reported() {
    let fakes = world();
    for (query, read, lines) in [("?ledgers=1", 1, 14), ("?ledgers=2", 2, 17), ("?ledgers=4", 4, 18)] {
        let stats = stats(&fakes, query);
        assert_eq!((&stats["lines"]["in"], &stats["ledgers"]), (&lines.into(), &json!({"scanned": read, "total": 4})));
    }
}

#[test]
fn impossible_number_of_ledgers_is_refused() {
    for (query, code) in [
        ("ledgers=0", "bad_parameter"),
        ("ledgers=801", "bad_parameter"),
        ("ledgers=", "bad_parameter"),
        ("ledgers=-1", "bad_parameter"),
        ("ledgers=99999999999999999999", "bad_parameter"),
        ("ledger=1", "unknown_parameter"),
    ] {
        let fakes = Fakes::new();
        let reply = Ask::get(&format!("/v1/stats?{query}")).of(&fakes);
        assert_eq!(problem(&reply), (400, code.into()), "{query}");
        assert_eq!(fakes.faults.calls(), 0, "{query}");
    }
}

#[test]
fn unbalanced_books_raise_the_alarm_despite_cancelling_errors() {
    let fakes = world();
    let spoil = |ledger: &str, statement: &str| fakes.ledgers.ledger(ledger).sql.run(statement, &[]).unwrap();
    spoil("v1/20260328T08", "UPDATE delivery_v1 SET lines = 5 WHERE state = 'parked'");
    let one = stats(&fakes, "");
    assert_eq!((&one["lines"]["unaccounted"], &one["alarm"]), (&(-3).into(), &"unaccounted".into()));
    spoil("v1/20260328T07", "UPDATE plan_v1 SET filtered = '{}'");
    let both = stats(&fakes, "");
    assert_eq!((&both["lines"]["unaccounted"], &both["alarm"]), (&0.into(), &"unaccounted".into()));
}

/// The deployment whose partner refuses its key.
fn delivering() -> Config {
    support::partner::delivering(&[])
}

/// The answer of that deployment to a path that must be one.
fn ask(fakes: &Fakes, ask: &Ask) -> serde_json::Value {
    let reply = ask.clone().of_deployment(fakes, &Ok(delivering()));
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    body(&reply)
}

/// What the breaker makes of an attempt.
fn report(fakes: &Fakes, standing: &PartnerStanding, outcome: &AttemptOutcome) -> AttemptReportAnswer {
    let fingerprint = delivering().delivery.unwrap().fingerprint();
    let news = PartnerNews::from_outcome(outcome).unwrap();
    fakes.ledgers.ask(PARTNER, &ReportAttempt { fingerprint, as_of_ms: standing.as_of_ms, news })
}

/// What the breaker says to a sender.
fn standing(fakes: &Fakes) -> PartnerStanding {
    fakes.ledgers.ask(PARTNER, &AskPartner { fingerprint: delivering().delivery.unwrap().fingerprint() })
}

/// The partner refuses the key of a deployment with a batch in each of two hours; another payload was held since.
fn refused_key() -> (Fakes, Vec<DeliveryId>) {
    let fakes = Fakes::new();
    batch(&fakes, KEYS[2], &records(0..2), Some(wish()));
    fakes.clock_ms.set(fakes.clock_ms.get() + 60_000);
    let ids = batch(&fakes, KEYS[0], &records(2..8), Some(wish()));
    let outcome = AttemptOutcome::Endpoint { status: 403, code: "auth".into() };
    attempt(&fakes, &ids[0], outcome.clone());
    let refused = report(&fakes, &standing(&fakes), &outcome);
    fakes.clock_ms.set(fakes.clock_ms.get() + 5_000);
    let standing = Some(refused.standing);
    fakes.ledgers.ask(&ids[1].ledger, &LearnPartner { standing });
    (fakes, ids)
}

#[test]
fn refusing_partner_shows_breaker_refusal_and_oldest_payload() {
    let (fakes, ids) = refused_key();
    let mut delivery = ask(&fakes, &Ask::get("/v1/stats"))["delivery"].take();
    let oldest = delivery["oldest_pending"].take();
    let since = "2026-03-28T08:43:25.000Z";
    let expected = json!({
        "enabled": true,
        "breaker": {
            "state": "open", "since": since, "until": "2026-03-28T08:43:55.000Z", "reason": "auth", "status": 403,
            "failures": 1,
        },
        "held_ledgers": 1,
        "paced_payloads": 0,
    "stopped_payloads": 0,
        "last_refusal": {"status": 403, "code": "auth", "at": since},
        "oldest_pending": null,
    });
    assert_eq!(delivery, expected);
    assert_eq!(oldest["since"], "2026-03-28T08:42:25.000Z", "of the hour before");
    assert_eq!((&oldest["payload"]["waits_for"], &oldest["payload"]["attempts"]), (&"queue".into(), &0.into()));
    let newest = ask(&fakes, &Ask::get("/v1/stats?ledgers=1"))["delivery"]["oldest_pending"].take();
    assert_eq!((&newest["since"], &newest["payload"]["id"]), (&since.into(), &ids[0].handle().into()));
    assert_eq!(newest["payload"]["last_attempt_at"], since);
}

#[test]
fn probe_is_shown_until_its_success_closes() {
    let (fakes, _) = refused_key();
    let state = || ask(&fakes, &Ask::get("/v1/stats"))["delivery"].take();
    fakes.clock_ms.set(fakes.clock_ms.get() + raydex::limits::BREAKER_MIN_MS);
    assert_eq!(state()["breaker"]["state"], "open");
    let probe = standing(&fakes);
    let found = state();
    assert_eq!(found["breaker"]["state"], "probing");
    assert!(found["breaker"]["until"].is_string(), "the next probe: {found}");
    assert!(report(&fakes, &probe, &AttemptOutcome::Delivered { status: 200 }).closed);
    let found = state();
    assert_eq!((&found["breaker"]["state"], &found["breaker"]["reason"]), (&"closed".into(), &json!(null)));
    assert_eq!(found["last_refusal"]["status"], 403, "it is known when the partner refused last");
}

#[test]
fn another_key_begins_with_a_closed_breaker() {
    let (fakes, _) = refused_key();
    let repaired = Ok(support::partner::delivering(&[("PARTNER_PRIVATE_KEY", "another")]));
    let found = body(&Ask::get("/v1/stats").of_deployment(&fakes, &repaired));
    assert_eq!(found["delivery"]["breaker"]["state"], "closed");
    assert_eq!(ask(&fakes, &Ask::get("/v1/stats"))["delivery"]["breaker"]["state"], "open");
}

#[test]
fn waiting_payload_says_what_it_waits_for() {
    let (fakes, ids) = refused_key();
    let waits = || {
        let detail = body(&Ask::get(&format!("/v1/batches/{}", batch_of(&ids[0]))).of(&fakes));
        let payloads = detail["payloads"].as_array().unwrap().clone();
        let members = ["waits_for", "waits_until", "waits_reason"];
        json!(payloads.iter().map(|one| members.map(|member| one[member].clone())).collect::<Vec<_>>())
    };
    let held = json!(["breaker", "2026-03-28T08:43:55.000Z", "auth"]);
    assert_eq!(waits(), json!([held, held, held]));
    let closed = PartnerStanding { as_of_ms: fakes.clock_ms.get() + 1, ..PartnerStanding::default() };
    claimed_under(&fakes, &ids[0], closed);
    let found = waits();
    assert_eq!((&found[0][0], &found[1]), (&"attempt".into(), &json!(["queue", null, null])), "{found}");
    let fakes = Fakes::new();
    let ids = batch(&fakes, KEYS[0], &records(0..6), Some(wish()));
    park(&fakes, &ids[0]);
    deliver(&fakes, &ids[1]);
    let failed = AttemptOutcome::NotStored { status: Some(503), code: "busy".into(), wait_ms: Some(3_600_000) };
    attempt(&fakes, &ids[2], failed);
    let detail = body(&Ask::get(&format!("/v1/batches/{}", batch_of(&ids[0]))).of(&fakes));
    let waits: Vec<_> = (0..3).map(|place| detail["payloads"][place]["waits_for"].clone()).collect();
    assert_eq!(json!(waits), json!(["decision", null, "retry"]));
    assert_eq!(detail["payloads"][2]["waits_until"], "2026-03-28T09:42:25.000Z");
}

#[test]
fn health_with_token_says_why_payloads_wait() {
    let (fakes, _) = refused_key();
    let health = ask(&fakes, &Ask::get("/healthz"));
    assert_eq!((&health["status"], &health["delivery"]["breaker"]["state"]), (&"degraded".into(), &"open".into()));
    assert_eq!(
        (&health["delivery"]["breaker"]["status"], &health["delivery"]["held_ledgers"]),
        (&403.into(), &1.into())
    );
    let plain = json!({"status": "ok"});
    assert_eq!(body(&Ask::get("/healthz").without_token().of(&fakes)), plain);
    let limited = Ok(support::world::config_with(&[("API_RATE_PER_MINUTE", "1")]));
    assert_ne!(body(&Ask::get("/healthz").of_deployment(&fakes, &limited)), plain);
    assert_eq!(body(&Ask::get("/healthz").of_deployment(&fakes, &limited)), plain, "who asks too often");
    assert_eq!(body(&Ask::get("/healthz").of(&Fakes::new()))["status"], "ok");
}

#[test]
fn person_tries_the_partner_now() {
    let (fakes, ids) = refused_key();
    let alarm = || fakes.ledgers.ledger(&ids[0].ledger).alarm_ms.get();
    assert!(alarm() > Some(fakes.clock_ms.get()));
    let tried = ask(&fakes, &Ask::new("POST", "/v1/partner/try"));
    assert_eq!((&tried["breaker"]["state"], &tried["breaker"]["reason"]), (&"open".into(), &"auth".into()));
    assert_eq!((&tried["ledgers"], &tried["waiting_payloads"]), (&2.into(), &4.into()));
    assert!(alarm().is_some_and(|at| at <= fakes.clock_ms.get()));
    assert_eq!(standing(&fakes).state, BreakerState::Probing);
    let off = Ask::new("POST", "/v1/partner/try").of(&fakes);
    assert_eq!(problem(&off), (409, "delivery_off".into()));
}

#[test]
fn dead_letters_are_counted_until_redriven_or_dismissed() {
    let fakes = Fakes::new();
    for message in ["m1", "m2"] {
        let (queue, body) = ("parse-queue".into(), "7".into());
        let letter = DeadLetter { queue, message: message.into(), body, attempts: 3, code: "gave_up".into() };
        fakes.ledgers.ask(REGISTRY, &letter);
    }
    assert_eq!(stats(&fakes, "")["dead_letters"], 2);
    fakes.ledgers.ask(REGISTRY, &raydex::ledger::registry::MarkRedriven { id: 1, reason: "r".into() });
    assert_eq!(stats(&fakes, "")["dead_letters"], 1);
    fakes.ledgers.ask(REGISTRY, &raydex::ledger::registry::DismissDeadLetter { id: 2, reason: "r".into() });
    assert_eq!(stats(&fakes, "")["dead_letters"], 0);
}
