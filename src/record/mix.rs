//! Spreads the bits of a number, so that numbers that differ little are far apart.

/// The finalizer of `SplitMix64`. Stored filters depend on it: it never changes.
pub(crate) const fn mix(bits: u64) -> u64 {
    let bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}
