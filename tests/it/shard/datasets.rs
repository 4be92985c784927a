//! Entries of several datasets in one shard: each answer depends on the datasets that were asked for alone.

use raydex::index::calls::{BatchPage, Candidate, ListShardBatches, PutEntry, PutOutcome};
use raydex::record::Dataset;

use super::{Shard, entry, id, nonstandard_entry, outcome_of, version};

const HTTP: Dataset = Dataset::HttpRequests;
const WAF: Dataset = Dataset::FirewallEvents;
const TRACE: Dataset = Dataset::WorkersTraceEvents;

/// The entry of one ray in the first span of an object.
fn of(dataset: Dataset, key: &str, etag: &str, uploaded_ms: i64) -> PutEntry {
    PutEntry { dataset, ..entry(version(key, etag, uploaded_ms), &[(1, 0)]) }
}

/// The same ray in objects of all datasets, put in another order than that of the datasets.
fn full() -> Shard {
    let shard = Shard::new();
    for (dataset, key) in [(TRACE, "t"), (HTTP, "h1"), (WAF, "w"), (HTTP, "h2")] {
        shard.put(&of(dataset, key, "e", 5));
    }
    shard
}

fn names(candidates: &[Candidate]) -> Vec<(Dataset, &str)> {
    candidates.iter().map(|candidate| (candidate.dataset, candidate.object.key.as_str())).collect()
}

fn page(shard: &Shard, dataset: Dataset) -> BatchPage {
    shard.call(&ListShardBatches { dataset, from: 0, limit: 9 }).unwrap()
}

#[test]
fn one_call_finds_rays_in_all_datasets_asked() {
    let shard = full();
    let all = shard.candidates(&id(1));
    assert_eq!(names(&all), [(HTTP, "h1"), (HTTP, "h2"), (WAF, "w"), (TRACE, "t")]);
    assert_eq!(names(&shard.candidates_in(&[TRACE, HTTP], &id(1))), [(HTTP, "h1"), (HTTP, "h2"), (TRACE, "t")]);
    assert_eq!(names(&shard.candidates_in(&[WAF], &id(1))), [(WAF, "w")]);
    assert_eq!(shard.candidates_in(&[], &id(1)), []);
    for (dataset, key) in [(WAF, "n1"), (HTTP, "n2")] {
        shard.put(&PutEntry { dataset, ..nonstandard_entry(version(key, "e", 5), &[("test", 0)]) });
    }
    assert_eq!(names(&shard.candidates("test")), [(HTTP, "n2"), (WAF, "n1")]);
    assert_eq!(names(&shard.candidates_in(&[HTTP], "test")), [(HTTP, "n2")]);
}

#[test]
fn dataset_answers_as_if_it_were_alone() {
    let (shared, alone) = (full(), Shard::new());
    for key in ["h1", "h2"] {
        alone.put(&of(HTTP, key, "e", 5));
    }
    assert_eq!(shared.candidates_in(&[HTTP], &id(1)), alone.candidates(&id(1)));
    // The numbers too, which cursors spell.
    assert_eq!(page(&shared, HTTP), page(&alone, HTTP));
    assert_eq!(page(&shared, WAF).batches[0].number, 1);
    for shard in [&shared, &alone] {
        shard.put(&of(HTTP, "h1", "e2", 6));
    }
    assert_eq!(page(&shared, HTTP), page(&alone, HTTP));
}

#[test]
fn an_object_has_one_entry_whatever_its_dataset() {
    let shard = full();
    let rows = shard.sql.rows().len();
    assert_eq!(outcome_of(shard.put(&of(WAF, "h1", "e", 4))), PutOutcome::Superseded);
    assert_eq!(names(&shard.candidates_in(&[WAF], &id(1))), [(WAF, "w")]);
    assert_eq!(outcome_of(shard.put(&of(WAF, "h1", "e", 5))), PutOutcome::Stored);
    assert_eq!(outcome_of(shard.put(&of(WAF, "h1", "e", 5))), PutOutcome::Unchanged);
    assert_eq!(names(&shard.candidates(&id(1))), [(HTTP, "h2"), (WAF, "w"), (WAF, "h1"), (TRACE, "t")]);
    assert_eq!(shard.sql.rows().len(), rows);
    assert_eq!((shard.forget("h1", 6), shard.forget("t", 6)), (1, 1));
    assert_eq!(names(&shard.candidates(&id(1))), [(HTTP, "h2"), (WAF, "w")]);
}
