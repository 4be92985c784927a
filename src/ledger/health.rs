//! The reasons why payloads wait: the partner's breaker, its last refusal, and the oldest pending payload; and how long the
//! partner takes to answer.

use serde::{Deserialize, Serialize};

use super::books::{LedgerTotals, PayloadView, add_each};
use super::breaker::{BreakerState, PartnerRefusal, PartnerStanding};
use super::edge_sums::EdgeTotals;
use super::freshness::Freshness;
use super::inflated_sizes::InflatedSizes;
use crate::limits::POST_S;

/// A request for the accounts of the whole ledger, and for the reasons why its payloads wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetTotals {}

/// A ledger's answer to [`GetTotals`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LedgerReport {
    /// The accounts of all its batches.
    pub totals: LedgerTotals,
    /// The reasons why its payloads wait.
    pub delivery: DeliveryHealth,
    /// How fresh the partner's lines are.
    pub freshness: Freshness,
    /// What the isolates of the edge logger counted.
    #[serde(default)]
    pub edge: EdgeTotals,
    /// How much text its sealed batches hold.
    #[serde(default)]
    pub inflated: InflatedSizes,
}

impl LedgerReport {
    /// Adds the report of another ledger.
    pub fn add(&mut self, other: Self) {
        let Self { totals, delivery, freshness, edge, inflated } = other;
        self.totals.add(totals);
        self.delivery.add(delivery);
        self.freshness.add(&freshness);
        self.edge.add(edge);
        self.inflated.add(&inflated);
    }
}

/// The reasons why the payloads of one or several ledgers wait.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeliveryHealth {
    /// The breaker of the partner. The ledgers do not say: its own object does.
    #[serde(default)]
    pub breaker: PartnerStanding,
    /// Number of ledgers that hold payloads because of the breaker.
    pub held_ledgers: u64,
    /// Number of payloads that wait for their turn, at the rate of a backfill or of the deployment.
    pub paced_payloads: u64,
    /// Number of payloads that wait for their stopped backfill.
    pub stopped_payloads: u64,
    /// The partner's latest unsuccessful answer.
    pub last_refusal: Option<PartnerRefusal>,
    /// The payload that has been waiting or being sent longest.
    pub oldest_pending: Option<PendingPayload>,
    /// How long the last POST of each payload took.
    pub post_times: PostTimes,
}

/// A payload that is not yet delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingPayload {
    /// Unix milliseconds at which its plan was sealed.
    pub since_ms: i64,
    /// The waiting payload.
    pub payload: PayloadView,
}

/// The upper bounds of the counts in [`PostTimes`], in milliseconds, up to the longest time limit of a POST; longer times
/// follow.
pub const POST_TIMES_MS: [i64; 11] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, POST_S.1 as i64 * 1_000];

/// Numbers of POSTs by the time that they took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PostTimes {
    /// Number of POSTs within each of [`POST_TIMES_MS`] and above the one before; the last count is of longer ones.
    pub counts: [u64; POST_TIMES_MS.len() + 1],
    /// Sum of all times in milliseconds.
    pub sum_ms: i64,
}

impl PostTimes {
    /// Adds POSTs that took this time each.
    pub(super) fn add(&mut self, took_ms: i64, posts: u64) {
        let nth = POST_TIMES_MS.iter().position(|most| took_ms <= *most).unwrap_or(POST_TIMES_MS.len());
        if let Some(count) = self.counts.get_mut(nth) {
            *count += posts;
        }
        self.sum_ms = self.sum_ms.saturating_add(took_ms.saturating_mul(i64::try_from(posts).unwrap_or(i64::MAX)));
    }

    fn join(&mut self, other: Self) {
        add_each(&mut self.counts, &other.counts);
        self.sum_ms = self.sum_ms.saturating_add(other.sum_ms);
    }
}

impl DeliveryHealth {
    /// Adds the health of another ledger.
    pub fn add(&mut self, other: Self) {
        let Self {
            breaker: _,
            held_ledgers,
            paced_payloads,
            stopped_payloads,
            last_refusal,
            oldest_pending,
            post_times,
        } = other;
        self.held_ledgers += held_ledgers;
        self.paced_payloads += paced_payloads;
        self.stopped_payloads += stopped_payloads;
        self.post_times.join(post_times);
        let is_later = |new: &PartnerRefusal| self.last_refusal.as_ref().is_none_or(|old| new.at_ms > old.at_ms);
        if let Some(refusal) = last_refusal.filter(is_later) {
            self.last_refusal = Some(refusal);
        }
        let is_older =
            |new: &PendingPayload| self.oldest_pending.as_ref().is_none_or(|old| new.since_ms < old.since_ms);
        if let Some(pending) = oldest_pending.filter(is_older) {
            self.oldest_pending = Some(pending);
        }
    }

    /// Takes over what the partner's object says of its breaker. An open one counts as closed once its pause is over and no
    /// payload waits.
    pub fn set_breaker(&mut self, standing: PartnerStanding) {
        let is_idle =
            self.oldest_pending.is_none() && standing.until_ms.is_none_or(|until_ms| until_ms <= standing.as_of_ms);
        self.breaker = if is_idle { PartnerStanding::default() } else { standing };
    }

    /// Returns whether the partner's breaker holds payloads.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.breaker.state != BreakerState::Closed
    }
}

#[cfg(test)]
mod tests {
    use super::{DeliveryHealth, POST_TIMES_MS, PartnerRefusal, PartnerStanding, PostTimes};
    use crate::ledger::breaker::BreakerState;

    #[test]
    fn latest_refusal_of_several_ledgers_is_shown() {
        let mut sum = DeliveryHealth::default();
        for at_ms in [9, 4, 6] {
            let last_refusal = Some(PartnerRefusal { status: Some(403), code: "auth".into(), at_ms });
            sum.add(DeliveryHealth { last_refusal, held_ledgers: 1, ..DeliveryHealth::default() });
        }
        assert_eq!((sum.last_refusal.unwrap().at_ms, sum.held_ledgers), (9, 3));
    }

    #[test]
    fn idle_breaker_counts_as_closed() {
        let open = |until_ms| PartnerStanding {
            state: BreakerState::Open,
            as_of_ms: 100,
            until_ms: Some(until_ms),
            ..PartnerStanding::default()
        };
        let mut health = DeliveryHealth::default();
        health.set_breaker(open(101));
        assert!(health.is_degraded());
        health.set_breaker(open(100));
        assert!(!health.is_degraded());
    }

    #[test]
    fn times_are_counted_within_their_bounds() {
        let mut times = PostTimes::default();
        for took_ms in [0, 100, 101, 300_000, 300_001, i64::MAX] {
            times.add(took_ms, 2);
        }
        assert_eq!((times.counts[0], times.counts[1]), (4, 2));
        assert_eq!((times.counts[POST_TIMES_MS.len() - 1], times.counts[POST_TIMES_MS.len()]), (2, 4));
        let mut sum = times;
        sum.join(times);
        assert_eq!((sum.counts[0], sum.sum_ms), (8, i64::MAX));
    }
}
