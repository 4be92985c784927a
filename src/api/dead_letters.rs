//! `GET /v1/dead-letters`, `POST /v1/dead-letters/{dead_letter}/redrive`: messages whose retries ran out or that raydex
//! did not understand, and their return to the queue.
//!
//! # Invariants
//! A dead letter that is not a message of raydex is shown only by its size. A message is sent before its dead letter is
//! recorded as redriven, so a failure in between repeats the message and does not lose it.

use serde::Serialize;

use super::ledgers::call_ledger;
use super::operation_reason::parse_reason;
use crate::backend::{BackendError, Queue};
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::ledger::DeliveryId;
use crate::ledger::ids::REGISTRY;
use crate::ledger::registry::{DeadLetter, ListDeadLetters, MarkRedriven, StoredDeadLetter};
use crate::limits::{DEAD_LETTERS_LISTED, LISTED};
use crate::r2_event::{EventList, R2Event};
use crate::services::Services;
use crate::time::rfc3339;

/// The message in a dead letter, if raydex sent it.
enum DeadMessage {
    /// From `parse-queue`: the events of objects to index, usually one.
    Parse(Vec<R2Event>),
    /// From `send-queue`: the payload to deliver.
    Send(DeliveryId),
}

impl DeadMessage {
    /// Parses the body of a dead letter; `None` if it is not a message of raydex.
    fn from_body(body: &str) -> Option<Self> {
        let EventList { events, unread } = EventList::parse(body);
        if unread.is_empty() {
            return Some(Self::Parse(events));
        }
        DeliveryId::from_message(body).map(Self::Send)
    }

    /// Returns the name of the queue: `parse-queue` or `send-queue`.
    const fn name(&self) -> &'static str {
        match self {
            Self::Parse(_) => "parse-queue",
            Self::Send(_) => "send-queue",
        }
    }

    /// Puts the message on its queue.
    async fn send(self, services: &impl Services) -> Result<(), BackendError> {
        match self {
            Self::Parse(events) => services.parse_queue().send(&events).await,
            Self::Send(id) => services.send_queue().send(&[id]).await,
        }
    }
}

#[derive(Serialize)]
struct DeadLetterListResponse {
    dead_letters: Vec<DeadLetterResponse>,
    /// Whether there are more dead letters than `limit`.
    truncated: bool,
}

#[derive(Serialize)]
struct DeadLetterResponse {
    id: i64,
    queue: String,
    message: String,
    attempts: u32,
    code: String,
    given_up_at: String,
    body_bytes: usize,
    /// The event of a dead letter for `parse`; of several, the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<R2Event>,
    /// The handle of the payload of a dead letter for `send`.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    redriven_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<StoredDeadLetter> for DeadLetterResponse {
    fn from(StoredDeadLetter { id, letter, at_ms, redriven_ms, reason }: StoredDeadLetter) -> Self {
        let DeadLetter { queue, message, body, attempts, code } = letter;
        let (event, payload) = match DeadMessage::from_body(&body) {
            Some(DeadMessage::Parse(events)) => (events.into_iter().next(), None),
            Some(DeadMessage::Send(id)) => (None, Some(id.handle())),
            None => (None, None),
        };
        let (given_up_at, redriven_at, body_bytes) = (rfc3339(at_ms), redriven_ms.map(rfc3339), body.len());
        Self { id, queue, message, attempts, code, given_up_at, body_bytes, event, payload, redriven_at, reason }
    }
}

/// Lists dead letters, newest first.
pub(crate) async fn list_dead_letters<Y>(services: &impl Services, request: &HttpRequest<Y>) -> Result<Reply, Problem> {
    let limit = request.number_parameter("limit", LISTED, DEAD_LETTERS_LISTED)?;
    let redriven = match request.parameter("redriven").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(problems::bad_parameter("redriven", "true or false")),
    };
    // One extra dead letter shows whether there are more.
    let call = ListDeadLetters { id: None, redriven, limit: limit + 1 };
    let mut letters = call_ledger(services, REGISTRY, &call).await?.dead_letters;
    let truncated = letters.len() as u64 > limit;
    letters.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(Reply::json(&DeadLetterListResponse {
        dead_letters: letters.into_iter().map(DeadLetterResponse::from).collect(),
        truncated,
    }))
}

/// The queue that a dead letter was returned to.
#[derive(Serialize)]
struct RedriveResponse {
    dead_letter: i64,
    redriven: bool,
    /// The name of the queue: `parse-queue` or `send-queue`.
    to: &'static str,
}

/// Sends the message of a dead letter to its queue again. Messages are idempotent, so redriving twice is harmless.
pub(crate) async fn redrive_dead_letter(
    services: &impl Services,
    body: &[u8],
    argument: &str,
) -> Result<Reply, Problem> {
    let id = argument.parse::<u32>().map_err(|_| problems::no_such_dead_letter())?.into();
    let reason = parse_reason(body)?;
    let call = ListDeadLetters { id: Some(id), redriven: true, limit: 1 };
    let kept =
        call_ledger(services, REGISTRY, &call).await?.dead_letters.pop().ok_or_else(problems::no_such_dead_letter)?;
    let message = DeadMessage::from_body(&kept.letter.body).ok_or_else(problems::not_redrivable)?;
    let to = message.name();
    message.send(services).await.map_err(|_| problems::unavailable())?;
    let redriven = call_ledger(services, REGISTRY, &MarkRedriven { id, reason }).await?.known;
    Ok(Reply::json(&RedriveResponse { dead_letter: id, redriven, to }))
}
