//! The quota of a key: where a request has its key, and how many records of one are taken in a minute.
//!
//! # Invariants
//! A key is kept as a digest, bounded in number, and is in no record.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::exchange::route_of;
use crate::limits::{QUOTA_KEYS, QUOTA_PER_MINUTE_MAX};

/// A quota as a rule has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QuotaEntry {
    key: String,
    per_minute: Option<u32>,
}

impl QuotaEntry {
    /// Reads the quota; `None` if it has no place of a key, or a number that is not from 1 to [`QUOTA_PER_MINUTE_MAX`].
    pub(super) fn read(&self) -> Option<KeyQuota> {
        let fits = self.per_minute.is_none_or(|number| (1..=QUOTA_PER_MINUTE_MAX).contains(&number));
        let place = KeyPlace::parse(&self.key).filter(|_| fits)?;
        Some(KeyQuota { place, per_minute: self.per_minute })
    }
}

/// The quota of each key of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyQuota {
    /// Where a request has its key.
    pub place: KeyPlace,
    /// Number of records of one key that an isolate takes in a minute; `None` for any number.
    pub per_minute: Option<u32>,
}

/// Where a request has its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// In a parameter of the URL with this name.
    Query(String),
    /// In a header with this name, in lower case.
    Header(String),
    /// In this segment of the path, from 1.
    Path(usize),
}

impl KeyPlace {
    /// Parses a place such as `query:key`, `header:x-api-key` or `path:2`.
    #[must_use]
    pub fn parse(place: &str) -> Option<Self> {
        match place.split_once(':')? {
            ("query", name) if !name.is_empty() => Some(Self::Query(name.to_owned())),
            ("header", name) => {
                let name = http::HeaderName::from_bytes(name.as_bytes()).ok()?;
                Some(Self::Header(name.as_str().to_owned()))
            }
            ("path", number) => number.parse().ok().filter(|number| *number > 0).map(Self::Path),
            _ => None,
        }
    }

    /// Returns the key of a request with this URL and these headers; `None` if it has none.
    pub(super) fn find<'r>(&self, url: &'r str, header: impl Fn(&str) -> Option<&'r str>) -> Option<Cow<'r, str>> {
        let key = match self {
            Self::Query(name) => {
                let query = url.split('#').next()?.split_once('?')?.1;
                form_urlencoded::parse(query.as_bytes()).find(|(found, _)| found == name)?.1
            }
            Self::Header(name) => Cow::Borrowed(header(name)?),
            Self::Path(number) => Cow::Borrowed(route_of(url).split('/').nth(*number)?),
        };
        Some(key).filter(|key| !key.is_empty())
    }
}

/// What is kept of a key: half of its SHA-256. Of a billion keys, two share one with a probability of 10⁻²¹.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyDigest([u8; 16]);

impl KeyDigest {
    /// Creates the digest of a key in a scope, such as a route.
    pub(super) fn new(scope: &str, key: &str) -> Self {
        let hash =
            Sha256::new().chain_update(scope.as_bytes()).chain_update([0]).chain_update(key.as_bytes()).finalize();
        let mut digest = [0; 16];
        digest.iter_mut().zip(hash).for_each(|(kept, byte)| *kept = byte);
        Self(digest)
    }
}

/// A value for each of the [`QUOTA_KEYS`] keys that were used last.
#[derive(Debug)]
pub(super) struct RecentKeys<V> {
    /// With the turn of its last use.
    values: BTreeMap<KeyDigest, (u64, V)>,
    by_turn: BTreeMap<u64, KeyDigest>,
    turns: u64,
}

impl<V> Default for RecentKeys<V> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), by_turn: BTreeMap::new(), turns: 0 }
    }
}

impl<V> RecentKeys<V> {
    /// Returns the value of a key, which becomes the one that was used last; `make` has it where there is none.
    pub(super) fn used(&mut self, key: KeyDigest, make: impl FnOnce() -> V) -> &mut V {
        self.turns += 1;
        let is_full = !self.values.contains_key(&key) && self.values.len() >= QUOTA_KEYS;
        if is_full && let Some((_, oldest)) = self.by_turn.pop_first() {
            self.values.remove(&oldest);
        }
        let (turn, value) = self.values.entry(key).or_insert_with(|| (0, make()));
        self.by_turn.remove(turn);
        *turn = self.turns;
        self.by_turn.insert(self.turns, key);
        value
    }

    /// Returns the value of a key, without a use of it.
    pub(super) fn known(&mut self, key: KeyDigest) -> Option<&mut V> {
        self.values.get_mut(&key).map(|(_, value)| value)
    }
}

/// The numbers of records of keys in their minutes.
#[derive(Debug, Default)]
pub(super) struct MinuteQuotas(RecentKeys<MinuteCount>);

#[derive(Debug, Clone, Copy, Default)]
struct MinuteCount {
    minute: i64,
    taken: u32,
}

impl MinuteQuotas {
    /// Takes one record of a key, unless this number was taken in the minute; returns whether it did.
    pub(super) fn take(&mut self, key: KeyDigest, per_minute: u32, now_ms: i64) -> bool {
        let minute = now_ms.div_euclid(60_000);
        let count = self.0.used(key, MinuteCount::default);
        if count.minute != minute {
            *count = MinuteCount { minute, taken: 0 };
        }
        let takes = count.taken < per_minute;
        count.taken += u32::from(takes);
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyDigest, KeyPlace, MinuteQuotas, QUOTA_KEYS, RecentKeys};

    #[test]
    fn keys_are_found_where_a_rule_says() {
        let headers = |name: &str| (name == "x-api-key").then_some("k3");
        let url = "https://a.example/v1/k%201/x?key=k+2&key=k9#?key=k8";
        for (place, key) in [
            ("query:key", Some("k 2")),
            ("query:other", None),
            ("header:X-Api-Key", Some("k3")),
            ("header:other", None),
            ("path:2", Some("k%201")),
            ("path:4", None),
        ] {
            assert_eq!(KeyPlace::parse(place).unwrap().find(url, headers).as_deref(), key, "{place}");
        }
        for odd in ["", "query", "query:", "header:", "header:a b", "path:0", "path:x", "cookie:a"] {
            assert_eq!(KeyPlace::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn keys_have_a_number_for_each_minute() {
        let mut quotas = MinuteQuotas::default();
        let (a, b) = (KeyDigest::new("r", "a"), KeyDigest::new("r", "b"));
        let taken = (0..10).filter(|_| quotas.take(a, 3, 59_999)).count();
        assert_eq!((taken, quotas.take(b, 3, 59_999), quotas.take(a, 3, 60_000)), (3, true, true));
        assert_ne!(KeyDigest::new("r", "a"), KeyDigest::new("ra", ""));
    }

    #[test]
    fn least_recently_used_key_leaves() {
        let mut keys = RecentKeys::default();
        let digest = |number: usize| KeyDigest::new("", &number.to_string());
        for number in 0..QUOTA_KEYS {
            keys.used(digest(number), || number);
        }
        keys.used(digest(0), || 7_777);
        keys.used(digest(QUOTA_KEYS), || QUOTA_KEYS);
        let known = [0, 1, 2].map(|number| keys.known(digest(number)).copied());
        assert_eq!(known, [Some(0), None, Some(2)]);
        assert_eq!((keys.values.len(), keys.by_turn.len()), (QUOTA_KEYS, QUOTA_KEYS));
    }
}
