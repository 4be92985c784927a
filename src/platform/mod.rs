//! The only module that names the Workers runtime: entry points, and the backends over R2, Queues and Durable
//! Objects.
//!
//! Entry points are found by file name: [`fetch`], [`queue`] (which dispatches to `*_queue.rs` and [`dead_letters`]),
//! [`scheduled`], `*_do.rs`; [`edge`] is the Worker in front of a site,
//! [`collect`] its mode that takes reports. Each is a shell over a function of the core; `entry.mjs` and `edge.mjs` export them to the platform.
//!
//! # Invariants
//!
//! Nothing is decided here. An error of the platform becomes a [`crate::backend::BackendError`] at this boundary, and
//! its text goes to the log, and nowhere else.

mod access;
mod alarm;
mod audit_do;
mod bell;
#[cfg(feature = "bench")]
mod bench;
mod bindings;
mod bucket;
mod collect;
mod collect_host;
mod collector;
mod dead_letters;
mod edge;
mod edge_host;
mod edge_queue;
mod edge_spool_do;
mod env;
mod fetch;
mod hang_up;
mod ledger_do;
mod log;
mod messages;
mod objects;
mod parse_queue;
mod partner;
mod post;
mod producer;
mod queue;
mod random;
mod ray_shard_do;
mod scheduled;
mod send_queue;
mod sending;
mod sleep;
mod sql;
mod streams;
mod webhook;

use worker::js_sys::Uint8Array;

use crate::backend::BackendError;
use crate::memory::ReservedBytes;

/// Copies the bytes out of the module.
fn js_bytes(bytes: &ReservedBytes) -> Uint8Array {
    let array = Uint8Array::new_with_length(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    let mut start = 0;
    for chunk in bytes.chunks() {
        let end = start + u32::try_from(chunk.len()).unwrap_or(u32::MAX);
        array.subarray(start, end).copy_from(chunk);
        start = end;
    }
    array
}

/// Converts the platform's error to the core's.
fn failed(what: &'static str) -> impl Fn(worker::Error) -> BackendError {
    move |error| noted(BackendError::new(what, error.to_string()))
}

/// Logs the error and returns it: an HTTP caller learns only that a component did not answer.
fn noted(error: BackendError) -> BackendError {
    log::error("backend_failed", &serde_json::json!({ "reason": error.to_string() }));
    error
}
