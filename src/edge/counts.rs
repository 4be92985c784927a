//! What became of the requests that an isolate saw.
//!
//! # Invariants
//! `recorded + merged + sampled_out + dropped = seen`, at any time.

use serde::{Deserialize, Serialize};

/// Why a request has no record in the bucket, or none that is known of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// The filter of its route does not match it.
    Filtered,
    /// Its batch was the oldest that waited, and there was no more memory for it.
    Overflow,
    /// The same, after attempts to store it that failed or that never ended: it may be in the bucket all the same.
    Unconfirmed,
    /// Its record could not be written.
    Unwritable,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Filtered, Self::Overflow, Self::Unconfirmed, Self::Unwritable];

    /// Returns the name in counts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Filtered => "filtered",
            Self::Overflow => "overflow",
            Self::Unconfirmed => "unconfirmed",
            Self::Unwritable => "unwritable",
        }
    }
}

/// Numbers of dropped requests by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DroppedCounts {
    /// Number of [`DropReason::Filtered`].
    pub filtered: u64,
    /// Number of [`DropReason::Overflow`].
    pub overflow: u64,
    /// Number of [`DropReason::Unconfirmed`].
    pub unconfirmed: u64,
    /// Number of [`DropReason::Unwritable`].
    pub unwritable: u64,
}

impl DroppedCounts {
    /// Returns the number of a reason.
    #[must_use]
    pub const fn of(&self, reason: DropReason) -> u64 {
        match reason {
            DropReason::Filtered => self.filtered,
            DropReason::Overflow => self.overflow,
            DropReason::Unconfirmed => self.unconfirmed,
            DropReason::Unwritable => self.unwritable,
        }
    }

    const fn of_mut(&mut self, reason: DropReason) -> &mut u64 {
        match reason {
            DropReason::Filtered => &mut self.filtered,
            DropReason::Overflow => &mut self.overflow,
            DropReason::Unconfirmed => &mut self.unconfirmed,
            DropReason::Unwritable => &mut self.unwritable,
        }
    }
}

/// The numbers of an isolate since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EdgeCounts {
    /// Number of requests that were seen.
    pub seen: u64,
    /// Number of those that are in a batch that was stored, waits or is open.
    pub recorded: u64,
    /// Number of those that count in the record of another one; this mode merges none.
    pub merged: u64,
    /// Number of those that the sample of their route leaves out.
    pub sampled_out: u64,
    /// Numbers of those that were dropped.
    pub dropped: DroppedCounts,
}

impl EdgeCounts {
    /// Returns the number of dropped requests.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        DropReason::ALL.iter().fold(0, |sum, reason| sum.saturating_add(self.dropped.of(*reason)))
    }

    /// Returns whether the numbers add up.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let others = self.merged.saturating_add(self.sampled_out).saturating_add(self.dropped());
        self.recorded.saturating_add(others) == self.seen
    }

    /// Counts requests as dropped.
    pub const fn drop(&mut self, reason: DropReason, number: u64) {
        *self.dropped.of_mut(reason) += number;
    }

    /// Adds other numbers.
    pub fn add(&mut self, other: Self) {
        self.combine(&other, |mine, others| mine + others);
    }

    /// Returns the numbers less others, none of which is larger.
    #[must_use]
    pub fn less(mut self, other: &Self) -> Self {
        self.combine(other, u64::saturating_sub);
        self
    }

    /// Combines each number with that of others.
    fn combine(&mut self, other: &Self, with: impl Fn(u64, u64) -> u64) {
        self.seen = with(self.seen, other.seen);
        self.recorded = with(self.recorded, other.recorded);
        self.merged = with(self.merged, other.merged);
        self.sampled_out = with(self.sampled_out, other.sampled_out);
        for reason in DropReason::ALL {
            let count = self.dropped.of_mut(reason);
            *count = with(*count, other.dropped.of(reason));
        }
    }
}
