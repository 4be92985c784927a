//! Frozen forms: whatever travels or is stored is spelled out in `story.txt` and `registry.txt`, byte for byte. During
//! a deployment an old Worker talks to a new ledger, and a ledger reads rows that were written years ago.
//!
//! A line `v1/…` is a call, `=` its answer, `wake` when the ledger must wake, `at` the clock, `rows` all tables and
//! rows as they are then; `$A` stands for 64 times `a`, `$_` for 64 times `A`, `$0` for 64 zeros.

use std::collections::BTreeSet;

use raydex::backend::SqlDatabase;
use raydex::ledger::backfills::{
    self, CountEndedObject, ListBackfills, RecordBackfillStep, StartBackfill, SwitchBackfill,
};
use raydex::ledger::calls::{
    BeginBatch, ClaimPayload, CommitAttempt, DecideDelivery, FindUnfinished, ForgetDeletedObject, GetBatch, GetTotals,
    ListBatches, ListExpiredPacks, MarkRegistered, MarkRemoved, NAMES, QuarantineBatch, RearmAlarm, RecordShards,
    SealBatch, SplitPayload,
};
use raydex::ledger::occupancy::{self, MarkOccupied, ReadOccupancy};
use raydex::ledger::registry::{
    self, AdvanceSweep, DeadLetter, ListDeadLetters, ListLedgers, MarkRedriven, RegisterLedger,
};
use raydex::ledger::{answer, open};
use raydex::rpc::{Call, CallReply};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::support::{Faults, SqliteSql};
use super::{Ledger, NAME};

const LEDGER: &str = include_str!("story.txt");
const REGISTRY: &str = include_str!("registry.txt");

/// Sources have long names, and rows of the occupancy map are long.
fn long() -> impl Iterator<Item = (String, String)> {
    let sources = ['a', 'b', 'c', 'd', 'e'].map(|digit| (format!("${}", digit.to_uppercase()), whole(digit)));
    let rows = [("$0".to_owned(), "0, ".repeat(64)), ("$_".to_owned(), whole('A'))];
    sources.into_iter().chain(rows)
}

fn spelled_out(text: &str) -> String {
    long().fold(text.to_owned(), |text, (short, long)| text.replace(&short, &long))
}

fn shortened(text: &str) -> String {
    long().fold(text.to_owned(), |text, (short, long)| text.replace(&long, &short))
}

fn whole(digit: char) -> String {
    digit.to_string().repeat(64)
}

/// The tables, as they were made, and all rows.
fn tables_and_rows(sql: &SqliteSql) -> Vec<String> {
    let made = sql.run("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name", &[]).unwrap().rows;
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    made.iter().map(|row| words(row[0].as_text().unwrap())).chain(sql.rows()).collect()
}

/// The story as it happens now.
fn told(story: &str, sql: &SqliteSql, call: impl Fn(&str, &str, i64) -> CallReply) -> String {
    let mut lines = Vec::new();
    let mut now_ms = 0;
    for line in story.lines().map(spelled_out) {
        if let Some(at) = line.strip_prefix("at ") {
            now_ms = at.parse().unwrap();
        } else if let Some((name, body)) = line.split_once(' ').filter(|(name, _)| name.starts_with("v1/")) {
            let CallReply { body: answer, wake_ms } = call(name, body, now_ms);
            lines.extend([line, format!("= {}", String::from_utf8(answer).unwrap())]);
            lines.extend(wake_ms.map(|at| format!("wake {at}")));
            continue;
        } else if line == "rows" {
            lines.push(line);
            lines.extend(tables_and_rows(sql));
            break;
        } else if !(line.is_empty() || line.starts_with('#')) {
            continue;
        }
        lines.push(line);
    }
    shortened(&(lines.join("\n") + "\n"))
}

/// The calls of a story: names, bodies, answers.
fn calls(story: &str) -> Vec<(String, String, String)> {
    let lines: Vec<String> = story.lines().map(spelled_out).collect();
    let pairs = lines.windows(2).filter_map(|pair| {
        let (name, body) = pair[0].split_once(' ').filter(|(name, _)| name.starts_with("v1/"))?;
        Some((name.to_owned(), body.to_owned(), pair[1].strip_prefix("= ").unwrap().to_owned()))
    });
    pairs.collect()
}

/// The type reads the text, and writes the same.
fn is_form_of<T: Serialize + DeserializeOwned>(text: &str) {
    let read: T = serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text}"));
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
}

macro_rules! are_forms {
    ($calls:expr, $($call:ident)*) => {
        for (name, body, answer) in $calls {
            match name.as_str() {
                $($call::NAME => {
                    is_form_of::<$call>(&body);
                    is_form_of::<<$call as Call>::Answer>(&answer);
                })*
                other => panic!("{other} is no call"),
            }
        }
    };
}

#[test]
fn ledger_calls_and_rows_match_their_frozen_form() {
    let sql = SqliteSql::new(&Faults::default());
    open(&sql, NAME).unwrap();
    let now = told(LEDGER, &sql, |name, body, now_ms| answer(&sql, NAME, name, body.as_bytes(), now_ms).unwrap());
    assert_eq!(now, LEDGER, "it is now:\n{now}");
}

#[test]
fn registry_calls_and_rows_match_their_frozen_form() {
    let sql = SqliteSql::new(&Faults::default());
    registry::open(&sql).unwrap();
    let now = told(REGISTRY, &sql, |name, body, now_ms| registry::answer(&sql, name, body.as_bytes(), now_ms).unwrap());
    assert_eq!(now, REGISTRY, "it is now:\n{now}");
}

#[test]
fn both_ends_of_a_call_spell_it_alike() {
    are_forms!(
        calls(LEDGER),
        BeginBatch RecordShards SealBatch QuarantineBatch ForgetDeletedObject FindUnfinished MarkRegistered ClaimPayload CommitAttempt SplitPayload DecideDelivery ListExpiredPacks MarkRemoved RearmAlarm GetTotals
        ListBatches GetBatch
    );
    are_forms!(
        calls(REGISTRY),
        RegisterLedger ListLedgers DeadLetter ListDeadLetters MarkRedriven AdvanceSweep MarkOccupied ReadOccupancy StartBackfill ListBackfills RecordBackfillStep SwitchBackfill CountEndedObject
    );
}

#[test]
fn every_call_is_in_a_story() {
    for (names, story) in
        [(NAMES.to_vec(), LEDGER), ([registry::NAMES, backfills::NAMES, occupancy::NAMES].concat(), REGISTRY)]
    {
        let told: BTreeSet<String> = calls(story).into_iter().map(|(name, ..)| name).collect();
        assert_eq!(told, names.iter().map(|name| (*name).to_owned()).collect());
    }
}

#[test]
fn unknown_calls_and_invalid_bodies_are_refused() {
    let ledger = Ledger::sealed(2);
    let known = SqliteSql::new(&Faults::default());
    registry::open(&known).unwrap();
    let rows = (ledger.sql.rows(), known.rows());
    for name in ["", "begin", "v1/", "v2/begin", "V1/BEGIN", "v1/begin ", "v1/letter", "v1/unknown"] {
        assert!(answer(&ledger.sql, NAME, name, b"{}", 9).is_err(), "{name}");
    }
    for name in ["", "v1/", "v2/register", "v1/begin", "v1/totals"] {
        assert!(registry::answer(&known, name, b"{}", 9).is_err(), "{name}");
    }
    let bodies: [&[u8]; 7] = [b"", b"null", b"7", b"\"x\"", b"[[]", b"{", b"\xff"];
    for body in bodies {
        for name in NAMES {
            assert!(answer(&ledger.sql, NAME, name, body, 9).is_err(), "{name} {body:?}");
        }
        for name in registry::NAMES.iter().chain(occupancy::NAMES) {
            assert!(registry::answer(&known, name, body, 9).is_err(), "{name} {body:?}");
        }
    }
    assert_eq!((ledger.sql.rows(), known.rows()), rows);
}

#[test]
fn members_of_later_versions_are_skipped() {
    let ledger = Ledger::new();
    let body = br#"{"limit":5,"state":null,"order":"oldest"}"#;
    assert_eq!(answer(&ledger.sql, NAME, "v1/batches", body, 9).unwrap().body, br#"{"batches":[]}"#);
}
