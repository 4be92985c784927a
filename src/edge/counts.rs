//! What became of the requests, or in mode `collect` the reports, that an isolate saw.
//!
//! # Invariants
//! `recorded + merged + sampled_out + dropped = seen`, at any time.

use serde::{Deserialize, Serialize};

/// Why a request or a report has no record in the bucket, or none that is known of.
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
    /// It is no report: not JSON, of another media type, or not of its route's shape.
    Invalid,
    /// Its body is larger than its route allows.
    TooLarge,
    /// Its key has no quota left.
    OverQuota,
    /// The origin refused the window that it is in.
    Refused,
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
    /// Number of [`DropReason::Invalid`].
    pub invalid: u64,
    /// Number of [`DropReason::TooLarge`].
    pub too_large: u64,
    /// Number of [`DropReason::OverQuota`].
    pub over_quota: u64,
    /// Number of [`DropReason::Refused`].
    pub refused: u64,
}

/// The numbers of an isolate since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EdgeCounts {
    /// Number of requests that were seen.
    pub seen: u64,
    /// Number of those that are in a batch that was stored, waits or is open.
    pub recorded: u64,
    /// Number of those that count in the record of another one: reports that equal one of their window.
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
        let DroppedCounts { filtered, overflow, unconfirmed, unwritable, invalid, too_large, over_quota, refused } =
            self.dropped;
        filtered + overflow + unconfirmed + unwritable + invalid + too_large + over_quota + refused
    }

    /// Returns whether the numbers add up.
    #[must_use]
    pub const fn is_balanced(&self) -> bool {
        self.recorded + self.merged + self.sampled_out + self.dropped() == self.seen
    }

    /// Counts requests as dropped.
    pub const fn drop(&mut self, reason: DropReason, number: u64) {
        let dropped = &mut self.dropped;
        let count = match reason {
            DropReason::Filtered => &mut dropped.filtered,
            DropReason::Overflow => &mut dropped.overflow,
            DropReason::Unconfirmed => &mut dropped.unconfirmed,
            DropReason::Unwritable => &mut dropped.unwritable,
            DropReason::Invalid => &mut dropped.invalid,
            DropReason::TooLarge => &mut dropped.too_large,
            DropReason::OverQuota => &mut dropped.over_quota,
            DropReason::Refused => &mut dropped.refused,
        };
        *count += number;
    }
}
