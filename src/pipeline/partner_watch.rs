//! What the senders of one batch of messages know of the partner as a whole.
//!
//! The partner's breaker is asked once for a batch (again if the batch takes long), and hears only what is news to it: a
//! failure always, a success only if something had failed. A sender whose report closes it tells the ledgers,
//! so that what waits there is sent at once.
//!
//! # Invariants
//! A probe is handed out once. A breaker that cannot be reached holds nothing: the claims of the ledgers still do.

use std::cell::{Cell, RefCell};

use futures_util::{StreamExt, stream};

use crate::ledger::AttemptOutcome;
use crate::ledger::breaker::{BreakerState, PartnerNews, PartnerStanding};
use crate::ledger::ids::{PARTNER, REGISTRY};
use crate::ledger::outage::LearnPartner;
use crate::ledger::partner::{AskPartner, ReportAttempt};
use crate::ledger::registry::ListLedgers;
use crate::limits::{CONCURRENT_CALLS, HOURS_READ, STANDING_MS};
use crate::rpc;
use crate::services::Services;

/// What the senders of one batch of messages know of the partner as a whole.
#[derive(Debug, Default)]
pub struct PartnerWatch {
    known: RefCell<PartnerStanding>,
    /// Unix milliseconds at which the breaker was asked last.
    asked_ms: Cell<Option<i64>>,
    /// Unix milliseconds of the latest turn that a sender waits for.
    expected_ms: Cell<i64>,
}

impl PartnerWatch {
    /// Asks the breaker of this address and key, unless it was asked a moment ago.
    pub async fn refresh(&self, services: &impl Services, fingerprint: &str) {
        let now_ms = services.now_ms();
        if self.asked_ms.get().is_some_and(|asked_ms| (now_ms - asked_ms).abs() < STANDING_MS) {
            return;
        }
        self.asked_ms.set(Some(now_ms));
        let ask = AskPartner { fingerprint: fingerprint.to_owned() };
        match rpc::call(services.ledgers(), PARTNER, &ask).await {
            Ok(standing) => self.hear(standing),
            Err(_) => self.asked_ms.set(None),
        }
    }

    /// Returns the latest instant, in Unix milliseconds, at which a sender of the batch begins a POST that it waits to begin.
    #[must_use]
    pub const fn expected_post_ms(&self) -> i64 {
        self.expected_ms.get()
    }

    /// Notes that a sender waits until then to begin its POST.
    pub(super) fn expect_post(&self, at_ms: i64) {
        self.expected_ms.set(self.expected_ms.get().max(at_ms));
    }

    /// Returns what a claim tells its ledger; a probe goes to one claim alone.
    pub(super) fn take(&self) -> PartnerStanding {
        let mut known = self.known.borrow_mut();
        let taken = known.clone();
        if known.state == BreakerState::Probing {
            known.state = BreakerState::Open;
        }
        taken
    }

    /// Takes back what a claim did not need: if it was a probe, another claim may have it.
    pub(super) fn give_back(&self, taken: &PartnerStanding) {
        let mut known = self.known.borrow_mut();
        if taken.state == BreakerState::Probing && known.as_of_ms == taken.as_of_ms {
            known.state = BreakerState::Probing;
        }
    }

    /// Tells the breaker how an attempt ended that was claimed under `taken`, as far as that is news, and the ledgers that
    /// it closed.
    pub(super) async fn report(
        &self,
        services: &impl Services,
        fingerprint: &str,
        taken: &PartnerStanding,
        outcome: &AttemptOutcome,
    ) {
        let Some(news) = PartnerNews::from_outcome(outcome) else { return self.give_back(taken) };
        let had_failed = taken.is_open() || taken.failures > 0 || self.known.borrow().failures > 0;
        if news == PartnerNews::Works && !had_failed {
            return;
        }
        let report = ReportAttempt { fingerprint: fingerprint.to_owned(), as_of_ms: taken.as_of_ms, news };
        let Ok(answer) = rpc::call(services.ledgers(), PARTNER, &report).await else { return };
        self.hear(answer.standing.clone());
        if answer.closed {
            tell_ledgers(services, Some(answer.standing), HOURS_READ).await;
        }
    }

    fn hear(&self, standing: PartnerStanding) {
        let mut known = self.known.borrow_mut();
        if standing.as_of_ms >= known.as_of_ms {
            *known = standing;
        }
    }
}

/// Tells the newest ledgers, at most `most`, what the breaker says now, or that a person wants everything tried; returns the number of
/// ledgers reached, and of the payloads that wait there. A ledger that cannot be reached learns it from its own next probe.
pub async fn tell_ledgers(services: &impl Services, standing: Option<PartnerStanding>, most: u64) -> (u64, u64) {
    let Ok(list) = rpc::call(services.ledgers(), REGISTRY, &ListLedgers { limit: most }).await else {
        return (0, 0);
    };
    let call = LearnPartner { standing };
    stream::iter(&list.names)
        .map(async |name: &String| rpc::call(services.ledgers(), name, &call).await)
        .buffer_unordered(CONCURRENT_CALLS)
        .fold((0, 0), async |(reached, waiting), answer| match answer {
            Ok(answer) => (reached + 1, waiting + answer.waiting),
            Err(_) => (reached, waiting),
        })
        .await
}
