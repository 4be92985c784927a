//! The stored form of an entry: frozen, small, exact, and harmless when damaged.

use crate::support;

mod damage;
mod exact;
mod wire_format;

use raydex::batch::ObjectSpans;
use raydex::index::entry::{EntryPart, PartView, RayLocation, pack};

use support::records::ray;

/// A (suffix, span) pair.
type Pair = (u64, u32);

/// The parts of these pairs.
fn packed(pairs: &[Pair]) -> Vec<EntryPart> {
    let locations = pairs.iter().map(|&(suffix, span)| RayLocation::new(ray(suffix), span.into())).collect();
    pack(locations, &ObjectSpans::default())
}

/// The bytes of these pairs, which fit in one part.
fn one_part(pairs: &[Pair]) -> Vec<u8> {
    let [part] = packed(pairs).try_into().unwrap();
    part.bytes
}

/// Every pair of a part.
fn pairs(bytes: &[u8]) -> Vec<Pair> {
    let locations = PartView::open(bytes).unwrap().locations().unwrap();
    locations.into_iter().map(|location| (location.suffix(), location.span())).collect()
}

/// The spans of one suffix in all parts.
fn spans(parts: &[EntryPart], suffix: u64) -> Vec<u32> {
    let holds = parts.iter().filter(|part| (part.first_suffix..=part.last_suffix).contains(&suffix));
    holds.flat_map(|part| PartView::open(&part.bytes).unwrap().spans_of(suffix).unwrap()).collect()
}
