//! One message of `send-queue`: claim the payload, read its body, sign, POST, commit.
//!
//! A message is only a wake-up. The ledger wakes every payload that it knows, so the message is acked; only if the
//! ledger cannot be reached does the queue deliver it again.
//!
//! # Invariants
//!
//! Nothing is posted without a claim, nor before its turn where a rate is given, nor so late that the claim could end before the answer. The body is the one that
//! was sealed, checked by its hash. An answer is committed under the claim's token, with retries if necessary, before
//! the message is done.
//!
//! After an attempt without an answer, and before a probe, a request without a body shows whether the partner's host can be
//! reached at all; if not, no body goes out, and nothing is in doubt. The platform reports a closed port and a connection
//! that broke in the middle of a body with the same text, so the first attempt cannot tell them apart.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use futures_util::future::join;
use sha2::{Digest, Sha256};

use super::message::{PREDECESSOR_PAYLOAD, ReceivedMessage, keep_dead_letter};
use super::pace::{self, FIRST_PLACE_MS, PaceOutcome};
use super::pack::PackBuilder;
use super::partner_watch::PartnerWatch;
use super::payload::{PackedPayload, halve};
use super::refusal::clean_refusal;
use super::remake::remake_pack;
use super::verdict::{NOT_A_PAYLOAD, SendVerdict};
use crate::backend::{
    BackendError, Bucket, ByteStream, PartnerClient, PartnerPost, PostAnswer, PostError, Queue, RangedRead,
};
use crate::config::{Config, DeliverySettings};
use crate::ledger::breaker::PartnerStanding;
use crate::ledger::calls::{ClaimAnswer, ClaimPayload, CommitAnswer, CommitAttempt, SplitAnswer, SplitPayload};
use crate::ledger::delivery::{NO_ANSWER, NOT_SENT, Payload};
use crate::ledger::pacer::{LaneRate, TakeTurn};
use crate::ledger::{AttemptFacts, AttemptOutcome, DeliveryId};
use crate::limits::{COMMIT_MS, COMMIT_PAUSES_MS, PACE_AHEAD_MS};
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
    /// What the senders of the same batch of messages know of the partner.
    pub watch: &'a PartnerWatch,
}

/// Sends the payload that the message names. A message that names none becomes a dead letter.
pub async fn send_message<W: Services, P: PartnerClient, N: Fn() -> u32>(
    sender: &PayloadSender<'_, W, P, N>,
    message: &ReceivedMessage,
) -> SendVerdict {
    let named = message.payload();
    let done = match &named {
        Some(id) => sender.send(id).await,
        None => refuse(sender.services, message).await,
    };
    done.unwrap_or_else(|error| match &named {
        Some(id) => SendVerdict::again(id, &error, message.attempts),
        None => SendVerdict::refuse_again(&message.id, &error, message.attempts),
    })
}

/// Handles a message while nothing is sent, because delivery is off or its settings are faulty. The ledger holds the payload
/// and sends another message, so the message is acked; one that names none becomes a dead letter.
pub async fn hold_message(services: &impl Services, config: &Config, message: &ReceivedMessage) -> SendVerdict {
    if let Some(id) = message.payload() {
        return SendVerdict::held(&id, &config.delivery_faults);
    }
    let refused = refuse(services, message).await;
    refused.unwrap_or_else(|error| SendVerdict::refuse_again(&message.id, &error, message.attempts))
}

/// Puts a message at the end of its queue, since its batch has no time left for it. Trying it again would count against
/// its retries.
pub async fn hand_on(services: &impl Services, message: &ReceivedMessage) -> SendVerdict {
    let Some(id) = message.payload() else {
        return SendVerdict::not_now("no_time", "the batch has no time left".into(), 0);
    };
    match services.send_queue().send(std::slice::from_ref(&id)).await {
        Ok(()) => SendVerdict::handed_on(&id),
        Err(error) => SendVerdict::again(&id, &error, message.attempts),
    }
}

/// Handles a message that names no payload.
async fn refuse(services: &impl Services, message: &ReceivedMessage) -> Result<SendVerdict, BackendError> {
    let code = if message.predecessor_key().is_some() { PREDECESSOR_PAYLOAD } else { NOT_A_PAYLOAD };
    keep_dead_letter(services, &message.clone().into_dead_letter(code)).await?;
    Ok(SendVerdict::bad_message(code))
}

fn refused(code: &str) -> AttemptResult {
    AttemptResult::Ended(AttemptOutcome::Refused { status: None, code: code.into() })
}

fn not_stored(status: Option<u16>, code: &str, wait_ms: Option<u64>) -> AttemptOutcome {
    AttemptOutcome::NotStored { status, code: code.into(), wait_ms }
}

/// The outcome of an attempt that sent nothing because of a hiccup.
const fn released() -> AttemptOutcome {
    AttemptOutcome::Released { pause_ms: None, place_ms: None }
}

/// A payload claimed by this sender.
struct ClaimedPayload {
    token: u32,
    payload: Payload,
    attempt: u32,
    /// The time of the claim call in Unix milliseconds: the lease began later.
    since_ms: i64,
    /// The partner's words with its last refusal, cleaned.
    refusal: RefCell<Option<String>>,
    /// What the claim brought its ledger of the partner.
    standing: PartnerStanding,
    /// Whether the attempt before got no answer.
    unanswered: bool,
    /// Time that the last POST took, in milliseconds.
    took_ms: Cell<Option<i64>>,
    /// The lanes whose rates hold for it.
    lanes: Vec<LaneRate>,
    /// Its place in line for its next turn.
    place_ms: Option<i64>,
}

/// The result of an attempt.
enum AttemptResult {
    Ended(AttemptOutcome),
    /// The body is too large and must be split.
    TooLarge(Vec<u8>),
}

/// The result of a POST, or why there was none.
enum PostResult {
    Ended(AttemptOutcome),
    /// The body is too large.
    TooLarge,
    /// The claim leaves no time for it.
    OutOfTime,
}

impl<W: Services, P: PartnerClient, N: Fn() -> u32> PayloadSender<'_, W, P, N> {
    async fn send(&self, id: &DeliveryId) -> Result<SendVerdict, BackendError> {
        self.watch.refresh(self.services, &self.settings.fingerprint()).await;
        let since_ms = self.services.now_ms();
        let standing = self.watch.take();
        let claim = ClaimPayload {
            id: id.clone(),
            claimant: self.claimant.clone(),
            standing: standing.clone(),
            lease_ms: self.settings.lease_ms(),
            on_unknown: self.settings.on_unknown,
        };
        let answer = rpc::call(self.services.ledgers(), &id.ledger, &claim).await;
        if !matches!(answer, Ok(ClaimAnswer::Granted { .. })) {
            self.watch.give_back(&standing);
        }
        let claimed = match answer? {
            ClaimAnswer::Granted { token, payload, attempt, unanswered, backfill, place_ms } => ClaimedPayload {
                token,
                payload,
                attempt,
                since_ms,
                refusal: RefCell::default(),
                standing,
                unanswered,
                took_ms: Cell::default(),
                lanes: pace::lanes(self.settings, backfill.as_ref()),
                place_ms,
            },
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
            Err(_) => return AttemptResult::Ended(released()),
        };
        if hex::encode(Sha256::digest(&body)) != payload.sha256 {
            return refused("payload_damaged");
        }
        let batch_id = id.batch_header();
        if !self.can_connect(claimed).await {
            return AttemptResult::Ended(not_stored(None, NOT_SENT, None));
        }
        let mut post = PartnerPost { url: String::new(), batch_id, body, timeout_ms: self.settings.post_ms };
        let mut result = self.post(claimed, &mut post, &self.settings.key).await;
        if let (PostResult::Ended(AttemptOutcome::Endpoint { code, .. }), Some(second)) =
            (&result, &self.settings.second_key)
            && code == AnswerClass::Auth.code()
        {
            match self.post(claimed, &mut post, second).await {
                // The first answer is final.
                PostResult::OutOfTime => {}
                again => result = again,
            }
        }
        match result {
            PostResult::Ended(outcome) => AttemptResult::Ended(outcome),
            PostResult::TooLarge => AttemptResult::TooLarge(post.body),
            PostResult::OutOfTime => AttemptResult::Ended(released()),
        }
    }

    /// Returns the body of a payload, made again if its pack does not exist; `None` if it has no pack, or cannot be made.
    async fn body(&self, id: &DeliveryId, payload: &Payload) -> Result<Option<Vec<u8>>, BackendError> {
        let Some(place) = &payload.pack else { return Ok(None) };
        let bytes = place.offset..place.offset.saturating_add(payload.bytes);
        if let Some(body) = self.cut(&place.key(&id.source, id.plan), bytes.clone()).await? {
            return Ok(Some(body));
        }
        let pack = remake_pack(self.services, id, place).await?;
        let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        Ok(pack.and_then(|pack| pack.get(within(bytes.start)..within(bytes.end)).map(<[u8]>::to_vec)))
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

    /// Returns whether the partner's host can be reached, as far as there is reason to ask.
    async fn can_connect(&self, claimed: &ClaimedPayload) -> bool {
        let was_silent = |code: &String| code == NO_ANSWER || code == NOT_SENT;
        let is_doubtful = claimed.unanswered || claimed.standing.reason.as_ref().is_some_and(was_silent);
        !is_doubtful || self.partner.can_connect(&self.settings.endpoint.root()).await
    }

    /// Returns the time that the claim leaves before a POST must begin, in milliseconds.
    fn left_ms(&self, claimed: &ClaimedPayload, now_ms: i64) -> i64 {
        self.settings.lease_ms() - COMMIT_MS - self.settings.post_ms - (now_ms - claimed.since_ms)
    }

    /// Waits for the turn of a payload whose rate is limited; returns a result instead if the payload has to come back for it.
    /// After a first POST of the same claim, nothing but the claim limits how long it waits: coming back would repeat that POST.
    async fn wait_for_turn(&self, claimed: &ClaimedPayload) -> Option<PostResult> {
        let left_ms = self.left_ms(claimed, self.services.now_ms());
        if left_ms < 0 {
            return Some(PostResult::OutOfTime);
        }
        let is_first = claimed.took_ms.get().is_none();
        let call = TakeTurn {
            lines: claimed.payload.lines,
            lanes: claimed.lanes.clone(),
            within_ms: if is_first { left_ms.min(PACE_AHEAD_MS) } else { left_ms },
            // Who has been in line, and failed, is not sent to its end.
            place_ms: if is_first && claimed.attempt <= 1 { claimed.place_ms } else { Some(FIRST_PLACE_MS) },
        };
        match pace::wait_for_turn(self.services, self.watch, call).await {
            Ok(PaceOutcome::Now) => None,
            // The partner stored nothing of the first POST, and coming back would repeat that: both use one turn.
            Ok(PaceOutcome::Later { .. }) if !is_first => None,
            // What the first POST has shown counts.
            Ok(PaceOutcome::Stopped) if !is_first => Some(PostResult::OutOfTime),
            Ok(PaceOutcome::Stopped) => Some(PostResult::Ended(AttemptOutcome::Held)),
            Ok(PaceOutcome::Later { pause_ms, place_ms }) => {
                Some(PostResult::Ended(AttemptOutcome::Released { pause_ms: Some(pause_ms), place_ms: Some(place_ms) }))
            }
            Ok(PaceOutcome::Missed) | Err(_) => Some(PostResult::Ended(released())),
        }
    }

    /// Posts once under this key, in the payload's turn, if the claim leaves time for it.
    async fn post(&self, claimed: &ClaimedPayload, post: &mut PartnerPost, key: &PrivateKey) -> PostResult {
        if !claimed.lanes.is_empty()
            && let Some(result) = self.wait_for_turn(claimed).await
        {
            return result;
        }
        let now_ms = self.services.now_ms();
        if self.left_ms(claimed, now_ms) < 0 {
            return PostResult::OutOfTime;
        }
        let endpoint = &self.settings.endpoint;
        post.url = endpoint.url(&auth_key(endpoint.uri(), now_ms / 1000, (self.nonce)(), key));
        let answer = self.partner.post(post).await;
        claimed.took_ms.set(Some((self.services.now_ms() - now_ms).max(0)));
        match answer {
            Ok(PostAnswer { status, retry_after, body }) => {
                let secrets = [Some(&self.settings.key), self.settings.second_key.as_ref()];
                claimed.refusal.replace(clean_refusal(&body, secrets.into_iter().flatten()));
                match classify(status, self.settings.server_errors) {
                    AnswerClass::TooLarge => PostResult::TooLarge,
                    class => PostResult::Ended(self.outcome(class, status, retry_after.as_deref())),
                }
            }
            Err(PostError::NotSent(_)) => PostResult::Ended(not_stored(None, NOT_SENT, None)),
            Err(PostError::Unknown(_)) => PostResult::Ended(AttemptOutcome::Unknown { code: NO_ANSWER.into() }),
        }
    }

    /// Returns the outcome that an answer of this class means.
    fn outcome(&self, class: AnswerClass, status: u16, retry_after: Option<&str>) -> AttemptOutcome {
        let code = class.code();
        match class {
            AnswerClass::Delivered => AttemptOutcome::Delivered { status },
            AnswerClass::Redirect | AnswerClass::Auth | AnswerClass::WrongAddress => {
                AttemptOutcome::Endpoint { status, code: code.into() }
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
        // The partner did answer.
        let answered = AttemptOutcome::Refused { status: Some(413), code: AnswerClass::TooLarge.code().into() };
        self.tell_of(claimed, &answered).await;
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

    /// Tells the partner's breaker and the isolate how the attempt ended.
    async fn tell_of(&self, claimed: &ClaimedPayload, outcome: &AttemptOutcome) {
        if matches!(outcome, AttemptOutcome::Delivered { .. } | AttemptOutcome::Refused { status: Some(_), .. }) {
            self.services.isolate().partner_pulse.note(self.services.now_ms());
        }
        self.watch.report(self.services, &self.settings.fingerprint(), &claimed.standing, outcome).await;
    }

    /// Records the outcome of the attempt in the ledger, and returns it.
    async fn end(
        &self,
        id: &DeliveryId,
        claimed: &ClaimedPayload,
        outcome: AttemptOutcome,
    ) -> Result<SendVerdict, BackendError> {
        let (answer, ()) = join(self.commit(id, claimed, outcome.clone()), self.tell_of(claimed, &outcome)).await;
        let ended = (&outcome, claimed.took_ms.get());
        Ok(SendVerdict::ended(id, &claimed.payload, claimed.attempt, ended, answer?.counted))
    }

    /// Records the outcome of the attempt in the ledger; if that fails, the payload's outcome is unknown.
    async fn commit(
        &self,
        id: &DeliveryId,
        claimed: &ClaimedPayload,
        outcome: AttemptOutcome,
    ) -> Result<CommitAnswer, BackendError> {
        let refusal = claimed.refusal.take();
        let facts = AttemptFacts {
            took_ms: claimed.took_ms.get(),
            is_probe: claimed.standing.is_open(),
            others_answered: self.services.isolate().partner_pulse.has_beaten_since(claimed.since_ms),
        };
        let commit = CommitAttempt { id: id.clone(), token: claimed.token, outcome, refusal, facts };
        for pause_ms in COMMIT_PAUSES_MS {
            if let Ok(answer) = rpc::call(self.services.ledgers(), &id.ledger, &commit).await {
                return Ok(answer);
            }
            self.services.sleep(pause_ms).await;
        }
        rpc::call(self.services.ledgers(), &id.ledger, &commit).await
    }
}
