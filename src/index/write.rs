//! Writes a batch's entries to their shards, and drops those of the versions that it replaced.
//!
//! # Invariants
//!
//! Each step may be repeated. A shard keeps the newest version offered: it reports that to a slow writer of an older
//! one, which removes what it wrote elsewhere.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::build::ShardEntry;
use super::calls::{ForgetEntry, ObjectVersion, PutEntry, PutOutcome, VersionAge};
use super::claims::RemoveClaims;
use crate::backend::{BackendError, DurableObjects};
use crate::limits::CONCURRENT_CALLS;
use crate::record::Dataset;
use crate::rpc;

/// Writes every entry to its shard, with the batch's summary; returns the number of rows written, or `None` if a shard
/// has a newer version, in which case all entries of this one are removed. `rewrites` replaces existing entries of this
/// version.
///
/// # Errors
/// [`BackendError`] if a shard cannot be written; some may have their entry in that case.
pub async fn put_entries(
    shards: &impl DurableObjects,
    (dataset, object): (Dataset, &ObjectVersion),
    entries: Vec<ShardEntry>,
    summary: &[u8],
    rewrites: bool,
) -> Result<Option<u64>, BackendError> {
    let names: Vec<String> = entries.iter().map(|entry| entry.shard.to_string()).collect();
    let rows_written = stream::iter(entries)
        .map(async |ShardEntry { shard, time_slots, parts, link_slots, links }| {
            let (object, summary) = (object.clone(), summary.to_vec());
            let put = PutEntry { dataset, object, time_slots, parts, link_slots, links, summary, rewrites };
            let answer = rpc::call(shards, &shard.to_string(), &put).await?;
            Ok::<_, BackendError>((answer.outcome != PutOutcome::Superseded).then_some(answer.rows_written))
        })
        .buffer_unordered(CONCURRENT_CALLS)
        .try_fold(Some(0), async |sum: Option<u64>, rows| Ok(sum.zip(rows).map(|(sum, rows)| sum + rows)))
        .await?;
    if rows_written.is_none() {
        // Some shards have the newer version, others may now have this one.
        forget_entries(shards, &object.key, object.age(), names.iter()).await?;
    }
    Ok(rows_written)
}

/// Drops the entries of versions of the object at `key` that are not newer than this age.
///
/// # Errors
/// [`BackendError`] if a shard cannot be reached; a second attempt continues.
pub async fn forget_entries(
    shards: &impl DurableObjects,
    key: &str,
    until: VersionAge,
    names: impl Iterator<Item = &String>,
) -> Result<(), BackendError> {
    let forget = ForgetEntry { key: key.to_owned(), until };
    for name in names {
        rpc::call(shards, name, &forget).await?;
    }
    Ok(())
}

/// Removes the claims of an object's lines from these shards: a copy of them is then delivered as if it were new.
///
/// # Errors
/// [`BackendError`] if a shard fails; the claims may still be in the others.
pub async fn remove_claims(
    shards: &impl DurableObjects,
    key: &str,
    names: impl Iterator<Item = &String>,
) -> Result<(), BackendError> {
    for name in names {
        rpc::call(shards, name, &RemoveClaims { key: key.to_owned() }).await?;
    }
    Ok(())
}
