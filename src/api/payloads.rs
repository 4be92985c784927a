//! `GET /v1/payloads`, `POST /v1/payloads/decide`, and `POST /v1/payloads/{payload}/resend`, `/release`, `/drop`,
//! `/confirm`: payloads across all ledgers, and an operator's decisions about them.
//!
//! # Invariants
//! A decision has a reason. A 200 about one payload means that its state changed, and reports both states. A decision by a
//! filter applies to what was counted before, or to nothing. The partner's words are shown with the scope `deliver` alone.

use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::batches::{exists_for, payload_page};
use super::ledgers::{LedgerCounts, ask_ledger, call_ledger, check_registered, newest_ledgers};
use super::list_document::ListDocument;
use super::operation_reason::{check_reason, parse_reason};
use super::views::PayloadResponse;
use crate::access::{Caller, Scope};
use crate::backend::Queue;
use crate::config::Config;
use crate::http::media_type::JSON;
use crate::http::{HttpRequest, Problem, Reply, parse_instant, problems};
use crate::ledger::books::PayloadView;
use crate::ledger::calls::{DecideDelivery, DeliveryDecision};
use crate::ledger::payloads::{
    CountPayloads, DecidePayloads, ListPayloads, PayloadFilter, PayloadList, PayloadSet, SetDecision,
};
use crate::ledger::{BatchId, DeliveryGroup, DeliveryId, DeliveryState};
use crate::limits::{
    CONCURRENT_CALLS, DECIDED_AT_ONCE, HOURS_READ, LISTED, PAYLOADS_LISTED, PAYLOADS_NAMED, PAYLOADS_PAGE,
};
use crate::services::Services;
use crate::time::rfc3339;

/// Maximum length of a code, in bytes.
const CODE_BYTES: usize = 64;
/// The accepted values of `older_than`.
const AGES: &str = "an age such as 90m, 24h or 3d, or an instant";

/// A payload of a list.
#[derive(Serialize)]
struct ListedPayload {
    #[serde(flatten)]
    payload: PayloadResponse,
    /// The partner's words with its last refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
}

/// The members after the payloads.
#[derive(Serialize)]
struct PayloadListTail {
    /// Whether the list reached `limit`, or some ledgers were not read.
    truncated: bool,
    /// The value of `after` for the next page.
    next: Option<String>,
    ledgers: LedgerCounts,
}

/// Lists payloads, newest hour first.
pub(crate) async fn list_payloads<Y>(
    services: &impl Services,
    caller: &Caller,
    request: &HttpRequest<Y>,
) -> Result<Reply, Problem> {
    let parameter = |name| request.parameter(name);
    let filter = parse_filter(parameter("state"), parameter("code"), parameter("older_than"), services.now_ms())?;
    let limit = request.number_parameter("limit", LISTED, PAYLOADS_LISTED)?;
    let ledgers = newest_ledgers(services, HOURS_READ).await?;
    let after = parse_after(parameter("after"), &ledgers.names)?;
    // One extra payload shows whether there are more.
    let first = |name: &String| {
        let after = after.as_ref().filter(|(id, _)| id.ledger == *name).map(|(id, _)| place_of(id));
        ListPayloads { filter: filter.clone(), limit: PAYLOADS_PAGE.min(limit + 1), after }
    };
    let names = ledgers.names.get(after.as_ref().map_or(0, |(_, at)| *at)..).unwrap_or_default();
    let mut answers = stream::iter(names)
        .map(async |name: &String| {
            let call = first(name);
            Ok::<_, Problem>((name, call_ledger(services, name, &call).await?, call))
        })
        .buffered(CONCURRENT_CALLS);
    let mut document = ListDocument::begin(services.memory(), &serde_json::json!({}), "payloads")?;
    let (mut listed, mut last) = (0, None);
    'ledgers: while let Some(answer) = answers.next().await {
        let (name, mut page, mut call) = answer?;
        loop {
            let (PayloadList { payloads }, _held) = page.into_parts();
            let is_full = payloads.len() as u64 >= call.limit;
            for view in payloads {
                listed += 1;
                if listed > limit {
                    break 'ledgers;
                }
                last = DeliveryId::from_handle(&view.id);
                document.push(&ListedPayload::new(view, caller))?;
            }
            let Some(next) = last.as_ref().filter(|id| is_full && id.ledger == *name) else { break };
            call = ListPayloads { after: Some(place_of(next)), ..call };
            page = call_ledger(services, name, &call).await?;
        }
    }
    let next = last.filter(|_| listed > limit).map(|id| id.handle());
    let truncated = next.is_some() || ledgers.total > ledgers.names.len() as u64;
    let ledgers = LedgerCounts { scanned: ledgers.names.len() as u64, total: ledgers.total };
    Ok(Reply::new(200, JSON, document.end(&PayloadListTail { truncated, next, ledgers })?))
}

impl ListedPayload {
    fn new(mut view: PayloadView, caller: &Caller) -> Self {
        let refusal = view.refusal.take().filter(|_| caller.may(Scope::Deliver));
        Self { payload: view.into(), refusal }
    }
}

/// Returns the place of a payload in its ledger's list.
fn place_of(id: &DeliveryId) -> (crate::ledger::SourceId, u32, String) {
    (id.source.clone(), id.plan, id.index.clone())
}

/// Parses a filter of payloads.
fn parse_filter(
    state: Option<String>,
    code: Option<String>,
    older_than: Option<String>,
    now_ms: i64,
) -> Result<PayloadFilter, Problem> {
    let bad_state = || problems::bad_parameter("state", &DeliveryState::ALL.map(DeliveryState::name).join(", "));
    let state = state.map(|name| DeliveryState::from_name(&name).ok_or_else(bad_state)).transpose()?;
    let is_code = |code: &String| {
        let sign = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        (1..=CODE_BYTES).contains(&code.len()) && code.bytes().all(sign)
    };
    if !code.iter().all(is_code) {
        return Err(problems::bad_parameter("code", "the code of a payload's last failure, such as permanent"));
    }
    let bad_age = || problems::bad_parameter("older_than", AGES);
    let before_ms = older_than.map(|text| parse_age(&text, now_ms).ok_or_else(bad_age)).transpose()?;
    Ok(PayloadFilter { state, code, before_ms })
}

/// Parses an age, such as `90m`, or an instant, into Unix milliseconds.
fn parse_age(text: &str, now_ms: i64) -> Option<i64> {
    let units = [("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let age = units.iter().find_map(|(unit, ms)| text.strip_suffix(unit)?.parse::<u32>().ok().map(|count| (count, ms)));
    match age {
        Some((count, ms)) => Some(now_ms.saturating_sub(i64::from(count) * ms)),
        None => parse_instant(text).ok().map(|ns| ns.div_euclid(1_000_000)),
    }
}

/// Parses the last payload of the page before, and finds its ledger among these.
fn parse_after(text: Option<String>, ledgers: &[String]) -> Result<Option<(DeliveryId, usize)>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let id = DeliveryId::from_handle(&text);
    let found = id.and_then(|id| ledgers.iter().position(|name| *name == id.ledger).map(|at| (id, at)));
    found.map(Some).ok_or_else(|| problems::bad_parameter("after", "the handle of the last payload of the page before"))
}

/// The body of a decision about several payloads.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionBody {
    decision: DeliveryDecision,
    payloads: Option<Vec<String>>,
    state: Option<String>,
    code: Option<String>,
    older_than: Option<String>,
    #[serde(default)]
    dry_run: bool,
    expected: Option<String>,
    reason: Option<Value>,
}

/// What a decision by a filter would apply to.
#[derive(Serialize)]
struct CountResponse {
    dry_run: bool,
    count: u64,
    lines: u64,
    /// Whether the filter selects more, which another decision takes.
    more: bool,
    /// The instant that the filter's age came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    older_than: Option<String>,
    /// What the decision must carry.
    expected: String,
}

/// What a decision by a filter applied to.
#[derive(Serialize)]
struct FilterDecisionResponse {
    decided: u64,
    lines: u64,
    /// Number of counted payloads that were left alone: something happened to them in the meantime, or the body of a
    /// delivered one is gone.
    left: u64,
}

/// Decides about several payloads, by their handles or by a filter whose payloads were counted first.
pub(crate) async fn decide_payloads(config: &Config, services: &impl Services, body: &[u8]) -> Result<Reply, Problem> {
    let body: DecisionBody = serde_json::from_slice(body).map_err(|_| problems::not_a_decision())?;
    let is_resend = body.decision == DeliveryDecision::Resend && !body.dry_run;
    let reply = decide_set(services, body).await?;
    if is_resend {
        super::partner::make_probe_due(config, services).await?;
    }
    Ok(reply)
}

/// Decides about the payloads that a body names or selects.
async fn decide_set(services: &impl Services, body: DecisionBody) -> Result<Reply, Problem> {
    let DecisionBody { decision, payloads, state, code, older_than, dry_run, expected, reason } = body;
    if let Some(handles) = payloads {
        let has_filter = state.is_some() || code.is_some() || older_than.is_some() || expected.is_some();
        if has_filter || dry_run || !(1..=PAYLOADS_NAMED).contains(&handles.len()) {
            return Err(problems::not_a_decision());
        }
        return decide_named(services, &handles, decision, check_reason(reason)?).await;
    }
    let state = state.unwrap_or_else(|| DeliveryState::Parked.name().to_owned());
    let filter = parse_filter(Some(state), code, older_than, services.now_ms())?;
    let fits = match filter.state {
        Some(DeliveryState::Parked) => true,
        Some(DeliveryState::Delivered | DeliveryState::Confirmed) => decision == DeliveryDecision::Resend,
        _ => false,
    };
    if !fits {
        return Err(problems::not_a_decision());
    }
    if dry_run {
        let counted = CountedPayloads::find(services, &filter).await?;
        return Ok(Reply::json(services.memory(), &counted.into_response(&filter))?);
    }
    let reason = check_reason(reason)?;
    let expected = expected.ok_or_else(problems::expected_missing)?;
    let counted = CountedPayloads::find(services, &filter).await?;
    if counted.name() != expected {
        return Err(problems::payloads_changed());
    }
    let decided = counted.decide(services, &filter, decision, &reason).await?;
    Ok(Reply::json(services.memory(), &decided)?)
}

/// The payloads that a filter selects in each ledger.
struct CountedPayloads {
    ledgers: Vec<(String, PayloadSet)>,
    /// Whether there are more.
    more: bool,
}

impl CountedPayloads {
    /// Counts the first payloads, at most [`DECIDED_AT_ONCE`].
    async fn find(services: &impl Services, filter: &PayloadFilter) -> Result<Self, Problem> {
        let names = newest_ledgers(services, HOURS_READ).await?;
        let call = CountPayloads { filter: filter.clone(), limit: DECIDED_AT_ONCE };
        let mut answers = stream::iter(&names.names)
            .map(async |name: &String| Ok::<_, Problem>((name, ask_ledger(services, name, &call).await?)))
            .buffered(CONCURRENT_CALLS);
        let (mut ledgers, mut total, mut more) = (Vec::new(), 0, names.total > names.names.len() as u64);
        while let Some(answer) = answers.next().await {
            let (name, set) = answer?;
            if set.payloads == 0 {
                continue;
            }
            // A ledger is decided about as a whole.
            more |= total + set.payloads > DECIDED_AT_ONCE || set.payloads == DECIDED_AT_ONCE;
            if total + set.payloads > DECIDED_AT_ONCE {
                break;
            }
            total += set.payloads;
            ledgers.push((name.clone(), set));
        }
        Ok(Self { ledgers, more })
    }

    fn sum(&self, figure: impl Fn(&PayloadSet) -> u64) -> u64 {
        self.ledgers.iter().map(|(_, set)| figure(set)).sum()
    }

    /// Returns a name that changes with the payloads, their states and attempts.
    fn name(&self) -> String {
        let mut digest = Sha256::new();
        for (name, set) in &self.ledgers {
            digest.update(format!("{name} {}\n", set.digest));
        }
        let mut digits = hex::encode(digest.finalize());
        digits.truncate(16);
        format!("{}-{digits}", self.sum(|set| set.payloads))
    }

    fn into_response(self, filter: &PayloadFilter) -> CountResponse {
        CountResponse {
            dry_run: true,
            count: self.sum(|set| set.payloads),
            lines: self.sum(|set| set.lines),
            more: self.more,
            older_than: filter.before_ms.map(rfc3339),
            expected: self.name(),
        }
    }

    /// Applies a decision to them, ledger by ledger; one whose payloads have changed is left alone.
    async fn decide(
        self,
        services: &impl Services,
        filter: &PayloadFilter,
        decision: DeliveryDecision,
        reason: &str,
    ) -> Result<FilterDecisionResponse, Problem> {
        let mut response = FilterDecisionResponse { decided: 0, lines: 0, left: self.sum(|set| set.payloads) };
        for (name, expected) in self.ledgers {
            let count = CountPayloads { filter: filter.clone(), limit: DECIDED_AT_ONCE };
            let call = DecidePayloads { count, expected, decision, reason: reason.to_owned() };
            let SetDecision { decided, lines, .. } = ask_ledger(services, &name, &call).await?;
            response.decided += decided;
            response.lines += lines;
            response.left = response.left.saturating_sub(decided);
        }
        Ok(response)
    }
}

/// The state of the payload before and after the decision.
#[derive(Serialize)]
struct DecisionResponse {
    payload: String,
    before: DeliveryState,
    state: DeliveryState,
}

/// What became of each payload that a decision named.
#[derive(Serialize)]
struct NamedDecisionResponse {
    decided: usize,
    left: usize,
    payloads: Vec<NamedOutcome>,
}

/// The states of a payload that a decision named; null if there is none of this name. Equal states mean that it was left
/// alone.
#[derive(Serialize)]
struct NamedOutcome {
    payload: String,
    before: Option<DeliveryState>,
    state: Option<DeliveryState>,
}

/// Applies the decision to each of these payloads.
async fn decide_named(
    services: &impl Services,
    handles: &[String],
    decision: DeliveryDecision,
    reason: String,
) -> Result<Reply, Problem> {
    let ids: Option<Vec<DeliveryId>> = handles.iter().map(|handle| DeliveryId::from_handle(handle)).collect();
    let ids = ids.ok_or_else(problems::no_such_payload)?;
    for id in &ids {
        check_registered(services, &id.ledger, problems::no_such_payload).await?;
    }
    let (mut outcomes, mut send) = (Vec::new(), Vec::new());
    for id in &ids {
        let call = DecideDelivery { id: id.clone(), decision, reason: reason.clone() };
        let decided = ask_ledger(services, &id.ledger, &call).await?;
        send.extend(decided.send);
        outcomes.push(NamedOutcome { payload: id.handle(), before: decided.before, state: decided.state });
    }
    if !send.is_empty() {
        // The ledger sends a lost message again after a minute.
        let _sent = services.send_queue().send(&DeliveryGroup::each_alone(send)).await;
    }
    let decided = outcomes.iter().filter(|outcome| outcome.before != outcome.state).count();
    let left = outcomes.len() - decided;
    Ok(Reply::json(services.memory(), &NamedDecisionResponse { decided, left, payloads: outcomes })?)
}

/// Applies the decision; 409 if the state of the payload does not allow it.
pub(crate) async fn decide_payload(
    config: &Config,
    services: &impl Services,
    (caller, body): (&Caller, &[u8]),
    argument: &str,
    decision: DeliveryDecision,
) -> Result<Reply, Problem> {
    let id = DeliveryId::from_handle(argument).ok_or_else(problems::no_such_payload)?;
    let reason = parse_reason(body)?;
    check_registered(services, &id.ledger, problems::no_such_payload).await?;
    if !caller.visibility().has_totals() {
        let batch = BatchId { ledger: id.ledger.clone(), source: id.source.clone() };
        let (known, _held) = payload_page(services, &batch, None, 0).await?.into_parts();
        known.batch.filter(|batch| exists_for(caller, batch)).ok_or_else(problems::no_such_payload)?;
    }
    let decided = ask_ledger(services, &id.ledger, &DecideDelivery { id: id.clone(), decision, reason }).await?;
    let (Some(before), Some(state)) = (decided.before, decided.state) else {
        return Err(problems::no_such_payload());
    };
    if before == state {
        let sends = matches!(decision, DeliveryDecision::Resend | DeliveryDecision::Release);
        return Err(if sends && decided.erased { problems::body_erased(state) } else { problems::not_parked(state) });
    }
    if decision == DeliveryDecision::Resend {
        super::partner::make_probe_due(config, services).await?;
    }
    if !decided.send.is_empty() {
        // The ledger sends a lost message again after a minute.
        let _sent = services.send_queue().send(&DeliveryGroup::each_alone(decided.send)).await;
    }
    Ok(Reply::json(services.memory(), &DecisionResponse { payload: id.handle(), before, state })?)
}
