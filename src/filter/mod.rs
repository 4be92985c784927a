//! Logpush's filter language, which selects the records to deliver.
//!
//! `{"where":{"and":[{"key":"EdgeResponseStatus","operator":"geq","value":500},{"or":[…]}]}}`; the value of `where` is
//! a group or one condition. Reading order: `parse` builds the tree, `operator` defines the operators and their values,
//! `network` reads networks of addresses, `condition` tests a record, `partial` by some of its fields, `possible` tests
//! whether any of many records could match; `equality` makes filters of the values of a record.
//!
//! | operator | value | is true for |
//! |---|---|---|
//! | `eq` `!eq` (also `neq`) | string, integer, boolean | a field that equals it |
//! | `lt` `leq` `gt` `geq` | integer | a number on that side of it |
//! | `startsWith` `endsWith` and with `!` | string | a text that begins or ends with it |
//! | `contains` `!contains` | string, integer | a text that holds it, an array with an element that equals it |
//! | `in` `!in` | array of strings and integers, or `"200,201"` | a field that equals one of them |
//!
//! * Types drift in Logpush (`"BotScore":"20"` and `20`), so a number and a string that spells it are the same
//!   number, in the filter and in the record; two strings are compared as strings. A number is compared exactly,
//!   regardless of its size, and counts as text if text is required. `true` equals `"true"`.
//! * On a field of addresses ([`crate::record::ADDRESS_FIELDS`]), an operand of `eq`, `in` and `contains` with a slash is a
//!   network ([`IpNetwork`]), which an address in it equals.
//! * `RequestHeaders.name` and `ResponseHeaders.name` are one header of those fields, in any case; of several values, one has
//!   to satisfy the condition.
//! * A field that is absent, `null`, an object, or of a type that the operator does not support, does not match.
//! * An operator with `!` is the exact complement of the one without: an absent field satisfies `!eq`.
//!
//! # Invariants
//!
//! Every record either matches or does not, whatever it contains; a line that is not a record is an error. Only the
//! record's top level is read, and of repeated members the last one counts. An error of a filter gives a position and
//! repeats no part of the filter.

mod condition;
mod equality;
mod error;
mod header;
mod network;
mod operator;
mod parse;
mod partial;
mod possible;

use condition::FilterCondition;

use crate::record::fields::line_text;
use crate::record::{NamePlaces, NamedValues, RecordError};

pub use error::{FilterError, FilterFault};
pub use network::{IpNetwork, NetworkFault};
pub use partial::{FieldTrust, PartialFilter};
pub use possible::PossibleValues;

/// A parsed filter.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    text: Box<str>,
    /// The fields that it reads, each with its place among a record's values.
    names: NamePlaces,
    /// The position at which the filter first names each field, in field order: `where.and[1]`.
    named_at: Vec<Box<str>>,
    root: FilterNode,
}

/// A node of the filter's tree.
#[derive(Debug, Clone, PartialEq)]
enum FilterNode {
    /// Matches a record that every child matches.
    And(Vec<FilterNode>),
    /// Matches a record that at least one child matches.
    Or(Vec<FilterNode>),
    /// Matches a record that satisfies the condition.
    Leaf(FilterCondition),
}

impl Filter {
    /// Parses the filter in the JSON `text`.
    ///
    /// # Errors
    /// [`FilterError`] has the reason and its position.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let (root, names, named_at) = parse::parse(text)?;
        Ok(Self { text: text.into(), names, named_at, root })
    }

    /// Returns the text that it was parsed from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the fields that it reads, sorted and unique.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(Box::as_ref)
    }

    /// Returns the same fields, each with the position at which the filter first names it, such as `where.and[1]`.
    pub fn fields_with_places(&self) -> impl Iterator<Item = (&str, &str)> {
        self.names.iter().filter_map(|(name, place)| Some((name.as_ref(), self.named_at.get(*place)?.as_ref())))
    }

    /// Returns the operands that the field `name` is compared with, if all comparisons are with whole values (equality,
    /// lists, order); `None` if a condition examines parts of it.
    #[must_use]
    pub fn exact_operands(&self, name: &str) -> Option<Vec<&str>> {
        let mut operands = Vec::new();
        let Some(field) = self.names.get(name) else { return Some(operands) };
        self.root.gather_operands(*field, &mut operands).then_some(operands)
    }

    /// Returns whether the record `line` matches.
    ///
    /// # Errors
    /// [`RecordError`] if the line is not a record.
    pub fn accepts(&self, line: &[u8]) -> Result<bool, RecordError> {
        let text = line_text(line);
        let values = NamedValues::read(&text, &self.names).map_err(|error| RecordError::of(line, &error))?;
        Ok(self.root.holds_by(&|condition| condition.holds(&values.get(condition.field))))
    }
}

impl FilterNode {
    /// Returns whether the conditions that `leaf` accepts satisfy the filter. Recursion is at most
    /// [`crate::limits::FILTER_DEPTH`] deep.
    fn holds_by(&self, leaf: &impl Fn(&FilterCondition) -> bool) -> bool {
        match self {
            Self::And(nodes) => nodes.iter().all(|node| node.holds_by(leaf)),
            Self::Or(nodes) => nodes.iter().any(|node| node.holds_by(leaf)),
            Self::Leaf(condition) => leaf(condition),
        }
    }

    /// Collects the operands of a field; returns whether all are compared as whole values.
    fn gather_operands<'a>(&'a self, field: usize, operands: &mut Vec<&'a str>) -> bool {
        match self {
            Self::And(nodes) | Self::Or(nodes) => nodes.iter().all(|node| node.gather_operands(field, operands)),
            Self::Leaf(condition) => {
                condition.field != field || condition.header.is_none() && condition.test.gather_operands(operands)
            }
        }
    }
}
