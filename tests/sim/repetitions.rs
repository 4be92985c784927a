//! What backfills promise that deliver once more: each record of their windows exactly once, whatever becomes of its batch.

use std::collections::{BTreeMap, BTreeSet};

use raydex::ledger::DeliveryState;
use raydex::ledger::books::PayloadView;

use super::judge::{Books, claims};
use super::run::Run;

/// A record is in one payload of the first deliveries, and in one of each backfill that delivers it once more. Returns
/// how many records the latter have.
pub(super) fn judge_repetitions(run: &Run, books: &Books) -> Result<u64, String> {
    let mut places: BTreeSet<(Option<i64>, &String)> = BTreeSet::new();
    let mut repeated = 0;
    // The payloads that replace a split one have its lines.
    for (payload, rays, backfill) in whole_payloads(books) {
        let repetition = backfill.filter(|(_, again)| *again).map(|(id, _)| id);
        if let Some(ray) = rays.iter().find(|ray| !places.insert((repetition, ray))) {
            return Err(format!("record {ray} is in two payloads of the repetition {repetition:?}"));
        }
        repeated += if repetition.is_some() { payload.payload.lines } else { 0 };
    }
    judge_completeness(run, books)?;
    let again = &books.totals.again;
    let known = again.delivered + again.confirmed + again.pending + again.parked;
    let balances = again.lines_in == known + again.filtered.values().sum::<u64>();
    if !balances || known != repeated || again.pending != 0 {
        return Err(format!("{repeated} lines are delivered once more, and the books say {again:?}"));
    }
    Ok(repeated)
}

/// A backfill that delivers once more has each record of its window in exactly one payload: of a repetition, or of a plan of its own
/// for what nobody had delivered, wherever the record's batch was moved meanwhile.
fn judge_completeness(run: &Run, books: &Books) -> Result<(), String> {
    let mut counts: BTreeMap<(i64, &str), usize> = BTreeMap::new();
    for (_, rays, backfill) in whole_payloads(books) {
        for ray in rays.iter().filter(|_| backfill.is_some()) {
            *counts.entry((backfill.unwrap().0, ray)).or_default() += 1;
        }
    }
    for (ray, claim) in claims(run) {
        for id in &claim.again {
            let count = counts.get(&(*id, ray)).copied().unwrap_or_default();
            let is_missing = count == 0 && claim.must_again.contains(id);
            if is_missing || count > 1 {
                return Err(format!("record {ray} is in {count} payloads of backfill {id}, which repeats it"));
            }
        }
    }
    Ok(())
}

/// The payloads that were not split, with their rays and backfills.
fn whole_payloads(books: &Books) -> impl Iterator<Item = (&PayloadView, &Vec<String>, Option<(i64, bool)>)> {
    let all = books.payloads.iter().zip(&books.backfills);
    all.filter(|((payload, _), _)| payload.state != DeliveryState::Split)
        .map(|((payload, rays), backfill)| (payload, rays, *backfill))
}
