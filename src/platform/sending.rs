//! Handles one message of `send-queue` over the bindings. Without settings nothing is sent: the ledger holds the
//! payload, and wakes it once there are some.

use worker::Env;

use super::bindings::Bindings;
use super::partner::FetchPartner;
use super::{env, random};
use crate::config::{Config, ConfigFault, DeliverySettings};
use crate::limits::{BATCH_RUN_MS, BEHIND_BATCH_MS, LEASE_MAX_MS, SEND_PATIENCE_MS, SEND_RETRY_S, batch_patience_ms};
use crate::pipeline::{
    MessageLoad, PartnerWatch, PayloadSender, ReceivedMessage, SendVerdict, hand_on, hold_message, send_message,
};
use crate::services::Services;

/// The dependencies needed to send.
pub(super) struct SendDependencies {
    pub(super) config: Result<Config, Vec<ConfigFault>>,
    bindings: worker::Result<Bindings>,
    partner: FetchPartner,
    watch: PartnerWatch,
}

impl SendDependencies {
    /// Creates the dependencies of this deployment.
    pub(super) fn from_env(env: &Env) -> Self {
        let config = env::config(env);
        let bindings = Bindings::new(env, config.as_ref().ok());
        Self { config, bindings, partner: FetchPartner::new(), watch: PartnerWatch::default() }
    }

    /// Asks the partner's breaker, once for all messages of a batch.
    pub(super) async fn ask_partner(&self) {
        if let (Some(settings), Ok(bindings)) = (self.settings(), &self.bindings) {
            self.watch.refresh(bindings, &settings.fingerprint()).await;
        }
    }

    /// Returns the Unix milliseconds at which the last POST of the batch began, or will begin once its turn comes.
    pub(super) fn last_post_ms(&self) -> i64 {
        self.partner.last_post_ms.get().max(self.watch.expected_post_ms())
    }

    /// Returns the time that a batch waits for its last POST, in milliseconds.
    pub(super) fn patience_ms(&self) -> i64 {
        self.settings().map_or(SEND_PATIENCE_MS, |settings| batch_patience_ms(settings.post_ms))
    }

    /// Returns the time within which a batch may begin with messages, in milliseconds: a whole claim must fit behind it.
    pub(super) fn begin_within_ms(&self) -> i64 {
        let lease_ms = self.settings().map_or(LEASE_MAX_MS, DeliverySettings::lease_ms);
        BATCH_RUN_MS - lease_ms - BEHIND_BATCH_MS
    }

    /// Returns a message to its queue, for which the batch has no time left.
    pub(super) async fn hand_on(&self, message: &ReceivedMessage) -> Vec<SendVerdict> {
        match &self.bindings {
            Ok(bindings) => hand_on(bindings, message).await,
            Err(error) => vec![SendVerdict::not_now("not_configured", error.to_string(), 0)],
        }
    }

    fn settings(&self) -> Option<&DeliverySettings> {
        self.config.as_ref().ok().and_then(|config| config.delivery.as_ref())
    }

    /// Handles one message of the queue.
    pub(super) async fn send(&self, message: &ReceivedMessage, load: MessageLoad) -> Vec<SendVerdict> {
        let [.., delay] = SEND_RETRY_S;
        let later = |code, reason| vec![SendVerdict::not_now(code, reason, delay)];
        let (config, bindings) = match (&self.config, &self.bindings) {
            (Ok(config), Ok(bindings)) => (config, bindings),
            (Err(faults), _) => return later("not_configured", ConfigFault::words(faults)),
            (_, Err(error)) => return later("not_configured", error.to_string()),
        };
        let Some(settings) = &config.delivery else { return hold_message(bindings, config, message).await };
        let nonce = || random::nonce(bindings.now_ms());
        let (partner, watch, claimant) = (&self.partner, &self.watch, random::name());
        let sender = PayloadSender { services: bindings, partner, settings, nonce, claimant, watch, load };
        send_message(&sender, message).await
    }
}
