//! A queue message as received, and the dead letter for one that raydex does not understand.
//!
//! # Invariants
//! A message that raydex does not understand is acked only once the registry has recorded it as a dead letter.

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
    /// Text, usually JSON.
    Text(String),
    /// Bytes that are not UTF-8.
    Bytes(Vec<u8>),
}

impl MessageBody {
    /// Creates a body from bytes: text, if they are UTF-8.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }

    /// Returns the text, or the bytes as `base64:…`: the form stored in a dead letter.
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Bytes(bytes) => format!("base64:{}", STANDARD.encode(bytes)),
        }
    }
}

/// A message as received from its queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The name of its queue.
    pub queue: String,
    /// The identifier that the queue assigned to the message, equal in all attempts.
    pub id: String,
    /// Its body, as text or bytes.
    pub body: MessageBody,
    /// Number of attempts, including this one.
    pub attempts: u32,
}

impl ReceivedMessage {
    /// Converts the message to a dead letter with this code of the reason.
    #[must_use]
    pub fn into_dead_letter(self, code: &str) -> DeadLetter {
        let Self { queue, id, body, attempts } = self;
        DeadLetter { queue, message: id, body: body.into_text(), attempts, code: code.to_owned() }
    }
}

/// Records a dead letter in the registry. Recording the same message twice has no further effect.
pub(super) async fn keep_dead_letter(services: &impl Services, letter: &DeadLetter) -> Result<(), BackendError> {
    rpc::call(services.ledgers(), REGISTRY, letter).await.map(drop)
}

/// Counts events that required no work, by the code of the reason. A repeated message counts again.
///
/// # Errors
/// [`BackendError`] if the registry cannot be reached: the message must not be acked.
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
