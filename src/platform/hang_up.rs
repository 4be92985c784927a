//! Work for a client, which ends when it is done or the client hangs up.
//!
//! When a client disconnects, the platform ends the context of its request: nothing in it is woken again, and nothing
//! is dropped. Whatever was held for it (memory of the module, and its reservation) would be leaked. There are two ways
//! to notice in time, and neither is complete: the event `abort` of the request, which does not come if a write failed
//! first; and a failing write, which requires that something is written. So a body goes through a pipe, whose writer is
//! notified (unlike a `ReadableStream` made here, which is not even cancelled), and all work ends with the event. The pipe
//! belongs to a pump outside of the module (`pump.mjs`), which ends the body well only where the module says so.
//!
//! # Invariants
//!
//! A client that hangs up leaves only a few handles allocated. Work that was dropped is complete, and reports this to
//! any code that still waits. A body that fails midway, or whose client does not read, is broken by its pump.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as Waiting, Poll};

use futures_util::future::{Either, ready, select};
use futures_util::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use worker::js_sys::Uint8Array;
use worker::web_sys::ReadableStream;
use worker::{Context, Request};

use crate::backend::BackendError;
use crate::http::BodyPieces;
use crate::limits::{READER_IDLE_MS, STREAM_MS};
use crate::memory::ReservedBytes;

#[wasm_bindgen]
extern "C" {
    /// A request, as the source of its client's abort signal.
    type AbortableRequest;
    #[wasm_bindgen(method, getter)]
    fn signal(this: &AbortableRequest) -> AbortSignal;
    #[wasm_bindgen(method, getter)]
    fn pump(this: &AbortableRequest) -> BodyPump;

    /// The signal that the client has hung up.
    #[derive(Clone)]
    type AbortSignal;
    #[wasm_bindgen(method, getter)]
    fn aborted(this: &AbortSignal) -> bool;
    #[wasm_bindgen(method, js_name = addEventListener)]
    fn add_event_listener(this: &AbortSignal, event: &str, listener: &JsValue);
    #[wasm_bindgen(method, js_name = removeEventListener)]
    fn remove_event_listener(this: &AbortSignal, event: &str, listener: &JsValue);

    /// The pump of a request's body: a write completes when it was read.
    #[derive(Clone)]
    type BodyPump;
    #[wasm_bindgen(method)]
    fn start(this: &BodyPump, last_line: &Uint8Array, idle_ms: i32, total_ms: i32) -> JsValue;
    #[wasm_bindgen(method, catch)]
    async fn write(this: &BodyPump, piece: &Uint8Array) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method)]
    fn end(this: &BodyPump);
    #[wasm_bindgen(method)]
    fn fail(this: &BodyPump);
    #[wasm_bindgen(method, catch)]
    async fn over(this: &BodyPump) -> Result<JsValue, JsValue>;
}

/// The event of a disconnected client.
const GONE: &str = "abort";

thread_local! {
    /// Set while values are dropped after the end of their context, where the platform's streams and timers throw.
    static IS_OVER: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether a value that is dropped now must no longer call the platform.
pub(super) fn is_over() -> bool {
    IS_OVER.get()
}

/// The connection of a request's client.
pub(super) struct ClientConnection {
    signal: AbortSignal,
    pump: BodyPump,
}

/// Work for a client that is dropped when the client hangs up.
pub(super) struct UntilHangUp<W> {
    work: Rc<RefCell<Option<W>>>,
    signal: AbortSignal,
    listener: Closure<dyn FnMut()>,
}

impl ClientConnection {
    /// Returns the connection of the request's client.
    pub(super) fn from_request(request: &Request) -> Self {
        let request = request.inner().unchecked_ref::<AbortableRequest>();
        Self { signal: request.signal(), pump: request.pump() }
    }

    /// Runs the work for as long as the client is connected.
    pub(super) fn wants<W: 'static>(&self, work: W) -> UntilHangUp<W> {
        let work = Rc::new(RefCell::new((!self.signal.aborted()).then_some(work)));
        let dropped = work.clone();
        let listener = Closure::new(move || {
            // Take it out first: dropping may re-enter this closure.
            let work = dropped.try_borrow_mut().ok().and_then(|mut work| work.take());
            IS_OVER.set(true);
            drop(work);
            IS_OVER.set(false);
        });
        self.signal.add_event_listener(GONE, listener.as_ref());
        UntilHangUp { work, signal: self.signal.clone(), listener }
    }

    /// Streams the pieces as a body; each is produced once the previous one was read. If the body cannot be continued,
    /// its pump ends it with `last_line` and breaks it.
    pub(super) fn body(&self, context: &Context, pieces: BodyPieces, last_line: &str) -> ReadableStream {
        let pump = self.pump.clone();
        let last_line = Uint8Array::from(last_line.as_bytes());
        let readable = pump.start(&last_line, whole_ms(READER_IDLE_MS), whole_ms(STREAM_MS)).unchecked_into();
        // The end is said by the pieces themselves: where they stop, nothing is said.
        let ended = stream::once(ready(Ok(BodyPart::End)));
        let parts = self.wants(pieces.map_ok(BodyPart::Piece).chain(ended).boxed_local());
        context.wait_until(async move {
            let over = pump.over().boxed_local();
            // What is dropped here is what the body holds.
            if let Either::Left((true, _)) = select(forward(&pump, parts).boxed_local(), over).await {
                pump.end();
            } else {
                pump.fail();
            }
        });
        readable
    }
}

/// Returns a limit as the pump's number.
fn whole_ms(ms: i64) -> i32 {
    i32::try_from(ms).unwrap_or(i32::MAX)
}

/// A part of a body.
enum BodyPart {
    Piece(ReservedBytes),
    /// The end of a whole body.
    End,
}

/// Forwards the parts to the pump; returns whether the body is whole.
async fn forward(pump: &BodyPump, mut parts: impl Stream<Item = Result<BodyPart, BackendError>> + Unpin) -> bool {
    loop {
        match parts.next().await {
            // A write fails only if the reader is gone.
            Some(Ok(BodyPart::Piece(piece))) => {
                if pump.write(&super::js_bytes(&piece)).await.is_err() {
                    return false;
                }
            }
            Some(Ok(BodyPart::End)) => return true,
            Some(Err(_)) | None => return false,
        }
    }
}

impl<W> Drop for UntilHangUp<W> {
    fn drop(&mut self) {
        // A listener whose closure is dropped would throw.
        self.signal.remove_event_listener(GONE, self.listener.as_ref());
    }
}

impl<W: Future + Unpin> Future for UntilHangUp<W> {
    /// `None` if the client hung up.
    type Output = Option<W::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Waiting<'_>) -> Poll<Self::Output> {
        match self.work.borrow_mut().as_mut() {
            Some(work) => Pin::new(work).poll(context).map(Some),
            None => Poll::Ready(None),
        }
    }
}

impl<W: Stream + Unpin> Stream for UntilHangUp<W> {
    type Item = W::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Waiting<'_>) -> Poll<Option<Self::Item>> {
        match self.work.borrow_mut().as_mut() {
            Some(work) => Pin::new(work).poll_next(context),
            None => Poll::Ready(None),
        }
    }
}
