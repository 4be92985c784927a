//! The forward index: which batch holds a ray, and where in it.
//!
//! One entry per batch and shard, never a row per ray: its rays, sorted and delta-coded in BLOBs, each with the number
//! of the span that holds its line. Beside them are the [`links`] to the requests that caused others, in the shards of these,
//! so that a shard can walk a [`family`]. Reading order: [`build`] collects, [`entry`] packs the body of a [`part`],
//! [`shard`] stores, [`calls`] are the messages between the Worker and a shard, [`mod@write`] indexes one object;
//! [`occupancy`] says which shards have entries.
//!
//! # Invariants
//!
//! An indexed object version has no false negatives. Indexing it again changes nothing. Nothing of a damaged object is
//! stored.

mod bits;
pub mod build;
pub mod calls;
mod children;
pub mod claims;
pub mod entry;
pub mod expiry;
pub mod family;
mod family_level;
mod family_order;
mod frame;
pub mod links;
pub mod names;
pub mod nonstandard;
pub mod occupancy;
pub mod part;
pub mod ray_skew;
mod record_times;
pub mod rejected;
mod rows;
pub mod shard;
mod span_code;
mod time_slot;
pub mod write;

pub use build::{BatchIndex, IndexBuilder, LineCounts, ShardEntry};
pub use calls::{Candidate, ObjectOrigin, ObjectVersion, VersionAge};
pub use names::ShardName;
pub use occupancy::{OccupancyMap, OccupancyRow};
pub use ray_skew::{RaySkew, is_skewed};
pub use rejected::{LineOffsets, RejectedLine, RejectedLines};
pub use time_slot::time_slot_of;
pub use write::{forget_entries, put_entries, remove_claims};
