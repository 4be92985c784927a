//! The consumers of both queues and the alarms of the ledgers over the fakes: a deployment without a network.

use std::cell::Cell;

use raydex::backend::BackendError;
use raydex::config::Config;
use raydex::ledger::{Alarm, alarm};
use raydex::pipeline::{
    ParseVerdict, PartnerWatch, PayloadSender, PostSlots, SendVerdict, parse_message, send_message,
};

use super::ledgers::MemoryLedger;
use super::partner::{NONCE, Reply, Seen};
use super::queue::message;
use super::{FakePartner, Fakes, run};

/// A deployment.
pub struct Consumers {
    pub fakes: Fakes,
    pub partner: FakePartner,
    pub config: Config,
    claimants: Cell<u64>,
}

/// Sets the alarm of a ledger.
struct Bell(MemoryLedger);

impl Alarm for Bell {
    async fn set(&self, at_ms: Option<i64>) -> Result<(), BackendError> {
        self.0.set_alarm(at_ms);
        Ok(())
    }
}

impl Consumers {
    /// A deployment with these settings, whose partner answers so.
    pub fn new(config: Config, mind: impl Fn(&Seen, usize) -> Reply + 'static) -> Self {
        let fakes = Fakes::new();
        let partner = FakePartner::new(&fakes.clock_ms, mind);
        Self { fakes, partner, config, claimants: Cell::default() }
    }

    /// Lets time go on.
    pub fn pass(&self, ms: i64) {
        self.fakes.clock_ms.set(self.fakes.clock_ms.get() + ms);
    }

    pub fn now(&self) -> i64 {
        self.fakes.clock_ms.get()
    }

    /// What a message of `parse-queue` comes to.
    pub fn parse(&self, body: &str, attempt: u32) -> ParseVerdict {
        run(parse_message(&self.fakes, &self.config, &message("parse-queue", body, attempt)))
    }

    /// What a message of `send-queue` comes to; every delivery of it is a claimant of its own.
    pub fn send(&self, body: &str, attempt: u32) -> SendVerdict {
        self.send_in(&PartnerWatch::default(), body, attempt)
    }

    /// The same for a message of a batch whose senders know this of the partner.
    pub fn send_in(&self, watch: &PartnerWatch, body: &str, attempt: u32) -> SendVerdict {
        let mut verdicts = self.send_each(watch, body, attempt);
        assert_eq!(verdicts.len(), 1, "{body}");
        verdicts.remove(0)
    }

    /// The same for a message of several payloads: what becomes of each.
    pub fn send_each(&self, watch: &PartnerWatch, body: &str, attempt: u32) -> Vec<SendVerdict> {
        self.claimants.set(self.claimants.get() + 1);
        let sender = PayloadSender {
            services: &self.fakes,
            partner: &self.partner,
            settings: self.config.delivery.as_ref().unwrap(),
            nonce: || NONCE,
            claimant: format!("claimant {}", self.claimants.get()),
            watch,
            load: PostSlots::default().begin(1),
        };
        run(send_message(&sender, &message("send-queue", body, attempt)))
    }

    /// Rings the alarms that are due.
    pub fn ring(&self) {
        for name in self.fakes.ledgers.names() {
            let ledger = self.fakes.ledgers.ledger(&name);
            if ledger.alarm_ms.get().is_some_and(|at| at <= self.now()) {
                ledger.alarm_ms.set(None);
                let bell = Bell(ledger.clone());
                // The shell logs an error: the alarm is set.
                let _logged = run(alarm(&ledger.sql, &name, &self.fakes.sends, &bell, || self.now()));
            }
        }
    }

    /// Sends what is on the queue and lets time go on to the next alarm, again and again, until nothing is left to do
    /// or so much time has gone by.
    pub fn settle(&self, within_ms: i64) {
        let end = self.now() + within_ms;
        loop {
            let messages = self.fakes.sends.take();
            for message in &messages {
                self.send_each(&PartnerWatch::default(), message, 1);
            }
            if !messages.is_empty() {
                continue;
            }
            let names = self.fakes.ledgers.names().into_iter();
            let alarms = names.filter_map(|name| self.fakes.ledgers.ledger(&name).alarm_ms.get());
            let Some(at) = alarms.min() else { return };
            if at > end {
                return self.fakes.clock_ms.set(end.max(self.now()));
            }
            self.fakes.clock_ms.set(at.max(self.now()));
            self.ring();
        }
    }
}
