//! What is known of one request beyond its own records: the tree of requests that it belongs to, and how it differs from
//! another one.
//!
//! # Invariants
//! A story is a function of records that its reader sees. Whatever the records say, it ends.

mod diff;
mod log_type;
mod timings;
mod tree;

pub use diff::{FieldPair, RecordDiff};
pub use log_type::LogType;
pub use timings::{TIMINGS, TimingUnit, milliseconds};
pub use tree::{LinkKind, RequestTree, TreeNode};
