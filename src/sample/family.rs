//! The families of a plan: a visitor's request, and those that Workers made for it.
//!
//! Families are numbered, and each is drawn from its own seed, so a batch can determine what an earlier one held back
//! without generating it again.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::plan::{FAMILY_SUBREQUESTS, SamplePlan, mix};
use super::request::{MS, RayMaker, SampleFamily, SampleRequest, skewed, subrequest};
use super::story::{STORY_RECORDS, story_family};

/// Average number of subrequests in a family that has any.
const MEAN_SUBREQUESTS: u32 = 2;
/// Minimum duration of a request that can be the parent of another, in nanoseconds.
const PARENT_NS: i64 = 150 * MS;

impl SamplePlan {
    /// Returns the number of families at the start of batch `number` whose subrequests are in the next batch.
    pub(super) fn held_families(&self, number: u32) -> u32 {
        let is_last = number.saturating_add(1) >= self.batches;
        // There are fewer than 2^27 records, at most 200 of 1000 of them late.
        if is_last {
            0
        } else {
            self.records_of(number) / 1000 * self.late + self.records_of(number) % 1000 * self.late / 1000
        }
    }

    /// Returns the family of batch `number` that is a [story](super::story): the first whose subrequests it has itself.
    pub(super) fn story(&self, number: u32) -> Option<u32> {
        let family = self.held_families(number);
        (self.subrequests > 0 && self.records_of(number) >= STORY_RECORDS).then_some(family)
    }

    /// Returns family `family` of batch `number`.
    pub(super) fn family(&self, number: u32, family: u32) -> SampleFamily {
        let id = self.records_before(number).wrapping_add(family);
        let mut rng = ChaCha8Rng::seed_from_u64(mix(self.seed, u64::from(id)));
        let maker = RayMaker::new(self.seed, id);
        let late = rng.random_range(0..1000) < self.late;
        let at_ms = self.family_ms(number, family, &mut rng);
        if self.story(number) == Some(family) {
            return story_family(&maker, at_ms, number.saturating_add(1) >= self.batches, &mut rng);
        }
        let start_ms = at_ms - if late { rng.random_range(60_000..600_000) } else { 0 };
        let count = self.subrequest_count(&mut rng);
        let lasts_ms = if count > 0 { rng.random_range(300..2000) } else { skewed(&mut rng, 12, 1500) };
        let mut visitor = maker.request(0, None, start_ms, lasts_ms * MS, &mut rng);
        visitor.late = late;
        visitor.worker = count > 0 || rng.random_range(0..1000) < 40;
        visitor.matches = if rng.random_range(0..1000) < 30 { rng.random_range(1..=4) } else { 0 };
        let children = subrequests(&maker, &mut visitor, count, &mut rng);
        SampleFamily { challenged: None, visitor, children, held: Vec::new() }
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

/// Generates `count` subrequests of `visitor`; one in four is made by the previous subrequest, if that lasts long
/// enough.
fn subrequests(maker: &RayMaker, visitor: &mut SampleRequest, count: u32, rng: &mut ChaCha8Rng) -> Vec<SampleRequest> {
    let mut children: Vec<SampleRequest> = Vec::new();
    for member in 1..=count {
        let chained = rng.random_range(0..4) == 0;
        let previous = children.last_mut().filter(|child| chained && child.end_ns - child.start_ns >= PARENT_NS);
        let child = subrequest(maker, member, previous.unwrap_or(visitor), 40, rng);
        children.push(child);
    }
    children
}
