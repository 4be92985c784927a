//! Two keys: while they change, either may be the right one.

use raydex::ledger::DeliveryState;
use raydex::limits::COMMIT_MS;

use super::Scene;
use super::support::partner::{KEY, SECOND_KEY, Seen};
use super::support::{Fault, Kind, LEASE_MS, POST_MS, Reply};

const BOTH: [(&str, &str); 1] = [("PARTNER_PRIVATE_KEY_2", SECOND_KEY)];

/// Which key signed each POST.
fn keys(scene: &Scene) -> Vec<&'static str> {
    scene.consumers.partner.seen().iter().map(|seen| seen.key).collect()
}

/// A partner that knows the second key alone, and answers its POSTs so.
fn second_alone(reply: Reply) -> impl Fn(&Seen, usize) -> Reply {
    move |seen, _| if seen.key == KEY { Reply::Status(401) } else { reply }
}

#[test]
fn second_key_is_tried_once_after_a_refusal() {
    for status in [401, 403] {
        let mind = move |seen: &Seen, _| Reply::Status(if seen.key == KEY { status } else { 200 });
        let scene = Scene::of(2, 1, &BOTH, mind);
        assert_eq!(scene.send().verdict.name(), "delivered");
        assert_eq!((keys(&scene), scene.state()), (vec![KEY, SECOND_KEY], DeliveryState::Delivered));
        // The partner is well: nobody waits, and it was one attempt.
        assert_eq!((scene.payload().attempts, scene.send_nth(1).verdict.name()), (1, "delivered"));
        let seen = scene.consumers.partner.seen();
        assert_eq!(seen[0].post.body, seen[1].post.body);
        assert_eq!(seen[0].post.batch_id, seen[1].post.batch_id);
    }
}

#[test]
fn two_refused_keys_are_one_attempt_opening_breaker() {
    let scene = Scene::of(2, 1, &BOTH, |_, _| Reply::Status(403));
    let said = scene.send();
    assert_eq!((said.verdict.name(), said.code.as_deref()), ("endpoint", Some("auth")));
    assert_eq!((keys(&scene), scene.payload().attempts), (vec![KEY, SECOND_KEY], 1));
    assert_eq!(scene.send_nth(1).code.as_deref(), Some("breaker_open"));
}

#[test]
fn other_refusals_and_single_keys_post_once() {
    let scene = Scene::one(&[], Reply::Status(401));
    scene.send();
    assert_eq!(keys(&scene), [KEY]);
    for reply in [Reply::Status(404), Reply::Status(400), Reply::Status(500), Reply::Status(302), Reply::Silence] {
        let scene = Scene::one(&BOTH, reply);
        scene.send();
        assert_eq!(keys(&scene), [KEY], "{reply:?}");
    }
}

#[test]
fn whatever_the_second_key_comes_to_counts() {
    for (reply, verdict, state) in [
        (Reply::Status(500), "not_stored", DeliveryState::Prepared),
        (Reply::Status(400), "refused", DeliveryState::Parked),
        (Reply::Status(413), "refused", DeliveryState::Parked),
        (Reply::Silence, "unknown", DeliveryState::Prepared),
        (Reply::NotSent, "not_stored", DeliveryState::Prepared),
    ] {
        let scene = Scene::of(1, 1, &BOTH, second_alone(reply));
        assert_eq!((scene.send().verdict.name(), scene.state()), (verdict, state), "{reply:?}");
    }
}

#[test]
fn second_key_posts_the_same_body_read_once() {
    let scene = Scene::of(1, 1, &BOTH, second_alone(Reply::Status(200)));
    scene.consumers.fakes.faults.plan(Some(Kind::Get), 1, Fault::Fails);
    assert_eq!((scene.send().verdict.name(), scene.posts()), ("delivered", 2));
    assert!(!scene.consumers.fakes.faults.clear(), "the body was read again");
}

#[test]
fn second_post_never_outlasts_the_lease() {
    let most = LEASE_MS - POST_MS - COMMIT_MS;
    for (takes_ms, posts) in [(0, 2), (most, 2), (most + 1, 1), (LEASE_MS - 1, 1)] {
        let scene = Scene::of(1, 1, &BOTH, second_alone(Reply::Status(200)));
        scene.consumers.partner.takes_ms.set(takes_ms);
        let said = scene.send();
        assert_eq!(scene.posts(), posts, "{takes_ms}");
        assert_eq!(said.verdict.name(), if posts == 2 { "delivered" } else { "endpoint" }, "{takes_ms}");
    }
}
