//! What is not read: batches and spans that hold no record of the answer, and never one that does.

use raydex::bucket_keys::{summaries_key, version_digest};
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::filter::Filter;
use raydex::query::{PruningFilter, RangeQuery};
use raydex::record::Dataset;

use super::generate::{Store, ray, record, start_ms};
use super::random::Random;
use super::support::Kind;
use super::support::records::ndjson;
use super::{answer, oracle};

fn host_is(host: &str) -> Filter {
    let text = format!(r#"{{"where":{{"key":"ClientRequestHost","operator":"eq","value":"{host}"}}}}"#);
    Filter::parse(&text).unwrap()
}

fn line(number: u32, host: &str, filler: &str) -> String {
    let id = format!("\"{}\"", ray(start_ms() + i64::from(number) * 10, number));
    let host = format!("\"{host}\"");
    let ip = format!("\"2001:db8::{number:x}\"");
    record(
        &id,
        None,
        &[("ClientRequestHost", &host), ("ClientIP", &ip), ("ClientRequestURI", &format!("\"{filler}\""))],
    )
}

fn ask(filter: Filter) -> RangeQuery {
    let start_ns = start_ms() * 1_000_000;
    RangeQuery::new(Dataset::HttpRequests, start_ns, start_ns + 600_000_000_000).with_filter(filter)
}

#[test]
fn a_host_in_three_batches_costs_three_reads() {
    let mut store = Store::new();
    for batch in 0..200_u32 {
        let host = |number: u32| if batch % 70 == 7 && number == 3 { "rare.example.com" } else { "www.example.com" };
        let lines: Vec<String> = (0..5).map(|number| line(batch * 10 + number, host(number), "")).collect();
        store.put(&format!("logs/{batch}.log.gz"), &ndjson(&lines), true);
    }
    let reads = store.fakes.faults.count(Kind::Get);
    let found = answer(&store.fakes, ask(host_is("rare.example.com")));
    assert_eq!(found.lines.len(), 3);
    let stats = found.stats;
    assert_eq!((stats.batches_considered, stats.batches_skipped, stats.batches_read), (200, 197, 3));
    assert_eq!((stats.objects_read, store.fakes.faults.count(Kind::Get) - reads), (3, 3));
    assert_eq!((stats.shards_asked, stats.records_scanned), (1, 15));
    // A host that no batch has costs one call.
    let nobody = answer(&store.fakes, ask(host_is("nobody.example.com"))).stats;
    assert_eq!((nobody.objects_read, nobody.batches_skipped), (0, 200));
}

#[test]
fn only_fields_that_may_decide_rule_batches_out() {
    let mut store = Store::new();
    for batch in 0..4_u32 {
        let host = format!("h{batch}.example.com");
        store.put(&format!("logs/{batch}.log.gz"), &ndjson([line(batch, &host, "")]), true);
    }
    let asked = ask(host_is("h2.example.com"));
    let by = |field: Option<&str>| {
        let fields = field.into_iter().map(str::to_owned).collect();
        Some(PruningFilter::with_fields(host_is("h2.example.com"), fields))
    };
    let found = answer(&store.fakes, RangeQuery { pruning: by(Some("ClientIP")), ..asked.clone() });
    assert_eq!((found.lines.len(), found.stats.batches_read), (1, 4));
    let pruning = by(Some("ClientRequestHost"));
    let found = answer(&store.fakes, RangeQuery { pruning, predicate: None, ..asked.clone() });
    assert_eq!((found.lines.len(), found.stats.batches_read), (1, 1));
    let found = answer(&store.fakes, RangeQuery { pruning: by(None), predicate: None, ..asked.clone() });
    assert_eq!(found.lines.len(), 4);
    let found = answer(&store.fakes, RangeQuery { pruning: None, ..asked });
    assert_eq!((found.lines.len(), found.stats.batches_read), (1, 4));
}

/// A batch of many spans, in which one line in the middle and one at the end are of a host of their own.
fn large(is_gzip: bool) -> (Store, Vec<String>) {
    let mut random = Random::new(5);
    let mut noise = || hex::encode((0..80).flat_map(|_| random.next().to_le_bytes()).collect::<Vec<u8>>());
    let host = |number: u32| match number {
        4_000 | 7_999 => "rare.example.com",
        _ => ["a.example.com", "b.example.com"][number as usize % 2],
    };
    let lines: Vec<String> = (0..8_000).map(|number| line(number, host(number), &noise())).collect();
    let mut store = Store::new();
    store.put("logs/large.log.gz", &ndjson(&lines), is_gzip);
    (store, lines)
}

#[test]
fn spans_of_a_large_batch_are_ruled_out() {
    for is_gzip in [true, false] {
        let (store, lines) = large(is_gzip);
        let size = store.fakes.bucket.object("logs/large.log.gz").unwrap().head.size;
        let found = answer(&store.fakes, ask(host_is("rare.example.com")));
        assert_eq!(found.texts(), [lines[4_000].clone(), lines[7_999].clone()]);
        let stats = found.stats;
        assert!(stats.spans_skipped >= 7 && stats.bytes_read < size / 2, "{stats:?} of {size}");
        assert!(stats.objects_read <= 5, "{stats:?}");
        // By an address, which no set holds.
        let filter = r#"{"where":{"key":"ClientIP","operator":"in","value":"2001:db8::3e8,2001:db8::ffff"}}"#;
        let by_ip = answer(&store.fakes, ask(Filter::parse(filter).unwrap()));
        assert_eq!(by_ip.texts(), [lines[1_000].clone()]);
        assert!(by_ip.stats.bytes_read < size / 2 && by_ip.stats.full_scans == 0, "{:?} of {size}", by_ip.stats);
        // By the time alone.
        let start_ns = (start_ms() + 60_000) * 1_000_000;
        let by_time = answer(&store.fakes, RangeQuery::new(Dataset::HttpRequests, start_ns, start_ns + 10_000_000));
        assert_eq!(by_time.texts(), [lines[6_000].clone()]);
        assert!(by_time.stats.bytes_read < size / 2, "{:?} of {size}", by_time.stats);
        // A cursor goes on where it stands, and not at the beginning.
        let whole = RangeQuery::new(Dataset::HttpRequests, start_ms() * 1_000_000, (start_ms() + 90_000) * 1_000_000);
        let first = answer(&store.fakes, RangeQuery { limit: Some(7_000), ..whole.clone() });
        let rest = answer(&store.fakes, RangeQuery { cursor: first.end.cursor().copied(), ..whole });
        assert_eq!([first.texts(), rest.texts()].concat(), lines);
        assert!(rest.stats.bytes_read < size / 2, "{:?} of {size}", rest.stats);
    }
}

#[test]
fn summaries_are_a_small_part_of_their_batch() {
    let (store, _) = large(true);
    let head = store.fakes.bucket.object("logs/large.log.gz").unwrap().head;
    let key = summaries_key(&version_digest(BUCKET_NAME, "logs/large.log.gz", &head.etag));
    let summaries = store.fakes.bucket.object(&key).unwrap().head.size;
    // An address of its own for every record is the worst case, at ten bits each.
    assert!(summaries * 1000 < head.size * 15, "{summaries} of {}", head.size);
}

#[test]
fn entries_without_a_summary_are_read() {
    let mut random = Random::new(21);
    let store = Store::random(&mut random, 6, 30);
    let filter = host_is("h1.example.com");
    let range = (0, i64::MAX);
    let expected = oracle::lines(&store, range.0, range.1, Some(&filter));
    store.fakes.shards.run_in_all("UPDATE entry_v1 SET summary = x''");
    let start_ns = (start_ms() - 2 * super::generate::PREFIX_MS) * 1_000_000;
    let found =
        answer(&store.fakes, RangeQuery::new(Dataset::HttpRequests, start_ns, i64::MAX).with_filter(filter.clone()));
    assert_eq!(found.texts(), expected);
    assert_eq!((found.stats.batches_skipped, found.stats.spans_skipped), (0, 0));
    // A form that is not known yet says nothing either.
    store.fakes.shards.run_in_all("UPDATE entry_v1 SET summary = x'ff00'");
    let found = answer(&store.fakes, RangeQuery::new(Dataset::HttpRequests, start_ns, i64::MAX).with_filter(filter));
    assert_eq!((found.texts(), found.stats.batches_skipped), (expected, 0));
}

#[test]
fn sidecar_objects_go_with_their_batch() {
    let (mut store, _) = large(true);
    let beside = |store: &Store| {
        let keys: Vec<String> = store.fakes.bucket.contents().into_keys().collect();
        keys.into_iter().filter(|key| key.starts_with("raydex/summaries/v1/")).count()
    };
    assert_eq!(beside(&store), 1);
    store.put("logs/large.log.gz", &ndjson([line(1, "x", "")]), true);
    assert_eq!(beside(&store), 0);
}
