//! What lookups and queries count.
//!
//! A counter only grows.

use std::ops::AddAssign;

use serde::Serialize;

/// The work of a lookup or a query. As JSON it is the `stats` of a stream's trailer.
///
/// A lookup leaves the counters of spans and records at 0, and counts batches only where they are gone or unreadable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ReadStats {
    /// Calls to shards of the index.
    pub shards_asked: u64,
    /// Batches that shards named. A batch that several shards name counts once for each.
    pub batches_considered: u64,
    /// Batches ruled out by their summaries: nothing of the batch itself is read.
    pub batches_skipped: u64,
    /// Batches read to their end, or as far as needed.
    pub batches_read: u64,
    /// Spans ruled out in batches that are not.
    pub spans_skipped: u64,
    /// Objects of the bucket read, or ranges of one: batches, their windows and their summaries.
    pub objects_read: u64,
    /// Batches that are gone from the bucket.
    pub batches_gone: u64,
    /// Batches that can no longer be read.
    pub batches_unreadable: u64,
    /// Batches read in full because they changed after they were indexed, or because a sidecar object is damaged.
    pub full_scans: u64,
    /// Stored bytes read.
    pub bytes_read: u64,
    /// Bytes of text that the stored bytes inflate to.
    pub bytes_inflated: u64,
    /// Lines read as records.
    pub records_scanned: u64,
    /// Records in the answer.
    pub records_returned: u64,
    /// Reads of the bucket, including those that find no object or another version.
    #[serde(skip)]
    pub bucket_calls: u64,
}

impl ReadStats {
    /// Calls to the platform, of which an invocation has a limited number.
    #[must_use]
    pub const fn operations(&self) -> u64 {
        self.shards_asked + self.bucket_calls
    }
}

impl AddAssign for ReadStats {
    fn add_assign(&mut self, other: Self) {
        self.shards_asked += other.shards_asked;
        self.batches_considered += other.batches_considered;
        self.batches_skipped += other.batches_skipped;
        self.batches_read += other.batches_read;
        self.spans_skipped += other.spans_skipped;
        self.objects_read += other.objects_read;
        self.batches_gone += other.batches_gone;
        self.batches_unreadable += other.batches_unreadable;
        self.full_scans += other.full_scans;
        self.bytes_read += other.bytes_read;
        self.bytes_inflated += other.bytes_inflated;
        self.records_scanned += other.records_scanned;
        self.records_returned += other.records_returned;
        self.bucket_calls += other.bucket_calls;
    }
}
