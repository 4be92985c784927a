//! The books as they are told: of a source, of a ledger, of all.
//!
//! What always holds: lines in = delivered + pending + parked + rejected + filtered + unaccounted, and the last is 0;
//! the forms here are shown to users and only ever grow.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::delivery::{Payload, State};
use crate::index::{Counts, ObjectVersion};

/// The books: of a source, of a ledger, of all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Lines.
    pub lines: Lines,
    /// Sources by state.
    pub sources: BTreeMap<String, u64>,
    /// Payloads by state.
    pub payloads: BTreeMap<String, u64>,
    /// Attempts to send.
    pub posts: Posts,
}

/// Lines by what became of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lines {
    /// Lines of sealed sources.
    #[serde(rename = "in")]
    pub lines_in: u64,
    /// Those that the partner has.
    pub delivered: u64,
    /// Those under way.
    pub pending: u64,
    /// Those that wait for a person.
    pub parked: u64,
    /// Lines that are no records, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Records that do not go to the partner, by reason.
    pub filtered: BTreeMap<String, u64>,
    /// What is missing on the right: it must be 0.
    pub unaccounted: i64,
}

/// Attempts to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Posts {
    /// Claims granted.
    pub sent: u64,
    /// Those of which nobody can say whether the partner stored them.
    pub ambiguous: u64,
}

/// A source as a user sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Its handle.
    pub id: String,
    /// The object version.
    pub object: ObjectVersion,
    /// The dataset.
    pub dataset: String,
    /// `open`, `sealed`, `set_aside`.
    pub state: String,
    /// Why it was set aside.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Whether its rays are in the index.
    pub indexed: bool,
    /// Whether the object is still in the bucket, as far as is known.
    pub gone: bool,
    /// When it was first seen, in Unix milliseconds.
    pub begun_ms: i64,
    /// When every line of it was accounted for.
    pub sealed_ms: Option<i64>,
    /// What it holds, in lines.
    pub counts: Counts,
    /// Bytes inflated.
    pub inflated: u64,
}

/// A payload as a user sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadView {
    /// Its handle.
    pub id: String,
    /// What the partner knows it by.
    pub batch_id: String,
    /// The number of its plan.
    pub plan: u32,
    /// What it is.
    #[serde(flatten)]
    pub payload: Payload,
    /// Where it stands.
    pub state: State,
    /// Attempts since it was sealed or released.
    pub attempts: u32,
    /// Attempts of which nobody can say whether the partner stored them.
    pub ambiguous: u32,
    /// The partner's last status.
    pub status: Option<u16>,
    /// The code of the last reason.
    pub code: Option<String>,
    /// When the next attempt is due, in Unix milliseconds.
    pub due_ms: Option<i64>,
    /// When it came to rest, in Unix milliseconds.
    pub settled_ms: Option<i64>,
}

impl Totals {
    /// Adds the books of another ledger.
    pub fn add(&mut self, other: Self) {
        let Self { lines, sources, payloads, posts } = other;
        add_all(&mut self.sources, sources);
        add_all(&mut self.payloads, payloads);
        self.posts.sent += posts.sent;
        self.posts.ambiguous += posts.ambiguous;
        let Lines { lines_in, delivered, pending, parked, rejected, filtered, unaccounted } = lines;
        self.lines.lines_in += lines_in;
        self.lines.delivered += delivered;
        self.lines.pending += pending;
        self.lines.parked += parked;
        add_all(&mut self.lines.rejected, rejected);
        add_all(&mut self.lines.filtered, filtered);
        self.lines.unaccounted += unaccounted;
    }
}

/// Adds counts by reason.
pub(super) fn add_all(to: &mut BTreeMap<String, u64>, counts: BTreeMap<String, u64>) {
    for (reason, count) in counts {
        *to.entry(reason).or_default() += count;
    }
}
