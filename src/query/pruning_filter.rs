//! The filter by which a query rules batches out.
//!
//! A field that may not decide may hold anything.

use std::collections::BTreeSet;

use crate::filter::{Filter, PossibleValues};
use crate::record::indexed_field_position;

/// The filter by which batches and spans are ruled out: those in which no record can pass it.
#[derive(Debug, Clone, PartialEq)]
pub struct PruningFilter {
    filter: Filter,
    /// The fields whose stored values may decide; `None` for all.
    fields: Option<BTreeSet<String>>,
}

impl PruningFilter {
    /// A filter whose fields may all decide.
    #[must_use]
    pub const fn new(filter: Filter) -> Self {
        Self { filter, fields: None }
    }

    /// A filter of which only these fields may decide. What is ruled out by a field reveals something about the field's
    /// stored values, which not every caller may see.
    #[must_use]
    pub const fn with_fields(filter: Filter, fields: BTreeSet<String>) -> Self {
        Self { filter, fields: Some(fields) }
    }

    /// The text of the filter, whatever fields may decide.
    pub(super) fn text(&self) -> &str {
        self.filter.text()
    }

    fn may_decide(&self, field: &str) -> bool {
        self.fields.as_ref().is_none_or(|fields| fields.contains(field))
    }

    /// Whether a record can pass whose fields hold what `possible` says.
    pub(super) fn may_match<'a>(&self, mut possible: impl FnMut(&str) -> PossibleValues<'a>) -> bool {
        self.filter.may_match(|field| if self.may_decide(field) { possible(field) } else { PossibleValues::Any })
    }

    /// Whether summaries describe a field that may decide.
    pub(super) fn can_rule_out(&self) -> bool {
        self.filter.fields().any(|field| indexed_field_position(field).is_some() && self.may_decide(field))
    }
}
