//! The verdict on a ray without records: whether it may still come, was not logged, or may be where it was not read.
//!
//! # Invariants
//! A ray counts as not logged only if batches cover its time without a gap, all of them are sealed, none rejected a line, and
//! the bucket was searched for others since. A verdict for a caller for whom no batches exist is a function of the ray's time,
//! the clock and the settings.

use serde::Serialize;

use crate::index::is_skewed;
use crate::ledger::absence::AbsenceEvidence;
use crate::ledger::completeness::MissingLines;
use crate::ledger::layout_doubts::LayoutDoubt;
use crate::ledger::windows::gaps_between;
use crate::limits::{ASK_AGAIN_S, BACKFILL_LATE_MS, CLOCK_AHEAD_MS, FRESH_RAY_MS, LANDING_MS, LOGPULL_EARLY_MS};
use crate::record::Dataset;
use crate::time::rfc3339;

/// What became of a ray without records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictCode {
    /// Its time is after now: its digits are wrong.
    AheadOfClock,
    /// Its time is before the first batch, or what is kept.
    OlderThanKept,
    /// A dataset that was not asked for has records of it.
    InAnotherDataset,
    /// Its batch may not have landed, or is being indexed.
    NotYet,
    /// The rays of its time have other times than their records, so that its own says nothing.
    OfUnknownLayout,
    /// Something of its time may hold it and was not read, or was not looked for.
    MaybeNotLogged,
    /// All batches of its time were read, and none holds it.
    NotLogged,
}

/// What is known of a ray without records.
#[derive(Debug, Clone, Default)]
pub struct AbsenceFacts {
    /// Unix milliseconds of the ray.
    pub at_ms: i64,
    /// Unix milliseconds of the question.
    pub now_ms: i64,
    /// Unix milliseconds before which nothing is kept, by the settings.
    pub kept_ms: Option<i64>,
    /// What the batches say; `None` for a caller for whom they do not exist, or if they could not be asked.
    pub batches: Option<BatchFacts>,
}

/// What batches say of a ray without records.
#[derive(Debug, Clone, Default)]
pub struct BatchFacts {
    /// The datasets that have records of it and were not asked for.
    pub other_datasets: Vec<Dataset>,
    /// What the ledgers say, summed up over the datasets that were asked for.
    pub evidence: AbsenceEvidence,
    /// Whether all ledgers of its time were asked.
    pub is_whole: bool,
    /// Unix milliseconds until which all objects were written that a search of the bucket found finished.
    pub searched_ms: Option<i64>,
    /// Unix milliseconds of the first indexed record.
    pub first_ms: Option<i64>,
    /// Why its time is in doubt: of the dataset that has it if the request was logged, rays around it are skewed, or rays of late,
    /// whose batches may not have landed.
    pub layout_doubt: Option<LayoutDoubt>,
}

/// A verdict, with the figures that it follows from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The verdict.
    pub code: VerdictCode,
    /// Seconds after which to ask again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<i64>,
    /// The datasets that have records of the ray.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    datasets: Vec<Dataset>,
    /// The instant before which nothing is kept, or was indexed.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<VerdictEvidence>,
}

/// The figures of the batches of a ray's time.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct VerdictEvidence {
    sealed_batches: u64,
    open_batches: u64,
    quarantined_batches: u64,
    rejected_lines: u64,
    gone_batches: u64,
    #[serde(skip_serializing_if = "crate::rpc::is_default")]
    unindexed_children: u64,
    records: u64,
    clock_skewed: u64,
    /// The handles of batches that may hold the ray.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    uncertain: Vec<String>,
    /// The parts of the five minutes after the ray that no batch covers.
    gaps: Vec<Gap>,
    /// Seconds within which half, and all but one per cent, of the batches of its hour landed.
    landed_within_s: Landed,
    /// The instant before which all objects were written that a search of the bucket found finished.
    searched_until: Option<String>,
    /// Whether all ledgers of its time were asked.
    complete: bool,
    /// Whether rays around its time, or of late, have other times than their records.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    layout_doubtful: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Gap {
    start: String,
    end: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Landed {
    p50: Option<u32>,
    p99: Option<u32>,
}

impl Verdict {
    /// Judges by these facts.
    #[must_use]
    pub fn judge(facts: AbsenceFacts) -> Self {
        let code = facts.code();
        let retry_after_s = (code == VerdictCode::NotYet).then(|| facts.ask_again_s());
        let kept_ms = facts.kept_since_ms().filter(|_| code == VerdictCode::OlderThanKept);
        let gaps = facts.gaps();
        let (datasets, evidence) = match facts.batches {
            Some(BatchFacts { other_datasets, evidence, is_whole, searched_ms, layout_doubt, .. }) => {
                let evidence = VerdictEvidence::new(evidence, &gaps, searched_ms, is_whole);
                (other_datasets, Some(VerdictEvidence { layout_doubtful: layout_doubt.is_some(), ..evidence }))
            }
            None => (Vec::new(), None),
        };
        Self { code, retry_after_s, datasets, kept_since: kept_ms.map(rfc3339), evidence }
    }

    /// Returns the verdict as a sentence, with what to do.
    #[must_use]
    pub fn words(&self) -> String {
        match self.code {
            VerdictCode::AheadOfClock => "The time of the ray is in the future: check its digits.".into(),
            VerdictCode::OlderThanKept => match &self.kept_since {
                Some(since) => format!("The ray is older than the logs, which begin at {since}."),
                None => "The batches of its time are no longer in the bucket.".into(),
            },
            VerdictCode::InAnotherDataset => {
                let names: Vec<&str> = self.datasets.iter().map(|dataset| dataset.name()).collect();
                format!(
                    "Records of it are in {}: GET /v1/rays/{{ray}} shows those, without the parameter dataset.",
                    names.join(", ")
                )
            }
            VerdictCode::NotYet => self.words_of_waiting(),
            VerdictCode::OfUnknownLayout => {
                "Rays do not have the times of their requests then, so that its own does not say which batches to \
                 wait for. It is found once its batch is indexed; or search by time with GET /v1/logs."
                    .into()
            }
            VerdictCode::MaybeNotLogged => self.words_of_doubt(),
            VerdictCode::NotLogged => {
                "All batches of its time were read, and none has it: the request was not logged.".into()
            }
        }
    }

    fn words_of_waiting(&self) -> String {
        let seconds = self.retry_after_s.unwrap_or(ASK_AGAIN_S.0);
        let why = if self.evidence.is_some() {
            "By what the batches of its hour took,"
        } else {
            "Most batches land within five minutes of their requests:"
        };
        let waiting = format!("Its batch may not have landed. {why} retry in {seconds} s.");
        match &self.evidence {
            Some(VerdictEvidence { open_batches, .. }) if *open_batches > 0 => {
                format!("Batches of its time are still being indexed ({open_batches}). Retry shortly.")
            }
            Some(VerdictEvidence { quarantined_batches, rejected_lines, .. })
                if quarantined_batches + rejected_lines > 0 =>
            {
                format!("{waiting} {}", self.words_of_doubt())
            }
            _ => waiting,
        }
    }

    fn words_of_doubt(&self) -> String {
        match &self.evidence {
            Some(VerdictEvidence { quarantined_batches, .. }) if *quarantined_batches > 0 => format!(
                "Quarantined batches of its time may contain it ({quarantined_batches}): GET /v1/batches?state=quarantined says why."
            ),
            Some(VerdictEvidence { rejected_lines, .. }) if *rejected_lines > 0 => format!(
                "Batches of its time have lines that are not records ({rejected_lines}); it may be one of them."
            ),
            Some(VerdictEvidence { unindexed_children, .. }) if *unindexed_children > 0 => format!(
                "Batches of its time have records inside of others that are not found by their own rays ({unindexed_children}); it may be one of them."
            ),
            Some(VerdictEvidence { gaps, .. }) if !gaps.is_empty() => {
                "No batch covers all of its time: either nothing was logged then, or a batch is missing.".into()
            }
            Some(_) => "No batch that was read has it, but the bucket was not searched for others since.".into(),
            None => "Either the request was not logged, or its batch is not indexed yet or has expired.".into(),
        }
    }
}

impl VerdictEvidence {
    fn new(evidence: AbsenceEvidence, gaps: &[(i64, i64)], searched_ms: Option<i64>, complete: bool) -> Self {
        let AbsenceEvidence {
            sealed_batches,
            records,
            clock_skewed,
            gone_batches,
            unindexed_children,
            missing,
            uncertain,
            landed,
            ..
        } = evidence;
        let gap = |(start, end): &(i64, i64)| Gap { start: rfc3339(*start), end: rfc3339(*end) };
        Self {
            sealed_batches,
            open_batches: missing.open_batches,
            quarantined_batches: missing.quarantined_batches,
            rejected_lines: missing.rejected_lines,
            gone_batches,
            unindexed_children,
            records,
            clock_skewed,
            uncertain,
            gaps: gaps.iter().map(gap).collect(),
            landed_within_s: Landed { p50: landed.within_s(50), p99: landed.within_s(99) },
            searched_until: searched_ms.map(rfc3339),
            complete,
            layout_doubtful: false,
        }
    }
}

impl AbsenceFacts {
    /// Returns the end of the time in which the batch of the ray is written as a rule, in Unix milliseconds.
    #[must_use]
    pub const fn until_ms(at_ms: i64) -> i64 {
        at_ms.saturating_add(LANDING_MS)
    }

    fn code(&self) -> VerdictCode {
        let age_ms = self.now_ms.saturating_sub(self.at_ms);
        let is_doubtful = self.batches.as_ref().is_some_and(|batches| batches.layout_doubt.is_some());
        let unless_doubtful = |code| if is_doubtful { VerdictCode::OfUnknownLayout } else { code };
        if age_ms < -CLOCK_AHEAD_MS {
            return unless_doubtful(VerdictCode::AheadOfClock);
        }
        if self.batches.as_ref().is_some_and(|batches| !batches.other_datasets.is_empty()) {
            return VerdictCode::InAnotherDataset;
        }
        if self.is_older_than_kept() {
            return unless_doubtful(VerdictCode::OlderThanKept);
        }
        if age_ms < FRESH_RAY_MS {
            return VerdictCode::NotYet;
        }
        let Some(BatchFacts { evidence, .. }) = &self.batches else { return VerdictCode::MaybeNotLogged };
        let has_gaps = !self.gaps().is_empty();
        if evidence.missing.open_batches > 0 || has_gaps && age_ms < BACKFILL_LATE_MS {
            return VerdictCode::NotYet;
        }
        if is_skewed(evidence.clock_skewed, evidence.compared_rays) {
            return VerdictCode::OfUnknownLayout;
        }
        let is_uncertain = has_gaps || self.is_in_doubt();
        unless_doubtful(if is_uncertain { VerdictCode::MaybeNotLogged } else { VerdictCode::NotLogged })
    }

    /// Whether something of the ray's time was not read, or may not have been.
    fn is_in_doubt(&self) -> bool {
        let Some(BatchFacts { evidence, is_whole, searched_ms, .. }) = &self.batches else { return true };
        let missing = &evidence.missing;
        missing.quarantined_batches > 0
            || missing.rejected_lines > 0
            || evidence.gone_batches > 0
            || evidence.unindexed_children > 0
            || !is_whole
            || searched_ms.is_none_or(|searched_ms| searched_ms < Self::until_ms(self.at_ms))
    }

    fn is_older_than_kept(&self) -> bool {
        let no_batch_is_left = self.batches.as_ref().is_some_and(|batches| {
            let AbsenceEvidence { sealed_batches, gone_batches, missing, .. } = &batches.evidence;
            *gone_batches > 0 && *sealed_batches == 0 && *missing == MissingLines::default()
        });
        no_batch_is_left || self.kept_since_ms().is_some()
    }

    /// Returns the instant before which there is nothing, if the ray is older than that.
    fn kept_since_ms(&self) -> Option<i64> {
        let first_ms = self.batches.as_ref().and_then(|batches| batches.first_ms);
        let before_first = first_ms.filter(|first_ms| self.at_ms < first_ms - LOGPULL_EARLY_MS);
        self.kept_ms.filter(|kept_ms| self.at_ms < *kept_ms).or(before_first)
    }

    /// Returns the parts of the ray's time that no batch covers.
    fn gaps(&self) -> Vec<(i64, i64)> {
        let covered = self.batches.as_ref().map(|batches| batches.evidence.covered.as_slice());
        covered.map(|covered| gaps_between(covered, self.at_ms, Self::until_ms(self.at_ms))).unwrap_or_default()
    }

    /// Returns the seconds after which most batches of the ray's hour have landed; few while one of them is being indexed.
    fn ask_again_s(&self) -> i64 {
        let evidence = self.batches.as_ref().map(|batches| &batches.evidence);
        if evidence.is_some_and(|evidence| evidence.missing.open_batches > 0) {
            return ASK_AGAIN_S.0;
        }
        let within_s = evidence.and_then(|evidence| evidence.landed.within_s(99)).map_or(LANDING_MS / 1_000, i64::from);
        let age_s = (self.now_ms - self.at_ms).div_euclid(1_000);
        (within_s - age_s).clamp(ASK_AGAIN_S.0, ASK_AGAIN_S.1)
    }
}

#[cfg(test)]
mod tests {
    use super::{AbsenceEvidence, AbsenceFacts, BatchFacts, Verdict, VerdictCode};
    use crate::ledger::completeness::MissingLines;
    use crate::limits::{
        BACKFILL_LATE_MS, CLOCK_AHEAD_MS, FRESH_RAY_MS, LANDING_MS, LOGPULL_EARLY_MS, UNCERTAIN_BATCHES,
    };
    use crate::record::Dataset;

    const AT: i64 = 1_774_684_800_000;
    const OLD: i64 = AT + 2 * BACKFILL_LATE_MS;

    /// A ray of which nothing is in doubt.
    fn facts() -> AbsenceFacts {
        let evidence = AbsenceEvidence {
            sealed_batches: 10,
            records: 1_000,
            compared_rays: 1_000,
            covered: vec![(AT, AT + LANDING_MS)],
            ..AbsenceEvidence::default()
        };
        let batches = BatchFacts { evidence, is_whole: true, searched_ms: Some(OLD), ..BatchFacts::default() };
        AbsenceFacts { at_ms: AT, now_ms: OLD, kept_ms: None, batches: Some(batches) }
    }

    fn with(change: impl FnOnce(&mut AbsenceFacts, &mut BatchFacts)) -> AbsenceFacts {
        let mut facts = facts();
        let mut batches = facts.batches.take().unwrap();
        change(&mut facts, &mut batches);
        AbsenceFacts { batches: Some(batches), ..facts }
    }

    fn missing(open_batches: u64, quarantined_batches: u64, rejected_lines: u64) -> MissingLines {
        MissingLines { open_batches, quarantined_batches, rejected_lines }
    }

    #[test]
    fn each_verdict_follows_from_its_facts() {
        use VerdictCode::{
            AheadOfClock, InAnotherDataset, MaybeNotLogged, NotLogged, NotYet, OfUnknownLayout, OlderThanKept,
        };
        for (facts, code) in [
            (facts(), NotLogged),
            (with(|facts, _| facts.now_ms = AT - CLOCK_AHEAD_MS - 1), AheadOfClock),
            (with(|facts, _| facts.now_ms = AT - CLOCK_AHEAD_MS), NotYet),
            (with(|facts, _| facts.now_ms = AT + FRESH_RAY_MS - 1), NotYet),
            (with(|facts, _| facts.now_ms = AT + FRESH_RAY_MS), NotLogged),
            (with(|facts, _| facts.kept_ms = Some(AT + 1)), OlderThanKept),
            (with(|facts, _| facts.kept_ms = Some(AT)), NotLogged),
            (with(|_, batches| batches.first_ms = Some(AT + LOGPULL_EARLY_MS + 1)), OlderThanKept),
            (with(|_, batches| batches.other_datasets = vec![Dataset::FirewallEvents]), InAnotherDataset),
            (with(|_, batches| batches.evidence.missing = missing(1, 1, 1)), NotYet),
            (with(|_, batches| batches.evidence.missing = missing(0, 1, 0)), MaybeNotLogged),
            (with(|_, batches| batches.evidence.missing = missing(0, 0, 1)), MaybeNotLogged),
            (with(|_, batches| batches.evidence.unindexed_children = 1), MaybeNotLogged),
            (with(|_, batches| batches.evidence.gone_batches = 1), MaybeNotLogged),
            (with(|_, batches| batches.evidence.covered[0].1 -= 1), MaybeNotLogged),
            (with(|_, batches| batches.evidence.covered[0].0 += 1), MaybeNotLogged),
            (with(|_, batches| batches.is_whole = false), MaybeNotLogged),
            (with(|_, batches| batches.searched_ms = None), MaybeNotLogged),
            (with(|_, batches| batches.searched_ms = Some(AT + LANDING_MS - 1)), MaybeNotLogged),
            (with(|_, batches| batches.evidence.clock_skewed = 501), OfUnknownLayout),
            (with(|_, batches| batches.evidence.clock_skewed = 500), NotLogged),
            (
                with(|facts, batches| {
                    facts.now_ms = AT + BACKFILL_LATE_MS - 1;
                    batches.evidence.covered.clear();
                }),
                NotYet,
            ),
            (
                with(|_, batches| {
                    batches.evidence = AbsenceEvidence { gone_batches: 2, ..AbsenceEvidence::default() };
                }),
                OlderThanKept,
            ),
            (AbsenceFacts { batches: None, ..facts() }, MaybeNotLogged),
        ] {
            let verdict = Verdict::judge(facts.clone());
            assert_eq!(verdict.code, code, "{facts:?}");
            assert_eq!(verdict.retry_after_s.is_some(), code == NotYet);
            assert!(verdict.words().ends_with('.'));
        }
    }

    #[test]
    fn one_doubt_is_enough_against_not_logged() {
        // Whatever else is known, each of these alone forbids it.
        let doubts: [fn(&mut AbsenceFacts, &mut BatchFacts); 9] = [
            |_, batches| batches.evidence.missing.open_batches = 1,
            |_, batches| batches.evidence.missing.quarantined_batches = 1,
            |_, batches| batches.evidence.missing.rejected_lines = 1,
            |_, batches| batches.evidence.unindexed_children = 1,
            |_, batches| batches.evidence.covered.clear(),
            |_, batches| batches.evidence.gone_batches = 1,
            |_, batches| batches.is_whole = false,
            |_, batches| batches.searched_ms = None,
            |facts, _| facts.now_ms = AT,
        ];
        for some in 1_usize..1 << doubts.len() {
            let facts = with(|facts, batches| {
                let chosen = doubts.iter().enumerate().filter(|(nth, _)| some >> nth & 1 == 1);
                chosen.for_each(|(_, doubt)| doubt(facts, batches));
            });
            assert_ne!(Verdict::judge(facts).code, VerdictCode::NotLogged, "{some:b}");
        }
    }

    #[test]
    fn verdict_without_batches_follows_from_time() {
        let known = AbsenceFacts { batches: None, ..facts() };
        for (now_ms, kept_ms, code) in [
            (AT - 60_000, None, VerdictCode::AheadOfClock),
            (AT, None, VerdictCode::NotYet),
            (OLD, None, VerdictCode::MaybeNotLogged),
            (OLD, Some(OLD), VerdictCode::OlderThanKept),
        ] {
            let verdict = Verdict::judge(AbsenceFacts { now_ms, kept_ms, ..known.clone() });
            assert_eq!((verdict.code, verdict.evidence), (code, None));
        }
    }

    #[test]
    fn sum_of_ledgers_names_few_batches() {
        let one = AbsenceEvidence {
            uncertain: vec!["x".to_owned(); UNCERTAIN_BATCHES - 1],
            covered: vec![(5, 9)],
            gone_batches: 1,
            ..AbsenceEvidence::default()
        };
        let mut sum = one.clone();
        sum.add(AbsenceEvidence { covered: vec![(1, 5)], ..one });
        assert_eq!((sum.uncertain.len(), sum.gone_batches, sum.covered), (UNCERTAIN_BATCHES, 2, vec![(1, 9)]));
    }
}
