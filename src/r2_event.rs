//! An R2 event notification: the body of a message on `parse-queue`.
//!
//! The contract is `schemas/r2_event.json`, compared with this file by a test. R2 does not promise to deliver events: an
//! event is a hint, and the object as it is now is what counts. So an event needs a bucket and a key and nothing else:
//! members that raydex does not know are skipped, and a member of another type than its own counts as absent.
//!
//! Producers other than R2 send events as text, as bytes or in an array, so the body may be any of these, and JSON in a
//! string is read again. A key is taken as it stands, since R2 does not encode keys: `%20` is three characters of one.

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
    /// What happened: `PutObject`, `CopyObject`, `CompleteMultipartUpload`, `DeleteObject`, `LifecycleDeletion`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The name of the bucket that the object is in.
    pub bucket: String,
    /// The object that changed.
    pub object: R2EventObject,
    /// When it happened, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_time: Option<String>,
    /// What a backfill wants of the object; only raydex's own messages have it.
    #[serde(skip_serializing_if = "Option::is_none")]
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
    /// The event names no action that raydex knows: the bucket says whether there is an object.
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

/// Why a message, or a part of one, is not an event. It never contains the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// It is not JSON.
    #[error("the message is not JSON (line {line}, column {column})")]
    NotJson {
        /// Line of the text where reading stopped.
        line: usize,
        /// Column of that line.
        column: usize,
    },
    /// It is not text.
    #[error("the message is bytes that are not UTF-8")]
    NotText,
    /// It is JSON of another kind than an object.
    #[error("the message is not an R2 event notification")]
    NotAnEvent,
    /// It names no bucket.
    #[error("the R2 event names no bucket")]
    NoBucket,
    /// It names no object.
    #[error("the R2 event names no object key")]
    NoKey,
    /// Its backfill is not one that raydex sends.
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
    /// Why it is not an event.
    pub why: EventError,
}

/// What the body of a message holds: events, parts that are none, or both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventList {
    /// The events, in their order.
    pub events: Vec<R2Event>,
    /// Everything else; where there is no event, this is not empty.
    pub unread: Vec<UnreadPart>,
}

impl EventList {
    /// Reads a body: an event in JSON, an array of events, or either in strings or bytes within JSON.
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

/// The text in an object `{"0":123,"1":34,…}`, which is how bytes become JSON.
fn text_of_bytes(members: &Map<String, Value>) -> Option<String> {
    let byte = |at: usize| members.get(&at.to_string())?.as_u64()?.try_into().ok();
    let bytes: Vec<u8> = (0..members.len()).map(byte).collect::<Option<_>>()?;
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

/// The text of a member; `None` where it is empty or not text.
fn text_of(members: &Map<String, Value>, name: &str) -> Option<String> {
    members.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

impl R2Event {
    /// Reads the body of a message that holds one event.
    ///
    /// # Errors
    /// [`EventError`] where the body is not an event.
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
            // What is to be delivered is never guessed.
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

    /// The event of an object that raydex wrote or found itself, as R2 would send it. `at_ms`: Unix milliseconds.
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

    /// What its action says about the object.
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
        // Wrapped once more than anyone does.
        let deep = (0..9).fold(minimal().to_string(), |text, _| Value::String(text).to_string());
        assert_eq!(R2Event::parse(&deep), Err(EventError::NotAnEvent));
        assert!(R2Event::parse(&"[".repeat(100_000)).is_err());
    }
}
