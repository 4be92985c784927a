//! How much of an answer is left.
//!
//! # Invariants
//! What was taken fits into [`MCP_ANSWER`] bytes in both of its forms.

use crate::limits::{MCP_ANSWER, MCP_ENVELOPE};

/// The bytes of an answer that are not taken yet.
#[derive(Debug)]
pub(super) struct AnswerBudget {
    left: usize,
}

impl Default for AnswerBudget {
    fn default() -> Self {
        Self { left: MCP_ANSWER - MCP_ENVELOPE }
    }
}

impl AnswerBudget {
    /// Takes what this JSON needs, if it is left. The JSON is to stand in the answer as it is, and as a part of a text.
    pub(super) fn take(&mut self, json: &str) -> bool {
        self.take_bytes(answer_bytes(json))
    }

    /// Takes a number of bytes, if they are left.
    pub(super) fn take_bytes(&mut self, bytes: usize) -> bool {
        let left = self.left.checked_sub(bytes);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }

    /// Takes a share of what is left, in per cent, as a budget of its own.
    pub(super) const fn split(&mut self, share: usize) -> Self {
        let part = self.left / 100 * share;
        self.left -= part;
        Self { left: part }
    }

    /// Returns what is left of a part.
    pub(super) const fn join(&mut self, part: &Self) {
        self.left += part.left;
    }
}

/// The bytes that JSON takes in an answer: its own, and those of a text with it.
fn answer_bytes(json: &str) -> usize {
    let escaped = json.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    2 * json.len() + escaped
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{AnswerBudget, answer_bytes};
    use crate::limits::{MCP_ANSWER, MCP_ENVELOPE};

    #[test]
    fn both_forms_of_json_are_counted() {
        for json in [r#"{"a":"b\\c\"d"}"#, "[1,2]", "\"é東\"", "{}"] {
            let text = Value::from(json).to_string();
            assert_eq!(answer_bytes(json), json.len() + text.len() - 2, "{json}");
        }
    }

    #[test]
    fn what_does_not_fit_takes_nothing() {
        let mut budget = AnswerBudget::default();
        assert!(!budget.take_bytes(MCP_ANSWER));
        let mut part = budget.split(50);
        assert!(part.take(&"x".repeat(1_000)));
        budget.join(&part);
        assert!(budget.take_bytes(MCP_ANSWER - MCP_ENVELOPE - 2_000));
        assert!(!budget.take("x") && budget.take(""));
    }
}
