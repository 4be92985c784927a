//! Records requests in the audit log and counts them against the rate limit, before anything is answered.
//!
//! A request that is served has one entry, written before it is answered. A request of a known caller that is denied has
//! one too, or counts as a repeat of an equal one. Where it is denied after its entry was written, the second entry refers
//! to the first. While a caller is over its rate or its budget, and while a denial repeats, the isolate refuses and counts without
//! a call. Each call reports what requests cost that the isolate answered.
//!
//! # Invariants
//! No audited request is served that the audit log did not record. A caller over the rate limit is answered 429, and so is one
//! whose daily budget is spent, where it asks for records. What is denied costs its caller nothing. No request
//! is admitted whose token was revoked before.

use std::cell::Cell;
use std::net::IpAddr;

use serde_json::Value;

use super::authenticate::{AuthenticatedCaller, failure_problem};
use super::canonical::RequestRecord;
use super::proof::CallerProof;
use super::registry_tokens::{RegistryToken, admit_registry_token};
use super::request_services::shows_spent;
use super::routes::{Route, RouteSpec};
use crate::access::{
    AuthFailure, Caller, ChainNumber, CostReport, Dollars, RefusalReason, RefusedRequests, SpentDailyBudget,
    UnknownReport, UnknownRequest,
};
use crate::audit::AUDIT;
use crate::audit::calls::{AppendAnswer, AppendEvent, AuditEvent, AuditMode, Denial};
use crate::audit::chains::chain_object;
use crate::config::Config;
use crate::http::{CLIENT_ADDRESS, HttpRequest, Problem, problems};
use crate::ledger::erasures::{ErasureError, ensure_generation};
use crate::limits::{
    ADVANCE_NANOS, AUDITED_REQUEST_NANOS, COUNTED_REQUEST_NANOS, R2_WRITE_NANOS, SPENT_REFUSED_MS, TOKEN_CHECKS,
};
use crate::rpc;
use crate::services::Services;
use crate::time::{day_end_ms, rfc3339_s};

/// The method of a caller whom nothing authenticated.
const NONE: &str = "none";
/// The values of a request that a tool of an assistant made: what it came by, and which tool.
const VIA: &str = "via";
const MCP: &str = "mcp";
const TOOL: &str = "tool";
/// The header that says what of a caller's budget is spent.
const BUDGET_HEADER: &str = "raydex-budget";
/// The action of requests of unknown callers.
const UNAUTHENTICATED: &str = "unauthenticated";

/// One caller's use of one route.
pub(super) struct AuditTrail<'a, D> {
    config: &'a Config,
    services: &'a D,
    spec: &'a RouteSpec,
    per_minute: u32,
    budget: Option<Dollars>,
    /// What the caller has cost today, as the audit log said last.
    spent: Cell<Option<Dollars>>,
    /// Whether the caller may know that.
    shows_spent: bool,
    actor: String,
    role: &'static str,
    auth_method: &'static str,
    address: String,
    token: Option<Cell<RegistryToken>>,
    /// The chain that has the caller's entries.
    chain: ChainNumber,
}

impl<'a, D: Services> AuditTrail<'a, D> {
    /// For a caller who is known.
    pub(super) fn new<B>(
        config: &'a Config,
        services: &'a D,
        spec: &'a RouteSpec,
        AuthenticatedCaller { caller, token }: &AuthenticatedCaller,
        request: &HttpRequest<B>,
    ) -> Self {
        let (actor, role, token) = (caller.name.clone(), caller.role.name(), token.map(Cell::new));
        let (budget, shows_spent) = (config.daily_budget_of(caller), shows_spent(caller));
        let known = Self::of_name(config, services, spec, actor, request);
        Self { per_minute: config.per_minute, budget, shows_spent, role, token, ..known }
    }

    /// For a caller whose name is known, and who has no rights.
    fn of_name<B>(
        config: &'a Config,
        services: &'a D,
        spec: &'a RouteSpec,
        actor: String,
        request: &HttpRequest<B>,
    ) -> Self {
        let chain = ChainNumber::of_caller(&actor, config.audit_chains);
        let auth_method = CallerProof::of_request(request).name();
        let address = client_address(request);
        let (spent, shows_spent) = (Cell::new(None), false);
        let (per_minute, budget, role, token) = (0, None, "", None);
        Self {
            config,
            services,
            spec,
            per_minute,
            budget,
            spent,
            shows_spent,
            actor,
            role,
            auth_method,
            address,
            token,
            chain,
        }
    }

    /// What the audit log charges for the request beyond its admission, in nano-dollars: what work it does in any case.
    pub(super) const fn advance(&self) -> u64 {
        if self.spec.is_upload() {
            R2_WRITE_NANOS
        } else if self.spec.shows_records() {
            ADVANCE_NANOS
        } else {
            0
        }
    }

    /// The header that says the caller's budget, and what of it is spent, if it has one and may know.
    pub(super) fn budget_header(&self) -> Option<(&'static str, String)> {
        let (budget, now_ms) = (self.budget?, self.services.now_ms());
        let known = || known_spent(self.services, &self.actor, now_ms);
        let spent = self.spent.get().or_else(known).filter(|_| self.shows_spent);
        Some(budget_words(budget, spent, now_ms))
    }

    /// Records and counts a request that is about to be answered. Returns the number of its entry, where it has one.
    ///
    /// # Errors
    /// The [`Problem`] of a caller over the rate limit, or of an audit log that does not respond.
    pub(super) async fn admit(&self, record: &RequestRecord) -> Result<Option<u64>, Problem> {
        let mode = if self.spec.audited { AuditMode::Admit } else { AuditMode::Count };
        self.append(record, mode, self.per_minute).await
    }

    /// Records an upload, which does not count against the rate limit.
    ///
    /// # Errors
    /// The [`Problem`] of an audit log that does not respond.
    pub(super) async fn admit_upload(&self, record: &RequestRecord) -> Result<(), Problem> {
        self.append(record, AuditMode::Admit, 0).await.map(drop)
    }

    /// Records and counts a request that is denied with `problem`. Returns what to answer: that, or 429.
    pub(super) async fn deny(&self, record: &RequestRecord, problem: Problem) -> Problem {
        let denial = denial(problem.status, problem.code, None);
        match self.append(record, AuditMode::Deny(denial), self.per_minute).await {
            Err(limited) if limited.status == 429 => limited,
            // What is denied shows nothing, whether it is recorded or not.
            _ => problem,
        }
    }

    /// Records that a request was denied whose entry has the number `seq`.
    pub(super) async fn deny_after(&self, record: &RequestRecord, status: u16, code: &str, seq: Option<u64>) {
        let _as_well_as_can_be = self.append(record, AuditMode::Deny(denial(status, code, seq)), 0).await;
    }

    /// Appends the event, unless this isolate can refuse the request by itself.
    async fn append(&self, record: &RequestRecord, mode: AuditMode, per_minute: u32) -> Result<Option<u64>, Problem> {
        if !self.spec.is_upload()
            && let Some(limited) = self.refuse_limited(per_minute > 0, &mode)
        {
            return Err(limited);
        }
        for _ in 0..=TOKEN_CHECKS {
            let answer = self.send(record, mode.clone(), per_minute).await?;
            match self.learn_erasures(answer).await? {
                AppendAnswer::Written { seq } => return Ok(Some(seq)),
                AppendAnswer::Passed {} => return Ok(None),
                AppendAnswer::Budgeted { seq, spent } => {
                    self.services.isolate().costs.note(&self.actor, spent, self.services.now_ms());
                    self.spent.set(Some(Dollars::from_nanos(spent)));
                    return Ok(seq);
                }
                AppendAnswer::Limited { wait_ms } => {
                    let refusals = &self.services.isolate().refusals;
                    refusals.limit(&self.actor, wait_ms, RefusalReason::OverRate, self.services.now_ms());
                    return Err(problems::too_many(wait_ms));
                }
                AppendAnswer::Spent { wait_ms, spent } => return Err(self.note_spent(wait_ms, spent)),
                AppendAnswer::Stale { generation } => self.look_up_token_again(record, generation).await?,
                AppendAnswer::Erased { .. } => return Err(problems::not_audited()),
            }
        }
        Err(problems::no_tokens())
    }

    /// Has the isolate know the erasures that the audit log names before anything is shown; returns the answer apart from them.
    async fn learn_erasures(&self, answer: AppendAnswer) -> Result<AppendAnswer, Problem> {
        let AppendAnswer::Erased { generation, answer } = answer else { return Ok(answer) };
        let (ledgers, known) = (self.services.ledgers(), &self.services.isolate().erasures);
        // On the heap, since it is a part of each request, and one of few in fact.
        let learned = Box::pin(ensure_generation(ledgers, known, generation, self.services.now_ms())).await;
        learned.map(|()| *answer).map_err(|error| match error {
            ErasureError::Backend(_) => problems::unavailable(),
            ErasureError::Lost { known, made } => problems::erasures_lost(known, made),
        })
    }

    /// Notes that the caller's budget is spent, and returns the problem.
    fn note_spent(&self, wait_ms: i64, spent: u64) -> Problem {
        let now_ms = self.services.now_ms();
        self.services.isolate().costs.note(&self.actor, spent, now_ms);
        self.spent.set(Some(Dollars::from_nanos(spent)));
        let spent = self.spent.get().filter(|_| self.shows_spent);
        let budget = self.budget.unwrap_or_default();
        let spent = SpentDailyBudget { budget, spent, ends_ms: now_ms.saturating_add(wait_ms) };
        let refused_ms = wait_ms.min(SPENT_REFUSED_MS);
        self.services.isolate().refusals.limit(&self.actor, refused_ms, RefusalReason::BudgetSpent(spent), now_ms);
        problems::budget_spent(&spent, now_ms)
    }

    /// Refuses and counts the request if the audit log said that the caller has to wait: for its rate, if the request counts
    /// against it, or for its budget, if the request is to be admitted and reads records.
    fn refuse_limited(&self, is_rated: bool, mode: &AuditMode) -> Option<Problem> {
        let refusals = &self.services.isolate().refusals;
        // Nearly always: the clock need not be asked.
        if refusals.is_empty() {
            return None;
        }
        let now_ms = self.services.now_ms();
        let (wait_ms, reason) = refusals.find(&self.actor, now_ms)?;
        let limited = match reason {
            RefusalReason::OverRate if is_rated => problems::too_many(wait_ms),
            RefusalReason::BudgetSpent(spent) if is_budgeted(self.spec) && !matches!(mode, AuditMode::Deny(_)) => {
                // What shows no records was let in since, and has cost something.
                let known = known_spent(self.services, &self.actor, now_ms).filter(|_| self.shows_spent);
                let spent = SpentDailyBudget { spent: known.or(spent.spent), ..spent };
                self.spent.set(spent.spent);
                problems::budget_spent(&spent, now_ms)
            }
            _ => return None,
        };
        refusals.count(self.refused(limited.status, limited.code), now_ms.saturating_add(wait_ms));
        Some(limited)
    }

    /// Sends the event to the audit log, with what the isolate refused before.
    async fn send(&self, record: &RequestRecord, mode: AuditMode, per_minute: u32) -> Result<AppendAnswer, Problem> {
        let RequestRecord { resource, mut values, reason } = record.clone();
        if let Route::Tool(tool) = self.spec.route {
            values.insert(VIA.to_owned(), MCP.into());
            values.insert(TOOL.to_owned(), tool.name().into());
        }
        let event = AuditEvent {
            auth_method: self.auth_method.to_owned(),
            role: self.role.to_owned(),
            address: self.address.clone(),
            action: self.spec.name(),
            resource,
            request: values,
            reason,
        };
        let (log, chains) = (self.services.audit_log(), self.config.audit_chains);
        let known = self.services.isolate().known_chains.ensure(log, self.chain, chains).await;
        known.map_err(|_| problems::not_audited())?;
        let (refused, costs) = (self.take_refused(), self.take_costs());
        let is_denial = matches!(mode, AuditMode::Deny(_));
        let cost = match mode {
            AuditMode::Admit => AUDITED_REQUEST_NANOS + self.advance(),
            AuditMode::Count => COUNTED_REQUEST_NANOS + self.advance(),
            AuditMode::Deny(_) => 0,
        };
        let budget = self.budget.filter(|_| !is_denial).map(Dollars::nanos);
        let over_budget = budget.is_some() && !is_budgeted(self.spec);
        let token_generation = self.token.as_ref().filter(|_| !is_denial).map(|token| token.get().generation);
        let shows_records = self.spec.shows_records() && !is_denial;
        let erasures = shows_records.then(|| self.services.isolate().erasures.generation());
        let actor = self.actor.clone();
        let append = AppendEvent {
            actor,
            per_minute,
            event,
            mode,
            token_generation,
            erasures,
            refused,
            cost,
            budget,
            over_budget,
            costs,
        };
        let waiting = &self.services.isolate().waiting_events;
        let answer = waiting.append(self.services, log, &chain_object(self.chain), &append).await;
        if matches!(answer, Err(_) | Ok(AppendAnswer::Stale { .. })) {
            self.services.isolate().refusals.restore(append.refused);
            self.services.isolate().costs.restore(append.costs);
        }
        answer.map_err(|_| problems::not_audited())
    }

    /// Takes what the isolate refused before of this caller, and of others with the same chain.
    fn take_refused(&self) -> Vec<RefusedRequests> {
        let (refusals, chains) = (&self.services.isolate().refusals, self.config.audit_chains);
        if refusals.is_empty() {
            return Vec::new();
        }
        let has_same_chain = |actor: &str| ChainNumber::of_caller(actor, chains) == self.chain;
        refusals.take(&self.actor, has_same_chain, self.services.now_ms())
    }

    /// Takes what requests cost that the isolate answered, of this caller and of others with the same chain.
    fn take_costs(&self) -> Vec<CostReport> {
        let chains = self.config.audit_chains;
        let has_same_chain = |actor: &str| ChainNumber::of_caller(actor, chains) == self.chain;
        self.services.isolate().costs.take(&self.actor, has_same_chain)
    }

    /// Looks up the caller's token in another generation: it may be among those that were revoked.
    async fn look_up_token_again(&self, record: &RequestRecord, generation: u64) -> Result<(), Problem> {
        let Some(token) = &self.token else { return Err(problems::no_tokens()) };
        self.services.isolate().tokens.begin_generation(self.chain, generation);
        match admit_registry_token(self.config, self.services, token.get().sha256).await {
            Ok((_, again)) => {
                token.set(again);
                Ok(())
            }
            Err(failure) => {
                let problem = failure_problem(&failure);
                if let Some((_, code)) = known_failure(&failure) {
                    let denied = AuditMode::Deny(denial(problem.status, code, None));
                    let _as_well_as_can_be = self.send(record, denied, 0).await;
                }
                Err(problem)
            }
        }
    }

    /// A request of this caller, with the answer that it got.
    fn refused(&self, status: u16, code: &str) -> RefusedRequests {
        RefusedRequests {
            actor: self.actor.clone(),
            role: self.role.to_owned(),
            auth_method: self.auth_method.to_owned(),
            action: self.spec.name(),
            address: self.address.clone(),
            status,
            code: code.to_owned(),
            count: 1,
        }
    }

    /// Records that a caller was not let in whose name is known. Repeats within a minute are counted.
    async fn deny_known(&self, record: &RequestRecord, status: u16, code: &str) {
        let (refusals, now_ms) = (&self.services.isolate().refusals, self.services.now_ms());
        let refused = self.refused(status, code);
        if refusals.is_repeat(&refused, now_ms) {
            return;
        }
        let denied = AuditMode::Deny(denial(status, code, None));
        if self.send(record, denied, 0).await.is_ok() {
            refusals.watch(refused, now_ms);
        }
    }
}

/// The budget of a caller whose request may go no way that is recorded.
pub(super) struct CallerBudget {
    budget: Dollars,
    actor: String,
    shows_spent: bool,
}

impl CallerBudget {
    /// `None` for a caller without one.
    pub(super) fn of(config: &Config, caller: &Caller) -> Option<Self> {
        let (actor, shows_spent) = (caller.name.clone(), shows_spent(caller));
        Some(Self { budget: config.daily_budget_of(caller)?, actor, shows_spent })
    }

    /// The header of [`AuditTrail::budget_header`].
    pub(super) fn header(&self, services: &impl Services) -> (&'static str, String) {
        let now_ms = services.now_ms();
        let spent = known_spent(services, &self.actor, now_ms).filter(|_| self.shows_spent);
        budget_words(self.budget, spent, now_ms)
    }
}

/// What a caller has cost today, if the audit log said so to this isolate.
fn known_spent(services: &impl Services, actor: &str, now_ms: i64) -> Option<Dollars> {
    services.isolate().costs.known(actor, now_ms).map(Dollars::from_nanos)
}

fn budget_words(budget: Dollars, spent: Option<Dollars>, now_ms: i64) -> (&'static str, String) {
    let ends = rfc3339_s(day_end_ms(now_ms).div_euclid(1_000));
    let spent = spent.map(|spent| format!(", spent={spent}"));
    (BUDGET_HEADER, format!("budget={budget}{}, ends={ends}", spent.unwrap_or_default()))
}

/// The name of the caller who was not let in, and the code of the denial, where the name is known.
fn known_failure(failure: &AuthFailure) -> Option<(&str, &'static str)> {
    match failure {
        AuthFailure::Expired(name) => Some((name, "token_expired")),
        AuthFailure::Revoked(name) => Some((name, "token_revoked")),
        AuthFailure::NoGrant(name) => Some((name, "no_grant")),
        _ => None,
    }
}

/// Records that a caller was not let in: under its name where that is known, else as one of the unknown callers.
pub(super) async fn record_failure<B>(
    config: &Config,
    services: &impl Services,
    spec: &RouteSpec,
    record: &RequestRecord,
    request: &HttpRequest<B>,
    failure: &AuthFailure,
) {
    if let Some((name, code)) = known_failure(failure) {
        let trail = AuditTrail::of_name(config, services, spec, name.to_owned(), request);
        return trail.deny_known(record, failure.status(), code).await;
    }
    if matches!(failure, AuthFailure::NoKeys | AuthFailure::NoTokens) {
        return;
    }
    let (action, address) = (spec.name(), client_address(request));
    let unknown = UnknownRequest { action, address, reason: failure.to_string() };
    if let Some(report) = services.unknown_callers().note(unknown, services.now_ms()) {
        report_unknown(services, report).await;
    }
}

/// Brings what this isolate counted of unknown callers to the audit log's first chain.
async fn report_unknown(services: &impl Services, report: UnknownReport) {
    let samples = serde_json::to_value(&report.samples).unwrap_or(Value::Null);
    let event = AuditEvent {
        auth_method: NONE.to_owned(),
        role: String::new(),
        address: String::new(),
        action: UNAUTHENTICATED.to_owned(),
        resource: String::new(),
        request: [("samples".to_owned(), samples)].into(),
        reason: None,
    };
    let denial = Denial { count: report.count, ..denial(401, "unauthorized", None) };
    let mode = AuditMode::Deny(denial);
    let (actor, refused, costs) = (String::new(), Vec::new(), Vec::new());
    let (per_minute, token_generation, cost, budget, over_budget) = (0, None, 0, None, false);
    let erasures = None;
    let append = AppendEvent {
        actor,
        per_minute,
        event,
        mode,
        token_generation,
        erasures,
        refused,
        cost,
        budget,
        over_budget,
        costs,
    };
    if rpc::call(services.audit_log(), AUDIT, &append).await.is_err() {
        services.unknown_callers().restore(report);
    }
}

/// Whether callers are refused it whose daily budget is spent: what shows records, and reads batches for that. Operators keep
/// all else: the state of the deployment, deliveries and tokens; uploads; and the handshakes of assistants.
const fn is_budgeted(spec: &RouteSpec) -> bool {
    spec.shows_records() && spec.audited
}

fn denial(status: u16, code: &str, refers_to: Option<u64>) -> Denial {
    Denial { status, code: code.to_owned(), count: 1, refers_to }
}

/// The address that the request came from; empty where the platform does not say it.
fn client_address<B>(request: &HttpRequest<B>) -> String {
    let address = request.header(CLIENT_ADDRESS).and_then(|text| text.trim().parse::<IpAddr>().ok());
    address.map_or_else(String::new, |address| address.to_string())
}
