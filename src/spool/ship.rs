//! The alarm of an object of the durable buffer: brings batches to their sinks.
//!
//! # Invariants
//! The alarm is set before the work begins, so that an object that dies goes on where it was. No sink waits for another one.

use std::cell::Cell;

use futures_util::future::join_all;

use super::shipment::{choose, next_due_ms, settle};
use super::tables::KnownIsolate;
use super::{OBJECT, SpoolBounds, sink_names};
use crate::backend::{BackendError, SqlDatabase};
use crate::edge::{EdgeHost, EdgeSettings, SinkPath, SinkSpec, SinkTarget, StoreReport, post_batch, store};
use crate::ledger::Alarm;
use crate::limits::{SPOOL_AGAIN_MS, SPOOL_ALARM_MS, SPOOL_ISOLATE_MS, SPOOL_POST_MS, SPOOL_STEP_MS};

/// What the alarm works with.
struct Shipper<'a, S, H> {
    sql: &'a S,
    host: &'a H,
    settings: &'a EdgeSettings,
    bounds: SpoolBounds,
    /// When the alarm ends.
    end_ms: i64,
    /// Number of sinks that are being brought a batch.
    busy: Cell<usize>,
}

/// Brings what is due to the sinks, and sets the alarm to what is due next.
///
/// # Errors
/// [`BackendError`] if the database or the alarm failed. The alarm was set before.
pub async fn alarm(
    sql: &impl SqlDatabase,
    alarm: &impl Alarm,
    host: &impl EdgeHost,
    settings: &EdgeSettings,
    bounds: SpoolBounds,
) -> Result<(), BackendError> {
    alarm.set(Some(host.now_ms() + SPOOL_AGAIN_MS)).await?;
    OBJECT.ensure(sql, &Cell::new(false))?;
    let end_ms = host.now_ms() + SPOOL_ALARM_MS;
    let shipper = Shipper { sql, host, settings, bounds, end_ms, busy: Cell::new(0) };
    let sinks = settings.sinks.by_path(SinkPath::Object);
    let outcomes = join_all(sinks.map(|sink| shipper.ship_all(sink))).await;
    outcomes.into_iter().collect::<Result<(), BackendError>>()?;
    KnownIsolate::forget_before(sql, host.now_ms() - SPOOL_ISOLATE_MS)?;
    let next_ms = next_due_ms(sql, &sink_names(settings), (settings.flush.age_ms, bounds), host.now_ms())?;
    alarm.set(next_ms).await
}

impl<S: SqlDatabase, H: EdgeHost> Shipper<'_, S, H> {
    /// Brings a sink its batches, until nothing is due and no other sink is being brought one.
    async fn ship_all(&self, sink: &SinkSpec) -> Result<(), BackendError> {
        loop {
            self.busy.set(self.busy.get() + 1);
            let shipped = self.ship_due(sink).await;
            self.busy.set(self.busy.get() - 1);
            shipped?;
            if self.busy.get() == 0 || self.host.now_ms() >= self.end_ms {
                return Ok(());
            }
            self.host.sleep(SPOOL_STEP_MS).await;
        }
    }

    async fn ship_due(&self, sink: &SinkSpec) -> Result<(), BackendError> {
        let Self { sql, host, settings, .. } = self;
        while host.now_ms() < self.end_ms {
            let Some(shipment) = choose(*sql, &sink.name, settings, self.bounds, host.now_ms())? else { break };
            let batch = shipment.batch(*sql)?;
            let result = match &sink.target {
                SinkTarget::Bucket => store(*host, &settings.bucket_name, &batch, false).await,
                SinkTarget::Collector(collector) => {
                    post_batch(*host, collector, &batch, SPOOL_POST_MS, host.now_ms()).await
                }
            };
            let counts = settle(*sql, &sink.name, &sink_names(settings), result, host.now_ms())?;
            host.report(StoreReport { sink: &sink.name, batch: &batch, result, counts });
        }
        Ok(())
    }
}
