//! The issuer's keys: which are believed, how long they are used, and how often they are asked for.

use std::cell::RefCell;

use futures_util::FutureExt;
use raydex::access::{AuthFailure, Credentials, JwksCache, KeysFault, admit_any, parse_keys};
use raydex::limits::{JWKS_FETCHES, JWKS_FRESH_MS, JWKS_KEPT_MS, JWKS_KEYS, JWKS_MAX, JWKS_RETRY_MS, JWKS_WINDOW_MS};
use serde_json::{Value, json};

use super::issuer::{FakeIssuer, Key};
use super::{NOW_MS, claims, rules, run};

/// An isolate: its kept keys, and the issuer that it asks.
#[derive(Default)]
struct Isolate {
    cache: RefCell<JwksCache>,
    issuer: FakeIssuer,
}

impl Isolate {
    /// Lets in the bearer of a token of `key`, so many milliseconds later.
    fn ask(&self, key: &Key, later_ms: i64) -> Result<(), AuthFailure> {
        let token = key.token(&claims(|claims| drop(claims.insert("exp".into(), json!(i64::MAX / 2)))));
        let presented = Credentials { authorization: None, assertion: Some(&token) };
        run(admit_any(&rules(), presented, &self.issuer, &self.cache, NOW_MS + later_ms)).map(|_| ())
    }

    fn fetches(&self) -> u32 {
        self.issuer.fetches.get()
    }
}

fn keys() -> (Key, Key) {
    (Key::new("one", 0), Key::new("two", 1))
}

#[test]
fn keys_are_fetched_once_an_hour() {
    let (isolate, (one, _)) = (Isolate::default(), keys());
    isolate.issuer.publish(&[&one]);
    for later_ms in [0, 1, JWKS_FRESH_MS - 1] {
        assert_eq!(isolate.ask(&one, later_ms), Ok(()));
        assert_eq!(isolate.fetches(), 1);
    }
    assert_eq!(isolate.ask(&one, JWKS_FRESH_MS), Ok(()));
    assert_eq!(isolate.fetches(), 2);
}

#[test]
fn a_rotation_is_followed() {
    let (isolate, (one, two)) = (Isolate::default(), keys());
    isolate.issuer.publish(&[&one]);
    assert_eq!(isolate.ask(&one, 0), Ok(()));
    isolate.issuer.publish(&[&one, &two]);
    assert_eq!(isolate.ask(&two, JWKS_WINDOW_MS), Ok(()), "an unknown key is asked for");
    isolate.issuer.publish(&[&two]);
    assert_eq!(isolate.ask(&one, JWKS_WINDOW_MS + JWKS_FRESH_MS), Err(AuthFailure::UnknownKey), "the old one is gone");
    assert_eq!(isolate.ask(&two, JWKS_WINDOW_MS + JWKS_FRESH_MS), Ok(()));
    assert_eq!(isolate.fetches(), 3);
}

#[test]
fn unknown_keys_ask_the_issuer_once_a_minute() {
    let (isolate, (one, _)) = (Isolate::default(), keys());
    isolate.issuer.publish(&[&one]);
    assert_eq!(isolate.ask(&one, 0), Ok(()));
    // A token every five seconds for three minutes, each with another key.
    for later_ms in (0..3 * JWKS_WINDOW_MS).step_by(5_000) {
        assert_eq!(isolate.ask(&made_up(later_ms), later_ms), Err(AuthFailure::UnknownKey));
        assert_eq!(isolate.ask(&one, later_ms), Ok(()), "the others are let in all the while");
    }
    assert!((3..=4).contains(&isolate.fetches()), "{}", isolate.fetches());
}

/// A key that no issuer has.
fn made_up(number: i64) -> Key {
    Key::new(format!("made-up-{number}").leak(), 1)
}

#[test]
fn absent_key_is_not_asked_for_again() {
    let (isolate, (one, two)) = (Isolate::default(), keys());
    isolate.issuer.publish(&[&one]);
    assert_eq!(isolate.ask(&one, 0), Ok(()));
    for later_ms in (0..JWKS_FRESH_MS - 1).step_by(60_000) {
        assert_eq!(isolate.ask(&two, later_ms), Err(AuthFailure::UnknownKey));
    }
    assert_eq!(isolate.fetches(), 2, "once for the first key, once for the absent one");
    isolate.issuer.publish(&[&one, &two]);
    assert_eq!(isolate.ask(&one, JWKS_FRESH_MS), Ok(()));
    assert_eq!((isolate.ask(&two, JWKS_FRESH_MS), isolate.fetches()), (Ok(()), 3), "any fetch brings it");
}

#[test]
fn forgeries_spend_no_fetches_of_kept_keys() {
    let (isolate, (one, _)) = (Isolate::default(), keys());
    isolate.issuer.publish(&[&one]);
    assert_eq!(isolate.ask(&one, 0), Ok(()));
    // The issuer is down when the keys are to be renewed, and forgeries are all that comes.
    let document = isolate.issuer.document.borrow_mut().take();
    for number in 0..50 {
        let forged = isolate.ask(&made_up(number), JWKS_FRESH_MS + number);
        assert_eq!(forged, Err(AuthFailure::UnknownKey));
        assert_eq!(isolate.ask(&one, JWKS_FRESH_MS + number), Ok(()));
    }
    assert_eq!(isolate.fetches(), 3, "one for the forgeries, one to renew");
    // It is back: the next renewal is not theirs to spend.
    *isolate.issuer.document.borrow_mut() = document;
    let later_ms = JWKS_FRESH_MS + JWKS_WINDOW_MS;
    assert_eq!(isolate.ask(&made_up(99), later_ms), Err(AuthFailure::UnknownKey));
    let fetches = isolate.fetches();
    assert_eq!((isolate.ask(&one, later_ms), isolate.fetches()), (Ok(()), fetches), "they renewed the keys");
}

#[test]
fn forgeries_delay_the_first_keys_by_seconds() {
    let (isolate, (one, _)) = (Isolate::default(), keys());
    for number in 0..1_000 {
        assert_eq!(isolate.ask(&made_up(number), number), Err(AuthFailure::NoKeys));
    }
    assert_eq!(i64::from(isolate.fetches()), JWKS_FETCHES);
    isolate.issuer.publish(&[&one]);
    let back = (1_000..).step_by(100).find(|later_ms| {
        let forged = isolate.ask(&made_up(*later_ms), *later_ms);
        assert!(forged.is_err());
        isolate.ask(&one, *later_ms).is_ok()
    });
    assert!(back.is_some_and(|back| back <= 1_000 + JWKS_RETRY_MS), "{back:?}");
}

#[test]
fn unreachable_issuer_leaves_old_keys_for_a_day() {
    let (isolate, (one, two)) = (Isolate::default(), keys());
    isolate.issuer.publish(&[&one]);
    assert_eq!(isolate.ask(&one, 0), Ok(()));
    for broken in [None, Some(b"<html>".to_vec()), Some(br#"{"keys":[]}"#.to_vec())] {
        *isolate.issuer.document.borrow_mut() = broken;
        assert_eq!(isolate.ask(&one, JWKS_KEPT_MS - 1), Ok(()));
        assert_eq!(isolate.ask(&two, JWKS_KEPT_MS - 1), Err(AuthFailure::UnknownKey));
        assert_eq!(isolate.ask(&one, JWKS_KEPT_MS), Err(AuthFailure::NoKeys));
    }
    assert_eq!(AuthFailure::NoKeys.status(), 503);
    isolate.issuer.publish(&[&two]);
    assert_eq!(isolate.ask(&two, JWKS_KEPT_MS + JWKS_WINDOW_MS), Ok(()), "it is back");
}

#[test]
fn cold_isolate_admits_all_after_one_fetch() {
    let (isolate, (one, _)) = (Isolate::default(), keys());
    isolate.issuer.publish(&[&one]);
    isolate.issuer.slowness.set(6);
    let token = one.token(&claims(|claims| drop(claims.insert("exp".into(), json!(i64::MAX / 2)))));
    let presented = Credentials { authorization: None, assertion: Some(&token) };
    let rules = rules();
    let people =
        (0..60).map(|later_ms| admit_any(&rules, presented, &isolate.issuer, &isolate.cache, NOW_MS + later_ms));
    let admitted = run(futures_util::future::join_all(people));
    assert_eq!(admitted.iter().filter(|admitted| admitted.is_ok()).count(), 60);
    assert_eq!(isolate.fetches(), 1);
}

#[test]
fn fetch_that_never_ends_is_made_again() {
    let (isolate, (one, _)) = (Isolate::default(), keys());
    isolate.issuer.publish(&[&one]);
    isolate.issuer.slowness.set(u32::MAX);
    let token = one.token(&claims(|claims| drop(claims.insert("exp".into(), json!(i64::MAX / 2)))));
    let presented = Credentials { authorization: None, assertion: Some(&token) };
    let rules = rules();
    let mut lost = Box::pin(admit_any(&rules, presented, &isolate.issuer, &isolate.cache, NOW_MS));
    assert!(lost.as_mut().now_or_never().is_none());
    isolate.issuer.slowness.set(0);
    assert_eq!(isolate.ask(&one, 1), Ok(()), "it waits, and then fetches them itself");
    assert_eq!(isolate.ask(&one, 2), Ok(()));
    assert_eq!(isolate.fetches(), 2);
}

#[test]
fn isolate_without_keys_asks_only_a_few_times() {
    let (isolate, (one, _)) = (Isolate::default(), keys());
    for _ in 0..50 {
        assert_eq!(isolate.ask(&one, 0), Err(AuthFailure::NoKeys));
    }
    assert_eq!(i64::from(isolate.fetches()), JWKS_FETCHES);
    isolate.issuer.publish(&[&one]);
    assert_eq!(isolate.ask(&one, JWKS_WINDOW_MS), Ok(()));
}

#[test]
fn a_clock_that_goes_back_asks_again() {
    let (isolate, (one, _)) = (Isolate::default(), keys());
    isolate.issuer.publish(&[&one]);
    assert_eq!(isolate.ask(&one, 100_000), Ok(()));
    assert_eq!(isolate.ask(&one, 99_000), Ok(()));
    assert_eq!(isolate.fetches(), 2);
}

#[test]
fn a_key_that_cannot_be_believed_is_none() {
    let good = Key::new("one", 0).jwk();
    let with = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        key
    };
    let zeros = format!("{}{}", "AAAA".repeat(60), Key::new("weak", 2).jwk()["n"].as_str().unwrap());
    for wrong in [
        Key::new("weak", 2).jwk(),
        with("n", json!(zeros)),
        with("n", json!("")),
        with("n", json!("AQ==")),
        with("n", json!(7)),
        with("e", json!("AQ")),
        with("e", json!("")),
        with("e", json!("Ag")),
        with("kty", json!("EC")),
        with("use", json!("enc")),
        with("alg", json!("RS512")),
        with("kid", json!("")),
        with("kid", Value::Null),
        json!({ "kty": "oct", "k": "AQ" }),
        json!("key"),
    ] {
        let parse = |keys: Value| parse_keys(json!({ "keys": keys }).to_string().as_bytes());
        assert_eq!(parse(json!([wrong])), Err(KeysFault::None), "{wrong}");
        assert_eq!(parse(json!([wrong, good])).unwrap().len(), 1, "the others count all the same");
    }
    let mut bare = good.clone();
    bare.as_object_mut().unwrap().retain(|name, _| !["use", "alg"].contains(&name.as_str()));
    assert!(parse_keys(json!({ "keys": [bare] }).to_string().as_bytes()).is_ok());
}

#[test]
fn a_document_beyond_its_bounds_is_refused() {
    let good = Key::new("one", 0).jwk();
    let many = |count: usize| json!({ "keys": vec![good.clone(); count] }).to_string();
    assert_eq!(parse_keys(many(JWKS_KEYS).as_bytes()).unwrap().len(), JWKS_KEYS);
    assert_eq!(parse_keys(many(JWKS_KEYS + 1).as_bytes()), Err(KeysFault::TooMany));
    let long = format!("{}{}", many(1), " ".repeat(JWKS_MAX));
    assert_eq!(parse_keys(long.as_bytes()), Err(KeysFault::TooLong));
    for text in ["", "[]", "{}", r#"{"keys":{}}"#] {
        assert_eq!(parse_keys(text.as_bytes()), Err(KeysFault::Form), "{text}");
    }
}
