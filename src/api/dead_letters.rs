//! `GET /v1/dead-letters`, `POST /v1/dead-letters/{dead_letter}/redrive` and `/dismiss`: messages whose retries ran out or
//! that raydex did not understand, their return to the queue, and their dismissal.
//!
//! # Invariants
//! A dead letter that is not a message of raydex is shown only by its size. A message is sent before its dead letter is
//! recorded as redriven, so a failure in between repeats the message and does not lose it.

use serde::Serialize;

use super::ledgers::{ask_ledger, call_ledger};
use super::list_document::ListDocument;
use super::operation_reason::parse_reason;
use crate::backend::{BackendError, Queue};
use crate::http::media_type::JSON;
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::ledger::DeliveryGroup;
use crate::ledger::ids::REGISTRY;
use crate::ledger::registry::{
    DeadLetter, DeadLetterList, DismissDeadLetter, ListDeadLetters, MarkRedriven, StoredDeadLetter,
};
use crate::limits::{DEAD_LETTERS_LISTED, DEAD_LETTERS_PAGE, LISTED};
use crate::pipeline::predecessor_key;
use crate::r2_event::{EventList, R2Event};
use crate::services::Services;
use crate::time::rfc3339;

/// The message in a dead letter, if raydex sent it.
enum DeadMessage {
    /// From `parse-queue`: the events of objects to index, usually one.
    Parse(Vec<R2Event>),
    /// From `send-queue`: the payload to deliver.
    Send(DeliveryGroup),
}

impl DeadMessage {
    /// Parses the body of a dead letter; `None` if it is not a message of raydex.
    fn from_body(body: &str) -> Option<Self> {
        let EventList { events, unread } = EventList::parse(body);
        if unread.is_empty() {
            return Some(Self::Parse(events));
        }
        DeliveryGroup::from_message(body).map(Self::Send)
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
            Self::Send(group) => services.send_queue().send(&[group]).await,
        }
    }
}

/// The member after the dead letters.
#[derive(Serialize)]
struct DeadLetterListTail {
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
    /// The handle of the payload of a dead letter for `send`; of several, the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    /// The key of the body that a message of the JavaScript Worker names.
    #[serde(skip_serializing_if = "Option::is_none")]
    predecessor_key: Option<String>,
    redriven_at: Option<String>,
    dismissed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<StoredDeadLetter> for DeadLetterResponse {
    fn from(kept: StoredDeadLetter) -> Self {
        let StoredDeadLetter { id, letter, at_ms, redriven_ms, dismissed_ms, reason } = kept;
        let DeadLetter { queue, message, body, attempts, code } = letter;
        let (event, payload) = match DeadMessage::from_body(&body) {
            Some(DeadMessage::Parse(events)) => (events.into_iter().next(), None),
            Some(DeadMessage::Send(group)) => (None, group.ids().next().map(|id| id.handle())),
            None => (None, None),
        };
        Self {
            id,
            queue,
            message,
            attempts,
            code,
            given_up_at: rfc3339(at_ms),
            body_bytes: body.len(),
            event,
            payload,
            predecessor_key: predecessor_key(&body),
            redriven_at: redriven_ms.map(rfc3339),
            dismissed_at: dismissed_ms.map(rfc3339),
            reason,
        }
    }
}

/// Lists dead letters, newest first.
pub(crate) async fn list_dead_letters<Y>(services: &impl Services, request: &HttpRequest<Y>) -> Result<Reply, Problem> {
    let limit = request.number_parameter("limit", LISTED, DEAD_LETTERS_LISTED)?;
    let (redriven, dismissed) = (parse_switch(request, "redriven")?, parse_switch(request, "dismissed")?);
    let mut document = ListDocument::begin(services.memory(), &serde_json::json!({}), "dead_letters")?;
    let (mut listed, mut before) = (0, None);
    // One extra dead letter shows whether there are more.
    while listed <= limit {
        let most = DEAD_LETTERS_PAGE.min(limit + 1 - listed);
        let call = ListDeadLetters { id: None, redriven, dismissed, limit: most, before };
        let page = call_ledger(services, REGISTRY, &call).await?;
        let (DeadLetterList { dead_letters }, _held) = page.into_parts();
        let is_last = (dead_letters.len() as u64) < most;
        for letter in dead_letters {
            before = Some(letter.id);
            if listed < limit {
                document.push(&DeadLetterResponse::from(letter))?;
            }
            listed += 1;
        }
        if is_last {
            break;
        }
    }
    Ok(Reply::new(200, JSON, document.end(&DeadLetterListTail { truncated: listed > limit })?))
}

/// Parses a parameter that is `true` or `false`, the default.
fn parse_switch<Y>(request: &HttpRequest<Y>, name: &'static str) -> Result<bool, Problem> {
    match request.parameter(name).as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(problems::bad_parameter(name, "true or false")),
    }
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
    let (id, reason) = (parse_number(argument)?, parse_reason(body)?);
    let call = ListDeadLetters { id: Some(id), redriven: true, dismissed: true, limit: 1, before: None };
    let found = call_ledger(services, REGISTRY, &call).await?;
    let kept = found.dead_letters.first().ok_or_else(problems::no_such_dead_letter)?;
    let message = DeadMessage::from_body(&kept.letter.body).ok_or_else(problems::not_redrivable)?;
    let to = message.name();
    message.send(services).await.map_err(|_| problems::unavailable())?;
    let redriven = ask_ledger(services, REGISTRY, &MarkRedriven { id, reason }).await?.known;
    Ok(Reply::json(services.memory(), &RedriveResponse { dead_letter: id, redriven, to })?)
}

/// A dead letter that no longer counts.
#[derive(Serialize)]
struct DismissalResponse {
    dead_letter: i64,
    dismissed_at: String,
}

/// Records that a dead letter calls for nothing more. It stays in the list of dismissed ones, and can still be redriven.
pub(crate) async fn dismiss_dead_letter(
    services: &impl Services,
    body: &[u8],
    argument: &str,
) -> Result<Reply, Problem> {
    let (id, reason) = (parse_number(argument)?, parse_reason(body)?);
    let answer = ask_ledger(services, REGISTRY, &DismissDeadLetter { id, reason }).await?;
    let dismissed_ms = answer.dismissed_ms.ok_or_else(problems::no_such_dead_letter)?;
    Ok(Reply::json(services.memory(), &DismissalResponse { dead_letter: id, dismissed_at: rfc3339(dismissed_ms) })?)
}

/// Parses the number of a dead letter.
fn parse_number(argument: &str) -> Result<i64, Problem> {
    argument.parse::<u32>().map(i64::from).map_err(|_| problems::no_such_dead_letter())
}
