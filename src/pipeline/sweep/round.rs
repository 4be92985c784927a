//! The round: a listing of the complete log bucket, regardless of the names of its folders, a few pages per sweep.
//!
//! Only this listing finds objects written today into the folder of an earlier day, or moved there under their old
//! names. It selects objects by the time of their upload: those written since the previous round began, which may have
//! passed their keys already, and since the first object that the previous round announced, since its message may have
//! been lost, too.
//!
//! # Invariants
//! The cursor moves only past keys that were examined, and is recorded after they were announced.

use std::collections::BTreeMap;

use crate::backend::{BackendError, Bucket, ListRequest, ObjectHead};
use crate::bucket_keys::{KeyClass, classify, skip_unread_folder};
use crate::config::Config;
use crate::ledger::ids::REGISTRY;
use crate::ledger::sweep_round::{GetSweepRound, RecordSweepStep, SweepRound};
use crate::limits::{SWEEP_AGE_MS, SWEEP_BACK_MAX_MS, SWEEP_BACK_MS, SWEEP_FRESH, SWEEP_ROUND_MS};
use crate::rpc;
use crate::services::Services;

/// The part of a round done by one sweep.
pub(super) struct RoundStep {
    before: Option<SweepRound>,
    after: Option<SweepRound>,
}

impl RoundStep {
    /// Lists the next pages of the round, at most `pages`, and adds the batches to examine to `found`.
    pub(super) async fn list(
        services: &impl Services,
        config: &Config,
        pages: usize,
        found: &mut BTreeMap<String, ObjectHead>,
    ) -> Result<Self, BackendError> {
        let now_ms = services.now_ms();
        let before = rpc::call(services.ledgers(), REGISTRY, &GetSweepRound {}).await?.round;
        let Some(mut round) = current_round(before.as_ref(), now_ms) else {
            return Ok(Self { before, after: None });
        };
        let window = round.since_ms..=now_ms - SWEEP_AGE_MS;
        let (mut cursor, known) = (None, found.len());
        for _ in 0..pages {
            if found.len() - known > SWEEP_FRESH {
                break;
            }
            let folders = config.log_prefix.folders_from(round.after.as_deref());
            let Some(prefix) = folders.first().cloned() else {
                round = ended(&round);
                break;
            };
            let request = ListRequest { prefix, after: round.after.clone(), cursor, by_folder: false };
            let page = services.bucket().list(&request).await?;
            let last = page.objects.last().map(|(key, _)| skip_unread_folder(key));
            found.extend(page.objects.into_iter().filter(|(key, head)| {
                window.contains(&head.uploaded_ms) && matches!(classify(key, &config.log_prefix), KeyClass::Batch(_))
            }));
            if page.cursor.is_none() {
                let Some(next) = folders.get(1) else {
                    round = ended(&round);
                    break;
                };
                (cursor, round.after) = (None, Some(next.clone()));
                continue;
            }
            // A page without objects has no key to begin after, but it has a cursor.
            cursor = if last.is_some() { None } else { page.cursor };
            round.after = last.or(round.after);
        }
        Ok(Self { before, after: Some(round) })
    }

    /// Records the progress of the round, after the objects found were announced. `unfinished_ms` is the time at which
    /// the earliest announced object was written.
    pub(super) async fn record(self, services: &impl Services, unfinished_ms: Option<i64>) -> Result<(), BackendError> {
        let Some(mut round) = self.after else { return Ok(()) };
        round.unfinished_ms = round.unfinished_ms.into_iter().chain(unfinished_ms).min();
        let after_steps = self.before.map_or(0, |before| before.steps);
        // If another sweep was faster, it has done the same work.
        rpc::call(services.ledgers(), REGISTRY, &RecordSweepStep { after_steps, round }).await.map(drop)
    }

    /// Returns whether the round takes longer than it should.
    pub(super) fn is_behind(&self, now_ms: i64) -> bool {
        self.after.as_ref().is_some_and(|round| round.is_behind(now_ms))
    }
}

/// Returns the round after its last page.
fn ended(round: &SweepRound) -> SweepRound {
    let listed_until_ms = Some(round.began_ms - SWEEP_AGE_MS);
    SweepRound { after: None, done: true, listed_until_ms, ..*round }
}

/// Returns the round to continue; `None` if the next one is not due yet.
fn current_round(known: Option<&SweepRound>, now_ms: i64) -> Option<SweepRound> {
    let Some(known) = known else {
        let since_ms = now_ms - SWEEP_BACK_MS;
        return Some(SweepRound { began_ms: now_ms, since_ms, ..SweepRound::default() });
    };
    if !known.done {
        return Some(known.clone());
    }
    let listed_ms = known.listed_until_ms.unwrap_or(known.since_ms);
    let unfinished_ms = known.unfinished_ms.unwrap_or(i64::MAX).max(now_ms - SWEEP_BACK_MAX_MS);
    let since_ms = listed_ms.min(unfinished_ms) - SWEEP_AGE_MS;
    let next =
        SweepRound { began_ms: now_ms, since_ms, after: None, unfinished_ms: None, done: false, ..known.clone() };
    (now_ms - known.began_ms >= SWEEP_ROUND_MS).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::current_round;
    use crate::ledger::sweep_round::SweepRound;
    use crate::limits::{SWEEP_AGE_MS, SWEEP_BACK_MAX_MS, SWEEP_BACK_MS, SWEEP_ROUND_MS};

    #[test]
    fn next_round_begins_where_the_last_one_began() {
        let first = current_round(None, 1_000_000_000).unwrap();
        assert_eq!((first.began_ms, first.since_ms), (1_000_000_000, 1_000_000_000 - SWEEP_BACK_MS));
        let going = SweepRound { after: Some("k".into()), steps: 3, ..first };
        assert_eq!(current_round(Some(&going), i64::MAX / 2), Some(going.clone()));
        let until = going.began_ms - SWEEP_AGE_MS;
        let done = SweepRound { after: None, done: true, listed_until_ms: Some(until), ..going };
        let due_ms = done.began_ms + SWEEP_ROUND_MS;
        assert_eq!(current_round(Some(&done), due_ms - 1), None);
        let next = current_round(Some(&done), due_ms).unwrap();
        assert_eq!((next.began_ms, next.since_ms, next.done), (due_ms, until - SWEEP_AGE_MS, false));
        assert_eq!((next.after, next.listed_until_ms, next.steps), (None, Some(until), 3));
    }

    #[test]
    fn next_round_looks_for_what_was_announced() {
        let now_ms = 1_000_000_000_000;
        let known = SweepRound { done: true, listed_until_ms: Some(now_ms - SWEEP_ROUND_MS), ..SweepRound::default() };
        for (unfinished_ms, since_ms) in [
            (None, now_ms - SWEEP_ROUND_MS),
            (Some(now_ms - 1), now_ms - SWEEP_ROUND_MS),
            (Some(now_ms - 2 * SWEEP_ROUND_MS), now_ms - 2 * SWEEP_ROUND_MS),
            (Some(0), now_ms - SWEEP_BACK_MAX_MS),
        ] {
            let next = current_round(Some(&SweepRound { unfinished_ms, ..known.clone() }), now_ms).unwrap();
            assert_eq!((next.since_ms, next.unfinished_ms), (since_ms - SWEEP_AGE_MS, None), "{unfinished_ms:?}");
        }
    }
}
