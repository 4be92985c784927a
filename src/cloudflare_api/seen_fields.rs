//! Unlisted fields that records have, for `received/fields`: those at the beginning of the newest batch.
//!
//! They cost one call to the registry, one to each ledger that is asked (at most [`SEEN_HOURS`]), and one read of at
//! most [`SEEN_STORED`] bytes.
//!
//! # Invariants
//! A field is shown only if a record visible to the caller has it, under the name that the caller sees.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::api::ledgers::{call_ledger, newest_ledgers};
use crate::api::record_view::RecordView;
use crate::backend::{Bucket, ByteStream, RangedRead};
use crate::batch::{BatchLine, BatchReader};
use crate::http::Problem;
use crate::index::ObjectVersion;
use crate::ledger::BatchState;
use crate::ledger::calls::ListBatches;
use crate::limits::{LISTED, SEEN_HOURS, SEEN_STEP, SEEN_STORED, SEEN_TEXT};
use crate::mask::{MASKED, is_masked_name};
use crate::record::fields::line_text;
use crate::record::{Dataset, KeyNames, RecordMembers, read_key_by};
use crate::services::Services;

/// Fields by name, each with the JSON type of its values if one is known.
pub(super) type SeenFields = BTreeMap<String, Option<&'static str>>;

/// Returns the fields in the newest batch of the view's dataset. Empty if nothing can be read now: the list is not
/// worth an error.
pub(super) async fn seen_fields(services: &impl Services, view: &RecordView) -> SeenFields {
    let reservation = services.memory().reservation();
    if reservation.reserve(SEEN_STORED + 2 * SEEN_TEXT).is_err() {
        return SeenFields::default();
    }
    let object = newest_batch(services, view.dataset()).await;
    let Ok(Some(object)) = object else { return SeenFields::default() };
    let bytes = 0..SEEN_STORED as u64;
    match services.bucket().get_range(&object.key, Some(&object.etag), bytes).await {
        Ok(RangedRead::Body(body)) => {
            let prefixes = services.log_prefixes();
            let names = prefixes.key_names(&object.key, view.dataset());
            let records = SeenRecords { view, names, zone: prefixes.zone(&object.key) };
            body.all().await.map_or_else(|_| SeenFields::default(), |head| records.fields_of(&head))
        }
        _ => SeenFields::default(),
    }
}

/// Returns the newest sealed batch of a dataset, in the newest ledgers.
async fn newest_batch(services: &impl Services, dataset: Dataset) -> Result<Option<ObjectVersion>, Problem> {
    for name in &newest_ledgers(services, SEEN_HOURS).await?.names {
        let list = ListBatches { state: Some(BatchState::Sealed), datasets: None, limit: LISTED, after: None };
        let answer = call_ledger(services, name, &list).await?;
        let newest = answer.batches.iter().find(|batch| batch.dataset == dataset.name() && !batch.gone);
        if let Some(batch) = newest {
            return Ok(Some(batch.object.clone()));
        }
    }
    Ok(None)
}

/// The records of a batch, as seen by the caller.
struct SeenRecords<'a> {
    view: &'a RecordView,
    names: KeyNames,
    /// The zone of records that do not name it themselves.
    zone: Option<&'a str>,
}

impl SeenRecords<'_> {
    /// Returns the fields of the records in the first stored bytes of the batch, up to any damage.
    fn fields_of(&self, head: &[u8]) -> SeenFields {
        let mut seen = SeenFields::default();
        let mut reader = BatchReader::default();
        for step in head.chunks(SEEN_STEP) {
            let flow = reader.push(step, |line| {
                if let BatchLine::Text { bytes, .. } = line {
                    self.take_fields(&mut seen, bytes);
                }
                ControlFlow::Continue(())
            });
            if !matches!(flow, Ok(ControlFlow::Continue(()))) || reader.totals().inflated >= SEEN_TEXT as u64 {
                return seen;
            }
        }
        if head.len() < SEEN_STORED {
            // If this is all of the batch, its last line may have no line feed.
            let _end = reader.finish(|line| {
                if let BatchLine::Text { bytes, .. } = line {
                    self.take_fields(&mut seen, bytes);
                }
                ControlFlow::Continue(())
            });
        }
        seen
    }

    /// Adds the fields of a record of the view's dataset that is visible to the caller.
    fn take_fields(&self, seen: &mut SeenFields, line: &[u8]) {
        if read_key_by(&self.names, line).is_err() {
            return;
        }
        let Some(line) = self.view.view(self.zone, line) else { return };
        let text = line_text(&line);
        let Ok(members) = RecordMembers::parse(&text) else { return };
        for (name, value) in members.iter().filter(|(name, _)| !is_masked_name(name)) {
            let kind = seen.entry(name.to_owned()).or_default();
            *kind = kind.or_else(|| json_type(value));
        }
    }
}

/// Returns the type of a value; `None` if it is null or masked.
fn json_type(value: &str) -> Option<&'static str> {
    match value.as_bytes().first()? {
        b'"' if value.trim_matches('"') == MASKED => None,
        b'"' => Some("string"),
        b'{' => Some("object"),
        b'[' => Some("array"),
        b't' | b'f' => Some("bool"),
        b'-' | b'0'..=b'9' if value.contains(['.', 'e', 'E']) => Some("float"),
        b'-' | b'0'..=b'9' => Some("int"),
        _ => None,
    }
}
