//! Holds entries that left the audit log, as segments or as an export, against the chain: where it breaks, and why.
//!
//! # Invariants
//! Every entry is hashed once, and one at a time is held. After a break the check continues from the entry as it is, so
//! that one change is reported once.

use serde::Deserialize;

use super::entry::{ChainEntry, ChainHead, before_all, hash};
use crate::access::ChainNumber;

/// Where a chain breaks, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainBreak {
    /// Entries were cut out, or a file is missing.
    #[error("the entries {first} to {last} are missing")]
    Missing {
        /// The first missing number.
        first: u64,
        /// The last missing number.
        last: u64,
    },
    /// An entry comes again or too late.
    #[error("entry {found} comes after entry {before}: entries are out of order, or there twice")]
    OutOfOrder {
        /// The number of the entry.
        found: u64,
        /// The number of the entry before it.
        before: u64,
    },
    /// The hash of an entry does not follow.
    #[error(
        "entry {seq}: its hash does not follow from its text and the hash before it; its text or its hash was changed, or \
         what is before it belongs to another chain"
    )]
    Unfit {
        /// The number of the entry.
        seq: u64,
    },
    /// The number of a line is not that of the text that was hashed.
    #[error("entry {seq}: its text is that of entry {inside}")]
    OtherNumber {
        /// The number of the line.
        seq: u64,
        /// The number in the text.
        inside: u64,
    },
    /// A line is no entry.
    #[error("after entry {after}: a line is not an entry")]
    NotAnEntry {
        /// The number of the entry before it.
        after: u64,
    },
    /// The last entry is not the one that was expected.
    #[error(
        "the chain ends at entry {found}, and should end at entry {expected} with another hash: its end was cut off or \
         replaced"
    )]
    OtherEnd {
        /// The number of the last entry.
        found: u64,
        /// The number that the last entry should have.
        expected: u64,
    },
}

/// Holds entries against the chain, in their order.
#[derive(Debug)]
pub struct ChainVerifier {
    /// The last entry.
    last: ChainHead,
    /// Whether the hash of the last entry is known.
    is_anchored: bool,
    /// The number of the first entry; 0 before it came.
    first: u64,
    /// Number of entries.
    count: u64,
}

impl Default for ChainVerifier {
    /// Begins where the first chain does.
    fn default() -> Self {
        Self::new(ChainNumber::FIRST)
    }
}

/// The number inside of the text of an entry.
#[derive(Deserialize)]
struct NumberedEntry {
    seq: u64,
}

impl ChainVerifier {
    /// Begins where a chain does.
    #[must_use]
    pub fn new(chain: ChainNumber) -> Self {
        Self::after(ChainHead { seq: 0, hash: before_all(chain) })
    }

    /// Begins after an entry whose hash is known.
    #[must_use]
    pub const fn after(head: ChainHead) -> Self {
        Self { last: head, is_anchored: true, first: 0, count: 0 }
    }

    /// Begins after an entry whose hash is not known, so that neither is whether the first entry follows from it.
    #[must_use]
    pub const fn after_number(seq: u64) -> Self {
        Self { last: ChainHead { seq, hash: String::new() }, is_anchored: false, first: 0, count: 0 }
    }

    /// The last entry.
    #[must_use]
    pub const fn last(&self) -> &ChainHead {
        &self.last
    }

    /// The number of the first entry, and how many there were.
    #[must_use]
    pub const fn checked(&self) -> (u64, u64) {
        (self.first, self.count)
    }

    /// Holds the line of a segment or of an export against the entry before it.
    ///
    /// # Errors
    /// The [`ChainBreak`] at this line; the next line is held against this one.
    pub fn push(&mut self, line: &[u8]) -> Result<(), ChainBreak> {
        let after = self.last.seq;
        let read = serde_json::from_slice::<ChainEntry>(line);
        let ChainEntry { seq, entry, hash: kept } = read.map_err(|_| ChainBreak::NotAnEntry { after })?;
        let inside = serde_json::from_str::<NumberedEntry>(&entry).map_or(0, |entry| entry.seq);
        let before = std::mem::replace(&mut self.last, ChainHead { seq, hash: kept });
        let is_first = self.count == 0;
        self.count += 1;
        if is_first {
            self.first = seq;
        }
        let is_known = !is_first || self.is_anchored;
        if seq <= before.seq {
            Err(ChainBreak::OutOfOrder { found: seq, before: before.seq })
        } else if seq > before.seq + 1 {
            Err(ChainBreak::Missing { first: before.seq + 1, last: seq - 1 })
        } else if inside != seq {
            Err(ChainBreak::OtherNumber { seq, inside })
        } else if is_known && hash(&before.hash, &entry) != self.last.hash {
            Err(ChainBreak::Unfit { seq })
        } else {
            Ok(())
        }
    }

    /// Holds the end against what is known of it.
    ///
    /// # Errors
    /// [`ChainBreak::OtherEnd`] where the last entry is another one.
    pub fn end_at(&self, expected: &ChainHead) -> Result<(), ChainBreak> {
        let other = ChainBreak::OtherEnd { found: self.last.seq, expected: expected.seq };
        if self.last == *expected { Ok(()) } else { Err(other) }
    }
}

#[cfg(test)]
mod tests {
    use super::{ChainBreak, ChainEntry, ChainHead, ChainNumber, ChainVerifier, before_all, hash};

    /// The lines of a chain, whose entries have this word in them.
    fn chain(word: &str, count: u64) -> Vec<ChainEntry> {
        chain_of(ChainNumber::FIRST, word, count)
    }

    fn chain_of(number: ChainNumber, word: &str, count: u64) -> Vec<ChainEntry> {
        let mut last = before_all(number);
        let entry = |seq| {
            let entry = format!(r#"{{"v":1,"seq":{seq},"word":"{word}"}}"#);
            last = hash(&last, &entry);
            ChainEntry { seq, hash: last.clone(), entry }
        };
        (1..=count).map(entry).collect()
    }

    fn breaks(mut verifier: ChainVerifier, kept: &[ChainEntry]) -> Vec<ChainBreak> {
        kept.iter().filter_map(|kept| verifier.push(&serde_json::to_vec(kept).unwrap()).err()).collect()
    }

    #[test]
    fn chain_breaks_where_it_was_tampered_with() {
        let (whole, other) = (chain("a", 9), chain("b", 9));
        let check = |kept: &[ChainEntry]| breaks(ChainVerifier::default(), kept);
        let edit = |change: fn(&mut Vec<ChainEntry>)| {
            let mut kept = whole.clone();
            change(&mut kept);
            check(&kept)
        };
        assert_eq!(check(&whole), []);
        assert_eq!(edit(|kept| kept[4].entry = kept[4].entry.replace('a', "x")), [ChainBreak::Unfit { seq: 5 }]);
        assert_eq!(
            edit(|kept| kept[4].hash = kept[3].hash.clone()),
            [ChainBreak::Unfit { seq: 5 }, ChainBreak::Unfit { seq: 6 }]
        );
        assert_eq!(edit(|kept| drop(kept.drain(3..6))), [ChainBreak::Missing { first: 4, last: 6 }]);
        assert_eq!(edit(|kept| drop(kept.remove(0))), [ChainBreak::Missing { first: 1, last: 1 }]);
        let swapped = edit(|kept| kept.swap(3, 4));
        assert_eq!(swapped[1], ChainBreak::OutOfOrder { found: 4, before: 5 });
        assert_eq!(edit(|kept| kept.insert(4, kept[3].clone())), [ChainBreak::OutOfOrder { found: 4, before: 4 }]);
        // Each half follows from itself, but not from the other.
        let spliced = [&whole[..4], &other[4..]].concat();
        assert_eq!(check(&spliced), [ChainBreak::Unfit { seq: 5 }]);
        assert_eq!(edit(|kept| kept[4].entry = kept[3].entry.clone()), [ChainBreak::OtherNumber { seq: 5, inside: 4 }]);
    }

    #[test]
    fn chain_that_begins_later_needs_the_hash_before() {
        let whole = chain("a", 9);
        let before = ChainHead { seq: 4, hash: whole[3].hash.clone() };
        assert_eq!(breaks(ChainVerifier::after(before.clone()), &whole[4..]), []);
        assert_eq!(breaks(ChainVerifier::after_number(4), &whole[4..]), []);
        let other = ChainHead { hash: whole[2].hash.clone(), ..before };
        assert_eq!(breaks(ChainVerifier::after(other), &whole[4..]), [ChainBreak::Unfit { seq: 5 }]);
    }

    #[test]
    fn chain_does_not_pass_for_another() {
        for number in ChainNumber::first(3) {
            let whole = chain_of(number, "a", 3);
            for other in ChainNumber::first(3) {
                let expected: &[ChainBreak] = if other == number { &[] } else { &[ChainBreak::Unfit { seq: 1 }] };
                assert_eq!(breaks(ChainVerifier::new(other), &whole), expected, "{number} as {other}");
            }
        }
    }

    #[test]
    fn cut_end_is_seen_by_a_known_hash() {
        let whole = chain("a", 9);
        let mut verifier = ChainVerifier::default();
        for kept in &whole[..8] {
            verifier.push(&serde_json::to_vec(kept).unwrap()).unwrap();
        }
        let expected = |at: usize| ChainHead { seq: whole[at].seq, hash: whole[at].hash.clone() };
        assert_eq!(verifier.end_at(&expected(7)), Ok(()));
        assert_eq!(verifier.end_at(&expected(8)), Err(ChainBreak::OtherEnd { found: 8, expected: 9 }));
        assert_eq!(verifier.push(b"{}"), Err(ChainBreak::NotAnEntry { after: 8 }));
        assert_eq!((verifier.checked(), verifier.last().seq), ((1, 8), 8));
    }
}
