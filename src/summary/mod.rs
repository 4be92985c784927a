//! Compact summaries of a batch's contents, so that a query can skip batches and spans without a match.
//!
//! A batch's summary has the first and the last instant of its records, and for each of the [indexed
//! fields](crate::record::INDEXED_FIELDS) the set of its values if these are few, else a filter of its texts (a Bloom
//! filter), else nothing. It is stored in the batch's entries ([`form`]). A batch of more than one span has a sidecar
//! object with the same for each span, and with a table of the spans' extents ([`spans`]). Reading order: [`build`]
//! collects while the batch is indexed, into `dictionary` and `filter`.
//!
//! # Invariants
//!
//! Every value of a record is in the summaries of its batch and its span. A summary that is absent, or in an unknown
//! form, admits any value.

pub mod build;
mod dictionary;
mod filter;
pub mod form;
pub mod spans;
mod tokens;

pub use build::{PackedSummaries, SummaryBuilder};
pub use filter::TextFilter;
pub(crate) use filter::hash as stable_hash;
pub use spans::{SpanSummaries, SpanSummary, WindowHash};

use crate::filter::PossibleValues;
use crate::record::{FieldValue, indexed_field_position};

/// The first and the last instant of some records, in Unix nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeBounds {
    /// The first instant.
    pub first_ns: i64,
    /// The last instant; before the first if there are no records.
    pub last_ns: i64,
}

impl TimeBounds {
    /// The bounds of no records.
    pub const NONE: Self = Self { first_ns: i64::MAX, last_ns: i64::MIN };

    /// Extends the bounds to another record.
    #[must_use]
    pub fn and(self, ns: i64) -> Self {
        Self { first_ns: self.first_ns.min(ns), last_ns: self.last_ns.max(ns) }
    }

    /// Extends the bounds to those of other records.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self { first_ns: self.first_ns.min(other.first_ns), last_ns: self.last_ns.max(other.last_ns) }
    }

    /// Returns whether a record may be in the window from `start_ns`, inclusive, to `end_ns`, exclusive.
    #[must_use]
    pub const fn meet(self, start_ns: i64, end_ns: i64) -> bool {
        self.first_ns < end_ns && self.last_ns >= start_ns
    }
}

/// The summary of one field's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldSummary {
    /// The field may have any value.
    Any,
    /// Every value is one of these JSON texts; an empty one denotes records without the field.
    OneOf(Vec<Box<[u8]>>),
    /// Every value is a text in this filter, or absent.
    Texts(TextFilter),
}

impl FieldSummary {
    /// Returns the values that the field may have.
    #[must_use]
    pub fn possible(&self) -> PossibleValues<'_> {
        match self {
            Self::Any => PossibleValues::Any,
            Self::OneOf(tokens) => one_of(tokens.iter().map(Box::as_ref)),
            Self::Texts(texts) => PossibleValues::Texts(Box::new(|text| texts.may_hold(text))),
        }
    }
}

/// Returns the possible values given as JSON texts.
fn one_of<'a>(tokens: impl Iterator<Item = &'a [u8]>) -> PossibleValues<'a> {
    let texts: Option<Vec<&str>> = tokens.map(|token| std::str::from_utf8(token).ok()).collect();
    texts.map_or(PossibleValues::Any, |texts| {
        PossibleValues::OneOf(texts.into_iter().map(FieldValue::from_json).collect())
    })
}

/// The summary of one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruningSummary {
    /// Number of its spans. If there are several, a sidecar object has their summaries.
    pub spans: u32,
    /// The times of its records.
    pub times: TimeBounds,
    /// The summaries of its fields, in the order of [`crate::record::INDEXED_FIELDS`].
    pub fields: Vec<FieldSummary>,
}

impl PruningSummary {
    /// Returns the values that a field may have.
    #[must_use]
    pub fn possible(&self, name: &str) -> PossibleValues<'_> {
        let field = indexed_field_position(name).and_then(|position| self.fields.get(position));
        field.map_or(PossibleValues::Any, FieldSummary::possible)
    }
}
