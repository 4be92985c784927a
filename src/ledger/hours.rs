//! Names of ledgers: an hour has one, or several partitions that share its batches.
//!
//! # Invariants
//! A batch's ledger depends on the key's file name and the number of the hour's partitions alone, which never changes: so
//! all versions of an object, and its copies under the same file name, share a ledger. Names are stored; tests freeze them.

use sha2::{Digest, Sha256};

use crate::limits::PARTITIONS_MAX;
use crate::time;

/// The version in a ledger's name: that of its tables' layout.
pub(super) const VERSION: &str = "v1/";
/// The name before the number of a partition that is not an hour's first.
const PARTITION: char = '-';
/// Number of the ledgers that belong to no hour.
pub const OTHER_LEDGERS: u64 = 256;
/// The prefix of the names of the ledgers that belong to no hour.
pub const OTHER: &str = "v1/other-";
/// Number of characters of the name of an hour's first ledger, with which those of its other partitions begin.
pub(super) const HOUR_CHARS: u64 = 14;

/// An hour of batch time, or one of the 256 groups of batches whose names say no time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LedgerHour {
    /// The name of its first ledger.
    first: String,
}

impl LedgerHour {
    /// Returns the hour of the batch at `key`: that of the first timestamp in its file name, or, without one, one of 256
    /// groups chosen by the key's hash.
    #[must_use]
    pub fn of_key(key: &str) -> Self {
        let hour = file_name(key).as_bytes().windows(16).find(|window| is_stamp(window));
        let hour = hour.and_then(|stamp| std::str::from_utf8(stamp.get(..11)?).ok());
        let first = hour.map_or_else(|| format!("{OTHER}{:02x}", first_byte(key)), |hour| format!("{VERSION}{hour}"));
        Self { first }
    }

    /// Returns the hour of an instant in Unix milliseconds.
    #[must_use]
    pub fn of_time(at_ms: i64) -> Self {
        Self::of_key(&time::stamp(at_ms))
    }

    /// Returns the hour that a ledger belongs to.
    #[must_use]
    pub fn of_ledger(name: &str) -> Self {
        let is_other = name.starts_with(OTHER);
        let first = if is_other { name } else { name.split_once(PARTITION).map_or(name, |(first, _)| first) };
        Self { first: first.to_owned() }
    }

    /// Returns the name of its first ledger.
    #[must_use]
    pub fn first_ledger(&self) -> &str {
        &self.first
    }

    /// Whether it is one of the groups without an hour, each of which has one ledger.
    #[must_use]
    pub fn is_other(&self) -> bool {
        self.first.starts_with(OTHER)
    }

    /// Returns the start of the hour in Unix milliseconds; `None` for a group without one.
    #[must_use]
    pub fn start_ms(&self) -> Option<i64> {
        time::from_stamp(&format!("{}0000Z", self.first.strip_prefix(VERSION)?))
    }

    /// Returns the name of the ledger of the batch at `key`, which is of this hour, if the hour has this many partitions.
    #[must_use]
    pub fn ledger_of(&self, key: &str, partitions: u8) -> String {
        let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(file_name(key)).into();
        let number = u32::from_be_bytes([a, b, c, d]) % u32::from(partitions.max(1));
        self.ledger(number)
    }

    /// Returns the names of its ledgers, if it has this many partitions.
    pub fn ledgers(&self, partitions: u8) -> impl Iterator<Item = String> {
        (0..u32::from(partitions.max(1))).map(|number| self.ledger(number))
    }

    fn ledger(&self, number: u32) -> String {
        if number == 0 || self.is_other() { self.first.clone() } else { format!("{}{PARTITION}{number}", self.first) }
    }
}

/// Leaves those of these ledgers, sorted by name, that belong to the first hours. Returns whether these are all of them.
pub fn keep_hours(ledgers: &mut Vec<String>, most: u64) -> bool {
    let all = ledgers.len();
    let hours = ledgers.chunk_by(|a, b| LedgerHour::of_ledger(a) == LedgerHour::of_ledger(b));
    let kept = hours.take(usize::try_from(most).unwrap_or(usize::MAX)).map(<[_]>::len).sum();
    ledgers.truncate(kept);
    kept == all
}

fn file_name(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

fn first_byte(key: &str) -> u8 {
    let [first, ..]: [u8; 32] = Sha256::digest(key).into();
    first
}

/// Returns whether these bytes have the form `20260328T084225Z`.
fn is_stamp(bytes: &[u8]) -> bool {
    (0..).zip(bytes).all(|(place, byte)| match place {
        8 => *byte == b'T',
        15 => *byte == b'Z',
        _ => byte.is_ascii_digit(),
    })
}

// The number of a partition has one digit, which the longest name in a handle has room for.
const _: () = assert!(PARTITIONS_MAX <= 10);

#[cfg(test)]
mod tests {
    use super::{HOUR_CHARS, LedgerHour, keep_hours};
    use crate::limits::PARTITIONS_MAX;

    const KEY: &str = "logs/http_requests/20260328/20260328T084200Z_20260328T094225Z_ab.log.gz";

    #[test]
    fn hour_is_that_of_the_first_stamp() {
        for (key, ledger) in [
            (KEY, "v1/20260328T08"),
            ("logs/20260328/20260328T084260Z_ab.log.gz", "v1/20260328T08"),
            ("logs/20260328T084260Z/x.log.gz", "v1/other-49"),
            ("logs/a.log.gz", "v1/other-84"),
            ("", "v1/other-e3"),
        ] {
            let hour = LedgerHour::of_key(key);
            assert_eq!((hour.first_ledger(), hour.is_other()), (ledger, ledger.contains("other")), "{key}");
            assert_eq!(LedgerHour::of_ledger(ledger), hour);
        }
        assert_eq!(LedgerHour::of_time(1_774_684_860_000), LedgerHour::of_key(KEY));
        assert_eq!(LedgerHour::of_key(KEY).start_ms(), Some(1_774_684_800_000));
        assert_eq!(LedgerHour::of_key("a").start_ms(), None);
    }

    #[test]
    fn partition_depends_on_the_file_name_alone() {
        let hour = LedgerHour::of_key(KEY);
        // printf '20260328T084200Z_20260328T094225Z_ab.log.gz' | sha256sum begins with 8cc89836.
        let found = [1, 2, 3, 8].map(|partitions| hour.ledger_of(KEY, partitions));
        assert_eq!(found, ["v1/20260328T08", "v1/20260328T08", "v1/20260328T08", "v1/20260328T08-6"]);
        assert_eq!(hour.ledger_of(&format!("moved/{}", KEY.rsplit('/').next().unwrap()), 8), found[3]);
        assert_eq!(LedgerHour::of_key("logs/a.log.gz").ledger_of("logs/a.log.gz", 8), "v1/other-84");
    }

    #[test]
    fn partitions_share_the_batches_of_their_hour() {
        let hour = LedgerHour::of_key(KEY);
        let ledgers: Vec<String> = hour.ledgers(PARTITIONS_MAX).collect();
        assert_eq!((ledgers.len(), &*ledgers[0], &*ledgers[7]), (8, "v1/20260328T08", "v1/20260328T08-7"));
        assert_eq!(ledgers[0].len() as u64, HOUR_CHARS);
        let mut shares = [0; PARTITIONS_MAX as usize];
        for number in 0..8_000 {
            let name = hour.ledger_of(&format!("logs/20260328T084200Z_{number}.log.gz"), PARTITIONS_MAX);
            shares[ledgers.iter().position(|ledger| *ledger == name).unwrap()] += 1;
            assert!(LedgerHour::of_ledger(&name) == hour && name.starts_with(&ledgers[0]));
        }
        assert!(shares.iter().all(|share| (900..1_100).contains(share)), "{shares:?}");
        let all = [ledgers, vec!["v1/20260328T09".into(), "v1/other-84".into()]].concat();
        for (most, kept) in [(0, 0), (1, 8), (2, 9), (3, 10), (4, 10)] {
            let mut left = all.clone();
            assert_eq!((keep_hours(&mut left, most), &left[..]), (kept == all.len(), &all[..kept]), "{most}");
        }
    }
}
