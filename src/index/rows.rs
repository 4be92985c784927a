//! The rows of a shard's tables: reading what a statement found, and parameters of statements.

use super::calls::{Candidate, ObjectOrigin, ObjectVersion};
use super::entry::PartView;
use super::nonstandard;
use super::part::{self, EntryError};
use crate::backend::{BackendError, SqlRow, SqlValue};
use crate::batch::SpanExtent;
use crate::record::{Dataset, RayKey};

/// Returns the batches that hold a ray, of these rows with an object and one of its parts each.
pub(super) fn candidates_in(rows: &[SqlRow], key: &RayKey, dataset: Dataset) -> Result<Vec<Candidate>, BackendError> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for row in rows {
        let Some((object, RaySpans { spans, extents })) = object_of(row).zip(spans_in(row, key)?) else { continue };
        match candidates.last_mut().filter(|last| last.object == object) {
            // The lines of one ray may span two parts.
            Some(last) => last.join(spans, extents),
            None => candidates.push(Candidate { dataset, object, spans, extents }),
        }
    }
    Ok(candidates)
}

/// The spans in which a part has lines of a ray.
#[derive(Debug)]
struct RaySpans {
    /// The span of each line.
    spans: Vec<u32>,
    /// The extents of these spans.
    extents: Vec<SpanExtent>,
}

/// Returns the spans that the part in such a row names for `key`; `None` if there are none.
fn spans_in(row: &SqlRow, key: &RayKey) -> Result<Option<RaySpans>, BackendError> {
    let Some(SqlValue::Blob(part)) = row.get(VERSION_COLUMNS) else { return Ok(None) };
    let failed = |error: EntryError| BackendError::new("finding a ray", error.to_string());
    let spans = match key {
        RayKey::Ray(ray) => PartView::open(part).and_then(|part| part.spans_of(ray.suffix())),
        RayKey::Nonstandard(id) => nonstandard::spans_of(part, id),
    };
    let spans = spans.map_err(failed)?;
    if spans.is_empty() {
        return Ok(None);
    }
    let mut extents = part::extents(part).map_err(failed)?;
    extents.retain(|extent| spans.binary_search(&extent.number).is_ok());
    Ok(Some(RaySpans { spans, extents }))
}

/// The columns of the table `entry_v1` that describe an object, in the order of [`object_of`].
pub(super) const VERSION: &str = "object_key, etag, uploaded_ms, size, origin, revision, written_ms";

/// Number of these columns.
pub(super) const VERSION_COLUMNS: usize = 7;

/// Reads an object from the first columns of a row ([`VERSION`]).
pub(super) fn object_of(row: &SqlRow) -> Option<ObjectVersion> {
    let [SqlValue::Text(key), SqlValue::Text(etag)] = row.get(..2)? else { return None };
    let (uploaded_ms, size) = (row_integer(row, 2)?, u64::try_from(row_integer(row, 3)?).ok()?);
    let origin = match row.get(4)? {
        SqlValue::Text(etag) => Some(ObjectOrigin {
            etag: etag.clone(),
            revision: u32::try_from(row_integer(row, 5)?).ok()?,
            rewritten_ms: row_integer(row, 6)?,
        }),
        _ => None,
    };
    Some(ObjectVersion { key: key.clone(), etag: etag.clone(), uploaded_ms, size, origin })
}

/// Returns the integer in a column.
pub(super) fn row_integer(row: &SqlRow, column: usize) -> Option<i64> {
    match row.get(column) {
        Some(SqlValue::Integer(value)) => Some(*value),
        _ => None,
    }
}

pub(super) fn text(value: &str) -> SqlValue {
    SqlValue::Text(value.into())
}

/// Converts a number below 2^53 for SQL: sizes, suffixes and part numbers all are.
pub(super) fn integer(value: u64) -> SqlValue {
    SqlValue::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}
