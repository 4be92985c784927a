//! Coverage by what batches hold and were named for, against a naive reading of their records.

use std::ops::RangeInclusive;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};
use raydex::bucket_keys::batch_key;
use raydex::record::{Dataset, RayId};
use raydex::time::rfc3339;
use serde_json::{Value, json};

use super::support::Fakes;
use super::support::records::ndjson;
use super::{Ask, json as body};

/// 2026-03-28T08:00:00Z, which is the end of the range.
const END: i64 = 1_774_684_800_000;
const START: i64 = END - 6 * HOUR;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// All times are multiples of it, and half of it is on no border.
const STEP: i64 = 10_000;
/// A hole that parts the records of a batch, one that makes a name doubtful, and the longest name that is believed.
const HOLE: i64 = 655_360;
const LATE: i64 = HOUR;
const NAME: i64 = 10 * MINUTE;

fn coverage(fakes: &Fakes) -> Value {
    body(&Ask::get(&format!("/v1/coverage?start={}&end={}", rfc3339(START), rfc3339(END))).of(fakes))
}

fn windows(list: &[(i64, i64)]) -> Value {
    list.iter().map(|(start, end)| json!({ "start": rfc3339(*start), "end": rfc3339(*end) })).collect()
}

fn lines(times: &[i64]) -> Vec<u8> {
    ndjson((0_u32..).zip(times).map(|(number, at_ms)| {
        let (ray, at) = (RayId::at(*at_ms, number).unwrap(), rfc3339(*at_ms));
        format!(r#"{{"RayID":"{ray}","ClientIP":"192.0.2.1","EdgeStartTimestamp":"{at}"}}"#)
    }))
}

fn key(start_ms: i64, end_ms: i64, number: u32) -> String {
    batch_key("logs/", Dataset::HttpRequests, start_ms, end_ms, number)
}

fn put(fakes: &Fakes, key: &str, text: &[u8]) {
    fakes.index(key, Dataset::HttpRequests, text);
}

#[test]
fn late_records_extend_no_window() {
    let fakes = Fakes::new();
    let at = END - HOUR;
    put(&fakes, &key(at, at + 30_000, 1), &lines(&[at - 8 * MINUTE, at + 1_000, at + 29_000]));
    let found = coverage(&fakes);
    assert_eq!(found["complete"], windows(&[(at, at + 30_000)]));
    assert_eq!(found["late"], windows(&[(at - 8 * MINUTE, at)]));
    assert_eq!((&found["late_batches"], &found["late_by_s"], &found["batches"]), (&1.into(), &480.into(), &1.into()));
    // Complete all the same, and later more came.
    put(&fakes, &key(at - 8 * MINUTE, at - 8 * MINUTE + 30_000, 2), &lines(&[at - 8 * MINUTE + 9_000]));
    let found = coverage(&fakes);
    assert_eq!(found["complete"], windows(&[(at - 8 * MINUTE, at - 8 * MINUTE + 30_000), (at, at + 30_000)]));
    assert_eq!(found["late"], windows(&[(at - 8 * MINUTE, at)]));
}

#[test]
fn stray_record_makes_no_hours_complete() {
    let fakes = Fakes::new();
    let at = END - HOUR;
    put(&fakes, "logs/http_requests/by-hand.log.gz", &lines(&[at - 4 * HOUR, at, at + MINUTE, at + 2 * MINUTE]));
    let found = coverage(&fakes);
    assert_eq!(found["complete"], windows(&[(at, at + 2 * MINUTE)]));
    assert_eq!((&found["late"], &found["late_batches"]), (&json!([]), &0.into()));
}

#[test]
fn uncertain_batch_takes_its_window_from_complete() {
    let fakes = Fakes::new();
    let at = END - HOUR;
    // Logpush writes several batches of a window where there is much to write.
    put(&fakes, &key(at, at + 5 * MINUTE, 1), &lines(&[at + 1_000, at + 2 * MINUTE]));
    put(&fakes, &key(at + MINUTE, at + 2 * MINUTE, 2), b"a,b\n1,2\n");
    put(&fakes, &key(at + 3 * MINUTE, at + 4 * MINUTE, 3), &[&lines(&[at + 3 * MINUTE])[..], b"x\ny\n"].concat());
    let found = coverage(&fakes);
    assert_eq!(
        found["complete"],
        windows(&[(at, at + MINUTE), (at + 2 * MINUTE, at + 3 * MINUTE), (at + 4 * MINUTE, at + 5 * MINUTE)])
    );
    assert_eq!(found["quarantined"], windows(&[(at + MINUTE, at + 2 * MINUTE)]));
    assert_eq!(found["damaged"], windows(&[(at + 3 * MINUTE, at + 4 * MINUTE)]));
    let counts = ["batches", "open_batches", "quarantined_batches", "rejected_lines"].map(|name| found[name].as_u64());
    assert_eq!(counts, [3, 0, 1, 2].map(Some));
}

/// A batch as it was made: the window of its name if it has one, its records, whether a line is no record.
struct MadeBatch {
    name: Option<(i64, i64)>,
    times: Vec<i64>,
    is_damaged: bool,
}

impl MadeBatch {
    /// The runs of its records.
    fn runs(&self) -> Vec<RangeInclusive<i64>> {
        let mut times = self.times.clone();
        times.sort_unstable();
        times.chunk_by(|a, b| b - a < HOLE).map(|run| run[0]..=run[run.len() - 1]).collect()
    }

    /// Its name, if its records bear that out.
    fn borne_out(&self) -> Option<(i64, i64)> {
        let (start, end) = self.name?;
        let margin = if end - start <= NAME { LATE } else { 0 };
        let near = self.runs().iter().any(|run| *run.end() >= start - margin && *run.start() <= end + margin);
        near.then_some((start, end))
    }

    /// Whether it makes this instant complete, or uncertain.
    fn covers(&self, at: i64) -> bool {
        let is_named = |name: (i64, i64)| name.0 <= at && at < name.1;
        let is_held = self.runs().iter().any(|run| run.contains(&at));
        if self.is_damaged {
            let hull = (*self.times.iter().min().unwrap(), *self.times.iter().max().unwrap());
            let is_far = self.name.is_none_or(|(start, end)| hull.0 < start - LATE || hull.1 > end + LATE);
            return self.name.is_some_and(is_named) || is_far && hull.0 <= at && at < hull.1;
        }
        match self.borne_out() {
            None => is_held,
            Some((start, end)) if end - start <= NAME => is_named((start, end)),
            Some(name) => is_named(name) && is_held,
        }
    }

    /// Its runs of late records, and the start of its name.
    fn late(&self) -> Option<(Vec<RangeInclusive<i64>>, i64)> {
        let (start, _) = self.borne_out()?;
        let meets = |run: &RangeInclusive<i64>| *run.start() < start && *run.end().min(&(start - 1)) >= START - 1;
        let runs: Vec<_> = self.runs().into_iter().filter(|run| meets(run) && *run.start() <= END).collect();
        (!runs.is_empty()).then_some((runs, start))
    }
}

/// Whether one of the windows of a kind has the instant.
fn shows(found: &Value, kind: &str, at: i64) -> bool {
    let at = rfc3339(at);
    let window = |window: &Value| {
        window["start"].as_str().unwrap() <= at.as_str() && at.as_str() < window["end"].as_str().unwrap()
    };
    found[kind].as_array().unwrap().iter().any(window)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn coverage_is_that_of_naive_reading(
        batches in vec(
            (0..6_u8, -30..2_200_i64, 1..60_i64, vec((-400..400_i64, 1..40_i64, 1..6_i64), 1..4), 0..4_u8),
            1..7,
        ),
    ) {
        let fakes = Fakes::new();
        let mut made = Vec::new();
        for (number, (kind, from, length, clusters, damage)) in (0_u32..).zip(batches) {
            let start = START + from * STEP;
            // Two in six are long, one has no window in its name, one is of another time than its name.
            let length = if kind < 2 { length * 40 } else { length };
            let name = (kind != 2).then_some((start, start + length * STEP));
            let moved = if kind == 3 { 900 } else { 0 };
            let mut times = Vec::new();
            for (offset, count, step) in clusters {
                // Most clusters are where the name is.
                let offset = if offset.abs() > 200 { offset + moved } else { offset.abs() % length + moved };
                times.extend((0..count).map(|nth| start + (offset + nth * step) * STEP));
            }
            let is_damaged = damage == 0;
            let mut text = lines(&times);
            if is_damaged {
                text.extend(b"no record\n");
            }
            let place = match name {
                Some((start, end)) => key(start, end, number),
                None => format!("logs/http_requests/by-hand-{number}.log.gz"),
            };
            put(&fakes, &place, &text);
            made.push(MadeBatch { name, times, is_damaged });
        }
        let found = coverage(&fakes);
        for at in (START + STEP / 2..END).step_by(usize::try_from(STEP).unwrap()) {
            let [whole, damaged] = [false, true]
                .map(|is_damaged| made.iter().any(|batch| batch.is_damaged == is_damaged && batch.covers(at)));
            prop_assert_eq!(shows(&found, "complete", at), whole && !damaged, "{} complete: {}", rfc3339(at), found);
            prop_assert_eq!(shows(&found, "damaged", at), damaged, "{} damaged: {}", rfc3339(at), found);
            prop_assert_eq!(shows(&found, "gaps", at), !whole && !damaged, "{} gap: {}", rfc3339(at), found);
            let late = made.iter().filter_map(MadeBatch::late);
            let is_late = late.into_iter().any(|(runs, start)| at < start && runs.iter().any(|run| run.contains(&at)));
            prop_assert_eq!(shows(&found, "late", at), is_late, "{} late: {}", rfc3339(at), found);
        }
        let late: Vec<_> = made.iter().filter_map(MadeBatch::late).collect();
        let by_ms = late.iter().map(|(runs, start)| start - runs.iter().map(|run| *run.start()).min().unwrap()).max();
        prop_assert_eq!(found["late_batches"].as_u64(), Some(late.len() as u64), "{}", found);
        prop_assert_eq!(found["late_by_s"].as_i64(), Some(by_ms.unwrap_or(0) / 1_000), "{}", found);
    }
}
