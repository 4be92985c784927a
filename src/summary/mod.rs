//! What a batch holds, in few bytes: so that a query passes over batches, and parts of one, that hold nothing for it.
//!
//! Of a batch: the first and the last instant of its records, and for each of the [indexed
//! fields](crate::record::INDEXED_FIELDS) the set of its values while these are few, else a filter of its texts (a
//! Bloom filter), else nothing. It is kept in the batch's entries ([`form`]). A batch of more than one span has a
//! sidecar object with the same for each span, and with the table of the ranges of its spans ([`spans`]). Reading
//! order: [`build`] collects while the batch is indexed, `dictionary` and `filter` are what it collects in.
//!
//! # Invariants
//!
//! No value of a record is missing from the summaries of its batch and its span. A summary that is absent, or in an
//! unknown form, says that anything may be there.

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

/// The first and the last instant of records, in Unix nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeBounds {
    /// The first one.
    pub first_ns: i64,
    /// The last one; before the first where there is no record.
    pub last_ns: i64,
}

impl TimeBounds {
    /// Of no record.
    pub const NONE: Self = Self { first_ns: i64::MAX, last_ns: i64::MIN };

    /// Of these records and one more.
    #[must_use]
    pub fn and(self, ns: i64) -> Self {
        Self { first_ns: self.first_ns.min(ns), last_ns: self.last_ns.max(ns) }
    }

    /// Of these records and those.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self { first_ns: self.first_ns.min(other.first_ns), last_ns: self.last_ns.max(other.last_ns) }
    }

    /// Whether a record may fall in the window from the first instant up to the second one, which does not belong to
    /// it.
    #[must_use]
    pub const fn meet(self, start_ns: i64, end_ns: i64) -> bool {
        self.first_ns < end_ns && self.last_ns >= start_ns
    }
}

/// What is known of the values of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldSummary {
    /// Nothing.
    Any,
    /// They are these JSON texts; an empty one denotes records without the field.
    OneOf(Vec<Box<[u8]>>),
    /// They are texts of this filter, or absent.
    Texts(TextFilter),
}

impl FieldSummary {
    /// What the field may hold.
    #[must_use]
    pub fn possible(&self) -> PossibleValues<'_> {
        match self {
            Self::Any => PossibleValues::Any,
            Self::OneOf(tokens) => one_of(tokens.iter().map(Box::as_ref)),
            Self::Texts(texts) => PossibleValues::Texts(Box::new(|text| texts.may_hold(text))),
        }
    }
}

/// One of the values that these JSON texts spell.
fn one_of<'a>(tokens: impl Iterator<Item = &'a [u8]>) -> PossibleValues<'a> {
    let texts: Option<Vec<&str>> = tokens.map(|token| std::str::from_utf8(token).ok()).collect();
    texts.map_or(PossibleValues::Any, |texts| {
        PossibleValues::OneOf(texts.into_iter().map(FieldValue::from_json).collect())
    })
}

/// What is known of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruningSummary {
    /// How many spans it has. Where there are more than one, there is an object of their summaries.
    pub spans: u32,
    /// When its records were.
    pub times: TimeBounds,
    /// Its fields, in the order of [`crate::record::INDEXED_FIELDS`].
    pub fields: Vec<FieldSummary>,
}

impl PruningSummary {
    /// What a field may hold.
    #[must_use]
    pub fn possible(&self, name: &str) -> PossibleValues<'_> {
        let field = indexed_field_position(name).and_then(|position| self.fields.get(position));
        field.map_or(PossibleValues::Any, FieldSummary::possible)
    }
}
