//! Lines of a plan that are already in an earlier payload, as recorded by the seal.

use serde::{Deserialize, Serialize};

/// The duplicates in a plan: records whose line is in a payload of another batch, or earlier in the same one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PlanDuplicates {
    /// The number of the plan.
    pub plan: u32,
    /// Number of duplicate lines.
    pub lines: u64,
    /// Whether they are delivered all the same, as `PARTNER_DUPLICATES` says.
    pub sent: bool,
    /// The batches whose payloads contain them, by handle, with the number of lines in each.
    pub of: Vec<DuplicateSource>,
    /// The first duplicates, at most [`crate::limits::DUPLICATES_LISTED`].
    pub listed: Vec<DuplicateLine>,
}

impl PlanDuplicates {
    /// Returns whether each of its lines is listed.
    #[must_use]
    pub const fn lists_all(&self) -> bool {
        self.listed.len() as u64 == self.lines
    }
}

/// A batch that shares lines with another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateSource {
    /// The handle of the batch.
    pub batch: String,
    /// Number of shared lines.
    pub lines: u64,
}

/// One duplicate line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateLine {
    /// Offset of the line in the text of its batch, in bytes.
    pub offset: u64,
    /// The handle of the batch whose payload contains it, possibly its own.
    pub of: String,
}
