//! Lines of a batch that are in others in part, in any order of arrival.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{Strategy, any, prop, prop_assert_eq, proptest};
use raydex::record::Dataset;

use super::support::records::{http, ndjson, ray};
use super::{at_partner, delete, deployment, held, kept, key, put, take, write};

/// The records of the tests: some have one ray with others, some have none, or one that is no ray.
fn record(number: u64) -> String {
    match number % 8 {
        5 => format!(r#"{{"ClientRequestURI":"/{number}","EdgeStartTimestamp":"2026-03-28T08:42:0{}Z"}}"#, number % 10),
        6 => http(&format!("test-ray-{}", number / 16), usize::try_from(number).unwrap()),
        7 => http(&ray(number & !15).to_string(), usize::try_from(number).unwrap()),
        _ => http(&ray(number).to_string(), usize::try_from(number).unwrap()),
    }
}

fn text(records: &[u64]) -> Vec<u8> {
    ndjson(records.iter().map(|number| record(*number)))
}

/// The partner's lines, counted.
fn copies(consumers: &super::Consumers) -> BTreeMap<String, usize> {
    at_partner(consumers);
    let mut copies = BTreeMap::new();
    for line in consumers.partner.seen().into_iter().flat_map(|seen| seen.lines) {
        *copies.entry(line).or_default() += 1;
    }
    copies
}

#[test]
fn overlap_is_held_line_by_line() {
    let consumers = deployment(&[]);
    put(&consumers, &key("a"), &text(&[0, 1, 2, 3]));
    put(&consumers, &key("b"), &text(&[2, 3, 4, 8]));
    assert_eq!((copies(&consumers).len(), held(&consumers, &key("b"))), (6, 2));
    let details = kept(&consumers, &key("b"));
    let listed: Vec<u64> = details.duplicates[0].listed.iter().map(|line| line.offset).collect();
    assert_eq!(listed, [0, record(2).len() as u64 + 1]);
    assert!(details.duplicates[0].listed.iter().all(|line| line.of == details.duplicates[0].of[0].batch));
    let packs = consumers.fakes.data.contents().into_keys().filter(|key| key.starts_with("raydex/payloads/"));
    assert_eq!(packs.count(), 2, "what the first scan packed is removed");
}

#[test]
fn equal_ray_alone_holds_nothing() {
    let consumers = deployment(&[]);
    let of_one_ray = [http(&ray(1).to_string(), 1), http(&ray(1).to_string(), 2)];
    put(&consumers, &key("a"), &ndjson(&of_one_ray[..1]));
    put(&consumers, &key("b"), &ndjson(&of_one_ray));
    assert_eq!((copies(&consumers).len(), held(&consumers, &key("b"))), (2, 1));
    assert_eq!(consumers.fakes.lines(&ray(1).to_string()), of_one_ray);
}

#[test]
fn equal_lines_within_a_batch_go_once() {
    let consumers = deployment(&[]);
    put(&consumers, &key("a"), &text(&[0, 5, 6, 0, 5, 6, 6, 1]));
    assert!(copies(&consumers).values().all(|copies| *copies == 1));
    assert_eq!(held(&consumers, &key("a")), 4);
    assert_eq!(consumers.fakes.lines(&ray(0).to_string()).len(), 1);
}

#[test]
fn longer_version_delivers_what_is_new() {
    let consumers = deployment(&[]);
    put(&consumers, &key("a"), &text(&[0, 1, 5]));
    put(&consumers, &key("a"), &text(&[0, 1, 5, 2, 3]));
    assert_eq!(copies(&consumers).len(), 5);
    assert!(copies(&consumers).values().all(|copies| *copies == 1));
    assert_eq!(held(&consumers, &key("a")), 3);
}

/// What happens to the objects of a bucket.
#[derive(Debug, Clone)]
enum Change {
    /// An object with these records is written under one of a few keys, over what is there.
    Write { name: u8, records: Vec<u64> },
    /// The object is copied to another key.
    Copy { from: u8, to: u8 },
    /// The object is deleted.
    Delete(u8),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let name = || 0_u8..5;
    let write = (name(), prop::collection::vec(0_u64..24, 1..9)).prop_map(|(name, mut records)| {
        // A batch needs a ray.
        if records.iter().all(|number| number % 8 == 5) {
            records.push(8);
        }
        Change::Write { name, records }
    });
    let change = prop::strategy::Union::new_weighted(vec![
        (4, write.boxed()),
        (3, (name(), name()).prop_map(|(from, to)| Change::Copy { from, to }).boxed()),
        (2, name().prop_map(Change::Delete).boxed()),
    ]);
    prop::collection::vec(change, 1..9)
}

proptest! {
    #[test]
    fn records_reach_the_partner_and_lookups_once(
        changes in changes(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 30),
    ) {
        let consumers = deployment(&[]);
        let mut order = order.into_iter();
        // The objects as they are, the messages under way, and what some message was handled for.
        let mut objects: BTreeMap<u8, Vec<u64>> = BTreeMap::new();
        let mut messages: Vec<String> = Vec::new();
        for change in changes {
            let name = |name: u8| key(&format!("{name}"));
            match change {
                Change::Write { name: to, records } => {
                    messages.push(write(&consumers, &name(to), &text(&records)));
                    objects.insert(to, records);
                }
                Change::Copy { from, to } => {
                    let Some(records) = objects.get(&from).cloned() else { continue };
                    messages.push(write(&consumers, &name(to), &text(&records)));
                    objects.insert(to, records);
                }
                Change::Delete(from) => {
                    objects.remove(&from);
                    messages.push(delete(&consumers, &name(from)));
                }
            }
            consumers.pass(1000);
            // Some message is handled now, or none.
            if let Some(index) = order.next().filter(|index| index.index(3) > 0) {
                let message = messages.remove(index.index(messages.len()));
                take(&consumers, &message);
            }
        }
        while let Some(index) = order.next().filter(|_| !messages.is_empty()) {
            let message = messages.remove(index.index(messages.len()));
            take(&consumers, &message);
        }
        for message in &messages {
 take(&consumers, message);
 }
        let copies = copies(&consumers);
        prop_assert_eq!(copies.iter().find(|(_, copies)| **copies > 1), None, "no line twice");
        let rendered = |record: &str| {
            let mut line = Vec::new();
            raydex::render::write_partner_line(&mut line, record.as_bytes(), &raydex::render::PartnerOptions::default())
                .unwrap();
            String::from_utf8(line).unwrap().trim_end_matches('\n').to_owned()
        };
        let stored: BTreeSet<u64> = objects.values().flatten().copied().collect();
        for number in stored {
            prop_assert_eq!(copies.get(&rendered(&record(number))), Some(&1), "record {} is not lost", number);
            if let Some(ray) = serde_json::from_str::<serde_json::Value>(&record(number)).unwrap()["RayID"].as_str() {
                let found = consumers.fakes.find(Dataset::HttpRequests, ray).records;
                let same = found.iter().filter(|found| found.line == record(number).as_bytes());
                prop_assert_eq!(same.count(), 1, "record {} is found once", number);
            }
        }
    }
}
