//! Reads the bodies of claimed payloads from their packs: with one request where they follow each other there.
//!
//! # Invariants
//! Each payload gets exactly the bytes that its pack has at its place, however many were read with them. What is wrong with one
//! read is found out for each payload by itself.

use std::ops::Range;

use super::remake::remake_pack;
use super::sender::{ClaimedPayload, PayloadSender};
use crate::backend::{BackendError, Bucket, ByteStream, PartnerClient, RangedRead};
use crate::ledger::delivery::BodyLocation;
use crate::ledger::erasures::ensure_fresh;
use crate::services::Services;

/// A body; `None` if its payload has no pack, its body is erased, or its pack is gone and cannot be made again.
pub(super) type ReadBody = Result<Option<Vec<u8>>, BackendError>;

/// Returns the bytes of a payload in its pack; `None` if it has no pack, or its body is erased.
fn place_of(claimed: &ClaimedPayload) -> Option<(&BodyLocation, Range<u64>)> {
    let place = claimed.payload.pack.as_ref().filter(|place| !place.erased)?;
    Some((place, place.offset..place.offset.saturating_add(claimed.payload.bytes)))
}

/// Returns whether the second body begins where the first one ends, in the same pack.
fn follows(one: &ClaimedPayload, next: &ClaimedPayload) -> bool {
    let is_one_plan = (&one.id.source, one.id.plan) == (&next.id.source, next.id.plan);
    let (Some((pack, bytes)), Some((next_pack, next_bytes))) = (place_of(one), place_of(next)) else { return false };
    is_one_plan && (&pack.first, &pack.digest) == (&next_pack.first, &next_pack.digest) && bytes.end == next_bytes.start
}

impl<W: Services, P: PartnerClient, N: Fn() -> u32> PayloadSender<'_, W, P, N> {
    /// Returns the bodies of payloads, in their order.
    pub(super) async fn bodies(&self, claimed: &[ClaimedPayload]) -> Vec<ReadBody> {
        let mut bodies = Vec::with_capacity(claimed.len());
        for run in claimed.chunk_by(follows) {
            if let Some(together) = self.bodies_of_run(run).await {
                bodies.extend(together.into_iter().map(|body| Ok(Some(body))));
                continue;
            }
            for one in run {
                bodies.push(self.body(one).await);
            }
        }
        bodies
    }

    /// Reads several bodies that follow each other in a pack; `None` if there is one only, or if not all of them came.
    async fn bodies_of_run(&self, run: &[ClaimedPayload]) -> Option<Vec<Vec<u8>>> {
        let [first, .., last] = run else { return None };
        let ((pack, bytes), (_, last_bytes)) = (place_of(first)?, place_of(last)?);
        let key = pack.key(&first.id.source, first.id.plan);
        let mut rest = cut(self.services.data_bucket(), &key, bytes.start..last_bytes.end).await.ok()??;
        if rest.len() as u64 != last_bytes.end - bytes.start {
            return None;
        }
        // From the last one on, so that each byte is moved once.
        let mut bodies = Vec::with_capacity(run.len());
        for claimed in run.iter().rev() {
            let at = rest.len().checked_sub(usize::try_from(claimed.payload.bytes).ok()?)?;
            bodies.push(rest.split_off(at));
        }
        bodies.reverse();
        Some(bodies)
    }

    /// Returns the body of a payload, made again if its pack does not exist; `None` if it has no pack, or cannot be made.
    async fn body(&self, claimed: &ClaimedPayload) -> ReadBody {
        let Some((place, bytes)) = place_of(claimed) else { return Ok(None) };
        let ClaimedPayload { id, .. } = claimed;
        let bucket = self.services.data_bucket();
        if let Some(body) = cut(bucket, &place.key(&id.source, id.plan), bytes.clone()).await? {
            return Ok(Some(body));
        }
        let known = &self.services.isolate().erasures;
        let erased = ensure_fresh(self.services.ledgers(), known, self.services.now_ms()).await?;
        let pack = remake_pack(self.services, id, place, &|line| erased.has(line)).await?;
        let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        Ok(pack.and_then(|pack| pack.get(within(bytes.start)..within(bytes.end)).map(<[u8]>::to_vec)))
    }
}

/// Returns these bytes of a pack; fewer if it ends earlier, `None` if it does not exist.
pub(super) async fn cut(bucket: &impl Bucket, key: &str, bytes: Range<u64>) -> Result<Option<Vec<u8>>, BackendError> {
    let read = match bucket.get_range(key, None, bytes.clone()).await {
        Ok(RangedRead::Body(body)) => body.all().await,
        Ok(RangedRead::Changed | RangedRead::Gone) => return Ok(None),
        Err(error) => Err(error),
    };
    let (came, asked) = (read.as_ref().map_or(0, Vec::len) as u64, bytes.end - bytes.start);
    if came == asked {
        return read.map(Some);
    }
    // Either the pack ends earlier, which no retry changes, or the connection broke.
    match bucket.get(key).await? {
        None => Ok(None),
        Some((head, _)) if head.size < bytes.end => Ok(Some(read.unwrap_or_default())),
        Some(_) => Err(read
            .err()
            .unwrap_or_else(|| BackendError::new("reading a payload", format!("{came} bytes came of {asked}")))),
    }
}
