//! The forward index: which batch holds a ray, and where in it.
//!
//! One entry per batch and shard, never a row per ray: its rays, sorted and delta-coded in BLOBs, each with the
//! number of the span that holds its line. Reading order: [`build`] gathers, [`entry`] packs, [`shard`] keeps,
//! [`calls`] is what travels between the Worker and a shard, [`mod@ingest`] does it for one object.
//!
//! What always holds: no false negatives for an indexed object version; indexing again changes nothing;
//! nothing of a damaged object gets in.

mod bits;
pub mod build;
pub mod calls;
pub mod entry;
pub mod ingest;
pub mod names;
pub mod odd;
pub mod shard;
pub mod source;

pub use build::{Counts, IndexBuilder};
pub use calls::{Candidate, ShardCall};
pub use ingest::{Outcome, ingest};
pub use names::ShardName;
