//! Renders records as the partner's lines by a plan, and counts the excluded ones by reason.
//!
//! # Invariants
//! Each record of the plan's windows is in a payload or counted under one [`Exclusion`]. Which one depends on its line and
//! the plan alone.

use std::collections::BTreeMap;

use super::pack::{PackBuilder, PayloadPack};
use super::payload::{PackedPayload, PayloadPacker};
use crate::batch::BatchError;
use crate::filter::Filter;
use crate::ledger::DeliveryPlan;
use crate::ledger::calls::SealedPlan;
use crate::limits::MAX_PAYLOADS;
use crate::partner::Subrequests;
use crate::record::fields::{Field, line_text};
use crate::record::{Fields, RecordKey};
use crate::render::{PartnerOptions, write_partner_fields};

/// Why a record is not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exclusion {
    /// The request is a subrequest of a Worker.
    Subrequest,
    /// The request has no visitor: a health check, a purge.
    NotAVisitor,
    /// The plan's filter does not accept the record.
    Filter,
    /// The line is not a valid record.
    NoRecord,
}

impl Exclusion {
    /// The stable code of the reason, in counts and answers.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Subrequest => "subrequest",
            Self::NotAVisitor => "not_a_visitor",
            Self::Filter => "filter",
            Self::NoRecord => "no_record",
        }
    }
}

/// A plan with its filter and options parsed.
#[derive(Debug)]
pub struct PlanRules {
    plan: DeliveryPlan,
    options: PartnerOptions,
    filter: Option<Filter>,
}

impl PlanRules {
    /// The rules of a plan; `None` where its format is unknown or its filter or options are not valid.
    #[must_use]
    pub fn new(plan: DeliveryPlan) -> Option<Self> {
        let options = PartnerOptions::new(&plan.options.tenant, &plan.options.unknown_country).ok()?;
        let filter = plan.options.filter.as_deref().map(Filter::parse).transpose().ok()?;
        (plan.options.format == crate::ledger::plan::FORMAT).then_some(Self { plan, options, filter })
    }

    /// Whether the plan covers a record that began at this instant.
    #[must_use]
    pub fn covers(&self, unix_ms: i64) -> bool {
        self.plan.holds(unix_ms)
    }

    /// Appends the partner's line of a record. Returns whether characters of it were replaced.
    ///
    /// # Errors
    /// [`Exclusion`] where the record is not delivered; nothing is appended then.
    pub fn write(&self, out: &mut Vec<u8>, line: &[u8]) -> Result<bool, Exclusion> {
        let text = line_text(line);
        let fields = Fields::parse(&text).map_err(|_| Exclusion::NoRecord)?;
        let sanitised = self.write_fields(out, line, &fields)?;
        Ok(sanitised || matches!(text, std::borrow::Cow::Owned(_)))
    }

    /// The same for a record whose fields were read already.
    fn write_fields(&self, out: &mut Vec<u8>, line: &[u8], fields: &Fields<'_>) -> Result<bool, Exclusion> {
        if self.plan.options.subrequests == Subrequests::Exclude {
            is_visitors(fields)?;
        }
        if let Some(filter) = &self.filter
            && !filter.accepts(line).map_err(|_| Exclusion::NoRecord)?
        {
            return Err(Exclusion::Filter);
        }
        Ok(write_partner_fields(out, fields, &self.options).sanitised)
    }
}

/// Whether a visitor made the request: it has no parent (`"00"`, empty, null or no field), and its source, where it
/// is named, is a visitor.
fn is_visitors(fields: &Fields<'_>) -> Result<(), Exclusion> {
    let (parent, source) = (fields.get(Field::ParentRayID), fields.get(Field::ClientRequestSource));
    match (parent.text().unwrap_or_default(), source.text().unwrap_or_default()) {
        ("" | "00", "" | "eyeball") => Ok(()),
        ("" | "00", _) => Err(Exclusion::NotAVisitor),
        _ => Err(Exclusion::Subrequest),
    }
}

/// A record with everything that the scan has read of it.
#[derive(Debug, Clone, Copy)]
pub struct ScannedLine<'a> {
    /// The bytes of the line, without its newline.
    pub line: &'a [u8],
    /// Where the line begins, in inflated bytes.
    pub at: u64,
    /// The fields that were read of it.
    pub fields: &'a Fields<'a>,
    /// The record's ray, and when its request began.
    pub key: &'a RecordKey,
    /// Whether the line is not valid UTF-8, so that its fields contain replacement characters.
    pub lossy: bool,
}

/// Makes the payloads of a plan, record by record.
#[derive(Debug)]
pub struct PartnerTransformer {
    rules: PlanRules,
    packer: PayloadPacker,
    packs: PackBuilder,
    /// The instant of records without a time, in Unix milliseconds.
    default_ms: i64,
    sealed: SealedPlan,
}

impl PartnerTransformer {
    /// A transformer for one batch, which makes packs of at most `pack_bytes` bytes.
    #[must_use]
    pub fn new(rules: PlanRules, default_ms: i64, pack_bytes: usize) -> Self {
        let sealed = SealedPlan {
            number: rules.plan.number,
            in_window: 0,
            filtered: BTreeMap::new(),
            sanitised: 0,
            payloads: Vec::new(),
        };
        let packer = PayloadPacker::new(rules.plan.options.lines);
        Self { rules, packer, packs: PackBuilder::new(pack_bytes), default_ms, sealed }
    }

    /// The number of its plan.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.sealed.number
    }

    /// Adds a record. Returns a pack that became full.
    ///
    /// # Errors
    /// [`BatchError`] where there are more payloads than a batch may have.
    pub fn record(&mut self, record: &ScannedLine<'_>) -> Result<Option<PayloadPack>, BatchError> {
        let ScannedLine { line, at, fields, key, lossy } = record;
        if !self.rules.covers(key.unix_ms().unwrap_or(self.default_ms)) {
            return Ok(None);
        }
        self.sealed.in_window += 1;
        match self.rules.write_fields(self.packer.text(), line, fields) {
            Ok(sanitised) => {
                self.sealed.sanitised += u64::from(sanitised || *lossy);
                let packed = self.packer.end_line(*at);
                self.keep(packed)
            }
            Err(why) => {
                *self.sealed.filtered.entry(why.code().into()).or_default() += 1;
                Ok(None)
            }
        }
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

    /// The payloads and figures of the plan.
    #[must_use]
    pub fn sealed(self) -> SealedPlan {
        self.sealed
    }

    fn keep(&mut self, packed: Option<PackedPayload>) -> Result<Option<PayloadPack>, BatchError> {
        if self.packer.closed() > MAX_PAYLOADS {
            return Err(BatchError::TooManyPayloads);
        }
        let full = packed.and_then(|packed| self.packs.add(packed));
        self.seal(full.as_ref());
        Ok(full)
    }

    /// Records the payloads of a pack, which have their positions now.
    fn seal(&mut self, pack: Option<&PayloadPack>) {
        self.sealed.payloads.extend(pack.into_iter().flat_map(|pack| pack.payloads.iter().cloned()));
    }
}
