//! Who an answer is for: what form a problem has, and what every answer says.

use std::cell::RefCell;

use ::http::header::ACCEPT;

use super::audit_trail::{AuditTrail, CallerBudget};
use super::path_families::{is_cloudflare_path, is_export, is_tempo_path};
use super::routes::{is_known_path, is_page_path};
use crate::access::Caller;
use crate::api::traces;
use crate::cloudflare_api;
use crate::config::Config;
use crate::http::{HttpRequest, Problem, Reply, prefers_html};
use crate::otlp::ExportForm;
use crate::services::Services;
use crate::tempo;
use crate::web::{self, Visit};

/// What reads the answer to a request, and what every answer says to it.
pub(super) struct Audience {
    reader: Reader,
    /// The header with the caller's daily budget, if it has one, once the caller is known.
    budget: RefCell<Option<(&'static str, String)>>,
    /// The budget of a caller of whom nothing more is known.
    known: RefCell<Option<CallerBudget>>,
}

impl Audience {
    pub(super) fn of_request<B>(request: &HttpRequest<B>) -> Self {
        Self { reader: Reader::of_request(request), budget: RefCell::default(), known: RefCell::default() }
    }

    /// Takes down what the caller's budget is after a request, however that ended.
    pub(super) fn set_budget<D: Services>(&self, trail: &AuditTrail<'_, D>) {
        self.budget.replace(trail.budget_header());
    }

    /// Takes down the budget of a caller whose request may get no further.
    pub(super) fn set_budget_of(&self, config: &Config, caller: &Caller) {
        self.known.replace(CallerBudget::of(config, caller));
    }

    /// Takes down who asks, for a person's sake: the pages of problems have their name too.
    pub(super) fn set_viewer(&self, caller: &Caller) {
        if let Reader::Person(visit) = &self.reader {
            visit.set_viewer(caller);
        }
    }

    /// Returns the reply that an answer is.
    pub(super) fn reply(&self, services: &impl Services, answer: Result<Reply, Problem>) -> Reply {
        let mut reply = answer.unwrap_or_else(|problem| self.reader.answer_problem(services, problem));
        let known = || self.known.take().map(|known| known.header(services));
        reply.headers.extend(self.budget.take().or_else(known).map(|(name, value)| (name, value.into())));
        reply
    }
}

/// What reads the answer to a request, and so the form of a problem.
enum Reader {
    /// A client of raydex's own API.
    Api,
    /// A client of Cloudflare's API.
    Cloudflare,
    /// A client of Tempo's API.
    Tempo,
    /// An exporter of OpenTelemetry.
    Exporter(ExportForm),
    /// A person with a browser.
    Person(Box<Visit>),
}

impl Reader {
    fn of_request<B>(request: &HttpRequest<B>) -> Self {
        if is_cloudflare_path(&request.path) {
            Self::Cloudflare
        } else if is_tempo_path(&request.path) {
            Self::Tempo
        } else if let Some(form) = traces::export_form(request).filter(|_| is_export(&request.method, &request.path)) {
            Self::Exporter(form)
        } else if is_page_path(&request.path) || is_lost(request) {
            Self::Person(Box::new(Visit::new(request)))
        } else {
            Self::Api
        }
    }

    fn answer_problem(&self, services: &impl Services, problem: Problem) -> Reply {
        match self {
            Self::Api => problem.into(),
            Self::Cloudflare => cloudflare_api::problem_reply(&problem),
            Self::Tempo => tempo::problem_reply(&problem),
            Self::Exporter(form) => traces::problem_reply(*form, &problem),
            Self::Person(visit) => web::problem_reply(visit, problem, services.memory(), services.now_ms()),
        }
    }
}

/// Whether a person with a browser asks for a path that does not exist.
fn is_lost<B>(request: &HttpRequest<B>) -> bool {
    !is_known_path(&request.path) && request.header(ACCEPT).is_some_and(|accept| prefers_html(&accept))
}
