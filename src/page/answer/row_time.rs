//! When the request of a row ran.

use super::ray_records::RayRecords;
use super::sentence::request_duration;
use super::worker_trace::TraceFacts;
use crate::record::{Dataset, RayKey};
use crate::story::{Phases, TimingUnit};

const SECOND_NS: i64 = 1_000_000_000;
const MILLISECOND_NS: i64 = 1_000_000;

/// What is known of the time of one row.
pub(super) struct RowTime {
    /// Its start, in Unix nanoseconds.
    pub(super) start: Option<i64>,
    /// Its duration, in nanoseconds.
    pub(super) lasted: Option<i64>,
    /// The phases of its request; none if it has no record.
    pub(super) phases: Phases,
}

impl RowTime {
    /// Reads the times of a ray: from its records, or else from its own clock.
    pub(super) fn new(ray: &str, records: Option<&RayRecords<'_>>) -> Self {
        let clock = RayKey::from_logged(ray).and_then(|key| key.ray()).map(|ray| ray.unix_ms() * MILLISECOND_NS);
        let request = records.and_then(RayRecords::request);
        let phases = request.map(|facts| Phases::from_record(|name| facts.raw(name))).unwrap_or_default();
        let trace = || records?.of(Dataset::WorkersTraceEvents).next();
        let wall = || trace()?.nanoseconds("WallTimeMs", TimingUnit::Milliseconds);
        let start = phases.start_ns.map(|start| finer(start, clock));
        let start =
            start.or_else(|| trace().and_then(|facts| TraceFacts::new(facts).start_ms)?.checked_mul(MILLISECOND_NS));
        Self { start: start.or(clock), lasted: request.and_then(request_duration).or_else(wall), phases }
    }

    /// Returns its end, as far as that is known.
    pub(super) fn end(&self) -> Option<i64> {
        self.start?.checked_add(self.lasted.unwrap_or_default())
    }
}

/// Returns the time of the ray's clock for a start of whole seconds that it agrees with.
fn finer(start: i64, clock: Option<i64>) -> i64 {
    let is_coarse = start % SECOND_NS == 0;
    clock.filter(|clock| is_coarse && (0..SECOND_NS).contains(&clock.saturating_sub(start))).unwrap_or(start)
}
