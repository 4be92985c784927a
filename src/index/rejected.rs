//! The rejected lines of a batch, with their positions and reasons: a replay reads them again.
//!
//! # Invariants
//!
//! Offsets ascend. A batch of [`crate::limits::MAX_LINES`] with the maximum number of rejected lines fits into a row.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use itertools::Itertools;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::batch::{read_leb128, write_leb128};

/// Offsets of lines in inflated bytes, ascending: the gaps between them as LEB128 numbers, base64 in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LineOffsets {
    packed: Vec<u8>,
    last: u64,
}

impl LineOffsets {
    /// Adds an offset, which must not be below the last one.
    pub fn push(&mut self, offset: u64) {
        write_leb128(&mut self.packed, offset.saturating_sub(self.last));
        self.last = offset;
    }

    /// Returns the number of offsets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.packed.iter().filter(|byte| **byte < 0x80).count()
    }

    /// Returns whether there is no offset.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    /// Returns the offsets, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        let (mut rest, mut at) = (self.packed.as_slice(), 0_u64);
        std::iter::from_fn(move || {
            at = at.saturating_add(read_leb128(&mut rest)?);
            Some(at)
        })
    }
}

impl FromIterator<u64> for LineOffsets {
    fn from_iter<I: IntoIterator<Item = u64>>(offsets: I) -> Self {
        let mut packed = Self::default();
        offsets.into_iter().for_each(|offset| packed.push(offset));
        packed
    }
}

impl Serialize for LineOffsets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.packed))
    }
}

impl<'de> Deserialize<'de> for LineOffsets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let packed = STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?;
        let (mut rest, mut last) = (packed.as_slice(), 0_u64);
        while !rest.is_empty() {
            let gap = read_leb128(&mut rest).ok_or_else(|| D::Error::custom("an offset is cut off"))?;
            last = last.saturating_add(gap);
        }
        Ok(Self { packed, last })
    }
}

/// The rejected lines of a batch, by the code of the reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RejectedLines(BTreeMap<String, LineOffsets>);

/// A rejected line, as users see it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RejectedLine {
    /// Offset of the line in the inflated object, in bytes.
    pub offset: u64,
    /// The code of the reason, such as `not_json`.
    pub code: String,
}

impl RejectedLines {
    /// Adds the line at an offset, after all others of this code.
    pub fn push(&mut self, code: &str, offset: u64) {
        match self.0.get_mut(code) {
            Some(offsets) => offsets.push(offset),
            None => drop(self.0.insert(code.to_owned(), LineOffsets::from_iter([offset]))),
        }
    }

    /// Returns whether no line was rejected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of rejected lines for each reason.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.0.iter().map(|(code, offsets)| (code.clone(), offsets.len() as u64)).collect()
    }

    /// Returns the offsets of all lines, regardless of the reason.
    #[must_use]
    pub fn offsets(&self) -> LineOffsets {
        self.0.values().map(LineOffsets::iter).kmerge().collect()
    }

    /// Returns the first lines, at most `most`.
    #[must_use]
    pub fn first(&self, most: usize) -> Vec<RejectedLine> {
        let lines = self.0.iter().map(|(code, offsets)| offsets.iter().map(move |offset| (offset, code)));
        lines.kmerge().take(most).map(|(offset, code)| RejectedLine { offset, code: code.clone() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

    use super::{LineOffsets, RejectedLine, RejectedLines};
    use crate::limits::{MAX_INFLATED, MAX_LINES, REJECTED_RATIO, SQL_BLOB_MAX};

    #[test]
    fn rejected_lines_are_listed_by_place() {
        let mut lines = RejectedLines::default();
        for (code, offset) in [("not_json", 0), ("not_an_object", 7), ("not_json", 300)] {
            lines.push(code, offset);
        }
        let line = |offset, code: &str| RejectedLine { offset, code: code.into() };
        assert_eq!(lines.first(2), [line(0, "not_json"), line(7, "not_an_object")]);
        assert_eq!(lines.offsets().iter().collect::<Vec<_>>(), [0, 7, 300]);
        assert_eq!(lines.counts(), [("not_an_object".to_owned(), 1), ("not_json".to_owned(), 2)].into());
        assert_eq!(serde_json::to_string(&lines).unwrap(), r#"{"not_an_object":"Bw==","not_json":"AKwC"}"#);
    }

    #[test]
    fn most_rejected_lines_fit_into_a_row() {
        let lines = MAX_LINES / REJECTED_RATIO;
        let offsets: LineOffsets = (0..lines).map(|line| line * (MAX_INFLATED / lines)).collect();
        assert_eq!(offsets.len() as u64, lines);
        assert!(serde_json::to_string(&offsets).unwrap().len() < SQL_BLOB_MAX / 2);
    }

    #[test]
    fn cut_offsets_are_refused() {
        for text in ["\"gA==\"", "\"x\"", "7"] {
            assert!(serde_json::from_str::<LineOffsets>(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn offsets_survive_packing(mut offsets in prop::collection::vec(0..u64::MAX, 0..50), more in 0..u64::MAX) {
            offsets.sort_unstable();
            let packed: LineOffsets = offsets.iter().copied().collect();
            prop_assert_eq!(packed.iter().collect::<Vec<_>>(), offsets.clone());
            prop_assert_eq!((packed.len(), packed.is_empty()), (offsets.len(), offsets.is_empty()));
            let mut read: LineOffsets = serde_json::from_str(&serde_json::to_string(&packed).unwrap()).unwrap();
            prop_assert_eq!(&read, &packed);
            if offsets.last().is_none_or(|last| more >= *last) {
                read.push(more);
                prop_assert!(read.iter().last() == Some(more));
            }
        }
    }
}
