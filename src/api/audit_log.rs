//! `GET /v1/audit`: the entries of the audit log, oldest first.
//!
//! The audit log's Durable Object holds the last entries, the segments in the bucket hold the earlier ones. A page may
//! join both. A page ends before a segment that cannot be read, and the next page reports the problem.
//!
//! # Invariants
//! Entries come in order with their hashes, and `chain_valid` says whether each hash follows from the one before,
//! across the borders of segments too. Reading the audit log is itself recorded in it.

use serde::Serialize;
use serde_json::value::RawValue;

use super::retry::{AttemptError, retry_while_out_of_memory};
use crate::audit::AUDIT;
use crate::audit::calls::{AuditSegment, ChainEntry, ChainHead, EntryPage, ReadEntries};
use crate::audit::chain::is_chain_valid;
use crate::audit::segment::{self, SegmentError, SegmentPart};
use crate::backend::{Bucket, ListRequest};
use crate::bucket_keys::{AUDIT_SEGMENTS, segment_first};
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::limits::{AUDIT_PAGE, LINE_COPIES, LISTED};
use crate::memory::Reservation;
use crate::rpc;
use crate::services::Services;

/// A page of at most [`AUDIT_PAGE`] entries.
#[derive(Serialize)]
struct AuditPageResponse {
    entries: Vec<AuditEntryResponse>,
    /// The hash of the entry before the first of the page.
    before: String,
    /// Whether each hash follows from the one before it.
    chain_valid: bool,
    /// The newest entry of the whole log.
    head: ChainHead,
    /// The parameter `after` of the next page; null on the last page.
    after: Option<u64>,
}

#[derive(Serialize)]
struct AuditEntryResponse {
    seq: u64,
    hash: String,
    /// The text that was hashed, byte for byte.
    entry: Option<Box<RawValue>>,
}

/// Answers with the entries after the parameter `after`, at most `limit`.
pub(crate) async fn list_audit_entries<B>(
    services: &impl Services,
    request: &HttpRequest<B>,
) -> Result<Reply, Problem> {
    let after = match request.parameter("after") {
        None => 0,
        Some(number) => {
            number.parse().map_err(|_| problems::bad_parameter("after", "the sequence number of an entry"))?
        }
    };
    let limit = request.number_parameter("limit", LISTED, AUDIT_PAGE)?;
    let reservation = services.memory().reservation();
    let (SegmentPart { entries, before, chain_valid }, head) =
        retry_while_out_of_memory(services, &reservation, async || {
            collect_entries(services, ReadEntries { after, limit }, &reservation).await
        })
        .await?;
    let last = entries.last().map(|kept| kept.seq);
    let shown =
        |ChainEntry { seq, entry, hash }| AuditEntryResponse { seq, hash, entry: RawValue::from_string(entry).ok() };
    Ok(Reply::json(&AuditPageResponse {
        before,
        chain_valid,
        after: last.filter(|last| *last < head.seq),
        head,
        entries: entries.into_iter().map(shown).collect(),
    }))
}

/// Reads entries until the page is full, from as many segments as it takes and then from the audit log itself.
async fn collect_entries(
    services: &impl Services,
    ask: ReadEntries,
    reservation: &Reservation,
) -> Result<(SegmentPart, ChainHead), AttemptError> {
    let mut found: Option<SegmentPart> = None;
    loop {
        let (last_read, so_far) = found.as_ref().map_or((ask.after, 0), |found| {
            (found.entries.last().map_or(ask.after, |kept| kept.seq), found.entries.len() as u64)
        });
        let ask_rest = ReadEntries { after: last_read, limit: ask.limit.saturating_sub(so_far) };
        let page = rpc::call(services.audit_log(), AUDIT, &ask_rest).await;
        let page = page.map_err(|_| problems::not_audited())?;
        let head = page.head.clone();
        let part = match (read_part(services, &ask_rest, page, reservation).await, found.take()) {
            (Ok(part), None) => part,
            (Ok(part), Some(before)) => join_parts(before, part),
            // The page ends here, and the next one reports the problem.
            (Err(AttemptError::Problem(_)), Some(before)) => return Ok((before, head)),
            (Err(error), _) => return Err(error),
        };
        let count = part.entries.len() as u64;
        if count == so_far || count >= ask.limit || part.entries.last().is_some_and(|last| last.seq >= head.seq) {
            return Ok((part, head));
        }
        found = Some(part);
    }
}

/// Joins two parts, and checks that the second continues the chain of the first.
fn join_parts(mut first: SegmentPart, second: SegmentPart) -> SegmentPart {
    let follows = first.entries.last().is_none_or(|last| last.hash == second.before);
    first.chain_valid &= second.chain_valid && follows;
    first.entries.extend(second.entries);
    first
}

/// Reads the entries that `page` carries, or those of the segment that it names.
async fn read_part(
    services: &impl Services,
    ask: &ReadEntries,
    page: EntryPage,
    reservation: &Reservation,
) -> Result<SegmentPart, AttemptError> {
    let EntryPage { entries, before, segment, kept_from, .. } = page;
    let Some(segment) = segment else {
        let bytes: usize = entries.iter().map(|kept| kept.entry.len()).sum();
        reservation.reserve(bytes * LINE_COPIES)?;
        return Ok(SegmentPart { chain_valid: is_chain_valid(&before, &entries), entries, before });
    };
    match segment::read(services.data_bucket(), &segment, ask.after, ask.limit, reservation).await {
        Ok(part) => Ok(part),
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
