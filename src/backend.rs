//! The external services as narrow traits: buckets, queues, Durable Objects, the partner, signing keys, SQL.
//!
//! `platform` implements them over R2, Queues and Durable Objects; the tests over memory and SQLite. Each trait states
//! the meaning of its calls, not just their types.
//!
//! The crate of the runtime is a dependency of wasm32 only, so native code that names it does not compile.
//!
//! ```compile_fail,E0432
//! use worker::Env;
//! ```
//!
//! # Invariants
//! After an error the effect may or may not have happened. Every effect is idempotent, so callers can repeat it.

use std::future::Future;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::bucket_keys::{LogPrefixes, version_digest};
use crate::erasure::KnownErasures;
use crate::limits::ANSWER_ROOM;
use crate::memory::{OutOfMemory, Reservation};
use crate::record::Dataset;

/// A call that failed, or whose answer did not arrive. A retry may succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} failed: {detail}")]
pub struct BackendError {
    /// The operation, in words for a log line, such as `compressing a body`.
    pub what: &'static str,
    /// The error of the platform; for the log only, never for a client.
    pub detail: String,
}

impl BackendError {
    /// Creates the error of the operation `what`, with its reason.
    pub fn new(what: &'static str, detail: impl Into<String>) -> Self {
        Self { what, detail: detail.into() }
    }
}

/// The metadata of one version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// The entity tag, which differs for different content.
    pub etag: String,
    /// The stored size in bytes, compressed if the object is.
    pub size: u64,
    /// Unix milliseconds at which this version was written.
    pub uploaded_ms: i64,
    /// What raydex noted where it rewrote the object; `None` of an object as its writer left it.
    pub rewrite: Option<RewriteNote>,
}

/// The note that raydex leaves with a batch that it rewrote without erased lines. It is the metadata of the object, as JSON, so
/// the object says by itself which batch it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewriteNote {
    /// The entity tag of the version that was written first.
    pub etag: String,
    /// Unix milliseconds at which that was.
    pub uploaded_ms: i64,
    /// Number of times that the batch was rewritten.
    pub revision: u32,
    /// The dataset that the batch was read as: what is left of its lines may not tell.
    pub dataset: Dataset,
}

/// A stream of bytes, read once.
pub trait ByteStream {
    /// Returns the next piece, of any size above 0; `None` at the end. An error ends the stream.
    fn next(&mut self) -> impl Future<Output = Result<Option<Vec<u8>>, BackendError>>;

    /// Reads the complete stream into memory: for small bodies only.
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

/// A body that must have the size of its object.
///
/// An aborted connection must not look like a short object, so a body that is shorter or longer is an error at its end.
/// A reader that stops earlier sees no error.
#[derive(Debug)]
pub struct WholeBody<B> {
    body: B,
    size: u64,
    received: u64,
}

impl<B: ByteStream> WholeBody<B> {
    /// Creates the body of an object of `size` bytes.
    pub const fn new(body: B, size: u64) -> Self {
        Self { body, size, received: 0 }
    }
}

impl<B: ByteStream> ByteStream for WholeBody<B> {
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
pub trait MultipartUpload {
    /// Adds the next part. All but the last are [`crate::limits::UPLOAD_PART`] bytes.
    fn part(&mut self, bytes: Vec<u8>) -> impl Future<Output = Result<(), BackendError>>;
    /// Creates the object from the parts, atomically.
    fn complete(self) -> impl Future<Output = Result<ObjectHead, BackendError>>;
    /// Discards the parts; no object appears.
    fn abort(self) -> impl Future<Output = Result<(), BackendError>>;
}

/// The result of reading a range of one version of an object.
#[derive(Debug)]
pub enum RangedRead<B> {
    /// The bytes of the range, as a stream.
    Body(B),
    /// The object has another entity tag now.
    Changed,
    /// The object no longer exists.
    Gone,
}

/// A bucket: that of Logpush, or that of raydex's own objects.
pub trait Bucket {
    /// The stream of an object's stored bytes.
    type Body: ByteStream;
    /// A multipart upload, not visible until it completes.
    type Upload: MultipartUpload;

    /// Returns the current version of the object at `key`; `None` if it does not exist.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<(ObjectHead, Self::Body)>, BackendError>>;
    /// Reads a range of the object at `key` if it still has this entity tag. A range that exceeds the object is cut to
    /// it.
    fn get_range(
        &self,
        key: &str,
        etag: Option<&str>,
        bytes: Range<u64>,
    ) -> impl Future<Output = Result<RangedRead<Self::Body>, BackendError>>;
    /// Writes a complete object, and replaces an existing one.
    fn put(&self, key: &str, bytes: Vec<u8>) -> impl Future<Output = Result<ObjectHead, BackendError>>;
    /// Writes a complete object unless one exists, and returns whether it wrote.
    fn put_new(&self, key: &str, bytes: Vec<u8>) -> impl Future<Output = Result<bool, BackendError>>;
    /// Deletes at most [`crate::limits::LIST_PAGE`] objects; a missing one is not an error.
    fn delete(&self, keys: &[String]) -> impl Future<Output = Result<(), BackendError>>;
    /// Returns the next page of a listing, in the order of the keys' bytes.
    fn list(&self, ask: &ListRequest) -> impl Future<Output = Result<ListPage, BackendError>>;
    /// Begins a multipart upload, and keeps with the object who uploads it.
    fn upload(&self, key: &str, uploader: &str) -> impl Future<Output = Result<Self::Upload, BackendError>>;
    /// Writes a complete object, as [`Self::put`] does, and keeps with it who uploaded it.
    fn put_upload(
        &self,
        key: &str,
        bytes: Vec<u8>,
        uploader: &str,
    ) -> impl Future<Output = Result<ObjectHead, BackendError>>;
    /// Returns who uploaded this version of an object; `None` if that is not known, or it is no longer there.
    fn uploader(&self, key: &str, etag: &str) -> impl Future<Output = Result<Option<String>, BackendError>>;
    /// Returns the label of the edge logger with this version of an object; `None` if there is none, or it is no longer there.
    fn edge_label(&self, key: &str, etag: &str) -> impl Future<Output = Result<Option<String>, BackendError>>;
    /// Writes an object in the place of the version with this entity tag, with its metadata and this note. Returns whether it
    /// wrote: another version stays.
    fn replace(
        &self,
        key: &str,
        etag: &str,
        bytes: Vec<u8>,
        note: &RewriteNote,
    ) -> impl Future<Output = Result<bool, BackendError>>;
    /// Begins a multipart upload of an object that takes the place of the version with this entity tag, whatever is there when it
    /// completes, with its metadata and this note.
    fn rewrite(
        &self,
        key: &str,
        etag: &str,
        note: &RewriteNote,
    ) -> impl Future<Output = Result<Self::Upload, BackendError>>;
    /// Completes once the reader may read: a request that is admitted, anything else at once.
    fn admitted(&self) -> impl Future<Output = ()> {
        std::future::ready(())
    }
}

/// Lets the other requests of an isolate go first.
pub trait Turns {
    /// Completes once the others had their turn.
    fn pass(&self) -> impl Future<Output = ()>;
}

/// Passes no turn: there are no others.
impl Turns for () {
    async fn pass(&self) {}
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
    /// The folders of the log bucket, with the settings for the batches in them.
    pub prefixes: &'a LogPrefixes,
    /// The lines that no reader shows.
    pub erasures: &'a KnownErasures,
}

impl<B> Clone for BatchStore<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for BatchStore<'_, B> {}

impl<B> BatchStore<'_, B> {
    /// Returns the digest that names the windows and the summaries of one version of a batch.
    #[must_use]
    pub fn version_digest(&self, key: &str, etag: &str) -> String {
        version_digest(self.bucket_name, key, etag)
    }
}

/// The keys to list, and where the listing continues.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListRequest {
    /// The prefix of the keys; empty for all keys.
    pub prefix: String,
    /// Lists only keys after this one; for the first page.
    pub after: Option<String>,
    /// The cursor that the previous page returned.
    pub cursor: Option<String>,
    /// Whether keys with another slash after the prefix are grouped into folders.
    pub by_folder: bool,
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListPage {
    /// Keys and metadata, in byte order of the keys.
    pub objects: Vec<(String, ObjectHead)>,
    /// Folders with their final slash, if the listing groups by folder.
    pub folders: Vec<String>,
    /// The cursor of the next page; `None` on the last page.
    pub cursor: Option<String>,
}

/// The Durable Objects of one class, by name. Each object handles its calls one at a time.
pub trait DurableObjects {
    /// Sends `body` to the object `name` under `call` and returns its answer. If the object refuses the call (its
    /// answer does not report success), the error has its message.
    fn call(&self, name: &str, call: &str, body: Vec<u8>) -> impl Future<Output = Result<Vec<u8>, BackendError>>;

    /// Like [`Self::call`]; reserves [`ANSWER_ROOM`] bytes for each of the answer before the answer is taken into memory.
    fn call_reserving(
        &self,
        name: &str,
        call: &str,
        body: Vec<u8>,
        reservation: &Reservation,
    ) -> impl Future<Output = Result<Vec<u8>, CallError>> {
        async move {
            let answer = self.call(name, call, body).await?;
            reservation.grow_to(ANSWER_ROOM * answer.len())?;
            Ok(answer)
        }
    }
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The answer does not fit in memory.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// The call failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// Serializes a plain struct, which cannot fail.
pub(crate) fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// A queue of Cloudflare Queues with messages of type `M`.
pub trait Queue<M> {
    /// Sends any number of messages. Each is delivered at least once, in any order.
    fn send(&self, messages: &[M]) -> impl Future<Output = Result<(), BackendError>>;
}

/// A signed request that delivers one payload to the partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerPost {
    /// The URL, which is never logged because it contains the signature.
    pub url: String,
    /// The value of the header `X-Batch-Id`.
    pub batch_id: String,
    /// The body, compressed with gzip.
    pub body: Vec<u8>,
    /// Time limit for the response, in milliseconds.
    pub timeout_ms: i64,
}

/// The parts of the partner's response that decide about the delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostAnswer {
    /// The HTTP status, 100 to 599.
    pub status: u16,
    /// The value of `Retry-After`, as sent by the partner.
    pub retry_after: Option<String>,
    /// The beginning of the body of an answer other than 2xx: at most [`crate::limits::REFUSAL_BYTES`].
    pub body: Vec<u8>,
}

/// The reason why there is no response from the partner. The texts contain no part of the URL; the log has only the
/// attempt's code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// The request could not be built, so no byte of the body was sent.
    #[error("the request could not be built: {0}")]
    NotSent(String),
    /// The connection failed or timed out, so the partner may have the body.
    #[error("the partner did not respond: {0}")]
    Unknown(String),
}

/// The HTTP endpoint that receives deliveries.
pub trait PartnerClient {
    /// Sends one request and waits for the response, at most for its time limit. Redirects are returned, not followed.
    fn post(&self, post: &PartnerPost) -> impl Future<Output = Result<PostAnswer, PostError>>;
    /// Returns whether anything answers a `HEAD` of this URL within [`crate::limits::CONNECT_MS`], whatever it answers.
    fn can_connect(&self, url: &str) -> impl Future<Output = bool>;
    /// Returns the `Date` with which a `HEAD` of this URL is answered, in Unix milliseconds; `None` without an answer within
    /// [`crate::limits::CONNECT_MS`], or one that has none.
    fn read_clock(&self, url: &str) -> impl Future<Output = Option<i64>>;
}

/// The address that hears of what needs someone.
pub trait WebhookClient {
    /// Posts a body of JSON, and returns whether a 2xx came within [`crate::limits::NOTICE_MS`].
    fn post_json(&self, url: &str, body: Vec<u8>) -> impl Future<Output = bool>;
}

/// An RSA public key as in a JWKS document (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwk {
    /// The key ID (`kid`), which assertions name.
    pub kid: String,
    /// The modulus in base64url without padding.
    pub n: String,
    /// The exponent in base64url without padding.
    pub e: String,
}

/// Fetches an issuer's keys for assertions, and verifies signatures.
pub trait AssertionKeys {
    /// Fetches the JWKS document: at most [`crate::limits::JWKS_MAX`] bytes, within [`crate::limits::JWKS_FETCH_MS`].
    /// Every status except 200 is an error, redirects included.
    fn fetch(&self) -> impl Future<Output = Result<Vec<u8>, BackendError>>;
    /// Completes after this many milliseconds.
    fn pause(&self, ms: i64) -> impl Future<Output = ()>;
    /// Verifies an RSASSA-PKCS1-v1_5 signature with SHA-256 over `signed`. An invalid key is an error.
    fn verify(&self, key: &Jwk, signed: &[u8], signature: &[u8]) -> impl Future<Output = Result<bool, BackendError>>;
}

/// A parameter or a column of a SQL statement.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlValue {
    /// An integer of at most 53 bits, since the platform uses doubles.
    Integer(i64),
    /// A string in UTF-8, as SQLite stores it.
    Text(String),
    /// A blob of at most [`crate::limits::SQL_BLOB_MAX`] bytes.
    Blob(Vec<u8>),
    /// The SQL value `NULL`, without a type.
    Null,
}

impl SqlValue {
    /// Converts text into a value of SQL.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Converts a number below 2^53; one outside of `i64` becomes the largest `i64`.
    pub fn number(number: impl TryInto<i64>) -> Self {
        Self::Integer(number.try_into().unwrap_or(i64::MAX))
    }

    /// Returns the integer, or `None` for another type.
    #[must_use]
    pub const fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the text, or `None` for another type.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// The columns of one row, in the order of the `SELECT`.
pub type SqlRow = Vec<SqlValue>;

/// The rows of one statement and its billed writes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SqlAnswer {
    /// The returned rows, in the order of the statement.
    pub rows: Vec<SqlRow>,
    /// Number of rows billed as written.
    pub rows_written: u64,
}

/// The SQLite database of one object.
pub trait SqlDatabase {
    /// Runs one statement with positional parameters and reads its answer to the end.
    ///
    /// # Errors
    /// The error of the statement. The effects of earlier statements remain, unless a transaction is open.
    fn run(&self, statement: &str, parameters: &[SqlValue]) -> Result<SqlAnswer, BackendError>;

    /// Runs `work` as a transaction: if it returns an error, none of its statements takes effect.
    ///
    /// # Errors
    /// The error of `work`, or that of the transaction itself.
    fn transaction(&self, work: &mut dyn FnMut() -> Result<(), BackendError>) -> Result<(), BackendError>;

    /// Completes once all that was written so far is durable.
    ///
    /// # Errors
    /// [`BackendError`] where it is not known to be.
    fn flushed(&self) -> impl Future<Output = Result<(), BackendError>> {
        std::future::ready(Ok(()))
    }
}
