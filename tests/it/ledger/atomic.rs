//! Every statement of every call fails once, in both ways: nothing has changed then, and the call again does what it
//! would have done.

use raydex::backend::BackendError;
use raydex::ledger::Outcome;
use raydex::ledger::calls::{
    Begin, Claim, Commit, Decide, Decision, Entries, Gone, Registered, Removed, Seal, SetAside, Split,
};
use raydex::ledger::delivery::{Payload, Place};
use raydex::ledger::ids::PackId;
use raydex::limits::{BREAKER_FAILURES, BREAKER_MAX_MS, LEASE_MS};
use raydex::rpc::Call;

use super::support::faults::DETAIL;
use super::support::{Fault, Kind};
use super::{
    KEY, Ledger, begin, begin_of, claim, counts, delivered, endpoint, id, index, not_stored, payload, refused, seal,
    source, unknown, window, wish,
};

/// A call, and what it comes to.
type Doing = Box<dyn Fn(&Ledger) -> Result<String, BackendError>>;
/// What makes a ledger.
type Maker = fn() -> Ledger;

fn doing<C: Call + 'static>(call: C) -> Doing {
    Box::new(move |ledger| {
        let (answer, wake_ms) = ledger.answer(&call)?;
        Ok(format!("{} {wake_ms:?}", serde_json::to_string(&answer).unwrap()))
    })
}

fn commit(outcome: Outcome) -> Doing {
    doing(Commit { id: id(0), token: 1, outcome })
}

fn decide(decision: Decision) -> Doing {
    doing(Decide { id: id(0), decision, reason: "by_hand".into() })
}

fn new() -> Ledger {
    Ledger::new()
}

fn begun() -> Ledger {
    let ledger = Ledger::new();
    ledger.ask(&begin());
    ledger
}

fn sealed() -> Ledger {
    let ledger = Ledger::sealed(8);
    ledger.ask(&Entries { source: source('a'), shards: vec!["s1".into()] });
    ledger
}

fn claimed() -> Ledger {
    let ledger = sealed();
    ledger.claim(0, "one");
    ledger
}

fn parked() -> Ledger {
    let ledger = claimed();
    ledger.commit(0, 1, refused());
    ledger
}

/// The breaker has just opened.
fn broken() -> Ledger {
    let ledger = sealed();
    (1..=BREAKER_FAILURES as usize).for_each(|number| ledger.attempt(number, not_stored()));
    ledger
}

/// The breaker is open, and the first payload tries whether things are better.
fn trying() -> Ledger {
    let ledger = broken();
    ledger.pass(BREAKER_MAX_MS).claim(0, "one");
    ledger
}

fn aside() -> Ledger {
    let ledger = begun();
    ledger.ask(&set_aside(false));
    ledger
}

fn set_aside(replay: bool) -> SetAside {
    SetAside { source: source('a'), code: "not_ndjson".into(), reason: "it is CSV".into(), replay }
}

fn newer_begun() -> Ledger {
    let ledger = sealed();
    ledger.ask(&begin_of('b', 9));
    ledger
}

fn split() -> Split {
    let halves = id(0).halves().map(|index| Payload { index, lines: 5, ..payload(0) }).to_vec();
    Split { id: id(0), token: 1, halves }
}

/// A backfill of a source that was sealed without any plan.
fn planless() -> Ledger {
    let ledger = Ledger::new();
    ledger.ask(&Begin { deliver: None, ..begin() });
    ledger.ask(&Seal { plan: None, counts: counts(80), ..seal(1, 0) });
    ledger
}

/// The seal of eight payloads that lie together.
fn seal_in_a_pack() -> Seal {
    let mut seal = seal(1, 8);
    for (nth, payload) in (0..).zip(&mut seal.plan.as_mut().unwrap().payloads) {
        payload.pack = Some(Place { first: index(0), digest: "5a".into(), at: 500 * nth });
    }
    seal
}

fn packed() -> Ledger {
    let ledger = begun();
    ledger.ask(&seal_in_a_pack());
    ledger
}

/// A ledger of whose pack one payload was delivered.
fn packed_at_rest() -> Ledger {
    let ledger = packed();
    ledger.attempt(0, delivered());
    ledger
}

fn pack() -> PackId {
    PackId { source: source('a'), plan: 1, first: index(0), digest: "5a".into() }
}

/// Calls about sources.
fn of_sources() -> Vec<(&'static str, Maker, Doing)> {
    let backfill = Begin { deliver: Some(wish(window(0, 10))), ..begin() };
    vec![
        ("begin", new, doing(begin())),
        ("begin, the same bytes", sealed, doing(begin_of('a', 9))),
        ("begin, a newer version", sealed, doing(begin_of('b', 9))),
        ("begin, a backfill", planless, doing(backfill)),
        ("entries", begun, doing(Entries { source: source('a'), shards: vec!["s1".into()] })),
        ("seal", begun, doing(seal(1, 8))),
        ("seal, in a pack", begun, doing(seal_in_a_pack())),
        ("seal, superseded", begun, doing(Seal { indexed: Some(false), ..seal(1, 8) })),
        ("seal, of the newer version", newer_begun, doing(Seal { source: source('b'), ..seal(1, 8) })),
        ("seal, again", sealed, doing(seal(1, 8))),
        ("set aside", begun, doing(set_aside(false))),
        ("set aside, the newer version", newer_begun, doing(SetAside { source: source('b'), ..set_aside(false) })),
        ("replay", aside, doing(set_aside(true))),
        ("gone", sealed, doing(Gone { key: KEY.into(), forgotten: true })),
        ("registered", new, doing(Registered {})),
    ]
}

/// A ledger of which one payload was delivered.
fn at_rest() -> Ledger {
    let l = claimed();
    commit(delivered())(&l).unwrap();
    l
}

/// Calls about payloads.
fn of_payloads() -> Vec<(&'static str, Maker, Doing)> {
    vec![
        ("claim", sealed, doing(claim(0, "one"))),
        ("claim, another address", broken, doing(Claim { endpoint: "f".into(), ..claim(0, "one") })),
        (
            "claim, the lease is over",
            || {
                let l = claimed();
                l.pass(LEASE_MS);
                l
            },
            doing(claim(0, "two")),
        ),
        ("claim, the breaker is open", broken, doing(claim(0, "one"))),
        (
            "claim, to try",
            || {
                let l = broken();
                l.pass(BREAKER_MAX_MS);
                l
            },
            doing(claim(0, "one")),
        ),
        ("commit, delivered", claimed, commit(delivered())),
        ("commit, not stored", claimed, commit(not_stored())),
        ("commit, unknown", claimed, commit(unknown())),
        ("commit, refused", claimed, commit(refused())),
        ("commit, endpoint", claimed, commit(endpoint(true))),
        ("commit, released", trying, commit(Outcome::Released)),
        ("commit, which closes the breaker", trying, commit(delivered())),
        ("split", claimed, doing(split())),
        ("split, which closes the breaker", trying, doing(split())),
        (
            "split, again",
            || {
                let l = claimed();
                l.ask(&split());
                l
            },
            doing(split()),
        ),
        ("release", parked, decide(Decision::Release)),
        ("resend", parked, decide(Decision::Resend)),
        ("drop", parked, decide(Decision::Drop)),
        ("resend, of one that was delivered", at_rest, decide(Decision::Resend)),
        (
            "commit, after the lease ended",
            || {
                let l = claimed();
                l.pass(LEASE_MS);
                l
            },
            commit(delivered()),
        ),
        ("removed", parked, doing(Removed { ids: (0..8).map(id).collect(), packs: Vec::new() })),
        ("claim, out of a pack", packed, doing(claim(1, "one"))),
        ("resend, out of a pack", packed_at_rest, decide(Decision::Resend)),
        ("removed, a pack", packed_at_rest, doing(Removed { ids: Vec::new(), packs: vec![pack()] })),
        (
            "removed, of one that was delivered",
            at_rest,
            doing(Removed { ids: vec![id(0), id(1), id(2)], packs: Vec::new() }),
        ),
    ]
}

/// Fails each statement of a call; says how many there were.
fn fails_everywhere(name: &str, make: Maker, call: &Doing) -> usize {
    let clean = make();
    let before = clean.faults.count(Kind::Sql);
    let expected = call(&clean).unwrap();
    let statements = clean.faults.count(Kind::Sql) - before;
    for nth in 0..statements {
        for fault in Fault::BOTH {
            let place = format!("{name}, statement {nth} of {statements} {fault:?}");
            let ledger = make();
            let rows = ledger.sql.rows();
            ledger.faults.plan(Some(Kind::Sql), nth, fault);
            let failed = call(&ledger);
            assert!(ledger.faults.clear(), "{place}: never came to it");
            assert_eq!(failed.unwrap_err().detail, DETAIL, "{place}");
            assert_eq!(ledger.sql.rows(), rows, "{place}");
            assert_eq!(call(&ledger).unwrap(), expected, "{place}");
            assert_eq!(ledger.sql.rows(), clean.sql.rows(), "{place}");
        }
    }
    statements
}

#[test]
fn source_calls_happen_or_do_not() {
    let statements: usize = of_sources().iter().map(|(name, make, call)| fails_everywhere(name, *make, call)).sum();
    assert!(statements >= 80, "{statements} statements");
}

#[test]
fn payload_calls_happen_or_do_not() {
    let statements: usize = of_payloads().iter().map(|(name, make, call)| fails_everywhere(name, *make, call)).sum();
    assert!(statements >= 100, "{statements} statements");
}

#[test]
fn lost_answer_is_repeated_or_reported_as_done() {
    for (name, make, call) in of_sources().into_iter().chain(of_payloads()) {
        let ledger = make();
        call(&ledger).unwrap();
        let rows = ledger.sql.rows();
        call(&ledger).unwrap();
        assert_eq!(ledger.sql.rows(), rows, "{name}");
    }
}
