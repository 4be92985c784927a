//! Where an answer goes on: a place among all records, and which question it belongs to.
//!
//! As text it is base64url of 37 bytes: version = 1, a hash of the question (8), the prefix (u32 LE), the batch's place
//! in the shard of that prefix (8), a hash of its version (8), the first text of it that is still to come (8).
//!
//! A batch that was replaced in between has another place, behind all others, and is told there from its beginning: its
//! lines are other ones. A batch that is gone is passed over.
//!
//! What always holds: a cursor of another question is refused; none holds a key or anything of a record; one that
//! someone made up leads to no record that its question would not tell.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::Ask;

/// The version of this form.
const VERSION: u8 = 1;
/// Bytes of a cursor.
const LENGTH: usize = 37;

/// A place among all records of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    pub(super) prefix: u32,
    /// The place of the batch in its shard: it, or the first one behind.
    pub(super) batch: i64,
    /// Which version of which object it was; 0 for any.
    pub(super) version: u64,
    /// Where the first line may begin that is still to come.
    pub(super) offset: u64,
}

impl Place {
    /// The beginning of a prefix.
    pub(super) const fn start_of(prefix: u32) -> Self {
        Self { prefix, batch: 0, version: 0, offset: 0 }
    }
}

/// Where an answer goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub(super) question: u64,
    pub(super) place: Place,
}

/// Why a cursor does not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// It is no text that raydex made.
    #[error("this is no cursor")]
    NotACursor,
    /// It belongs to another dataset, range, filter or sample.
    #[error("the cursor belongs to another question")]
    OtherQuestion,
}

impl Ask {
    /// A hash of what is asked, limits and budgets aside.
    pub(super) fn question(&self) -> u64 {
        let sample = self.sample.map_or(u64::MAX, f64::to_bits);
        let filter = self.filter.as_ref().map_or("", |filter| filter.text());
        let mut hash = Sha256::new();
        hash.update(self.dataset.name());
        for number in [self.start_ns.cast_unsigned(), self.end_ns.cast_unsigned(), sample] {
            hash.update(number.to_le_bytes());
        }
        hash.update(filter);
        let digest: [u8; 32] = hash.finalize().into();
        digest.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { prefix, batch, version, offset } = self.place;
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.question.to_le_bytes());
        bytes.extend_from_slice(&prefix.to_le_bytes());
        for number in [batch.cast_unsigned(), version, offset] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError::NotACursor)?;
        let whole = bytes.len() == LENGTH && bytes.first() == Some(&VERSION);
        read(bytes.get(1..).unwrap_or_default()).filter(|_| whole).ok_or(CursorError::NotACursor)
    }
}

fn read(bytes: &[u8]) -> Option<Cursor> {
    let (question, bytes) = bytes.split_first_chunk()?;
    let (prefix, bytes) = bytes.split_first_chunk()?;
    let (batch, bytes) = bytes.split_first_chunk()?;
    let (version, bytes) = bytes.split_first_chunk()?;
    let offset = bytes.first_chunk()?;
    let place = Place {
        prefix: u32::from_le_bytes(*prefix),
        batch: i64::from_le_bytes(*batch),
        version: u64::from_le_bytes(*version),
        offset: u64::from_le_bytes(*offset),
    };
    Some(Cursor { question: u64::from_le_bytes(*question), place })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{Cursor, CursorError, Place};
    use crate::filter::Filter;
    use crate::query::Ask;
    use crate::record::Dataset;

    #[test]
    fn the_form_is_unchanged() {
        let filter = Filter::parse(r#"{"where":{"key":"A","operator":"eq","value":1}}"#).unwrap();
        let ask = Ask { filter: Some(filter), sample: Some(0.5), ..Ask::all(Dataset::HttpRequests, 1, 2) };
        let place = Place { prefix: 0x9e355, batch: 7, version: 0x0102_0304_0506_0708, offset: 99 };
        let cursor = Cursor { question: ask.question(), place };
        let text = "AVYWYapOcdp6VeMJAAcAAAAAAAAACAcGBQQDAgFjAAAAAAAAAA";
        assert_eq!(cursor.to_string(), text);
        assert_eq!(text.parse(), Ok(cursor));
    }

    #[test]
    fn another_question_has_another_hash() {
        let ask = || Ask::all(Dataset::HttpRequests, 1, 2);
        let filter =
            |value| Filter::parse(&format!(r#"{{"where":{{"key":"A","operator":"eq","value":{value}}}}}"#)).ok();
        let asks = [
            ask(),
            Ask { start_ns: 0, ..ask() },
            Ask { end_ns: 3, ..ask() },
            Ask { dataset: Dataset::FirewallEvents, ..ask() },
            Ask { sample: Some(1.0), ..ask() },
            Ask { filter: filter(1), ..ask() },
            Ask { filter: filter(2), ..ask() },
        ];
        let hashes: std::collections::BTreeSet<u64> = asks.iter().map(Ask::question).collect();
        assert_eq!(hashes.len(), asks.len());
        assert_eq!(Ask { limit: Some(3), ..ask() }.question(), ask().question());
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let cursor = Cursor { question: 1, place: Place::start_of(2) }.to_string();
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
            assert_eq!(text.parse::<Cursor>(), Err(CursorError::NotACursor), "{text}");
        }
    }

    proptest! {
        #[test]
        fn cursors_come_back(question: u64, prefix: u32, batch: i64, version: u64, offset: u64, text in any::<String>()) {
            let cursor = Cursor { question, place: Place { prefix, batch, version, offset } };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
            let _either = text.parse::<Cursor>();
        }
    }
}
