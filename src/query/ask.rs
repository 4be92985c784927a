//! The question, and what comes back.
//!
//! What always holds: a limit counts lines that were told; a budget ends an answer with a cursor, never a line short.

use std::collections::BTreeSet;
use std::rc::Rc;

use serde::Serialize;

use super::cursor::{Cursor, Place};
use crate::backend::BackendError;
use crate::batch::BatchError;
use crate::filter::{Filter, Possible};
use crate::index::ObjectVersion;
use crate::limits::{QUERY_INFLATED, QUERY_LINES, QUERY_MS, QUERY_OPERATIONS};
use crate::record::{Dataset, watched_place};

/// The fields of a filter that batches may be ruled out by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Prunable {
    /// All of them.
    #[default]
    All,
    /// These alone: what is ruled out by a field tells of the field's stored values, which not everyone may see.
    Only(BTreeSet<String>),
}

impl Prunable {
    fn allows(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
        }
    }
}

/// What an answer may cost before it ends with a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Shards asked, and objects and ranges read.
    pub operations: u64,
    /// Bytes inflated.
    pub inflated: u64,
    /// Lines told.
    pub lines: u64,
    /// Milliseconds by the caller's clock.
    pub ms: i64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { operations: QUERY_OPERATIONS, inflated: QUERY_INFLATED, lines: QUERY_LINES, ms: QUERY_MS }
    }
}

/// The question.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Of which records.
    pub dataset: Dataset,
    /// The first instant, in Unix nanoseconds.
    pub start_ns: i64,
    /// The first instant behind the range.
    pub end_ns: i64,
    /// What records are asked for.
    pub filter: Option<Filter>,
    /// Whether the filter is held against the stored lines here. Where a caller sees fields only altered, it is not:
    /// the caller holds it against what it sees, and here it rules out what [`Ask::prunable`] allows.
    pub filters: bool,
    /// By which fields batches may be ruled out.
    pub prunable: Prunable,
    /// The share of records that is told, from 0 to 1: the same ones each time.
    pub sample: Option<f64>,
    /// Most lines to tell, over all steps of this run.
    pub limit: Option<u64>,
    /// What this run may cost.
    pub budget: Budget,
    /// Where an earlier answer to the same question ended.
    pub from: Option<Cursor>,
}

impl Ask {
    /// All records of a dataset in a range.
    #[must_use]
    pub fn all(dataset: Dataset, start_ns: i64, end_ns: i64) -> Self {
        Self {
            dataset,
            start_ns,
            end_ns,
            filter: None,
            filters: true,
            prunable: Prunable::All,
            sample: None,
            limit: None,
            budget: Budget::default(),
            from: None,
        }
    }

    /// Whether some record may pass the filter, whose fields hold what `possible` says.
    pub(super) fn may_match<'a>(&self, mut possible: impl FnMut(&str) -> Possible<'a>) -> bool {
        let allowed = |name: &str| if self.prunable.allows(name) { possible(name) } else { Possible::Any };
        self.filter.as_ref().is_none_or(|filter| filter.may_match(allowed))
    }

    /// Whether the values that summaries tell of can rule anything out.
    pub(super) fn can_rule_out(&self) -> bool {
        let can = |name: &str| watched_place(name).is_some() && self.prunable.allows(name);
        self.filter.as_ref().is_some_and(|filter| filter.fields().any(can))
    }
}

/// A line that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The line, byte for byte, without its newline.
    pub bytes: Vec<u8>,
    /// The batch that holds it.
    pub object: Rc<ObjectVersion>,
    /// Where it begins, in inflated bytes.
    pub offset: u64,
    /// The place behind it.
    pub(super) behind: Place,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Lines, at least one.
    Lines(Vec<LogLine>),
    /// What the calendar says of the prefixes to come must be learnt first ([`super::Run::learn`]).
    Unknown,
    /// There is nothing more to come.
    End(Ended),
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Everything was told.
    Complete,
    /// As many lines were told as were asked for; more may follow here.
    Limit(Cursor),
    /// The budget is used up; it goes on here.
    Budget(Cursor),
}

impl Ended {
    /// Where it goes on, if it may.
    #[must_use]
    pub const fn cursor(&self) -> Option<&Cursor> {
        match self {
            Self::Complete => None,
            Self::Limit(cursor) | Self::Budget(cursor) => Some(cursor),
        }
    }
}

/// What was done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Told {
    /// Calls to shards.
    pub shards_asked: u64,
    /// Batches that shards named; one that several of them name counts in each.
    pub batches_considered: u64,
    /// Those that were ruled out: nothing of the batch itself was read.
    pub batches_skipped: u64,
    /// Those that were read to their end, or as far as was needed.
    pub batches_read: u64,
    /// Spans that were ruled out in batches that were not.
    pub spans_skipped: u64,
    /// Objects of the bucket read, or ranges of one: batches, and what lies beside them.
    pub objects_read: u64,
    /// Batches that are gone from the bucket.
    pub objects_gone: u64,
    /// Batches that cannot be read any more.
    pub objects_unreadable: u64,
    /// Batches read in full because they have changed since they were indexed, or what lies beside them is damaged.
    pub full_scans: u64,
    /// Stored bytes read.
    pub bytes_read: u64,
    /// Bytes inflated.
    pub bytes_inflated: u64,
    /// Records looked at.
    pub records_scanned: u64,
    /// Records told.
    pub records_told: u64,
}

impl Told {
    /// Calls of the platform's that an invocation may make only so many of.
    pub(super) const fn operations(&self) -> u64 {
        self.shards_asked + self.objects_read
    }
}

/// Why the next lines do not come. The same run may be asked again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The world did not do what was asked; asking again goes on at the same place.
    #[error("{error}")]
    Backend {
        /// What failed.
        error: BackendError,
        /// Where it goes on.
        cursor: Cursor,
    },
    /// A batch cannot be read any more; asking again goes on behind it.
    #[error("a batch cannot be read: {why}")]
    Unreadable {
        /// The batch.
        object: Rc<ObjectVersion>,
        /// What is wrong with it.
        why: BatchError,
        /// Lines before this place in it were read.
        offset: u64,
        /// Where it goes on behind the batch.
        cursor: Cursor,
    },
}
