//! Handles one message of `send-queue` over the bindings. Without settings nothing is sent, and the message is retried
//! as late as possible.

use worker::Env;

use super::bindings::Bindings;
use super::messages::QueueMessage;
use super::partner::FetchPartner;
use super::{env, random};
use crate::config::{Config, ConfigFault};
use crate::limits::SEND_RETRY_S;
use crate::pipeline::{PayloadSender, SendVerdict, send_message};
use crate::services::Services;

/// The dependencies needed to send.
pub(super) struct SendDependencies {
    pub(super) config: Result<Config, Vec<ConfigFault>>,
    bindings: worker::Result<Bindings>,
}

impl SendDependencies {
    /// Creates the dependencies of this deployment.
    pub(super) fn from_env(env: &Env) -> Self {
        let config = env::config(env);
        let bindings = Bindings::new(env, config.as_ref().ok());
        Self { config, bindings }
    }

    /// Handles one message of the queue.
    pub(super) async fn send(&self, message: &QueueMessage) -> SendVerdict {
        let [.., delay] = SEND_RETRY_S;
        let later = |code, reason| SendVerdict::not_now(code, reason, delay);
        let (config, bindings) = match (&self.config, &self.bindings) {
            (Ok(config), Ok(bindings)) => (config, bindings),
            (Err(faults), _) => return later("not_configured", ConfigFault::words(faults)),
            (_, Err(error)) => return later("not_configured", error.to_string()),
        };
        let Some(settings) = &config.delivery else {
            return later("delivery_off", "no partner is configured".into());
        };
        let nonce = || random::nonce(bindings.now_ms());
        let sender =
            PayloadSender { services: bindings, partner: &FetchPartner, settings, nonce, claimant: random::name() };
        send_message(&sender, &message.received(env::SEND_QUEUE_NAME)).await
    }
}
