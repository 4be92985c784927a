//! Realistic batches of many spans, asked at random and cut anywhere: the rows of spans that are read hold everything.

use raydex::filter::Filter;
use raydex::query::{QueryEnd, RangeQuery};
use raydex::record::{Dataset, LineScanner};
use raydex::sample::SamplePlan;
use serde_json::Value;

use super::generate::Store;
use super::random::Random;
use super::support::gzip::gunzip;
use super::support::slices::slice_of;
use super::{answer, oracle};

/// Two batches, one of them in two gzip members.
fn store(plan: &SamplePlan) -> (Store, Vec<String>) {
    let mut store = Store::new();
    for batch in 0..2 {
        let mut gzip = Vec::new();
        plan.write_batch(Dataset::HttpRequests, batch, &mut gzip, |_| ()).unwrap();
        let key = plan.key(Dataset::HttpRequests, batch);
        store.fakes.index(&key, Dataset::HttpRequests, &gzip);
        store.batches.push((key, gunzip(&gzip)));
    }
    let lines = store.batches.iter().flat_map(|(_, text)| text.split(|byte| *byte == b'\n'));
    let lines = lines.filter(|line| !line.is_empty()).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect();
    (store, lines)
}

/// A filter for what some record holds.
fn filter_of(random: &mut Random, line: &str) -> Filter {
    let record: Value = serde_json::from_str(line).unwrap();
    let leaf = |field: &str| {
        serde_json::json!({"key": field, "operator": "eq", "value": record.get(field).filter(|value| !value.is_null())?})
            .into()
    };
    let field = *random.of(&["ClientIP", "ClientIP", "ClientRequestHost", "EdgeResponseStatus", "ClientCountry"]);
    let leaves: Option<Vec<Value>> = [field, "ClientRequestMethod"].into_iter().map(leaf).collect();
    let leaves = leaves.unwrap_or_else(|| vec![serde_json::json!({"key": "x", "operator": "!eq", "value": 1})]);
    Filter::parse(&serde_json::json!({"where": {"and": leaves}}).to_string()).unwrap()
}

#[test]
fn realistic_batches_lose_nothing_to_pruning() {
    let plan = SamplePlan { batches: 2, records: 8_000, members: 2, ..SamplePlan::default() };
    let (store, lines) = store(&plan);
    let times: Vec<i64> = {
        let mut scanner = LineScanner::new(Dataset::HttpRequests);
        lines.iter().filter_map(|line| scanner.key(line.as_bytes()).unwrap().unix_ns()).collect()
    };
    let mut random = Random::new(77);
    let (mut returned, mut spans_skipped) = (0, 0);
    for turn in 0..slice_of(35, 3) {
        let filter = random.chance(800).then(|| {
            let line = random.of(&lines).clone();
            filter_of(&mut random, &line)
        });
        let (a, b) = (*random.of(&times), *random.of(&times));
        let (start_ns, end_ns) = if random.chance(500) { (a.min(b), a.max(b) + 1) } else { (0, i64::MAX) };
        let expected = oracle::lines(&store, start_ns, end_ns, filter.as_ref());
        let first = times.iter().min().unwrap() - 1_000_000_000;
        let all = RangeQuery::new(Dataset::HttpRequests, start_ns.max(first), end_ns);
        let ask = filter.into_iter().fold(all, RangeQuery::with_filter);
        let most = 1 + random.below(expected.len() / 3 + 10) as u64;
        let (mut found, mut from) = (Vec::new(), None);
        loop {
            let part = answer(&store.fakes, RangeQuery { cursor: from, limit: Some(most), ..ask.clone() });
            assert_eq!(part.stats.full_scans, 0);
            spans_skipped += part.stats.spans_skipped;
            found.extend(part.texts());
            match part.end {
                QueryEnd::Complete => break,
                ended => from = ended.cursor().copied(),
            }
        }
        assert!(found == expected, "turn {turn}: {} of {}, {:?}", found.len(), expected.len(), ask.predicate);
        returned += found.len();
    }
    assert!(
        returned > slice_of(1_000, 3) && spans_skipped > slice_of(100, 3) as u64,
        "{returned} lines, {spans_skipped} spans passed over"
    );
}
