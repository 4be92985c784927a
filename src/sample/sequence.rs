//! The records of a batch in the order in which they are written.
//!
//! # Invariants
//!
//! Memory is bounded by a few hundred requests, plus those carried over from the previous batch.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::plan::{SamplePlan, mix};
use super::request::{SampleFamily, SampleRequest};

/// Number of records that are buffered to be written in a different order.
const SHUFFLED: usize = 256;

impl SamplePlan {
    /// Returns the records of batch `number`, in the order in which they are written.
    #[must_use]
    pub fn requests(&self, number: u32) -> SampleRequests<'_> {
        let rng = ChaCha8Rng::seed_from_u64(mix(self.seed ^ 0x5817, u64::from(number)));
        let mut requests = SampleRequests {
            plan: self,
            number,
            next_family: 0,
            to_come: self.records_of(number),
            waiting: Vec::new(),
            rng,
        };
        if let Some(before) = number.checked_sub(1) {
            let held = (0..self.held_families(before)).flat_map(|family| self.family(before, family).children);
            let of_story = self.story(before).into_iter().flat_map(|family| self.family(before, family).held);
            requests.admit(held.chain(of_story).map(|request| SampleRequest { late: true, ..request }));
        }
        requests
    }
}

/// The records of one batch: generated family by family, and buffered to be written in a different order.
#[derive(Debug)]
pub struct SampleRequests<'p> {
    plan: &'p SamplePlan,
    number: u32,
    next_family: u32,
    /// Number of records still to be generated.
    to_come: u32,
    waiting: Vec<SampleRequest>,
    rng: ChaCha8Rng,
}

impl SampleRequests<'_> {
    /// Buffers `requests`, as far as the batch has room for them.
    fn admit(&mut self, requests: impl IntoIterator<Item = SampleRequest>) {
        for request in requests.into_iter().take(self.to_come as usize) {
            self.to_come -= 1;
            self.waiting.push(request);
        }
    }

    fn make(&mut self) {
        let family = self.next_family;
        self.next_family += 1;
        let SampleFamily { challenged, mut visitor, mut children, .. } = self.plan.family(self.number, family);
        if family < self.plan.held_families(self.number) {
            children.clear();
        } else if self.plan.merged {
            visitor.merged = std::mem::take(&mut children);
        }
        let copy = (self.rng.random_range(0..1000) < self.plan.duplicates)
            .then(|| SampleRequest { copy: true, ..visitor.clone() });
        self.admit(challenged);
        self.admit([visitor]);
        self.admit(copy);
        self.admit(children);
    }
}

impl Iterator for SampleRequests<'_> {
    type Item = SampleRequest;

    fn next(&mut self) -> Option<SampleRequest> {
        while self.waiting.len() < SHUFFLED && self.to_come > 0 {
            self.make();
        }
        if self.waiting.is_empty() {
            return None;
        }
        let chosen = self.rng.random_range(0..self.waiting.len());
        Some(self.waiting.swap_remove(chosen))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::SHUFFLED;
    use crate::sample::SamplePlan;
    use crate::sample::plan::MAX_FAMILY;

    #[test]
    fn few_requests_are_held_at_a_time() {
        let plan = SamplePlan { records: 200_000, batches: 2, ..SamplePlan::default() };
        let mut requests = plan.requests(0);
        while requests.next().is_some() {
            assert!(requests.waiting.len() <= SHUFFLED + MAX_FAMILY as usize);
        }
    }

    #[test]
    fn any_batch_can_be_made_alone() {
        let plan = SamplePlan { records: 300, batches: 3, late: 200, subrequests: 600, ..SamplePlan::default() };
        let held: Vec<_> = plan.requests(2).filter(|request| request.late && request.parent.is_some()).collect();
        let before: HashSet<_> = plan.requests(1).map(|request| request.ray).collect();
        assert!(held.iter().any(|request| before.contains(&request.parent.unwrap())));
        assert!((0..3).all(|number| plan.requests(number).count() == 100));
    }
}
