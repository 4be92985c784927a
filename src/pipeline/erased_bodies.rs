//! Overwrites erased bodies in their packs, and says which payloads a pack has, and which ones an erasure made of others.
//!
//! # Invariants
//! Only bodies that the ledger notes as erased are overwritten, with zeros; every other byte of a pack stays where it is.

use std::collections::BTreeMap;

use crate::backend::{BackendError, Bucket, ByteStream, WholeBody};
use crate::ledger::DeliveryId;
use crate::ledger::calls::{BatchDetails, GetBatch, PayloadSelection};
use crate::ledger::delivery::{BodyLocation, Payload};
use crate::ledger::erased_lines::ErasedBody;
use crate::ledger::ids::FIRST_WITHOUT_ERASED;
use crate::limits::{ERASURE_ROUNDS, PAYLOADS_PAGE};
use crate::rpc;
use crate::services::Services;

/// The erased lines that the bodies of a plan had, by the index of the payload: offsets, ascending.
pub(super) type ErasedOffsets = BTreeMap<String, Vec<u64>>;

/// Returns the erased lines of one plan.
pub(super) fn erased_of(bodies: &[ErasedBody], plan: u32) -> ErasedOffsets {
    let of_plan = bodies.iter().filter(|body| body.plan == plan);
    of_plan.map(|body| (body.index.clone(), body.lines.iter().collect())).collect()
}

/// Returns the payloads whose erased lines the part with this number of a payload lacks, by their indexes: none for a half.
pub(super) fn predecessors(whole: &str, part: &str) -> Vec<String> {
    let Some(number) = part.parse::<u32>().ok().filter(|number| *number >= FIRST_WITHOUT_ERASED) else {
        return Vec::new();
    };
    let between = (FIRST_WITHOUT_ERASED..number).map(|number| format!("{whole}.{number}"));
    std::iter::once(whole.to_owned()).chain(between).collect()
}

/// Asks the ledger for the batch of a pack, and for the payloads whose bodies the pack has, in order.
pub(super) async fn members_of(
    services: &impl Services,
    id: &DeliveryId,
    place: &BodyLocation,
) -> Result<(Option<BatchDetails>, Vec<Payload>), BackendError> {
    // The index of the first one without its last digit precedes it, and all others by a few.
    let before = place.first.get(..place.first.len().saturating_sub(1)).unwrap_or_default().to_owned();
    let mut after = Some((id.plan, before));
    let (mut members, mut known) = (Vec::new(), None);
    while let Some(from) = after.take() {
        let payloads = PayloadSelection::Page { after: Some(from), limit: PAYLOADS_PAGE };
        let call = GetBatch { source: id.source.clone(), payloads };
        let mut details = rpc::call(services.ledgers(), &id.ledger, &call).await?;
        let page = std::mem::take(&mut details.payloads);
        let is_full = page.len() as u64 >= PAYLOADS_PAGE;
        let last = page.last().map(|last| (last.plan, last.payload.index.clone()));
        let is_member = |payload: &Payload| payload.pack.as_ref().is_some_and(|pack| pack.first == place.first);
        let before = members.len();
        let of_plan = page.into_iter().filter(|view| view.plan == id.plan).map(|view| view.payload);
        members.extend(of_plan.filter(is_member));
        known = known.or(Some(details));
        after = last.filter(|_| is_full && (before == 0 || members.len() > before));
    }
    Ok((known, members))
}

/// Overwrites the erased bodies of a pack, if it exists. Another one that writes the pack at the same time may bring one back, so
/// this looks again after each write.
pub(super) async fn overwrite_erased(
    services: &impl Services,
    id: &DeliveryId,
    place: &BodyLocation,
) -> Result<(), BackendError> {
    let (bucket, key) = (services.data_bucket(), place.key(&id.source, id.plan));
    for _ in 0..ERASURE_ROUNDS {
        let (_, members) = members_of(services, id, place).await?;
        if !members.is_empty() && !members.iter().any(is_erased) {
            return Ok(());
        }
        let Some((head, body)) = bucket.get(&key).await? else { return Ok(()) };
        if members.is_empty() {
            // The sweep removed it meanwhile, and removes no pack twice.
            return bucket.delete(&[key]).await;
        }
        let mut bytes = WholeBody::new(body, head.size).all().await?;
        if !overwrite(&mut bytes, &members) {
            return Ok(());
        }
        bucket.put(&key, bytes).await?;
    }
    Err(BackendError::new("erasing bodies", "others write the same pack again and again"))
}

/// Returns whether the ledger notes the body of a payload as erased.
pub(super) fn is_erased(payload: &Payload) -> bool {
    payload.pack.as_ref().is_some_and(|place| place.erased)
}

/// Returns whether a body is one that was overwritten.
pub(super) fn is_overwritten(body: &[u8]) -> bool {
    !body.is_empty() && body.iter().all(|byte| *byte == 0)
}

/// Overwrites the erased bodies in the bytes of their pack; returns whether any was not yet.
fn overwrite(pack: &mut [u8], members: &[Payload]) -> bool {
    let mut changed = false;
    for member in members.iter().filter(|member| is_erased(member)) {
        let Some(place) = &member.pack else { continue };
        let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(pack.len());
        let bytes = within(place.offset)..within(place.offset.saturating_add(member.bytes));
        let Some(body) = pack.get_mut(bytes) else { continue };
        changed |= body.iter().any(|byte| *byte != 0);
        body.fill(0);
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::{is_overwritten, overwrite, predecessors};
    use crate::ledger::delivery::{BodyLocation, Payload};

    fn member(offset: u64, bytes: u64, erased: bool) -> Payload {
        let pack = Some(BodyLocation { first: "000000".into(), digest: "5a".into(), offset, erased });
        Payload { index: String::new(), sha256: String::new(), lines: 1, bytes, first_offset: 0, last_offset: 0, pack }
    }

    #[test]
    fn only_erased_bodies_become_zeros() {
        let members = [member(0, 2, false), member(2, 3, true), member(5, 1, false), member(6, 4, true)];
        let mut pack = [7; 8];
        assert!(overwrite(&mut pack, &members), "a pack that is too short, too");
        assert_eq!(pack, [7, 7, 0, 0, 0, 7, 0, 0]);
        assert!(!overwrite(&mut pack, &members), "a second time changes nothing");
        assert!(is_overwritten(&pack[2..5]) && !is_overwritten(&pack[1..5]) && !is_overwritten(&[]));
    }

    #[test]
    fn part_lacks_lines_of_its_predecessors() {
        assert_eq!(predecessors("000003", "0"), [""; 0]);
        assert_eq!(predecessors("000003", "1"), [""; 0]);
        assert_eq!(predecessors("000003", "2"), ["000003"]);
        assert_eq!(predecessors("000003.1", "4"), ["000003.1", "000003.1.2", "000003.1.3"]);
    }
}
