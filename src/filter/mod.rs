//! Logpush's filter language: which records are delivered.
//!
//! `{"where":{"and":[{"key":"EdgeResponseStatus","operator":"geq","value":500},{"or":[…]}]}}`; the value of `where` is
//! a group or one condition. Reading order: `parse` makes the tree, `operator` says what each operator takes,
//! `condition` holds a record against one, `possible` asks of many records at once whether one could pass.
//!
//! | operator | value | is true for |
//! |---|---|---|
//! | `eq` `!eq` (also `neq`) | string, integer, boolean | a field that equals it |
//! | `lt` `leq` `gt` `geq` | integer | a number on that side of it |
//! | `startsWith` `endsWith` and with `!` | string | a text that begins or ends with it |
//! | `contains` `!contains` | string, integer | a text that holds it, an array with an element that equals it |
//! | `in` `!in` | array of strings and integers, or `"200,201"` | a field that equals one of them |
//!
//! * Types drift in Logpush (`"BotScore":"20"` and `20`), so a number and a string that spells one are the same
//!   number, in the filter and in the record; two strings are compared as strings. A number is compared exactly,
//!   whatever its size, and counts as a text where a text is required. `true` equals `"true"`.
//! * A field that is absent, `null`, an object, or of a type that the operator has no use for, is not true.
//! * An operator with `!` is the exact complement of the one without: an absent field satisfies `!eq`.
//!
//! # Invariants
//!
//! Every record is either accepted or not, whatever it holds, and a line that is not a record is an error. Only the
//! record's top level is read, and the last of duplicates counts. An error of a filter gives a position and repeats
//! nothing of the filter.

mod condition;
mod error;
mod members;
mod operator;
mod parse;
mod possible;

use std::collections::BTreeMap;

use condition::FilterCondition;

use crate::record::RecordError;
use crate::record::fields::line_text;

pub use error::{FilterError, FilterFault};
pub use possible::PossibleValues;

/// A filter, ready to be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    text: Box<str>,
    names: FilterFields,
    /// Where each field is named first, in the order of their places: `where.and[1]`.
    named_at: Vec<Box<str>>,
    root: FilterNode,
}

/// The fields that a filter reads, each with its place among the [`members::FieldValues`] of a record.
type FilterFields = BTreeMap<Box<str>, usize>;

/// A part of a filter.
#[derive(Debug, Clone, PartialEq)]
enum FilterNode {
    /// Accepts a record that every child accepts.
    And(Vec<FilterNode>),
    /// Accepts a record that at least one child accepts.
    Or(Vec<FilterNode>),
    /// True where its condition is.
    Leaf(FilterCondition),
}

impl Filter {
    /// The filter that the JSON `text` spells.
    ///
    /// # Errors
    /// [`FilterError`] says what is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let (root, names, named_at) = parse::parse(text)?;
        Ok(Self { text: text.into(), names, named_at, root })
    }

    /// The text that it was made of.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The fields that it reads, sorted, each once.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(Box::as_ref)
    }

    /// The same, each with the place at which the filter names it first, such as `where.and[1]`.
    pub fn fields_with_places(&self) -> impl Iterator<Item = (&str, &str)> {
        self.names.iter().filter_map(|(name, place)| Some((name.as_ref(), self.named_at.get(*place)?.as_ref())))
    }

    /// What the field `name` is held against, where it is held against whole values alone (equal, in a list, on a side);
    /// `None` where a condition looks at parts of it.
    #[must_use]
    pub fn exact_operands(&self, name: &str) -> Option<Vec<&str>> {
        let mut operands = Vec::new();
        let Some(field) = self.names.get(name) else { return Some(operands) };
        self.root.gather_operands(*field, &mut operands).then_some(operands)
    }

    /// Whether the record `line` passes.
    ///
    /// # Errors
    /// [`RecordError`] where the line is not a record.
    pub fn accepts(&self, line: &[u8]) -> Result<bool, RecordError> {
        let text = line_text(line);
        let members = members::read(&text, &self.names).map_err(|error| RecordError::of(line, &error))?;
        Ok(self.root.holds(&members))
    }
}

impl FilterNode {
    /// Whether the members of a record satisfy it. It is as deep as [`crate::limits::FILTER_DEPTH`] at most.
    fn holds(&self, members: &members::FieldValues<'_>) -> bool {
        match self {
            Self::And(nodes) => nodes.iter().all(|node| node.holds(members)),
            Self::Or(nodes) => nodes.iter().any(|node| node.holds(members)),
            Self::Leaf(condition) => condition.holds(&members.get(condition.field)),
        }
    }

    /// Gathers what a field is held against; says whether all of these are whole values.
    fn gather_operands<'a>(&'a self, field: usize, operands: &mut Vec<&'a str>) -> bool {
        match self {
            Self::And(nodes) | Self::Or(nodes) => nodes.iter().all(|node| node.gather_operands(field, operands)),
            Self::Leaf(condition) => condition.field != field || condition.test.gather_operands(operands),
        }
    }
}
