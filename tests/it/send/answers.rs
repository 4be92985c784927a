//! What each answer of the partner makes of a payload, of the others, and of the log.

use raydex::ledger::DeliveryState;
use serde_json::{Value, json};

use super::Scene;
use super::support::partner::{ENDPOINT, KEY, NONCE, SECOND_KEY, URI};
use super::support::{NOW_MS, Reply};

/// What a status comes to: the verdict, its code, the payload's state, whether the others wait.
type Row = (&'static str, &'static str, DeliveryState, bool);

/// The table of the design, row by row; whatever else a 4xx or 5xx says stands behind them.
fn expected(status: u16, server_errors: &str) -> Row {
    match status {
        200..=299 => ("delivered", "", DeliveryState::Delivered, false),
        300..=399 => ("endpoint", "redirect", DeliveryState::Prepared, true),
        401 | 403 => ("endpoint", "auth", DeliveryState::Prepared, true),
        404 | 405 | 410 => ("endpoint", "wrong_address", DeliveryState::Prepared, true),
        408 | 425 | 429 | 503 => ("not_stored", "busy", DeliveryState::Prepared, false),
        413 => ("refused", "too_large", DeliveryState::Parked, false),
        400..=499 => ("refused", "permanent", DeliveryState::Parked, false),
        // Cloudflare in front of the partner: the request had gone out.
        520 | 524 => ("unknown", "unknown", DeliveryState::Prepared, false),
        _ if server_errors == "unknown" => ("unknown", "unknown", DeliveryState::Prepared, false),
        _ => ("not_stored", "server_error", DeliveryState::Prepared, false),
    }
}

#[test]
fn every_status_comes_to_what_the_table_says() {
    for server_errors in ["not_stored", "unknown"] {
        for status in 200..=599 {
            let mind = move |_: &_, nth| Reply::Status(if nth == 0 { status } else { 200 });
            let scene = Scene::of(2, 1, &[("PARTNER_SERVER_ERRORS", server_errors)], mind);
            let (verdict, code, state, holds) = expected(status, server_errors);
            let said = scene.send();
            assert_eq!((said.verdict.name(), said.code.as_deref().unwrap_or_default()), (verdict, code), "{status}");
            assert_eq!((said.counted, said.retry_s), (Some(true), None), "{status}: the ledger sees to it");
            assert_eq!((scene.state(), scene.posts()), (state, 1), "{status}");
            assert_eq!(u64::from(scene.payload().unknown_outcomes), u64::from(verdict == "unknown"), "{status}");
            let other = scene.send_nth(1);
            let expected = if holds { ("waits", Some("breaker_open")) } else { ("delivered", None) };
            assert_eq!((other.verdict.name(), other.code.as_deref()), expected, "{status}");
            scene.totals();
        }
    }
}

#[test]
fn no_answer_is_told_from_no_connection() {
    let scene = Scene::one(&[], Reply::NotSent);
    let said = scene.send();
    assert_eq!((said.verdict.name(), said.code.as_deref(), said.status), ("not_stored", Some("not_sent"), None));
    assert_eq!((scene.state(), scene.payload().unknown_outcomes), (DeliveryState::Prepared, 0));
    let scene = Scene::one(&[], Reply::Silence);
    let said = scene.send();
    assert_eq!((said.verdict.name(), said.code.as_deref(), said.status), ("unknown", Some("no_answer"), None));
    assert_eq!((scene.state(), scene.payload().unknown_outcomes), (DeliveryState::Prepared, 1));
}

#[test]
fn doubt_is_resent_or_left_to_a_person() {
    let scene = Scene::script(&[("PARTNER_ON_UNKNOWN", "resend")], &[Reply::Silence, Reply::Status(200)]);
    scene.send();
    scene.consumers.settle(3_600_000);
    assert_eq!((scene.state(), scene.posts()), (DeliveryState::Delivered, 2));
    let posts = scene.totals().posts;
    assert_eq!((posts.attempts, posts.unknown_outcomes), (2, 1));

    let scene = Scene::script(&[("PARTNER_ON_UNKNOWN", "park")], &[Reply::Silence, Reply::Status(200)]);
    scene.send();
    assert_eq!((scene.state(), scene.payload().code.as_deref()), (DeliveryState::Parked, Some("no_answer")));
    for _ in 0..5 {
        assert_eq!(scene.send().verdict.name(), "settled");
    }
    scene.consumers.settle(30 * 24 * 3_600_000);
    assert_eq!((scene.state(), scene.posts()), (DeliveryState::Parked, 1), "at most once");
    assert_eq!(scene.totals().lines.parked, 1);
}

#[test]
fn the_partners_wait_is_kept_within_its_bounds() {
    for (header, least_ms, most_ms) in [
        ("120", 120_000, 120_000),
        ("0", 11_250, 18_750),
        ("86400", 86_400_000, 86_400_000),
        ("99999999", 86_400_000, 86_400_000),
        ("Sat, 28 Mar 2026 08:52:25 GMT", 600_000, 600_000),
        ("Sat, 28 Mar 2020 08:52:25 GMT", 11_250, 18_750),
        ("soon", 11_250, 18_750),
    ] {
        for status in [408, 425, 429, 503] {
            let scene = Scene::one(&[], Reply::RetryAfter(status, header));
            scene.send();
            let wait = scene.payload().next_attempt_ms.unwrap() - NOW_MS;
            assert!((least_ms..=most_ms).contains(&wait), "{status} {header}: {wait}");
        }
        // No other answer has a say in it.
        let scene = Scene::one(&[], Reply::RetryAfter(500, header));
        scene.send();
        assert!(scene.payload().next_attempt_ms.unwrap() - NOW_MS <= 18_750);
    }
}

/// The verdict on a payload that is answered so, as its line in the log.
fn logged(reply: Reply) -> Value {
    let scene = Scene::one(&[("PARTNER_PRIVATE_KEY_2", SECOND_KEY)], reply);
    let mut line = serde_json::to_value(scene.send()).unwrap();
    let handle = line.as_object_mut().unwrap().remove("payload");
    assert_eq!(handle, Some(scene.id().handle().into()));
    assert_eq!(line.as_object_mut().unwrap().remove("post_ms"), Some(0.into()));
    line
}

#[test]
fn the_verdict_is_one_line_of_the_log() {
    let line = |verdict: &str, code: Value, status: Value| {
        let mut line = json!({"verdict": verdict, "lines": 1, "attempt": 1, "counted": true});
        for (name, value) in [("code", code), ("status", status)] {
            if !value.is_null() {
                line[name] = value;
            }
        }
        line
    };
    let null = || Value::Null;
    assert_eq!(logged(Reply::Status(202)), line("delivered", null(), 202.into()));
    assert_eq!(logged(Reply::Status(302)), line("endpoint", "redirect".into(), 302.into()));
    assert_eq!(logged(Reply::Status(403)), line("endpoint", "auth".into(), 403.into()));
    assert_eq!(logged(Reply::Status(415)), line("refused", "permanent".into(), 415.into()));
    assert_eq!(logged(Reply::Status(502)), line("not_stored", "server_error".into(), 502.into()));
    assert_eq!(logged(Reply::NotSent), line("not_stored", "not_sent".into(), null()));
    assert_eq!(logged(Reply::Silence), line("unknown", "no_answer".into(), null()));
}

#[test]
fn address_keys_and_body_are_never_logged() {
    let statuses = [200, 302, 400, 401, 404, 413, 429, 500, 520].map(Reply::Status);
    for reply in statuses.into_iter().chain([Reply::NotSent, Reply::Silence, Reply::RetryAfter(503, "90")]) {
        let scene = Scene::one(&[("PARTNER_PRIVATE_KEY_2", SECOND_KEY)], reply);
        let said = scene.send();
        let (host, nonce) = (ENDPOINT.trim_start_matches("https://"), format!("-{NONCE}-"));
        let body = scene.consumers.partner.seen()[0].lines[0].clone();
        let secrets = [host, URI, KEY, SECOND_KEY, "auth_key", &nonce, "192.0.2.1", &body];
        let told =
            format!("{} {said:?} {:?}", serde_json::to_string(&said).unwrap(), scene.consumers.fakes.ledgers.rows());
        for secret in secrets {
            assert!(!told.contains(secret), "{reply:?}: {secret} is in {told}");
        }
    }
}

#[test]
fn a_line_is_as_grave_as_its_verdict() {
    for (reply, grave) in [
        (Reply::Status(200), false),
        (Reply::Status(302), true),
        (Reply::Status(400), true),
        (Reply::Status(401), true),
        (Reply::Status(503), true),
        (Reply::Silence, true),
    ] {
        let level = Scene::one(&[], reply).send().level();
        assert_eq!(level == raydex::config::LogLevel::Warn, grave, "{reply:?}: {level:?}");
    }
}
