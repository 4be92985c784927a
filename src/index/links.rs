//! The stored form of a batch's parent links in the shard of the parents: which requests a request caused.
//!
//! ```text
//! the beginning of every part, of kind 2 (`part`), with an empty table
//! 0   u32 LE  number of parents
//! 4   u32 LE  number of blocks, each of 64 parents but the last
//! 8   blocks × 11 bytes: first parent's suffix (6 bytes LE), its first bit in the stream (u32 LE), k (u8)
//! …   the stream, bits least significant first. For each parent but the first of its block the distance to the one
//!     before, as Rice code (⌊d/2^k⌋ zeros, a one, k bits). Then the number of its children, as Elias gamma code (n zeros,
//!     a one, n bits). For each child, ascending: the ticks from the parent's clock to its own, 2t or -2t-1, plus 1, as
//!     Elias gamma code, and its bits below the clock (28 bits)
//! ```
//!
//! The parents of a part are of one shard; their children may be of any. A request starts its subrequests within a
//! second as a rule, so a child takes 37 to 42 bits, and a parent some 30.
//!
//! # Invariants
//!
//! Packing depends only on the set of links of a part, and unpacking is exact. No input bytes make unpacking panic.
//! Tests freeze the form; any other form gets a new version.

use std::ops::RangeInclusive;

use itertools::Itertools;

use super::bits::{PackedBitReader, PackedBitWriter, best_k};
use super::entry::EntryPart;
use super::part::{self, EntryError, OpenPart};
use super::time_slot::time_slot_of;
use crate::batch::ObjectSpans;
use crate::limits::{LINK_BLOCK_PARENTS, LINK_PART};
use crate::record::RayId;

/// The kind of a part that holds parent links.
pub const KIND_LINKS: u8 = 2;
/// Size of the body before the directory, in bytes.
const HEADER: usize = 8;
/// Size of one block's directory row, in bytes.
const ROW: usize = 11;

/// A request and one that it caused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ParentLink {
    /// The request that the other one names as its parent.
    pub parent: RayId,
    /// The request that it caused.
    pub child: RayId,
}

/// Gathers the links to the parents of one shard, and packs them as they come.
#[derive(Debug, Default)]
pub(super) struct LinkGatherer {
    open: Vec<ParentLink>,
    parts: Vec<EntryPart>,
    /// A bit for each time slot that has parents.
    slots: [u64; 4],
}

impl LinkGatherer {
    /// Takes a link.
    pub(super) fn take(&mut self, link: ParentLink) {
        let slot = time_slot_of(link.parent.suffix());
        if let Some(bits) = self.slots.get_mut(usize::from(slot / 64)) {
            *bits |= 1 << (slot % 64);
        }
        self.open.push(link);
    }

    /// Packs what was taken since the last time; returns the bytes that this takes.
    pub(super) fn pack(&mut self) -> usize {
        let Some(part) = pack_part(std::mem::take(&mut self.open)) else { return 0 };
        let bytes = part.bytes.len() + size_of::<EntryPart>();
        self.parts.push(part);
        bytes
    }

    /// Adds what another one has packed.
    pub(super) fn join(&mut self, other: Self) {
        self.parts.extend(other.parts);
        for (bits, more) in self.slots.iter_mut().zip(other.slots) {
            *bits |= more;
        }
    }

    /// Returns the time slots that have parents, ascending, and the parts that were packed.
    pub(super) fn finish(self) -> (Vec<u8>, Vec<EntryPart>) {
        let has = |slot: &u8| self.slots.get(usize::from(slot / 64)).is_some_and(|bits| bits >> (slot % 64) & 1 == 1);
        ((0..=u8::MAX).filter(has).collect(), self.parts)
    }
}

/// Packs links to parents of one shard, in any order and repeated ones once, into as many parts as needed.
#[must_use]
pub fn pack(links: &[ParentLink]) -> Vec<EntryPart> {
    links.chunks(LINK_PART).filter_map(|links| pack_part(links.to_vec())).collect()
}

fn pack_part(mut links: Vec<ParentLink>) -> Option<EntryPart> {
    links.sort_unstable();
    links.dedup();
    let (first, last) = (links.first()?.parent, links.last()?.parent);
    let families: Vec<&[ParentLink]> = links.chunk_by(|one, next| one.parent == next.parent).collect();
    let blocks = families.len().div_ceil(LINK_BLOCK_PARENTS);
    let mut bytes = part::head(KIND_LINKS, std::iter::empty(), &ObjectSpans::default());
    bytes.extend_from_slice(&u32::try_from(families.len()).ok()?.to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(blocks).ok()?.to_le_bytes());
    let mut stream = PackedBitWriter::default();
    for block in families.chunks(LINK_BLOCK_PARENTS) {
        let parents = || block.iter().filter_map(|family| Some(family.first()?.parent.suffix()));
        let k = best_k(|| parents().tuple_windows().map(|(before, next)| next - before), block.len() - 1);
        let [s0, s1, s2, s3, s4, s5, ..] = parents().next()?.to_le_bytes();
        let [b0, b1, b2, b3] = u32::try_from(stream.position()).ok()?.to_le_bytes();
        bytes.extend([s0, s1, s2, s3, s4, s5, b0, b1, b2, b3, u8::try_from(k).ok()?]);
        pack_block(&mut stream, block, k);
    }
    bytes.extend(stream.finish());
    Some(EntryPart { first_suffix: first.suffix(), last_suffix: last.suffix(), bytes })
}

/// Writes the families of one block.
fn pack_block(stream: &mut PackedBitWriter, block: &[&[ParentLink]], k: u32) {
    let mut before = None;
    for family in block {
        let Some(parent) = family.first().map(|link| link.parent) else { continue };
        if let Some(before) = before {
            stream.write_rice(parent.suffix() - before, k);
        }
        stream.write_gamma(family.len() as u64);
        for ParentLink { child, .. } in *family {
            let ticks = child.ticks().cast_signed() - parent.ticks().cast_signed();
            stream.write_gamma(((ticks << 1) ^ (ticks >> 63)).cast_unsigned() + 1);
            stream.write(child.below_clock(), RayId::RANDOM_BITS);
        }
        before = Some(parent.suffix());
    }
}

/// A stored part, checked far enough to be searched.
#[derive(Debug, Clone, Copy)]
pub struct LinksView<'a> {
    parents: usize,
    directory: &'a [u8],
    stream: &'a [u8],
    prefix: u32,
}

impl<'a> LinksView<'a> {
    /// Parses stored bytes; `prefix` is that of the shard, and so of the parents.
    ///
    /// # Errors
    /// [`EntryError`] if the bytes do not have this form.
    pub fn open(bytes: &'a [u8], prefix: u32) -> Result<Self, EntryError> {
        let OpenPart { version, kind, body, .. } = part::open(bytes)?;
        if kind != KIND_LINKS {
            return Err(EntryError::Unknown { version, kind });
        }
        let (header, rest) = body.split_first_chunk::<HEADER>().ok_or(EntryError::Damaged)?;
        let &[p0, p1, p2, p3, b0, b1, b2, b3] = header;
        let parents = u32::from_le_bytes([p0, p1, p2, p3]) as usize;
        let blocks = u32::from_le_bytes([b0, b1, b2, b3]) as usize;
        let sound = blocks == parents.div_ceil(LINK_BLOCK_PARENTS);
        let split = blocks.checked_mul(ROW).and_then(|length| rest.split_at_checked(length));
        let (directory, stream) = split.filter(|_| sound).ok_or(EntryError::Damaged)?;
        Ok(Self { parents, directory, stream, prefix })
    }

    /// Passes each link whose parent's suffix is in this range to `sink`, ascending.
    ///
    /// # Errors
    /// [`EntryError::Damaged`] if the bytes contradict themselves.
    pub fn each_in(&self, suffixes: RangeInclusive<u64>, mut sink: impl FnMut(ParentLink)) -> Result<(), EntryError> {
        self.each_packed(suffixes, |packed| {
            // A child before the beginning of the clock is none: no packer makes one.
            if let Some(link) = packed.link(self.prefix) {
                sink(link);
            }
        })
    }

    /// Passes each link as it is packed to `sink`.
    fn each_packed(&self, suffixes: RangeInclusive<u64>, mut sink: impl FnMut(PackedLink)) -> Result<(), EntryError> {
        let rows = self.directory.as_chunks::<ROW>().0;
        let from = rows.partition_point(|row| first_suffix(row) <= *suffixes.start()).saturating_sub(1);
        for (number, row) in rows.iter().enumerate().skip(from) {
            if first_suffix(row) > *suffixes.end() {
                break;
            }
            let parents = self.parents.saturating_sub(number * LINK_BLOCK_PARENTS).min(LINK_BLOCK_PARENTS);
            self.each_of_block(row, parents, &suffixes, &mut sink).ok_or(EntryError::Damaged)?;
        }
        Ok(())
    }

    /// Passes the links of a block to `sink`; `None` if its bytes contradict themselves.
    fn each_of_block(
        &self,
        row: &[u8; ROW],
        parents: usize,
        suffixes: &RangeInclusive<u64>,
        sink: &mut impl FnMut(PackedLink),
    ) -> Option<()> {
        let &[.., b0, b1, b2, b3, k] = row;
        let k = Some(u32::from(k)).filter(|k| *k <= RayId::SUFFIX_BITS)?;
        let mut bits = PackedBitReader::at(self.stream, u32::from_le_bytes([b0, b1, b2, b3]).into());
        let mut suffix = first_suffix(row);
        for nth in 0..parents {
            if nth > 0 {
                suffix = suffix.checked_add(bits.read_rice(k)?)?;
            }
            if suffix >> RayId::SUFFIX_BITS != 0 {
                return None;
            }
            if suffix > *suffixes.end() {
                break;
            }
            for _ in 0..bits.read_gamma()? {
                let coded = bits.read_gamma()? - 1;
                let ticks = (coded >> 1).cast_signed() ^ -(coded & 1).cast_signed();
                let link = PackedLink { suffix, ticks, below_clock: bits.read(RayId::RANDOM_BITS)? };
                if suffixes.contains(&suffix) {
                    sink(link);
                }
            }
        }
        Some(())
    }
}

/// A link as it is packed.
#[derive(Debug, Clone, Copy)]
struct PackedLink {
    /// The suffix of the parent.
    suffix: u64,
    /// The ticks from the parent's clock to the child's.
    ticks: i64,
    /// The child's bits below its clock.
    below_clock: u64,
}

impl PackedLink {
    /// Returns the link in the shard with this prefix; `None` if no clock reads what the child's would.
    fn link(self, prefix: u32) -> Option<ParentLink> {
        let parent = RayId::from_parts(prefix, self.suffix);
        let ticks = u64::try_from(parent.ticks().cast_signed().checked_add(self.ticks)?).ok()?;
        Some(ParentLink { parent, child: RayId::from_clock(ticks, self.below_clock)? })
    }
}

/// Returns the first suffix of a directory row.
fn first_suffix(row: &[u8; ROW]) -> u64 {
    let &[s0, s1, s2, s3, s4, s5, ..] = row;
    u64::from_le_bytes([s0, s1, s2, s3, s4, s5, 0, 0])
}

/// Checks that a part can be read to its end: an unreadable one would fail every lookup near it.
pub(super) fn check(bytes: &[u8]) -> Result<(), EntryError> {
    LinksView::open(bytes, 0)?.each_packed(0..=u64::MAX, drop)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::ops::RangeInclusive;

    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::{EntryError, LinksView, ParentLink, pack};
    use crate::record::RayId;

    fn link(parent: u64, child: u64) -> ParentLink {
        ParentLink { parent: RayId::from_bits(parent), child: RayId::from_bits(child) }
    }

    fn links_in(bytes: &[u8], prefix: u32, suffixes: RangeInclusive<u64>) -> Vec<ParentLink> {
        let mut found = Vec::new();
        LinksView::open(bytes, prefix).unwrap().each_in(suffixes, |link| found.push(link)).unwrap();
        found
    }

    #[test]
    fn the_stored_form_is_unchanged() {
        let parent = 0x7646_60d8_ec5c_2ab1;
        let links = [
            link(parent, parent + 0x1_2345_6789),
            link(parent, parent - 1),
            link(parent + 0x40_0000_0000, 0xffff_ffff_ffff_ffff),
        ];
        let parts = pack(&links);
        assert_eq!(parts.len(), 1);
        assert_eq!((parts[0].first_suffix, parts[0].last_suffix), (parent & 0xfff_ffff_ffff, 0x118_ec5c_2ab1));
        assert_eq!(
            hex::encode(&parts[0].bytes),
            "01020000000000000200000001000000b12a5cecd80000000000250aabc2c560d1910c7d020000008000000000709c7be626feffff1f"
        );
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let [part] = pack(&[link(5, 6), link(5, 7), link(900, 1 << 50)]).try_into().unwrap();
        assert_eq!(super::check(&part.bytes), Ok(()));
        for end in 0..part.bytes.len() {
            assert_eq!(super::check(&part.bytes[..end]), Err(EntryError::Damaged), "{end}");
        }
        let mut other = part.bytes.clone();
        other[1] = 0;
        assert_eq!(super::check(&other), Err(EntryError::Unknown { version: 1, kind: 0 }));
    }

    proptest! {
        #[test]
        fn links_come_back_as_a_set(
            parents in prop::collection::vec((0_u64..1 << 44, 0_u64..1 << 20), 1..300),
            children in prop::collection::vec(any::<u64>(), 300),
            range in (0_u64..1 << 44, 0_u64..1 << 44),
        ) {
            let prefix = 0x76466;
            let near = |(suffix, jitter): (u64, u64), far: u64| {
                let parent = RayId::from_parts(prefix, suffix);
                // Most children are near their parents, some are anywhere.
                let child = if far.is_multiple_of(7) { far } else { parent.bits().wrapping_add(jitter << 12) };
                ParentLink { parent, child: RayId::from_bits(child) }
            };
            // Every third parent has another child.
            let mut links: Vec<ParentLink> =
                parents.iter().zip(&children).map(|(parent, far)| near(*parent, *far)).collect();
            links.extend(links.clone().iter().step_by(3).zip(&children).map(|(link, far)| ParentLink {
                child: RayId::from_bits(*far),
                ..*link
            }));
            let (low, high) = (range.0.min(range.1), range.0.max(range.1));
            let wanted: Vec<ParentLink> = links.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
            let [part] = pack(&links).try_into().unwrap();
            prop_assert_eq!(links_in(&part.bytes, prefix, 0..=u64::MAX), wanted.clone());
            let within: Vec<ParentLink> =
                wanted.into_iter().filter(|link| (low..=high).contains(&link.parent.suffix())).collect();
            prop_assert_eq!(links_in(&part.bytes, prefix, low..=high), within);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), count in 1_u8..100) {
            let head = [1, 2, 0, 0, 0, 0, 0, 0, count, 0, 0, 0, count.div_ceil(64), 0, 0, 0];
            let _links = super::check(&[&head, bytes.as_slice()].concat());
        }
    }
}
