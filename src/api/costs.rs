//! `GET /v1/costs`: what each caller cost today, and its budget, as the audit log counts it.
//!
//! # Invariants
//! The number of callers in an answer is bounded, however many there are: those who cost less are summed. Only operators, who
//! see every record, see the names of callers.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::access::{Caller, ChainNumber, Dollars, Scope, Visibility};
use crate::audit::calls::{CallerCost, CostPage, ListCosts, OtherCosts, ReadEntries};
use crate::audit::chains::chain_object;
use crate::backend::CallError;
use crate::http::{Problem, Reply, problems};
use crate::limits::COSTS_SHOWN;
use crate::rpc::{self, Call};
use crate::services::Services;
use crate::time::{DAY_MS, rfc3339};

#[derive(Serialize)]
struct CostsResponse {
    start: String,
    end: String,
    callers: Vec<CallerCostResponse>,
    others: OtherCostsResponse,
}

#[derive(Serialize)]
struct CallerCostResponse {
    actor: String,
    requests: u64,
    cost: Dollars,
    daily_budget: Option<Dollars>,
}

#[derive(Serialize)]
struct OtherCostsResponse {
    callers: u64,
    requests: u64,
    cost: Dollars,
}

impl From<CallerCost> for CallerCostResponse {
    fn from(CallerCost { actor, requests, cost, budget }: CallerCost) -> Self {
        let (cost, daily_budget) = (Dollars::from_nanos(cost), budget.map(Dollars::from_nanos));
        Self { actor, requests, cost, daily_budget }
    }
}

/// Answers with the callers who cost most today.
pub(crate) async fn get_costs(services: &impl Services) -> Result<Reply, Problem> {
    let CostPage { day, callers, others } = sum_costs(services).await?;
    let OtherCosts { callers: count, requests, cost } = others;
    let start_ms = day.saturating_mul(DAY_MS);
    let answer = CostsResponse {
        start: rfc3339(start_ms),
        end: rfc3339(start_ms.saturating_add(DAY_MS)),
        callers: callers.into_iter().map(CallerCostResponse::from).collect(),
        others: OtherCostsResponse { callers: count, requests, cost: Dollars::from_nanos(cost) },
    };
    Ok(Reply::json(services.memory(), &answer)?)
}

/// Whether the caller sees who the others are, and what each of them costs.
pub(super) fn sees_callers(caller: &Caller) -> bool {
    let is_operator = caller.may(Scope::Deliver) || caller.may(Scope::Admin);
    is_operator && caller.visibility() == Visibility::Everything
}

/// Without the names of callers: what all of them cost.
pub(super) fn without_callers(page: &CostPage) -> CostPage {
    let mut others = page.others;
    page.callers.iter().for_each(|caller| add_to(&mut others, caller));
    CostPage { callers: Vec::new(), others, ..*page }
}

/// What the chains of the audit log counted today. A caller whose chain changed today is in several.
///
/// # Errors
/// The [`Problem`] of an object that does not respond.
pub(super) async fn sum_costs(services: &impl Services) -> Result<CostPage, Problem> {
    let chains = ask(services, ChainNumber::FIRST, &ReadEntries::default()).await?.chains;
    let mut pages = Vec::new();
    for chain in ChainNumber::first(chains) {
        pages.push(ask(services, chain, &ListCosts { limit: COSTS_SHOWN }).await?);
    }
    Ok(join_pages(pages))
}

async fn ask<C: Call>(services: &impl Services, chain: ChainNumber, call: &C) -> Result<C::Answer, Problem> {
    let failed = |error: CallError| match error {
        CallError::OutOfMemory(error) => error.into(),
        CallError::Backend(_) => problems::unavailable(),
    };
    let name = chain_object(chain);
    let answer = rpc::call_held(services.audit_log(), services.memory(), &name, call).await.map_err(failed)?;
    Ok(answer.into_parts().0)
}

/// Joins what chains counted on the latest day that one of them knows of.
fn join_pages(mut pages: Vec<CostPage>) -> CostPage {
    let day = pages.iter().map(|page| page.day).max().unwrap_or_default();
    pages.retain(|page| page.day == day);
    let (mut by_name, mut others) = (BTreeMap::<String, CallerCost>::new(), OtherCosts::default());
    for page in pages {
        others.callers += page.others.callers;
        others.requests += page.others.requests;
        others.cost += page.others.cost;
        for caller in page.callers {
            let known = by_name.entry(caller.actor.clone());
            let known = known.or_insert_with(|| CallerCost { requests: 0, cost: 0, ..caller.clone() });
            (known.requests, known.cost) = (known.requests + caller.requests, known.cost + caller.cost);
            known.budget = known.budget.or(caller.budget);
        }
    }
    let mut callers: Vec<CallerCost> = by_name.into_values().collect();
    callers.sort_by(|one, other| (other.cost, &one.actor).cmp(&(one.cost, &other.actor)));
    callers.split_off(callers.len().min(COSTS_SHOWN)).iter().for_each(|caller| add_to(&mut others, caller));
    CostPage { day, callers, others }
}

const fn add_to(others: &mut OtherCosts, caller: &CallerCost) {
    others.callers += 1;
    others.requests += caller.requests;
    others.cost += caller.cost;
}

#[cfg(test)]
mod tests {
    use super::{COSTS_SHOWN, CallerCost, CostPage, OtherCosts, join_pages, without_callers};

    fn caller(number: usize, cost: u64) -> CallerCost {
        CallerCost { actor: format!("caller-{number:03}"), requests: 1, cost, budget: None }
    }

    #[test]
    fn chains_are_joined_by_caller() {
        let page = |day, from: usize, count: usize| CostPage {
            day,
            callers: (from..from + count).map(|number| caller(number, 1_000 - number as u64)).collect(),
            others: OtherCosts { callers: 1, requests: 2, cost: 3 },
        };
        let joined = join_pages(vec![page(5, 0, 50), page(5, 49, 50), page(4, 0, 9)]);
        assert_eq!((joined.day, joined.callers.len()), (5, COSTS_SHOWN));
        // The one in both chains cost most of all.
        assert_eq!((joined.callers[0].cost, joined.callers[1].cost), (2 * 951, 1_000));
        assert_eq!((joined.others.callers, joined.others.requests), (2 + 99 - 50, 4 + 99 - 50));
        let total = 6 + (0..99_u64).map(|number| 1_000 - number).sum::<u64>() + 951;
        let all = without_callers(&joined);
        assert_eq!((all.callers.len(), all.others.requests, all.others.cost), (0, 104, total));
    }
}
