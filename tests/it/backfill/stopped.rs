//! A backfill that is stopped: nothing of it goes out a few seconds later, and everything once it is resumed.

use raydex::ledger::calls::GetTotals;
use raydex::ledger::pacer::{BackfillHold, HoldBackfills, LaneRate, TakeTurn, TurnAnswer};
use raydex::ledger::waiting::WaitCause;
use raydex::ledger::{DeliveryState, ids::PARTNER};
use raydex::limits::HELD_AGAIN_MS;
use raydex::pipeline::switch_backfill;

use super::support::partner::Reply;
use super::*;

/// A deployment with a backfill of 200 lines at ten lines a second, all of whose objects are announced and half of whose lines have
/// arrived when it is stopped, while the messages of the others are on the queue; its number.
fn stopped_halfway() -> (Consumers, i64) {
    let consumers = deployment(40, || Reply::Status(200));
    let request = BackfillRequest { lines_per_second: 10, ..ask(instant(0, 0), instant(40, 0)) };
    let id = begin(&consumers, request);
    while job(&consumers.fakes, id).state != BackfillState::Announced {
        turn(&consumers.fakes, &consumers.config);
    }
    let messages = consumers.fakes.sends.take();
    for message in &messages {
        if stored(&consumers) >= 100 && job(&consumers.fakes, id).state == BackfillState::Announced {
            switch(&consumers, id, false);
        }
        consumers.send(message, 1);
    }
    (consumers, id)
}

fn stored(consumers: &Consumers) -> usize {
    consumers.partner.stored().values().sum()
}

fn switch(consumers: &Consumers, id: i64, run_it: bool) {
    run(switch_backfill(&consumers.fakes, id, run_it)).unwrap();
}

/// Number of payloads of all ledgers that wait for a stopped backfill.
fn held(consumers: &Consumers) -> u64 {
    let names =
        consumers.fakes.ledgers.names().into_iter().filter(|name| ![REGISTRY, PARTNER].contains(&name.as_str()));
    names.map(|name| consumers.fakes.ledgers.ask(&name, &GetTotals {}).delivery.stopped_payloads).sum()
}

#[test]
fn nothing_goes_out_seconds_after_a_stop() {
    let (consumers, id) = stopped_halfway();
    let at_stop = stored(&consumers);
    assert!((100..103).contains(&at_stop), "{at_stop}");
    for _ in 0..30 {
        work(&consumers);
    }
    assert_eq!(stored(&consumers), at_stop);
    assert!(held(&consumers) * 3 >= 200 - at_stop as u64, "{}", held(&consumers));
    assert_eq!(job(&consumers.fakes, id).state, BackfillState::Stopped);
}

#[test]
fn held_payload_says_that_it_is_stopped() {
    let (consumers, _) = stopped_halfway();
    let keys = (0..40).map(key).flat_map(|key| consumers.fakes.kept(&key).payloads);
    let waiting: Vec<_> = keys.filter(|payload| payload.state == DeliveryState::Prepared).collect();
    assert!(waiting.len() > 10);
    for payload in waiting {
        let wait = payload.wait.unwrap();
        assert_eq!((wait.waits_for, wait.until_ms, payload.attempts), (WaitCause::Stopped, None, 0));
    }
    // Its message costs it no attempt, however often it comes.
    consumers.settle(3 * HELD_AGAIN_MS);
    let keys = (0..40).map(key).flat_map(|key| consumers.fakes.kept(&key).payloads);
    assert!(keys.filter(|payload| payload.state == DeliveryState::Prepared).all(|payload| payload.attempts == 0));
}

#[test]
fn resumed_backfill_delivers_the_rest_once() {
    let (consumers, id) = stopped_halfway();
    consumers.settle(5 * TURN_MS);
    let at_stop = stored(&consumers);
    switch(&consumers, id, true);
    let resumed_ms = consumers.now();
    work(&consumers);
    assert!(stored(&consumers) > at_stop, "within a turn of the cron");
    while job(&consumers.fakes, id).state != BackfillState::Done {
        work(&consumers);
        assert!(consumers.now() < resumed_ms + HELD_AGAIN_MS, "{:?}", job(&consumers.fakes, id));
    }
    assert_eq!(consumers.partner.stored(), expected(40, &[(instant(0, 0), instant(40, 0))]));
    assert_eq!((held(&consumers), consumers.fakes.ledgers.totals().posts.unknown_outcomes), (0, 0));
}

#[test]
fn ledger_that_hears_nothing_asks_within_an_hour() {
    let (consumers, id) = stopped_halfway();
    consumers.settle(2 * TURN_MS);
    switch(&consumers, id, true);
    // No cron tells the ledgers.
    consumers.settle(HELD_AGAIN_MS + 10 * TURN_MS);
    assert_eq!(consumers.partner.stored(), expected(40, &[(instant(0, 0), instant(40, 0))]));
}

#[test]
fn stop_holds_no_other_traffic() {
    let (consumers, id) = stopped_halfway();
    consumers.settle(TURN_MS);
    let at_stop = stored(&consumers);
    let fresh = batch_key("logs/", Dataset::HttpRequests, instant(50, 0), instant(50, 5), 7);
    let line = format!(r#"{{"RayID":"{}","EdgeStartTimestamp":{},"EdgeColoID":4}}"#, name(50, 0), instant(50, 0));
    let head = consumers.fakes.bucket.store(&fresh, line.as_bytes());
    announce(&consumers, &fresh, &head);
    let again = BackfillRequest { again: true, reason: Some("why".into()), ..ask(instant(0, 0), instant(1, 0)) };
    let other = begin(&consumers, again);
    work(&consumers);
    assert_eq!(stored(&consumers), at_stop + 1 + 5, "a live line, and the five of backfill {other}, which is not {id}");
}

#[test]
fn news_from_before_a_stop_frees_nothing() {
    let consumers = deployment(1, || Reply::Status(200));
    let ledgers = &consumers.fakes.ledgers;
    let hears = |steps, stopped| {
        ledgers.ask(PARTNER, &HoldBackfills { backfills: vec![BackfillHold { id: 7, steps, stopped }] });
        let lanes = vec![LaneRate::for_all(1_000), LaneRate::for_backfill(7, 1_000)];
        let call = TakeTurn { lines: 1, lanes, within_ms: 0, place_ms: None };
        consumers.pass(1_000);
        ledgers.ask(PARTNER, &call) == TurnAnswer::Stopped
    };
    let told =
        [(4, false), (5, true), (4, false), (5, true), (9, false), (5, true), (12, false), (11, true), (13, true)];
    let held = told.map(|(steps, stopped)| hears(steps, stopped));
    assert_eq!(held, [false, true, true, true, false, false, false, true, true]);
    assert!(!hears(14, false));
}
