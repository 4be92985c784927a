//! Damaged entries: some answer or an error, never a panic, never work without end.

use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, proptest};
use raydex::batch::{ObjectSpans, PointForm, SpanExtent};
use raydex::index::entry::{PartView, RayLocation, pack};
use raydex::index::part::EntryError;
use raydex::index::{nonstandard, part};

use super::support::records::ray;
use super::{Pair, one_part};

/// Asks everything that can be asked of these bytes; how many locations that gave.
fn poke(bytes: &[u8]) -> usize {
    for suffix in [0, 1, 1000, 5000, 1 << 43, (1 << 44) - 1, u64::MAX] {
        let _spans = PartView::open(bytes).and_then(|part| part.spans_of(suffix));
    }
    for id in ["", "abc", "test-ray-001"] {
        let _spans = nonstandard::spans_of(bytes, id);
    }
    let _extents = part::extents(bytes);
    PartView::open(bytes).and_then(|part| part.locations()).map_or(0, |locations| locations.len())
}

/// An entry with the extents of its spans.
fn in_two_spans() -> Vec<u8> {
    let extent = |number: u32| SpanExtent {
        number,
        form: PointForm::Block,
        bit: u64::from(number) * 800_000,
        bytes: 100_500,
        offset: u64::from(number) << 20,
        head: 700,
        text: Some(1 << 20),
        window: u64::from(number) * 2000..u64::from(number) * 2000 + 1900,
    };
    let spans = ObjectSpans { extents: vec![extent(0), extent(1)], windows: Vec::new() };
    let [part] = pack(vec![RayLocation::new(ray(5), 0), RayLocation::new(ray(9), 1)], &spans).try_into().unwrap();
    part.bytes
}

/// Entries of every shape.
fn entries() -> Vec<Vec<u8>> {
    let pairs = |count: u32, distance: u64, spans: u32| -> Vec<Pair> {
        (0..count).map(|number| (u64::from(number) * distance, number.checked_rem(spans).unwrap_or(0))).collect()
    };
    vec![
        one_part(&pairs(1, 1, 0)),
        one_part(&pairs(2, 5000, 4)),
        one_part(&pairs(40, 1, 0)),
        one_part(&pairs(40, 1 << 38, 30)),
        one_part(&pairs(300, 77, 2)),
        one_part(&[pairs(300, 77, 2), vec![(30_000, 1 << 19)]].concat()),
        nonstandard::pack([("abc", 3), ("test-ray-001", 70_000), ("", 1)], &ObjectSpans::default()),
        in_two_spans(),
    ]
}

#[test]
fn a_cut_entry_is_an_error_or_harmless() {
    for entry in entries() {
        for end in 0..entry.len() {
            poke(&entry[..end]);
            if end < 8 {
                assert_eq!(PartView::open(&entry[..end]).err(), Some(EntryError::Damaged));
            }
        }
        poke(&[&entry[..], &[0; 100]].concat());
        poke(&[&entry[..], &[0xff; 100]].concat());
    }
}

#[test]
fn entry_cut_by_a_byte_never_gives_all() {
    for entry in entries().into_iter().filter(|entry| entry[1] == 0) {
        let whole = poke(&entry);
        // A single ray in the first span takes no bits behind the directory.
        if whole > 1 {
            assert_eq!(PartView::open(&entry[..entry.len() - 1]).unwrap().locations(), Err(EntryError::Damaged));
        }
    }
}

#[test]
fn flipped_bit_is_an_error_or_harmless() {
    for entry in entries() {
        for at in 0..entry.len() {
            for bit in 0..8 {
                let mut flipped = entry.clone();
                flipped[at] ^= 1 << bit;
                // As many rays as the bytes can hold at best: a bit each, and the first of every block for free.
                assert!(poke(&flipped) <= flipped.len() * 8 + 256, "bit {bit} of byte {at}");
            }
        }
    }
}

/// Where the directory begins, and how long one of its rows is.
const FIRST_ROW: usize = 16;
const ROW: usize = 15;

#[test]
fn numbers_beyond_bounds_are_an_error_at_once() {
    let mut endless = one_part(&[(1, 1), (2, 2)]);
    for (count, blocks) in [(u32::MAX, 1_u32), (u32::MAX, u32::MAX / 256 + 1), (0, 1), (257, 1), (1, 2), (2, u32::MAX)]
    {
        endless[8..12].copy_from_slice(&count.to_le_bytes());
        endless[12..16].copy_from_slice(&blocks.to_le_bytes());
        assert_eq!(PartView::open(&endless).err(), Some(EntryError::Damaged), "{count} rays in {blocks} blocks");
    }
    for span_bits in [21, 32, 57, 64, 255] {
        let mut wide = one_part(&[(1, 1), (2, 2)]);
        wide[FIRST_ROW + ROW - 1] = span_bits;
        assert_eq!(PartView::open(&wide).unwrap().locations(), Err(EntryError::Damaged));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(mut bytes in vec(any::<u8>(), 0..400), honest in any::<bool>(), blocks in 0_u8..4) {
        if honest && bytes.len() >= FIRST_ROW {
            // A header that is let through, so that the rest is looked at.
            let count = u32::from(blocks) * 256;
            bytes[..8].copy_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0]);
            for row in bytes[FIRST_ROW..].chunks_exact_mut(ROW).take(blocks.into()) {
                (row[10], row[ROW - 1]) = (row[10] % 45, row[ROW - 1] % 21);
            }
            bytes[8..12].copy_from_slice(&count.to_le_bytes());
            bytes[12..16].copy_from_slice(&u32::from(blocks).to_le_bytes());
        }
        prop_assert!(poke(&bytes) <= 4 * 256);
    }
}
