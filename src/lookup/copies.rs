//! Merges records that were stored more than once, by a batch that was moved, rewritten or uploaded twice.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::{FoundRecord, RecordCopy};
use crate::limits::COMPARED_LINE;
use crate::record::{Dataset, canonical_text};

/// What records have in common that are copies of each other: the dataset, the zone of the batch, and a hash of the line.
pub(crate) type CopyKey = (Dataset, Option<String>, [u8; 32]);

/// Returns what a record has in common with its copies.
pub(crate) fn copy_key(record: &FoundRecord) -> CopyKey {
    (record.dataset, record.zone.clone(), content_hash(&record.line))
}

/// Returns each record once, where it was found first, with the locations of its copies. Two records are the same if
/// their lines are equal JSON and their batches name the same zone: white space, the order of members, escapes and the
/// spelling of numbers do not count.
pub(crate) fn merge_copies(records: Vec<FoundRecord>) -> Vec<FoundRecord> {
    if records.len() < 2 {
        return records;
    }
    let mut merged: Vec<FoundRecord> = Vec::with_capacity(records.len());
    let mut places: BTreeMap<CopyKey, usize> = BTreeMap::new();
    for record in records {
        let place = *places.entry(copy_key(&record)).or_insert(merged.len());
        match merged.get_mut(place) {
            Some(first) => {
                let FoundRecord { object, offset, merged, .. } = record;
                first.copies.push(RecordCopy { object, offset, merged });
            }
            None => merged.push(record),
        }
    }
    merged
}

/// Returns a hash of the line's JSON value; of its bytes, if it is longer than [`COMPARED_LINE`], not text or nested too
/// deep.
fn content_hash(line: &[u8]) -> [u8; 32] {
    let compared = Some(line).filter(|line| line.len() <= COMPARED_LINE);
    let text = compared.and_then(|line| std::str::from_utf8(line).ok()).and_then(canonical_text);
    Sha256::digest(text.as_deref().map_or(line, str::as_bytes)).into()
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::merge_copies;
    use crate::index::ObjectVersion;
    use crate::lookup::FoundRecord;
    use crate::record::Dataset;

    fn found(key: &str, offset: u64, line: &str) -> FoundRecord {
        let object =
            Rc::new(ObjectVersion { key: key.into(), etag: "e".into(), uploaded_ms: 0, size: 1, origin: None });
        let line = line.as_bytes().to_vec();
        FoundRecord {
            dataset: Dataset::HttpRequests,
            object,
            offset,
            line,
            zone: None,
            copies: Vec::new(),
            merged: None,
        }
    }

    /// Returns the line of each record with the locations of all its copies.
    fn merged(records: &[(&str, u64, &str)]) -> Vec<(String, Vec<(String, u64)>)> {
        let records = records.iter().map(|(key, offset, line)| found(key, *offset, line)).collect();
        let shown = merge_copies(records).into_iter().map(|record| {
            let first = (record.object.key.clone(), record.offset);
            let copies = record.copies.iter().map(|copy| (copy.object.key.clone(), copy.offset));
            (String::from_utf8(record.line).unwrap(), [first].into_iter().chain(copies).collect())
        });
        shown.collect()
    }

    #[test]
    fn equal_records_are_shown_once_with_every_place() {
        let line = r#"{"RayID":"a","b":1}"#;
        let rewritten = r#"{ "b": 1, "RayID": "\u0061" }"#;
        let other = r#"{"RayID":"a","b":2}"#;
        let shown = merged(&[("x", 0, line), ("x", 9, other), ("y", 5, rewritten), ("x", 30, line)]);
        let places = |places: &[(&str, u64)]| places.iter().map(|(key, at)| ((*key).to_owned(), *at)).collect();
        assert_eq!(
            shown,
            [(line.to_owned(), places(&[("x", 0), ("y", 5), ("x", 30)])), (other.to_owned(), places(&[("x", 9)]))]
        );
    }

    #[test]
    fn numbers_beyond_a_double_are_compared_by_digits() {
        for (a, b) in [("1e400", "2e400"), ("123456789012345678901", "123456789012345678902")] {
            let spelled = format!(r#"{{"RayID":"a","n":{a}.000}}"#);
            let [a, b] = [a, b].map(|number| format!(r#"{{"RayID":"a","n":{number}}}"#));
            if !a.contains("e4") {
                assert_eq!(merged(&[("x", 0, &a), ("y", 0, &spelled)]).len(), 1);
            }
            assert_eq!(merged(&[("x", 0, &a), ("y", 0, &b)]).len(), 2);
            assert_eq!(merged(&[("x", 0, &a), ("y", 0, &a)]).len(), 1);
        }
    }
}
