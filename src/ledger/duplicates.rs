//! The lines of a plan that are in an earlier payload already, as the seal records them.

use serde::{Deserialize, Serialize};

/// The duplicates in a plan: records whose line is in a payload of another batch, or earlier in the same one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PlanDuplicates {
    /// The number of the plan.
    pub plan: u32,
    /// How many there are.
    pub lines: u64,
    /// Whether they are delivered all the same, by `PARTNER_DUPLICATES`.
    pub sent: bool,
    /// The batches whose payloads have them, by handle, with the number of lines in each.
    pub of: Vec<DuplicateSource>,
    /// The first of them, at most [`crate::limits::DUPLICATES_LISTED`].
    pub listed: Vec<DuplicateLine>,
}

/// A batch that has lines in common with another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateSource {
    /// The handle of the batch.
    pub batch: String,
    /// Number of lines.
    pub lines: u64,
}

/// One line that is a duplicate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateLine {
    /// Offset of the line in the text of its batch, in bytes.
    pub offset: u64,
    /// The handle of the batch whose payload has it, which may be its own.
    pub of: String,
}
