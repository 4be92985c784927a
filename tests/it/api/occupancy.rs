//! Logs of a time range: what the occupancy map saves, and what a registry that does not answer comes to.

use raydex::ledger::occupancy::mark_occupied;
use raydex::limits::{CONCURRENT_CALLS, MAX_SHARDS, OCCUPANCY_MARGIN, OCCUPANCY_ROW, OCCUPANCY_ROWS};
use raydex::record::{Dataset, RayId};
use serde_json::Value;

use super::story::{KEYS, batch};
use super::support::records::{PREFIX, http, ndjson};
use super::support::{Fakes, Fault, Kind, NOW_MS, run};
use super::{Ask, Reply};

/// The year 2000 is before the first ray that there can be.
const FROM_2000: &str = "/v1/logs?start=2000-01-01T00:00:00Z&end=2026-03-28T09:00:00Z";
/// Calls to the shards of the present: those that are asked whatever the occupancy map says, up to the one ahead of the clock.
const PRESENT: u64 = OCCUPANCY_MARGIN as u64 + 2;

/// Calls to the registry that ask which ledgers know of missing records, before these are asked.
const KNOWN: usize = 1;

/// A world with a record in each of these prefixes, counted back from the clock's; their lines.
fn world<const N: usize>(back: [u32; N]) -> (Fakes, Vec<String>) {
    let fakes = Fakes::new();
    let lines = back.map(|back| http(&RayId::from_parts(PREFIX - back, 7).to_string(), 9)).to_vec();
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

/// Calls to the registry and to shards that a request makes, and its answer.
fn counted(fakes: &Fakes, path: &str) -> ([usize; 2], Vec<String>, Value) {
    let counts = || [fakes.faults.count(Kind::Ledger), fakes.faults.count(Kind::Shard)];
    let before = counts();
    let (lines, summary) = read(&Ask::get(path).of(fakes));
    let [ledger, shard] = counts();
    assert_eq!(summary["stats"]["shards_asked"], shard - before[1]);
    ([ledger - before[0], shard - before[1]], lines, summary)
}

#[test]
fn long_range_asks_occupied_and_present_shards_only() {
    let (fakes, lines) = world([12_000, 0]);
    let ([ledger, shard], told, summary) = counted(&fakes, FROM_2000);
    assert_eq!((told, is_complete_up_to_now(&summary), &summary["cursor"]), (lines, true, &Value::Null));
    // Three months lie between the two records.
    assert_eq!((ledger, shard as u64), (1 + KNOWN + 1, 1 + PRESENT));
}

#[test]
fn record_of_1970_does_not_move_every_search() {
    let (fakes, lines) = world([3, 0]);
    let old = r#"{"RayID":"made-up","EdgeStartTimestamp":"1970-01-01T00:00:05Z"}"#;
    batch(&fakes, "logs/old.log.gz", &ndjson([old]), None);
    let path = FROM_2000.replace("2000-01-01T00:00:00Z", "1970-01-01T00:00:01Z");
    let (calls, told, summary) = counted(&fakes, &path);
    assert_eq!((told.len(), &told[1..], is_complete_up_to_now(&summary)), (3, &lines[..], true));
    assert_eq!(calls, [1 + KNOWN + 2, 2 + usize::try_from(PRESENT).unwrap()]);
}

#[test]
fn empty_index_is_answered_by_present_shards() {
    let fakes = Fakes::new();
    let (calls, told, summary) = counted(&fakes, FROM_2000);
    assert_eq!((told.len(), is_complete_up_to_now(&summary)), (0, true));
    assert_eq!(calls, [1 + KNOWN, usize::try_from(PRESENT).unwrap()]);
    let (calls, _, summary) = counted(&fakes, &FROM_2000.replace("end=2026-03-28T09", "end=2026-03-28T08"));
    assert_eq!((calls, &summary["complete"]), ([1 + KNOWN, 0], &true.into()), "a range that ends before the present");
}

#[test]
fn fullest_index_is_searched_in_three_requests() {
    let fakes = Fakes::new();
    let most = u32::try_from(MAX_SHARDS).unwrap();
    let prefixes: Vec<u32> = (0..most).map(|number| number * ((PREFIX - 10) / most)).collect();
    run(mark_occupied(&fakes.ledgers, Dataset::HttpRequests, &prefixes)).unwrap();
    let (mut cursor, mut asked, mut calls, mut requests) = (String::new(), 0, 0, 0);
    loop {
        let ([ledger, shard], _, summary) = counted(&fakes, &format!("{FROM_2000}{cursor}"));
        (asked, calls, requests) = (asked + shard, calls + ledger, requests + 1);
        let Some(next) = summary["cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    // Each is asked; those that were asked ahead when a request ended, twice.
    let least = usize::try_from(u64::from(most) + PRESENT).unwrap();
    assert!((least..least + requests * CONCURRENT_CALLS).contains(&asked), "{asked}");
    assert_eq!(requests, 3);
    // One for each request, and one more for each year of 158 rows.
    assert!(calls <= requests + 158 / OCCUPANCY_ROWS + 1, "{calls}");
}

#[test]
fn unreachable_registry_is_reported_and_next_answer_complete() {
    let (fakes, lines) = world([3, 0]);
    for fault in Fault::BOTH {
        fakes.faults.plan(Some(Kind::Ledger), 0, fault);
        let ([_, shard], told, summary) = counted(&fakes, FROM_2000);
        assert!(fakes.faults.clear());
        assert_eq!((told.len(), shard), (0, 0));
        is_whole_from_its_cursor(&fakes, &summary, &lines);
    }
}

#[test]
fn registry_failing_mid_range_is_reported_and_recovers() {
    let rows = u32::try_from(OCCUPANCY_ROWS).unwrap();
    let (fakes, lines) = world([3, 0]);
    // More years than one answer of the registry has; nothing is in the shards.
    let prefixes: Vec<u32> = (0..rows + 3).map(|number| number * OCCUPANCY_ROW).collect();
    run(mark_occupied(&fakes.ledgers, Dataset::HttpRequests, &prefixes)).unwrap();
    // The key of cursors is asked for once.
    assert_eq!(Ask::get(&format!("{FROM_2000}&limit=1")).of(&fakes).status, 200);
    for fault in Fault::BOTH {
        fakes.faults.plan(Some(Kind::Ledger), 1, fault);
        let (calls, told, summary) = counted(&fakes, FROM_2000);
        assert!(fakes.faults.clear());
        assert_eq!((told.len(), calls), (0, [2, OCCUPANCY_ROWS]));
        is_whole_from_its_cursor(&fakes, &summary, &lines);
    }
    let ([ledger, _], told, _) = counted(&fakes, FROM_2000);
    assert_eq!((ledger, told), (2 + KNOWN + 1, lines));
}

/// Whether nothing speaks against an answer but that its range ends after now.
fn is_complete_up_to_now(summary: &Value) -> bool {
    summary["complete"] == false && summary["missing"] == serde_json::json!([{"code": "ends_after_now"}])
}

/// The answer broke off, and goes on where it says.
fn is_whole_from_its_cursor(fakes: &Fakes, summary: &Value, lines: &[String]) {
    assert_eq!((&summary["complete"], &summary["truncated"]), (&false.into(), &true.into()));
    assert_eq!(summary["error"]["code"], "unavailable");
    let cursor = summary["cursor"].as_str().unwrap();
    let (told, summary) = read(&Ask::get(&format!("{FROM_2000}&cursor={cursor}")).of(fakes));
    assert_eq!((&told[..], is_complete_up_to_now(&summary)), (lines, true));
}
