//! Where spans lie: told by the object's bytes alone, and holding each line to its end.

use std::io::Write;
use std::ops::ControlFlow;

use flate2::Compression;
use flate2::write::GzEncoder;
use raydex::batch::{BatchLine, BatchReader, ObjectSpans};

use super::support::gzip::{gzip, gzip_at};
use super::support::records::{http, ndjson};

/// The spans of an object that comes in pieces of this size.
fn spans(stored: &[u8], size: usize) -> ObjectSpans {
    let mut reader = BatchReader::finding_spans_of(0);
    for piece in stored.chunks(size) {
        assert!(reader.push(piece, |_| ControlFlow::Continue(())).unwrap().is_continue());
    }
    reader.finish(|_| ControlFlow::Continue(())).unwrap();
    reader.into_spans()
}

/// How many lines each span gives, read from its own bytes.
fn lines_of_spans(stored: &[u8]) -> Vec<usize> {
    let spans = spans(stored, stored.len());
    let count = |extent: &raydex::batch::SpanExtent| {
        let mut count = 0;
        let mut sink = |line: BatchLine<'_>| {
            count += usize::from(line.offset() < extent.text_end());
            ControlFlow::Continue(())
        };
        let index = |number: u64| usize::try_from(number).unwrap();
        let packed = &spans.windows[index(extent.window.start)..index(extent.window.end)];
        let mut reader = BatchReader::of_span(extent, packed).unwrap();
        let range = &stored[index(extent.first_byte())..index(extent.first_byte() + extent.bytes)];
        assert!(reader.push(range, &mut sink).unwrap().is_continue());
        let _in_the_midst = reader.finish(&mut sink);
        count
    };
    spans.extents.iter().map(count).collect()
}

fn records(count: u64) -> Vec<u8> {
    ndjson((0..count).map(|number| http(&format!("76466{number:011x}"), 1500)))
}

#[test]
fn plain_text_spans_do_not_depend_on_pieces() {
    let text = records(400);
    let whole = spans(&text, text.len());
    assert_eq!(whole.extents.len(), text.len().div_ceil(32 * 1024));
    for size in [1, 1000, 70_000] {
        assert_eq!(spans(&text, size), whole, "pieces of {size}");
    }
    assert_eq!(lines_of_spans(&text).iter().sum::<usize>(), 400);
}

#[test]
fn span_without_a_line_start_has_no_lines() {
    let text = [records(10), vec![b'x'; 200_000]].concat();
    for stored in [gzip_at(0, &text), text] {
        let counts = lines_of_spans(&stored);
        assert!(counts.len() > 2, "{counts:?}");
        assert_eq!((counts[0], counts.iter().sum()), (11, 11));
    }
}

#[test]
fn span_holds_its_last_line_across_members() {
    let stored: Vec<u8> = records(100).chunks(5).flat_map(gzip).collect();
    let counts = lines_of_spans(&stored);
    assert!(counts.len() > 1, "{counts:?}");
    assert_eq!(counts.iter().sum::<usize>(), 100, "{counts:?}");
}

#[test]
fn empty_block_before_padding_is_one_span() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(&records(200)).unwrap();
    encoder.flush().unwrap();
    let stored = [encoder.finish().unwrap(), vec![0; 5_000]].concat();
    let whole = spans(&stored, stored.len());
    assert_eq!(whole.extents.last().unwrap().offset, records(200).len() as u64);
    assert_eq!(spans(&stored, 1), whole);
}
