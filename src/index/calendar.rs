//! Which prefixes of a dataset have entries: what a search asks once instead of asking every shard of its range.
//!
//! A row is a bit for each of [`CALENDAR_ROW`] prefixes, 31 days; a dataset has 256 of them at most, and has those alone
//! in which something is. A bit that is set stays so: of entries that were removed it costs one call to an empty shard.
//!
//! What always holds: [`Calendar::next`] passes over no prefix that may have entries, and over none that nothing is known of.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits::{CALENDAR_ROW, CALENDAR_ROW_BYTES};

/// The prefixes of one row that have entries. The first prefix is the lowest bit of the first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarRow(Box<[u8; CALENDAR_ROW_BYTES]>);

impl Default for CalendarRow {
    fn default() -> Self {
        Self(Box::new([0; CALENDAR_ROW_BYTES]))
    }
}

impl CalendarRow {
    /// The number of the row that holds a prefix.
    #[must_use]
    pub const fn number_of(prefix: u32) -> u32 {
        prefix / CALENDAR_ROW
    }

    /// The row of these bytes, if there are as many as a row has.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Box::new(bytes)))
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Takes in a prefix of this row; says whether it is a new one.
    pub fn insert(&mut self, prefix: u32) -> bool {
        let (byte, bit) = place(prefix);
        let Some(byte) = self.0.get_mut(byte) else { return false };
        let is_new = *byte & bit == 0;
        *byte |= bit;
        is_new
    }

    fn holds(&self, prefix: u32) -> bool {
        let (byte, bit) = place(prefix);
        self.0.get(byte).is_some_and(|byte| byte & bit != 0)
    }
}

/// The byte and the bit of a prefix in its row.
const fn place(prefix: u32) -> (usize, u8) {
    let nth = prefix % CALENDAR_ROW;
    (nth as usize / 8, 1 << (nth % 8))
}

impl Serialize for CalendarRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD_NO_PAD.encode(self.as_bytes()))
    }
}

impl<'de> Deserialize<'de> for CalendarRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD_NO_PAD.decode(text).map_err(de::Error::custom)?;
        Self::from_bytes(&bytes).ok_or_else(|| de::Error::custom("a row of the calendar has another length"))
    }
}

/// What is known of the prefixes of a dataset, from the one that was asked for on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// The rows that hold something, by their numbers.
    pub rows: BTreeMap<u32, CalendarRow>,
    /// Anything may be from the first of these prefixes to the second: what was indexed there may not have been told.
    pub any: Option<(u32, u32)>,
    /// The first prefix that nothing is known of.
    pub until: u32,
}

impl Calendar {
    /// Anything may be anywhere from this prefix on, or nothing where there is none.
    #[must_use]
    pub const fn any_from(first: Option<u32>) -> Self {
        let any = match first {
            Some(first) => Some((first, u32::MAX)),
            None => None,
        };
        Self { rows: BTreeMap::new(), any, until: u32::MAX }
    }

    /// The first prefix from this one on that may have entries, or that nothing is known of.
    #[must_use]
    pub fn next(&self, from: u32) -> u32 {
        let told = self.next_told(from).unwrap_or(self.until);
        let any = self.any.filter(|(_, last)| from <= *last).map_or(self.until, |(first, _)| first.max(from));
        told.min(any).min(self.until).max(from)
    }

    fn next_told(&self, from: u32) -> Option<u32> {
        let rows = self.rows.range(CalendarRow::number_of(from)..);
        let mut prefixes = rows.flat_map(|(number, row)| {
            let first = number.saturating_mul(CALENDAR_ROW);
            let all = first.max(from)..first.saturating_add(CALENDAR_ROW);
            all.filter(|prefix| row.holds(*prefix))
        });
        prefixes.next()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::{Calendar, CalendarRow};
    use crate::record::RayId;

    /// The calendar in which these prefixes are told.
    fn of(prefixes: &BTreeSet<u32>) -> BTreeMap<u32, CalendarRow> {
        let mut rows: BTreeMap<u32, CalendarRow> = BTreeMap::new();
        for prefix in prefixes {
            assert!(rows.entry(CalendarRow::number_of(*prefix)).or_default().insert(*prefix));
        }
        rows
    }

    #[test]
    fn prefix_keeps_its_bit_for_ever() {
        let mut row = CalendarRow::default();
        for prefix in [0x9e000, 0x9e009, 0x9efff] {
            assert!(row.insert(prefix) && !row.insert(prefix));
        }
        let bytes = row.as_bytes();
        assert_eq!((bytes.len(), bytes[0], bytes[1], bytes[511]), (512, 1, 2, 0x80));
        assert_eq!(bytes.iter().map(|byte| byte.count_ones()).sum::<u32>(), 3);
        assert_eq!((CalendarRow::number_of(0x9dfff), CalendarRow::number_of(0x9e000)), (0x9d, 0x9e));
        assert_eq!(CalendarRow::number_of(RayId::LAST_PREFIX), 255);
    }

    #[test]
    fn what_travels_is_the_rows_in_base64() {
        let text = format!(r#"{{"rows":{{"158":"AQ{}"}},"any":[3,9],"until":1048576}}"#, "A".repeat(681));
        let calendar: Calendar = serde_json::from_str(&text).unwrap();
        assert_eq!(calendar, Calendar { rows: of(&[158 << 12].into()), any: Some((3, 9)), until: 1 << 20 });
        assert_eq!(serde_json::to_string(&calendar).unwrap(), text);
        for bad in [text.replace("AQ", "A"), text.replace("AQ", "AQAA"), text.replace("AQ", "?Q")] {
            assert!(serde_json::from_str::<Calendar>(&bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn next_prefix_is_the_one_in_the_set(
            prefixes: Vec<(u8, u16)>,
            around in any::<(bool, u32, u16)>(),
            until in 0..=1_u32 << 20,
            from in 0..1_u32 << 20,
        ) {
            let told = prefixes.iter().map(|(row, nth)| u32::from(*row) << 12 | u32::from(nth % 4096)).collect();
            let (has_any, first, length) = around;
            let first = first >> 12;
            let anything = has_any.then(|| (first, first + u32::from(length)));
            let calendar = Calendar { rows: of(&told), any: anything, until };
            let expected = |from| {
                let may = |prefix: &u32| told.contains(prefix) || anything.is_some_and(|(a, z)| (a..=z).contains(prefix));
                (from..until).find(may).unwrap_or(until).max(from)
            };
            for from in [from, first, until, 0] {
                prop_assert_eq!(calendar.next(from), expected(from));
            }
            prop_assert!(told.iter().all(|prefix| calendar.next(*prefix) == *prefix));
        }
    }
}
