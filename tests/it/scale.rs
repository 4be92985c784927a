//! What a deployment of any size asks of each of its parts: counted for one batch and one payload, and multiplied. The tables of
//! `docs/scale.md` are these; `scale::tables_are_written_anew` writes them.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of a few thousand"
)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use raydex::bucket_keys::PAYLOADS as PAYLOADS_FOLDER;
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::ledger::ids::{PARTNER, REGISTRY};
use raydex::limits::{GROUP_PAYLOADS, PACK_BYTES};
use raydex::pipeline::PartnerWatch;
use raydex::r2_event::R2Event;
use raydex::record::Dataset;
use raydex::sample::SamplePlan;
use raydex::time::stamp;

use crate::support::gzip::gzip;
use crate::support::partner::delivering;
use crate::support::records::{http, ndjson};
use crate::support::{Consumers, Kind, Reply};

/// Requests a second of the deployments in the tables.
const RATES: [f64; 3] = [600.0, 60_000.0, 1_000_000.0];
/// Logpush closes a file after this number of records, or of seconds.
const BATCH_RECORDS: f64 = 100_000.0;
const BATCH_S: f64 = 30.0;
/// Calls a second that a Durable Object answers without a queue before it: half of what Cloudflare names as its soft limit.
const CALLS_OF_AN_OBJECT: f64 = 500.0;
/// Payloads of the smaller batch that is counted: half a minute of 600 requests a second.
const PAYLOADS: u32 = 18;
/// Messages of one batch of `send-queue` (`wrangler.toml`), which ask the partner's breaker once.
const MESSAGES_AT_ONCE: f64 = 10.0;
/// Consumers of `parse-queue` at most, each an isolate that marks the prefix of the present once, and the seconds of a prefix.
const READERS: f64 = 250.0;
const SHARD_S: f64 = 655.36;
/// Payloads of a message.
const GROUP: f64 = GROUP_PAYLOADS as f64;
/// Measured by `scripts/bench`: CPU of a record that is indexed and delivered, in seconds; its gzip, in bytes; its rays and
/// windows in the index (docs/cost.md).
const RECORD_CPU_S: f64 = 16e-6;
const GZIP_BYTES: f64 = 124.0;
const INDEX_BYTES: f64 = 4.7;

/// Calls and operations.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Work {
    ledger: f64,
    registry: f64,
    partner: f64,
    shards: f64,
    writes: f64,
    reads: f64,
    messages: f64,
}

impl Work {
    /// What has been done in a world so far.
    fn so_far(world: &Consumers) -> Self {
        let fakes = &world.fakes;
        let count = |kinds: &[Kind]| kinds.iter().map(|kind| fakes.faults.count(*kind)).sum::<usize>() as f64;
        Self {
            ledger: fakes.ledgers.names().iter().map(|name| fakes.ledgers.calls(name)).sum::<u64>() as f64,
            registry: fakes.ledgers.calls(REGISTRY) as f64,
            partner: fakes.ledgers.calls(PARTNER) as f64,
            shards: count(&[Kind::Shard]),
            writes: count(&[Kind::Put, Kind::PutNew]),
            reads: count(&[Kind::Get, Kind::GetRange]),
            messages: 0.0,
        }
    }

    fn each(self, other: Self, of: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            ledger: of(self.ledger, other.ledger),
            registry: of(self.registry, other.registry),
            partner: of(self.partner, other.partner),
            shards: of(self.shards, other.shards),
            writes: of(self.writes, other.writes),
            reads: of(self.reads, other.reads),
            messages: of(self.messages, other.messages),
        }
    }
}

/// What one batch takes, and what one of its payloads takes beyond that.
struct Counted {
    batch: Work,
    payload: Work,
    /// The body of a payload of 1,000 lines, in bytes.
    payload_bytes: f64,
}

impl Counted {
    /// Has batches of a known deployment read and delivered, one of them twice as large.
    fn measure() -> Self {
        let world = Consumers::new(delivering(&[]), |_, _| Reply::Status(200));
        world.fakes.group_payloads.set(GROUP_PAYLOADS);
        // The first one registers its ledger and makes the first start.
        Self::deliver(&world, 1);
        let small = Self::deliver(&world, PAYLOADS);
        let large = Self::deliver(&world, 2 * PAYLOADS);
        let of_payloads = f64::from(PAYLOADS);
        let payload = large.each(small, |large, small| (large - small) / of_payloads);
        assert!(payload.writes.abs() < 1e-9, "all payloads of a batch are in one pack: {payload:?}");
        let batch = small.each(payload, |whole, payload| whole - of_payloads * payload);
        // Each message comes alone here, and asks the breaker.
        let payload = Work { partner: payload.partner / MESSAGES_AT_ONCE, ..payload };
        let contents = world.fakes.bucket.contents();
        let packs = contents.iter().filter(|(key, _)| key.starts_with(PAYLOADS_FOLDER));
        let payload_bytes = packs.map(|(_, pack)| pack.len()).sum::<usize>() as f64 / f64::from(1 + 3 * PAYLOADS);
        Self { batch: Work { partner: 0.0, ..batch }, payload, payload_bytes }
    }

    /// Has a batch of this number of payloads, of 1,000 lines each, read and delivered; returns what that took.
    fn deliver(world: &Consumers, payloads: u32) -> Work {
        let before = Work::so_far(world);
        world.pass(1_000);
        let records = payloads * 1_000;
        let plan = SamplePlan {
            batches: 1,
            records,
            seed: u64::from(payloads),
            window_ms: 30_000,
            late: 0,
            duplicates: 0,
            ..SamplePlan::default()
        };
        let batch = plan.batches(Dataset::HttpRequests).next().unwrap();
        let key = batch.key.replace(".log.gz", &format!("{payloads}.log.gz"));
        let head = world.fakes.bucket.store(&key, &batch.gzip);
        let event = R2Event::put_object(BUCKET_NAME, &key, head.size, &head.etag, world.now());
        assert_eq!(world.parse(&serde_json::to_string(&event).unwrap(), 1).verdict.name(), "sealed");
        let messages = world.fakes.sends.take();
        let sent = messages.iter().flat_map(|message| world.send_each(&PartnerWatch::default(), message, 1));
        assert_eq!(sent.filter(|said| said.verdict.name() == "delivered").count(), payloads as usize);
        let work = Work::so_far(world).each(before, |after, before| after - before);
        Work { messages: messages.len() as f64, ..work }
    }

    /// What a second of a deployment with these numbers of batches, of payloads and of lines in each takes.
    fn per_second(&self, batches: f64, payloads: f64, lines: f64) -> Work {
        let work = self.batch.each(self.payload, |batch, payload| batch * batches + payload * payloads);
        let bytes = payloads / batches * lines / 1_000.0 * self.payload_bytes;
        let further_packs = (bytes / PACK_BYTES as f64).ceil() - 1.0;
        Work { writes: work.writes + batches * further_packs, ..work }
    }
}

/// A figure with three digits.
fn figure(value: f64) -> String {
    match value {
        0.0 => "0".into(),
        value if value >= 1_000.0 => {
            let digits = format!("{value:.0}").into_bytes();
            let groups = digits.rchunks(3).rev().map(|group| String::from_utf8(group.to_vec()).unwrap());
            groups.collect::<Vec<_>>().join(",")
        }
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

fn row(text: &mut String, what: &str, values: impl IntoIterator<Item = f64>) {
    let values: Vec<String> = values.into_iter().map(figure).collect();
    writeln!(text, "| {what} | {} |", values.join(" | ")).unwrap();
}

/// The table of what each part is asked for, with payloads of this number of lines.
fn table(counted: &Counted, lines: f64) -> String {
    let mut text = format!(
        "| {} lines a payload, a second | 600 requests | 60,000 | 1,000,000 |\n|---|---|---|---|\n",
        figure(lines)
    );
    let batches = |rate: f64| rate / (rate * BATCH_S).min(BATCH_RECORDS);
    let payloads = |rate: f64| rate / lines.min((rate * BATCH_S).min(BATCH_RECORDS));
    let work = |rate: f64| counted.per_second(batches(rate), payloads(rate), lines);
    row(&mut text, "batches, and messages of `parse-queue`", RATES.map(batches));
    row(&mut text, "payloads", RATES.map(payloads));
    row(&mut text, "messages of `send-queue`", RATES.map(|rate| work(rate).messages));
    row(&mut text, "calls to the ledger of the hour", RATES.map(|rate| work(rate).ledger));
    row(&mut text, "calls to the registry, at most", RATES.map(|rate| batches(rate).min(READERS / SHARD_S)));
    row(&mut text, "calls to the partner's breaker", RATES.map(|rate| work(rate).partner));
    row(&mut text, "calls to the shards of the present", RATES.map(|rate| work(rate).shards));
    row(&mut text, "writes of R2", RATES.map(|rate| work(rate).writes));
    row(&mut text, "reads of R2", RATES.map(|rate| work(rate).reads));
    row(&mut text, "seconds of CPU", RATES.map(|rate| rate * RECORD_CPU_S));
    row(&mut text, "MB of gzip", RATES.map(|rate| rate * GZIP_BYTES / 1e6));
    row(&mut text, "GB of index, a day", RATES.map(|rate| rate * INDEX_BYTES * 86_400.0 / 1e9));
    text
}

/// The table of the rate at which each object reaches what one object answers.
fn limits(counted: &Counted) -> String {
    let mut text = "| object | 1,000 lines a payload | 10,000 lines a payload |\n|---|---|---|\n".to_owned();
    let most = |of: &dyn Fn(Work) -> f64| {
        [1_000.0, 10_000.0].map(|lines| {
            let each = of(counted.per_second(1.0 / BATCH_RECORDS, 1.0 / lines, lines));
            CALLS_OF_AN_OBJECT / each
        })
    };
    row(&mut text, "the ledger of the hour", most(&|work| work.ledger));
    row(&mut text, "the shard of the present", most(&|work| work.shards));
    row(&mut text, "the partner's breaker", most(&|work| work.partner));
    text
}

/// The tables, by the name of the mark before each.
fn tables() -> [(&'static str, String); 4] {
    let counted = Counted::measure();
    [
        ("payloads-of-1000", table(&counted, 1_000.0)),
        ("payloads-of-10000", table(&counted, 10_000.0)),
        ("limits", limits(&counted)),
        ("simulated", simulated()),
    ]
}

/// What is simulated: requests a second, and partitions of an hour.
const SIMULATED: [(u32, u8); 4] = [(60_000, 1), (1_000_000, 1), (1_000_000, 4), (4_000_000, 8)];
/// Seconds of each, after one in which the hour begins.
const SIMULATED_S: u32 = 3;
/// Lines of a stand-in batch and payloads of it: as many payloads as a file of 100,000 records has, of one line instead of 1,000.
const STAND_INS: u32 = 100;

/// The calls to each object in the busiest second of a deployment: its batches come at even distances, and their payloads leave within
/// the second.
fn busiest_second(requests: u32, partitions: u8) -> (f64, Work) {
    let world = Consumers::new(delivering(&[("BATCH_SIZE", "1")]), |_, _| Reply::Status(200));
    world.fakes.group_payloads.set(GROUP_PAYLOADS);
    world.fakes.partitions.set(partitions);
    let mut busiest = (0.0_f64, Work::so_far(&world).each(Work::so_far(&world), |a, b| a - b));
    let (mut due, mut number) = (0.0, 0);
    for second in 0..=SIMULATED_S {
        let (before, calls) = (Work::so_far(&world), calls_by_ledger(&world));
        due += f64::from(requests) / BATCH_RECORDS;
        while f64::from(number) < due {
            stand_in(&world, number);
            number += 1;
        }
        let messages = world.fakes.sends.take();
        for together in messages.chunks(MESSAGES_AT_ONCE as usize) {
            let watch = PartnerWatch::default();
            for message in together {
                world.send_each(&watch, message, 1);
            }
        }
        world.pass(1_000);
        if second > 0 {
            let work = Work::so_far(&world).each(before, |after, before| after - before);
            let of_each = calls_by_ledger(&world).into_iter().map(|(name, of)| of - calls.get(&name).unwrap_or(&0));
            let most = of_each.max().unwrap_or_default() as f64;
            busiest = (busiest.0.max(most), busiest.1.each(work, f64::max));
        }
    }
    busiest
}

fn calls_by_ledger(world: &Consumers) -> BTreeMap<String, u64> {
    let ledgers = &world.fakes.ledgers;
    ledgers.names().into_iter().map(|name| (name.clone(), ledgers.calls(&name))).collect()
}

/// Has a stand-in batch of the present hour read.
fn stand_in(world: &Consumers, number: u32) {
    let at = stamp(world.now());
    let key = format!("logs/http_requests/20260328/{at}_{at}_{number:08x}.log.gz");
    let first_ray = 0x9e35_50d8_0000_0000 + u64::from(number * STAND_INS);
    let ray = |nth: u32| format!("{:016x}", first_ray + u64::from(nth));
    let head = world.fakes.bucket.store(&key, &gzip(&ndjson((0..STAND_INS).map(|nth| http(&ray(nth), nth as usize)))));
    let event = R2Event::put_object(BUCKET_NAME, &key, head.size, &head.etag, world.now());
    assert_eq!(world.parse(&serde_json::to_string(&event).unwrap(), 1).verdict.name(), "sealed");
}

/// The table of what the busiest object of each kind is asked in a simulated second.
fn simulated() -> String {
    let mut text =
        "| requests a second | `PARTITIONS` | a ledger | registry | breaker | shards |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for (requests, partitions) in SIMULATED {
        let (ledger, work) = busiest_second(requests, partitions);
        for (object, calls) in [("ledger", ledger), ("registry", work.registry), ("shards", work.shards)] {
            assert!(calls <= CALLS_OF_AN_OBJECT, "{object}: {calls} at {requests}, {partitions}");
        }
        let figures = [ledger, work.registry, work.partner, work.shards].map(figure).join(" | ");
        writeln!(text, "| {} | {partitions} | {figures} |", figure(f64::from(requests))).unwrap();
    }
    text
}

fn document() -> (std::path::PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scale.md");
    let text = fs::read_to_string(&path).unwrap();
    (path, text)
}

/// The text between the mark of a table and the next empty line.
fn written<'a>(text: &'a str, name: &str) -> &'a str {
    let after = text.split_once(&format!("<!-- {name} -->\n")).unwrap_or_else(|| panic!("there is no table {name}")).1;
    after.split_inclusive("\n\n").next().map_or(after, |table| table.trim_end_matches('\n'))
}

#[test]
fn documented_tables_are_what_is_counted() {
    let (_, text) = document();
    for (name, table) in tables() {
        assert_eq!(written(&text, name), table.trim_end(), "{name}: cargo test --test it -- --ignored scale");
    }
}

#[test]
#[ignore = "it writes docs/scale.md"]
fn tables_are_written_anew() {
    let (path, mut text) = document();
    for (name, table) in tables() {
        let old = written(&text, name).to_owned();
        text = text.replacen(&format!("<!-- {name} -->\n{old}"), &format!("<!-- {name} -->\n{}", table.trim_end()), 1);
    }
    fs::write(path, text).unwrap();
}

#[test]
fn group_takes_two_calls_of_its_ledger() {
    let Counted { batch, payload, .. } = Counted::measure();
    assert!((payload.ledger * GROUP - 2.0).abs() < 1e-9, "a claim and a commit: {payload:?}");
    assert!(payload.registry.abs() < 1e-9 && payload.shards.abs() < 1e-9, "{payload:?}");
    assert!((1.0..=2.0).contains(&batch.shards), "{batch:?}");
    assert!(batch.registry.abs() < 1e-9, "an isolate marks a prefix once: {batch:?}");
}
