//! The forms that objects come in: every writer, and whatever it is told.

use flate2::FlushCompress;
use raydex::limits::SPAN_BYTES;
use raydex::record::Dataset;

use super::case::{self, Figures};
use super::random::Random;
use super::reading::{check, parts, read_span};
use super::support::gzip::{gzip, members};
use super::support::lines::naive;
use super::texts;
use super::writers::{Writer, flushing, node};

/// Least text of a span here: small, so that small texts have many.
const SPAN: u64 = 50_000;

/// Holds one object against its text, in three different cuts; says how many spans it has.
fn hold(words: &str, stored: &[u8], text: &[u8], span_bytes: u64) -> usize {
    let mut count = 0;
    for seed in 0..2 {
        let spans = check(stored, text, span_bytes, &mut Random::new(seed));
        count = spans.unwrap_or_else(|why| panic!("{words}: {why}")).extents.len();
    }
    count
}

/// The texts in which an object of this writer is right at its lowest, highest and a middle level.
fn every_text_of(writer: Writer) {
    let [low, high] = writer.levels();
    for (words, text) in texts::all() {
        // The highest levels are slow.
        let levels = if text.len() < 400_000 { vec![low, 6, high] } else { vec![low, 6] };
        for level in levels {
            let stored = writer.gzip(level, &text);
            hold(&format!("{words}, {writer:?} {level}"), &stored, &text, SPAN);
        }
    }
}

#[test]
fn zlib_rs_texts_are_read_by_spans() {
    every_text_of(Writer::ZlibRs);
}

#[test]
fn libdeflate_texts_are_read_by_spans() {
    every_text_of(Writer::Libdeflate);
}

#[test]
fn miniz_texts_are_read_by_spans() {
    every_text_of(Writer::Miniz);
}

#[test]
fn other_programs_texts_are_read_by_spans() {
    let (here, missing) = Writer::here();
    println!("not installed: {missing:?}");
    for writer in here.into_iter().filter(|writer| !Writer::QUICK.contains(writer)) {
        for (words, text) in texts::all().into_iter().filter(|(_, text)| text.len() < 1_000_000) {
            hold(&format!("{words}, {writer:?}"), &writer.gzip(6, &text), &text, SPAN);
        }
        for level in writer.levels() {
            let text = texts::sample(Dataset::HttpRequests, 500);
            hold(&format!("{writer:?} {level}"), &writer.gzip(level, &text), &text, SPAN);
        }
    }
}

#[test]
fn c_zlib_may_be_set_to_other_blocks() {
    let text = texts::sample(Dataset::HttpRequests, 500);
    for (level, memory, strategy) in [(9, 1, 0), (6, 9, 1), (6, 8, 2), (1, 1, 3), (6, 2, 4), (0, 1, 0)] {
        let stored = node(level, memory, strategy, &text);
        hold(&format!("level {level}, memory {memory}, strategy {strategy}"), &stored, &text, SPAN);
    }
}

#[test]
fn usual_spans_are_read_in_several_batch_sizes() {
    for (records, most) in [(40, 1), (800, 2), (4_000, 7)] {
        let text = texts::sample(Dataset::HttpRequests, records);
        for writer in Writer::EVERYWHERE {
            let spans = hold(&format!("{records}, {writer:?}"), &writer.gzip(6, &text), &text, SPAN_BYTES);
            assert!(spans <= most + 1 && (spans > 2 || records < 4_000), "{spans} spans of {records}, {writer:?}");
        }
    }
}

#[test]
fn blocks_that_were_flushed_are_read_however_small() {
    let text = texts::sample(Dataset::HttpRequests, 150);
    for step in [11, 900, 40_000] {
        let places: Vec<usize> = (1..text.len() / step).map(|number| number * step).collect();
        // Each twice: the second flush writes a block of nothing.
        let twice: Vec<usize> = places.iter().flat_map(|place| [*place; 2]).collect();
        for flush in [FlushCompress::Sync, FlushCompress::Full, FlushCompress::Partial] {
            for level in [0, 1, 6] {
                let stored = flushing(level, &text, &twice, flush);
                let spans = hold(&format!("{flush:?} each {step} bytes, level {level}"), &stored, &text, SPAN);
                assert!(spans > 2, "{spans}");
            }
        }
    }
}

#[test]
fn members_are_read_however_many_and_padded() {
    let text = texts::sample(Dataset::HttpRequests, 300);
    for size in [7, 130, 50_000, 123_457] {
        let mut stored: Vec<u8> = text.chunks(size).flat_map(gzip).collect();
        assert!(hold(&format!("members of {size}"), &stored, &text, SPAN) > 2);
        stored.extend(members(&[b"", b"", b""]));
        stored.extend([0; 3_000]);
        hold(&format!("members of {size}, empty ones, padding"), &stored, &text, SPAN);
    }
}

#[test]
fn plain_text_named_gz_is_read_by_spans() {
    for (words, text) in texts::all().into_iter().filter(|(_, text)| !text.is_empty()) {
        let spans = hold(words, &text, &text, SPAN);
        assert_eq!(spans, 1.max(text.len().div_ceil(usize::try_from(SPAN).unwrap())), "{words}");
    }
}

#[test]
fn a_span_may_be_cut_anywhere() {
    let text = texts::sample(Dataset::HttpRequests, 120);
    let stored = flushing(6, &text, &[55_000, 110_000], FlushCompress::Sync);
    let spans = check(&stored, &text, SPAN, &mut Random::new(1)).unwrap();
    let extent = &spans.extents[1];
    let (packed, range) = parts(&spans, extent, &stored);
    let whole = naive(&text);
    let expected: Vec<_> = whole.iter().filter(|line| (extent.offset..extent.text_end()).contains(&line.0)).collect();
    for cut in (0..=range.len()).step_by(3) {
        let mut found = Vec::new();
        let (head, tail) = range.split_at(cut);
        read_span(extent, packed, [head, tail], |line| found.push(line.offset())).unwrap().unwrap();
        assert!(found.iter().eq(expected.iter().map(|line| &line.0)), "cut at {cut}");
    }
}

#[test]
fn windows_of_log_lines_are_small() {
    let text = texts::sample(Dataset::HttpRequests, 2_000);
    for writer in Writer::EVERYWHERE {
        let spans = check(&writer.gzip(6, &text), &text, SPAN, &mut Random::new(1)).unwrap();
        let mean = spans.windows.len() / spans.extents.len();
        assert!(spans.extents.len() > 3 && mean < 5_000, "{mean} bytes, {} spans, {writer:?}", spans.extents.len());
    }
}

#[test]
fn random_objects_are_read_span_by_span() {
    let mut all = Figures::default();
    for seed in 0..100 {
        all.add(case::run(seed, &[]).unwrap_or_else(|why| panic!("seed {seed}: {why}")));
    }
    let Figures { cases, spans, damaged, text } = all;
    assert!(cases == 100 && spans > 200 && damaged > 200 && text > 10_000_000, "{all:?}");
}
