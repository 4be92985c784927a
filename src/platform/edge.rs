//! The edge logger's calls from `edge.mjs`: a description of an exchange becomes a record, and batches go to the bucket.
//!
//! The settings are read once per isolate: a deployment with others has isolates of its own.

#![expect(unreachable_pub, reason = "JavaScript reaches what the attribute exports")]

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use wasm_bindgen::prelude::wasm_bindgen;
use worker::Env;

use super::edge_host::WorkerHost;
use super::{env, log, random};
use crate::edge::{EdgeExchange, EdgeHost, EdgeLogger, ISOLATE_DIGITS, bring_batches};

thread_local! {
    /// The logger of this isolate; `None` if its settings are faulty.
    static LOGGER: OnceCell<Option<Rc<RefCell<EdgeLogger>>>> = const { OnceCell::new() };
}

/// Returns the logger of this isolate. Faulty settings are logged once, and nothing is recorded.
pub(super) fn logger(env: &Env) -> Option<Rc<RefCell<EdgeLogger>>> {
    let new = || {
        let settings = env::edge_settings(env).map_err(|faults| log::not_configured(&faults)).ok()?;
        let isolate = random::name().get(..ISOLATE_DIGITS)?.to_owned();
        Some(Rc::new(RefCell::new(EdgeLogger::new(settings, isolate))))
    };
    LOGGER.with(|logger| logger.get_or_init(new).clone())
}

/// Returns how many bytes of the payload of a request are kept.
#[wasm_bindgen(js_name = edgePayloadBytes)]
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "JavaScript hands over what it passes")]
pub fn edge_payload_bytes(env: Env, url: &str, content_type: &str) -> usize {
    logger(&env).map_or(0, |logger| logger.borrow().settings.payload_bytes(url, content_type))
}

/// Records a request and stores what is due.
#[wasm_bindgen(js_name = edgeLog)]
pub async fn edge_log(env: Env, description: String, payload: Option<Vec<u8>>) {
    let Some(logger) = logger(&env) else { return };
    let host = WorkerHost { env };
    if let Some(exchange) = EdgeExchange::parse(&description) {
        logger.borrow_mut().log(&exchange, payload.as_deref(), random::word(), host.now_ms());
    }
    drop((description, payload));
    bring_batches(&logger, &host).await;
}
