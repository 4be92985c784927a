//! The delivery of each record of a ray to the partner, as answers about the ray show it.
//!
//! # Invariants
//! The status of a record comes from the ledger's rows for the version of the batch that the record was read from. If
//! several payloads may contain the record, the answer lists them all and is not marked exact.

use serde::Serialize;

use super::ledgers::call_ledger;
use super::ray_document::merged_in;
use super::views::PayloadResponse;
use crate::access::Visibility;
use crate::http::Problem;
use crate::index::ObjectVersion;
use crate::ledger::BatchId;
use crate::ledger::calls::{BatchDetails, GetBatch, PayloadSelection};
use crate::limits::PAYLOAD_BYTES;
use crate::lookup::{FoundRecord, MergedOrigin};
use crate::memory::OutOfMemory;
use crate::pipeline::{DeliveryStatus, find_delivery_status};
use crate::record::KeyNames;
use crate::rpc::HeldAnswer;
use crate::services::Services;

/// The status of a record whose batch the ledger does not know, because another version of the object was indexed.
const UNKNOWN_BATCH: &str = "unknown_batch";
/// The status of a record that is inside of another one: the partner gets lines of their own alone, without what is inside.
const MERGED: &str = "merged";

/// A record with the status of its delivery.
#[derive(Serialize)]
pub(super) struct RecordDelivery {
    batch: RecordPosition,
    /// The ray of the record that it came merged in.
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_in: Option<String>,
    /// `assigned`, `excluded`, `merged`, `no_plan`, `pending`, `unknown_plan`, `unknown_batch`.
    delivery_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<u32>,
    /// Whether it is known which of the payloads contains it.
    exact: bool,
    payloads: Vec<PayloadResponse>,
}

/// The batch, and the inflated offset at which a record was found; of the batch only its key, where positions do not
/// exist for the caller.
#[derive(Serialize)]
struct RecordPosition {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
}

impl RecordDelivery {
    /// The delivery of a record at this place, of which nothing but its status is known.
    fn new(id: &BatchId, (object, offset): (&ObjectVersion, u64), delivery_status: &'static str) -> Self {
        let batch = RecordPosition {
            id: Some(id.handle()),
            key: object.key.clone(),
            etag: Some(object.etag.clone()),
            offset: Some(offset),
        };
        Self { batch, merged_in: None, delivery_status, reason: None, plan: None, exact: true, payloads: Vec::new() }
    }

    /// The same without anything that depends on other records of the batch and of its payloads: positions, handles,
    /// sizes, hashes, and whether a payload was split.
    fn unpositioned(self) -> Self {
        let key = self.batch.key;
        let payloads = self.payloads.into_iter().filter_map(PayloadResponse::unpositioned).collect();
        Self { batch: RecordPosition { id: None, key, etag: None, offset: None }, payloads, ..self }
    }
}

/// Writes the delivery of each record. The ledger's answer for one batch is held at a time: it can be megabytes.
pub(super) async fn each_delivery(
    services: &impl Services,
    records: &[&FoundRecord],
    visibility: Visibility,
    mut write: impl FnMut(&RecordDelivery) -> Result<(), OutOfMemory>,
) -> Result<(), Problem> {
    let mut known: Option<(BatchId, HeldAnswer<BatchDetails>)> = None;
    let places = || records.iter().copied().flat_map(stored_places);
    for StoredPlace { record, object, offset, merged } in places() {
        let id = BatchId::for_object(services.bucket_name(), &object.key, &object.etag);
        let shown = |status: RecordDelivery| if visibility.has_positions() { status } else { status.unpositioned() };
        // A record inside of one that the caller does not see is reported like a line of its own: anything else would tell
        // that there is the other one.
        let is_shown = |origin: &&MergedOrigin| visibility.has_positions() || origin.ray.is_some();
        if let Some(origin) = merged.filter(is_shown) {
            let delivery = RecordDelivery::new(&id, (object, offset), MERGED);
            write(&shown(RecordDelivery { merged_in: merged_in(Some(origin)), ..delivery }))?;
            continue;
        }
        if known.as_ref().is_none_or(|(of, _)| *of != id) {
            drop(known.take());
            let here = places().filter(|place| place.object == object);
            let payloads = PayloadSelection::At(here.map(|place| place.offset).collect());
            let books = call_ledger(services, &id.ledger, &GetBatch { source: id.source.clone(), payloads }).await?;
            known = Some((id, books));
        }
        let names = services.log_prefixes().key_names(&object.key, record.dataset);
        let line = (&names, record.line.as_slice());
        if let Some((id, books)) = &known {
            let _room = services.memory().reserve(PAYLOAD_BYTES * books.payloads.len())?;
            write(&shown(shown_status(id, books, line, (object, offset))))?;
        }
    }
    Ok(())
}

/// A location where a record is stored.
struct StoredPlace<'r> {
    record: &'r FoundRecord,
    object: &'r ObjectVersion,
    offset: u64,
    merged: Option<&'r MergedOrigin>,
}

/// Returns a record at each location where it is stored.
fn stored_places(record: &FoundRecord) -> impl Iterator<Item = StoredPlace<'_>> {
    let first = StoredPlace { record, object: &record.object, offset: record.offset, merged: record.merged.as_ref() };
    let copies = record.copies.iter().map(move |copy| StoredPlace {
        record,
        object: &copy.object,
        offset: copy.offset,
        merged: copy.merged.as_ref(),
    });
    std::iter::once(first).chain(copies)
}

fn shown_status(
    id: &BatchId,
    books: &BatchDetails,
    line: (&KeyNames, &[u8]),
    (object, offset): (&ObjectVersion, u64),
) -> RecordDelivery {
    let default_ms = object.default_ms();
    let shown = RecordDelivery::new(id, (object, offset), UNKNOWN_BATCH);
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
