//! Cursors: the position at which an answer continues, and the query that it belongs to.
//!
//! Its 36 bytes: a hash of the query (8), the prefix (u32 LE), the batch's number in the shard of that prefix (8), a
//! hash of its version (8), the next offset in its text (8). Clients get them sealed ([`crate::access::VersionedKey`]),
//! since numbers and offsets tell of lines that a caller may not see.
//!
//! A batch that is replaced in the meantime gets a new number, after all others, and is returned there from its start:
//! its lines are different ones. A batch that is gone is skipped.
//!
//! # Invariants
//!
//! A cursor of another query is refused. A cursor contains no key and nothing of a record. A forged cursor leads to no
//! record that its query would not return.

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
    /// The cursor belongs to another dataset, range, filter or sample.
    #[error("the cursor belongs to another query")]
    OtherQuery,
}

impl QueryCursor {
    /// Size of a cursor in bytes.
    pub const BYTES: usize = 36;

    /// Writes the cursor.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let QueryPosition { prefix, batch, version, offset } = self.position;
        let mut bytes = Vec::with_capacity(Self::BYTES);
        bytes.extend_from_slice(&self.query.to_le_bytes());
        bytes.extend_from_slice(&prefix.to_le_bytes());
        for number in [batch.cast_unsigned(), version, offset] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (query, bytes) = bytes.split_first_chunk()?;
        let (prefix, bytes) = bytes.split_first_chunk()?;
        let (batch, bytes) = bytes.split_first_chunk()?;
        let (version, bytes) = bytes.split_first_chunk()?;
        let offset = <[u8; 8]>::try_from(bytes).ok()?;
        let position = QueryPosition {
            prefix: u32::from_le_bytes(*prefix),
            batch: i64::from_le_bytes(*batch),
            version: u64::from_le_bytes(*version),
            offset: u64::from_le_bytes(offset),
        };
        Some(Self { query: u64::from_le_bytes(*query), position })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{QueryCursor, QueryPosition};

    #[test]
    fn the_form_is_unchanged() {
        let position = QueryPosition { prefix: 0x9e355, batch: 7, version: 0x0102_0304_0506_0708, offset: 99 };
        let cursor = QueryCursor { query: 0x7ada_714e_aa61_1656, position };
        let digits = "561661aa4e71da7a55e30900070000000000000008070605040302016300000000000000";
        assert_eq!(hex::encode(cursor.to_bytes()), digits);
        assert_eq!(QueryCursor::from_bytes(&hex::decode(digits).unwrap()), Some(cursor));
    }

    proptest! {
        #[test]
        fn cursors_come_back(query: u64, prefix: u32, batch: i64, version: u64, offset: u64, other in any::<Vec<u8>>()) {
            let cursor = QueryCursor { query, position: QueryPosition { prefix, batch, version, offset } };
            let bytes = cursor.to_bytes();
            prop_assert_eq!((bytes.len(), QueryCursor::from_bytes(&bytes)), (QueryCursor::BYTES, Some(cursor)));
            prop_assert_eq!(QueryCursor::from_bytes(&other).is_some(), other.len() == QueryCursor::BYTES);
        }
    }
}
