//! A queue message as received, and the dead letter for one that raydex does not understand.
//!
//! # Invariants
//! A message that raydex does not understand is acked only once the registry has recorded it as a dead letter.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::backend::BackendError;
use crate::ledger::DeliveryGroup;
use crate::ledger::ids::REGISTRY;
use crate::ledger::registry::{CountIgnoredEvents, DeadLetter};
use crate::rpc;
use crate::services::Services;

/// The code of a dead letter with a message of the JavaScript Worker that names a body of a delivery.
pub(super) const PREDECESSOR_PAYLOAD: &str = "predecessor_payload";

/// Returns the key in a message `{"key":"processed/….txt"}`, by which the JavaScript Worker tells itself to send a body that
/// it has rendered. No ledger knows whether it did.
#[must_use]
pub fn predecessor_key(body: &str) -> Option<String> {
    let value: Value = serde_json::from_str(body).ok()?;
    let value = match value {
        Value::String(text) => serde_json::from_str(&text).ok()?,
        value => value,
    };
    let key = value.get("key")?.as_str()?;
    let name = key.strip_suffix(".txt")?;
    let is_body = name.starts_with("processed/") || name.starts_with("processed-");
    is_body.then(|| key.to_owned())
}

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

    /// Returns the text; `None` for bytes that are not UTF-8.
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bytes(_) => None,
        }
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
    /// Returns the key of the body that the message names, if it is the JavaScript Worker's.
    pub(super) fn predecessor_key(&self) -> Option<String> {
        predecessor_key(self.body.text()?)
    }

    /// Returns the payloads that the message names; `None` if it names none.
    #[must_use]
    pub fn payloads(&self) -> Option<DeliveryGroup> {
        DeliveryGroup::from_message(self.body.text()?)
    }

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
    use super::{MessageBody, ReceivedMessage, predecessor_key};

    #[test]
    fn keys_of_the_predecessor_are_known() {
        let key = "processed/logs_20260328_20260328T084200Z_20260328T084225Z_ab12_log_gz-3.txt";
        for body in [
            format!(r#"{{"key":"{key}"}}"#),
            format!(r#"{{"key":"{key}","__redrive":3}}"#),
            serde_json::to_string(&format!(r#"{{"key":"{key}"}}"#)).unwrap(),
        ] {
            assert_eq!(predecessor_key(&body).as_deref(), Some(key), "{body}");
        }
        assert!(predecessor_key(r#"{"key":"processed-backfill/7/x-0.txt"}"#).is_some());
        for body in ["", "{}", r#"{"key":7}"#, r#"{"key":"logs/x.log.gz"}"#, r#"{"key":"processed/x"}"#, "[]", "\"\""] {
            assert_eq!(predecessor_key(body), None, "{body}");
        }
    }

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
