//! Logs of a time range: where the index begins, and what a registry that does not answer comes to.

use raydex::record::RayId;
use serde_json::Value;

use super::story::{KEYS, batch};
use super::support::records::{PREFIX, http, ndjson};
use super::support::{Fakes, Fault, Kind, NOW_MS};
use super::{Ask, Reply};

/// The year 2000 is before the first ray that there can be.
const FROM_2000: &str = "/v1/logs?start=2000-01-01T00:00:00Z&end=2026-03-28T09:00:00Z&summary=true";

/// A world with records in two prefixes, and their lines.
fn world() -> (Fakes, Vec<String>) {
    let fakes = Fakes::new();
    let lines: Vec<String> =
        [3, 0].map(|back| http(&RayId::from_parts(PREFIX - back, 7).to_string(), 9)).into_iter().collect();
    for (key, line) in KEYS.iter().zip(&lines) {
        batch(&fakes, key, &ndjson([line]), None);
    }
    // The clock stands in the prefix of the last one.
    assert_eq!(RayId::prefix_at(NOW_MS * 1_000_000), PREFIX);
    (fakes, lines)
}

/// The lines, and what stands behind them.
fn read(reply: &Reply) -> (Vec<String>, Value) {
    let text = String::from_utf8(reply.body.clone()).unwrap();
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    let last: Value = serde_json::from_str(&lines.pop().unwrap()).unwrap();
    (lines, last["raydex"].clone())
}

#[test]
fn a_range_from_the_year_2000_on_is_told_in_full_by_one_answer() {
    let (fakes, lines) = world();
    let (told, summary) = read(&Ask::get(FROM_2000).of(&fakes));
    assert_eq!(told, lines);
    assert_eq!((&summary["complete"], &summary["cursor"]), (&true.into(), &Value::Null));
    // Those of the two records and between them, and the one ahead of the clock.
    assert_eq!(summary["told"]["shards_asked"], 5);
}

#[test]
fn an_index_without_anything_is_told_in_full_without_a_shard() {
    let fakes = Fakes::new();
    let (told, summary) = read(&Ask::get(FROM_2000).of(&fakes));
    assert!(told.is_empty());
    assert_eq!((&summary["complete"], &summary["told"]["shards_asked"]), (&true.into(), &0.into()));
    assert_eq!((fakes.faults.count(Kind::Ledger), fakes.faults.count(Kind::Shard)), (1, 0));
}

#[test]
fn a_registry_that_does_not_answer_is_said_and_the_next_answer_is_whole() {
    let (fakes, lines) = world();
    for fault in Fault::BOTH {
        fakes.faults.plan(Some(Kind::Ledger), 0, fault);
        let asked = fakes.faults.count(Kind::Shard);
        let (told, summary) = read(&Ask::get(FROM_2000).of(&fakes));
        assert!(fakes.faults.clear());
        assert_eq!((told.len(), fakes.faults.count(Kind::Shard) - asked), (0, 0));
        assert_eq!((&summary["complete"], &summary["truncated"]), (&false.into(), &true.into()));
        assert_eq!(summary["error"]["code"], "unavailable");
        let cursor = summary["cursor"].as_str().unwrap();
        let (told, summary) = read(&Ask::get(&format!("{FROM_2000}&cursor={cursor}")).of(&fakes));
        assert_eq!((told, &summary["complete"]), (lines.clone(), &true.into()));
    }
}
