//! Virtual time, and the places where a task gives way.
//!
//! A task that waits says until when; the scheduler polls one task at a time, whichever the seed says. Nothing here
//! depends on the machine.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// The clock of one simulated world.
#[derive(Debug, Default)]
pub(crate) struct Time {
    now_ms: Cell<i64>,
    /// The earliest instant at which the task that was polled last can go on.
    wake_ms: Cell<i64>,
}

impl Time {
    pub(crate) fn starting_at(now_ms: i64) -> Rc<Self> {
        Rc::new(Self { now_ms: Cell::new(now_ms), wake_ms: Cell::new(i64::MAX) })
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.now_ms.get()
    }

    pub(crate) fn advance_to(&self, at_ms: i64) {
        assert!(at_ms >= self.now_ms.get(), "time goes on");
        self.now_ms.set(at_ms);
    }

    /// What the task that was polled waits for; `i64::MAX`: nothing that time brings.
    pub(crate) fn take_wake(&self) -> i64 {
        self.wake_ms.replace(i64::MAX)
    }

    /// Gives way to whichever task the seed says.
    pub(crate) fn give_way(self: &Rc<Self>) -> Until {
        Until { time: self.clone(), at_ms: self.now_ms(), polled: false }
    }

    /// Waits.
    pub(crate) fn sleep(self: &Rc<Self>, ms: i64) -> Until {
        Until { time: self.clone(), at_ms: self.now_ms() + ms, polled: false }
    }
}

/// An instant that a task waits for; it is ready at the second poll at the earliest.
#[derive(Debug)]
pub(crate) struct Until {
    time: Rc<Time>,
    at_ms: i64,
    polled: bool,
}

impl Future for Until {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.polled && self.time.now_ms() >= self.at_ms {
            return Poll::Ready(());
        }
        self.polled = true;
        let wake = self.time.wake_ms.get().min(self.at_ms);
        self.time.wake_ms.set(wake);
        // Whoever waits for several at once polls only those that called.
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
