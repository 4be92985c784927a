//! The skeletons of the requests that a batch logs: their senders, parents and times.
//!
//! Requests come in families: a visitor's, and those that Workers made for it. Families are numbered, and each is drawn
//! from its own seed, so a batch can determine what an earlier one held back without generating it again.
//!
//! # Invariants
//!
//! Rays are unique (unless the plan asks for duplicates), and the clock of each reads 2 to 11 ms before the start. A
//! subrequest begins and ends within its parent. Memory is bounded by a few hundred requests, plus those carried over
//! from the previous batch.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::plan::{FAMILY_SUBREQUESTS, MAX_FAMILY, SamplePlan, mix};
use crate::record::RayId;

/// Average number of subrequests in a family that has any.
const MEAN_SUBREQUESTS: u32 = 2;
/// Number of records that are buffered to be written in a different order.
const SHUFFLED: usize = 256;
const MS: i64 = 1_000_000;
/// Minimum duration of a request that can be the parent of another, in nanoseconds.
const PARENT_NS: i64 = 150 * MS;

/// A request: the details that all datasets report identically.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleRequest {
    /// The Ray ID, which encodes the start time.
    pub ray: RayId,
    /// The ray of the request that a Worker made it for; `None` for a visitor's.
    pub parent: Option<RayId>,
    /// Start of the request, in Unix nanoseconds.
    pub start_ns: i64,
    /// End of the request, in Unix nanoseconds.
    pub end_ns: i64,
    /// Number of subrequests that a Worker made for it, not counting those of subrequests.
    pub subrequests: u32,
    /// Whether a Worker ran for it.
    pub worker: bool,
    /// Whether its record is written in a later batch than its time suggests.
    pub late: bool,
    /// Whether the batch already has its record.
    pub copy: bool,
    /// Number of firewall rules that it matched.
    pub matches: u32,
    /// The seed of its details.
    pub seed: u64,
    /// The seed of the details that a family shares: site, client, data centre.
    pub family_seed: u64,
    /// The subrequests contained in its record, if the plan merges them.
    pub merged: Vec<SampleRequest>,
}

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
            let held = (0..self.held_families(before)).flat_map(|family| self.family(before, family).1);
            requests.admit(held.map(|request| SampleRequest { late: true, ..request }));
        }
        requests
    }

    /// Returns the number of families at the start of batch `number` whose subrequests are in the next batch.
    fn held_families(&self, number: u32) -> u32 {
        let is_last = number.saturating_add(1) >= self.batches;
        // There are fewer than 2^27 records, at most 200 of 1000 of them late.
        if is_last {
            0
        } else {
            self.records_of(number) / 1000 * self.late + self.records_of(number) % 1000 * self.late / 1000
        }
    }

    /// Returns family `family` of batch `number`: the visitor and its subrequests.
    fn family(&self, number: u32, family: u32) -> (SampleRequest, Vec<SampleRequest>) {
        let id = self.records_before(number).wrapping_add(family);
        let mut rng = ChaCha8Rng::seed_from_u64(mix(self.seed, u64::from(id)));
        let maker = RayMaker { seed: self.seed, first: id.wrapping_mul(MAX_FAMILY) };
        let late = rng.random_range(0..1000) < self.late;
        let start_ms =
            self.family_ms(number, family, &mut rng) - if late { rng.random_range(60_000..600_000) } else { 0 };
        let count = self.subrequest_count(&mut rng);
        let lasts_ms = if count > 0 { rng.random_range(300..2000) } else { skewed(&mut rng, 12, 1500) };
        let mut visitor = maker.request(0, None, start_ms, lasts_ms * MS, &mut rng);
        visitor.late = late;
        visitor.worker = count > 0 || rng.random_range(0..1000) < 40;
        visitor.matches = if rng.random_range(0..1000) < 30 { rng.random_range(1..=4) } else { 0 };
        let children = subrequests(&maker, &mut visitor, count, &mut rng);
        (visitor, children)
    }

    /// Draws the approximate start of family `family` of batch `number`: evenly over the window, give or take a few
    /// seconds.
    fn family_ms(&self, number: u32, family: u32, rng: &mut ChaCha8Rng) -> i64 {
        let window = self.window(number);
        let length = window.end - window.start;
        let per_family = if self.merged { 1000 } else { i64::from(1000 * 1000 / (1000 - self.subrequests.min(999))) };
        let even =
            length.saturating_mul(i64::from(family)) / 1000 * per_family / i64::from(self.records_of(number).max(1));
        let around = (length / 8).min(3000);
        (window.start + even + rng.random_range(-around..=around)).clamp(window.start, window.end - 1)
    }

    /// Draws the number of subrequests of the next family, to match the requested share of all records.
    fn subrequest_count(&self, rng: &mut ChaCha8Rng) -> u32 {
        let share = self.subrequests.min(999);
        let families = share * 1000 / ((1000 - share) * MEAN_SUBREQUESTS);
        if rng.random_range(0..1000) >= families { 0 } else { rng.random_range(1..=FAMILY_SUBREQUESTS) }
    }
}

/// Generates the rays of one family.
struct RayMaker {
    seed: u64,
    /// The number of the family's first ray; the numbers of families do not overlap.
    first: u32,
}

impl RayMaker {
    /// Returns the request of member `member`, whose ray's clock reads `ray_ms` or up to 10 ms before.
    fn request(
        &self,
        member: u32,
        parent: Option<RayId>,
        ray_ms: i64,
        lasts_ns: i64,
        rng: &mut ChaCha8Rng,
    ) -> SampleRequest {
        let low = scatter(self.first.wrapping_add(member), self.seed);
        let ray = RayId::at(ray_ms, low).unwrap_or(RayId::from_bits(u64::from(low)));
        let start_ns = ray.unix_ms() * MS + rng.random_range(2 * MS..=11 * MS);
        SampleRequest {
            ray,
            parent,
            start_ns,
            end_ns: start_ns + lasts_ns.max(1) + rng.random_range(0..MS),
            subrequests: 0,
            worker: false,
            late: false,
            copy: false,
            matches: 0,
            seed: rng.random(),
            family_seed: mix(self.seed ^ 0xfa31, u64::from(self.first)),
            merged: Vec::new(),
        }
    }
}

/// Generates `count` subrequests of `visitor`; one in four is made by the previous subrequest, if that lasts long
/// enough.
fn subrequests(maker: &RayMaker, visitor: &mut SampleRequest, count: u32, rng: &mut ChaCha8Rng) -> Vec<SampleRequest> {
    let mut children: Vec<SampleRequest> = Vec::new();
    for member in 1..=count {
        let chained = rng.random_range(0..4) == 0;
        let previous = children.last_mut().filter(|child| chained && child.end_ns - child.start_ns >= PARENT_NS);
        let parent = previous.unwrap_or(visitor);
        let lasts = parent.end_ns - parent.start_ns;
        // The next tick of the ray's clock within the parent's first quarter, so that the start is inside, too.
        let ray_ms = (parent.start_ns + rng.random_range(0..=lasts / 4)) / MS / 10 * 10 + 10;
        let rest = parent.end_ns - ray_ms * MS - 13 * MS;
        let (parent_ray, late) = (parent.ray, parent.late);
        parent.subrequests += 1;
        parent.worker = true;
        let mut child = maker.request(member, Some(parent_ray), ray_ms, rest * rng.random_range(40..=100) / 100, rng);
        child.late = late;
        children.push(child);
    }
    children
}

/// Maps each number below 2^28 to a distinct 28-bit number that does not look sequential.
fn scatter(number: u32, seed: u64) -> u32 {
    const BITS: u32 = (1 << 28) - 1;
    // Each step is invertible: a sum, a product with an odd number, a xor with a right shift.
    let mut bits = number.wrapping_add((mix(seed, 28) >> 36) as u32) & BITS;
    for odd in [0x09e3_779b_u32, 0x05bd_1e95, 0x02b2_ae35] {
        bits = bits.wrapping_mul(odd) & BITS;
        bits ^= bits >> 13;
    }
    bits
}

/// Draws a number from `least` to `most`, usually a small one: the number of digits is uniform.
pub(super) fn skewed(rng: &mut ChaCha8Rng, least: i64, most: i64) -> i64 {
    let spread = (most - least).max(1).ilog2();
    let top = 1_i64 << rng.random_range(0..=spread);
    (least + rng.random_range(0..=top)).min(most)
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
        let (mut visitor, mut children) = self.plan.family(self.number, family);
        if family < self.plan.held_families(self.number) {
            children.clear();
        } else if self.plan.merged {
            visitor.merged = std::mem::take(&mut children);
        }
        let copy = (self.rng.random_range(0..1000) < self.plan.duplicates)
            .then(|| SampleRequest { copy: true, ..visitor.clone() });
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

    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::{SHUFFLED, SamplePlan, scatter, skewed};

    #[test]
    fn scattered_numbers_stay_different_and_within_28_bits() {
        let low: HashSet<u32> = (0..100_000).map(|number| scatter(number, 9)).collect();
        assert!(low.len() == 100_000 && low.iter().all(|&bits| bits < 1 << 28));
    }

    #[test]
    fn skewed_number_keeps_bounds_and_is_mostly_small() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let drawn: Vec<i64> = (0..1000).map(|_| skewed(&mut rng, 10, 5000)).collect();
        assert!(drawn.iter().all(|number| (10..=5000).contains(number)));
        assert!(drawn.iter().filter(|&&number| number < 500).count() > 600);
        assert_eq!(skewed(&mut rng, 7, 7), 7);
    }

    #[test]
    fn few_requests_are_held_at_a_time() {
        let plan = SamplePlan { records: 200_000, batches: 2, ..SamplePlan::default() };
        let mut requests = plan.requests(0);
        while requests.next().is_some() {
            assert!(requests.waiting.len() < SHUFFLED + 8);
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
