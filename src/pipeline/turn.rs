//! The turn to read a batch, as a message waits for it and shows that it goes on.
//!
//! What always holds: no batch is read without the turn; with each piece that is asked for, the isolate hears that the
//! reading goes on.

use crate::backend::{BackendError, Bytes};
use crate::limits::TURN_WAIT_MS;
use crate::memory::{Backoff, Held};
use crate::services::Services;

/// Waits for the turn.
///
/// # Errors
/// [`BackendError`] where it does not come in time; the message is to come again.
pub(super) async fn wait_for_turn(world: &impl Services) -> Result<Held, BackendError> {
    let mut pauses = Backoff::new(TURN_WAIT_MS);
    loop {
        if let Some(turn) = world.turn().take(world.now_ms()) {
            return Ok(turn);
        }
        let too_late = || BackendError::new("waiting for the turn to read a batch", "others have it still");
        world.sleep(pauses.next().ok_or_else(too_late)?).await;
    }
}

/// A body of whose reading the isolate hears.
pub(super) struct Heard<'a, F, Y> {
    pub(super) turn: &'a Held,
    /// The clock.
    pub(super) now_ms: F,
    pub(super) body: Y,
}

impl<F: Fn() -> i64, Y: Bytes> Bytes for Heard<'_, F, Y> {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, BackendError> {
        self.turn.go_on((self.now_ms)());
        self.body.next().await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::FutureExt;

    use super::Heard;
    use crate::backend::{BackendError, Bytes};
    use crate::limits::TURN_SILENT_MS;
    use crate::memory::Turn;

    /// A body that comes slowly, and whose every piece somebody else would like to begin at.
    struct Slow<'a> {
        pieces: u32,
        clock_ms: &'a Cell<i64>,
        turn: &'a Turn,
    }

    impl Bytes for Slow<'_> {
        async fn next(&mut self) -> Result<Option<Vec<u8>>, BackendError> {
            self.clock_ms.set(self.clock_ms.get() + TURN_SILENT_MS - 1);
            assert!(self.turn.take(self.clock_ms.get()).is_none(), "{} pieces are left", self.pieces);
            self.pieces -= 1;
            Ok((self.pieces > 0).then(|| vec![7]))
        }
    }

    #[test]
    fn whoever_reads_slowly_keeps_the_turn() {
        let (clock_ms, turn) = (Cell::new(0), Turn::default());
        let held = turn.take(0).unwrap();
        let body = Slow { pieces: 20, clock_ms: &clock_ms, turn: &turn };
        let heard = Heard { turn: &held, now_ms: || clock_ms.get(), body };
        assert_eq!(heard.all().now_or_never(), Some(Ok(vec![7; 19])));
        assert!(turn.take(clock_ms.get() + 1).is_some(), "nothing was heard behind the end");
    }
}
