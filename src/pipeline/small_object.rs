//! The body of an object, read ahead if it is small enough to be Logpush's test upload.
//!
//! # Invariants
//! A scan also reads the bytes that were read ahead. The body of a larger object is not touched.

use crate::backend::{BackendError, ByteStream, WholeBody};
use crate::batch::is_test_upload;
use crate::limits::TEST_OBJECT_MAX;

/// The body of an object, possibly read ahead.
#[derive(Debug)]
pub(super) enum ObjectBody<B> {
    /// A body that was not read yet.
    Stream(B),
    /// The complete body; `None` once it was returned.
    Bytes(Option<Vec<u8>>),
}

impl<B: ByteStream> ObjectBody<B> {
    /// Reads the body of an object of `size` bytes ahead if it is small; `None` if it is a test upload.
    pub(super) async fn unless_test(body: B, size: u64) -> Result<Option<Self>, BackendError> {
        if size > TEST_OBJECT_MAX {
            return Ok(Some(Self::Stream(body)));
        }
        let bytes = WholeBody::new(body, size).all().await?;
        Ok((!is_test_upload(&bytes)).then_some(Self::Bytes(Some(bytes))))
    }
}

impl<B: ByteStream> ByteStream for ObjectBody<B> {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, BackendError> {
        match self {
            Self::Stream(body) => body.next().await,
            Self::Bytes(bytes) => Ok(bytes.take().filter(|bytes| !bytes.is_empty())),
        }
    }
}
