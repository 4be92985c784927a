//! A partner that does not answer: what it may have, what it cannot have, and payloads that it is silent about alone.

use raydex::ledger::DeliveryState;
use raydex::limits::UNANSWERED_MAX;

use super::Scene;
use super::support::Reply;

#[test]
fn closed_port_leaves_one_attempt_in_doubt() {
    let scene = Scene::one(&[], Reply::Status(200));
    let partner = &scene.consumers.partner;
    partner.is_closed.set(true);
    let said = scene.send();
    assert_eq!((said.verdict.name(), said.code.as_deref()), ("unknown", Some("no_answer")));
    assert_eq!(partner.looks.get(), 0, "there was no reason to look");
    scene.consumers.settle(20 * 60_000);
    let payload = scene.payload();
    assert_eq!((payload.unknown_outcomes, payload.code.as_deref()), (1, Some("not_sent")));
    assert!(payload.not_sent > 5, "{payload:?}");
    assert_eq!(scene.totals().posts.not_sent, u64::from(payload.not_sent));
    partner.is_closed.set(false);
    scene.consumers.settle(60_000);
    assert_eq!((scene.state(), scene.posts()), (DeliveryState::Delivered, 1));
}

#[test]
fn silence_over_an_open_connection_stays_in_doubt() {
    let scene = Scene::script(&[], &[Reply::Silence, Reply::Silence, Reply::Status(200)]);
    scene.send();
    scene.consumers.settle(3_600_000);
    assert_eq!((scene.state(), scene.posts(), scene.payload().unknown_outcomes), (DeliveryState::Delivered, 3, 2));
    assert_eq!((scene.consumers.partner.looks.get(), scene.payload().not_sent), (2, 0), "before each further POST");
}

#[test]
fn answered_payloads_are_never_looked_for() {
    let scene = Scene::script(&[], &[Reply::Status(503), Reply::Status(500), Reply::Status(200)]);
    scene.send();
    scene.consumers.settle(3_600_000);
    assert_eq!((scene.state(), scene.consumers.partner.looks.get()), (DeliveryState::Delivered, 0));
}

#[test]
fn payload_that_alone_gets_no_answer_is_parked() {
    let silent = super::support::records::ray(0).to_string();
    let scene = Scene::of(
        40,
        1,
        &[],
        move |seen, _| {
            if seen.rays().contains(&silent) { Reply::Silence } else { Reply::Status(200) }
        },
    );
    for nth in 1..=20 {
        if scene.state() == DeliveryState::Parked {
            break;
        }
        // Another one is answered while this one is not: they are in flight together.
        scene.send_nth(nth);
        scene.send();
        scene.consumers.pass(3_600_000);
    }
    let payload = scene.payload();
    assert_eq!((payload.state, payload.code.as_deref()), (DeliveryState::Parked, Some("no_answer")));
    assert_eq!(payload.unknown_outcomes, UNANSWERED_MAX);
}

#[test]
fn outage_without_answers_parks_nothing() {
    let scene = Scene::of(6, 1, &[], |_, _| Reply::Silence);
    (0..6).for_each(|nth| drop(scene.send_nth(nth)));
    scene.consumers.settle(7 * 24 * 3_600_000);
    assert!(scene.payloads().iter().all(|payload| payload.state == DeliveryState::Prepared));
}

#[test]
fn last_post_of_a_payload_is_timed() {
    let scene = Scene::script(&[], &[Reply::Status(503), Reply::Status(200)]);
    scene.consumers.partner.takes_ms.set(1_234);
    assert_eq!(scene.send().post_ms, Some(1_234));
    assert_eq!(scene.payload().last_post_ms, Some(1_234));
    scene.consumers.partner.takes_ms.set(35_000);
    scene.consumers.settle(3_600_000);
    assert_eq!((scene.state(), scene.payload().last_post_ms), (DeliveryState::Delivered, Some(35_000)));
}
