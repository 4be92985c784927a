//! What a ray without records is called while its batch is not read: never "not logged".

use raydex::backend::{SqlDatabase, SqlValue};
use raydex::ledger::absence::{AbsenceEvidence, FindAbsence};
use raydex::ledger::ids::{PARTNER, REGISTRY};
use raydex::ledger::registry::{AdvanceSweep, SweepMark};
use raydex::ledger::{BatchState, answer, open, registry};
use raydex::record::{Dataset, RayId};
use raydex::rpc::Call;
use raydex::story::{AbsenceFacts, BatchFacts, Verdict, VerdictCode};

use super::partitions::ledger_of;
use super::run::Run;
use super::traffic::Batch;

/// Steps between two questions.
pub(crate) const STEPS_A_QUESTION: u64 = 20;

/// How often rays were judged.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Judged {
    /// Whose batch was not read whole.
    pub(crate) unread: u64,
    /// That counted as not logged, since their batch was.
    pub(crate) not_logged: u64,
}

/// Judges a ray of the nth batch as if nobody had its record and batches covered its time: an error is a ray that counts as
/// not logged while its batch is known and not read whole, or lay in the bucket when the sweep said that all were read.
pub(crate) fn judge_absence(run: &Run, nth: usize, judged: &mut Judged) -> Result<(), String> {
    let Some(batch) = run.batches.get(nth).filter(|batch| !batch.removed) else { return Ok(()) };
    let Some(line) = batch.lines.first() else { return Ok(()) };
    let ray = RayId::from_hex(line.ray.as_bytes()).unwrap();
    let (state, finished_ms) = (state_of(run, batch), finished_ms(run));
    if state.is_none() && finished_ms.is_none_or(|finished_ms| batch.uploaded_ms >= finished_ms) {
        return Ok(());
    }
    let is_read = state
        .as_ref()
        .is_some_and(|(state, counts)| *state == BatchState::Sealed && counts.contains("\"rejected\":{}"));
    let is_not_logged = verdict(run, ray, finished_ms) == VerdictCode::NotLogged;
    if !is_read && is_not_logged {
        return Err(format!("{ray} counts as not logged, and its batch {} is {state:?}", batch.key));
    }
    judged.unread += u64::from(!is_read);
    judged.not_logged += u64::from(is_not_logged);
    Ok(())
}

fn finished_ms(run: &Run) -> Option<i64> {
    let sql = run.platform.ledgers.borrow().get(REGISTRY)?.sql.sql.clone();
    let call = AdvanceSweep { at_ms: None, finished_ms: None };
    let answered = registry::answer(&sql, AdvanceSweep::NAME, &call.to_body(), 0).ok()?;
    let mark: SweepMark = serde_json::from_slice(&answered.body).unwrap();
    mark.finished_ms
}

/// What the ledger knows of a batch: its state and its counts.
fn state_of(run: &Run, batch: &Batch) -> Option<(BatchState, String)> {
    let (ledger, source) = ledger_of(run, batch)?;
    let sql = run.platform.ledgers.borrow().get(&ledger)?.sql.sql.clone();
    let statement = "SELECT state, counts FROM source_v1 WHERE id = ?";
    let rows = sql.run(statement, &[SqlValue::text(source.as_str())]).ok()?.rows;
    let row = rows.first()?;
    Some((BatchState::from_name(row.first()?.as_text()?)?, row.get(1)?.as_text()?.to_owned()))
}

/// The verdict on a ray of which no record is found, whose time batches cover by their names.
fn verdict(run: &Run, ray: RayId, searched_ms: Option<i64>) -> VerdictCode {
    let (at_ms, now_ms) = (ray.unix_ms(), run.platform.time.now_ms() + 3 * 3_600_000);
    let until_ms = AbsenceFacts::until_ms(at_ms);
    let call = FindAbsence { datasets: vec![Dataset::HttpRequests], at_ms, until_ms, only_own: false };
    let mut evidence = AbsenceEvidence::default();
    for (name, ledger) in &*run.platform.ledgers.borrow() {
        if [REGISTRY, PARTNER].contains(&name.as_str()) {
            continue;
        }
        open(&ledger.sql.sql, name).unwrap();
        let answered = answer(&ledger.sql.sql, name, FindAbsence::NAME, &call.to_body(), now_ms).unwrap();
        evidence.add(serde_json::from_slice(&answered.body).unwrap());
    }
    evidence.covered = vec![(at_ms, until_ms)];
    evidence.gone_batches = 0;
    let batches = BatchFacts { evidence, is_whole: true, searched_ms, ..BatchFacts::default() };
    Verdict::judge(AbsenceFacts { at_ms, now_ms, kept_ms: None, batches: Some(batches) }).code
}
