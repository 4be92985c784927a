//! The services of one request: what it reserves counts against the share of its caller.
//!
//! # Invariants
//! Every request in flight holds its base amount, from before it is authenticated until nothing of it is left. Until it is
//! admitted it can call the shards of the index and the audit log, and nothing else.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;

use super::admission_gate::{AdmissionGate, Gated};
use super::cost_meter::CostMeter;
use crate::access::{
    AccessRules, AuthFailure, Caller, ChainNumber, Credentials, Dollars, SpentDailyBudget, UnknownCallers, Visibility,
};
use crate::audit::calls::{KnownCost, ReportCosts};
use crate::audit::chains::chain_object;
use crate::bucket_keys::LogPrefixes;
use crate::config::Config;
use crate::http::HttpRequest;
use crate::limits::{BUDGET_REPORTS, COST_REPORT_NANOS, REQUEST_BYTES, REQUEST_COPIES};
use crate::memory::{MemoryBudget, OutOfMemory, ReadPermits, Reservation, ScanPermits};
use crate::rpc::{self, Bell};
use crate::services::{IsolateMemory, Services};
use crate::time::day_end_ms;

/// The services of the deployment with the memory of one request, behind its gate.
#[derive(Debug)]
pub(super) struct RequestServices<D: Services> {
    services: Rc<D>,
    gate: Rc<AdmissionGate>,
    logs: Gated<D, D::Bucket>,
    data: Gated<D, D::Bucket>,
    shards: Gated<D, D::Shards>,
    ledgers: Gated<D, D::Ledgers>,
    parse_queue: Gated<D, D::ParseQueue>,
    send_queue: Gated<D, D::SendQueue>,
    memory: MemoryBudget,
    /// The base amount, and the body of the request.
    base: Reservation,
    budget: RequestBudget,
}

/// The caller of a request, and the budget that it has.
#[derive(Debug)]
struct RequestBudget {
    meter: Rc<CostMeter>,
    actor: String,
    chain: ChainNumber,
    chains: u8,
    daily: Option<Dollars>,
    shows_spent: bool,
}

impl RequestBudget {
    fn new(config: &Config, services: &impl Services, caller: &Caller) -> Self {
        let (actor, chains) = (caller.name.clone(), config.audit_chains);
        Self {
            meter: Rc::new(CostMeter::new(&services.isolate().costs, &actor)),
            chain: ChainNumber::of_caller(&actor, chains),
            chains,
            daily: config.daily_budget_of(caller),
            shows_spent: shows_spent(caller),
            actor,
        }
    }

    /// Reports what the isolate counted, once it is much. A report that fails is sent again later.
    async fn report(&self, services: &impl Services) {
        let costs = &services.isolate().costs;
        let share = self.daily.map_or(u64::MAX, |budget| budget.nanos().div_euclid(BUDGET_REPORTS));
        if !costs.is_due(&self.actor, COST_REPORT_NANOS.min(share).max(1), || services.now_ms()) {
            return;
        }
        let has_same_chain = |actor: &str| ChainNumber::of_caller(actor, self.chains) == self.chain;
        let report = ReportCosts { actor: self.actor.clone(), costs: costs.take(&self.actor, has_same_chain) };
        let answer = Box::pin(rpc::call(services.audit_log(), &chain_object(self.chain), &report)).await;
        if let Ok(KnownCost { spent }) = answer {
            costs.note(&self.actor, spent, services.now_ms());
        } else {
            costs.restore(report.costs);
            costs.pause_reports(services.now_ms());
        }
    }

    fn check(&self, services: &impl Services) -> Result<(), SpentDailyBudget> {
        let Some(budget) = self.daily else { return Ok(()) };
        let now_ms = services.now_ms();
        let spent = services.isolate().costs.spent(&self.actor, now_ms);
        if spent < budget.nanos() {
            return Ok(());
        }
        let spent = self.shows_spent.then_some(Dollars::from_nanos(spent));
        Err(SpentDailyBudget { budget, spent, ends_ms: day_end_ms(now_ms) })
    }
}

/// Whether a caller may know what its requests cost: that depends on records which those with zones or datasets do not see.
pub(super) fn shows_spent(caller: &Caller) -> bool {
    caller.visibility() == Visibility::Everything
}

/// Reserves the base amount of a request: its head, what is made of it, and its futures.
pub(super) fn reserve_base<B>(memory: &MemoryBudget, request: &HttpRequest<B>) -> Result<Reservation, OutOfMemory> {
    let headers = request.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    let head = request.path.len() + request.query.len() + headers.sum::<usize>();
    memory.reserve(REQUEST_BYTES + REQUEST_COPIES * head)
}

impl<D: Services> RequestServices<D> {
    /// Moves the base amount into the share of the caller.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the share is used up.
    pub(super) fn new(
        config: &Config,
        services: &Rc<D>,
        caller: &Caller,
        base: Reservation,
    ) -> Result<Self, OutOfMemory> {
        let memory = services.memory().for_request_of(&caller.name);
        let bytes = base.bytes();
        drop(base);
        let base = memory.reserve(bytes)?;
        let gate = Rc::default();
        let budget = RequestBudget::new(config, services.as_ref(), caller);
        let guards = (&gate, &budget.meter);
        // The index may be asked before the request is admitted.
        let open: Rc<AdmissionGate> = Rc::default();
        open.open();
        Ok(Self {
            services: Rc::clone(services),
            logs: Gated::new(services, guards, D::bucket),
            data: Gated::new(services, guards, D::data_bucket),
            shards: Gated::new(services, (&open, &budget.meter), D::shards),
            ledgers: Gated::new(services, guards, D::ledgers),
            parse_queue: Gated::new(services, guards, D::parse_queue),
            send_queue: Gated::new(services, guards, D::send_queue),
            gate,
            memory,
            base,
            budget,
        })
    }

    /// Notes what the audit log charges for the request in advance.
    pub(super) fn advance(&self, nanos: u64) {
        self.budget.meter.advance(nanos);
    }

    /// The services that admit the request itself, which wait behind no gate.
    pub(super) fn of_deployment(&self) -> &D {
        &self.services
    }

    /// Opens the gate: the request is admitted.
    pub(super) fn admit(&self) {
        self.gate.open();
    }

    /// The reservation of the base amount, which lasts as long as the request.
    pub(super) const fn base(&self) -> &Reservation {
        &self.base
    }
}

impl<D: Services> Services for RequestServices<D> {
    type Bucket = Gated<D, D::Bucket>;
    type Shards = Gated<D, D::Shards>;
    type Ledgers = Gated<D, D::Ledgers>;
    type AuditLog = D::AuditLog;
    type ParseQueue = Gated<D, D::ParseQueue>;
    type SendQueue = Gated<D, D::SendQueue>;

    fn bucket(&self) -> &Self::Bucket {
        &self.logs
    }

    fn data_bucket(&self) -> &Self::Bucket {
        &self.data
    }

    fn bucket_name(&self) -> &str {
        self.services.bucket_name()
    }

    fn log_prefixes(&self) -> &LogPrefixes {
        self.services.log_prefixes()
    }

    fn shards(&self) -> &Self::Shards {
        &self.shards
    }

    fn ledgers(&self) -> &Self::Ledgers {
        &self.ledgers
    }

    fn audit_log(&self) -> &D::AuditLog {
        self.services.audit_log()
    }

    fn parse_queue(&self) -> &Self::ParseQueue {
        &self.parse_queue
    }

    fn send_queue(&self) -> &Self::SendQueue {
        &self.send_queue
    }

    async fn authenticate(&self, rules: &AccessRules, presented: Credentials<'_>) -> Result<Caller, AuthFailure> {
        self.services.authenticate(rules, presented).await
    }

    fn unknown_callers(&self) -> &UnknownCallers {
        self.services.unknown_callers()
    }

    fn isolate(&self) -> &IsolateMemory {
        self.services.isolate()
    }

    fn now_ms(&self) -> i64 {
        self.services.now_ms()
    }

    async fn sleep(&self, ms: i64) {
        self.services.sleep(ms).await;
    }

    fn bell(&self) -> (Bell, LocalBoxFuture<'static, ()>) {
        self.services.bell()
    }

    fn carry_on(&self, work: LocalBoxFuture<'static, ()>) -> LocalBoxFuture<'static, ()> {
        self.services.carry_on(work)
    }

    fn random_bits(&self) -> u32 {
        self.services.random_bits()
    }

    async fn check_daily_budget(&self) -> Result<(), SpentDailyBudget> {
        self.budget.report(self.services.as_ref()).await;
        self.budget.check(self.services.as_ref())
    }

    fn memory(&self) -> &MemoryBudget {
        &self.memory
    }

    fn read_permits(&self) -> &ReadPermits {
        self.services.read_permits()
    }

    fn scan_permits(&self) -> &ScanPermits {
        self.services.scan_permits()
    }

    fn pack_bytes(&self) -> usize {
        self.services.pack_bytes()
    }

    fn group_payloads(&self) -> usize {
        self.services.group_payloads()
    }

    fn partitions(&self) -> u8 {
        self.services.partitions()
    }
}
