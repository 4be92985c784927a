//! What became of the requests that an isolate saw.
//!
//! # Invariants
//! `recorded + merged + sampled_out + dropped = seen`, at any time.

use serde::{Deserialize, Serialize};

use crate::rpc::is_default;

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
    /// The collector that the equation is of refused its record.
    Refused,
}

/// Numbers of dropped requests by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DroppedCounts {
    /// Number of [`DropReason::Filtered`].
    pub filtered: u64,
    /// Number of [`DropReason::Overflow`].
    pub overflow: u64,
    /// Number of [`DropReason::Unconfirmed`].
    pub unconfirmed: u64,
    /// Number of [`DropReason::Unwritable`].
    pub unwritable: u64,
    /// Number of [`DropReason::Refused`].
    #[serde(default, skip_serializing_if = "is_default")]
    pub refused: u64,
}

/// What became of the recorded lines at one sink of an isolate: `handed + waiting + dropped` is the number of lines that were
/// recorded for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SinkCounts {
    /// Number of lines that the sink has confirmed.
    pub handed: u64,
    /// Number of lines that wait or are on their way.
    pub waiting: u64,
    /// Number of lines that were dropped for want of memory.
    #[serde(default, skip_serializing_if = "is_default")]
    pub overflow: u64,
    /// The same, after attempts that failed or never ended: the sink may have them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unconfirmed: u64,
    /// Number of lines that the sink refused.
    #[serde(default, skip_serializing_if = "is_default")]
    pub refused: u64,
}

impl SinkCounts {
    /// Returns the number of lines that were recorded for the sink.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.handed + self.waiting + self.overflow + self.unconfirmed + self.refused
    }

    /// Counts lines as dropped.
    pub const fn drop(&mut self, reason: DropReason, lines: u64) {
        match reason {
            DropReason::Refused => self.refused += lines,
            DropReason::Unconfirmed => self.unconfirmed += lines,
            _ => self.overflow += lines,
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
    pub const fn dropped(&self) -> u64 {
        let DroppedCounts { filtered, overflow, unconfirmed, unwritable, refused } = self.dropped;
        filtered + overflow + unconfirmed + unwritable + refused
    }

    /// Returns whether the numbers add up.
    #[must_use]
    pub const fn is_balanced(&self) -> bool {
        self.recorded + self.merged + self.sampled_out + self.dropped() == self.seen
    }

    /// Counts requests as dropped.
    pub const fn drop(&mut self, reason: DropReason, number: u64) {
        let DroppedCounts { filtered, overflow, unconfirmed, unwritable, refused } = &mut self.dropped;
        let count = match reason {
            DropReason::Filtered => filtered,
            DropReason::Overflow => overflow,
            DropReason::Unconfirmed => unconfirmed,
            DropReason::Unwritable => unwritable,
            DropReason::Refused => refused,
        };
        *count += number;
    }
}
