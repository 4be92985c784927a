//! One message of `send-queue`: claim its payloads, read their bodies, send them, commit the outcomes.
//!
//! A message is only a wake-up. The ledger wakes every payload that it knows, so the message is acked; only if the
//! ledger cannot be reached does the queue deliver it again.
//!
//! # Invariants
//!
//! Nothing is posted without a claim. Each payload of a message has its own fate: what becomes of one keeps no other from being
//! sent or committed. An answer is committed under the claim's token, with retries if necessary, before the message is
//! done, and waits for those to the other payloads [`COMMIT_TOGETHER_MS`] at most.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;

use futures_util::future::{Either, join, join_all, select};
use futures_util::stream::{self, FuturesUnordered, StreamExt};

use super::attempt::AttemptEnd;
use super::message::{PREDECESSOR_PAYLOAD, ReceivedMessage, keep_dead_letter};
use super::pace;
use super::sender::{ClaimedPayload, PayloadSender};
use super::verdict::{NOT_A_PAYLOAD, SendVerdict};
use crate::backend::{BackendError, PartnerClient, Queue};
use crate::config::Config;
use crate::ledger::breaker::PartnerStanding;
use crate::ledger::calls::{ClaimAnswer, ClaimPayload, ClaimPayloads, CommitAnswer, CommitAttempt, CommitAttempts};
use crate::ledger::{AttemptFacts, AttemptOutcome, DeliveryGroup, DeliveryId};
use crate::limits::{COMMIT_PAUSES_MS, COMMIT_TOGETHER_MS, GROUP_PAYLOADS};
use crate::rpc;
use crate::services::Services;

/// Sends the payloads that the message names; returns the verdict on each. A message that names none becomes a dead letter.
pub async fn send_message<W: Services, P: PartnerClient, N: Fn() -> u32>(
    sender: &PayloadSender<'_, W, P, N>,
    message: &ReceivedMessage,
) -> Vec<SendVerdict> {
    let Some(group) = message.payloads() else { return vec![refuse(sender.services, message).await] };
    let sent = sender.send(&group, message.attempts).await;
    let again = |error| group.ids().map(|id| SendVerdict::again(&id, &error, message.attempts)).collect();
    sent.unwrap_or_else(again)
}

/// Handles a message while nothing is sent, because delivery is off or its settings are faulty. The ledger holds the payload
/// and sends another message, so the message is acked; one that names none becomes a dead letter.
pub async fn hold_message(services: &impl Services, config: &Config, message: &ReceivedMessage) -> Vec<SendVerdict> {
    match message.payloads() {
        Some(group) => group.ids().map(|id| SendVerdict::held(&id, &config.delivery_faults)).collect(),
        None => vec![refuse(services, message).await],
    }
}

/// Puts a message at the end of its queue, since its batch has no time left for it. Trying it again would count against
/// its retries.
pub async fn hand_on(services: &impl Services, message: &ReceivedMessage) -> Vec<SendVerdict> {
    let Some(group) = message.payloads() else {
        return vec![SendVerdict::not_now("no_time", "the batch has no time left".into(), 0)];
    };
    let sent = services.send_queue().send(std::slice::from_ref(&group)).await;
    let verdict = |id: DeliveryId| match &sent {
        Ok(()) => SendVerdict::handed_on(&id),
        Err(error) => SendVerdict::again(&id, error, message.attempts),
    };
    group.ids().map(verdict).collect()
}

/// Handles a message that names no payload.
async fn refuse(services: &impl Services, message: &ReceivedMessage) -> SendVerdict {
    let code = if message.predecessor_key().is_some() { PREDECESSOR_PAYLOAD } else { NOT_A_PAYLOAD };
    match keep_dead_letter(services, &message.clone().into_dead_letter(code)).await {
        Ok(()) => SendVerdict::bad_message(code),
        Err(error) => SendVerdict::refuse_again(&message.id, &error, message.attempts),
    }
}

impl<W: Services, P: PartnerClient, N: Fn() -> u32> PayloadSender<'_, W, P, N> {
    /// Sends payloads together; returns the verdict on each. `attempt` counts the deliveries of their message.
    async fn send(&self, group: &DeliveryGroup, attempt: u32) -> Result<Vec<SendVerdict>, BackendError> {
        self.watch.refresh(self.services, &self.settings.fingerprint()).await;
        let (claimed, mut verdicts) = self.claim(group).await?;
        self.load.end(verdicts.len());
        let bodies = self.bodies(&claimed).await;
        let attempts =
            claimed.iter().zip(bodies).map(async |(claimed, body)| (claimed, self.attempt(claimed, body).await));
        let ends = stream::unfold(attempts.collect(), async |mut attempts: FuturesUnordered<_>| {
            let ended = self.next_ends(&mut attempts).await;
            (!ended.is_empty()).then_some((ended, attempts))
        });
        // What is still under way goes on while others are committed.
        let committed = ends.map(|ended| self.end(ended, attempt)).buffer_unordered(GROUP_PAYLOADS);
        verdicts.extend(committed.concat().await);
        Ok(verdicts)
    }

    /// Claims payloads; returns those that are this sender's, and the verdicts on the others.
    async fn claim(&self, group: &DeliveryGroup) -> Result<(Vec<ClaimedPayload>, Vec<SendVerdict>), BackendError> {
        let since_ms = self.services.now_ms();
        let standing = self.watch.take();
        let answers = self.ask_for(group, &standing).await;
        let is_granted = |answer: &ClaimAnswer| matches!(answer, ClaimAnswer::Granted { .. });
        if !answers.as_ref().is_ok_and(|answers| answers.iter().any(is_granted)) {
            self.watch.give_back(&standing);
        }
        let (mut claimed, mut verdicts) = (Vec::new(), Vec::new());
        for (id, answer) in group.ids().zip(answers?) {
            match answer {
                ClaimAnswer::Granted { token, payload, attempt, unanswered, backfill, place_ms } => {
                    claimed.push(ClaimedPayload {
                        id,
                        token,
                        payload,
                        attempt,
                        since_ms,
                        refusal: RefCell::default(),
                        standing: standing.clone(),
                        unanswered,
                        took_ms: Cell::default(),
                        lanes: pace::lanes(self.settings, backfill.as_ref()),
                        place_ms,
                    });
                }
                ClaimAnswer::Wait { why, .. } => verdicts.push(SendVerdict::waits(&id, why)),
                ClaimAnswer::Terminal { state } => verdicts.push(SendVerdict::settled(&id, state)),
                ClaimAnswer::Unknown => verdicts.push(SendVerdict::no_such(&id)),
            }
        }
        Ok((claimed, verdicts))
    }

    /// Asks the ledger for claims of these payloads.
    async fn ask_for(
        &self,
        group: &DeliveryGroup,
        standing: &PartnerStanding,
    ) -> Result<Vec<ClaimAnswer>, BackendError> {
        let DeliveryGroup { ledger, source, plan, index, others } = group.clone();
        let first = ClaimPayload {
            id: DeliveryId { ledger, source, plan, index },
            claimant: self.claimant.clone(),
            standing: standing.clone(),
            lease_ms: self.settings.lease_ms(),
            on_unknown: self.settings.on_unknown,
        };
        let ledgers = self.services.ledgers();
        if others.is_empty() {
            return rpc::call(ledgers, &group.ledger, &first).await.map(|answer| vec![answer]);
        }
        rpc::call(ledgers, &group.ledger, &ClaimPayloads { first, others }).await
    }

    /// Waits for the end of the next attempt, and a little longer for those of the others; returns none once all have ended.
    async fn next_ends<E, A: Future<Output = E>>(&self, attempts: &mut FuturesUnordered<A>) -> Vec<E> {
        let Some(first) = attempts.next().await else { return Vec::new() };
        let mut ended = vec![first];
        let mut pause = pin!(self.services.sleep(COMMIT_TOGETHER_MS));
        while !attempts.is_empty() {
            match select(attempts.next(), pause.as_mut()).await {
                Either::Left((next, _)) => ended.extend(next),
                Either::Right(_) => break,
            }
        }
        ended
    }

    /// Commits how attempts ended, and tells the partner's breaker; returns the verdicts.
    async fn end(&self, ended: Vec<(&ClaimedPayload, AttemptEnd)>, attempt: u32) -> Vec<SendVerdict> {
        let (mut verdicts, mut outcomes) = (Vec::new(), Vec::new());
        for (claimed, end) in ended {
            match end {
                AttemptEnd::Outcome(outcome) => outcomes.push((claimed, outcome)),
                AttemptEnd::Split => verdicts.push(SendVerdict::split(&claimed.id, &claimed.payload, claimed.attempt)),
            }
        }
        let reports = join_all(outcomes.iter().map(|(claimed, outcome)| self.tell_of(claimed, outcome)));
        let (answers, _) = join(self.commit(&outcomes), reports).await;
        match answers {
            Ok(answers) => verdicts.extend(outcomes.iter().zip(answers).map(|((claimed, outcome), answer)| {
                let ended = (outcome, claimed.took_ms.get());
                SendVerdict::ended(&claimed.id, &claimed.payload, claimed.attempt, ended, answer.counted)
            })),
            Err(error) => {
                verdicts.extend(outcomes.iter().map(|(claimed, _)| SendVerdict::again(&claimed.id, &error, attempt)));
            }
        }
        verdicts
    }

    /// Records the outcomes of attempts in the ledger; if that fails, the outcomes are unknown.
    async fn commit(&self, ended: &[(&ClaimedPayload, AttemptOutcome)]) -> Result<Vec<CommitAnswer>, BackendError> {
        let attempt = |(claimed, outcome): &(&ClaimedPayload, AttemptOutcome)| CommitAttempt {
            id: claimed.id.clone(),
            token: claimed.token,
            outcome: outcome.clone(),
            refusal: claimed.refusal.take(),
            facts: AttemptFacts {
                took_ms: claimed.took_ms.get(),
                is_probe: claimed.standing.is_open(),
                others_answered: self.services.isolate().partner_pulse.has_beaten_since(claimed.since_ms),
            },
        };
        let attempts = CommitAttempts { attempts: ended.iter().map(attempt).collect() };
        for pause_ms in COMMIT_PAUSES_MS {
            if let Ok(answers) = self.record(&attempts).await {
                return Ok(answers);
            }
            self.services.sleep(pause_ms).await;
        }
        self.record(&attempts).await
    }

    /// Makes the call that records the outcomes of attempts.
    async fn record(&self, several: &CommitAttempts) -> Result<Vec<CommitAnswer>, BackendError> {
        let ledgers = self.services.ledgers();
        match several.attempts.as_slice() {
            [] => Ok(Vec::new()),
            [one] => rpc::call(ledgers, &one.id.ledger, one).await.map(|answer| vec![answer]),
            [one, ..] => rpc::call(ledgers, &one.id.ledger, several).await,
        }
    }
}
