//! Records to the partner's lines, by a plan: who goes, who does not and why.
//!
//! What always holds: each record of the plan's windows is in a payload or counted under one reason; what a record
//! comes to depends on its line and the plan alone.

use std::collections::BTreeMap;

use super::pack::{Pack, PackBuilder};
use super::payload::{Packed, Packer};
use crate::batch::BatchError;
use crate::filter::Filter;
use crate::ledger::DeliveryPlan;
use crate::ledger::calls::SealedPlan;
use crate::limits::MAX_PAYLOADS;
use crate::partner::Subrequests;
use crate::record::fields::{Field, line_text};
use crate::record::{Fields, RecordKey};
use crate::render::{PartnerOptions, write_partner_fields};

/// Why a record does not go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptBack {
    /// A Worker made the request.
    Subrequest,
    /// Nobody outside made the request: a health check, a purge.
    NotAVisitor,
    /// The plan's filter refuses it.
    Filter,
    /// It is no record after all.
    NoRecord,
}

impl KeptBack {
    /// The stable code that counts name it by.
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

/// A plan, ready to judge records by.
#[derive(Debug)]
pub struct Rules {
    plan: DeliveryPlan,
    options: PartnerOptions,
    filter: Option<Filter>,
}

impl Rules {
    /// The rules of a plan. `None` where it cannot be read: it was pinned by another version of this code.
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

    /// Appends the partner's line of a record; says whether it was sanitised.
    ///
    /// # Errors
    /// [`KeptBack`] where it does not go; nothing is appended then.
    pub fn write(&self, out: &mut Vec<u8>, line: &[u8]) -> Result<bool, KeptBack> {
        let text = line_text(line);
        let fields = Fields::parse(&text).map_err(|_| KeptBack::NoRecord)?;
        let sanitised = self.write_fields(out, line, &fields)?;
        Ok(sanitised || matches!(text, std::borrow::Cow::Owned(_)))
    }

    /// The same for a record whose fields were read already.
    fn write_fields(&self, out: &mut Vec<u8>, line: &[u8], fields: &Fields<'_>) -> Result<bool, KeptBack> {
        if self.plan.options.subrequests == Subrequests::Exclude {
            is_visitors(fields)?;
        }
        if let Some(filter) = &self.filter
            && !filter.accepts(line).map_err(|_| KeptBack::NoRecord)?
        {
            return Err(KeptBack::Filter);
        }
        Ok(write_partner_fields(out, fields, &self.options).sanitised)
    }
}

/// Whether a visitor made the request: it has no parent (`"00"`, empty, null or no field), and its source, where it
/// is named, is a visitor.
fn is_visitors(fields: &Fields<'_>) -> Result<(), KeptBack> {
    let (parent, source) = (fields.get(Field::ParentRayID), fields.get(Field::ClientRequestSource));
    match (parent.text().unwrap_or_default(), source.text().unwrap_or_default()) {
        ("" | "00", "" | "eyeball") => Ok(()),
        ("" | "00", _) => Err(KeptBack::NotAVisitor),
        _ => Err(KeptBack::Subrequest),
    }
}

/// A record as the pass has read it, once for all who want to know.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its line.
    pub line: &'a [u8],
    /// Where the line begins, in inflated bytes.
    pub at: u64,
    /// Its fields.
    pub fields: &'a Fields<'a>,
    /// What it is found by, and when its request began.
    pub key: &'a RecordKey,
    /// Whether the line is no UTF-8, so that its fields show replacement characters.
    pub lossy: bool,
}

/// Makes the payloads of a plan, line by line.
#[derive(Debug)]
pub struct Transformer {
    rules: Rules,
    packer: Packer,
    packs: PackBuilder,
    /// The instant of records that have none.
    default_ms: i64,
    sealed: SealedPlan,
}

impl Transformer {
    /// A transformer for one object, into packs of at most so many bytes.
    #[must_use]
    pub fn new(rules: Rules, default_ms: i64, pack_bytes: usize) -> Self {
        let sealed = SealedPlan {
            number: rules.plan.number,
            in_window: 0,
            filtered: BTreeMap::new(),
            sanitised: 0,
            payloads: Vec::new(),
        };
        let packer = Packer::new(rules.plan.options.lines);
        Self { rules, packer, packs: PackBuilder::new(pack_bytes), default_ms, sealed }
    }

    /// The number of its plan.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.sealed.number
    }

    /// Takes a record; hands on a pack that is full.
    ///
    /// # Errors
    /// [`BatchError`] where there are more payloads than a batch may have.
    pub fn record(&mut self, record: &Record<'_>) -> Result<Option<Pack>, BatchError> {
        let Record { line, at, fields, key, lossy } = record;
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

    /// Closes the last payload, and hands on the packs that are left.
    ///
    /// # Errors
    /// As [`Transformer::record`].
    pub fn finish(&mut self) -> Result<Vec<Pack>, BatchError> {
        let packed = self.packer.finish();
        let full = self.keep(packed)?;
        let last = self.packs.close();
        self.seal(last.as_ref());
        Ok(full.into_iter().chain(last).collect())
    }

    /// What the plan came to.
    #[must_use]
    pub fn sealed(self) -> SealedPlan {
        self.sealed
    }

    fn keep(&mut self, packed: Option<Packed>) -> Result<Option<Pack>, BatchError> {
        if self.packer.closed() > MAX_PAYLOADS {
            return Err(BatchError::TooManyPayloads);
        }
        let full = packed.and_then(|packed| self.packs.add(packed));
        self.seal(full.as_ref());
        Ok(full)
    }

    /// The payloads of a pack know their places now.
    fn seal(&mut self, pack: Option<&Pack>) {
        self.sealed.payloads.extend(pack.into_iter().flat_map(|pack| pack.payloads.iter().cloned()));
    }
}
