//! The way of each record to the partner.

use super::texts::{InstantText, counted, grouped, size_text};
use super::{AnswerDelivery, AnswerPayload, AnswerRepetition};
use crate::limits::PAGE_DELIVERIES;
use crate::record::Timestamp;

/// The delivery of a record.
#[derive(Debug)]
pub(super) struct DeliveryTrail {
    /// What became of it, in words.
    pub(super) status: String,
    /// The object that it is in.
    pub(super) place: String,
    /// The payloads that carry it, or may.
    pub(super) payloads: Vec<PayloadTrail>,
    /// Its deliveries once more, in order.
    pub(super) again: Vec<RepetitionTrail>,
}

/// The delivery of a record once more.
#[derive(Debug)]
pub(super) struct RepetitionTrail {
    /// What became of it, in words.
    pub(super) status: String,
    /// The backfill and its reason, in words.
    pub(super) cause: String,
    /// The payloads that carry it, or may.
    pub(super) payloads: Vec<PayloadTrail>,
}

/// A payload: a heading, and a row for each fact.
#[derive(Debug)]
pub(super) struct PayloadTrail {
    /// Its state, in words.
    pub(super) state: String,
    /// What the state is drawn as.
    pub(super) tone: &'static str,
    /// Labels and values.
    pub(super) facts: Vec<(&'static str, String)>,
}

/// Returns the trails of all deliveries, and how many follow the last of them.
pub(super) fn delivery_trails(deliveries: &[AnswerDelivery], now_ms: i64) -> (Vec<DeliveryTrail>, usize) {
    let trails = deliveries.iter().take(PAGE_DELIVERIES).map(|delivery| DeliveryTrail::new(delivery, now_ms)).collect();
    (trails, deliveries.len().saturating_sub(PAGE_DELIVERIES))
}

impl DeliveryTrail {
    fn new(delivery: &AnswerDelivery, now_ms: i64) -> Self {
        let offset = delivery.batch.offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default();
        let AnswerDelivery { delivery_status, exact, reason, payloads, again, .. } = delivery;
        Self {
            status: status_words(delivery_status, *exact, reason.as_deref()),
            place: format!("{}{offset}", delivery.batch.key),
            payloads: payload_trails(payloads, now_ms),
            again: again.iter().take(PAGE_DELIVERIES).map(|again| RepetitionTrail::new(again, now_ms)).collect(),
        }
    }
}

impl RepetitionTrail {
    fn new(repetition: &AnswerRepetition, now_ms: i64) -> Self {
        let AnswerRepetition { backfill, delivery_status, reason, exact, payloads } = repetition;
        let words = backfill.as_ref().map(|backfill| {
            let when = backfill.created_at.as_deref().map(|at| format!(" of {}", instant_text(at, now_ms)));
            let why = backfill.reason.as_deref().map(|reason| format!(": {reason}"));
            format!("Backfill {}{}{}", backfill.id, when.unwrap_or_default(), why.unwrap_or_default())
        });
        Self {
            status: status_words(delivery_status, *exact, reason.as_deref()),
            cause: words.unwrap_or_default(),
            payloads: payload_trails(payloads, now_ms),
        }
    }
}

fn payload_trails(payloads: &[AnswerPayload], now_ms: i64) -> Vec<PayloadTrail> {
    payloads.iter().take(PAGE_DELIVERIES).map(|payload| PayloadTrail::new(payload, now_ms)).collect()
}

/// Returns what became of a record.
fn status_words(delivery_status: &str, exact: bool, reason: Option<&str>) -> String {
    let words = match delivery_status {
        "assigned" if exact => "In a payload for the partner",
        "assigned" => "In one of these payloads for the partner",
        "excluded" => return format!("Not delivered: {}", exclusion_words(reason)),
        "merged" => "Not delivered: it came merged in the record of another request",
        "no_plan" => "Not delivered: its batch has no plan for the partner",
        "pending" => "Not delivered yet: its batch is still being read",
        "unknown_plan" => "Not known: the plan of its batch is not known",
        "unknown_batch" => "Not known: the ledger does not know its batch",
        _ => "Not known",
    };
    words.to_owned()
}

fn exclusion_words(reason: Option<&str>) -> &'static str {
    match reason {
        Some("subrequest") => "a Worker sent the request",
        Some("not_a_visitor") => "no visitor sent the request",
        Some("filter") => "the filter of the deployment leaves it out",
        Some("backfill_filter") => "the filter of the backfill leaves it out",
        Some("no_record") => "its line is no record",
        Some("unsettled_dataset") => "its fields do not settle that it is an HTTP request",
        Some("duplicate") => "another payload has the same line",
        _ => "the plan leaves it out",
    }
}

impl PayloadTrail {
    fn new(payload: &AnswerPayload, now_ms: i64) -> Self {
        let is_erased = payload.state == "split" && payload.code.as_deref() == Some("erased");
        let (state, tone) = if is_erased { ("Replaced: lines were erased", "") } else { state_words(&payload.state) };
        Self { state: state.to_owned(), tone, facts: facts_of(payload, now_ms) }
    }
}

fn state_words(state: &str) -> (&'static str, &'static str) {
    match state {
        "prepared" => ("Waits to be sent", "warn"),
        "sending" => ("Is being sent", "warn"),
        "delivered" => ("Delivered", "ok"),
        "parked" => ("Parked: an operator decides", "error"),
        "dropped" => ("Dropped by an operator", "error"),
        "confirmed" => ("Confirmed by an operator", "ok"),
        "split" => ("Split into two payloads", ""),
        _ => ("In an unknown state", ""),
    }
}

/// Returns the facts of a payload that its caller may know.
fn facts_of(payload: &AnswerPayload, now_ms: i64) -> Vec<(&'static str, String)> {
    let instant = |text: &Option<String>| text.as_deref().map(|text| instant_text(text, now_ms));
    let positive = |count: u64, noun: &str| (count > 0).then(|| counted(count, noun));
    let waits = payload.waits_for.as_ref().map(|waits| match &payload.waits_reason {
        Some(reason) => format!("{waits} ({reason})"),
        None => waits.clone(),
    });
    let facts = [
        ("Partner's answer", payload.status.map(|status| status.to_string())),
        ("Last failure", payload.code.clone()),
        ("Attempts", Some(grouped(payload.attempts))),
        ("Unknown outcome", positive(payload.unknown_outcomes, "attempt")),
        ("Never left", positive(payload.not_sent, "attempt")),
        ("Last attempt", instant(&payload.last_attempt_at)),
        ("Last POST took", payload.last_post_ms.map(|ms| format!("{ms} ms"))),
        ("Waits for", waits),
        ("Waits until", instant(&payload.waits_until)),
        ("Next attempt", instant(&payload.next_attempt_at)),
        ("Completed", instant(&payload.completed_at)),
        ("Operator's reason", payload.reason.clone()),
        ("Lines", payload.lines.map(grouped)),
        ("Size", payload.bytes.map(|bytes| format!("{} ({} bytes)", size_text(bytes), grouped(bytes)))),
        ("SHA-256", payload.sha256.clone()),
        ("Payload", payload.id.clone()),
        ("X-Batch-Id", payload.partner_batch_id.clone()),
        ("Replaced by", payload.split_into.as_ref().map(|payloads| payloads.join(", "))),
    ];
    facts.into_iter().filter_map(|(label, value)| Some((label, value?))).collect()
}

fn instant_text(text: &str, now_ms: i64) -> String {
    match Timestamp::parse(text) {
        Some(at) => {
            let InstantText { text, relative, .. } = InstantText::new(at.unix_ms(), now_ms);
            format!("{text}, {relative}")
        }
        None => text.to_owned(),
    }
}
