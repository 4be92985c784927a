//! Requests of callers that no token or grant names: counted, with a few of them as samples.
//!
//! Each isolate counts for itself, and reports to the audit log at most once each [`UNKNOWN_REPORT_MS`], so that a flood
//! of such requests costs the log two entries a minute. What an isolate counted since its last report is lost with it: the
//! log's counts are lower bounds.

use std::cell::RefCell;
use std::rc::Rc;

use serde::Serialize;

use crate::limits::{UNKNOWN_REPORT_MS, UNKNOWN_SAMPLES};

/// The requests of unknown callers that an isolate counted; its clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct UnknownCallers(Rc<RefCell<UnknownCount>>);

#[derive(Debug, Default)]
struct UnknownCount {
    report: UnknownReport,
    /// When the last report was made; `None` before the first.
    reported_ms: Option<i64>,
}

/// What an isolate reports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnknownReport {
    /// Number of requests since the last report.
    pub count: u64,
    /// The first of them.
    pub samples: Vec<UnknownRequest>,
}

/// A request of an unknown caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownRequest {
    /// The method and the route.
    pub action: String,
    /// The address that it came from; empty where the platform does not say it.
    pub address: String,
    /// Why its credentials were refused.
    pub reason: String,
}

impl UnknownCallers {
    /// Counts a request. Returns what is to be reported, if it is time.
    #[must_use]
    pub fn note(&self, request: UnknownRequest, now_ms: i64) -> Option<UnknownReport> {
        let mut counted = self.0.borrow_mut();
        counted.report.count += 1;
        if counted.report.samples.len() < UNKNOWN_SAMPLES {
            counted.report.samples.push(request);
        }
        if counted.reported_ms.is_some_and(|last| now_ms < last.saturating_add(UNKNOWN_REPORT_MS)) {
            return None;
        }
        counted.reported_ms = Some(now_ms);
        Some(std::mem::take(&mut counted.report))
    }

    /// Takes back a report that did not reach the audit log: the next one has its requests too.
    pub fn restore(&self, report: UnknownReport) {
        let mut counted = self.0.borrow_mut();
        counted.report.count += report.count;
        let (room, first) = (UNKNOWN_SAMPLES, std::mem::take(&mut counted.report.samples));
        counted.report.samples = report.samples.into_iter().chain(first).take(room).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::{UNKNOWN_REPORT_MS, UnknownCallers, UnknownRequest};

    #[test]
    fn report_is_made_once_a_minute() {
        let (callers, text) = (UnknownCallers::default(), |text: &str| text.to_owned());
        let request = |number: u64| UnknownRequest {
            action: text("GET /v1/stats"),
            address: format!("192.0.2.{number}"),
            reason: text("the token is unknown"),
        };
        let first = callers.note(request(0), 5).unwrap();
        assert_eq!((first.count, first.samples.len()), (1, 1), "the first one at once");
        for number in 1..100 {
            assert_eq!(callers.note(request(number), 5 + UNKNOWN_REPORT_MS - 1), None);
        }
        let report = callers.note(request(100), 5 + UNKNOWN_REPORT_MS).unwrap();
        assert_eq!((report.count, report.samples.len()), (100, 4));
        assert_eq!(report.samples[0], request(1));
        callers.restore(report);
        assert_eq!(callers.note(request(101), 6 + UNKNOWN_REPORT_MS), None, "a log that fails is not asked each time");
        let again = callers.note(request(102), 5 + 2 * UNKNOWN_REPORT_MS).unwrap();
        assert_eq!((again.count, again.samples[0].clone(), again.samples.len()), (102, request(1), 4));
    }
}
