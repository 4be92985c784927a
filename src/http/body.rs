//! The whole body of a request that is no upload.
//!
//! What always holds: at most [`OPERATION_BODY_MAX`] bytes are read, and none of a question's; it is read after the caller is known, and before
//! the audit log is told what is asked.

use super::problem::Problem;
use super::problems;
use super::request::Request;
use crate::backend::Bytes;
use crate::limits::OPERATION_BODY_MAX;

/// The request with its body read to the end.
pub(crate) async fn with_body<Y: Bytes>(request: Request<Y>) -> Result<Request<Vec<u8>>, Problem> {
    if matches!(request.method.as_str(), "GET" | "HEAD") {
        return Ok(request.replace(Vec::new()).1);
    }
    if request.content_length().is_some_and(|length| length > OPERATION_BODY_MAX as u64) {
        return Err(problems::operation_too_large());
    }
    let (mut stream, request) = request.replace(());
    let mut body = Vec::new();
    while let Some(piece) = stream.next().await.map_err(|_| problems::body_broken())? {
        if body.len() + piece.len() > OPERATION_BODY_MAX {
            return Err(problems::operation_too_large());
        }
        body.extend_from_slice(&piece);
    }
    Ok(request.replace(body).1)
}
