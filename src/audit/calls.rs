//! The calls to the audit log ([`crate::rpc`]): their names, bodies and answers, all JSON. A test freezes them.

use serde::{Deserialize, Serialize};

use crate::rpc::calls;

calls! {
    "v1/append": Append => Appended,
    "v1/read": Read => Page,
}

/// Someone wants to do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Append {
    /// The caller's name: a token's, or the address of a person.
    pub who: String,
    /// How often this caller may ask, per minute; 0 for as often as it likes.
    pub per_minute: u32,
    /// What is to be written down; `None` for what needs no entry.
    pub deed: Option<Deed>,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// How the caller proved who it is: `token` or `access`.
    pub by: String,
    /// The caller's role.
    pub role: String,
    /// The route, such as `GET /v1/rays/{ray}`.
    pub did: String,
    /// What it is about: a ray in its canonical digits, or a handle.
    pub about: String,
    /// The parameters, as they were sent, cut where they are long.
    pub asked: String,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Appended {
    /// It was written down.
    Written {
        /// The entry's number.
        seq: u64,
    },
    /// The caller may go on; there was nothing to write.
    Passed {},
    /// The caller asks too often. Nothing was written.
    Limited {
        /// When to ask again, in milliseconds.
        wait_ms: i64,
    },
}

/// Asks for entries, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// Those behind this number.
    pub after: u64,
    /// At most so many.
    pub limit: u64,
}

/// Entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// They, in their order.
    pub entries: Vec<Kept>,
    /// The hash that stands before the first of them.
    pub before: String,
    /// The last entry there is.
    pub head: Head,
    /// The segment that has the entries asked for, where the object has them no more; then there are none here, and
    /// `before` stands before the segment. Objects of before segments say nothing of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<Segment>,
    /// The first number that the object has itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_from: Option<u64>,
}

/// Entries that lie in the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The number of the first one.
    pub first: u64,
    /// That of the last one.
    pub last: u64,
    /// The hash before the first one.
    pub before: String,
    /// The hash of the last one.
    pub hash: String,
    /// Where they lie.
    pub key: String,
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its number, from 1.
    pub seq: u64,
    /// Its text: the JSON that was hashed.
    pub entry: String,
    /// Its hash, in hexadecimal digits.
    pub hash: String,
}

/// The end of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The number of the last entry; 0 where there is none.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}
