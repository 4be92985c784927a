//! An R2 event notification: the body of a message on `parse-queue`.
//!
//! The contract is `schemas/r2_event.json`, compared with this file by a test. R2 does not guarantee the delivery of
//! events: an event is a hint, and the current version of the object is what counts. So an event needs only a bucket
//! and a key: unknown members are skipped, and a member of an unexpected type counts as absent.
//!
//! Producers other than R2 send events as text, as bytes or in an array, so the body may be any of these, and JSON in a
//! string is parsed again. A key is taken literally, since R2 does not encode keys: `%20` is three of its characters.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::limits::EVENT_LAYERS;

/// An R2 event notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct R2Event {
    /// The account of the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The action: `PutObject`, `CopyObject`, `CompleteMultipartUpload`, `DeleteObject`, `LifecycleDeletion`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The name of the object's bucket.
    pub bucket: String,
    /// The object that changed.
    pub object: R2EventObject,
    /// The time of the change, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_time: Option<String>,
    /// The work that a backfill requests; only raydex's own messages have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backfill: Option<EventBackfill>,
}

/// The work that a backfill requests for an object, in a message sent by raydex itself.
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventBackfill {
    /// The number of the backfill's job.
    pub id: i64,
    /// Start of the range of records in Unix milliseconds, inclusive.
    pub start_ms: i64,
    /// End of the range of records in Unix milliseconds, exclusive.
    pub end_ms: i64,
    /// Whether to index the object.
    pub index: bool,
    /// Whether to deliver records to the partner.
    pub deliver: bool,
    /// Lines per second that the whole backfill may send to the partner.
    pub lines_per_second: u64,
    /// Whether to deliver the range once more, whatever was delivered.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub again: bool,
    /// The number of the erasure whose lines are looked for, and nothing else.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub erasure: Option<u64>,
    /// Whether the job has a filter, which the registry knows: messages are to stay short.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub filtered: bool,
    /// Whether to index the object once more whatever its ledger says.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub rebuild: bool,
}

/// The change of the object that an event reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectChange {
    /// The object is new, or has a new version.
    Written,
    /// The object may be gone.
    Removed,
    /// The event names no known action: the bucket has to be asked whether the object exists.
    Unknown,
}

/// The object of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct R2EventObject {
    /// Its key in the bucket.
    pub key: String,
    /// Its size in bytes; absent for a deletion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its version; absent for a deletion.
    #[serde(rename = "eTag", skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

/// The reason why a message, or a part of one, is not an event. It never contains the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// It is not JSON.
    #[error("the message is not JSON (line {line}, column {column})")]
    NotJson {
        /// The line at which parsing stopped.
        line: usize,
        /// The column at which parsing stopped.
        column: usize,
    },
    /// It is not UTF-8 text.
    #[error("the message is bytes that are not UTF-8")]
    NotText,
    /// It is JSON, but not an object.
    #[error("the message is not an R2 event notification")]
    NotAnEvent,
    /// It names no bucket.
    #[error("the R2 event names no bucket")]
    NoBucket,
    /// It names no object.
    #[error("the R2 event names no object key")]
    NoKey,
    /// Its backfill is not in the form that raydex sends.
    #[error("the R2 event belongs to a backfill that raydex does not understand")]
    OddBackfill,
    /// There are several events where one is expected.
    #[error("the message holds several R2 events")]
    SeveralEvents,
}

/// A part of a message that is not an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadPart {
    /// The part as text.
    pub text: String,
    /// The reason why it is not an event.
    pub why: EventError,
}

/// The contents of a message's body: events, other parts, or both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventList {
    /// The events of the body, in order.
    pub events: Vec<R2Event>,
    /// All other parts; not empty if there is no event.
    pub unread: Vec<UnreadPart>,
}

impl EventList {
    /// Parses a body: an event in JSON, an array of events, or either in strings or bytes within JSON.
    #[must_use]
    pub fn parse(body: &str) -> Self {
        let mut list = Self::default();
        list.take_text(body, EVENT_LAYERS);
        list
    }

    fn take_text(&mut self, text: &str, layers: usize) {
        match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
            Ok(value) => self.take_value(value, layers),
            Err(error) => {
                let why = EventError::NotJson { line: error.line(), column: error.column() };
                self.unread.push(UnreadPart { text: text.to_owned(), why });
            }
        }
    }

    fn take_value(&mut self, value: Value, layers: usize) {
        match value {
            Value::String(text) if layers > 0 => self.take_text(&text, layers - 1),
            Value::Array(items) if layers > 0 && !items.is_empty() => {
                for item in items {
                    self.take_value(item, layers - 1);
                }
            }
            Value::Object(members) => match text_of_bytes(&members) {
                Some(text) if layers > 0 => self.take_text(&text, layers - 1),
                _ => match R2Event::from_members(&members) {
                    Ok(event) => self.events.push(event),
                    Err(why) => self.unread.push(UnreadPart { text: Value::Object(members).to_string(), why }),
                },
            },
            other => self.unread.push(UnreadPart { text: other.to_string(), why: EventError::NotAnEvent }),
        }
    }
}

/// Decodes the text in an object `{"0":123,"1":34,…}`, the JSON form of bytes.
fn text_of_bytes(members: &Map<String, Value>) -> Option<String> {
    let byte = |at: usize| members.get(&at.to_string())?.as_u64()?.try_into().ok();
    let bytes: Vec<u8> = (0..members.len()).map(byte).collect::<Option<_>>()?;
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

/// Returns the text of a member; `None` if it is empty or not text.
fn text_of(members: &Map<String, Value>, name: &str) -> Option<String> {
    members.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

impl R2Event {
    /// Parses the body of a message with a single event.
    ///
    /// # Errors
    /// [`EventError`] if the body is not an event.
    pub fn parse(body: &str) -> Result<Self, EventError> {
        let EventList { mut events, unread } = EventList::parse(body);
        match (unread.first(), events.len()) {
            (Some(part), _) => Err(part.why),
            (None, 1) => events.pop().ok_or(EventError::NotAnEvent),
            (None, _) => Err(EventError::SeveralEvents),
        }
    }

    fn from_members(members: &Map<String, Value>) -> Result<Self, EventError> {
        let object = members.get("object").and_then(Value::as_object);
        let backfill = match members.get("backfill") {
            None | Some(Value::Null) => None,
            // A backfill's request is never guessed.
            Some(value) => Some(EventBackfill::deserialize(value).map_err(|_| EventError::OddBackfill)?),
        };
        Ok(Self {
            account: text_of(members, "account"),
            action: text_of(members, "action"),
            bucket: text_of(members, "bucket").ok_or(EventError::NoBucket)?,
            object: object.and_then(R2EventObject::from_members).ok_or(EventError::NoKey)?,
            event_time: text_of(members, "eventTime"),
            backfill,
        })
    }

    /// Creates the event that R2 would send for an object that raydex wrote or found itself. `at_ms`: Unix
    /// milliseconds.
    #[must_use]
    pub fn put_object(bucket: &str, key: &str, size: u64, etag: &str, at_ms: i64) -> Self {
        Self {
            account: None,
            action: Some("PutObject".into()),
            bucket: bucket.into(),
            object: R2EventObject { key: key.into(), size: Some(size), etag: Some(etag.into()) },
            event_time: Some(crate::time::rfc3339(at_ms)),
            backfill: None,
        }
    }

    /// Returns the change that its action reports.
    #[must_use]
    pub fn object_change(&self) -> ObjectChange {
        match self.action.as_deref() {
            Some("PutObject" | "CopyObject" | "CompleteMultipartUpload") => ObjectChange::Written,
            Some("DeleteObject" | "LifecycleDeletion") => ObjectChange::Removed,
            _ => ObjectChange::Unknown,
        }
    }
}

impl R2EventObject {
    fn from_members(members: &Map<String, Value>) -> Option<Self> {
        let size = members.get("size").and_then(Value::as_u64);
        Some(Self { key: text_of(members, "key")?, size, etag: text_of(members, "eTag") })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{EventError, EventList, ObjectChange, R2Event};

    const KEY: &str = "logs/a.log.gz";

    fn minimal() -> Value {
        json!({"bucket": "b", "object": {"key": KEY}})
    }

    fn parse(body: &Value) -> Result<R2Event, EventError> {
        R2Event::parse(&body.to_string())
    }

    #[test]
    fn r2_events_are_read() {
        let body = r#"{"account":"a1","action":"PutObject","bucket":"cdn-logs-raw","object":{"key":"logs/a.log.gz",
            "size":65536,"eTag":"e1"},"eventTime":"2026-03-28T08:42:25.000Z","copySource":{"bucket":"b","object":"o"}}"#;
        let event = R2Event::parse(body).unwrap();
        assert_eq!((event.object.key.as_str(), event.object.size), (KEY, Some(65536)));
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
    fn bucket_and_key_are_enough() {
        let event = parse(&minimal()).unwrap();
        assert_eq!((event.bucket.as_str(), event.object.key.as_str()), ("b", KEY));
        assert_eq!(event.object_change(), ObjectChange::Unknown);
        let odd =
            [json!(null), json!(7), json!(-1), json!(1.5), json!(""), json!("x"), json!([]), json!({}), json!(true)];
        for value in odd {
            for name in ["account", "action", "eventTime", "more"] {
                let mut body = minimal();
                body[name] = value.clone();
                assert_eq!(parse(&body).unwrap().object.key, KEY, "{name}: {value}");
            }
            for name in ["size", "eTag", "more"] {
                let mut body = minimal();
                body["object"][name] = value.clone();
                assert_eq!(parse(&body).unwrap().object.key, KEY, "object.{name}: {value}");
            }
        }
    }

    #[test]
    fn keys_are_taken_as_they_are() {
        for key in ["logs/a%20b+c.log.gz", "logs/%2e%2e/é\u{1}", " logs/a ", "/logs//a"] {
            let body = json!({"bucket": "b", "object": {"key": key}});
            assert_eq!(parse(&body).unwrap().object.key, key);
        }
    }

    #[test]
    fn events_are_found_in_every_wrapping() {
        let one = minimal();
        let text = |value: &Value| Value::String(value.to_string());
        let bytes = |value: &Value| {
            let bytes = value.to_string().into_bytes();
            let members = bytes.iter().enumerate().map(|(at, byte)| (at.to_string(), json!(byte)));
            Value::Object(members.collect())
        };
        let wraps: [&dyn Fn(&Value) -> Value; 4] = [&Value::clone, &text, &bytes, &|value| json!([value])];
        for outer in wraps {
            for inner in wraps {
                let body = outer(&inner(&one));
                assert_eq!(parse(&body).map(|event| event.object.key), Ok(KEY.into()), "{body}");
                assert_eq!(R2Event::parse(&format!("\u{feff} {body}\n")).unwrap().object.key, KEY, "{body}");
            }
        }
    }

    #[test]
    fn every_element_of_an_array_is_taken() {
        let body = json!([minimal(), 7, {"bucket": "b"}, minimal().to_string(), [], "no"]);
        let EventList { events, unread } = EventList::parse(&body.to_string());
        assert_eq!(events.len(), 2);
        let parts: Vec<(&str, EventError)> = unread.iter().map(|part| (part.text.as_str(), part.why)).collect();
        let not_json = EventError::NotJson { line: 1, column: 2 };
        let expected = [
            ("7", EventError::NotAnEvent),
            (r#"{"bucket":"b"}"#, EventError::NoKey),
            ("[]", EventError::NotAnEvent),
            ("no", not_json),
        ];
        assert_eq!(parts, expected);
        assert_eq!(parse(&json!([minimal(), minimal()])), Err(EventError::SeveralEvents));
    }

    #[test]
    fn other_bodies_are_refused_with_their_reason() {
        let not_json = |line, column| EventError::NotJson { line, column };
        for (body, why) in [
            ("", not_json(1, 0)),
            ("{\n\"a\"", not_json(2, 3)),
            ("\"logs/a\"", not_json(1, 1)),
            ("null", EventError::NotAnEvent),
            ("[]", EventError::NotAnEvent),
            ("7", EventError::NotAnEvent),
            ("{}", EventError::NoBucket),
            (r#"{"action":1}"#, EventError::NoBucket),
            (r#"{"bucket":7,"object":{"key":"k"}}"#, EventError::NoBucket),
            (r#"{"bucket":"b"}"#, EventError::NoKey),
            (r#"{"bucket":"b","object":{"key":3}}"#, EventError::NoKey),
            (r#"{"bucket":"b","object":{"key":""}}"#, EventError::NoKey),
            (r#"{"bucket":"b","object":{"key":"k"},"backfill":{"id":1}}"#, EventError::OddBackfill),
            (r#"{"0":255,"1":123}"#, EventError::NoBucket),
        ] {
            assert_eq!(R2Event::parse(body), Err(why), "{body}");
        }
        // Wrapped more often than any producer does.
        let deep = (0..9).fold(minimal().to_string(), |text, _| Value::String(text).to_string());
        assert_eq!(R2Event::parse(&deep), Err(EventError::NotAnEvent));
        assert!(R2Event::parse(&"[".repeat(100_000)).is_err());
    }
}
