//! The built Worker under the real runtime (workerd), driven over HTTP.
//!
//! What is tested here is what no native test can see: the bindings, the JavaScript face, SQLite inside of Durable
//! Objects, streams, memory. Each file is a topic, and each test starts one runtime of its own
//! (`local/harness.mjs`). They need `scripts/build`; without it they fail and say so.
//!
//! No runtime outlives its test, and none reaches the network.

#![cfg(test)]

mod harness;
mod occupancy;
mod raw;
mod reply;

mod access;
mod audit;
mod auth;
mod backfills;
mod cases;
mod chaos;
mod crash;
mod deadlines;
mod delivery;
mod doors;
mod ends;
mod erasures;
mod every_ray;
mod expiry;
mod first_start;
mod large;
mod memory;
mod messages;
mod objects;
mod operations;
mod partitions;
mod partner_faults;
mod redaction;
mod spellings;
mod streams;
mod trees;
mod uploads;
mod verdicts;

use raydex_test_support::{canaries, issuer};
