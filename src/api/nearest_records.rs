//! Keeps the texts of those records that are nearest to a moment, as many as fit.
//!
//! # Invariants
//! What is kept does not depend on the order in which records come: it is the longest beginning of all records, by their distance,
//! of which neither number nor bytes are above their limits.

use std::collections::BTreeSet;

use crate::limits::NEIGHBOURS_LIST_BYTES;
use crate::summary::stable_hash;

/// Bytes of a text in its rank: those of a neighbour's ray, and what is before it.
const HEAD: usize = 24;

/// The place of a record among all: its distance in nanoseconds, its instant, the beginning of its text and a hash of all of it.
type NearestRank = (u64, i64, [u8; HEAD], u64);

/// A record with its text.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct NearRecord {
    rank: NearestRank,
    /// Distinguishes records of one text.
    number: u64,
    text: Vec<u8>,
}

/// The records nearest to a moment.
#[derive(Debug)]
pub(super) struct NearestRecords {
    moment_ns: i64,
    /// The number of records that are kept at most.
    most: usize,
    kept: BTreeSet<NearRecord>,
    /// Bytes of their texts.
    bytes: usize,
    /// The nearest record that was not kept. Nothing that is as far is kept after it.
    horizon: Option<NearestRank>,
    /// Number of records that came.
    number: u64,
}

impl NearestRecords {
    pub(super) const fn new(moment_ns: i64, most: usize) -> Self {
        Self { moment_ns, most, kept: BTreeSet::new(), bytes: 0, horizon: None, number: 0 }
    }

    /// Returns whether a record of this instant may be kept. If not, its text is not needed.
    pub(super) fn may_keep(&self, ns: i64) -> bool {
        self.horizon.is_none_or(|(distance_ns, at_ns, ..)| (ns.abs_diff(self.moment_ns), ns) <= (distance_ns, at_ns))
    }

    /// Keeps a record if it is near enough, and no longer those that have no room beside it.
    pub(super) fn take(&mut self, ns: i64, text: Vec<u8>) {
        let rank = self.rank(ns, &text);
        if self.horizon.is_some_and(|horizon| horizon <= rank) {
            return;
        }
        self.number += 1;
        self.bytes += text.len();
        self.kept.insert(NearRecord { rank, number: self.number, text });
        while self.kept.len() > self.most || self.bytes > NEIGHBOURS_LIST_BYTES {
            let Some(last) = self.kept.pop_last() else { return };
            self.bytes -= last.text.len();
            self.horizon = Some(last.rank);
        }
    }

    fn rank(&self, ns: i64, text: &[u8]) -> NearestRank {
        let mut head = [0; HEAD];
        head.iter_mut().zip(text).for_each(|(head, byte)| *head = *byte);
        (ns.abs_diff(self.moment_ns), ns, head, stable_hash(text))
    }

    /// Returns the texts by their instants.
    pub(super) fn into_texts(self) -> Vec<Vec<u8>> {
        let mut kept: Vec<NearRecord> = self.kept.into_iter().collect();
        kept.sort_by(|a, b| (a.rank.1, &a.text).cmp(&(b.rank.1, &b.text)));
        kept.into_iter().map(|record| record.text).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, proptest};

    use super::NearestRecords;
    use crate::limits::NEIGHBOURS_LIST_BYTES;

    fn kept(records: &[(i64, Vec<u8>)], most: usize) -> Vec<Vec<u8>> {
        let mut nearest = NearestRecords::new(100, most);
        for (ns, text) in records {
            if nearest.may_keep(*ns) {
                nearest.take(*ns, text.clone());
            }
        }
        nearest.into_texts()
    }

    /// Records at various distances, some of the same instant and text, some so long that few of them fit.
    fn records() -> impl Strategy<Value = Vec<(i64, Vec<u8>)>> {
        let length = prop::sample::select(vec![
            1,
            2,
            NEIGHBOURS_LIST_BYTES / 3,
            NEIGHBOURS_LIST_BYTES / 2,
            NEIGHBOURS_LIST_BYTES + 1,
        ]);
        prop::collection::vec(
            (80_i64..120, b'a'..b'd', length).prop_map(|(ns, byte, length)| (ns, vec![byte; length])),
            0..12,
        )
    }

    proptest! {
        #[test]
        fn order_of_arrival_changes_nothing(
            (one, other) in records().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
            most in 1_usize..8,
        ) {
            prop_assert_eq!(kept(&one, most), kept(&other, most));
        }

        #[test]
        fn kept_are_the_nearest_that_fit(all in records(), most in 1_usize..8) {
            let mut ranked = all.clone();
            ranked.sort_by_key(|(ns, text)| NearestRecords::new(100, most).rank(*ns, text));
            let mut bytes = 0;
            let fits = |(_, text): &&(i64, Vec<u8>)| {
                bytes += text.len();
                bytes <= NEIGHBOURS_LIST_BYTES
            };
            let mut expected: Vec<(i64, Vec<u8>)> = ranked.iter().take(most).take_while(fits).cloned().collect();
            expected.sort();
            let texts: Vec<Vec<u8>> = expected.into_iter().map(|(_, text)| text).collect();
            prop_assert_eq!(kept(&all, most), texts);
        }

        #[test]
        fn equal_records_are_each_kept(ns in any::<i64>(), most in 1_usize..8, count in 0_usize..12) {
            let all = vec![(ns, b"{}".to_vec()); count];
            prop_assert_eq!(kept(&all, most).len(), count.min(most));
        }
    }

    #[test]
    fn far_record_stays_out_after_a_near_one() {
        let long = vec![b'x'; NEIGHBOURS_LIST_BYTES];
        let (near, far) = ((101, b"near".to_vec()), (103, b"far".to_vec()));
        for order in [[near.clone(), (102, long.clone()), far.clone()], [far, (102, long), near]] {
            assert_eq!(kept(&order, 3), [b"near".to_vec()]);
        }
    }

    #[test]
    fn texts_come_by_time() {
        let at = |ns: i64| (ns, ns.to_string().into_bytes());
        let all = [at(99), at(103), at(100), at(90), at(101), at(98)];
        let texts: Vec<String> = kept(&all, 4).into_iter().map(|text| String::from_utf8(text).unwrap()).collect();
        assert_eq!(texts, ["98", "99", "100", "101"]);
    }
}
