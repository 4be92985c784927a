//! A shard against a plain map, through any sequence of calls.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::{Strategy, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::select;
use raydex::index::calls::{PutAnswer, PutOutcome};
use raydex::record::RayId;

use super::{Shard, entry, id, version};

/// Suffixes that collide: neighbours, borders of time slots, both ends.
const SUFFIXES: [u64; 8] = [
    0,
    1,
    (1 << 36) - 1,
    1 << 36,
    (1 << 36) + 1,
    200 << 36,
    (1 << RayId::SUFFIX_BITS) - 2,
    (1 << RayId::SUFFIX_BITS) - 1,
];
const KEYS: [&str; 3] = ["a", "b", "logs/é"];

#[derive(Debug, Clone)]
enum Step {
    PutEntry { key: &'static str, etag: u8, at: i64, places: Vec<(u64, u32)> },
    ForgetEntry { key: &'static str, before: i64 },
    FindRay { suffix: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let places = || vec((select(&SUFFIXES[..]), 0_u32..4), 1..6);
    prop_oneof![
        4 => (select(&KEYS[..]), 0_u8..4, 0_i64..6, places())
            .prop_map(|(key, etag, at, places)| Step::PutEntry { key, etag, at, places }),
        1 => (select(&KEYS[..]), 0_i64..8).prop_map(|(key, before)| Step::ForgetEntry { key, before }),
        3 => select(&SUFFIXES[..]).prop_map(|suffix| Step::FindRay { suffix }),
    ]
}

/// What a shard is: for each key the version kept, and its places.
type Model = BTreeMap<&'static str, (u8, i64, Vec<(u64, u32)>)>;

fn model_put(model: &mut Model, key: &'static str, etag: u8, at: i64, places: &[(u64, u32)]) -> PutOutcome {
    match model.get(key) {
        Some((there, written, _)) if *there == etag && *written >= at => PutOutcome::Unchanged,
        Some((_, written, _)) if *written > at => PutOutcome::Superseded,
        _ => {
            model.insert(key, (etag, at, places.to_vec()));
            PutOutcome::Stored
        }
    }
}

fn model_find(model: &Model, suffix: u64) -> BTreeMap<String, Vec<u32>> {
    let spans = |places: &[(u64, u32)]| {
        let mut spans: Vec<u32> = places.iter().filter(|place| place.0 == suffix).map(|place| place.1).collect();
        spans.sort_unstable();
        spans
    };
    let found = model.iter().map(|(key, (_, _, places))| ((*key).to_owned(), spans(places)));
    found.filter(|(_, spans)| !spans.is_empty()).collect()
}

proptest! {
    #[test]
    fn shard_is_a_map_of_newest_versions(steps in vec(step(), 1..40)) {
        let (shard, mut model) = (Shard::new(), Model::new());
        for step in steps {
            match step {
                Step::PutEntry { key, etag, at, places } => {
                    let put = entry(version(key, &etag.to_string(), at), &places);
                    let expected = model_put(&mut model, key, etag, at, &places);
                    let PutAnswer { outcome, rows_written } = shard.put(&put);
                    prop_assert_eq!(outcome, expected);
                    prop_assert_eq!(rows_written > 0, expected == PutOutcome::Stored);
                }
                Step::ForgetEntry { key, before } => {
                    let due = model.get(key).is_some_and(|(_, at, _)| *at < before);
                    prop_assert_eq!(shard.forget(key, before), u64::from(due));
                    if due {
                        model.remove(key);
                    }
                }
                Step::FindRay { suffix } => {
                    let found: BTreeMap<_, _> = shard.find(&id(suffix)).into_iter().collect();
                    prop_assert_eq!(found, model_find(&model, suffix));
                }
            }
            prop_assert_eq!(shard.sql.rows().len(), 2 * model.len());
        }
        for suffix in SUFFIXES {
            let found: BTreeMap<_, _> = shard.find(&id(suffix)).into_iter().collect();
            prop_assert_eq!(found, model_find(&model, suffix));
        }
    }
}
