//! The partner as a whole fails and recovers, with payloads in several ledgers: what is counted, who waits, and how soon
//! everything is out again.

use std::cell::Cell;
use std::rc::Rc;

use raydex::config::Config;
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::ledger::breaker::{BreakerState, PartnerStanding};
use raydex::ledger::ids::PARTNER;
use raydex::ledger::partner::GetPartner;
use raydex::limits::{BREAKER_FAILURES, BREAKER_MAX_MS, BREAKER_MIN_MS};
use raydex::pipeline::PartnerWatch;
use raydex::r2_event::R2Event;

use super::support::gzip::gzip;
use super::support::partner::{KEY, SECOND_KEY, Seen, delivering};
use super::support::records::{http, ndjson, ray};
use super::support::{Consumers, Fault, Kind, NOW_MS, Reply};

/// After the partner's recovery everything that was due is out within this time.
const SOON_MS: i64 = 60_000;

/// A deployment with batches of so many payloads of one line in each of several hours; the partner answers so.
struct Hours {
    consumers: Consumers,
    payloads: u64,
    messages: Vec<String>,
}

impl Hours {
    fn new(hours: u64, payloads: u64, mind: impl Fn(&Seen, usize) -> Reply + 'static) -> Self {
        let consumers = Consumers::new(delivering(&[("BATCH_SIZE", "1")]), mind);
        for hour in 0..hours {
            let key = format!("logs/http_requests/20260328/20260328T{hour:02}4200Z_20260328T{hour:02}4225Z_a.log.gz");
            let rays = hour * payloads..(hour + 1) * payloads;
            let head = consumers.fakes.bucket.store(&key, &gzip(&ndjson(rays.map(|n| http(&ray(n).to_string(), 0)))));
            let event = R2Event::put_object(BUCKET_NAME, &key, head.size, &head.etag, NOW_MS);
            assert_eq!(consumers.parse(&serde_json::to_string(&event).unwrap(), 1).verdict.name(), "sealed");
        }
        let messages = consumers.fakes.sends.take();
        assert_eq!(messages.len() as u64, hours * payloads);
        Self { consumers, payloads: hours * payloads, messages }
    }

    fn standing(&self) -> PartnerStanding {
        let fingerprint = self.consumers.config.delivery.as_ref().unwrap().fingerprint();
        self.consumers.fakes.ledgers.ask(PARTNER, &GetPartner { fingerprint })
    }

    /// Sends every message once.
    fn send_all(&self) {
        self.messages.iter().for_each(|message| drop(self.consumers.send(message, 1)));
    }

    /// Lets so much time go by; then every payload must be delivered, once.
    fn assert_all_within(&self, ms: i64) {
        self.consumers.settle(ms);
        let totals = self.consumers.fakes.ledgers.totals();
        assert_eq!((totals.lines.delivered, totals.lines.parked), (self.payloads, 0), "{totals:?}");
        let stored = self.consumers.partner.stored();
        assert!(stored.len() as u64 == self.payloads && stored.values().all(|times| *times == 1), "{stored:?}");
    }
}

/// A partner that answers so as long as it is told to.
fn until_well(reply: Reply) -> (Rc<Cell<bool>>, impl Fn(&Seen, usize) -> Reply) {
    let is_well = Rc::new(Cell::new(false));
    let known = is_well.clone();
    (is_well, move |_: &Seen, _| if known.get() { Reply::Status(200) } else { reply })
}

#[test]
fn all_ledgers_are_out_a_minute_after_recovery() {
    for (reply, hours) in
        [(Reply::Status(503), 1), (Reply::Status(401), 7), (Reply::Status(302), 7), (Reply::NotSent, 20)]
    {
        // However long it lasts: three days of probes in one ledger, three hours in many.
        let longest_ms = if hours == 1 { 3 * 24 * 3_600_000 } else { 3 * 3_600_000 };
        for outage_ms in [2_000, 90_000, 20 * 60_000, longest_ms] {
            let (is_well, mind) = until_well(reply);
            let hours = Hours::new(hours, 6, mind);
            hours.send_all();
            assert!(hours.standing().is_open(), "{reply:?}");
            hours.consumers.settle(outage_ms);
            assert_eq!(hours.consumers.fakes.ledgers.totals().lines.parked, 0, "an outage parks nothing");
            is_well.set(true);
            hours.assert_all_within(SOON_MS);
            assert_eq!(hours.standing().state, BreakerState::Closed);
        }
    }
}

#[test]
fn outage_is_probed_once_a_minute() {
    let (_, mind) = until_well(Reply::Status(503));
    let hours = Hours::new(12, 5, mind);
    hours.send_all();
    let before = hours.consumers.partner.posts();
    hours.consumers.settle(3_600_000);
    let probes = hours.consumers.partner.posts() - before;
    let most = usize::try_from(3_600_000 / BREAKER_MIN_MS).unwrap();
    assert!((60..=most).contains(&probes), "{probes} probes in an hour");
}

#[test]
fn failures_in_flight_together_do_not_open() {
    let hours = Hours::new(1, 30, |_, _| Reply::Status(503));
    // All of them were claimed before the first one failed.
    let watches: Vec<PartnerWatch> = hours.messages.iter().map(|_| PartnerWatch::default()).collect();
    let fingerprint = hours.consumers.config.delivery.as_ref().unwrap().fingerprint();
    for watch in &watches {
        super::support::run(watch.refresh(&hours.consumers.fakes, &fingerprint));
    }
    for (watch, message) in watches.iter().zip(&hours.messages) {
        assert_eq!(hours.consumers.send_in(watch, message, 1).verdict.name(), "not_stored");
    }
    let standing = hours.standing();
    assert_eq!((standing.state, standing.failures), (BreakerState::Closed, 1));
}

#[test]
fn one_batch_asks_once_while_all_is_well() {
    let hours = Hours::new(1, 20, |_, _| Reply::Status(200));
    let watch = PartnerWatch::default();
    let count = |kind| hours.consumers.fakes.faults.count(kind);
    let before = count(Kind::Ledger);
    for message in &hours.messages {
        assert_eq!(hours.consumers.send_in(&watch, message, 1).verdict.name(), "delivered");
    }
    assert_eq!((count(Kind::Ledger) - before, count(Kind::Partner)), (2 * 20, 1), "a claim and a commit each");
}

#[test]
fn failures_open_within_one_batch_of_messages() {
    let hours = Hours::new(1, 20, |_, _| Reply::Status(503));
    let watch = PartnerWatch::default();
    let said: Vec<_> = hours.messages.iter().map(|message| hours.consumers.send_in(&watch, message, 1)).collect();
    let failed = said.iter().filter(|said| said.verdict.name() == "not_stored").count();
    assert_eq!(failed, BREAKER_FAILURES as usize);
    assert!(said[failed..].iter().all(|said| said.code.as_deref() == Some("breaker_open")), "{said:?}");
}

#[test]
fn key_is_repaired_by_deploying_the_right_one() {
    let mut hours = Hours::new(5, 4, |seen, _| Reply::Status(if seen.key == SECOND_KEY { 200 } else { 401 }));
    hours.send_all();
    hours.consumers.settle(10 * 60_000);
    assert!(hours.standing().is_open());
    assert!(hours.consumers.partner.seen().iter().all(|seen| seen.key == KEY));
    hours.consumers.config = redeployed();
    assert_eq!(hours.standing().state, BreakerState::Closed);
    hours.assert_all_within(SOON_MS);
}

/// The deployment with the other key.
fn redeployed() -> Config {
    delivering(&[("BATCH_SIZE", "1"), ("PARTNER_PRIVATE_KEY", SECOND_KEY)])
}

#[test]
fn probe_that_hangs_delays_no_other_probe() {
    let hours = Hours::new(2, 12, |_, _| Reply::Status(401));
    hours.send_all();
    let partner = &hours.consumers.partner;
    partner.takes_ms.set(110_000);
    hours.consumers.pass(BREAKER_MAX_MS);
    let begun = hours.consumers.now();
    let minutes: Vec<i64> = (0..4).map(|nth| begun + nth * BREAKER_MAX_MS).collect();
    let fingerprint = hours.consumers.config.delivery.as_ref().unwrap().fingerprint();
    // All are admitted before anything is heard of the first one.
    let watches = minutes.iter().map(|at_ms| {
        let watch = PartnerWatch::default();
        hours.consumers.fakes.clock_ms.set(*at_ms);
        super::support::run(watch.refresh(&hours.consumers.fakes, &fingerprint));
        watch
    });
    let watches: Vec<PartnerWatch> = watches.collect();
    for ((at_ms, watch), message) in minutes.iter().zip(&watches).zip(&hours.messages[1..]) {
        hours.consumers.fakes.clock_ms.set(*at_ms);
        assert_eq!(hours.consumers.send_in(watch, message, 1).verdict.name(), "endpoint", "{}", at_ms - begun);
    }
}

#[test]
fn gate_out_of_reach_holds_nothing() {
    let hours = Hours::new(1, 3, |_, _| Reply::Status(200));
    for message in &hours.messages {
        // The question fails, the claim does not.
        hours.consumers.fakes.faults.plan(Some(Kind::Partner), 0, Fault::Fails);
        assert_eq!(hours.consumers.send(message, 1).verdict.name(), "delivered");
        assert!(hours.consumers.fakes.faults.clear());
    }
}
