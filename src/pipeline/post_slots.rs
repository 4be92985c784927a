//! How many payloads of a batch of messages are sent at a time.
//!
//! A payload holds a slot from its connection to the end of its attempt. The next message begins as soon as fewer payloads are under
//! way than there are slots, so that one that hangs keeps no other slot idle, and hardly any payload waits for its slot
//! under its claim.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};

use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::limits::CONCURRENT_CALLS;

/// The slots that the messages of a batch share; clones are the same ones.
#[derive(Debug, Clone)]
pub struct PostSlots(Rc<SlotState>);

#[derive(Debug)]
struct SlotState {
    free: Cell<usize>,
    /// Number of payloads whose message has begun, and whose attempt has not ended.
    under_way: Cell<usize>,
    waiting: RefCell<Vec<Waker>>,
}

impl Default for PostSlots {
    fn default() -> Self {
        let (free, under_way) = (Cell::new(CONCURRENT_CALLS), Cell::new(0));
        Self(Rc::new(SlotState { free, under_way, waiting: RefCell::default() }))
    }
}

impl PostSlots {
    /// Counts the payloads of a message that begins.
    #[must_use]
    pub fn begin(&self, payloads: usize) -> MessageLoad {
        self.0.under_way.set(self.0.under_way.get() + payloads);
        MessageLoad { slots: self.clone(), left: Cell::new(payloads) }
    }

    fn has_room(&self) -> bool {
        self.0.under_way.get() < CONCURRENT_CALLS
    }
}

/// The payloads of a message that are under way.
#[derive(Debug)]
pub struct MessageLoad {
    slots: PostSlots,
    left: Cell<usize>,
}

impl MessageLoad {
    /// Waits for a free slot, and takes it.
    pub(super) async fn take_slot(&self) -> PostSlot {
        let PostSlots(state) = &self.slots;
        poll_fn(|context| {
            if let Some(left) = state.free.get().checked_sub(1) {
                state.free.set(left);
                return Poll::Ready(());
            }
            state.waiting.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
        PostSlot(self.slots.clone())
    }

    /// Notes that nothing more is sent for this number of the payloads.
    pub(super) fn end(&self, payloads: usize) {
        let ended = payloads.min(self.left.get());
        self.left.set(self.left.get() - ended);
        let PostSlots(state) = &self.slots;
        state.under_way.set(state.under_way.get().saturating_sub(ended));
    }
}

impl Drop for MessageLoad {
    fn drop(&mut self) {
        self.end(self.left.get());
    }
}

/// A slot, until it is dropped.
#[derive(Debug)]
pub(super) struct PostSlot(PostSlots);

impl Drop for PostSlot {
    fn drop(&mut self) {
        let PostSlots(state) = &self.0;
        state.free.set(state.free.get() + 1);
        state.waiting.take().into_iter().for_each(Waker::wake);
    }
}

/// Does the work for each message with its number of payloads, in order, as the slots allow.
pub async fn run_messages<T, W: Future<Output = ()>>(
    messages: impl IntoIterator<Item = (T, usize)>,
    slots: PostSlots,
    work: impl Fn(T, MessageLoad) -> W,
) {
    let mut running = FuturesUnordered::new();
    for (message, payloads) in messages {
        // What ends within the running work makes room, so that nothing else has to wake this.
        poll_fn(|context| {
            while let Poll::Ready(Some(())) = running.poll_next_unpin(context) {}
            if slots.has_room() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        running.push(work(message, slots.begin(payloads)));
    }
    while running.next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::poll_fn;
    use std::task::Poll;

    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::{MessageLoad, PostSlots, run_messages};
    use crate::limits::CONCURRENT_CALLS;

    /// Lets others have their turn this often.
    async fn turns(left: usize) {
        let left = Cell::new(left);
        poll_fn(|context| {
            if left.get() == 0 {
                return Poll::Ready(());
            }
            left.set(left.get() - 1);
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// What happened while messages with these numbers of payloads were sent.
    #[derive(Default)]
    struct Watched {
        sending: Cell<usize>,
        most_sending: Cell<usize>,
        claimed: Cell<usize>,
        most_claimed: Cell<usize>,
        /// The messages in the order in which they began.
        begun: RefCell<Vec<usize>>,
        /// The same in which they ended.
        ended: RefCell<Vec<usize>>,
    }

    fn run(messages: &[usize], takes: impl Fn(usize, usize) -> usize) -> Watched {
        let (watched, slots) = (Watched::default(), PostSlots::default());
        let (seen, takes) = (&watched, &takes);
        let work = |nth: usize, load: MessageLoad| async move {
            seen.begun.borrow_mut().push(nth);
            seen.claimed.set(seen.claimed.get() + messages[nth]);
            seen.most_claimed.set(seen.most_claimed.get().max(seen.claimed.get()));
            let load = &load;
            join_all((0..messages[nth]).map(async |payload| {
                let slot = load.take_slot().await;
                seen.sending.set(seen.sending.get() + 1);
                seen.most_sending.set(seen.most_sending.get().max(seen.sending.get()));
                turns(takes(nth, payload)).await;
                seen.sending.set(seen.sending.get() - 1);
                seen.claimed.set(seen.claimed.get() - 1);
                load.end(1);
                drop(slot);
            }))
            .await;
            seen.ended.borrow_mut().push(nth);
        };
        let mut all = Box::pin(run_messages(messages.iter().copied().enumerate(), slots.clone(), work));
        assert!((0..10_000).any(|_| (&mut all).now_or_never().is_some()), "nothing goes on");
        drop(all);
        assert_eq!((slots.0.free.get(), slots.0.under_way.get()), (CONCURRENT_CALLS, 0));
        watched
    }

    #[test]
    fn no_more_are_sent_than_slots() {
        for messages in [&[1; 20][..], &[6, 6, 6, 6], &[6, 1, 1, 1, 6, 1], &[3, 5, 2, 6, 1, 1, 1, 1], &[1], &[]] {
            let paces: [fn(usize, usize) -> usize; 3] =
                [|_, _| 9, |nth, payload| (5 * nth + payload) % 7, |nth, _| 30 - nth];
            for takes in paces {
                let watched = run(messages, takes);
                let payloads: usize = messages.iter().sum();
                assert!(watched.most_sending.get() <= CONCURRENT_CALLS.min(payloads), "{messages:?}");
                assert!(watched.most_claimed.get() < 2 * CONCURRENT_CALLS, "{messages:?}");
                assert_eq!(*watched.begun.borrow(), (0..messages.len()).collect::<Vec<_>>(), "{messages:?}");
            }
            let most = CONCURRENT_CALLS.min(messages.iter().sum());
            assert_eq!(run(messages, |_, _| 50).most_sending.get(), most, "{messages:?}");
        }
    }

    #[test]
    fn payload_that_hangs_holds_one_slot() {
        let watched = run(&[6; 10], |nth, payload| if (nth, payload) == (0, 3) { 5_000 } else { 4 });
        assert_eq!(watched.ended.into_inner().last(), Some(&0), "all others end before it");
    }

    #[test]
    fn abandoned_message_gives_its_room_back() {
        let slots = PostSlots::default();
        let load = slots.begin(6);
        assert!(!slots.has_room());
        load.end(1);
        assert!(slots.has_room());
        drop(load);
        assert_eq!(slots.0.under_way.get(), 0);
    }
}
