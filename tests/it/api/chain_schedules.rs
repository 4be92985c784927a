//! The number of chains is raised and lowered while requests are under way, and tokens are revoked meanwhile.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use futures_util::FutureExt;
use proptest::collection::vec;
use proptest::prelude::*;
use raydex::access::ChainNumber;
use raydex::config::Config;
use raydex::router::answer_request;
use raydex::services::IsolateMemory;
use serde_json::{Value, json};

use super::chains::{DESKS, all_entries, chain, deployment};
use super::group_commit::Tasks;
use super::support::random::Random;
use super::support::records::ray;
use super::support::{Fakes, Fault, Kind};
use super::{Ask, json as body};

/// An isolate of a version of the deployment: what it remembers is its own.
#[derive(Clone)]
struct Isolate {
    fakes: Rc<Fakes>,
    config: Config,
}

impl Isolate {
    fn new(fakes: &Fakes, chains: u8) -> Self {
        let isolate = IsolateMemory::default();
        isolate.first_start_ms.set(Some(0));
        Self { fakes: Rc::new(Fakes { isolate, ..fakes.clone() }), config: deployment(chains, &[]) }
    }

    fn answer(&self, ask: Ask) -> super::Reply {
        ask.of_deployment(&self.fakes, &Ok(self.config.clone()))
    }
}

/// A look-up: by which caller, in which of the isolates that run, after so many steps of others; whether the object of a chain is
/// started anew before it.
#[derive(Debug, Clone)]
struct Lookup {
    desk: usize,
    isolate: usize,
    after: u32,
    restarts: Option<u64>,
    hangs_up: Option<u32>,
}

fn lookup() -> impl Strategy<Value = Lookup> {
    let restarts = prop_oneof![9 => Just(None), 1 => (0..4_u64).prop_map(Some)];
    let hangs_up = prop_oneof![7 => Just(None), 1 => (0..6_u32).prop_map(Some)];
    (0..DESKS.len(), 0..4_usize, 0..6_u32, restarts, hangs_up)
        .prop_map(|(desk, isolate, after, restarts, hangs_up)| Lookup { desk, isolate, after, restarts, hangs_up })
}

type Answers = Rc<RefCell<BTreeMap<u64, u16>>>;

/// Has the isolates of one version after the other answer look-ups. Those of the version before go on for a while.
fn play(fakes: &Fakes, versions: &[(u8, Vec<Lookup>)], random: &mut Random) -> Answers {
    let (tasks, answers) = (Tasks::default(), Answers::default());
    let (mut number, mut former) = (0, Vec::new());
    for (chains, lookups) in versions {
        let current = vec![Isolate::new(fakes, *chains), Isolate::new(fakes, *chains)];
        let running = [former, current.clone()].concat();
        for lookup in lookups {
            for _ in 0..lookup.after {
                tasks.step(random);
            }
            if let Some(restarted) = lookup.restarts {
                fakes.audits.chain(chain(restarted)).restart();
            }
            let (isolate, answers) = (running[lookup.isolate % running.len()].clone(), answers.clone());
            let ask = Ask::get(&format!("/v1/rays/{}", ray(number))).by(DESKS[lookup.desk]);
            let work = async move {
                let request = ask.into_request(&isolate.fakes);
                let reply = answer_request(&Ok(isolate.config), &isolate.fakes, request).await;
                answers.borrow_mut().insert(number, reply.status);
            };
            tasks.spawn(work.boxed_local(), lookup.hangs_up);
            number += 1;
        }
        former = current;
    }
    tasks.finish(random);
    answers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn answered_lookup_has_one_entry_in_one_chain(
        versions in vec((1..5_u8, vec(lookup(), 1..25)), 1..5), bounds in 1..9_u64, waits in (0..4_u32, 0..4_u32),
        faults in vec((proptest::sample::select(vec![Kind::Audit, Kind::Sql]), 0..60_usize,
            proptest::sample::select(Fault::BOTH.to_vec())), 0..2),
        seed in any::<u64>(),
    ) {
        let fakes = Fakes::new();
        fakes.audits.set_bounds(bounds, u64::MAX);
        fakes.audits.waits.set(waits.0);
        fakes.audits.sql.flush_waits.set(waits.1);
        for (kind, passing, fault) in faults {
            let faults = if kind == Kind::Sql { &fakes.audits.sql_faults } else { &fakes.faults };
            faults.plan(Some(kind), passing, fault);
        }
        let answers = play(&fakes, &versions, &mut Random::new(seed));
        fakes.faults.clear();
        fakes.audits.sql_faults.clear();
        fakes.audits.waits.set(0);
        fakes.audits.sql.flush_waits.set(0);
        fakes.audits.objects().iter().for_each(|object| drop(object.settle(&fakes.bucket)));
        // The pages say that each chain holds.
        let entries = all_entries(&fakes);
        let mut found: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
        for entry in &entries {
            found.entry(entry["entry"]["resource"].as_str().unwrap().to_owned()).or_default().push(entry);
        }
        let lookups = versions.iter().flat_map(|(_, lookups)| lookups);
        for (number, lookup) in (0_u64..).zip(lookups) {
            let of = found.get(&ray(number).to_string()).map_or(&[][..], Vec::as_slice);
            prop_assert!(of.len() <= 1, "{} twice: {:?}", number, of);
            match answers.borrow().get(&number) {
                Some(404) => prop_assert_eq!(of.len(), 1, "{} was answered", number),
                Some(503) | None => {}
                other => prop_assert!(false, "{}: {:?}", number, other),
            }
            let is_own = |entry: &&Value| {
                let chain = entry["chain"].as_u64().unwrap();
                let of_version = |chains| u64::from(ChainNumber::of_caller(DESKS[lookup.desk], chains).number()) == chain;
                entry["entry"]["actor"] == DESKS[lookup.desk] && (1..5).any(of_version)
            };
            prop_assert!(of.iter().all(is_own), "{:?}", of);
        }
        // In each chain the numbers are those from 1 on.
        for number in 0..4_u64 {
            let seqs: Vec<_> = entries.iter().filter(|entry| entry["chain"] == number).collect();
            prop_assert!((1_u64..).zip(&seqs).all(|(seq, entry)| entry["entry"]["seq"] == seq));
        }
    }
}

/// Makes a token of the registry.
fn made(isolate: &Isolate, id: &str) -> String {
    isolate.fakes.bits.set(isolate.fakes.bits.get() + 1);
    let wanted = json!({ "id": id, "scopes": ["read"], "role": "viewer" }).to_string();
    let reply = isolate.answer(Ask { body: wanted.into(), ..Ask::new("POST", "/v1/tokens") });
    assert_eq!(reply.status, 201);
    body(&reply)["token"].as_str().unwrap().to_owned()
}

fn revoke(isolate: &Isolate, id: &str) -> u16 {
    isolate.answer(Ask::post(&format!("/v1/tokens/{id}/revoke"), "it was in a paste")).status
}

fn stats(isolate: &Isolate, token: &str) -> u16 {
    isolate.answer(Ask::get("/v1/stats").by(token)).status
}

#[test]
fn revoked_token_is_refused_through_every_chain() {
    for (before, after) in [(1, 4), (4, 1), (2, 4), (4, 4), (1, 1)] {
        let fakes = Fakes::new();
        let isolates = [Isolate::new(&fakes, before), Isolate::new(&fakes, after)];
        let tokens = DESKS.map(|desk| made(&isolates[0], &format!("made-{desk}")));
        for (number, token) in tokens.iter().enumerate() {
            // Each isolate knows it, some not before it is revoked.
            assert!(isolates.iter().take(1 + number % 2).all(|isolate| stats(isolate, token) == 200));
        }
        for (number, (desk, token)) in DESKS.iter().zip(&tokens).enumerate() {
            assert_eq!(revoke(&isolates[number % 3 % 2], &format!("made-{desk}")), 200);
            let found: Vec<u16> = isolates.iter().map(|isolate| stats(isolate, token)).collect();
            assert_eq!(found, [401, 401], "{desk}, {before} to {after}");
            let others = tokens.iter().skip(number + 1);
            assert!(others.take(2).all(|token| isolates.iter().all(|isolate| stats(isolate, token) == 200)));
        }
    }
}

#[test]
fn revocation_that_misses_a_chain_is_repeated() {
    for fault in Fault::BOTH {
        for nth in 0..6 {
            let fakes = Fakes::new();
            let isolate = Isolate::new(&fakes, 4);
            let tokens = DESKS.map(|desk| made(&isolate, &format!("made-{desk}")));
            assert!(tokens.iter().all(|token| stats(&isolate, token) == 200));
            fakes.faults.plan(Some(Kind::Audit), nth, fault);
            let status = revoke(&isolate, "made-d-3");
            assert_eq!(status, if fakes.faults.clear() { 503 } else { 200 }, "{nth}");
            assert_eq!(revoke(&isolate, "made-d-3"), 200);
            assert_eq!(stats(&isolate, &tokens[3]), 401, "{nth}");
        }
    }
}

#[test]
fn known_token_costs_one_call_in_its_chain() {
    let fakes = Fakes::new();
    let isolate = Isolate::new(&fakes, 4);
    let tokens = DESKS.map(|desk| made(&isolate, &format!("made-{desk}")));
    let round = || tokens.iter().all(|token| stats(&isolate, token) == 200);
    assert!(round() && round());
    let calls = (fakes.faults.count(Kind::Ledger), fakes.faults.count(Kind::Audit));
    assert!(round());
    // What `/v1/stats` itself asks of the ledgers is the same for any token.
    let once = fakes.faults.count(Kind::Ledger) - calls.0;
    assert_eq!(fakes.faults.count(Kind::Audit) - calls.1, DESKS.len());
    assert_eq!(revoke(&isolate, "made-d-0"), 200);
    let others = || tokens.iter().skip(1).all(|token| stats(&isolate, token) == 200);
    assert!(others() && others());
    let ledgers = fakes.faults.count(Kind::Ledger);
    assert!(others());
    assert_eq!((fakes.faults.count(Kind::Ledger) - ledgers) * DESKS.len(), once * (DESKS.len() - 1));
}
