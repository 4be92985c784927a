//! Renders records as the partner's lines by a plan, and counts the excluded ones by reason.
//!
//! # Invariants
//! A record is delivered only if its own fields settle that it is of a dataset that the plan delivers. Each record in the plan's windows
//! is in a payload or counted under one [`Exclusion`]; which of them depends on its line and the plan alone.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::known_lines::{KnownLines, LineKey};
use super::pack::{PackBuilder, PayloadPack};
use super::payload::{PackedPayload, PayloadPacker};
use super::plan_rules::{Exclusion, PlanRules, ScannedLine};
use crate::batch::BatchError;
use crate::erasure::{ErasedLines, JudgedLine};
use crate::ledger::books::ChangedLines;
use crate::ledger::calls::SealedPlan;
use crate::ledger::duplicates::PlanDuplicates;
use crate::limits::MAX_PAYLOADS;
use crate::partner::DuplicatePolicy;
use crate::record::{Dataset, RayId, RayKey};
use crate::render::{PartnerLine, content_digest};

/// Builds the payloads of a plan, record by record.
#[derive(Debug)]
pub struct PartnerTransformer {
    rules: PlanRules,
    packer: PayloadPacker,
    packs: PackBuilder,
    /// The instant of records without a time, in Unix milliseconds.
    default_ms: i64,
    sealed: SealedPlan,
    /// Lines that are in other payloads, once known.
    known: Option<KnownLines>,
    /// Digests of lines without a ray, each with the shard prefix of its time.
    digests: Vec<(u32, u64)>,
    /// The lines that are erased, and the dataset of the batch.
    erased: Option<(Dataset, Rc<ErasedLines>)>,
}

impl PartnerTransformer {
    /// Creates a transformer for one batch, with packs of at most `pack_bytes` bytes.
    #[must_use]
    pub fn new(rules: PlanRules, default_ms: i64, pack_bytes: usize) -> Self {
        let sealed = SealedPlan {
            number: rules.plan.number,
            in_window: 0,
            filtered: BTreeMap::new(),
            changed: ChangedLines::default(),
            payloads: Vec::new(),
            together: 1,
            duplicates: PlanDuplicates::default(),
        };
        let packer = PayloadPacker::new(rules.plan.options.lines);
        let packs = PackBuilder::new(pack_bytes);
        Self { rules, packer, packs, default_ms, sealed, known: None, digests: Vec::new(), erased: None }
    }

    /// Sets the lines that are in other payloads, to be omitted or counted.
    #[must_use]
    pub fn with_known_lines(self, known: KnownLines) -> Self {
        Self { known: Some(known), ..self }
    }

    /// Sets the lines to be omitted since they are erased; `dataset` is that of the batch.
    #[must_use]
    pub fn without_erased(self, dataset: Dataset, erased: Rc<ErasedLines>) -> Self {
        Self { erased: (!erased.is_empty()).then_some((dataset, erased)), ..self }
    }

    /// Returns the number of its plan.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.sealed.number
    }

    /// Adds a record; returns a pack that became full.
    ///
    /// # Errors
    /// [`BatchError`] if there are more payloads than a batch may have.
    pub fn record(&mut self, record: &ScannedLine<'_>) -> Result<Option<PayloadPack>, BatchError> {
        let ScannedLine { line, at, fields, key, lossy, settled } = record;
        if !self.rules.covers(key.unix_ms().unwrap_or(self.default_ms), *at) {
            return Ok(None);
        }
        self.sealed.in_window += 1;
        let start = self.packer.text().len();
        let is_erased = self.erased.as_ref().is_some_and(|(dataset, erased)| {
            erased.has(&JudgedLine { dataset: *dataset, key, default_ms: self.default_ms, line })
        });
        let written = if is_erased {
            Err(Exclusion::Erased)
        } else {
            self.rules.write_fields(self.packer.text(), (line, *settled), fields)
        };
        match written.and_then(|written| self.check_duplicate(start, record).map(|()| written)) {
            Ok(PartnerLine { sanitised, cut, defaulted }) => {
                let changed = &mut self.sealed.changed;
                changed.sanitised += u64::from(sanitised || *lossy);
                changed.cut += u64::from(cut);
                changed.defaulted += u64::from(defaulted);
                let packed = self.packer.end_line(*at);
                self.keep(packed)
            }
            Err(why) => {
                *self.sealed.filtered.entry(why.code().into()).or_default() += 1;
                Ok(None)
            }
        }
    }

    /// Excludes the line that was written from `start` on if it is in another payload, and removes it.
    fn check_duplicate(&mut self, start: usize, record: &ScannedLine<'_>) -> Result<(), Exclusion> {
        let text = self.packer.text();
        let line = text.get(start..).unwrap_or_default();
        let Some(known) = &mut self.known else {
            self.digests.extend(digest_without_ray(record, line));
            return Ok(());
        };
        let unix_ms = record.key.unix_ms().unwrap_or(self.default_ms);
        if known.holds(record, unix_ms, line) && self.rules.plan.options.duplicates == DuplicatePolicy::Hold {
            text.truncate(start);
            return Err(Exclusion::Duplicate);
        }
        Ok(())
    }

    /// Closes the last payload, and returns the remaining packs.
    ///
    /// # Errors
    /// As [`PartnerTransformer::record`].
    pub fn finish(&mut self) -> Result<Vec<PayloadPack>, BatchError> {
        let packed = self.packer.finish();
        let full = self.keep(packed)?;
        let last = self.packs.close();
        self.seal(last.as_ref());
        Ok(full.into_iter().chain(last).collect())
    }

    /// Returns the payloads and figures of the plan, and the digests of its lines without a ray.
    #[must_use]
    pub fn sealed(self) -> (SealedPlan, Vec<(u32, u64)>) {
        let (mut sealed, options) = (self.sealed, &self.rules.plan.options);
        if let Some(known) = self.known {
            sealed.duplicates = known.into_figures(sealed.number, options.duplicates);
        }
        (sealed, self.digests)
    }

    fn keep(&mut self, packed: Option<PackedPayload>) -> Result<Option<PayloadPack>, BatchError> {
        if self.packer.closed() > MAX_PAYLOADS {
            return Err(BatchError::TooManyPayloads);
        }
        let full = packed.and_then(|packed| self.packs.add(packed));
        self.seal(full.as_ref());
        Ok(full)
    }

    /// Records the payloads of a pack, whose locations are now known.
    fn seal(&mut self, pack: Option<&PayloadPack>) {
        self.sealed.payloads.extend(pack.into_iter().flat_map(|pack| pack.payloads.iter().cloned()));
    }
}

/// Returns the digest of a line without a ray, with the shard prefix of its time; `None` for a line with a ray.
fn digest_without_ray(record: &ScannedLine<'_>, line: &[u8]) -> Option<(u32, u64)> {
    if record.key.ray.as_ref().and_then(RayKey::ray).is_some() {
        return None;
    }
    let LineKey::Digest(digest) = LineKey::new(None, || content_digest(line)) else { return None };
    // A record without a time goes to the first shard, since it must not depend on its batch's name.
    Some((record.key.unix_ns().map_or(0, RayId::prefix_at), digest))
}
