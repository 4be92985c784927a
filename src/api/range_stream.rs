//! The stream of a time range, read from the bucket piece by piece as the client reads the response.
//!
//! # Invariants
//! Nothing is read before the client asks for the next piece, and one batch at a time. A stream ends with a trailer: its
//! end marker, the cursor to continue at, and why it is not complete. A form without trailer is broken off unless it is
//! whole. If the request names a field that exists nowhere, the trailer warns of it.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::rc::Rc;

use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::completeness::{MissingReason, find_missing_reasons};
use super::cursors::{open_cursor, seal_cursor};
use super::end_marker::EndMarker;
use super::field_warnings::{FieldWarning, UnseenFields};
use super::record_view::RecordView;
use super::record_writer::RecordWriter;
use super::retry::retry_while_out_of_memory;
use super::scan::acquire_scan;
use super::time_range::TimeRange;
use crate::access::Caller;
use crate::backend::{BackendError, Bucket, CallError};
use crate::http::{Problem, Reply, problems};
use crate::ledger::RegistryDirectory;
use crate::limits::{BUSY_MS, MASKING_ROOM, RENDERING_ROOM, STREAM_BYTES, STREAM_PIECE};
use crate::memory::{Backoff, OutOfMemory, Reservation, ReservedBytes, ReservedWriter, ScanPermit};
use crate::query::{QueryCursor, QueryEnd, QueryError, QueryLine, QueryRun, QueryStep, RangeQuery, RecordSink};
use crate::services::Services;
use crate::span_reader::ReadStats;

/// What comes before the records of a document.
const DOCUMENT_START: &str = "{\"records\":[";

/// A request for the records of a time range.
pub(crate) struct RangeRequest {
    /// The caller's view of the records, with the filter.
    pub(crate) view: RecordView,
    pub(crate) range: TimeRange,
    /// The share of the records to return, above 0 and up to 1.
    pub(crate) sample: Option<f64>,
    /// Maximum number of records to return.
    pub(crate) limit: Option<u64>,
    /// The cursor at which an earlier stream ended.
    pub(crate) cursor: Option<String>,
    /// The prefix of the keys of objects to read; `{DATE}` stands for any day.
    pub(crate) key_prefix: Option<String>,
    /// The unlisted fields of the request; the trailer warns of those that no record has either.
    pub(crate) unseen: UnseenFields,
}

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

/// The reason why a stream ended.
enum StreamEnd {
    /// The query ended: complete, at a limit, or at its budget.
    Query(QueryEnd),
    /// A problem interrupted the stream; it can continue at the cursor.
    Broken(Box<Problem>, QueryCursor),
}

/// Parses a share of the records: above 0, and up to 1.
pub(crate) fn parse_share(text: &str) -> Option<f64> {
    text.parse().ok().filter(|share| *share > 0.0 && *share <= 1.0)
}

/// Answers with the stream of the requested records.
pub(crate) async fn stream_range<D: Services + 'static>(
    services: &Rc<D>,
    caller: &Caller,
    request: RangeRequest,
    form: RecordWriter,
    format: StreamFormat,
    media_type: &'static str,
) -> Result<Reply, Problem> {
    let permit = acquire_scan(services.as_ref(), caller).await?;
    let reservation = services.memory().reservation();
    retry_while_out_of_memory(services.as_ref(), &reservation, async || Ok(reservation.reserve(STREAM_BYTES)?)).await?;
    let RangeRequest { view, range, sample, limit, cursor, key_prefix, unseen } = request;
    let cursor = match cursor {
        Some(text) => Some(open_cursor(services.as_ref(), view.caller(), &text).await?),
        None => None,
    };
    let query = RangeQuery {
        pruning: view.pruning_filter(),
        predicate: view.stored_filter().cloned(),
        sample,
        hides_omitted: !view.visibility().has_batches(),
        limit,
        cursor,
        memory: services.memory().clone(),
        ..RangeQuery::new(view.dataset(), range.start_ns, range.end_ns)
    };
    let (marker, started_ms) = (EndMarker::draw(services.as_ref()), services.now_ms());
    let run = QueryRun::new(query).map_err(|_| problems::bad_cursor())?;
    let resume = run.cursor();
    let response = ResponseStream {
        services: services.clone(),
        run,
        range,
        view,
        key_prefix,
        unseen,
        form,
        format,
        marker: marker.clone(),
        started_ms,
        phase: StreamPhase::Start,
        is_first: true,
        pending: VecDeque::new(),
        resume,
        tail: None,
        reservation,
        _permit: permit,
    };
    let pieces =
        stream::unfold(response, async |mut response| response.next_piece().await.map(|piece| (piece, response)));
    let reply = Reply::streaming(media_type, pieces.boxed_local());
    Ok(if format == StreamFormat::Logpull { reply } else { marker.announce(reply) })
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
struct ResponseStream<D: Services> {
    services: Rc<D>,
    run: QueryRun<<D::Bucket as Bucket>::Body>,
    range: TimeRange,
    view: RecordView,
    key_prefix: Option<String>,
    unseen: UnseenFields,
    form: RecordWriter,
    format: StreamFormat,
    marker: EndMarker,
    started_ms: i64,
    phase: StreamPhase,
    /// Whether no record was written yet.
    is_first: bool,
    /// The lines of the last step that are not written yet.
    pending: VecDeque<QueryLine>,
    /// Where a stream continues that ends before them.
    resume: QueryCursor,
    /// The part after the records, once it is known.
    tail: Option<ReservedBytes>,
    /// Of what reading holds, [`STREAM_BYTES`].
    reservation: Reservation,
    _permit: ScanPermit,
}

/// Shows the caller's view of each record, and searches it for the unlisted fields.
struct ViewSink<'s> {
    view: &'s RecordView,
    unseen: &'s mut UnseenFields,
    masked_bytes: u64,
}

impl RecordSink for ViewSink<'_> {
    fn on_record(&mut self, zone: Option<&str>, line: &[u8]) {
        if !self.unseen.is_empty() && self.view.is_verbatim() && self.view.is_visible(zone, line) {
            self.unseen.take(line);
        }
    }

    fn view<'l>(&mut self, zone: Option<&str>, line: &'l [u8]) -> Option<Cow<'l, [u8]>> {
        if !self.view.may_show(zone, line) {
            return None;
        }
        self.masked_bytes += if self.view.is_verbatim() { 0 } else { line.len() as u64 };
        let shown = self.view.mask(line)?;
        // Names that look like tokens are masked here too, so that they reveal no more to a role than its records do.
        if !self.view.is_verbatim() {
            self.unseen.take(&shown);
        }
        Some(shown)
    }

    fn is_visible(&self, zone: Option<&str>, line: &[u8]) -> bool {
        self.view.is_visible(zone, line)
    }

    fn viewing_room(&self) -> usize {
        if self.view.is_verbatim() { 1 } else { MASKING_ROOM }
    }

    fn may_mask(&self) -> bool {
        !self.view.is_verbatim()
    }

    fn masked_bytes(&self) -> u64 {
        self.masked_bytes
    }
}

impl<D: Services> ResponseStream<D> {
    /// Returns the next piece, which is not empty; `None` at the end of a whole stream.
    async fn next_piece(&mut self) -> Option<Result<ReservedBytes, BackendError>> {
        let mut out = ReservedWriter::new(self.services.memory());
        let mut backoff = Backoff::new(BUSY_MS);
        while !self.is_over() && out.len() < STREAM_PIECE {
            let Err(error) = self.write_more(&mut out).await else { continue };
            // What is written is sent first: the client may be the one who holds the rest.
            if !out.is_empty() {
                break;
            }
            match backoff.next().filter(|_| error == OutOfMemory::Busy) {
                Some(pause_ms) => self.services.sleep(pause_ms).await,
                None => self.write_end(StreamEnd::Broken(Box::new(error.into()), self.resume), Vec::new()).await,
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

    /// Writes the next part: the start, the lines of the last step, or those of the next one.
    async fn write_more(&mut self, out: &mut ReservedWriter) -> Result<(), OutOfMemory> {
        if self.phase == StreamPhase::Start {
            self.write_start(out)?;
            self.phase = StreamPhase::Records;
        }
        while let Some(line) = self.pending.pop_front() {
            if let Err(error) = self.write_line(out, &line) {
                self.pending.push_front(line);
                return Err(error);
            }
            self.is_first &= !self.has_prefix(&line);
            self.resume = self.run.cursor_after(&line);
        }
        self.resume = self.run.cursor();
        self.read_step().await
    }

    fn write_start(&self, out: &mut ReservedWriter) -> Result<(), OutOfMemory> {
        if self.format == StreamFormat::Document { out.push(DOCUMENT_START.as_bytes()) } else { self.form.begin(out) }
    }

    /// Runs one step of the query, and keeps its lines, or writes its end.
    async fn read_step(&mut self) -> Result<(), OutOfMemory> {
        let services = self.services.as_ref();
        let (directory, clock) = (RegistryDirectory(services.ledgers()), || services.now_ms());
        let mut sink = ViewSink { view: &self.view, unseen: &mut self.unseen, masked_bytes: 0 };
        match self.run.next(services.batch_store(), services.shards(), &directory, &clock, &mut sink).await {
            Ok(QueryStep::Lines(lines)) => self.pending = lines.into(),
            // The others of the isolate have their turn.
            Ok(QueryStep::Pause) => services.sleep(0).await,
            Ok(QueryStep::End(QueryEnd::Complete)) => {
                if let Ok(missing) = self.missing_reasons().await {
                    self.write_end(StreamEnd::Query(QueryEnd::Complete), missing).await;
                } else {
                    let end = StreamEnd::Broken(Box::new(problems::unavailable()), self.run.cursor());
                    self.write_end(end, Vec::new()).await;
                }
            }
            Ok(QueryStep::End(end)) => self.write_end(StreamEnd::Query(end), Vec::new()).await,
            Err(QueryError::OutOfMemory { error, .. }) => return Err(error),
            Err(QueryError::Backend { cursor, .. }) => {
                self.write_end(StreamEnd::Broken(Box::new(problems::unavailable()), cursor), Vec::new()).await;
            }
            // No record of it can be seen, and it may have had hidden ones alone. The run continues after it.
            Err(QueryError::Unreadable { .. }) if !self.view.visibility().has_batches() => {}
            Err(QueryError::Unreadable { cursor, .. }) => {
                self.write_end(StreamEnd::Broken(Box::new(problems::batch_unreadable()), cursor), Vec::new()).await;
            }
        }
        Ok(())
    }

    /// Returns why records may be missing although all batches were read.
    async fn missing_reasons(&self) -> Result<Vec<MissingReason>, CallError> {
        if !self.view.visibility().has_batches() {
            return Ok(Vec::new());
        }
        let TimeRange { start_ns, end_ns } = self.range;
        let range = start_ns.div_euclid(1_000_000)..end_ns.saturating_add(999_999).div_euclid(1_000_000);
        find_missing_reasons(self.services.as_ref(), (self.view.dataset(), self.view.visibility()), range).await
    }

    /// Returns whether the line is from an object that was asked for.
    fn has_prefix(&self, line: &QueryLine) -> bool {
        self.key_prefix.as_deref().is_none_or(|prefix| matches_prefix(&line.object.key, prefix))
    }

    /// Writes a line, or nothing of it.
    fn write_line(&self, out: &mut ReservedWriter, line: &QueryLine) -> Result<(), OutOfMemory> {
        if !self.has_prefix(line) {
            return Ok(());
        }
        if self.format != StreamFormat::Document {
            return self.form.write(out, &line.bytes);
        }
        let _room = out.working_memory(RENDERING_ROOM * line.bytes.len())?;
        let mut object = if self.is_first { b"\n".to_vec() } else { b",\n".to_vec() };
        let start = object.len();
        if self.form.write_object(&mut object, &line.bytes).is_err() {
            object.truncate(start);
            object.extend_from_slice(b"null");
        }
        out.push(&object)
    }

    /// Returns the cursor as the client gets it, where it gets one; the error that there is none if it cannot be sealed.
    async fn sealed_cursor(
        &self,
        cursor: Option<QueryCursor>,
        error: Option<Problem>,
    ) -> (Option<String>, Option<Problem>) {
        let Some(cursor) = cursor.filter(|_| self.format != StreamFormat::Logpull) else { return (None, error) };
        match seal_cursor(self.services.as_ref(), self.view.caller(), &cursor).await {
            Ok(text) => (Some(text), error),
            Err(problem) => (None, Some(problem)),
        }
    }

    /// Makes the part after the records, which the last piece brings.
    async fn write_end(&mut self, end: StreamEnd, missing: Vec<MissingReason>) {
        let is_begun = self.phase != StreamPhase::Start;
        self.phase = StreamPhase::End;
        let (stats, has_batches) = (*self.run.stats(), self.view.visibility().has_batches());
        let lost = has_batches && stats.batches_gone + stats.batches_unreadable > 0;
        let (truncated, complete, cursor, error) = match end {
            StreamEnd::Query(QueryEnd::Complete) => (false, !lost && missing.is_empty(), None, None),
            StreamEnd::Query(QueryEnd::Limit(cursor)) => (false, false, Some(cursor), None),
            StreamEnd::Query(QueryEnd::Budget(cursor)) => (true, false, Some(cursor), None),
            StreamEnd::Broken(problem, cursor) => (true, false, Some(cursor), Some(*problem)),
        };
        let warnings = self.unseen.warnings();
        let is_whole = !truncated && !lost && !missing.iter().any(MissingReason::is_certain);
        let elapsed_ms = has_batches.then(|| self.services.now_ms() - self.started_ms);
        let (cursor, error) = self.sealed_cursor(cursor, error).await;
        let stats = if has_batches {
            TrailerStats::All(&stats)
        } else {
            TrailerStats::Returned { records_returned: stats.records_returned }
        };
        let trailer = StreamTrailer { complete, missing, truncated, cursor, error, warnings, stats, elapsed_ms };
        let text = match self.format {
            StreamFormat::Document => format!("\n],\"raydex\":{}}}\n", self.marker.json(&trailer)),
            StreamFormat::Lines { trailer: true } => self.marker.json_line(&trailer),
            StreamFormat::Text { trailer: true } => self.marker.text_line(&trailer),
            StreamFormat::Lines { .. } | StreamFormat::Text { .. } | StreamFormat::Logpull => {
                self.phase = if is_whole { StreamPhase::End } else { StreamPhase::Break };
                String::new()
            }
        };
        let start = if is_begun || self.format != StreamFormat::Document { "" } else { DOCUMENT_START };
        // Nothing is read any more, so that the end always fits.
        self.reservation.release_all();
        let mut tail = ReservedWriter::new(self.services.memory());
        let written = tail.push(start.as_bytes()).and_then(|()| tail.push(text.as_bytes()));
        match written.and_then(|()| tail.finish()) {
            Ok(tail) => self.tail = Some(tail).filter(|tail| !tail.is_empty()),
            Err(_) => self.phase = StreamPhase::Break,
        }
    }
}

/// Returns the error of a stream that is not whole.
fn broken() -> BackendError {
    BackendError::new("streaming records", "the answer is not whole")
}

/// Returns whether a key starts with the prefix, in which `{DATE}` stands for the eight digits of a day.
fn matches_prefix(key: &str, prefix: &str) -> bool {
    let Some((before, after)) = prefix.split_once("{DATE}") else { return key.starts_with(prefix) };
    let Some(rest) = key.strip_prefix(before) else { return false };
    let Some((day, rest)) = rest.split_at_checked(8) else { return false };
    day.bytes().all(|byte| byte.is_ascii_digit()) && rest.starts_with(after)
}

#[cfg(test)]
mod tests {
    use super::matches_prefix;

    #[test]
    fn a_date_in_a_prefix_matches_any_day() {
        let key = "logs/http_requests/20260328/20260328T084200Z_x.log.gz";
        for (prefix, fits) in [
            ("logs/", true),
            ("logs/http_requests/{DATE}", true),
            ("logs/{DATE}", false),
            ("logs/http_requests/{DATE}/2026", true),
            ("logs/http_requests/{DATE}/2027", false),
            ("other/{DATE}", false),
        ] {
            assert_eq!(matches_prefix(key, prefix), fits, "{prefix}");
        }
        assert!(!matches_prefix("logs/é", "logs/{DATE}"));
    }
}
