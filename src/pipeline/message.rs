//! A message as its queue hands it over, and the dead letter of one that raydex does not understand.
//!
//! # Invariants
//! A message that raydex does not understand is acked only when the registry has it as a dead letter.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::backend::BackendError;
use crate::ledger::ids::REGISTRY;
use crate::ledger::registry::{CountIgnoredEvents, DeadLetter};
use crate::rpc;
use crate::services::Services;

/// The content of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageBody {
    /// Text, mostly JSON.
    Text(String),
    /// Bytes that are not UTF-8.
    Bytes(Vec<u8>),
}

impl MessageBody {
    /// The body of these bytes: text, if they are UTF-8.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }

    /// The text, or the bytes as `base64:…`: the form in which a dead letter keeps them.
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Bytes(bytes) => format!("base64:{}", STANDARD.encode(bytes)),
        }
    }
}

/// A message as its queue hands it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The name of the queue.
    pub queue: String,
    /// The identifier that the queue gave the message, the same at each attempt.
    pub id: String,
    /// Its content.
    pub body: MessageBody,
    /// Number of attempts, this one included.
    pub attempts: u32,
}

impl ReceivedMessage {
    /// The dead letter of this message, with the code of the reason.
    #[must_use]
    pub fn into_dead_letter(self, code: &str) -> DeadLetter {
        let Self { queue, id, body, attempts } = self;
        DeadLetter { queue, message: id, body: body.into_text(), attempts, code: code.to_owned() }
    }
}

/// Has the registry keep a dead letter. The same message twice is one.
pub(super) async fn keep_dead_letter(services: &impl Services, letter: &DeadLetter) -> Result<(), BackendError> {
    rpc::call(services.ledgers(), REGISTRY, letter).await.map(drop)
}

/// Counts events for which there was nothing to do, by the code of the reason. A message that comes again counts again.
///
/// # Errors
/// [`BackendError`] where the registry cannot be reached: such a message is not to be acked.
pub async fn count_ignored(services: &impl Services, counts: BTreeMap<String, u64>) -> Result<(), BackendError> {
    if counts.is_empty() {
        return Ok(());
    }
    rpc::call(services.ledgers(), REGISTRY, &CountIgnoredEvents { counts }).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::{MessageBody, ReceivedMessage};

    #[test]
    fn dead_letter_keeps_text_or_base64() {
        for (bytes, kept) in [(&b"{\"a\":1}"[..], "{\"a\":1}"), (b"", ""), (b"\xff\x00\xfe", "base64:/wD+")] {
            let body = MessageBody::from_bytes(bytes.to_vec());
            let message = ReceivedMessage { queue: "parse-queue".into(), id: "m".into(), body, attempts: 2 };
            let letter = message.into_dead_letter("not_an_event");
            assert_eq!((letter.body.as_str(), letter.attempts, letter.code.as_str()), (kept, 2, "not_an_event"));
        }
    }
}
