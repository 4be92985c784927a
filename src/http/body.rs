//! Reads the body of a request other than an upload.
//!
//! # Invariants
//! At most [`OPERATION_BODY_MAX`] bytes are read, and none for a `GET` or `HEAD`.

use super::problem::Problem;
use super::problems;
use super::request::HttpRequest;
use crate::backend::ByteStream;
use crate::limits::{BODY_ROOM, OPERATION_BODY_MAX};
use crate::memory::Reservation;

/// Reads the body of a request to its end. The caller is authenticated first, and the audit log records what the body was
/// read as after.
///
/// What it takes is reserved as it arrives, and stays reserved.
pub(crate) async fn read_body(
    request: &HttpRequest<()>,
    mut stream: impl ByteStream,
    reservation: &Reservation,
) -> Result<Vec<u8>, Problem> {
    if matches!(request.method.as_str(), "GET" | "HEAD") {
        return Ok(Vec::new());
    }
    if request.content_length().is_some_and(|length| length > OPERATION_BODY_MAX as u64) {
        return Err(problems::operation_too_large());
    }
    let mut body = Vec::new();
    while let Some(piece) = stream.next().await.map_err(|_| problems::body_broken())? {
        if body.len() + piece.len() > OPERATION_BODY_MAX {
            return Err(problems::operation_too_large());
        }
        reservation.reserve(BODY_ROOM * piece.len())?;
        body.extend_from_slice(&piece);
    }
    Ok(body)
}
