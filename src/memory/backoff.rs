//! The pauses between two attempts of a request that waits for memory, or of a message that waits for its turn.

use crate::limits::BUSY_PAUSES_MS;

/// Pauses in milliseconds: each is twice the previous one, up to the maximum of [`BUSY_PAUSES_MS`]; the last is cut so
/// that together they equal the wait.
#[derive(Debug)]
pub struct Backoff {
    next_ms: i64,
    left_ms: i64,
}

impl Backoff {
    /// Creates pauses that add up to this wait.
    #[must_use]
    pub const fn new(wait_ms: i64) -> Self {
        Self { next_ms: BUSY_PAUSES_MS.0, left_ms: wait_ms }
    }
}

impl Iterator for Backoff {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        let pause_ms = self.next_ms.min(self.left_ms);
        self.left_ms -= pause_ms;
        self.next_ms = (2 * self.next_ms).min(BUSY_PAUSES_MS.1);
        (pause_ms > 0).then_some(pause_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;

    #[test]
    fn pauses_double_and_add_up_to_the_wait() {
        assert_eq!(Backoff::new(3_000).collect::<Vec<_>>(), [20, 40, 80, 160, 320, 640, 1_000, 740]);
        assert_eq!(Backoff::new(30_000).sum::<i64>(), 30_000);
        assert_eq!(Backoff::new(0).next(), None);
    }
}
