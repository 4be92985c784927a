//! The names of the bindings, and what hangs on them. `wrangler.toml` spells them too; a test compares the two.
//!
//! What always holds: no other file spells a binding's name; a binding that is missing is an error, not a trap.

use worker::{Env, Result};

use super::bucket::R2Bucket;
use super::parse_queue::ParseQueueProducer;
use super::shards::ShardObjects;
use crate::config::{Config, ConfigFault};

/// The R2 bucket that Logpush writes to.
const BUCKET: &str = "RAW";
/// The producer of `parse-queue`.
const PARSE_QUEUE: &str = "PARSE_QUEUE";
/// The Durable Objects of the index.
const RAY_SHARD: &str = "RAY_SHARD";

/// The consumed queue of objects to parse.
pub(super) const PARSE_QUEUE_NAME: &str = "parse-queue";

/// The settings of the deployment.
pub(super) fn config(env: &Env) -> std::result::Result<Config, Vec<ConfigFault>> {
    Config::read(|name| env.var(name).ok().map(|value| value.to_string()))
}

/// The bucket.
pub(super) fn bucket(env: &Env) -> Result<R2Bucket> {
    env.bucket(BUCKET).map(R2Bucket::new)
}

/// The index.
pub(super) fn shards(env: &Env) -> Result<ShardObjects> {
    env.durable_object(RAY_SHARD).map(ShardObjects::new)
}

/// The queue of objects to parse.
pub(super) fn parse_queue(env: &Env) -> Result<ParseQueueProducer> {
    env.queue(PARSE_QUEUE).map(ParseQueueProducer::new)
}
