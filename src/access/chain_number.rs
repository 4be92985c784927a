//! Which chain of the audit log has the entries of a caller.
//!
//! # Invariants
//! With a given number of chains a caller has one chain. A further chain takes its share of callers from each of the others,
//! a chain less gives its callers to them, and no other caller moves. With one chain every caller has the first.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::limits::AUDIT_CHAINS_MAX;
use crate::record::mix;

/// The number of a chain of the audit log, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ChainNumber(u8);

impl ChainNumber {
    /// The only chain of a log that was never split.
    pub const FIRST: Self = Self(0);

    /// The chain of this number, if there can be one.
    #[must_use]
    pub fn new(number: u64) -> Option<Self> {
        u8::try_from(number).ok().filter(|number| *number < AUDIT_CHAINS_MAX).map(Self)
    }

    /// The first `count` chains.
    pub fn first(count: u8) -> impl DoubleEndedIterator<Item = Self> {
        (0..count.clamp(1, AUDIT_CHAINS_MAX)).map(Self)
    }

    /// The chain of the caller of this name among the first `count`: the one with the greatest weight for it.
    #[must_use]
    pub fn of_caller(name: &str, count: u8) -> Self {
        if count <= 1 {
            return Self::FIRST;
        }
        let digest = Sha256::digest(name).iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte));
        // Of equal weights the first counts: `max_by_key` would take the last.
        Self::first(count).rev().max_by_key(|chain| weight(digest, chain.0)).unwrap_or_default()
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The place of the chain in a list of all.
    #[must_use]
    pub const fn place(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for ChainNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The weight of a chain for a caller.
const fn weight(digest: u64, chain: u8) -> u64 {
    mix(digest ^ (chain as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[cfg(test)]
mod tests {
    use super::{AUDIT_CHAINS_MAX, ChainNumber};

    fn chains(count: u8) -> Vec<u8> {
        (0..4_000).map(|number| ChainNumber::of_caller(&format!("desk-{number}"), count).number()).collect()
    }

    #[test]
    fn further_chain_moves_few_callers() {
        for count in 1..AUDIT_CHAINS_MAX {
            let (before, after) = (chains(count), chains(count + 1));
            let moved: Vec<u8> =
                before.iter().zip(&after).filter(|(old, new)| old != new).map(|(_, new)| *new).collect();
            assert!(moved.iter().all(|chain| *chain == count), "only to the new chain");
            let share = 4_000 / (usize::from(count) + 1);
            assert!(moved.len().abs_diff(share) < share / 2, "{} of 4,000 move to chain {count}", moved.len());
        }
    }

    #[test]
    fn callers_spread_evenly_and_stay() {
        assert!(chains(1).iter().chain(&chains(0)).all(|chain| *chain == 0));
        let found = chains(AUDIT_CHAINS_MAX);
        for chain in 0..AUDIT_CHAINS_MAX {
            let count = found.iter().map(|found| usize::from(*found == chain)).sum::<usize>();
            assert!((150..350).contains(&count), "chain {chain} has {count} of 4,000");
        }
    }
}
