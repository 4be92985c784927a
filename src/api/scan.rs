//! The permit of a search, or of a lookup that takes as long as a search: a caller has a few at a time in an isolate, and
//! waits for the next one.

use crate::access::Caller;
use crate::http::{Problem, problems};
use crate::limits::SCAN_WAIT_MS;
use crate::memory::{Backoff, ScanPermit};
use crate::services::Services;

/// Acquires the caller's permit for a search, and waits while the caller's other searches hold all of them.
///
/// # Errors
/// The [`Problem`] of a caller whose searches did not end in time.
pub(crate) async fn acquire_scan(services: &impl Services, caller: &Caller) -> Result<ScanPermit, Problem> {
    let mut backoff = Backoff::new(SCAN_WAIT_MS);
    loop {
        if let Some(permit) = services.scan_permits().try_acquire(&caller.name, caller.scans, services.now_ms()) {
            return Ok(permit);
        }
        services.sleep(backoff.next().ok_or_else(problems::too_many_scans)?).await;
    }
}

/// Acquires the permit of a lookup whose time must not depend on hidden records: many of them at once would compete for
/// the CPU and the memory that those take. `None` for callers who may see how long their lookups take.
///
/// # Errors
/// The [`Problem`] of a caller whose searches did not end in time.
pub(crate) async fn acquire_lookup(services: &impl Services, caller: &Caller) -> Result<Option<ScanPermit>, Problem> {
    if caller.visibility().may_hurry() {
        return Ok(None);
    }
    acquire_scan(services, caller).await.map(Some)
}
