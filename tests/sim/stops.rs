//! Backfills that a person stops and resumes: between the two, nothing of them goes out.

use std::collections::BTreeMap;

use raydex::ledger::DeliveryWindow;
use raydex::ledger::backfill_sums::SumBackfill;
use raydex::ledger::ids::{PARTNER, REGISTRY};
use raydex::ledger::pacer::{BackfillHold, HoldBackfills};
use raydex::limits::STOP_MS;
use raydex::rpc::Call;

use super::faults::Plan;
use super::partner::Seen;
use super::random::Random;
use super::run::Run;

/// Steps of a thousand in which someone stops or resumes a backfill, in worlds with rates.
const SWITCHES: u64 = 3;
/// The backfills that share those of batches, where rates are given.
const SHARED: [i64; 2] = [-1, -2];

/// The window whose lines the cron counts: of no matter here.
const TO_COUNT: DeliveryWindow = DeliveryWindow { start_ms: 0, end_ms: 1 };

/// What was stopped, and when.
#[derive(Debug)]
pub(crate) struct Stops {
    /// Draws them, apart from everything else.
    random: Random,
    /// Number of stops and resumes so far.
    steps: u64,
    /// The backfills that are stopped, each with the time.
    stopped: BTreeMap<i64, i64>,
    /// Those that were resumed: the backfill, from when until when it was stopped.
    over: Vec<(i64, i64, i64)>,
}

impl Stops {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed ^ 0x570b), steps: 0, stopped: BTreeMap::new(), over: Vec::new() }
    }

    /// Nothing of a backfill began to go out while it was stopped, but what had been given its turn before.
    pub(crate) fn judge(&self, backfills: &BTreeMap<&str, i64>, seen: &[Seen]) -> Result<(), String> {
        for (id, from_ms, until_ms) in &self.over {
            let is_of = |seen: &&Seen| backfills.get(seen.batch_id.as_str()) == Some(id);
            let is_late = |seen: &&Seen| (from_ms + STOP_MS + 1..*until_ms).contains(&seen.at_ms);
            if let Some(seen) = seen.iter().filter(is_of).find(is_late) {
                let after_ms = seen.at_ms - from_ms;
                return Err(format!("{} went out {after_ms} ms after backfill {id} was stopped", seen.batch_id));
            }
        }
        Ok(())
    }

    /// Number of stops that are over.
    pub(crate) fn count(&self) -> u64 {
        self.over.len() as u64
    }
}

impl Run {
    /// Someone stops a backfill now and then, or resumes it.
    pub(super) fn switch_some(&mut self) {
        let is_stormy = matches!(self.platform.faults.borrow().plan, Plan::Share(_));
        if self.setting.rates.is_some() && is_stormy && self.stops.random.chance(SWITCHES) {
            let again = self.batches.iter().flat_map(|batch| &batch.again).map(|(id, _)| *id);
            let ids: Vec<i64> = SHARED.into_iter().chain(again).collect();
            let id = *self.stops.random.of(&ids);
            if self.stops.stopped.contains_key(&id) { self.resume(id) } else { self.stop(id) }
        }
    }

    /// Whatever is stopped goes on.
    pub(super) fn resume_all(&mut self) {
        while let Some(id) = self.stops.stopped.keys().next().copied() {
            self.resume(id);
        }
    }

    fn stop(&mut self, id: i64) {
        self.hold(id, true);
        self.stops.stopped.insert(id, self.platform.time.now_ms());
    }

    fn resume(&mut self, id: i64) {
        if let Some(from_ms) = self.stops.stopped.remove(&id) {
            self.stops.over.push((id, from_ms, self.platform.time.now_ms()));
        }
        self.hold(id, false);
        // Every other time no cron tells the ledgers: payloads ask by themselves.
        if self.stops.random.chance(500) {
            let names: Vec<String> = self.platform.ledgers.borrow().keys().cloned().collect();
            let hours = names.iter().filter(|name| ![REGISTRY, PARTNER].contains(&name.as_str()));
            hours.for_each(|name| self.tell(name, &SumBackfill { id, window: TO_COUNT, runs: true }));
        }
    }

    /// Tells the pacer.
    fn hold(&mut self, id: i64, stopped: bool) {
        self.stops.steps += 1;
        let hold = |steps, stopped| HoldBackfills { backfills: vec![BackfillHold { id, steps, stopped }] };
        self.tell(PARTNER, &hold(self.stops.steps, stopped));
        // News of before come late.
        self.tell(PARTNER, &hold(self.stops.steps.saturating_sub(1), !stopped));
    }

    /// Calls an object until its database does not fail.
    fn tell(&self, name: &str, call: &impl Call) {
        let body = call.to_body();
        let mut answer = self.platform.answer(name, call_name(call), &body);
        for _ in 0..100 {
            if answer.is_ok() {
                return;
            }
            answer = self.platform.answer(name, call_name(call), &body);
        }
        panic!("{name} never answers: {answer:?}");
    }
}

/// The name of a call.
const fn call_name<C: Call>(_: &C) -> &'static str {
    C::NAME
}
