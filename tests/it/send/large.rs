//! Payloads that are too large: they are halved until they fit, and every line of them goes out in its order.

use raydex::ledger::DeliveryState;
use raydex::ledger::books::PayloadView;

use super::Scene;
use super::support::partner::Seen;
use super::support::{Fault, Kind, Reply};

/// A partner that takes so many lines at once.
fn at_most(lines: usize) -> impl Fn(&Seen, usize) -> Reply {
    move |seen, _| Reply::Status(if seen.lines.len() > lines { 413 } else { 200 })
}

/// A scene whose only payload has so many lines, of which the partner takes so many at once.
fn scene(records: u64, takes: usize) -> Scene {
    Scene::of(records, 100, &[], at_most(takes))
}

/// All is sent, halves too.
fn drain(scene: &Scene) {
    scene.send();
    scene.consumers.settle(24 * 3_600_000);
}

/// The lines of what was stored, in the order of the payloads' numbers.
fn stored(scene: &Scene) -> Vec<String> {
    let mut taken: Vec<Seen> = scene.consumers.partner.seen();
    taken.retain(|seen| seen.reply == Reply::Status(200));
    taken.sort_by(|a, b| a.post.batch_id.cmp(&b.post.batch_id));
    taken.into_iter().flat_map(|seen| seen.lines).collect()
}

fn in_state(scene: &Scene, state: DeliveryState) -> Vec<PayloadView> {
    scene.payloads().into_iter().filter(|payload| payload.state == state).collect()
}

#[test]
fn halves_hold_the_lines_in_order() {
    for (records, takes) in [(2, 1), (3, 2), (7, 1), (8, 3), (50, 9), (99, 98)] {
        let clean = scene(records, usize::MAX);
        drain(&clean);
        let halved = scene(records, takes);
        drain(&halved);
        assert_eq!(stored(&halved), stored(&clean), "{records} lines, {takes} at once");
        assert_eq!(halved.totals().lines.delivered, records);
        let seen = halved.consumers.partner.seen();
        let mut names: Vec<&str> = seen.iter().map(|seen| seen.post.batch_id.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), seen.len(), "each is sent once");
        assert!(
            in_state(&halved, DeliveryState::Delivered).iter().all(|payload| payload.payload.lines <= takes as u64)
        );
    }
}

#[test]
fn the_verdict_says_that_it_is_two_now() {
    let scene = scene(5, 3);
    let said = serde_json::to_value(scene.send()).unwrap();
    let expected = serde_json::json!({"verdict": "split", "payload": scene.id().handle(), "lines": 5, "attempt": 1});
    assert_eq!(said, expected);
    let indexes: Vec<(String, u64, DeliveryState)> = scene
        .payloads()
        .into_iter()
        .map(|payload| (payload.payload.index, payload.payload.lines, payload.state))
        .collect();
    let expected = [
        ("000000", 5, DeliveryState::Split),
        ("000000.0", 2, DeliveryState::Prepared),
        ("000000.1", 3, DeliveryState::Prepared),
    ];
    assert_eq!(indexes, expected.map(|(index, lines, state)| (index.to_owned(), lines, state)));
    assert_eq!(scene.consumers.fakes.sends.sent().len(), 2);
    // Its message comes again.
    assert_eq!(scene.send().code.as_deref(), Some("split"));
    assert_eq!(scene.totals().lines.pending, 5);
}

#[test]
fn single_oversized_line_waits_alone_for_a_person() {
    // The fourth record is the one; whoever carries it is too large.
    let mind = |seen: &Seen, _| {
        let bad = super::ray(3).to_string();
        Reply::Status(if seen.rays().contains(&bad) { 413 } else { 200 })
    };
    let scene = Scene::of(8, 100, &[], mind);
    drain(&scene);
    let parked = in_state(&scene, DeliveryState::Parked);
    assert_eq!(parked.len(), 1);
    assert_eq!((parked[0].code.as_deref(), parked[0].payload.lines), (Some("too_large"), 1));
    assert_eq!(parked[0].payload.index, "000000.0.1.1");
    let lines = scene.totals().lines;
    assert_eq!((lines.delivered, lines.parked, lines.pending), (7, 1, 0));
    assert!(scene.consumers.partner.stored().values().all(|copies| *copies == 1));
}

#[test]
fn partner_refusing_everything_gets_lines_parked_singly() {
    let scene = scene(9, 0);
    drain(&scene);
    assert_eq!((in_state(&scene, DeliveryState::Parked).len(), scene.totals().lines.parked), (9, 9));
}

#[test]
fn split_with_any_failing_call_delivers_once() {
    let clean = scene(4, 3);
    let before = clean.consumers.fakes.faults.calls();
    clean.send();
    let calls = clean.consumers.fakes.faults.calls() - before;
    drain(&clean);
    assert!(calls >= 7, "{calls} calls");
    for nth in 0..calls {
        for fault in Fault::BOTH {
            let scene = scene(4, 3);
            scene.consumers.fakes.faults.plan(None, nth, fault);
            scene.send();
            assert!(scene.consumers.fakes.faults.clear());
            drain(&scene);
            assert_eq!(stored(&scene), stored(&clean), "call {nth} {fault:?}");
            assert_eq!(scene.totals().lines.delivered, 4, "call {nth} {fault:?}");
        }
    }
}

#[test]
fn halves_with_lost_messages_are_sent_by_ledger() {
    let scene = scene(4, 3);
    scene.consumers.fakes.faults.plan(Some(Kind::SendPayload), 0, Fault::Fails);
    assert_eq!(scene.send().verdict.name(), "split");
    assert!(scene.consumers.fakes.faults.clear() && scene.consumers.fakes.sends.sent().is_empty());
    scene.consumers.settle(3_600_000);
    assert_eq!(scene.totals().lines.delivered, 4);
}

#[test]
fn halves_that_cannot_be_put_leave_no_doubt() {
    for kind in [Kind::PutNew, Kind::Ledger] {
        let scene = Scene::of(4, 100, &[("PARTNER_ON_UNKNOWN", "park")], at_most(3));
        let passing = usize::from(kind == Kind::Ledger);
        scene.consumers.fakes.faults.plan(Some(kind), passing, Fault::Fails);
        let said = scene.send();
        assert_eq!((said.verdict.name(), said.code.as_deref()), ("not_stored", Some("too_large")), "{kind:?}");
        assert_eq!((said.status, said.retry_s), (Some(413), None), "{kind:?}");
        assert!(scene.consumers.fakes.faults.clear());
        scene.consumers.settle(3_600_000);
        assert_eq!((scene.totals().lines.delivered, scene.totals().posts.unknown_outcomes), (4, 0), "{kind:?}");
    }
}
