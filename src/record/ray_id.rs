//! The Ray ID: 16 hexadecimal digits, 64 bits, of which the first 36 are a clock.
//!
//! The clock counts ticks of 10 ms since 2012-10-12T00:00:00Z (fitted on 46 real pairs of Ray ID and time, 2015 to
//! 2026), so a prefix of the digits is a time bucket: five digits are 655.36 s. The index is sharded by the ray's own
//! bits, never by the record's time or the batch's name, so that writing and reading apply the same function to the
//! same bits.
//!
//! # Invariants
//!
//! [`RayKey::from_logged`] is the only interpretation of a logged id, used both for indexing and for confirming a line
//! that was found. Ids are not unique.

use std::fmt;

use super::digits::hexadecimal;
use crate::limits::MAX_NONSTANDARD_ID;

/// Unix milliseconds of tick 0.
const EPOCH_MS: i64 = 1_350_000_000_000;
const TICK_MS: i64 = 10;
/// Number of bits of a prefix: five digits.
const PREFIX_BITS: u32 = 20;
/// Milliseconds covered by one prefix: 655.36 s.
const PREFIX_MS: i64 = TICK_MS << (RayId::SUFFIX_BITS - RayId::RANDOM_BITS);
/// Number of hexadecimal digits of a ray.
const DIGITS: usize = 16;
/// Number of hexadecimal digits of a trace ID.
const TRACE_DIGITS: usize = 32;

/// A Ray ID in the standard form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RayId(u64);

impl RayId {
    /// The highest prefix.
    pub const LAST_PREFIX: u32 = u32::MAX >> (u32::BITS - PREFIX_BITS);

    /// Number of low bits of a ray that are not part of its clock.
    pub const RANDOM_BITS: u32 = 28;

    /// Number of bits of a ray below its shard prefix: 11 digits.
    pub const SUFFIX_BITS: u32 = 44;

    /// Creates a ray from its 64 bits.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Creates a ray from a shard prefix and the bits below it; excess bits are dropped.
    #[must_use]
    pub const fn from_parts(prefix: u32, suffix: u64) -> Self {
        Self(((prefix as u64) << Self::SUFFIX_BITS) | (suffix & ((1 << Self::SUFFIX_BITS) - 1)))
    }

    /// Parses a ray from exactly 16 hexadecimal digits of any case.
    #[must_use]
    pub fn from_hex(digits: &[u8]) -> Option<Self> {
        let digits: &[u8; DIGITS] = digits.try_into().ok()?;
        let (high, low) = digits.split_first_chunk()?;
        Some(Self(hexadecimal(*high)? << u32::BITS | hexadecimal(low.try_into().ok()?)?))
    }

    /// Returns the ray as a number; its hexadecimal form has 16 digits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Returns the start of the request in Unix milliseconds, accurate to 10 ms.
    #[must_use]
    pub const fn unix_ms(self) -> i64 {
        EPOCH_MS + self.ticks().cast_signed() * TICK_MS
    }

    /// Returns the ray whose clock reads `unix_ms`, with these low bits; `None` outside of 2012 to 2034.
    #[must_use]
    pub fn at(unix_ms: i64, random: u32) -> Option<Self> {
        let ticks = u64::try_from(unix_ms.checked_sub(EPOCH_MS)?).ok()? / TICK_MS as u64;
        Self::from_clock(ticks, random.into())
    }

    /// Creates a ray from the ticks of its clock and the bits below it, of which excess ones are dropped; `None` if the
    /// clock does not count so far.
    #[must_use]
    pub const fn from_clock(ticks: u64, below: u64) -> Option<Self> {
        if ticks >> (u64::BITS - Self::RANDOM_BITS) != 0 {
            return None;
        }
        Some(Self(ticks << Self::RANDOM_BITS | (below & ((1 << Self::RANDOM_BITS) - 1))))
    }

    /// Returns the ticks of its clock, 10 ms each.
    #[must_use]
    pub const fn ticks(self) -> u64 {
        self.0 >> Self::RANDOM_BITS
    }

    /// Returns the bits below its clock.
    #[must_use]
    pub const fn below_clock(self) -> u64 {
        self.0 & ((1 << Self::RANDOM_BITS) - 1)
    }

    /// Returns the first five digits, which name the shard: a window of 655.36 s.
    #[must_use]
    pub const fn prefix(self) -> u32 {
        (self.0 >> Self::SUFFIX_BITS) as u32
    }

    /// Returns the prefix of rays at the instant `unix_ns`; the first or the last one if no ray has that instant.
    #[must_use]
    pub fn prefix_at(unix_ns: i64) -> u32 {
        let ms = unix_ns.div_euclid(1_000_000) - EPOCH_MS;
        u32::try_from(ms.div_euclid(PREFIX_MS).clamp(0, i64::from(Self::LAST_PREFIX))).unwrap_or_default()
    }

    /// Returns the first instant of the rays with a prefix, in Unix nanoseconds.
    #[must_use]
    pub fn prefix_start_ns(prefix: u32) -> i64 {
        (EPOCH_MS + i64::from(prefix) * PREFIX_MS) * 1_000_000
    }

    /// Returns the eleven digits below [`RayId::prefix`].
    #[must_use]
    pub const fn suffix(self) -> u64 {
        self.0 & ((1 << Self::SUFFIX_BITS) - 1)
    }
}

impl fmt::Display for RayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The key by which a record is found: a ray in the standard form, or another id in its place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RayKey {
    /// A ray of 16 hexadecimal digits, which carries its time.
    Ray(RayId),
    /// Anything else (`test-ray-001`, old ids of 15 digits), found by exact match. 1 to [`MAX_NONSTANDARD_ID`] bytes. A trace ID
    /// is in lower case.
    Nonstandard(Box<str>),
}

impl RayKey {
    /// Parses an id as spelled in a log line. Case does not matter; a data centre after a dash is not part of the id.
    /// `None` if there is no id, or one longer than [`MAX_NONSTANDARD_ID`].
    #[must_use]
    pub fn from_logged(id: &str) -> Option<Self> {
        let id = id.trim_matches([' ', '\t']);
        let (digits, colo) = id.split_once('-').map_or((id, None), |(digits, colo)| (digits, Some(colo)));
        if colo.is_none_or(is_colo)
            && let Some(ray) = RayId::from_hex(digits.as_bytes())
        {
            return Some(Self::Ray(ray));
        }
        if is_trace_id(id) {
            return Some(Self::Nonstandard(id.to_ascii_lowercase().into()));
        }
        (1..=MAX_NONSTANDARD_ID).contains(&id.len()).then(|| Self::Nonstandard(id.into()))
    }

    /// Returns whether the key is the ID of a trace of OpenTelemetry: 32 hexadecimal digits, not all of them zeros.
    #[must_use]
    pub fn is_trace_id(&self) -> bool {
        matches!(self, Self::Nonstandard(id) if is_trace_id(id))
    }

    /// Returns the trace ID that these 64 bits are with zeros before them, as systems with shorter IDs send it.
    #[must_use]
    pub fn padded_trace(ray: RayId) -> Self {
        Self::Nonstandard(format!("{:0>TRACE_DIGITS$}", ray.to_string()).into())
    }

    /// Returns the ray that a trace ID has after zeros; `None` for any other key.
    #[must_use]
    pub fn padded_ray(&self) -> Option<RayId> {
        let Self::Nonstandard(id) = self else { return None };
        let (zeros, digits) = id.split_at_checked(TRACE_DIGITS - DIGITS).filter(|_| is_trace_id(id))?;
        zeros.bytes().all(|byte| byte == b'0').then(|| RayId::from_hex(digits.as_bytes()))?
    }

    /// Returns the ray that a trace ID has after zeros, and any other key as it is.
    #[must_use]
    pub fn unpadded(self) -> Self {
        self.padded_ray().map_or(self, Self::Ray)
    }

    /// Returns the ray, if the key is one in the standard form.
    #[must_use]
    pub const fn ray(&self) -> Option<RayId> {
        match self {
            Self::Ray(ray) => Some(*ray),
            Self::Nonstandard(_) => None,
        }
    }
}

impl fmt::Display for RayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ray(ray) => ray.fmt(f),
            Self::Nonstandard(id) => f.write_str(id),
        }
    }
}

/// Returns whether `text` is the ID of a trace, in any case.
fn is_trace_id(text: &str) -> bool {
    let is_hex = text.len() == TRACE_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex && text.bytes().any(|byte| byte != b'0')
}

/// Returns whether `text` can be the data centre after a ray: the three letters of an airport, or four.
fn is_colo(text: &str) -> bool {
    (3..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{RayId, RayKey};

    #[test]
    fn a_real_ray_decodes_to_its_time() {
        let ray = RayId::from_hex(b"764660d8ec5c2ab1").unwrap();
        assert_eq!(crate::time::rfc3339(ray.unix_ms()), "2022-11-03T16:10:08.140Z");
        assert_eq!(ray.prefix(), 0x76466);
        assert_eq!(ray.suffix(), 0x0d8_ec5c_2ab1);
    }

    #[test]
    fn the_clock_wraps_in_2034_and_ends_there() {
        assert_eq!(crate::time::rfc3339(RayId::from_bits(u64::MAX).unix_ms()), "2034-07-22T15:26:07.350Z");
        assert_eq!(RayId::at(1_350_000_000_000 - 1, 0), None);
        assert_eq!(RayId::at(2_037_194_767_360, 0), None);
        assert_eq!(RayId::at(i64::MIN, 0), None);
    }

    #[test]
    fn instants_have_their_rays_or_the_nearest_prefix() {
        let ms = 1_774_687_345_123;
        let prefix = RayId::at(ms, 7).unwrap().prefix();
        assert_eq!(RayId::prefix_at(ms * 1_000_000 + 999_999), prefix);
        let start = RayId::prefix_start_ns(prefix);
        assert_eq!([start - 1, start].map(RayId::prefix_at), [prefix - 1, prefix]);
        assert_eq!(RayId::from_parts(prefix, 0).unix_ms() * 1_000_000, start);
        assert_eq!([i64::MIN, 0, i64::MAX].map(RayId::prefix_at), [0, 0, RayId::LAST_PREFIX]);
    }

    #[test]
    fn only_sixteen_hexadecimal_digits_are_a_ray() {
        for odd in ["764660d8ec5c2ab", "764660d8ec5c2ab1f", "764660d8ec5c2abg", "test-ray-001", "00"] {
            assert_eq!(RayKey::from_logged(odd), Some(RayKey::Nonstandard(odd.into())), "{odd}");
        }
        assert_eq!(RayKey::from_logged(""), None);
        assert_eq!(RayKey::from_logged("  "), None);
        assert_eq!(RayKey::from_logged(&"7".repeat(10_000)), None);
    }

    #[test]
    fn ray_ignores_case_and_data_centre() {
        let plain = RayKey::from_logged("9efa0d09391dabcb");
        assert_eq!(RayKey::from_logged("9EFA0D09391DABCB"), plain);
        assert_eq!(RayKey::from_logged("9efa0d09391dabcb-HKG"), plain);
        assert_eq!(RayKey::from_logged("9efa0d09391dabcb-"), Some(RayKey::Nonstandard("9efa0d09391dabcb-".into())));
    }

    #[test]
    fn trace_id_ignores_case_and_zeros_are_none() {
        let key = |id: &str| RayKey::from_logged(id).unwrap();
        let lower = key("4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(key("4BF92F3577B34DA6A3CE929D0E0E4736"), lower);
        assert_eq!(lower.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(lower.is_trace_id() && lower.padded_ray().is_none());
        let ray = RayId::from_bits(0x0e35_56d8_c2ab_1c05);
        let padded = key("00000000000000000E3556D8C2AB1C05");
        assert_eq!((padded.padded_ray(), RayKey::padded_trace(ray)), (Some(ray), padded.clone()));
        assert_eq!((padded.unpadded(), lower.clone().unpadded()), (RayKey::Ray(ray), lower));
        for other in ["00000000000000000000000000000000", "4bf92f3577b34da6a3ce929d0e0e473", "test-ray-001"] {
            assert!(!key(other).is_trace_id() && key(other).padded_ray().is_none(), "{other}");
        }
        assert!(!RayKey::Ray(ray).is_trace_id() && RayKey::Ray(ray).padded_ray().is_none());
    }

    proptest! {
        #[test]
        fn a_ray_survives_its_digits_and_its_parts(bits: u64) {
            let ray = RayId::from_bits(bits);
            prop_assert_eq!(RayId::from_hex(ray.to_string().as_bytes()), Some(ray));
            prop_assert_eq!(RayId::from_parts(ray.prefix(), ray.suffix()), ray);
        }

        #[test]
        fn rays_clock_is_the_instant_it_was_made(ms in 1_350_000_000_000_i64..2_037_194_767_360, low in any::<u32>()) {
            prop_assert_eq!(RayId::at(ms, low).unwrap().unix_ms(), ms / 10 * 10);
        }

        #[test]
        fn no_logged_id_panics(id in ".*") {
            let _key = RayKey::from_logged(&id);
        }
    }
}
