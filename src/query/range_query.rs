//! The query, its steps and its errors.
//!
//! What always holds: a limit counts lines that are returned; a budget ends an answer with a cursor, never in the middle
//! of a line.

use std::rc::Rc;

use super::cursor::QueryCursor;
use super::{PruningFilter, QueryLine};
use crate::backend::BackendError;
use crate::batch::BatchError;
use crate::filter::Filter;
use crate::index::ObjectVersion;
use crate::limits::{QUERY_INFLATED, QUERY_LINES, QUERY_MS, QUERY_OPERATIONS};
use crate::record::Dataset;

/// What one run may cost before it ends with a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryBudget {
    /// Calls to shards and reads of the bucket.
    pub operations: u64,
    /// Bytes of text that stored bytes inflate to.
    pub inflated_bytes: u64,
    /// Lines that are returned.
    pub lines: u64,
    /// Milliseconds of the caller's clock.
    pub elapsed_ms: i64,
}

impl Default for QueryBudget {
    fn default() -> Self {
        Self { operations: QUERY_OPERATIONS, inflated_bytes: QUERY_INFLATED, lines: QUERY_LINES, elapsed_ms: QUERY_MS }
    }
}

/// Asks for the records of a dataset in a time range.
#[derive(Debug, Clone)]
pub struct RangeQuery {
    /// The dataset of the records.
    pub dataset: Dataset,
    /// The first instant of the range, in Unix nanoseconds.
    pub start_ns: i64,
    /// The first instant after the range, in Unix nanoseconds.
    pub end_ns: i64,
    /// Rules out batches and spans. It must pass every record that the caller asks for; without one, only times rule
    /// anything out.
    pub pruning: Option<PruningFilter>,
    /// Applied to each stored line. A caller that sees fields only altered has none here: its sink applies the filter to
    /// what the caller sees.
    pub predicate: Option<Filter>,
    /// The share of records that is returned, from 0 to 1. It is the same records each time.
    pub sample: Option<f64>,
    /// The most lines to return, over all steps of the run.
    pub limit: Option<u64>,
    /// What the run may cost.
    pub budget: QueryBudget,
    /// Where an earlier answer to the same query ended.
    pub cursor: Option<QueryCursor>,
}

impl RangeQuery {
    /// Asks for all records of a dataset in a range.
    #[must_use]
    pub fn new(dataset: Dataset, start_ns: i64, end_ns: i64) -> Self {
        Self {
            dataset,
            start_ns,
            end_ns,
            pruning: None,
            predicate: None,
            sample: None,
            limit: None,
            budget: QueryBudget::default(),
            cursor: None,
        }
    }

    /// The query for the records that pass `filter`, by which batches are ruled out too.
    #[must_use]
    pub fn with_filter(self, filter: Filter) -> Self {
        Self { pruning: Some(PruningFilter::new(filter.clone())), predicate: Some(filter), ..self }
    }
}

/// The next part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryStep {
    /// At least one line.
    Lines(Vec<QueryLine>),
    /// The answer has ended.
    End(QueryEnd),
}

/// How an answer ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryEnd {
    /// The answer covers the whole range.
    Complete,
    /// The answer has as many lines as the query's limit; more may follow at the cursor.
    Limit(QueryCursor),
    /// The budget is used up; the answer continues at the cursor.
    Budget(QueryCursor),
}

impl QueryEnd {
    /// Where the answer continues, if it may.
    #[must_use]
    pub const fn cursor(&self) -> Option<&QueryCursor> {
        match self {
            Self::Complete => None,
            Self::Limit(cursor) | Self::Budget(cursor) => Some(cursor),
        }
    }
}

/// Why the next lines are missing. The same run may be asked again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A backend failed. Asking again continues at the same position.
    #[error("{error}")]
    Backend {
        /// What failed.
        error: BackendError,
        /// Where the answer continues.
        cursor: QueryCursor,
    },
    /// A batch can no longer be read. Asking again continues after it.
    #[error("a batch cannot be read: {why}")]
    Unreadable {
        /// The batch.
        object: Rc<ObjectVersion>,
        /// The damage.
        why: BatchError,
        /// Lines before this offset of its text were read.
        offset: u64,
        /// Where the answer continues: after the batch.
        cursor: QueryCursor,
    },
}
