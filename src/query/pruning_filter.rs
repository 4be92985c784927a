//! The filter by which a query rules batches out. A field that is not trusted to decide may have any value.

use std::collections::BTreeSet;

use crate::filter::{Filter, PossibleValues};
use crate::record::indexed_field_position;

/// The filter that rules out batches and spans in which no record can match.
#[derive(Debug, Clone, PartialEq)]
pub struct PruningFilter {
    filter: Filter,
    /// The fields whose stored values may decide; `None` for all.
    fields: Option<BTreeSet<String>>,
}

impl PruningFilter {
    /// Creates a filter in which all fields may decide.
    #[must_use]
    pub const fn new(filter: Filter) -> Self {
        Self { filter, fields: None }
    }

    /// Creates a filter in which only these fields may decide. Ruling out by a field reveals something about its stored
    /// values, which not every caller may see.
    #[must_use]
    pub const fn with_fields(filter: Filter, fields: BTreeSet<String>) -> Self {
        Self { filter, fields: Some(fields) }
    }

    /// Returns the text of the filter, whatever fields may decide.
    pub(super) fn text(&self) -> &str {
        self.filter.text()
    }

    fn may_decide(&self, field: &str) -> bool {
        self.fields.as_ref().is_none_or(|fields| fields.contains(field))
    }

    /// Returns whether a record can match whose fields have the values in `possible`.
    pub(super) fn may_match<'a>(&self, mut possible: impl FnMut(&str) -> PossibleValues<'a>) -> bool {
        self.filter.may_match(|field| if self.may_decide(field) { possible(field) } else { PossibleValues::Any })
    }

    /// Returns whether summaries cover a field that may decide.
    pub(super) fn can_rule_out(&self) -> bool {
        self.filter.fields().any(|field| indexed_field_position(field).is_some() && self.may_decide(field))
    }
}
