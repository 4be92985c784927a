//! The JSON of `format=explain`, as the page reads it.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::AnswerError;

/// The partner's lines of a ray, column by column, read from the JSON that `GET /v1/rays/{ray}?format=explain` gives the
/// same caller.
#[derive(Debug, Default, Deserialize)]
pub struct ExplainDocument {
    /// The records.
    #[serde(default)]
    pub records: Vec<PartnerLineRecord>,
}

impl ExplainDocument {
    /// Reads the JSON of an explanation.
    ///
    /// # Errors
    /// [`AnswerError::Json`] if the bytes are another document.
    pub fn read(json: &[u8]) -> Result<Self, AnswerError> {
        Ok(serde_json::from_slice(json)?)
    }
}

/// A record with the columns of its line.
#[derive(Debug, Default, Deserialize)]
pub struct PartnerLineRecord {
    /// Where it was found.
    #[serde(default)]
    pub batch: super::AnswerBatch,
    /// Its columns; `None` if its line is damaged.
    pub columns: Option<Vec<PartnerCell>>,
}

/// A column of a line.
#[derive(Debug, Deserialize)]
pub struct PartnerCell {
    /// The position in the line, from 1.
    pub number: u32,
    /// The name in the format.
    #[serde(default)]
    pub name: String,
    /// The value in the line.
    #[serde(default)]
    pub value: String,
    /// How the fields become the value.
    #[serde(default)]
    pub rule: String,
    /// The fields that the rule reads.
    #[serde(default)]
    pub fields: Vec<String>,
    /// Those that the record has, by name.
    pub native: Option<Box<RawValue>>,
    /// What happened to the value.
    #[serde(default)]
    pub outcome: Vec<String>,
}
