//! When the request of a row ran, and what of that cannot be.

use super::ray_records::RayRecords;
use super::sentence::request_duration;
use super::texts::duration_text;
use super::worker_trace::TraceFacts;
use crate::record::{Dataset, RayKey};
use crate::story::{Phases, TimingUnit};

const SECOND_NS: i64 = 1_000_000_000;
const MILLISECOND_NS: i64 = 1_000_000;
/// A tick of a ray's clock.
const TICK_NS: i64 = 10 * MILLISECOND_NS;

/// What is known of the time of one row.
#[derive(Debug, Default)]
pub(super) struct RowTime {
    /// Its start, in Unix nanoseconds.
    pub(super) start: Option<i64>,
    /// Its duration, in nanoseconds.
    pub(super) lasted: Option<i64>,
    /// The phases of its request; none if it has no record.
    pub(super) phases: Phases,
    /// How long after its start it may have begun, since clocks tick.
    precision_ns: i64,
    /// Whether its record ends before it starts.
    ends_early: bool,
}

impl RowTime {
    /// Reads the times of a ray: from its records, or else from its own clock.
    pub(super) fn new(ray: &str, records: Option<&RayRecords<'_>>) -> Self {
        let clock = RayKey::from_logged(ray).and_then(|key| key.ray()).map(|ray| ray.unix_ms() * MILLISECOND_NS);
        let request = records.and_then(RayRecords::request);
        let phases = request.map(|facts| Phases::from_record(|name| facts.raw(name))).unwrap_or_default();
        let trace = || records?.of(Dataset::WorkersTraceEvents).next();
        let wall = || trace()?.nanoseconds("WallTimeMs", TimingUnit::Milliseconds);
        let of_trace = || trace().and_then(|facts| TraceFacts::new(facts).start_ms)?.checked_mul(MILLISECOND_NS);
        let logged = phases.start_ns.map(|start| finer(start, clock));
        let logged = logged.or_else(|| Some((of_trace()?, MILLISECOND_NS)));
        let (start, precision_ns) = logged.or_else(|| Some((clock?, TICK_NS))).unzip();
        let end = request.and_then(|facts| facts.nanoseconds("EdgeEndTimestamp", TimingUnit::Instant));
        Self {
            start,
            lasted: request.and_then(request_duration).or_else(wall),
            phases,
            precision_ns: precision_ns.unwrap_or_default(),
            ends_early: phases.start_ns.zip(end).is_some_and(|(start, end)| end < start),
        }
    }

    /// Returns its end, as far as that is known.
    pub(super) fn end(&self) -> Option<i64> {
        self.start?.checked_add(self.lasted.unwrap_or_default())
    }

    /// Returns in words what of its times cannot be, so that no bar contradicts its text in silence.
    pub(super) fn oddities(&self, parent: Option<&Self>) -> Vec<String> {
        let latest = self.start.and_then(|start| start.checked_add(self.precision_ns));
        let starts_early = latest.zip(parent.and_then(|parent| parent.start)).is_some_and(|(own, parent)| own < parent);
        let steps = self.phases.total_ns();
        let is_longer = self.phases.measured_ns.is_some_and(|measured| steps - measured >= self.tolerance_ns());
        let oddities = [
            self.ends_early.then(|| "ends before it starts".to_owned()),
            starts_early.then(|| "starts before its parent".to_owned()),
            is_longer.then(|| format!("its steps take {}", duration_text(steps))),
        ];
        oddities.into_iter().flatten().collect()
    }

    /// By how much the steps of a request may exceed its timestamps: durations are of whole milliseconds, timestamps may be of
    /// whole seconds.
    fn tolerance_ns(&self) -> i64 {
        let is_coarse = self.phases.start_ns.zip(self.phases.measured_ns);
        let is_coarse = is_coarse.is_some_and(|(start, lasted)| start % SECOND_NS == 0 && lasted % SECOND_NS == 0);
        if is_coarse { SECOND_NS } else { MILLISECOND_NS }
    }
}

/// Returns a start with its precision: for one of whole seconds the time of the ray's clock, if they agree.
fn finer(start: i64, clock: Option<i64>) -> (i64, i64) {
    if start % SECOND_NS != 0 {
        return (start, 0);
    }
    let clock = clock.filter(|clock| (0..SECOND_NS).contains(&clock.saturating_sub(start)));
    clock.map_or((start, SECOND_NS), |clock| (clock, TICK_NS))
}

#[cfg(test)]
mod tests {
    use super::super::AnswerRecord;
    use super::super::facts::RecordFacts;
    use super::super::ray_records::RayRecords;
    use super::RowTime;

    /// The time of a request with these members.
    fn time(members: &str) -> RowTime {
        let json = format!(r#"{{"RayID":"9e3556d8c2ab1c05",{members}}}"#);
        let record = serde_json::value::RawValue::from_string(json).unwrap();
        let source =
            AnswerRecord { dataset: "http_requests".to_owned(), record: Some(record), ..AnswerRecord::default() };
        let records = RayRecords { ray: "9e3556d8c2ab1c05".to_owned(), all: vec![RecordFacts::new(&source)] };
        RowTime::new("9e3556d8c2ab1c05", Some(&records))
    }

    #[test]
    fn times_that_cannot_be_are_said() {
        for (members, odd) in [
            (r#""EdgeStartTimestamp":1774687345005000001,"EdgeEndTimestamp":1774687345105000001"#, ""),
            (
                r#""EdgeStartTimestamp":1774687345005000001,"EdgeEndTimestamp":1774687345004000001"#,
                "ends before it starts",
            ),
            (
                r#""EdgeStartTimestamp":1774687345005000001,"EdgeEndTimestamp":1774687345105000001,"EdgeTimeToFirstByteMs":240"#,
                "its steps take 240 ms",
            ),
            // Of whole milliseconds, and of whole seconds.
            (
                r#""EdgeStartTimestamp":1774687345005000001,"EdgeEndTimestamp":1774687345104500001,"EdgeTimeToFirstByteMs":100"#,
                "",
            ),
            (r#""EdgeStartTimestamp":1774687345,"EdgeEndTimestamp":1774687348,"EdgeTimeToFirstByteMs":3900"#, ""),
        ] {
            assert_eq!(time(members).oddities(None).join(", "), odd, "{members}");
        }
    }

    #[test]
    fn child_may_start_a_tick_early() {
        let parent = time(r#""EdgeStartTimestamp":1774687345005000000"#);
        let odd = |members: &str| time(members).oddities(Some(&parent)).len();
        assert_eq!(odd(r#""EdgeStartTimestamp":1774687345004999999"#), 1);
        assert_eq!(odd(r#""EdgeStartTimestamp":1774687345005000000"#), 0);
        // A ray's clock ticks every 10 ms.
        let by_clock = |ray: &str| RowTime::new(ray, None).oddities(Some(&parent)).len();
        let ticks = |ms: i64| format!("{:09x}abc1c05", (ms - 1_350_000_000_000) / 10);
        assert_eq!((by_clock(&ticks(1_774_687_345_000)), by_clock(&ticks(1_774_687_344_980))), (0, 1));
    }
}
