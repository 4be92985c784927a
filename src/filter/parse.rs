//! Parses the text of a filter into its tree.
//!
//! # Invariants
//!
//! Parsing goes no deeper than [`FILTER_DEPTH`] and accepts no more than [`FILTER_CONDITIONS`]. A member that is
//! unknown, missing or duplicated is an error, never skipped.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::condition::FilterCondition;
use super::error::{FilterError, FilterFault};
use super::header::split_header;
use super::{FilterNode, operator};
use crate::limits::{FILTER_BYTES, FILTER_CONDITIONS, FILTER_DEPTH};
use crate::record::fields::MemberName;
use crate::record::{NamePlaces, is_address_field};

/// The JSON document of a filter: `{"where": …}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilterDocument<'a> {
    #[serde(borrow, rename = "where")]
    root: &'a RawValue,
}

/// The members of a group or a condition.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupMembers<'a> {
    #[serde(borrow)]
    and: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    or: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    key: Option<MemberName<'a>>,
    operator: Option<String>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// Returns the tree of a filter, the fields that it reads, and the position at which it first names each.
pub(super) fn parse(text: &str) -> Result<(FilterNode, NamePlaces, Vec<Box<str>>), FilterError> {
    let fault = |fault| FilterError { at: "".into(), fault };
    if text.len() > FILTER_BYTES {
        return Err(fault(FilterFault::TooLong));
    }
    serde_json::from_str::<IgnoredAny>(text).map_err(|_| fault(FilterFault::NotJson))?;
    let outer: FilterDocument<'_> = object(text).ok_or_else(|| fault(FilterFault::NotAFilter))?;
    let mut parser = FilterParser { at: vec!["where".to_owned()], ..FilterParser::default() };
    match parser.node(outer.root) {
        Ok(root) => Ok((root, parser.names, parser.named_at)),
        Err(fault) => Err(FilterError { at: parser.at.concat().into(), fault }),
    }
}

/// Parses an object with only the expected members; `None` if it is anything else, such as an array, which serde would
/// accept.
fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    text.trim_start().starts_with('{').then(|| serde_json::from_str(text).ok()).flatten()
}

#[derive(Default)]
struct FilterParser {
    names: NamePlaces,
    /// The position at which each field is first named.
    named_at: Vec<Box<str>>,
    conditions: usize,
    /// The steps to the node being read; after an error, to the node at fault.
    at: Vec<String>,
}

impl FilterParser {
    fn node(&mut self, raw: &RawValue) -> Result<FilterNode, FilterFault> {
        match object(raw.get()).ok_or(FilterFault::NotANode)? {
            GroupMembers { and: Some(nodes), or: None, key: None, operator: None, value: None } => {
                self.group("and", &nodes).map(FilterNode::And)
            }
            GroupMembers { and: None, or: Some(nodes), key: None, operator: None, value: None } => {
                self.group("or", &nodes).map(FilterNode::Or)
            }
            GroupMembers {
                and: None,
                or: None,
                key: Some(MemberName(key)),
                operator: Some(operator),
                value: Some(value),
            } => self.condition(&key, &operator, value).map(FilterNode::Leaf),
            _ => Err(FilterFault::NotANode),
        }
    }

    fn group(&mut self, name: &str, nodes: &[&RawValue]) -> Result<Vec<FilterNode>, FilterFault> {
        if nodes.is_empty() {
            return Err(FilterFault::EmptyGroup);
        }
        // Not counting the first step, `where`.
        if self.at.len() > FILTER_DEPTH {
            return Err(FilterFault::TooDeep);
        }
        let mut parsed = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            self.at.push(format!(".{name}[{index}]"));
            parsed.push(self.node(node)?);
            self.at.pop();
        }
        Ok(parsed)
    }

    fn condition(&mut self, key: &str, operator: &str, value: &RawValue) -> Result<FilterCondition, FilterFault> {
        self.conditions += 1;
        if self.conditions > FILTER_CONDITIONS {
            return Err(FilterFault::TooManyConditions);
        }
        if key.is_empty() {
            return Err(FilterFault::Key);
        }
        let (test, negated) = operator::read(operator, value)?;
        let test = if is_address_field(key) { test.of_addresses()? } else { test };
        let (name, header) = split_header(key).map_or((key, None), |(field, header)| (field, Some(header.into())));
        let next = self.names.len();
        let field = *self.names.entry(name.into()).or_insert(next);
        if field == next {
            self.named_at.push(self.at.concat().into());
        }
        Ok(FilterCondition { field, header, negated, test })
    }
}
