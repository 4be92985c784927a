//! The audit log is searched by actor, resource, address, outcome and time, wherever its entries are.

use raydex::limits::AUDIT_SCAN;
use serde_json::{Value, json};

use super::access::{deployment, rule};
use super::segments::Log;
use super::support::Fakes;
use super::support::records::ray;
use super::{Ask, json as body, problem};

/// A log of 60 lookups by two callers from three addresses, one a second, of which the first 50 are in the bucket.
fn searched() -> Fakes {
    let fakes = Fakes::new();
    fakes.audits.set_bounds(10, u64::MAX);
    let config = Ok(deployment(&[rule("a", &json!({})), rule("b", &json!({}))]));
    for number in 0..60 {
        let token = if number % 4 == 0 { "b" } else { "a" };
        let ask = match number {
            7 => Ask { body: format!(r#"{{"rays":["{}"]}}"#, ray(3)).into(), ..Ask::new("POST", "/v1/rays") },
            11 => {
                let filter = json!({ "where": { "key": "RayID", "operator": "eq", "value": ray(3).to_string() } });
                Ask::get(&format!("/v1/logs?start=0&filter={filter}"))
            }
            _ => Ask::get(&format!("/v1/rays/{}", ray(number % 5))),
        };
        let ask = Ask { authorization: Some(format!("Bearer {token}")), ..ask };
        ask.at_address(&format!("192.0.2.{}", number % 3)).of_deployment(&fakes, &config);
        fakes.clock_ms.set(fakes.clock_ms.get() + 1_000);
    }
    fakes.audits.settle(&fakes.bucket);
    fakes
}

/// The numbers of the entries that a search finds, page by page.
fn found(fakes: &Fakes, query: &str, limit: usize) -> Vec<u64> {
    let (mut numbers, mut after) = (Vec::new(), 0);
    for _ in 0..100 {
        let page = body(&Ask::get(&format!("/v1/audit?{query}&limit={limit}&after={after}")).of(fakes));
        assert_eq!(page["chain_valid"], true, "{query}");
        let entries = page["entries"].as_array().unwrap();
        assert!(entries.len() <= limit);
        numbers.extend(entries.iter().map(|entry| entry["seq"].as_u64().unwrap()));
        match page["after"].as_u64() {
            Some(next) => after = next,
            None => return numbers,
        }
    }
    panic!("{query} has no end");
}

#[test]
fn entries_are_found_by_each_of_their_members() {
    let fakes = searched();
    let lookups = |is: &dyn Fn(u64) -> bool| (0..60).filter(|number| is(*number)).map(|number| number + 1).collect();
    // Rays are asked for in turns; entry 8 has a list of them, and entry 12 a filter.
    let of_ray: Vec<u64> = lookups(&|number| number % 5 == 3 || [7, 11].contains(&number));
    for (query, expected) in [
        ("actor=b".to_owned(), lookups(&|number| number % 4 == 0)),
        ("address=192.0.2.1".to_owned(), lookups(&|number| number % 3 == 1)),
        (format!("resource=CF-RAY:%20{}-SJC", ray(3)), of_ray),
        ("start=2026-03-28T08:42:35Z&end=2026-03-28T08:42:37.5Z".to_owned(), vec![11, 12, 13]),
        ("actor=a&address=192.0.2.0&end=2026-03-28T08:42:30Z".to_owned(), vec![4]),
        ("outcome=denied".to_owned(), vec![]),
        ("actor=nobody&outcome=admitted".to_owned(), vec![]),
    ] {
        for limit in [1, 3, 200] {
            assert_eq!(found(&fakes, &query, limit), expected, "{query} {limit}");
        }
    }
}

#[test]
fn search_by_time_reads_few_segments() {
    let fakes = searched();
    let before = fakes.faults.count(super::support::Kind::Get);
    assert_eq!(found(&fakes, "start=2026-03-28T08:43:00Z&end=2026-03-28T08:43:02Z", 200), [36, 37]);
    assert_eq!(fakes.faults.count(super::support::Kind::Get) - before, 1);
}

#[test]
fn malformed_search_is_refused() {
    let fakes = Fakes::new();
    for (query, code) in [
        ("address=home", "bad_parameter"),
        ("outcome=maybe", "bad_parameter"),
        ("format=csv", "bad_parameter"),
        ("start=soon", "bad_time"),
        ("start=2026-03-28T08:00:00Z&end=2026-03-28T08:00:00Z", "empty_range"),
        ("ray=9e35500000000001", "unknown_parameter"),
        ("actor=a&&address=::1", "empty_parameter"),
    ] {
        assert_eq!(problem(&Ask::get(&format!("/v1/audit?{query}")).of(&fakes)), (400, code.into()), "{query}");
    }
}

#[test]
fn search_sees_entries_that_break_the_chain() {
    let log = Log::with(10, 25);
    let key = log.settle().remove(0).key;
    let stored = log.fakes.bucket.contents().remove(&key).unwrap();
    let forged = super::segments::rewritten(&stored, |kept| kept[4].entry = kept[4].entry.replace("eye", "sly"));
    log.fakes.bucket.store(&key, &forged);
    let page = body(&Ask::get("/v1/audit?actor=none").of(&log.fakes));
    assert_eq!((page["entries"].as_array().unwrap().len(), &page["chain_valid"]), (0, &Value::from(false)));
}

#[test]
fn calls_look_at_a_bounded_number_of_entries() {
    let count = usize::try_from(AUDIT_SCAN).unwrap() + 100;
    let log = Log::with(100_000, count);
    let before = log.fakes.faults.count(super::support::Kind::Audit);
    let page = body(&Ask::get("/v1/audit?actor=none").of(&log.fakes));
    assert_eq!((page["entries"].as_array().unwrap().len(), &page["after"]), (0, &Value::Null));
    assert_eq!(log.fakes.faults.count(super::support::Kind::Audit) - before, 3, "its own entry, and two calls");
}
