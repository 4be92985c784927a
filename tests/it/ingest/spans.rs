//! Lines at the borders of spans.

use raydex::limits::{MAX_LINE, MIB, SPAN_BYTES};
use raydex::record::Dataset;

use super::support::Fakes;
use super::support::gzip::{gzip, members};
use super::support::records::{http, ray};
use super::{KEY, counts};

/// Text in which lines begin at these places; what lies between are lines of other rays.
fn text_with_lines_at(places: &[usize]) -> Vec<u8> {
    let mut text = Vec::new();
    for (number, &place) in places.iter().enumerate() {
        while text.len() < place {
            let missing = place - text.len();
            let bare = http(&ray(1 << 40).to_string(), 0).len() + 1;
            // The last filler must end exactly where the line begins.
            let size = if missing < MIB / 2 { missing } else { MIB / 4 };
            assert!(size >= bare, "{missing} bytes are too few for a line");
            text.extend(http(&ray(1 << 40).to_string(), size - bare).into_bytes());
            text.push(b'\n');
        }
        assert_eq!(text.len(), place);
        text.extend(http(&ray(number as u64).to_string(), 300).into_bytes());
        text.push(b'\n');
    }
    text
}

#[test]
fn line_is_found_around_a_border() {
    let span = usize::try_from(SPAN_BYTES).unwrap();
    let mut places = vec![0];
    // Before the border (and across it), on it, behind it.
    places.extend([span - 1, 2 * span, 3 * span + 1, 4 * span - 200, 5 * span - 1000, 5 * span]);
    let text = text_with_lines_at(&places);
    for stored in [gzip(&text), text.clone(), members(&[&text[..span], &text[span..]])] {
        let fakes = Fakes::new();
        fakes.index(KEY, Dataset::HttpRequests, &stored);
        for (number, &place) in places.iter().enumerate() {
            let found = fakes.find(Dataset::HttpRequests, &ray(number as u64).to_string());
            assert_eq!(found.records.len(), 1, "at {place}");
            assert_eq!(found.records[0].offset, place as u64);
            assert_eq!(found.stats.full_scans, 0, "at {place}");
            // Reading ends with the first line behind the span.
            let end = (place as u64 / SPAN_BYTES + 2) * SPAN_BYTES;
            assert!(found.stats.bytes_inflated <= end.max(text.len() as u64), "at {place}");
        }
    }
}

#[test]
fn ray_in_two_spans_gives_lines_in_order() {
    let text = text_with_lines_at(&[0, 3 * MIB]);
    let again = String::from_utf8(text.clone()).unwrap().replace(&ray(1).to_string(), &ray(0).to_string());
    let fakes = Fakes::new();
    fakes.index(KEY, Dataset::HttpRequests, &members(&[&again.as_bytes()[..MIB], &again.as_bytes()[MIB..]]));
    let found = fakes.find(Dataset::HttpRequests, &ray(0).to_string());
    // The lines are equal, so the record is shown once.
    let [record] = found.records.as_slice() else { panic!("{} records", found.records.len()) };
    assert_eq!((record.offset, record.copies[0].offset), (0, 3 * SPAN_BYTES));
    assert_eq!(found.stats.full_scans, 0);
}

#[test]
fn line_after_an_overlong_one_is_found() {
    let fakes = Fakes::new();
    let long = "x".repeat(MAX_LINE + 1);
    let text = [http(&ray(1).to_string(), 0), long, http(&ray(2).to_string(), 0)].join("\n");
    let (_, outcome) = fakes.index(KEY, Dataset::HttpRequests, text.as_bytes());
    assert_eq!(counts(outcome).rejected, [("line_too_long".to_owned(), 1)].into());
    for number in [1, 2] {
        let found = fakes.find(Dataset::HttpRequests, &ray(number).to_string());
        assert_eq!((found.records.len(), found.stats.full_scans), (1, 0));
    }
}

#[test]
fn first_ray_of_the_first_span_is_found() {
    let fakes = Fakes::new();
    fakes.index(KEY, Dataset::HttpRequests, http(&ray(0).to_string(), 0).as_bytes());
    assert_eq!(fakes.lines(&ray(0).to_string()).len(), 1);
}
