//! The life of a payload: every call in every state. `lifecycle.txt` is the table; each line of it is a life of its own.

use std::fmt::Write;

use raydex::ledger::calls::{
    ClaimAnswer, ClaimPayload, CommitAnswer, CommitAttempt, DecideDelivery, DeliveryDecision, SplitPayload,
};
use raydex::ledger::delivery::Payload;
use raydex::ledger::{AttemptFacts, AttemptOutcome};
use raydex::limits::{OUTBOX_FIRST_MS, RELEASED_MIN_MS, RETRY_MIN_MS};
use raydex::partner::OnUnknown;
use raydex::rpc::Call;

use super::support::LEASE_MS;
use super::{Ledger, claim, delivered, endpoint, halves, halves_of, id, not_stored, refused, unknown};

const TABLE: &str = include_str!("lifecycle.txt");

/// How a payload comes to a state.
type State = fn(&Ledger);
/// What is done then; the answer in words, and when it has the ledger wake.
type Step = fn(&Ledger) -> (String, Option<i64>);

const STATES: [(&str, State); 16] = [
    ("fresh", |_| ()),
    ("claimed by one", |ledger| first(ledger, OnUnknown::Resend)),
    ("claimed by one, and the lease is nearly over", |ledger| {
        first(ledger, OnUnknown::Resend);
        ledger.pass(LEASE_MS - 1);
    }),
    ("claimed by one, and the lease is over: resend", |ledger| over(ledger, OnUnknown::Resend)),
    ("claimed by one, and the lease is over: park", |ledger| over(ledger, OnUnknown::Park)),
    ("in doubt: resend", |ledger| in_doubt(ledger, OnUnknown::Resend)),
    ("in doubt: park", |ledger| in_doubt(ledger, OnUnknown::Park)),
    ("in doubt, and released by a person", |ledger| {
        in_doubt(ledger, OnUnknown::Park);
        decide(ledger, DeliveryDecision::Release);
    }),
    ("waits after one's attempt", |ledger| ended(ledger, not_stored())),
    ("claimed by two after one's attempt", |ledger| {
        ended(ledger, not_stored());
        ledger.pass(60_000).claim(0, "two");
    }),
    ("delivered by one", |ledger| ended(ledger, delivered())),
    ("delivered by one, and resent by a person", |ledger| {
        ended(ledger, delivered());
        decide(ledger, DeliveryDecision::Resend);
    }),
    ("refused to one", |ledger| ended(ledger, refused())),
    ("dropped", |ledger| {
        ended(ledger, refused());
        decide(ledger, DeliveryDecision::Drop);
    }),
    ("confirmed", |ledger| {
        ended(ledger, refused());
        decide(ledger, DeliveryDecision::Confirm);
    }),
    ("split by one", |ledger| {
        first(ledger, OnUnknown::Resend);
        ledger.ask(&split(4, 6));
    }),
];

const STEPS: [(&str, Step); 15] = [
    ("claim by one", |ledger| claimed(ledger, "one")),
    ("claim by two", |ledger| claimed(ledger, "two")),
    ("one: delivered", |ledger| committed(ledger, 1, delivered())),
    ("one: not stored", |ledger| committed(ledger, 1, not_stored())),
    ("one: unknown", |ledger| committed(ledger, 1, unknown())),
    ("one: refused", |ledger| committed(ledger, 1, refused())),
    ("one: endpoint", |ledger| committed(ledger, 1, endpoint())),
    ("one: released", |ledger| committed(ledger, 1, AttemptOutcome::Released { pause_ms: None, place_ms: None })),
    ("nobody: delivered", |ledger| committed(ledger, 9, delivered())),
    ("split", |ledger| {
        let (answer, wake_ms) = ledger.answer(&split(4, 6)).unwrap();
        (format!("{} messages", answer.send.len()), wake_ms)
    }),
    ("wrong halves", |ledger| {
        let outcome = ledger.answer(&split(4, 7));
        (outcome.map_or_else(|_| "error".into(), |(answer, _)| format!("{} messages", answer.send.len())), None)
    }),
    ("release", |ledger| decide(ledger, DeliveryDecision::Release)),
    ("resend", |ledger| decide(ledger, DeliveryDecision::Resend)),
    ("drop", |ledger| decide(ledger, DeliveryDecision::Drop)),
    ("confirm", |ledger| decide(ledger, DeliveryDecision::Confirm)),
];

fn first(ledger: &Ledger, on_unknown: OnUnknown) {
    ledger.ask(&ClaimPayload { on_unknown, ..claim(0, "one") });
}

fn over(ledger: &Ledger, on_unknown: OnUnknown) {
    first(ledger, on_unknown);
    ledger.pass(LEASE_MS);
}

/// A claim of someone else's ends a lease, as the alarm does.
fn in_doubt(ledger: &Ledger, on_unknown: OnUnknown) {
    over(ledger, on_unknown);
    let other = ledger.ask(&claim(0, "three"));
    assert!(!matches!(other, ClaimAnswer::Granted { .. }));
}

fn ended(ledger: &Ledger, outcome: AttemptOutcome) {
    let token = ledger.claim(0, "one");
    ledger.commit(0, token, outcome);
}

fn claimed(ledger: &Ledger, claimant: &str) -> (String, Option<i64>) {
    let (answer, wake_ms) = ledger.answer(&claim(0, claimant)).unwrap();
    let words = match answer {
        ClaimAnswer::Granted { token, attempt, .. } => format!("token {token}, attempt {attempt}"),
        ClaimAnswer::Wait { until_ms, why } => format!("wait for {}: {why:?}", when(ledger, Some(until_ms))),
        ClaimAnswer::Terminal { state } => format!("is {}", state.name()),
        ClaimAnswer::Unknown => "no such".into(),
    };
    (words, wake_ms)
}

fn committed(ledger: &Ledger, token: u32, outcome: AttemptOutcome) -> (String, Option<i64>) {
    let (answer, wake_ms) = ledger
        .answer(&CommitAttempt { id: id(0), token, outcome, refusal: None, facts: AttemptFacts::default() })
        .unwrap();
    (if answer.counted { "counts" } else { "too late" }.into(), wake_ms)
}

fn decide(ledger: &Ledger, decision: DeliveryDecision) -> (String, Option<i64>) {
    let (answer, wake_ms) = ledger.answer(&DecideDelivery { id: id(0), decision, reason: "by_hand".into() }).unwrap();
    (format!("{} messages", answer.send.len()), wake_ms)
}

/// The payload in two, with so many lines each.
fn split(first: u64, second: u64) -> SplitPayload {
    SplitPayload { id: id(0), token: 1, split_into: halves(0, [first, second]) }
}

/// An instant, by what it is counted from.
fn when(ledger: &Ledger, at_ms: Option<i64>) -> String {
    let Some(at_ms) = at_ms else { return "never".into() };
    let pause = |number: i64| RETRY_MIN_MS * number * 3 / 4..=RETRY_MIN_MS * number * 5 / 4;
    let breath = RELEASED_MIN_MS * 3 / 4..=RELEASED_MIN_MS * 5 / 4;
    let words = match at_ms - ledger.now() {
        ..0 => "overdue",
        0 => "now",
        1 => "a moment",
        OUTBOX_FIRST_MS => "the outbox",
        LEASE_MS => "a lease",
        ms if breath.contains(&ms) => "a breath",
        ms if pause(1).contains(&ms) => "a pause",
        ms if pause(2).contains(&ms) => "a long pause",
        _ => panic!("{at_ms} is none of these"),
    };
    words.into()
}

/// The payload's state, when the ledger sees to it, attempts, those in doubt.
fn shown(ledger: &Ledger) -> String {
    let number = |column| ledger.number(0, column).unwrap();
    let (state, wake) = (ledger.state(0), when(ledger, ledger.number(0, "wake_ms")));
    format!("{state}, {wake}, {} attempts, {} in doubt", number("attempts"), number("unknown_outcomes"))
}

/// The whole table, as it is now.
fn table() -> String {
    let mut table = String::new();
    for (state, reach) in STATES {
        let ledger = Ledger::sealed(1);
        reach(&ledger);
        writeln!(table, "{state}: {}", shown(&ledger)).unwrap();
        for (step, take) in STEPS {
            let ledger = Ledger::sealed(1);
            reach(&ledger);
            let before = ledger.number(0, "wake_ms");
            let (answer, wake_ms) = take(&ledger);
            writeln!(table, "    {step:<19} {answer:<26} {}", shown(&ledger)).unwrap();
            let after = ledger.number(0, "wake_ms");
            let told = after.is_none_or(|at| wake_ms.is_some_and(|wake| wake <= at));
            assert!(told || after == before, "{state}, {step}: the alarm is to ring at {after:?}, not at {wake_ms:?}");
        }
    }
    table
}

#[test]
fn every_call_in_every_state_matches_the_table() {
    let now = table();
    assert_eq!(now, TABLE, "it is now:\n{now}");
}

#[test]
fn every_call_asked_for_again_changes_nothing_more() {
    for (state, reach) in STATES {
        for (step, take) in STEPS {
            let ledger = Ledger::sealed(1);
            reach(&ledger);
            take(&ledger);
            let rows = ledger.sql.rows();
            // A person who asks again has changed their mind; everyone else has lost an answer.
            take(&ledger);
            assert_eq!(ledger.sql.rows(), rows, "{state}, {step}");
        }
    }
}

#[test]
fn only_the_claimant_gets_a_lost_answer_again() {
    let ledger = Ledger::sealed(1);
    let first = ledger.ask(&claim(0, "one"));
    let rows = ledger.sql.rows();
    for _ in 0..3 {
        ledger.pass(LEASE_MS / 4);
        assert_eq!(ledger.again_is_the_same(&claim(0, "one"), &rows), first);
        assert!(matches!(ledger.again_is_the_same(&claim(0, "two"), &rows), ClaimAnswer::Wait { .. }));
    }
}

#[test]
fn a_payload_that_there_is_not_is_nobodys() {
    let ledger = Ledger::sealed(1);
    let rows = ledger.sql.rows();
    assert_eq!(ledger.again_is_the_same(&claim(7, "one"), &rows), ClaimAnswer::Unknown);
    let commit =
        CommitAttempt { id: id(7), token: 0, outcome: delivered(), refusal: None, facts: AttemptFacts::default() };
    assert_eq!(ledger.again_is_the_same(&commit, &rows), CommitAnswer { counted: false, state: None });
    let decision = DecideDelivery { id: id(7), decision: DeliveryDecision::Resend, reason: String::new() };
    assert_eq!(ledger.again_is_the_same(&decision, &rows).before, None);
    assert!(ledger.refusal(&SplitPayload { id: id(7), ..split(4, 6) }).contains("no such payload"));
}

#[test]
fn halves_are_the_whole_in_two_or_nothing() {
    let right = split(4, 6);
    let named = |index: &str| Payload { index: index.into(), ..right.split_into[0].clone() };
    let wrong = [
        vec![],
        vec![right.split_into[0].clone()],
        vec![Payload { lines: 10, ..right.split_into[0].clone() }],
        vec![right.split_into[1].clone(), right.split_into[0].clone()],
        vec![named("000000.0"), named("000000.0")],
        vec![named("000001.0"), right.split_into[1].clone()],
        [right.split_into.clone(), vec![Payload { lines: 0, ..named("000000.2") }]].concat(),
    ];
    for halves in wrong {
        let ledger = Ledger::sealed(1);
        ledger.claim(0, "one");
        assert!(
            ledger.refusal(&SplitPayload { split_into: halves.clone(), ..right.clone() }).contains("not the whole"),
            "{halves:?}"
        );
        assert_eq!(ledger.ask(&right).send.len(), 2);
    }
}

#[test]
fn halves_split_again_and_name_their_messages() {
    let ledger = Ledger::sealed(1);
    ledger.claim(0, "one");
    let [first, second] = &ledger.ask(&split(4, 6)).send[..] else { panic!("two halves") };
    assert_eq!([&*first.index, &*second.index], ["000000.0", "000000.1"]);
    let token = match ledger.ask(&ClaimPayload { id: second.clone(), ..claim(0, "two") }) {
        ClaimAnswer::Granted { token, .. } => token,
        other => panic!("{other:?}"),
    };
    assert_eq!(ledger.ask(&split(4, 6)).send, std::slice::from_ref(first), "the other one is being sent");
    let answer = ledger.ask(&SplitPayload { id: second.clone(), token, split_into: halves_of(second, [3, 3]) });
    let names: Vec<&str> = answer.send.iter().map(|id| id.index.as_str()).collect();
    assert_eq!(names, ["000000.1.0", "000000.1.1"]);
    assert!(SplitPayload::NAME.ends_with("split"));
}
