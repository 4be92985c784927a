//! The JSON of two rays side by side, as the page reads it.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::AnswerError;

/// How two records differ, read from the JSON that `GET /v1/rays/{a}/diff/{b}` gives the same caller.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ComparisonDocument {
    /// The first ray.
    pub a: ComparedRayDocument,
    /// The second ray.
    pub b: ComparedRayDocument,
    /// Number of fields with equal values.
    pub equal: usize,
    /// The fields with different values.
    pub different: Vec<ComparedFieldDocument>,
    /// Those of the first record alone.
    pub only_a: Vec<ComparedFieldDocument>,
    /// Those of the second record alone.
    pub only_b: Vec<ComparedFieldDocument>,
    /// Times and durations.
    pub timings: Vec<ComparedTimingDocument>,
}

impl ComparisonDocument {
    /// Reads the JSON of an answer.
    ///
    /// # Errors
    /// [`AnswerError::Json`] if the bytes are another document.
    pub fn read(json: &[u8]) -> Result<Self, AnswerError> {
        Ok(serde_json::from_slice(json)?)
    }
}

/// One of two rays.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ComparedRayDocument {
    /// The ray.
    pub ray: String,
    /// The time in it, in RFC 3339.
    pub ray_time: Option<String>,
    /// How many records it has, of which the first is compared.
    pub records: u64,
    /// The name of their dataset.
    pub dataset: String,
}

/// A field of two records, with its JSON in each that has it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ComparedFieldDocument {
    /// Its name.
    pub field: String,
    /// Its value in the first record.
    pub a: Option<Box<RawValue>>,
    /// Its value in the second record.
    pub b: Option<Box<RawValue>>,
}

/// A time or a duration of two requests, in milliseconds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ComparedTimingDocument {
    /// The name of the field.
    pub field: String,
    /// That of the first request.
    pub a_ms: Option<Box<RawValue>>,
    /// That of the second request.
    pub b_ms: Option<Box<RawValue>>,
    /// The second less the first.
    pub difference_ms: Option<Box<RawValue>>,
}
