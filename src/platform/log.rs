//! The log: one line of JSON per event, collected by the platform.
//!
//! # Invariants
//!
//! A line contains no bytes of a log record, no token, no address of the partner, and nothing of a request except its
//! outcome. A line below the configured level is not written.

use serde::Serialize;
use worker::{Date, console_error, console_log, console_warn};

use crate::config::{Config, ConfigFault, LogLevel};

/// Size of one page of wasm memory in bytes.
const PAGE: u64 = 65_536;

/// One line of the log.
#[derive(Serialize)]
struct LogEntry<'a, T> {
    level: &'a str,
    event: &'a str,
    at: String,
    /// The size of the wasm memory; it never shrinks, so this is its peak.
    wasm_bytes: u64,
    #[serde(flatten)]
    what: &'a T,
}

/// The log of a deployment, with its level.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventLog(LogLevel);

impl EventLog {
    /// Creates a log with the configured level, or the default one if the settings are faulty.
    pub(super) fn for_config<F>(config: &Result<Config, F>) -> Self {
        Self(config.as_ref().map_or_else(|_| LogLevel::default(), |config| config.log_level))
    }

    /// Writes a line of this level, unless it is below the configured one.
    pub(super) fn write(self, level: LogLevel, event: &str, what: &impl Serialize) {
        if level < self.0 {
            return;
        }
        let line = line(level.name(), event, what);
        match level {
            LogLevel::Debug | LogLevel::Info => console_log!("{line}"),
            LogLevel::Warn => console_warn!("{line}"),
            LogLevel::Error => console_error!("{line}"),
        }
    }

    /// Writes a line about completed work.
    pub(super) fn info(self, event: &str, what: &impl Serialize) {
        self.write(LogLevel::Info, event, what);
    }
}

/// Writes an error, regardless of the configured level.
pub(super) fn error(event: &str, what: &impl Serialize) {
    EventLog(LogLevel::Error).write(LogLevel::Error, event, what);
}

/// Logs the faults of settings that stop delivery.
pub(super) fn delivery_stopped(faults: &[ConfigFault]) {
    error("delivery_stopped", &serde_json::json!({ "faults": ConfigFault::words(faults) }));
}

/// Logs the faults of settings that stop everything.
pub(super) fn not_configured(faults: &[ConfigFault]) {
    error("not_configured", &serde_json::json!({ "faults": ConfigFault::words(faults) }));
}

/// Logs what an attempt to store a batch of the edge logger came to: its settings have no level.
pub(super) fn edge_batch(level: LogLevel, what: &impl Serialize) {
    EventLog(LogLevel::default()).write(level, "edge_batch", what);
}

/// Logs what the POST of a window of mode `collect` came to.
pub(super) fn edge_window(level: LogLevel, what: &impl Serialize) {
    EventLog(LogLevel::default()).write(level, "edge_window", what);
}

/// Logs that a batch of the edge logger was handed over to the durable buffer.
pub(super) fn edge_handed_over(what: &impl Serialize) {
    EventLog(LogLevel::default()).info("edge_handed_over", what);
}

fn line(level: &str, event: &str, what: &impl Serialize) -> String {
    let at = crate::time::rfc3339(now_ms());
    let wasm_bytes = core::arch::wasm32::memory_size(0) as u64 * PAGE;
    serde_json::to_string(&LogEntry { level, event, at, wasm_bytes, what }).unwrap_or_default()
}

/// Returns the time in Unix milliseconds. It does not advance between two waits for I/O.
pub(super) fn now_ms() -> i64 {
    i64::try_from(Date::now().as_millis()).unwrap_or(i64::MAX)
}
