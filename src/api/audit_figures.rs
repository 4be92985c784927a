//! What the audit log holds and wrote, summed over its chains.

use crate::access::ChainNumber;
use crate::audit::calls::{CountWritten, EntryPage, ReadEntries, WrittenCounts};
use crate::audit::chains::chain_object;
use crate::backend::CallError;
use crate::http::{Problem, problems};
use crate::rpc;
use crate::services::Services;

/// What the chains of the audit log hold, and what their objects wrote.
#[derive(Default)]
pub(super) struct AuditFigures {
    /// Number of entries in the bucket.
    pub(super) in_bucket: u64,
    /// Number of the others.
    pub(super) in_objects: u64,
    /// What the objects wrote since each was started.
    pub(super) written: WrittenCounts,
    /// The calls to the object of each chain.
    pub(super) calls: Vec<u64>,
}

impl AuditFigures {
    fn add(&mut self, page: &EntryPage, written: WrittenCounts) {
        let in_bucket = page.kept_from.saturating_sub(1);
        self.in_bucket += in_bucket;
        self.in_objects += page.head.seq.saturating_sub(in_bucket);
        let WrittenCounts { calls, commits, rows, entries } = written;
        self.calls.push(calls);
        let sum = &mut self.written;
        (sum.calls, sum.commits) = (sum.calls + calls, sum.commits + commits);
        (sum.rows, sum.entries) = (sum.rows + rows, sum.entries + entries);
    }
}

/// Asks the object of each chain.
///
/// # Errors
/// The [`Problem`] of an object that does not respond.
pub(super) async fn sum_chains(services: &impl Services) -> Result<AuditFigures, Problem> {
    let failed = |error: CallError| match error {
        CallError::OutOfMemory(error) => error.into(),
        CallError::Backend(_) => problems::unavailable(),
    };
    let (log, memory, mut figures) = (services.audit_log(), services.memory(), AuditFigures::default());
    let mut left = vec![ChainNumber::FIRST];
    while let Some(chain) = left.pop() {
        let name = chain_object(chain);
        let page = rpc::call_held(log, memory, &name, &ReadEntries::default()).await.map_err(failed)?;
        let written = rpc::call_held(log, memory, &name, &CountWritten {}).await.map_err(failed)?;
        if chain == ChainNumber::FIRST {
            left = ChainNumber::first(page.chains).skip(1).collect();
            left.reverse();
        }
        figures.add(&page, *written);
    }
    Ok(figures)
}
