//! The alarm of a Durable Object, of which it has one.
//!
//! # Invariants
//!
//! The platform receives the alarm without an `await` before, so that SQL that ran just before is written with the
//! alarm or not at all. A call makes the alarm come earlier, never later. A remembered instant that has passed is not
//! trusted, since the platform may have given that alarm up.

use std::cell::Cell;

use chrono::DateTime;
use worker::Storage;

use super::{failed, log};
use crate::backend::BackendError;
use crate::ledger::Alarm;

/// What is known of the alarm.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AlarmState {
    Nothing,
    NotSet,
    SetTo(i64),
}

/// The alarm of one object.
pub(super) struct ObjectAlarm {
    storage: Storage,
    known: Cell<AlarmState>,
}

impl ObjectAlarm {
    pub(super) const fn new(storage: Storage) -> Self {
        Self { storage, known: Cell::new(AlarmState::Nothing) }
    }

    /// Learns what it is set to, where that is not known. For the time before the SQL.
    pub(super) async fn look(&self) -> Result<(), BackendError> {
        let before = self.known.get();
        if before == AlarmState::NotSet || matches!(before, AlarmState::SetTo(at_ms) if at_ms > log::now_ms()) {
            return Ok(());
        }
        let at_ms = self.storage.get_alarm().await.map_err(failed("reading the alarm"))?;
        // Another call may have set it meanwhile.
        if self.known.get() == before {
            self.known.set(at_ms.map_or(AlarmState::NotSet, AlarmState::SetTo));
        }
        Ok(())
    }

    /// It went off, and is not set now.
    pub(super) fn went_off(&self) {
        self.known.set(AlarmState::NotSet);
    }

    /// Sets it to this instant, unless it comes as early anyway.
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
