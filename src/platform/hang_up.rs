//! Work for a client, which ends when it is done or the client hangs up.
//!
//! When a client disconnects, the platform ends the context of its request: nothing in it is woken again, and nothing
//! is dropped. Whatever was held for it (memory of the module, and its reservation) would be leaked. There are two ways
//! to notice in time, and neither is complete: the event `abort` of the request, which does not come if a write failed
//! first; and a failing write, which requires that something is written. So a body goes through a pipe, whose writer is
//! notified (unlike a `ReadableStream` made here, which is not even cancelled), and all work ends with the event.
//!
//! # Invariants
//!
//! A client that hangs up leaves only a few handles allocated. Work that was dropped is complete, and reports this to
//! any code that still waits. A body that fails midway breaks the connection.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as Waiting, Poll};

use futures_util::{Stream, StreamExt};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use worker::js_sys::Uint8Array;
use worker::web_sys::ReadableStream;
use worker::{Context, Request};

use crate::backend::BackendError;

#[wasm_bindgen]
extern "C" {
    /// A request, as the source of its client's abort signal.
    type AbortableRequest;
    #[wasm_bindgen(method, getter)]
    fn signal(this: &AbortableRequest) -> AbortSignal;

    /// The signal that the client has hung up.
    #[derive(Clone)]
    type AbortSignal;
    #[wasm_bindgen(method, getter)]
    fn aborted(this: &AbortSignal) -> bool;
    #[wasm_bindgen(method, js_name = addEventListener)]
    fn add_event_listener(this: &AbortSignal, event: &str, listener: &JsValue);
    #[wasm_bindgen(method, js_name = removeEventListener)]
    fn remove_event_listener(this: &AbortSignal, event: &str, listener: &JsValue);

    /// A pipe of the platform: a write completes when it was read.
    type IdentityTransformStream;
    #[wasm_bindgen(constructor)]
    fn new() -> IdentityTransformStream;
    #[wasm_bindgen(method, getter)]
    fn readable(this: &IdentityTransformStream) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn writable(this: &IdentityTransformStream) -> WritableEnd;

    /// The writable end of the pipe.
    type WritableEnd;
    #[wasm_bindgen(method, js_name = getWriter)]
    fn get_writer(this: &WritableEnd) -> StreamWriter;

    /// The writer of a pipe.
    type StreamWriter;
    #[wasm_bindgen(method, catch)]
    async fn write(this: &StreamWriter, piece: &Uint8Array) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    async fn close(this: &StreamWriter) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    async fn abort(this: &StreamWriter, reason: &str) -> Result<JsValue, JsValue>;
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
pub(super) struct ClientConnection(AbortSignal);

/// Work for a client that is dropped when the client hangs up.
pub(super) struct UntilHangUp<W> {
    work: Rc<RefCell<Option<W>>>,
    signal: AbortSignal,
    listener: Closure<dyn FnMut()>,
}

impl ClientConnection {
    /// Returns the connection of the request's client.
    pub(super) fn from_request(request: &Request) -> Self {
        Self(request.inner().unchecked_ref::<AbortableRequest>().signal())
    }

    /// Runs the work for as long as the client is connected.
    pub(super) fn wants<W: 'static>(&self, work: W) -> UntilHangUp<W> {
        let work = Rc::new(RefCell::new((!self.0.aborted()).then_some(work)));
        let dropped = work.clone();
        let listener = Closure::new(move || {
            // Take it out first: dropping may re-enter this closure.
            let work = dropped.try_borrow_mut().ok().and_then(|mut work| work.take());
            IS_OVER.set(true);
            drop(work);
            IS_OVER.set(false);
        });
        self.0.add_event_listener(GONE, listener.as_ref());
        UntilHangUp { work, signal: self.0.clone(), listener }
    }
}

/// Streams the pieces as a body; each is produced once the previous one was read.
pub(super) fn body(
    context: &Context,
    mut pieces: impl Stream<Item = Result<Vec<u8>, BackendError>> + Unpin + 'static,
) -> ReadableStream {
    let pipe = IdentityTransformStream::new();
    let (readable, writer) = (pipe.readable().unchecked_into(), pipe.writable().get_writer());
    context.wait_until(async move {
        // A write fails only if the reader is gone.
        while let Some(piece) = pieces.next().await {
            let Ok(piece) = piece else {
                let _aborted = writer.abort("the response cannot continue").await;
                return;
            };
            if writer.write(&Uint8Array::from(piece.as_slice())).await.is_err() {
                return;
            }
        }
        let _closed = writer.close().await;
    });
    readable
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
