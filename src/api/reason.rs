//! The body of an operation: `{"reason":"…"}`.
//!
//! What always holds: a reason has 1 to [`REASON_CHARS`] characters
//! and no space around it.

use serde::Deserialize;

use super::body::whole_body;
use super::{Problem, Request, problems};
use crate::backend::Bytes;
use crate::limits::REASON_CHARS;

/// The body. Members that raydex does not know are stepped over.
#[derive(Deserialize)]
struct Operation {
    reason: String,
}

/// The reason that the body gives.
pub(super) async fn reason<Y: Bytes>(request: Request<Y>) -> Result<String, Problem> {
    let body = whole_body(request).await?;
    let Operation { reason } = serde_json::from_slice(&body).map_err(|_| problems::reason_missing())?;
    let reason = reason.trim();
    let fits = (1..=REASON_CHARS).contains(&reason.chars().count());
    if fits { Ok(reason.to_owned()) } else { Err(problems::reason_missing()) }
}
