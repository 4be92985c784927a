//! What the core asks of the world, as narrow traits.
//!
//! `platform` implements them over R2, Queues and Durable Objects; the tests over memory and SQLite. Each
//! trait states what its calls mean, not just their types.
//!
//! The compiler is the wall: the runtime's crate is a dependency of wasm32 alone, so that native code which names
//! it does not compile.
//!
//! ```compile_fail,E0432
//! use worker::Env;
//! ```
//!
//! What always holds: an error of a backend says nothing about whether the effect happened; every effect here
//! may be asked for again with the same result.

use std::future::Future;

use crate::batch::R2Event;

/// The world did not do what was asked, or did not say that it did. Trying later may help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} failed: {detail}")]
pub struct BackendError {
    /// What was asked for, as words for a log line.
    pub what: &'static str,
    /// What came back; for the log only, never for a user.
    pub detail: String,
}

impl BackendError {
    /// The error of `what`, for the reason `detail`.
    pub fn new(what: &'static str, detail: impl Into<String>) -> Self {
        Self { what, detail: detail.into() }
    }
}

/// What a bucket says of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// Its version: another content has another one.
    pub etag: String,
    /// Its size, in stored bytes.
    pub size: u64,
    /// When this version was written, in Unix milliseconds.
    pub uploaded_ms: i64,
}

/// A stream of bytes, read once.
pub trait Bytes {
    /// The next piece, of any size above 0; `None` at the end. An error ends the stream.
    fn next(&mut self) -> impl Future<Output = Result<Option<Vec<u8>>, BackendError>>;
}

/// A body that must be as long as the bucket says its object is.
///
/// A connection that breaks must not look like an object that was written so: the end of a body that is shorter
/// or longer is an error. Whoever stops before the end asks for none.
#[derive(Debug)]
pub struct WholeBody<B> {
    body: B,
    size: u64,
    received: u64,
}

impl<B: Bytes> WholeBody<B> {
    /// The body of an object of `size` bytes.
    pub const fn new(body: B, size: u64) -> Self {
        Self { body, size, received: 0 }
    }
}

impl<B: Bytes> Bytes for WholeBody<B> {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, BackendError> {
        let piece = self.body.next().await?;
        let Self { received, size, .. } = self;
        match &piece {
            Some(piece) => *received += piece.len() as u64,
            None if received != size => {
                return Err(BackendError::new("reading an object", format!("{received} bytes came of {size}")));
            }
            None => {}
        }
        Ok(piece)
    }
}

/// An upload in parts: nothing is visible until it is completed.
pub trait Upload {
    /// Adds the next part. All but the last are [`crate::limits::UPLOAD_PART`] bytes.
    fn part(&mut self, bytes: Vec<u8>) -> impl Future<Output = Result<(), BackendError>>;
    /// Makes the object of the parts, all at once.
    fn complete(self) -> impl Future<Output = Result<ObjectHead, BackendError>>;
    /// Drops the parts.
    fn abort(self) -> impl Future<Output = Result<(), BackendError>>;
}

/// The bucket that Logpush writes to.
pub trait Bucket {
    /// The body of an object.
    type Body: Bytes;
    /// An upload in parts.
    type Upload: Upload;

    /// The object at `key` as it is now, or `None` where there is none.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<(ObjectHead, Self::Body)>, BackendError>>;
    /// Writes an object whole, over what was there.
    fn put(&self, key: &str, bytes: Vec<u8>) -> impl Future<Output = Result<ObjectHead, BackendError>>;
    /// Begins an upload in parts.
    fn upload(&self, key: &str) -> impl Future<Output = Result<Self::Upload, BackendError>>;
}

/// The objects of the index, by name. A call is answered by that one object, which works through its calls
/// one at a time.
pub trait Shards {
    /// Sends `body` to the object `name` under `call` and returns its answer. An object that refuses a call
    /// (the answer is no success) is an error with its words.
    fn call(&self, name: &str, call: &str, body: Vec<u8>) -> impl Future<Output = Result<Vec<u8>, BackendError>>;
}

/// The queue of objects to parse.
pub trait ParseQueue {
    /// Puts one message on the queue; it comes at least once, at any time.
    fn send(&self, event: &R2Event) -> impl Future<Output = Result<(), BackendError>>;
}

/// A value of SQL.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlValue {
    /// An integer of at most 53 bits: more do not survive the platform.
    Integer(i64),
    /// Text.
    Text(String),
    /// Bytes, at most [`crate::limits::SQL_BLOB_MAX`].
    Blob(Vec<u8>),
    /// NULL.
    Null,
}

/// A row of an answer.
pub type SqlRow = Vec<SqlValue>;

/// What one statement did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SqlAnswer {
    /// The rows it returned.
    pub rows: Vec<SqlRow>,
    /// Rows that the platform bills as written.
    pub rows_written: u64,
}

/// The SQLite database of one object.
pub trait Sql {
    /// Runs one statement with positional parameters and reads its answer to the end.
    ///
    /// # Errors
    /// [`BackendError`] where the statement failed. Earlier statements stay, unless a transaction is open.
    fn run(&self, statement: &str, parameters: &[SqlValue]) -> Result<SqlAnswer, BackendError>;

    /// Runs `work` so that all of its statements happen or, if it returns an error, none.
    ///
    /// # Errors
    /// The error of `work`, or that of the transaction itself.
    fn transaction(&self, work: &mut dyn FnMut() -> Result<(), BackendError>) -> Result<(), BackendError>;
}
