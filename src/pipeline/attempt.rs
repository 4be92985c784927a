//! One attempt to send one payload: its body is checked, signed, posted in its turn, and the answer judged.
//!
//! # Invariants
//!
//! Nothing is posted before its turn where a rate is given, nor so late that the claim could end before the answer. The body is the
//! one that was sealed, checked by its hash.
//!
//! After an attempt without an answer, and before a probe, a request without a body shows whether the partner's host can be
//! reached at all; if not, no body goes out, and nothing is in doubt. The platform reports a closed port and a connection
//! that broke in the middle of a body with the same text, so the first attempt cannot tell them apart.

use sha2::{Digest, Sha256};

use super::bodies::ReadBody;
use super::erased_bodies::{is_erased, is_overwritten};
use super::pace::{self, FIRST_PLACE_MS, PaceOutcome};
use super::pack::PackBuilder;
use super::payload::{PackedPayload, halve};
use super::refusal::clean_refusal;
use super::sender::{ClaimedPayload, PayloadSender};
use crate::backend::{BackendError, Bucket, PartnerClient, PartnerPost, PostAnswer, PostError, Queue};
use crate::ledger::calls::{SplitAnswer, SplitPayload};
use crate::ledger::delivery::{NO_ANSWER, NOT_SENT};
use crate::ledger::pacer::TakeTurn;
use crate::ledger::{AttemptOutcome, DeliveryGroup, DeliveryId};
use crate::limits::{COMMIT_MS, PACE_AHEAD_MS};
use crate::partner::{AnswerClass, PrivateKey, auth_key, classify, retry_after_ms};
use crate::rpc;
use crate::services::Services;

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

/// How an attempt ended.
pub(super) enum AttemptEnd {
    /// With this outcome, which the ledger does not know yet.
    Outcome(AttemptOutcome),
    /// Two smaller payloads replaced it, which the ledger knows.
    Split,
}

/// The result of posting a body.
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
    /// Posts a body that was read, and splits its payload if the partner finds it too large.
    pub(super) async fn attempt(&self, claimed: &ClaimedPayload, body: ReadBody) -> AttemptEnd {
        let slot = self.load.take_slot().await;
        let end = match self.try_body(claimed, body).await {
            AttemptResult::Ended(outcome) => AttemptEnd::Outcome(outcome),
            AttemptResult::TooLarge(body) => self.split(claimed, &body).await,
        };
        self.load.end(1);
        drop(slot);
        end
    }

    /// Posts a body that was read.
    async fn try_body(&self, claimed: &ClaimedPayload, body: ReadBody) -> AttemptResult {
        let body = match body {
            Ok(Some(body)) => body,
            Ok(None) if is_erased(&claimed.payload) => return refused("payload_erased"),
            Ok(None) => return refused("payload_missing"),
            Err(_) => return AttemptResult::Ended(released()),
        };
        // An erasure overwrote it, and is about to replace its payload: what is refused would wait for a person.
        if is_overwritten(&body) {
            return AttemptResult::Ended(released());
        }
        if hex::encode(Sha256::digest(&body)) != claimed.payload.sha256 {
            return refused("payload_damaged");
        }
        let batch_id = claimed.id.batch_header();
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
                let class = classify(status, self.settings.server_errors);
                let secrets = [Some(&self.settings.key), self.settings.second_key.as_ref()];
                // Words with which the partner accepts a payload are no refusal, and each answer may have others.
                let is_refusal = class != AnswerClass::Delivered;
                let refusal = is_refusal.then(|| clean_refusal(&body, secrets.into_iter().flatten())).flatten();
                claimed.refusal.replace(refusal);
                match class {
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
    async fn split(&self, claimed: &ClaimedPayload, body: &[u8]) -> AttemptEnd {
        let answered = AttemptOutcome::Refused { status: Some(413), code: AnswerClass::TooLarge.code().into() };
        let Some(halves) = halve(&claimed.payload, body, claimed.id.split_indexes()) else {
            return AttemptEnd::Outcome(answered);
        };
        let Ok(send) = self.put_split_payloads(claimed, halves).await else {
            // The partner has rejected it, so the outcome is known; the next attempt splits it again.
            return AttemptEnd::Outcome(not_stored(Some(413), AnswerClass::TooLarge.code(), None));
        };
        // The partner did answer.
        self.tell_of(claimed, &answered).await;
        // The ledger sends a lost message again after a minute.
        let _sent = self.services.send_queue().send(&DeliveryGroup::each_alone(send)).await;
        AttemptEnd::Split
    }

    /// Writes the two smaller payloads and has the ledger replace the large one; returns the payloads to announce.
    async fn put_split_payloads(
        &self,
        claimed: &ClaimedPayload,
        halves: [PackedPayload; 2],
    ) -> Result<Vec<DeliveryId>, BackendError> {
        let id = &claimed.id;
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
    pub(super) async fn tell_of(&self, claimed: &ClaimedPayload, outcome: &AttemptOutcome) {
        if matches!(outcome, AttemptOutcome::Delivered { .. } | AttemptOutcome::Refused { status: Some(_), .. }) {
            self.services.isolate().partner_pulse.note(self.services.now_ms());
        }
        self.watch.report(self.services, &self.settings.fingerprint(), &claimed.standing, outcome).await;
    }
}
