//! Reads the body of a request that is not an upload.
//!
//! # Invariants
//! At most [`OPERATION_BODY_MAX`] bytes are read, and none of a `GET` or `HEAD`.

use super::problem::Problem;
use super::problems;
use super::request::HttpRequest;
use crate::backend::ByteStream;
use crate::limits::OPERATION_BODY_MAX;

/// Reads the body to its end. The caller is authenticated first, and the audit log records the bytes after.
pub(crate) async fn read_body<Y: ByteStream>(request: HttpRequest<Y>) -> Result<HttpRequest<Vec<u8>>, Problem> {
    if matches!(request.method.as_str(), "GET" | "HEAD") {
        return Ok(request.replace_body(Vec::new()).1);
    }
    if request.content_length().is_some_and(|length| length > OPERATION_BODY_MAX as u64) {
        return Err(problems::operation_too_large());
    }
    let (mut stream, request) = request.replace_body(());
    let mut body = Vec::new();
    while let Some(piece) = stream.next().await.map_err(|_| problems::body_broken())? {
        if body.len() + piece.len() > OPERATION_BODY_MAX {
            return Err(problems::operation_too_large());
        }
        body.extend_from_slice(&piece);
    }
    Ok(request.replace_body(body).1)
}
