//! The body of a request, with an end that does not depend on its sender.
//!
//! # Invariants
//! Each piece arrives within [`SENDER_IDLE_MS`], and the last one within [`BODY_MS`], or the body fails. A piece buys time
//! by its size, so that a sender that trickles is late like one that says nothing. The timers run while the sender does
//! nothing; what has arrived already is taken without a look at the clock.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;

use futures_util::FutureExt;
use futures_util::future::{Either, select};

use super::problem::Problem;
use super::problems;
use crate::backend::{BackendError, ByteStream};
use crate::limits::{BODY_MS, SENDER_IDLE_BYTES, SENDER_IDLE_MS};
use crate::services::Services;

/// A body whose pieces have deadlines.
pub(crate) struct TimedBody<D, Y> {
    services: Rc<D>,
    body: Y,
    deadlines: BodyDeadlines,
    is_late: Rc<Cell<bool>>,
}

/// The deadlines of a body, from the first time that its reader waits.
#[derive(Debug)]
struct BodyDeadlines {
    started_ms: Option<i64>,
    /// How long the sender may still be silent, in milliseconds. Only time that the reader waits for it counts.
    idle_left_ms: i64,
}

impl Default for BodyDeadlines {
    fn default() -> Self {
        Self { started_ms: None, idle_left_ms: SENDER_IDLE_MS }
    }
}

/// Says whether a body failed because of its deadlines.
pub(crate) struct BodyWatch(Rc<Cell<bool>>);

impl BodyWatch {
    /// Returns the problem of a request whose answer came to this one.
    pub(crate) fn problem(&self, problem: Problem) -> Problem {
        if self.0.get() { problems::body_timeout() } else { problem }
    }
}

impl BodyDeadlines {
    /// Returns how long the reader may wait for the next piece, in milliseconds; 0 or less after the last deadline.
    fn patience_ms(&mut self, now_ms: i64) -> i64 {
        let end_ms = self.started_ms.get_or_insert(now_ms).saturating_add(BODY_MS);
        self.idle_left_ms.min(end_ms - now_ms)
    }

    /// Counts time that the reader waited, in milliseconds.
    fn wait(&mut self, ms: i64) {
        self.idle_left_ms = self.idle_left_ms.saturating_sub(ms.max(0));
    }

    /// Counts a piece.
    fn count(&mut self, piece: &Result<Option<Vec<u8>>, BackendError>) {
        let bytes = piece.as_ref().ok().and_then(Option::as_ref).map_or(0, Vec::len);
        let bought_ms = i64::try_from(bytes).unwrap_or(i64::MAX).saturating_mul(SENDER_IDLE_MS) / SENDER_IDLE_BYTES;
        self.idle_left_ms = self.idle_left_ms.saturating_add(bought_ms).min(SENDER_IDLE_MS);
    }
}

impl<D: Services, Y: ByteStream> TimedBody<D, Y> {
    /// Puts the body under its deadlines.
    pub(crate) fn new(services: &Rc<D>, body: Y) -> (Self, BodyWatch) {
        let is_late = Rc::<Cell<bool>>::default();
        let watch = BodyWatch(is_late.clone());
        (Self { services: services.clone(), body, deadlines: BodyDeadlines::default(), is_late }, watch)
    }
}

impl<D: Services, Y: ByteStream> ByteStream for TimedBody<D, Y> {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, BackendError> {
        let mut piece = pin!(self.body.next());
        if let Some(piece) = piece.as_mut().now_or_never() {
            self.deadlines.count(&piece);
            return piece;
        }
        let began_ms = self.services.now_ms();
        let patience_ms = self.deadlines.patience_ms(began_ms);
        if patience_ms > 0
            && let Either::Left((piece, _)) = select(piece, pin!(self.services.sleep(patience_ms))).await
        {
            self.deadlines.wait(self.services.now_ms() - began_ms);
            self.deadlines.count(&piece);
            return piece;
        }
        self.is_late.set(true);
        Err(BackendError::new("reading a body", "its sender was silent or slow for too long"))
    }
}

#[cfg(test)]
mod tests {
    use super::{BODY_MS, BodyDeadlines, SENDER_IDLE_BYTES, SENDER_IDLE_MS};

    /// Returns the instant at which a sender is late that sends this many bytes each time.
    fn late_ms(bytes: usize, every_ms: i64) -> i64 {
        let (mut deadlines, mut now_ms) = (BodyDeadlines::default(), 1_000);
        loop {
            let patience_ms = deadlines.patience_ms(now_ms);
            if patience_ms <= every_ms {
                return now_ms + patience_ms.max(0);
            }
            now_ms += every_ms;
            deadlines.wait(every_ms);
            deadlines.count(&Ok(Some(vec![0; bytes])));
        }
    }

    #[test]
    fn quick_senders_have_all_the_time() {
        let piece = usize::try_from(SENDER_IDLE_BYTES).unwrap();
        assert_eq!(late_ms(piece, SENDER_IDLE_MS - 1), 1_000 + BODY_MS, "just in time for each piece");
        assert_eq!(late_ms(piece / 10, SENDER_IDLE_MS / 10), 1_000 + BODY_MS);
        assert_eq!(late_ms(100 * piece, SENDER_IDLE_MS), 1_000 + SENDER_IDLE_MS, "no time is saved up");
    }

    #[test]
    fn busy_reader_makes_no_sender_late() {
        let mut deadlines = BodyDeadlines::default();
        assert_eq!(deadlines.patience_ms(0), SENDER_IDLE_MS);
        assert_eq!(deadlines.patience_ms(5 * SENDER_IDLE_MS), SENDER_IDLE_MS, "it waited for memory");
    }

    #[test]
    fn sender_that_trickles_is_late_like_silent_one() {
        assert_eq!(late_ms(0, BODY_MS), 1_000 + SENDER_IDLE_MS);
        for (bytes, every_ms) in [(100, 5_000), (1, 10), (1_000, 1_000)] {
            let late_ms = late_ms(bytes, every_ms) - 1_000;
            assert!((SENDER_IDLE_MS..2 * SENDER_IDLE_MS).contains(&late_ms), "{bytes} bytes: {late_ms} ms");
        }
    }
}
