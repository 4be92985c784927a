//! The names of shards: which one object holds a ray.
//!
//! What always holds: the name is a function of the dataset and the key alone, the same for writing and for
//! reading; names are stored by the platform and never change.

use std::fmt;

use crate::record::{Dataset, RayKey};

/// The name of one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardName {
    dataset: Dataset,
    /// The first five digits of its rays; `None` for the shard of odd ids.
    prefix: Option<u32>,
}

impl ShardName {
    /// The shard that holds `key`.
    #[must_use]
    pub fn of(dataset: Dataset, key: &RayKey) -> Self {
        Self { dataset, prefix: key.ray().map(crate::record::RayId::prefix) }
    }

    /// The shard of the rays that begin with the five digits `prefix`.
    #[must_use]
    pub const fn of_prefix(dataset: Dataset, prefix: u32) -> Self {
        Self { dataset, prefix: Some(prefix) }
    }

    /// The shard of the ids that are no rays.
    #[must_use]
    pub const fn odd(dataset: Dataset) -> Self {
        Self { dataset, prefix: None }
    }

    /// The first five digits of its rays; `None` for the shard of odd ids.
    #[must_use]
    pub const fn prefix(self) -> Option<u32> {
        self.prefix
    }
}

impl fmt::Display for ShardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix {
            Some(prefix) => write!(f, "v1/{}/{prefix:05x}", self.dataset),
            None => write!(f, "v1/{}/odd", self.dataset),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ShardName;
    use crate::record::{Dataset, RayKey};

    #[test]
    fn the_names_of_shards_never_change() {
        let name = |id| ShardName::of(Dataset::HttpRequests, &RayKey::from_logged(id).unwrap()).to_string();
        assert_eq!(name("764660d8ec5c2ab1"), "v1/http_requests/76466");
        assert_eq!(name("000010d8ec5c2ab1"), "v1/http_requests/00001");
        assert_eq!(name("test-ray-001"), "v1/http_requests/odd");
        assert_eq!(ShardName::odd(Dataset::FirewallEvents).to_string(), "v1/firewall_events/odd");
    }
}
