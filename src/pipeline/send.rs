//! One message of `send-queue`: claim the payload, read its body, sign, POST, commit.
//!
//! A message is only a wake-up. The ledger wakes every payload that it knows, so the message is acked; only if the
//! ledger cannot be reached does the queue deliver it again.
//!
//! # Invariants
//!
//! Nothing is posted without a claim, nor so late that the claim could end before the answer. The body is the one that
//! was sealed, checked by its hash. An answer is committed under the claim's token, with retries if necessary, before
//! the message is done.

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::message::{MessageBody, ReceivedMessage, keep_dead_letter};
use super::pack::PackBuilder;
use super::payload::{PackedPayload, halve};
use super::verdict::{NOT_A_PAYLOAD, SendVerdict};
use crate::backend::{
    BackendError, Bucket, ByteStream, PartnerClient, PartnerPost, PostAnswer, PostError, Queue, RangedRead,
};
use crate::config::DeliverySettings;
use crate::ledger::calls::{ClaimAnswer, ClaimPayload, CommitAnswer, CommitAttempt, SplitAnswer, SplitPayload};
use crate::ledger::delivery::Payload;
use crate::ledger::{AttemptOutcome, DeliveryId};
use crate::limits::{COMMIT_MS, COMMIT_PAUSES_MS, LEASE_MS, POST_MS};
use crate::partner::{AnswerClass, PrivateKey, auth_key, classify, retry_after_ms};
use crate::rpc;
use crate::services::Services;

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
}

/// Sends the payload that the message names. A message that names none becomes a dead letter.
pub async fn send_message<W: Services, P: PartnerClient, N: Fn() -> u32>(
    sender: &PayloadSender<'_, W, P, N>,
    message: &ReceivedMessage,
) -> SendVerdict {
    let named = match &message.body {
        MessageBody::Text(text) => DeliveryId::from_message(text),
        MessageBody::Bytes(_) => None,
    };
    let done = match &named {
        Some(id) => sender.send(id).await,
        None => refuse(sender.services, message).await,
    };
    done.unwrap_or_else(|error| match &named {
        Some(id) => SendVerdict::again(id, &error, message.attempts),
        None => SendVerdict::refuse_again(&message.id, &error, message.attempts),
    })
}

/// Handles a message that names no payload.
async fn refuse(services: &impl Services, message: &ReceivedMessage) -> Result<SendVerdict, BackendError> {
    keep_dead_letter(services, &message.clone().into_dead_letter(NOT_A_PAYLOAD)).await?;
    Ok(SendVerdict::bad_message())
}

fn refused(code: &str) -> AttemptResult {
    AttemptResult::Ended(AttemptOutcome::Refused { status: None, code: code.into() })
}

fn not_stored(status: Option<u16>, code: &str, wait_ms: Option<u64>) -> AttemptOutcome {
    AttemptOutcome::NotStored { status, code: code.into(), wait_ms }
}

/// A payload claimed by this sender.
struct ClaimedPayload {
    token: u32,
    payload: Payload,
    attempt: u32,
    /// The time of the claim call in Unix milliseconds: the lease began later.
    since_ms: i64,
}

/// The result of an attempt.
enum AttemptResult {
    Ended(AttemptOutcome),
    /// The body is too large and must be split.
    TooLarge(Vec<u8>),
}

impl<W: Services, P: PartnerClient, N: Fn() -> u32> PayloadSender<'_, W, P, N> {
    async fn send(&self, id: &DeliveryId) -> Result<SendVerdict, BackendError> {
        let since_ms = self.services.now_ms();
        let claim = ClaimPayload {
            id: id.clone(),
            claimant: self.claimant.clone(),
            endpoint: self.settings.endpoint.fingerprint(),
            on_unknown: self.settings.on_unknown,
        };
        let claimed = match rpc::call(self.services.ledgers(), &id.ledger, &claim).await? {
            ClaimAnswer::Granted { token, payload, attempt } => ClaimedPayload { token, payload, attempt, since_ms },
            ClaimAnswer::Wait { why, .. } => return Ok(SendVerdict::waits(id, why)),
            ClaimAnswer::Terminal { state } => return Ok(SendVerdict::settled(id, state)),
            ClaimAnswer::Unknown => return Ok(SendVerdict::no_such(id)),
        };
        match self.attempt(id, &claimed).await {
            AttemptResult::Ended(outcome) => self.end(id, &claimed, outcome).await,
            AttemptResult::TooLarge(body) => self.split(id, &claimed, &body).await,
        }
    }

    /// Reads the body and posts it.
    async fn attempt(&self, id: &DeliveryId, claimed: &ClaimedPayload) -> AttemptResult {
        let ClaimedPayload { payload, .. } = claimed;
        let body = match self.body(id, payload).await {
            Ok(Some(body)) => body,
            Ok(None) => return refused("payload_missing"),
            Err(_) => return AttemptResult::Ended(AttemptOutcome::Released),
        };
        if hex::encode(Sha256::digest(&body)) != payload.sha256 {
            return refused("payload_damaged");
        }
        let batch_id = id.batch_header();
        let mut post = PartnerPost { url: String::new(), batch_id, body };
        let mut outcome = self.post(claimed, &mut post, &self.settings.key).await;
        if let (Some(AttemptOutcome::Endpoint { code, .. }), Some(second)) = (&outcome, &self.settings.second_key)
            && code == AnswerClass::Auth.code()
        {
            match self.post(claimed, &mut post, second).await {
                // No time is left for another try: the first answer is final.
                Some(AttemptOutcome::Released) => {}
                again => outcome = again,
            }
        }
        outcome.map_or(AttemptResult::TooLarge(post.body), AttemptResult::Ended)
    }

    /// Returns the body of a payload; `None` if it has no pack, or its pack does not exist.
    async fn body(&self, id: &DeliveryId, payload: &Payload) -> Result<Option<Vec<u8>>, BackendError> {
        let Some(place) = &payload.pack else { return Ok(None) };
        let at = place.offset;
        self.cut(&place.key(&id.source, id.plan), at..at.saturating_add(payload.bytes)).await
    }

    /// Returns these bytes of a pack; fewer if it ends earlier, `None` if it does not exist.
    async fn cut(&self, key: &str, bytes: Range<u64>) -> Result<Option<Vec<u8>>, BackendError> {
        let read = match self.services.data_bucket().get_range(key, None, bytes.clone()).await {
            Ok(RangedRead::Body(body)) => body.all().await,
            Ok(RangedRead::Changed | RangedRead::Gone) => return Ok(None),
            Err(error) => Err(error),
        };
        let (came, asked) = (read.as_ref().map_or(0, Vec::len) as u64, bytes.end - bytes.start);
        if came == asked {
            return read.map(Some);
        }
        // Either the pack ends earlier, which no retry changes, or the connection broke.
        match self.services.data_bucket().get(key).await? {
            None => Ok(None),
            Some((head, _)) if head.size < bytes.end => Ok(Some(read.unwrap_or_default())),
            Some(_) => Err(read
                .err()
                .unwrap_or_else(|| BackendError::new("reading a payload", format!("{came} bytes came of {asked}")))),
        }
    }

    /// Posts once under this key, if the claim leaves time for it; `None` if the body is too large.
    async fn post(&self, claimed: &ClaimedPayload, post: &mut PartnerPost, key: &PrivateKey) -> Option<AttemptOutcome> {
        let now_ms = self.services.now_ms();
        let in_time = now_ms - claimed.since_ms + POST_MS + COMMIT_MS <= LEASE_MS;
        if !in_time {
            return Some(AttemptOutcome::Released);
        }
        let endpoint = &self.settings.endpoint;
        post.url = endpoint.url(&auth_key(endpoint.uri(), now_ms / 1000, (self.nonce)(), key));
        match self.partner.post(post).await {
            Ok(PostAnswer { status, retry_after }) => match classify(status, self.settings.server_errors) {
                AnswerClass::TooLarge => None,
                class => Some(self.outcome(class, status, retry_after.as_deref())),
            },
            Err(PostError::NotSent(_)) => Some(not_stored(None, "not_sent", None)),
            Err(PostError::Unknown(_)) => Some(AttemptOutcome::Unknown { code: "no_answer".into() }),
        }
    }

    /// Returns the outcome that an answer of this class means.
    fn outcome(&self, class: AnswerClass, status: u16, retry_after: Option<&str>) -> AttemptOutcome {
        let code = class.code();
        match class {
            AnswerClass::Delivered => AttemptOutcome::Delivered { status },
            AnswerClass::Redirect => AttemptOutcome::Endpoint { status, code: code.into(), park: true },
            AnswerClass::Auth | AnswerClass::WrongAddress => {
                AttemptOutcome::Endpoint { status, code: code.into(), park: false }
            }
            AnswerClass::Busy => not_stored(Some(status), code, retry_after_ms(retry_after, self.services.now_ms())),
            AnswerClass::ServerError => not_stored(Some(status), code, None),
            AnswerClass::Unknown => AttemptOutcome::Unknown { code: code.into() },
            AnswerClass::Permanent | AnswerClass::TooLarge => {
                AttemptOutcome::Refused { status: Some(status), code: code.into() }
            }
        }
    }

    /// Replaces a payload that was too large with two smaller ones.
    async fn split(&self, id: &DeliveryId, claimed: &ClaimedPayload, body: &[u8]) -> Result<SendVerdict, BackendError> {
        let Some(halves) = halve(&claimed.payload, body, id.split_indexes()) else {
            let outcome = AttemptOutcome::Refused { status: Some(413), code: AnswerClass::TooLarge.code().into() };
            return self.end(id, claimed, outcome).await;
        };
        let Ok(send) = self.put_split_payloads(id, claimed, halves).await else {
            // The partner has rejected it, so the outcome is known; the next attempt splits it again.
            return self.end(id, claimed, not_stored(Some(413), AnswerClass::TooLarge.code(), None)).await;
        };
        // The ledger sends a lost message again after a minute.
        let _sent = self.services.send_queue().send(&send).await;
        Ok(SendVerdict::split(id, &claimed.payload, claimed.attempt))
    }

    /// Writes the two smaller payloads and has the ledger replace the large one; returns the payloads to announce.
    async fn put_split_payloads(
        &self,
        id: &DeliveryId,
        claimed: &ClaimedPayload,
        halves: [PackedPayload; 2],
    ) -> Result<Vec<DeliveryId>, BackendError> {
        // Both go into one pack, regardless of their size: together they are about as large as the original.
        let mut packs = PackBuilder::new(usize::MAX);
        let _none_is_full = halves.map(|half| packs.add(half));
        let pack = packs.close();
        let Some((pack, key)) = pack.and_then(|pack| pack.key(&id.source, id.plan).map(|key| (pack, key))) else {
            return Ok(Vec::new());
        };
        self.services.data_bucket().put_new(&key, pack.bytes).await?;
        let split = SplitPayload { id: id.clone(), token: claimed.token, split_into: pack.payloads };
        let SplitAnswer { send } = rpc::call(self.services.ledgers(), &id.ledger, &split).await?;
        Ok(send)
    }

    /// Records the outcome of the attempt in the ledger, and returns it.
    async fn end(
        &self,
        id: &DeliveryId,
        claimed: &ClaimedPayload,
        outcome: AttemptOutcome,
    ) -> Result<SendVerdict, BackendError> {
        let answer = self.commit(id, claimed, outcome.clone()).await?;
        Ok(SendVerdict::ended(id, &claimed.payload, claimed.attempt, &outcome, answer.counted))
    }

    /// Records the outcome of the attempt in the ledger; if that fails, the payload's outcome is unknown.
    async fn commit(
        &self,
        id: &DeliveryId,
        claimed: &ClaimedPayload,
        outcome: AttemptOutcome,
    ) -> Result<CommitAnswer, BackendError> {
        let commit = CommitAttempt { id: id.clone(), token: claimed.token, outcome };
        for pause_ms in COMMIT_PAUSES_MS {
            if let Ok(answer) = rpc::call(self.services.ledgers(), &id.ledger, &commit).await {
                return Ok(answer);
            }
            self.services.sleep(pause_ms).await;
        }
        rpc::call(self.services.ledgers(), &id.ledger, &commit).await
    }
}
