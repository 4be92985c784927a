//! A sender of payloads, and what it has claimed.

use std::cell::{Cell, RefCell};

use super::partner_watch::PartnerWatch;
use super::post_slots::MessageLoad;
use crate::config::DeliverySettings;
use crate::ledger::DeliveryId;
use crate::ledger::breaker::PartnerStanding;
use crate::ledger::delivery::Payload;
use crate::ledger::pacer::LaneRate;

/// The services and settings needed to send a payload.
#[derive(Debug)]
pub struct PayloadSender<'a, W, P, N> {
    /// The buckets, queues and ledgers to use.
    pub services: &'a W,
    /// The endpoint that receives the payloads.
    pub partner: &'a P,
    /// The partner's address, the keys and the policies of deliveries.
    pub settings: &'a DeliverySettings,
    /// Returns a number from 0 to 99,999 for the signature, never the same twice within a second.
    pub nonce: N,
    /// A name that is unique to this sender.
    pub claimant: String,
    /// What the senders of the same batch of messages know of the partner.
    pub watch: &'a PartnerWatch,
    /// The payloads of the message, among those that are sent at a time.
    pub load: MessageLoad,
}

/// A payload claimed by this sender.
pub(super) struct ClaimedPayload {
    pub(super) id: DeliveryId,
    pub(super) token: u32,
    pub(super) payload: Payload,
    pub(super) attempt: u32,
    /// The time of the claim call in Unix milliseconds: the lease began later.
    pub(super) since_ms: i64,
    /// The partner's words with its last refusal, cleaned.
    pub(super) refusal: RefCell<Option<String>>,
    /// What the claim brought its ledger of the partner.
    pub(super) standing: PartnerStanding,
    /// Whether the attempt before got no answer.
    pub(super) unanswered: bool,
    /// Time that the last POST took, in milliseconds.
    pub(super) took_ms: Cell<Option<i64>>,
    /// The lanes whose rates hold for it.
    pub(super) lanes: Vec<LaneRate>,
    /// Its place in line for its next turn.
    pub(super) place_ms: Option<i64>,
}
