//! The scan of a time range: what every stream over one has in common, whatever it makes of the records.
//!
//! # Invariants
//! A scan has its caller's permit and the memory of its reading from its beginning to its end. Nothing of it depends on
//! records that its caller does not see.

use std::rc::Rc;

use super::completeness::{MissingReason, find_missing_reasons};
use super::cursors::{open_cursor, seal_cursor};
use super::record_view::RecordView;
use super::retry::retry_while_out_of_memory;
use super::scan::acquire_scan;
use super::time_range::TimeRange;
use crate::access::Caller;
use crate::backend::{Bucket, CallError};
use crate::http::{Problem, problems};
use crate::ledger::RegistryDirectory;
use crate::limits::STREAM_BYTES;
use crate::memory::{OutOfMemory, Reservation, ScanPermit};
use crate::query::{QueryCursor, QueryEnd, QueryError, QueryLine, QueryRun, QueryStep, RangeQuery, RecordSink};
use crate::services::Services;

/// What is scanned.
pub(crate) struct ScanRequest {
    /// The caller's view of the records, with the filter.
    pub(crate) view: Rc<RecordView>,
    pub(crate) range: TimeRange,
    /// The share of the records to return, above 0 and up to 1.
    pub(crate) sample: Option<f64>,
    /// Maximum number of records to return.
    pub(crate) limit: Option<u64>,
    /// The cursor at which an earlier stream ended.
    pub(crate) cursor: Option<String>,
    /// What else the answer depends on, and so its cursors.
    pub(crate) bound_to: Option<String>,
    /// Memory of what is made of the records, beside that of reading them.
    pub(crate) bytes: usize,
}

/// A scan in progress.
pub(crate) struct RangeScan<D: Services> {
    pub(crate) services: Rc<D>,
    pub(crate) run: QueryRun<<D::Bucket as Bucket>::Body>,
    pub(crate) view: Rc<RecordView>,
    range: TimeRange,
    /// Of what reading holds, [`STREAM_BYTES`], and of what is made of the records.
    reservation: Reservation,
    content_bytes: usize,
    _permit: ScanPermit,
}

/// What one step of a scan comes to.
pub(crate) enum ScanStep {
    /// Lines that the sink shows.
    Lines(Vec<QueryLine>),
    /// Nothing yet; the others of the isolate have had their turn.
    Pause,
    End(ScanEnd),
}

/// The reason why a scan ended.
pub(crate) enum ScanEnd {
    /// The query ended: complete, at a limit, or at its budget.
    Query(QueryEnd, Vec<MissingReason>),
    /// A problem interrupted it; it can continue at the cursor.
    Broken(Box<Problem>, QueryCursor),
}

impl ScanEnd {
    pub(crate) fn broken(problem: Problem, cursor: QueryCursor) -> Self {
        Self::Broken(Box::new(problem), cursor)
    }
}

impl<D: Services> RangeScan<D> {
    /// Begins a scan, which has read nothing yet.
    ///
    /// # Errors
    /// The [`Problem`] of a caller whose scans did not end in time, of a cursor that is not of this query, or of memory.
    pub(crate) async fn begin(services: &Rc<D>, caller: &Caller, request: ScanRequest) -> Result<Self, Problem> {
        let permit = acquire_scan(services.as_ref(), caller).await?;
        let reservation = services.memory().reservation();
        let content_bytes = request.bytes;
        let bytes = STREAM_BYTES + content_bytes;
        retry_while_out_of_memory(services.as_ref(), &reservation, async || Ok(reservation.reserve(bytes)?)).await?;
        let ScanRequest { view, range, sample, limit, cursor, bound_to, .. } = request;
        let cursor = match cursor {
            Some(text) => Some(open_cursor(services.as_ref(), view.caller(), &text).await?),
            None => None,
        };
        let query = RangeQuery {
            pruning: view.pruning_filter(),
            predicate: view.stored_filter().cloned(),
            sample,
            hides_omitted: !view.visibility().has_batches(),
            bound_to,
            limit,
            cursor,
            memory: services.memory().clone(),
            ..RangeQuery::new(view.dataset(), range.start_ns, range.end_ns)
        };
        let run = QueryRun::new(query).map_err(|_| problems::bad_cursor())?;
        let services = services.clone();
        Ok(Self { services, run, view, range, reservation, content_bytes, _permit: permit })
    }

    /// Runs one step of the query.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the next line does not fit. The next step tries it again.
    pub(crate) async fn step(&mut self, mut sink: &mut dyn RecordSink) -> Result<ScanStep, OutOfMemory> {
        let services = self.services.as_ref();
        if let Err(spent) = services.check_daily_budget().await {
            let problem = problems::budget_spent(&spent, services.now_ms());
            return Ok(ScanStep::End(ScanEnd::broken(problem, self.run.cursor())));
        }
        let (directory, clock) = (RegistryDirectory(services.ledgers()), || services.now_ms());
        let step = match self.run.next(services.batch_store(), services.shards(), &directory, &clock, &mut sink).await {
            Ok(QueryStep::Lines(lines)) => ScanStep::Lines(lines),
            Ok(QueryStep::Pause) => {
                services.sleep(0).await;
                ScanStep::Pause
            }
            Ok(QueryStep::End(QueryEnd::Complete)) => ScanStep::End(match self.missing_reasons().await {
                Ok(missing) => ScanEnd::Query(QueryEnd::Complete, missing),
                Err(_) => ScanEnd::broken(problems::unavailable(), self.run.cursor()),
            }),
            Ok(QueryStep::End(end)) => ScanStep::End(ScanEnd::Query(end, Vec::new())),
            Err(QueryError::OutOfMemory { error, .. }) => return Err(error),
            Err(QueryError::Backend { cursor, .. }) => ScanStep::End(ScanEnd::broken(problems::unavailable(), cursor)),
            // No record of it can be seen, and it may have had hidden ones alone. The run continues after it.
            Err(QueryError::Unreadable { .. }) if !self.view.visibility().has_batches() => ScanStep::Pause,
            Err(QueryError::Unreadable { cursor, .. }) => {
                ScanStep::End(ScanEnd::broken(problems::batch_unreadable(), cursor))
            }
        };
        Ok(step)
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

    /// Returns the memory of the reading, which has ended, so that what is left to write has room.
    pub(crate) fn release_reading(&self) {
        self.reservation.shrink_to(self.content_bytes);
    }

    /// Returns all memory of a scan that ended.
    pub(crate) fn release(&self) {
        self.reservation.release_all();
    }

    /// Returns the cursor as the client gets it; the error that there is none if it cannot be sealed.
    pub(crate) async fn sealed_cursor(
        &self,
        cursor: Option<QueryCursor>,
        error: Option<Problem>,
    ) -> (Option<String>, Option<Problem>) {
        let Some(cursor) = cursor else { return (None, error) };
        match seal_cursor(self.services.as_ref(), self.view.caller(), &cursor).await {
            Ok(text) => (Some(text), error),
            Err(problem) => (None, Some(problem)),
        }
    }
}
