//! Bells between the requests of an isolate.
//!
//! Each request has a context of its own in the platform, and what is woken in that of another one would call the platform in
//! its name. So a waiter waits for a promise of its own request: the platform continues it there, whichever request rang.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use wasm_bindgen::prelude::JsValue;
use wasm_bindgen_futures::JsFuture;
use worker::js_sys::{Function, Promise};

use crate::rpc::Bell;

/// Returns a bell, and a future that completes in this request once it was rung.
pub(super) fn bell() -> (Bell, LocalBoxFuture<'static, ()>) {
    let mut resolver = None::<Function>;
    let promise = Promise::new(&mut |resolve, _| resolver = Some(resolve));
    let rung = JsFuture::from(promise).map(drop).boxed_local();
    let bell = move || {
        // A promise's own function throws nothing.
        let _answer = resolver.map(|resolve| resolve.call0(&JsValue::UNDEFINED));
    };
    (Box::new(bell), rung)
}
