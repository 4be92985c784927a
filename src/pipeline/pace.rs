//! The turn of a POST whose rate is limited: asked for right before the POST, and waited for.
//!
//! # Invariants
//! For a payload in no lane nothing is asked. A sender that is late for its turn does not use it, however slow the answer was: late
//! turns would add up to a burst. Where the pacer cannot be reached, nothing goes out.

use crate::backend::BackendError;
use crate::config::DeliverySettings;
use crate::ledger::ids::PARTNER;
use crate::ledger::pacer::{LaneRate, TakeTurn, TurnAnswer};
use crate::ledger::plan::PlanBackfill;
use crate::limits::{PACE_LATE_MS, PACE_TRIES};
use crate::rpc;
use crate::services::Services;

use super::partner_watch::PartnerWatch;

/// The place of a payload that goes before those in line, in Unix milliseconds: it was there already.
pub(super) const FIRST_PLACE_MS: i64 = 0;

/// What came of asking for a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PaceOutcome {
    /// The turn has come.
    Now,
    /// The payload has to come back after this time, and has this place in line.
    Later {
        /// The time in milliseconds.
        pause_ms: i64,
        /// The place in line.
        place_ms: i64,
    },
    /// The sender was late for each turn.
    Missed,
    /// Its backfill is stopped.
    Stopped,
}

/// Returns the lanes of a payload under these settings; none for live traffic without a limit.
pub(super) fn lanes(settings: &DeliverySettings, backfill: Option<&PlanBackfill>) -> Vec<LaneRate> {
    let all = settings.lines_per_second.map(LaneRate::for_all);
    let own = backfill.map(|backfill| LaneRate::for_backfill(backfill.id, backfill.lines_per_second));
    all.into_iter().chain(own).collect()
}

/// Waits for the payload's turn.
pub(super) async fn wait_for_turn(
    services: &impl Services,
    watch: &PartnerWatch,
    mut call: TakeTurn,
) -> Result<PaceOutcome, BackendError> {
    // Where every call takes long, its turns are all as late, which changes no rate.
    for late_ms in (0..PACE_TRIES).map(|tried| PACE_LATE_MS << tried) {
        let asked_ms = services.now_ms();
        let wait_ms = match rpc::call(services.ledgers(), PARTNER, &call).await? {
            TurnAnswer::Granted { wait_ms } => wait_ms,
            TurnAnswer::Later { wait_ms, place_ms } => return Ok(PaceOutcome::Later { pause_ms: wait_ms, place_ms }),
            TurnAnswer::Stopped => return Ok(PaceOutcome::Stopped),
        };
        // The pacer counted from somewhere between the call and its answer: from their middle on, the sender misses the turn by
        // half of that at most, either way.
        let heard_ms = services.now_ms();
        let turn_ms = asked_ms + (heard_ms - asked_ms) / 2 + wait_ms;
        if turn_ms > heard_ms {
            watch.expect_post(turn_ms);
            services.sleep(turn_ms - heard_ms).await;
        }
        // As late as it can be: as if the pacer had counted from the call.
        if services.now_ms() - asked_ms - wait_ms <= late_ms {
            return Ok(PaceOutcome::Now);
        }
        call.place_ms = Some(FIRST_PLACE_MS);
    }
    Ok(PaceOutcome::Missed)
}
