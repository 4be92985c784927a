//! The calls to Durable Objects, as stories: `calls/{object}.txt`. A line `v1/…` is a call, `=` its answer, `wake` when the object must
//! wake, `at` the clock; calls after `rows` only read. What the object holds at `rows` is `stored/{object}.sql`: the same calls to a
//! database with it have the same answers. Edit the calls by hand: `$A` is 64 times `a`, `$_` 64 times `A`; raw bytes follow ` hex:`.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt::Write;

use raydex::access::ChainNumber;
use raydex::audit;
use raydex::backend::{DurableObjects, SqlDatabase, SqlValue};
use raydex::config::read_edge_settings;
use raydex::edge::{EdgeSettings, handover};
use raydex::index::{calls as index_calls, claims, shard};
use raydex::ledger::{
    self, absence, backfill_ledgers, backfill_sums, backfills, calls as ledger_calls, completeness, cursor_keys,
    erased_lines, erasure_scope, erasures, expiry, first_start, layout_doubts, newest_batches, occupancy, outage,
    pacer, partitions, partner, payloads, registry, self_check, sweep_round, tokens, unknown_folders,
};
use raydex::rpc::{Call, CallReply};
use raydex::spool::{self, SpoolBounds};

use super::support::{Fakes, Faults, MemoryAudits, SqliteSql, run};
use super::{Fixture, compare, stored_text};
use crate::objects::{StoredObject, objects};

/// The story's ledger.
pub(super) const LEDGER: &str = "v1/20260328T08";
/// The chain of the story of another chain than the first.
const AUDIT_CHAIN: u64 = 3;
/// Most entries of a table of the audit log.
const AUDIT_ENTRIES: u64 = 2;
/// The objects that have a story.
pub(super) const OBJECTS: [&str; 7] = ["audit", "audit_chain", "ledger", "partner", "registry", "shard", "spool"];

/// Answers a call: its name, its body, the clock.
type AnswerCall = Box<dyn Fn(&str, &[u8], i64) -> CallReply>;

/// A Durable Object.
pub(super) struct StoryObject {
    pub(super) sql: SqliteSql,
    answer: AnswerCall,
}

impl StoryObject {
    /// The object of a story, whose database holds these statements already.
    pub(super) fn new(name: &str, statements: &str) -> Self {
        let fakes = Fakes::new();
        let audit = match name {
            "audit" => Some(fakes.audits.clone()),
            "audit_chain" => Some(fakes.audits.chain(ChainNumber::new(AUDIT_CHAIN).unwrap())),
            _ => None,
        };
        let sql = audit.as_ref().map_or_else(|| SqliteSql::new(&Faults::default()), |audit| audit.sql.clone());
        load(&sql, statements);
        let own = sql.clone();
        let answer: AnswerCall = match name {
            "audit" | "audit_chain" => {
                fakes.audits.set_bounds(AUDIT_ENTRIES, u64::MAX);
                audit::open(&sql).unwrap();
                let audit = audit.unwrap();
                Box::new(move |call, body, now_ms| answer_audit(&fakes, &audit, (call, body), now_ms))
            }
            "ledger" => {
                ledger::open(&sql, LEDGER).unwrap();
                Box::new(move |call, body, now_ms| ledger::answer(&own, LEDGER, call, body, now_ms).unwrap())
            }
            "partner" => {
                partner::open(&sql).unwrap();
                Box::new(move |call, body, now_ms| partner::answer(&own, call, body, now_ms).unwrap())
            }
            "registry" => {
                registry::open(&sql).unwrap();
                Box::new(move |call, body, now_ms| registry::answer(&own, call, body, now_ms).unwrap())
            }
            "spool" => Box::new(move |call, body, now_ms| {
                let (settings, is_open) = (spooled(), Cell::new(false));
                let with = (&settings, SpoolBounds::default());
                spool::serve(&own, &is_open, (call, body), with, "5700150015001500", now_ms).unwrap()
            }),
            _ => {
                shard::open(&sql).unwrap();
                Box::new(move |call, body, _| CallReply {
                    body: shard::answer(&own, call, body).unwrap(),
                    wake_ms: None,
                })
            }
        };
        Self { sql, answer }
    }
}

/// The settings of an object of the durable buffer.
pub(super) fn spooled() -> EdgeSettings {
    let sinks = r#"[{"kind":"r2","through":"object"}]"#;
    read_edge_settings(|name| (name == "EDGE_SINKS").then(|| sinks.to_owned())).unwrap()
}

/// The audit log's answer; `archive` rings its alarm until nothing is left to move.
fn answer_audit(fakes: &Fakes, audit: &MemoryAudits, (call, body): (&str, &[u8]), now_ms: i64) -> CallReply {
    fakes.clock_ms.set(now_ms);
    let body = if call == "archive" {
        let keys: Vec<String> = audit.settle(&fakes.bucket).into_iter().map(|segment| segment.key).collect();
        keys.join(" ").into_bytes()
    } else {
        run(audit.call(&audit.name(), call, body.to_vec())).unwrap()
    };
    CallReply { body, wake_ms: None }
}

/// The tables of a database with their rows, as SQL.
pub(super) fn dump(sql: &SqliteSql) -> String {
    let made = "SELECT name, sql, type = 'table' FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name";
    let made = sql.run(made, &[]).unwrap().rows;
    let mut text = String::new();
    for row in &made {
        let words: Vec<&str> = row[1].as_text().unwrap().split_whitespace().collect();
        writeln!(text, "{};", words.join(" ")).unwrap();
    }
    for table in made.iter().filter(|row| row[2].as_integer() == Some(1)).map(|row| row[0].as_text().unwrap()) {
        for row in sql.run(&format!("SELECT * FROM {table} ORDER BY 1, 2"), &[]).unwrap().rows {
            let values: Vec<String> = row.iter().map(literal).collect();
            writeln!(text, "INSERT INTO {table} VALUES ({});", values.join(", ")).unwrap();
        }
    }
    text
}

/// A value as SQL spells it.
fn literal(value: &SqlValue) -> String {
    match value {
        SqlValue::Integer(number) => number.to_string(),
        SqlValue::Text(text) => format!("'{}'", text.replace('\'', "''")),
        SqlValue::Blob(bytes) => format!("x'{}'", hex::encode(bytes)),
        SqlValue::Null => "NULL".into(),
    }
}

/// Runs the statements of [`dump`].
pub(super) fn load(sql: &SqliteSql, statements: &str) {
    for statement in statements.split_terminator(";\n") {
        sql.run(statement, &[]).unwrap();
    }
}

fn long() -> impl Iterator<Item = (String, String)> {
    let sources = ["a", "b", "c", "d", "e", "f"].map(|digit| (format!("${}", digit.to_uppercase()), digit.repeat(64)));
    sources.into_iter().chain([("$_".to_owned(), "A".repeat(64))])
}

fn spelled_out(text: &str) -> String {
    long().fold(text.to_owned(), |text, (short, long)| text.replace(&short, &long))
}

fn shortened(text: &str) -> String {
    long().fold(text.to_owned(), |text, (short, long)| text.replace(&long, &short))
}

/// The bytes of a body: its JSON, or a length, JSON and raw bytes.
pub(super) fn body_bytes(text: &str) -> Vec<u8> {
    let Some((head, raw)) = text.split_once(" hex:") else { return text.as_bytes().to_vec() };
    let length = u32::try_from(head.len()).unwrap().to_le_bytes();
    [&length, head.as_bytes(), &hex::decode(raw).unwrap()].concat()
}

/// A line's call and body.
fn call_of(line: &str) -> Option<(&str, &str)> {
    if line == "archive" { Some((line, "")) } else { line.split_once(' ').filter(|(name, _)| name.starts_with("v1/")) }
}

/// The story as the object answers it now, and what it holds at `rows`.
pub(super) fn play(story: &str, object: &StoryObject) -> (String, String) {
    let (mut lines, mut rows, mut now_ms) = (Vec::new(), String::new(), 0);
    for line in story.lines().map(spelled_out) {
        if let Some((name, body)) = call_of(&line) {
            let CallReply { body: answer, wake_ms } = (object.answer)(name, &body_bytes(body), now_ms);
            lines.extend([line, format!("= {}", String::from_utf8(answer).unwrap())]);
            lines.extend(wake_ms.map(|at| format!("wake {at}")));
            continue;
        }
        if let Some(at) = line.strip_prefix("at ") {
            now_ms = at.parse().unwrap();
        } else if let Some(kept_ms) = line.strip_prefix("expire ") {
            expiry::expire(&object.sql, kept_ms.parse().ok(), now_ms).unwrap();
        } else if line == "rows" {
            rows = dump(&object.sql);
        } else if !line.starts_with('#') {
            continue;
        }
        lines.push(line);
    }
    (shortened(&(lines.join("\n") + "\n")), rows)
}

pub(super) fn story_of(object: &str) -> String {
    stored_text(&format!("calls/{object}.txt"))
}

pub(super) fn fixtures() -> Vec<Fixture> {
    let fixtures = OBJECTS.map(|name| {
        let (story, rows) = play(&story_of(name), &StoryObject::new(name, ""));
        [Fixture::new(format!("calls/{name}.txt"), story), Fixture::new(format!("stored/{name}.sql"), rows)]
    });
    fixtures.concat()
}

/// The calls of a story: names, bodies, answers.
pub(super) fn calls(story: &str) -> Vec<(String, String, String)> {
    let lines: Vec<String> = story.lines().map(spelled_out).collect();
    let pairs = lines.windows(2).filter_map(|pair| {
        let (name, body) = call_of(&pair[0]).filter(|(name, _)| *name != "archive")?;
        Some((name.to_owned(), body.to_owned(), pair[1].strip_prefix("= ").unwrap().to_owned()))
    });
    pairs.collect()
}

/// Both ends of a call read its texts, and write the same.
fn check_form<C: Call>(body: &str, answer: &str) {
    let bytes = body_bytes(body);
    assert_eq!(C::from_body(&bytes).unwrap().to_body(), bytes, "{} {body}", C::NAME);
    let read: C::Answer = serde_json::from_str(answer).unwrap_or_else(|why| panic!("{why}: {answer}"));
    assert_eq!(serde_json::to_string(&read).unwrap(), answer, "{}", C::NAME);
}

macro_rules! check_forms {
    ($object:expr, $($module:ident: $($call:ident)*;)*) => {
        for (name, body, answer) in calls(&story_of($object)) {
            match name.as_str() {
                $($($module::$call::NAME => check_form::<$module::$call>(&body, &answer),)*)*
                other => panic!("{other} is not a call"),
            }
        }
    };
}

#[test]
fn calls_and_rows_match_their_fixtures() {
    compare(&fixtures());
}

#[test]
fn rows_of_the_fixtures_are_read_back() {
    for name in OBJECTS {
        let story = story_of(name);
        let (_, reads) = story.split_once("\nrows\n").unwrap();
        let object = StoryObject::new(name, &stored_text(&format!("stored/{name}.sql")));
        assert_eq!(play(reads, &object).0, reads, "{name}");
        assert!(reads.contains("= "), "{name} has calls that read its rows");
    }
}

/// Answers a call in an object without tables: what it says, and whether it made tables.
fn answered_without_tables(object: &str, name: &str, body: &[u8]) -> (Vec<u8>, bool) {
    let (sql, is_open) = (SqliteSql::new(&Faults::default()), Cell::new(false));
    let answer = match object {
        "ledger" => ledger::serve(&sql, &is_open, LEDGER, (name, body), 5_000).map(|reply| reply.body),
        "partner" => partner::serve(&sql, &is_open, (name, body), 5_000).map(|reply| reply.body),
        "registry" => registry::serve(&sql, &is_open, (name, body), 5_000).map(|reply| reply.body),
        _ => shard::serve(&sql, &is_open, name, body),
    };
    (answer.unwrap_or_else(|error| error.to_string().into_bytes()), sql.has_tables())
}

#[test]
fn object_without_tables_answers_like_an_empty_one() {
    let mut makers = BTreeSet::new();
    for object in ["ledger", "partner", "registry", "shard"] {
        for (name, body, _) in calls(&story_of(object)) {
            let body = body_bytes(&body);
            let (sql, is_open) = (SqliteSql::new(&Faults::default()), Cell::new(true));
            let opened = match object {
                "ledger" => ledger::open(&sql, LEDGER).and_then(|()| {
                    ledger::serve(&sql, &is_open, LEDGER, (&name, &body), 5_000).map(|reply| reply.body)
                }),
                "partner" => partner::open(&sql)
                    .and_then(|()| partner::serve(&sql, &is_open, (&name, &body), 5_000).map(|reply| reply.body)),
                "registry" => registry::open(&sql)
                    .and_then(|()| registry::serve(&sql, &is_open, (&name, &body), 5_000).map(|reply| reply.body)),
                _ => shard::open(&sql).and_then(|()| shard::serve(&sql, &is_open, &name, &body)),
            };
            let opened = opened.unwrap_or_else(|error| error.to_string().into_bytes());
            let (answer, made_tables) = answered_without_tables(object, &name, &body);
            assert_eq!(String::from_utf8_lossy(&answer), String::from_utf8_lossy(&opened), "{object} {name}");
            makers.extend(made_tables.then_some(name));
        }
    }
    let expected = [
        "v1/advance-sweep",
        "v1/backfill-start",
        "v1/begin",
        "v1/claim-lines",
        "v1/count-ignored",
        "v1/dead-letter",
        "v1/erase",
        "v1/erasure-key",
        "v1/first-start",
        "v1/fix-partitions",
        "v1/make-cursor-key",
        "v1/make-token",
        "v1/mark-occupied",
        "v1/mark-registered",
        "v1/note-erased",
        "v1/note-skew",
        "v1/put-entry",
        "v1/record-self-check",
        "v1/register",
        "v1/report-attempt",
        "v1/sweep-step",
        "v1/take-turn",
        "v1/hold-backfills",
        "v1/unknown-folder",
    ];
    assert_eq!(makers, expected.map(str::to_owned).into());
}

#[test]
fn both_ends_of_a_call_spell_it_alike() {
    use raydex::audit::calls as audit_calls;
    check_forms!(
        "audit",
        audit_calls: AppendEvent AppendEvents ReadEntries ForgetTokens CountWritten RaiseChains ReportCosts ListCosts
            NoteErasures;
    );
    check_forms!("audit_chain", audit_calls: AppendEvent ReadEntries ForgetTokens RaiseChains;);
    check_forms!(
        "ledger",
        ledger_calls: BeginBatch RecordShards CheckPlan SealBatch QuarantineBatch ReplayBatch ForgetDeletedObject
            FindUnfinished MarkRegistered ClaimPayload ClaimPayloads CommitAttempt CommitAttempts SplitPayload DecideDelivery
            ListExpiredPacks MarkRemoved RearmAlarm GetTotals ListBatches GetBatch;
        payloads: ListPayloads CountPayloads DecidePayloads;
        partitions: FixPartitions;
        completeness: FindMissing;
        newest_batches: FindNewestBatches;
        absence: FindAbsence;
        outage: LearnPartner;
        backfill_sums: SumBackfill;
        erased_lines: ErasePayload;
        erasure_scope: FindInScope;
    );
    check_forms!("partner", partner: AskPartner GetPartner ReportAttempt TryPartner; pacer: HoldBackfills TakeTurn;);
    check_forms!(
        "registry",
        registry: RegisterLedger ListLedgers FindLedgers DeadLetter ListDeadLetters MarkRedriven DismissDeadLetter
            CountIgnoredEvents AdvanceSweep;
        sweep_round: GetSweepRound RecordSweepStep;
        first_start: MakeFirstStart;
        occupancy: MarkOccupied ReadOccupancy;
        unknown_folders: KeepUnknownFolder;
        layout_doubts: NoteSkew;
        self_check: RecordSelfCheck;
        tokens: MakeToken FindToken GetToken ListTokenHashes ListTokens RevokeToken;
        cursor_keys: GetCursorKeys MakeCursorKey;
        backfills: StartBackfill ListBackfills FindUnfinishedBackfills RecordBackfillStep SwitchBackfill CountEndedObject;
        backfill_ledgers: ListBackfillLedgers RecordBackfillSums;
        erasures: MakeErasureKey StartErasure ReadErasureRules ListErasures NoteErased ListErasedPayloads;
    );
    check_forms!(
        "shard",
        index_calls: PutEntry FindRay FindFamily ForgetEntry ListShardBatches;
        claims: ClaimLines RemoveClaims;
    );
    check_forms!("spool", handover: HandOver;);
}

#[test]
fn every_call_is_in_a_story() {
    for StoredObject { name, calls: lists, .. } in objects() {
        let names: BTreeSet<String> = lists.concat().into_iter().map(str::to_owned).collect();
        let played: BTreeSet<String> = calls(&story_of(name)).into_iter().map(|(call, ..)| call).collect();
        assert_eq!(played, names, "{name}");
    }
}

#[test]
fn every_table_has_a_stored_row() {
    for name in OBJECTS {
        let text = stored_text(&format!("stored/{name}.sql"));
        let tables: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("CREATE TABLE ")).collect();
        // The tables that are only read have their rows in a file of their own.
        let text = text.clone()
            + &if name.starts_with("audit") { stored_text("stored/audit_entries.sql") } else { String::new() };
        assert!(!tables.is_empty());
        for table in tables.iter().map(|table| table.split([' ', '(']).next().unwrap()) {
            assert!(text.contains(&format!("INSERT INTO {table} VALUES")), "{name}: {table}");
        }
    }
}
