//! The books of all ledgers together.

use raydex::backend::SqlDatabase;
use raydex::ledger::AttemptOutcome;
use raydex::ledger::ids::REGISTRY;
use raydex::ledger::plan::DeliveryRequest;
use raydex::ledger::registry::DeadLetter;
use serde_json::json;

use super::story::{KEYS, attempt, batch, claimed, deliver, park, plan_options, records, split, wish};
use super::support::Fakes;
use super::{Ask, json as body, problem};

/// The answer to a path that must be one.
fn stats(fakes: &Fakes, query: &str) -> serde_json::Value {
    let reply = Ask::get(&format!("/v1/stats{query}")).of(fakes);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    body(&reply)
}

#[test]
fn an_empty_world_answers_every_count_with_zero() {
    let expected = json!({
        "lines": {"in": 0, "delivered": 0, "pending": 0, "parked": 0, "rejected": {}, "filtered": {}, "unaccounted": 0},
        "sources": {"open": 0, "sealed": 0, "quarantined": 0},
        "payloads": {"prepared": 0, "sending": 0, "delivered": 0, "parked": 0, "dropped": 0, "split": 0, "pending": 0},
        "posts": {"sent": 0, "ambiguous": 0},
        "ledgers": {"scanned": 0, "total": 0},
        "dead_letters": 0,
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
    let expected = json!({
        "lines": {
            "in": 18, "delivered": 3, "pending": 6, "parked": 2, "rejected": {"not_json": 1},
            "filtered": {"dropped": 2, "filter": 3, "no_plan": 1}, "unaccounted": 0,
        },
        "sources": {"open": 0, "sealed": 4, "quarantined": 1},
        "payloads": {"prepared": 3, "sending": 1, "delivered": 2, "parked": 1, "dropped": 1, "split": 1, "pending": 3},
        "posts": {"sent": 6, "ambiguous": 1},
        "ledgers": {"scanned": 4, "total": 4},
        "dead_letters": 0,
    });
    assert_eq!(stats(&fakes, ""), expected);
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

#[test]
fn dead_letters_are_counted_until_redriven() {
    let fakes = Fakes::new();
    for message in ["m1", "m2"] {
        let (queue, body) = ("parse-queue".into(), "7".into());
        let letter = DeadLetter { queue, message: message.into(), body, attempts: 3, code: "gave_up".into() };
        fakes.ledgers.ask(REGISTRY, &letter);
    }
    assert_eq!(stats(&fakes, "")["dead_letters"], 2);
    fakes.ledgers.ask(REGISTRY, &raydex::ledger::registry::MarkRedriven { id: 1, reason: "r".into() });
    assert_eq!(stats(&fakes, "")["dead_letters"], 1);
}
