//! The stream of a time range, read from the bucket piece by piece as the client reads the response.
//!
//! # Invariants
//! Nothing is read before the client asks for the next piece, and one batch at a time. A stream that cannot continue
//! ends with a trailer that has the reason and the cursor to continue at. If the request names a field that exists
//! nowhere, the trailer warns of it.

use std::borrow::Cow;
use std::rc::Rc;

use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::completeness::{MissingReason, find_missing_reasons};
use super::field_warnings::{FieldWarning, UnseenFields};
use super::record_view::RecordView;
use super::record_writer::RecordWriter;
use super::retry::retry_while_out_of_memory;
use super::time_range::TimeRange;
use crate::backend::{BackendError, Bucket};
use crate::http::{Problem, Reply, problems};
use crate::ledger::RegistryDirectory;
use crate::limits::{STREAM_BYTES, STREAM_PIECE};
use crate::memory::Reservation;
use crate::query::{QueryCursor, QueryEnd, QueryError, QueryLine, QueryRun, QueryStep, RangeQuery, RecordSink};
use crate::services::Services;
use crate::span_reader::ReadStats;

/// The last line of a Logpull response that was interrupted.
const LOGPULL_BROKEN: &str = "Error streaming data.\n";

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
        /// Whether the trailer is written even if the stream is complete.
        trailer: bool,
    },
    /// Lines of text. The trailer is a last line that starts with `# raydex `.
    Text {
        /// Whether the trailer is written even if the stream is complete.
        trailer: bool,
    },
    /// One JSON document, with the trailer after the records.
    Document,
    /// Lines of JSON as written by Logpull. A stream that is interrupted ends with Logpull's own line.
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
    stats: &'a ReadStats,
    elapsed_ms: i64,
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
    request: RangeRequest,
    form: RecordWriter,
    format: StreamFormat,
    media_type: &'static str,
) -> Result<Reply, Problem> {
    let reservation = services.memory().reservation();
    retry_while_out_of_memory(services.as_ref(), &reservation, async || Ok(reservation.reserve(STREAM_BYTES)?)).await?;
    let RangeRequest { view, range, sample, limit, cursor, key_prefix, unseen } = request;
    let cursor = cursor.map(|text| text.parse::<QueryCursor>()).transpose().map_err(|_| problems::bad_cursor())?;
    let query = RangeQuery {
        pruning: view.pruning_filter(),
        predicate: view.stored_filter().cloned(),
        sample,
        limit,
        cursor,
        ..RangeQuery::new(view.dataset(), range.start_ns, range.end_ns)
    };
    let started_ms = services.now_ms();
    let run = QueryRun::new(query).map_err(|_| problems::bad_cursor())?;
    let response = ResponseStream {
        services: services.clone(),
        run,
        range,
        view,
        key_prefix,
        unseen,
        form,
        format,
        started_ms,
        phase: StreamPhase::Start,
        is_first: true,
        _reservation: reservation,
    };
    let pieces =
        stream::unfold(response, async |mut response| response.next_piece().await.map(|piece| (Ok(piece), response)));
    Ok(Reply::streaming(media_type, pieces.boxed_local()))
}

/// The next part that a stream writes.
#[derive(PartialEq, Eq)]
enum StreamPhase {
    Start,
    Records,
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
    started_ms: i64,
    phase: StreamPhase,
    /// Whether no record was written yet.
    is_first: bool,
    _reservation: Reservation,
}

/// Shows the caller's view of each record, and searches it for the unlisted fields.
struct ViewSink<'s> {
    view: &'s RecordView,
    unseen: &'s mut UnseenFields,
}

impl RecordSink for ViewSink<'_> {
    fn on_record(&mut self, zone: Option<&str>, line: &[u8]) {
        if !self.unseen.is_empty() && self.view.is_verbatim() && self.view.is_visible(zone, line) {
            self.unseen.take(line);
        }
    }

    fn view<'l>(&mut self, zone: Option<&str>, line: &'l [u8]) -> Option<Cow<'l, [u8]>> {
        let shown = self.view.show(zone, line)?;
        // Names that look like tokens are masked here too, so that they reveal no more to a role than its records do.
        if !self.view.is_verbatim() {
            self.unseen.take(&shown);
        }
        Some(shown)
    }
}

impl<D: Services> ResponseStream<D> {
    /// Returns the next piece, which is not empty; `None` at the end.
    async fn next_piece(&mut self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        if self.phase == StreamPhase::Start {
            self.write_start(&mut out);
            self.phase = StreamPhase::Records;
        }
        while self.phase == StreamPhase::Records && out.len() < STREAM_PIECE {
            self.write_step(&mut out).await;
        }
        (!out.is_empty()).then_some(out)
    }

    fn write_start(&self, out: &mut Vec<u8>) {
        if self.format == StreamFormat::Document {
            out.extend_from_slice(b"{\"records\":[");
        } else {
            self.form.begin(out);
        }
    }

    /// Runs one step of the query, and writes its lines or its end.
    async fn write_step(&mut self, out: &mut Vec<u8>) {
        let services = self.services.as_ref();
        let (directory, clock) = (RegistryDirectory(services.ledgers()), || services.now_ms());
        let mut sink = ViewSink { view: &self.view, unseen: &mut self.unseen };
        match self.run.next(services.batch_store(), services.shards(), &directory, &clock, &mut sink).await {
            Ok(QueryStep::Lines(lines)) => {
                for line in lines {
                    self.write_line(out, &line);
                }
            }
            Ok(QueryStep::End(QueryEnd::Complete)) => {
                if let Ok(missing) = self.missing_reasons().await {
                    self.write_end(out, StreamEnd::Query(QueryEnd::Complete), missing);
                } else {
                    let end = StreamEnd::Broken(Box::new(problems::unavailable()), self.run.cursor());
                    self.write_end(out, end, Vec::new());
                }
            }
            Ok(QueryStep::End(end)) => self.write_end(out, StreamEnd::Query(end), Vec::new()),
            Err(QueryError::Backend { cursor, .. }) => {
                self.write_end(out, StreamEnd::Broken(Box::new(problems::unavailable()), cursor), Vec::new());
            }
            Err(QueryError::Unreadable { cursor, .. }) => {
                self.write_end(out, StreamEnd::Broken(Box::new(problems::batch_unreadable()), cursor), Vec::new());
            }
        }
    }

    /// Returns why records may be missing although all batches were read; checked only if the answer reports it.
    async fn missing_reasons(&self) -> Result<Vec<MissingReason>, BackendError> {
        let is_said = match self.format {
            StreamFormat::Document => true,
            StreamFormat::Lines { trailer } | StreamFormat::Text { trailer } => trailer,
            StreamFormat::Logpull => false,
        };
        if !is_said || self.view.is_zone_restricted() {
            return Ok(Vec::new());
        }
        let TimeRange { start_ns, end_ns } = self.range;
        let range = start_ns.div_euclid(1_000_000)..end_ns.saturating_add(999_999).div_euclid(1_000_000);
        find_missing_reasons(self.services.as_ref(), self.view.dataset(), range).await
    }

    fn write_line(&mut self, out: &mut Vec<u8>, line: &QueryLine) {
        if self.key_prefix.as_deref().is_some_and(|prefix| !matches_prefix(&line.object.key, prefix)) {
            return;
        }
        if self.format == StreamFormat::Document {
            out.extend_from_slice(if self.is_first { b"\n" } else { b",\n" });
            let start = out.len();
            if self.form.write_object(out, &line.bytes).is_err() {
                out.truncate(start);
                out.extend_from_slice(b"null");
            }
        } else {
            self.form.write(out, &line.bytes);
        }
        self.is_first = false;
    }

    /// Writes the part after the records.
    fn write_end(&mut self, out: &mut Vec<u8>, end: StreamEnd, missing: Vec<MissingReason>) {
        self.phase = StreamPhase::End;
        let stats = *self.run.stats();
        let lost = stats.batches_gone + stats.batches_unreadable > 0;
        let (truncated, complete, cursor, error) = match end {
            StreamEnd::Query(QueryEnd::Complete) => (false, !lost && missing.is_empty(), None, None),
            StreamEnd::Query(QueryEnd::Limit(cursor)) => (false, false, Some(cursor), None),
            StreamEnd::Query(QueryEnd::Budget(cursor)) => (true, false, Some(cursor), None),
            StreamEnd::Broken(problem, cursor) => (true, false, Some(cursor), Some(*problem)),
        };
        let warnings = self.unseen.warnings();
        let (is_broken, is_needed) = (truncated || lost, truncated || lost || !warnings.is_empty());
        let elapsed_ms = self.services.now_ms() - self.started_ms;
        let cursor = cursor.map(|cursor| cursor.to_string());
        let trailer =
            StreamTrailer { complete, missing, truncated, cursor, error, warnings, stats: &stats, elapsed_ms };
        let json = serde_json::to_string(&trailer).unwrap_or_default();
        let text = match self.format {
            StreamFormat::Document => format!("\n],\"raydex\":{json}}}\n"),
            StreamFormat::Lines { trailer } if trailer || is_needed => format!("{{\"raydex\":{json}}}\n"),
            StreamFormat::Text { trailer } if trailer || is_needed => format!("# raydex {json}\n"),
            StreamFormat::Logpull if is_broken => LOGPULL_BROKEN.into(),
            StreamFormat::Lines { .. } | StreamFormat::Text { .. } | StreamFormat::Logpull => String::new(),
        };
        out.extend_from_slice(text.as_bytes());
    }
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
