//! Erased bodies in the books: what is refused, what replaces a payload, and that the accounts balance.

use raydex::ledger::calls::{
    ClaimAnswer, ClaimPayload, DecideDelivery, DeliveryDecision, GetBatch, GetTotals, ListExpiredPacks,
    PayloadSelection,
};
use raydex::ledger::delivery::{BodyLocation, Payload};
use raydex::ledger::erased_lines::{ErasePayload, ErasePayloadAnswer, PayloadRest};
use raydex::ledger::{DeliveryId, DeliveryState};

use super::{LINES, Ledger, claim, delivered, id, not_stored, payload, refused, source, unknown};

/// Erases this many lines of the first payload, as the ledger has it.
pub(super) fn erase(ledger: &Ledger, rest: PayloadRest, lines: u64) -> ErasePayload {
    let details = ledger.ask(&GetBatch { source: source('a'), payloads: PayloadSelection::All });
    let first = &details.payloads[0];
    let (sha256, state) = (first.payload.sha256.clone(), first.state);
    ErasePayload { id: id(0), sha256, state, lines: (0..lines).map(|nth| 100 * nth).collect(), rest }
}

/// What is left of the first payload: so many lines.
pub(super) fn goes(lines: u64) -> PayloadRest {
    PayloadRest::Goes(left(&id(0), lines))
}

/// The payload of so many lines that replaces this one.
fn left(id: &DeliveryId, lines: u64) -> Payload {
    let index = id.index_without_erased();
    let place = BodyLocation { first: index.clone(), digest: "5a".into(), offset: 0, erased: false };
    Payload { index, lines, sha256: "left".into(), pack: Some(place), ..payload(0) }
}

fn filtered(ledger: &Ledger) -> (u64, i64) {
    let lines = ledger.ask(&GetTotals {}).totals.lines;
    (lines.filtered.get("erased").copied().unwrap_or(0), lines.unaccounted)
}

#[test]
fn payload_not_as_known_is_left_alone() {
    let others: [fn(&mut ErasePayload); 3] = [
        |call| call.sha256 = "other".into(),
        |call| call.state = DeliveryState::Parked,
        |call| call.id.index = "000009".into(),
    ];
    for change in others {
        let ledger = Ledger::sealed(2);
        let mut call = erase(&ledger, goes(7), 3);
        change(&mut call);
        let rows = ledger.sql.rows();
        assert!(!ledger.ask(&call).erased);
        assert_eq!(ledger.sql.rows(), rows);
    }
}

#[test]
fn payload_being_sent_is_left_alone() {
    let ledger = Ledger::sealed(2);
    let known = erase(&ledger, goes(7), 3);
    let token = ledger.claim(0, "one");
    for call in [known, erase(&ledger, goes(7), 3), erase(&ledger, PayloadRest::Stays, 3)] {
        let rows = ledger.sql.rows();
        assert_eq!(ledger.ask(&call), ErasePayloadAnswer { erased: false, state: Some(DeliveryState::Sending) });
        assert_eq!(ledger.sql.rows(), rows);
    }
    assert!(ledger.commit(0, token, delivered()).counted, "its claim goes on");
}

#[test]
fn rest_that_does_not_fit_is_refused() {
    for (rest, lines) in [
        (goes(7), 2),
        (goes(LINES), 0),
        (PayloadRest::Nothing, 9),
        (PayloadRest::Nothing, 11),
        (PayloadRest::Goes(Payload { index: "000000.3".into(), ..left(&id(0), 7) }), 3),
        (PayloadRest::Goes(Payload { pack: None, ..left(&id(0), 7) }), 3),
        (PayloadRest::Goes(Payload { pack: payload(0).pack, ..left(&id(0), 7) }), 3),
    ] {
        let ledger = Ledger::sealed(2);
        let rows = ledger.sql.rows();
        assert!(ledger.refusal(&erase(&ledger, rest.clone(), lines)).contains("erasing"), "{rest:?}");
        assert_eq!(ledger.sql.rows(), rows);
    }
    let ledger = Ledger::sealed(2);
    ledger.attempt(0, delivered());
    assert!(ledger.refusal(&erase(&ledger, goes(7), 3)).contains("does not wait"));
}

#[test]
fn what_is_left_waits_as_the_whole_did() {
    let ledger = Ledger::sealed(2);
    ledger.attempt(0, unknown());
    ledger.pass(1_000_000);
    ledger.attempt(0, not_stored());
    let before = ledger.ask(&GetBatch { source: source('a'), payloads: PayloadSelection::All }).payloads.remove(0);
    let totals = ledger.ask(&GetTotals {}).totals;
    let (answer, wake_ms) = ledger.answer(&erase(&ledger, goes(7), 3)).unwrap();
    assert!(answer.erased);
    assert!(wake_ms.is_some_and(|wake_ms| wake_ms <= before.next_attempt_ms.unwrap()));
    let details = ledger.ask(&GetBatch { source: source('a'), payloads: PayloadSelection::All });
    let [whole, left, _] = details.payloads.as_slice() else { panic!("{details:?}") };
    assert_eq!((whole.state, whole.unknown_outcomes, whole.attempts), (DeliveryState::Split, 1, 2));
    assert_eq!((left.attempts, left.next_attempt_ms, &left.code), (2, before.next_attempt_ms, &before.code));
    assert_eq!((left.unknown_outcomes, left.last_attempt_ms), (0, None));
    assert_eq!(ledger.ask(&GetTotals {}).totals.posts, totals.posts, "no attempt and no doubt counts twice");
    assert_eq!(filtered(&ledger), (3, 0));
    let [erased] = details.erased.as_slice() else { panic!("{details:?}") };
    assert_eq!((erased.plan, erased.index.as_str()), (1, "000000"));
    assert_eq!(erased.lines.iter().collect::<Vec<_>>(), [0, 100, 200]);
}

#[test]
fn what_is_left_has_its_own_pack() {
    let ledger = Ledger::sealed(2);
    ledger.ask(&erase(&ledger, goes(7), 3));
    let place = |index: String| {
        let id = DeliveryId { index, ..id(0) };
        match ledger.ask(&ClaimPayload { id, ..claim(0, "one") }) {
            ClaimAnswer::Granted { payload, .. } => payload.pack,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(place(id(0).index_without_erased()), left(&id(0), 7).pack);
    assert_eq!(place(id(1).index), payload(1).pack);
    assert_eq!(
        ledger.ask(&ClaimPayload { ..claim(0, "two") }),
        ClaimAnswer::Terminal { state: DeliveryState::Split },
        "its message may come yet"
    );
    ledger.pass(1);
    let packs = ledger.ask(&ListExpiredPacks { before_ms: ledger.now() }).packs;
    assert_eq!(packs.iter().map(|pack| pack.first.as_str()).collect::<Vec<_>>(), ["000000"]);
}

#[test]
fn parked_payload_without_body_can_only_end() {
    for (decision, state) in [
        (DeliveryDecision::Release, DeliveryState::Parked),
        (DeliveryDecision::Resend, DeliveryState::Parked),
        (DeliveryDecision::Drop, DeliveryState::Dropped),
        (DeliveryDecision::Confirm, DeliveryState::Confirmed),
    ] {
        let ledger = Ledger::sealed(1);
        ledger.attempt(0, refused());
        assert!(ledger.ask(&erase(&ledger, PayloadRest::Stays, 0)).erased);
        let answer = ledger.ask(&DecideDelivery { id: id(0), decision, reason: "x".into() });
        assert_eq!((answer.state, answer.erased), (Some(state), true), "{decision:?}");
        assert_eq!(filtered(&ledger), (0, 0));
    }
}
