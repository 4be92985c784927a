//! Packs in the books: where each body is, and when a pack has no further use.

use raydex::backend::SqlDatabase;
use raydex::ledger::calls::{
    ClaimAnswer, ClaimPayload, CommitAttempt, DecideDelivery, DecisionAnswer, DeliveryDecision, GetBatch,
    ListExpiredPacks, MarkRemoved, PayloadSelection, SealBatch, SplitAnswer, SplitPayload,
};
use raydex::ledger::delivery::{BodyLocation, Payload};
use raydex::ledger::ids::PackId;
use raydex::ledger::{DeliveryId, DeliveryState};
use raydex::limits::SWEEP_BODIES;

use super::{Ledger, begin, claim, delivered, halves, halves_of, id, index, place, refused, seal, source};

/// A seal of so many payloads, in packs of these sizes.
fn packed(sizes: &[usize]) -> SealBatch {
    let mut seal = seal(1, sizes.iter().sum());
    let mut payloads = seal.plan.as_mut().unwrap().payloads.iter_mut();
    let mut first = 0;
    for &size in sizes {
        for (nth, payload) in payloads.by_ref().take(size).enumerate() {
            payload.pack = Some(place(first, nth));
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

/// The packs that have no further use.
fn idle(ledger: &Ledger) -> Vec<PackId> {
    ledger.ask(&ListExpiredPacks { before_ms: ledger.now() }).packs
}

/// Claims a payload; where its body lies.
fn claimed(ledger: &Ledger, id: &DeliveryId) -> Option<BodyLocation> {
    match ledger.ask(&ClaimPayload { id: id.clone(), ..claim(0, "one") }) {
        ClaimAnswer::Granted { payload, .. } => payload.pack,
        other => panic!("not claimed: {other:?}"),
    }
}

#[test]
fn claim_and_view_name_the_body_location() {
    let ledger = sealed(&[3, 1, 2]);
    let expected = [place(0, 0), place(0, 1), place(0, 2), place(3, 0), place(4, 0), place(4, 1)].map(Some);
    for (number, place) in expected.iter().enumerate() {
        assert_eq!(&claimed(&ledger, &id(number)), place, "{number}");
    }
    let views = ledger.ask(&GetBatch { source: source('a'), payloads: PayloadSelection::All }).payloads;
    let places: Vec<_> = views.into_iter().map(|view| view.payload.pack).collect();
    assert_eq!(places, expected);
}

#[test]
fn packs_of_two_plans_and_sources_are_apart() {
    let ledger = sealed(&[2]);
    let rows = ledger.sql.run("SELECT count(*) FROM pack_v1", &[]).unwrap().rows;
    assert_eq!(rows[0][0].as_integer(), Some(1), "a row for each pack, not for each payload");
    ledger.ask(&super::begin_of('b', 9));
    let mut second = SealBatch { source: source('b'), ..packed(&[2]) };
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
        ("begins late", |all| all[0].pack.as_mut().unwrap().offset = 1),
        ("a gap", |all| all[2].pack.as_mut().unwrap().offset += 1),
        ("one over the other", |all| all[1].pack.as_mut().unwrap().offset = 0),
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
    assert_eq!(idle(&ledger), []);
    // One is parked: the pack stays for it.
    ledger.attempt(2, refused());
    ledger.attempt(3, delivered());
    ledger.pass(1);
    assert_eq!(idle(&ledger), [pack(3)]);
    ledger.ask(&DecideDelivery { id: id(2), decision: DeliveryDecision::Drop, reason: "x".into() });
    assert_eq!(idle(&ledger), [pack(3)], "to the millisecond");
    ledger.pass(1);
    assert_eq!(idle(&ledger), [pack(0), pack(3)]);
    ledger.attempt(4, delivered());
    ledger.pass(1);
    assert_eq!(idle(&ledger), [pack(0), pack(3), pack(4)]);
    let removed = MarkRemoved { packs: idle(&ledger) };
    ledger.ask(&removed);
    assert_eq!(idle(&ledger), []);
    let rows = ledger.sql.rows();
    ledger.again_is_the_same(&removed, &rows);
}

#[test]
fn halves_share_a_pack_of_their_own() {
    let ledger = sealed(&[3]);
    let token = ledger.claim(1, "one");
    let changes: [fn(&mut Vec<Payload>); 3] = [
        |halves| halves[1].pack = None,
        |halves| halves.iter_mut().for_each(|half| half.pack = Some(place(0, 1))),
        |halves| halves[1].pack.as_mut().unwrap().digest = "other".into(),
    ];
    for change in changes {
        let mut halves = halves(1, [5, 5]);
        change(&mut halves);
        assert!(ledger.refusal(&SplitPayload { id: id(1), token, split_into: halves }).contains("pack"));
    }
    let new = halves(1, [5, 5]);
    let SplitAnswer { send } = ledger.ask(&SplitPayload { id: id(1), token, split_into: new.clone() });
    assert_eq!(claimed(&ledger, &id(2)), Some(place(0, 2)), "whatever packs were made since");
    ledger.attempt(0, delivered());
    for (half, id) in new.iter().zip(&send) {
        let claim = ledger.ask(&ClaimPayload { id: id.clone(), ..claim(0, "one") });
        let ClaimAnswer::Granted { token, payload, .. } = claim else { panic!("not claimed: {claim:?}") };
        assert_eq!(payload, *half);
        ledger.pass(1);
        assert_eq!(idle(&ledger), []);
        ledger.ask(&CommitAttempt {
            id: id.clone(),
            token,
            outcome: delivered(),
            refusal: None,
            facts: raydex::ledger::AttemptFacts::default(),
        });
    }
    ledger.pass(1);
    let of_halves = PackId { first: "000001.0".into(), digest: "5a".into(), ..pack(0) };
    assert_eq!(idle(&ledger), [of_halves], "the pack of the whole waits for another payload of it");
    let token = ledger.claim(2, "one");
    ledger.commit(2, token, delivered());
    ledger.pass(1);
    assert_eq!(idle(&ledger).len(), 2);
}

#[test]
fn halves_of_a_half_have_their_pack_too() {
    let ledger = sealed(&[1]);
    let token = ledger.claim(0, "one");
    let send = ledger.ask(&SplitPayload { id: id(0), token, split_into: halves(0, [2, 8]) }).send;
    let ClaimAnswer::Granted { token, .. } = ledger.ask(&ClaimPayload { id: send[1].clone(), ..claim(0, "one") })
    else {
        panic!("not claimed")
    };
    let quarters = halves_of(&send[1], [4, 4]);
    let send = ledger.ask(&SplitPayload { id: send[1].clone(), token, split_into: quarters.clone() }).send;
    assert_eq!(claimed(&ledger, &send[1]), quarters[1].pack);
    let views = ledger.ask(&GetBatch { source: source('a'), payloads: PayloadSelection::All }).payloads;
    assert!(views.iter().all(|view| view.payload.pack.is_some()));
}

#[test]
fn payload_of_a_removed_pack_is_not_resent() {
    let ledger = sealed(&[2]);
    ledger.attempt(0, delivered());
    ledger.attempt(1, delivered());
    let resend =
        |number| ledger.ask(&DecideDelivery { id: id(number), decision: DeliveryDecision::Resend, reason: "x".into() });
    assert_eq!(resend(0).state, Some(DeliveryState::Prepared), "as long as there is one");
    ledger.attempt(0, delivered());
    ledger.ask(&MarkRemoved { packs: vec![pack(0)] });
    assert_eq!(
        resend(0),
        DecisionAnswer {
            erased: false,
            before: Some(DeliveryState::Delivered),
            state: Some(DeliveryState::Delivered),
            send: Vec::new()
        }
    );
    let views = ledger.ask(&GetBatch { source: source('a'), payloads: PayloadSelection::All }).payloads;
    assert!(views.iter().all(|view| view.payload.pack.is_none()));
}

#[test]
fn removal_is_bounded_in_packs() {
    let sizes = [vec![1; SWEEP_BODIES - 1], vec![2, 2]].concat();
    let ledger = sealed(&sizes);
    (0..sizes.iter().sum()).for_each(|number| ledger.attempt(number, delivered()));
    ledger.pass(1);
    let packs = idle(&ledger);
    assert_eq!(packs.len(), SWEEP_BODIES);
    ledger.ask(&MarkRemoved { packs });
    assert_eq!(idle(&ledger), [pack(SWEEP_BODIES + 1)]);
}
