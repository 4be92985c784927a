//! The world in memory: what `backend.rs` asks of the platform, over maps and SQLite.
//!
//! The fakes accuse: what the platform would refuse, or what no caller may do, fails the test. Every call is
//! counted, and any one of them can be told to fail, or to fail although it happened ([`Faults`]).
//!
//! What always holds: nothing here waits, sleeps or reads a clock, so a test is a function of its input.

#![allow(
    dead_code,
    unused_imports,
    clippy::allow_attributes,
    reason = "each suite is built with this folder, and uses a part of it"
)]

pub(crate) mod audits;
pub(crate) mod bucket;
pub(crate) mod consumers;
pub(crate) mod faults;
pub(crate) mod gzip;
pub(crate) mod ledgers;
pub(crate) mod lines;
pub(crate) mod partner;
pub(crate) mod queue;
pub(crate) mod records;
pub(crate) mod shards;
pub(crate) mod sql;
pub(crate) mod world;

pub(crate) use audits::MemoryAudits;
pub(crate) use bucket::MemoryBucket;
pub(crate) use consumers::Consumers;
pub(crate) use faults::{Fault, Faults, Kind};
pub(crate) use ledgers::MemoryLedgers;
pub(crate) use partner::{FakePartner, Reply};
pub(crate) use queue::MemoryQueue;
pub(crate) use shards::MemoryShards;
pub(crate) use sql::SqliteSql;
pub(crate) use world::Fakes;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// 2026-03-28T08:42:25Z, the hour of the sample's batches.
pub(crate) const NOW_MS: i64 = 1_774_687_345_000;

/// The result of a future over the fakes, which are always ready (a stream may still give way to itself).
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1_000_000 {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
    }
    panic!("the future waits for something that no fake will bring");
}
