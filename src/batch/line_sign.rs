//! The conclusion about a batch from a line that is not a record.

use super::form::BatchForm;

/// A line's statement about its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineSign {
    /// The batch has this form, whatever its other lines are.
    Mark(BatchForm),
    /// The batch has this form if another line says so too.
    Repeat(BatchForm),
    /// The batch has this form if many lines in a row say so.
    Text(BatchForm),
    /// The batch has this form if none of its lines, or few, are records.
    Hint(BatchForm),
    /// A damaged line.
    Damage,
}

/// Where a line is, and how much of it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct LinePlace {
    /// It is the first line of the batch.
    pub is_first: bool,
    /// Only its beginning is there.
    pub is_cut: bool,
}
