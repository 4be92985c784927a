//! Whose turn it is to read a batch: one at a time in an isolate.
//!
//! Reading a large batch takes a third of the module's memory, and the platform may hand several messages to one isolate
//! at once: two batches of a million records fit beside the answers, three do not, and a module that cannot grow traps
//! with everything in it. What batches wait for is mostly CPU, of which an isolate has one anyway.
//!
//! What always holds: one holder at a time, unless one says nothing for [`TURN_SILENT_MS`]: the platform may end an
//! invocation without dropping what it holds, and such a one must not keep all others waiting for good.

use std::cell::Cell;
use std::rc::Rc;

use crate::limits::TURN_SILENT_MS;

/// The turn. Its clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Turn(Rc<Cell<State>>);

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// How often it was taken: the number of the last holder.
    taken: u64,
    /// When the holder said something last, in Unix milliseconds; `None` where nobody holds it.
    heard_ms: Option<i64>,
}

/// Whoever has the turn, until this is dropped.
#[derive(Debug)]
pub struct Held {
    turn: Turn,
    number: u64,
}

impl Turn {
    /// Takes the turn; `None` while it is somebody else's.
    #[must_use]
    pub fn take(&self, now_ms: i64) -> Option<Held> {
        let State { taken, heard_ms } = self.0.get();
        if heard_ms.is_some_and(|heard_ms| now_ms.saturating_sub(heard_ms) < TURN_SILENT_MS) {
            return None;
        }
        let number = taken + 1;
        self.0.set(State { taken: number, heard_ms: Some(now_ms) });
        Some(Held { turn: self.clone(), number })
    }
}

impl Held {
    /// Says that the work goes on.
    pub fn go_on(&self, now_ms: i64) {
        self.tell(Some(now_ms));
    }

    /// Says this of the turn, unless it is somebody else's by now.
    fn tell(&self, heard_ms: Option<i64>) {
        let taken = self.turn.0.get().taken;
        if taken == self.number {
            self.turn.0.set(State { taken, heard_ms });
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.tell(None);
    }
}

#[cfg(test)]
mod tests {
    use super::{TURN_SILENT_MS, Turn};

    #[test]
    fn one_has_it_until_it_is_done() {
        let turn = Turn::default();
        let first = turn.take(0).unwrap();
        assert!(turn.clone().take(1).is_none());
        drop(first);
        assert!(turn.take(2).is_some(), "and what is not kept is given back at once");
        assert!(turn.take(3).is_some());
    }

    #[test]
    fn silent_holder_loses_its_turn_without_later_harm() {
        let turn = Turn::default();
        let first = turn.take(0).unwrap();
        first.go_on(1_000);
        assert!(turn.take(TURN_SILENT_MS).is_none(), "it was heard a second later");
        let second = turn.take(TURN_SILENT_MS + 1_000).unwrap();
        first.go_on(TURN_SILENT_MS + 1_001);
        drop(first);
        assert!(turn.take(TURN_SILENT_MS + 1_002).is_none(), "the second one has it still");
        drop(second);
        assert!(turn.take(TURN_SILENT_MS + 1_003).is_some());
    }
}
