//! The body of an operation: `{"reason":"…"}`.
//!
//! What always holds: a reason has 1 to [`REASON_CHARS`] characters
//! and no space around it.

use serde::Deserialize;

use crate::http::{Problem, problems};
use crate::limits::REASON_CHARS;

/// The body. Members that raydex does not know are stepped over.
#[derive(Deserialize)]
struct OperationBody {
    reason: String,
}

/// The reason that the body gives.
pub(crate) fn parse_reason(body: &[u8]) -> Result<String, Problem> {
    let OperationBody { reason } = serde_json::from_slice(body).map_err(|_| problems::reason_missing())?;
    let reason = reason.trim();
    let fits = (1..=REASON_CHARS).contains(&reason.chars().count());
    if fits { Ok(reason.to_owned()) } else { Err(problems::reason_missing()) }
}
