//! `begin` and what belongs to it: what there is to do with a source, versions of an object, objects quarantined or gone.

use std::collections::BTreeMap;

use raydex::index::VersionAge;
use raydex::ledger::BatchState;
use raydex::ledger::calls::{
    BeginAnswer, BeginBatch, FindUnfinished, ForgetDeletedObject, GetBatch, MarkRegistered, PayloadSelection,
    QuarantineBatch, RecordShards, RemainingWork, ReplacedVersion, ReplayAnswer, ReplayBatch, SealBatch,
};
use raydex::ledger::{DeliveryWindow, SourceId};
use raydex::partner::EdgeRecords;
use raydex::record::Dataset;

use super::{Ledger, begin, begin_of, object, seal, source, window, wish};

/// What there is to do.
fn work(answer: BeginAnswer) -> RemainingWork {
    match answer {
        BeginAnswer::Work(work) => work,
        other => panic!("there is nothing to do: {other:?}"),
    }
}

/// A version of the object is read to its end; its rays are in these shards.
fn whole(ledger: &Ledger, digit: char, uploaded_ms: i64, shards: &[&str]) {
    let begin = BeginBatch { deliver: None, ..begin_of(digit, uploaded_ms) };
    work(ledger.ask(&begin));
    ledger.ask(&entries(digit, shards));
    ledger.ask(&SealBatch { source: source(digit), plan: None, ..seal(1, 1) });
}

fn entries(digit: char, shards: &[&str]) -> RecordShards {
    let shards = shards.iter().map(|name| (*name).to_owned()).collect();
    RecordShards { source: source(digit), shards, adds: false }
}

fn aside() -> QuarantineBatch {
    QuarantineBatch { source: source('a'), code: "not_ndjson".into(), reason: "it is CSV".into() }
}

fn replay(digit: char) -> ReplayBatch {
    ReplayBatch { source: source(digit), reason: "look again".into() }
}

fn missing(ledger: &Ledger, digits: &[char]) -> Vec<SourceId> {
    ledger
        .ask(&FindUnfinished {
            sources: digits.iter().map(|digit| source(*digit)).collect(),
            rewritten: BTreeMap::new(),
            deliver: None,
            edge_records: EdgeRecords::Exclude,
            written_from_ms: None,
        })
        .sources
}

/// Whether a version is in the index, and where.
fn indexed(ledger: &Ledger, digit: char) -> (bool, Vec<String>) {
    let known = ledger.ask(&GetBatch { source: source(digit), payloads: PayloadSelection::All });
    (known.batch.unwrap().indexed, known.shards)
}

#[test]
fn new_source_is_indexed_and_delivered_as_asked() {
    let ledger = Ledger::new();
    let first = work(ledger.ask(&begin()));
    assert!(first.index && !first.registered && !first.more && first.replaced.is_empty());
    assert_eq!(first.plan.unwrap().windows, [DeliveryWindow::EVER]);
    let ledger = Ledger::new();
    let index_alone = BeginBatch { deliver: None, ..begin() };
    assert_eq!(work(ledger.ask(&index_alone)).plan, None);
    let deliver_alone = BeginBatch { index: false, ..begin() };
    assert!(!work(ledger.ask(&deliver_alone)).index);
}

#[test]
fn beginning_again_repeats_and_changes_nothing() {
    let ledger = Ledger::new();
    let first = ledger.ask(&begin());
    let rows = ledger.sql.rows();
    assert_eq!(ledger.pass(5000).again_is_the_same(&begin(), &rows), first);
}

#[test]
fn what_was_done_is_not_asked_for_again() {
    let ledger = Ledger::sealed(2);
    let rows = ledger.sql.rows();
    assert_eq!(ledger.again_is_the_same(&begin(), &rows), BeginAnswer::Complete);
    let less = BeginBatch { index: false, deliver: None, ..begin() };
    assert_eq!(ledger.again_is_the_same(&less, &rows), BeginAnswer::Complete);
}

#[test]
fn partly_sealed_source_is_asked_for_the_rest() {
    let ledger = Ledger::new();
    ledger.ask(&BeginBatch { deliver: None, ..begin() });
    ledger.ask(&SealBatch { plan: None, ..seal(1, 2) });
    let delivery = work(ledger.ask(&begin()));
    assert_eq!((delivery.index, delivery.plan.map(|plan| plan.number)), (false, Some(1)));
    let ledger = Ledger::new();
    ledger.ask(&BeginBatch { index: false, ..begin() });
    ledger.ask(&SealBatch { indexed: None, ..seal(1, 2) });
    let index = work(ledger.ask(&begin()));
    assert_eq!((index.index, index.plan), (true, None));
}

#[test]
fn the_registry_is_asked_once() {
    let ledger = Ledger::new();
    assert!(!work(ledger.ask(&begin())).registered);
    ledger.ask(&MarkRegistered { since_ms: None });
    let rows = ledger.sql.rows();
    ledger.again_is_the_same(&MarkRegistered { since_ms: None }, &rows);
    assert!(work(ledger.ask(&begin())).registered);
}

#[test]
fn older_version_is_left_alone_whatever_the_newer() {
    let newer: [fn(&Ledger); 3] = [
        |ledger| {
            ledger.ask(&begin_of('b', 9));
        },
        |ledger| whole(ledger, 'b', 9, &["s1"]),
        |ledger| {
            ledger.ask(&begin_of('b', 9));
            ledger.ask(&QuarantineBatch { source: source('b'), ..aside() });
        },
    ];
    for newer in newer {
        let ledger = Ledger::new();
        newer(&ledger);
        let rows = ledger.sql.rows();
        assert_eq!(ledger.again_is_the_same(&begin_of('a', 8), &rows), BeginAnswer::Superseded);
        // Written in the same millisecond: the one that is there now counts.
        assert!(matches!(ledger.ask(&begin_of('a', 9)), BeginAnswer::Work(_)));
    }
}

#[test]
fn newer_version_learns_where_older_rays_may_be() {
    let ledger = Ledger::new();
    whole(&ledger, 'a', 5, &["s1", "s2"]);
    // This one was cut off behind its first entries.
    ledger.ask(&begin_of('b', 6));
    ledger.ask(&entries('b', &["s3"]));
    // And this one before.
    ledger.ask(&begin_of('c', 7));
    let mut replaced = work(ledger.ask(&begin_of('d', 8))).replaced;
    replaced.sort_by_key(|version| version.age);
    let old = |name: char, uploaded_ms, shards: &[&str]| ReplacedVersion {
        etag: name.to_string(),
        age: VersionAge { uploaded_ms, revision: 0 },
        shards: entries(name, shards).shards,
    };
    assert_eq!(replaced, [old('a', 5, &["s1", "s2"]), old('b', 6, &["s3"])]);
    // Once it is sealed, nothing of them is there.
    ledger.ask(&SealBatch { source: source('d'), ..seal(1, 2) });
    assert_eq!((indexed(&ledger, 'a'), indexed(&ledger, 'b')), ((false, vec![]), (false, vec![])));
    assert_eq!(ledger.ask(&begin_of('d', 8)), BeginAnswer::Complete);
}

#[test]
fn returning_version_is_current_again_and_delivered_once() {
    let ledger = Ledger::sealed(2);
    ledger.ask(&entries('a', &["s1"]));
    whole(&ledger, 'b', 6, &["s2"]);
    assert_eq!(indexed(&ledger, 'a'), (false, vec![]));
    let back = work(ledger.ask(&begin_of('a', 7)));
    assert_eq!((back.index, back.plan, back.replaced.len()), (true, None, 1), "its payloads are under way");
    ledger.ask(&entries('a', &["s1"]));
    ledger.ask(&SealBatch { plan: None, ..seal(1, 2) });
    assert_eq!((indexed(&ledger, 'a').0, indexed(&ledger, 'b')), (true, (false, vec![])));
    assert_eq!(ledger.ask(&begin_of('b', 6)), BeginAnswer::Superseded);
}

#[test]
fn rewritten_bytes_are_the_same_source_dated_later() {
    let ledger = Ledger::sealed(2);
    let again = work(ledger.ask(&begin_of('a', 9)));
    assert_eq!((again.index, again.plan, again.claims), (true, None, vec![1]), "the bucket keeps it from now on");
    let uploaded = |ledger: &Ledger| {
        ledger.ask(&GetBatch { source: source('a'), payloads: PayloadSelection::All }).batch.unwrap().object.uploaded_ms
    };
    assert_eq!(uploaded(&ledger), 9);
    ledger.ask(&SealBatch { plan: None, ..seal(1, 2) });
    // Whoever still holds the older telling of them does not turn that back.
    assert_eq!(ledger.ask(&begin_of('a', 5)), BeginAnswer::Complete);
    assert_eq!(uploaded(&ledger), 9);
    assert_eq!(ledger.ask(&begin_of('b', 8)), BeginAnswer::Superseded);
}

#[test]
fn quarantined_source_stays_until_a_person_decides() {
    let ledger = Ledger::new();
    ledger.ask(&begin());
    assert!(ledger.ask(&aside()).quarantined);
    let rows = ledger.sql.rows();
    assert!(ledger.again_is_the_same(&aside(), &rows).quarantined);
    let expected = BeginAnswer::Quarantined { code: "not_ndjson".into() };
    assert_eq!(ledger.again_is_the_same(&begin(), &rows), expected);
    assert!(ledger.refusal(&seal(1, 2)).contains("quarantined"));
    assert_eq!(
        ledger.ask(&GetBatch { source: source('a'), payloads: PayloadSelection::All }).batch.unwrap().state,
        BatchState::Quarantined
    );
    // A replay: it is read as if for the first time, by the plan that was pinned then.
    assert_eq!(ledger.ask(&replay('a')), ReplayAnswer { state: Some(BatchState::Open), due: true });
    assert!(work(ledger.ask(&begin())).index);
    assert_eq!(ledger.ask(&seal(1, 2)).send.len(), 2);
}

#[test]
fn sealed_source_is_neither_quarantined_nor_reopened() {
    let ledger = Ledger::sealed(2);
    let rows = ledger.sql.rows();
    assert!(!ledger.again_is_the_same(&aside(), &rows).quarantined);
    let nothing = ReplayAnswer { state: Some(BatchState::Sealed), due: false };
    assert_eq!(ledger.again_is_the_same(&replay('a'), &rows), nothing);
    assert_eq!(ledger.ask(&begin()), BeginAnswer::Complete);
    // Nor is one that nobody has begun.
    let stranger = QuarantineBatch { source: source('b'), ..aside() };
    assert!(!ledger.again_is_the_same(&stranger, &rows).quarantined);
    assert_eq!(ledger.again_is_the_same(&replay('b'), &rows), ReplayAnswer { state: None, due: false });
}

#[test]
fn damaged_version_replaces_the_older_too() {
    let ledger = Ledger::new();
    whole(&ledger, 'a', 5, &["s1"]);
    assert_eq!(work(ledger.ask(&begin_of('b', 6))).replaced.len(), 1);
    ledger.ask(&QuarantineBatch { source: source('b'), ..aside() });
    assert_eq!(indexed(&ledger, 'a'), (false, vec![]));
}

#[test]
fn entries_precede_the_seal_known_ones_cost_nothing() {
    let ledger = Ledger::new();
    ledger.ask(&begin());
    ledger.ask(&entries('a', &["s1"]));
    let rows = ledger.sql.rows();
    ledger.again_is_the_same(&entries('a', &["s1"]), &rows);
    assert_eq!(indexed(&ledger, 'a'), (false, vec!["s1".to_owned()]));
    ledger.again_is_the_same(&entries('b', &["s1"]), &rows);
}

#[test]
fn lost_objects_shards_are_named_until_all_forgot() {
    let ledger = Ledger::new();
    whole(&ledger, 'a', 5, &["s1", "s2"]);
    let KnownGone { ask, forgotten } = KnownGone::new();
    let rows = ledger.sql.rows();
    for _ in 0..2 {
        let versions = ledger.again_is_the_same(&ask, &rows).versions;
        assert_eq!(
            versions,
            [ReplacedVersion {
                etag: "a".into(),
                age: VersionAge { uploaded_ms: 5, revision: 0 },
                shards: vec!["s1".into(), "s2".into()]
            }]
        );
    }
    ledger.ask(&forgotten);
    assert!(ledger.ask(&ask).versions.is_empty());
    let batch = ledger.ask(&GetBatch { source: source('a'), payloads: PayloadSelection::All }).batch.unwrap();
    assert!(batch.gone && !batch.indexed && batch.state == BatchState::Sealed);
    // It comes back: the same bytes, written again.
    assert!(work(ledger.ask(&begin_of('a', 9))).index);
    assert!(!ledger.ask(&GetBatch { source: source('a'), payloads: PayloadSelection::All }).batch.unwrap().gone);
}

/// The two calls about an object that is gone.
struct KnownGone {
    ask: ForgetDeletedObject,
    forgotten: ForgetDeletedObject,
}

impl KnownGone {
    fn new() -> Self {
        let gone = |forgotten| ForgetDeletedObject { key: super::KEY.into(), forgotten };
        Self { ask: gone(false), forgotten: gone(true) }
    }
}

#[test]
fn sealed_source_is_unfinished_for_further_times() {
    let ledger = Ledger::new();
    ledger.ask(&BeginBatch { deliver: Some(wish(window(0, 10))), ..begin() });
    ledger.ask(&seal(1, 1));
    for (deliver, count) in [
        (None, 0),
        (Some(window(0, 10)), 0),
        (Some(window(2, 8)), 0),
        (Some(window(0, 11)), 1),
        (Some(DeliveryWindow::EVER), 1),
    ] {
        let found = ledger.ask(&find_a(deliver, EdgeRecords::Exclude)).sources;
        assert_eq!(found.len(), count, "{deliver:?}");
    }
}

/// Asks for the source `a`.
fn find_a(deliver: Option<DeliveryWindow>, edge_records: EdgeRecords) -> FindUnfinished {
    let (sources, rewritten) = (vec![source('a')], BTreeMap::new());
    FindUnfinished { sources, rewritten, deliver, edge_records, written_from_ms: None }
}

#[test]
fn edge_batch_lacks_a_plan_if_included() {
    let ledger = Ledger::new();
    ledger.ask(&BeginBatch { dataset: Dataset::EdgeRequests.name().into(), deliver: None, ..begin() });
    ledger.ask(&SealBatch { plan: None, ..seal(1, 1) });
    for (edge_records, count) in [(EdgeRecords::Exclude, 0), (EdgeRecords::Include, 1)] {
        let found = ledger.ask(&find_a(Some(DeliveryWindow::EVER), edge_records)).sources;
        assert_eq!(found.len(), count, "{edge_records:?}");
    }
}

#[test]
fn missing_is_what_nobody_began_or_finished() {
    let ledger = Ledger::sealed(1);
    let other = BeginBatch {
        object: raydex::index::ObjectVersion { key: "logs/b".into(), ..object("b", 5) },
        ..begin_of('b', 5)
    };
    ledger.ask(&other);
    assert_eq!(missing(&ledger, &['a', 'b', 'c']), [source('b'), source('c')]);
    ledger.ask(&QuarantineBatch { source: source('b'), ..aside() });
    assert_eq!(missing(&ledger, &['a', 'b', 'c']), [source('c')]);
    ledger.ask(&replay('b'));
    assert_eq!(missing(&ledger, &['b']), [source('b')]);
    assert!(missing(&ledger, &[]).is_empty());
}
