//! The ledger's own clockwork: what an alarm does, in which order, and when the next one rings.

use std::cell::RefCell;

use raydex::backend::BackendError;
use raydex::ledger::calls::RearmAlarm;
use raydex::ledger::outage::LearnPartner;
use raydex::ledger::{Alarm, AlarmReport, DeliveryId, alarm};
use raydex::limits::{ALARM_AGAIN_MS, ALARM_MESSAGES, BREAKER_MIN_MS, OUTBOX_AGAIN_MS, OUTBOX_FIRST_MS};

use super::support::{Fault, Kind, LEASE_MS, MemoryQueue, run};
use super::{Ledger, NAME, begin, claim, closed, delivered, id, not_stored, open, refused, seal};

/// A ledger with its alarm and its queue.
struct Clockwork {
    ledger: Ledger,
    queue: MemoryQueue,
    /// What the alarm was set to, each time, and how many calls there had been by then.
    set: RefCell<Vec<(Option<i64>, usize)>>,
}

impl Alarm for Clockwork {
    async fn set(&self, at_ms: Option<i64>) -> Result<(), BackendError> {
        self.set.borrow_mut().push((at_ms, self.ledger.faults.calls()));
        Ok(())
    }
}

impl Clockwork {
    fn of(ledger: Ledger) -> Self {
        let queue = MemoryQueue::new(Kind::SendPayload, &ledger.faults);
        Self { ledger, queue, set: RefCell::default() }
    }

    /// A ledger with so many payloads, whose messages are lost.
    fn with(payloads: usize) -> Self {
        Self::of(Ledger::sealed(payloads))
    }

    fn try_ring(&self) -> Result<AlarmReport, BackendError> {
        run(alarm(&self.ledger.sql, NAME, &self.queue, self, || self.ledger.now()))
    }

    /// What an alarm comes to now: leases ended, messages sent.
    fn ring(&self) -> (usize, usize) {
        let AlarmReport { leases_ended, messages } = self.try_ring().unwrap();
        (leases_ended, messages)
    }

    /// Rings whenever the alarm is set to, for so long; the messages sent.
    fn ring_for(&self, ms: i64) -> Vec<DeliveryId> {
        let end = self.ledger.now() + ms;
        let mut rings = 0;
        while let Some(at) = self.next().filter(|at| *at <= end) {
            self.ledger.now_ms.set(at.max(self.ledger.now()));
            self.ring();
            rings += 1;
            assert!(rings < 1000, "it rings all the time");
        }
        self.ledger.now_ms.set(end);
        self.taken()
    }

    /// When it rings next.
    fn next(&self) -> Option<i64> {
        self.set.borrow().last().and_then(|(at_ms, _)| *at_ms)
    }

    /// In how many milliseconds it rings next.
    fn in_ms(&self) -> Option<i64> {
        self.next().map(|at| at - self.ledger.now())
    }

    /// The messages sent since the last look.
    fn taken(&self) -> Vec<DeliveryId> {
        self.queue.take().iter().map(|message| serde_json::from_str(message).unwrap()).collect()
    }
}

#[test]
fn an_idle_ledger_has_no_alarm() {
    let clockwork = Clockwork::of(Ledger::new());
    assert_eq!((clockwork.ring(), clockwork.next()), ((0, 0), None));
    let clockwork = Clockwork::with(2);
    clockwork.ledger.attempt(0, delivered());
    clockwork.ledger.attempt(1, refused());
    assert_eq!((clockwork.ring(), clockwork.next()), ((0, 0), None));
    assert_eq!(clockwork.ledger.answer(&RearmAlarm {}).unwrap().1, None);
}

#[test]
fn it_is_set_again_before_anything_else() {
    let clockwork = Clockwork::with(2);
    clockwork.ledger.pass(OUTBOX_FIRST_MS);
    let calls = clockwork.ledger.faults.calls();
    clockwork.ring();
    let set = clockwork.set.borrow();
    assert_eq!(set[0], (Some(clockwork.ledger.now() + ALARM_AGAIN_MS), calls));
    assert_eq!(set.len(), 2);
}

#[test]
fn error_leaves_the_alarm_set_for_the_rest() {
    let world = || {
        let clockwork = Clockwork::with(3);
        clockwork.ledger.claim(2, "someone who crashes");
        clockwork.ledger.pass(LEASE_MS);
        clockwork
    };
    let clean = world();
    let before = clean.ledger.faults.calls();
    assert_eq!(clean.ring(), (1, 2));
    let calls = clean.ledger.faults.calls() - before;
    for nth in 0..calls {
        for fault in Fault::BOTH {
            let clockwork = world();
            clockwork.ledger.faults.plan(None, nth, fault);
            assert!(clockwork.try_ring().is_err(), "call {nth} {fault:?}");
            assert!(clockwork.ledger.faults.clear());
            assert_eq!(clockwork.in_ms(), Some(ALARM_AGAIN_MS), "call {nth} {fault:?}");
            clockwork.ring();
            assert_eq!(clockwork.ledger.sql.rows(), clean.ledger.sql.rows(), "call {nth} {fault:?}");
            assert_eq!(clockwork.next(), clean.next(), "call {nth} {fault:?}");
            let mut sent = clockwork.taken();
            sent.dedup();
            assert!(sent.starts_with(&[id(0), id(1)]), "call {nth} {fault:?}: {sent:?}");
        }
    }
}

#[test]
fn unclaimed_messages_are_sent_once_per_span() {
    let clockwork = Clockwork::with(3);
    clockwork.ledger.pass(OUTBOX_FIRST_MS - 1);
    assert_eq!((clockwork.ring(), clockwork.in_ms()), ((0, 0), Some(1)));
    clockwork.ledger.pass(1);
    assert_eq!((clockwork.ring(), clockwork.in_ms()), ((0, 3), Some(OUTBOX_AGAIN_MS)));
    assert_eq!(clockwork.taken(), [id(0), id(1), id(2)]);
    // However often it rings.
    for _ in 0..10 {
        clockwork.ledger.pass(OUTBOX_AGAIN_MS / 11);
        assert_eq!(clockwork.ring(), (0, 0));
    }
    assert_eq!(clockwork.ring_for(OUTBOX_AGAIN_MS), [id(0), id(1), id(2)]);
}

#[test]
fn claimed_and_terminal_payloads_get_no_message() {
    let clockwork = Clockwork::with(4);
    clockwork.ledger.claim(0, "someone");
    clockwork.ledger.attempt(1, delivered());
    clockwork.ledger.attempt(2, refused());
    clockwork.ledger.pass(OUTBOX_FIRST_MS);
    assert_eq!(clockwork.ring(), (0, 1));
    assert_eq!(clockwork.taken(), [id(3)]);
}

#[test]
fn failed_payload_is_woken_when_due() {
    let clockwork = Clockwork::with(1);
    clockwork.ledger.attempt(0, not_stored());
    let due = clockwork.ledger.number(0, "next_attempt_ms").unwrap();
    assert_eq!((clockwork.ring(), clockwork.next()), ((0, 0), Some(due)));
    clockwork.ledger.now_ms.set(due);
    assert_eq!(clockwork.ring(), (0, 1));
}

#[test]
fn a_lease_that_is_over_is_ended_once() {
    let clockwork = Clockwork::with(1);
    clockwork.ledger.claim(0, "someone who crashes");
    clockwork.ledger.pass(LEASE_MS - 1);
    assert_eq!((clockwork.ring(), clockwork.in_ms()), ((0, 0), Some(1)));
    clockwork.ledger.pass(1);
    assert_eq!((clockwork.ring(), clockwork.ledger.number(0, "unknown_outcomes")), ((1, 0), Some(1)));
    assert_eq!(clockwork.ring(), (0, 0));
    assert_eq!(clockwork.next(), clockwork.ledger.number(0, "next_attempt_ms"));
}

#[test]
fn messages_beyond_one_turn_follow_at_once() {
    let clockwork = Clockwork::of(Ledger::new());
    clockwork.ledger.ask(&begin());
    clockwork.ledger.ask(&seal(1, ALARM_MESSAGES + 7));
    clockwork.ledger.pass(OUTBOX_FIRST_MS);
    assert_eq!(clockwork.ring(), (0, ALARM_MESSAGES));
    assert!(clockwork.in_ms().is_some_and(|ms| ms <= 0));
    assert_eq!((clockwork.ring(), clockwork.in_ms()), ((0, 7), Some(OUTBOX_AGAIN_MS)));
    let mut sent = clockwork.taken();
    sent.sort();
    sent.dedup();
    assert_eq!(sent.len(), ALARM_MESSAGES + 7);
}

/// A clockwork that knows of the partner's outage, with so many payloads that were not tried, whose messages are lost, and
/// one that failed.
fn held(payloads: usize) -> Clockwork {
    let clockwork = Clockwork::with(payloads + 1);
    clockwork.ledger.pass(OUTBOX_FIRST_MS);
    clockwork.ledger.attempt(payloads, not_stored());
    clockwork.ledger.ask(&LearnPartner { standing: Some(open(&clockwork.ledger)) });
    clockwork
}

#[test]
fn open_breaker_holds_messages_until_its_end() {
    let clockwork = held(20);
    assert_eq!((clockwork.ring(), clockwork.in_ms()), ((0, 0), Some(BREAKER_MIN_MS)));
    assert_eq!(clockwork.ring_for(BREAKER_MIN_MS - 1), []);
}

#[test]
fn half_open_breaker_lets_one_message_out() {
    let clockwork = held(20);
    clockwork.ledger.pass(BREAKER_MIN_MS);
    assert_eq!(clockwork.ring(), (0, 1));
    assert_eq!(clockwork.taken(), [id(0)], "one that was not tried before those that failed");
    // A message needs a moment; if it is lost, the next one follows.
    assert_eq!(clockwork.in_ms(), Some(BREAKER_MIN_MS));
    assert_eq!(clockwork.ring_for(BREAKER_MIN_MS), [id(1)]);
    assert!(clockwork.ring_for(10 * 60_000).len() >= 10, "one in a minute at least");
    // And it is well: all go out at once.
    clockwork.ledger.ask(&LearnPartner { standing: Some(closed(&clockwork.ledger)) });
    assert_eq!(clockwork.ring(), (0, 21));
}

#[test]
fn lost_probe_is_sent_again_soon() {
    let clockwork = held(0);
    clockwork.ledger.pass(10 * 60_000);
    clockwork.ring();
    assert_eq!(clockwork.taken().len(), 1);
    assert!(clockwork.in_ms().is_some_and(|ms| ms <= 60_000), "{:?}", clockwork.in_ms());
}

#[test]
fn lease_ends_in_time_despite_an_open_breaker() {
    let clockwork = Clockwork::with(8);
    clockwork.ledger.claim(7, "someone who crashes");
    clockwork.ledger.pass(LEASE_MS - 1000);
    clockwork.ledger.ask(&LearnPartner { standing: Some(open(&clockwork.ledger)) });
    clockwork.ring();
    clockwork.ring_for(1000);
    assert_eq!(clockwork.ledger.state(7), "prepared");
}

#[test]
fn message_claimed_during_the_alarm_is_not_marked() {
    let clockwork = Clockwork::with(1);
    clockwork.ledger.pass(OUTBOX_FIRST_MS);
    // The clock is read before the messages go out and behind them: meanwhile someone claims.
    let looks = std::cell::Cell::new(0);
    let clock = || {
        looks.set(looks.get() + 1);
        if looks.get() == 3 {
            clockwork.ledger.ask(&claim(0, "someone"));
        }
        clockwork.ledger.now()
    };
    run(alarm(&clockwork.ledger.sql, NAME, &clockwork.queue, &clockwork, clock)).unwrap();
    assert_eq!(clockwork.ledger.number(0, "wake_ms"), Some(clockwork.ledger.now() + LEASE_MS));
    assert_eq!(clockwork.in_ms(), Some(LEASE_MS));
}

#[test]
fn nudge_reports_when_the_alarm_was_due() {
    let ledger = Ledger::sealed(1);
    let due = ledger.now() + OUTBOX_FIRST_MS;
    assert_eq!(ledger.answer(&RearmAlarm {}).unwrap().1, Some(due));
    assert_eq!(ledger.pass(10 * OUTBOX_FIRST_MS).answer(&RearmAlarm {}).unwrap().1, Some(due), "at once");
}
