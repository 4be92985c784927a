//! The figures of a batch that was processed.

use serde::{Serialize, Serializer};

use crate::batch::ReadTotals;
use crate::index::LineCounts;

/// The figures of a sealed batch. Their JSON is part of the message's log line.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct BatchFigures {
    /// Number of bytes and lines read.
    #[serde(flatten)]
    pub totals: ReadTotals,
    /// Number of shards that were written.
    pub shards: usize,
    /// Size of the packed rays over all shards, in bytes.
    pub index_bytes: u64,
    /// Size of the packed parent links over all shards, in bytes.
    pub link_bytes: u64,
    /// Size of the access points' windows, in bytes.
    pub window_bytes: u64,
    /// Size of the spans' summaries, in bytes.
    pub summary_bytes: u64,
    /// Number of shard rows billed as written.
    pub rows_written: u64,
    /// Number of payloads.
    pub payloads: usize,
    /// Number of lines in these payloads.
    pub payload_lines: u64,
    /// Number of lines that are already in other payloads.
    pub duplicates: u64,
    /// Number of the batch's lines, by kind.
    #[serde(flatten, serialize_with = "write_counts")]
    pub counts: LineCounts,
    /// Whether a newer version replaced it in the index in the meantime, which decides the verdict.
    #[serde(skip)]
    pub superseded: bool,
    /// Whether it is the first batch of its dataset and hour whose rays have other times than their records; the verdict warns.
    #[serde(skip)]
    pub is_layout_doubtful: bool,
    /// Whether it is only indexed, since it lay in the bucket before the first start, or before a loss; the verdict says so.
    #[serde(skip)]
    pub before_start: bool,
}

/// Writes the counts without instants of records: a log line says nothing of a record.
fn write_counts<S: Serializer>(counts: &LineCounts, serializer: S) -> Result<S::Ok, S::Error> {
    LineCounts { stretches: Vec::new(), skew: None, ..counts.clone() }.serialize(serializer)
}
