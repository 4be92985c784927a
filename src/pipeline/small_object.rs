//! The body of an object, read ahead where it is so small that it may be Logpush's test upload.
//!
//! # Invariants
//! A scan reads what was read ahead. The body of a larger object is not touched.

use crate::backend::{BackendError, ByteStream, WholeBody};
use crate::batch::is_test_upload;
use crate::limits::TEST_OBJECT_MAX;

/// The body of an object.
#[derive(Debug)]
pub(super) enum ObjectBody<B> {
    /// It was not read yet.
    Stream(B),
    /// All of it; `None` once it was handed on.
    Bytes(Option<Vec<u8>>),
}

impl<B: ByteStream> ObjectBody<B> {
    /// Reads the body of an object of `size` bytes ahead, where it is small; `None` where it is a test upload.
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
