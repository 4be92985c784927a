//! The JSON of the neighbours of a ray, as the page reads it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::AnswerError;

/// The neighbours of a ray, read from the JSON that `GET /v1/rays/{ray}/neighbours` gives the same caller.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NeighboursDocument {
    /// The ray, and what its neighbours have in common with it.
    pub moment: MomentDocument,
    /// The nearest ones, by time.
    pub neighbours: Vec<NeighbourDocument>,
    /// The numbers of all.
    pub summary: NeighboursSummary,
    /// How the search ended.
    pub raydex: NeighboursEnd,
}

impl NeighboursDocument {
    /// Reads the JSON of an answer.
    ///
    /// # Errors
    /// [`AnswerError::Json`] if the bytes are another document.
    pub fn read(json: &[u8]) -> Result<Self, AnswerError> {
        Ok(serde_json::from_slice(json)?)
    }
}

/// The ray whose neighbours these are.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct MomentDocument {
    /// The name of the dataset.
    pub dataset: String,
    /// The values that are equal.
    pub same: BTreeMap<String, Box<RawValue>>,
    /// The fields of which the caller may see another value than the record has.
    pub masked: Vec<String>,
    /// Whether other requests of its tree may be among the neighbours.
    pub tree_truncated: bool,
}

/// A neighbour.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NeighbourDocument {
    /// Its ray, as far as the caller sees it.
    pub ray: Option<String>,
    /// Its time, in RFC 3339.
    pub time: String,
    /// How long after the ray, in milliseconds; negative before it.
    pub distance_ms: Option<Box<RawValue>>,
    /// Some of its fields.
    pub record: Option<Box<RawValue>>,
}

/// The numbers of an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NeighboursSummary {
    /// How many records are neighbours.
    pub matched: u64,
    /// How many of them the answer has.
    pub listed: u64,
    /// Those before the ray.
    pub before: StatusClasses,
    /// Those after it.
    pub after: StatusClasses,
    /// Those of the ray itself and of its tree.
    pub own: u64,
    /// Until when each record was considered, where that is not the end.
    pub searched_until: Option<String>,
}

/// Numbers of records by the class of their status.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
pub struct StatusClasses {
    /// All.
    pub total: u64,
    /// Those that went well.
    #[serde(rename = "2xx")]
    pub success: u64,
    /// Those that lead elsewhere.
    #[serde(rename = "3xx")]
    pub redirection: u64,
    /// Those that the client has to change.
    #[serde(rename = "4xx")]
    pub client_error: u64,
    /// Those that failed.
    #[serde(rename = "5xx")]
    pub server_error: u64,
    /// Those with another status, or without one.
    pub other: u64,
}

/// How a search ended.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NeighboursEnd {
    /// Whether it considered all records.
    pub complete: bool,
    /// Where it goes on.
    pub cursor: Option<String>,
    /// What the answer may lack.
    pub missing: Vec<MissingDocument>,
}

/// What an answer may lack.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct MissingDocument {
    /// What it is.
    pub code: String,
    /// How many there are.
    pub count: Option<u64>,
}
