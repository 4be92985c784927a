//! The one family of each batch that has everything that a story can have.
//!
//! A visitor is answered with a challenge and solves it. The request that follows runs a Worker, which fetches from
//! another one, and so on, four levels deep; the Worker at the end throws an exception. The record of one more subrequest
//! comes in the next batch.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::request::{MS, RayMaker, SampleFamily, SampleRequest, StoryPart, subrequest};

/// Number of records from which a batch has room for a story.
pub(super) const STORY_RECORDS: u32 = 200;
/// Number of Workers below the visitor's, each called by the one before.
const LEVELS: u32 = 4;

/// Generates a story that begins with the challenge. In the last batch, no record is held for the next one.
pub(super) fn story_family(maker: &RayMaker, start_ms: i64, is_last: bool, rng: &mut ChaCha8Rng) -> SampleFamily {
    let lasts_ns = rng.random_range(15..40) * MS;
    let mut challenged = maker.request(0, None, start_ms, lasts_ns, rng);
    (challenged.story, challenged.matches) = (Some(StoryPart::Challenged), 1);
    let lasts_ns = rng.random_range(2_500..4_000) * MS;
    let mut visitor = maker.request(1, None, start_ms + rng.random_range(3_000..9_000), lasts_ns, rng);
    // The same page, now with the solution.
    visitor.seed = challenged.seed;
    (visitor.story, visitor.matches) = (Some(StoryPart::Solved(challenged.ray)), 1);
    let late = subrequest(maker, LEVELS + 2, &mut visitor, 40, rng);
    let children = chain(maker, &mut visitor, rng);
    let (children, held) = if is_last { ([children, vec![late]].concat(), Vec::new()) } else { (children, vec![late]) };
    SampleFamily { challenged: Some(challenged), visitor, children, held }
}

/// Generates the Workers that call each other; the last one throws.
fn chain(maker: &RayMaker, visitor: &mut SampleRequest, rng: &mut ChaCha8Rng) -> Vec<SampleRequest> {
    let mut levels: Vec<SampleRequest> = Vec::new();
    for member in 2..LEVELS + 2 {
        let called = subrequest(maker, member, levels.last_mut().unwrap_or(visitor), 85, rng);
        levels.push(called);
    }
    if let Some(last) = levels.last_mut() {
        (last.worker, last.story) = (true, Some(StoryPart::Threw));
    }
    levels
}
