//! Replies: status, headers, body.
//!
//! # Invariants
//! Every reply has the headers of [`SECURITY_HEADERS`]: a log line must not stay in a cache, and no page of another site
//! may embed or read it. A streamed body is produced piece by piece, as the client reads it. Bodies are made of reserved
//! bytes, whose reservation ends when the platform has taken them over.

use std::borrow::Cow;
use std::fmt;

use futures_util::StreamExt;
use futures_util::stream::LocalBoxStream;
use serde::Serialize;

use super::entity_tag::matches_entity_tag;
use super::media_type::{HTML, JSON};
use crate::backend::BackendError;
use crate::memory::{MemoryBudget, OutOfMemory, ReservedBytes, ReservedWriter};
use crate::span_reader::ReadStats;

/// The headers of every reply, whatever it answers.
pub const SECURITY_HEADERS: [(&str, &str); 6] = [
    ("cache-control", "no-store"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("strict-transport-security", "max-age=31536000"),
    ("x-content-type-options", "nosniff"),
];

/// The policy of pages, in the place of that of [`SECURITY_HEADERS`]: scripts, styles and images of this host alone, nothing
/// inline, and no text that becomes a script.
pub const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// The cost of a lookup, as answers and the header `raydex-cost` show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LookupCost {
    shards_asked: u64,
    objects_read: u64,
    bytes_read: u64,
    bytes_inflated: u64,
    full_scans: u64,
    /// Milliseconds by the platform's clock, which may include work other than the lookup.
    pub(crate) elapsed_ms: i64,
}

impl LookupCost {
    /// Creates the cost of a lookup from its counts and its duration in milliseconds.
    pub(crate) const fn new(stats: &ReadStats, elapsed_ms: i64) -> Self {
        let &ReadStats { shards_asked, objects_read, bytes_read, bytes_inflated, full_scans, .. } = stats;
        Self { shards_asked, objects_read, bytes_read, bytes_inflated, full_scans, elapsed_ms }
    }
}

/// The pieces of a streamed body.
pub type BodyPieces = LocalBoxStream<'static, Result<ReservedBytes, BackendError>>;

/// The body of a reply.
pub enum ReplyBody {
    /// The complete body.
    Whole(ReservedBytes),
    /// The pieces, each produced when the client reads it. An error aborts the connection, so that a truncated body
    /// does not look complete.
    Stream(BodyPieces),
}

impl ReplyBody {
    /// Reads the complete body without a bound: for tests and for bodies known to be short.
    ///
    /// # Errors
    /// The [`BackendError`] of the failed piece.
    pub async fn whole(self) -> Result<Vec<u8>, BackendError> {
        match self {
            Self::Whole(bytes) => Ok(bytes.to_vec()),
            Self::Stream(mut pieces) => {
                let mut bytes = Vec::new();
                while let Some(piece) = pieces.next().await {
                    piece?.chunks().for_each(|chunk| bytes.extend_from_slice(chunk));
                }
                Ok(bytes)
            }
        }
    }
}

impl fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Stream(_) => f.write_str("a stream"),
        }
    }
}

/// A reply of the API, which `platform` converts to a response of the runtime.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status, 200 to 599.
    pub status: u16,
    /// The headers in order, with lower-case names.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body, complete or streamed.
    pub body: ReplyBody,
}

impl Reply {
    /// Creates a reply with a body of this media type.
    #[must_use]
    pub fn new(status: u16, media_type: &'static str, body: ReservedBytes) -> Self {
        let always = SECURITY_HEADERS.map(|(name, value)| (name, Cow::Borrowed(value)));
        let headers = [("content-type", Cow::Borrowed(media_type))].into_iter().chain(always).collect();
        Self { status, headers, body: ReplyBody::Whole(body) }
    }

    /// Creates a 200 with a streamed body.
    pub(crate) fn streaming(media_type: &'static str, pieces: BodyPieces) -> Self {
        Self { body: ReplyBody::Stream(pieces), ..Self::new(200, media_type, ReservedBytes::default()) }
    }

    /// Creates a reply with a short text, as [`ReservedBytes::small`] takes it.
    pub(crate) fn small(status: u16, media_type: &'static str, body: &[u8]) -> Self {
        Self::new(status, media_type, ReservedBytes::small(body))
    }

    /// Creates a 200 with this value as one line of JSON.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the body does not fit.
    pub(crate) fn json(memory: &MemoryBudget, answer: &impl Serialize) -> Result<Self, OutOfMemory> {
        let mut body = ReservedWriter::new(memory);
        body.push_json(answer)?;
        body.push(b"\n")?;
        Ok(Self::new(200, JSON, body.finish()?))
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Creates a page, with its policy.
    pub(crate) fn page(status: u16, body: ReservedBytes) -> Self {
        Self::new(status, HTML, body).with_replaced("content-security-policy", PAGE_POLICY)
    }

    /// Creates a 303, which a browser follows with a `GET`.
    pub(crate) fn see_other(path: impl Into<Cow<'static, str>>) -> Self {
        Self::page(303, ReservedBytes::default()).with_header("location", path)
    }

    /// Replaces a header of [`SECURITY_HEADERS`].
    #[must_use]
    pub(crate) fn with_replaced(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.with_header(name, value)
    }

    /// Adds the header `raydex-cost: shards_asked=1, objects_read=1, …`.
    #[must_use]
    pub fn with_cost(self, cost: &LookupCost) -> Self {
        let LookupCost { shards_asked, objects_read, bytes_read, bytes_inflated, full_scans, elapsed_ms } = cost;
        self.with_header(
            "raydex-cost",
            format!(
                "shards_asked={shards_asked}, objects_read={objects_read}, bytes_read={bytes_read}, \
                 bytes_inflated={bytes_inflated}, full_scans={full_scans}, elapsed_ms={elapsed_ms}"
            ),
        )
    }

    /// Adds the entity tag, or turns the reply into a 304 if `If-None-Match` (`known`) contains it.
    pub(crate) fn with_entity_tag(self, tag: String, known: Option<&str>) -> Self {
        if known.is_some_and(|known| matches_entity_tag(known, &tag)) {
            let kept = self.headers.into_iter().filter(|(name, _)| *name != "content-type").collect();
            let unchanged = Self { status: 304, headers: kept, body: ReplyBody::Whole(ReservedBytes::default()) };
            return unchanged.with_header("etag", tag);
        }
        self.with_header("etag", tag)
    }
}

#[cfg(test)]
mod tests {
    use super::super::entity_tag::EntityTagHasher;
    use super::{Reply, ReplyBody};

    #[test]
    fn known_etag_is_answered_without_a_body() {
        let entity_tag =
            |parts: [&[u8]; 2]| parts.into_iter().fold(EntityTagHasher::default(), EntityTagHasher::with).finish();
        let tag = entity_tag([b"a", b"b"]);
        assert_ne!(tag, entity_tag([b"ab", b""]), "parts do not run into each other");
        let strong = tag.trim_start_matches("W/").to_owned();
        for known in [tag.clone(), strong, "*".into(), format!("\"x\", {tag}")] {
            let reply = Reply::small(200, "text/plain", b"body").with_entity_tag(tag.clone(), Some(&known));
            assert_eq!(reply.status, 304, "{known}");
            assert!(matches!(&reply.body, ReplyBody::Whole(bytes) if bytes.is_empty()));
            assert!(reply.headers.iter().any(|(name, value)| *name == "etag" && *value == tag));
            assert!(!reply.headers.iter().any(|(name, _)| *name == "content-type"));
        }
        for known in [None, Some("\"x\""), Some("")] {
            assert_eq!(Reply::small(200, "text/plain", b"body").with_entity_tag(tag.clone(), known).status, 200);
        }
    }
}
