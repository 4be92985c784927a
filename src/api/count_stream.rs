//! The counts of a scan as the content of a stream.
//!
//! # Invariants
//! The rows of a stream that has its end count each record before its cursor once. Rows are written once their memory is
//! used up, and at the end; what is left to write comes before any end.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::rc::Rc;

use super::count_groups::CountRow;
use super::count_sink::{CountFields, CountSink, VALUE_END};
use super::field_warnings::{FieldWarning, UnseenFields};
use super::range_scan::{RangeScan, ScanEnd, ScanRequest, ScanStep};
use super::record_view::RecordView;
use super::response_stream::{ResponseStream, StreamContent, StreamFormat};
use super::time_range::TimeRange;
use crate::access::Caller;
use crate::http::{Problem, Reply};
use crate::limits::{COUNT_BYTES, STREAM_PIECE};
use crate::memory::{OutOfMemory, ReservedWriter};
use crate::query::QueryEnd;
use crate::services::Services;
use crate::span_reader::ReadStats;
use crate::time::rfc3339_s;

const NS_PER_S: i64 = 1_000_000_000;

/// A request for the counts of a time range.
pub(super) struct CountRequest {
    /// The caller's view of the records, with the filter.
    pub(super) view: RecordView,
    pub(super) range: TimeRange,
    /// Length of a step in seconds; without it, the range is one.
    pub(super) step_s: Option<i64>,
    /// The fields whose values have counts of their own.
    pub(super) by: Vec<String>,
    /// The number of values that have counts of their own in an answer that is whole.
    pub(super) top: Option<usize>,
    /// The cursor at which an earlier stream ended.
    pub(super) cursor: Option<String>,
    /// The unlisted fields of the request.
    pub(super) unseen: UnseenFields,
}

impl CountRequest {
    /// Returns what the answer depends on beside the records.
    fn identity(&self) -> String {
        let Self { step_s, by, top, .. } = self;
        format!("counts\n{step_s:?}\n{top:?}\n{by:?}")
    }
}

/// Answers with the stream of the requested counts.
pub(super) async fn stream_counts<D: Services + 'static>(
    services: &Rc<D>,
    caller: &Caller,
    request: CountRequest,
    format: StreamFormat,
    media_type: &'static str,
) -> Result<Reply, Problem> {
    let bound_to = Some(request.identity());
    let CountRequest { view, range, step_s, by, top, cursor, unseen } = request;
    let (view, is_first_answer) = (Rc::new(view), cursor.is_none());
    let scanned =
        ScanRequest { view: view.clone(), range, sample: None, limit: None, cursor, bound_to, bytes: COUNT_BYTES };
    let scan = RangeScan::begin(services, caller, scanned).await?;
    let fields = CountFields::new(&by, &view);
    let content = CountRows {
        sink: CountSink::new(view, unseen, fields, step_s.map(|step_s| step_s.saturating_mul(NS_PER_S))),
        step_s,
        by,
        top: top.filter(|_| is_first_answer),
        lacks_top: top.is_some(),
        is_document: format == StreamFormat::Document,
        is_first: true,
        rows: VecDeque::new(),
        end: None,
    };
    Ok(ResponseStream::reply(scan, content, format, media_type))
}

/// The counts of a stream, row by row.
struct CountRows {
    sink: CountSink,
    step_s: Option<i64>,
    by: Vec<String>,
    /// The number of values that keep their rows, as long as the answer may be whole: the most frequent ones of a part of the
    /// range need not be those of all of it.
    top: Option<usize>,
    /// Whether such a number is asked for, and more values than that may have rows.
    lacks_top: bool,
    is_document: bool,
    /// Whether no row was written yet.
    is_first: bool,
    /// The rows that are not written yet.
    rows: VecDeque<CountRow>,
    /// The end, which comes after them.
    end: Option<ScanEnd>,
}

impl<D: Services> StreamContent<D> for CountRows {
    fn document_start(&self) -> Cow<'_, str> {
        "{\"counts\":[".into()
    }

    async fn write_more(
        &mut self,
        scan: &mut RangeScan<D>,
        out: &mut ReservedWriter,
    ) -> Result<Option<ScanEnd>, OutOfMemory> {
        self.write_rows(out)?;
        if !self.rows.is_empty() {
            return Ok(None);
        }
        if let Some(end) = self.end.take() {
            return Ok(Some(end));
        }
        match scan.step(&mut self.sink).await? {
            ScanStep::End(end) => self.finish(end),
            // It shows no lines; a full one ends the step.
            ScanStep::Lines(_) | ScanStep::Pause if self.sink.groups.is_full() => {
                self.top = None;
                self.rows = self.sink.groups.take_rows(None);
            }
            ScanStep::Lines(_) | ScanStep::Pause => {}
        }
        Ok(None)
    }

    fn interrupt(&mut self, scan: &RangeScan<D>, problem: Problem) -> Option<ScanEnd> {
        // The end of the scan stays, if it is known.
        if self.end.is_none() {
            let end = ScanEnd::broken(problem, scan.run.cursor());
            let rows = std::mem::take(&mut self.rows);
            self.finish(end);
            self.rows.extend(rows);
        }
        None
    }

    fn records_returned(&self, _stats: &ReadStats) -> u64 {
        self.sink.counted
    }

    fn warnings(&self) -> Vec<FieldWarning> {
        let of_top = self.lacks_top.then(FieldWarning::top_ignored);
        self.sink.unseen.warnings().into_iter().chain(of_top).collect()
    }
}

impl CountRows {
    /// Makes the last rows of a scan that ended.
    fn finish(&mut self, end: ScanEnd) {
        let is_whole = matches!(end, ScanEnd::Query(QueryEnd::Complete, _));
        let top = self.top.filter(|_| is_whole);
        self.lacks_top &= top.is_none();
        self.rows = self.sink.groups.take_rows(top);
        self.end = Some(end);
    }

    /// Writes the next rows, as many as a piece has room for.
    fn write_rows(&mut self, out: &mut ReservedWriter) -> Result<(), OutOfMemory> {
        let mut text = Vec::new();
        while out.len() < STREAM_PIECE {
            let Some(row) = self.rows.front() else { return Ok(()) };
            text.clear();
            self.write_row(row, &mut text);
            out.push(&text)?;
            self.rows.pop_front();
            self.is_first = false;
        }
        Ok(())
    }

    /// Writes a row as a line, or as an element of the document.
    fn write_row(&self, row: &CountRow, out: &mut Vec<u8>) {
        if self.is_document {
            out.extend_from_slice(if self.is_first { b"\n" } else { b",\n" });
        }
        out.push(b'{');
        if let Some(step_s) = self.step_s {
            let start_s = i64::try_from(row.step).unwrap_or(i64::MAX).saturating_mul(step_s);
            out.extend_from_slice(format!("\"time\":\"{}\",", rfc3339_s(start_s)).as_bytes());
        }
        match row.values() {
            Some(values) if !self.by.is_empty() => self.write_values(values, out),
            Some(_) => {}
            None => out.extend_from_slice(b"\"other\":true,"),
        }
        out.extend_from_slice(format!("\"count\":{}}}", row.count).as_bytes());
        if !self.is_document {
            out.push(b'\n');
        }
    }

    /// Writes the values of a row under the names of their fields.
    fn write_values(&self, values: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"values\":");
        let mut mark = b'{';
        for (name, value) in self.by.iter().zip(values.split(|byte| *byte == VALUE_END)) {
            out.push(mark);
            out.extend_from_slice(serde_json::to_string(name).unwrap_or_default().as_bytes());
            out.push(b':');
            out.extend_from_slice(value);
            mark = b',';
        }
        out.extend_from_slice(b"},");
    }
}
