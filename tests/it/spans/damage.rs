//! Damage to a span, its window or its extent: reading ends, in lines or in an error.

use std::collections::BTreeSet;

use flate2::FlushCompress;
use raydex::batch::{BatchError, ObjectSpans, PointForm};
use raydex::record::Dataset;

use super::random::Random;
use super::reading::{check, parts, read_span};
use super::support::lines::naive;
use super::texts;
use super::writers::flushing;

/// An object of a few spans, and its text.
fn object() -> (Vec<u8>, Vec<u8>, ObjectSpans) {
    let text = texts::sample(Dataset::HttpRequests, 150);
    let stored = flushing(6, &text, &[55_000, 110_000, 165_000], FlushCompress::Sync);
    let spans = check(&stored, &text, 50_000, &mut Random::new(1)).unwrap();
    assert!(spans.extents.len() > 2);
    (stored, text, spans)
}

#[test]
fn flipped_byte_in_ranges_gives_lines_or_error() {
    let (stored, text, spans) = object();
    let most = naive(&text).len() * 10;
    let extent = &spans.extents[1];
    let (packed, range) = parts(&spans, extent, &stored);
    let mut errors = 0;
    for at in (0..range.len()).step_by(5) {
        let mut range = range.to_vec();
        range[at] ^= 1 << (at % 8);
        let mut lines = 0;
        errors += u32::from(read_span(extent, packed, [&range[..]], |_| lines += 1).unwrap().is_err());
        assert!(lines < most, "{lines} lines, byte {at}");
    }
    assert!(errors > 0, "no flip was seen");
}

#[test]
fn flipped_byte_in_windows_gives_lines_or_error() {
    let (stored, text, spans) = object();
    let whole = naive(&text);
    let extent = &spans.extents[1];
    let (packed, range) = parts(&spans, extent, &stored);
    let mut refused = 0;
    for at in 0..packed.len() {
        let mut packed = packed.to_vec();
        packed[at] ^= 1 << (at % 8);
        let mut lines = 0;
        match read_span(extent, &packed, [range], |_| lines += 1) {
            None => refused += 1,
            Some(_) => assert!(lines < whole.len() * 10, "{lines} lines, byte {at}"),
        }
    }
    assert!(refused > 0, "every flip was a window");
}

#[test]
fn short_range_gives_only_existing_lines() {
    let (stored, text, spans) = object();
    let lines: BTreeSet<_> = naive(&text).into_iter().collect();
    for extent in &spans.extents {
        let (packed, range) = parts(&spans, extent, &stored);
        for end in (0..range.len()).step_by(11) {
            let outcome = read_span(extent, packed, [&range[..end]], |line| {
                let raydex::batch::BatchLine::Text { offset, bytes, .. } = line else { panic!("{line:?}") };
                assert!(lines.contains(&(offset, Some(bytes))), "at {offset}, cut at {end}");
            });
            let is_seen = extent.text.is_some() || end == 0 || outcome.as_ref().is_some_and(Result::is_err);
            assert!(is_seen, "{outcome:?} at {end}");
        }
        let nothing = read_span(extent, packed, [], |_| panic!("a line of nothing")).unwrap();
        assert_eq!(nothing, Err(BatchError::Empty));
    }
}

#[test]
fn any_window_and_bit_gives_lines_or_error() {
    let (stored, _, spans) = object();
    let mut random = Random::new(5);
    let extent = &spans.extents[1];
    let (packed, range) = parts(&spans, extent, &stored);
    for form in [PointForm::Start, PointForm::Block, PointForm::Plain] {
        for into in 0..8 {
            let mut wrong = extent.clone();
            (wrong.form, wrong.bit) = (form, extent.first_byte() * 8 + into);
            let _either = read_span(&wrong, packed, [range], |_| ());
            let _either = read_span(&wrong, &[], [range], |_| ());
            let length = random.below(9_000);
            let noise = texts::drawn(&mut random, length, &(0..=255).collect::<Vec<u8>>());
            let _either = read_span(&wrong, &noise, [range], |_| ());
            let _either = read_span(&wrong, packed, [noise.as_slice()], |_| ());
        }
    }
    for other in &spans.extents {
        let (strange, _) = parts(&spans, other, &stored);
        let _either = read_span(extent, strange, [range], |_| ());
    }
}

#[test]
fn oversized_window_is_refused() {
    let (stored, _, spans) = object();
    let extent = &spans.extents[1];
    let (_, range) = parts(&spans, extent, &stored);
    let packed = miniz_oxide::deflate::compress_to_vec(&vec![b'x'; 1 << 20], 6);
    assert_eq!(read_span(extent, &packed, [range], |_| ()), None);
}
