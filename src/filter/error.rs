//! The errors of parsing a filter.
//!
//! # Invariants
//!
//! An error consists of fixed words and positions; it contains no byte of the filter.

use super::network::NetworkFault;
use crate::limits::{FILTER_BYTES, FILTER_CONDITIONS, FILTER_DEPTH};

/// The reason why a text is not a filter, with its position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{fault}", prefix(.at))]
pub struct FilterError {
    /// The position, from the outside in: `where.and[1].or[0]`; empty for the filter as a whole.
    pub at: Box<str>,
    /// The rule of the filter language that is broken there.
    pub fault: FilterFault,
}

/// Formats the position as the beginning of a message.
fn prefix(at: &str) -> String {
    if at.is_empty() { String::new() } else { format!("{at}: ") }
}

/// A violation of the filter language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterFault {
    /// The filter is longer than [`FILTER_BYTES`].
    #[error("it can have at most {FILTER_BYTES} bytes")]
    TooLong,
    /// The text does not parse as JSON.
    #[error("it must be valid JSON")]
    NotJson,
    /// The text is JSON, but not an object with `where` as its only member.
    #[error("it must be an object whose only member is `where`")]
    NotAFilter,
    /// The value is neither a group nor a condition.
    #[error(
        "this must be an object with `and`, with `or`, or with `key`, `operator` and `value`, and no other members"
    )]
    NotANode,
    /// A group is empty.
    #[error("a group must not be empty")]
    EmptyGroup,
    /// Groups are nested more than [`FILTER_DEPTH`] deep.
    #[error("groups can be nested at most {FILTER_DEPTH} deep")]
    TooDeep,
    /// There are more than [`FILTER_CONDITIONS`] conditions.
    #[error("a filter can have at most {FILTER_CONDITIONS} conditions")]
    TooManyConditions,
    /// The key does not name a field.
    #[error("the key must be the name of a field")]
    Key,
    /// The operator does not exist.
    #[error(
        "the operator must be one of eq, !eq, lt, leq, gt, geq, startsWith, !startsWith, endsWith, !endsWith, \
         contains, !contains, in, !in"
    )]
    Operator,
    /// The value does not fit the operator.
    #[error("the value of this operator must be {0}")]
    Value(&'static str),
    /// The field holds addresses, and the value has a slash, but is not a network.
    #[error("{0}")]
    Network(NetworkFault),
}
