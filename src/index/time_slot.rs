//! Time slots: 256 equal pieces of a shard's 655 s, 2.56 s each, named by the two digits below the prefix.

use crate::record::RayId;

/// Number of time slots in a shard.
pub(super) const TIME_SLOTS: usize = 256;
/// In the byte of a time slot: the batch has rays in it.
pub(super) const HOLDS_RAYS: u8 = 1;
/// In the byte of a time slot: records of the batch name parents in it.
pub(super) const HOLDS_PARENTS: u8 = 2;

/// Returns the time slot of a suffix: its two highest digits.
#[must_use]
pub const fn time_slot_of(suffix: u64) -> u8 {
    let [_, _, _, _, _, high, ..] = (suffix << (48 - RayId::SUFFIX_BITS)).to_le_bytes();
    high
}
