//! Lists that are longer than a page: each element once, in the order of the list.

use std::collections::BTreeSet;

use raydex::ledger::ids::REGISTRY;
use raydex::ledger::registry::DeadLetter;
use raydex::limits::{BATCHES_PAGE, DEAD_LETTERS_PAGE, PAYLOADS_PAGE};
use serde_json::Value;

use super::every_route::RANGE;
use super::story::{KEYS, batch, batch_of, records, wish};
use super::support::{Fakes, NOW_MS};
use super::{Ask, json as body};

/// More batches than two pages, all of one hour.
const BATCHES: u64 = 2 * BATCHES_PAGE + 5;

fn get(fakes: &Fakes, path: &str) -> Value {
    let reply = Ask::get(path).of(fakes);
    assert_eq!(reply.status, 200, "{path}: {}", String::from_utf8_lossy(&reply.body));
    body(&reply)
}

fn texts<'a>(list: &'a Value, name: &str, of_each: &str) -> Vec<&'a str> {
    list[name].as_array().unwrap().iter().map(|one| one.pointer(of_each).unwrap().as_str().unwrap()).collect()
}

/// Batches of one hour, three of which were first seen at each instant.
fn hour() -> Fakes {
    let fakes = Fakes::new();
    for number in 0..BATCHES {
        fakes.clock_ms.set(NOW_MS + i64::try_from(number / 3).unwrap());
        let minute = number % 40;
        let key = format!(
            "logs/http_requests/20260328/20260328T08{minute:02}00Z_20260328T08{minute:02}30Z_{number:03}.log.gz"
        );
        batch(&fakes, &key, &records(number..number + 1), None);
    }
    fakes
}

#[test]
fn long_lists_of_batches_are_whole() {
    let fakes = hour();
    let all = get(&fakes, "/v1/batches?limit=1000");
    let keys = texts(&all, "batches", "/object/key");
    assert_eq!((keys.len() as u64, &all["truncated"]), (BATCHES, &false.into()));
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len() as u64, BATCHES);
    let seen = texts(&all, "batches", "/first_seen_at");
    assert!(seen.is_sorted_by(|one, next| one >= next), "newest first");
    let limit = BATCHES_PAGE + 1;
    let some = get(&fakes, &format!("/v1/batches?limit={limit}"));
    assert_eq!(texts(&some, "batches", "/object/key"), keys[..usize::try_from(limit).unwrap()]);
    assert_eq!(some["truncated"], true);
    let coverage = get(&fakes, &format!("/v1/coverage?{RANGE}"));
    assert_eq!((&coverage["batches"], &coverage["truncated"]), (&BATCHES.into(), &false.into()));
    assert_eq!(coverage["complete"].as_array().unwrap().len(), 40, "half of each of forty minutes");
}

#[test]
fn long_lists_of_dead_letters_are_whole() {
    let fakes = Fakes::new();
    let count = i64::try_from(3 * DEAD_LETTERS_PAGE).unwrap();
    for number in 0..count {
        let (queue, message, code) = ("parse-queue".into(), number.to_string(), "gave_up".into());
        fakes.ledgers.ask(REGISTRY, &DeadLetter { queue, message, body: "{}".into(), attempts: 1, code });
    }
    let ids = |list: &Value| -> Vec<i64> {
        list["dead_letters"].as_array().unwrap().iter().map(|letter| letter["id"].as_i64().unwrap()).collect()
    };
    let all = get(&fakes, "/v1/dead-letters");
    assert_eq!((ids(&all), &all["truncated"]), ((1..=count).rev().collect(), &false.into()));
    for limit in [1, DEAD_LETTERS_PAGE - 1, DEAD_LETTERS_PAGE, DEAD_LETTERS_PAGE + 1, 2 * DEAD_LETTERS_PAGE] {
        let some = get(&fakes, &format!("/v1/dead-letters?limit={limit}"));
        assert_eq!(
            (ids(&some), &some["truncated"]),
            (ids(&all)[..usize::try_from(limit).unwrap()].to_vec(), &true.into())
        );
    }
}

#[test]
fn long_lists_of_payloads_are_whole() {
    let fakes = Fakes::new();
    let made = batch(&fakes, KEYS[0], &records(0..2 * PAYLOADS_PAGE + 3), Some(wish()));
    let shown = get(&fakes, &format!("/v1/batches/{}", batch_of(&made[0])));
    let handles = texts(&shown, "payloads", "/id");
    assert_eq!(handles.len() as u64, PAYLOADS_PAGE + 2);
    let made: BTreeSet<String> = made.iter().map(raydex::ledger::DeliveryId::handle).collect();
    assert_eq!(handles.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), made);
    let deliveries = get(&fakes, &format!("/v1/rays/{}/deliveries", super::support::records::ray(2 * PAYLOADS_PAGE)));
    assert_eq!(deliveries["records"][0]["delivery_status"], "assigned");
    assert_eq!(deliveries["records"][0]["payloads"].as_array().unwrap().len(), 1);
}
