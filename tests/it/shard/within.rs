//! Which batches a shard names for a range, page by page.

use raydex::index::calls::{BatchPage, ListShardBatches, PutEntry, PutOutcome};
use raydex::limits::{SHARD_PAGE, SUMMARY_MAX};

use super::{DATASET, Shard, id, version};

fn presence(key: &str, etag: &str, at: i64, summary: &[u8]) -> PutEntry {
    PutEntry {
        dataset: DATASET,
        object: version(key, etag, at),
        time_slots: Vec::new(),
        parts: Vec::new(),
        link_slots: Vec::new(),
        links: Vec::new(),
        summary: summary.to_vec(),
        rewrites: false,
    }
}

/// A batch's number, key and summary.
type Row = (i64, String, Vec<u8>);

/// A page: whether there is more, and its batches.
fn page(shard: &Shard, from: i64, limit: u64) -> (bool, Vec<Row>) {
    let BatchPage { batches, more } = shard.call(&ListShardBatches { dataset: DATASET, from, limit }).unwrap();
    (more, batches.into_iter().map(|batch| (batch.number, batch.object.key, batch.summary)).collect())
}

#[test]
fn batches_come_in_put_order_by_pages() {
    let shard = Shard::new();
    assert_eq!(page(&shard, 0, 5), (false, vec![]));
    for key in ["c", "a", "b"] {
        shard.put(&presence(key, "e", 5, key.as_bytes()));
    }
    let row = |number, key: &str| (number, key.to_owned(), key.as_bytes().to_vec());
    assert_eq!(page(&shard, 0, 5), (false, vec![row(1, "c"), row(2, "a"), row(3, "b")]));
    assert_eq!(page(&shard, 0, 2), (true, vec![row(1, "c"), row(2, "a")]));
    assert_eq!(page(&shard, 3, 2), (false, vec![row(3, "b")]));
    assert_eq!(page(&shard, 0, 0), (true, vec![row(1, "c")]), "a page has one batch at least");
    assert_eq!(page(&shard, 4, 9), (false, vec![]));
    // A newer version stands behind all others.
    shard.put(&presence("c", "e2", 6, b"c"));
    assert_eq!(page(&shard, 0, 5), (false, vec![row(2, "a"), row(3, "b"), row(4, "c")]));
    assert_eq!(shard.forget("c", 7), 1);
    assert_eq!(page(&shard, 3, 5), (false, vec![row(3, "b")]));
}

#[test]
fn a_page_is_no_longer_than_the_limit() {
    let shard = Shard::new();
    for number in 0..=SHARD_PAGE {
        shard.put(&presence(&number.to_string(), "e", 5, b""));
    }
    let (more, batches) = page(&shard, 0, u64::MAX);
    assert_eq!((more, batches.len()), (true, SHARD_PAGE));
}

#[test]
fn entry_without_rays_is_one_empty_row() {
    let shard = Shard::new();
    let put = presence("a", "e", 5, &[7; SUMMARY_MAX]);
    let answer = shard.put(&put);
    assert_eq!((answer.outcome, answer.rows_written), (PutOutcome::Stored, 1));
    assert_eq!(
        (shard.put(&put).outcome, shard.put(&presence("a", "e0", 4, b"")).outcome),
        (PutOutcome::Unchanged, PutOutcome::Superseded)
    );
    assert!(shard.find(&id(0)).is_empty());
    assert_eq!(shard.forget("a", 6), 1);
    assert!(shard.sql.rows().is_empty());
    let long = presence("a", "e", 5, &[7; SUMMARY_MAX + 1]);
    assert!(shard.call(&long).is_err());
    assert!(shard.sql.rows().is_empty());
}
