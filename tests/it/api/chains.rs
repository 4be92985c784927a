//! An audit log of several chains: read as one, each of them by itself valid, whatever their number is or was.

use proptest::collection::vec;
use proptest::prelude::*;
use raydex::access::ChainNumber;
use raydex::audit::calls::{AppendEvent, RaiseChains};
use raydex::audit::chains::chain_object;
use raydex::audit::{AUDIT, before_all};
use raydex::backend::SqlDatabase;
use raydex::config::Config;
use raydex::limits::AUDIT_CHAINS_MAX;
use raydex::rpc;
use serde_json::{Value, json};

use super::access::rule;
use super::segments::{ANY, Log};
use super::support::records::ray;
use super::support::world::config_with;
use super::support::{Fakes, Fault, Kind, run};
use super::{Ask, json as body, problem, without_trailer};

/// Callers whose tokens are their names, of which each of 4 chains has some.
pub(super) const DESKS: [&str; 12] =
    ["d-0", "d-1", "d-2", "d-3", "d-4", "d-5", "d-6", "d-7", "d-8", "d-9", "d-10", "d-11"];

pub(super) fn chain(number: u64) -> ChainNumber {
    ChainNumber::new(number).unwrap()
}

/// A deployment with a number of chains, and these settings.
pub(super) fn deployment(chains: u8, more: &[(&str, &str)]) -> Config {
    let rules: Vec<Value> = DESKS.iter().map(|desk| rule(desk, &json!({}))).collect();
    let (rules, chains) = (Value::from(rules).to_string(), chains.to_string());
    config_with(&[&[("API_TOKENS", rules.as_str()), ("AUDIT_CHAINS", &chains)], more].concat())
}

/// An entry as it is read: its chain, its number, its hash, its text.
type ReadEntry = (u64, u64, String, String);

/// The text with its members in order, as one that was parsed has them; its hash says that it is the same.
fn sorted(text: &str) -> String {
    serde_json::from_str::<Value>(text).unwrap().to_string()
}

fn read_entry(entry: &Value, text: &str) -> ReadEntry {
    let number = |name: &str| entry[name].as_u64();
    (number("chain").unwrap_or(0), number("seq").unwrap(), entry["hash"].as_str().unwrap().to_owned(), sorted(text))
}

/// All that a query returns, page by page of so many, and the numbers of entries of the pages.
fn pages(fakes: &Fakes, query: &str, limit: usize) -> (Vec<ReadEntry>, Vec<usize>) {
    let (mut found, mut sizes, mut after) = (Vec::new(), Vec::new(), Value::from(0));
    while !after.is_null() {
        let from = after.as_str().map_or_else(|| after.to_string(), ToOwned::to_owned);
        let page = body(&Ask::get(&format!("/v1/audit?limit={limit}&after={from}{query}")).of(fakes));
        assert_eq!(page["chain_valid"], true, "{page}");
        let entries = page["entries"].as_array().unwrap();
        assert!(entries.len() <= limit);
        found.extend(entries.iter().map(|entry| read_entry(entry, &entry["entry"].to_string())));
        sizes.push(entries.len());
        assert_ne!(page["after"], after, "a page without progress");
        after = page["after"].clone();
    }
    (found, sizes)
}

/// All entries of the log.
pub(super) fn all_entries(fakes: &Fakes) -> Vec<Value> {
    let found = pages(fakes, "", 200).0;
    found
        .iter()
        .map(|(chain, seq, _, text)| {
            let entry: Value = serde_json::from_str(text).unwrap();
            assert_eq!(entry["seq"], *seq);
            json!({ "chain": chain, "entry": entry })
        })
        .collect()
}

/// An append to a chain: who, after how many milliseconds, how far the clock of the chain's object is off.
#[derive(Debug, Clone)]
struct Append {
    chain: u64,
    actor: usize,
    after_ms: i64,
    off_ms: i64,
    size: usize,
}

fn append() -> impl Strategy<Value = Append> {
    let off_ms = prop_oneof![3 => Just(0), 1 => -50..50_i64];
    (0..4_u64, 0..3_usize, prop_oneof![Just(0), Just(1), 0..40_i64], off_ms, 1..400_usize)
        .prop_map(|(chain, actor, after_ms, off_ms, size)| Append { chain, actor, after_ms, off_ms, size })
}

/// The address of entries that are asked for, so that those of the reading are not among them.
const ADDRESS: &str = "192.0.2.9";

fn event(number: usize, append: &Append) -> AppendEvent {
    let mut event = Log::deed(number, append.size);
    event.actor = format!("eye-{}", append.actor);
    event.event.address = ADDRESS.into();
    event
}

/// A world in which these were appended, and some of which moved to the bucket; what must be read, sorted by the simplest means.
fn written(appends: &[Append], entries: u64, settles: usize) -> (Fakes, Vec<(String, ReadEntry)>) {
    let fakes = Fakes::new();
    fakes.audits.set_bounds(entries, ANY);
    run(rpc::call(&fakes.audits, AUDIT, &RaiseChains { chains: 4 })).unwrap();
    for (number, append) in appends.iter().enumerate() {
        fakes.clock_ms.set(fakes.clock_ms.get() + append.after_ms);
        let now_ms = fakes.clock_ms.get();
        fakes.clock_ms.set(now_ms + append.off_ms);
        run(rpc::call(&fakes.audits, &chain_object(chain(append.chain)), &event(number, append))).unwrap();
        fakes.clock_ms.set(now_ms);
        if number == settles {
            fakes.audits.objects().iter().for_each(|object| drop(object.settle(&fakes.bucket)));
        }
    }
    let mut whole = Vec::new();
    for number in 0..4 {
        let object = fakes.audits.chain(chain(number));
        let mut kept = Vec::new();
        for (key, bytes) in fakes.bucket.contents() {
            if raydex::bucket_keys::SegmentName::parse(&key).is_some_and(|name| u64::from(name.chain) == number) {
                let text = super::support::gzip::gunzip(&bytes);
                let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                kept.extend(
                    lines.map(|line| serde_json::from_slice::<raydex::audit::calls::ChainEntry>(line).unwrap()),
                );
            }
        }
        // The object has the others.
        let mut after = kept.len() as u64;
        while after < object.count() {
            let more = object.entries_after(after);
            after += more.len() as u64;
            kept.extend(more);
        }
        assert!(raydex::audit::chain::is_chain_valid(&before_all(chain(number)), &kept));
        for kept in kept {
            let time = serde_json::from_str::<Value>(&kept.entry).unwrap()["time"].as_str().unwrap().to_owned();
            whole.push((time, (number, kept.seq, kept.hash, sorted(&kept.entry))));
        }
    }
    whole.sort();
    (fakes, whole)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn pages_of_chains_are_the_sorted_whole(
        appends in vec(append(), 0..70), entries in 1..20_u64, settles in 0..90_usize, actor in 0..3_usize,
    ) {
        let (fakes, whole) = written(&appends, entries, settles);
        prop_assert_eq!(whole.len(), appends.len());
        let of = |actor: Option<usize>| -> Vec<ReadEntry> {
            let is = |text: &str| actor.is_none_or(|actor| text.contains(&format!(r#""actor":"eye-{actor}""#)));
            whole.iter().map(|(_, entry)| entry.clone()).filter(|(.., text)| is(text)).collect()
        };
        for limit in (1..12).chain([50, 70, 200]) {
            let (found, sizes) = pages(&fakes, &format!("&address={ADDRESS}"), limit);
            prop_assert_eq!(&found, &of(None), "{} to a page", limit);
            // Nothing holds a page back here: each but the last is full.
            let full = sizes.iter().take_while(|size| **size == limit).count();
            prop_assert!(full + 1 >= sizes.len() || found.is_empty(), "{:?} of {}", sizes, limit);
        }
        for limit in [1, 3, 200] {
            let query = format!("&address={ADDRESS}&actor=eye-{actor}");
            prop_assert_eq!(pages(&fakes, &query, limit).0, of(Some(actor)), "{} to a page", limit);
        }
        let reply = Ask::get(&format!("/v1/audit?format=ndjson&address={ADDRESS}")).of(&fakes);
        let lines = without_trailer(&reply.body);
        let lines = std::str::from_utf8(&lines).unwrap().lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let found: Vec<_> = lines.map(|line| read_entry(&line, line["entry"].as_str().unwrap())).collect();
        prop_assert_eq!(found, of(None), "an export");
    }
}

#[test]
fn first_chain_alone_reads_as_before() {
    let fakes = Fakes::new();
    for number in 0..3 {
        Ask::get(&format!("/v1/rays/{}", ray(number))).of_deployment(&fakes, &Ok(deployment(1, &[])));
    }
    let page = body(&Ask::get("/v1/audit?limit=2").of(&fakes));
    assert_eq!((&page["after"], page.get("chains"), page["entries"][0].get("chain")), (&json!(2), None, None));
    let others = fakes.audits.objects().len();
    assert_eq!(others, 1, "no object but the first was asked");
    let facts = "SELECT name FROM sqlite_master WHERE name = 'audit_fact_v1'";
    assert!(fakes.audits.sql.run(facts, &[]).unwrap().rows.is_empty(), "nothing else is stored");
}

#[test]
fn callers_have_one_chain_each() {
    let fakes = Fakes::new();
    for round in 0..3 {
        for desk in DESKS {
            let ask = Ask::get(&format!("/v1/rays/{}", ray(round))).by(desk);
            assert_eq!(ask.of_deployment(&fakes, &Ok(deployment(4, &[]))).status, 404);
        }
    }
    let entries = all_entries(&fakes);
    for desk in DESKS {
        let of: Vec<&Value> = entries.iter().filter(|found| found["entry"]["actor"] == desk).collect();
        let expected = ChainNumber::of_caller(desk, 4).number();
        assert!(of.len() == 3 && of.iter().all(|found| found["chain"] == expected), "{desk}: {of:?}");
    }
    let used = (0..4).filter(|number| fakes.audits.chain(chain(*number)).count() > 0).count();
    assert_eq!(used, 4, "choose other names");
}

#[test]
fn number_of_chains_never_falls() {
    let fakes = Fakes::new();
    let look_up = |chains| {
        for desk in DESKS {
            let reply = Ask::get(&format!("/v1/rays/{}", ray(1))).by(desk);
            let isolate = Fakes { isolate: raydex::services::IsolateMemory::default(), ..fakes.clone() };
            assert_eq!(reply.of_deployment(&isolate, &Ok(deployment(chains, &[]))).status, 404);
        }
    };
    let chains = || body(&Ask::get("/v1/audit").of(&fakes))["chains"].as_array().map_or(1, Vec::len);
    let mut found = Vec::new();
    for count in [1, 3, 2, 1, 5, 1] {
        look_up(count);
        found.push(chains());
    }
    assert_eq!(found, [1, 3, 3, 3, 5, 5]);
    let desks = all_entries(&fakes).iter().filter(|found| found["entry"]["actor"] != "main").count();
    assert_eq!(desks, 6 * DESKS.len());
    for too_many in [AUDIT_CHAINS_MAX + 1, u8::MAX] {
        let answer = run(rpc::call(&fakes.audits, AUDIT, &RaiseChains { chains: too_many })).unwrap();
        assert_eq!(answer.chains, AUDIT_CHAINS_MAX);
    }
}

#[test]
fn nothing_is_appended_to_an_unknown_chain() {
    let desk = DESKS.iter().find(|desk| ChainNumber::of_caller(desk, 4) == chain(2)).unwrap();
    for fault in Fault::BOTH {
        let fakes = Fakes::new();
        let ask = || Ask::get(&format!("/v1/rays/{}", ray(1))).by(desk);
        fakes.faults.plan(Some(Kind::Audit), 0, fault);
        assert_eq!(problem(&ask().of_deployment(&fakes, &Ok(deployment(4, &[])))), (503, "not_audited".into()));
        assert!(fakes.faults.clear());
        assert_eq!(fakes.audits.chain(chain(2)).count(), 0, "the first object was to know of it");
        let calls = fakes.faults.count(Kind::Audit);
        assert_eq!(ask().of_deployment(&fakes, &Ok(deployment(4, &[]))).status, 404);
        assert_eq!(fakes.faults.count(Kind::Audit) - calls, 2);
        assert_eq!(ask().of_deployment(&fakes, &Ok(deployment(4, &[]))).status, 404);
        assert_eq!(fakes.faults.count(Kind::Audit) - calls, 3, "an isolate says its number once");
    }
}

#[test]
fn object_of_a_chain_keeps_its_number() {
    let fakes = Fakes::new();
    fakes.audits.set_bounds(5, ANY);
    run(rpc::call(&fakes.audits, AUDIT, &RaiseChains { chains: 4 })).unwrap();
    let third = fakes.audits.chain(chain(3));
    for number in 0..12 {
        run(rpc::call(&fakes.audits, "audit-3", &Log::deed(number, 1))).unwrap();
    }
    third.restart();
    let keys: Vec<String> = third.settle(&fakes.bucket).into_iter().map(|segment| segment.key).collect();
    assert!(keys.len() == 2 && keys.iter().all(|key| key.starts_with("raydex/audit/v1/chain-03-000")), "{keys:?}");
    let page = body(&Ask::get("/v1/audit").of(&fakes));
    assert_eq!((&page["chain_valid"], &page["chains"][3]["before"]), (&true.into(), &before_all(chain(3)).into()));
    // The same database under the name of another chain.
    third.sql.run("UPDATE audit_fact_v1 SET value = 2 WHERE name = 'chain'", &[]).unwrap();
    assert!(run(rpc::call(&fakes.audits, "audit-3", &Log::deed(12, 1))).is_err());
}

#[test]
fn chain_that_was_changed_is_named() {
    let fakes = Fakes::new();
    for desk in DESKS {
        Ask::get(&format!("/v1/rays/{}", ray(1))).by(desk).of_deployment(&fakes, &Ok(deployment(4, &[])));
    }
    let object = fakes.audits.chain(chain(2));
    object.sql.run("UPDATE audit_frame_v1_1 SET lines = replace(lines, 'forensics', 'support')", &[]).unwrap();
    let page = body(&Ask::get("/v1/audit").of(&fakes));
    let valid: Vec<&Value> = page["chains"].as_array().unwrap().iter().map(|chain| &chain["chain_valid"]).collect();
    assert_eq!(
        (&page["chain_valid"], valid),
        (&json!(false), vec![&json!(true), &json!(true), &json!(false), &json!(true)])
    );
    let reply = Ask::get("/v1/audit?format=ndjson").of(&fakes);
    let trailer: Value =
        serde_json::from_slice(reply.body.trim_ascii().rsplit(|byte| *byte == b'\n').next().unwrap()).unwrap();
    assert_eq!(
        (&trailer["raydex"]["chain_valid"], &trailer["raydex"]["chains"][2]["chain_valid"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(trailer["raydex"]["chains"][1]["chain_valid"], true);
}

#[test]
fn number_alone_is_of_the_first_chain() {
    let appends: Vec<Append> =
        (0..20).map(|number| Append { chain: number % 4, actor: 0, after_ms: 1, off_ms: 0, size: 1 }).collect();
    let (fakes, whole) = written(&appends, 100, 100);
    let after = |after: &str| -> Vec<(u64, u64)> {
        let page = body(&Ask::get(&format!("/v1/audit?limit=200&after={after}&address={ADDRESS}")).of(&fakes));
        let entries = page["entries"].as_array().unwrap().iter();
        entries.map(|entry| (entry["chain"].as_u64().unwrap(), entry["seq"].as_u64().unwrap())).collect()
    };
    let expected = |positions: [u64; 4]| -> Vec<(u64, u64)> {
        let places = whole.iter().map(|(_, (chain, seq, ..))| (*chain, *seq));
        places.filter(|(chain, seq)| *seq > positions[usize::try_from(*chain).unwrap()]).collect()
    };
    assert_eq!(after("3"), expected([3, 0, 0, 0]));
    assert_eq!(after("c1.3.0.5.1"), expected([3, 0, 5, 1]));
    assert_eq!(after("c1.3.1"), expected([3, 1, 0, 0]), "made while there were two");
    assert_eq!(after("c1.0.0.0.0.7.7"), expected([0; 4]), "chains that there are not");
    for wrong in ["c1", "c1.", "c2.1", "c1.x", "1.2"] {
        let reply = Ask::get(&format!("/v1/audit?after={wrong}")).of(&fakes);
        assert_eq!(problem(&reply), (400, "bad_parameter".into()), "{wrong}");
    }
}

#[test]
fn missing_segment_of_a_chain_is_passed_over() {
    let appends: Vec<Append> =
        (0..60).map(|number| Append { chain: number % 3, actor: 0, after_ms: 1, off_ms: 0, size: 1 }).collect();
    let (fakes, whole) = written(&appends, 5, 59);
    let key = fakes.bucket.contents().into_keys().find(|key| key.contains("chain-02-00000000000000000006")).unwrap();
    assert!(fakes.bucket.delete(&key));
    let (mut found, mut after) = (Vec::new(), "0".to_owned());
    let mut gone = 0;
    for _ in 0..200 {
        let reply = Ask::get(&format!("/v1/audit?limit=4&address={ADDRESS}&after={after}")).of(&fakes);
        let page = body(&reply);
        if reply.status == 404 {
            assert_eq!(problem(&reply).1, "audit_gone");
            let hint = page["hint"].as_str().unwrap().strip_prefix("Continue with after=").unwrap().to_owned();
            after = hint.split(',').next().unwrap().to_owned();
            gone += 1;
            continue;
        }
        let entries = page["entries"].as_array().unwrap();
        found.extend(entries.iter().map(|entry| (entry["chain"].as_u64().unwrap(), entry["seq"].as_u64().unwrap())));
        let Some(next) = page["after"].as_str() else { break };
        after = next.to_owned();
    }
    let places = whole.iter().map(|(_, (chain, seq, ..))| (*chain, *seq));
    let expected: Vec<_> = places.filter(|(chain, seq)| *chain != 2 || !(6..=10).contains(seq)).collect();
    found.sort_unstable();
    let mut sorted = expected;
    sorted.sort_unstable();
    assert_eq!((found, gone), (sorted, 1));
}

#[test]
fn metrics_sum_the_chains() {
    let fakes = Fakes::new();
    fakes.audits.set_bounds(2, ANY);
    for _ in 0..3 {
        for desk in DESKS {
            Ask::get(&format!("/v1/rays/{}", ray(1))).by(desk).of_deployment(&fakes, &Ok(deployment(4, &[])));
        }
    }
    let moved: usize = fakes.audits.objects().iter().map(|object| object.settle(&fakes.bucket).len()).sum();
    let text = String::from_utf8(Ask::get("/metrics").of(&fakes).body).unwrap();
    let figure = |name: &str| -> usize {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("{name}: {text}")).parse().unwrap()
    };
    let entries = 3 * DESKS.len();
    assert_eq!(figure("raydex_audit_entries{place=\"bucket\"}"), 2 * moved);
    assert_eq!(figure("raydex_audit_entries{place=\"object\"}"), entries - 2 * moved);
    assert_eq!(figure("raydex_audit_written{kind=\"entries\"}"), entries);
    let calls: usize = (0..4).map(|chain| figure(&format!("raydex_audit_chain_calls{{chain=\"{chain}\"}}"))).sum();
    // Figures are counted, too, and leave no entry.
    assert_eq!((calls, figure("raydex_audit_written{kind=\"calls\"}")), (entries + 1, entries + 1));
}

#[test]
fn caller_has_the_rate_of_its_chain() {
    let fakes = Fakes::new();
    let desk = DESKS.iter().find(|desk| ChainNumber::of_caller(desk, 4) != chain(0)).unwrap();
    let isolate = Fakes { isolate: raydex::services::IsolateMemory::default(), ..fakes.clone() };
    let admitted = |fakes: &Fakes, chains| {
        let config = Ok(deployment(chains, &[("API_RATE_PER_MINUTE", "3")]));
        (0..9).filter(|_| Ask::get("/v1/stats").by(desk).of_deployment(fakes, &config).status == 200).count()
    };
    assert_eq!((admitted(&fakes, 1), admitted(&fakes, 1)), (3, 0));
    assert_eq!((admitted(&isolate, 4), admitted(&isolate, 4)), (3, 0), "during the change it has both rates");
}
