//! Calls to Durable Objects, from both ends.
//!
//! A [`Call`] is a request type with a wire name and an answer type. The Worker sends it with [`call`]; the object
//! passes the received name and body to a [`Dispatcher`], which runs the matching function in one transaction and
//! encodes its answer. Bodies and answers are JSON; a call that carries raw bytes implements [`Call`] by hand.
//!
//! # Invariants
//! A wire name is spelled once, where the call is declared. A failed call has changed nothing in the database.

mod group;
mod object_database;
mod object_schema;

pub use group::{Bell, CommitGroup, GroupBounds, GroupPlace, GroupRun, ItemSize, local_bell};
pub use object_database::ObjectDatabase;
pub use object_schema::{Migration, MigrationStep, OBJECT_TOO_NEW, ObjectSchema, RunStatement, is_object_too_new};

use std::ops::Deref;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::{BackendError, CallError, DurableObjects, SqlDatabase, to_json};
use crate::limits::{ANSWER_MIN, ANSWER_ROOM};
use crate::memory::{MemoryBudget, Reservation};

/// A request to a Durable Object. The macro `calls!` implements it for types with a JSON body.
pub trait Call: Sized {
    /// The wire name, which is the path of the request, such as `v1/put-entry`.
    const NAME: &'static str;
    /// The answer of the object, in JSON.
    type Answer: Serialize + DeserializeOwned;

    /// Serialises the body of the request.
    fn to_body(&self) -> Vec<u8>;

    /// Parses the body of a request.
    ///
    /// # Errors
    /// [`BackendError`] if the bytes are not in the form of [`Call::to_body`].
    fn from_body(body: &[u8]) -> Result<Self, BackendError>;
}

/// Declares calls with JSON bodies, `"name": Request => Answer`, and the list `NAMES` of their wire names.
macro_rules! calls {
    ($($name:literal: $call:ident => $answer:ty,)*) => {
        $(impl $crate::rpc::Call for $call {
            const NAME: &'static str = $name;
            type Answer = $answer;

            fn to_body(&self) -> Vec<u8> {
                $crate::backend::to_json(self)
            }

            fn from_body(body: &[u8]) -> Result<Self, $crate::backend::BackendError> {
                $crate::rpc::from_json(body)
            }
        })*

        /// The wire names of the calls with JSON bodies that this module declares.
        pub const NAMES: &[&str] = &[$(<$call as $crate::rpc::Call>::NAME),*];
    };
}

pub(crate) use calls;

/// Returns whether a member is left out of a body, since what is absent has this value.
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Sends a call to the object `name` of a class, and returns its answer.
///
/// # Errors
/// [`BackendError`] if the object cannot be reached, refuses the call, or its answer is malformed.
pub async fn call<C: Call>(objects: &impl DurableObjects, name: &str, call: &C) -> Result<C::Answer, BackendError> {
    from_json(&objects.call(name, C::NAME, call.to_body()).await?)
}

/// The answer of a call with the reservation of its memory.
#[derive(Debug)]
pub struct HeldAnswer<T> {
    answer: T,
    reservation: Reservation,
}

impl<T> HeldAnswer<T> {
    /// Returns the answer apart from its reservation, which has to last as long as what is kept of the answer.
    #[must_use]
    pub fn into_parts(self) -> (T, Reservation) {
        (self.answer, self.reservation)
    }
}

impl<T> Deref for HeldAnswer<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.answer
    }
}

/// Like [`call`]; the memory of the answer is reserved.
///
/// An answer that needs no more than [`ANSWER_MIN`] never runs out of memory once the call was made.
///
/// # Errors
/// [`CallError`] if the call fails, or its answer does not fit in memory.
pub async fn call_held<C: Call>(
    objects: &impl DurableObjects,
    memory: &MemoryBudget,
    name: &str,
    call: &C,
) -> Result<HeldAnswer<C::Answer>, CallError> {
    let reservation = memory.reserve(ANSWER_MIN)?;
    let json = objects.call_reserving(name, C::NAME, call.to_body(), &reservation).await?;
    let answer = from_json(&json)?;
    reservation.shrink_to((ANSWER_ROOM - 1) * json.len());
    Ok(HeldAnswer { answer, reservation })
}

/// Parses JSON written by the other end of a call.
pub(crate) fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, BackendError> {
    serde_json::from_slice(json).map_err(|error| BackendError::new("reading a call", error.to_string()))
}

/// An object's reply to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallReply {
    /// The bytes of the answer.
    pub body: Vec<u8>,
    /// Unix milliseconds by which the object's alarm must fire; `None` if the call needs no alarm.
    pub wake_ms: Option<i64>,
}

/// Finds the function that answers a call. Each of the methods `on…` registers one; the first whose [`Call::NAME`] is
/// the received name runs.
#[derive(Debug)]
pub struct Dispatcher<'a, S> {
    sql: &'a S,
    name: &'a str,
    body: &'a [u8],
    reply: Option<Result<CallReply, BackendError>>,
}

impl<'a, S: SqlDatabase> Dispatcher<'a, S> {
    /// Creates a dispatcher of a call received under `name` with this body, by the object with this database.
    #[must_use]
    pub const fn new(sql: &'a S, name: &'a str, body: &'a [u8]) -> Self {
        Self { sql, name, body, reply: None }
    }

    /// Answers a `C` with the result of `work`, without an alarm.
    #[must_use]
    pub fn on<C: Call>(self, mut work: impl FnMut(&C) -> Result<C::Answer, BackendError>) -> Self {
        self.on_timed(|call| Ok((work(call)?, None)))
    }

    /// Answers a `C` with the result of `work`, which includes the instant of the alarm that it needs.
    #[must_use]
    pub fn on_timed<C: Call>(mut self, work: impl FnMut(&C) -> Result<(C::Answer, Option<i64>), BackendError>) -> Self {
        if self.reply.is_none() && self.name == C::NAME {
            self.reply = Some(run(self.sql, self.body, work));
        }
        self
    }

    /// Returns the reply of the function that ran.
    ///
    /// # Errors
    /// [`BackendError`] if no function is registered under the name, the body is malformed, or the function or its
    /// transaction failed.
    pub fn finish(self) -> Result<CallReply, BackendError> {
        self.reply.unwrap_or_else(|| Err(BackendError::new("answering a call", "the call is unknown")))
    }
}

/// Runs `work` on the call in `body`, in one transaction.
fn run<C: Call>(
    sql: &impl SqlDatabase,
    body: &[u8],
    mut work: impl FnMut(&C) -> Result<(C::Answer, Option<i64>), BackendError>,
) -> Result<CallReply, BackendError> {
    let call = C::from_body(body)?;
    let mut done = None;
    let mut in_transaction = || {
        done = Some(work(&call)?);
        Ok(())
    };
    sql.transaction(&mut in_transaction)?;
    let (answer, wake_ms) = done.ok_or_else(|| BackendError::new("answering a call", "it did not run"))?;
    Ok(CallReply { body: to_json(&answer), wake_ms })
}
