//! Reads entries of a chain of the audit log, wherever they are: its Durable Object holds the last ones, the segments in the
//! bucket hold the earlier ones.
//!
//! # Invariants
//! What is read joins both without a gap. It ends before a segment that cannot be read, and the next reading reports the
//! problem.

use super::retry::AttemptError;
use crate::access::ChainNumber;
use crate::audit::calls::{AuditSegment, ChainHead, EntryPage, ReadEntries};
use crate::audit::chains::chain_object;
use crate::audit::search::EntryScan;
use crate::audit::segment::{self, SegmentError};
use crate::backend::{Bucket, CallError, ListRequest};
use crate::bucket_keys::{SegmentName, segments_prefix};
use crate::http::{Problem, problems};
use crate::limits::LINE_COPIES;
use crate::memory::Reservation;
use crate::rpc;
use crate::services::Services;

/// What is read of a chain.
pub(super) struct ChainRead<F> {
    /// The chain.
    pub(super) chain: ChainNumber,
    /// Which entries of it.
    pub(super) ask: ReadEntries,
    /// The number of entries that are looked at for them.
    pub(super) search: u64,
    /// What a caller sends as `after` to continue after an entry.
    pub(super) resume: F,
}

/// Entries of a chain that were found.
pub(super) struct FoundEntries {
    pub(super) scan: EntryScan,
    /// The end of the chain.
    pub(super) head: ChainHead,
    /// How many chains there ever were; only the first one knows.
    pub(super) chains: u8,
}

/// Reads entries until there are as many as asked for, from as many segments as it takes and then from the chain's object.
pub(super) async fn collect_entries(
    services: &impl Services,
    read: &ChainRead<impl Fn(u64) -> String>,
    reservation: &Reservation,
) -> Result<FoundEntries, AttemptError> {
    let (ask, name) = (&read.ask, chain_object(read.chain));
    let mut found: Option<EntryScan> = None;
    loop {
        let (last, so_far) =
            found.as_ref().map_or((ask.after, 0), |found| (found.last.seq, found.entries.len() as u64));
        let rest = ReadEntries { after: last, limit: ask.limit.saturating_sub(so_far), filter: ask.filter.clone() };
        let page = rpc::call_held(services.audit_log(), services.memory(), &name, &rest).await;
        // The entries are reserved anew with all of their copies, before anyone else can be asked.
        let page = page.map_err(|error| match error {
            CallError::OutOfMemory(error) => AttemptError::OutOfMemory(error),
            CallError::Backend(_) => problems::not_audited().into(),
        })?;
        let (page, _) = page.into_parts();
        let (head, chains) = (page.head.clone(), page.chains);
        let scan = match (read_part(services, read, (&rest, page), reservation).await, found.take()) {
            (Ok(part), None) => part,
            (Ok(part), Some(mut before)) => {
                before.append(part);
                before
            }
            // The page ends here, and the next one reports the problem.
            (Err(AttemptError::Problem(_)), Some(scan)) => return Ok(FoundEntries { scan, head, chains }),
            (Err(error), _) => return Err(error),
        };
        let (is_end, was_looked_at) = (scan.last.seq >= head.seq, scan.last.seq.saturating_sub(ask.after));
        if is_end || scan.is_full(ask.limit) || scan.last.seq == last || was_looked_at >= read.search {
            return Ok(FoundEntries { scan, head, chains });
        }
        found = Some(scan);
    }
}

/// Reads the entries that `page` carries, or those of the segment that it names.
async fn read_part(
    services: &impl Services,
    read: &ChainRead<impl Fn(u64) -> String>,
    (ask, page): (&ReadEntries, EntryPage),
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
        Err(SegmentError::Damaged) => Err(problems::audit_damaged((read.resume)(segment.last)).into()),
        Err(SegmentError::Gone) => {
            let first = first_entry_after(services, read.chain, &segment).await?.unwrap_or(kept_from);
            Err(problems::audit_gone((read.resume)(first.saturating_sub(1))).into())
        }
    }
}

/// The sequence number of the first entry after this segment that a segment of the chain in the bucket holds.
async fn first_entry_after(
    services: &impl Services,
    chain: ChainNumber,
    segment: &AuditSegment,
) -> Result<Option<u64>, Problem> {
    let prefix = segments_prefix(chain.number());
    let ask = ListRequest { prefix, after: Some(segment.key.clone()), ..ListRequest::default() };
    let listed = services.data_bucket().list(&ask).await.map_err(|_| problems::unavailable())?;
    // Where the first chain begins, the others do, too.
    let mut names = listed.objects.iter().filter_map(|(key, _)| SegmentName::parse(key));
    Ok(names.find(|name| name.chain == chain.number() && name.first > segment.last).map(|name| name.first))
}
