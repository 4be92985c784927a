//! Acquiring the permit to read a batch, and holding it while the batch is read.

use crate::backend::{BackendError, ByteStream};
use crate::limits::READ_PERMIT_WAIT_MS;
use crate::memory::{Backoff, ReadPermit};
use crate::services::Services;

/// Waits for the permit to read a batch.
///
/// # Errors
/// [`BackendError`] if it is not free within [`READ_PERMIT_WAIT_MS`]; the message is retried.
pub(crate) async fn acquire_read_permit(services: &impl Services) -> Result<ReadPermit, BackendError> {
    let mut pauses = Backoff::new(READ_PERMIT_WAIT_MS);
    loop {
        if let Some(permit) = services.read_permits().try_acquire(services.now_ms()) {
            return Ok(permit);
        }
        let too_late = || BackendError::new("waiting for the permit to read a batch", "another batch is being read");
        services.sleep(pauses.next().ok_or_else(too_late)?).await;
    }
}

/// A body that renews the permit with a heartbeat for each piece read.
pub(crate) struct HeartbeatBody<'a, F, Y> {
    pub(crate) permit: &'a ReadPermit,
    /// The clock, in Unix milliseconds.
    pub(crate) now_ms: F,
    pub(crate) body: Y,
}

impl<F: Fn() -> i64, Y: ByteStream> ByteStream for HeartbeatBody<'_, F, Y> {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, BackendError> {
        self.permit.heartbeat((self.now_ms)());
        self.body.next().await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::FutureExt;

    use super::HeartbeatBody;
    use crate::backend::{BackendError, ByteStream};
    use crate::limits::READ_PERMIT_SILENT_MS;
    use crate::memory::ReadPermits;

    /// A slow body; during each of its pieces another holder tries to acquire the permit.
    struct Slow<'a> {
        pieces: u32,
        clock_ms: &'a Cell<i64>,
        permits: &'a ReadPermits,
    }

    impl ByteStream for Slow<'_> {
        async fn next(&mut self) -> Result<Option<Vec<u8>>, BackendError> {
            self.clock_ms.set(self.clock_ms.get() + READ_PERMIT_SILENT_MS - 1);
            assert!(self.permits.try_acquire(self.clock_ms.get()).is_none(), "{} pieces are left", self.pieces);
            self.pieces -= 1;
            Ok((self.pieces > 0).then(|| vec![7]))
        }
    }

    #[test]
    fn a_slow_reader_keeps_the_permit() {
        let (clock_ms, permits) = (Cell::new(0), ReadPermits::default());
        let permit = permits.try_acquire(0).unwrap();
        let body = Slow { pieces: 20, clock_ms: &clock_ms, permits: &permits };
        let heartbeats = HeartbeatBody { permit: &permit, now_ms: || clock_ms.get(), body };
        assert_eq!(heartbeats.all().now_or_never(), Some(Ok(vec![7; 19])));
        assert!(permits.try_acquire(clock_ms.get() + 1).is_some(), "no heartbeat comes after the end");
    }
}
