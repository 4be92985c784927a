//! Timers of the platform. One that is dropped early is cancelled, unless the platform has cancelled it already.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use worker::Delay;

use super::hang_up;

/// A timer that runs; `None` once it was dropped.
struct RunningTimer(Option<Pin<Box<Delay>>>);

impl Drop for RunningTimer {
    fn drop(&mut self) {
        if hang_up::is_over() {
            // Cancelling would throw here, and abort the drop of everything that remains. This leaks a handle.
            std::mem::forget(self.0.take());
        }
    }
}

/// Completes after this many milliseconds.
pub(super) async fn sleep(ms: i64) {
    let delay = Delay::from(Duration::from_millis(u64::try_from(ms).unwrap_or_default()));
    let mut timer = RunningTimer(Some(Box::pin(delay)));
    if let Some(delay) = &mut timer.0 {
        poll_fn(|context| delay.as_mut().poll(context)).await;
    }
}
