//! Counts of records by step and values, and the rows that they become.
//!
//! # Invariants
//! The counts of all rows together are the number of records that were added. Groups hold at most [`COUNT_BYTES`](crate::limits::COUNT_BYTES): those that
//! would be more are summed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::limits::{COUNT_FULL_BYTES, COUNT_GROUP_BYTES, COUNT_GROUPS_BYTES};

/// Bytes of a step at the beginning of a key.
const STEP_BYTES: usize = size_of::<u64>();

/// Counts of records that are not written yet.
#[derive(Debug, Default)]
pub(super) struct CountGroups {
    /// Counts by step and values: the bytes of the step, highest first, and those of the values.
    groups: BTreeMap<Box<[u8]>, u64>,
    /// Counts of other values by step.
    others: BTreeMap<u64, u64>,
    /// Memory of the groups.
    bytes: usize,
    /// The key of the latest record.
    key: Vec<u8>,
}

/// The count of a group, or of the other values of a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CountRow {
    /// The number of its step.
    pub(super) step: u64,
    /// The key of its group; `None` for other values.
    key: Option<Box<[u8]>>,
    pub(super) count: u64,
}

impl CountRow {
    /// Returns the bytes of its values; `None` for other values.
    pub(super) fn values(&self) -> Option<&[u8]> {
        self.key.as_deref().map(values_of)
    }
}

fn values_of(key: &[u8]) -> &[u8] {
    key.get(STEP_BYTES..).unwrap_or_default()
}

fn step_of(key: &[u8]) -> u64 {
    key.first_chunk().map_or(0, |step| u64::from_be_bytes(*step))
}

impl CountGroups {
    /// Adds a record with these values; `None` if they are too long for a group.
    pub(super) fn add(&mut self, step: u64, values: Option<&[u8]>) {
        let Some(values) = values else { return self.add_other(step) };
        self.key.clear();
        self.key.extend_from_slice(&step.to_be_bytes());
        self.key.extend_from_slice(values);
        if let Some(count) = self.groups.get_mut(self.key.as_slice()) {
            *count += 1;
            return;
        }
        let bytes = self.bytes + COUNT_GROUP_BYTES + self.key.len();
        // A piece of ordinary text has far fewer groups than fit beside a full set: then all have rows of their own.
        if bytes > COUNT_GROUPS_BYTES {
            return self.add_other(step);
        }
        self.bytes = bytes;
        self.groups.insert(self.key.as_slice().into(), 1);
    }

    fn add_other(&mut self, step: u64) {
        *self.others.entry(step).or_default() += 1;
    }

    /// Returns whether its rows should be written before more records are added.
    pub(super) const fn is_full(&self) -> bool {
        self.bytes >= COUNT_FULL_BYTES
    }

    /// Returns all counts as rows, and begins anew. With `top`, only the most frequent values have rows of their own, the
    /// same in each step. Rows are sorted by step, and in a step by count; the other values come last.
    pub(super) fn take_rows(&mut self, top: Option<usize>) -> VecDeque<CountRow> {
        let mut groups: Vec<(Box<[u8]>, u64)> = std::mem::take(&mut self.groups).into_iter().collect();
        let mut others = std::mem::take(&mut self.others);
        self.bytes = 0;
        if let Some(top) = top {
            groups = keep_top(groups, top, &mut others);
        }
        let group = |(key, count): (Box<[u8]>, u64)| CountRow { step: step_of(&key), key: Some(key), count };
        let mut rows: Vec<CountRow> = groups.into_iter().map(group).collect();
        rows.extend(others.into_iter().map(|(step, count)| CountRow { step, key: None, count }));
        rows.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
        rows.into()
    }
}

/// The place of a row among all: a group comes before the other values.
fn order(row: &CountRow) -> (u64, bool, Reverse<u64>, Option<&[u8]>) {
    (row.step, row.key.is_none(), Reverse(row.count), row.key.as_deref())
}

/// Returns the groups with the values that are most frequent in all steps together, and adds the rest to the others.
fn keep_top(groups: Vec<(Box<[u8]>, u64)>, top: usize, others: &mut BTreeMap<u64, u64>) -> Vec<(Box<[u8]>, u64)> {
    let mut totals: BTreeMap<&[u8], u64> = BTreeMap::new();
    for (key, count) in &groups {
        *totals.entry(values_of(key)).or_default() += count;
    }
    let mut ranked: Vec<(Reverse<u64>, &[u8])> =
        totals.into_iter().map(|(values, count)| (Reverse(count), values)).collect();
    ranked.sort_unstable();
    ranked.truncate(top);
    let most: BTreeSet<&[u8]> = ranked.into_iter().map(|(_, values)| values).collect();
    let are_kept: Vec<bool> = groups.iter().map(|(key, _)| most.contains(values_of(key))).collect();
    let mut kept = Vec::new();
    for ((key, count), is_kept) in groups.into_iter().zip(are_kept) {
        if is_kept {
            kept.push((key, count));
        } else {
            *others.entry(step_of(&key)).or_default() += count;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::{CountGroups, CountRow};
    use crate::limits::{COUNT_FULL_BYTES, COUNT_GROUP_BYTES, COUNT_GROUPS_BYTES};

    /// The step, values and count of each row.
    fn rows(groups: &mut CountGroups, top: Option<usize>) -> Vec<(u64, String, u64)> {
        let text = |row: &CountRow| String::from_utf8(row.values().unwrap_or(b"the others").to_vec()).unwrap();
        groups.take_rows(top).iter().map(|row| (row.step, text(row), row.count)).collect()
    }

    fn owned<const N: usize>(rows: [(u64, &str, u64); N]) -> Vec<(u64, String, u64)> {
        rows.map(|(step, values, count)| (step, values.to_owned(), count)).into()
    }

    fn filled() -> CountGroups {
        let mut groups = CountGroups::default();
        for (step, values, times) in [(7, "b", 1), (7, "a", 2), (300, "b", 4), (7, "c", 3), (300, "", 1)] {
            (0..times).for_each(|_| groups.add(step, Some(values.as_bytes())));
        }
        groups.add(300, None);
        groups
    }

    #[test]
    fn rows_come_by_step_and_count() {
        let mut groups = filled();
        let expected =
            owned([(7, "c", 3), (7, "a", 2), (7, "b", 1), (300, "b", 4), (300, "", 1), (300, "the others", 1)]);
        assert_eq!(rows(&mut groups, None), expected);
        assert!(groups.take_rows(None).is_empty() && !groups.is_full());
    }

    #[test]
    fn top_values_are_those_of_all_steps() {
        let expected = owned([(7, "b", 1), (7, "the others", 5), (300, "b", 4), (300, "the others", 2)]);
        assert_eq!(rows(&mut filled(), Some(1)), expected);
        let expected = owned([(7, "c", 3), (7, "b", 1), (7, "the others", 2), (300, "b", 4), (300, "the others", 2)]);
        assert_eq!(rows(&mut filled(), Some(2)), expected);
        assert_eq!(rows(&mut filled(), Some(4)), rows(&mut filled(), None));
    }

    #[test]
    fn groups_without_room_are_summed() {
        let (mut groups, mut added) = (CountGroups::default(), 0_u64);
        let most = u64::try_from(COUNT_GROUPS_BYTES / (COUNT_GROUP_BYTES + 16)).unwrap();
        while added < most {
            assert_eq!(groups.is_full(), groups.bytes >= COUNT_FULL_BYTES);
            groups.add(1, Some(&added.to_be_bytes()));
            added += 1;
        }
        assert!(groups.is_full() && groups.bytes <= COUNT_GROUPS_BYTES);
        groups.add(1, Some(b"one more"));
        groups.add(2, Some(b"one more"));
        groups.add(1, Some(&0_u64.to_be_bytes()));
        let rows = groups.take_rows(None);
        assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), most + 3);
        let others: Vec<_> =
            rows.iter().filter(|row| row.values().is_none()).map(|row| (row.step, row.count)).collect();
        assert_eq!(others, [(1, 1), (2, 1)]);
    }
}
