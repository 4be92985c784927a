//! The stages of a batch's life behind the queues: *parse* (index and transform in one pass), *deliver*, and what
//! finds what the queues lost.
//!
//! Reading order: [`payload`] and [`transform`] make bodies, [`mod@pass`] reads an object once, [`mod@process`] does it by
//! the ledger's protocol, `parse` and [`send`] are the two queues' messages,
//! [`mod@sweep`] looks for what they lost, `whereabouts` finds one record in the books.
//!
//! What always holds: each message is judged on its own, and by its verdict alone is it acked or tried again; a
//! message is acked only when the ledger holds what it stood for.

pub mod backfill;
mod later;
pub mod pack;
mod parse;
pub mod pass;
pub mod payload;
pub mod process;
pub mod send;
pub mod sweep;
pub mod transform;
mod turn;
mod verdict;
mod whereabouts;

pub use backfill::{Driven, drive_backfills, start_backfill};
pub use parse::{ParseVerdict, form_of, parse_message};
pub use process::{Outcome, Work, process};
pub use send::{Sender, send_message};
pub use sweep::{Swept, sweep};
pub use verdict::SendVerdict;
pub use whereabouts::{Whereabouts, whereabouts};

use std::future::Future;

use crate::backend::{Bucket, Objects, Queue};
use crate::batch::R2Event;
use crate::ledger::DeliveryId;
use crate::limits::PACK_BYTES;
use crate::memory::Turn;

/// Everything that a request or a message is answered from.
pub trait World {
    /// The bucket.
    type Bucket: Bucket;
    /// The index.
    type Shards: Objects;
    /// The ledgers.
    type Ledgers: Objects;
    /// The queue of objects to parse.
    type Parses: Queue<R2Event>;
    /// The queue of payloads to send.
    type Sends: Queue<DeliveryId>;

    /// The bucket of batches and payloads.
    fn bucket(&self) -> &Self::Bucket;
    /// The shards of the index, by name.
    fn shards(&self) -> &Self::Shards;
    /// The ledgers, by name.
    fn ledgers(&self) -> &Self::Ledgers;
    /// The queue of objects to parse.
    fn parses(&self) -> &Self::Parses;
    /// The queue of payloads to send.
    fn sends(&self) -> &Self::Sends;
    /// The clock, in Unix milliseconds.
    fn now_ms(&self) -> i64;
    /// Bits that nobody can foretell.
    fn random(&self) -> u32;
    /// The turn to read a batch, which all messages of an isolate wait for.
    fn turn(&self) -> &Turn;
    /// Lets so many milliseconds pass.
    fn pause(&self, ms: i64) -> impl Future<Output = ()>;
    /// Most bytes of a pack of payloads. A small world makes smaller ones.
    fn pack_bytes(&self) -> usize {
        PACK_BYTES
    }
}
