//! What R2 tells of an object: the body of a message on `parse-queue`.
//!
//! The contract is `schemas/r2_event.json`, held against this file by a test. No delivery is promised by R2:
//! an event is a hint, and the object itself is what counts.
//!
//! What always holds: any body at all is read or refused with a reason, alone; a member that raydex does not
//! know is stepped over.

use serde::{Deserialize, Serialize};

/// An R2 event notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct R2Event {
    /// The account of the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What happened: `PutObject`, `CopyObject`, `CompleteMultipartUpload`, `DeleteObject`, `LifecycleDeletion`.
    pub action: String,
    /// The bucket's name.
    pub bucket: String,
    /// The object.
    pub object: R2EventObject,
    /// When it happened, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time: Option<String>,
    /// What a backfill asks for; R2 writes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<EventBackfill>,
}

/// What a backfill asks for of an object, in a message that it sent itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventBackfill {
    /// The number of its job.
    pub id: i64,
    /// The first instant whose records are wanted, in Unix milliseconds.
    pub start_ms: i64,
    /// The first instant behind them.
    pub end_ms: i64,
    /// Whether to index.
    pub index: bool,
    /// Whether to deliver.
    pub deliver: bool,
}

/// What an event tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brings {
    /// There is an object now that there was not, or another version of it.
    Object,
    /// There may be an object no more.
    Removal,
    /// Something that raydex does not know.
    Nothing,
}

/// The object of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct R2EventObject {
    /// Its key.
    pub key: String,
    /// Its size in bytes; a deletion has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its version; a deletion has none.
    #[serde(default, rename = "eTag", skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

/// Why a message's body is no event. It never holds the body itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// No JSON, or not the members of an event.
    #[error("the message is not an R2 event notification (line {line}, column {column} of its JSON)")]
    NotAnEvent {
        /// Line of the body where reading stopped.
        line: usize,
        /// Column of that line.
        column: usize,
    },
    /// The event tells of no object.
    #[error("the R2 event has an empty object key")]
    NoKey,
}

impl R2Event {
    /// Reads the JSON body of a message.
    ///
    /// # Errors
    /// [`EventError`] where it is no event.
    pub fn parse(body: &str) -> Result<Self, EventError> {
        let event: Self = serde_json::from_str(body)
            .map_err(|error| EventError::NotAnEvent { line: error.line(), column: error.column() })?;
        if event.object.key.is_empty() { Err(EventError::NoKey) } else { Ok(event) }
    }

    /// The event of an object that raydex itself wrote, in the form in which R2 tells of one.
    #[must_use]
    pub fn put_object(bucket: &str, key: &str, size: u64, etag: &str, at_ms: i64) -> Self {
        Self {
            account: None,
            action: "PutObject".into(),
            bucket: bucket.into(),
            object: R2EventObject { key: key.into(), size: Some(size), etag: Some(etag.into()) },
            event_time: Some(crate::time::rfc3339(at_ms)),
            backfill: None,
        }
    }

    /// What it tells of.
    #[must_use]
    pub fn brings(&self) -> Brings {
        match self.action.as_str() {
            "PutObject" | "CopyObject" | "CompleteMultipartUpload" => Brings::Object,
            "DeleteObject" | "LifecycleDeletion" => Brings::Removal,
            _ => Brings::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Brings, EventError, R2Event};

    #[test]
    fn an_event_is_read_as_r2_writes_it() {
        let body = r#"{"account":"a1","action":"PutObject","bucket":"cdn-logs-raw","object":{"key":"logs/a.log.gz",
            "size":65536,"eTag":"e1"},"eventTime":"2026-03-28T08:42:25.000Z","copySource":{"bucket":"b","object":"o"}}"#;
        let event = R2Event::parse(body).unwrap();
        assert_eq!(event.object.key, "logs/a.log.gz");
        assert_eq!(event.object.etag.as_deref(), Some("e1"));
        assert_eq!(event.brings(), Brings::Object);
        let deletion = r#"{"action":"LifecycleDeletion","bucket":"b","object":{"key":"k"}}"#;
        assert_eq!(R2Event::parse(deletion).unwrap().brings(), Brings::Removal);
    }

    #[test]
    fn an_event_of_our_own_is_read_back() {
        let event = R2Event::put_object("b", "k", 3, "e", 1_774_687_345_000);
        assert_eq!(R2Event::parse(&serde_json::to_string(&event).unwrap()), Ok(event));
    }

    #[test]
    fn any_other_body_is_refused_with_the_place() {
        for body in ["", "null", "\"logs/a\"", "[]", "{}", "7", r#"{"action":1}"#, r#"{"object":{"key":3}}"#] {
            assert!(matches!(R2Event::parse(body), Err(EventError::NotAnEvent { .. })), "{body}");
        }
        let empty = r#"{"action":"PutObject","bucket":"b","object":{"key":""}}"#;
        assert_eq!(R2Event::parse(empty), Err(EventError::NoKey));
    }
}
