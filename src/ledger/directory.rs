//! The directory of shards for queries: the occupancy map in the registry. One lookup is one call of the registry.

use std::ops::RangeInclusive;

use super::occupancy;
use crate::backend::{BackendError, DurableObjects};
use crate::index::OccupancyMap;
use crate::query::ShardDirectory;
use crate::record::Dataset;

/// The directory kept by the registry; `O` is the class of ledgers.
#[derive(Debug)]
pub struct RegistryDirectory<'l, O>(pub &'l O);

impl<O: DurableObjects> ShardDirectory for RegistryDirectory<'_, O> {
    async fn occupancy(&self, dataset: Dataset, prefixes: RangeInclusive<u32>) -> Result<OccupancyMap, BackendError> {
        occupancy::read_occupancy(self.0, dataset, prefixes.into_inner()).await
    }
}
