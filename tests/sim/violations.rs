//! Violations of the platform's contract: what a bucket, a database, a clock, a cron or the way to the partner promise
//! never to do. The protocol relies on these promises, so the judge must notice each violation.

use std::rc::Rc;

use raydex::backend::{BackendError, ObjectHead, PartnerPost, PostAnswer, PostError};

use super::bucket::Body;
use super::world::{Isolate, Platform, Stored};

/// A promise that the platform breaks throughout a run; beside it, the mistake in the code that has the same effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContractViolation {
    /// The bucket confirms a put that failed (a failed put is ignored).
    FailedPutConfirmed,
    /// Where the read of a batch fails, the bucket answers with half of the object, as if it were the whole (a
    /// connection that breaks passes for the end of the object).
    HalfObject,
    /// A read of a range begins where the object does (a body is read from the start of its pack).
    RangeFromStart,
    /// A transaction that fails keeps what it did so far (no transaction).
    NoRollback,
    /// A POST without an answer comes back as 200 (a time-out means success).
    TimeoutAs200,
    /// A POST without an answer comes back as one that never left (a time-out means "not stored").
    TimeoutAsNotSent,
    /// A redirect comes back as 200 (a redirect means success).
    RedirectAs200,
    /// A 5xx comes back as 200 (a server error means success).
    ServerErrorAs200,
    /// A header `X-Batch-Id` arrives with another value each time (each attempt makes an id of its own).
    BatchIdChanged,
    /// The bucket removes the body of a payload once it was read (the body is removed before the commit).
    BodyGoneOnceRead,
    /// The cron says that it ran, and did not (there is no sweep).
    CronSkipped,
    /// A database loses a row: the first ledger of an hour does not know how many partitions there are (the number follows the
    /// setting).
    NoteLost,
    /// The clock of a task stands still (a POST begins however long ago its claim was).
    FrozenTaskClock,
}

impl ContractViolation {
    pub(crate) const ALL: [Self; 13] = [
        Self::FailedPutConfirmed,
        Self::HalfObject,
        Self::RangeFromStart,
        Self::NoRollback,
        Self::TimeoutAs200,
        Self::TimeoutAsNotSent,
        Self::RedirectAs200,
        Self::ServerErrorAs200,
        Self::BatchIdChanged,
        Self::BodyGoneOnceRead,
        Self::CronSkipped,
        Self::NoteLost,
        Self::FrozenTaskClock,
    ];
}

impl Platform {
    pub(crate) fn violates(&self, violation: ContractViolation) -> bool {
        self.violation.get() == Some(violation)
    }
}

/// Whether Logpush wrote the object at this key.
fn is_batch(key: &str) -> bool {
    key.starts_with("logs/")
}

type ObjectRead = Result<Option<(ObjectHead, Body)>, BackendError>;

impl Isolate {
    /// Removes what is no batch, if the bucket does so after a read.
    pub(crate) fn remove_once_read(&self, key: &str) {
        if self.platform.violates(ContractViolation::BodyGoneOnceRead) && !is_batch(key) {
            self.objects().borrow_mut().remove(key);
        }
    }

    /// The outcome of a read as the bucket tells it.
    pub(crate) fn falsify_read(&self, key: &str, read: ObjectRead) -> ObjectRead {
        if read.is_ok() || !self.platform.violates(ContractViolation::HalfObject) || !is_batch(key) {
            return read;
        }
        let stored = self.objects().borrow().get(key).cloned();
        Ok(stored.map(|Stored { bytes, head }| {
            let half = bytes[..bytes.len() / 2].to_vec();
            let head = ObjectHead { size: half.len() as u64, ..head };
            (head.clone(), Body { isolate: self.clone(), stored: Stored { bytes: Rc::new(half), head }, at: 0 })
        }))
    }

    /// The outcome of a put as the bucket tells it.
    pub(crate) fn falsify_put(&self, put: Result<bool, BackendError>) -> Result<bool, BackendError> {
        if self.platform.violates(ContractViolation::FailedPutConfirmed) { Ok(put.unwrap_or(true)) } else { put }
    }

    /// A POST as it arrives, if it changes on its way.
    pub(crate) fn falsify_post(&self, post: &PartnerPost) -> Option<PartnerPost> {
        let number = self.platform.partner.borrow().seen.len();
        let changed = || PartnerPost { batch_id: format!("{}-{number}", post.batch_id), ..post.clone() };
        self.platform.violates(ContractViolation::BatchIdChanged).then(changed)
    }

    /// The partner's answer as it comes back.
    pub(crate) fn falsify_answer(&self, answer: Result<PostAnswer, PostError>) -> Result<PostAnswer, PostError> {
        let success = Ok(PostAnswer { status: 200, retry_after: None, body: Vec::new() });
        match (self.platform.violation.get(), answer) {
            (Some(ContractViolation::TimeoutAs200), Err(PostError::Unknown(_))) => success,
            (Some(ContractViolation::TimeoutAsNotSent), Err(PostError::Unknown(why))) => Err(PostError::NotSent(why)),
            (Some(ContractViolation::RedirectAs200), Ok(answer)) if answer.status / 100 == 3 => success,
            (Some(ContractViolation::ServerErrorAs200), Ok(answer)) if answer.status / 100 == 5 => success,
            (_, answer) => answer,
        }
    }
}
