//! How many ledgers an hour has: fixed by the first question, for good.

use raydex::backend::SqlDatabase;
use raydex::ledger::calls::BeginBatch;
use raydex::ledger::partitions::{FixPartitions, HourPartitions, KnownPartitions};
use raydex::ledger::{LedgerHour, SourceId, answer, open};
use raydex::limits::{PARTITIONS_KNOWN, PARTITIONS_MAX};
use raydex::rpc::Call;

use super::support::{Fakes, Fault, Kind, SqliteSql, run};
use super::{KEY, Ledger, NAME, begin};

/// What the first ledger of the hour says if this many are wanted.
fn fix(ledger: &Ledger, partitions: Option<u8>) -> (u8, bool) {
    let HourPartitions { partitions, is_fixed } = ledger.ask(&FixPartitions { partitions });
    (partitions, is_fixed)
}

#[test]
fn number_of_partitions_stays() {
    let ledger = Ledger::new();
    assert_eq!(fix(&ledger, None), (1, false));
    assert_eq!(fix(&ledger, Some(4)), (4, true));
    for wanted in [None, Some(1), Some(8)] {
        assert_eq!(fix(&ledger, wanted), (4, true), "{wanted:?}");
    }
    assert_eq!(fix(&Ledger::new(), Some(0)), (1, true));
    assert_eq!(fix(&Ledger::new(), Some(200)), (PARTITIONS_MAX, true));
}

#[test]
fn hour_with_batches_has_one_partition() {
    let ledger = Ledger::new();
    ledger.ask(&begin());
    for wanted in [None, Some(8), Some(2)] {
        assert_eq!(fix(&ledger, wanted), (1, true), "{wanted:?}");
    }
    // A version that knew no partitions left no number.
    ledger.sql.run("DELETE FROM note_v1 WHERE name = 'partitions'", &[]).unwrap();
    assert_eq!((fix(&ledger, None), fix(&ledger, Some(8))), ((1, false), (1, true)));
}

#[test]
fn ledger_refuses_batches_of_other_ledgers() {
    let key = |number: u32| format!("logs/http_requests/20260328/20260328T084200Z_{number}.log.gz");
    let begin_at = |key: &str| {
        let mut call: BeginBatch = begin();
        call.object.key = key.to_owned();
        call.source = SourceId::for_object("b", key, "e");
        call
    };
    let hour = LedgerHour::of_key(KEY);
    for name in hour.ledgers(4) {
        let sql = SqliteSql::new(&super::Faults::default());
        open(&sql, &name).unwrap();
        let ask = |call: &str, body: &[u8]| answer(&sql, &name, call, body, 0);
        if name == NAME {
            ask(FixPartitions::NAME, &FixPartitions { partitions: Some(4) }.to_body()).unwrap();
        }
        for number in 0..40 {
            let is_own = hour.ledger_of(&key(number), 4) == name;
            let taken = ask(BeginBatch::NAME, &begin_at(&key(number)).to_body()).is_ok();
            // Another than the first does not know how many there are.
            assert!(if name == NAME { taken == is_own } else { taken }, "{name} {number}");
        }
    }
}

#[test]
fn isolates_agree_whatever_each_wants() {
    let fakes = Fakes::new();
    let (one, other) = (KnownPartitions::default(), KnownPartitions::default());
    let hour = LedgerHour::of_key(KEY);
    let ask = |known: &KnownPartitions, wanted| run(known.of_hour(&fakes.ledgers, &hour, wanted));
    assert_eq!(ask(&one, None), Ok(1));
    fakes.faults.plan(Some(Kind::Ledger), 0, Fault::FailsButHappened);
    assert!(ask(&one, Some(3)).is_err());
    assert_eq!([ask(&other, Some(5)), ask(&one, Some(7)), ask(&one, None)], [Ok(3), Ok(3), Ok(3)]);
    // Each asked until it knew; groups without an hour are not asked.
    let calls = fakes.ledgers.calls(NAME);
    assert_eq!([ask(&other, None), ask(&one, Some(1))], [Ok(3), Ok(3)]);
    assert_eq!(run(one.of_hour(&fakes.ledgers, &LedgerHour::of_key("logs/a.log.gz"), Some(8))), Ok(1));
    assert_eq!((fakes.ledgers.calls(NAME), calls), (4, 4));
    // And again once so many hours came that it forgot.
    for nth in 0..i64::try_from(PARTITIONS_KNOWN).unwrap() {
        run(one.of_hour(&fakes.ledgers, &LedgerHour::of_time(nth * 3_600_000), Some(2))).unwrap();
    }
    assert_eq!((ask(&one, Some(1)), fakes.ledgers.calls(NAME)), (Ok(3), 5));
}
