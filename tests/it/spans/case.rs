//! One case of fuzzing: a text, whoever compresses it, spans and pieces, all from a seed.

use flate2::FlushCompress;
use raydex::batch::{GZIP_MAGIC, ObjectSpans, SpanExtent};

use super::random::Random;
use super::reading::{check, parts, pieces, read_span};
use super::texts;
use super::writers::{Writer, flushing, node};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Figures {
    pub(crate) cases: u64,
    /// Spans that were read and held against the whole text.
    pub(crate) spans: u64,
    /// Spans that were damaged and read.
    pub(crate) damaged: u64,
    /// Bytes of text.
    pub(crate) text: u64,
}

impl Figures {
    pub(crate) const fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.spans += other.spans;
        self.damaged += other.damaged;
        self.text += other.text;
    }
}

/// Runs the case of a seed; `others` are the writers that are programs of their own.
pub(crate) fn run(seed: u64, others: &[Writer]) -> Result<Figures, String> {
    let mut random = Random::new(seed);
    let text = texts::random(&mut random);
    let stored = object(&mut random, &text, others);
    let span_bytes = *random.of(&[0, 1, 40_000, 70_000, 100_000, 300_000]);
    let spans = check(&stored, &text, span_bytes, &mut random)?;
    let damaged = damage(&mut random, &stored, &spans);
    Ok(Figures { cases: 1, spans: spans.extents.len() as u64, damaged, text: text.len() as u64 })
}

/// The text as an object: gzip in one or more members, padded or not, or as it is.
pub(crate) fn object(random: &mut Random, text: &[u8], others: &[Writer]) -> Vec<u8> {
    let is_text = text.first().is_some_and(|first| *first != GZIP_MAGIC);
    if is_text && random.chance(50) {
        return text.to_vec();
    }
    let members = *random.of(&[1, 1, 1, 2, 5, 300]);
    let mut cuts = cuts(random, text.len(), members - 1);
    cuts.push(text.len());
    let (mut stored, mut from) = (Vec::new(), 0);
    for to in cuts {
        let others = if members > 5 { &[] } else { others };
        stored.extend(one(random, &text[from..to], others));
        from = to;
    }
    if random.chance(100) {
        let padding = 1 + random.below(2000);
        stored.resize(stored.len() + padding, 0);
    }
    stored
}

/// One member.
fn one(random: &mut Random, text: &[u8], others: &[Writer]) -> Vec<u8> {
    let level = |random: &mut Random, writer: Writer| {
        let [low, high] = writer.levels();
        low + u8::try_from(random.below(usize::from(high - low) + 1)).unwrap()
    };
    // A program takes as long to start as twenty cases to check.
    if random.chance(30) && !others.is_empty() {
        let writer = *random.of(others);
        let level = level(random, writer);
        if writer == Writer::Node {
            let small = |random: &mut Random, end| u8::try_from(random.below(end)).unwrap();
            return node(level, 1 + small(random, 9), small(random, 5), text);
        }
        return writer.gzip(level, text);
    }
    if random.chance(400) {
        let flush = *random.of(&[FlushCompress::Sync, FlushCompress::Full, FlushCompress::Partial]);
        let count = random.below(*random.clone().of(&[3, 30, 3_000]));
        let places = cuts(random, text.len(), count);
        return flushing(level(random, Writer::ZlibRs), text, &places, flush);
    }
    let writer = *random.of(&Writer::QUICK);
    writer.gzip(level(random, writer), text)
}

/// So many places of a text, in order; some are near each other, some the same.
fn cuts(random: &mut Random, length: usize, count: usize) -> Vec<usize> {
    let mut last = 0;
    let mut draw = |_| {
        let near = random.chance(500);
        last = if near { length.min(last + random.below(40)) } else { random.below(length + 1) };
        last
    };
    let mut places: Vec<usize> = (0..count).map(&mut draw).collect();
    places.sort_unstable();
    places
}

/// Damages some of the spans and reads them: that ends, in lines or in an error. Says how many there were.
fn damage(random: &mut Random, stored: &[u8], spans: &ObjectSpans) -> u64 {
    let mut damaged = 0;
    for extent in &spans.extents {
        for _ in 0..random.below(4) {
            let (window, range) = parts(spans, extent, stored);
            let (mut extent, mut window, mut range) = (extent.clone(), window.to_vec(), range.to_vec());
            harm(random, &mut extent, &mut window, &mut range);
            let mut lines = 0_u64;
            let pieces = pieces(random, &range);
            let _either = read_span(&extent, &window, pieces, |_| lines += 1);
            // No line is less than a byte, and no byte is more than 1032 of text.
            assert!(lines <= 1032 * (range.len() as u64 + 1), "{lines} lines of {} bytes", range.len());
            damaged += 1;
        }
    }
    damaged
}

/// Makes something of a span wrong.
fn harm(random: &mut Random, extent: &mut SpanExtent, window: &mut Vec<u8>, range: &mut Vec<u8>) {
    let flip = |random: &mut Random, bytes: &mut [u8]| {
        let at = random.below(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << random.below(8);
        }
    };
    let any: Vec<u8> = (0..=255).collect();
    match random.below(7) {
        0 => flip(random, range),
        1 => flip(random, window),
        2 => range.truncate(random.below(range.len())),
        3 => window.truncate(random.below(window.len())),
        4 => extent.bit = random.next(),
        5 => {
            let length = random.below(40_000);
            *window = texts::drawn(random, length, &any);
        }
        _ => {
            let length = random.below(2_000);
            *range = texts::drawn(random, length, &any);
        }
    }
}
