//! The page of operations: answers of several routes of the API, each as far as the caller may have it.

use std::rc::Rc;

use serde::de::DeserializeOwned;

use super::api_request::api_request;
use super::html::page_reply;
use super::problem::words_of;
use super::visit::Visit;
use crate::access::Caller;
use crate::api::{audit_log, backfills, batches, costs, coverage, dead_letters, payloads, stats};
use crate::audit::positions::ChainPositions;
use crate::config::Config;
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::limits::{OPS_AUDIT_ENTRIES, OPS_COVERAGE_MS, PAGE_ROOM};
use crate::page::OpsPage;
use crate::page::ops::{AuditDocument, ConfirmPage, DecisionFilter, OpsDocuments, OpsPart, OpsRights, OpsSection};
use crate::services::Services;
use crate::time;

/// What the page shows or offers, by the route of the API that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpsAnswer {
    /// The accounts.
    Stats,
    /// The coverage of the last hours.
    Coverage,
    /// The newest batches.
    Batches,
    /// The parked payloads.
    Payloads,
    /// The dead letters.
    DeadLetters,
    /// The backfills.
    Backfills,
    /// What callers cost today.
    Costs,
    /// The end of the audit log.
    Audit,
    /// Decisions.
    Decisions,
    /// Decisions about several payloads.
    DecideMany,
}

/// Answers with the page. `check` says whether the caller may have an answer.
///
/// # Errors
/// The [`Problem`] of a page that does not fit into memory.
pub(crate) async fn show_operations<D: Services + 'static>(
    config: &Config,
    services: &Rc<D>,
    (visit, caller): (&Visit, &Caller),
    check: impl Fn(OpsAnswer) -> Result<(), Problem>,
) -> Result<Reply, Problem> {
    let now_ms = services.now_ms();
    let part = OpsReader { services: services.as_ref(), check: &check };
    let range = format!("start={}&end={}", time::rfc3339(now_ms - OPS_COVERAGE_MS), time::rfc3339(now_ms));
    let documents = OpsDocuments {
        stats: part.read(OpsAnswer::Stats, stats::get_stats(config, part.services, &api_request(""))).await,
        coverage: part
            .read(OpsAnswer::Coverage, coverage::get_coverage(config, part.services, caller, &api_request(range)))
            .await,
        batches: part
            .read(OpsAnswer::Batches, batches::list_batches(part.services, caller, &api_request("limit=40")))
            .await,
        parked: part
            .read(
                OpsAnswer::Payloads,
                payloads::list_payloads(part.services, caller, &api_request("state=parked&limit=50")),
            )
            .await,
        dead_letters: part
            .read(OpsAnswer::DeadLetters, dead_letters::list_dead_letters(part.services, &api_request("limit=50")))
            .await,
        backfills: part.read(OpsAnswer::Backfills, backfills::list_backfills(part.services, caller)).await,
        costs: part.read(OpsAnswer::Costs, costs::get_costs(part.services)).await,
        audit: part.audit_end(services, caller).await,
    };
    let rights = OpsRights {
        may_decide: check(OpsAnswer::Decisions).is_ok(),
        may_decide_many: check(OpsAnswer::DecideMany).is_ok(),
    };
    let frame = visit.frame(Some(caller));
    let page = OpsPage { frame: &frame, part: &OpsPart::new(&documents, rights, now_ms) };
    Ok(page_reply(services.memory(), 200, &page)?)
}

/// Answers with the number of payloads that a decision would apply to, and a form that makes it.
///
/// # Errors
/// The [`Problem`] of a filter that selects nothing that the decision can apply to, or of the count.
pub(crate) async fn count_payloads(
    config: &Config,
    services: &impl Services,
    (visit, caller): (&Visit, &Caller),
    request: &HttpRequest<Vec<u8>>,
) -> Result<Reply, Problem> {
    let filter = DecisionFilter::read(|name| request.parameter(name)).ok_or_else(problems::not_a_decision)?;
    let asked = filter.count_request().to_string();
    let reply = payloads::decide_payloads(config, services, asked.as_bytes()).await?;
    let body = reply.body.whole().await.map_err(|_| problems::unavailable())?;
    let counted = serde_json::from_slice(&body).map_err(|_| problems::unavailable())?;
    let frame = visit.frame(Some(caller));
    Ok(page_reply(services.memory(), 200, &ConfirmPage::new(&frame, filter, &counted))?)
}

/// Reads answers of the API.
struct OpsReader<'a, D, F> {
    services: &'a D,
    check: &'a F,
}

impl<D: Services, F: Fn(OpsAnswer) -> Result<(), Problem>> OpsReader<'_, D, F> {
    /// Reads an answer, if the caller may have it; why there is none otherwise.
    async fn read<T: DeserializeOwned>(
        &self,
        answer: OpsAnswer,
        reply: impl Future<Output = Result<Reply, Problem>>,
    ) -> OpsSection<T> {
        let read = async {
            (self.check)(answer)?;
            let body = reply.await?.body.whole().await.map_err(|_| problems::unavailable())?;
            let _room = self.services.memory().reserve(PAGE_ROOM * body.len())?;
            serde_json::from_slice(&body).map_err(|_| problems::unavailable())
        };
        read.await.map_or_else(|problem: Problem| OpsSection::Withheld(words_of(&problem).text()), OpsSection::Shown)
    }

    /// Reads the last entries of the audit log.
    async fn audit_end(&self, services: &Rc<D>, caller: &Caller) -> OpsSection<AuditDocument>
    where
        D: 'static,
    {
        let page =
            |query: String| async move { audit_log::list_audit_entries(services, caller, &api_request(query)).await };
        let first = self.read::<AuditDocument>(OpsAnswer::Audit, page("limit=1".to_owned())).await;
        let OpsSection::Shown(first) = first else { return first };
        let last = first.last_entries();
        // The last ones of each chain, since each goes on at its own pace.
        let share = OPS_AUDIT_ENTRIES.div_ceil(last.len() as u64);
        let after: ChainPositions = last.iter().map(|last| last.saturating_sub(share)).collect();
        let limit = share * last.len() as u64;
        self.read(OpsAnswer::Audit, page(format!("after={after}&limit={limit}"))).await
    }
}
