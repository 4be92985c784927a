//! Packs in the books: where each body lies, when a pack is of no use any more, and what a ledger, a row or a Worker
//! of the version before makes of them.

use raydex::backend::Sql;
use raydex::ledger::calls::{
    BatchAsk, BeginAnswer, Bodies, BodiesAnswer, Claim, ClaimAnswer, Decide, DecideAnswer, Decision, Removed, Seal,
    Split, SplitAnswer, Work,
};
use raydex::ledger::delivery::{Payload, Place, Why};
use raydex::ledger::ids::PackId;
use raydex::ledger::{DeliveryId, State, open};
use raydex::limits::{PACK_BYTES, SWEEP_BODIES};

use super::support::{Faults, SqliteSql};
use super::{LINES, Ledger, NAME, begin, claim, delivered, id, index, payload, refused, seal, source};

/// The tables of the version before packs, and rows of every kind as it wrote them.
const BEFORE: &str = include_str!("before_packs.sql");

/// The place of a body of 500 bytes, the nth in the pack that begins with that payload.
fn place(first: usize, nth: usize) -> Place {
    Place { first: index(first), digest: format!("{first:064x}"), at: 500 * nth as u64 }
}

/// A seal of so many payloads, in packs of these sizes; a pack of one is none.
fn packed(sizes: &[usize]) -> Seal {
    let mut seal = seal(1, sizes.iter().sum());
    let mut payloads = seal.plan.as_mut().unwrap().payloads.iter_mut();
    let mut first = 0;
    for &size in sizes {
        for (nth, payload) in payloads.by_ref().take(size).enumerate() {
            payload.pack = (size > 1).then(|| place(first, nth));
        }
        first += size;
    }
    seal
}

/// A ledger with such a source.
fn sealed(sizes: &[usize]) -> Ledger {
    let ledger = Ledger::new();
    ledger.ask(&begin());
    ledger.ask(&packed(sizes));
    ledger
}

fn pack(first: usize) -> PackId {
    PackId { source: source('a'), plan: 1, first: index(first), digest: format!("{first:064x}") }
}

fn bodies(ledger: &Ledger) -> BodiesAnswer {
    ledger.ask(&Bodies { before_ms: ledger.now() })
}

/// Claims a payload; where its body lies.
fn claimed(ledger: &Ledger, id: &DeliveryId) -> Option<Place> {
    match ledger.ask(&Claim { id: id.clone(), ..claim(0, "one") }) {
        ClaimAnswer::Yes { payload, .. } => payload.pack,
        other => panic!("not claimed: {other:?}"),
    }
}

#[test]
fn claim_and_view_name_the_body_location() {
    let ledger = sealed(&[3, 1, 2]);
    let expected =
        [Some(place(0, 0)), Some(place(0, 1)), Some(place(0, 2)), None, Some(place(4, 0)), Some(place(4, 1))];
    for (number, place) in expected.iter().enumerate() {
        assert_eq!(&claimed(&ledger, &id(number)), place, "{number}");
    }
    let views = ledger.ask(&BatchAsk { source: source('a') }).payloads;
    let places: Vec<_> = views.into_iter().map(|view| view.payload.pack).collect();
    assert_eq!(places, expected);
}

#[test]
fn packs_of_two_plans_and_sources_are_apart() {
    let ledger = sealed(&[2]);
    let rows = ledger.sql.run("SELECT count(*) FROM pack_v1", &[]).unwrap().rows;
    assert_eq!(rows[0][0].as_integer(), Some(1), "a row for each pack, not for each payload");
    ledger.ask(&super::begin_of('b', 9));
    let mut second = Seal { source: source('b'), ..packed(&[2]) };
    for payload in &mut second.plan.as_mut().unwrap().payloads {
        payload.pack.as_mut().unwrap().digest = "5a".into();
    }
    ledger.ask(&second);
    assert_eq!(claimed(&ledger, &id(1)), Some(place(0, 1)));
    let of_b = DeliveryId { source: source('b'), ..id(1) };
    assert_eq!(claimed(&ledger, &of_b).unwrap().digest, "5a");
}

#[test]
fn packs_that_do_not_match_payloads_are_refused() {
    type Change = fn(&mut Vec<Payload>);
    let changes: [(&str, Change); 7] = [
        ("begins late", |all| all[0].pack.as_mut().unwrap().at = 1),
        ("a gap", |all| all[2].pack.as_mut().unwrap().at += 1),
        ("one over the other", |all| all[1].pack.as_mut().unwrap().at = 0),
        ("another's name", |all| all.iter_mut().for_each(|one| one.pack.as_mut().unwrap().first = index(1))),
        ("no number", |all| all.iter_mut().for_each(|one| one.pack.as_mut().unwrap().first = "0.0".into())),
        ("one of it lies elsewhere", |all| all[1].pack = None),
        ("not in their order", |all| all.swap(0, 1)),
    ];
    for (what, change) in changes {
        let ledger = Ledger::new();
        ledger.ask(&begin());
        let mut seal = packed(&[3]);
        change(&mut seal.plan.as_mut().unwrap().payloads);
        assert!(ledger.refusal(&seal).contains("packs"), "{what}");
        assert!(!ledger.ask(&packed(&[3])).already, "{what}: the right one is taken afterwards");
    }
}

#[test]
fn pack_is_unused_once_its_payloads_are_terminal() {
    let ledger = sealed(&[3, 1, 2]);
    for number in [1, 0, 5] {
        ledger.attempt(number, delivered());
    }
    ledger.pass(1);
    assert_eq!(bodies(&ledger), BodiesAnswer { bodies: Vec::new(), packs: Vec::new() });
    // One is parked: the pack stays for it.
    ledger.attempt(2, refused());
    ledger.attempt(3, delivered());
    ledger.pass(1);
    let lone = (id(3), payload(3).sha256);
    assert_eq!(bodies(&ledger), BodiesAnswer { bodies: vec![lone.clone()], packs: Vec::new() });
    ledger.ask(&Decide { id: id(2), decision: Decision::Drop, reason: "x".into() });
    assert_eq!(bodies(&ledger).packs, [], "to the millisecond");
    ledger.pass(1);
    assert_eq!(bodies(&ledger), BodiesAnswer { bodies: vec![lone], packs: vec![pack(0)] });
    ledger.attempt(4, delivered());
    ledger.pass(1);
    assert_eq!(bodies(&ledger).packs, [pack(0), pack(4)]);
    let removed = Removed { ids: vec![id(3)], packs: vec![pack(0), pack(4)] };
    ledger.ask(&removed);
    assert_eq!(bodies(&ledger), BodiesAnswer { bodies: Vec::new(), packs: Vec::new() });
    let rows = ledger.sql.rows();
    ledger.again_is_the_same(&removed, &rows);
}

#[test]
fn pack_is_not_kept_for_its_payloads_halves() {
    let ledger = sealed(&[3]);
    let token = ledger.claim(1, "one");
    let half = |index: String| Payload { index, lines: LINES / 2, ..payload(1) };
    let halves = id(1).halves().map(half).to_vec();
    let inside = halves.iter().map(|half| Payload { pack: Some(place(0, 1)), ..half.clone() }).collect();
    assert!(ledger.refusal(&Split { id: id(1), token, halves: inside }).contains("alone"));
    let SplitAnswer { send } = ledger.ask(&Split { id: id(1), token, halves });
    assert_eq!(claimed(&ledger, &send[0]), None, "a half lies alone");
    ledger.attempt(0, delivered());
    ledger.attempt(2, delivered());
    ledger.pass(1);
    assert_eq!(bodies(&ledger), BodiesAnswer { bodies: Vec::new(), packs: vec![pack(0)] });
}

#[test]
fn payload_of_a_removed_pack_is_not_resent() {
    let ledger = sealed(&[2]);
    ledger.attempt(0, delivered());
    ledger.attempt(1, delivered());
    let resend = |number| ledger.ask(&Decide { id: id(number), decision: Decision::Resend, reason: "x".into() });
    assert_eq!(resend(0).state, Some(State::Prepared), "as long as there is one");
    ledger.attempt(0, delivered());
    ledger.ask(&Removed { ids: Vec::new(), packs: vec![pack(0)] });
    assert_eq!(
        resend(0),
        DecideAnswer { before: Some(State::Delivered), state: Some(State::Delivered), send: Vec::new() }
    );
    let views = ledger.ask(&BatchAsk { source: source('a') }).payloads;
    assert!(views.iter().all(|view| view.payload.pack.is_none()));
}

#[test]
fn removal_is_bounded_and_counts_packs() {
    let alone = SWEEP_BODIES - 1;
    let ledger = sealed(&[vec![1; alone], vec![2, 2]].concat());
    (0..alone + 4).for_each(|number| ledger.attempt(number, delivered()));
    ledger.pass(1);
    let BodiesAnswer { bodies: lone, packs } = bodies(&ledger);
    assert_eq!((lone.len(), packs.len()), (alone, 1));
    ledger.ask(&Removed { ids: lone.into_iter().map(|(id, _)| id).collect(), packs });
    assert_eq!(bodies(&ledger).packs, [pack(alone + 2)]);
}

#[test]
fn older_worker_waits_for_another_one() {
    let ledger = sealed(&[2, 1]);
    let before = Claim { packs: false, ..claim(0, "an old one") };
    let rows = ledger.sql.rows();
    let (answer, wake_ms) = ledger.answer(&before).unwrap();
    assert!(matches!(answer, ClaimAnswer::Wait { why: Why::NotDue, .. }), "{answer:?}");
    assert!(wake_ms.is_some(), "the alarm wakes another one");
    assert_eq!(ledger.sql.rows(), rows);
    assert!(
        matches!(ledger.ask(&Claim { id: id(2), ..before }), ClaimAnswer::Yes { .. }),
        "what lies alone it can read"
    );
    // What such a Worker says and hears lacks the member.
    let said = serde_json::to_value(claim(0, "x")).unwrap();
    let mut old = said.clone();
    old.as_object_mut().unwrap().remove("packs");
    assert!(!serde_json::from_value::<Claim>(old).unwrap().packs);
    let BeginAnswer::Work(work) = Ledger::new().ask(&begin()) else { panic!("there is work") };
    assert_eq!(work.pack_bytes, PACK_BYTES);
    let mut old = serde_json::to_value(&work).unwrap();
    old.as_object_mut().unwrap().remove("pack_bytes");
    assert_eq!(serde_json::from_value::<Work>(old).unwrap().pack_bytes, 0, "each body alone");
    for text in [r#"{"bodies":[]}"#, r#"{"bodies":[],"packs":[]}"#] {
        assert!(serde_json::from_str::<BodiesAnswer>(text).unwrap().packs.is_empty());
    }
}

#[test]
fn a_ledger_of_the_version_before_goes_on() {
    let sql = SqliteSql::new(&Faults::default());
    for statement in BEFORE.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()) {
        sql.run(statement, &[]).unwrap();
    }
    let rows = sql.rows();
    open(&sql, NAME).unwrap();
    assert_eq!(sql.rows(), rows, "its rows are as they were");
    let ledger = Ledger { sql, ..Ledger::new() };
    // 0 waits, 1 is parked, 2 is delivered, 3 is delivered and its body was removed.
    assert_eq!(claimed(&ledger, &id(0)), None);
    ledger.commit(0, 1, delivered());
    let release = Decide { id: id(1), decision: Decision::Release, reason: "x".into() };
    assert_eq!(ledger.ask(&release).state, Some(State::Prepared));
    let resend = |number| ledger.ask(&Decide { id: id(number), decision: Decision::Resend, reason: "x".into() }).state;
    assert_eq!([resend(2), resend(3)], [Some(State::Prepared), Some(State::Delivered)]);
    ledger.attempt(2, delivered());
    ledger.pass(1);
    let BodiesAnswer { bodies: lone, packs } = bodies(&ledger);
    assert_eq!((lone.len(), packs.len()), (2, 0));
    assert_eq!(lone[0].0.lone_key(&lone[0].1), format!("raydex/payloads/v1/{}/1/000000-{:064x}", "a".repeat(64), 0));
    ledger.ask(&Removed { ids: lone.into_iter().map(|(id, _)| id).collect(), packs });
    assert!(bodies(&ledger).bodies.is_empty());
    // And a source that comes now has packs beside the old rows.
    ledger.ask(&super::begin_of('b', 9));
    ledger.ask(&Seal { source: source('b'), ..packed(&[2]) });
    assert_eq!(claimed(&ledger, &DeliveryId { source: source('b'), ..id(1) }), Some(place(0, 1)));
    assert_eq!(ledger.ask(&raydex::ledger::calls::TotalsAsk {}).lines.unaccounted, 0);
}

#[test]
fn older_version_treats_packed_payloads_as_without_body() {
    // So that after a deployment that was taken back none of them is listed, resent or looked for.
    let ledger = sealed(&[2, 1]);
    let removed = |number| ledger.number(number, "removed");
    assert_eq!([removed(0), removed(1), removed(2)], [Some(1), Some(1), Some(0)]);
    ledger.attempt(0, delivered());
    assert_eq!([removed(0), removed(1)], [Some(1), Some(1)], "whatever is written of it");
    assert_eq!(claimed(&ledger, &id(1)), Some(place(0, 1)), "and what lies where is not lost");
}
