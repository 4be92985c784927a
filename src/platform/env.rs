//! The names of the bindings, and the backends bound to them. `wrangler.toml` repeats the names; a test compares the
//! two.
//!
//! No other file spells the name of a binding or of a queue. A missing binding is an error, not a trap.

use worker::js_sys::{Function, Reflect};
use worker::wasm_bindgen::JsCast;
use worker::{Env, Fetcher, ObjectNamespace, Result};

use super::bucket::R2Bucket;
use super::objects::NamedObjects;
use super::producer::QueueProducer;
use crate::config::{
    Config, ConfigFault, QueueNames, read_collect_settings, read_edge_mode, read_edge_settings, settings,
};
use crate::edge::{CollectSettings, EdgeMode, EdgeSettings};

/// The R2 bucket that Logpush writes to.
const BUCKET: &str = "RAW";
/// The R2 bucket for raydex's own objects. Without this binding it is the log bucket.
const DATA_BUCKET: &str = "DATA";
/// The producer of `parse-queue`.
const PARSE_QUEUE: &str = "PARSE_QUEUE";
/// The producer of `send-queue`.
const SEND_QUEUE: &str = "SEND_QUEUE";
/// The Durable Objects of the index.
const RAY_SHARD: &str = "RAY_SHARD";
/// The Durable Objects of the ledgers.
const LEDGER: &str = "LEDGER";

/// The Worker behind the edge logger, where the origin is one.
const ORIGIN: &str = "ORIGIN";

/// The Durable Object of the audit log.
const AUDIT: &str = "AUDIT";

/// The Durable Objects of the edge logger's durable buffer.
const EDGE_SPOOL: &str = "EDGE_SPOOL";
/// The producer of `edge-queue`.
const EDGE_QUEUE: &str = "EDGE_QUEUE";

/// The queue of objects to parse, as dead letters name it whatever the deployment calls it.
pub(super) const PARSE_QUEUE_NAME: &str = "parse-queue";
/// The queue of payloads to send, in the same way.
pub(super) const SEND_QUEUE_NAME: &str = "send-queue";

/// The queue of the edge logger's batches, in the same way.
pub(super) const EDGE_QUEUE_NAME: &str = "edge-queue";

/// The cron that advances backfills; any other one sweeps the bucket.
pub(super) const BACKFILL_CRON: &str = "* * * * *";

/// Reads the settings of the deployment.
pub(super) fn config(env: &Env) -> std::result::Result<Config, Vec<ConfigFault>> {
    Config::read(|name| env.var(name).ok().map(|value| value.to_string()))
}

/// Reads the settings of the edge logger.
pub(super) fn edge_settings(env: &Env) -> std::result::Result<EdgeSettings, Vec<ConfigFault>> {
    read_edge_settings(|name| env.var(name).ok().map(|value| value.to_string()))
}

/// Reads the mode of the edge logger.
pub(super) fn edge_mode(env: &Env) -> EdgeMode {
    read_edge_mode(|name| env.var(name).ok().map(|value| value.to_string()))
}

/// Reads the settings of its mode `collect`.
pub(super) fn collect_settings(env: &Env) -> std::result::Result<CollectSettings, Vec<ConfigFault>> {
    read_collect_settings(|name| env.var(name).ok().map(|value| value.to_string()))
}

/// Returns the Worker behind the edge logger.
pub(super) fn origin(env: &Env) -> Result<Fetcher> {
    env.service(ORIGIN)
}

/// Reads the names of the queues.
pub(super) fn queue_names(env: &Env) -> QueueNames {
    QueueNames::read(|name| env.var(name).ok().map(|value| value.to_string()))
}

/// Returns the log bucket.
pub(super) fn bucket(env: &Env) -> Result<R2Bucket> {
    env.bucket(BUCKET).map(R2Bucket::new)
}

/// Returns the data bucket: the log bucket if no other one is bound.
pub(super) fn data_bucket(env: &Env) -> Result<R2Bucket> {
    if Reflect::has(env.as_ref(), &DATA_BUCKET.into())? {
        env.bucket(DATA_BUCKET).map(R2Bucket::new)
    } else {
        bucket(env)
    }
}

/// Returns the Durable Objects of a binding: those of the jurisdiction that the deployment names, if it names one.
fn objects(env: &Env, binding: &str) -> Result<ObjectNamespace> {
    let objects = env.durable_object(binding)?;
    let jurisdiction = env.var(settings::JURISDICTION.name).map(|value| value.to_string()).unwrap_or_default();
    if jurisdiction.trim().is_empty() {
        return Ok(objects);
    }
    // A name that the platform does not know is its error: nothing is stored elsewhere instead.
    let within: Function = Reflect::get(objects.as_ref(), &"jurisdiction".into())?.dyn_into()?;
    Ok(within.call1(objects.as_ref(), &jurisdiction.trim().into())?.unchecked_into())
}

/// Returns the shards of the index.
pub(super) fn shards(env: &Env) -> Result<NamedObjects> {
    objects(env, RAY_SHARD).map(|objects| NamedObjects::new(objects, "calling a shard"))
}

/// Returns the Durable Objects of the ledgers.
pub(super) fn ledgers(env: &Env) -> Result<NamedObjects> {
    objects(env, LEDGER).map(|objects| NamedObjects::new(objects, "calling a ledger"))
}

/// Returns the Durable Object of the audit log.
pub(super) fn audit_log(env: &Env) -> Result<NamedObjects> {
    objects(env, AUDIT).map(|objects| NamedObjects::new(objects, "calling the audit log"))
}

/// Returns the Durable Objects of the durable buffer.
pub(super) fn edge_spools(env: &Env) -> Result<NamedObjects> {
    objects(env, EDGE_SPOOL).map(|objects| NamedObjects::new(objects, "handing a batch over"))
}

/// Returns the queue of the edge logger's batches.
pub(super) fn edge_queue(env: &Env) -> Result<QueueProducer> {
    env.queue(EDGE_QUEUE).map(|queue| QueueProducer::new(queue, "sending to edge-queue"))
}

/// Returns the queue of objects to parse.
pub(super) fn parse_queue(env: &Env) -> Result<QueueProducer> {
    env.queue(PARSE_QUEUE).map(|queue| QueueProducer::new(queue, "sending to parse-queue"))
}

/// Returns the queue of payloads to send.
pub(super) fn send_queue(env: &Env) -> Result<QueueProducer> {
    env.queue(SEND_QUEUE).map(|queue| QueueProducer::new(queue, "sending to send-queue"))
}
