//! The intake's calls from `collect.mjs`: the reports of a request are merged, and windows go to the origin.
//!
//! The settings are read once per isolate: a deployment with others has isolates of its own.

#![expect(unreachable_pub, reason = "JavaScript reaches what the attribute exports")]

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use futures_util::future::join;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::Env;

use super::edge::logger;
use super::edge_host::WorkerHost;
use super::{env, log, random};
use crate::edge::{
    EdgeHost, EdgeLogger, EdgeMode, ReportBody, ReportIntake, ReportRequest, ask_quota, forward_due, keep_window_timer,
};
use crate::limits::COLLECT_BODY_BYTES;

/// The intake of an isolate, and the logger that stores its reports.
type Collecting = (Rc<RefCell<ReportIntake>>, Rc<RefCell<EdgeLogger>>);

thread_local! {
    /// The intake of this isolate; `None` if its settings are faulty.
    static INTAKE: OnceCell<Option<Collecting>> = const { OnceCell::new() };
    /// The mode of this isolate.
    static MODE: OnceCell<EdgeMode> = const { OnceCell::new() };
}

/// Returns the intake of this isolate. Faulty settings are logged once, and reports are lost.
fn collecting(env: &Env) -> Option<Collecting> {
    let new = || {
        let logger = logger(env)?;
        let settings = env::collect_settings(env).map_err(|faults| log::not_configured(&faults)).ok()?;
        let isolate = logger.borrow().buffer.isolate().to_owned();
        Some((Rc::new(RefCell::new(ReportIntake::new(settings, isolate))), logger))
    };
    INTAKE.with(|intake| intake.get_or_init(new).clone())
}

/// Returns whether the deployment takes reports instead of passing requests on.
#[wasm_bindgen(js_name = edgeCollects)]
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "JavaScript hands over what it passes")]
pub fn edge_collects(env: Env) -> bool {
    MODE.with(|mode| *mode.get_or_init(|| env::edge_mode(&env))) == EdgeMode::Collect
}

/// Returns the maximum size of a body at this URL, in bytes.
#[wasm_bindgen(js_name = collectBytes)]
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "JavaScript hands over what it passes")]
pub fn collect_bytes(env: Env, url: &str) -> usize {
    collecting(&env).map_or(COLLECT_BODY_BYTES.0, |(intake, _)| intake.borrow().settings.body_bytes(url))
}

/// Takes the reports of a request and forwards what is due. Without a `body`, it is too large, or broke off.
#[wasm_bindgen(js_name = edgeCollect)]
pub async fn edge_collect(env: Env, description: String, body: Option<Vec<u8>>, is_too_large: bool) {
    let Some((intake, logger)) = collecting(&env) else { return };
    let host = WorkerHost { env };
    let mut question = None;
    if let Some(request) = ReportRequest::parse(&description) {
        let body = match &body {
            Some(body) => ReportBody::Whole(body),
            None if is_too_large => ReportBody::TooLarge,
            None => ReportBody::Broken,
        };
        question = intake.borrow_mut().collect(&request, body, random::word(), host.now_ms());
    }
    drop((description, body));
    let asking = async {
        if let Some(question) = &question {
            ask_quota(&intake, &host, question).await;
        }
    };
    let forwarding = async {
        forward_due(&intake, &logger, &host).await;
        keep_window_timer(&intake, &logger, &host).await;
    };
    join(asking, forwarding).await;
}
