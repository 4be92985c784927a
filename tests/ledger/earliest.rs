//! The lowest prefix of each dataset, in a registry that was always told of it and in one that was not.

use raydex::backend::Sql;
use raydex::ledger::registry::{self, Earliest, EarliestAsk, Register};

use super::json;
use super::support::{Fault, Faults, Kind, NOW_MS, SqliteSql};

/// A registry, opened.
fn registry_of(sql: SqliteSql) -> SqliteSql {
    registry::open(&sql).unwrap();
    sql
}

fn ask(sql: &SqliteSql, dataset: &str, prefix: Option<u32>) -> Option<u32> {
    let body = json(&EarliestAsk { dataset: dataset.into(), prefix });
    let answered = registry::answer(sql, "v1/earliest", &body, NOW_MS).unwrap();
    serde_json::from_slice::<Earliest>(&answered.body).unwrap().prefix
}

fn register(sql: &SqliteSql) {
    registry::answer(sql, "v1/register", &json(&Register { name: "v1/20260328T08".into() }), NOW_MS).unwrap();
}

/// A registry as it was before it knew of prefixes, with a ledger in it or without.
fn before(has_ledger: bool) -> SqliteSql {
    let sql = registry_of(SqliteSql::new(&Faults::default()));
    if has_ledger {
        register(&sql);
    }
    sql.run("DROP TABLE earliest_v1", &[]).unwrap();
    sql
}

#[test]
fn the_lowest_prefix_that_was_told_is_kept_for_each_dataset() {
    let sql = registry_of(SqliteSql::new(&Faults::default()));
    assert_eq!(ask(&sql, "http_requests", None), None);
    let mut lowest = u32::MAX;
    for prefix in [500, 700, 500, 499, 1_048_575, 3, 3, 0, 9] {
        lowest = lowest.min(prefix);
        assert_eq!(ask(&sql, "http_requests", Some(prefix)), Some(lowest));
        assert_eq!(ask(&sql, "http_requests", None), Some(lowest));
    }
    assert_eq!(ask(&sql, "firewall_events", None), None);
    assert_eq!(ask(&sql, "firewall_events", Some(7)), Some(7));
    assert_eq!(ask(&sql, "http_requests", None), Some(0));
}

#[test]
fn a_row_is_written_only_where_the_prefix_is_lower() {
    let sql = registry_of(SqliteSql::new(&Faults::default()));
    ask(&sql, "http_requests", Some(500));
    sql.run("CREATE TRIGGER no_insert BEFORE INSERT ON earliest_v1 BEGIN SELECT RAISE(FAIL, 'written'); END", &[])
        .unwrap();
    for prefix in [Some(500), Some(501), None] {
        assert_eq!(ask(&sql, "http_requests", prefix), Some(500));
    }
    let lower = json(&EarliestAsk { dataset: "http_requests".into(), prefix: Some(499) });
    assert!(registry::answer(&sql, "v1/earliest", &lower, NOW_MS).is_err(), "the trigger sees what is written");
}

#[test]
fn where_ledgers_were_known_before_the_table_anything_may_be_there() {
    let sql = registry_of(before(true));
    for dataset in ["http_requests", "firewall_events", "workers_trace_events"] {
        assert_eq!(ask(&sql, dataset, None), Some(0), "{dataset}");
        assert_eq!(ask(&sql, dataset, Some(500)), Some(0), "{dataset}");
        assert_eq!(ask(&sql, dataset, None), Some(0), "{dataset}");
    }
}

#[test]
fn where_none_was_what_is_known_later_changes_nothing() {
    for sql in [before(false), SqliteSql::new(&Faults::default())] {
        let sql = registry_of(sql);
        register(&sql);
        // The object is evicted, and opened again.
        let sql = registry_of(sql);
        assert_eq!(ask(&sql, "http_requests", None), None);
        assert_eq!(ask(&sql, "http_requests", Some(500)), Some(500));
        assert_eq!(ask(&registry_of(sql), "http_requests", None), Some(500));
    }
}

#[test]
fn a_registry_that_was_opened_in_part_is_opened_right_the_next_time() {
    for has_ledger in [false, true] {
        for fault in Fault::BOTH {
            let mut nth = 0;
            loop {
                let faults = Faults::default();
                let sql = SqliteSql::new(&faults);
                registry::open(&sql).unwrap();
                if has_ledger {
                    register(&sql);
                }
                sql.run("DROP TABLE earliest_v1", &[]).unwrap();
                faults.plan(Some(Kind::Sql), nth, fault);
                let opened = registry::open(&sql);
                if !faults.clear() {
                    break;
                }
                assert!(opened.is_err());
                assert_eq!(ask(&registry_of(sql), "http_requests", None), has_ledger.then_some(0), "{nth} {fault:?}");
                nth += 1;
            }
            assert!(nth >= 2, "{nth}");
        }
    }
}
