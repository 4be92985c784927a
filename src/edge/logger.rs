//! The edge logger of one isolate: decides what becomes of each request, and keeps the records.

use super::buffer::EdgeBuffer;
use super::counts::DropReason;
use super::exchange::EdgeExchange;
use super::quota::{KeyDigest, KeyQuota, MinuteQuotas};
use super::record::{RecordStamp, write_record};
use super::route::RouteRule;
use super::settings::{EdgeMode, EdgeSettings};
use crate::limits::MAX_LINE;
use crate::record::RayId;

/// The settings and the records of an isolate.
#[derive(Debug)]
pub struct EdgeLogger {
    /// The settings.
    pub settings: EdgeSettings,
    /// The records.
    pub buffer: EdgeBuffer,
    /// The numbers of records of keys.
    quotas: MinuteQuotas,
}

impl EdgeLogger {
    /// Creates the logger of an isolate with this ID.
    #[must_use]
    pub fn new(settings: EdgeSettings, isolate: String) -> Self {
        let buffer = EdgeBuffer::new(isolate, settings.folder.clone(), settings.flush, &settings.sinks);
        Self { settings, buffer, quotas: MinuteQuotas::default() }
    }

    /// Records a request, or counts why not. `payload` is what was kept of its body, `random` the lower bits of its ray if the
    /// platform gave it none.
    pub fn log(&mut self, exchange: &EdgeExchange, payload: Option<&[u8]>, random: u32, now_ms: i64) {
        if self.settings.mode != EdgeMode::Log {
            return;
        }
        let given = exchange.ray();
        let Some(ray) = given.or_else(|| RayId::at(exchange.start_ms, random)) else {
            return self.buffer.drop(DropReason::Unwritable);
        };
        let every = RouteRule::default();
        let rule = self.settings.route(&exchange.url).unwrap_or(&every);
        if !rule.samples(ray) {
            return self.buffer.sample_out();
        }
        let stamp = RecordStamp {
            isolate: self.buffer.isolate(),
            sequence: self.buffer.counts().seen + 1,
            ray,
            is_ray_made: given.is_none(),
            sample: rule.sample,
        };
        let line = write_record(&self.settings, exchange, payload, &stamp).filter(|line| line.len() <= MAX_LINE);
        let Some(line) = line else { return self.buffer.drop(DropReason::Unwritable) };
        match rule.filter.as_ref().map_or(Ok(true), |filter| filter.accepts(&line)) {
            Ok(true) if !takes_quota(&mut self.quotas, rule, exchange, now_ms) => {
                self.buffer.drop(DropReason::OverQuota);
            }
            Ok(true) => self.buffer.record(&line, now_ms),
            Ok(false) => self.buffer.drop(DropReason::Filtered),
            Err(_) => self.buffer.drop(DropReason::Unwritable),
        }
    }
}

/// Takes a record from the quota of the exchange's key; returns whether it has one left. Exchanges without a key share one.
fn takes_quota(quotas: &mut MinuteQuotas, rule: &RouteRule, exchange: &EdgeExchange, now_ms: i64) -> bool {
    let Some(KeyQuota { place, per_minute: Some(per_minute) }) = &rule.quota else { return true };
    let key = place.find(&exchange.url, |name| exchange.header(name)).unwrap_or_default();
    quotas.take(KeyDigest::new(rule.pattern(), &key), *per_minute, now_ms)
}

#[cfg(test)]
mod tests;
