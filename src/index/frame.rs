//! The body of a shard call that carries raw bytes: a JSON head, then the bytes, which would triple in size as JSON.
//!
//! ```text
//! u32 LE  length of the head
//! head    JSON, which says how many bytes follow
//! …       the bytes
//! ```

use serde::Serialize;

use crate::backend::{BackendError, to_json};

/// Returns the body with this head and these bytes.
pub(super) fn write<'b>(head: &impl Serialize, blobs: impl IntoIterator<Item = &'b [u8]>) -> Vec<u8> {
    let head = to_json(head);
    let mut body = u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    body.extend_from_slice(&head);
    for blob in blobs {
        body.extend_from_slice(blob);
    }
    body
}

/// Splits a body into the JSON of its head and the bytes that follow.
///
/// # Errors
/// [`BackendError`] if the body ends within its head.
pub(super) fn split(body: &[u8]) -> Result<(&[u8], &[u8]), BackendError> {
    let (length, rest) = body.split_first_chunk::<4>().ok_or_else(cut)?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(cut)
}

/// Takes the next `length` bytes from `rest`.
///
/// # Errors
/// [`BackendError`] if there are fewer.
pub(super) fn take<'b>(rest: &mut &'b [u8], length: usize) -> Result<&'b [u8], BackendError> {
    let (bytes, after) = rest.split_at_checked(length).ok_or_else(cut)?;
    *rest = after;
    Ok(bytes)
}

fn cut() -> BackendError {
    BackendError::new("reading a call to a shard", "its body ends too early")
}
