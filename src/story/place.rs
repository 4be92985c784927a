//! The place at which a walk over a family goes on, and the cursor that keeps it.
//!
//! Its bytes: a hash of what is asked (8), flags (1), the root (8), the child after which the walk goes on (8), then the rays
//! from the root to the one whose children are visited (8 each), all LE. Clients get them sealed
//! ([`crate::access::VersionedKey`]).
//!
//! # Invariants
//! A place is among rays that the caller sees, below each other; only the child may be a hidden one.

use crate::limits::FAMILY_LEVELS;
use crate::record::RayId;

const HEAD: usize = 25;
const LISTS_RECORDS: u8 = 1;
const IS_CYCLIC: u8 = 2;
const HAS_CHILD: u8 = 4;
const IS_CUT: u8 = 8;

/// A place in the order of a family: each ray before what it caused, children in the order of their digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FamilyPlace {
    /// The ray at the top.
    pub root: RayId,
    /// The rays from the root to the one whose children come next; none where the root itself comes next.
    pub path: Vec<RayId>,
    /// The child after which it goes on.
    pub after: Option<RayId>,
}

impl FamilyPlace {
    /// The place before everything.
    #[must_use]
    pub const fn start(root: RayId) -> Self {
        Self { root, path: Vec::new(), after: None }
    }
}

/// The place at which an answer goes on, bound to what is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FamilyCursor {
    /// The hash of what is asked.
    pub asked: u64,
    /// Whether records go on, rather than the tree.
    pub lists_records: bool,
    /// Whether the tree has a circle at its top.
    pub is_cyclic: bool,
    /// Whether something is missing from the pages so far.
    pub is_cut: bool,
    /// The place.
    pub place: FamilyPlace,
}

impl FamilyCursor {
    /// The sizes that cursors may have, in bytes.
    pub fn sizes() -> impl Iterator<Item = usize> {
        (0..=FAMILY_LEVELS + 1).map(|rays| HEAD + 8 * rays)
    }

    /// Writes the cursor.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let FamilyPlace { root, path, after } = &self.place;
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let flags = flag(self.lists_records, LISTS_RECORDS)
            | flag(self.is_cyclic, IS_CYCLIC)
            | flag(self.is_cut, IS_CUT)
            | flag(after.is_some(), HAS_CHILD);
        let mut bytes = self.asked.to_le_bytes().to_vec();
        bytes.push(flags);
        let after = after.map_or(0, RayId::bits);
        for number in [root.bits(), after].into_iter().chain(path.iter().map(|ray| ray.bits())) {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (asked, bytes) = bytes.split_first_chunk()?;
        let ([flags], bytes) = bytes.split_first_chunk()?;
        let (numbers, []) = bytes.as_chunks() else { return None };
        let mut rays = numbers.iter().map(|bytes| RayId::from_bits(u64::from_le_bytes(*bytes)));
        let (root, after) = (rays.next()?, rays.next()?);
        let place = FamilyPlace { root, path: rays.collect(), after: Some(after).filter(|_| flags & HAS_CHILD != 0) };
        Some(Self {
            asked: u64::from_le_bytes(*asked),
            lists_records: flags & LISTS_RECORDS != 0,
            is_cyclic: flags & IS_CYCLIC != 0,
            is_cut: flags & IS_CUT != 0,
            place,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{FamilyCursor, FamilyPlace, HEAD};
    use crate::record::RayId;

    #[test]
    fn cursors_come_back_and_others_do_not() {
        let ray = RayId::from_bits;
        for (path, after) in [(vec![], None), (vec![ray(1)], Some(ray(0))), (vec![ray(1), ray(u64::MAX)], None)] {
            for flags in [(false, true), (true, false)] {
                let place = FamilyPlace { root: ray(1), path: path.clone(), after };
                let cursor =
                    FamilyCursor { asked: 7, lists_records: flags.0, is_cyclic: flags.1, is_cut: flags.0, place };
                let bytes = cursor.to_bytes();
                assert!(FamilyCursor::sizes().any(|size| size == bytes.len()));
                assert_eq!(FamilyCursor::from_bytes(&bytes), Some(cursor));
                assert_eq!(FamilyCursor::from_bytes(&bytes[..bytes.len() - 1]), None);
            }
        }
        assert_eq!(FamilyCursor::from_bytes(&[0; HEAD - 8]), None);
    }
}
