//! The body of an operation: `{"reason":"…"}`.
//!
//! A reason has 1 to [`REASON_CHARS`] characters and no space at either end.

use serde::Deserialize;

use crate::http::{Problem, problems};
use crate::limits::REASON_CHARS;

/// The body; unknown members are ignored.
#[derive(Deserialize)]
struct OperationBody {
    reason: String,
}

/// Parses the body, and returns the trimmed reason.
pub(crate) fn parse_reason(body: &[u8]) -> Result<String, Problem> {
    let OperationBody { reason } = serde_json::from_slice(body).map_err(|_| problems::reason_missing())?;
    let reason = reason.trim();
    let fits = (1..=REASON_CHARS).contains(&reason.chars().count());
    if fits { Ok(reason.to_owned()) } else { Err(problems::reason_missing()) }
}
