//! What became of one object: the record that lies beside the batches, one for each key.
//!
//! It is the object's own place for its verdict, its counts, or the reason why it was set aside; and it says
//! which shards hold its rays, so that another version of the object can take their place. (The ledger will
//! hold this, and more, per hour; until then one small JSON object per batch does.)
//!
//! What always holds: it is written after everything that it tells of has happened; its form is versioned by
//! its key, and frozen by a test.

use serde::{Deserialize, Serialize};

use super::calls::ObjectVersion;
use super::{Counts, ShardName};
use crate::backend::{BackendError, Bucket, Bytes, WholeBody};
use crate::batch::{BatchError, Totals, source_record_key};
use crate::record::Dataset;
use crate::time;

/// Largest record believed, in bytes: 9,000 shard names of 30 characters.
const MAX_RECORD: usize = 512 * crate::limits::KIB;

/// What became of an object version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// The object version.
    pub object: ObjectVersion,
    /// The dataset it was taken for.
    pub dataset: String,
    /// When this was written, in RFC 3339.
    pub at: String,
    /// The outcome.
    pub outcome: SourceOutcome,
}

/// Indexed, or not and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SourceOutcome {
    /// Every ray of it is in the index.
    Indexed {
        /// The names of the shards that hold its rays.
        shards: Vec<String>,
        /// Bytes inflated.
        inflated: u64,
        /// What it holds, in lines.
        counts: Counts,
    },
    /// Nothing of it is in the index.
    SetAside {
        /// The reason's stable code.
        code: String,
        /// The reason in words.
        reason: String,
    },
}

impl SourceRecord {
    /// The record of an object that is in the index.
    #[must_use]
    pub fn indexed(
        object: ObjectVersion,
        dataset: Dataset,
        shards: &[ShardName],
        totals: Totals,
        counts: Counts,
        now_ms: i64,
    ) -> Self {
        let shards = shards.iter().map(ToString::to_string).collect();
        let outcome = SourceOutcome::Indexed { shards, inflated: totals.inflated, counts };
        Self { object, dataset: dataset.name().into(), at: time::rfc3339(now_ms), outcome }
    }

    /// The record of an object that was set aside.
    #[must_use]
    pub fn set_aside(object: ObjectVersion, dataset: Dataset, why: BatchError, now_ms: i64) -> Self {
        let outcome = SourceOutcome::SetAside { code: why.code().into(), reason: why.to_string() };
        Self { object, dataset: dataset.name().into(), at: time::rfc3339(now_ms), outcome }
    }

    /// The shards that hold rays of this version.
    #[must_use]
    pub fn shards(&self) -> &[String] {
        match &self.outcome {
            SourceOutcome::Indexed { shards, .. } => shards,
            SourceOutcome::SetAside { .. } => &[],
        }
    }

    /// Whether it says that this very version is in the index.
    #[must_use]
    pub fn has_indexed(&self, etag: &str) -> bool {
        self.object.etag == etag && matches!(self.outcome, SourceOutcome::Indexed { .. })
    }
}

/// Reads the record of the object at `key`; one that cannot be read counts as none.
///
/// # Errors
/// [`BackendError`] where the bucket cannot be asked.
pub async fn read(bucket: &impl Bucket, key: &str) -> Result<Option<SourceRecord>, BackendError> {
    let Some((head, body)) = bucket.get(&source_record_key(key)).await? else { return Ok(None) };
    let mut body = WholeBody::new(body, head.size);
    let mut json = Vec::new();
    while let Some(piece) = body.next().await? {
        json.extend_from_slice(&piece);
        if json.len() > MAX_RECORD {
            return Ok(None);
        }
    }
    Ok(serde_json::from_slice(&json).ok())
}

/// Writes the record of its object, over the one before.
///
/// # Errors
/// [`BackendError`] where the bucket refuses.
pub async fn write(bucket: &impl Bucket, record: &SourceRecord) -> Result<(), BackendError> {
    let json = serde_json::to_vec_pretty(record)
        .map_err(|error| BackendError::new("writing what became of an object", error.to_string()))?;
    bucket.put(&source_record_key(&record.object.key), json).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::{SourceOutcome, SourceRecord};

    #[test]
    fn the_stored_form_is_unchanged() {
        let indexed = r#"{"object":{"key":"logs/a.log.gz","etag":"e","uploaded_ms":5,"size":9},"dataset":"http_requests","at":"2026-03-28T08:42:25.000Z","outcome":{"state":"indexed","shards":["v1/http_requests/76466"],"inflated":90,"counts":{"lines":3,"records":2,"rays":2,"odd_ids":0,"no_ray":0,"clock_skewed":0,"rejected":{"not_json":1}}}}"#;
        let record: SourceRecord = serde_json::from_str(indexed).unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), indexed);
        assert!(record.has_indexed("e") && !record.has_indexed("f"));
        let aside = r#"{"object":{"key":"k","etag":"e","uploaded_ms":5,"size":9},"dataset":"http_requests","at":"2026-03-28T08:42:25.000Z","outcome":{"state":"set_aside","code":"gzip_damaged","reason":"r"}}"#;
        let record: SourceRecord = serde_json::from_str(aside).unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), aside);
        assert!(matches!(record.outcome, SourceOutcome::SetAside { .. }) && record.shards().is_empty());
    }
}
