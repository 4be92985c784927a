//! Texts to compress: what the sample writes, and all that lines and compressors stumble over.

use std::sync::OnceLock;

use raydex::limits::{KIB, MAX_LINE};
use raydex::record::Dataset;
use raydex::sample::{PlanUnits, SamplePlan};

use super::random::Random;

/// A byte-order mark.
pub(crate) const BOM: &[u8] = b"\xef\xbb\xbf";
/// A buffer of the inflater's: where text ends with one, nothing may be left over.
const BUFFERS: [usize; 4] = [256 * KIB, 288 * KIB, 544 * KIB, 800 * KIB];

/// The text of a batch of so many records.
pub(crate) fn sample(dataset: Dataset, records: u32) -> Vec<u8> {
    let plan = SamplePlan { batches: 1, records, units: PlanUnits::Mixed, level: 1, ..SamplePlan::default() };
    plan.batch(dataset, 0).ndjson
}

/// Lines of a sample that is made once.
fn lines() -> &'static [u8] {
    static LINES: OnceLock<Vec<u8>> = OnceLock::new();
    LINES.get_or_init(|| sample(Dataset::HttpRequests, 900))
}

/// Bytes that do not compress below one bit in `of.len()`, drawn of these.
pub(crate) fn drawn(random: &mut Random, length: usize, of: &[u8]) -> Vec<u8> {
    (0..length).map(|_| *random.of(of)).collect()
}

/// Words in an order of no sense, without a newline.
fn babble(random: &mut Random, length: usize) -> Vec<u8> {
    const WORDS: [&str; 12] =
        ["GET ", "\"RayID\":", "https://", "example", ".com/", "\\\"", "0000", "Mozilla", "{", "}", ",", "\u{fc}"];
    let mut text = Vec::new();
    while text.len() < length {
        text.extend_from_slice(random.of(&WORDS).as_bytes());
        text.extend_from_slice(random.below(1 << 20).to_string().as_bytes());
    }
    text.truncate(length);
    text
}

/// A piece of a text.
fn piece(random: &mut Random, text: &[u8]) -> Vec<u8> {
    let length = 1 + random.below(*random.clone().of(&[20, 2_000, 60_000, 400_000]));
    match random.below(12) {
        0..5 => {
            let from = random.below(lines().len());
            lines()[from..].iter().copied().take(length).collect()
        }
        5 => babble(random, length),
        6 => [babble(random, length.min(3_000)), b"\r\n".to_vec()].concat().repeat(1 + random.below(20)),
        7 => drawn(random, length, &(0..=255).collect::<Vec<u8>>()),
        8 => drawn(random, length, b"\n\n x\r\"{"),
        9 => vec![b"\nx 0"[random.below(4)]; length],
        10 => {
            // Again what stood before, from any distance.
            let from = text.len().saturating_sub(1 + random.below(*random.clone().of(&[300, 32 * KIB, 80_000])));
            let end = text.len().min(from + length);
            text[from..end].to_vec()
        }
        _ => BOM.to_vec(),
    }
}

/// A text from a seed, up to a megabyte and a half.
pub(crate) fn random(random: &mut Random) -> Vec<u8> {
    let mut size = random.below(*random.clone().of(&[200, 50_000, 300_000, 700_000, 1_500_000]));
    if random.chance(80) {
        size = *random.of(&BUFFERS);
    }
    let mut text = if random.chance(100) { BOM.to_vec() } else { Vec::new() };
    while text.len() < size {
        let next = piece(random, &text);
        text.extend(next);
    }
    text.truncate(size);
    if random.chance(500) && text.last().is_some_and(|last| *last != b'\n') {
        text.pop();
        text.push(b'\n');
    }
    text
}

/// Texts by name, of all that lines are told by.
pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    let mut random = Random::new(7);
    let (small, large) = (sample(Dataset::HttpRequests, 150), sample(Dataset::HttpRequests, 1_200));
    let newline = |text: &[u8], with: &str| String::from_utf8_lossy(text).replace('\n', with).into_bytes();
    let long = |random: &mut Random, length| [babble(random, length), b"\n".to_vec()].concat();
    let longs = [70_000, MAX_LINE, 3, 200_000, MAX_LINE + 1, 10].map(|length| long(&mut random, length)).concat();
    let noise = drawn(&mut random, 500_000, &(0..=255).collect::<Vec<u8>>());
    let mut buffer = large.clone();
    buffer.truncate(BUFFERS[1]);
    vec![
        ("a sample of firewall events", sample(Dataset::FirewallEvents, 600)),
        ("a byte-order mark, blank lines, CRLF", [BOM, &newline(&small, "\r\n\r\n \n")].concat()),
        ("no newline at the end", large[..large.len() - 1].to_vec()),
        ("lines of many spans", [small.as_slice(), &longs, &small].concat()),
        ("a last line of many spans", [small.as_slice(), &babble(&mut random, 400_000)].concat()),
        ("no line that ends", babble(&mut random, 600_000)),
        ("nothing but newlines", vec![b'\n'; 300_000]),
        ("noise", noise),
        ("a text of just one buffer", buffer),
        ("a sample", large),
        ("one byte", b"x".to_vec()),
        ("nothing", Vec::new()),
    ]
}
