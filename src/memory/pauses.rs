//! How whoever waits for memory, or for its turn, comes back for it.
//!
//! What always holds: each pause is twice the one before, up to the longest; together they are as long as was asked for.

use crate::limits::BUSY_PAUSES_MS;

/// Pauses, in milliseconds.
#[derive(Debug)]
pub struct Pauses {
    next_ms: i64,
    left_ms: i64,
}

impl Pauses {
    /// For so many milliseconds in all.
    #[must_use]
    pub const fn of(left_ms: i64) -> Self {
        Self { next_ms: BUSY_PAUSES_MS.0, left_ms }
    }
}

impl Iterator for Pauses {
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
    use super::Pauses;

    #[test]
    fn pauses_double_up_to_the_longest_and_add_up_to_what_was_asked_for() {
        assert_eq!(Pauses::of(3_000).collect::<Vec<_>>(), [20, 40, 80, 160, 320, 640, 1_000, 740]);
        assert_eq!(Pauses::of(30_000).sum::<i64>(), 30_000);
        assert_eq!(Pauses::of(0).next(), None);
    }
}
