//! One scan of a batch: each line is read once, for the index and for the payloads.
//!
//! The object is read as a stream. Packs of payloads are written as they fill up, at most [`CONCURRENT_PUTS`] at a
//! time. Nothing of a scan counts until the ledger has sealed it.

use std::ops::ControlFlow;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::pack::PayloadPack;
use super::plan_rules::ScannedLine;
use super::transform::PartnerTransformer;
use crate::backend::{BackendError, Bucket, ByteStream};
use crate::batch::{BatchError, BatchLine, BatchReader, LineSink, LineStart, ReadTotals};
use crate::index::{BatchIndex, IndexBuilder, LineCounts, RejectedLines, ShardEntry};
use crate::ledger::SourceId;
use crate::ledger::calls::SealedPlan;
use crate::limits::CONCURRENT_PUTS;
use crate::record::{IndexedFields, KeyNames, LineScanner, NextLine, RecordError, RecordKey, RecordScan};
use crate::summary::PackedSummaries;

/// The result of scanning a whole batch.
#[derive(Debug)]
pub struct BatchScan {
    /// Number of bytes and lines read.
    pub totals: ReadTotals,
    /// Number of its lines, by kind.
    pub counts: LineCounts,
    /// The positions of its rejected lines.
    pub rejected: RejectedLines,
    /// The batch's rays, grouped by shard.
    pub entries: Vec<ShardEntry>,
    /// The values in its records, for pruning.
    pub summaries: PackedSummaries,
    /// The windows of the batch's access points, as stored.
    pub windows: Vec<u8>,
    /// The payloads and figures of its plan, if it has one.
    pub plan: Option<SealedPlan>,
    /// Digests of the plan's lines without a ray, each with the shard prefix of its time.
    pub digests: Vec<(u32, u64)>,
}

/// Receives the lines of one batch.
struct BatchLineSink {
    scanner: LineScanner,
    index: IndexBuilder,
    transform: Option<PartnerTransformer>,
    /// Full packs that are not yet written.
    full: Vec<PayloadPack>,
    refused: Option<BatchError>,
}

impl LineSink for BatchLineSink {
    fn line(&mut self, line: BatchLine<'_>) -> ControlFlow<()> {
        let taken = self.take(line);
        self.flow(taken)
    }

    fn next_line(&mut self, LineStart { offset, span }: LineStart, text: &[u8]) -> Option<(usize, ControlFlow<()>)> {
        let line = |record: usize| BatchLine::Text { offset, span, bytes: text.get(..record).unwrap_or_default() };
        let Some(transform) = &mut self.transform else {
            let NextLine { record, length, found: (key, indexed_fields) } = self.scanner.next_key(text)?;
            let taken = self.index.take(line(record), Ok((key, indexed_fields)));
            return Some((length, self.flow(taken)));
        };
        let NextLine { record, length, found: scanned } = self.scanner.next_record(text)?;
        let bytes = text.get(..record).unwrap_or_default();
        let taken = transform_record(transform, &mut self.full, (offset, bytes), scanned);
        let taken = taken.and_then(|read| self.index.take(line(record), Ok(read)));
        Some((length, self.flow(taken)))
    }
}

/// Renders a record for the partner, and returns the parts that the index needs.
fn transform_record<'s>(
    transform: &mut PartnerTransformer,
    full: &mut Vec<PayloadPack>,
    (at, line): (u64, &[u8]),
    scanned: RecordScan<'s>,
) -> Result<(RecordKey, &'s IndexedFields), BatchError> {
    let RecordScan { key, fields, lossy, settled, indexed_fields } = scanned;
    full.extend(transform.record(&ScannedLine { line, at, fields: &fields, key: &key, lossy, settled })?);
    Ok((key, indexed_fields))
}

impl BatchLineSink {
    /// Returns whether to continue reading.
    fn flow(&mut self, taken: Result<(), BatchError>) -> ControlFlow<()> {
        match taken {
            Ok(()) => ControlFlow::Continue(()),
            Err(why) => {
                self.refused = Some(why);
                ControlFlow::Break(())
            }
        }
    }

    fn take(&mut self, line: BatchLine<'_>) -> Result<(), BatchError> {
        let BatchLine::Text { offset, bytes, .. } = line else {
            return self.index.take(line, Err(RecordError::TooLong));
        };
        let Some(transform) = &mut self.transform else {
            return self.index.take(line, self.scanner.key_and_indexed_fields(bytes));
        };
        // Read the fields once, for the index and for the partner.
        let read = match self.scanner.record(bytes) {
            Ok(scanned) => Ok(transform_record(transform, &mut self.full, (offset, bytes), scanned)?),
            Err(why) => Err(why),
        };
        self.index.take(line, read)
    }

    /// Reads the next piece of the object, or its end. An error in a line takes precedence over the reader's.
    fn read_piece(&mut self, reader: &mut BatchReader, piece: Option<&[u8]>) -> Result<(), BatchError> {
        let read = match piece {
            Some(piece) => reader.push_to(piece, self).map(drop),
            None => reader.finish(|line| self.line(line)).map(drop),
        };
        if let Some(why) = self.refused.take() {
            return Err(reader.explain(why));
        }
        read?;
        if piece.is_none()
            && let Some(transform) = &mut self.transform
        {
            self.full.extend(transform.finish()?);
        }
        Ok(())
    }
}

/// The batch to be scanned.
#[derive(Debug, Clone)]
pub struct BatchContext<'a> {
    /// The identity of the batch, which names its packs.
    pub source: &'a SourceId,
    /// The dataset that the batch is read as, with the names of its ray and time members.
    pub names: KeyNames,
    /// Unix milliseconds that stand for the time of records without one.
    pub default_ms: i64,
    /// Whether the object was a valid batch before it was rewritten: it is one with whatever is left of its lines.
    pub is_judged: bool,
}

/// The reason why a scan did not reach the end of its batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// Reading the body or writing a pack failed; scanning again may help.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The object is not a valid batch; scanning again does not help.
    #[error(transparent)]
    Batch(#[from] BatchError),
}

/// Scans a batch to its end, and writes its packs to `bucket`.
///
/// # Errors
/// [`ScanError`] if a backend fails or the object is not a valid batch.
pub async fn scan_batch<B: Bucket>(
    bucket: &B,
    mut body: impl ByteStream,
    context: BatchContext<'_>,
    transform: Option<PartnerTransformer>,
) -> Result<BatchScan, ScanError> {
    let BatchContext { source, names, default_ms, is_judged } = context;
    let mut reader = BatchReader::finding_spans();
    let index = IndexBuilder::new(names.dataset(), default_ms);
    let index = if is_judged { index.judged() } else { index };
    let scanner = LineScanner::by_names(names);
    let mut sink = BatchLineSink { scanner, index, transform, full: Vec::new(), refused: None };
    let number = sink.transform.as_ref().map_or(0, PartnerTransformer::number);
    let mut puts = FuturesUnordered::new();
    loop {
        let piece = body.next().await?;
        sink.read_piece(&mut reader, piece.as_deref())?;
        for pack in sink.full.drain(..) {
            if puts.len() >= CONCURRENT_PUTS {
                puts.next().await.unwrap_or(Ok(()))?;
            }
            puts.push(put_pack(bucket, source, number, pack));
        }
        if piece.is_none() {
            break;
        }
    }
    while let Some(put) = puts.next().await {
        put?;
    }
    let BatchLineSink { index, transform, .. } = sink;
    let totals = reader.totals();
    let spans = reader.into_spans();
    let BatchIndex { entries, counts, rejected, summaries } = index.finish(&spans)?;
    let (plan, digests) = transform.map(PartnerTransformer::sealed).unzip();
    let digests = digests.unwrap_or_default();
    Ok(BatchScan { totals, counts, rejected, entries, summaries, windows: spans.windows, plan, digests })
}

/// Writes a pack under the key derived from its content; an existing object has the same content.
async fn put_pack(bucket: &impl Bucket, source: &SourceId, plan: u32, pack: PayloadPack) -> Result<(), BackendError> {
    let Some(key) = pack.key(source, plan) else { return Ok(()) };
    bucket.put_new(&key, pack.bytes).await.map(drop)
}
