//! The page of operations: accounts, deliveries, batches, coverage, what needs a decision, backfills, what callers cost and the audit
//! log.
//!
//! # Invariants
//! Each part is one answer of the API to the same caller, or says why there is none. A figure that the answer lacks is left
//! out, never guessed.

mod accounts;
mod decision;
mod documents;
mod figures;
mod rows;

use super::code_words::plain_code;
use super::numbers::unix_ms;
use super::plots::{CountBars, CountRowDocument, CoverageDocument, CoverageStrip, Histogram, PlotName, PlotRange};
use accounts::{AccountFact, AccountTile, breaker_words, delivery_facts, facts, tiles};
use decision::SelectionForm;
pub use decision::{
    ConfirmPage, DECISION_FILTER, DecidedDocument, DecidedPage, DecisionCountDocument, DecisionFilter, PayloadDecision,
};
use documents::BatchDocument;
pub use documents::{
    AuditDocument, BackfillsDocument, BatchesDocument, CostsDocument, DeadLettersDocument, PayloadsDocument,
    StatsDocument,
};
use rows::{AuditRow, BackfillRow, BatchRow, DeadLetterRow, PayloadRow};

/// Steps of the plot of batches, in seconds, and the most bars that it has.
const LANDED_STEPS_S: [u32; 6] = [10, 60, 300, 3_600, 21_600, 86_400];
const LANDED_BARS: i64 = 120;

/// A part of the page.
#[derive(Debug)]
pub enum OpsSection<T> {
    /// The answer of the API.
    Shown(T),
    /// Why there is none, in words.
    Withheld(String),
}

impl<T> OpsSection<T> {
    fn shown(&self) -> Option<&T> {
        match self {
            Self::Shown(answer) => Some(answer),
            Self::Withheld(_) => None,
        }
    }

    fn why_withheld(&self) -> Option<&str> {
        match self {
            Self::Shown(_) => None,
            Self::Withheld(words) => Some(words),
        }
    }
}

const COVERAGE: PlotName<'static> = PlotName { id: "coverage-strip", title: "What batches of requests cover" };
const LANDED: PlotName<'static> = PlotName { id: "landed", title: "Lines of these batches, by their upload" };

/// The answers that the page shows.
#[derive(Debug)]
pub struct OpsDocuments {
    /// `GET /v1/stats`.
    pub stats: OpsSection<StatsDocument>,
    /// `GET /v1/coverage` of the last hours.
    pub coverage: OpsSection<CoverageDocument>,
    /// `GET /v1/batches`, newest first.
    pub batches: OpsSection<BatchesDocument>,
    /// `GET /v1/payloads?state=parked`.
    pub parked: OpsSection<PayloadsDocument>,
    /// `GET /v1/dead-letters`.
    pub dead_letters: OpsSection<DeadLettersDocument>,
    /// `GET /v1/backfills`, newest first.
    pub backfills: OpsSection<BackfillsDocument>,
    /// `GET /v1/costs`.
    pub costs: OpsSection<CostsDocument>,
    /// The last page of `GET /v1/audit`.
    pub audit: OpsSection<AuditDocument>,
}

/// What the person may change.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpsRights {
    /// Whether forms for decisions are shown.
    pub may_decide: bool,
    /// Whether one of them is about several payloads.
    pub may_decide_many: bool,
}

/// The content of the page of operations.
#[derive(Debug, askama::Template)]
#[template(path = "ops/ops.html")]
pub struct OpsPart<'a> {
    documents: &'a OpsDocuments,
    rights: OpsRights,
    tiles: Vec<AccountTile>,
    facts: Vec<AccountFact>,
    delivery_facts: Vec<AccountFact>,
    breaker: (String, &'static str),
    coverage: Option<CoverageStrip<'a>>,
    landed: Option<Histogram<'a>>,
    batches: Vec<BatchRow<'a>>,
    parked: Vec<PayloadRow<'a>>,
    selection: SelectionForm,
    dead_letters: Vec<DeadLetterRow<'a>>,
    backfills: Vec<BackfillRow<'a>>,
    audit: Vec<AuditRow<'a>>,
}

impl<'a> OpsPart<'a> {
    /// Makes the content from the answers of the API.
    #[must_use]
    pub fn new(documents: &'a OpsDocuments, rights: OpsRights, now_ms: i64) -> Self {
        let OpsDocuments { stats, coverage, batches, parked, dead_letters, backfills, audit, .. } = documents;
        let stats = stats.shown();
        let batches = batches.shown().map_or(&[][..], |list| list.batches.as_slice());
        let most = batches.iter().map(|batch| batch.counts.lines).max().unwrap_or_default();
        let parked = parked.shown().map_or(&[][..], |list| list.payloads.as_slice());
        let dead_letters = dead_letters.shown().map_or(&[][..], |list| list.dead_letters.as_slice());
        let backfills = backfills.shown().map_or(&[][..], |list| list.backfills.as_slice());
        let audit = audit.shown().map_or(&[][..], |page| page.entries.as_slice());
        Self {
            documents,
            rights,
            tiles: stats.map(|stats| tiles(stats, now_ms)).unwrap_or_default(),
            facts: stats.map(facts).unwrap_or_default(),
            delivery_facts: stats.map(|stats| delivery_facts(stats, now_ms)).unwrap_or_default(),
            breaker: stats.map(|stats| breaker_words(stats, now_ms)).unwrap_or_default(),
            coverage: coverage.shown().map(|coverage| CoverageStrip::new(COVERAGE, coverage)),
            landed: landed_lines(batches, now_ms),
            batches: batches.iter().map(|batch| BatchRow::new(batch, most, now_ms)).collect(),
            parked: parked.iter().map(|payload| PayloadRow::new(payload, now_ms)).collect(),
            selection: SelectionForm::new(parked),
            dead_letters: dead_letters.iter().map(|letter| DeadLetterRow::new(letter, now_ms)).collect(),
            backfills: backfills.iter().map(BackfillRow::new).collect(),
            audit: audit.iter().rev().map(|link| AuditRow::new(link, now_ms)).collect(),
        }
    }
}

/// Draws the lines of batches by the time of their upload; `None` where there are no batches.
fn landed_lines(batches: &[BatchDocument], now_ms: i64) -> Option<Histogram<'static>> {
    let uploaded_ms = |batch: &BatchDocument| unix_ms(&batch.object.uploaded_at);
    let first_ms = batches.iter().filter_map(uploaded_ms).min()?;
    let (start_s, end_s) = (first_ms.div_euclid(1_000), now_ms.div_euclid(1_000) + 1);
    let step_s = LANDED_STEPS_S.into_iter().find(|step_s| (end_s - start_s) / i64::from(*step_s) < LANDED_BARS)?;
    let range = PlotRange { start_s, end_s, step_s: Some(step_s) };
    let row = |batch: &BatchDocument| {
        let dataset = batch.dataset.as_deref().map(|dataset| ("dataset".to_owned(), plain_code(dataset).into()));
        let values = Some(dataset.into_iter().collect());
        let time = Some(batch.object.uploaded_at.clone());
        CountRowDocument { time, values, other: batch.dataset.is_none(), count: batch.counts.lines }
    };
    let rows: Vec<CountRowDocument> = batches.iter().map(row).collect();
    Some(Histogram::new(LANDED, range, &CountBars::new(range, &rows)))
}

#[cfg(test)]
mod tests;
