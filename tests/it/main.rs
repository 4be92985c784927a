//! The crate from outside, over the fakes of `tests/support`, and the rules of this repository: a module for each topic.
//!
//! `tests/README.md` says where a new test goes.

#![cfg(test)]

mod access;
mod api;
mod backfill;
mod batch;
mod datasets;
mod decoding;
mod disaster;
mod duplicates;
mod entry;
mod family;
mod family_pages;
mod filter;
mod first_start;
mod forms;
mod ingest;
mod ledger;
mod make_batches;
mod mask;
mod objects;
mod packs;
mod page;
mod parse;
mod partner;
mod plots;
mod poison;
mod query;
mod sample;
mod scale;
mod scan;
mod self_check;
mod send;
mod shard;
mod spans;
mod spool;
mod sweep;
mod tidy;
mod token;
mod transform;
mod verify_audit;
mod wire_format;

use raydex_test_support as support;
