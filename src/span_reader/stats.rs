//! Counters of lookups and queries. A counter only grows.

use std::ops::AddAssign;

use serde::Serialize;

use crate::limits::{INFLATED_BYTE_NS, MASKED_BYTE_NS};

/// The work of a lookup or a query. Its JSON is the `stats` of a stream's trailer.
///
/// A lookup leaves the counters of spans and records at 0, and counts batches only if they are gone or unreadable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ReadStats {
    /// Number of calls to shards of the index.
    pub shards_asked: u64,
    /// Number of batches named by shards; a batch counts once for each shard that names it.
    pub batches_considered: u64,
    /// Number of batches ruled out by their summaries, without reading anything of the batch itself.
    pub batches_skipped: u64,
    /// Number of batches read to their end, or as far as needed.
    pub batches_read: u64,
    /// Number of spans ruled out in the batches that were read.
    pub spans_skipped: u64,
    /// Number of objects, or ranges of one, that were read: batches, their windows and their summaries.
    pub objects_read: u64,
    /// Number of batches that the bucket no longer has.
    pub batches_gone: u64,
    /// Number of batches that can no longer be read.
    pub batches_unreadable: u64,
    /// Number of batches read in full because they changed after they were indexed, or because a sidecar object is
    /// damaged.
    pub full_scans: u64,
    /// Number of stored bytes read.
    pub bytes_read: u64,
    /// Number of bytes after inflating.
    pub bytes_inflated: u64,
    /// Number of lines parsed as records.
    pub records_scanned: u64,
    /// Number of records in the answer.
    pub records_returned: u64,
    /// Number of bytes of records that were masked, whether they are in the answer or not.
    #[serde(skip)]
    pub bytes_masked: u64,
    /// Number of reads of the bucket, including those that found no object or another version.
    #[serde(skip)]
    pub bucket_calls: u64,
}

impl ReadStats {
    /// Returns the number of calls to the platform, which are limited per invocation.
    #[must_use]
    pub const fn operations(&self) -> u64 {
        self.shards_asked + self.bucket_calls
    }

    /// Returns the CPU that the work took, in nanoseconds, by the prices of its bytes: the platform's clock stands still
    /// meanwhile.
    #[must_use]
    pub const fn work_ns(&self) -> u64 {
        self.bytes_inflated * INFLATED_BYTE_NS + self.bytes_masked * MASKED_BYTE_NS
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
        self.bytes_masked += other.bytes_masked;
        self.bucket_calls += other.bucket_calls;
    }
}
