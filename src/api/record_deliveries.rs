//! The delivery of each record of a ray to the partner, as answers about the ray show it.
//!
//! # Invariants
//! The status of a record comes from the ledger's rows for the version of the batch that the record was read from. If
//! several payloads may contain the record, the answer lists them all and is not marked exact.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ledgers::{ask_ledger, batch_of_object, call_ledger};
use super::ray_document::merged_in;
use super::views::PayloadResponse;
use crate::access::Visibility;
use crate::http::Problem;
use crate::index::ObjectVersion;
use crate::ledger::BatchId;
use crate::ledger::backfills::ListBackfills;
use crate::ledger::calls::{BatchDetails, GetBatch, PayloadSelection};
use crate::ledger::ids::REGISTRY;
use crate::limits::{PAYLOAD_BYTES, REPETITION_BACKFILLS};
use crate::lookup::{FoundRecord, MergedOrigin};
use crate::memory::OutOfMemory;
use crate::pipeline::{DeliveryStatus, PlacedLine, find_delivery_status, find_repetitions};
use crate::rpc::HeldAnswer;
use crate::services::Services;
use crate::time::rfc3339;

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
    #[serde(flatten)]
    first: PlanStatus,
    /// The latest deliveries once more, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    again: Vec<RepetitionResponse>,
}

/// The status that a plan gives to a record.
#[derive(Serialize)]
struct PlanStatus {
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

/// The delivery of a record once more.
#[derive(Serialize)]
struct RepetitionResponse {
    /// The backfill that asked for it; absent where positions do not exist for the caller: an operator's words may tell of
    /// records that the caller does not see.
    #[serde(skip_serializing_if = "Option::is_none")]
    backfill: Option<RepetitionBackfill>,
    #[serde(flatten)]
    status: PlanStatus,
}

/// A backfill that delivers records once more, and why.
#[derive(Clone, Serialize)]
struct RepetitionBackfill {
    id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
}

impl PlanStatus {
    /// The status of this name, of which nothing else is known.
    const fn named(delivery_status: &'static str) -> Self {
        Self { delivery_status, reason: None, plan: None, exact: true, payloads: Vec::new() }
    }

    /// The same without what depends on other records of the payloads.
    fn unpositioned(self) -> Self {
        let payloads = self.payloads.into_iter().filter_map(PayloadResponse::unpositioned).collect();
        Self { payloads, ..self }
    }
}

impl From<DeliveryStatus<'_>> for PlanStatus {
    fn from(status: DeliveryStatus<'_>) -> Self {
        let shown = Self { exact: status.is_exact(), ..Self::named(status.name()) };
        match status {
            DeliveryStatus::NoPlan => shown,
            DeliveryStatus::UnknownPlan { plan } | DeliveryStatus::Pending { plan } => {
                Self { plan: Some(plan), ..shown }
            }
            DeliveryStatus::Excluded { plan, why } => Self { plan: Some(plan), reason: Some(why.code()), ..shown },
            DeliveryStatus::Assigned { plan, payloads } => {
                let payloads = payloads.into_iter().cloned().map(PayloadResponse::from).collect();
                Self { plan: Some(plan), payloads, ..shown }
            }
        }
    }
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
        Self { batch, merged_in: None, first: PlanStatus::named(delivery_status), again: Vec::new() }
    }

    /// The same without anything that depends on other records of the batch and of its payloads: positions, handles,
    /// sizes, hashes, and whether a payload was split.
    fn unpositioned(self) -> Self {
        let batch = RecordPosition { id: None, key: self.batch.key, etag: None, offset: None };
        let hidden = |repetition: RepetitionResponse| RepetitionResponse {
            backfill: None,
            status: repetition.status.unpositioned(),
        };
        let again = self.again.into_iter().map(hidden).collect();
        Self { batch, merged_in: self.merged_in, first: self.first.unpositioned(), again }
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
    let mut backfills = NamedBackfills::default();
    let places = || records.iter().copied().flat_map(stored_places);
    for StoredPlace { record, object, offset, merged } in places() {
        let id = batch_of_object(services, object).await?;
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
            let ask = GetBatch { source: id.source.clone(), payloads };
            let books = call_ledger(services, &id.ledger, &ask).await?;
            known = Some((id, books));
        }
        let names = services.log_prefixes().key_names(&object.key, record.dataset);
        let line = PlacedLine { names: &names, line: &record.line, at: offset, default_ms: object.default_ms() };
        if let Some((id, books)) = &known {
            let _room = services.memory().reserve(PAYLOAD_BYTES * books.payloads.len())?;
            let mut status = status_of(id, books, object, &line);
            if visibility.has_positions() {
                backfills.name_all(services, &mut status.again).await?;
            }
            write(&shown(status))?;
        }
    }
    Ok(())
}

/// The backfills that one answer names, as the registry has them.
#[derive(Default)]
struct NamedBackfills {
    known: BTreeMap<i64, RepetitionBackfill>,
}

impl NamedBackfills {
    /// Adds reason and time to the backfills of these repetitions.
    async fn name_all(
        &mut self,
        services: &impl Services,
        repetitions: &mut [RepetitionResponse],
    ) -> Result<(), Problem> {
        for backfill in repetitions.iter_mut().filter_map(|repetition| repetition.backfill.as_mut()) {
            let id = backfill.id;
            if !self.known.contains_key(&id) && self.known.len() < REPETITION_BACKFILLS {
                let job = ask_ledger(services, REGISTRY, &ListBackfills { id: Some(id), limit: 1 }).await?.jobs.pop();
                let (reason, created_at) =
                    job.map_or((None, None), |(_, job)| (job.request.reason, Some(rfc3339(job.created_ms))));
                self.known.insert(id, RepetitionBackfill { id, reason, created_at });
            }
            if let Some(named) = self.known.get(&id) {
                *backfill = named.clone();
            }
        }
        Ok(())
    }
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

/// Returns the delivery of a record that is stored here, with the numbers of the backfills that delivered it once more.
fn status_of(id: &BatchId, books: &BatchDetails, object: &ObjectVersion, line: &PlacedLine<'_>) -> RecordDelivery {
    let unknown = RecordDelivery::new(id, (object, line.at), UNKNOWN_BATCH);
    if books.batch.is_none() {
        return unknown;
    }
    let again = find_repetitions(books, line).into_iter().map(|repetition| RepetitionResponse {
        backfill: Some(RepetitionBackfill { id: repetition.backfill, reason: None, created_at: None }),
        status: repetition.status.into(),
    });
    RecordDelivery { first: find_delivery_status(books, line).into(), again: again.collect(), ..unknown }
}
