//! The stored form of a batch's rays in one shard: a part of an entry.
//!
//! ```text
//! the beginning of every part, of kind 0 (`part`)
//! 0   u32 LE  number of rays
//! 4   u32 LE  number of blocks, each of 256 rays but the last
//! 8   blocks × 15 bytes: first suffix (6 bytes LE), its first bit in the stream (u32 LE), k (u8), smallest span
//!     (3 bytes LE), the code of its spans (u8): s, and 0x80 if some are escaped
//! …   the stream, bits least significant first. For each block: the span of its first ray; then for each further ray
//!     the distance to the one before, as Rice code (⌊d/2^k⌋ zeros, a one, k bits), and its span
//!
//! a span, less the block's smallest one, in s bits; or, where some are escaped and it is 2^s - 1 or more: s ones, then
//! by how much it is more, plus one, as Elias gamma code
//! ```
//!
//! Rays are sorted by suffix, then by span. A ray appears once for each of its lines, so a lookup knows how many lines
//! to find. k and the code of the spans are chosen per block: rays of one block are close in time, and usually close in
//! the file too, but the record of a slow request is written late. Escapes keep such stragglers from widening the spans
//! of all. A lookup decodes one block.
//!
//! # Invariants
//!
//! Packing depends only on the (suffix, span) pairs of all lines, and unpacking is exact. No input bytes make unpacking
//! panic. Tests freeze the form; any other form gets a new version.

use std::collections::BTreeSet;

use super::bits::{PackedBitReader, PackedBitWriter, best_k};
use super::part::{self, EntryError, OpenPart};
use super::span_code::SpanCode;
use crate::batch::ObjectSpans;
use crate::limits::{BLOCK_RAYS, PART_RAYS, SPAN_BITS};
use crate::record::RayId;

/// The kind of a part that holds rays.
pub const KIND_RAYS: u8 = 0;
/// Size of the body before the directory, in bytes.
const HEADER: usize = 8;
/// Size of one block's directory row, in bytes.
const ROW: usize = 15;

/// A ray's location in a batch: its bits below the shard's prefix, and the span of its line, in one word that sorts by
/// both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RayLocation(u64);

impl RayLocation {
    /// Creates the location of a ray in a span; a span above the highest possible number is clamped to it.
    #[must_use]
    pub fn new(ray: RayId, span: u64) -> Self {
        Self(ray.suffix() << SPAN_BITS | span.min((1 << SPAN_BITS) - 1))
    }

    /// Creates a location without a span from a number with the width of a suffix.
    #[must_use]
    pub const fn from_suffix(suffix: u64) -> Self {
        Self(suffix << SPAN_BITS)
    }

    /// Returns the ray's bits below the shard's prefix.
    #[must_use]
    pub const fn suffix(self) -> u64 {
        self.0 >> SPAN_BITS
    }

    /// Returns the number of the span.
    #[must_use]
    pub const fn span(self) -> u32 {
        (self.0 & ((1 << SPAN_BITS) - 1)) as u32
    }
}

/// One part of an entry, packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPart {
    /// The smallest suffix in the part.
    pub first_suffix: u64,
    /// The largest suffix in the part.
    pub last_suffix: u64,
    /// The part in its stored form.
    pub bytes: Vec<u8>,
}

/// Packs ray locations, in any order, into as many parts as needed; `spans` has the extent of each span.
#[must_use]
pub fn pack(mut locations: Vec<RayLocation>, spans: &ObjectSpans) -> Vec<EntryPart> {
    locations.sort_unstable();
    locations.chunks(PART_RAYS).filter_map(|locations| pack_part(locations, spans)).collect()
}

/// Packs sorted locations into one part.
fn pack_part(locations: &[RayLocation], spans: &ObjectSpans) -> Option<EntryPart> {
    let (first, last) = (locations.first()?, locations.last()?);
    let blocks = locations.len().div_ceil(BLOCK_RAYS);
    let named: BTreeSet<u32> = locations.iter().map(|location| location.span()).collect();
    let mut bytes = part::head(KIND_RAYS, named.into_iter(), spans);
    bytes.extend_from_slice(&u32::try_from(locations.len()).ok()?.to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(blocks).ok()?.to_le_bytes());
    let mut stream = PackedBitWriter::default();
    for block in locations.chunks(BLOCK_RAYS) {
        let row = BlockRow::new(block, stream.position())?;
        bytes.extend(row.to_bytes()?);
        pack_block(&mut stream, block, &row);
    }
    bytes.extend(stream.finish());
    Some(EntryPart { first_suffix: first.suffix(), last_suffix: last.suffix(), bytes })
}

/// Writes the rays of one block.
fn pack_block(stream: &mut PackedBitWriter, block: &[RayLocation], row: &BlockRow) {
    let mut before = None;
    for location in block {
        if let Some(before) = before {
            stream.write_rice(location.suffix() - before, row.k);
        }
        row.code.write(stream, location.span() - row.span);
        before = Some(location.suffix());
    }
}

/// A block's row in the directory.
#[derive(Debug, Clone, Copy)]
struct BlockRow {
    /// The first suffix of the block.
    suffix: u64,
    /// The position of its first bit in the stream.
    bit: u32,
    /// Number of low bits of a distance that are stored verbatim.
    k: u32,
    /// The smallest span in the block.
    span: u32,
    /// The code of a span's distance to the smallest one.
    code: SpanCode,
}

impl BlockRow {
    /// Creates the row of a block whose first bit is `bit`.
    fn new(block: &[RayLocation], bit: u64) -> Option<Self> {
        let span = block.iter().map(|location| location.span()).min()?;
        let distances = || block.iter().zip(block.iter().skip(1)).map(|(a, b)| b.suffix() - a.suffix());
        Some(Self {
            suffix: block.first()?.suffix(),
            bit: u32::try_from(bit).ok()?,
            k: best_k(distances, block.len() - 1),
            span,
            code: SpanCode::best(|| block.iter().map(|location| location.span() - span)),
        })
    }

    fn to_bytes(self) -> Option<[u8; ROW]> {
        let [s0, s1, s2, s3, s4, s5, ..] = self.suffix.to_le_bytes();
        let [b0, b1, b2, b3] = self.bit.to_le_bytes();
        let [l0, l1, l2, _] = self.span.to_le_bytes();
        let (k, code) = (u8::try_from(self.k).ok()?, self.code.to_byte());
        Some([s0, s1, s2, s3, s4, s5, b0, b1, b2, b3, k, l0, l1, l2, code])
    }

    /// Parses a row; `None` if the bytes are not valid.
    fn from_bytes(row: &[u8; ROW]) -> Option<Self> {
        let &[_, _, _, _, _, _, b0, b1, b2, b3, k, l0, l1, l2, code] = row;
        let (k, code) = (u32::from(k), SpanCode::from_byte(code)?);
        (k <= RayId::SUFFIX_BITS).then_some(Self {
            suffix: first_suffix(row),
            bit: u32::from_le_bytes([b0, b1, b2, b3]),
            k,
            span: u32::from_le_bytes([l0, l1, l2, 0]),
            code,
        })
    }
}

/// A stored part, checked far enough to be searched.
#[derive(Debug, Clone, Copy)]
pub struct PartView<'a> {
    count: usize,
    directory: &'a [u8],
    stream: &'a [u8],
}

impl<'a> PartView<'a> {
    /// Parses stored bytes.
    ///
    /// # Errors
    /// [`EntryError`] if the bytes do not have this form.
    pub fn open(bytes: &'a [u8]) -> Result<Self, EntryError> {
        let OpenPart { version, kind, body, .. } = part::open(bytes)?;
        if kind != KIND_RAYS {
            return Err(EntryError::Unknown { version, kind });
        }
        let (header, rest) = body.split_first_chunk::<HEADER>().ok_or(EntryError::Damaged)?;
        let &[c0, c1, c2, c3, b0, b1, b2, b3] = header;
        let count = u32::from_le_bytes([c0, c1, c2, c3]) as usize;
        let blocks = u32::from_le_bytes([b0, b1, b2, b3]) as usize;
        let sound = blocks == count.div_ceil(BLOCK_RAYS);
        let split = blocks.checked_mul(ROW).and_then(|length| rest.split_at_checked(length));
        let (directory, stream) = split.filter(|_| sound).ok_or(EntryError::Damaged)?;
        Ok(Self { count, directory, stream })
    }

    /// Returns the number of (ray, span) pairs.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Returns whether it has no pair.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the span of each line of the ray with this suffix, ascending.
    ///
    /// # Errors
    /// [`EntryError::Damaged`] if the bytes contradict themselves.
    pub fn spans_of(&self, suffix: u64) -> Result<Vec<u32>, EntryError> {
        let rows = self.directory.as_chunks::<ROW>().0;
        // Equal rays may begin in the block before the first one that starts with them.
        let from = rows.partition_point(|row| first_suffix(row) < suffix).saturating_sub(1);
        let mut spans = Vec::new();
        for (number, row) in rows.iter().enumerate().skip(from) {
            if first_suffix(row) > suffix {
                break;
            }
            self.each_of_block(number, row, |location| {
                if location.suffix() == suffix {
                    spans.push(location.span());
                }
                location.suffix() <= suffix
            })?;
        }
        Ok(spans)
    }

    /// Returns all locations, in order.
    ///
    /// # Errors
    /// [`EntryError::Damaged`] if the bytes contradict themselves.
    pub fn locations(&self) -> Result<Vec<RayLocation>, EntryError> {
        let mut locations = Vec::new();
        for (number, row) in self.directory.as_chunks::<ROW>().0.iter().enumerate() {
            self.each_of_block(number, row, |location| {
                locations.push(location);
                true
            })?;
        }
        Ok(locations)
    }

    /// Passes each location of a block to `sink` until it has enough.
    fn each_of_block(
        &self,
        number: usize,
        row: &[u8; ROW],
        mut sink: impl FnMut(RayLocation) -> bool,
    ) -> Result<(), EntryError> {
        let row = BlockRow::from_bytes(row).ok_or(EntryError::Damaged)?;
        let mut bits = PackedBitReader::at(self.stream, u64::from(row.bit));
        let rays = self.count.saturating_sub(number * BLOCK_RAYS).min(BLOCK_RAYS);
        let mut suffix = row.suffix;
        for ray in 0..rays {
            if ray > 0 {
                let next = bits.read_rice(row.k).and_then(|distance| suffix.checked_add(distance));
                suffix = next.filter(|next| next >> RayId::SUFFIX_BITS == 0).ok_or(EntryError::Damaged)?;
            }
            let span = row.code.read(&mut bits).ok_or(EntryError::Damaged)? + u64::from(row.span);
            let location = (span >> SPAN_BITS == 0).then_some(RayLocation(suffix << SPAN_BITS | span));
            if !sink(location.ok_or(EntryError::Damaged)?) {
                break;
            }
        }
        Ok(())
    }
}

/// Returns the first suffix of a directory row.
fn first_suffix(row: &[u8; ROW]) -> u64 {
    let &[s0, s1, s2, s3, s4, s5, ..] = row;
    u64::from_le_bytes([s0, s1, s2, s3, s4, s5, 0, 0])
}
