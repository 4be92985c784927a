//! How tests bring batches and payloads to where they want them: by the calls that the consumers make.

use raydex::ledger::breaker::PartnerStanding;
use raydex::ledger::calls::{ClaimAnswer, ClaimPayload, CommitAttempt, SplitPayload};
use raydex::ledger::delivery::{BodyLocation, Payload};
use raydex::ledger::plan::{DeliveryRequest, FORMAT};
use raydex::ledger::{AttemptFacts, AttemptOutcome, BatchId, DeliveryId, DeliveryWindow, PlanOptions};
use raydex::partner::{DuplicatePolicy, EdgeRecords, OnUnknown, Subrequests};
use raydex::pipeline::{BatchRequest, process_batch};

use super::support::records::{http, ndjson, ray};
use super::support::{Fakes, LEASE_MS, run};

/// Two batches of one hour, one of the hour before, one of no hour.
pub(crate) const KEYS: [&str; 4] = [
    "logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_aa.log.gz",
    "logs/http_requests/20260328/20260328T084300Z_20260328T084325Z_bb.log.gz",
    "logs/http_requests/20260328/20260328T074300Z_20260328T074325Z_cc.log.gz",
    "logs/http_requests/by-hand.log.gz",
];

/// How lines become payloads: two to each.
pub(crate) fn plan_options() -> PlanOptions {
    PlanOptions {
        format: FORMAT,
        lines: 2,
        subrequests: Subrequests::Include,
        edge_records: EdgeRecords::Exclude,
        filter: None,
        backfill_filter: None,
        version: "cs_vod_v3.0".into(),
        tenant: "-".into(),
        unknown_country: "CN".into(),
        duplicates: DuplicatePolicy::Hold,
    }
}

/// All records, in that form.
pub(crate) fn wish() -> DeliveryRequest {
    DeliveryRequest::new(DeliveryWindow::EVER, plan_options())
}

/// Records with the rays of these numbers.
pub(crate) fn records(rays: std::ops::Range<u64>) -> Vec<u8> {
    ndjson(rays.map(|number| http(&ray(number).to_string(), 0)))
}

/// Writes an object and has it read, with this of it for the partner; the payloads.
pub(crate) fn batch(fakes: &Fakes, key: &str, stored: &[u8], deliver: Option<DeliveryRequest>) -> Vec<DeliveryId> {
    fakes.bucket.store(key, stored);
    run(process_batch(
        fakes,
        key,
        &BatchRequest { deliver, ..BatchRequest::new(key, fakes.log_prefixes.claim(key), &fakes.log_prefixes) },
    ))
    .unwrap();
    fakes.sends.take().iter().map(|message| serde_json::from_str(message).unwrap()).collect()
}

/// The handle of the batch that a payload is of.
pub(crate) fn batch_of(id: &DeliveryId) -> String {
    BatchId { ledger: id.ledger.clone(), source: id.source.clone() }.handle()
}

/// Claims a payload.
pub(crate) fn claimed(fakes: &Fakes, id: &DeliveryId) -> (u32, Payload) {
    claimed_under(fakes, id, PartnerStanding::default())
}

/// Claims a payload, having heard this of the partner.
pub(crate) fn claimed_under(fakes: &Fakes, id: &DeliveryId, standing: PartnerStanding) -> (u32, Payload) {
    let (id, claimant, on_unknown) = (id.clone(), "tests".into(), OnUnknown::Park);
    let ledger = id.ledger.clone();
    match fakes.ledgers.ask(&ledger, &ClaimPayload { id, claimant, standing, lease_ms: LEASE_MS, on_unknown }) {
        ClaimAnswer::Granted { token, payload, .. } => (token, payload),
        other => panic!("not claimed: {other:?}"),
    }
}

/// An attempt to send a payload ends so.
pub(crate) fn attempt(fakes: &Fakes, id: &DeliveryId, outcome: AttemptOutcome) {
    let (token, _) = claimed(fakes, id);
    assert!(
        fakes
            .ledgers
            .ask(
                &id.ledger,
                &CommitAttempt { id: id.clone(), token, outcome, refusal: None, facts: AttemptFacts::default() }
            )
            .counted
    );
}

/// The partner takes a payload.
pub(crate) fn deliver(fakes: &Fakes, id: &DeliveryId) {
    attempt(fakes, id, AttemptOutcome::Delivered { status: 200 });
}

/// The partner refuses a payload for good.
pub(crate) fn park(fakes: &Fakes, id: &DeliveryId) {
    attempt(fakes, id, AttemptOutcome::Refused { status: Some(400), code: "permanent".into() });
}

/// A payload of two lines was too large; its halves.
pub(crate) fn split(fakes: &Fakes, id: &DeliveryId) -> Vec<DeliveryId> {
    let (token, whole) = claimed(fakes, id);
    let indexes = id.split_indexes();
    let place = |at| Some(BodyLocation { first: indexes[0].clone(), digest: "5a".into(), offset: at, erased: false });
    let half = |index: &String, at| Payload { index: index.clone(), lines: 1, pack: place(at), ..whole.clone() };
    let halves = vec![half(&indexes[0], 0), half(&indexes[1], whole.bytes)];
    fakes.ledgers.ask(&id.ledger, &SplitPayload { id: id.clone(), token, split_into: halves }).send
}
