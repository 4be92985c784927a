//! Brings closed windows to the origin, at once or by a timer, and puts questions about keys to it.
//!
//! # Invariants
//! No borrow of the intake is held while something is awaited. A timer leaves nothing open: the request that keeps it may be
//! the last one of its isolate.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use futures_util::future::join;

use super::answer::OriginAnswer;
use super::buffer::ForwardResult;
use super::intake::{QuotaQuestion, ReportIntake};
use super::settings::{CollectSettings, OriginUrl};
use super::window::ReportWindow;
use crate::edge::logger::EdgeLogger;
use crate::edge::store::{DurableBuffer, EdgeHost, store_due};
use crate::limits::{COLLECT_RETRY_MS, EDGE_TIMER_MS, EDGE_TIMER_STEP_MS};

/// What the POST of a window came to, for the log.
#[derive(Debug, Clone, Copy)]
pub struct ForwardReport<'a> {
    /// The window.
    pub window: &'a ReportWindow,
    /// The result.
    pub result: ForwardResult,
    /// The status of the answer; `None` if there was none.
    pub status: Option<u16>,
}

/// What the intake asks of the platform, beside what the logger asks.
pub trait CollectHost: EdgeHost + DurableBuffer {
    /// Sends a window to the origin; `None` if there is no answer, or none in time. The same window may be sent again.
    fn post_window(
        &self,
        settings: &CollectSettings,
        window: &ReportWindow,
    ) -> impl Future<Output = Option<OriginAnswer>>;
    /// Asks an address of the origin about a key; `None` if there is no answer, or none in time.
    fn get_quota(&self, url: &OriginUrl) -> impl Future<Output = Option<OriginAnswer>>;
    /// Logs what a POST came to.
    fn report_window(&self, report: ForwardReport<'_>);
}

/// Puts a question to the origin and notes its answer.
pub async fn ask_quota(intake: &RefCell<ReportIntake>, host: &impl CollectHost, question: &QuotaQuestion) {
    let answer = host.get_quota(&question.url).await;
    intake.borrow_mut().answer(question.key, answer.as_ref(), host.now_ms());
}

/// Forwards all windows that are due, one after the other, and stores their reports where the deployment wants that.
pub async fn forward_due(intake: &RefCell<ReportIntake>, logger: &RefCell<EdgeLogger>, host: &impl CollectHost) {
    intake.borrow_mut().windows.close_due(host.now_ms());
    record_closed(intake, logger, host.now_ms());
    join(forward_windows(intake, host), store_due(logger, host)).await;
}

async fn forward_windows(intake: &RefCell<ReportIntake>, host: &impl CollectHost) {
    loop {
        let due = intake.borrow_mut().windows.take_due(host.now_ms());
        let Some(window) = due else { return };
        let settings = Rc::clone(&intake.borrow().settings);
        let answer = host.post_window(&settings, &window).await;
        let now_ms = host.now_ms();
        let failed = ForwardResult::Failed(COLLECT_RETRY_MS.0);
        let result = answer.as_ref().map_or(failed, |answer| answer.forward_result(now_ms));
        host.report_window(ForwardReport { window: &window, result, status: answer.map(|answer| answer.status) });
        intake.borrow_mut().windows.settle(window.label.sequence, result, now_ms);
    }
}

/// Hands the records of windows that closed to the logger, as a batch of their own. There are none unless the deployment stores
/// them.
fn record_closed(intake: &RefCell<ReportIntake>, logger: &RefCell<EdgeLogger>, now_ms: i64) {
    let stored = intake.borrow_mut().windows.take_stored();
    let buffer = &mut logger.borrow_mut().buffer;
    for report in stored {
        buffer.record(&report.line, now_ms);
        buffer.merge(report.count.saturating_sub(1));
    }
    buffer.close(now_ms);
}

/// Keeps the timer of the isolate's windows, unless one runs: forwards what becomes due, and before it ends whatever is there.
pub async fn keep_window_timer(intake: &RefCell<ReportIntake>, logger: &RefCell<EdgeLogger>, host: &impl CollectHost) {
    let end_ms = host.now_ms() + EDGE_TIMER_MS;
    if !intake.borrow_mut().windows.start_timer(host.now_ms(), end_ms) {
        return;
    }
    loop {
        let (windows, batches) = (intake.borrow().windows.next_due_ms(), logger.borrow().buffer.first_due_ms());
        let next_ms = windows.into_iter().chain(batches).min();
        let Some(next_ms) = next_ms.filter(|next_ms| *next_ms <= end_ms) else { break };
        host.sleep((next_ms - host.now_ms()).max(EDGE_TIMER_STEP_MS)).await;
        forward_due(intake, logger, host).await;
    }
    {
        let windows = &mut intake.borrow_mut().windows;
        windows.close(host.now_ms());
        windows.end_timer();
    }
    forward_due(intake, logger, host).await;
}

#[cfg(test)]
mod tests;
