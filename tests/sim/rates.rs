//! What the rates promise: in no time, however short or long, do more lines go out than a rate allows for it, and nothing of a
//! stopped backfill.

use std::collections::BTreeMap;

use raydex::backend::{SqlDatabase, SqlValue};
use raydex::ledger::books::PayloadView;
use raydex::ledger::{DeliveryId, DeliveryPlan};
use raydex::limits::{PACE_LATE_MS, PACE_TRIES};

use super::partner::Seen;
use super::run::Run;

/// When lines went out, and how many.
type Sent = Vec<(i64, u64)>;

/// Judges the cap and the rate of each backfill.
pub(crate) fn judge_rates<'a>(
    run: &Run,
    seen: &[Seen],
    payloads: impl Iterator<Item = &'a PayloadView>,
) -> Result<(), String> {
    let Some(rates) = run.setting.rates else { return Ok(()) };
    judge_lane("the cap", rates.cap, seen.iter().map(|seen| (seen.at_ms, seen.rays.len() as u64)).collect())?;
    let backfills: BTreeMap<&str, i64> = payloads
        .filter_map(|payload| backfill_of(run, payload).map(|id| (payload.partner_batch_id.as_str(), id)))
        .collect();
    run.stops.judge(&backfills, seen)?;
    let mut lanes: BTreeMap<i64, Sent> = BTreeMap::new();
    for seen in seen {
        if let Some(id) = backfills.get(seen.batch_id.as_str()) {
            lanes.entry(*id).or_default().push((seen.at_ms, seen.rays.len() as u64));
        }
    }
    lanes.into_iter().try_for_each(|(id, sent)| judge_lane(&format!("backfill {id}"), rates.backfill, sent))
}

/// The backfill that a payload belongs to.
fn backfill_of(run: &Run, payload: &PayloadView) -> Option<i64> {
    let id = DeliveryId::from_handle(&payload.id)?;
    let of_plan = [SqlValue::text(id.source.as_str()), SqlValue::number(id.plan)];
    let statement = "SELECT plan FROM plan_v1 WHERE source = ? AND number = ?";
    let found = run.platform.ledger(&id.ledger).sql.run(statement, &of_plan).unwrap();
    let plan: DeliveryPlan = serde_json::from_str(found.rows[0][0].as_text().unwrap()).unwrap();
    plan.backfill.map(|backfill| backfill.id)
}

/// Between any two instants at most so many lines go out as the rate allows, with a payload more. One sender may be late, and
/// another one early, by what the last of [`PACE_TRIES`] turns may be missed by.
fn judge_lane(name: &str, rate: u64, mut sent: Sent) -> Result<(), String> {
    sent.sort_unstable();
    let rate = i64::try_from(rate).unwrap();
    let largest = i64::try_from(sent.iter().map(|(_, lines)| *lines).max().unwrap_or(0)).unwrap();
    // Thousandths of lines before an instant, less those that the rate allows until then; and the least of it so far.
    let (mut before, mut least) = (0, i64::MAX);
    for (at_ms, lines) in sent {
        least = least.min(before - rate * at_ms);
        before += 1_000 * i64::try_from(lines).unwrap();
        let beyond = before - rate * at_ms - least - 1_000 * largest;
        if beyond > rate * (2 * (PACE_LATE_MS << (PACE_TRIES - 1)) + 1) {
            return Err(format!("{name} of {rate} lines a second is exceeded by {beyond} thousandths of a line"));
        }
    }
    Ok(())
}

#[test]
fn burst_is_seen_by_the_judge() {
    let even = (0..50).map(|nth| (nth * 500, 5)).collect();
    assert!(judge_lane("a lane", 10, even).is_ok());
    let burst = (0..50).map(|nth| (nth * 400, 5)).collect();
    assert!(judge_lane("a lane", 10, burst).is_err());
    assert!(judge_lane("a lane", 10, vec![(0, 5), (1, 5), (2, 5), (3, 5)]).is_err());
}
