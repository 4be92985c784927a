//! What expires by itself under the real runtime. Between two lives of it, all that it stored is made older, and its alarms due.

use std::fs;
use std::path::{Path, PathBuf};

use raydex::record::Dataset;
use raydex::sample::SamplePlan;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::harness::Harness;

/// By how much it is made older.
const OLDER_MS: i64 = 40 * 86_400_000;
/// An instant that has passed, in Unix nanoseconds.
const PAST_NS: i64 = 1_774_680_000_000_000_000;

/// The databases of a class of objects, by the folder of the state, with the runtime's own of its alarms.
fn databases(state: &Path, folder: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(state.join(folder)).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "sqlite")).collect()
}

/// Runs the statements whose tables the database has.
fn change(database: &Path, statements: &[(&str, String)]) {
    let database = Connection::open(database).unwrap();
    for (table, statement) in statements {
        let known = "SELECT count(*) FROM sqlite_master WHERE name = ?";
        if database.query_row(known, [table], |row| row.get::<_, i64>(0)).unwrap() > 0 {
            database.execute(statement, []).unwrap();
        }
    }
}

/// Number of rows of a table in all databases of a class.
fn rows(state: &Path, class: &str, table: &str) -> i64 {
    let count = |path: &PathBuf| {
        let database = Connection::open(path).unwrap();
        database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).unwrap_or(0)
    };
    let all = databases(state, &format!("objects/raydex-{class}"));
    all.iter().filter(|path| !path.ends_with("metadata.sqlite")).map(count).sum()
}

/// When the next alarm of a class goes off, in Unix nanoseconds.
fn next_alarm(state: &Path, class: &str) -> i64 {
    let alarms = Connection::open(state.join(format!("objects/raydex-{class}/metadata.sqlite"))).unwrap();
    let next = "SELECT coalesce(min(scheduled_time), 0) FROM _cf_ALARM";
    alarms.query_row(next, [], |row| row.get(0)).unwrap()
}

fn make_older(state: &Path) {
    let older = |table, columns: &[&str]| {
        let columns: Vec<String> = columns.iter().map(|column| format!("{column} = {column} - {OLDER_MS}")).collect();
        (table, format!("UPDATE {table} SET {}", columns.join(", ")))
    };
    let statements = [
        older("entry_v1", &["uploaded_ms", "written_ms"]),
        older("claim_v1", &["written_ms"]),
        older("source_v1", &["uploaded_ms", "written_ms", "first_seen_ms", "sealed_ms"]),
        older("_mf_objects", &["uploaded"]),
        older("delivery_v1", &["completed_ms"]),
        older("delivery_group_v1", &["completed_ms"]),
        ("_cf_METADATA", format!("UPDATE _cf_METADATA SET value = {PAST_NS} WHERE key = 1")),
        ("_cf_ALARM", format!("UPDATE _cf_ALARM SET scheduled_time = {PAST_NS}")),
    ];
    for folder in ["objects/raydex-RayShard", "objects/raydex-Ledger", "bucket/miniflare-R2BucketObject"] {
        for path in databases(state, folder) {
            change(&path, &statements);
        }
    }
}

#[test]
fn index_and_accounts_follow_the_logs() {
    let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join("expiry");
    let _none = fs::remove_dir_all(&state);
    let batch = SamplePlan { batches: 1, window_ms: 30_000, records: 40, ..SamplePlan::default() }
        .batch(Dataset::HttpRequests, 0);
    let ray = batch.lines[0].ray.to_string();
    let options = |settings: &Value| {
        let mut all = json!({
            "API_TOKEN_SHA256": "", "API_RATE_PER_MINUTE": "0", "LOG_RETENTION_DAYS": "30", "ACCOUNTS_RETENTION_DAYS": "31",
        });
        all["API_TOKEN_SHA256"] = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(super::harness::TOKEN)).into();
        all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        json!({ "state": state, "partner": true, "settings": all })
    };
    let harness = Harness::with(options(&json!({})));
    assert_eq!(harness.index(&batch.key, &batch.gzip)["verdict"], "sealed");
    harness.wait_for("the delivery", || (harness.partner()["lines"] == batch.written.records).then_some(()));
    let line_sums = |harness: &Harness| harness.read("/v1/stats")["lines"].clone();
    harness.wait_for("the accounts", || (line_sums(&harness)["delivered"] == batch.written.records).then_some(()));
    let before = line_sums(&harness);
    drop(harness);
    assert!(rows(&state, "RayShard", "entry_v1") > 0 && rows(&state, "RayShard", "claim_v1") > 0);
    assert_eq!(rows(&state, "Ledger", "source_v1"), 1);

    // A deployment that says nothing of retention forgets nothing.
    make_older(&state);
    let harness = Harness::with(options(&json!({ "LOG_RETENTION_DAYS": "", "ACCOUNTS_RETENTION_DAYS": "" })));
    harness.wait_for("the alarms", || (next_alarm(&state, "RayShard") > PAST_NS).then_some(()));
    harness.wait_for("the ledger's", || (next_alarm(&state, "Ledger") > PAST_NS).then_some(()));
    assert_eq!(harness.native("http_requests", &ray).status, 200);
    assert_eq!(rows(&state, "Ledger", "source_v1"), 1);
    drop(harness);

    make_older(&state);
    let harness = Harness::with(options(&json!({})));
    harness.wait_for("the shards", || (rows(&state, "RayShard", "entry_v1") == 0).then_some(()));
    harness.wait_for("the claims", || (rows(&state, "RayShard", "claim_v1") == 0).then_some(()));
    harness.wait_for("the ledger", || (rows(&state, "Ledger", "source_v1") == 0).then_some(()));
    assert_eq!((rows(&state, "RayShard", "sqlite_master"), rows(&state, "Ledger", "delivery_v1")), (0, 0));
    assert_eq!(harness.native("http_requests", &ray).status, 404);
    assert_eq!(line_sums(&harness), before);

    for folder in ["windows", "summaries", "payloads"] {
        assert!(harness.list(&format!("raydex/{folder}/")).is_empty(), "{folder}");
    }

    // Its object is restored: it is found again, and not delivered again.
    harness.announce(&harness.put(&batch.key, &batch.gzip));
    harness.wait_for("the index", || (harness.native("http_requests", &ray).status == 200).then_some(()));
    harness.cron("* * * * *");
    let after = harness.wait_for("the accounts", || {
        let after = line_sums(&harness);
        (after["filtered"]["before_start"] == batch.written.records).then_some(after)
    });
    assert_eq!((&after["delivered"], &after["unaccounted"]), (&before["delivered"], &json!(0)));
    assert_eq!(harness.partner()["lines"], 0, "this partner was started with the runtime, and heard of nothing");
    drop(harness);
    fs::remove_dir_all(&state).unwrap();
}
