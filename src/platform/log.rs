//! The log: one line of JSON per event, as the platform collects it.
//!
//! What always holds: a line carries no bytes of a log record, no token, and nothing of a request but its outcome.

use serde::Serialize;
use worker::{Date, console_error, console_log};

/// Bytes of one page of wasm memory.
const PAGE: u64 = 65_536;

/// One line of the log.
#[derive(Serialize)]
struct LogLine<'a, T> {
    level: &'a str,
    event: &'a str,
    at: String,
    /// What the wasm module has grown to; it never shrinks, so this is its peak.
    wasm_bytes: u64,
    #[serde(flatten)]
    what: &'a T,
}

/// Writes what happened.
pub(super) fn info(event: &str, what: &impl Serialize) {
    console_log!("{}", line("info", event, what));
}

/// Writes what should not have happened.
pub(super) fn error(event: &str, what: &impl Serialize) {
    console_error!("{}", line("error", event, what));
}

fn line(level: &str, event: &str, what: &impl Serialize) -> String {
    let at = crate::time::rfc3339(now_ms());
    let wasm_bytes = core::arch::wasm32::memory_size(0) as u64 * PAGE;
    serde_json::to_string(&LogLine { level, event, at, wasm_bytes, what }).unwrap_or_default()
}

/// The clock, in Unix milliseconds. It stands still between two waits for the outside.
pub(super) fn now_ms() -> i64 {
    i64::try_from(Date::now().as_millis()).unwrap_or(i64::MAX)
}
