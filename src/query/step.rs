//! The steps of an answer, its end and its errors.
//!
//! An answer that may continue has a cursor.

use std::rc::Rc;

use super::QueryLine;
use super::cursor::QueryCursor;
use crate::backend::BackendError;
use crate::batch::BatchError;
use crate::index::ObjectVersion;
use crate::memory::OutOfMemory;

/// The next part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryStep {
    /// At least one line.
    Lines(Vec<QueryLine>),
    /// No line, but the work of [`crate::limits::WORK_SLICE_NS`]: others of the isolate should have their turn. Or the sink is
    /// full.
    Pause,
    /// The end of the answer.
    End(QueryEnd),
}

/// The reason why an answer ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryEnd {
    /// The answer covers the whole range.
    Complete,
    /// The answer has reached the query's line limit; more may follow at the cursor.
    Limit(QueryCursor),
    /// The budget is used up; the answer continues at the cursor.
    Budget(QueryCursor),
}

impl QueryEnd {
    /// Returns the cursor of an answer that may continue.
    #[must_use]
    pub const fn cursor(&self) -> Option<&QueryCursor> {
        match self {
            Self::Complete => None,
            Self::Limit(cursor) | Self::Budget(cursor) => Some(cursor),
        }
    }
}

/// The reason why the next lines are missing. The same run can be continued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A backend failed. The next call continues at the same position.
    #[error("{error}")]
    Backend {
        /// The error of the backend.
        error: BackendError,
        /// The position at which the answer continues.
        cursor: QueryCursor,
    },
    /// The next line does not fit in memory. The next call tries it again.
    #[error("{error}")]
    OutOfMemory {
        /// Whether waiting helps.
        error: OutOfMemory,
        /// The position of the line.
        cursor: QueryCursor,
    },
    /// A batch can no longer be read. The next call continues after it.
    #[error("a batch cannot be read: {why}")]
    Unreadable {
        /// The unreadable batch.
        object: Rc<ObjectVersion>,
        /// The damage in it.
        why: BatchError,
        /// Offset in its text up to which lines were read.
        offset: u64,
        /// The position at which the answer continues: after the batch.
        cursor: QueryCursor,
    },
}
