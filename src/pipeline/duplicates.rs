//! Recognises lines that are already in another payload: of a batch that was moved, rewritten or uploaded twice, or of
//! the same batch.
//!
//! A plan claims its lines in the shards of their rays before it is sealed ([`crate::index::claims`]). If an earlier
//! claim shares a ray, the lines of its payloads are read and compared by digest; the batch is then scanned once more,
//! omitting the lines that the partner has or will receive anyway.
//!
//! # Invariants
//!
//! Of equal lines in several plans exactly one is delivered, by the plan that claimed first in their shard. A plan
//! waits until an earlier one is sealed, or abandoned because its object is gone, so no line is held back for a plan
//! that never delivers it. Claims are made in the order of shards, and none after an open earlier one, so batches never
//! wait for each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use itertools::Itertools;

use super::known_lines::{GonePlan, KnownLines, LineKey};
use super::plan_rules::PlanRules;
use super::read_permit::HeartbeatBody;
use crate::backend::{BackendError, Bucket, ByteStream};
use crate::batch::{BatchLine, BatchReader, ObjectSpans};
use crate::index::claims::{ClaimKind, ClaimLines, ClaimPart, EarlierClaim, PlanName};
use crate::index::entry::{self, PartView, RayLocation};
use crate::index::{ObjectVersion, ShardEntry, ShardName};
use crate::ledger::BatchId;
use crate::ledger::books::PayloadView;
use crate::ledger::calls::{BatchDetails, CheckPlan, GetBatch, PayloadSelection, PlanStanding};
use crate::ledger::duplicates::{DuplicateLine, PlanDuplicates};
use crate::memory::ReadPermit;
use crate::record::{Dataset, RayId, RayKey, read_key_by};
use crate::render::content_digest;
use crate::render::partner::SEPARATOR;
use crate::rpc;
use crate::services::Services;

/// The index of the ray among the cells of a partner line, from 0.
const RAY_CELL: usize = 2;

/// The claims of a plan: the rays of its batch by shard, and its lines without a ray.
#[derive(Debug, Default)]
pub(super) struct LineClaims {
    parts: BTreeMap<u32, Vec<ClaimPart>>,
}

impl LineClaims {
    /// Creates the claims of a batch with these index entries; `digests` are those of its lines without a ray, each
    /// with the prefix of its time.
    pub(super) fn new(entries: &[ShardEntry], digests: &[(u32, u64)]) -> Self {
        let mut parts: BTreeMap<u32, Vec<ClaimPart>> = BTreeMap::new();
        for entry in entries {
            let Some(prefix) = entry.shard.prefix() else { continue };
            let rays = entry.parts.iter().cloned().map(|part| ClaimPart { kind: ClaimKind::Rays, part });
            parts.entry(prefix).or_default().extend(rays);
        }
        let mut by_prefix: BTreeMap<u32, Vec<RayLocation>> = BTreeMap::new();
        for (prefix, digest) in digests {
            by_prefix.entry(*prefix).or_default().push(RayLocation::from_suffix(*digest));
        }
        for (prefix, digests) in by_prefix {
            let packed = entry::pack(digests, &ObjectSpans::default());
            let packed = packed.into_iter().map(|part| ClaimPart { kind: ClaimKind::Digests, part });
            parts.entry(prefix).or_default().extend(packed);
        }
        parts.retain(|_, parts| !parts.is_empty());
        Self { parts }
    }

    /// Returns the keys of all lines in ascending order, including repeated ones.
    fn keys(&self) -> Result<Vec<LineKey>, BackendError> {
        let mut keys = Vec::new();
        for (prefix, parts) in &self.parts {
            for ClaimPart { kind, part } in parts {
                let locations = PartView::open(&part.bytes).and_then(|part| part.locations());
                let locations = locations.map_err(|error| BackendError::new("claiming lines", error.to_string()))?;
                keys.extend(locations.into_iter().map(|location| match kind {
                    ClaimKind::Rays => LineKey::Ray(RayId::from_parts(*prefix, location.suffix())),
                    ClaimKind::Digests => LineKey::Digest(location.suffix()),
                }));
            }
        }
        keys.sort_unstable();
        Ok(keys)
    }
}

/// Makes the claims of sealed plans of an object version again, if their shards lost them. What others claimed first matters no more.
/// Lines without a ray are claimed by what the partner gets of them, which is not read again.
pub(super) async fn claim_again(
    services: &impl Services,
    plans: &[u32],
    object: &ObjectVersion,
    claims: &LineClaims,
) -> Result<(), BackendError> {
    let written_ms = object.written_ms();
    for plan in plans {
        let plan = PlanName { key: object.key.clone(), etag: object.batch_etag().to_owned(), plan: *plan };
        for (prefix, parts) in &claims.parts {
            let call = ClaimLines { plan: plan.clone(), written_ms, parts: parts.clone() };
            rpc::call(services.shards(), &ShardName::for_prefix(*prefix).to_string(), &call).await?;
        }
    }
    Ok(())
}

/// An earlier plan that shares lines.
#[derive(Debug)]
struct EarlierPlan {
    name: PlanName,
    /// The prefixes of the shared shards, each with whether the plan claims exactly the same lines there.
    shards: Vec<(u32, bool)>,
}

/// Finds lines of a batch that are already in other payloads.
pub(super) struct DuplicateFinder<'a, S> {
    pub(super) services: &'a S,
    pub(super) permit: &'a ReadPermit,
    /// The handle of the batch.
    pub(super) batch: String,
    /// The plan that would deliver the lines.
    pub(super) plan: PlanName,
    /// Unix milliseconds from which the bucket counts the days of the batch.
    pub(super) written_ms: i64,
    /// The number of the backfill that the plan is a repetition for: it leaves out only what other plans of the same
    /// backfill deliver.
    pub(super) repetition: Option<i64>,
}

impl<S: Services> DuplicateFinder<'_, S> {
    /// Claims the lines, and finds those that repeat or are in earlier payloads. `None` if there are none.
    pub(super) async fn find(&self, claims: &LineClaims) -> Result<Option<KnownLines>, BackendError> {
        let earlier = self.claim(claims).await?;
        let keys = claims.keys()?;
        let repeats = keys.iter().copied().dedup_with_count().filter(|(lines, _)| *lines > 1);
        let repeated: Vec<LineKey> = repeats.map(|(_, key)| key).collect();
        if earlier.is_empty() && repeated.is_empty() {
            return Ok(None);
        }
        let mut known = KnownLines::new(repeated);
        for (number, plan) in earlier.iter().enumerate() {
            let id = self.id_of(&plan.name).await?;
            known.batches.push(id.handle());
            self.read_plan(&id, plan, &keys, number, &mut known).await?;
        }
        known.batches.push(self.batch.clone());
        known.delivered.sort_unstable();
        Ok(Some(known))
    }

    async fn id_of(&self, plan: &PlanName) -> Result<BatchId, BackendError> {
        self.services.batch_id(&plan.key, &plan.etag).await
    }

    /// Claims the lines shard by shard; returns the earlier plans that deliver some of them.
    async fn claim(&self, claims: &LineClaims) -> Result<Vec<EarlierPlan>, BackendError> {
        let mut plans: BTreeMap<PlanName, Option<EarlierPlan>> = BTreeMap::new();
        for (prefix, parts) in &claims.parts {
            let shard = ShardName::for_prefix(*prefix).to_string();
            let (plan, written_ms) = (self.plan.clone(), self.written_ms);
            let call = ClaimLines { plan, written_ms, parts: parts.clone() };
            for EarlierClaim { plan, is_same } in rpc::call(self.services.shards(), &shard, &call).await?.claims {
                if !plans.contains_key(&plan) {
                    let delivers = self.settle(&plan).await?;
                    let earlier = delivers.then(|| EarlierPlan { name: plan.clone(), shards: Vec::new() });
                    plans.insert(plan.clone(), earlier);
                }
                if let Some(Some(earlier)) = plans.get_mut(&plan) {
                    earlier.shards.push((*prefix, is_same));
                }
            }
        }
        Ok(plans.into_values().flatten().collect())
    }

    /// Returns whether an earlier plan delivers its lines. An open plan is abandoned if its object is gone.
    async fn settle(&self, plan: &PlanName) -> Result<bool, BackendError> {
        let id = self.id_of(plan).await?;
        let repetition = self.repetition;
        let call = |abandon| CheckPlan { source: id.source.clone(), plan: plan.plan, abandon, repetition };
        let mut standing = rpc::call(self.services.ledgers(), &id.ledger, &call(false)).await?;
        if standing == PlanStanding::Open {
            let found = self.services.bucket().get(&plan.key).await?;
            if found.is_some_and(|(head, _)| ObjectVersion::new(&plan.key, &head).batch_etag() == plan.etag) {
                return Err(BackendError::new(
                    "claiming lines",
                    "a batch with some of the same lines is not sealed yet",
                ));
            }
            standing = rpc::call(self.services.ledgers(), &id.ledger, &call(true)).await?;
        }
        Ok(standing == PlanStanding::Sealed)
    }

    /// Adds the lines of an earlier plan that have one of these keys.
    async fn read_plan(
        &self,
        id: &BatchId,
        plan: &EarlierPlan,
        keys: &[LineKey],
        number: usize,
        known: &mut KnownLines,
    ) -> Result<(), BackendError> {
        let call = GetBatch { source: id.source.clone(), payloads: PayloadSelection::All };
        let details = rpc::call(self.services.ledgers(), &id.ledger, &call).await?;
        let mut lines = Vec::new();
        let left_out = details.duplicates.iter().find(|of_plan| of_plan.plan == plan.name.plan && !of_plan.sent);
        let is_repeated = self.repetition.is_some() && left_out.is_some();
        if self.read_plan_lines(id, plan, &details, left_out, keys, &mut lines).await? {
            known.delivered.extend(lines.into_iter().map(|digest| (digest, number)));
        } else if !is_repeated {
            let rules = || rules_of(&details, plan.name.plan);
            let names = self.services.log_prefixes().key_names(&plan.name.key, Dataset::HttpRequests);
            let same = plan.shards.iter().filter(|(_, is_same)| *is_same);
            let gone = same.filter_map(|(prefix, _)| {
                Some(GonePlan { prefix: *prefix, names: names.clone(), rules: rules()?, batch: number })
            });
            known.gone.extend(gone);
        }
        Ok(())
    }

    /// Reads the lines of a plan from its packs or its object; returns whether they are known. `left_out` are those that the plan
    /// left to an earlier one, which the packs lack. Of that one less may remain, so for others they count as this plan's. A
    /// repetition is to deliver them, and delivers all if it cannot know which they are.
    async fn read_plan_lines(
        &self,
        id: &BatchId,
        plan: &EarlierPlan,
        details: &BatchDetails,
        left_out: Option<&PlanDuplicates>,
        keys: &[LineKey],
        lines: &mut Vec<u64>,
    ) -> Result<bool, BackendError> {
        let number = plan.name.plan;
        Ok(match left_out {
            Some(left_out) if self.repetition.is_some() => {
                self.read_packs(id, number, details, keys, lines).await?
                    || left_out.lists_all() && self.read_object(plan, details, keys, &left_out.listed, lines).await?
            }
            Some(_) => {
                self.read_object(plan, details, keys, &[], lines).await?
                    || self.read_packs(id, number, details, keys, lines).await?
            }
            None => {
                self.read_packs(id, number, details, keys, lines).await?
                    || self.read_object(plan, details, keys, &[], lines).await?
            }
        })
    }

    /// Reads the lines from the plan's packs; returns whether all were there.
    async fn read_packs(
        &self,
        id: &BatchId,
        plan: u32,
        details: &BatchDetails,
        keys: &[LineKey],
        lines: &mut Vec<u64>,
    ) -> Result<bool, BackendError> {
        // A split payload has all the lines of those that replace it.
        let of_plan = details.payloads.iter().filter(|view| view.plan == plan && !view.payload.index.contains('.'));
        // A pack with an erased body is no text any more.
        let kept = |view: &PayloadView| {
            view.payload.pack.as_ref().filter(|place| !place.erased).map(|place| place.key(&id.source, plan))
        };
        let packs: Option<BTreeSet<String>> = of_plan.map(kept).collect();
        for key in packs.iter().flatten() {
            let Some((_, body)) = self.services.data_bucket().get(key).await? else { return Ok(false) };
            self.read_lines(body, |_, line| {
                add_line(lines, keys, claimed_ray(keys, line), line);
            })
            .await?;
        }
        Ok(packs.is_some())
    }

    /// Renders the lines of the plan again from its object, apart from those left out; returns whether the bucket still has the
    /// object.
    async fn read_object(
        &self,
        plan: &EarlierPlan,
        details: &BatchDetails,
        keys: &[LineKey],
        left_out: &[DuplicateLine],
        lines: &mut Vec<u64>,
    ) -> Result<bool, BackendError> {
        let rules = rules_of(details, plan.name.plan);
        let (Some(rules), Some(batch)) = (rules, &details.batch) else { return Ok(false) };
        let Some((head, body)) = self.services.bucket().get(&plan.name.key).await? else { return Ok(false) };
        // One without erased lines has all others where they were.
        if ObjectVersion::new(&plan.name.key, &head).batch_etag() != plan.name.etag {
            return Ok(false);
        }
        lines.clear();
        let default_ms = batch.object.default_ms();
        let names = self.services.log_prefixes().key_names(&plan.name.key, Dataset::HttpRequests);
        self.read_lines(body, |at, line| {
            let key = read_key_by(&names, line).unwrap_or_default();
            let mut text = Vec::new();
            let is_left_out = left_out.iter().any(|line| line.offset == at);
            let is_covered = !is_left_out && rules.covers(key.unix_ms().unwrap_or(default_ms), at);
            if is_covered && rules.write(&mut text, &names, line).is_ok() {
                add_line(lines, keys, key.ray.as_ref().and_then(RayKey::ray), &text);
            }
        })
        .await?;
        Ok(true)
    }

    async fn read_lines(&self, body: impl ByteStream, mut take: impl FnMut(u64, &[u8])) -> Result<(), BackendError> {
        let mut body = HeartbeatBody { permit: self.permit, now_ms: || self.services.now_ms(), body };
        let mut reader = BatchReader::default();
        let mut sink = |line: BatchLine<'_>| {
            if let BatchLine::Text { offset, bytes, .. } = line {
                take(offset, bytes);
            }
            ControlFlow::Continue(())
        };
        let damaged = |_| BackendError::new("comparing lines", "an object that was read before is damaged");
        while let Some(piece) = body.next().await? {
            let _flow = reader.push(&piece, &mut sink).map_err(damaged)?;
        }
        reader.finish(&mut sink).map(drop).map_err(damaged)
    }
}

/// Returns the rules of a batch's plan with this number; `None` if it does not exist or cannot be read.
fn rules_of(details: &BatchDetails, plan: u32) -> Option<PlanRules> {
    details.plans.iter().find(|other| other.number == plan).cloned().and_then(PlanRules::new)
}

/// Returns the ray of a partner line. A cell that is not exactly a ray (`9e35512345678abc-SJC`) was claimed as one if these keys
/// say so.
fn claimed_ray(keys: &[LineKey], line: &[u8]) -> Option<RayId> {
    let cell = line.split(|byte| *byte == SEPARATOR).nth(RAY_CELL)?;
    RayId::from_hex(cell).or_else(|| {
        let ray = std::str::from_utf8(cell).ok().and_then(RayKey::from_logged)?.ray()?;
        keys.binary_search(&LineKey::Ray(ray)).is_ok().then_some(ray)
    })
}

/// Adds the digest of a partner line if one of these keys matches.
fn add_line(lines: &mut Vec<u64>, keys: &[LineKey], ray: Option<RayId>, text: &[u8]) {
    let ray = ray.map(RayKey::Ray);
    // A digest costs microseconds, a search tens of nanoseconds.
    if let Some(RayKey::Ray(ray)) = &ray
        && keys.binary_search(&LineKey::Ray(*ray)).is_err()
    {
        return;
    }
    let digest = content_digest(text);
    if keys.binary_search(&LineKey::new(ray.as_ref(), || digest)).is_ok() {
        lines.push(digest);
    }
}
