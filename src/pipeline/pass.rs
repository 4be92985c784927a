//! One pass over an object: its lines go to the index and to the payloads, each read once.
//!
//! What always holds: the object is read as a stream; packs of payloads are put as they become full, at most
//! [`CONCURRENT_PUTS`] under way; nothing of the pass counts before it is sealed.

use std::ops::ControlFlow;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::pack::Pack;
use super::transform::{Record, Transformer};
use crate::backend::{BackendError, Bucket, Bytes};
use crate::batch::{BatchError, BatchReader, Line, LineStart, Lines, Totals};
use crate::index::summary::PackedSummaries;
use crate::index::{BatchIndex, Counts, IndexBuilder, ShardEntry};
use crate::ledger::SourceId;
use crate::ledger::calls::SealedPlan;
use crate::limits::CONCURRENT_PUTS;
use crate::mistakes::{Mistake, made};
use crate::record::{Dataset, Next, RecordError, RecordKey, Scanned, Scanner, Watched};

/// What a whole object gives.
#[derive(Debug)]
pub struct Passed {
    /// What was read.
    pub totals: Totals,
    /// What it holds, in lines.
    pub counts: Counts,
    /// Its rays, by shard.
    pub entries: Vec<ShardEntry>,
    /// What it holds, in values.
    pub summaries: PackedSummaries,
    /// The windows of its access points.
    pub windows: Vec<u8>,
    /// What the plan came to.
    pub plan: Option<SealedPlan>,
}

/// Takes the lines of one object.
struct Sink {
    scanner: Scanner,
    index: IndexBuilder,
    transform: Option<Transformer>,
    /// Packs that are full and not yet put.
    full: Vec<Pack>,
    refused: Option<BatchError>,
}

impl Lines for Sink {
    fn line(&mut self, line: Line<'_>) -> ControlFlow<()> {
        let taken = self.take(line);
        self.flow(taken)
    }

    fn next_line(&mut self, LineStart { offset, span }: LineStart, text: &[u8]) -> Option<(usize, ControlFlow<()>)> {
        let line = |record: usize| Line::Text { offset, span, bytes: text.get(..record).unwrap_or_default() };
        let Some(transform) = &mut self.transform else {
            let Next { record, length, found: (key, watched) } = self.scanner.next_key(text)?;
            let taken = self.index.take(line(record), Ok((key, watched)));
            return Some((length, self.flow(taken)));
        };
        let Next { record, length, found: scanned } = self.scanner.next_record(text)?;
        let bytes = text.get(..record).unwrap_or_default();
        let taken = transformed(transform, &mut self.full, (offset, bytes), scanned);
        let taken = taken.and_then(|read| self.index.take(line(record), Ok(read)));
        Some((length, self.flow(taken)))
    }
}

/// Renders a record for the partner; what is left of it is for the index.
fn transformed<'s>(
    transform: &mut Transformer,
    full: &mut Vec<Pack>,
    (at, line): (u64, &[u8]),
    scanned: Scanned<'s>,
) -> Result<(RecordKey, &'s Watched), BatchError> {
    let Scanned { key, fields, lossy, watched } = scanned;
    full.extend(transform.record(&Record { line, at, fields: &fields, key: &key, lossy })?);
    Ok((key, watched))
}

impl Sink {
    /// Whether there is more to read.
    fn flow(&mut self, taken: Result<(), BatchError>) -> ControlFlow<()> {
        match taken {
            Ok(()) => ControlFlow::Continue(()),
            Err(why) => {
                self.refused = Some(why);
                ControlFlow::Break(())
            }
        }
    }

    fn take(&mut self, line: Line<'_>) -> Result<(), BatchError> {
        let Line::Text { offset, bytes, .. } = line else {
            return self.index.take(line, Err(RecordError::TooLong));
        };
        let Some(transform) = &mut self.transform else {
            return self.index.take(line, self.scanner.key_and_watched(bytes));
        };
        // The fields are read once, for the index and for the partner.
        let read = match self.scanner.record(bytes) {
            Ok(scanned) => Ok(transformed(transform, &mut self.full, (offset, bytes), scanned)?),
            Err(why) => Err(why),
        };
        self.index.take(line, read)
    }

    /// The error of a line, if there was one: it stands before what the reader says.
    fn verdict<T>(&mut self, read: Result<T, BatchError>) -> Result<T, BatchError> {
        self.refused.take().map_or(read, Err)
    }
}

/// Reads an object to its end; `default_ms` is the instant of records that tell none. The outer error is the world's, the inner one the object's own.
///
/// # Errors
/// [`BackendError`] where the body breaks off or a pack cannot be put.
pub async fn pass<B: Bucket>(
    bucket: &B,
    mut body: impl Bytes,
    source: &SourceId,
    (dataset, default_ms): (Dataset, i64),
    transform: Option<Transformer>,
) -> Result<Result<Passed, BatchError>, BackendError> {
    let mut reader = BatchReader::finding_spans();
    let (scanner, index) = (Scanner::new(dataset), IndexBuilder::new(default_ms));
    let mut sink = Sink { scanner, index, transform, full: Vec::new(), refused: None };
    let number = sink.transform.as_ref().map_or(0, Transformer::number);
    let mut puts = FuturesUnordered::new();
    loop {
        let piece = match body.next().await {
            Err(_) if made(Mistake::BrokenIsEnd) => None,
            piece => piece?,
        };
        let read = match &piece {
            Some(piece) => reader.push_to(piece, &mut sink).map(drop),
            None => reader.finish(|line| sink.line(line)).map(drop),
        };
        let read = if made(Mistake::BrokenIsEnd) { Ok(()) } else { read };
        if let Err(why) = sink.verdict(read) {
            return Ok(Err(why));
        }
        if piece.is_none()
            && let Some(transform) = &mut sink.transform
        {
            match transform.finish() {
                Ok(last) => sink.full.extend(last),
                Err(why) => return Ok(Err(why)),
            }
        }
        for pack in sink.full.drain(..) {
            if puts.len() >= CONCURRENT_PUTS {
                puts.next().await.unwrap_or(Ok(()))?;
            }
            puts.push(put(bucket, source, number, pack));
        }
        if piece.is_none() {
            break;
        }
    }
    while let Some(put) = puts.next().await {
        put?;
    }
    let Sink { index, transform, .. } = sink;
    let totals = reader.totals();
    let spans = reader.into_spans();
    Ok(index.finish(&spans).map(|BatchIndex { entries, counts, summaries }| Passed {
        totals,
        counts,
        entries,
        summaries,
        windows: spans.windows,
        plan: transform.map(Transformer::sealed),
    }))
}

/// Puts a pack where its content says. One that is there is the same.
async fn put(bucket: &impl Bucket, source: &SourceId, plan: u32, pack: Pack) -> Result<(), BackendError> {
    let Some(key) = pack.key(source, plan) else { return Ok(()) };
    match bucket.put_new(&key, pack.bytes).await {
        Err(_) if made(Mistake::SwallowPut) => Ok(()),
        put => put.map(drop),
    }
}
