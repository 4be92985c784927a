//! The names of shards: which Durable Object holds a ray.
//!
//! # Invariants
//!
//! The name depends on the ray alone, for writing as for reading, so that one shard holds the lines of a ray in every
//! dataset. The platform stores the names, which never change.

use std::fmt;

use crate::record::RayKey;

/// The name of one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardName {
    /// The first five digits of its rays; `None` for the shard of nonstandard ids.
    prefix: Option<u32>,
}

impl ShardName {
    /// The shard of all ids that are not 16 hexadecimal digits.
    pub const NONSTANDARD: Self = Self { prefix: None };

    /// Returns the shard that holds `key`.
    #[must_use]
    pub fn for_key(key: &RayKey) -> Self {
        Self { prefix: key.ray().map(crate::record::RayId::prefix) }
    }

    /// Returns the shard of the rays that begin with the five digits `prefix`.
    #[must_use]
    pub const fn for_prefix(prefix: u32) -> Self {
        Self { prefix: Some(prefix) }
    }

    /// Parses the name of a shard; `None` if it is not one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if name == Self::NONSTANDARD.to_string() {
            return Some(Self::NONSTANDARD);
        }
        let digits = name.strip_prefix("v1/").filter(|digits| digits.len() == 5)?;
        u32::from_str_radix(digits, 16).ok().map(Self::for_prefix)
    }

    /// Returns the first five digits of its rays; `None` for the shard of nonstandard ids.
    #[must_use]
    pub const fn prefix(self) -> Option<u32> {
        self.prefix
    }
}

impl fmt::Display for ShardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix {
            Some(prefix) => write!(f, "v1/{prefix:05x}"),
            None => f.write_str("v1/nonstandard"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ShardName;
    use crate::record::RayKey;

    #[test]
    fn the_names_of_shards_never_change() {
        let name = |id| ShardName::for_key(&RayKey::from_logged(id).unwrap()).to_string();
        assert_eq!(name("764660d8ec5c2ab1"), "v1/76466");
        assert_eq!(name("000010d8ec5c2ab1"), "v1/00001");
        assert_eq!(name("test-ray-001"), "v1/nonstandard");
        assert_eq!(ShardName::NONSTANDARD.to_string(), "v1/nonstandard");
        for id in ["764660d8ec5c2ab1", "test-ray-001"] {
            assert_eq!(ShardName::parse(&name(id)), RayKey::from_logged(id).map(|key| ShardName::for_key(&key)));
        }
        assert!(["v1/", "v1/7646", "v1/7646x", "v2/76466", ""].iter().all(|name| ShardName::parse(name).is_none()));
    }
}
