//! The platform's bodies as byte streams of the core. Empty pieces are skipped. A body that is dropped early is
//! cancelled, unless the platform has cancelled it already.

use futures_util::StreamExt;
use worker::ByteStream as BodyStream;

use super::{failed, hang_up};
use crate::backend::{BackendError, ByteStream};

/// A body of the platform; `None` if it is empty.
#[derive(Debug)]
pub(super) struct StreamedBody(pub(super) Option<BodyStream>);

impl Drop for StreamedBody {
    fn drop(&mut self) {
        if hang_up::is_over() {
            // Cancelling would throw here, and abort the drop of everything that remains. This leaks a handle.
            std::mem::forget(self.0.take());
        }
    }
}

impl ByteStream for StreamedBody {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, BackendError> {
        let Some(stream) = &mut self.0 else { return Ok(None) };
        loop {
            match stream.next().await {
                None => return Ok(None),
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(piece) => return piece.map(Some).map_err(failed("reading a body")),
            }
        }
    }
}
