//! The single alarm of a Durable Object.
//!
//! # Invariants
//!
//! The alarm is set without an `await` before, so the platform writes it together with the SQL that just ran, or
//! neither. A call makes the alarm earlier, never later. A remembered instant that has passed is not trusted, since the
//! platform may have given up on that alarm.

use std::cell::Cell;

use chrono::DateTime;
use worker::Storage;

use super::{failed, log};
use crate::backend::BackendError;
use crate::ledger::Alarm;

/// The remembered state of the alarm.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AlarmState {
    Nothing,
    NotSet,
    SetTo(i64),
}

/// The alarm of one Durable Object.
pub(super) struct ObjectAlarm {
    storage: Storage,
    known: Cell<AlarmState>,
}

impl ObjectAlarm {
    pub(super) const fn new(storage: Storage) -> Self {
        Self { storage, known: Cell::new(AlarmState::Nothing) }
    }

    /// Reads the alarm's time if it is not known. To be called before the SQL.
    pub(super) async fn look(&self) -> Result<(), BackendError> {
        let before = self.known.get();
        if before == AlarmState::NotSet || matches!(before, AlarmState::SetTo(at_ms) if at_ms > log::now_ms()) {
            return Ok(());
        }
        let at_ms = self.storage.get_alarm().await.map_err(failed("reading the alarm"))?;
        // Another call may have set it in the meantime.
        if self.known.get() == before {
            self.known.set(at_ms.map_or(AlarmState::NotSet, AlarmState::SetTo));
        }
        Ok(())
    }

    /// Records that the alarm fired, and is no longer set.
    pub(super) fn went_off(&self) {
        self.known.set(AlarmState::NotSet);
    }

    /// Sets the alarm to this instant, unless it is set to an earlier one.
    pub(super) async fn set_earlier(&self, at_ms: Option<i64>) -> Result<(), BackendError> {
        match (at_ms, self.known.get()) {
            (None, _) => Ok(()),
            (Some(at_ms), AlarmState::SetTo(set_ms)) if set_ms <= at_ms => Ok(()),
            _ => self.set(at_ms).await,
        }
    }
}

impl Alarm for ObjectAlarm {
    async fn set(&self, at_ms: Option<i64>) -> Result<(), BackendError> {
        self.known.set(at_ms.map_or(AlarmState::NotSet, AlarmState::SetTo));
        let done = match at_ms {
            Some(at_ms) => {
                let at = DateTime::from_timestamp_millis(at_ms).unwrap_or(DateTime::<chrono::Utc>::MAX_UTC);
                self.storage.set_alarm(at).await
            }
            None => self.storage.delete_alarm().await,
        };
        done.map_err(|error| {
            self.known.set(AlarmState::Nothing);
            failed("setting the alarm")(error)
        })
    }
}
