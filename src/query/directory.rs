//! Which prefixes are worth a call to their shard.
//!
//! A directory rules out no prefix that had entries when it was asked.

use std::future::Future;
use std::ops::RangeInclusive;

use crate::backend::BackendError;
use crate::index::OccupancyMap;
use crate::record::Dataset;

/// Knows which shard prefixes of a dataset may hold entries.
///
/// A range may go back years, with a shard for every eleven minutes: one call here replaces the calls to all shards in
/// which nothing was ever indexed.
pub trait ShardDirectory {
    /// The prefixes of `dataset` that may hold entries, as of now. The answer covers the first prefix of `prefixes`, and
    /// as many of the others as it has room for.
    fn occupancy(
        &self,
        dataset: Dataset,
        prefixes: RangeInclusive<u32>,
    ) -> impl Future<Output = Result<OccupancyMap, BackendError>>;
}
