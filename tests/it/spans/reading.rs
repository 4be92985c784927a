//! Reading an object whole, and span by span, against the naive way: all of its text at once, split.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::ops::ControlFlow;

use raydex::batch::{BatchError, BatchLine, BatchReader, ObjectSpans, PointForm, SpanExtent};
use raydex::limits::GROUP_TEXT;

use super::lines::naive;
use super::random::Random;

/// A line: where it begins, and its bytes unless it is too long.
type Told<'t> = (u64, Option<&'t [u8]>);

/// Most bytes of a group of packed windows: text that does not compress, with 9 bits a byte at most and a few bytes beside
/// it.
const PACKED_MAX: usize = GROUP_TEXT * 9 / 8 + 256;

/// Holds lines as they come against those that are expected.
struct Comparer<'t> {
    expected: std::slice::Iter<'t, Told<'t>>,
    spans: Vec<u32>,
    wrong: Option<String>,
}

impl<'t> Comparer<'t> {
    fn new(expected: &'t [Told<'t>]) -> Self {
        Self { expected: expected.iter(), spans: Vec::new(), wrong: None }
    }

    fn take(&mut self, line: BatchLine<'_>) {
        let told = told(line);
        self.spans.push(line.span());
        let next = self.expected.next();
        if next != Some(&told) && self.wrong.is_none() {
            let begins = |bytes: &[u8]| format!("{} bytes, {:.40?}", bytes.len(), String::from_utf8_lossy(bytes));
            let words = |told: Told<'_>| format!("at {}: {:?}", told.0, told.1.map(begins));
            self.wrong = Some(format!("line {}, expected {:?}", words(told), next.map(|told| words(*told))));
        }
    }

    /// The span numbers of the lines, if they were the very ones.
    fn finish(mut self) -> Result<Vec<u32>, String> {
        match (self.wrong, self.expected.next()) {
            (Some(wrong), _) => Err(wrong),
            (None, Some((offset, _))) => Err(format!("the line at {offset} is missing")),
            (None, None) => Ok(self.spans),
        }
    }
}

const fn told(line: BatchLine<'_>) -> Told<'_> {
    match line {
        BatchLine::Text { offset, bytes, .. } => (offset, Some(bytes)),
        BatchLine::TooLong { offset, .. } => (offset, None),
    }
}

/// The bytes in pieces: single ones, small ones, large ones, or all at once.
pub(crate) fn pieces<'b>(random: &mut Random, mut bytes: &'b [u8]) -> Vec<&'b [u8]> {
    let most = *random.of(&[1, 9, 700, 20_000, 300_000, usize::MAX]);
    // Single bytes of a large object are many calls.
    let most = if bytes.len() > 100_000 { most.max(700) } else { most };
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at(bytes.len().min(1 + random.below(most)));
        pieces.push(piece);
        bytes = rest;
    }
    pieces.extend(random.chance(100).then_some(&bytes[..0]));
    pieces
}

/// Reads a whole object; its lines must be these. Says where their spans are, and the span of each.
pub(crate) fn read_whole<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    span_bytes: u64,
    expected: &[Told<'_>],
) -> Result<(ObjectSpans, Vec<u32>), String> {
    let mut comparer = Comparer::new(expected);
    let mut reader = BatchReader::finding_spans_of(span_bytes);
    let mut sink = |line: BatchLine<'_>| {
        comparer.take(line);
        ControlFlow::Continue(())
    };
    for piece in pieces {
        let flow = reader.push(piece, &mut sink).map_err(words)?;
        assert!(flow.is_continue());
    }
    reader.finish(&mut sink).map_err(words)?;
    Ok((reader.into_spans(), comparer.finish()?))
}

fn words(error: impl Debug) -> String {
    format!("{error:?}")
}

/// Reads a span of an object from its extent, up to its last line.
pub(crate) fn read_span<'a>(
    extent: &SpanExtent,
    packed: &[u8],
    pieces: impl IntoIterator<Item = &'a [u8]>,
    mut take: impl FnMut(BatchLine<'_>),
) -> Option<Result<(), BatchError>> {
    let mut reader = BatchReader::of_span(extent, packed)?;
    let end = extent.text_end();
    let mut sink = |line: BatchLine<'_>| {
        if line.offset() >= end {
            return ControlFlow::Break(());
        }
        take(line);
        ControlFlow::Continue(())
    };
    for piece in pieces {
        match reader.push(piece, &mut sink) {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => return Some(Ok(())),
            Err(error) => return Some(Err(error)),
        }
    }
    let is_last = extent.text.is_none();
    match reader.finish(&mut sink) {
        // A span that is not the last one ends in the midst of the stream.
        Err(BatchError::Truncated { .. }) if !is_last => Some(Ok(())),
        Err(error) => Some(Err(error)),
        Ok(_) => Some(Ok(())),
    }
}

/// The stored bytes of a span, and its packed window.
pub(crate) fn parts<'b>(spans: &'b ObjectSpans, extent: &SpanExtent, stored: &'b [u8]) -> (&'b [u8], &'b [u8]) {
    let place_of = |number: u64| usize::try_from(number).unwrap();
    let window = &spans.windows[place_of(extent.window.start)..place_of(extent.window.end)];
    (window, &stored[place_of(extent.first_byte())..place_of(extent.first_byte() + extent.bytes)])
}

/// Reads the object in every way; an error says what is not as it should be.
pub(crate) fn check(stored: &[u8], text: &[u8], span_bytes: u64, random: &mut Random) -> Result<ObjectSpans, String> {
    let expected = naive(text);
    let (spans, numbers) = read_whole([stored], span_bytes, &expected).map_err(|why| format!("in one piece: {why}"))?;
    let cut = read_whole(pieces(random, stored), span_bytes, &expected).map_err(|why| format!("in pieces: {why}"))?;
    check_places(&spans, stored, text, span_bytes)?;
    if cut != (spans.clone(), numbers.clone()) {
        let differ = spans.extents.iter().zip(&cut.0.extents).find(|(one, other)| one != other);
        return Err(format!(
            "pieces change the spans: {} and {}: {differ:?}",
            spans.extents.len(),
            cut.0.extents.len()
        ));
    }
    for extent in &spans.extents {
        let from = expected.partition_point(|line| line.0 < extent.offset);
        let to = expected.partition_point(|line| line.0 < extent.text_end());
        if numbers[from..to].iter().any(|number| *number != extent.number) {
            return Err(format!("a line of {extent:?} is of another span"));
        }
        let (packed, range) = parts(&spans, extent, stored);
        let mut comparer = Comparer::new(&expected[from..to]);
        let outcome = read_span(extent, packed, pieces(random, range), |line| comparer.take(line));
        outcome.ok_or("no window")?.map_err(|why| format!("{extent:?}: {why:?}"))?;
        let spans = comparer.finish().map_err(|why| format!("{extent:?}: {why}"))?;
        let others: BTreeSet<u32> = spans.into_iter().filter(|number| *number != extent.number).collect();
        if !others.is_empty() {
            return Err(format!("{extent:?} tells of the spans {others:?}"));
        }
    }
    Ok(spans)
}

/// Every extent is where it should be.
fn check_places(spans: &ObjectSpans, stored: &[u8], text: &[u8], span_bytes: u64) -> Result<(), String> {
    let first = spans.extents.first().ok_or("no span")?;
    let mut right = (first.form, first.bit, first.offset, first.head) == (PointForm::Start, 0, 0, 0);
    let (mut group, mut packed) = (0, 0);
    for (number, extent) in spans.extents.iter().enumerate() {
        let next = spans.extents.get(number + 1);
        let offset = usize::try_from(extent.offset).unwrap();
        // A line begins at the start of the text and behind each newline.
        let newline =
            |from: usize| text[from..].iter().position(|byte| *byte == b'\n').unwrap_or(text.len() - from - 1);
        let head = offset.checked_sub(1).map_or(0, newline);
        let size = extent.window.end - extent.window.start;
        right &= spans.extent(u32::try_from(number).unwrap()) == Some(extent) && extent.number as usize == number;
        right &= extent.head == head as u64 && offset <= text.len();
        let is_same_group = extent.window.start == group && extent.window.end > packed;
        right &= (extent.window.start == packed || is_same_group) && size <= PACKED_MAX as u64;
        right &= extent.first_byte() + extent.bytes <= stored.len() as u64;
        right &= next.is_some() || extent.first_byte() + extent.bytes == stored.len() as u64;
        right &= extent.text == next.map(|next| next.offset - extent.offset);
        right &= next.is_none_or(|next| next.offset >= extent.offset + span_bytes && next.bit > extent.bit);
        (group, packed) = (extent.window.start, extent.window.end);
        if !right {
            return Err(format!(
                "{extent:?}, before {next:?}, is not where it should be (head {head}, packed {packed})"
            ));
        }
    }
    if packed == spans.windows.len() as u64 { Ok(()) } else { Err("windows of no span".to_owned()) }
}
