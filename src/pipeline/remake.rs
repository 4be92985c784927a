//! Makes a pack again whose object is gone from the bucket, because someone's lifecycle rule removed it: from the batch, by the
//! plan that was pinned when it was first read.
//!
//! # Invariants
//! What is made again is what was sealed, byte for byte, which each body's hash shows; anything else is thrown away. An
//! isolate reads one batch at a time.

use std::ops::ControlFlow;

use sha2::{Digest, Sha256};

use super::payload::{PackedPayload, PayloadPacker};
use super::plan_rules::PlanRules;
use super::read_permit::{HeartbeatBody, acquire_read_permit};
use crate::backend::{BackendError, Bucket, ByteStream, WholeBody};
use crate::batch::{BatchLine, BatchReader};
use crate::ledger::DeliveryId;
use crate::ledger::calls::{BatchDetails, GetBatch, PayloadSelection};
use crate::ledger::delivery::{BodyLocation, Payload};
use crate::limits::PAYLOADS_PAGE;
use crate::memory::ReadPermit;
use crate::record::{Dataset, KeyNames, read_key_by};
use crate::rpc;
use crate::services::Services;

/// Makes the pack with the body of this payload again; `None` if its batch is gone too, or no longer gives the same bytes.
///
/// # Errors
/// [`BackendError`] if a backend failed: trying again may help.
pub(super) async fn remake_pack(
    services: &impl Services,
    id: &DeliveryId,
    place: &BodyLocation,
) -> Result<Option<Vec<u8>>, BackendError> {
    let permit = acquire_read_permit(services).await?;
    // Another payload of the pack may have had it made while this one waited.
    if let Some((_, body)) = services.data_bucket().get(&place.key(&id.source, id.plan)).await? {
        return body.all().await.map(Some);
    }
    let Some(pack) = LostPack::find(services, id, place).await? else { return Ok(None) };
    let Some(bodies) = pack.read(services, &permit).await? else { return Ok(None) };
    let bytes = bodies.concat();
    // Without it, the next payload of the pack reads the batch once more.
    let _kept = services.data_bucket().put_new(&place.key(&id.source, id.plan), bytes.clone()).await;
    Ok(Some(bytes))
}

/// A pack whose object is gone, with what it is made of.
struct LostPack {
    details: BatchDetails,
    rules: PlanRules,
    /// The payloads whose bodies it has, in order.
    members: Vec<Payload>,
    /// Offsets of the lines that were left out as duplicates.
    left_out: Vec<u64>,
}

impl LostPack {
    /// Asks the ledger for the payloads and the plan; `None` if it does not have them.
    async fn find(
        services: &impl Services,
        id: &DeliveryId,
        place: &BodyLocation,
    ) -> Result<Option<Self>, BackendError> {
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
        let Some(details) = known else { return Ok(None) };
        let plan = details.plans.iter().find(|plan| plan.number == id.plan).cloned();
        let Some(rules) = plan.and_then(PlanRules::new) else { return Ok(None) };
        let duplicates = details.duplicates.iter().find(|of_plan| of_plan.plan == id.plan && !of_plan.sent);
        let left_out = duplicates.iter().flat_map(|of_plan| &of_plan.listed).map(|line| line.offset).collect();
        Ok(Some(Self { details, rules, members, left_out }))
    }

    /// Reads the batch, and makes the bodies again; `None` if it is gone, or they are not those that were sealed.
    async fn read(&self, services: &impl Services, permit: &ReadPermit) -> Result<Option<Vec<Vec<u8>>>, BackendError> {
        let Some(batch) = &self.details.batch else { return Ok(None) };
        let Some((head, body)) = services.bucket().get(&batch.object.key).await? else { return Ok(None) };
        let Some(dataset) = Dataset::from_name(&batch.dataset).filter(|_| head.etag == batch.object.etag) else {
            return Ok(None);
        };
        let names = services.log_prefixes().key_names(&batch.object.key, dataset);
        let mut bodies =
            BodyMaker { pack: self, names, default_ms: batch.object.default_ms(), made: Vec::new(), open: None };
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
    made: Vec<Vec<u8>>,
    /// The lines so far of the payload that is being made, each with its line feed.
    open: Option<PartnerLines>,
}

/// Lines for the partner, in order.
#[derive(Default)]
struct PartnerLines {
    text: Vec<u8>,
    /// Where each line ends in the text.
    ends: Vec<usize>,
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
            open.ends.push(open.text.len());
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
            let body = lines.body_of(&member.index)?;
            let fits = body.len() as u64 == member.bytes && hex::encode(Sha256::digest(&body)) == member.sha256;
            self.made.push(fits.then_some(body)?);
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
    /// Returns the body of the payload with this index, of the lines of the payload that it is a part of.
    fn body_of(&self, index: &str) -> Option<Vec<u8>> {
        let mut lines = 0..self.ends.len();
        // Each split puts the first half into the part 0, and the rest into the part 1.
        for part in index.split('.').skip(1) {
            let middle = lines.start + lines.len() / 2;
            lines = if part == "0" { lines.start..middle } else { middle..lines.end };
        }
        let mut packer = PayloadPacker::new(u32::MAX);
        let mut start = lines.start.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        for end in self.ends.get(lines)? {
            packer.text().extend_from_slice(self.text.get(start..*end)?);
            packer.end_line(0);
            start = *end;
        }
        packer.finish().map(|PackedPayload { body, .. }| body)
    }
}
