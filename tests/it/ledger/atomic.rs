//! Every statement of every call fails once, in both ways: nothing has changed then, and the call again does what it
//! would have done.

use raydex::backend::BackendError;
use raydex::ledger::breaker::{BreakerState, PartnerStanding};
use raydex::ledger::calls::{
    BeginBatch, ClaimPayload, CommitAttempt, DecideDelivery, DeliveryDecision, ForgetDeletedObject, MarkRegistered,
    MarkRemoved, QuarantineBatch, RecordShards, ReplayBatch, ReplayStep, SealBatch, SplitPayload,
};
use raydex::ledger::delivery::BodyLocation;
use raydex::ledger::erased_lines::PayloadRest;
use raydex::ledger::ids::PackId;
use raydex::ledger::outage::LearnPartner;
use raydex::ledger::payloads::{CountPayloads, DecidePayloads, PayloadFilter};
use raydex::ledger::{AttemptFacts, AttemptOutcome, DeliveryState};
use raydex::rpc::Call;

use super::erased::{erase, goes};
use super::support::faults::DETAIL;
use super::support::{Fault, Kind, LEASE_MS};
use super::{
    KEY, Ledger, begin, begin_of, claim, closed, counts, delivered, endpoint, halves, id, index, not_stored, open,
    refused, seal, seal_of_lines, source, unknown, window, wish, with_rejected,
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

fn commit(outcome: AttemptOutcome) -> Doing {
    doing(CommitAttempt { id: id(0), token: 1, outcome, refusal: None, facts: AttemptFacts::default() })
}

fn decide(decision: DeliveryDecision) -> Doing {
    doing(DecideDelivery { id: id(0), decision, reason: "by_hand".into() })
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
    ledger.ask(&RecordShards { source: source('a'), shards: vec!["s1".into()], adds: false });
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

/// Drops every parked payload, as [`parked`] has them.
fn decide_parked() -> DecidePayloads {
    let filter = PayloadFilter { state: Some(DeliveryState::Parked), ..PayloadFilter::default() };
    let count = CountPayloads { filter, limit: 10 };
    let (expected, decision) = (parked().ask(&count), DeliveryDecision::Drop);
    DecidePayloads { count, expected, decision, reason: "enough".into() }
}

/// The breaker has just opened.
fn broken() -> Ledger {
    let ledger = sealed();
    ledger.attempt(1, not_stored());
    ledger.ask(&LearnPartner { standing: Some(open(&ledger)) });
    ledger
}

fn learn(ledger: &Ledger, standing: Option<PartnerStanding>) -> Result<String, BackendError> {
    let (answer, wake_ms) = ledger.answer(&LearnPartner { standing })?;
    Ok(format!("{} {wake_ms:?}", serde_json::to_string(&answer).unwrap()))
}

/// A claim that heard this of the partner.
fn under(standing: fn(&Ledger) -> PartnerStanding) -> Doing {
    Box::new(move |ledger| {
        let (answer, wake_ms) = ledger.answer(&ClaimPayload { standing: standing(ledger), ..claim(0, "one") })?;
        Ok(format!("{} {wake_ms:?}", serde_json::to_string(&answer).unwrap()))
    })
}

fn aside() -> Ledger {
    let ledger = begun();
    ledger.ask(&quarantine());
    ledger
}

fn quarantine() -> QuarantineBatch {
    QuarantineBatch { source: source('a'), code: "not_ndjson".into(), reason: "it is CSV".into() }
}

fn replay() -> ReplayBatch {
    ReplayBatch { source: source('a'), reason: "look again".into() }
}

/// A ledger whose source has rejected lines.
fn partly_rejected() -> Ledger {
    let ledger = begun();
    ledger.ask(&with_rejected(seal(1, 8), 2));
    ledger
}

fn replaying() -> Ledger {
    let ledger = partly_rejected();
    ledger.ask(&replay());
    ledger
}

fn begun_again() -> Ledger {
    let ledger = replaying();
    ledger.ask(&begin());
    ledger
}

/// The seal of a replay that repaired both lines.
fn seal_of_replay() -> SealBatch {
    let step = ReplayStep { number: 1, is_last: true };
    SealBatch { counts: counts(82), replay: Some(step), ..seal_of_lines(2, 2) }
}

fn newer_begun() -> Ledger {
    let ledger = sealed();
    ledger.ask(&begin_of('b', 9));
    ledger
}

fn split() -> SplitPayload {
    SplitPayload { id: id(0), token: 1, split_into: halves(0, [5, 5]) }
}

/// A backfill of a source that was sealed without any plan.
fn planless() -> Ledger {
    let ledger = Ledger::new();
    ledger.ask(&BeginBatch { deliver: None, ..begin() });
    ledger.ask(&SealBatch { plan: None, counts: counts(80), ..seal(1, 0) });
    ledger
}

/// The seal of eight payloads that lie together.
fn seal_in_a_pack() -> SealBatch {
    let mut seal = seal(1, 8);
    for (nth, payload) in (0..).zip(&mut seal.plan.as_mut().unwrap().payloads) {
        payload.pack = Some(BodyLocation { first: index(0), digest: "5a".into(), offset: 500 * nth, erased: false });
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

/// The pack of the nth payload, where each has one of its own.
fn pack_of(number: usize) -> PackId {
    PackId { first: index(number), digest: format!("{number:064x}"), ..pack() }
}

fn pack() -> PackId {
    PackId { source: source('a'), plan: 1, first: index(0), digest: "5a".into() }
}

/// Calls about sources.
fn of_sources() -> Vec<(&'static str, Maker, Doing)> {
    let backfill = BeginBatch { deliver: Some(wish(window(0, 10))), ..begin() };
    vec![
        ("begin", new, doing(begin())),
        ("begin, the same bytes", sealed, doing(begin_of('a', 9))),
        ("begin, a newer version", sealed, doing(begin_of('b', 9))),
        ("begin, a backfill", planless, doing(backfill)),
        ("entries", begun, doing(RecordShards { source: source('a'), shards: vec!["s1".into()], adds: false })),
        ("seal", begun, doing(seal(1, 8))),
        ("seal, in a pack", begun, doing(seal_in_a_pack())),
        ("seal, superseded", begun, doing(SealBatch { indexed: Some(false), ..seal(1, 8) })),
        ("seal, of the newer version", newer_begun, doing(SealBatch { source: source('b'), ..seal(1, 8) })),
        ("seal, again", sealed, doing(seal(1, 8))),
        ("quarantined", begun, doing(quarantine())),
        ("quarantined, the newer version", newer_begun, doing(QuarantineBatch { source: source('b'), ..quarantine() })),
        ("replay", aside, doing(replay())),
        ("replay, of rejected lines", partly_rejected, doing(replay())),
        ("begin, a replay", replaying, doing(begin())),
        ("seal, a replay", begun_again, doing(seal_of_replay())),
        ("quarantined, a replay", replaying, doing(quarantine())),
        ("gone", sealed, doing(ForgetDeletedObject { key: KEY.into(), forgotten: true })),
        ("registered", new, doing(MarkRegistered { since_ms: None })),
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
        (
            "claim, the lease is over",
            || {
                let l = claimed();
                l.pass(LEASE_MS);
                l
            },
            doing(claim(0, "two")),
        ),
        ("claim, the breaker is open", broken, under(open)),
        ("claim, the partner is well", broken, under(closed)),
        ("claim, the partner fails", sealed, under(open)),
        ("claim, to try", broken, under(|l| PartnerStanding { state: BreakerState::Probing, ..open(l) })),
        ("news of the partner", broken, Box::new(|l| learn(l, Some(closed(l))))),
        ("a person tries the partner", broken, Box::new(|l| learn(l, None))),
        ("commit, delivered", claimed, commit(delivered())),
        ("commit, not stored", claimed, commit(not_stored())),
        ("commit, unknown", claimed, commit(unknown())),
        ("commit, refused", claimed, commit(refused())),
        ("commit, endpoint", claimed, commit(endpoint())),
        ("commit, released", claimed, commit(AttemptOutcome::Released { pause_ms: None, place_ms: None })),
        ("split", claimed, doing(split())),
        (
            "split, again",
            || {
                let l = claimed();
                l.ask(&split());
                l
            },
            doing(split()),
        ),
        ("erase, what waits", sealed, doing(erase(&sealed(), goes(7), 3))),
        ("erase, all of what waits", packed, doing(erase(&packed(), PayloadRest::Nothing, 10))),
        ("erase, what is parked", parked, doing(erase(&parked(), goes(9), 1))),
        ("erase, what was delivered", packed_at_rest, doing(erase(&packed_at_rest(), PayloadRest::Stays, 2))),
        ("erase, what is being sent", claimed, doing(erase(&claimed(), goes(7), 3))),
        ("release", parked, decide(DeliveryDecision::Release)),
        ("resend", parked, decide(DeliveryDecision::Resend)),
        ("drop", parked, decide(DeliveryDecision::Drop)),
        ("confirm", parked, decide(DeliveryDecision::Confirm)),
        ("decision about many", parked, doing(decide_parked())),
        ("resend, of one that was delivered", at_rest, decide(DeliveryDecision::Resend)),
        (
            "commit, after the lease ended",
            || {
                let l = claimed();
                l.pass(LEASE_MS);
                l
            },
            commit(delivered()),
        ),
        ("removed", parked, doing(MarkRemoved { packs: (0..8).map(pack_of).collect() })),
        ("claim, out of a pack", packed, doing(claim(1, "one"))),
        ("resend, out of a pack", packed_at_rest, decide(DeliveryDecision::Resend)),
        ("removed, a pack", packed_at_rest, doing(MarkRemoved { packs: vec![pack()] })),
        (
            "removed, of one that was delivered",
            at_rest,
            doing(MarkRemoved { packs: vec![pack_of(0), pack_of(1), pack_of(2)] }),
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
