//! What the isolates of the edge logger counted, in `/v1/stats` and `/metrics`.

use raydex::edge::{BatchLabel, DropReason, EdgeBuffer, EdgeCounts, FlushBounds, SinkSettings, StoreResult};
use raydex::limits::EDGE_WAITING_BATCHES;
use raydex::pipeline::{BatchRequest, process_batch};
use raydex::record::Dataset;
use serde_json::{Value, json};

use super::support::records::marked;
use super::support::{Fakes, run};
use super::{Ask, json as body};

const ISOLATE: &str = "00c0ffee00c0ffee";
/// More batches than can wait.
const MORE_THAN_WAIT: u64 = EDGE_WAITING_BATCHES as u64 + 5;
const HOUR_MS: i64 = 3_600_000;
/// 2026-03-28T08:42:00Z.
const START_MS: i64 = 1_774_687_320_000;

/// An isolate that closes a batch of the requests that it is given.
struct Isolate {
    buffer: EdgeBuffer,
    now_ms: i64,
}

impl Isolate {
    fn new(name: &str) -> Self {
        let bounds = FlushBounds { lines: 10_000, age_ms: 10_000 };
        Self {
            buffer: EdgeBuffer::new(name.into(), "logs/edge_requests/".into(), bounds, &SinkSettings::default()),
            now_ms: START_MS,
        }
    }

    /// Records this many requests, and leaves one out by each reason.
    fn see(&mut self, recorded: u64) {
        let record = marked(Dataset::EdgeRequests, r#"{"RayID":"9e3550000000000a"}"#);
        (0..recorded).for_each(|_| self.buffer.record(record.as_bytes(), self.now_ms));
        self.buffer.sample_out();
        self.buffer.drop(DropReason::Filtered);
    }

    /// Stores the open batch, and has it processed.
    fn flush(&mut self, fakes: &Fakes) {
        self.buffer.close(self.now_ms);
        while let Some((batch, _)) = self.buffer.take_due(0, self.now_ms) {
            fakes.bucket.put_labelled(&batch.key, &batch.body, &batch.label_text());
            process(fakes, &batch.key);
            self.buffer.settle(0, batch.label.sequence, StoreResult::Stored, self.now_ms);
        }
    }
}

fn process(fakes: &Fakes, key: &str) {
    let request = BatchRequest::new(key, fakes.log_prefixes.claim(key), &fakes.log_prefixes);
    run(process_batch(fakes, key, &request)).unwrap();
}

fn edge(fakes: &Fakes) -> Value {
    body(&Ask::get("/v1/stats").of(fakes))["edge"].clone()
}

/// The counts of all isolates, of a number of indexed batches.
fn totals(isolates: &[&Isolate], batches: u64, missing_batches: u64) -> Value {
    let mut counts = EdgeCounts::default();
    for isolate in isolates {
        counts.add(isolate.buffer.counts());
    }
    let mut expected = serde_json::to_value(counts).unwrap();
    expected["batches"] = batches.into();
    expected["missing_batches"] = missing_batches.into();
    expected
}

#[test]
fn counts_of_isolates_add_up_over_hours() {
    let fakes = Fakes::new();
    let (mut first, mut second) = (Isolate::new(ISOLATE), Isolate::new("00000000000000aa"));
    for (recorded, hours) in [(3, 0), (2, 0), (5, 1), (1, 2)] {
        first.now_ms += hours * HOUR_MS + 1_000;
        first.see(recorded);
        first.flush(&fakes);
    }
    second.see(7);
    second.flush(&fakes);
    let expected = totals(&[&first, &second], 5, 0);
    assert_eq!((&edge(&fakes), &expected["seen"], &expected["recorded"]), (&expected, &28.into(), &18.into()));
    // An event that comes again changes nothing.
    for key in fakes.bucket.contents().into_keys() {
        process(&fakes, &key);
    }
    assert_eq!(edge(&fakes), expected);
    let metrics = String::from_utf8(Ask::get("/metrics").of(&fakes).body).unwrap();
    for line in [
        "raydex_edge_batches 5",
        "raydex_edge_requests{state=\"seen\"} 28",
        "raydex_edge_requests{state=\"dropped\"} 5",
        "raydex_edge_requests_dropped{reason=\"filtered\"} 5",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
}

#[test]
fn lost_batch_is_missing_until_it_comes() {
    let fakes = Fakes::new();
    let mut isolate = Isolate::new(ISOLATE);
    isolate.see(3);
    isolate.flush(&fakes);
    isolate.see(2);
    isolate.buffer.close(isolate.now_ms);
    let (late, _) = isolate.buffer.take_due(0, isolate.now_ms).unwrap();
    isolate.see(4);
    isolate.flush(&fakes);
    let found = edge(&fakes);
    assert_eq!((&found["missing_batches"], &found["batches"], &found["seen"]), (&1.into(), &2.into(), &11.into()));
    fakes.bucket.put_labelled(&late.key, &late.body, &late.label_text());
    process(&fakes, &late.key);
    assert_eq!(edge(&fakes), totals(&[&isolate], 3, 0));
}

#[test]
fn batches_of_dropped_ones_are_counted_later() {
    let fakes = Fakes::new();
    let mut isolate = Isolate::new(ISOLATE);
    for round in 0..MORE_THAN_WAIT {
        isolate.see(round + 1);
        isolate.buffer.close(isolate.now_ms);
    }
    // The batch that pushes the last one out has its own counts already; the next one has those of the dropped.
    for recorded in [1, 2] {
        isolate.see(recorded);
        isolate.flush(&fakes);
    }
    let counts = isolate.buffer.counts();
    assert!(counts.dropped.overflow > 0, "{counts:?}");
    let found = edge(&fakes);
    assert_eq!((&found["seen"], &found["dropped"]["overflow"]), (&counts.seen.into(), &counts.dropped.overflow.into()));
    assert_eq!((&found["recorded"], &found["missing_batches"]), (&counts.recorded.into(), &0.into()));
}

#[test]
fn labels_of_other_forms_count_nothing() {
    let fakes = Fakes::new();
    let mut isolate = Isolate::new(ISOLATE);
    isolate.see(2);
    isolate.buffer.close(START_MS);
    let (batch, _) = isolate.buffer.take_due(0, START_MS).unwrap();
    let label = |change: &dyn Fn(&mut Value)| {
        let mut label = serde_json::to_value(&batch.label).unwrap();
        change(&mut label);
        label.to_string()
    };
    let odd = [
        "not json".to_owned(),
        label(&|label| label["isolate"] = "../..".into()),
        label(&|label| label["sequence"] = 0.into()),
        label(&|label| label["seen"] = 3.into()),
        label(&|label| label["since"]["recorded"] = 9.into()),
        label(&|label| label["sequence"] = u64::MAX.into()),
        label(&|label| label["since"] = json!({"seen": -1})),
    ];
    for (number, label) in odd.iter().enumerate() {
        let key = format!("logs/edge_requests/20260328/20260328T084200Z_20260328T084210Z_{number}.log.gz");
        fakes.bucket.put_labelled(&key, &[&batch.body[..], &[]].concat(), label);
        process(&fakes, &key);
    }
    assert_eq!(edge(&fakes), totals(&[], 0, 0));
    assert!(BatchLabel::parse(&label(&|_| ())).is_some());
}
