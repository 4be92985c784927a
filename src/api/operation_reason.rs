//! The body of an operation: `{"reason":"…"}`.
//!
//! A reason has 1 to [`REASON_CHARS`] characters and no space at either end. The body has no other member: one that was
//! ignored could be a switch such as a dry run.

use serde_json::Value;

use crate::http::{Problem, parse_only_member, problems};
use crate::limits::REASON_CHARS;

/// Parses the body, and returns the trimmed reason.
pub(crate) fn parse_reason(body: &[u8]) -> Result<String, Problem> {
    check_reason(parse_only_member(body, "reason")?)
}

/// Returns the trimmed reason that a body with other members gives.
pub(super) fn check_reason(reason: Option<Value>) -> Result<String, Problem> {
    let Some(Value::String(reason)) = reason else {
        return Err(problems::reason_missing());
    };
    let reason = reason.trim();
    let fits = (1..=REASON_CHARS).contains(&reason.chars().count());
    if fits { Ok(reason.to_owned()) } else { Err(problems::reason_missing()) }
}
