//! The world in memory: what `backend.rs` asks of the platform, over maps and SQLite.
//!
//! The fakes accuse: what the platform would refuse, or what no caller may do, fails the test. Every call is
//! counted, and any one of them can be told to fail, or to fail although it happened ([`Faults`]).
//!
//! # Invariants
//!
//! Nothing here waits, sleeps or reads a clock, so a test is a function of its input.

pub mod audits;
pub mod bucket;
pub mod canaries;
pub mod command_line;
pub mod consumers;
pub mod faults;
pub mod gzip;
pub mod issuer;
pub mod ledgers;
pub mod lines;
pub mod partner;
pub mod queue;
pub mod random;
pub mod records;
pub mod shards;
pub mod slices;
pub mod sql;
pub mod world;

pub use audits::MemoryAudits;
pub use bucket::MemoryBucket;
pub use consumers::Consumers;
pub use faults::{Fault, Faults, Kind};
pub use ledgers::MemoryLedgers;
pub use partner::{FakePartner, Reply};
pub use queue::MemoryQueue;
pub use shards::MemoryShards;
pub use sql::SqliteSql;
pub use world::Fakes;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// The time limit of a POST where nothing else is set.
pub const POST_MS: i64 = 120_000;
/// The duration of a claim then.
pub const LEASE_MS: i64 = raydex::limits::lease_ms(POST_MS);

/// 2026-03-28T08:42:25Z, the hour of the sample's batches.
pub const NOW_MS: i64 = 1_774_687_345_000;

/// The result of a future over the fakes, which are always ready (a stream may still give way to itself).
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1_000_000 {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
    }
    panic!("the future waits for something that no fake will bring");
}
