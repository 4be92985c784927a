//! Databases of other versions: those of the fixtures of every version, those that a newer code wrote, and what happens when a
//! migration fails. Each test is for every kind of object; the schema of the next version is made here.

use std::cell::Cell;
use std::fs;

use raydex::access::ChainNumber;
use raydex::audit::calls::RaiseChains;
use raydex::audit::{self, AUDIT};
use raydex::backend::{BackendError, DurableObjects, SqlAnswer, SqlDatabase, SqlValue};
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::index::shard;
use raydex::ledger::ids::REGISTRY;
use raydex::ledger::{self, partner, registry};
use raydex::limits::ALARM_AGAIN_MS;
use raydex::r2_event::R2Event;
use raydex::rpc::{self, Migration, MigrationStep, OBJECT_TOO_NEW, ObjectSchema, RunStatement};
use raydex::spool::{self, SpoolBounds};
use serde_json::Value;

use super::api::{Ask, json};
use super::calls::{LEDGER, OBJECTS, StoryObject, body_bytes, calls, dump, load, play, spooled, story_of};
use super::support::gzip::gzip;
use super::support::ledgers::only_ledger;
use super::support::partner::delivering;
use super::support::records::{http, ndjson, ray};
use super::support::{Consumers, Fakes, Fault, Faults, Kind, NOW_MS, Reply, SqliteSql, run};
use super::{FOLDER, stored_text};

/// The mark of an object, as `dump` writes it.
const MARK: &str = "CREATE VIEW schema_version AS SELECT 1 AS version, 1 AS readable_from;\n";
/// Of an object that a much newer code wrote.
const NEWER: &str = "CREATE VIEW schema_version AS SELECT 9 AS version, 9 AS readable_from";

/// The schema of an object of the fixtures.
fn schema_of(name: &str) -> ObjectSchema {
    match name {
        "audit" | "audit_chain" => audit::OBJECT,
        "ledger" => ledger::OBJECT,
        "partner" => partner::OBJECT,
        "registry" => registry::OBJECT,
        "shard" => shard::OBJECT,
        "spool" => spool::OBJECT,
        other => panic!("{other} has no schema"),
    }
}

/// The two versions after this one: the next adds a column and a table and writes tables anew, the one after it another table.
fn later_schema(current: &ObjectSchema, versions: u32, readable_from: u32) -> ObjectSchema {
    let column = format!("ALTER TABLE {} ADD COLUMN added INTEGER NOT NULL DEFAULT 7", current.first_table);
    let next = [
        MigrationStep::Statement(column.leak()),
        MigrationStep::Statement("CREATE TABLE added_v2 (name TEXT PRIMARY KEY, tables INTEGER NOT NULL)"),
        MigrationStep::Function(rewrite_tables),
    ];
    let second = [MigrationStep::Statement("CREATE TABLE added_v3 (name TEXT PRIMARY KEY, value TEXT)")];
    let migrations = [
        Migration { from: current.version, steps: next.to_vec().leak() },
        Migration { from: current.version + 1, steps: second.to_vec().leak() },
    ];
    let migrations = [current.migrations, &migrations].concat().leak();
    ObjectSchema { version: current.version + versions, readable_from, migrations, ..*current }
}

/// Writes each table anew that no view reads, and notes how many there are.
fn rewrite_tables(run: &RunStatement<'_>) -> Result<(), BackendError> {
    let found = run("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name", &[])?.rows;
    for row in &found {
        let [name, statement] = [0, 1].map(|column| row[column].as_text().unwrap());
        if ["sqlite_", "delivery_", "added_"].iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        run(&statement.replacen(name, &format!("{name}_anew"), 1), &[])?;
        run(&format!("INSERT INTO {name}_anew SELECT * FROM {name}"), &[])?;
        run(&format!("DROP TABLE {name}"), &[])?;
        run(&format!("ALTER TABLE {name}_anew RENAME TO {name}"), &[])?;
    }
    run("INSERT INTO added_v2 VALUES ('tables', ?)", &[SqlValue::number(found.len() as u64)]).map(drop)
}

/// A database with these statements.
fn database(statements: &str) -> SqliteSql {
    let sql = SqliteSql::new(&Faults::default());
    load(&sql, statements);
    sql
}

fn stored_rows(name: &str) -> String {
    stored_text(&format!("stored/{name}.sql"))
}

/// What the calls that only read are answered, and the answers of the fixtures.
fn assert_reads_answer(name: &str, rows: &str, context: &str) {
    let story = story_of(name);
    let (_, reads) = story.split_once("\nrows\n").unwrap();
    assert_eq!(play(reads, &StoryObject::new(name, rows)).0, reads, "{name}: {context}");
}

/// What serves a call of an object, as on the platform.
fn serve(name: &str, sql: &SqliteSql, call: &str, body: &[u8]) -> Result<Vec<u8>, BackendError> {
    let is_open = Cell::new(false);
    let reply = match name {
        "ledger" => ledger::serve(sql, &is_open, LEDGER, (call, body), NOW_MS)?,
        "partner" => partner::serve(sql, &is_open, (call, body), NOW_MS)?,
        "registry" => registry::serve(sql, &is_open, (call, body), NOW_MS)?,
        "shard" => return shard::serve(sql, &is_open, call, body),
        "spool" => spool::serve(sql, &is_open, (call, body), (&spooled(), SpoolBounds::default()), "5700", NOW_MS)?,
        _ => {
            let fakes = Fakes::new();
            load(&fakes.audits.sql, &dump(sql));
            let answer = run(fakes.audits.call(AUDIT, call, body.to_vec()));
            assert!(answer.is_ok() || dump(&fakes.audits.sql) == dump(sql), "{call} changed an object that it refused");
            return answer;
        }
    };
    Ok(reply.body)
}

/// A database that counts statements, and fails at one of them.
struct CountedSql<'a> {
    sql: &'a SqliteSql,
    statements: Cell<u32>,
    /// The statement that fails, and whether it happened nevertheless.
    fault: Option<(u32, Fault)>,
}

impl<'a> CountedSql<'a> {
    fn new(sql: &'a SqliteSql, fault: Option<(u32, Fault)>) -> Self {
        Self { sql, statements: Cell::new(0), fault }
    }
}

impl SqlDatabase for CountedSql<'_> {
    fn run(&self, statement: &str, parameters: &[SqlValue]) -> Result<SqlAnswer, BackendError> {
        self.statements.set(self.statements.get() + 1);
        let fault = self.fault.filter(|(number, _)| *number == self.statements.get());
        if matches!(fault, Some((_, Fault::Fails))) {
            return Err(BackendError::new("a test", "fails"));
        }
        let answer = self.sql.run(statement, parameters)?;
        if fault.is_some() { Err(BackendError::new("a test", "fails")) } else { Ok(answer) }
    }

    fn transaction(&self, work: &mut dyn FnMut() -> Result<(), BackendError>) -> Result<(), BackendError> {
        self.sql.transaction(work)
    }
}

/// Opens an object as a code of this schema does that has not seen it before.
fn touch(schema: &ObjectSchema, sql: &impl SqlDatabase) -> Result<bool, BackendError> {
    schema.ensure(sql, &Cell::new(false))
}

/// The folders of fixtures, one for each version, from the oldest on.
fn version_folders() -> Vec<String> {
    let folders = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")).unwrap();
    let names = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with('v')).collect();
    names.sort();
    names
}

#[test]
fn rows_of_every_version_answer_as_today() {
    let versions = version_folders();
    assert!(versions.iter().any(|version| FOLDER.ends_with(version.as_str())), "{versions:?}");
    for version in versions {
        for name in OBJECTS {
            let path = format!("{}/tests/fixtures/{version}/stored/{name}.sql", env!("CARGO_MANIFEST_DIR"));
            // A kind of object that the version did not have.
            let Ok(rows) = fs::read_to_string(path) else { continue };
            let (sql, schema) = (database(&rows), schema_of(name));
            assert_eq!(touch(&schema, &sql), Ok(true), "{version} {name}");
            let migrated = dump(&sql);
            let mark = format!("SELECT {} AS version, {} AS readable_from;", schema.version, schema.readable_from);
            assert!(migrated.contains(&mark), "{version} {name}");
            assert_reads_answer(name, &migrated, &version);
        }
    }
}

#[test]
fn schemas_have_a_migration_from_every_version() {
    for name in OBJECTS {
        let schema = schema_of(name);
        let from: Vec<u32> = schema.migrations.iter().map(|migration| migration.from).collect();
        assert_eq!(from, (1..schema.version).collect::<Vec<_>>(), "{name}");
        assert!((1..=schema.version).contains(&schema.readable_from), "{name}");
        let first = format!("CREATE TABLE {} (", schema.first_table);
        let oldest = fs::read_to_string(format!(
            "{}/tests/fixtures/{}/stored/{name}.sql",
            env!("CARGO_MANIFEST_DIR"),
            version_folders()[0]
        ));
        assert!(oldest.unwrap().contains(&first), "{name} began with {first}");
    }
}

#[test]
fn migrated_tables_equal_new_ones() {
    for version in version_folders() {
        for name in OBJECTS {
            let path = format!("{}/tests/fixtures/{version}/stored/{name}.sql", env!("CARGO_MANIFEST_DIR"));
            let Ok(rows) = fs::read_to_string(path) else { continue };
            let (old, new, schema) = (database(&rows), database(""), schema_of(name));
            touch(&schema, &old).unwrap();
            schema.make(&new).unwrap();
            for table in new.run("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')", &[]).unwrap().rows {
                let columns = format!("PRAGMA table_info({})", table[0].as_text().unwrap());
                let [old, new] = [&old, &new].map(|sql| sql.run(&columns, &[]).unwrap().rows);
                assert!(!new.is_empty() && old == new, "{version} {name}: {columns}");
            }
        }
    }
}

#[test]
fn current_object_costs_one_read_an_instance() {
    for name in OBJECTS {
        let (rows, schema) = (stored_rows(name), schema_of(name));
        assert!(rows.contains(MARK), "{name}");
        let (sql, is_open) = (database(&rows), Cell::new(false));
        let counted = CountedSql::new(&sql, None);
        for _ in 0..3 {
            assert_eq!(schema.ensure(&counted, &is_open), Ok(true), "{name}");
            assert_eq!(counted.statements.get(), 1, "{name}");
        }
        assert_eq!(dump(&sql), rows, "{name}");
        let empty = database("");
        assert_eq!((touch(&schema, &empty), dump(&empty)), (Ok(false), String::new()), "{name}");
    }
}

#[test]
fn older_objects_migrate_at_their_first_touch() {
    for name in OBJECTS {
        for versions in [1, 2] {
            let later = later_schema(&schema_of(name), versions, 1);
            let sql = database(&stored_rows(name));
            assert_eq!(touch(&later, &sql), Ok(true), "{name}");
            let migrated = dump(&sql);
            let version = later.version;
            assert!(migrated.contains(&format!("SELECT {version} AS version, 1 AS readable_from")), "{migrated}");
            assert!(migrated.contains("added INTEGER NOT NULL DEFAULT 7"), "{migrated}");
            assert!(migrated.contains("INSERT INTO added_v2 VALUES ('tables', "), "{migrated}");
            assert_eq!(migrated.contains("CREATE TABLE added_v3"), versions == 2, "{migrated}");
            assert_reads_answer(name, &migrated, "migrated");
            let counted = CountedSql::new(&sql, None);
            assert_eq!((touch(&later, &counted), counted.statements.get()), (Ok(true), 1), "{name}");
            assert_eq!(dump(&sql), migrated, "{name}: a second touch changes nothing");
        }
    }
}

#[test]
fn failed_migration_leaves_the_object_untouched() {
    for name in OBJECTS {
        let (rows, later) = (stored_rows(name), later_schema(&schema_of(name), 2, 3));
        let sql = database(&rows);
        let counted = CountedSql::new(&sql, None);
        touch(&later, &counted).unwrap();
        let migrated = dump(&sql);
        for (number, fault) in (1..=counted.statements.get()).flat_map(|at| Fault::BOTH.map(|fault| (at, fault))) {
            let sql = database(&rows);
            assert!(touch(&later, &CountedSql::new(&sql, Some((number, fault)))).is_err(), "{name} {number}");
            assert_eq!(dump(&sql), rows, "{name}: statement {number} failed");
            assert_eq!(touch(&later, &sql), Ok(true), "{name} {number}");
            assert_eq!(dump(&sql), migrated, "{name}: the next touch migrates");
        }
        for fault in Fault::BOTH {
            let faults = Faults::default();
            let sql = SqliteSql::new(&faults);
            load(&sql, &rows);
            faults.plan(Some(Kind::Commit), 0, fault);
            assert!(touch(&later, &sql).is_err(), "{name}");
            assert_eq!(dump(&sql), if fault == Fault::Fails { &*rows } else { &*migrated }, "{name}");
            assert_eq!((touch(&later, &sql), dump(&sql)), (Ok(true), migrated.clone()), "{name}");
        }
    }
}

#[test]
fn code_before_serves_objects_that_it_can_read() {
    for name in OBJECTS {
        let (current, story) = (schema_of(name), story_of(name));
        let later = later_schema(&current, 1, current.version);
        let sql = database(&stored_rows(name));
        touch(&later, &sql).unwrap();
        let migrated = dump(&sql);
        assert_eq!((touch(&current, &sql), dump(&sql)), (Ok(true), migrated.clone()), "{name}: it stays as it is");
        assert_reads_answer(name, &migrated, "rolled back");
        // What it writes there, the newer code finds.
        if name != "spool" {
            let object = StoryObject::new(name, "");
            touch(&later, &object.sql).unwrap();
            assert_eq!(play(&story, &object).0, story, "{name}");
            assert_eq!(touch(&later, &object.sql), Ok(true), "{name}");
        }
    }
}

#[test]
fn code_before_refuses_objects_that_it_cannot_read() {
    for name in OBJECTS {
        let current = schema_of(name);
        let sql = database(&stored_rows(name));
        touch(&later_schema(&current, 1, current.version + 1), &sql).unwrap();
        let migrated = dump(&sql);
        let mut asked = 0;
        for (call, body, _) in calls(&story_of(name)) {
            let refused = serve(name, &sql, &call, &body_bytes(&body)).unwrap_err().to_string();
            assert!(refused.contains(OBJECT_TOO_NEW) && refused.contains("Nothing was changed"), "{call}: {refused}");
            asked += 1;
        }
        assert!(asked > 0 && dump(&sql) == migrated, "{name}: nothing is changed");
        assert_eq!(touch(&later_schema(&current, 1, current.version + 1), &sql), Ok(true), "{name}: nor lost");
    }
}

#[test]
fn alarms_wait_for_code_that_can_read() {
    let fakes = Fakes::new();
    let ledger = fakes.ledgers.ledger(LEDGER);
    load(&ledger.sql, &stored_rows("ledger"));
    replace_mark(&ledger.sql, NEWER);
    let rows = dump(&ledger.sql);
    let set = AlarmOf(&ledger.alarm_ms);
    let woken = run(ledger::open_woken(&ledger.sql, &Cell::new(false), &set, || NOW_MS));
    assert!(woken.unwrap_err().to_string().contains(OBJECT_TOO_NEW));
    assert_eq!((ledger.alarm_ms.get(), dump(&ledger.sql)), (Some(NOW_MS + ALARM_AGAIN_MS), rows));
    load(&fakes.audits.sql, &stored_rows("audit"));
    replace_mark(&fakes.audits.sql, NEWER);
    let rows = dump(&fakes.audits.sql);
    assert!(run(fakes.audits.ring(&fakes.bucket)).unwrap_err().to_string().contains(OBJECT_TOO_NEW));
    assert!(fakes.audits.alarm_ms.get().is_some_and(|at_ms| at_ms > NOW_MS));
    assert_eq!(dump(&fakes.audits.sql), rows);
}

/// An alarm that is only set.
struct AlarmOf<'a>(&'a Cell<Option<i64>>);

impl ledger::Alarm for AlarmOf<'_> {
    async fn set(&self, at_ms: Option<i64>) -> Result<(), BackendError> {
        self.0.set(at_ms);
        Ok(())
    }
}

fn replace_mark(sql: &SqliteSql, mark: &str) {
    sql.run("DROP VIEW IF EXISTS schema_version", &[]).unwrap();
    sql.run(mark, &[]).unwrap();
}

#[test]
fn unmarked_tables_are_of_the_first_version() {
    for name in OBJECTS {
        let unmarked = stored_rows(name).replace(MARK, "");
        for schema in [schema_of(name), later_schema(&schema_of(name), 2, 1)] {
            let sql = database(&unmarked);
            assert_eq!(touch(&schema, &sql), Ok(true), "{name}");
            assert!(dump(&sql).contains(&format!("SELECT {} AS version", schema.version)), "{name}");
            assert_reads_answer(name, &dump(&sql), "unmarked");
        }
    }
}

#[test]
fn unreadable_marks_are_refused() {
    for mark in
        ["SELECT 'x' AS version, 1 AS readable_from", "SELECT 1 AS form", "SELECT -1 AS version, 1 AS readable_from"]
    {
        let sql = database(&stored_rows("shard"));
        replace_mark(&sql, &format!("CREATE VIEW schema_version AS {mark}"));
        let refused = touch(&shard::OBJECT, &sql).unwrap_err().to_string();
        assert!(refused.contains("object_version_unreadable"), "{mark}: {refused}");
    }
}

#[test]
fn batch_waits_while_its_ledger_is_too_new() {
    let consumers = Consumers::new(delivering(&[]), |_, _| Reply::Status(200));
    let fakes = &consumers.fakes;
    let key = "logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_a.log.gz";
    let head = fakes.bucket.store(key, &gzip(&ndjson([http(&ray(1).to_string(), 0)])));
    let event = serde_json::to_string(&R2Event::put_object(BUCKET_NAME, key, head.size, &head.etag, NOW_MS)).unwrap();
    let sql = fakes.ledgers.ledger(&only_ledger(key)).sql;
    replace_mark(&sql, NEWER);
    let verdict = consumers.parse(&event, 1);
    assert!(verdict.retry_s.is_some() && fakes.sends.take().is_empty(), "{verdict:?}");
    sql.run("DROP VIEW schema_version", &[]).unwrap();
    assert_eq!(consumers.parse(&event, 2).verdict.name(), "sealed");
    assert_eq!(fakes.sends.take().len(), 1);
}

#[test]
fn deep_health_check_names_objects_too_new() {
    let fakes = Fakes::new();
    let third = ChainNumber::new(3).unwrap();
    run(rpc::call(&fakes.audits, AUDIT, &RaiseChains { chains: 4 })).unwrap();
    for (part, sql) in [("audit_log", fakes.audits.chain(third).sql), ("ledgers", fakes.ledgers.ledger(REGISTRY).sql)] {
        assert_eq!(health_of(&fakes, part)["status"], "ok");
        replace_mark(&sql, NEWER);
        let check = health_of(&fakes, part);
        assert_eq!(check["status"], "failing", "{check}");
        assert!(check["detail"].as_str().unwrap().starts_with(OBJECT_TOO_NEW), "{check}");
    }
}

fn health_of(fakes: &Fakes, part: &str) -> Value {
    let checks = json(&Ask::get("/healthz?deep=1").of(fakes))["checks"].clone();
    checks.as_array().unwrap().iter().find(|check| check["name"] == part).unwrap().clone()
}
