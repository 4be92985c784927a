//! The ledger's alarm: it ends expired leases, and sends messages again.
//!
//! A payload's row holds the latest time at which something must be done about it, and the alarm does it then. A
//! message on the queue is only a wake-up, which may be lost or duplicated; the row is authoritative.
//!
//! # Invariants
//! The alarm is set again before anything else is done, so that no failure stops it. Its work is idempotent.

use std::future::Future;

use serde::Serialize;

use super::calls::{CallAck, RearmAlarm};
use super::delivery::{Delivery, DeliveryState};
use super::delivery_rows::{deliveries, find, save, save_all};
use super::ids::DeliveryGroup;
use super::outage;
use super::sources::groups_of;
use super::tables::LedgerRow;
use crate::backend::{BackendError, Queue, SqlDatabase, SqlValue};
use crate::limits::{ALARM_AGAIN_MS, ALARM_MESSAGES, BREAKER_MIN_MS, OUTBOX_AGAIN_MS};

/// The alarm of one ledger.
pub trait Alarm {
    /// Replaces the alarm's time with this instant in Unix milliseconds; `None` removes it.
    fn set(&self, at_ms: Option<i64>) -> impl Future<Output = Result<(), BackendError>>;
}

/// The work of one alarm, for its log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct AlarmReport {
    /// Number of leases ended.
    pub leases_ended: usize,
    /// Number of messages sent.
    pub messages: usize,
}

/// Does the work that is due, and sets the alarm to the next due time.
///
/// # Errors
/// [`BackendError`] if the queue, the database or the alarm failed; the alarm was set before.
pub async fn alarm(
    sql: &impl SqlDatabase,
    ledger: &str,
    queue: &impl Queue<DeliveryGroup>,
    alarm: &impl Alarm,
    clock: impl Fn() -> i64,
) -> Result<AlarmReport, BackendError> {
    alarm.set(Some(clock() + ALARM_AGAIN_MS)).await?;
    let DueWork { leases_ended, groups, is_probe } = due(sql, ledger, clock())?;
    let messages = groups.len();
    if !groups.is_empty() {
        queue.send(&groups).await?;
    }
    // While the partner fails, a message that is lost must not keep the ledger silent.
    let again_ms = if is_probe { BREAKER_MIN_MS } else { OUTBOX_AGAIN_MS };
    sent(sql, &groups, again_ms, clock())?;
    alarm.set(next(sql)?).await?;
    Ok(AlarmReport { leases_ended, messages })
}

/// The work that is due at an instant.
#[derive(Default)]
struct DueWork {
    leases_ended: usize,
    /// The payloads whose message is due.
    groups: Vec<DeliveryGroup>,
    /// Whether they are a single payload that may become the probe of a partner that fails.
    is_probe: bool,
}

/// Ends the expired leases, and selects the payloads whose message is due.
fn due(sql: &impl SqlDatabase, ledger: &str, now_ms: i64) -> Result<DueWork, BackendError> {
    let mut found = DueWork::default();
    sql.transaction(&mut || {
        let limit = SqlValue::number(ALARM_MESSAGES);
        let over = [SqlValue::text(DeliveryState::Sending.name()), SqlValue::Integer(now_ms), limit.clone()];
        let over = deliveries(sql, "state = ? AND lease_ms <= ? ORDER BY lease_ms LIMIT ?", &over)?;
        found = DueWork { leases_ended: over.len(), ..DueWork::default() };
        for mut delivery in over {
            delivery.end_lease(now_ms);
            save(sql, &delivery)?;
        }
        let known = outage::standing(sql)?;
        let limit = match known.is_open() {
            true if known.until_ms.is_some_and(|until_ms| until_ms > now_ms) => return Ok(()),
            // Only one, which may become the probe: the payload with the fewest attempts, so that a poisoned payload does
            // not always go first.
            true => SqlValue::Integer(1),
            false => limit,
        };
        let waiting = [SqlValue::text(DeliveryState::Prepared.name()), SqlValue::Integer(now_ms), limit];
        let order = "state = ? AND wake_ms <= ? ORDER BY attempts, wake_ms, source, plan, number LIMIT ?";
        let waiting = deliveries(sql, order, &waiting)?;
        found.groups = groups_of(ledger, &waiting);
        found.is_probe = known.is_open() && !found.groups.is_empty();
        if found.is_probe {
            outage::hold_after_probe(sql, &known, now_ms)?;
        }
        Ok(())
    })?;
    Ok(found)
}

/// Records that messages were sent: without a claim, they are sent again later.
fn sent(sql: &impl SqlDatabase, groups: &[DeliveryGroup], again_ms: i64, now_ms: i64) -> Result<(), BackendError> {
    let is_due = |delivery: &Delivery| {
        delivery.state == DeliveryState::Prepared && delivery.wake_ms.is_some_and(|wake_ms| wake_ms <= now_ms)
    };
    sql.transaction(&mut || {
        for group in groups {
            let mut still = Vec::new();
            for id in group.ids() {
                still.extend(find(sql, &id)?.filter(is_due));
            }
            for delivery in &mut still {
                delivery.wake_ms = Some(now_ms + again_ms);
            }
            save_all(sql, &still)?;
        }
        Ok(())
    })
}

/// Returns the next instant at which something must be done.
pub(super) fn next(sql: &impl SqlDatabase) -> Result<Option<i64>, BackendError> {
    let rows = sql.run("SELECT state, min(wake_ms) FROM payload_v1 WHERE wake_ms IS NOT NULL GROUP BY state", &[])?;
    let known = outage::standing(sql)?;
    // The partner holds messages back, but no leases.
    let held_ms = known.until_ms.filter(|_| known.is_open()).unwrap_or(i64::MIN);
    let mut next = None;
    for row in rows.rows.iter().map(LedgerRow) {
        let at_ms = row.integer(1)?;
        let at_ms = if row.text(0)? == DeliveryState::Sending.name() { at_ms } else { at_ms.max(held_ms) };
        next = Some(next.map_or(at_ms, |next: i64| next.min(at_ms)));
    }
    Ok(next)
}

/// Sets the alarm again: the instant returned with the answer does so.
pub(super) const fn rearm(_ask: RearmAlarm) -> CallAck {
    CallAck {}
}
