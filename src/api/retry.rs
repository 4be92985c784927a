//! Retries the work of a request while other requests hold the memory that it needs.

use crate::backend::CallError;
use crate::http::{Problem, problems};
use crate::limits::BUSY_MS;
use crate::lookup::LookupError;
use crate::memory::{Backoff, OutOfMemory, Reservation};
use crate::services::Services;

/// The error of one attempt.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttemptError {
    /// Other requests hold the memory; another attempt may succeed.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// Another attempt would not help.
    #[error("the request ends with a problem")]
    Problem(Box<Problem>),
}

impl From<Problem> for AttemptError {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<CallError> for AttemptError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::OutOfMemory(error) => Self::OutOfMemory(error),
            CallError::Backend(_) => problems::unavailable().into(),
        }
    }
}

impl From<LookupError> for AttemptError {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::OutOfMemory(error) => Self::OutOfMemory(error),
            LookupError::Backend(_) => problems::unavailable().into(),
        }
    }
}

/// Retries the work for at most [`BUSY_MS`] while it runs out of memory.
///
/// # Errors
/// The [`Problem`] of the work, or [`problems::busy`] if no memory was released in time.
pub(crate) async fn retry_while_out_of_memory<T>(
    services: &impl Services,
    reservation: &Reservation,
    work: impl AsyncFn() -> Result<T, AttemptError>,
) -> Result<T, Problem> {
    retry_for(BUSY_MS, services, reservation, work).await
}

/// Like [`retry_while_out_of_memory`], with another time limit. Nothing is reserved between two attempts.
pub(crate) async fn retry_for<T>(
    wait_ms: i64,
    services: &impl Services,
    reservation: &Reservation,
    work: impl AsyncFn() -> Result<T, AttemptError>,
) -> Result<T, Problem> {
    let mut backoff = Backoff::new(wait_ms);
    loop {
        match work().await {
            Ok(result) => return Ok(result),
            Err(AttemptError::Problem(problem)) => return Err(*problem),
            Err(AttemptError::OutOfMemory(OutOfMemory::TooLarge)) => return Err(problems::answer_too_large()),
            Err(AttemptError::OutOfMemory(OutOfMemory::Busy)) => {
                reservation.release_all();
                services.sleep(backoff.next().ok_or_else(problems::busy)?).await;
            }
        }
    }
}
