//! Which entries a reader asks for, and what a scan of the chain found of them.
//!
//! # Invariants
//! Every entry that a scan passes is held against the chain, whether it is asked for or not. A scan that stops says at
//! which entry, so that the next one continues there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::entry::{ChainEntry, ChainHead, hash};
use crate::limits::AUDIT_PAGE_BYTES;

/// The conditions of a search, all of which an entry must meet. Without a member, every entry does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryFilter {
    /// Its actor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// A ray, a handle or a key that it names: as its resource, among its rays, as the ray that it compares with its
    /// resource, as its key, or in its filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The address that its request came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Its outcome: `admitted` or `denied`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The earliest time, as entries spell theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// The first time that is too late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

/// The members of an entry that a filter reads.
#[derive(Deserialize)]
struct SearchedEntry {
    time: String,
    actor: String,
    address: String,
    resource: String,
    outcome: String,
    request: BTreeMap<String, Value>,
}

impl EntryFilter {
    /// Whether an entry with this text is asked for. One that cannot be read is, so that it does not stay unseen.
    #[must_use]
    pub fn accepts(&self, entry: &str) -> bool {
        if *self == Self::default() {
            return true;
        }
        let Ok(found) = serde_json::from_str::<SearchedEntry>(entry) else { return true };
        let is = |asked: &Option<String>, value: &str| asked.as_deref().is_none_or(|asked| asked == value);
        is(&self.actor, &found.actor)
            && is(&self.address, &found.address)
            && is(&self.outcome, &found.outcome)
            && self.start.as_ref().is_none_or(|start| *start <= found.time)
            && self.end.as_ref().is_none_or(|end| found.time < *end)
            && self.resource.as_ref().is_none_or(|resource| names(&found, resource))
    }

    /// Whether an entry of this text, and all after it, are too late.
    fn is_over(&self, entry: &str) -> bool {
        let Some(end) = &self.end else { return false };
        serde_json::from_str::<SearchedEntry>(entry).is_ok_and(|found| *end <= found.time)
    }
}

/// Whether the entry names the resource.
fn names(found: &SearchedEntry, resource: &str) -> bool {
    let is_it = |value: &Value| value.as_str() == Some(resource);
    let lists_it = |name| match found.request.get(name) {
        Some(Value::Array(list)) => list.iter().any(is_it),
        Some(value) => is_it(value),
        None => false,
    };
    let quoted = Value::from(resource).to_string();
    let filter = found.request.get("filter").and_then(Value::as_str);
    found.resource == resource
        || lists_it("rays")
        || lists_it("a")
        || lists_it("key")
        || filter.is_some_and(|filter| filter.contains(&quoted))
}

/// Entries that a scan found, and how far it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryScan {
    /// The entries that are asked for, in the order of their numbers.
    pub entries: Vec<ChainEntry>,
    /// The hash of the entry before the first that was looked at.
    pub before: String,
    /// The last entry that was looked at.
    pub last: ChainHead,
    /// Whether every hash follows from the one before it.
    pub chain_valid: bool,
    /// No later entry can be asked for.
    pub is_over: bool,
    /// The sizes of the texts of the entries.
    #[serde(skip)]
    bytes: usize,
}

impl EntryScan {
    /// A scan that begins after an entry.
    #[must_use]
    pub fn after(seq: u64, hash: &str) -> Self {
        let last = ChainHead { seq, hash: hash.to_owned() };
        Self { entries: Vec::new(), before: hash.to_owned(), last, chain_valid: true, is_over: false, bytes: 0 }
    }

    /// Looks at the entry that follows the last one; keeps it if the filter asks for it.
    pub fn take(&mut self, filter: &EntryFilter, kept: ChainEntry) {
        self.chain_valid &= kept.seq == self.last.seq + 1 && hash(&self.last.hash, &kept.entry) == kept.hash;
        self.last = ChainHead { seq: kept.seq, hash: kept.hash.clone() };
        self.is_over |= filter.is_over(&kept.entry);
        if filter.accepts(&kept.entry) {
            self.bytes += kept.entry.len();
            self.entries.push(kept);
        }
    }

    /// Whether it has this number of entries, or [`AUDIT_PAGE_BYTES`] of them, or can have no more.
    #[must_use]
    pub fn is_full(&self, limit: u64) -> bool {
        self.entries.len() as u64 >= limit || self.bytes >= AUDIT_PAGE_BYTES || self.is_over
    }

    /// Adds a scan that began where this one stopped.
    pub fn append(&mut self, following: Self) {
        self.chain_valid &= following.chain_valid && following.before == self.last.hash;
        self.last = following.last;
        self.is_over = following.is_over;
        self.bytes += following.entries.iter().map(|kept| kept.entry.len()).sum::<usize>();
        self.entries.extend(following.entries);
    }
}

#[cfg(test)]
mod tests {
    use super::EntryFilter;

    const ENTRY: &str = r#"{"v":1,"seq":7,"time":"2026-03-28T08:42:25.000Z","actor":"desk","auth_method":"token",
        "role":"support","address":"192.0.2.7","action":"POST /v1/rays","resource":"",
        "request":{"filter":"{\"where\":{\"key\":\"RayID\",\"operator\":\"eq\",\"value\":\"9e35500000000003\"}}",
        "rays":["9e35500000000001"]},"outcome":"admitted"}"#;

    #[test]
    fn filter_accepts_by_each_of_its_members() {
        let text = |text: &str| Some(text.to_owned());
        let any = EntryFilter::default;
        for (filter, accepts) in [
            (any(), true),
            (EntryFilter { actor: text("desk"), ..any() }, true),
            (EntryFilter { actor: text("des"), ..any() }, false),
            (EntryFilter { address: text("192.0.2.7"), ..any() }, true),
            (EntryFilter { address: text("192.0.2.8"), ..any() }, false),
            (EntryFilter { outcome: text("denied"), ..any() }, false),
            (EntryFilter { resource: text("9e35500000000001"), ..any() }, true),
            (EntryFilter { resource: text("9e35500000000003"), ..any() }, true),
            (EntryFilter { resource: text("9e35500000000002"), ..any() }, false),
            (EntryFilter { start: text("2026-03-28T08:42:25.000Z"), ..any() }, true),
            (EntryFilter { start: text("2026-03-28T08:42:25.001Z"), ..any() }, false),
            (EntryFilter { end: text("2026-03-28T08:42:25.001Z"), ..any() }, true),
            (EntryFilter { end: text("2026-03-28T08:42:25.000Z"), ..any() }, false),
            (EntryFilter { actor: text("desk"), address: text("192.0.2.8"), ..any() }, false),
        ] {
            assert_eq!(filter.accepts(ENTRY), accepts, "{filter:?}");
        }
        let filter = EntryFilter { actor: text("desk"), ..any() };
        assert!(filter.accepts("not an entry"), "what is damaged does not stay unseen");
    }
}
