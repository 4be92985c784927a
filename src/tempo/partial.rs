//! Why a trace may lack requests, in the words that Grafana shows above it.
//!
//! # Invariants
//! A caller for whom no batches exist learns nothing of them: the words follow from the time of the ray and the clock.

use crate::api::completeness::RangeLedgers;
use crate::api::record_view::DatasetViews;
use crate::backend::CallError;
use crate::ledger::absence::{AbsenceEvidence, FindAbsence};
use crate::ledger::completeness::MissingLines;
use crate::record::RayId;
use crate::services::Services;
use crate::story::AbsenceFacts;

/// Returns why records of the time of a ray may be missing; `None` if none are.
pub(super) async fn missing_words(services: &impl Services, views: &DatasetViews, ray: RayId) -> Option<String> {
    let (now_ms, at_ms) = (services.now_ms(), ray.unix_ms());
    let until_ms = AbsenceFacts::until_ms(at_ms);
    let is_young = until_ms > now_ms;
    let young = is_young
        .then(|| "The request is younger than five minutes: batches with more of it may still come.".to_owned());
    if !views.visibility().has_batches() {
        return young;
    }
    match find_missing(services, views, at_ms..until_ms.min(now_ms.max(at_ms + 1))).await {
        Ok(Some(words)) => Some(words),
        Ok(None) => young,
        Err(_) => Some("Whether batches of this time are missing could not be checked.".to_owned()),
    }
}

/// Asks the ledgers of the time which of its batches may hold records unseen.
async fn find_missing(
    services: &impl Services,
    views: &DatasetViews,
    range: std::ops::Range<i64>,
) -> Result<Option<String>, CallError> {
    let ledgers = RangeLedgers::find(services, services.now_ms(), &range, None).await?;
    let call = FindAbsence {
        datasets: views.datasets(),
        at_ms: range.start,
        until_ms: range.end,
        only_own: !views.visibility().has_totals(),
    };
    let evidence = ledgers.sum(services, &call, AbsenceEvidence::add).await?;
    let MissingLines { open_batches, quarantined_batches, rejected_lines } = evidence.missing;
    let counted = |count: u64, one: &str, many: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {many}")),
    };
    let mut reasons: Vec<String> = [
        counted(open_batches, "batch of this time is not indexed yet", "batches of this time are not indexed yet"),
        counted(quarantined_batches, "is quarantined", "are quarantined"),
        counted(rejected_lines, "line could not be read", "lines could not be read"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !ledgers.is_whole {
        reasons.push("not all ledgers of this time were asked".to_owned());
    }
    Ok((!reasons.is_empty()).then(|| format!("Requests may be missing: {}.", reasons.join(", "))))
}
