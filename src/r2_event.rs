//! An R2 event notification: the body of a message on `parse-queue`.
//!
//! The contract is `schemas/r2_event.json`, compared with this file by a test. R2 does not promise to deliver events: an
//! event is a hint, and the object as it is now is what counts. Members that raydex does not know are skipped.

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
    /// The name of the bucket that the object is in.
    pub bucket: String,
    /// The object that changed.
    pub object: R2EventObject,
    /// When it happened, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time: Option<String>,
    /// What a backfill wants of the object; only raydex's own messages have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<EventBackfill>,
}

/// What a backfill wants of an object, in a message that it sent itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventBackfill {
    /// The number of the backfill's job.
    pub id: i64,
    /// The first instant whose records are wanted, in Unix milliseconds.
    pub start_ms: i64,
    /// The first instant after them, in Unix milliseconds.
    pub end_ms: i64,
    /// Whether to index the object.
    pub index: bool,
    /// Whether to deliver records to the partner.
    pub deliver: bool,
}

/// What an event says about its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectChange {
    /// The object is new, or has a new version.
    Written,
    /// The object may be gone.
    Removed,
    /// An action that raydex does not know.
    Unknown,
}

/// The object of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct R2EventObject {
    /// Its key in the bucket.
    pub key: String,
    /// Its size in bytes; absent for a deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its version; absent for a deletion.
    #[serde(default, rename = "eTag", skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

/// Why a message's body is not an event. It never contains the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// It is not JSON, or lacks the members of an event.
    #[error("the message is not an R2 event notification (line {line}, column {column} of its JSON)")]
    NotAnEvent {
        /// Line of the body where reading stopped.
        line: usize,
        /// Column of that line.
        column: usize,
    },
    /// The object's key is empty.
    #[error("the R2 event has an empty object key")]
    NoKey,
}

impl R2Event {
    /// Reads the JSON body of a message.
    ///
    /// # Errors
    /// [`EventError`] where the body is not an event.
    pub fn parse(body: &str) -> Result<Self, EventError> {
        let event: Self = serde_json::from_str(body)
            .map_err(|error| EventError::NotAnEvent { line: error.line(), column: error.column() })?;
        if event.object.key.is_empty() { Err(EventError::NoKey) } else { Ok(event) }
    }

    /// The event of an object that raydex wrote or found itself, as R2 would send it. `at_ms`: Unix milliseconds.
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

    /// What its action says about the object.
    #[must_use]
    pub fn object_change(&self) -> ObjectChange {
        match self.action.as_str() {
            "PutObject" | "CopyObject" | "CompleteMultipartUpload" => ObjectChange::Written,
            "DeleteObject" | "LifecycleDeletion" => ObjectChange::Removed,
            _ => ObjectChange::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{EventError, ObjectChange, R2Event};

    #[test]
    fn r2_events_are_read() {
        let body = r#"{"account":"a1","action":"PutObject","bucket":"cdn-logs-raw","object":{"key":"logs/a.log.gz",
            "size":65536,"eTag":"e1"},"eventTime":"2026-03-28T08:42:25.000Z","copySource":{"bucket":"b","object":"o"}}"#;
        let event = R2Event::parse(body).unwrap();
        assert_eq!(event.object.key, "logs/a.log.gz");
        assert_eq!(event.object.etag.as_deref(), Some("e1"));
        assert_eq!(event.object_change(), ObjectChange::Written);
        let deletion = r#"{"action":"LifecycleDeletion","bucket":"b","object":{"key":"k"}}"#;
        assert_eq!(R2Event::parse(deletion).unwrap().object_change(), ObjectChange::Removed);
    }

    #[test]
    fn own_events_are_read_back() {
        let event = R2Event::put_object("b", "k", 3, "e", 1_774_687_345_000);
        assert_eq!(R2Event::parse(&serde_json::to_string(&event).unwrap()), Ok(event));
    }

    #[test]
    fn other_bodies_are_refused_with_their_position() {
        for body in ["", "null", "\"logs/a\"", "[]", "{}", "7", r#"{"action":1}"#, r#"{"object":{"key":3}}"#] {
            assert!(matches!(R2Event::parse(body), Err(EventError::NotAnEvent { .. })), "{body}");
        }
        let empty = r#"{"action":"PutObject","bucket":"b","object":{"key":""}}"#;
        assert_eq!(R2Event::parse(empty), Err(EventError::NoKey));
    }
}
