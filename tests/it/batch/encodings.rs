//! The forms that objects come in, and the ones that are refused.

use std::io::Write;

use flate2::{Compression, GzBuilder};
use raydex::batch::{BatchError, BatchReader};
use raydex::limits::{INFLATE_CHUNK, KIB, MAX_INFLATED, MAX_LINE, MAX_RATIO, MIB, RATIO_FREE};
use raydex::sample::{DATASETS, SamplePlan};

use super::support::gzip::{gunzip, gzip, gzip_at, gzip_with, members};
use super::support::records::noise;
use super::{lines, naive, read};

const TEXT: &[u8] = b"{\"a\":1}\n{\"b\":2}\r\n\n{\"c\":3}";

#[test]
fn every_level_of_compression_gives_the_text_back() {
    for level in 0..=9 {
        let (found, totals) = read([gzip_at(level, TEXT).as_slice()]).unwrap();
        assert_eq!(found, naive(TEXT));
        assert_eq!((totals.inflated, totals.members), (TEXT.len() as u64, 1));
    }
}

#[test]
fn members_are_one_text_wherever_they_are_cut() {
    for cut in 0..=TEXT.len() {
        let (head, tail) = TEXT.split_at(cut);
        let (found, totals) = read([members(&[head, tail]).as_slice()]).unwrap();
        assert_eq!(found, naive(TEXT), "cut at {cut}");
        assert_eq!((totals.inflated, totals.members), (TEXT.len() as u64, 2));
    }
}

#[test]
fn members_of_one_byte_and_empty_are_read() {
    let mut stored = gzip(b"");
    for byte in TEXT {
        stored.extend(members(&[&[*byte], b""]));
    }
    let (found, totals) = read([stored.as_slice()]).unwrap();
    assert_eq!(found, naive(TEXT));
    assert_eq!((totals.stored, totals.members), (stored.len() as u64, 51));
}

#[test]
fn plain_text_named_gz_is_read_unchanged() {
    let (found, totals) = read([TEXT]).unwrap();
    assert_eq!(found, naive(TEXT));
    assert_eq!((totals.stored, totals.inflated, totals.members), (TEXT.len() as u64, TEXT.len() as u64, 0));
    // No second look at later bytes: gzip in the middle of text is text.
    let mixed = [TEXT, b"\n", &gzip(TEXT)].concat();
    assert_eq!(lines(&mixed), Ok(naive(&mixed)));
}

#[test]
fn trailing_zeros_are_padding_and_other_bytes_refused() {
    let stored = members(&[TEXT, TEXT]);
    let padded = [stored.as_slice(), &[0; 1000]].concat();
    assert_eq!(read([padded.as_slice()]).unwrap().1.stored, padded.len() as u64);
    assert_eq!(lines(&padded), lines(&stored));
    let garbage = Err(BatchError::TrailingGarbage { stored: stored.len() as u64 });
    assert_eq!(lines(&[stored.as_slice(), b"x"].concat()), garbage);
    assert_eq!(lines(&[stored.as_slice(), b"{\"a\":1}\n"].concat()), garbage);
    // A member behind padding is not looked for.
    let hidden = lines(&[padded.as_slice(), &gzip(TEXT)].concat());
    assert_eq!(hidden, Err(BatchError::TrailingGarbage { stored: padded.len() as u64 }));
}

#[test]
fn empty_object_and_empty_member_have_no_lines() {
    assert_eq!(lines(b""), Err(BatchError::Empty));
    assert_eq!(read(std::iter::empty()).err(), Some(BatchError::Empty));
    assert_eq!(lines(&gzip(b"")), Ok(vec![]));
    assert_eq!(lines(&gzip(b"\xef\xbb\xbf\r\n \n")), Ok(vec![]));
}

#[test]
fn byte_order_mark_is_skipped_before_any_line() {
    let text = b"\xef\xbb\xbf{\"a\":1}\n\xef\xbb\xbf{\"b\":2}\n";
    for stored in [gzip(text), text.to_vec(), members(&[b"", b"\xef", &text[1..]])] {
        let found = lines(&stored).unwrap();
        assert_eq!(found, naive(text));
        assert_eq!(found[0], (0, Some(b"{\"a\":1}".to_vec())));
        assert_eq!(found[1], (11, Some(b"{\"b\":2}".to_vec())));
    }
}

#[test]
fn a_header_of_any_size_is_read() {
    let long = || vec![b'n'; MIB];
    for header in [
        GzBuilder::new().filename(long()),
        GzBuilder::new().comment(long()),
        GzBuilder::new().extra(vec![0; 65_535]).filename(long()).comment(long()).mtime(u32::MAX).operating_system(255),
    ] {
        let stored = gzip_with(header, TEXT);
        assert_eq!(lines(&stored), Ok(naive(TEXT)));
        assert_eq!(read(stored.chunks(4093)).unwrap().0, naive(TEXT));
    }
}

#[test]
fn a_header_that_never_ends_is_truncated() {
    let stored = gzip_with(GzBuilder::new().filename(vec![b'n'; MIB]), TEXT);
    let cut = &stored[..MIB / 2];
    assert_eq!(lines(cut), Err(BatchError::Truncated { stored: cut.len() as u64 }));
}

/// What is inflated before anyone is asked: the buffer, and the window before it.
const BUFFER: u64 = (INFLATE_CHUNK + 32 * KIB) as u64;

/// `size` zeros as gzip.
fn zeros(size: usize) -> Vec<u8> {
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::new(9));
    for _ in 0..size / MIB {
        encoder.write_all(&vec![0; MIB]).unwrap();
    }
    encoder.finish().unwrap()
}

#[test]
fn bomb_is_refused_after_bounded_work() {
    let bomb = zeros(64 * MIB);
    let nested: Vec<u8> = std::iter::repeat_n(zeros(MIB), 64).flatten().collect();
    let late = [gzip(&noise(1, MIB)), zeros(512 * MIB)].concat();
    for stored in [bomb, nested, late] {
        let mut reader = BatchReader::default();
        let outcome = reader.push(&stored, |_| std::ops::ControlFlow::Continue(()));
        assert_eq!(outcome.err(), Some(BatchError::Bomb));
        let totals = reader.totals();
        let believed = (totals.stored * MAX_RATIO).max(RATIO_FREE);
        assert!(totals.inflated <= believed + BUFFER, "{totals:?}");
        assert!(totals.inflated < MAX_INFLATED);
    }
}

#[test]
fn small_object_may_be_as_uniform_as_possible() {
    let line = b"{\"RayID\":\"764660d8ec5c2ab1\"}\n";
    let count = usize::try_from(RATIO_FREE).unwrap() / line.len();
    assert_eq!(lines(&gzip(&line.repeat(count))).unwrap().len(), count);
}

#[test]
fn long_lines_are_named_and_never_held() {
    let mut long = noise(7, 9 * MIB);
    for byte in &mut long {
        *byte |= 0x20;
    }
    let exact = long[..MAX_LINE].to_vec();
    let text = [b"{\"a\":1}\n", long.as_slice(), b"\n", &exact, b"\n{\"b\":2}\n", &long].concat();
    for stored in [gzip(&text), members(&[&text[..MIB], &text[MIB..]]), text.clone()] {
        let found = lines(&stored).unwrap();
        assert_eq!(found, naive(&text));
        assert_eq!(found.iter().filter(|(_, text)| text.is_none()).count(), 2);
    }
}

#[test]
fn generated_batches_give_their_lines_back() {
    let plan = SamplePlan { records: 2000, members: 5, level: 1, ..SamplePlan::default() };
    for dataset in DATASETS {
        for batch in plan.batches(dataset) {
            let found = lines(&batch.gzip).unwrap();
            assert_eq!(found, naive(&gunzip(&batch.gzip)));
            let places = batch.lines.iter().map(|place| (place.range.start as u64, Some(batch.line(place).to_vec())));
            assert_eq!(found, places.collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_sink_that_has_enough_ends_the_reading() {
    let text = b"{\"a\":1}\n".repeat(100_000);
    let mut reader = BatchReader::default();
    let mut count = 0;
    let flow = reader.push(&gzip(&text), |_| {
        count += 1;
        if count == 3 { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
    });
    assert!(flow.unwrap().is_break());
    assert_eq!(count, 3);
    assert!(reader.totals().inflated <= BUFFER, "{:?}", reader.totals());
}
