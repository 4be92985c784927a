//! The whole body of a request that is no upload.
//!
//! What always holds: at most [`OPERATION_BODY_MAX`] bytes are read.

use super::{Problem, Request, problems};
use crate::backend::Bytes;
use crate::limits::OPERATION_BODY_MAX;

/// Reads the body to its end.
pub(super) async fn whole_body<Y: Bytes>(mut request: Request<Y>) -> Result<Vec<u8>, Problem> {
    if request.content_length.is_some_and(|length| length > OPERATION_BODY_MAX as u64) {
        return Err(problems::operation_too_large());
    }
    let mut body = Vec::new();
    while let Some(piece) = request.body.next().await.map_err(|_| problems::body_broken())? {
        if body.len() + piece.len() > OPERATION_BODY_MAX {
            return Err(problems::operation_too_large());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}
