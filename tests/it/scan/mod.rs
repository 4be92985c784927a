//! The fast reading of lines against the plain one by `serde_json`: the same answer to every line, whatever was read
//! before it. Ordinary lines are really read the fast way.

mod mutants;
mod odd;
mod samples;

use raydex::record::fields::line_text;
use raydex::record::{
    Dataset, Field, Fields, INDEXED_FIELDS, IndexedFields, LineScanner, NextLine, RecordError, read_evidence, read_key,
};

/// Has the scanner read a line both ways, and compares with the plain reading.
fn check(scanner: &mut LineScanner, dataset: Dataset, line: &[u8]) {
    let shown = String::from_utf8_lossy(line);
    let key = read_key(dataset, line);
    let read = scanner.key_and_indexed_fields(line).map(|(key, indexed_fields)| {
        check_indexed_fields(indexed_fields, line);
        key
    });
    assert_eq!(read, key, "{dataset}: {shown}");
    let text = line_text(line);
    match (scanner.record(line), Fields::parse(&text)) {
        (Ok(found), Ok(fields)) => {
            assert_eq!(Ok(found.key), key, "{dataset}: {shown}");
            check_indexed_fields(found.indexed_fields, line);
            assert_eq!(found.lossy, matches!(text, std::borrow::Cow::Owned(_)), "{dataset}: {shown}");
            let settles = dataset == Dataset::HttpRequests && read_evidence(line).unwrap().settled() == Some(dataset);
            assert_eq!(found.settled, settles, "{dataset}: {shown}");
            for &field in Field::ALL {
                assert_eq!(found.fields.get(field), fields.get(field), "{dataset}: {field:?} of {shown}");
                assert_eq!(found.fields.raw(field), fields.raw(field), "{dataset}: {field:?} of {shown}");
            }
        }
        (found, plain) => {
            let why = plain.err().unwrap_or(RecordError::OtherDataset);
            assert_eq!((found.err(), key.err()), (Some(why), Some(why)), "{dataset}: {shown}");
        }
    }
    for behind in ["", "\n", "\r\n", "\r", "\n\n", "\n{\"RayID\":\"764660d8ec5c2ab1\"}\n", "}\n", ",\n"] {
        check_next(scanner, dataset, &[line, behind.as_bytes()].concat());
    }
}

/// Has the scanner find out where the first line of a text ends: if it says so, it is right, and so is all it read.
fn check_next(scanner: &mut LineScanner, dataset: Dataset, text: &[u8]) {
    let shown = String::from_utf8_lossy(text);
    let end = text.iter().position(|byte| *byte == b'\n');
    let line = text.get(..end.unwrap_or_default()).unwrap();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let lengths = (line.len(), end.map_or(0, |end| end + 1));
    if let Some(NextLine { record, length, found: (key, indexed_fields) }) = scanner.next_key(text) {
        assert_eq!((record, length), lengths, "{shown}");
        assert_eq!(Ok(key), read_key(dataset, line), "{dataset}: {shown}");
        check_indexed_fields(indexed_fields, line);
    }
    if let Some(NextLine { record, length, found }) = scanner.next_record(text) {
        assert_eq!((record, length), lengths, "{shown}");
        assert_eq!(Ok(found.key), read_key(dataset, line), "{dataset}: {shown}");
        assert!(!found.lossy);
        check_indexed_fields(found.indexed_fields, line);
        let fields = Fields::parse(std::str::from_utf8(line).unwrap()).unwrap();
        for &field in Field::ALL {
            assert_eq!(found.fields.get(field), fields.get(field), "{field:?} of {shown}");
            assert_eq!(found.fields.raw(field), fields.raw(field), "{field:?} of {shown}");
        }
    }
}

/// Compares what summaries are told of a line with the plain reading of its text, where they are told anything.
fn check_indexed_fields(indexed_fields: &IndexedFields, line: &[u8]) {
    let text = line_text(line);
    let plain = IndexedFields::read(text.as_bytes());
    assert!(plain.is_known(), "{text}");
    assert!(indexed_fields.is_known() || std::str::from_utf8(line).is_err(), "{text}");
    for place in (0..INDEXED_FIELDS.len()).filter(|_| indexed_fields.is_known()) {
        let token = line_text(indexed_fields.token(line, place));
        assert_eq!(token.as_bytes(), plain.token(text.as_bytes(), place), "{} of {text}", INDEXED_FIELDS[place]);
    }
}

/// Checks a line for each dataset, with a scanner that knows nothing and with those that have read others.
fn check_all(scanners: &mut [(Dataset, LineScanner)], line: &[u8]) {
    for (dataset, scanner) in scanners {
        check(scanner, *dataset, line);
        check(&mut LineScanner::new(*dataset), *dataset, line);
    }
}

/// A scanner for each dataset.
fn scanners() -> Vec<(Dataset, LineScanner)> {
    Dataset::WITH_RAY.into_iter().map(|dataset| (dataset, LineScanner::new(dataset))).collect()
}
