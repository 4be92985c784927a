//! The rules of a plan: which records it delivers, and as which lines.
//!
//! # Invariants
//! Whether a record is delivered depends on its line and the plan alone. A record is delivered only if its own fields
//! settle that it is of a dataset that the plan delivers.

use std::borrow::Cow;

use crate::filter::Filter;
use crate::ledger::DeliveryPlan;
use crate::ledger::plan::FORMAT;
use crate::partner::Subrequests;
use crate::record::fields::{Field, line_text};
use crate::record::{Fields, KeyNames, RecordKey, read_evidence};
use crate::render::{PartnerLine, PartnerOptions, write_partner_fields};

/// The reason why a record is not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exclusion {
    /// The request is a subrequest of a Worker.
    Subrequest,
    /// The request has no visitor: a health check, a purge.
    NotAVisitor,
    /// The plan's filter does not accept the record.
    Filter,
    /// The filter of the backfill that asked for the plan does not accept the record.
    BackfillFilter,
    /// The line is not a valid record.
    NoRecord,
    /// The record has no fields that only a dataset to be delivered has, so it might be of another one.
    UnsettledDataset,
    /// The line is already in another payload.
    Duplicate,
    /// The line was erased before it was sent.
    Erased,
}

impl Exclusion {
    /// Returns the stable code for counts and answers.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Subrequest => "subrequest",
            Self::NotAVisitor => "not_a_visitor",
            Self::Filter => "filter",
            Self::BackfillFilter => "backfill_filter",
            Self::NoRecord => "no_record",
            Self::UnsettledDataset => "unsettled_dataset",
            Self::Duplicate => "duplicate",
            Self::Erased => "erased",
        }
    }
}

/// A plan with its filter and options parsed.
#[derive(Debug)]
pub struct PlanRules {
    pub(super) plan: DeliveryPlan,
    options: PartnerOptions,
    filter: Option<Filter>,
    backfill_filter: Option<Filter>,
    /// The only lines that the plan covers, ascending.
    lines: Option<Vec<u64>>,
}

impl PlanRules {
    /// Parses the rules of a plan; `None` if its format is unknown, or its filter or options are invalid.
    #[must_use]
    pub fn new(plan: DeliveryPlan) -> Option<Self> {
        let options = PartnerOptions::new(&plan.options.tenant, &plan.options.unknown_country).ok()?;
        let options = options.with_version(&plan.options.version).ok()?;
        let parse = |filter: &Option<String>| filter.as_deref().map(Filter::parse).transpose().ok();
        let (filter, backfill_filter) = (parse(&plan.options.filter)?, parse(&plan.options.backfill_filter)?);
        let lines = plan.repair.as_ref().map(|repair| repair.lines.iter().collect());
        (plan.options.format == FORMAT).then_some(Self { plan, options, filter, backfill_filter, lines })
    }

    /// Returns whether the plan covers the line at the inflated offset `at`, whose record began at this instant.
    #[must_use]
    pub fn covers(&self, unix_ms: i64, at: u64) -> bool {
        self.plan.holds(unix_ms) && self.lines.as_ref().is_none_or(|lines| lines.binary_search(&at).is_ok())
    }

    /// Returns whether the plan covers every line whose record began at this instant.
    #[must_use]
    pub fn covers_all(&self, unix_ms: i64) -> bool {
        self.plan.holds(unix_ms) && self.lines.is_none()
    }

    /// Appends the partner's line for a record whose job uses these names. Returns what differs from the record.
    ///
    /// # Errors
    /// [`Exclusion`] if the record is not delivered; nothing is appended in that case.
    pub fn write(&self, out: &mut Vec<u8>, names: &KeyNames, line: &[u8]) -> Result<PartnerLine, Exclusion> {
        let text = line_text(line);
        let fields = Fields::parse_by(&text, &|name| names.field_of(name)).map_err(|_| Exclusion::NoRecord)?;
        let evidence = read_evidence(line).map_err(|_| Exclusion::NoRecord)?;
        let settled = evidence.settled().is_some_and(|dataset| self.plan.options.delivers(dataset));
        let written = self.write_fields(out, (line, settled), &fields)?;
        Ok(PartnerLine { sanitised: written.sanitised || matches!(text, Cow::Owned(_)), ..written })
    }

    /// Like [`Self::write`], for a record whose fields were already read; `settled` is as in [`ScannedLine`].
    pub(super) fn write_fields(
        &self,
        out: &mut Vec<u8>,
        (line, settled): (&[u8], bool),
        fields: &Fields<'_>,
    ) -> Result<PartnerLine, Exclusion> {
        if !settled {
            return Err(Exclusion::UnsettledDataset);
        }
        if self.plan.options.subrequests == Subrequests::Exclude {
            is_visitors(fields)?;
        }
        for (filter, why) in [(&self.filter, Exclusion::Filter), (&self.backfill_filter, Exclusion::BackfillFilter)] {
            if let Some(filter) = filter
                && !filter.accepts(line).map_err(|_| Exclusion::NoRecord)?
            {
                return Err(why);
            }
        }
        Ok(write_partner_fields(out, fields, &self.options))
    }
}

/// Checks that a visitor made the request: it has no parent (`"00"`, empty, null or absent), and its source, if named,
/// is a visitor.
fn is_visitors(fields: &Fields<'_>) -> Result<(), Exclusion> {
    let (parent, source) = (fields.get(Field::ParentRayID), fields.get(Field::ClientRequestSource));
    match (parent.text().unwrap_or_default(), source.text().unwrap_or_default()) {
        ("" | "00", "" | "eyeball") => Ok(()),
        ("" | "00", _) => Err(Exclusion::NotAVisitor),
        _ => Err(Exclusion::Subrequest),
    }
}

/// A record with everything that the scan has read from it.
#[derive(Debug, Clone, Copy)]
pub struct ScannedLine<'a> {
    /// The bytes of the line, without its newline.
    pub line: &'a [u8],
    /// Offset of the line in the inflated batch, in bytes.
    pub at: u64,
    /// The fields of the record.
    pub fields: &'a Fields<'a>,
    /// The record's ray and the start of its request.
    pub key: &'a RecordKey,
    /// Whether the line is invalid UTF-8, so that its fields contain replacement characters.
    pub lossy: bool,
    /// Whether its member names settle that it is of the batch's dataset, if that can be delivered.
    pub settled: bool,
}
