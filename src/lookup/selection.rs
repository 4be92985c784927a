//! Which records a lookup returns.

use crate::access::Caller;
use crate::limits::LOOKUP_RECORDS;

/// Who sees the records of a lookup, and how many it returns.
#[derive(Debug, Clone, Copy)]
pub struct RecordSelection<'c> {
    /// Who sees the records; `None` for all of them.
    pub caller: Option<&'c Caller>,
    /// Maximum number of records of a ray, hidden ones apart.
    pub most: usize,
}

impl<'c> RecordSelection<'c> {
    /// The records that the caller sees, as many as a list has.
    #[must_use]
    pub const fn for_list(caller: Option<&'c Caller>) -> Self {
        Self { caller, most: LOOKUP_RECORDS }
    }
}
