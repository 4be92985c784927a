//! Takes erased lines out of the payloads of a batch that wait, erases the bodies of the others that have such lines, and says
//! what the partner has of them.
//!
//! For each payload in this order: what is left of it is stored in a pack of its own, the ledger replaces the payload and notes
//! its body as erased, the body is overwritten. So each crash leaves a payload that is as it was, or one that is never sent
//! again; repeating the call finishes the work, and then changes nothing more.
//!
//! # Invariants
//! A line is taken out of the payloads that have it by the rules of their plans, as often as it is erased. What a payload has of
//! lines that are equal is what its body shows. A payload that is being sent is left alone, and the call is to be repeated.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::bodies::cut;
use super::erased_bodies::{ErasedOffsets, erased_of, is_erased, is_overwritten, overwrite_erased, predecessors};
use super::pack::PackBuilder;
use super::payload::{inflated, repack};
use super::plan_rules::PlanRules;
use super::remake::remake_body;
use crate::backend::{BackendError, Bucket};
use crate::index::LineOffsets;
use crate::ledger::books::PayloadView;
use crate::ledger::calls::{BatchDetails, CheckPlan, GetBatch, PayloadSelection, PlanStanding};
use crate::ledger::delivery::{BodyLocation, Payload};
use crate::ledger::erased_lines::{ERASED, ErasePayload, PayloadRest, SentLines, is_taken};
use crate::ledger::{BatchId, DeliveryId, DeliveryPlan, DeliveryState};
use crate::limits::{ERASED_TOGETHER, ERASURE_ROUNDS};
use crate::record::{KeyNames, read_key_by};
use crate::rpc;
use crate::services::Services;

/// A line of a batch that is erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasedLine {
    /// Offset of the line in the inflated text of the batch, in bytes.
    pub offset: u64,
    /// The line as Logpush wrote it.
    pub line: Vec<u8>,
}

/// What an erasure did to the payloads of one batch. Repeating it says the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErasedFromPayloads {
    /// The payloads with such lines that the partner has, or may have: delivered, confirmed, being sent, or with an attempt whose
    /// outcome is unknown.
    pub sent: Vec<SentPayload>,
    /// Offsets of the lines that were taken out of payloads before they were sent, now or before: one that several payloads had
    /// as often.
    pub taken_out: Vec<u64>,
    /// Whether a payload is being sent, or a plan is not sealed yet, so that this has to be repeated after that.
    pub waits: bool,
}

/// A payload with erased lines that the partner has, or may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentPayload {
    /// What is said of it; its number of lines is that of `offsets`.
    pub sent: SentLines,
    /// Offsets of the lines in the inflated text of the batch, in bytes.
    pub offsets: Vec<u64>,
}

/// Erases lines from the payloads of a batch; `names` are those of its job. Waits for the permit to read a batch if a pack is
/// gone, so the caller must not hold it.
///
/// # Errors
/// [`BackendError`] if a backend failed: some of the work may be done, and repeating the call finishes it.
pub async fn erase_from_payloads(
    services: &impl Services,
    id: &BatchId,
    names: &KeyNames,
    lines: &[ErasedLine],
) -> Result<ErasedFromPayloads, BackendError> {
    let mut sorted: Vec<&ErasedLine> = lines.iter().collect();
    sorted.sort_by_key(|line| line.offset);
    sorted.dedup_by_key(|line| line.offset);
    let mut erased = ErasedFromPayloads::default();
    for lines in sorted.chunks(ERASED_TOGETHER) {
        LineEraser { services, id, names, lines }.erase(&mut erased).await?;
    }
    erased.sent.sort_by(|one, other| one.sent.payload.cmp(&other.sent.payload));
    Ok(erased)
}

/// Erases some lines of a batch from its payloads.
struct LineEraser<'a, S> {
    services: &'a S,
    id: &'a BatchId,
    names: &'a KeyNames,
    lines: &'a [&'a ErasedLine],
}

/// What became of a body that may have erased lines.
enum BodyEnd {
    /// It is erased.
    Erased,
    /// It has none of the lines.
    Lacks,
    /// Its payload is not as it was known to be.
    Changed,
}

impl<S: Services> LineEraser<'_, S> {
    async fn erase(&self, into: &mut ErasedFromPayloads) -> Result<(), BackendError> {
        // Payloads whose bodies were found to have none of the lines.
        let mut without = BTreeSet::new();
        for _ in 0..ERASURE_ROUNDS {
            let offsets = self.lines.iter().map(|line| line.offset).collect();
            let call = GetBatch { source: self.id.source.clone(), payloads: PayloadSelection::At(offsets) };
            let details = rpc::call(self.services.ledgers(), &self.id.ledger, &call).await?;
            let mut plans = self.plans(&details)?;
            let mut has_changed = false;
            for plan in &mut plans {
                let number = plan.number;
                for view in details.payloads.iter().filter(|view| view.plan == number) {
                    let name = (view.plan, view.payload.index.clone());
                    let due = plan.due(view);
                    if due.is_empty() || without.contains(&name) {
                        continue;
                    }
                    match self.erase_body(plan, view, &due).await? {
                        BodyEnd::Lacks => drop(without.insert(name)),
                        BodyEnd::Erased | BodyEnd::Changed => has_changed = true,
                    }
                }
            }
            if !has_changed {
                self.overwrite(&details, &plans).await?;
                into.waits |= self.has_open_plan(&details, &plans).await?;
                for plan in &plans {
                    plan.report(&details.payloads, into);
                }
                return Ok(());
            }
        }
        Err(BackendError::new("erasing lines of payloads", "the payloads change again and again"))
    }

    /// Returns the plans of the batch with the erased lines that they deliver.
    fn plans(&self, details: &BatchDetails) -> Result<Vec<PlanLines>, BackendError> {
        let Some(batch) = &details.batch else { return Ok(Vec::new()) };
        let default_ms = batch.object.default_ms();
        let plan = |plan: &DeliveryPlan| {
            let unknown = || BackendError::new("erasing lines of payloads", "another version of raydex made a plan");
            let rules = PlanRules::new(plan.clone()).ok_or_else(unknown)?;
            let duplicates = details.duplicates.iter().find(|of_plan| of_plan.plan == plan.number && !of_plan.sent);
            let left_out: BTreeSet<u64> =
                duplicates.iter().flat_map(|of_plan| &of_plan.listed).map(|line| line.offset).collect();
            let mut texts = BTreeMap::new();
            for ErasedLine { offset, line } in self.lines {
                let key = read_key_by(self.names, line).unwrap_or_default();
                let mut text = Vec::new();
                if rules.covers(key.unix_ms().unwrap_or(default_ms), *offset)
                    && !left_out.contains(offset)
                    && rules.write(&mut text, self.names, line).is_ok()
                {
                    texts.insert(*offset, text);
                }
            }
            let erased = erased_of(&details.erased, plan.number);
            Ok(PlanLines { number: plan.number, repetition: plan.repetition(), texts, erased })
        };
        details.plans.iter().map(plan).collect()
    }

    fn delivery_id(&self, view: &PayloadView) -> DeliveryId {
        let BatchId { ledger, source } = self.id.clone();
        DeliveryId { ledger, source, plan: view.plan, index: view.payload.index.clone() }
    }

    /// Erases the body of a payload that may have these lines.
    async fn erase_body(&self, plan: &mut PlanLines, view: &PayloadView, due: &[u64]) -> Result<BodyEnd, BackendError> {
        let (id, payload) = (self.delivery_id(view), &view.payload);
        let Some(place) = &payload.pack else { return Ok(BodyEnd::Changed) };
        let text = self.body(&id, payload, place).await?.and_then(|body| inflated(&body));
        let waits = matches!(view.state, DeliveryState::Prepared | DeliveryState::Parked);
        let (taken, rest) = match &text {
            // Whatever it is, it is not what was sealed, and no attempt sends it.
            None => (Vec::new(), PayloadRest::Stays),
            Some(text) => {
                let (taken, left) = plan.part(text, due);
                if taken.is_empty() {
                    return Ok(BodyEnd::Lacks);
                }
                (taken, if waits { self.store(&id, payload, &left).await? } else { PayloadRest::Stays })
            }
        };
        let lines: LineOffsets = taken.iter().copied().collect();
        let call = ErasePayload { id: id.clone(), sha256: payload.sha256.clone(), state: view.state, lines, rest };
        if !rpc::call(self.services.ledgers(), &id.ledger, &call).await?.erased {
            return Ok(BodyEnd::Changed);
        }
        plan.erased.insert(id.index, taken);
        Ok(BodyEnd::Erased)
    }

    /// Returns the body of a payload as it was sealed; `None` if there is none any more.
    async fn body(
        &self,
        id: &DeliveryId,
        payload: &Payload,
        place: &BodyLocation,
    ) -> Result<Option<Vec<u8>>, BackendError> {
        let bytes = place.offset..place.offset.saturating_add(payload.bytes);
        let kept = cut(self.services.data_bucket(), &place.key(&id.source, id.plan), bytes).await?;
        let body = match kept.filter(|body| !is_overwritten(body)) {
            Some(body) => Some(body),
            None => remake_body(self.services, id, place).await?,
        };
        Ok(body.filter(|body| hex::encode(Sha256::digest(body)) == payload.sha256))
    }

    /// Stores what is left of a payload.
    async fn store(&self, id: &DeliveryId, whole: &Payload, left: &[&[u8]]) -> Result<PayloadRest, BackendError> {
        let Some(packed) = repack(whole, left, id.index_without_erased()) else { return Ok(PayloadRest::Nothing) };
        let mut packs = PackBuilder::new(usize::MAX);
        let _none_is_full = packs.add(packed);
        let pack = packs.close();
        let key = pack.as_ref().and_then(|pack| pack.key(&id.source, id.plan));
        let (Some(mut pack), Some(key)) = (pack, key) else { return Ok(PayloadRest::Nothing) };
        self.services.data_bucket().put_new(&key, std::mem::take(&mut pack.bytes)).await?;
        Ok(pack.payloads.pop().map_or(PayloadRest::Nothing, PayloadRest::Goes))
    }

    /// Overwrites the erased bodies of payloads that have some of the lines.
    async fn overwrite(&self, details: &BatchDetails, plans: &[PlanLines]) -> Result<(), BackendError> {
        let mut packs = BTreeMap::new();
        for view in details.payloads.iter().filter(|view| is_erased(&view.payload)) {
            let has_lines = plans.iter().any(|plan| plan.number == view.plan && !plan.lines_of(view).is_empty());
            if let Some(place) = view.payload.pack.as_ref().filter(|_| has_lines) {
                packs.insert(place.key(&self.id.source, view.plan), (self.delivery_id(view), place));
            }
        }
        for (id, place) in packs.values() {
            overwrite_erased(self.services, id, place).await?;
        }
        Ok(())
    }

    /// Returns whether a plan that delivers some of the lines is not sealed: its payloads are yet to come.
    async fn has_open_plan(&self, details: &BatchDetails, plans: &[PlanLines]) -> Result<bool, BackendError> {
        for plan in plans {
            let of_plan = || details.payloads.iter().filter(|view| view.plan == plan.number);
            if plan.texts.keys().all(|at| of_plan().any(|view| covers(&view.payload, *at))) {
                continue;
            }
            let source = self.id.source.clone();
            let call = CheckPlan { source, plan: plan.number, abandon: false, repetition: plan.repetition };
            if rpc::call(self.services.ledgers(), &self.id.ledger, &call).await? == PlanStanding::Open {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Returns whether the line at an offset can be in a payload.
const fn covers(payload: &Payload, at: u64) -> bool {
    payload.first_offset <= at && at <= payload.last_offset
}

/// A plan with the erased lines that it delivers.
struct PlanLines {
    number: u32,
    /// The number of the backfill that it is a repetition for.
    repetition: Option<i64>,
    /// The partner's lines by the offsets of the lines, each with its line feed.
    texts: BTreeMap<u64, Vec<u8>>,
    /// The lines that are known to have been in bodies that are erased.
    erased: ErasedOffsets,
}

impl PlanLines {
    /// Returns the lines that the body of a payload had when it was erased.
    fn known(&self, view: &PayloadView) -> Vec<u64> {
        let of_payload = self.erased.get(&view.payload.index).into_iter().flatten();
        of_payload.filter(|at| self.texts.contains_key(at)).copied().collect()
    }

    /// Returns the lines that a payload may have beside those.
    fn possible(&self, view: &PayloadView) -> Vec<u64> {
        let payload = &view.payload;
        let known = self.known(view);
        let may_have = |at: &u64| covers(payload, *at) && !known.contains(at) && !self.lacks(&payload.index, *at);
        self.texts.keys().copied().filter(may_have).collect()
    }

    /// Returns whether a part of a payload is known to lack a line: an erasure took it out before, or the other half has it.
    fn lacks(&self, index: &str, at: u64) -> bool {
        let had = |name: &str| self.erased.get(name).is_some_and(|lines| lines.contains(&at));
        let has_below = |half: String| {
            let below = format!("{half}.");
            had(&half) || self.erased.iter().any(|(name, lines)| name.starts_with(&below) && lines.contains(&at))
        };
        let mut parts = index.split('.');
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let lacks = match part {
                "0" => has_below(format!("{whole}.1")),
                "1" => has_below(format!("{whole}.0")),
                _ => predecessors(&whole, part).iter().any(|name| had(name)),
            };
            if lacks {
                return true;
            }
            whole = format!("{whole}.{part}");
        }
        false
    }

    /// Returns the lines for which the body of a payload has to be looked at.
    fn due(&self, view: &PayloadView) -> Vec<u64> {
        let has_body = view.payload.pack.as_ref().is_some_and(|place| !place.erased);
        if has_body && view.state != DeliveryState::Sending { self.possible(view) } else { Vec::new() }
    }

    /// Returns the lines that a payload had, as far as can be said: those that nothing rules out once there is no body, or none
    /// that can be looked at now.
    fn lines_of(&self, view: &PayloadView) -> Vec<u64> {
        let has_body = view.payload.pack.as_ref().is_some_and(|place| !place.erased);
        let is_open = !has_body || view.state == DeliveryState::Sending;
        [self.known(view), if is_open { self.possible(view) } else { Vec::new() }].concat()
    }

    /// Parts the text of a body: the offsets of these lines that it has, and its other lines.
    fn part<'t>(&self, text: &'t [u8], due: &[u64]) -> (Vec<u64>, Vec<&'t [u8]>) {
        let mut wanted: BTreeMap<&[u8], Vec<u64>> = BTreeMap::new();
        for at in due.iter().rev() {
            if let Some(text) = self.texts.get(at) {
                wanted.entry(text.as_slice()).or_default().push(*at);
            }
        }
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            match wanted.get_mut(line).and_then(Vec::pop) {
                Some(at) => taken.push(at),
                None => left.push(line),
            }
        }
        taken.sort_unstable();
        (taken, left)
    }

    /// Says what became of the lines in the payloads of the plan.
    fn report(&self, payloads: &[PayloadView], into: &mut ErasedFromPayloads) {
        for view in payloads.iter().filter(|view| view.plan == self.number) {
            let lines = self.lines_of(view);
            into.waits |= !lines.is_empty() && view.state == DeliveryState::Sending;
            if view.state == DeliveryState::Split && view.code.as_deref() == Some(ERASED) {
                into.taken_out.extend(self.known(view));
            }
            if let Some(is_sure) = was_sent(view).filter(|_| !lines.is_empty()) {
                // Which half has a line is known from its body alone.
                let is_half = view.payload.index.split('.').skip(1).any(|part| matches!(part, "0" | "1"));
                let is_guess = is_half && !self.possible(view).is_empty();
                add_sent(&mut into.sent, view, lines, !is_sure || is_guess);
            }
        }
    }
}

/// Returns whether the partner has a payload (`true`) or may have it; `None` if it does not.
fn was_sent(view: &PayloadView) -> Option<bool> {
    match view.state {
        DeliveryState::Delivered | DeliveryState::Confirmed => Some(true),
        DeliveryState::Sending => Some(false),
        DeliveryState::Prepared | DeliveryState::Parked | DeliveryState::Dropped | DeliveryState::Split => {
            // One that was delivered, and is to be sent again, has the status of its delivery.
            let is_sure = view.status.is_some_and(is_taken);
            (is_sure || view.unknown_outcomes > 0).then_some(is_sure)
        }
    }
}

/// Adds lines of a payload to those that were sent.
fn add_sent(sent: &mut Vec<SentPayload>, view: &PayloadView, lines: Vec<u64>, in_doubt: bool) {
    let number = lines.len() as u64;
    if let Some(known) = sent.iter_mut().find(|known| known.sent.payload == view.id) {
        known.sent.lines += number;
        known.sent.in_doubt |= in_doubt;
        known.offsets.extend(lines);
        return;
    }
    let said = SentLines {
        payload: view.id.clone(),
        partner_batch_id: view.partner_batch_id.clone(),
        lines: number,
        state: view.state,
        in_doubt,
        completed_ms: view.completed_ms,
    };
    sent.push(SentPayload { sent: said, offsets: lines });
}
