//! The records of a time range as a stream, read from the bucket piece by piece as the client reads the response.
//!
//! # Invariants
//! A stream that ends continues after the last record that it has. If the request names a field that exists nowhere, the
//! trailer warns of it.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::rc::Rc;

use super::field_warnings::{FieldWarning, UnseenFields};
use super::range_scan::{RangeScan, ScanEnd, ScanRequest, ScanStep};
use super::record_view::RecordView;
use super::record_writer::RecordWriter;
pub(crate) use super::response_stream::StreamFormat;
use super::response_stream::{ResponseStream, StreamContent};
use super::time_range::TimeRange;
use crate::access::Caller;
use crate::http::{Problem, Reply};
use crate::limits::{CUTTING_ROOM, MASKING_ROOM, RENDERING_ROOM};
use crate::memory::{OutOfMemory, ReservedWriter};
use crate::query::{QueryCursor, QueryLine, RecordSink};
use crate::record::RecordKey;
use crate::services::Services;

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
    let RangeRequest { view, range, sample, limit, cursor, key_prefix, unseen } = request;
    let view = Rc::new(view);
    let request = ScanRequest { view: view.clone(), range, sample, limit, cursor, bound_to: None, bytes: 0 };
    let scan = RangeScan::begin(services, caller, request).await?;
    let content = RecordLines {
        sink: ViewSink { view, unseen, masked_bytes: 0 },
        key_prefix,
        form,
        is_document: format == StreamFormat::Document,
        is_first: true,
        pending: VecDeque::new(),
        resume: scan.run.cursor(),
    };
    Ok(ResponseStream::reply(scan, content, format, media_type))
}

/// The records of a stream, line by line.
struct RecordLines {
    sink: ViewSink,
    key_prefix: Option<String>,
    form: RecordWriter,
    is_document: bool,
    /// Whether no record was written yet.
    is_first: bool,
    /// The lines of the last step that are not written yet.
    pending: VecDeque<QueryLine>,
    /// Where a stream continues that ends before them.
    resume: QueryCursor,
}

/// Shows the caller's view of each record, and searches it for the unlisted fields.
struct ViewSink {
    view: Rc<RecordView>,
    /// The unlisted fields of the request that no record has had so far.
    unseen: UnseenFields,
    masked_bytes: u64,
}

impl RecordSink for ViewSink {
    fn on_record(&mut self, _key: &RecordKey, _ns: i64, zone: Option<&str>, line: &[u8]) {
        self.unseen.take_stored(&self.view, zone, line);
    }

    fn view<'l>(&mut self, zone: Option<&str>, line: &'l [u8]) -> Option<Cow<'l, [u8]>> {
        if !self.view.may_show(zone, line) {
            return None;
        }
        let cut = self.view.cut(zone, line);
        self.masked_bytes += if self.view.is_verbatim() { 0 } else { cut.len() as u64 };
        let shown = match cut {
            Cow::Borrowed(line) => self.view.mask(line)?,
            Cow::Owned(line) => self.view.mask(&line)?.into_owned().into(),
        };
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
        match (self.view.is_verbatim(), self.view.may_cut()) {
            (true, false) => 1,
            (true, true) => CUTTING_ROOM,
            (false, may_cut) => MASKING_ROOM + usize::from(may_cut),
        }
    }

    fn may_mask(&self) -> bool {
        !self.view.is_verbatim()
    }

    fn masked_bytes(&self) -> u64 {
        self.masked_bytes
    }
}

impl<D: Services> StreamContent<D> for RecordLines {
    fn document_start(&self) -> Cow<'_, str> {
        "{\"records\":[".into()
    }

    fn write_start(&self, out: &mut ReservedWriter) -> Result<(), OutOfMemory> {
        self.form.begin(out)
    }

    async fn write_more(
        &mut self,
        scan: &mut RangeScan<D>,
        out: &mut ReservedWriter,
    ) -> Result<Option<ScanEnd>, OutOfMemory> {
        while let Some(line) = self.pending.pop_front() {
            if let Err(error) = self.write_line(out, &line) {
                self.pending.push_front(line);
                return Err(error);
            }
            self.is_first &= !self.has_prefix(&line);
            self.resume = scan.run.cursor_after(&line);
        }
        self.resume = scan.run.cursor();
        match scan.step(&mut self.sink).await? {
            ScanStep::Lines(lines) => self.pending = lines.into(),
            ScanStep::Pause => {}
            ScanStep::End(end) => return Ok(Some(end)),
        }
        Ok(None)
    }

    fn interrupt(&mut self, _scan: &RangeScan<D>, problem: Problem) -> Option<ScanEnd> {
        Some(ScanEnd::broken(problem, self.resume))
    }

    fn warnings(&self) -> Vec<FieldWarning> {
        self.sink.unseen.warnings()
    }
}

impl RecordLines {
    /// Returns whether the line is from an object that was asked for.
    fn has_prefix(&self, line: &QueryLine) -> bool {
        self.key_prefix.as_deref().is_none_or(|prefix| matches_prefix(&line.object.key, prefix))
    }

    /// Writes a line, or nothing of it.
    fn write_line(&self, out: &mut ReservedWriter, line: &QueryLine) -> Result<(), OutOfMemory> {
        if !self.has_prefix(line) {
            return Ok(());
        }
        if !self.is_document {
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
