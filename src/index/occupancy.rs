//! The occupancy map: which shard prefixes of a dataset have entries. A range query reads it once instead of asking
//! every shard in its range.
//!
//! A row has a bit for each of [`OCCUPANCY_ROW`] prefixes, which is 31 days. A dataset has at most 256 rows, and only
//! those with a bit set. A bit stays set when the entries are removed; it then costs one call to an empty shard.
//!
//! # Invariants
//! [`OccupancyMap::next_occupied`] skips no prefix whose bit is set, and none outside the map.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits::{OCCUPANCY_ROW, OCCUPANCY_ROW_BYTES};

/// One row: a bit for each prefix, in ascending order from the lowest bit of the first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OccupancyRow(Box<[u8; OCCUPANCY_ROW_BYTES]>);

impl Default for OccupancyRow {
    fn default() -> Self {
        Self(Box::new([0; OCCUPANCY_ROW_BYTES]))
    }
}

impl OccupancyRow {
    /// Returns the number of the row that has a prefix's bit.
    #[must_use]
    pub const fn number_of(prefix: u32) -> u32 {
        prefix / OCCUPANCY_ROW
    }

    /// Parses a row; `None` if the number of bytes is wrong.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Box::new(bytes)))
    }

    /// Returns the row's [`OCCUPANCY_ROW_BYTES`] bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Sets the bit of a prefix in this row; returns whether it was clear before.
    pub fn insert(&mut self, prefix: u32) -> bool {
        let (byte, bit) = bit_position(prefix);
        let Some(byte) = self.0.get_mut(byte) else { return false };
        let is_new = *byte & bit == 0;
        *byte |= bit;
        is_new
    }

    fn contains(&self, prefix: u32) -> bool {
        let (byte, bit) = bit_position(prefix);
        self.0.get(byte).is_some_and(|byte| byte & bit != 0)
    }
}

/// Returns the index of a prefix's byte in its row, and the mask of its bit there.
const fn bit_position(prefix: u32) -> (usize, u8) {
    let nth = prefix % OCCUPANCY_ROW;
    (nth as usize / 8, 1 << (nth % 8))
}

impl Serialize for OccupancyRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD_NO_PAD.encode(self.as_bytes()))
    }
}

impl<'de> Deserialize<'de> for OccupancyRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD_NO_PAD.decode(text).map_err(de::Error::custom)?;
        Self::from_bytes(&bytes).ok_or_else(|| de::Error::custom("a row of the occupancy map has a wrong length"))
    }
}

/// The prefixes of a dataset that have entries, from the first requested prefix on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OccupancyMap {
    /// The rows with a bit set, by number.
    pub rows: BTreeMap<u32, OccupancyRow>,
    /// The first prefix after the end of the map.
    pub until: u32,
}

impl OccupancyMap {
    /// Returns the first prefix from `from` on that has entries, or the first one after the end of the map.
    #[must_use]
    pub fn next_occupied(&self, from: u32) -> u32 {
        let rows = self.rows.range(OccupancyRow::number_of(from)..);
        let mut occupied = rows.flat_map(|(number, row)| {
            let first = number.saturating_mul(OCCUPANCY_ROW);
            let all = first.max(from)..first.saturating_add(OCCUPANCY_ROW);
            all.filter(|prefix| row.contains(*prefix))
        });
        occupied.next().unwrap_or(self.until).min(self.until).max(from)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::{OccupancyMap, OccupancyRow};
    use crate::record::RayId;

    /// Returns the rows with the bits of these prefixes set.
    fn of(prefixes: &BTreeSet<u32>) -> BTreeMap<u32, OccupancyRow> {
        let mut rows: BTreeMap<u32, OccupancyRow> = BTreeMap::new();
        for prefix in prefixes {
            assert!(rows.entry(OccupancyRow::number_of(*prefix)).or_default().insert(*prefix));
        }
        rows
    }

    #[test]
    fn prefix_keeps_its_bit_for_ever() {
        let mut row = OccupancyRow::default();
        for prefix in [0x9e000, 0x9e009, 0x9efff] {
            assert!(row.insert(prefix) && !row.insert(prefix));
        }
        let bytes = row.as_bytes();
        assert_eq!((bytes.len(), bytes[0], bytes[1], bytes[511]), (512, 1, 2, 0x80));
        assert_eq!(bytes.iter().map(|byte| byte.count_ones()).sum::<u32>(), 3);
        assert_eq!((OccupancyRow::number_of(0x9dfff), OccupancyRow::number_of(0x9e000)), (0x9d, 0x9e));
        assert_eq!(OccupancyRow::number_of(RayId::LAST_PREFIX), 255);
    }

    #[test]
    fn what_travels_is_the_rows_in_base64() {
        let text = format!(r#"{{"rows":{{"158":"AQ{}"}},"until":1048576}}"#, "A".repeat(681));
        let map: OccupancyMap = serde_json::from_str(&text).unwrap();
        assert_eq!(map, OccupancyMap { rows: of(&[158 << 12].into()), until: 1 << 20 });
        assert_eq!(serde_json::to_string(&map).unwrap(), text);
        for bad in [text.replace("AQ", "A"), text.replace("AQ", "AQAA"), text.replace("AQ", "?Q")] {
            assert!(serde_json::from_str::<OccupancyMap>(&bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn next_prefix_is_the_one_in_the_set(
            prefixes: Vec<(u8, u16)>,
            until in 0..=1_u32 << 20,
            from in 0..1_u32 << 20,
        ) {
            let marked = prefixes.iter().map(|(row, nth)| u32::from(*row) << 12 | u32::from(nth % 4096)).collect();
            let map = OccupancyMap { rows: of(&marked), until };
            let expected = |from| marked.range(from..).copied().next().unwrap_or(until).min(until).max(from);
            for from in [from, until, 0] {
                prop_assert_eq!(map.next_occupied(from), expected(from));
            }
            prop_assert!(marked.iter().all(|prefix| map.next_occupied(*prefix) == *prefix));
        }
    }
}
