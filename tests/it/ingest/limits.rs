//! What one lookup returns at most, and that it says so.

use raydex::limits::{LOOKUP_BATCHES, LOOKUP_BYTES, LOOKUP_RECORDS};
use raydex::record::Dataset;

use super::KEY;
use super::support::Fakes;
use super::support::gzip::gzip;
use super::support::records::{http, ndjson, ray};

const DATASET: Dataset = Dataset::HttpRequests;

/// A world with `batches` batches of `lines` lines of one ray each, no two of them equal.
fn world(batches: usize, lines: usize, filler: usize) -> Fakes {
    let fakes = Fakes::new();
    for number in 0..batches {
        let line = |line| http(&ray(1).to_string(), filler + number * lines + line);
        fakes.index(&format!("{KEY}-{number:04}"), DATASET, &gzip(&ndjson((0..lines).map(line))));
    }
    fakes
}

#[test]
fn records_are_truncated_only_beyond_the_limit() {
    for (batches, lines, truncated) in [(1, LOOKUP_RECORDS, false), (1, LOOKUP_RECORDS + 1, true), (4, 251, true)] {
        let found = world(batches, lines, 0).find(DATASET, &ray(1).to_string());
        assert_eq!((found.records.len(), found.cut.truncated), (LOOKUP_RECORDS, truncated));
    }
}

#[test]
fn bytes_beyond_the_limit_are_cut_between_records() {
    for (batches, lines) in [(1, 12), (4, 3)] {
        let found = world(batches, lines, 999_999).find(DATASET, &ray(1).to_string());
        let bytes: usize = found.records.iter().map(|record| record.line.len()).sum();
        assert_eq!((found.records.len(), found.cut.truncated), (8, true));
        assert!(bytes <= LOOKUP_BYTES);
    }
}

#[test]
fn batches_beyond_the_limit_are_not_opened() {
    for (batches, truncated) in [(LOOKUP_BATCHES, false), (LOOKUP_BATCHES + 1, true)] {
        let found = world(batches, 1, 0).find(DATASET, &ray(1).to_string());
        assert_eq!((found.records.len(), found.cut.truncated), (LOOKUP_BATCHES, truncated));
        assert_eq!(found.stats.objects_read, LOOKUP_BATCHES as u64);
        let keys: Vec<&String> = found.records.iter().map(|record| &record.object.key).collect();
        assert!(keys.is_sorted(), "in the order in which the batches were indexed");
    }
}
