//! Keys of objects, names of Durable Objects, handles and cursors: `names.txt`, a name and its value in a line.

use raydex::access::{ChainNumber, CursorKey, CursorKeys, VersionedKey};
use raydex::audit::AUDIT;
use raydex::audit::chains::{chain_object, chain_of_object};
use raydex::audit::positions::ChainPositions;
use raydex::bucket_keys::{
    AUDIT_SEGMENTS, FOLDER, KeyClass, LogPrefixes, PAYLOADS, SUMMARIES, SegmentName, batch_key, batch_times, classify,
    pack_digest, pack_key, segment_key, summaries_key, version_digest, windows_key,
};
use raydex::edge::spool_of;
use raydex::index::names::ShardName;
use raydex::ledger::hours::OTHER;
use raydex::ledger::ids::{PARTNER, REGISTRY, index_of};
use raydex::ledger::{BatchId, DeliveryId, LedgerHour};
use raydex::query::QueryCursor;
use raydex::record::{Dataset, RayKey};

use super::{Fixture, compare, stored_text};
use crate::support::ledgers::{batch_of, only_ledger};

/// The instants in a batch's name.
const TIMES: (i64, i64) = (1_774_687_320_000, 1_774_687_345_000);
/// The prefix under which Logpush writes.
const PREFIX: &str = "logs/";
const BUCKET: &str = "cdn-logs-raw";
const ETAG: &str = "e1";
/// A cursor's place: its form is in [`QueryCursor`].
const CURSOR: &str = "561661aa4e71da7a55e30900070000000000000008070605040302016300000000000000";
/// The caller that it is given to.
const CALLER: &str = "desk";

fn batch(dataset: Dataset) -> String {
    batch_key(PREFIX, dataset, TIMES.0, TIMES.1, 0x5a3c)
}

fn shard(id: &str) -> String {
    ShardName::for_key(&RayKey::from_logged(id).unwrap()).to_string()
}

fn cursor_key() -> VersionedKey {
    VersionedKey { version: 1, key: CursorKey::draw(|| 7) }
}

/// The payload that the handles are of.
fn payload() -> DeliveryId {
    let BatchId { ledger, source } = batch_of(BUCKET, &batch(Dataset::HttpRequests), ETAG);
    DeliveryId { ledger, source, plan: 1, index: index_of(3) }
}

pub(super) fn fixtures() -> Vec<Fixture> {
    let id = payload();
    let key = batch(Dataset::HttpRequests);
    let digest = version_digest(BUCKET, &key, ETAG);
    let [first_half, second_half] = id.split_indexes();
    let cursor = QueryCursor::from_bytes(&hex::decode(CURSOR).unwrap()).unwrap();
    let mut lines: Vec<(String, String)> =
        Dataset::ALL.into_iter().map(|dataset| (format!("key of a batch, {dataset}"), batch(dataset))).collect();
    let rest = [
        ("digest of a version", digest.clone()),
        ("folder of raydex", FOLDER.into()),
        ("folder of payloads", PAYLOADS.into()),
        ("folder of summaries", SUMMARIES.into()),
        ("folder of audit segments", AUDIT_SEGMENTS.into()),
        ("digest of a pack", pack_digest(["ab", "cd"])),
        ("key of a pack", pack_key(id.source.as_str(), id.plan, &id.index, &pack_digest(["ab", "cd"]))),
        ("key of windows", windows_key(&digest)),
        ("key of summaries", summaries_key(&digest)),
        ("key of an audit segment", segment_key(0, 10_001, 20_000, &"5a".repeat(32))),
        ("key of a segment of another chain", segment_key(3, 10_001, 20_000, &"5a".repeat(32))),
        ("shard of a ray", shard("9e3550d8ec5c2ab1")),
        ("shard of a low ray", shard("000010d8ec5c2ab1")),
        ("shard of nonstandard ids", shard("test-ray-001")),
        ("audit log", AUDIT.into()),
        ("another chain of the audit log", chain_object(ChainNumber::new(3).unwrap())),
        ("chain of a caller", ChainNumber::of_caller("desk@example.com", 4).to_string()),
        ("place in an audit log of several chains", ChainPositions::from_iter([7, 0, 12]).to_string()),
        ("registry", REGISTRY.into()),
        ("object for the partner", PARTNER.into()),
        ("object of the durable buffer", spool_of("00c0ffee00c0ffee", 4)),
        ("ledger of an hour", only_ledger(&key)),
        ("ledger of a key without a time", only_ledger("logs/a.log.gz")),
        ("ledger of an hour with several", LedgerHour::of_key(&key).ledger_of(&key, 8)),
        ("prefix of such ledgers", OTHER.into()),
        ("handle of a batch", batch_of(BUCKET, &key, ETAG).handle()),
        ("handle of a payload", id.handle()),
        ("header X-Batch-Id", id.batch_header()),
        ("index of a first half", first_half),
        ("index of a second half", second_half),
        ("cursor of a caller", cursor_key().seal(CALLER, [9; 8], &cursor.to_bytes())),
    ];
    lines.extend(rest.map(|(name, value)| (name.to_owned(), value)));
    let lines: Vec<String> = lines.into_iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    vec![Fixture::new("names.txt", lines.concat())]
}

/// The value of a line of the fixture.
fn stored(name: &str) -> String {
    let text = stored_text("names.txt");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap_or_else(|| panic!("{name} is in names.txt")).to_owned()
}

#[test]
fn names_match_their_fixture() {
    compare(&fixtures());
}

#[test]
fn stored_names_are_read_back() {
    for dataset in Dataset::ALL {
        let key = stored(&format!("key of a batch, {dataset}"));
        assert_eq!(
            (classify(&key, &LogPrefixes::one(PREFIX)), batch_times(&key)),
            (KeyClass::Batch(dataset.into()), Some(TIMES))
        );
    }
    for (name, chain) in [("key of an audit segment", 0), ("key of a segment of another chain", 3)] {
        let (key, hash) = (stored(name), "5a".repeat(32));
        assert_eq!(SegmentName::parse(&key), Some(SegmentName { chain, first: 10_001, last: 20_000, hash: &hash }));
    }
    let positions = stored("place in an audit log of several chains");
    assert_eq!(ChainPositions::parse(&positions), Some(ChainPositions::from_iter([7, 0, 12])));
    assert_eq!(chain_of_object(&stored("another chain of the audit log")), ChainNumber::new(3));
    let id = payload();
    assert_eq!(DeliveryId::from_handle(&stored("handle of a payload")), Some(id.clone()));
    let batch = BatchId { ledger: id.ledger, source: id.source };
    assert_eq!(BatchId::from_handle(&stored("handle of a batch")), Some(batch));
    let keys = CursorKeys::default();
    keys.keep(vec![cursor_key()]);
    assert_eq!(keys.open(CALLER, &stored("cursor of a caller")).map(hex::encode).as_deref(), Some(CURSOR));
    for name in ["key of a pack", "key of windows", "key of summaries", "key of an audit segment"] {
        assert!(stored(name).starts_with(&stored("folder of raydex")), "{name}");
    }
}
