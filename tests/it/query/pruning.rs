//! What is not read: batches and spans that hold nothing for the question, and never one that does.

use raydex::bucket_keys::{summaries_key, version_digest};
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::filter::Filter;
use raydex::query::{Ask, Prunable};
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

fn ask(filter: Filter) -> Ask {
    let start_ns = start_ms() * 1_000_000;
    let all = Ask::all(Dataset::HttpRequests, start_ns, start_ns + 600_000_000_000);
    Ask { filter: Some(filter), ..all }
}

#[test]
fn rare_host_costs_three_reads_of_two_hundred() {
    let mut store = Store::new();
    for batch in 0..200_u32 {
        let host = |number: u32| if batch % 70 == 7 && number == 3 { "rare.example.com" } else { "www.example.com" };
        let lines: Vec<String> = (0..5).map(|number| line(batch * 10 + number, host(number), "")).collect();
        store.put(&format!("logs/{batch}.log.gz"), &ndjson(&lines), true);
    }
    let reads = store.fakes.faults.count(Kind::Get);
    let found = answer(&store.fakes, ask(host_is("rare.example.com")));
    assert_eq!(found.lines.len(), 3);
    let told = found.told;
    assert_eq!((told.batches_considered, told.batches_skipped, told.batches_read), (200, 197, 3));
    assert_eq!((told.objects_read, store.fakes.faults.count(Kind::Get) - reads), (3, 3));
    assert_eq!((told.shards_asked, told.records_scanned), (1, 15));
    // A host of nobody costs one question.
    let nobody = answer(&store.fakes, ask(host_is("nobody.example.com"))).told;
    assert_eq!((nobody.objects_read, nobody.batches_skipped), (0, 200));
}

#[test]
fn unprunable_batches_are_read_without_the_callers_filter() {
    let mut store = Store::new();
    for batch in 0..4_u32 {
        let host = format!("h{batch}.example.com");
        store.put(&format!("logs/{batch}.log.gz"), &ndjson([line(batch, &host, "")]), true);
    }
    let asked = ask(host_is("h2.example.com"));
    let other = Prunable::Only(["ClientIP".to_owned()].into());
    let found = answer(&store.fakes, Ask { prunable: other, ..asked.clone() });
    assert_eq!((found.lines.len(), found.told.batches_read), (1, 4));
    let same = Prunable::Only(["ClientRequestHost".to_owned()].into());
    let found = answer(&store.fakes, Ask { prunable: same, filters: false, ..asked.clone() });
    assert_eq!((found.lines.len(), found.told.batches_read), (1, 1));
    let found = answer(&store.fakes, Ask { prunable: Prunable::Only([].into()), filters: false, ..asked });
    assert_eq!(found.lines.len(), 4);
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
fn only_possible_spans_of_large_batches_are_read() {
    for is_gzip in [true, false] {
        let (store, lines) = large(is_gzip);
        let size = store.fakes.bucket.object("logs/large.log.gz").unwrap().head.size;
        let found = answer(&store.fakes, ask(host_is("rare.example.com")));
        assert_eq!(found.texts(), [lines[4_000].clone(), lines[7_999].clone()]);
        let told = found.told;
        assert!(told.spans_skipped >= 7 && told.bytes_read < size / 2, "{told:?} of {size}");
        assert!(told.objects_read <= 5, "{told:?}");
        // By an address, which no set holds.
        let filter = r#"{"where":{"key":"ClientIP","operator":"in","value":"2001:db8::3e8,2001:db8::ffff"}}"#;
        let by_ip = answer(&store.fakes, ask(Filter::parse(filter).unwrap()));
        assert_eq!(by_ip.texts(), [lines[1_000].clone()]);
        assert!(by_ip.told.bytes_read < size / 2 && by_ip.told.full_scans == 0, "{:?} of {size}", by_ip.told);
        // By the time alone.
        let start_ns = (start_ms() + 60_000) * 1_000_000;
        let by_time = answer(&store.fakes, Ask::all(Dataset::HttpRequests, start_ns, start_ns + 10_000_000));
        assert_eq!(by_time.texts(), [lines[6_000].clone()]);
        assert!(by_time.told.bytes_read < size / 2, "{:?} of {size}", by_time.told);
        // A cursor goes on where it stands, and not at the beginning.
        let whole = Ask::all(Dataset::HttpRequests, start_ms() * 1_000_000, (start_ms() + 90_000) * 1_000_000);
        let first = answer(&store.fakes, Ask { limit: Some(7_000), ..whole.clone() });
        let rest = answer(&store.fakes, Ask { from: first.ended.cursor().copied(), ..whole });
        assert_eq!([first.texts(), rest.texts()].concat(), lines);
        assert!(rest.told.bytes_read < size / 2, "{:?} of {size}", rest.told);
    }
}

#[test]
fn summaries_are_a_small_part_of_large_batches() {
    let (store, _) = large(true);
    let head = store.fakes.bucket.object("logs/large.log.gz").unwrap().head;
    let key = summaries_key(&version_digest(BUCKET_NAME, "logs/large.log.gz", &head.etag));
    let summaries = store.fakes.bucket.object(&key).unwrap().head.size;
    // An address of its own for every record is the worst case, at ten bits each.
    assert!(summaries * 1000 < head.size * 15, "{summaries} of {}", head.size);
}

#[test]
fn entries_without_a_summary_return_the_same() {
    let mut random = Random::new(21);
    let store = Store::random(&mut random, 6, 30);
    let filter = host_is("h1.example.com");
    let range = (0, i64::MAX);
    let expected = oracle::lines(&store, range.0, range.1, Some(&filter));
    store.fakes.shards.run_in_all("UPDATE entry_v1 SET summary = NULL");
    let start_ns = (start_ms() - 2 * super::generate::PREFIX_MS) * 1_000_000;
    let found = answer(
        &store.fakes,
        Ask { filter: Some(filter.clone()), ..Ask::all(Dataset::HttpRequests, start_ns, i64::MAX) },
    );
    assert_eq!(found.texts(), expected);
    assert_eq!((found.told.batches_skipped, found.told.spans_skipped), (0, 0));
    // A form that is not known yet says nothing either.
    store.fakes.shards.run_in_all("UPDATE entry_v1 SET summary = x'ff00'");
    let found =
        answer(&store.fakes, Ask { filter: Some(filter), ..Ask::all(Dataset::HttpRequests, start_ns, i64::MAX) });
    assert_eq!((found.texts(), found.told.batches_skipped), (expected, 0));
}

#[test]
fn objects_beside_a_batch_go_with_it() {
    let (mut store, _) = large(true);
    let beside = |store: &Store| {
        let keys: Vec<String> = store.fakes.bucket.contents().into_keys().collect();
        keys.into_iter().filter(|key| key.starts_with("raydex/summaries/v1/")).count()
    };
    assert_eq!(beside(&store), 1);
    store.put("logs/large.log.gz", &ndjson([line(1, "x", "")]), true);
    assert_eq!(beside(&store), 0);
}
