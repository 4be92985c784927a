//! Whole batches that come again under another key, in another form, or while the first one is under way.

use std::collections::BTreeMap;

use raydex::limits::{BODIES_KEPT_MS, CLAIMS_KEPT_MS};
use raydex::record::Dataset;
use serde_json::Value;

use super::support::gzip::gzip;
use super::support::records::{http, ndjson, ray};
use super::support::{Consumers, Fault, Kind};
use super::{at_partner, delete, deployment, held, kept, key, put, take, write};

/// An hour after the records of the case.
const CASE_NOW_MS: i64 = 1_795_338_660_000;

fn lines(rays: std::ops::Range<u64>) -> Vec<String> {
    rays.map(|number| http(&ray(number).to_string(), 3)).collect()
}

fn once(rays: std::ops::Range<u64>) -> Vec<(String, usize)> {
    rays.map(|number| (ray(number).to_string(), 1)).collect()
}

#[test]
fn moved_batch_is_delivered_and_shown_once() {
    for deleted_first in [false, true] {
        let consumers = deployment(&[]);
        let (old, new) = (key("a"), key("moved").replace("20260328/", "year=2026/month=03/"));
        let text = ndjson(lines(0..8));
        put(&consumers, &old, &text);
        let (copied, deleted) = (write(&consumers, &new, &text), delete(&consumers, &old));
        let messages = if deleted_first { [deleted, copied] } else { [copied, deleted] };
        for message in &messages {
            take(&consumers, message);
        }
        assert!(at_partner(&consumers).into_iter().eq(once(0..8)));
        assert_eq!(held(&consumers, &new), 8);
        let duplicates = &kept(&consumers, &new).duplicates[0];
        assert_eq!((duplicates.lines, duplicates.of.len(), duplicates.of[0].lines), (8, 1, 8));
        let found = consumers.fakes.find(Dataset::HttpRequests, &ray(3).to_string());
        assert_eq!((found.records.len(), &*found.records[0].object.key, found.records[0].copies.len()), (1, &*new, 0));
    }
}

/// A file of the case: a batch, and the events of its copy under another key and of its end under the first one.
fn case(name: &str) -> Vec<u8> {
    std::fs::read(format!("tests/fixtures/cases/27-moved-and-rewritten-batches/{name}")).unwrap()
}

#[test]
fn moved_case_is_one_record_and_one_line() {
    let stored = case("batch.log.gz");
    let events: Vec<Value> = serde_json::from_slice(&case("move.json")).unwrap();
    let key = |event: &Value| event["object"]["key"].as_str().unwrap().to_owned();
    let (old, new) = (key(&events[0]), key(&events[1]));
    // The old object is there for some time, is gone before the copy is announced, or stays.
    for order in [&[0, 1, 2][..], &[0, 2, 1], &[0, 1], &[1, 0]] {
        let consumers = deployment(&[]);
        consumers.fakes.clock_ms.set(CASE_NOW_MS);
        consumers.fakes.bucket.set_clock(CASE_NOW_MS);
        consumers.fakes.bucket.store(&old, &stored);
        for event in order {
            match event {
                1 => {
                    consumers.fakes.bucket.store(&new, &stored);
                }
                2 => assert!(consumers.fakes.bucket.delete(&old)),
                _ => {}
            }
            take(&consumers, &events[*event].to_string());
        }
        let rays: Vec<String> = String::from_utf8(case("rays.txt")).unwrap().lines().map(str::to_owned).collect();
        let copies = usize::from(!order.contains(&2));
        for ray in &rays {
            let found = consumers.fakes.find(Dataset::HttpRequests, ray).records;
            assert_eq!((found.len(), found[0].copies.len()), (1, copies), "{order:?} {ray}");
        }
        let once: BTreeMap<String, usize> = rays.iter().map(|ray| (ray.clone(), 1)).collect();
        assert_eq!((at_partner(&consumers), rays.len()), (once, 5), "{order:?}");
        let (first, again) = if order[0] == 0 { (&old, &new) } else { (&new, &old) };
        let held = held(&consumers, again);
        assert_eq!(held, 5, "{order:?}: what was not sent again is counted, beside {first}");
    }
}

#[test]
fn copies_are_recognised_however_rays_are_spelled() {
    let id = ray(7).to_string();
    for spelled in
        [format!("{id}-SJC"), format!("{id}-hkg"), format!(" {id} "), id.to_uppercase(), format!("{id}\\u0001")]
    {
        let consumers = deployment(&[]);
        let text = ndjson([http(&spelled, 3), http(&ray(8).to_string(), 3)]);
        put(&consumers, &key("a"), &text);
        put(&consumers, &key("b"), &text);
        assert_eq!(at_partner(&consumers).values().sum::<usize>(), 2, "{spelled}");
        assert_eq!(held(&consumers, &key("b")), 2, "{spelled}");
    }
}

#[test]
fn copy_that_stays_is_shown_with_both_places() {
    let consumers = deployment(&[]);
    let text = ndjson(lines(0..8));
    put(&consumers, &key("a"), &text);
    put(&consumers, &key("b"), &text);
    let found = consumers.fakes.find(Dataset::HttpRequests, &ray(3).to_string());
    let places = found.records.iter().map(|record| (record.object.key.clone(), record.copies[0].object.key.clone()));
    assert_eq!(places.collect::<Vec<_>>(), [(key("a"), key("b"))]);
    assert!(at_partner(&consumers).into_iter().eq(once(0..8)));
}

#[test]
fn rewritten_forms_of_a_batch_are_recognised() {
    let reversed = || lines(0..8).into_iter().rev().collect::<Vec<_>>();
    let spaced = || lines(0..8).into_iter().map(|line| line.replace(',', " , ")).collect::<Vec<_>>();
    let sorted = |line: String| serde_json::from_str::<Value>(&line).unwrap().to_string();
    for text in [
        ndjson(reversed()),
        ndjson(spaced()),
        ndjson(lines(0..8).into_iter().map(sorted)),
        lines(0..8).join("\r\n").into_bytes(),
    ] {
        let consumers = deployment(&[]);
        put(&consumers, &key("a"), &ndjson(lines(0..8)));
        put(&consumers, &key("b"), &text);
        assert!(at_partner(&consumers).into_iter().eq(once(0..8)));
        assert_eq!(held(&consumers, &key("b")), 8);
    }
    // Stored plain, and in several members.
    let consumers = deployment(&[]);
    put(&consumers, &key("a"), &ndjson(lines(0..8)));
    for (name, stored) in
        [("b", ndjson(lines(0..8))), ("c", [gzip(&ndjson(lines(0..3))), gzip(&ndjson(lines(3..8)))].concat())]
    {
        consumers.fakes.bucket.store(&key(name), &stored);
        let event = raydex::r2_event::R2Event::put_object(super::BUCKET_NAME, &key(name), 1, "e", 0);
        take(&consumers, &serde_json::to_string(&event).unwrap());
        assert_eq!(held(&consumers, &key(name)), 8);
    }
    assert!(at_partner(&consumers).into_iter().eq(once(0..8)));
}

/// A batch of two records, one of them without a ray, with these numbers.
fn numbers(status: &str, sent: &str, received: &str) -> Vec<u8> {
    let ray = format!(r#""RayID":"{}","#, ray(7));
    ndjson([&*ray, ""].map(|ray| {
        format!(
            r#"{{{ray}"EdgeStartTimestamp":1774687345000000000,"ClientRequestURI":"/","EdgeResponseStatus":{status},"EdgeResponseBytes":{sent},"ClientRequestBytes":{received}}}"#
        )
    }))
}

#[test]
fn respelled_numbers_are_recognised_and_neighbours_are_not() {
    let consumers = deployment(&[]);
    put(&consumers, &key("a"), &numbers("200", "0", "9007199254740993"));
    for (name, status, sent, received) in [
        ("b", "200.0", "-0", "9007199254740993.0"),
        ("c", "2e2", "0.0", "9.007199254740993e15"),
        ("d", "0.2E+3", "0e9", "9007199254740993000e-3"),
    ] {
        put(&consumers, &key(name), &numbers(status, sent, received));
        assert_eq!(held(&consumers, &key(name)), 2, "{status}");
    }
    let found = consumers.fakes.find(Dataset::HttpRequests, &ray(7).to_string());
    assert_eq!((found.records.len(), found.records[0].copies.len()), (1, 3));
    assert_eq!(at_partner(&consumers).values().sum::<usize>(), 2);
    let cells: Vec<String> = consumers.partner.seen()[0].lines[0].split('\u{1}').map(str::to_owned).collect();
    assert_eq!([&*cells[3], &*cells[21], &*cells[19]], ["200", "0", "9007199254740993"]);
    // A double has one value for both.
    put(&consumers, &key("e"), &numbers("2E2", "0", "9007199254740992"));
    assert_eq!(held(&consumers, &key("e")), 0);
    assert_eq!(consumers.fakes.find(Dataset::HttpRequests, &ray(7).to_string()).records.len(), 2);
    // However numbers are spelled, they reach the partner in one way.
    let consumers = deployment(&[]);
    put(&consumers, &key("a"), &numbers("2e2", "-0.0", "9.007199254740993e15"));
    at_partner(&consumers);
    let cells: Vec<String> = consumers.partner.seen()[0].lines[0].split('\u{1}').map(str::to_owned).collect();
    assert_eq!([&*cells[3], &*cells[21], &*cells[19]], ["200", "0", "9007199254740993"]);
}

#[test]
fn respelled_texts_and_repeated_members_are_recognised() {
    let line = |text: &str, extra: &str| {
        let ray = ray(7);
        format!(r#"{{"RayID":"{ray}",{extra}"EdgeStartTimestamp":1774687345,"ClientRequestURI":"{text}"}}"#)
    };
    let consumers = deployment(&[]);
    put(&consumers, &key("a"), line("/A😀\\n", "").as_bytes());
    for (name, text, extra) in [
        ("b", r"\/\u0041\ud83d\ude00\u000a", ""),
        ("c", r"/A\uD83D\uDE00\u000A", r#""ClientRequestURI":"/other","#),
        ("d", r"/A😀\n", r#""Client\u0052equestURI":7,"#),
    ] {
        put(&consumers, &key(name), line(text, extra).as_bytes());
        assert_eq!(held(&consumers, &key(name)), 1, "{text}");
    }
    let found = consumers.fakes.find(Dataset::HttpRequests, &ray(7).to_string());
    assert_eq!((found.records.len(), found.records[0].copies.len()), (1, 3));
    // The last of several members counts.
    put(&consumers, &key("e"), line("/other", r#""ClientRequestURI":"/A😀\n","#).as_bytes());
    assert_eq!(held(&consumers, &key("e")), 0);
    // A lookup shows halves of different pairs apart; a partner line has the same character for both.
    put(&consumers, &key("f"), line(r"/\ud83d", "").as_bytes());
    put(&consumers, &key("g"), line(r"/\ud83e", "").as_bytes());
    assert_eq!(held(&consumers, &key("g")), 1);
    assert_eq!(consumers.fakes.find(Dataset::HttpRequests, &ray(7).to_string()).records.len(), 4);
    assert_eq!(at_partner(&consumers).values().sum::<usize>(), 3);
}

#[test]
fn setting_sends_duplicates_and_counts_them() {
    let consumers = deployment(&[("PARTNER_DUPLICATES", "send")]);
    for name in ["a", "b"] {
        put(&consumers, &key(name), &ndjson(lines(0..8)));
    }
    assert!(at_partner(&consumers).values().all(|copies| *copies == 2));
    let duplicates = &kept(&consumers, &key("b")).duplicates[0];
    assert_eq!((duplicates.lines, duplicates.sent, held(&consumers, &key("b"))), (8, true, 0));
}

/// A deployment in which the first attempt at a batch failed at its call of a ledger with this number; with the batch's
/// text and message.
fn interrupted(at: usize) -> (Consumers, Vec<u8>, String) {
    let consumers = deployment(&[]);
    let text = ndjson(lines(0..8));
    let first = write(&consumers, &key("a"), &text);
    consumers.fakes.faults.plan(Some(Kind::Ledger), at, Fault::Fails);
    let _verdict = consumers.parse(&first, 1);
    consumers.fakes.faults.clear();
    (consumers, text, first)
}

#[test]
fn batch_waits_for_an_open_one() {
    let mut waits = 0;
    // The ledger's calls of the first batch: its seal is the last of them.
    for at in 0..12 {
        let (consumers, text, first) = interrupted(at);
        let second = write(&consumers, &key("b"), &text);
        let verdict = consumers.parse(&second, 1);
        let is_waiting = verdict.retry_s.is_some();
        waits += u32::from(is_waiting);
        take(&consumers, &first);
        if is_waiting {
            take(&consumers, &second);
        }
        assert!(at_partner(&consumers).into_iter().eq(once(0..8)), "after {at} calls");
    }
    assert_eq!(waits, 1, "between the claim and the seal");
}

#[test]
fn lines_of_an_abandoned_batch_are_delivered() {
    // However far the first attempt came before its object went, the copy delivers what it had not sealed.
    for at in 0..12 {
        let (consumers, text, first) = interrupted(at);
        let deleted = delete(&consumers, &key("a"));
        assert_eq!(put(&consumers, &key("b"), &text), "sealed");
        take(&consumers, &first);
        take(&consumers, &deleted);
        assert!(at_partner(&consumers).into_iter().eq(once(0..8)), "after {at} calls");
    }
}

#[test]
fn moves_are_recognised_when_bodies_are_gone() {
    // The packs are removed after days; the object is read instead, and where it is gone too, equal claims are enough.
    for deleted in [false, true] {
        let consumers = deployment(&[]);
        let text = ndjson(lines(0..8));
        put(&consumers, &key("a"), &text);
        at_partner(&consumers);
        consumers.pass(BODIES_KEPT_MS + 3_600_000);
        let packs: Vec<String> = consumers.fakes.data.contents().into_keys().collect();
        packs.iter().filter(|key| key.starts_with("raydex/payloads/")).for_each(|key| {
            consumers.fakes.data.delete(key);
        });
        if deleted {
            let message = delete(&consumers, &key("a"));
            take(&consumers, &message);
        }
        put(&consumers, &key("b"), &text);
        assert!(at_partner(&consumers).into_iter().eq(once(0..8)), "{deleted}");
        assert_eq!(held(&consumers, &key("b")), 8);
    }
}

#[test]
fn claims_of_an_old_object_go_with_it() {
    let consumers = deployment(&[]);
    put(&consumers, &key("a"), &ndjson(lines(0..8)));
    at_partner(&consumers);
    consumers.pass(CLAIMS_KEPT_MS + 1);
    let message = delete(&consumers, &key("a"));
    take(&consumers, &message);
    assert!(consumers.fakes.shards.rows().values().all(Vec::is_empty), "{:?}", consumers.fakes.shards.rows());
}
