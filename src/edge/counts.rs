//! What became of the requests, or in mode `collect` the reports, that an isolate saw.
//!
//! # Invariants
//! `recorded + merged + sampled_out + dropped = seen`, at any time.

use serde::{Deserialize, Serialize};

use crate::rpc::is_default;

/// Declares the reasons, and the numbers by reason.
macro_rules! drop_reasons {
    ($($(#[$about:meta])* $reason:ident = $name:ident,)*) => {
        /// Why a request or report has no record in the bucket or at the origin, or none that is known of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum DropReason {
            $($(#[$about])* $reason,)*
        }

        impl DropReason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$reason),*];

            /// Returns the name in counts.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$reason => stringify!($name)),* }
            }
        }

        /// Numbers of dropped requests by reason.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(default)]
        pub struct DroppedCounts {
            $(
                #[doc = concat!("Number of [`DropReason::", stringify!($reason), "`].")]
                pub $name: u64,
            )*
        }

        impl DroppedCounts {
            /// Returns the number of a reason.
            #[must_use]
            pub const fn of(&self, reason: DropReason) -> u64 {
                match reason { $(DropReason::$reason => self.$name),* }
            }

            const fn of_mut(&mut self, reason: DropReason) -> &mut u64 {
                match reason { $(DropReason::$reason => &mut self.$name),* }
            }
        }
    };
}

drop_reasons! {
    /// The filter of its route does not match it.
    Filtered = filtered,
    /// Its batch was the oldest that waited, and there was no more memory for it.
    Overflow = overflow,
    /// The same, after attempts to store it that failed or that never ended: it may be there all the same.
    Unconfirmed = unconfirmed,
    /// Its record could not be written.
    Unwritable = unwritable,
    /// It is no report: not JSON, of another media type, or not of its route's shape.
    Invalid = invalid,
    /// Its body is larger than its route allows.
    TooLarge = too_large,
    /// Its key has no quota left.
    OverQuota = over_quota,
    /// The origin refused the window that it is in, or the collector that the equation is of its record.
    Refused = refused,
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

    /// Returns the numbers of requests that are all recorded.
    #[must_use]
    pub fn of_recorded(number: u64) -> Self {
        Self { seen: number, recorded: number, ..Self::default() }
    }

    /// Counts recorded requests as dropped.
    pub fn lose(&mut self, reason: DropReason, number: u64) {
        self.recorded = self.recorded.saturating_sub(number);
        self.drop(reason, number);
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
        for reason in DropReason::ALL.iter().copied() {
            let count = self.dropped.of_mut(reason);
            *count = with(*count, other.dropped.of(reason));
        }
    }
}
