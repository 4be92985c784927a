//! Stores of batches at random: ordinary records, and all that stands between people and their logs.

use flate2::{Compression, write::GzEncoder};
use raydex::record::{Dataset, RayId};
use raydex::time::rfc3339;
use std::io::Write;

use super::random::Random;
use super::support::Fakes;
use super::support::records::{PREFIX, ndjson};

/// Milliseconds of a prefix.
pub(crate) const PREFIX_MS: i64 = 655_360;
/// The first instant that ordinary records have.
pub(crate) fn start_ms() -> i64 {
    RayId::prefix_start_ns(PREFIX - 3) / 1_000_000
}

/// Batches that were indexed, each with its text, in the order in which they were.
pub(crate) struct Store {
    pub(crate) fakes: Fakes,
    pub(crate) batches: Vec<(String, Vec<u8>)>,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self { fakes: Fakes::new(), batches: Vec::new() }
    }

    /// Writes and indexes a batch, or another version of it.
    pub(crate) fn put(&mut self, key: &str, text: &[u8], is_gzip: bool) {
        let stored = if is_gzip { gzip(text) } else { text.to_vec() };
        self.fakes.index(key, Dataset::HttpRequests, &stored);
        self.batches.retain(|(there, _)| there != key);
        self.batches.push((key.to_owned(), text.to_vec()));
    }

    /// So many batches of so many records.
    pub(crate) fn random(random: &mut Random, batches: usize, records: usize) -> Self {
        let mut store = Self::new();
        for number in 0..batches {
            // Some keys come again: other versions of the same object.
            let number = if random.chance(150) { random.below(number) } else { number };
            let at = start_ms() + random.between(0, 3 * PREFIX_MS);
            let key = format!("logs/{}_{number}.log.gz", raydex::time::stamp(at));
            let key = if random.chance(300) { format!("logs/{number}.log.gz") } else { key };
            let count = 1 + random.below(records);
            let mut lines: Vec<String> = (0..count).map(|_| line(random, at)).collect();
            // There is no batch without any ray.
            lines.push(record(&format!("\"{}\"", ray(at, 1)), None, &[]));
            store.put(&key, &ndjson(&lines), random.chance(800));
        }
        store
    }
}

pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn ray(ms: i64, random: u32) -> RayId {
    RayId::at(ms, random).unwrap()
}

/// A record of this ray and this start, both as JSON, with more members.
pub(crate) fn record(ray: &str, start: Option<&str>, more: &[(&str, &str)]) -> String {
    let mut members = vec![format!("\"RayID\":{ray}")];
    members.extend(start.map(|start| format!("\"EdgeStartTimestamp\":{start}")));
    members.extend(more.iter().map(|(name, value)| format!("\"{name}\":{value}")));
    format!("{{{}}}", members.join(","))
}

/// A line of a batch of about this time: mostly a record.
fn line(random: &mut Random, batch_ms: i64) -> String {
    // More than one line in ten would quarantine a batch.
    if random.chance(5) {
        return random.of(&["", "x", "[1]", "{\"RayID\":", "null"]).to_string();
    }
    let mut ms = batch_ms + random.between(-60_000, 30_000);
    if random.chance(50) {
        // Late, or a clock that is wrong.
        ms = start_ms() + random.between(-PREFIX_MS, 3 * PREFIX_MS);
    }
    let start = start(random, ms);
    let skew = if random.chance(50) { random.between(-2 * PREFIX_MS, PREFIX_MS) } else { -random.between(0, 12) };
    let bits = u32::try_from(random.below(1 << 28)).unwrap();
    let id = match random.below(30) {
        0 => "\"test-ray\"".to_owned(),
        1 => "null".to_owned(),
        2 => "7".to_owned(),
        _ => format!("\"{}\"", ray(ms + skew, bits)),
    };
    let more = fields(random);
    let more: Vec<(&str, &str)> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let text = record(&id, start.as_deref(), &more);
    // What the fast reading leaves to the plain one.
    if random.chance(40) { text.replacen("\":", "\" : ", 1) } else { text }
}

fn start(random: &mut Random, ms: i64) -> Option<String> {
    let ns = ms * 1_000_000 + random.between(0, 1_000_000);
    match random.below(20) {
        0 => None,
        1 => Some("null".into()),
        2 => Some("\"yesterday\"".into()),
        3 => Some(format!("\"{}\"", rfc3339(ms))),
        4 => Some((ms / 1000).to_string()),
        5 => Some(format!("\"{ns}\"")),
        _ => Some(ns.to_string()),
    }
}

/// Members that summaries tell of, in many spellings.
fn fields(random: &mut Random) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    if !random.chance(100) {
        let status = *random.of(&["200", "200", "200", "404", "\"200\"", "200.0", "null", "5e2", "[500]"]);
        fields.push(("EdgeResponseStatus", status.to_owned()));
    }
    if !random.chance(50) {
        let host = format!("h{}.example.com", random.below(4));
        let escaped = random.chance(50);
        fields.push((
            "ClientRequestHost",
            if escaped { format!("\"\\u0068{}\"", host.trim_start_matches('h')) } else { format!("\"{host}\"") },
        ));
    }
    fields.push(("ClientIP", format!("\"192.0.2.{}\"", random.below(40))));
    if random.chance(500) {
        fields.push(("ClientRequestMethod", (*random.of(&["\"GET\"", "\"POST\"", "\"\\ud800\"", "true"])).to_owned()));
        // The last one of two counts.
        if random.chance(100) {
            fields.push(("ClientRequestMethod", "\"PUT\"".into()));
        }
    }
    fields
}

/// A filter that some of these records pass.
pub(crate) fn filter(random: &mut Random) -> String {
    format!("{{\"where\":{}}}", node(random, 2))
}

fn node(random: &mut Random, depth: usize) -> String {
    if depth > 0 && random.chance(400) {
        let name = *random.of(&["and", "or"]);
        let parts: Vec<String> = (0..2).map(|_| node(random, depth - 1)).collect();
        return format!("{{\"{name}\":[{}]}}", parts.join(","));
    }
    let ip = format!("\"192.0.2.{}\"", random.below(60));
    let (key, operator, value) = match random.below(9) {
        0 => ("EdgeResponseStatus", "eq", "200"),
        1 => ("EdgeResponseStatus", "geq", "500"),
        2 => ("EdgeResponseStatus", "!in", "[200,404]"),
        3 => ("ClientRequestHost", "eq", "\"h1.example.com\""),
        4 => ("ClientRequestHost", "in", "\"h2.example.com,h9.example.com\""),
        5 => ("ClientRequestHost", "!eq", "\"h0.example.com\""),
        6 => ("ClientRequestMethod", "eq", "\"PUT\""),
        7 => ("ClientRequestPath", "!eq", "\"/\""),
        _ => ("ClientIP", "eq", ip.as_str()),
    };
    format!("{{\"key\":\"{key}\",\"operator\":\"{operator}\",\"value\":{value}}}")
}
