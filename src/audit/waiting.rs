//! The events that wait in an isolate: one call is under way at a time, and the next one takes all that waits.
//!
//! An event that comes while no call is under way goes at once, alone. A call belongs to the request that began it, and is
//! carried on although its client hangs up, since the events of others are in it.
//!
//! # Invariants
//! An event is in one call at most, and counts as appended only by the answer to that call. A call that fails fails all of its
//! events. No request waits longer than [`AUDIT_WAIT_MS`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;

use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, select};

use super::calls::{AppendAnswer, AppendEvent, AppendEvents};
use crate::backend::{BackendError, DurableObjects};
use crate::limits::{AUDIT_CALL_BYTES, AUDIT_CALL_EVENTS, AUDIT_CALLS_WAITING, AUDIT_WAIT_MS, GROUP_LOST_MS};
use crate::rpc::{self, Bell, Call, CommitGroup, GroupBounds, GroupRun, ItemSize};

/// The event's call, and its answer.
type EventGroup = CommitGroup<Vec<u8>, AppendAnswer>;

/// The events that wait, for each object that keeps a chain; its clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct WaitingEvents(Rc<RefCell<BTreeMap<String, EventGroup>>>);

/// What a request needs of its isolate in order to wait for others.
pub trait GroupHost {
    /// Returns a bell, and a future that completes in this request once any request of the isolate has rung it.
    fn bell(&self) -> (Bell, LocalBoxFuture<'static, ()>);
    /// Does the work although the client of this request hangs up. The future completes once it is done.
    fn carry_on(&self, work: LocalBoxFuture<'static, ()>) -> LocalBoxFuture<'static, ()>;
    /// Completes after this many milliseconds.
    fn pause(&self, ms: i64) -> impl Future<Output = ()>;
    /// The clock, in Unix milliseconds.
    fn clock_ms(&self) -> i64;
}

impl WaitingEvents {
    fn group(&self, chain: &str) -> EventGroup {
        let run = ItemSize { entries: AUDIT_CALL_EVENTS, bytes: AUDIT_CALL_BYTES };
        let bounds = GroupBounds { run, waiting_bytes: AUDIT_CALLS_WAITING };
        self.0.borrow_mut().entry(chain.to_owned()).or_insert_with(|| CommitGroup::new(bounds)).clone()
    }

    /// Appends the event to the chain that this object keeps, in one call with others that wait.
    ///
    /// # Errors
    /// [`BackendError`] where the call failed, or took too long. Whether the event was appended is not known then.
    pub async fn append<L: DurableObjects + Clone + 'static>(
        &self,
        host: &impl GroupHost,
        log: &L,
        chain: &str,
        event: &AppendEvent,
    ) -> Result<AppendAnswer, BackendError> {
        let (group, body) = (self.group(chain), event.to_body());
        let size = ItemSize { entries: 1, bytes: body.len() };
        let place = group.join(body, size)?;
        let mut until_ms = None;
        loop {
            if let Some(outcome) = place.outcome() {
                return outcome;
            }
            if let Some(run) = group.try_lead(|| host.clock_ms()) {
                host.carry_on(send(log.clone(), chain.to_owned(), run).boxed_local()).await;
                continue;
            }
            let now_ms = host.clock_ms();
            if now_ms >= *until_ms.get_or_insert(now_ms.saturating_add(AUDIT_WAIT_MS)) {
                return Err(BackendError::new("waiting for the audit log", "timed out"));
            }
            let (bell, rung) = host.bell();
            place.set_bell(bell);
            select(rung, pin!(host.pause(GROUP_LOST_MS))).await;
        }
    }
}

/// Sends the events of a run in one call.
async fn send<L: DurableObjects>(log: L, chain: String, mut run: GroupRun<Vec<u8>, AppendAnswer>) {
    let bodies = run.take_items();
    let answers = match bodies.as_slice() {
        [only] => {
            log.call(&chain, AppendEvent::NAME, only.clone()).await.and_then(|json| Ok(vec![rpc::from_json(&json)?]))
        }
        _ => log.call(&chain, AppendEvents::NAME, join_bodies(&bodies)).await.and_then(|json| rpc::from_json(&json)),
    };
    run.finish(answers);
}

/// The body of an [`AppendEvents`] with these events.
fn join_bodies(bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::with_capacity(bodies.iter().map(|event| event.len() + 1).sum::<usize>() + 1);
    for event in bodies {
        body.push(if body.is_empty() { b'[' } else { b',' });
        body.extend_from_slice(event);
    }
    body.push(b']');
    body
}
