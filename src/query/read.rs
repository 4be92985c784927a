//! One read of a batch under way: the object as a whole, or a row of its spans.
//!
//! What always holds: stored bytes are inflated a few at a time, so that what waits to be told stays small; a row of spans
//! is read only from the version that was indexed, from a window whose hash is right.

use std::ops::ControlFlow;
use std::rc::Rc;

use futures_util::future::try_join;

use super::Told;
use super::plan::SpanRow;
use super::take::{Stop, Taker};
use crate::backend::{BackendError, BatchStore, Bucket, Bytes, Ranged, WholeBody};
use crate::batch::{BatchError, BatchReader};
use crate::bucket_keys::windows_key;
use crate::index::ObjectVersion;
use crate::limits::{QUERY_CHUNK, QUERY_PIECE};

/// A read.
#[derive(Debug)]
pub(super) struct Reading<Y> {
    body: WholeBody<Y>,
    reader: BatchReader,
    /// The version that is read.
    pub(super) object: Rc<ObjectVersion>,
    /// The last piece, and how much of it was pushed.
    piece: Vec<u8>,
    pushed: usize,
    /// Where lines begin that are not to be read.
    pub(super) text_end: u64,
    /// The text before the first byte that is read.
    text_start: u64,
    /// It goes on to the end of the object.
    to_the_end: bool,
    /// It is the object as a whole.
    pub(super) is_whole: bool,
}

/// What beginning to read came to.
pub(super) enum Begun<Y> {
    /// It is under way.
    Reading(Box<Reading<Y>>),
    /// The object is gone.
    Gone,
    /// It is to be read in full: it is another version now, or what lies beside it is damaged or gone.
    Useless,
}

/// What reading on came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    /// There may be more.
    On,
    /// That was all.
    Through,
    /// As many lines were told as may be.
    Limit,
}

/// Why reading does not go on.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The world's fault.
    Backend(BackendError),
    /// The object's own.
    Batch(BatchError),
}

/// Begins to read an object as a whole, in the version that there is now; where that is another one than indexed, it is a
/// full scan, unless it `was_counted` as one.
pub(super) async fn whole<B: Bucket>(
    bucket: &B,
    indexed: &Rc<ObjectVersion>,
    was_counted: bool,
    told: &mut Told,
) -> Result<Begun<B::Body>, BackendError> {
    told.objects_read += 1;
    let Some((head, body)) = bucket.get(&indexed.key).await? else { return Ok(Begun::Gone) };
    let object = if head.etag == indexed.etag {
        Rc::clone(indexed)
    } else {
        told.full_scans += u64::from(!was_counted);
        let key = indexed.key.clone();
        Rc::new(ObjectVersion { key, etag: head.etag, uploaded_ms: head.uploaded_ms, size: head.size })
    };
    Ok(Begun::Reading(Box::new(Reading {
        body: WholeBody::new(body, head.size),
        reader: BatchReader::default(),
        object,
        piece: Vec::new(),
        pushed: 0,
        text_end: u64::MAX,
        text_start: 0,
        to_the_end: true,
        is_whole: true,
    })))
}

/// Begins to read a row of spans.
pub(super) async fn spans<B: Bucket>(
    store: BatchStore<'_, B>,
    object: &Rc<ObjectVersion>,
    row: &SpanRow,
    told: &mut Told,
) -> Result<Begun<B::Body>, BackendError> {
    let range = row.first.place.first_byte()..row.end_byte.min(object.size);
    let length = range.end.saturating_sub(range.start);
    told.objects_read += 1 + u64::from(!row.first.place.window.is_empty());
    let batch = store.logs.get_range(&object.key, Some(&object.etag), range);
    let (window, batch) = try_join(window(store, object, row), batch).await?;
    let body = match batch {
        Ranged::Gone => return Ok(Begun::Gone),
        Ranged::Changed => return Ok(Begun::Useless),
        Ranged::Body(body) => WholeBody::new(body, length),
    };
    let window = window.filter(|window| row.first.is_window(window));
    told.bytes_read += window.as_ref().map_or(0, Vec::len) as u64;
    let Some(reader) = window.and_then(|window| BatchReader::of_span(&row.first.place, &window)) else {
        return Ok(Begun::Useless);
    };
    Ok(Begun::Reading(Box::new(Reading {
        body,
        reader,
        object: Rc::clone(object),
        piece: Vec::new(),
        pushed: 0,
        text_end: row.text_end,
        text_start: row.first.place.offset,
        to_the_end: row.end_byte >= object.size,
        is_whole: false,
    })))
}

/// The packed window of the first span; `None` where it is not there any more.
async fn window(
    store: BatchStore<'_, impl Bucket>,
    object: &ObjectVersion,
    row: &SpanRow,
) -> Result<Option<Vec<u8>>, BackendError> {
    let range = row.first.place.window.clone();
    if range.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let key = windows_key(&store.version_digest(&object.key, &object.etag));
    match store.data.get_range(&key, None, range).await? {
        Ranged::Body(body) => body.all().await.map(Some),
        Ranged::Changed | Ranged::Gone => Ok(None),
    }
}

impl<Y: Bytes> Reading<Y> {
    /// Reads on until there are lines to tell or nothing more is to be read; waits for one piece at most.
    pub(super) async fn on<K: FnMut(&[u8]) -> bool>(&mut self, taker: &mut Taker<'_, K>) -> Result<Went, ReadError> {
        if self.pushed >= self.piece.len() {
            let Some(piece) = self.body.next().await.map_err(ReadError::Backend)? else { return self.end(taker) };
            taker.told.bytes_read += piece.len() as u64;
            (self.piece, self.pushed) = (piece, 0);
        }
        while self.pushed < self.piece.len() && taker.bytes < QUERY_CHUNK {
            let end = self.piece.len().min(self.pushed + QUERY_PIECE);
            let piece = self.piece.get(self.pushed..end).unwrap_or_default();
            let before = self.reader.totals().inflated;
            let flow = self.reader.push(piece, |line| taker.line(line));
            taker.told.bytes_inflated += self.reader.totals().inflated - before;
            self.pushed = end;
            if let ControlFlow::Break(()) = flow.map_err(ReadError::Batch)? {
                return Ok(stopped(taker));
            }
        }
        Ok(Went::On)
    }

    /// The bytes have come to their end.
    fn end<K: FnMut(&[u8]) -> bool>(&mut self, taker: &mut Taker<'_, K>) -> Result<Went, ReadError> {
        if self.to_the_end {
            self.reader.finish(|line| taker.line(line)).map_err(ReadError::Batch)?;
            return Ok(stopped(taker));
        }
        // The range holds all text up to its end.
        let text = self.text_start.saturating_add(self.reader.totals().inflated);
        if text < self.text_end {
            return Err(ReadError::Batch(BatchError::Truncated { stored: self.reader.totals().stored }));
        }
        Ok(Went::Through)
    }
}

/// What it means that no further line is wanted, or that there is none.
fn stopped<K>(taker: &Taker<'_, K>) -> Went {
    if taker.stop == Some(Stop::Limit) { Went::Limit } else { Went::Through }
}
