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
use std::ops::Range;

use serde::Serialize;

use crate::bucket_keys::version_digest;

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

    /// All of them at once: for what is small, since it is held in memory.
    fn all(mut self) -> impl Future<Output = Result<Vec<u8>, BackendError>>
    where
        Self: Sized,
    {
        async move {
            let mut bytes = Vec::new();
            while let Some(piece) = self.next().await? {
                bytes.extend_from_slice(&piece);
            }
            Ok(bytes)
        }
    }
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
                return Err(BackendError::new("reading an object", format!("received {received} of {size} bytes")));
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

/// What a ranged read came to.
#[derive(Debug)]
pub enum Ranged<B> {
    /// The bytes.
    Body(B),
    /// The object is another version now.
    Changed,
    /// There is no such object.
    Gone,
}

/// A bucket: the one that Logpush writes to, or the one that raydex keeps its own objects in.
pub trait Bucket {
    /// The body of an object.
    type Body: Bytes;
    /// An upload in parts.
    type Upload: Upload;

    /// The object at `key` as it is now, or `None` where there is none.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<(ObjectHead, Self::Body)>, BackendError>>;
    /// Bytes of the object at `key`, if it is still this version. There are as many as asked for, or fewer where the
    /// object ends before.
    fn get_range(
        &self,
        key: &str,
        etag: Option<&str>,
        bytes: Range<u64>,
    ) -> impl Future<Output = Result<Ranged<Self::Body>, BackendError>>;
    /// Writes an object whole, over what was there.
    fn put(&self, key: &str, bytes: Vec<u8>) -> impl Future<Output = Result<ObjectHead, BackendError>>;
    /// Writes an object whole where there is none, and says whether it did; what is there stays as it is.
    fn put_new(&self, key: &str, bytes: Vec<u8>) -> impl Future<Output = Result<bool, BackendError>>;
    /// Removes objects, at most [`crate::limits::LIST_PAGE`]; one that is not there is no error.
    fn delete(&self, keys: &[String]) -> impl Future<Output = Result<(), BackendError>>;
    /// The next page of a listing, in the order of the keys' bytes.
    fn list(&self, ask: &List) -> impl Future<Output = Result<Listed, BackendError>>;
    /// Begins an upload in parts.
    fn upload(&self, key: &str) -> impl Future<Output = Result<Self::Upload, BackendError>>;
}

/// The buckets that an indexed batch is read from.
#[derive(Debug)]
pub struct BatchStore<'a, B> {
    /// The log bucket, which holds the batches.
    pub logs: &'a B,
    /// The data bucket, which holds windows and summaries. It may be the log bucket.
    pub data: &'a B,
    /// The log bucket's name, a part of every [`version_digest`].
    pub bucket_name: &'a str,
}

impl<B> Clone for BatchStore<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for BatchStore<'_, B> {}

impl<B> BatchStore<'_, B> {
    /// The digest that names the windows and the summaries of one version of a batch.
    #[must_use]
    pub fn version_digest(&self, key: &str, etag: &str) -> String {
        version_digest(self.bucket_name, key, etag)
    }
}

/// What to list of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct List {
    /// The keys begin so.
    pub prefix: String,
    /// They stand behind this one; for the first page.
    pub after: Option<String>,
    /// Where the last page ended.
    pub cursor: Option<String>,
    /// Whether keys with a further slash are told as folders alone.
    pub by_folder: bool,
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listed {
    /// The objects, with their keys.
    pub objects: Vec<(String, ObjectHead)>,
    /// The folders, each with its slash; only where they were asked for.
    pub folders: Vec<String>,
    /// Where the next page begins; `None` at the end.
    pub cursor: Option<String>,
}

/// The Durable Objects of one class, by name. A call is answered by that one object, which works through its
/// calls one at a time.
pub trait Objects {
    /// Sends `body` to the object `name` under `call` and returns its answer. An object that refuses a call
    /// (the answer is no success) is an error with its words.
    fn call(&self, name: &str, call: &str, body: Vec<u8>) -> impl Future<Output = Result<Vec<u8>, BackendError>>;
}

/// The JSON of a plain struct, which always has one.
pub(crate) fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// A queue of messages.
pub trait Queue<M> {
    /// Puts messages on the queue, in any number; each comes at least once, at any time, in any order.
    fn send(&self, messages: &[M]) -> impl Future<Output = Result<(), BackendError>>;
}

/// One POST to the partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Where to; it carries the signature, so it is never logged.
    pub url: String,
    /// The header `X-Batch-Id`.
    pub batch_id: String,
    /// The body: gzip.
    pub body: Vec<u8>,
}

/// What the partner answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostAnswer {
    /// The status.
    pub status: u16,
    /// The header `Retry-After`.
    pub retry_after: Option<String>,
}

/// No answer came. The words are for the log; they hold no part of the address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// No byte of the body can have left: the name or the connection failed.
    #[error("the partner is unreachable: {0}")]
    NotSent(String),
    /// The partner may have the body.
    #[error("the partner did not respond: {0}")]
    Unknown(String),
}

/// The partner.
pub trait Partner {
    /// Sends one body and waits for the answer, at most [`crate::limits::POST_MS`]. A redirect is an answer, and
    /// is not followed.
    fn post(&self, post: &Post) -> impl Future<Output = Result<PostAnswer, PostError>>;
}

/// A public key of RSA, as a JWKS document spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwk {
    /// Its id.
    pub kid: String,
    /// The modulus, in base64url.
    pub n: String,
    /// The exponent, in base64url.
    pub e: String,
}

/// The issuer of assertions, and the arithmetic of their signatures.
pub trait Keys {
    /// The issuer's JWKS document, as it is now; at most [`crate::limits::JWKS_MAX`] bytes, within
    /// [`crate::limits::JWKS_FETCH_MS`]. A redirect is an error, and so is any status but 200.
    fn fetch(&self) -> impl Future<Output = Result<Vec<u8>, BackendError>>;
    /// Whether `signature` is the one of RSASSA-PKCS1-v1_5 with SHA-256 over `signed` by that key. A key that is none
    /// is an error.
    fn verify(&self, key: &Jwk, signed: &[u8], signature: &[u8]) -> impl Future<Output = Result<bool, BackendError>>;
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

impl SqlValue {
    /// Text as SQL knows it.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A number under 2^53 as SQL knows it; a larger one as the largest.
    pub fn number(number: impl TryInto<i64>) -> Self {
        Self::Integer(number.try_into().unwrap_or(i64::MAX))
    }

    /// The integer that it is.
    #[must_use]
    pub const fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The text that it is.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
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
