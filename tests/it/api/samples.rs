//! Log files of others, from a folder that `SAMPLES` names, through the whole pipeline: what each of them comes to.
//!
//! ```text
//! {SAMPLES}/{folder}/{file}      NDJSON, plain or compressed, as a job that writes to logs/{folder}/ would have written it
//! ```
//!
//! Whatever is in them: a file is sealed or quarantined with a reason, the same compressed as plain; each record is found
//! by its ray and at its time; a viewer sees no whole address, no e-mail address and no token; and the partner gets
//! records of `http_requests` alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::{env, fs};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use raydex::bucket_keys::batch_times;
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::ledger::books::BatchSummary;
use raydex::r2_event::R2Event;
use raydex::record::{Dataset, read_key};
use raydex::time;
use serde_json::{Value, json};

use super::access::rule;
use super::support::gzip::{gunzip, gzip};
use super::support::partner::delivering;
use super::support::{Consumers, Reply as PartnerReply};
use super::{Ask, Reply, json as json_of};
use crate::partner::oracle;

/// After every file that is known: 2026-11-28.
const NOW_MS: i64 = 1_795_824_000_000;

/// What a file came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    verdict: String,
    dataset: String,
    counts: String,
    /// Records found by their rays, and those that have one.
    rays: (usize, usize),
    /// Records found at their times, and those that have one.
    times: (usize, usize),
    /// Records in the range of all times.
    range: usize,
    /// Lines that the partner got.
    partner: usize,
    /// What a POST of it to the dataset's door is answered with.
    upload: String,
    /// Names of fields that the dataset's list lacks.
    unlisted: BTreeSet<String>,
    /// What must not be.
    problems: BTreeSet<String>,
}

/// A file in a world of its own.
struct World {
    consumers: Consumers,
    key: String,
    verdict: String,
}

impl World {
    fn new(folder: &str, suffix: &str, stored: &[u8], start_ms: i64) -> Self {
        let tokens = json!([
            rule("viewer", &json!({ "role": "viewer" })),
            rule("forensics", &json!({})),
            rule("ingest", &json!({ "scopes": ["ingest"] })),
        ]);
        let tokens = tokens.to_string();
        let config = delivering(&[("API_TOKENS", &tokens), ("API_RATE_PER_MINUTE", "0")]);
        let consumers = Consumers::new(config, |_, _| PartnerReply::Status(200));
        consumers.fakes.clock_ms.set(NOW_MS);
        let (day, start, end) = (time::day(start_ms), time::stamp(start_ms), time::stamp(start_ms + 30_000));
        let key = format!("logs/{folder}/{day}/{start}_{end}_aa.log{suffix}");
        let head = consumers.fakes.bucket.store(&key, stored);
        let event = R2Event::put_object(BUCKET_NAME, &key, head.size, &head.etag, NOW_MS);
        let said = consumers.parse(&serde_json::to_string(&event).unwrap(), 1);
        let verdict = [said.verdict.name(), said.code.unwrap_or_default()].join(" ").trim().to_owned();
        consumers.settle(600_000);
        consumers.fakes.clock_ms.set(NOW_MS);
        Self { consumers, key, verdict }
    }

    /// What the ledger says of the file; `None` where it is no batch by its name.
    fn summary(&self) -> Option<BatchSummary> {
        self.consumers.fakes.kept(&self.key).batch
    }

    fn get(&self, role: &str, path: &str) -> Reply {
        let ask = Ask { authorization: Some(format!("Bearer {role}")), ..Ask::get(path) };
        ask.of_deployment(&self.consumers.fakes, &Ok(self.consumers.config.clone()))
    }

    /// What the answer to an upload says: what was accepted, or the problem's code.
    fn upload(&self, dataset: Dataset, body: &[u8]) -> String {
        let ask = Ask {
            authorization: Some("Bearer ingest".into()),
            body: body.to_vec(),
            ..Ask::new("POST", &format!("/v1/ingest/{dataset}"))
        };
        let reply = json_of(&ask.of_deployment(&self.consumers.fakes, &Ok(self.consumers.config.clone())));
        let said = if reply["accepted"].is_null() { &reply["code"] } else { &reply["accepted"] };
        said.as_str().unwrap().to_owned()
    }

    /// Whether an answer has the line.
    fn has(&self, path: &str, line: &[u8]) -> bool {
        let reply = self.get("forensics", path);
        reply.status == 200 && reply.body.split(|byte| *byte == b'\n').any(|found| found == line)
    }
}

/// The values of a record that a viewer must not see: whole addresses, e-mail addresses, tokens.
fn secrets(record: &Value, found: &mut BTreeSet<String>) {
    match record {
        Value::Array(values) => values.iter().for_each(|value| secrets(value, found)),
        Value::Object(members) => members.values().for_each(|value| secrets(value, found)),
        Value::String(text) => {
            let parts = text.split(|sign: char| !(sign.is_ascii_hexdigit() || ".:".contains(sign)));
            found.extend(parts.filter(|part| is_whole_address(part)).map(str::to_owned));
            let words = text.split(|sign: char| !(sign.is_ascii_alphanumeric() || "@.+_-".contains(sign)));
            found.extend(words.filter(|word| is_mail_or_token(word)).map(str::to_owned));
        }
        _ => {}
    }
}

/// Whether it is an address that names one machine, not a network.
fn is_whole_address(text: &str) -> bool {
    match text.parse() {
        Ok(IpAddr::V4(address)) => address.octets()[3] != 0,
        Ok(IpAddr::V6(address)) => address.segments()[3..] != [0; 5],
        Err(_) => false,
    }
}

fn is_mail_or_token(word: &str) -> bool {
    let is_mail = word.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
    is_mail || (word.len() >= 20 && word.starts_with("eyJ"))
}

/// The value of the ray's field, as a text.
fn ray_of(dataset: Dataset, record: &Value) -> Option<String> {
    let path = dataset.spec().ray?.split('.');
    let value = path.fold(record, |value, name| &value[name]);
    Some(value.as_str()?.to_owned()).filter(|ray| !ray.is_empty())
}

/// Sends the file through the pipeline, and asks for all that is in it.
fn outcome_of(folder: &str, suffix: &str, stored: &[u8], text: &[u8]) -> Outcome {
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let records: Vec<(&[u8], Value)> =
        lines.iter().filter_map(|line| Some((*line, serde_json::from_slice(line).ok()?))).collect();
    let named = Dataset::ALL.into_iter().find(|dataset| folder.split('/').any(|part| part == dataset.name()));
    let first =
        records.iter().find_map(|(line, _)| read_key(named.unwrap_or(Dataset::HttpRequests), line).ok()?.unix_ms());
    let world = World::new(folder, suffix, stored, first.unwrap_or(NOW_MS - 86_400_000));
    let mut outcome = Outcome { verdict: world.verdict.clone(), ..Outcome::default() };
    let summary = world.summary();
    let Some(summary) = summary else { return outcome };
    let dataset = Dataset::from_name(&summary.dataset).unwrap();
    outcome.dataset = dataset.to_string();
    let counts = &summary.counts;
    outcome.counts = format!(
        "{} records, no_ray {}, skewed {}, rejected {:?}",
        counts.records, counts.no_ray, counts.clock_skewed, counts.rejected
    );
    let posts = world.consumers.partner.seen();
    outcome.partner = posts.iter().map(|seen| seen.lines.len()).sum();
    if outcome.partner > 0 && dataset != Dataset::HttpRequests {
        outcome.problems.insert(format!("{} lines of {dataset} delivered", outcome.partner));
    }
    let cells = |line: &[u8]| oracle::render(line).cells.join("\u{1}");
    let expected: BTreeSet<String> = records.iter().map(|(line, _)| cells(line)).collect();
    let delivered = posts.iter().flat_map(|seen| &seen.lines);
    let wrong = delivered.filter(|line| !expected.contains(*line));
    outcome.problems.extend(wrong.map(|line| format!("the partner got {line:?}")));
    outcome.upload = world.upload(dataset, stored);
    // The door sees the beginning alone: what it takes may be quarantined later, never the other way round.
    if outcome.verdict == "sealed" && outcome.upload != "batch" {
        outcome.problems.insert(format!("uploaded, it is answered {}", outcome.upload));
    }
    for (line, record) in records.iter().filter(|(_, record)| record.is_object()) {
        look_for(&world, dataset, line, record, &mut outcome);
    }
    let all = world.get("forensics", &format!("/v1/logs?dataset={dataset}&start=0&end=2200-01-01T00:00:00Z"));
    outcome.range = String::from_utf8_lossy(&all.body).lines().filter(|line| !line.starts_with("{\"raydex\":")).count();
    if outcome.verdict == "sealed" && outcome.range as u64 != counts.records {
        outcome.problems.insert(format!("{} records in the range of all times", outcome.range));
    }
    if outcome.verdict == "sealed" {
        let rejected = usize::try_from(counts.rejected_lines()).unwrap();
        for (what, (found, all)) in [("rays", outcome.rays), ("times", outcome.times)] {
            if found + rejected < all {
                outcome.problems.insert(format!("{what}: {found} of {all} found"));
            }
        }
    }
    outcome
}

/// Asks for a record by its ray and by its time, and looks at what a viewer sees.
fn look_for(world: &World, dataset: Dataset, line: &[u8], record: &Value, outcome: &mut Outcome) {
    let known = dataset.spec().fields;
    let names = record.as_object().unwrap().keys().filter(|name| !known.contains(&name.as_str()));
    outcome.unlisted.extend(names.cloned());
    let mut shown = Vec::new();
    if let Some(ray) = ray_of(dataset, record) {
        let path = format!("/v1/rays/{}?dataset={dataset}&format=", utf8_percent_encode(&ray, NON_ALPHANUMERIC));
        outcome.rays.0 += usize::from(world.has(&format!("{path}native"), line));
        outcome.rays.1 += 1;
        shown.extend(["native", "csv", "json"].map(|form| format!("{path}{form}")));
    }
    let start = batch_times(&world.key).map(|(start_ms, _)| start_ms * 1_000_000);
    let at = read_key(dataset, line).ok().and_then(|key| key.unix_ns()).or(start).unwrap();
    // No range begins in the future, whatever a record says of its time.
    let begin = at.min(NOW_MS * 1_000_000 - 1);
    let path = format!("/v1/logs?dataset={dataset}&start={begin}&end={}&format=", at + 1_000_000_000);
    outcome.times.0 += usize::from(world.has(&format!("{path}native"), line));
    outcome.times.1 += 1;
    shown.extend(["native", "csv", "json"].map(|form| format!("{path}{form}")));
    let mut hidden = BTreeSet::new();
    secrets(record, &mut hidden);
    for path in shown {
        let reply = world.get("viewer", &path);
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        let seen: BTreeSet<&String> = hidden.iter().filter(|secret| text.contains(secret.as_str())).collect();
        if !seen.is_empty() {
            outcome.problems.insert(format!("a viewer sees {seen:?}"));
        }
        if env::var_os("SAMPLES_SHOWN").is_some() && path.contains("native") {
            println!("    {}", text.trim_end());
        }
    }
}

/// The files under `folder`, each with the path that its folder has from there.
fn files(root: &Path, folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(root, &path, found);
        } else {
            let below = folder.strip_prefix(root).unwrap();
            found.insert(path, below.to_string_lossy().replace('\\', "/"));
        }
    }
}

#[test]
#[ignore = "it reads the files of the folder that SAMPLES names"]
fn samples_of_others_keep_every_promise() {
    let root = PathBuf::from(env::var_os("SAMPLES").unwrap());
    let (mut found, mut broken) = (BTreeMap::new(), String::new());
    files(&root, &root, &mut found);
    assert!(!found.is_empty(), "{} has no files", root.display());
    for (path, folder) in found {
        let stored = fs::read(&path).unwrap();
        let text = if stored.starts_with(b"\x1f\x8b") { gunzip(&stored) } else { stored };
        let plain = outcome_of(&folder, "", &text, &text);
        let packed = outcome_of(&folder, ".gz", &gzip(&text), &text);
        let name = path.strip_prefix(&root).unwrap().display();
        println!("{name}: {plain:?}");
        if plain != packed {
            writeln!(broken, "{name}: compressed it comes to {packed:?}").unwrap();
        }
        plain.problems.iter().for_each(|problem| writeln!(broken, "{name}: {problem}").unwrap());
    }
    assert!(broken.is_empty(), "{broken}");
}
