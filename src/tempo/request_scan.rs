//! A search over the requests of a time range whose answer is one document: it ends when that is full, or after a time.
//!
//! # Invariants
//! A record counts by what the caller sees of it, and only if that passes the filter.

use std::borrow::Cow;
use std::rc::Rc;

use crate::access::Caller;
use crate::api::field_subset::FieldSubset;
use crate::api::range_scan::{RangeScan, ScanEnd, ScanRequest, ScanStep};
use crate::api::record_view::RecordView;
use crate::api::time_range::TimeRange;
use crate::filter::Filter;
use crate::http::{HttpRequest, Problem, parse_instant, problems};
use crate::limits::{TEMPO_DEFAULT_RANGE_MS, TEMPO_SEARCH_BYTES};
use crate::query::{QueryEnd, RecordSink};
use crate::record::Dataset;
use crate::record::fields::line_text;
use crate::services::Services;

const NS_PER_MS: i64 = 1_000_000;

/// What is searched, and how long.
pub(super) struct RequestSearch<'s> {
    pub(super) filter: Option<Filter>,
    pub(super) range: TimeRange,
    /// The fields that are read of a record, beside those of the filter.
    pub(super) fields: &'s [&'s str],
    /// The time after which the search ends, in milliseconds.
    pub(super) ms: i64,
}

/// Hands each record to a function, until that returns `false`.
struct TakingSink<'t> {
    view: Rc<RecordView>,
    /// The fields that are read, by which records are reduced before they are masked.
    read: FieldSubset,
    take: &'t mut dyn FnMut(&str) -> bool,
    is_full: bool,
    masked_bytes: u64,
}

impl RecordSink for TakingSink<'_> {
    fn view<'l>(&mut self, zone: Option<&str>, line: &'l [u8]) -> Option<Cow<'l, [u8]>> {
        if self.is_full || !self.view.may_show(zone, line) {
            return None;
        }
        let reduced = self.read.reduced(&self.view.cut(zone, line))?;
        self.masked_bytes += if self.view.is_verbatim() { 0 } else { reduced.len() as u64 };
        let shown = self.view.mask(&reduced)?;
        self.is_full = !(self.take)(&line_text(&shown));
        None
    }

    fn is_visible(&self, zone: Option<&str>, line: &[u8]) -> bool {
        self.view.is_visible(zone, line)
    }

    fn viewing_room(&self) -> usize {
        self.view.counting_room() + 1
    }

    fn is_full(&self) -> bool {
        self.is_full
    }

    fn may_mask(&self) -> bool {
        !self.view.is_verbatim()
    }

    fn masked_bytes(&self) -> u64 {
        self.masked_bytes
    }
}

/// Runs a search, and hands the text of each record as the caller sees it to `take` until that returns `false`. Returns whether
/// the whole range was searched: not if the caller's daily budget was spent on the way.
///
/// # Errors
/// The [`Problem`] of a field that the caller may not see, of searches that hold all permits, or of a failure.
pub(super) async fn scan_requests<D: Services + 'static>(
    services: &Rc<D>,
    caller: &Caller,
    search: RequestSearch<'_>,
    take: &mut dyn FnMut(&str) -> bool,
) -> Result<bool, Problem> {
    let RequestSearch { filter, range, fields, ms } = search;
    let view = Rc::new(RecordView::new(caller, Dataset::HttpRequests, filter)?);
    let read = FieldSubset::new(fields.iter().copied().chain(view.filter_fields()));
    let (bytes, sample, limit, cursor, bound_to) = (TEMPO_SEARCH_BYTES, None, None, None, None);
    let request = ScanRequest { view: view.clone(), range, sample, limit, cursor, bound_to, bytes };
    let mut scan = RangeScan::begin(services, caller, request).await?;
    let mut sink = TakingSink { view, read, take, is_full: false, masked_bytes: 0 };
    let end_ms = services.now_ms().saturating_add(ms);
    let mut has_read = false;
    loop {
        if let ScanStep::End(end) = scan.step(&mut sink).await? {
            return match end {
                ScanEnd::Query(QueryEnd::Complete, _) => Ok(true),
                ScanEnd::Query(QueryEnd::Limit(_) | QueryEnd::Budget(_), _) => Ok(false),
                ScanEnd::Broken(problem, _) if has_read && problem.is_budget_spent() => Ok(false),
                ScanEnd::Broken(problem, _) => Err(*problem),
            };
        }
        has_read = true;
        if sink.is_full || services.now_ms() > end_ms {
            return Ok(false);
        }
    }
}

/// Parses the parameters `start` and `end`; `None` if one of them is not given, or 0.
///
/// # Errors
/// The [`Problem`] of an invalid instant, or of an empty range.
pub(super) fn given_range<B>(request: &HttpRequest<B>) -> Result<Option<TimeRange>, Problem> {
    let instant = |name: &'static str| {
        let text = request.parameter(name).filter(|text| !matches!(text.as_str(), "0" | ""));
        let read = |text: String| parse_instant(&text).map_err(|fault| problems::bad_time(name, fault));
        text.map(read).transpose()
    };
    let (Some(start_ns), Some(end_ns)) = (instant("start")?, instant("end")?) else { return Ok(None) };
    // The end is a whole second, which belongs to the range.
    let end_ns = end_ns.saturating_add(1);
    if start_ns < end_ns { Ok(Some(TimeRange { start_ns, end_ns })) } else { Err(problems::empty_range()) }
}

/// Parses the range of a search: without one, the last hour.
///
/// # Errors
/// Those of [`given_range`].
pub(super) fn search_range<B>(request: &HttpRequest<B>, now_ms: i64) -> Result<TimeRange, Problem> {
    let end_ns = now_ms.saturating_mul(NS_PER_MS);
    let last = TimeRange { start_ns: end_ns.saturating_sub(TEMPO_DEFAULT_RANGE_MS * NS_PER_MS), end_ns };
    Ok(given_range(request)?.unwrap_or(last))
}
