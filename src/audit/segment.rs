//! A segment: entries that follow one another, as one object of gzip-compressed NDJSON.
//!
//! A line is `{"seq":…,"hash":"…","entry":"…"}`, where `entry` is the very text that was hashed: the objects alone
//! let anyone check the chain with `jq` and `sha256sum`, without raydex. The form is frozen.
//!
//! # Invariants
//! The bytes of a segment are a function of its entries. What is read of one was checked from the hash before its first
//! entry to that of its last one, both of which the audit log's own object keeps.

use std::io::Write;
use std::ops::ControlFlow;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::calls::{AuditSegment, ReadEntries};
use super::entry::{ChainEntry, ChainHead, hash};
use super::search::EntryScan;
use crate::access::ChainNumber;
use crate::backend::{BackendError, Bucket, ByteStream, WholeBody, to_json};
use crate::batch::{BatchError, BatchLine, BatchReader};
use crate::limits::{AUDIT_SEGMENT_INFLATED, LINE_COPIES, READER_BYTES};
use crate::memory::{OutOfMemory, Reservation};

/// A segment is packed while calls wait: of 10,000 entries level 6 makes 4 % less and takes a third longer.
const LEVEL: Compression = Compression::new(3);

/// One line of a segment or of an export, with its members in this order.
#[derive(Serialize)]
struct SegmentLine<'a> {
    /// The number of the chain, in an export of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<u8>,
    seq: u64,
    hash: &'a str,
    entry: &'a str,
}

/// Writes the line of an entry.
pub fn write_segment_line(out: &mut Vec<u8>, kept: &ChainEntry) {
    write_export_line(out, None, kept);
}

/// Writes the line of an entry, with its chain in an export of several.
pub fn write_export_line(out: &mut Vec<u8>, chain: Option<ChainNumber>, kept: &ChainEntry) {
    let chain = chain.map(ChainNumber::number);
    out.extend(to_json(&SegmentLine { chain, seq: kept.seq, hash: &kept.hash, entry: &kept.entry }));
    out.push(b'\n');
}

/// Makes the object of a segment, entry by entry.
#[derive(Debug)]
pub struct SegmentWriter(GzEncoder<Vec<u8>>);

impl Default for SegmentWriter {
    fn default() -> Self {
        Self(GzEncoder::new(Vec::new(), LEVEL))
    }
}

impl SegmentWriter {
    /// Adds an entry.
    ///
    /// # Errors
    /// [`BackendError`] where it cannot be packed.
    pub fn push(&mut self, kept: &ChainEntry) -> Result<(), BackendError> {
        let mut line = Vec::new();
        write_segment_line(&mut line, kept);
        self.0.write_all(&line).map_err(|error| packing(&error))
    }

    /// Ends the gzip stream and returns the bytes of the object.
    ///
    /// # Errors
    /// [`BackendError`] where it cannot be packed.
    pub fn finish(self) -> Result<Vec<u8>, BackendError> {
        self.0.finish().map_err(|error| packing(&error))
    }
}

fn packing(error: &std::io::Error) -> BackendError {
    BackendError::new("packing a segment of the audit log", error.to_string())
}

/// Why entries cannot be read from their segment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// The bucket has no such object.
    #[error("the segment does not exist")]
    Gone,
    /// The object is not what was written.
    #[error("the segment is damaged")]
    Damaged,
    /// Other requests hold the memory that reading takes.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// The bucket failed while it was read.
    #[error(transparent)]
    Failed(#[from] BackendError),
}

impl From<BatchError> for SegmentError {
    fn from(_: BatchError) -> Self {
        Self::Damaged
    }
}

/// Reads the entries that are asked for from the segment that has them.
///
/// The whole segment is held against the chain: `chain_valid` of the result says whether every hash of it, those of other
/// entries too, follows from the one before it, from the first to the last.
///
/// # Errors
/// [`SegmentError`] where it cannot be read to its end.
pub async fn read(
    bucket: &impl Bucket,
    segment: &AuditSegment,
    ask: &ReadEntries,
    reservation: &Reservation,
) -> Result<EntryScan, SegmentError> {
    reservation.reserve(READER_BYTES)?;
    let Some((head, body)) = bucket.get(&segment.key).await? else { return Err(SegmentError::Gone) };
    let (mut body, mut reader) = (WholeBody::new(body, head.size), BatchReader::default());
    let mut scan = SegmentScan::new(segment, ask, reservation);
    while let Some(piece) = body.next().await? {
        reader.push(&piece, |line| scan.take(line))?.is_break().then(|| scan.stopped()).transpose()?;
        if reader.totals().inflated > AUDIT_SEGMENT_INFLATED {
            return Err(SegmentError::Damaged);
        }
    }
    reader.finish(|line| scan.take(line))?;
    reservation.release(READER_BYTES);
    scan.finish()
}

/// The part of a segment that was read so far, and its state.
struct SegmentScan<'a> {
    segment: &'a AuditSegment,
    ask: &'a ReadEntries,
    reservation: &'a Reservation,
    /// The last entry.
    last: ChainHead,
    /// Whether the entries that were not looked at follow one another.
    chain_valid: bool,
    found: EntryScan,
    /// Why it goes no further.
    error: Option<SegmentError>,
}

impl<'a> SegmentScan<'a> {
    fn new(segment: &'a AuditSegment, ask: &'a ReadEntries, reservation: &'a Reservation) -> Self {
        let found = EntryScan::after(segment.first.saturating_sub(1), &segment.before);
        Self { segment, ask, reservation, last: found.last.clone(), chain_valid: true, found, error: None }
    }

    fn take(&mut self, line: BatchLine<'_>) -> ControlFlow<()> {
        self.error = self.look(line).err();
        if self.error.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn look(&mut self, line: BatchLine<'_>) -> Result<(), SegmentError> {
        let BatchLine::Text { bytes, .. } = line else { return Err(SegmentError::Damaged) };
        let kept: ChainEntry = serde_json::from_slice(bytes).map_err(|_| SegmentError::Damaged)?;
        if kept.seq != self.last.seq + 1 || kept.seq > self.segment.last {
            return Err(SegmentError::Damaged);
        }
        let before = std::mem::replace(&mut self.last, ChainHead { seq: kept.seq, hash: kept.hash.clone() });
        let found = self.found.entries.len();
        if kept.seq <= self.ask.after {
            self.chain_valid &= hash(&before.hash, &kept.entry) == kept.hash;
            self.found = EntryScan::after(kept.seq, &kept.hash);
        } else if self.found.is_full(self.ask.limit) {
            self.chain_valid &= hash(&before.hash, &kept.entry) == kept.hash;
        } else {
            self.found.take(&self.ask.filter, kept);
        }
        if self.found.entries.len() > found {
            self.reservation.reserve(bytes.len() * LINE_COPIES)?;
        }
        Ok(())
    }

    /// Why it stopped before the end.
    fn stopped(&mut self) -> Result<(), SegmentError> {
        Err(self.error.take().unwrap_or(SegmentError::Damaged))
    }

    fn finish(mut self) -> Result<EntryScan, SegmentError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if self.last.seq != self.segment.last {
            return Err(SegmentError::Damaged);
        }
        self.found.chain_valid &= self.chain_valid && self.last.hash == self.segment.hash;
        Ok(self.found)
    }
}
