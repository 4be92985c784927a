//! The inflater against zlib-rs (by flate2), and against streams whose text is known.

mod writer;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use libdeflater::{CompressionLvl, Compressor};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::Index;

use self::writer::{BlockToken, DeflateWriter, XorShift, stream};
use super::super::window::WINDOW;
use super::DeflateDecoder;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StreamVerdict {
    /// With the last byte.
    Ended(usize),
    Refused,
    Open,
}

#[derive(Debug, PartialEq, Eq)]
struct StreamOutcome {
    verdict: StreamVerdict,
    text: Vec<u8>,
    /// The bit at which each block but the first begins, and how much text stands before it.
    blocks: Vec<(usize, usize)>,
}

/// Inflates pieces into a buffer with so much room after the window.
fn inflate<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, room: usize) -> StreamOutcome {
    let (mut inflate, mut buffer, mut at) = (DeflateDecoder::new(), vec![0; WINDOW + room], 0);
    let (mut text, mut blocks, mut taken) = (Vec::new(), Vec::new(), 0);
    for mut piece in pieces {
        loop {
            let Ok(step) = inflate.step(piece, &mut buffer, at, &mut ()) else {
                return StreamOutcome { verdict: StreamVerdict::Refused, text, blocks };
            };
            text.extend_from_slice(&buffer[at..at + step.made]);
            (at, taken, piece) = (at + step.made, taken + step.used, &piece[step.used..]);
            if let Some(bits) = step.block {
                blocks.push((taken * 8 - usize::from(bits), text.len()));
            }
            if step.end {
                return StreamOutcome { verdict: StreamVerdict::Ended(taken), text, blocks };
            }
            if at == buffer.len() {
                buffer.copy_within(at - WINDOW.., 0);
                at = WINDOW;
            } else if step.block.is_none() {
                assert!(piece.is_empty(), "it stopped without a reason");
                break;
            }
        }
    }
    StreamOutcome { verdict: StreamVerdict::Open, text, blocks }
}

/// Inflates a stream with zlib-rs, as the judge.
fn zlib(stream: &[u8]) -> (StreamVerdict, Vec<u8>) {
    let (mut zlib, mut text) = (Decompress::new(false), Vec::new());
    loop {
        text.reserve(4096);
        let used = usize::try_from(zlib.total_in()).unwrap();
        let before = (used, text.len());
        let status = zlib.decompress_vec(&stream[used..], &mut text, FlushDecompress::None);
        let used = usize::try_from(zlib.total_in()).unwrap();
        match status {
            Ok(Status::StreamEnd) => return (StreamVerdict::Ended(used), text),
            Err(_) => return (StreamVerdict::Refused, text),
            Ok(_) if before == (used, text.len()) && text.len() < text.capacity() => {
                return (StreamVerdict::Open, text);
            }
            Ok(_) => {}
        }
    }
}

/// Holds what comes of a stream against what zlib-rs makes of it.
fn hold(stream: &[u8], size: usize, room: usize) -> StreamVerdict {
    let (verdict, expected) = zlib(stream);
    let own = inflate(stream.chunks(size), room);
    assert_eq!(own.verdict, verdict, "of {} bytes of text, in pieces of {size}, into {room}", expected.len());
    if verdict == StreamVerdict::Refused {
        // Text that was made in the very call that refused is not handed on.
        assert!(expected.starts_with(&own.text));
    } else {
        assert!(own.text == expected, "another text, in pieces of {size}, into {room}");
    }
    verdict
}

/// Log lines, more or less.
fn lines(count: usize) -> Vec<u8> {
    let mut random = XorShift::new(7);
    let mut line = |number| {
        let (ray, port) = (random.below(usize::MAX), random.below(60_000));
        format!("{{\"RayID\":\"{ray:016x}\",\"ClientSrcPort\":{port},\"Number\":{number},\"City\":\"São Paulo\"}}\n")
    };
    (0..count).flat_map(|number| line(number).into_bytes()).collect()
}

fn compress(text: &[u8], level: u32, flush: FlushCompress) -> Vec<u8> {
    let (mut compress, mut raw) =
        (Compress::new(Compression::new(level), false), Vec::with_capacity(2 * text.len() + 4096));
    let (head, tail) = text.split_at(text.len() / 3);
    compress.compress_vec(head, &mut raw, flush).unwrap();
    compress.compress_vec(tail, &mut raw, FlushCompress::Finish).unwrap();
    raw
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn valid_streams_give_their_text_and_block_bits(
        seed: u64,
        blocks in 1_usize..8,
        most in 1_usize..3000,
        size in 1_usize..5000,
        room in 1_usize..5000,
    ) {
        let DeflateWriter { bytes, text, blocks, .. } = stream(seed, blocks, most);
        prop_assert_eq!(zlib(&bytes), (StreamVerdict::Ended(bytes.len()), text.clone()));
        let expected = StreamOutcome { verdict: StreamVerdict::Ended(bytes.len()), text, blocks: blocks[1..].to_vec() };
        prop_assert!(inflate([bytes.as_slice()], room) == expected);
        prop_assert!(inflate(bytes.chunks(size), 200_000) == expected);
        prop_assert!(inflate(bytes.chunks(1), room) == expected);
    }

    #[test]
    fn wrong_bits_are_judged_as_zlib_does(
        seed: u64,
        most in 1_usize..400,
        flips in vec((any::<Index>(), 0_u8..8), 1..4),
        size in 1_usize..2000,
        room in 1_usize..2000,
    ) {
        let mut bytes = stream(seed, 3, most).bytes;
        for (place, bit) in flips {
            // Most of what can be wrong is in the first header.
            let place = if bit < 6 { place.index(bytes.len()) } else { place.index(bytes.len().min(60)) };
            bytes[place] ^= 1 << bit;
        }
        hold(&bytes, size, room);
        hold(&bytes, usize::MAX, 100_000);
    }

    #[test]
    fn noise_is_taken_or_refused_as_zlib_does(kind in 0_u8..8, noise in vec(any::<u8>(), 1..300), size in 1_usize..9) {
        let mut noise = noise;
        noise[0] = noise[0] & !7 | kind;
        hold(&noise, size, 100);
        hold(&noise, usize::MAX, 100_000);
    }
}

#[test]
fn cut_streams_stay_open_with_zlibs_text() {
    for seed in 0..12 {
        let bytes = stream(seed, 3, 60).bytes;
        for end in 0..bytes.len() {
            assert_eq!(hold(&bytes[..end], usize::MAX, 70_000), StreamVerdict::Open, "seed {seed}, cut at {end}");
        }
    }
}

#[test]
fn a_bit_flipped_anywhere_ends_as_with_zlib() {
    let mut verdicts = [0; 3];
    for bytes in
        [compress(&lines(30), 6, FlushCompress::None), compress(b"ab", 9, FlushCompress::Full), stream(5, 4, 30).bytes]
    {
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[place] ^= 1 << bit;
                let verdict = hold(&flipped, usize::MAX, 70_000);
                verdicts[match verdict {
                    StreamVerdict::Ended(_) => 0,
                    StreamVerdict::Refused => 1,
                    StreamVerdict::Open => 2,
                }] += 1;
            }
        }
    }
    assert!(verdicts.iter().all(|count| *count > 20), "{verdicts:?}");
}

#[test]
fn every_level_flush_and_writer_gives_the_text() {
    let text = lines(4_000);
    let mut streams = Vec::new();
    for level in 0..=9 {
        for flush in [FlushCompress::None, FlushCompress::Sync, FlushCompress::Full, FlushCompress::Partial] {
            streams.push(compress(&text, level, flush));
        }
        streams.push(miniz_oxide::deflate::compress_to_vec(&text, level.try_into().unwrap()));
        let level = CompressionLvl::new(level.try_into().unwrap()).unwrap();
        let mut bytes = vec![0; 2 * text.len()];
        let length = Compressor::new(level).deflate_compress(&text, &mut bytes).unwrap();
        bytes.truncate(length);
        streams.push(bytes);
    }
    for bytes in streams {
        for (size, room) in [(1, 70_000), (777, 1_000), (65_536, 262_144)] {
            let StreamOutcome { verdict, text: own, .. } = inflate(bytes.chunks(size), room);
            assert!(verdict == StreamVerdict::Ended(bytes.len()) && own == text, "pieces of {size}, into {room}");
        }
    }
}

#[test]
fn what_stands_behind_the_stream_is_not_taken() {
    let bytes = compress(&lines(100), 6, FlushCompress::None);
    let after = [bytes.as_slice(), &[0xff; 40]].concat();
    for size in [1, 7, 100, after.len()] {
        assert_eq!(inflate(after.chunks(size), 70_000).verdict, StreamVerdict::Ended(bytes.len()), "pieces of {size}");
    }
}

/// The lengths of `of` codes, of which these are given.
fn some(of: usize, codes: &[(usize, u8)]) -> Vec<u8> {
    let mut lengths = vec![0; of];
    for (symbol, length) in codes {
        lengths[*symbol] = *length;
    }
    lengths
}

/// The case's name, the lengths of codes for literals and for distances, the bits after the header, and whether that is
/// a stream.
type DeflateCase<'a> = (&'a str, Vec<u8>, Vec<u8>, &'a [(u32, u32)], bool);

#[test]
fn invalid_codes_are_refused_but_zlibs_exceptions() {
    let one = |symbol| some(257, &[(symbol, 1)]);
    // 0 is a literal, 01 the end, and 11 a length of 3 (codes come with their first bit lowest).
    let three: &[(usize, u8)] = &[(b'a'.into(), 1), (256, 2), (257, 2)];
    let (literal, end, length) = ((0, 1), (0b01, 2), (0b11, 2));
    let cases: [DeflateCase<'_>; 10] = [
        ("a code of the end alone", one(256), vec![0], &[(0, 1)], true),
        ("no end of the block", one(b'a'.into()), vec![0], &[(0, 1)], false),
        ("a bit that is no code", one(256), vec![0], &[(1, 1)], false),
        ("too few codes", some(257, &[(b'a'.into(), 2), (256, 2)]), vec![0], &[(0, 2)], false),
        ("too many codes", some(257, &[(1, 1), (2, 1), (256, 1)]), vec![0], &[(0, 1)], false),
        ("no distances, and none used", some(258, three), vec![0], &[literal, end], true),
        ("no distances, but one used", some(258, three), vec![0], &[literal, length, (0, 1)], false),
        ("one distance of one bit", some(258, three), vec![1], &[literal, length, (0, 1), end], true),
        ("the bit that it is not", some(258, three), vec![1], &[literal, length, (1, 1), end], false),
        ("one distance of two bits", some(258, three), vec![2], &[literal, end], false),
    ];
    for (words, literals, distances, codes, is_taken) in cases {
        let (mut writer, mut random) = (DeflateWriter::default(), XorShift::new(1));
        writer.begin(true, 2);
        writer.header(&mut random, [&literals, &distances]);
        writer.all(codes);
        writer.bits(0, 32);
        let verdict = hold(&writer.bytes, usize::MAX, 100);
        assert_eq!(matches!(verdict, StreamVerdict::Ended(_)), is_taken, "{words}: {verdict:?}");
    }
}

#[test]
fn distance_reaches_the_first_byte_and_no_further() {
    let text = vec![b'x'; WINDOW];
    for (before, distance, is_taken) in
        [(1, 1, true), (1, 2, false), (WINDOW - 1, WINDOW, false), (WINDOW, WINDOW, true)]
    {
        for length in [3, 258] {
            let mut writer = DeflateWriter::default();
            writer.stored(false, &text[..before]);
            writer.fixed(true, &[BlockToken::Match(length, distance)]);
            // So that the fast loop has its room.
            for after in [0, 100] {
                let bytes = [writer.bytes.as_slice(), &vec![0; after]].concat();
                let is_ended = matches!(hold(&bytes, usize::MAX, 1000), StreamVerdict::Ended(_));
                assert_eq!(is_ended, is_taken, "{distance} after {before}");
            }
        }
    }
}

#[test]
fn symbols_and_kinds_that_mean_nothing_are_refused() {
    // Fixed codes: 286 and 287 are 0b1100_0110 and 0b1100_0111; distances 30 and 31 five bits, after a length of 3.
    let cases: [&[(u32, u32)]; 6] = [
        &[(0b0110_0011, 8)],
        &[(0b1110_0011, 8)],
        &[(0b0011_0000, 8), (0b100_0000, 7), (0b0_1111, 5)],
        &[(0b0011_0000, 8), (0b100_0000, 7), (0b1_1111, 5)],
        &[],
        &[],
    ];
    for (kind, codes) in [1, 1, 1, 1, 3, 0].into_iter().zip(cases) {
        let mut writer = DeflateWriter::default();
        writer.begin(true, kind);
        writer.all(codes);
        writer.bits(0, 64);
        assert_eq!(hold(&writer.bytes, usize::MAX, 100), StreamVerdict::Refused, "{kind} {codes:?}");
    }
}

#[test]
fn headers_that_overcount_or_repeat_nothing_are_refused() {
    // The code of code lengths has two symbols, 0 and another one, with one bit each.
    let header = |literals: u32, distances: u32, other: usize, body: &[(u32, u32)]| {
        let mut writer = DeflateWriter::default();
        writer.begin(true, 2);
        writer.all(&[(literals, 5), (distances, 5), (15, 4)]);
        for symbol in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15] {
            writer.bits(u32::from(symbol == 0 || symbol == other), 3);
        }
        writer.all(body);
        writer.bits(0, 400);
        hold(&writer.bytes, usize::MAX, 100)
    };
    assert_eq!(header(30, 0, 1, &[]), StreamVerdict::Refused, "287 literals and lengths");
    assert_eq!(header(0, 30, 1, &[]), StreamVerdict::Refused, "31 distances");
    assert_eq!(header(0, 0, 16, &[(1, 1), (0, 2)]), StreamVerdict::Refused, "a repeat of nothing");
    let full = [(1, 1), (127, 7), (1, 1), (116, 7)];
    assert_eq!(header(0, 0, 18, &full), StreamVerdict::Refused, "265 of 258 lengths");
    assert_eq!(header(29, 29, 18, &full), StreamVerdict::Refused, "no end of the block");
}

#[test]
fn stream_continues_at_any_block_with_preceding_text() {
    for seed in 0..60 {
        let DeflateWriter { bytes, text, blocks, .. } = stream(seed, 6, 2000);
        for &(bit, offset) in &blocks {
            let window = &text[offset.saturating_sub(WINDOW)..offset];
            let mut buffer = vec![0; window.len() + text.len() - offset];
            buffer[..window.len()].copy_from_slice(window);
            let (bits, from) = ((8 - bit % 8) % 8, bit.div_ceil(8));
            let mut inflate = DeflateDecoder::new();
            inflate.begin(bits.try_into().unwrap(), bytes[bit / 8]);
            let (mut at, mut rest) = (window.len(), &bytes[from..]);
            let end = loop {
                let step = inflate.step(rest, &mut buffer, at, &mut ()).unwrap();
                (at, rest) = (at + step.made, &rest[step.used..]);
                if step.block.is_none() {
                    break step.end;
                }
            };
            assert!(end && rest.is_empty() && buffer[window.len()..] == text[offset..], "seed {seed}, bit {bit}");
        }
    }
}
