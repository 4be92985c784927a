//! The steps of an answer, its end and its errors.
//!
//! An answer that may continue has a cursor.

use std::rc::Rc;

use super::QueryLine;
use super::cursor::QueryCursor;
use crate::backend::BackendError;
use crate::batch::BatchError;
use crate::index::ObjectVersion;

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
