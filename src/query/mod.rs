//! All records of a time range that pass a filter, as a stream: what a search and a download of logs stand on.
//!
//! ```text
//! range → prefixes (655.36 s each) → their shards → batches → summaries rule out → spans → lines → filter → caller
//! ```
//!
//! A record is told iff `start <= its time < end`, where its time is its own (the start of the request, else its ray's,
//! else what its batch's name says). It is told while the prefix of *its own time* is worked through, so it is told
//! once, however many shards name its batch; a record that came late, or whose clock was wrong, is found by its time
//! too, since a batch is in the shard of every record's time. Prefixes ascend; in each, batches come in the order in
//! which its shard took them in; lines as they stand. Nothing is kept of what was told.
//!
//! A prefix in which nothing was ever indexed costs no call: the calendar says so, which the caller asks at the
//! beginning, and again where it told of a part of the range only. It stands for the instant at which it was asked; the
//! prefixes of the present are asked all the same.
//!
//! Reading order: `ask` is the question, `cursor` the place where an answer goes on, `shards` names the batches,
//! `prune` and `plan` say what of them is read (`open` asks them), `read` reads, `take` picks the lines, `run` does it step by step.
//!
//! What always holds: nothing is read unless the next lines are asked for, and memory is one piece of one batch; what is
//! ruled out holds no record that would be told; every step makes headway, so that whoever follows cursors comes to the
//! end; what is gone or cannot be read is counted or an error, and never silent.

mod ask;
mod cursor;
mod open;
mod plan;
mod prune;
mod read;
mod run;
mod shards;
mod take;

pub use ask::{Ask, Budget, Ended, LogLine, Prunable, QueryError, Step, Told};
pub use cursor::{Cursor, CursorError};
pub use run::Run;
