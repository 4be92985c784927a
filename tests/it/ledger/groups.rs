//! Payloads that are stored and sent in groups. The naive ledger stores each by itself, and is asked for one after the other:
//! whatever happens, both say the same.

use raydex::ledger::books::PayloadView;
use raydex::ledger::breaker::{BreakerState, PartnerStanding};
use raydex::ledger::calls::{
    BatchDetails, ClaimAnswer, ClaimPayload, ClaimPayloads, CommitAnswer, CommitAttempt, CommitAttempts,
    DecideDelivery, DeliveryDecision, GetBatch, GetTotals, ListExpiredPacks, PayloadSelection, RearmAlarm, SealBatch,
    SplitPayload,
};
use raydex::ledger::outage::LearnPartner;
use raydex::ledger::payloads::{ListPayloads, PayloadFilter};
use raydex::ledger::{Alarm, AttemptFacts, AttemptOutcome, DeliveryGroup, DeliveryId, DeliveryState, alarm};
use raydex::limits::{GROUP_PAYLOADS, HOUR_MS, OUTBOX_FIRST_MS};
use raydex::rpc::Call;

use super::random::Random;
use super::support::{Fault, Kind, LEASE_MS, MemoryQueue, run};
use super::{
    Ledger, NAME, begin, claim, closed, delivered, endpoint, halves_of, id, index, not_stored, open, place, refused,
    seal, source, unknown,
};

/// Payloads of a pack: a whole group, and a smaller one.
const PACK: usize = 9;

/// The seal of so many payloads in packs of nine, so many of which are sent together.
fn seal_of(payloads: usize, together: usize) -> SealBatch {
    let mut seal = seal(1, payloads);
    let sealed = seal.plan.as_mut().unwrap();
    sealed.together = together;
    for (number, payload) in sealed.payloads.iter_mut().enumerate() {
        payload.pack = Some(place(number / PACK * PACK, number % PACK));
    }
    seal
}

/// A ledger with a source of so many payloads, so many of which are sent together.
fn sealed(payloads: usize, together: usize) -> Ledger {
    let ledger = Ledger::new();
    ledger.ask(&begin());
    ledger.ask(&seal_of(payloads, together));
    ledger
}

/// The messages of the seal of so many payloads, by their indexes.
fn messages(payloads: usize, together: usize) -> Vec<Vec<String>> {
    let ledger = Ledger::new();
    ledger.ask(&begin());
    let send = ledger.ask(&seal_of(payloads, together)).send;
    send.iter().map(|group| group.ids().map(|id| id.index).collect()).collect()
}

/// The claim of several payloads.
fn claim_of(ids: &[DeliveryId], claimant: &str, standing: &PartnerStanding) -> ClaimPayloads {
    let first = ClaimPayload { id: ids[0].clone(), standing: standing.clone(), ..claim(0, claimant) };
    ClaimPayloads { first, others: ids[1..].iter().map(|id| id.index.clone()).collect() }
}

fn ids(numbers: std::ops::Range<usize>) -> Vec<DeliveryId> {
    numbers.map(id).collect()
}

fn committed(id: &DeliveryId, token: u32, outcome: AttemptOutcome) -> CommitAttempt {
    let facts = AttemptFacts {
        took_ms: Some(i64::from(token) * 10 + if id.index.ends_with('3') { 7 } else { 0 }),
        ..AttemptFacts::default()
    };
    CommitAttempt { id: id.clone(), token, outcome, refusal: None, facts }
}

/// A ledger with its queue.
struct Sending {
    ledger: Ledger,
    queue: MemoryQueue,
}

/// Alarms are rung by hand.
struct Unset;

impl Alarm for Unset {
    async fn set(&self, _: Option<i64>) -> Result<(), raydex::backend::BackendError> {
        Ok(())
    }
}

impl Sending {
    fn new(payloads: usize, together: usize) -> Self {
        let ledger = sealed(payloads, together);
        let queue = MemoryQueue::new(Kind::SendPayload, &ledger.faults);
        Self { ledger, queue }
    }

    /// Rings the alarm; the messages that it sends.
    fn ring(&self) -> Vec<DeliveryGroup> {
        run(alarm(&self.ledger.sql, NAME, &self.queue, &Unset, || self.ledger.now())).unwrap();
        self.queue.take().iter().map(|message| DeliveryGroup::from_message(message).unwrap()).collect()
    }

    /// All that the ledger says of its payloads.
    fn say(&self) -> Vec<String> {
        let ledger = &self.ledger;
        let details = BatchDetails { shards: Vec::new(), ..ledger.ask(&whole()) };
        let mut said = vec![serde_json::to_string(&details).unwrap()];
        said.push(serde_json::to_string(&ledger.ask(&GetTotals {})).unwrap());
        said.push(format!("{:?}", ledger.ask(&ListExpiredPacks { before_ms: ledger.now() + 1 })));
        said.push(format!("{:?}", ledger.answer(&RearmAlarm {}).unwrap().1));
        for state in [DeliveryState::Prepared, DeliveryState::Delivered, DeliveryState::Parked] {
            let filter = PayloadFilter { state: Some(state), ..PayloadFilter::default() };
            let list = ListPayloads { filter, limit: 7, after: Some((source('a'), 1, index(2))) };
            said.push(serde_json::to_string(&ledger.ask(&list)).unwrap());
        }
        said
    }
}

fn whole() -> GetBatch {
    GetBatch { source: source('a'), payloads: PayloadSelection::All }
}

/// Both ledgers, and what is under way.
struct Twins {
    random: Random,
    grouped: Sending,
    naive: Sending,
    claims: Vec<(DeliveryId, u32)>,
    claimants: usize,
}

impl Twins {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let payloads = 1 + random.below(20);
        let (grouped, naive) = (Sending::new(payloads, GROUP_PAYLOADS), Sending::new(payloads, 1));
        Self { random, grouped, naive, claims: Vec::new(), claimants: 0 }
    }

    fn views(&self) -> Vec<PayloadView> {
        self.naive.ledger.ask(&whole()).payloads
    }

    fn any_id(&mut self) -> DeliveryId {
        let views = self.views();
        DeliveryId::from_handle(&self.random.of(&views).id).unwrap()
    }

    /// The same call to both, which must say the same.
    fn both<C: Call>(&self, call: &C) -> C::Answer
    where
        C::Answer: std::fmt::Debug,
    {
        let answer = self.grouped.ledger.ask(call);
        assert_eq!(format!("{answer:?}"), format!("{:?}", self.naive.ledger.ask(call)), "{}", C::NAME);
        answer
    }

    fn standing(&mut self) -> PartnerStanding {
        match self.random.below(8) {
            0 => open(&self.grouped.ledger),
            1 => closed(&self.grouped.ledger),
            _ => PartnerStanding::default(),
        }
    }

    /// Claims what a message names, or anything else.
    fn claim(&mut self, named: Option<&DeliveryGroup>) {
        let all: Vec<DeliveryId> = self.views().iter().map(|view| DeliveryId::from_handle(&view.id).unwrap()).collect();
        let ids: Vec<DeliveryId> = if let Some(group) = named {
            group.ids().collect()
        } else {
            let from = self.random.below(all.len());
            let most = 1 + self.random.below(GROUP_PAYLOADS);
            all.into_iter().skip(from).take(most).collect()
        };
        self.claimants += usize::from(self.random.chance(800));
        let (claimant, standing) = (format!("claimant {}", self.claimants), self.standing());
        let call = claim_of(&ids, &claimant, &standing);
        let answers = self.grouped.ledger.ask(&call);
        let one = |id: &DeliveryId| ClaimPayload { id: id.clone(), ..call.first.clone() };
        let naive: Vec<ClaimAnswer> = ids.iter().map(|id| self.naive.ledger.ask(&one(id))).collect();
        assert_eq!(answers, naive);
        for (id, answer) in ids.into_iter().zip(answers) {
            if let ClaimAnswer::Granted { token, .. } = answer {
                self.claims.push((id, token));
            }
        }
    }

    fn outcome(&mut self) -> AttemptOutcome {
        match self.random.below(14) {
            0 => not_stored(),
            1 => refused(),
            2 => unknown(),
            3 => endpoint(),
            4 => AttemptOutcome::Released { pause_ms: None, place_ms: None },
            5 => AttemptOutcome::Released { pause_ms: Some(500), place_ms: Some(7) },
            6 => AttemptOutcome::Held,
            _ => delivered(),
        }
    }

    /// Commits some of the attempts that are under way: mostly all of one outcome.
    fn commit(&mut self) {
        let count = self.random.below(GROUP_PAYLOADS + 1).min(self.claims.len());
        let from = self.claims.len() - count;
        let is_alike = self.random.chance(600);
        let alike = self.outcome();
        let some = if self.random.chance(900) { self.claims.split_off(from) } else { self.claims[from..].to_vec() };
        let mut attempts = Vec::new();
        for (id, token) in some {
            let outcome = if is_alike { alike.clone() } else { self.outcome() };
            attempts.push(committed(&id, token, outcome));
        }
        attempts.dedup_by(|one, other| one.id == other.id);
        // What the partner took shows that it answers, whichever of them is committed first.
        attempts.sort_by_key(|attempt| !matches!(attempt.outcome, AttemptOutcome::Delivered { .. }));
        let naive: Vec<CommitAnswer> = attempts.iter().map(|attempt| self.naive.ledger.ask(attempt)).collect();
        assert_eq!(self.grouped.ledger.ask(&CommitAttempts { attempts }), naive);
    }

    fn decide(&mut self) {
        let decision = *self.random.of(&[
            DeliveryDecision::Release,
            DeliveryDecision::Resend,
            DeliveryDecision::Drop,
            DeliveryDecision::Confirm,
        ]);
        let call = DecideDelivery { id: self.any_id(), decision, reason: "by hand".into() };
        self.both(&call);
    }

    fn split(&mut self) {
        let Some((id, token)) = self.claims.pop() else { return };
        let views = self.views();
        let view = views.iter().find(|view| view.id == id.handle()).unwrap();
        if view.payload.lines < 2 || view.payload.index.contains('.') {
            return;
        }
        let split_into = halves_of(&id, [4, view.payload.lines - 4]);
        self.both(&SplitPayload { id, token, split_into });
    }

    fn ring(&mut self) {
        let flat = |groups: &[DeliveryGroup]| groups.iter().flat_map(DeliveryGroup::ids).collect::<Vec<_>>();
        let groups = self.grouped.ring();
        assert_eq!(flat(&groups), flat(&self.naive.ring()));
        for group in groups.iter().take(4) {
            self.claim(Some(group));
        }
    }

    fn step(&mut self) {
        match self.random.below(12) {
            0..=2 => self.claim(None),
            3..=5 => self.commit(),
            6 => self.decide(),
            7 => self.split(),
            8 => {
                let standing = self.random.chance(800).then(|| self.standing());
                self.both(&LearnPartner { standing });
            }
            9 | 10 => {
                let ms = *self.random.of(&[1, 1_000, OUTBOX_FIRST_MS, LEASE_MS, HOUR_MS]);
                self.grouped.ledger.pass(ms);
                self.naive.ledger.pass(ms);
            }
            _ => self.ring(),
        }
    }
}

#[test]
fn groups_say_what_payloads_alone_say() {
    for seed in 0..150 {
        let mut twins = Twins::new(seed);
        for step in 0..60 {
            twins.step();
            assert_eq!(twins.grouped.say(), twins.naive.say(), "seed {seed}, step {step}");
        }
    }
}

#[test]
fn messages_name_payloads_of_one_pack() {
    let indexes = |numbers: std::ops::Range<usize>| numbers.map(index).collect::<Vec<_>>();
    let expected = [indexes(0..6), indexes(6..9), indexes(9..15), indexes(15..18), indexes(18..19)];
    assert_eq!(messages(19, GROUP_PAYLOADS), expected);
    assert_eq!(messages(3, 1), [indexes(0..1), indexes(1..2), indexes(2..3)]);
}

#[test]
fn group_is_three_rows_from_seal_to_delivery() {
    let rows_of = |together: usize| {
        let ledger = Ledger::new();
        ledger.ask(&begin());
        let written = |work: &dyn Fn()| {
            let before = ledger.sql.rows_written();
            work();
            ledger.sql.rows_written() - before
        };
        let sealed = written(&|| drop(ledger.ask(&seal_of(6, together))));
        let call = claim_of(&ids(0..6), "one", &PartnerStanding::default());
        let claimed = written(&|| drop(ledger.ask(&call)));
        let call = CommitAttempts { attempts: ids(0..6).iter().map(|id| committed(id, 1, delivered())).collect() };
        let committed = written(&|| drop(ledger.ask(&call)));
        (sealed, claimed, committed)
    };
    let (alone, together) = (rows_of(1), rows_of(6));
    assert_eq!((alone.0 - together.0, alone.1, alone.2), (5, 6, 6));
    assert_eq!((together.1, together.2), (1, 1));
}

#[test]
fn payload_with_a_fate_of_its_own_leaves() {
    let sending = Sending::new(6, 6);
    let ledger = &sending.ledger;
    ledger.ask(&claim_of(&ids(0..6), "one", &PartnerStanding::default()));
    let outcome = |number| if number == 3 { not_stored() } else { delivered() };
    let attempts = (0..6).map(|number| committed(&id(number), 1, outcome(number))).collect();
    assert!(ledger.ask(&CommitAttempts { attempts }).iter().all(|answer| answer.counted));
    ledger.pass(HOUR_MS);
    assert_eq!(sending.ring(), [DeliveryGroup::from(id(3))]);
}

#[test]
fn lost_message_of_a_group_comes_again_whole() {
    let sending = Sending::new(8, 6);
    sending.ledger.pass(OUTBOX_FIRST_MS);
    let rows = sending.ledger.sql.rows_written();
    let payloads: Vec<usize> = sending.ring().iter().map(DeliveryGroup::payloads).collect();
    assert_eq!(payloads, [6, 2]);
    assert_eq!(sending.ledger.sql.rows_written() - rows, 2, "a row for each group");
}

#[test]
fn probe_is_one_payload_of_a_group() {
    let ledger = sealed(6, 6);
    ledger.ask(&LearnPartner { standing: Some(open(&ledger)) });
    let probing = PartnerStanding { state: BreakerState::Probing, ..open(&ledger) };
    let answers = ledger.ask(&claim_of(&ids(0..6), "one", &probing));
    let granted = answers.iter().filter(|answer| matches!(answer, ClaimAnswer::Granted { .. })).count();
    let held = answers.iter().filter(|answer| format!("{answer:?}").contains("BreakerOpen")).count();
    assert_eq!((granted, held), (1, 5), "{answers:?}");
}

/// Does the call, which fails at any of its statements, and says what it comes to.
fn survives<C: Call>(ready: fn() -> Ledger, call: &C) {
    let clean = ready();
    let before = clean.faults.calls();
    clean.ask(call);
    let (statements, rows) = (clean.faults.calls() - before, clean.sql.rows());
    for nth in 0..statements {
        for fault in Fault::BOTH {
            let ledger = ready();
            let untouched = ledger.sql.rows();
            ledger.faults.plan(None, nth, fault);
            assert!(ledger.answer(call).is_err(), "{} statement {nth}", C::NAME);
            assert!(ledger.faults.clear());
            assert_eq!(ledger.sql.rows(), untouched, "{} statement {nth}", C::NAME);
            ledger.ask(call);
            assert_eq!(ledger.sql.rows(), rows, "{} statement {nth}", C::NAME);
        }
    }
}

#[test]
fn call_about_several_happens_whole_or_not() {
    let claimed = || {
        let ledger = sealed(8, 6);
        ledger.ask(&claim_of(&ids(0..6), "one", &PartnerStanding::default()));
        ledger
    };
    survives(|| sealed(8, 6), &claim_of(&ids(0..6), "one", &PartnerStanding::default()));
    survives(|| sealed(8, 6), &claim_of(&ids(4..8), "one", &PartnerStanding::default()));
    let all = |outcome: AttemptOutcome| CommitAttempts {
        attempts: ids(0..6).iter().map(|id| committed(id, 1, outcome.clone())).collect(),
    };
    survives(claimed, &all(delivered()));
    survives(claimed, &all(refused()));
}

#[test]
fn unknown_payloads_among_known_are_said_so() {
    let ledger = sealed(2, 6);
    let mut named = ids(0..2);
    named.insert(1, id(77));
    let answers = ledger.ask(&claim_of(&named, "one", &PartnerStanding::default()));
    let known: Vec<bool> = answers.iter().map(|answer| *answer != ClaimAnswer::Unknown).collect();
    assert_eq!(known, [true, false, true]);
    assert_eq!(
        ledger.ask(&claim_of(&[id(77), id(78)], "one", &PartnerStanding::default())),
        [ClaimAnswer::Unknown, ClaimAnswer::Unknown]
    );
}
