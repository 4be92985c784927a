//! Makes a pack again whose object is gone from the bucket, because someone's lifecycle rule removed it: from the batch, by the
//! plan that was pinned when it was first read.
//!
//! # Invariants
//! What is made again is what was sealed, byte for byte, which each body's hash shows; anything else is thrown away. A body
//! with an erased line is zeros. An isolate reads one batch at a time.

use std::ops::ControlFlow;

use sha2::{Digest, Sha256};

use super::erased_bodies::{ErasedOffsets, erased_of, is_erased, members_of, overwrite_erased, predecessors};
use super::payload::{PackedPayload, PayloadPacker};
use super::plan_rules::PlanRules;
use super::read_permit::{HeartbeatBody, acquire_read_permit};
use crate::backend::{BackendError, Bucket, ByteStream, WholeBody};
use crate::batch::{BatchLine, BatchReader};
use crate::erasure::JudgedLine;
use crate::index::ObjectVersion;
use crate::ledger::DeliveryId;
use crate::ledger::calls::BatchDetails;
use crate::ledger::delivery::{BodyLocation, Payload};
use crate::memory::ReadPermit;
use crate::record::{Dataset, KeyNames, read_key_by};
use crate::services::Services;

/// Says whether a line is erased: by the names that its job uses, its key, its offset and its text.
pub(super) type IsErased<'r> = &'r dyn Fn(&JudgedLine<'_>) -> bool;

/// Erases no line.
pub(super) fn erases_nothing(_: &JudgedLine<'_>) -> bool {
    false
}

/// Makes the pack with the body of this payload again; `None` if its batch is gone too, or no longer gives the same bytes. A body
/// with a line that is erased is zeros there, and so is one that the ledger notes as erased.
///
/// # Errors
/// [`BackendError`] if a backend failed: trying again may help.
pub(super) async fn remake_pack(
    services: &impl Services,
    id: &DeliveryId,
    place: &BodyLocation,
    is_erased: IsErased<'_>,
) -> Result<Option<Vec<u8>>, BackendError> {
    let permit = acquire_read_permit(services).await?;
    // Another payload of the pack may have had it made while this one waited.
    if let Some((_, body)) = services.data_bucket().get(&place.key(&id.source, id.plan)).await? {
        return body.all().await.map(Some);
    }
    let Some(pack) = LostPack::find(services, id, place).await? else { return Ok(None) };
    let Some(bodies) = pack.read(services, &permit, is_erased).await? else { return Ok(None) };
    let bytes = bodies.concat();
    // Without it, the next payload of the pack reads the batch once more.
    let _kept = services.data_bucket().put_new(&place.key(&id.source, id.plan), bytes.clone()).await;
    // An erasure that came meanwhile found no pack to overwrite.
    overwrite_erased(services, id, place).await?;
    Ok(Some(bytes))
}

/// Makes one body of a lost pack again, as it was sealed, and stores nothing; `None` if its batch is gone too, or no longer gives
/// the same bytes.
pub(super) async fn remake_body(
    services: &impl Services,
    id: &DeliveryId,
    place: &BodyLocation,
) -> Result<Option<Vec<u8>>, BackendError> {
    let permit = acquire_read_permit(services).await?;
    let Some(pack) = LostPack::find(services, id, place).await? else { return Ok(None) };
    let bodies = pack.read(services, &permit, &erases_nothing).await?.unwrap_or_default();
    let of_members = pack.members.iter().zip(bodies);
    Ok(of_members.filter(|(member, _)| member.index == id.index && !is_erased(member)).map(|(_, body)| body).next())
}

/// A pack whose object is gone, with what it is made of.
struct LostPack {
    details: BatchDetails,
    rules: PlanRules,
    /// The payloads whose bodies it has, in order.
    members: Vec<Payload>,
    /// Offsets of the lines that were left out as duplicates.
    left_out: Vec<u64>,
    /// The erased lines that bodies of the plan had.
    erased: ErasedOffsets,
}

impl LostPack {
    /// Asks the ledger for the payloads and the plan; `None` if it does not have them.
    async fn find(
        services: &impl Services,
        id: &DeliveryId,
        place: &BodyLocation,
    ) -> Result<Option<Self>, BackendError> {
        let (known, members) = members_of(services, id, place).await?;
        let Some(details) = known else { return Ok(None) };
        let plan = details.plans.iter().find(|plan| plan.number == id.plan).cloned();
        let Some(rules) = plan.and_then(PlanRules::new) else { return Ok(None) };
        let duplicates = details.duplicates.iter().find(|of_plan| of_plan.plan == id.plan && !of_plan.sent);
        let left_out = duplicates.iter().flat_map(|of_plan| &of_plan.listed).map(|line| line.offset).collect();
        let erased = erased_of(&details.erased, id.plan);
        Ok(Some(Self { details, rules, members, left_out, erased }))
    }

    /// Reads the batch, and makes the bodies again; `None` if it is gone, or they are not those that were sealed.
    async fn read(
        &self,
        services: &impl Services,
        permit: &ReadPermit,
        is_erased: IsErased<'_>,
    ) -> Result<Option<Vec<Vec<u8>>>, BackendError> {
        let Some(batch) = &self.details.batch else { return Ok(None) };
        let Some((head, body)) = services.bucket().get(&batch.object.key).await? else { return Ok(None) };
        // One that was rewritten lacks erased lines alone.
        let is_same = ObjectVersion::new(&batch.object.key, &head).batch_etag() == batch.object.batch_etag();
        let Some(dataset) = Dataset::from_name(&batch.dataset).filter(|_| is_same) else { return Ok(None) };
        let names = services.log_prefixes().key_names(&batch.object.key, dataset);
        let default_ms = batch.object.default_ms();
        let mut bodies = BodyMaker { pack: self, names, default_ms, is_erased, made: Vec::new(), open: None };
        let body = WholeBody::new(body, head.size);
        let mut body = HeartbeatBody { permit, now_ms: || services.now_ms(), body };
        let mut reader = BatchReader::default();
        while let Some(piece) = body.next().await? {
            match reader.push(&piece, |line| bodies.line(&line)) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Ok(bodies.finish()),
                Err(_) => return Ok(None),
            }
        }
        let is_whole = reader.finish(|line| bodies.line(&line)).is_ok();
        Ok(bodies.finish().filter(|_| is_whole))
    }
}

/// Makes the bodies of a pack from the lines of its batch.
struct BodyMaker<'a> {
    pack: &'a LostPack,
    names: KeyNames,
    /// The instant of records without a time, in Unix milliseconds.
    default_ms: i64,
    is_erased: IsErased<'a>,
    made: Vec<Vec<u8>>,
    /// The lines so far of the payload that is being made, each with its line feed.
    open: Option<PartnerLines>,
}

/// Lines for the partner, in order.
#[derive(Default)]
struct PartnerLines {
    text: Vec<u8>,
    lines: Vec<MadeLine>,
}

/// A line for the partner.
#[derive(Clone, Copy)]
struct MadeLine {
    /// Where it begins in the batch.
    offset: u64,
    /// Where it ends in the text.
    end: usize,
    is_erased: bool,
}

impl BodyMaker<'_> {
    /// Takes a line of the batch; ends the reading behind the last payload.
    fn line(&mut self, line: &BatchLine<'_>) -> ControlFlow<()> {
        let BatchLine::Text { offset, bytes, .. } = line else { return ControlFlow::Continue(()) };
        loop {
            let Some(member) = self.pack.members.get(self.made.len()) else { return ControlFlow::Break(()) };
            if *offset <= member.last_offset {
                if *offset >= member.first_offset {
                    self.take(*offset, bytes);
                }
                return ControlFlow::Continue(());
            }
            if self.close().is_none() {
                return ControlFlow::Break(());
            }
        }
    }

    fn take(&mut self, at: u64, line: &[u8]) {
        let key = read_key_by(&self.names, line).unwrap_or_default();
        let rules = &self.pack.rules;
        if !rules.covers(key.unix_ms().unwrap_or(self.default_ms), at) || self.pack.left_out.contains(&at) {
            return;
        }
        let open = self.open.get_or_insert_default();
        if rules.write(&mut open.text, &self.names, line).is_ok() {
            let dataset = self.names.dataset();
            let is_erased = (self.is_erased)(&JudgedLine { dataset, key: &key, default_ms: self.default_ms, line });
            open.lines.push(MadeLine { offset: at, end: open.text.len(), is_erased });
        }
    }

    /// Closes the payload that is being made, and those that are parts of the same one; `None` if they are not what was
    /// sealed.
    fn close(&mut self) -> Option<()> {
        let lines = self.open.take()?;
        let range = self.pack.members.get(self.made.len()).map(|member| (member.first_offset, member.last_offset))?;
        let is_part = |member: &Payload| member.index.contains('.');
        while let Some(member) = self.pack.members.get(self.made.len()) {
            if (member.first_offset, member.last_offset) != range {
                break;
            }
            self.made.push(lines.body_of(member, &self.pack.erased)?);
            if !is_part(member) {
                break;
            }
        }
        Some(())
    }

    /// Returns the bodies if all were made.
    fn finish(mut self) -> Option<Vec<Vec<u8>>> {
        if self.made.len() < self.pack.members.len() {
            self.close()?;
        }
        (self.made.len() == self.pack.members.len() && !self.made.is_empty()).then_some(self.made)
    }
}

impl PartnerLines {
    /// Returns the body of a payload, of the lines of the payload that it is a part of; `None` if it is not what was sealed. Zeros
    /// stand for one that is erased.
    fn body_of(&self, member: &Payload, erased: &ErasedOffsets) -> Option<Vec<u8>> {
        let numbers = self.numbers_of(&member.index, erased);
        let has_erased = |number: &usize| self.lines.get(*number).is_some_and(|line| line.is_erased);
        if is_erased(member) || numbers.iter().any(has_erased) {
            return Some(vec![0; usize::try_from(member.bytes).ok()?]);
        }
        let mut packer = PayloadPacker::new(u32::MAX);
        for number in numbers {
            let start = number.checked_sub(1).map_or(Some(0), |before| self.lines.get(before).map(|line| line.end))?;
            packer.text().extend_from_slice(self.text.get(start..self.lines.get(number)?.end)?);
            packer.end_line(0);
        }
        let PackedPayload { body, .. } = packer.finish()?;
        let fits = body.len() as u64 == member.bytes && hex::encode(Sha256::digest(&body)) == member.sha256;
        fits.then_some(body)
    }

    /// Returns the numbers of the lines of the payload with this index.
    fn numbers_of(&self, index: &str, erased: &ErasedOffsets) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..self.lines.len()).collect();
        let (mut whole, mut parts) = (String::new(), index.split('.'));
        whole.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let middle = numbers.len() / 2;
            match part {
                // Each split puts the first half into the part 0, and the rest into the part 1.
                "0" => numbers.truncate(middle),
                "1" => drop(numbers.drain(..middle)),
                _ => {
                    let gone: Vec<u64> = predecessors(&whole, part)
                        .iter()
                        .filter_map(|name| erased.get(name))
                        .flatten()
                        .copied()
                        .collect();
                    numbers.retain(|number| self.lines.get(*number).is_some_and(|line| !gone.contains(&line.offset)));
                }
            }
            whole = format!("{whole}.{part}");
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::{ErasedOffsets, MadeLine, PackedPayload, PartnerLines, Payload, PayloadPacker};
    use crate::ledger::delivery::BodyLocation;

    /// Six lines at offsets 0, 10, 20 …, of which these are erased.
    fn made(erased: &[u64]) -> PartnerLines {
        let mut lines = PartnerLines::default();
        for offset in (0..6).map(|number| 10 * number) {
            lines.text.extend_from_slice(format!("line at {offset}\n").as_bytes());
            let is_erased = erased.contains(&offset);
            lines.lines.push(MadeLine { offset, end: lines.text.len(), is_erased });
        }
        lines
    }

    /// The payload with this index of the lines at these offsets, with its body.
    fn sealed(index: &str, offsets: &[u64]) -> (Payload, Vec<u8>) {
        let mut packer = PayloadPacker::new(u32::MAX);
        for offset in offsets {
            packer.text().extend_from_slice(format!("line at {offset}\n").as_bytes());
            packer.end_line(0);
        }
        let PackedPayload { payload, body } = packer.finish().unwrap();
        assert_eq!(payload.sha256, hex::encode(Sha256::digest(&body)));
        (Payload { index: index.into(), ..payload }, body)
    }

    #[test]
    fn body_of_a_part_has_what_was_left() {
        let erased: ErasedOffsets =
            [("7".to_owned(), vec![10]), ("7.2".to_owned(), vec![40]), ("7.3.1".into(), vec![50])].into();
        for (index, offsets) in [
            ("7", &[0, 10, 20, 30, 40, 50][..]),
            ("7.2", &[0, 20, 30, 40, 50]),
            ("7.3", &[0, 20, 30, 50]),
            ("7.3.0", &[0, 20]),
            ("7.3.1", &[30, 50]),
            ("7.3.1.2", &[30]),
            ("7.2.0", &[0, 20]),
            ("7.1", &[30, 40, 50]),
        ] {
            let (payload, body) = sealed(index, offsets);
            assert_eq!(made(&[]).body_of(&payload, &erased), Some(body), "{index}");
        }
        let (other, _) = sealed("7.2", &[0, 10, 20]);
        assert_eq!(made(&[]).body_of(&other, &erased), None, "not what was sealed");
    }

    #[test]
    fn body_with_erased_line_is_zeros() {
        let erased: ErasedOffsets = [("7".to_owned(), vec![10])].into();
        let (whole, _) = sealed("7", &[0, 10, 20, 30, 40, 50]);
        let zeros = Some(vec![0; usize::try_from(whole.bytes).unwrap()]);
        assert_eq!(made(&[10]).body_of(&whole, &erased), zeros);
        let (left, body) = sealed("7.2", &[0, 20, 30, 40, 50]);
        assert_eq!(made(&[10]).body_of(&left, &erased), Some(body), "it lacks the line");
        let place = BodyLocation { first: "7".into(), digest: "5a".into(), offset: 0, erased: true };
        assert_eq!(made(&[]).body_of(&Payload { pack: Some(place), ..whole }, &erased), zeros, "the ledger says so");
    }
}
