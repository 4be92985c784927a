//! What is known of one request beyond its own records: the tree of requests that it belongs to, or why there are none.
//!
//! # Invariants
//! A story is a function of records that its reader sees. Whatever the records say, it ends.

mod log_type;
mod merge;
mod tree;
mod verdict;

pub use log_type::LogType;
pub use merge::{MergedRecord, merge_subrequests};
pub use tree::{LinkKind, RequestTree, TreeNode};
pub use verdict::{AbsenceFacts, BatchFacts, Verdict, VerdictCode};
