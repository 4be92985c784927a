//! The answer to a lookup: what happened to one request, in words, as a tree, and field by field.

use serde::Deserialize;

/// What [`Answer::read`] cannot read.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The document is not the JSON of a lookup.
    #[error("the document is not the answer to a lookup: {0}")]
    Json(#[from] serde_json::Error),
}

/// What an answer is shown by, beside the document of the API.
#[derive(Debug, Clone, Copy)]
pub struct AnswerContext {
    /// The time of the request for the page, in Unix milliseconds.
    pub now_ms: i64,
}

/// The answer to a lookup, read from the JSON that `GET /v1/rays/{ray}` gives the same caller.
#[derive(Debug, Deserialize)]
pub struct AnswerDocument {
    /// The ray, in its canonical digits.
    pub ray: String,
}

impl AnswerDocument {
    /// Reads the JSON of a lookup.
    ///
    /// # Errors
    /// [`AnswerError::Json`] if the bytes are another document.
    pub fn read(json: &[u8]) -> Result<Self, AnswerError> {
        Ok(serde_json::from_slice(json)?)
    }
}

/// The part of a page that shows the answer to a lookup.
#[derive(Debug, askama::Template)]
#[template(path = "answer.html")]
pub struct AnswerPart<'a> {
    document: &'a AnswerDocument,
}

impl<'a> AnswerPart<'a> {
    /// Makes the part from a document.
    #[must_use]
    pub const fn new(document: &'a AnswerDocument, _context: &AnswerContext) -> Self {
        Self { document }
    }
}
