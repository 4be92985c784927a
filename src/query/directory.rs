//! The directory of shard prefixes that may hold entries.
//!
//! A directory rules out no prefix that had entries at the time of the call.

use std::future::Future;
use std::ops::RangeInclusive;

use crate::backend::BackendError;
use crate::index::OccupancyMap;
use crate::record::Dataset;

/// Knows which shard prefixes of a dataset may hold entries.
///
/// A range may reach back years, with a shard for every eleven minutes: one call here replaces calls to all the shards
/// in which nothing was ever indexed.
pub trait ShardDirectory {
    /// Returns the prefixes of `dataset` that may hold entries now. The answer covers the first prefix of `prefixes`,
    /// and as many of the others as fit.
    fn occupancy(
        &self,
        dataset: Dataset,
        prefixes: RangeInclusive<u32>,
    ) -> impl Future<Output = Result<OccupancyMap, BackendError>>;
}
