//! All records of a time range that match a filter, as a stream: the basis of searches and log downloads.
//!
//! ```text
//! range → prefixes (655.36 s each) → shards → batches → summaries rule out → spans → lines → predicate → sink → caller
//! ```
//!
//! A record is returned iff `start <= its time < end`. Its time is its own (the start of the request, else the time of
//! its ray, else the time in its batch's name). It is returned with the prefix of *its own time*, so exactly once,
//! however many shards name its batch. A record that arrived late, or whose clock was wrong, is found by its time too,
//! since a batch is in the shard of every record's time. Prefixes ascend; within a prefix, batches come in the order in
//! which the shard indexed them, and lines in the order of the batch. The run retains nothing of what it has returned.
//!
//! A prefix in which nothing was ever indexed costs no call. The run asks a [`ShardDirectory`] at its start, and again
//! if an answer covers only part of the range. An answer holds as of the time of the call; the prefixes of the present
//! are searched whatever it says.
//!
//! Reading order: `range_query` is the query, `cursor` the position at which an answer continues, `directory` and
//! `prefetch` find the batches, `pruning_filter`, `pruning` and `read_plan` decide which parts of a batch are read
//! (`open_batch` applies them), [`crate::span_reader`] reads them, `collect` selects the lines, `run` executes it all
//! step by step.
//!
//! # Invariants
//!
//! Nothing is read before the next lines are requested, and memory is bounded by one piece of one batch. A part that is
//! ruled out holds no record of the answer. Every step makes progress, so following cursors reaches the end. A batch
//! that is gone or unreadable is counted or an error, never silent.

mod collect;
mod cursor;
mod directory;
mod open_batch;
mod prefetch;
mod pruning;
mod pruning_filter;
mod range_query;
mod read_plan;
mod run;
mod step;

pub use collect::{QueryLine, RecordSink};
pub use cursor::{CursorError, QueryCursor};
pub use directory::ShardDirectory;
pub use pruning_filter::PruningFilter;
pub use range_query::{QueryBudget, RangeQuery};
pub use run::QueryRun;
pub use step::{QueryEnd, QueryError, QueryStep};
