//! The calls to the audit log ([`crate::rpc`]): their names, bodies and answers, all JSON.
//! `tests/fixtures/v0.1/calls/audit.txt` has each of them.

use serde::{Deserialize, Serialize};

use crate::rpc::calls;

calls! {
    "v1/append": AppendEvent => AppendAnswer,
    "v1/read": ReadEntries => EntryPage,
}

/// Counts a request against the caller's rate, and appends its entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppendEvent {
    /// The caller's name: a token's, or the address of a person.
    pub actor: String,
    /// Requests per minute that this caller may send; 0 for no limit.
    pub per_minute: u32,
    /// The event to record; `None` for requests that are not audited.
    pub event: Option<AuditEvent>,
}

/// What a caller does, as its entry records it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// How the caller authenticated: `token` or `access`.
    pub auth_method: String,
    /// The name of the role that the caller has.
    pub role: String,
    /// The method and the route, such as `GET /v1/rays/{ray}`.
    pub action: String,
    /// A ray in its canonical digits, or a handle; empty where the route names none.
    pub resource: String,
    /// The query and the body as they were sent, cut at [`crate::limits::AUDIT_ASKED`] characters.
    pub request: String,
}

/// What the audit log answers to [`AppendEvent`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum AppendAnswer {
    /// The entry was appended under this number.
    Written {
        /// The number of the entry.
        seq: u64,
    },
    /// The caller is within its rate, and there was nothing to append.
    Passed {},
    /// The caller is over its rate. Nothing was appended.
    Limited {
        /// Milliseconds until the next request is allowed.
        wait_ms: i64,
    },
}

/// Asks for a page of entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadEntries {
    /// The number of the entry before the first one of the page.
    pub after: u64,
    /// Maximum number of entries, [`crate::limits::AUDIT_PAGE`] at most.
    pub limit: u64,
}

/// What the audit log answers to [`ReadEntries`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryPage {
    /// The entries, in their order.
    pub entries: Vec<ChainEntry>,
    /// The hash before the first of them.
    pub before: String,
    /// The end of the chain.
    pub head: ChainHead,
    /// The segment that has the entries asked for, where they are in the bucket; then `entries` is empty, and `before`
    /// is the hash before the segment.
    pub segment: Option<AuditSegment>,
    /// The number of the first entry that the object has itself.
    pub kept_from: u64,
}

/// A run of entries that moved to the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditSegment {
    /// The number of its first entry.
    pub first: u64,
    /// The number of its last entry.
    pub last: u64,
    /// The hash before its first entry.
    pub before: String,
    /// The hash of its last entry.
    pub hash: String,
    /// The key of the object.
    pub key: String,
}

/// An entry of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainEntry {
    /// The number of the entry, from 1.
    pub seq: u64,
    /// Its text: the JSON that was hashed.
    pub entry: String,
    /// Its hash, in hexadecimal digits.
    pub hash: String,
}

/// The end of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHead {
    /// The number of the last entry; 0 in an empty log.
    pub seq: u64,
    /// The hash of that entry.
    pub hash: String,
}
