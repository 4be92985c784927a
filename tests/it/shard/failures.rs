//! Calls that are none, and statements that fail: nothing has changed then.

use raydex::index::calls::{FindRay, ForgetEntry, PutEntry, VersionAge};
use raydex::index::entry::EntryPart;
use raydex::index::shard;
use raydex::limits::SQL_BLOB_MAX;
use raydex::rpc::Call;

use super::support::faults::DETAIL;
use super::support::{Fault, Kind};
use super::{DATASET, Dataset, Shard, entry, id, nonstandard_entry, version};

/// The call for a ray in every dataset.
fn find(id: &str) -> FindRay {
    FindRay { id: id.into(), datasets: Dataset::WITH_RAY.to_vec() }
}

/// A shard with two entries.
fn full() -> Shard {
    let shard = Shard::new();
    shard.put(&entry(version("a", "e1", 5), &[(1, 0), (2, 3)]));
    shard.put(&entry(version("b", "e1", 5), &[(1, 1)]));
    shard
}

#[test]
fn invalid_body_is_an_error_and_changes_nothing() {
    let shard = full();
    let rows = shard.sql.rows();
    let put = entry(version("c", "e", 9), &[(1, 0), (9, 1)]).to_body();
    let mut endless = put.clone();
    endless[3] = 0xff;
    let json_alone = put[4..].to_vec();
    let mut bodies: Vec<Vec<u8>> = (0..put.len()).map(|end| put[..end].to_vec()).collect();
    bodies.extend([endless, json_alone, b"null".to_vec(), b"{}".to_vec(), b"\0\0\0\0".to_vec(), vec![0xff; 100]]);
    for body in &bodies {
        assert!(shard::answer(&shard.sql, PutEntry::NAME, body).is_err(), "{body:?}");
        assert!(shard::answer(&shard.sql, FindRay::NAME, body).is_err(), "{body:?}");
        assert!(shard::answer(&shard.sql, ForgetEntry::NAME, body).is_err(), "{body:?}");
    }
    for id in ["7", "null", r#""""#, r#""  ""#] {
        let body = format!(r#"{{"id":{id},"datasets":["http_requests"]}}"#);
        assert!(shard::answer(&shard.sql, FindRay::NAME, body.as_bytes()).is_err(), "{body}");
    }
    for body in [r#"{"id":"1"}"#, r#"{"id":"1","datasets":["no_such_logs"]}"#, r#"{"key":"a"}"#, r#"["x"] "#] {
        assert!(shard::answer(&shard.sql, FindRay::NAME, body.as_bytes()).is_err(), "{body}");
    }
    assert_eq!(shard.sql.rows(), rows);
}

#[test]
fn unknown_call_is_an_error() {
    let shard = full();
    let body = find(&id(1)).to_body();
    for call in ["", "find", "v1/", "v1/find-ray/", "V1/FIND-RAY", "v2/find-ray", "v1/drop"] {
        assert!(shard::answer(&shard.sql, call, &body).is_err(), "{call}");
    }
}

#[test]
fn overlong_id_is_an_error() {
    let shard = full();
    let body = find(&"x".repeat(129)).to_body();
    assert!(shard::answer(&shard.sql, FindRay::NAME, &body).is_err());
}

#[test]
fn oversized_part_is_refused_before_writing() {
    let shard = full();
    let rows = shard.sql.rows();
    let part = |size| EntryPart { first_suffix: 0, last_suffix: 9, bytes: vec![1; size] };
    let put = |parts| PutEntry {
        dataset: DATASET,
        object: version("a", "e2", 9),
        time_slots: vec![0],
        parts,
        link_slots: Vec::new(),
        links: Vec::new(),
        summary: Vec::new(),
        rewrites: false,
    };
    let too_large = put(vec![part(5), part(SQL_BLOB_MAX + 1)]).to_body();
    assert!(shard::answer(&shard.sql, PutEntry::NAME, &too_large).is_err());
    assert_eq!(shard.sql.rows(), rows);
}

#[test]
fn failing_statement_leaves_the_database_unchanged() {
    let calls = [
        ("new", PutEntry::NAME, entry(version("c", "e", 9), &[(1, 0), (9, 1)]).to_body()),
        ("newer", PutEntry::NAME, entry(version("a", "e2", 9), &[(1, 0), (9, 1)]).to_body()),
        ("odd", PutEntry::NAME, nonstandard_entry(version("a", "e2", 9), &[("x", 1)]).to_body()),
        ("forget", ForgetEntry::NAME, ForgetEntry { key: "a".into(), until: VersionAge::until(98) }.to_body()),
        ("find", FindRay::NAME, find(&id(1)).to_body()),
    ];
    for (name, call, body) in calls {
        let clean = full();
        let before = clean.faults.count(Kind::Sql);
        shard::answer(&clean.sql, call, &body).unwrap();
        let statements = clean.faults.count(Kind::Sql) - before;
        for nth in 0..statements {
            for fault in Fault::BOTH {
                let shard = full();
                let rows = shard.sql.rows();
                shard.faults.plan(Some(Kind::Sql), nth, fault);
                let failed = shard::answer(&shard.sql, call, &body);
                assert!(shard.faults.clear());
                assert_eq!(failed.unwrap_err().detail, DETAIL, "{name}, statement {nth}");
                assert_eq!(shard.sql.rows(), rows, "{name}, statement {nth} {fault:?}");
                shard::answer(&shard.sql, call, &body).unwrap();
                assert_eq!(shard.sql.rows(), clean.sql.rows(), "{name}, statement {nth} {fault:?}");
            }
        }
    }
}
