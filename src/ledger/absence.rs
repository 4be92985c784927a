//! What a ledger knows of the time of a ray that no batch holds: how much of it batches cover, which of them may hold the ray
//! unseen, and how long batches took to land.

use serde::{Deserialize, Serialize};

use super::completeness::{FindMissing, MissingLines, count_missing};
use super::freshness::LagCounts;
use super::ids::BatchId;
use super::source_id::SourceId;
use super::state::BatchState;
use super::tables::LedgerRow;
use super::windows::{BatchSpan, TimeWindows, join_windows, merge_windows};
use crate::backend::{BackendError, SqlDatabase, SqlRow};
use crate::index::LineCounts;
use crate::limits::{BACKFILL_LATE_MS, UNCERTAIN_BATCHES};
use crate::record::Dataset;
use crate::rpc::calls;

calls! {
    "v1/find-absence": FindAbsence => AbsenceEvidence,
}

/// A request for what is known of the batches that a ray would be in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindAbsence {
    /// The datasets that may have records of the ray. The batches of the first one have it if the request was logged.
    pub datasets: Vec<Dataset>,
    /// Unix milliseconds of the ray.
    pub at_ms: i64,
    /// Unix milliseconds until which its batch covers time, exclusive.
    pub until_ms: i64,
    /// Whether only batches count that are read as one of them, and not those that may turn out to hold records of them.
    pub only_own: bool,
}

/// What is known of the batches that a ray would be in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AbsenceEvidence {
    /// Sealed batches without rejected lines that cover some of the time.
    pub sealed_batches: u64,
    /// Their records.
    pub records: u64,
    /// Those of their records that have a ray and a start time.
    #[serde(default)]
    pub compared_rays: u64,
    /// Those of their records whose ray and start time differ by more than 5 s.
    pub clock_skewed: u64,
    /// Batches that covered some of the time, and are no longer in the bucket.
    pub gone_batches: u64,
    /// Records inside of others, in batches of the time, that are not found by their own rays.
    #[serde(default, skip_serializing_if = "crate::rpc::is_default")]
    pub unindexed_children: u64,
    /// What may hold the ray unseen.
    pub missing: MissingLines,
    /// The handles of such batches, at most [`UNCERTAIN_BATCHES`].
    pub uncertain: Vec<String>,
    /// The parts of the time that batches cover, whatever their state: sorted and disjoint.
    pub covered: TimeWindows,
    /// Batches by the time that they took to land, from [`BatchSpan::begun_ms`] to their upload.
    pub landed: LagCounts,
}

impl AbsenceEvidence {
    /// Adds what another ledger knows.
    pub fn add(&mut self, other: Self) {
        let Self {
            sealed_batches,
            records,
            compared_rays,
            clock_skewed,
            gone_batches,
            unindexed_children,
            missing,
            uncertain,
            covered,
            landed,
        } = other;
        self.sealed_batches += sealed_batches;
        self.records += records;
        self.compared_rays += compared_rays;
        self.clock_skewed += clock_skewed;
        self.gone_batches += gone_batches;
        self.unindexed_children += unindexed_children;
        self.missing.add(missing);
        self.uncertain.extend(uncertain);
        self.uncertain.truncate(UNCERTAIN_BATCHES);
        self.covered.extend(covered);
        self.covered = merge_windows(std::mem::take(&mut self.covered));
        self.landed.add(&landed);
    }
}

/// Answers [`FindAbsence`].
pub(super) fn find_absence(
    sql: &impl SqlDatabase,
    ledger: &str,
    call: &FindAbsence,
) -> Result<AbsenceEvidence, BackendError> {
    let rows = sql.run(
        "SELECT object_key, uploaded_ms, state, counts, dataset, possible_datasets, first_ms, last_ms, gone, id
         FROM source_v1 ORDER BY id",
        &[],
    )?;
    let mut evidence = AbsenceEvidence::default();
    for row in &rows.rows {
        take(&mut evidence, ledger, row, call)?;
    }
    evidence.covered = join_windows(&evidence.covered, call.at_ms, call.until_ms);
    Ok(evidence)
}

fn take(evidence: &mut AbsenceEvidence, ledger: &str, source: &SqlRow, call: &FindAbsence) -> Result<(), BackendError> {
    let row = LedgerRow(source);
    let dataset = row.text(4)?;
    let is_own = call.datasets.first().is_some_and(|first| first.name() == dataset);
    let (uploaded_ms, state) = (row.integer(1)?, row.batch_state(2)?);
    // A batch that was not read to its end has no counts.
    let counts = if state == BatchState::Sealed { row.json(3)? } else { LineCounts::default() };
    let records = row.maybe_integer(6).zip(row.maybe_integer(7));
    let has_rejected = counts.rejected_lines_for(is_own) > 0;
    let key = row.text(0)?;
    let stretches = &counts.stretches;
    let span = BatchSpan { key: &key, uploaded_ms, state, has_rejected, records, stretches };
    let windows = span.windows();
    let covers = windows.iter().any(|(start, end)| *start < call.until_ms && *end >= call.at_ms);
    if row.integer(8)? != 0 {
        evidence.gone_batches += u64::from(is_own && covers);
        return Ok(());
    }
    let missing = missing_of(source, call)?;
    evidence.missing.add(missing);
    // A record inside of another may begin minutes after that one.
    let hides_children = is_own && counts.unindexed_children > 0 && is_near(&windows, call);
    if hides_children {
        evidence.unindexed_children += counts.unindexed_children;
    }
    let may_hold = missing != MissingLines::default() || hides_children;
    if may_hold && evidence.uncertain.len() < UNCERTAIN_BATCHES {
        evidence.uncertain.push(handle(ledger, row.source(9)?));
    }
    if state == BatchState::Sealed && is_own {
        if let Some(begun_ms) = span.begun_ms() {
            evidence.landed.count(uploaded_ms - begun_ms);
        }
        if covers && !has_rejected {
            evidence.sealed_batches += 1;
            evidence.records += counts.records;
            evidence.compared_rays += counts.compared_rays();
            evidence.clock_skewed += counts.clock_skewed;
        }
    }
    if is_own || may_hold {
        evidence.covered.extend(windows);
    }
    Ok(())
}

/// Returns whether a record that began up to an hour before the ray may be in these windows.
fn is_near(windows: &[(i64, i64)], call: &FindAbsence) -> bool {
    let earliest_ms = call.at_ms.saturating_sub(BACKFILL_LATE_MS);
    windows.iter().any(|(start, end)| *start < call.until_ms && *end >= earliest_ms)
}

/// Returns what of one batch may hold the ray unseen, in whichever of the datasets.
fn missing_of(source: &SqlRow, call: &FindAbsence) -> Result<MissingLines, BackendError> {
    let &FindAbsence { at_ms: start_ms, only_own, .. } = call;
    let mut most = MissingLines::default();
    for dataset in call.datasets.iter().copied() {
        let mut missing = MissingLines::default();
        let at = FindMissing { dataset, start_ms, end_ms: start_ms.saturating_add(1), only_own };
        count_missing(&mut missing, source, at)?;
        most = most.max(missing);
    }
    Ok(most)
}

fn handle(ledger: &str, source: SourceId) -> String {
    BatchId { ledger: ledger.to_owned(), source }.handle()
}
