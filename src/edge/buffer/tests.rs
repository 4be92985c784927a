//! The equation and the bounds of the buffer, held against an oracle that keeps every line.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::rc::Rc;

use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::Value;

use super::{BatchLabel, DropReason, EdgeBatch, EdgeBuffer, EdgeCounts, FlushBounds, StoreResult};
use crate::edge::{SinkSettings, read_sinks};
use crate::limits::{EDGE_FLUSH_BYTES, EDGE_STORE_MS, EDGE_WAITING_BATCHES, EDGE_WAITING_BYTES};

const BOUNDS: FlushBounds = FlushBounds { lines: 7, age_ms: 10_000 };

fn buffer() -> EdgeBuffer {
    EdgeBuffer::new("00c0ffee00c0ffee".into(), "logs/".into(), BOUNDS, &SinkSettings::default())
}

/// The numbers of the lines in a batch.
fn numbers(batch: &EdgeBatch) -> Vec<u64> {
    let mut text = String::new();
    flate2::bufread::GzDecoder::new(&batch.body[..]).read_to_string(&mut text).unwrap();
    text.lines().map(|line| line.trim_start_matches(char::is_alphabetic).parse().unwrap()).collect()
}

/// Letters that hardly compress, so that batches reach the bounds.
fn noise(size: usize, seed: u64) -> Vec<u8> {
    let letter = |at: u64| b'a' + u8::try_from((at ^ seed << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60).unwrap();
    (0..size as u64).map(letter).collect()
}

/// One step of a schedule.
#[derive(Debug, Clone, Copy)]
enum Step {
    Record(usize),
    Drop,
    SampleOut,
    Wait(i64),
    Take,
    Settle(StoreResult),
    /// The request that stored a batch dies, before or after the object was written.
    Lose(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let result = prop_oneof![
        3 => Just(StoreResult::Stored),
        1 => Just(StoreResult::Unannounced),
        3 => Just(StoreResult::Failed)
    ];
    prop_oneof![
        8 => (0_usize..600_000).prop_map(|size| Step::Record(size * size / 600_000)),
        1 => Just(Step::Drop),
        1 => Just(Step::SampleOut),
        2 => (0_i64..70_000).prop_map(Step::Wait),
        3 => Just(Step::Take),
        2 => result.prop_map(Step::Settle),
        1 => any::<bool>().prop_map(Step::Lose),
    ]
}

/// What really happened, line by line.
#[derive(Default)]
struct Oracle {
    seen: u64,
    sampled_out: u64,
    filtered: u64,
    recorded: BTreeSet<u64>,
    /// The lines of each object in the bucket, and of those whose attempts did not say so.
    bucket: BTreeMap<String, Vec<u64>>,
    unsure: BTreeMap<String, Vec<u64>>,
    /// The labels of all batches that were taken, by their objects' keys.
    labels: BTreeMap<String, BatchLabel>,
    in_flight: Vec<Rc<EdgeBatch>>,
}

impl Oracle {
    /// Writes the object of a batch: the same key always has the same bytes.
    fn put(&mut self, batch: &EdgeBatch, is_sure: bool) {
        let objects = if is_sure { &mut self.bucket } else { &mut self.unsure };
        let numbers = numbers(batch);
        let before = objects.insert(batch.key.clone(), numbers.clone());
        assert!(before.is_none_or(|before| before == numbers), "{}", batch.key);
    }
}

proptest! {
    #[test]
    fn every_request_is_counted_once_under_any_failures(steps in prop::collection::vec(step(), 1..400)) {
        let (mut buffer, mut oracle, mut now_ms) = (buffer(), Oracle::default(), 1_774_687_320_000);
        for step in steps {
            match step {
                Step::Record(size) => {
                    oracle.seen += 1;
                    oracle.recorded.insert(oracle.seen);
                    let mut line = noise(size, oracle.seen);
                    line.extend(oracle.seen.to_string().bytes());
                    buffer.record(&line, now_ms);
                }
                Step::Drop => {
                    (oracle.seen, oracle.filtered) = (oracle.seen + 1, oracle.filtered + 1);
                    buffer.drop(DropReason::Filtered);
                }
                Step::SampleOut => {
                    (oracle.seen, oracle.sampled_out) = (oracle.seen + 1, oracle.sampled_out + 1);
                    buffer.sample_out();
                }
                Step::Wait(ms) => now_ms += ms,
                Step::Take => {
                    buffer.close_due(now_ms);
                    if let Some((batch, is_stored)) = buffer.take_due(0, now_ms) {
                        prop_assert!(!is_stored || oracle.bucket.contains_key(&batch.key));
                        oracle.labels.insert(batch.key.clone(), batch.label.clone());
                        oracle.in_flight.push(batch);
                    }
                }
                Step::Settle(result) => if let Some(batch) = oracle.in_flight.pop() {
                    match result {
                        StoreResult::Failed => oracle.put(&batch, false),
                        _ => oracle.put(&batch, true),
                    }
                    buffer.settle(0, batch.label.sequence, result, now_ms);
                }
                Step::Lose(is_written) => if let Some(batch) = oracle.in_flight.pop() {
                    if is_written {
                        oracle.put(&batch, false);
                    }
                    now_ms += EDGE_STORE_MS / 2;
                }
            }
            let counts = buffer.counts();
            prop_assert!(counts.is_balanced(), "{:?}", counts);
            prop_assert!(buffer.bytes_waiting() <= EDGE_WAITING_BYTES + 4 * EDGE_FLUSH_BYTES);
            prop_assert!(buffer.open[0].collected.text.len() <= EDGE_FLUSH_BYTES + 600_100);
        }
        let counts = buffer.counts();
        prop_assert_eq!(counts.seen, oracle.seen);
        prop_assert_eq!((counts.sampled_out, counts.dropped.filtered), (oracle.sampled_out, oracle.filtered));
        // Each object has lines of its own, and no line is in two.
        let mut stored = BTreeSet::new();
        for numbers in oracle.bucket.values() {
            prop_assert!(numbers.iter().all(|number| stored.insert(*number)), "{:?}", numbers);
        }
        prop_assert!(stored.is_subset(&oracle.recorded));
        // A batch that was given up as unconfirmed may have been stored by an attempt that came to its end later.
        let late = stored.len() as u64 + buffer.lines_held() - counts.recorded;
        prop_assert!(late <= counts.dropped.unconfirmed, "{} {:?}", late, counts);
        let lost = counts.dropped.overflow + counts.dropped.unconfirmed;
        prop_assert_eq!(oracle.recorded.len() as u64, counts.recorded + lost);
        // What batches carry adds up to all counts, whichever of them were dropped.
        buffer.record(b"last", now_ms);
        buffer.close(now_ms);
        let waiting = buffer.outlets.iter().flat_map(|outlet| outlet.queue.labels());
        let settled = oracle.labels.iter().filter(|(key, _)| oracle.bucket.contains_key(*key)).map(|(_, label)| label);
        let mut labels: BTreeMap<u64, &BatchLabel> = settled.map(|label| (label.sequence, label)).collect();
        labels.extend(waiting.map(|label| (label.sequence, label)));
        let mut carried = EdgeCounts::default();
        for label in labels.values() {
            carried.add(label.since);
        }
        if buffer.counts().dropped.unconfirmed == 0 {
            prop_assert_eq!(carried, buffer.counts());
        } else {
            prop_assert!(carried.seen >= buffer.counts().seen && carried.is_balanced());
        }
    }
}

/// One step of a schedule of several sinks.
#[derive(Debug, Clone, Copy)]
enum SinkStep {
    Record(usize),
    Wait(i64),
    Take(usize),
    Settle(StoreResult),
    /// Nothing is ever said of an attempt.
    Lose,
}

fn sink_step() -> impl Strategy<Value = SinkStep> {
    let result = prop_oneof![
        3 => Just(StoreResult::Stored),
        1 => Just(StoreResult::Unannounced),
        3 => Just(StoreResult::Failed),
        1 => (0_i64..400_000).prop_map(StoreResult::Later),
        1 => (0_u64..9).prop_map(StoreResult::Refused),
    ];
    prop_oneof![
        8 => (0_usize..600_000).prop_map(|size| SinkStep::Record(size * size / 600_000)),
        2 => (0_i64..70_000).prop_map(SinkStep::Wait),
        6 => (0_usize..3).prop_map(SinkStep::Take),
        5 => result.prop_map(SinkStep::Settle),
        1 => Just(SinkStep::Lose),
    ]
}

proptest! {
    #[test]
    fn every_line_is_counted_once_for_each_sink(steps in prop::collection::vec(sink_step(), 1..250)) {
        let http = |name: &str, path: &str| {
            format!(r#"{{"kind":"http","name":"{name}","preset":"loki","url":"https://a.example","through":"{path}"}}"#)
        };
        let setting = format!(r#"[{{"kind":"r2"}},{},{}]"#, http("a", "isolate"), http("b", "object"));
        let sinks = SinkSettings { sinks: read_sinks(&setting, false).unwrap(), ..SinkSettings::default() };
        let mut buffer = EdgeBuffer::new("00c0ffee00c0ffee".into(), "logs/".into(), BOUNDS, &sinks);
        let (mut recorded, mut now_ms, mut in_flight) = (0, 1_774_687_320_000, Vec::new());
        for step in steps {
            match step {
                SinkStep::Record(size) => {
                    recorded += 1;
                    buffer.record(&noise(size, recorded), now_ms);
                }
                SinkStep::Wait(ms) => now_ms += ms,
                SinkStep::Take(outlet) => {
                    buffer.close_due(now_ms);
                    in_flight.extend(buffer.take_due(outlet, now_ms).map(|(batch, _)| (outlet, batch.label.sequence)));
                }
                SinkStep::Settle(result) => if let Some((outlet, sequence)) = in_flight.pop() {
                    // Only the bucket announces, and it refuses nothing.
                    let fits = match result {
                        StoreResult::Unannounced => outlet == 0,
                        StoreResult::Refused(_) | StoreResult::Later(_) => outlet != 0,
                        _ => true,
                    };
                    buffer.settle(outlet, sequence, if fits { result } else { StoreResult::Failed }, now_ms);
                }
                SinkStep::Lose => drop(in_flight.pop()),
            }
            let counts = buffer.sink_counts();
            prop_assert!(["a", "object", "r2"].iter().eq(counts.keys()));
            for (name, counts) in counts {
                prop_assert_eq!(counts.lines(), recorded, "{} {:?}", name, counts);
            }
            prop_assert!(buffer.counts().is_balanced() && buffer.counts().seen == recorded);
            for outlet in &buffer.outlets {
                prop_assert!(outlet.queue.bytes() <= EDGE_WAITING_BYTES + 4 * EDGE_FLUSH_BYTES);
            }
        }
        // The equation is the bucket's.
        let (counts, bucket) = (buffer.counts(), buffer.sink_counts()["r2"]);
        prop_assert_eq!((counts.dropped.overflow, counts.dropped.unconfirmed), (bucket.overflow, bucket.unconfirmed));
        prop_assert_eq!(counts.recorded, bucket.handed + bucket.waiting);
    }
}

#[test]
fn batch_closes_by_lines_bytes_or_age() {
    let mut by_lines = buffer();
    (0..7).for_each(|_| by_lines.record(b"1", 0));
    assert_eq!(numbers(&by_lines.take_due(0, 0).unwrap().0), [1; 7]);
    let mut by_bytes = buffer();
    by_bytes.record(&[b"1".to_vec(), vec![b'0'; 600_000]].concat(), 0);
    by_bytes.record(&vec![b'1'; 600_000], 0);
    assert_eq!(by_bytes.take_due(0, 0).unwrap().0.label.lines, 1);
    let mut by_age = buffer();
    by_age.record(b"1", 0);
    by_age.close_due(9_999);
    assert!(by_age.take_due(0, 9_999).is_none() && by_age.next_due_ms(0) == Some(10_000));
    // The timer was lost: the next request notices.
    by_age.record(b"2", 60_000);
    assert_eq!(numbers(&by_age.take_due(0, 60_000).unwrap().0), [1]);
}

#[test]
fn failed_batch_is_stored_again_unchanged() {
    let mut buffer = buffer();
    buffer.record(b"1", 0);
    buffer.close(5);
    let (first, _) = buffer.take_due(0, 5).unwrap();
    assert!(buffer.take_due(0, 5).is_none(), "it is being stored");
    buffer.settle(0, 1, StoreResult::Failed, 10);
    assert!(buffer.take_due(0, 1_009).is_none(), "it waits a second");
    let (second, is_stored) = buffer.take_due(0, 1_010).unwrap();
    assert_eq!((&first, is_stored), (&second, false));
    buffer.settle(0, 1, StoreResult::Unannounced, 1_020);
    assert_eq!(buffer.lines_held(), 0, "its object is there");
    assert!(buffer.take_due(0, 3_019).is_none(), "the wait doubles");
    assert!(buffer.take_due(0, 3_020).unwrap().1);
    buffer.settle(0, 1, StoreResult::Stored, 3_030);
    assert_eq!((buffer.next_due_ms(0), buffer.counts().recorded), (None, 1));
}

#[test]
fn batch_of_a_dead_request_is_due_again() {
    let mut buffer = buffer();
    buffer.record(b"1", 0);
    buffer.close(0);
    buffer.take_due(0, 0).unwrap();
    assert!(buffer.take_due(0, EDGE_STORE_MS - 1).is_none());
    assert!(buffer.take_due(0, EDGE_STORE_MS).is_some());
}

#[test]
fn overflow_drops_the_oldest_and_counts() {
    let mut buffer = buffer();
    let batches = u64::try_from(EDGE_WAITING_BATCHES).unwrap() + 3;
    for number in 1..=batches {
        buffer.record(number.to_string().as_bytes(), 0);
        if number == 1 {
            buffer.close(0);
            buffer.take_due(0, 0).unwrap();
            buffer.settle(0, 1, StoreResult::Failed, 0);
        }
        buffer.close(0);
    }
    let counts = buffer.counts();
    assert_eq!((counts.dropped.unconfirmed, counts.dropped.overflow), (1, 2), "the first one was tried");
    assert_eq!((counts.recorded, counts.seen, buffer.lines_held()), (batches - 3, batches, batches - 3));
    let (next, _) = buffer.take_due(0, 0).unwrap();
    assert_eq!((numbers(&next), next.label.sequence), (vec![4], 4), "a gap of three before it");
}

#[test]
fn label_has_the_numbers_at_its_close() {
    let mut buffer = buffer();
    buffer.sample_out();
    buffer.drop(DropReason::Filtered);
    buffer.record(b"1", 0);
    buffer.record(b"2", 0);
    buffer.close(1_774_687_330_000);
    let (batch, _) = buffer.take_due(0, 1_774_687_330_000).unwrap();
    let label: Value = serde_json::from_str(&batch.label_text()).unwrap();
    let expected = serde_json::json!({
        "isolate": "00c0ffee00c0ffee", "sequence": 1, "lines": 2, "seen": 4, "recorded": 2, "merged": 0, "sampled_out": 1,
        "dropped": {"filtered": 1, "overflow": 0, "unconfirmed": 0, "unwritable": 0, "invalid": 0, "too_large": 0,
                    "over_quota": 0, "refused": 0},
        "since": {
            "seen": 4, "recorded": 2, "merged": 0, "sampled_out": 1,
            "dropped": {"filtered": 1, "overflow": 0, "unconfirmed": 0, "unwritable": 0, "invalid": 0, "too_large": 0,
                        "over_quota": 0, "refused": 0}
        }
    });
    assert_eq!(label, expected);
    assert_eq!(BatchLabel::parse(&batch.label_text()), Some(batch.label.clone()));
    assert!(batch.key.ends_with("_20260328T084210Z_00c0ffee00c0ffee-1.log.gz"), "{}", batch.key);
}

#[test]
fn lost_timer_is_started_by_the_next_request() {
    let mut buffer = buffer();
    assert!(!buffer.start_timer(0, 0, 20_000), "there is nothing to wait for");
    buffer.record(b"1", 0);
    assert!(buffer.start_timer(0, 0, 20_000) && !buffer.start_timer(0, 20_000, 40_000));
    assert!(buffer.start_timer(0, 20_001, 40_001), "it is gone");
    buffer.end_timer(0);
    assert!(buffer.start_timer(0, 20_002, 40_002));
}
