//! Decides, by some fields of a record, that it cannot match: before the others are known.
//!
//! # Invariants
//!
//! What is ruled out does not match, whatever the fields are that are not trusted. A line that is no record is never
//! ruled out.

use super::Filter;
use super::condition::FilterCondition;
use crate::record::NamedValues;
use crate::record::fields::line_text;

/// Which conditions on a field may decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldTrust {
    /// None: the field may have any value.
    Unknown,
    /// Those whose operator has no `!`: the field has this value, or one that satisfies none of them.
    Positive,
    /// All: the field has this value.
    Exact,
}

/// A filter of which only some fields are known.
#[derive(Debug, Clone, PartialEq)]
pub struct PartialFilter {
    filter: Filter,
    /// The trust in each field, in the order of their values.
    trust: Vec<FieldTrust>,
}

impl PartialFilter {
    /// Creates a partial filter with the trust in each field; `None` if there is none, so that nothing is ruled out.
    #[must_use]
    pub fn new(filter: &Filter, trust_in: impl Fn(&str) -> FieldTrust) -> Option<Self> {
        let mut trust = vec![FieldTrust::Unknown; filter.names.len()];
        for (name, place) in &filter.names {
            if let Some(slot) = trust.get_mut(*place) {
                *slot = trust_in(name);
            }
        }
        let is_any = trust.iter().any(|trust| *trust != FieldTrust::Unknown);
        is_any.then(|| Self { filter: filter.clone(), trust })
    }

    /// Returns whether the record cannot match.
    #[must_use]
    pub fn rules_out(&self, line: &[u8]) -> bool {
        let text = line_text(line);
        let values = NamedValues::read(&text, &self.filter.names);
        values.is_ok_and(|values| !self.filter.root.holds_by(&|condition| self.may_hold(condition, &values)))
    }

    /// Returns whether a record with these values may satisfy the condition, where only trusted ones decide.
    fn may_hold(&self, condition: &FilterCondition, values: &NamedValues<'_>) -> bool {
        match self.trust.get(condition.field) {
            Some(FieldTrust::Exact) => condition.holds(&values.get(condition.field)),
            Some(FieldTrust::Positive) if !condition.negated => condition.holds(&values.get(condition.field)),
            Some(FieldTrust::Positive | FieldTrust::Unknown) | None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FieldTrust, Filter, PartialFilter};

    const LINE: &[u8] = br#"{"A":1,"B":"x"}"#;

    /// Whether the line is ruled out by what is known of A.
    fn rules_out(filter: &str, trust: FieldTrust) -> bool {
        let filter = Filter::parse(&format!(r#"{{"where":{filter}}}"#)).unwrap();
        let trust_in = |name: &str| if name == "A" { trust } else { FieldTrust::Unknown };
        PartialFilter::new(&filter, trust_in).is_some_and(|partial| partial.rules_out(LINE))
    }

    fn leaf(key: &str, operator: &str, value: &str) -> String {
        format!(r#"{{"key":"{key}","operator":"{operator}","value":{value}}}"#)
    }

    #[test]
    fn trusted_conditions_alone_rule_out() {
        let (no, yes, other) = (leaf("A", "eq", "2"), leaf("A", "eq", "1"), leaf("B", "eq", r#""y""#));
        let (and, or) = (format!(r#"{{"and":[{no},{other}]}}"#), format!(r#"{{"or":[{no},{other}]}}"#));
        for (filter, expected) in [(&no, true), (&yes, false), (&other, false), (&and, true), (&or, false)] {
            assert_eq!(rules_out(filter, FieldTrust::Exact), expected, "{filter}");
            assert_eq!(rules_out(filter, FieldTrust::Positive), expected, "{filter}");
            assert!(!rules_out(filter, FieldTrust::Unknown), "{filter}");
        }
        let negated = leaf("A", "!eq", "1");
        assert!(rules_out(&negated, FieldTrust::Exact) && !rules_out(&negated, FieldTrust::Positive));
    }

    #[test]
    fn what_is_no_record_is_not_ruled_out() {
        let filter = Filter::parse(&format!(r#"{{"where":{}}}"#, leaf("A", "eq", "2"))).unwrap();
        let partial = PartialFilter::new(&filter, |_| FieldTrust::Exact).unwrap();
        assert!(partial.rules_out(LINE) && !partial.rules_out(b"[1]") && !partial.rules_out(b"{"));
    }
}
