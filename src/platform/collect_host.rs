//! What the intake needs of the platform: requests to its origin, public or at the service binding.
//!
//! # Invariants
//!
//! A request ends within its time limit, whatever the origin does. No address, header or text of the origin is logged.

use serde_json::json;
use worker::{AbortController, Fetch, Request, RequestInit, RequestRedirect, Response};

use super::edge_host::WorkerHost;
use super::post::{answer_within, post_request};
use super::{env, log};
use crate::config::LogLevel;
use crate::edge::{CollectHost, CollectSettings, ForwardReport, ForwardResult, OriginAnswer, OriginUrl, ReportWindow};
use crate::limits::{COLLECT_ASK_MS, COLLECT_POST_MS};

/// The name of a window, by which the origin knows one that it has already.
const WINDOW_HEADER: &str = "raydex-window";
/// The numbers of the isolate at the window's close, as JSON.
const COUNTS_HEADER: &str = "raydex-counts";

impl CollectHost for WorkerHost {
    async fn post_window(&self, settings: &CollectSettings, window: &ReportWindow) -> Option<OriginAnswer> {
        let request = window_request(settings, window).ok()?;
        self.ask_origin(&settings.url, &request, COLLECT_POST_MS).await
    }

    async fn get_quota(&self, url: &OriginUrl) -> Option<OriginAnswer> {
        let mut init = RequestInit::new();
        init.with_redirect(RequestRedirect::Manual);
        let request = Request::new_with_init(&url.url(), &init).ok()?;
        self.ask_origin(url, &request, COLLECT_ASK_MS).await
    }

    fn report_window(&self, ForwardReport { window, result, status }: ForwardReport<'_>) {
        let (level, verdict) = match result {
            ForwardResult::Taken => (LogLevel::Info, "taken"),
            ForwardResult::Refused => (LogLevel::Error, "refused"),
            ForwardResult::Failed(_) => (LogLevel::Warn, "failed"),
        };
        let what = json!({
            "verdict": verdict, "status": status, "bytes": window.body.len(), "reports": window.reports, "label": window.label,
        });
        log::edge_window(level, &what);
    }
}

impl WorkerHost {
    /// Sends a request to the origin; `None` if there is no answer, or none in time.
    async fn ask_origin(&self, url: &OriginUrl, request: &Request, time_ms: i64) -> Option<OriginAnswer> {
        let controller = AbortController::default();
        let signal = controller.signal();
        let work = async {
            let response = if url.is_bound() {
                env::origin(&self.env).ok()?.fetch_request(request.clone().ok()?).await
            } else {
                Fetch::Request(request.clone().ok()?).send_with_signal(&signal).await
            };
            response.ok().map(|response| answer_of(&response))
        };
        let answer = answer_within(time_ms, work).await;
        // The body of the answer says nothing more.
        controller.abort();
        answer
    }
}

/// Creates the request of a window.
fn window_request(settings: &CollectSettings, window: &ReportWindow) -> worker::Result<Request> {
    let (name, counts) = (window.name(), window.label_text());
    let own = [("content-type", settings.form.content_type()), (WINDOW_HEADER, &name), (COUNTS_HEADER, &counts)];
    let given = settings.headers.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    post_request(&settings.url.url(), given.chain(own), &window.body)
}

fn answer_of(response: &Response) -> OriginAnswer {
    let header = |name: &str| response.headers().get(name).ok().flatten();
    OriginAnswer {
        status: response.status_code(),
        retry_after: header("retry-after"),
        cache_control: header("cache-control"),
    }
}
