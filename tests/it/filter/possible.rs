//! What is ruled out for many records passes none of them.

use std::collections::BTreeSet;

use raydex::filter::{Filter, PossibleValues};
use raydex::record::FieldValue;
use serde_json::Map;

use super::generate::{NAMES, Random};

/// What is known of a field: all of its values, or all of its texts where it has nothing else.
enum Known {
    Nothing,
    Values(BTreeSet<String>),
    Texts(BTreeSet<String>),
}

/// The JSON text of a field in a record, by whole reading: the numbers here are spelled the way it spells them.
fn token(record: &str, name: &str) -> Option<String> {
    let record: Map<String, serde_json::Value> = serde_json::from_str(record).unwrap();
    record.get(name).map(ToString::to_string)
}

fn known(random: &mut Random, records: &[String], name: &str) -> Known {
    let values: BTreeSet<String> =
        records.iter().map(|record| token(record, name).unwrap_or_else(|| "null".to_owned())).collect();
    let texts: Option<BTreeSet<String>> = values
        .iter()
        .filter(|value| *value != "null")
        .map(|value| serde_json::from_str::<String>(value).ok())
        .collect();
    match (random.below(4), texts) {
        (0, _) => Known::Nothing,
        (1 | 2, Some(texts)) => Known::Texts(texts),
        _ => Known::Values(values),
    }
}

fn possible(known: &Known) -> PossibleValues<'_> {
    match known {
        Known::Nothing => PossibleValues::Any,
        Known::Values(values) => {
            PossibleValues::OneOf(values.iter().map(|value| FieldValue::from_json(value)).collect())
        }
        Known::Texts(texts) => PossibleValues::Texts(Box::new(|text| texts.contains(text))),
    }
}

#[test]
fn records_ruled_out_together_fail_one_by_one() {
    let mut random = Random::new(20_261_122);
    let (mut passing, mut ruled_out) = (0, 0);
    for _ in 0..30_000 {
        let filter = random.filter();
        let records: Vec<String> = (0..=random.below(4)).map(|_| random.record()).collect();
        let all: Vec<Known> = NAMES.iter().map(|name| known(&mut random, &records, name)).collect();
        let parsed = Filter::parse(&filter).unwrap();
        let may = parsed.may_match(|name| {
            NAMES.iter().position(|known| *known == name).map_or(PossibleValues::Any, |at| possible(&all[at]))
        });
        let passes = records.iter().any(|record| parsed.accepts(record.as_bytes()).unwrap());
        assert!(may || !passes, "{filter}\n{records:#?}");
        passing += u32::from(passes);
        ruled_out += u32::from(!may);
    }
    assert!(passing > 3_000 && ruled_out > 3_000, "{passing} pass, {ruled_out} are ruled out: that shows little");
}
