//! raydex's own API: one file per resource, each answering its routes.
//!
//! `sight` says what a caller sees of a record and `form` how it is written; `views`, `ledgers`, `reason` and
//! `retry` are what several resources share.
//!
//! # Invariants
//! A lookup says what it cost; an error never repeats what the client sent.

pub(crate) mod audit_log;
pub(crate) mod backfills;
pub(crate) mod batches;
pub(crate) mod coverage;
pub(crate) mod dead_letters;
pub(crate) mod deliveries;
pub(crate) mod form;
pub(crate) mod health;
pub(crate) mod ingest;
pub(crate) mod ledgers;
pub(crate) mod logs;
pub(crate) mod many;
pub(crate) mod metrics;
pub(crate) mod openapi;
pub(crate) mod payloads;
pub(crate) mod range;
pub(crate) mod rays;
pub(crate) mod reason;
pub(crate) mod retry;
pub(crate) mod sight;
pub(crate) mod stats;
pub(crate) mod times;
pub(crate) mod views;
