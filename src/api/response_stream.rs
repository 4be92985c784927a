//! The body of a stream over a time range: its start, what it makes of the records, and its end.
//!
//! # Invariants
//! Nothing is read before the client asks for the next piece, and one batch at a time. A stream ends with a trailer: its
//! end marker, the cursor to continue at, and why it is not complete. A form without trailer is broken off unless it is
//! whole. What was written counts only if the end follows.

use std::borrow::Cow;

use ::http::header::ACCEPT;
use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::completeness::MissingReason;
use super::end_marker::EndMarker;
use super::field_warnings::FieldWarning;
use super::range_scan::{RangeScan, ScanEnd};
use crate::backend::BackendError;
use crate::http::media_type::{JSON, NDJSON};
use crate::http::{HttpRequest, Problem, Reply, preferred, problems};
use crate::limits::{BUSY_MS, STREAM_PIECE};
use crate::memory::{Backoff, OutOfMemory, ReservedBytes, ReservedWriter};
use crate::query::{QueryCursor, QueryEnd};
use crate::services::Services;
use crate::span_reader::ReadStats;

/// The separators and the end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamFormat {
    /// Lines of JSON. The trailer is a last line that starts with `{"raydex":`.
    Lines {
        /// Whether it is written. Without it, a stream that is not whole is broken off.
        trailer: bool,
    },
    /// Lines of text. The trailer is a last line that starts with `# raydex `.
    Text {
        /// Whether it is written. Without it, a stream that is not whole is broken off.
        trailer: bool,
    },
    /// One JSON document, with the trailer after the records.
    Document,
    /// Lines of JSON as written by Logpull, without a trailer.
    Logpull,
}

/// Returns the format of a stream of rows that the request asks for, lines or a document, and its media type. Without a wish, it
/// is a document if `is_document`.
pub(super) fn parse_row_format<B>(
    request: &HttpRequest<B>,
    is_document: bool,
) -> Result<(StreamFormat, &'static str), Problem> {
    let formats = [("ndjson", NDJSON, StreamFormat::Lines { trailer: true }), ("json", JSON, StreamFormat::Document)];
    let named = |wish: &str| formats.into_iter().find(|(name, ..)| *name == wish);
    let offered = |wish: &str| formats.into_iter().find(|(_, media_type, _)| *media_type == wish);
    let found = match request.parameter("format") {
        Some(wish) => Some(named(&wish).ok_or_else(|| problems::bad_parameter("format", "ndjson or json"))?),
        None => request.header(ACCEPT).and_then(|accept| preferred(&accept, offered)),
    };
    let [lines, document] = formats;
    let (_, media_type, format) = found.unwrap_or(if is_document { document } else { lines });
    Ok((format, media_type))
}

/// What a stream makes of the records that it scans.
pub(super) trait StreamContent<D: Services> {
    /// Returns what comes before it in a document, up to the bracket of its list.
    fn document_start(&self) -> Cow<'_, str>;

    /// Returns what comes after it in a document, from the bracket of its list to before the trailer.
    fn document_end(&self) -> Cow<'_, str> {
        "\n]".into()
    }

    /// Writes what comes before it in other formats.
    fn write_start(&self, _out: &mut ReservedWriter) -> Result<(), OutOfMemory> {
        Ok(())
    }

    /// Writes its next part, or makes the next step of the scan; returns the end once all is written.
    async fn write_more(
        &mut self,
        scan: &mut RangeScan<D>,
        out: &mut ReservedWriter,
    ) -> Result<Option<ScanEnd>, OutOfMemory>;

    /// Ends it because of this problem, at the position of what is written, or of what is still to be written: then the
    /// end comes later.
    fn interrupt(&mut self, scan: &RangeScan<D>, problem: Problem) -> Option<ScanEnd>;

    /// Returns the number of records in it.
    fn records_returned(&self, stats: &ReadStats) -> u64 {
        stats.records_returned
    }

    /// Returns the warnings of the trailer.
    fn warnings(&self) -> Vec<FieldWarning>;
}

/// The last part of a stream: its end, its continuation and its cost.
#[derive(Serialize)]
struct StreamTrailer<'a> {
    /// Whether the answer has every record of the range.
    complete: bool,
    /// The reasons why it may not, apart from a cursor or an error.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<MissingReason>,
    /// Whether the stream ended before its range, because of its budget or an error.
    truncated: bool,
    cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<FieldWarning>,
    stats: TrailerStats<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elapsed_ms: Option<i64>,
}

/// The work of a stream, as far as its caller may know it.
#[derive(Serialize)]
#[serde(untagged)]
enum TrailerStats<'a> {
    All(&'a ReadStats),
    /// For callers for whom no batches exist.
    Returned {
        records_returned: u64,
    },
}

/// The next part that a stream writes.
#[derive(PartialEq, Eq)]
enum StreamPhase {
    Start,
    Records,
    /// An error, since the stream is not whole.
    Break,
    End,
}

/// The state of a stream between two pieces.
pub(super) struct ResponseStream<D: Services, C> {
    scan: RangeScan<D>,
    content: C,
    format: StreamFormat,
    marker: EndMarker,
    started_ms: i64,
    phase: StreamPhase,
    /// Whether memory was short for longer than it waits.
    is_interrupted: bool,
    /// The part after the records, once it is known.
    tail: Option<ReservedBytes>,
}

impl<D: Services + 'static, C: StreamContent<D> + 'static> ResponseStream<D, C> {
    /// Answers with the stream of this content.
    pub(super) fn reply(scan: RangeScan<D>, content: C, format: StreamFormat, media_type: &'static str) -> Reply {
        let (marker, started_ms) = (EndMarker::draw(scan.services.as_ref()), scan.services.now_ms());
        let response = Self {
            scan,
            content,
            format,
            marker: marker.clone(),
            started_ms,
            phase: StreamPhase::Start,
            is_interrupted: false,
            tail: None,
        };
        let pieces =
            stream::unfold(response, async |mut response| response.next_piece().await.map(|piece| (piece, response)));
        let reply = Reply::streaming(media_type, pieces.boxed_local());
        if format == StreamFormat::Logpull { reply } else { marker.announce(reply) }
    }

    /// Returns the next piece, which is not empty; `None` at the end of a whole stream.
    async fn next_piece(&mut self) -> Option<Result<ReservedBytes, BackendError>> {
        let mut out = ReservedWriter::new(self.scan.services.memory());
        let mut backoff = Backoff::new(BUSY_MS);
        while !self.is_over() && out.len() < STREAM_PIECE {
            let Err(error) = self.write_more(&mut out).await else { continue };
            // What is written is sent first: the client may be the one who holds the rest.
            if !out.is_empty() {
                break;
            }
            match backoff.next().filter(|_| error == OutOfMemory::Busy) {
                Some(pause_ms) => self.scan.services.sleep(pause_ms).await,
                None => self.interrupt(error).await,
            }
        }
        if out.is_empty() {
            return self.last_piece();
        }
        Some(out.finish().map_err(|_| broken()))
    }

    /// Returns whether no more records are written.
    fn is_over(&self) -> bool {
        matches!(self.phase, StreamPhase::Break | StreamPhase::End)
    }

    /// Returns what follows the records: the end, or the error of a stream that is not whole.
    fn last_piece(&mut self) -> Option<Result<ReservedBytes, BackendError>> {
        if let Some(tail) = self.tail.take() {
            return Some(Ok(tail));
        }
        let is_broken = std::mem::replace(&mut self.phase, StreamPhase::End) == StreamPhase::Break;
        is_broken.then(|| Err(broken()))
    }

    /// Writes the next part: the start, more of the content, or the end.
    async fn write_more(&mut self, out: &mut ReservedWriter) -> Result<(), OutOfMemory> {
        if self.phase == StreamPhase::Start {
            match self.format {
                StreamFormat::Document => out.push(self.content.document_start().as_bytes())?,
                _ => self.content.write_start(out)?,
            }
            self.phase = StreamPhase::Records;
        }
        if let Some(end) = self.content.write_more(&mut self.scan, out).await? {
            self.write_end(end).await;
        }
        Ok(())
    }

    /// Ends a stream that finds no memory; breaks off one that finds none for the rest of what it must write either.
    async fn interrupt(&mut self, error: OutOfMemory) {
        if std::mem::replace(&mut self.is_interrupted, true) {
            self.phase = StreamPhase::Break;
            return;
        }
        self.scan.release_reading();
        if let Some(end) = self.content.interrupt(&self.scan, error.into()) {
            self.write_end(end).await;
        }
    }

    /// Makes the part after the records, which the last piece brings.
    async fn write_end(&mut self, end: ScanEnd) {
        let is_begun = self.phase != StreamPhase::Start;
        self.phase = StreamPhase::End;
        let (mut stats, has_batches) = (*self.scan.run.stats(), self.scan.view.visibility().has_batches());
        stats.records_returned = self.content.records_returned(&stats);
        let lost = has_batches && stats.batches_gone + stats.batches_unreadable > 0;
        let (truncated, complete, missing, cursor, error) = match end {
            ScanEnd::Query(QueryEnd::Complete, missing) => (false, !lost && missing.is_empty(), missing, None, None),
            ScanEnd::Query(QueryEnd::Limit(cursor), missing) => (false, false, missing, Some(cursor), None),
            ScanEnd::Query(QueryEnd::Budget(cursor), missing) => (true, false, missing, Some(cursor), None),
            ScanEnd::Broken(problem, cursor) => (true, false, Vec::new(), Some(cursor), Some(*problem)),
        };
        let warnings = self.content.warnings();
        let is_whole = !truncated && !lost && !missing.iter().any(MissingReason::is_certain);
        let elapsed_ms = has_batches.then(|| self.scan.services.now_ms() - self.started_ms);
        let (cursor, error) = self.sealed_cursor(cursor, error).await;
        let stats = if has_batches {
            TrailerStats::All(&stats)
        } else {
            TrailerStats::Returned { records_returned: stats.records_returned }
        };
        let trailer = StreamTrailer { complete, missing, truncated, cursor, error, warnings, stats, elapsed_ms };
        let text = self.trailer_text(&trailer, is_whole);
        let has_start = is_begun || self.format != StreamFormat::Document;
        let start = if has_start { Cow::default() } else { self.content.document_start() };
        // Nothing is read any more, so that the end always fits.
        self.scan.release();
        let mut tail = ReservedWriter::new(self.scan.services.memory());
        let written = tail.push(start.as_bytes()).and_then(|()| tail.push(text.as_bytes()));
        match written.and_then(|()| tail.finish()) {
            Ok(tail) => self.tail = Some(tail).filter(|tail| !tail.is_empty()),
            Err(_) => self.phase = StreamPhase::Break,
        }
    }

    /// Returns the trailer as it is written; nothing in a form without one, which then breaks unless it is whole.
    fn trailer_text(&mut self, trailer: &StreamTrailer<'_>, is_whole: bool) -> String {
        match self.format {
            StreamFormat::Document => {
                format!("{},\"raydex\":{}}}\n", self.content.document_end(), self.marker.json(trailer))
            }
            StreamFormat::Lines { trailer: true } => self.marker.json_line(trailer),
            StreamFormat::Text { trailer: true } => self.marker.text_line(trailer),
            StreamFormat::Lines { .. } | StreamFormat::Text { .. } | StreamFormat::Logpull => {
                self.phase = if is_whole { StreamPhase::End } else { StreamPhase::Break };
                String::new()
            }
        }
    }

    /// Returns the cursor as the client gets it, where it gets one.
    async fn sealed_cursor(
        &self,
        cursor: Option<QueryCursor>,
        error: Option<Problem>,
    ) -> (Option<String>, Option<Problem>) {
        self.scan.sealed_cursor(cursor.filter(|_| self.format != StreamFormat::Logpull), error).await
    }
}

/// Returns the error of a stream that is not whole.
fn broken() -> BackendError {
    BackendError::new("streaming records", "the answer is not whole")
}
