//! `POST /v1/payloads/{payload}/resend`, `/release`, `/drop`: an operator's decision about a payload.
//!
//! # Invariants
//! A decision has a reason. A 200 means that the state of the payload changed, and reports both states.

use serde::Serialize;

use super::ledgers::call_ledger;
use super::operation_reason::parse_reason;
use crate::backend::Queue;
use crate::http::{Problem, Reply, problems};
use crate::ledger::calls::{DecideDelivery, DeliveryDecision};
use crate::ledger::{DeliveryId, DeliveryState};
use crate::services::Services;

/// The state of the payload before and after the decision.
#[derive(Serialize)]
struct DecisionResponse {
    payload: String,
    before: DeliveryState,
    state: DeliveryState,
}

/// Applies the decision; 409 if the state of the payload does not allow it.
pub(crate) async fn decide_payload(
    services: &impl Services,
    body: &[u8],
    argument: &str,
    decision: DeliveryDecision,
) -> Result<Reply, Problem> {
    let id = DeliveryId::from_handle(argument).ok_or_else(problems::no_such_payload)?;
    let reason = parse_reason(body)?;
    let decided = call_ledger(services, &id.ledger, &DecideDelivery { id: id.clone(), decision, reason }).await?;
    let (Some(before), Some(state)) = (decided.before, decided.state) else {
        return Err(problems::no_such_payload());
    };
    if before == state {
        return Err(problems::not_parked(state));
    }
    if !decided.send.is_empty() {
        // The ledger sends a lost message again after a minute.
        let _sent = services.send_queue().send(&decided.send).await;
    }
    Ok(Reply::json(&DecisionResponse { payload: id.handle(), before, state }))
}
