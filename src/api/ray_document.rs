//! What answers about rays have in common: the members around their records, and where each record was found.
//!
//! # Invariants
//! An answer has counts of batches and positions in them only for callers for whom these exist.

use serde::Serialize;
use serde_json::value::RawValue;

use super::field_warnings::FieldWarning;
use super::list_document::ListDocument;
use super::ray_tree::TreeResponse;
use super::record_writer::RecordWriter;
use crate::access::Visibility;
use crate::http::LookupCost;
use crate::index::ObjectVersion;
use crate::limits::RENDERING_ROOM;
use crate::lookup::{FoundRecord, LookupResult, MergedOrigin};
use crate::memory::OutOfMemory;
use crate::record::RayKey;
use crate::record::fields::line_text;
use crate::span_reader::ReadStats;
use crate::time;

/// The members before the records.
#[derive(Serialize)]
pub(super) struct RayHead {
    ray: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ray_time: Option<String>,
    truncated: bool,
    #[serde(flatten)]
    lost: Option<LostBatches>,
}

impl RayHead {
    /// The members that say what was found of a ray.
    pub(super) fn new(key: &RayKey, found: &LookupResult, cost: Option<&LookupCost>) -> Self {
        Self {
            ray: key.to_string(),
            ray_time: key.ray().map(|ray| time::rfc3339(ray.unix_ms())),
            truncated: found.cut.truncated,
            lost: LostBatches::of(found, cost),
        }
    }
}

/// The batches that should hold the ray, and cannot be read; for callers for whom batches exist.
#[derive(Serialize)]
pub(crate) struct LostBatches {
    batches_gone: u64,
    batches_unreadable: u64,
}

impl LostBatches {
    /// The batches that a lookup of this cost missed.
    pub(crate) fn of(found: &LookupResult, cost: Option<&LookupCost>) -> Option<Self> {
        let ReadStats { batches_gone, batches_unreadable, .. } = found.stats;
        cost.map(|_| Self { batches_gone, batches_unreadable })
    }
}

/// The members after the records.
#[derive(Serialize)]
pub(super) struct RayTail<'a> {
    /// Where the records go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_cursor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tree: Option<TreeResponse>,
    #[serde(skip_serializing_if = "<[FieldWarning]>::is_empty")]
    pub(super) warnings: &'a [FieldWarning],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cost: Option<LookupCost>,
}

/// One record and where it was found.
#[derive(Serialize)]
struct RayRecord<'a> {
    #[serde(flatten)]
    places: RecordPlaces<'a>,
    record: Option<&'a RawValue>,
}

/// Where a record was found.
#[derive(Serialize)]
pub(super) struct RecordPlaces<'a> {
    dataset: &'static str,
    batch: RecordBatch<'a>,
    /// The ray of the record that it came merged in.
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_in: Option<String>,
    /// The other places where the same record is stored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    copies: Vec<RecordCopyPlace<'a>>,
}

/// Another place of a record.
#[derive(Serialize)]
struct RecordCopyPlace<'a> {
    #[serde(flatten)]
    batch: RecordBatch<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_in: Option<String>,
}

impl<'a> RecordPlaces<'a> {
    /// The places of a record that a caller for whom this exists may know.
    pub(super) fn new(found: &'a FoundRecord, visibility: Visibility) -> Self {
        let place = |object, offset| RecordBatch::new(object, offset, visibility);
        let copies = found.copies.iter().map(|copy| RecordCopyPlace {
            batch: place(&copy.object, copy.offset),
            merged_in: merged_in(copy.merged.as_ref()),
        });
        Self {
            dataset: found.dataset.name(),
            batch: place(&found.object, found.offset),
            merged_in: merged_in(found.merged.as_ref()),
            copies: copies.collect(),
        }
    }
}

/// Returns the ray of the record that another one came merged in, as far as the caller sees that record.
pub(super) fn merged_in(origin: Option<&MergedOrigin>) -> Option<String> {
    origin?.ray.as_ref().map(RayKey::to_string)
}

/// The batch that holds a record.
#[derive(Serialize)]
struct RecordBatch<'a> {
    key: &'a str,
    #[serde(flatten)]
    position: Option<StoredPosition<'a>>,
}

/// The position of a line in a version of a batch; for callers for whom positions exist.
#[derive(Serialize)]
struct StoredPosition<'a> {
    etag: &'a str,
    /// The offset of the line, in inflated bytes.
    offset: u64,
}

impl<'a> RecordBatch<'a> {
    fn new(object: &'a ObjectVersion, offset: u64, visibility: Visibility) -> Self {
        let position = visibility.has_positions().then(|| StoredPosition { etag: &object.etag, offset });
        Self { key: &object.key, position }
    }
}

/// Appends a record with its batch, as JSON answers show it.
pub(crate) fn push_record(
    document: &mut ListDocument,
    (found, visibility): (&FoundRecord, Visibility),
    line: &[u8],
    form: &RecordWriter,
) -> Result<(), OutOfMemory> {
    let _room = document.working_memory(RENDERING_ROOM * line.len())?;
    let mut object = Vec::new();
    let written = form.write_object(&mut object, line);
    let text = line_text(&object);
    let record = written.ok().and_then(|()| serde_json::from_str(&text).ok());
    document.push(&RayRecord { places: RecordPlaces::new(found, visibility), record })
}
