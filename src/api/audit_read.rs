//! Reads entries of the audit log, wherever they are: its Durable Object holds the last ones, the segments in the bucket
//! hold the earlier ones.
//!
//! # Invariants
//! What is read joins both without a gap. It ends before a segment that cannot be read, and the next reading reports the
//! problem.

use super::retry::AttemptError;
use crate::audit::AUDIT;
use crate::audit::calls::{AuditSegment, ChainHead, EntryPage, ReadEntries};
use crate::audit::search::EntryScan;
use crate::audit::segment::{self, SegmentError};
use crate::backend::{Bucket, CallError, ListRequest};
use crate::bucket_keys::{AUDIT_SEGMENTS, segment_first};
use crate::http::{Problem, problems};
use crate::limits::{AUDIT_SEARCH, LINE_COPIES};
use crate::memory::Reservation;
use crate::rpc;
use crate::services::Services;

/// Reads entries until the page is full, from as many segments as it takes and then from the audit log itself.
pub(super) async fn collect_entries(
    services: &impl Services,
    ask: &ReadEntries,
    reservation: &Reservation,
) -> Result<(EntryScan, ChainHead), AttemptError> {
    let mut found: Option<EntryScan> = None;
    loop {
        let (last, so_far) =
            found.as_ref().map_or((ask.after, 0), |found| (found.last.seq, found.entries.len() as u64));
        let rest = ReadEntries { after: last, limit: ask.limit.saturating_sub(so_far), filter: ask.filter.clone() };
        let page = rpc::call_held(services.audit_log(), services.memory(), AUDIT, &rest).await;
        // The entries are reserved anew with all of their copies, before anyone else can be asked.
        let page = page.map_err(|error| match error {
            CallError::OutOfMemory(error) => AttemptError::OutOfMemory(error),
            CallError::Backend(_) => problems::not_audited().into(),
        })?;
        let (page, _) = page.into_parts();
        let head = page.head.clone();
        let scan = match (read_part(services, &rest, page, reservation).await, found.take()) {
            (Ok(part), None) => part,
            (Ok(part), Some(mut before)) => {
                before.append(part);
                before
            }
            // The page ends here, and the next one reports the problem.
            (Err(AttemptError::Problem(_)), Some(before)) => return Ok((before, head)),
            (Err(error), _) => return Err(error),
        };
        let (is_end, was_looked_at) = (scan.last.seq >= head.seq, scan.last.seq.saturating_sub(ask.after));
        if is_end || scan.is_full(ask.limit) || scan.last.seq == last || was_looked_at >= AUDIT_SEARCH {
            return Ok((scan, head));
        }
        found = Some(scan);
    }
}

/// Reads the entries that `page` carries, or those of the segment that it names.
async fn read_part(
    services: &impl Services,
    ask: &ReadEntries,
    page: EntryPage,
    reservation: &Reservation,
) -> Result<EntryScan, AttemptError> {
    let EntryPage { scan, segment, kept_from, .. } = page;
    let Some(segment) = segment else {
        let bytes: usize = scan.entries.iter().map(|kept| kept.entry.len()).sum();
        reservation.reserve(bytes * LINE_COPIES)?;
        return Ok(scan);
    };
    match segment::read(services.data_bucket(), &segment, ask, reservation).await {
        Ok(scan) => Ok(scan),
        Err(SegmentError::OutOfMemory(error)) => Err(error.into()),
        Err(SegmentError::Failed(_)) => Err(problems::unavailable().into()),
        Err(SegmentError::Damaged) => Err(problems::audit_damaged(segment.last).into()),
        Err(SegmentError::Gone) => {
            let first = first_entry_after(services, &segment).await?.unwrap_or(kept_from);
            Err(problems::audit_gone(first.saturating_sub(1)).into())
        }
    }
}

/// The sequence number of the first entry after this segment that a segment in the bucket holds.
async fn first_entry_after(services: &impl Services, segment: &AuditSegment) -> Result<Option<u64>, Problem> {
    let ask = ListRequest { prefix: AUDIT_SEGMENTS.into(), after: Some(segment.key.clone()), ..ListRequest::default() };
    let listed = services.data_bucket().list(&ask).await.map_err(|_| problems::unavailable())?;
    Ok(listed.objects.iter().filter_map(|(key, _)| segment_first(key)).find(|first| *first > segment.last))
}
