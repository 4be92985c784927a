//! What is known of one request beyond its own records: the tree of requests that it belongs to, how it differs from
//! another one, or why there are no records.
//!
//! # Invariants
//! A story is a function of records that its reader sees. Whatever the records say, it ends.

mod diff;
mod log_type;
mod merge;
mod phases;
mod timings;
mod tree;
mod verdict;

pub use diff::{FieldPair, RecordDiff};
pub use log_type::LogType;
pub use merge::{MergedRecord, merge_subrequests};
pub use phases::{Phase, PhaseSpan, Phases};
pub use timings::{TIMINGS, TimingUnit, milliseconds};
pub use tree::{LinkKind, RequestTree, TreeNode};
pub use verdict::{AbsenceFacts, BatchFacts, Verdict, VerdictCode};
