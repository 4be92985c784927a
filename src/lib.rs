//! raydex: paste a Ray ID, get the request's log line back.
//!
//! One Cloudflare Worker over the Logpush batches in your own R2 bucket. Six stories run through this crate. The
//! modules below are declared in the order in which data flows through them, and a module imports only modules declared
//! before it (`tests/it/tidy` enforces that).
//!
//! * **A batch arrives**: R2 event → [`pipeline`] → [`batch`] reads the object as a stream, once, and finds its access
//!   points → [`record`] reads each line's key → [`index`] packs the rays into one entry per shard.
//! * **A caller looks up a ray**: [`router`] → [`api`] → [`lookup`] asks the one shard that the ray's own bits name →
//!   [`span_reader`] reads one span of the object, from its access point → the line, checked to carry that ray →
//!   [`render`].
//! * **Access is checked**: [`access`] authenticates the caller; [`mask`] removes from a line whatever the caller's role
//!   must not see; [`audit`] records the request.
//! * **A caller searches**: [`query`] asks the shards of a time range, except those that never held anything, for their
//!   batches, skips those that their [`summary`] rules out, and streams the lines that match a [`filter`].
//! * **A partner receives the lines**: [`filter`] selects them → [`render`] writes them → [`partner`] addresses and
//!   signs a delivery, and interprets the answer.
//! * **A request passes the edge logger**: it goes to its origin untouched; after the response [`edge`] writes a record of it,
//!   collects records into batches, and stores them beside Logpush's.
//!
//! # Invariants
//!
//! Nothing outside `platform` names the Workers runtime. The path bytes → lines → records is synchronous. Time,
//! randomness and configuration are arguments. No data makes the code panic.

pub mod limits;
pub mod memory;
pub mod time;

pub mod hmac;

pub mod record;

pub mod filter;

pub mod mask;

pub mod bucket_keys;

pub mod batch;

pub mod erasure;

pub mod backend;

pub mod r2_event;

pub mod rpc;

pub mod access;

pub mod summary;

pub mod index;

pub mod span_reader;

pub mod lookup;

pub mod query;

pub mod render;

pub mod partner;

pub mod edge;

pub mod ledger;

pub mod spool;

pub mod otlp;

pub mod traces;

pub mod story;

pub mod audit;

pub mod services;

pub mod config;

pub mod pipeline;

pub mod self_check;

pub mod http;

pub mod page;

pub mod api;

pub mod cloudflare_api;

pub mod mcp;

pub mod tempo;

pub mod web;

pub mod router;

#[cfg(feature = "sample")]
pub mod sample;

#[cfg(target_arch = "wasm32")]
mod platform;
