//! Lookups through all of raydex, over what several writers wrote: each line byte for byte as `zcat | grep` finds it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use raydex::record::{Dataset, RayKey, read_key};
use raydex::sample::SamplePlan;

use super::random::Random;
use super::support::Fakes;
use super::support::records::ndjson;
use super::writers::{Writer, run};

const DATASET: Dataset = Dataset::HttpRequests;

/// The lines of some rays, each ray's in the order of the batch.
type Lines = BTreeMap<String, Vec<Vec<u8>>>;

/// A batch to look up in.
struct Text {
    key: String,
    bytes: Vec<u8>,
    /// The rays of its lines, each once.
    rays: Vec<String>,
}

impl Text {
    /// A batch of so many records, some of them written twice.
    fn of(records: u32) -> Self {
        let plan =
            SamplePlan { batches: 1, records, window_ms: 30_000, duplicates: 30, level: 1, ..SamplePlan::default() };
        let batch = plan.batch(DATASET, 0);
        let mut rays: Vec<String> = batch.lines.iter().map(|place| place.ray.to_string()).collect();
        rays.sort_unstable();
        rays.dedup();
        Self { key: batch.key, bytes: batch.ndjson, rays }
    }

    /// So many of its rays, each once.
    fn draw(&self, count: usize, random: &mut Random) -> Lines {
        assert!(count <= self.rays.len() / 2, "{count} rays of {}", self.rays.len());
        let mut drawn = Lines::new();
        while drawn.len() < count {
            drawn.insert(random.of(&self.rays).clone(), Vec::new());
        }
        drawn
    }
}

/// The ray of a line.
fn ray_of(line: &[u8]) -> Option<RayKey> {
    read_key(DATASET, line).ok().and_then(|key| key.ray)
}

/// Keeps a line if its ray was drawn.
fn keep(drawn: &mut Lines, line: &[u8]) {
    let ray = ray_of(line).expect("a sample line has a ray").to_string();
    if let Some(lines) = drawn.get_mut(&ray) {
        lines.push(line.to_vec());
    }
}

/// What `zcat | grep` finds of the drawn rays, in one pass for all of them.
fn by_shell(drawn: &Lines, stored: &Path) -> Lines {
    let mut found: Lines = drawn.keys().map(|ray| (ray.clone(), Vec::new())).collect();
    let patterns = ndjson(drawn.keys().map(|ray| format!("\"RayID\":\"{ray}\"")));
    let list = stored.with_extension("rays");
    fs::write(&list, patterns).unwrap();
    let command = "zcat < \"$1\" | LC_ALL=C grep -F -f \"$2\"";
    let output = run("sh", &["-c", command, "sh", stored.to_str().unwrap(), list.to_str().unwrap()], b"");
    fs::remove_file(list).unwrap();
    for line in output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        keep(&mut found, line);
    }
    found
}

/// What flate2 finds of them.
fn by_flate2(drawn: &mut Lines, stored: &[u8]) {
    let mut text = BufReader::with_capacity(1 << 18, MultiGzDecoder::new(stored));
    let mut line = Vec::new();
    while text.read_until(b'\n', &mut line).unwrap() > 0 {
        keep(drawn, line.strip_suffix(b"\n").unwrap_or(&line));
        line.clear();
    }
}

/// Looks rays of one batch up, as one writer wrote it; says how large that is. None may need all of it.
fn look_up(text: &Text, writer: Writer, count: usize, path: &Path) -> usize {
    let stored = writer.gzip(6, &text.bytes);
    let mut drawn = text.draw(count, &mut Random::new(stored.len() as u64));
    by_flate2(&mut drawn, &stored);
    assert!(drawn.values().all(|lines| !lines.is_empty()), "a ray has no line");
    fs::write(path, &stored).unwrap();
    assert!(by_shell(&drawn, path) == drawn, "flate2 and zcat | grep differ, {writer:?}");
    fs::remove_file(path).unwrap();
    let mut full_scans = 0;
    let fakes = Fakes::new();
    fakes.index(&text.key, DATASET, &stored);
    for (ray, expected) in &drawn {
        let found = fakes.find(DATASET, ray);
        full_scans += found.stats.full_scans;
        let mut seen = BTreeSet::new();
        let lines: Vec<Vec<u8>> = found.records.into_iter().map(|record| record.line).collect();
        assert!(
            lines.iter().eq(expected.iter().filter(|line| seen.insert(*line))),
            "{ray}, {writer:?}: other lines than in the text"
        );
    }
    assert_eq!(full_scans, 0, "lookups that read the whole of what {writer:?} wrote");
    stored.len()
}

#[test]
fn ray_is_found_like_zcat_and_grep_do() {
    let text = Text::of(2_500);
    for writer in Writer::EVERYWHERE {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lookups-small.log.gz");
        look_up(&text, writer, 60, &path);
    }
}

#[test]
#[ignore = "takes minutes: scripts/lookups"]
#[expect(clippy::disallowed_methods, reason = "tells how long it takes, and is told how many")]
fn ten_thousand_rays_match_zcat_and_grep() {
    let wanted: usize = std::env::var("RAYDEX_LOOKUPS").map_or(10_000, |count| count.parse().unwrap());
    let (writers, missing) = Writer::here();
    println!("  writers: {writers:?}; not installed: {missing:?}");
    // 1, 10 and 40 MB of gzip.
    let sizes = [8_500, 85_000, 340_000];
    let share = wanted.div_ceil(writers.len() * sizes.len());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lookups.log.gz");
    let mut done = 0;
    for records in sizes {
        let text = Text::of(records);
        for writer in &writers {
            let started = std::time::Instant::now();
            let stored = look_up(&text, *writer, share, &path);
            done += share;
            let (stored, of) = (stored / 1000, text.bytes.len() / 1_000_000);
            let time = started.elapsed();
            println!("  {done} lookups: {share} in {stored} KB of {of} MB, {writer:?}, {time:.1?}");
        }
    }
    println!("{done} lookups, every line as zcat | grep finds it");
}
