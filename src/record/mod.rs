//! One log line: the ids in it, its times, the fields read from it.
//!
//! What always holds: everything here is synchronous and borrows from the line; no line makes it panic, and
//! what cannot be read has a typed reason.

pub mod dataset;
mod digits;
pub mod fields;
pub mod key;
pub(crate) mod lanes;
pub mod members;
pub mod ray_id;
pub mod scan;
pub mod timestamp;
pub mod user_ray;
pub mod watched;

pub use dataset::Dataset;
pub use fields::{Field, Fields, RecordError, Value};
pub use key::{RecordKey, read_key};
pub use members::RecordMembers;
pub use ray_id::{RayId, RayKey};
pub use scan::{Next, ScanCounts, Scanned, Scanner};
pub use timestamp::Timestamp;
pub use user_ray::{NotARay, ray_from_user};
pub(crate) use watched::Token;
pub use watched::{WATCHED, Watched, watched_place};
