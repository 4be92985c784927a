//! What a request costs while it is answered.
//!
//! # Invariants
//! What was charged in advance is used up first. All else is counted for the caller at once, so that nothing of a request whose
//! client hangs up is lost.

use std::cell::Cell;

use crate::access::IsolateCosts;

/// Counts what one request costs beyond what the audit log counts of it.
#[derive(Debug)]
pub(super) struct CostMeter {
    costs: IsolateCosts,
    actor: String,
    /// Nano-dollars that are left of what was charged in advance.
    advance: Cell<u64>,
}

impl CostMeter {
    pub(super) fn new(costs: &IsolateCosts, actor: &str) -> Self {
        Self { costs: costs.clone(), actor: actor.to_owned(), advance: Cell::new(0) }
    }

    /// Notes that the request was charged so much in advance.
    pub(super) fn advance(&self, nanos: u64) {
        self.advance.set(self.advance.get().saturating_add(nanos));
    }

    /// Counts nano-dollars.
    pub(super) fn charge(&self, nanos: u64) {
        let advance = self.advance.get();
        self.advance.set(advance.saturating_sub(nanos));
        if let Some(rest) = nanos.checked_sub(advance).filter(|rest| *rest > 0) {
            self.costs.charge(&self.actor, rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CostMeter, IsolateCosts};

    #[test]
    fn advance_is_used_up_first() {
        let costs = IsolateCosts::default();
        let meter = CostMeter::new(&costs, "eye");
        meter.advance(500);
        for (nanos, spent) in [(360, 0), (150, 10), (360, 370)] {
            meter.charge(nanos);
            assert_eq!(costs.spent("eye", 0), spent);
        }
    }
}
