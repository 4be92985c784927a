//! What Logpush writes: small batches, each line with a ray of its own, and what of them the partner is owed.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use raydex::ledger::DeliveryWindow;
use raydex::record::{Dataset, RayId};

use super::random::Random;

/// A line of a batch.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) ray: String,
    pub(crate) unix_ms: i64,
    /// Whether it is one that goes to the partner.
    pub(crate) owed: bool,
    /// The line.
    pub(crate) text: String,
}

/// A batch.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) key: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) lines: Vec<Sent>,
    /// Every line, records and others.
    pub(crate) lines_in: u64,
    /// It cannot be read to its end.
    pub(crate) damaged: bool,
    /// The windows that a backfill asks for; none: live traffic.
    pub(crate) windows: Vec<DeliveryWindow>,
    /// The windows that are delivered once more, each with the number of its backfill.
    pub(crate) again: Vec<(i64, DeliveryWindow)>,
    /// The windows of backfills that were to read an older version under its key, and may read this one instead.
    pub(crate) may_again: Vec<(i64, DeliveryWindow)>,
    /// The version of its object.
    pub(crate) etag: String,
    /// When its object was written.
    pub(crate) uploaded_ms: i64,
    /// The object was deleted or written over.
    pub(crate) removed: bool,
    /// Whether R2 announces it.
    pub(crate) has_event: bool,
}

impl Batch {
    /// A batch of live traffic that R2 announces.
    fn new(key: String, bytes: Vec<u8>, lines: Vec<Sent>, lines_in: u64) -> Self {
        // An object of which no line is a record is quarantined.
        let damaged = bytes.is_empty() || (lines.is_empty() && lines_in > 0);
        Self {
            key,
            bytes,
            lines,
            lines_in,
            damaged,
            windows: Vec::new(),
            again: Vec::new(),
            may_again: Vec::new(),
            etag: String::new(),
            uploaded_ms: 0,
            removed: false,
            has_event: true,
        }
    }
}

/// The most lines of a file of a steady load.
const LINES_OF_FILE: usize = 64;

/// The first instant of the simulated traffic: 2026-03-28T08:42:25Z.
pub(crate) const BEGIN_MS: i64 = 1_774_687_345_000;

/// The nth batch of a world, written at `now_ms`, of which subrequests are left out or not, and lines damaged or not.
pub(crate) fn batch(random: &mut Random, number: usize, now_ms: i64, (exclude, whole): (bool, bool)) -> Batch {
    let count = random.below(9);
    let mut text = Vec::new();
    let (mut lines, mut lines_in) = (Vec::new(), 0);
    for line in 0..count {
        // A few milliseconds apart, so that windows cut between them and exactly at them.
        let unix_ms = now_ms - 60_000 + i64::try_from(line).unwrap() * 10;
        let ray = ray(unix_ms, number * 16 + line);
        let child = random.chance(200);
        let parent = if child { "a5e33aff24280fa2" } else { "00" };
        lines_in += 1;
        if random.chance(50) && !whole {
            text.extend_from_slice(b"no json\n");
            continue;
        }
        let record = format!(
            r#"{{"RayID":"{ray}","EdgeStartTimestamp":{unix_ms}000000,"ParentRayID":"{parent}","ClientIP":"192.0.2.1","EdgeResponseBytes":7}}"#
        );
        writeln!(text, "{record}").unwrap();
        lines.push(Sent { ray, unix_ms, owed: !(child && exclude), text: record });
    }
    let mut bytes = compressed(&text, Compression::fast());
    let is_cut = random.chance(50) && !whole;
    if is_cut {
        bytes.truncate(bytes.len() - 5);
    }
    let windows = if random.chance(250) { windows(random, now_ms) } else { Vec::new() };
    let batch = Batch::new(key(number, now_ms), bytes, lines, lines_in);
    Batch { damaged: batch.damaged || is_cut, windows, has_event: number % 20 != 19, ..batch }
}

/// The nth batch of a world, made of the records of others: in their order or another, some of them twice, as they
/// were, with their members spaced out or with their numbers respelled, compressed anew.
pub(crate) fn rewritten(random: &mut Random, of: &[&Batch], key: String) -> Batch {
    let mut lines: Vec<Sent> = of.iter().flat_map(|batch| batch.lines.iter().cloned()).collect();
    if random.chance(300) {
        lines.reverse();
    }
    if random.chance(200) && !lines.is_empty() {
        lines.push(lines[random.below(lines.len())].clone());
    }
    if random.chance(300) {
        for line in &mut lines {
            line.text = line.text.replace(',', ", ");
        }
    } else if lines.len() % 3 == 1 {
        // Without a draw.
        for line in &mut lines {
            line.text = line.text.replace(r#""EdgeResponseBytes":7"#, r#""EdgeResponseBytes":0.70e1"#);
        }
    }
    let text: String = lines.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect();
    let bytes = if random.chance(200) { text.into_bytes() } else { compressed(text.as_bytes(), Compression::best()) };
    let lines_in = lines.len() as u64;
    Batch::new(key, bytes, lines, lines_in)
}

/// The nth file of a steady load: so many lines, each for the partner.
pub(crate) fn file(number: usize, now_ms: i64, count: usize) -> Batch {
    let lines: Vec<Sent> = (0..count).map(|line| sent(now_ms - 60_000, number * LINES_OF_FILE + line)).collect();
    let text: String = lines.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect();
    let id = u32::try_from(number).unwrap();
    let key = raydex::bucket_keys::batch_key("logs/", Dataset::HttpRequests, now_ms - 60_000, now_ms, id);
    Batch::new(key, compressed(text.as_bytes(), Compression::fast()), lines, count as u64)
}

/// A request of a visitor; `number` makes its ray one of its own.
fn sent(unix_ms: i64, number: usize) -> Sent {
    let ray = ray(unix_ms, number);
    let text = format!(
        r#"{{"RayID":"{ray}","EdgeStartTimestamp":{unix_ms}000000,"ParentRayID":"00","ClientIP":"192.0.2.1"}}"#
    );
    Sent { ray, unix_ms, owed: true, text }
}

/// How the messages begin that raydex does not understand.
const ODD: &str = "what is this?";

/// What someone else sends to a queue of ours, after the nth batch now and then.
pub(crate) fn odd_message(nth: usize, queue: usize) -> Option<String> {
    (nth % 7 == 3).then(|| format!("{ODD} {queue} {nth}"))
}

/// Whether a message is one of those.
pub(crate) fn is_odd(body: &str) -> bool {
    body.starts_with(ODD)
}

/// The key of the nth batch of a world.
pub(crate) fn key(number: usize, now_ms: i64) -> String {
    let id = u32::try_from(number).unwrap();
    let key = raydex::bucket_keys::batch_key("logs/", Dataset::HttpRequests, now_ms - 60_000, now_ms, id);
    // Without a draw: some are moved into the folder of a day long ago.
    if number % 10 == 9 { key.replace("http_requests/2026", "http_requests/2016") } else { key }
}

fn compressed(text: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// The ray of a request at an instant; `number` makes it one of its own.
fn ray(unix_ms: i64, number: usize) -> String {
    let ticks = u64::try_from((unix_ms - 1_350_000_000_000) / 10).unwrap();
    let ray = (ticks << 28) | u64::try_from(number).unwrap();
    let (prefix, suffix) = (u32::try_from(ray >> 44).unwrap(), ray & ((1 << 44) - 1));
    RayId::from_parts(prefix, suffix).to_string()
}

/// Windows next to each other, and some over each other, with edges exactly at records.
fn windows(random: &mut Random, now_ms: i64) -> Vec<DeliveryWindow> {
    let edge = |random: &mut Random| now_ms - 60_000 + random.between(0, 9) * 10;
    let mut edges = [edge(random), edge(random), edge(random)];
    edges.sort_unstable();
    let mut windows: Vec<DeliveryWindow> = edges
        .windows(2)
        .map(|pair| DeliveryWindow { start_ms: pair[0], end_ms: pair[1] })
        .filter(|window| window.start_ms < window.end_ms)
        .collect();
    if random.chance(500) {
        windows.push(DeliveryWindow { start_ms: edges[0], end_ms: edges[2] + 20 });
    }
    windows
}
