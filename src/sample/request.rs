//! One request that a batch logs: its sender, parent and times.
//!
//! # Invariants
//!
//! Rays are unique, and the clock of each reads 2 to 11 ms before the start. A subrequest begins and ends within its
//! parent.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::plan::{MAX_FAMILY, mix};
use crate::record::RayId;

/// Nanoseconds in a millisecond.
pub(super) const MS: i64 = 1_000_000;

/// The part of a request in a story: the one family of each batch with a challenge and a chain of Workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoryPart {
    /// It was answered with a challenge.
    Challenged,
    /// It came with the solution of the challenge that this ray was answered with.
    Solved(RayId),
    /// Its Worker threw an exception.
    Threw,
}

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
    /// Its part in a story; `None` for most.
    pub story: Option<StoryPart>,
    /// The seed of its details.
    pub seed: u64,
    /// The seed of the details that a family shares: site, client, data centre.
    pub family_seed: u64,
    /// The subrequests contained in its record, if the plan merges them.
    pub merged: Vec<SampleRequest>,
}

/// A family of requests.
pub(super) struct SampleFamily {
    /// The request that was answered with the challenge that the visitor's solved.
    pub(super) challenged: Option<SampleRequest>,
    /// The visitor's request.
    pub(super) visitor: SampleRequest,
    /// The requests that Workers made for it.
    pub(super) children: Vec<SampleRequest>,
    /// More of them, whose records are in the next batch.
    pub(super) held: Vec<SampleRequest>,
}

/// Generates the rays of one family.
pub(super) struct RayMaker {
    seed: u64,
    /// The number of the family's first ray; the numbers of families do not overlap.
    first: u32,
}

impl RayMaker {
    /// Creates the maker of the rays of family `id`.
    pub(super) const fn new(seed: u64, id: u32) -> Self {
        Self { seed, first: id.wrapping_mul(MAX_FAMILY) }
    }

    /// Returns the request of member `member`, whose ray's clock reads `ray_ms` or up to 10 ms before.
    pub(super) fn request(
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
            story: None,
            seed: rng.random(),
            family_seed: mix(self.seed ^ 0xfa31, u64::from(self.first)),
            merged: Vec::new(),
        }
    }
}

/// Generates a subrequest of `parent`, which takes at least `least` hundredths of the time that is left to it.
pub(super) fn subrequest(
    maker: &RayMaker,
    member: u32,
    parent: &mut SampleRequest,
    least: i64,
    rng: &mut ChaCha8Rng,
) -> SampleRequest {
    let lasts = parent.end_ns - parent.start_ns;
    // The next tick of the ray's clock within the parent's first quarter, so that the start is inside, too.
    let ray_ms = (parent.start_ns + rng.random_range(0..=lasts / 4)) / MS / 10 * 10 + 10;
    let rest = parent.end_ns - ray_ms * MS - 13 * MS;
    parent.subrequests += 1;
    parent.worker = true;
    let lasts_ns = rest * rng.random_range(least..=100) / 100;
    SampleRequest { late: parent.late, ..maker.request(member, Some(parent.ray), ray_ms, lasts_ns, rng) }
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::{scatter, skewed};

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
}
