//! `GET /v1/rays/{ray}/deliveries`: the delivery of each record of a ray to the partner.
//!
//! # Invariants
//! The status of a record comes from the ledger's rows for the version of the batch that the record was read from. If
//! several payloads may contain the record, the answer lists them all and is not marked exact.

use serde::Serialize;

use super::ledgers::call_ledger;
use super::rays::find_ray;
use super::record_view::DatasetViews;
use super::views::PayloadResponse;
use crate::access::Caller;
use crate::http::{LookupCost, Problem, Reply, problems};
use crate::index::ObjectVersion;
use crate::ledger::BatchId;
use crate::ledger::calls::{BatchDetails, GetBatch};
use crate::lookup::FoundRecord;
use crate::pipeline::{DeliveryStatus, find_delivery_status};
use crate::record::{Dataset, KeyNames, ray_from_user};
use crate::services::Services;
use crate::time::rfc3339;

/// The status of a record whose batch the ledger does not know, because another version of the object was indexed.
const UNKNOWN_BATCH: &str = "unknown_batch";

#[derive(Serialize)]
struct DeliveriesResponse {
    ray: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ray_time: Option<String>,
    truncated: bool,
    batches_gone: u64,
    batches_unreadable: u64,
    records: Vec<RecordDelivery>,
    cost: LookupCost,
}

/// A record with the status of its delivery.
#[derive(Serialize)]
struct RecordDelivery {
    batch: RecordPosition,
    /// `assigned`, `excluded`, `no_plan`, `pending`, `unknown_plan`, `unknown_batch`.
    delivery_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<u32>,
    /// Whether it is known which of the payloads contains it.
    exact: bool,
    payloads: Vec<PayloadResponse>,
}

/// The batch, and the inflated offset at which a record was found.
#[derive(Serialize)]
struct RecordPosition {
    id: String,
    key: String,
    etag: String,
    offset: u64,
}

/// Answers with the delivery of every record of the ray that the caller may see.
pub(crate) async fn get_deliveries(
    services: &impl Services,
    caller: &Caller,
    argument: &str,
) -> Result<Reply, Problem> {
    let started = services.now_ms();
    let views = DatasetViews::new(caller, Some(Dataset::HttpRequests), None)?;
    let key = ray_from_user(argument).map_err(|_| problems::not_a_ray())?;
    let reservation = services.memory().reservation();
    let (found, mut cost) = find_ray(services, &views, &key, &reservation).await?;
    let records = delivery_statuses(services, &found.records).await?;
    cost.elapsed_ms = services.now_ms() - started;
    let answer = DeliveriesResponse {
        ray: key.to_string(),
        ray_time: key.ray().map(|ray| rfc3339(ray.unix_ms())),
        truncated: found.truncated,
        batches_gone: found.stats.batches_gone,
        batches_unreadable: found.stats.batches_unreadable,
        records,
        cost,
    };
    Ok(Reply::json(&answer).with_cost(&cost))
}

/// Returns the delivery status of each record. The ledger's answer for one batch is held at a time: it can be
/// megabytes.
async fn delivery_statuses(services: &impl Services, records: &[FoundRecord]) -> Result<Vec<RecordDelivery>, Problem> {
    let mut statuses = Vec::new();
    let mut known: Option<(BatchId, BatchDetails)> = None;
    for (record, object, offset) in records.iter().flat_map(stored_places) {
        let id = BatchId::for_object(services.bucket_name(), &object.key, &object.etag);
        if known.as_ref().is_none_or(|(of, _)| *of != id) {
            let books = call_ledger(services, &id.ledger, &GetBatch { source: id.source.clone() }).await?;
            known = Some((id, books));
        }
        let names = services.log_prefixes().key_names(&object.key, record.dataset);
        let line = (&names, record.line.as_slice());
        statuses.extend(known.as_ref().map(|(id, books)| shown_status(id, books, line, (object, offset))));
    }
    Ok(statuses)
}

/// Returns a record at each location where it is stored.
fn stored_places(record: &FoundRecord) -> impl Iterator<Item = (&FoundRecord, &ObjectVersion, u64)> {
    let copies = record.copies.iter().map(move |copy| (record, &*copy.object, copy.offset));
    [(record, &*record.object, record.offset)].into_iter().chain(copies)
}

fn shown_status(
    id: &BatchId,
    books: &BatchDetails,
    line: (&KeyNames, &[u8]),
    (object, offset): (&ObjectVersion, u64),
) -> RecordDelivery {
    let default_ms = object.default_ms();
    let batch = RecordPosition { id: id.handle(), key: object.key.clone(), etag: object.etag.clone(), offset };
    let shown = RecordDelivery {
        batch,
        delivery_status: UNKNOWN_BATCH,
        reason: None,
        plan: None,
        exact: true,
        payloads: Vec::new(),
    };
    if books.batch.is_none() {
        return shown;
    }
    let status = find_delivery_status(books, line, offset, default_ms);
    let shown = RecordDelivery { delivery_status: status.name(), exact: status.is_exact(), ..shown };
    match status {
        DeliveryStatus::NoPlan => shown,
        DeliveryStatus::UnknownPlan { plan } | DeliveryStatus::Pending { plan } => {
            RecordDelivery { plan: Some(plan), ..shown }
        }
        DeliveryStatus::Excluded { plan, why } => {
            RecordDelivery { plan: Some(plan), reason: Some(why.code()), ..shown }
        }
        DeliveryStatus::Assigned { plan, payloads } => {
            let payloads = payloads.into_iter().cloned().map(PayloadResponse::from).collect();
            RecordDelivery { plan: Some(plan), payloads, ..shown }
        }
    }
}
