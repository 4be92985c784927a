//! What delivering costs: objects put and read, messages, rows of the ledger. README's table has these figures.

use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::limits::{BODIES_KEPT_MS, GROUP_PAYLOADS, OUTBOX_FIRST_MS, PACK_BYTES};
use raydex::pipeline::{PartnerWatch, run_sweep};
use raydex::r2_event::R2Event;
use raydex::record::Dataset;
use raydex::sample::SamplePlan;

use super::support::partner::delivering;
use super::support::{Consumers, Kind, Reply, run};

/// Records of one batch: half a minute at 600 a second.
const RECORDS: u32 = 18_000;

/// What delivering one batch took.
#[derive(Debug, PartialEq, Eq)]
struct Cost {
    payloads: usize,
    messages: usize,
    /// Calls to the ledger.
    calls: u64,
    /// Objects put, payloads and nothing else.
    puts: usize,
    /// Reads of bodies.
    reads: usize,
    /// Rows of the ledger until everything is delivered, and from there until bodies are removed.
    rows: u64,
    rows_of_removal: u64,
    /// How often the alarm was set.
    alarms: u64,
}

fn cost(pack_bytes: usize, together: usize) -> Cost {
    let plan =
        SamplePlan { batches: 1, records: RECORDS, window_ms: 30_000, late: 0, duplicates: 0, ..SamplePlan::default() };
    let batch = plan.batches(Dataset::HttpRequests).next().unwrap();
    let consumers = Consumers::new(delivering(&[]), |_, _| Reply::Status(200));
    let fakes = &consumers.fakes;
    fakes.pack_bytes.set(pack_bytes);
    fakes.group_payloads.set(together);
    let head = fakes.bucket.store(&batch.key, &batch.gzip);
    let event = R2Event::put_object(BUCKET_NAME, &batch.key, head.size, &head.etag, consumers.now());
    assert_eq!(consumers.parse(&serde_json::to_string(&event).unwrap(), 1).verdict.name(), "sealed");
    let objects = || fakes.bucket.contents().keys().filter(|key| key.starts_with("raydex/payloads/")).count();
    let puts = objects();
    let largest = fakes
        .bucket
        .contents()
        .iter()
        .filter(|(key, _)| key.starts_with("raydex/payloads/"))
        .map(|(_, bytes)| bytes.len())
        .max();
    println!("{puts} objects, the largest of {} bytes", largest.unwrap());
    assert_eq!(fakes.faults.count(Kind::PutNew), puts + 2, "and windows and summaries");
    let reads = || fakes.faults.count(Kind::Get) + fakes.faults.count(Kind::GetRange);
    let before = reads();
    let messages = fakes.sends.take();
    let watch = PartnerWatch::default();
    let sent = messages.iter().flat_map(|message| consumers.send_each(&watch, message, 1));
    let verdicts: Vec<_> = sent.map(|said| said.verdict.name()).collect();
    assert_eq!(verdicts, ["delivered"; 18]);
    let reads = reads() - before;
    // No claim and no commit sets the alarm: what the seal set comes earlier. It rings, and finds that there is nothing to do.
    consumers.pass(OUTBOX_FIRST_MS);
    consumers.ring();
    let [name] = &fakes.ledgers.names()[..] else { panic!("one ledger") };
    let ledger = fakes.ledgers.ledger(name);
    assert_eq!(ledger.alarm_ms.get(), None);
    let (rows, calls) = (ledger.sql.rows_written(), fakes.ledgers.calls(name));
    consumers.pass(BODIES_KEPT_MS + 1);
    assert_eq!(run(run_sweep(fakes, &consumers.config)).unwrap().packs_removed, puts);
    assert_eq!(objects(), 0);
    let rows_of_removal = ledger.sql.rows_written() - rows;
    let alarms = ledger.alarms.get();
    Cost { payloads: verdicts.len(), messages: messages.len(), calls, puts, reads, rows, rows_of_removal, alarms }
}

#[test]
fn batch_is_one_object_and_payload_three_rows() {
    let alone = cost(0, 1);
    println!("each alone: {alone:?}");
    let together = cost(PACK_BYTES, 1);
    println!("together: {together:?}");
    // Of the ledger: its name, the number of partitions, that the registry knows it; of the batch: the source (begun, its
    // shards, indexed, sealed), the plan (pinned, sealed).
    let of_the_batch = alone.rows - 4 * 18;
    assert_eq!(
        alone,
        Cost { payloads: 18, messages: 18, puts: 18, reads: 18, rows_of_removal: 18, alarms: 3, ..alone }
    );
    let expected = Cost { puts: 1, rows: 3 * 18 + of_the_batch + 1, rows_of_removal: 1, ..alone };
    assert_eq!(together, expected);
    assert_eq!(of_the_batch, 3 + 6);
}

#[test]
fn group_costs_what_one_payload_would() {
    let (alone, grouped) = (cost(PACK_BYTES, 1), cost(PACK_BYTES, GROUP_PAYLOADS));
    println!("in groups: {grouped:?}");
    let groups = 18 / GROUP_PAYLOADS;
    let saved = (18 - groups) as u64;
    let expected =
        Cost { messages: groups, calls: alone.calls - 2 * saved, reads: groups, rows: alone.rows - 3 * saved, ..alone };
    assert_eq!(grouped, expected);
}

/// What delivering a million records takes, in millionths of a dollar: objects 4.50 a million, reads 0.36, messages three times
/// 0.40, calls 0.15, rows 1.00, of which setting an alarm is one.
fn price(cost: &Cost) -> u64 {
    let cents = 450 * cost.puts + 36 * cost.reads + 3 * 40 * cost.messages;
    let objects = 15 * cost.calls + 100 * (cost.rows + cost.rows_of_removal + cost.alarms);
    (cents as u64 + objects) * 1_000_000 / u64::from(RECORDS) / 100
}

#[test]
fn million_records_cost_under_four_thousandths() {
    let (alone, grouped) = (price(&cost(PACK_BYTES, 1)), price(&cost(PACK_BYTES, GROUP_PAYLOADS)));
    println!("{alone} millionths of a dollar alone, {grouped} in groups");
    assert!(alone > 5_500 && grouped < 2_500, "{alone}, {grouped}");
}
