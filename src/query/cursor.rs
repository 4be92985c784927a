//! Cursors: the position at which an answer continues, and the query that it belongs to.
//!
//! Its text is base64url of 37 bytes: version = 1, a hash of the query (8), the prefix (u32 LE), the batch's number in
//! the shard of that prefix (8), a hash of its version (8), the next offset in its text (8).
//!
//! A batch that is replaced in the meantime gets a new number, after all others, and is returned there from its start:
//! its lines are different ones. A batch that is gone is skipped.
//!
//! # Invariants
//!
//! A cursor of another query is refused. A cursor contains no key and nothing of a record. A forged cursor leads to no
//! record that its query would not return.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The version of this format.
const VERSION: u8 = 1;
/// Size of a cursor in bytes.
const LENGTH: usize = 37;

/// A position among all records of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct QueryPosition {
    pub(super) prefix: u32,
    /// A batch number in the prefix's shard: the batch with it, or the next one.
    pub(super) batch: i64,
    /// The hash of the object version that was read; 0 for any.
    pub(super) version: u64,
    /// Offset of the next line in the batch's text, in bytes.
    pub(super) offset: u64,
}

impl QueryPosition {
    /// Returns the position of the first record of a prefix.
    pub(super) const fn start_of(prefix: u32) -> Self {
        Self { prefix, batch: 0, version: 0, offset: 0 }
    }
}

/// The position at which an answer continues, bound to its query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryCursor {
    /// The fingerprint of the query.
    pub(super) query: u64,
    pub(super) position: QueryPosition,
}

/// The reason why a cursor is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// The text is not a cursor.
    #[error("this is not a cursor")]
    NotACursor,
    /// The cursor belongs to another dataset, range, filter or sample.
    #[error("the cursor belongs to another query")]
    OtherQuery,
}

impl fmt::Display for QueryCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let QueryPosition { prefix, batch, version, offset } = self.position;
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.query.to_le_bytes());
        bytes.extend_from_slice(&prefix.to_le_bytes());
        for number in [batch.cast_unsigned(), version, offset] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for QueryCursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError::NotACursor)?;
        let whole = bytes.len() == LENGTH && bytes.first() == Some(&VERSION);
        read_fields(bytes.get(1..).unwrap_or_default()).filter(|_| whole).ok_or(CursorError::NotACursor)
    }
}

fn read_fields(bytes: &[u8]) -> Option<QueryCursor> {
    let (query, bytes) = bytes.split_first_chunk()?;
    let (prefix, bytes) = bytes.split_first_chunk()?;
    let (batch, bytes) = bytes.split_first_chunk()?;
    let (version, bytes) = bytes.split_first_chunk()?;
    let offset = bytes.first_chunk()?;
    let position = QueryPosition {
        prefix: u32::from_le_bytes(*prefix),
        batch: i64::from_le_bytes(*batch),
        version: u64::from_le_bytes(*version),
        offset: u64::from_le_bytes(*offset),
    };
    Some(QueryCursor { query: u64::from_le_bytes(*query), position })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{CursorError, QueryCursor, QueryPosition};

    #[test]
    fn the_form_is_unchanged() {
        let position = QueryPosition { prefix: 0x9e355, batch: 7, version: 0x0102_0304_0506_0708, offset: 99 };
        let cursor = QueryCursor { query: 0x7ada_714e_aa61_1656, position };
        let text = "AVYWYapOcdp6VeMJAAcAAAAAAAAACAcGBQQDAgFjAAAAAAAAAA";
        assert_eq!(cursor.to_string(), text);
        assert_eq!(text.parse(), Ok(cursor));
    }

    #[test]
    fn text_that_is_not_a_cursor_is_refused() {
        let cursor = QueryCursor { query: 1, position: QueryPosition::start_of(2) }.to_string();
        let longer = format!("{cursor}AAAA");
        for text in [
            "",
            "AQ",
            "é",
            cursor.trim_start_matches('A'),
            &longer,
            &cursor.replacen("AQ", "Ag", 1),
            &format!("{cursor}="),
        ] {
            assert_eq!(text.parse::<QueryCursor>(), Err(CursorError::NotACursor), "{text}");
        }
    }

    proptest! {
        #[test]
        fn cursors_come_back(query: u64, prefix: u32, batch: i64, version: u64, offset: u64, text in any::<String>()) {
            let cursor = QueryCursor { query, position: QueryPosition { prefix, batch, version, offset } };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
            let _either = text.parse::<QueryCursor>();
        }
    }
}
