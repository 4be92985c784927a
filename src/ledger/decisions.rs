//! A person's decision about one payload, as a call.

use serde::{Deserialize, Serialize};

use super::delivery::DeliveryState;
use super::ids::DeliveryId;
use crate::rpc::calls;

calls! {
    "v1/decide": DecideDelivery => DecisionAnswer,
}

/// A request to apply a person's decision to a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecideDelivery {
    /// The identity of the payload.
    pub id: DeliveryId,
    /// The person's decision.
    pub decision: DeliveryDecision,
    /// The reason that the person gave.
    pub reason: String,
}

/// A person's decision about a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryDecision {
    /// Send it now, even if the breaker is open or the payload was delivered.
    Resend,
    /// Let a parked payload be sent in the usual way.
    Release,
    /// Never send a parked payload.
    Drop,
    /// Take a parked payload for delivered.
    Confirm,
}

/// A ledger's answer to [`DecideDelivery`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionAnswer {
    /// The state before the decision; `None` if the ledger does not have the payload.
    pub before: Option<DeliveryState>,
    /// The state after the decision.
    pub state: Option<DeliveryState>,
    /// The payload whose message must be sent now, if any.
    pub send: Vec<DeliveryId>,
    /// Whether its body is erased, so that it cannot be sent again.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub erased: bool,
}
