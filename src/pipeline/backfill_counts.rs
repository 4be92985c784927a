//! Counts the lines of backfills: asks their ledgers, and hands the counts to the registry, which then knows whether a
//! job is done.
//!
//! # Invariants
//! A ledger that does not answer keeps no other from being counted.

use futures_util::{StreamExt, stream};

use crate::backend::BackendError;
use crate::ledger::backfill_ledgers::{BackfillLedgers, ListBackfillLedgers, RecordBackfillSums};
use crate::ledger::backfill_sums::{BackfillSums, SumBackfill};
use crate::ledger::backfills::{BackfillJob, BackfillState};
use crate::ledger::ids::REGISTRY;
use crate::limits::{BACKFILL_LEDGERS, CONCURRENT_CALLS};
use crate::rpc;
use crate::services::Services;

/// Has the ledgers of these jobs count, as many as one run of the cron may ask; the next run asks others.
pub(super) async fn count_backfills(services: &impl Services, jobs: &[(i64, BackfillJob)]) -> Result<(), BackendError> {
    let counted: Vec<_> = jobs.iter().filter(|(_, job)| job.is_counted()).collect();
    let limit = (BACKFILL_LEDGERS / (counted.len() as u64).max(1)).max(1);
    let mut outcome = Ok(());
    for (id, job) in counted {
        outcome = outcome.and(count(services, *id, job, limit).await);
    }
    outcome
}

/// Has at most `limit` ledgers of a job count.
async fn count(services: &impl Services, id: i64, job: &BackfillJob, limit: u64) -> Result<(), BackendError> {
    let list = ListBackfillLedgers { id, limit };
    let BackfillLedgers { names, all_processed } = rpc::call(services.ledgers(), REGISTRY, &list).await?;
    if names.is_empty() {
        return Ok(());
    }
    let ask = SumBackfill { id, window: job.request.window(), runs: job.state != BackfillState::Stopped };
    let answers: Vec<(String, Result<BackfillSums, BackendError>)> = stream::iter(names)
        .map(async |name| {
            let sums = rpc::call(services.ledgers(), &name, &ask).await;
            (name, sums)
        })
        .buffered(CONCURRENT_CALLS)
        .collect()
        .await;
    let (mut sums, mut outcome) = (Vec::new(), Ok(()));
    for (name, answer) in answers {
        match answer {
            Ok(counts) => sums.push((name, counts)),
            Err(error) => outcome = Err(error),
        }
    }
    rpc::call(services.ledgers(), REGISTRY, &RecordBackfillSums { id, all_processed, sums }).await?;
    outcome
}
