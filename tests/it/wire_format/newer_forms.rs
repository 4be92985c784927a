//! What a newer code wrote in a form that this code does not know: it is refused, retried or done without, and never misread.
//! `docs/upgrades.md` lists the forms and their marks; `versions` has the databases of the objects.

use std::cell::Cell;

use raydex::audit::AUDIT;
use raydex::audit::positions::ChainPositions;
use raydex::backend::{BackendError, DurableObjects, SqlDatabase, SqlValue};
use raydex::bucket_keys::{FIRST_START, KeyClass, LogPrefixes, PAYLOADS, SegmentName, classify};
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::index::shard;
use raydex::ledger::{self, BatchId, DeliveryId, partner, registry};
use raydex::r2_event::R2Event;
use raydex::services::IsolateMemory;
use raydex::spool::{self, SpoolBounds};
use raydex::summary::spans::SpanSummaries;

use super::api::{Ask, json, problem, without_trailer};
use super::calls::{LEDGER, OBJECTS, StoryObject, dump, load, spooled};
use super::stored::{BATCH, KEY, RAY, ROWS, SHARD, indexed, store};
use super::support::gzip::{gunzip, gzip};
use super::support::partner::delivering;
use super::support::{Consumers, Fakes, NOW_MS, Reply, SqliteSql, run};
use super::{from_hex, stored_text};

/// The batch of the fixtures, indexed, with the line that has [`RAY`].
fn stored_batch() -> (Fakes, String) {
    let fakes = Fakes::new();
    let batch = from_hex(&stored_text(BATCH));
    fakes.bucket.store(KEY, &batch);
    load(&fakes.shards.object(SHARD), &stored_text(ROWS));
    let text = String::from_utf8(gunzip(&batch)).unwrap();
    (fakes, text.lines().find(|line| line.contains(RAY)).unwrap().to_owned())
}

/// Writes an object of a fixture with other bytes.
fn store_changed(fakes: &Fakes, path: &str, change: impl Fn(&mut Vec<u8>)) {
    let text = stored_text(path);
    let key = text.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap();
    let mut bytes = from_hex(&text);
    change(&mut bytes);
    fakes.bucket.store(key, &bytes);
}

/// Makes the first byte of each BLOB in a column 2.
fn raise_first_bytes(sql: &SqliteSql, table: &str, column: &str) {
    let rows = sql.run(&format!("SELECT {column} FROM {table}"), &[]).unwrap().rows;
    assert!(!rows.is_empty());
    for row in rows {
        let SqlValue::Blob(mut bytes) = row[0].clone() else { panic!("{row:?}") };
        bytes[0] = 2;
        let statement = format!("UPDATE {table} SET {column} = ? WHERE {column} = ?");
        sql.run(&statement, &[SqlValue::Blob(bytes), row[0].clone()]).unwrap();
    }
}

#[test]
fn windows_of_another_form_are_done_without() {
    let (fakes, line) = stored_batch();
    // A group begins with 0x07; a stream of deflate that is packed alone never has these bits.
    store_changed(&fakes, "stored/windows.hex", |bytes| {
        bytes.iter_mut().filter(|byte| **byte == 7).for_each(|byte| *byte = 0x0f);
    });
    assert_eq!(fakes.lines(RAY), [line], "the batch is read in full");
}

#[test]
fn summaries_of_another_form_rule_nothing_out() {
    let mut bytes = from_hex(&stored_text("stored/summaries.hex"));
    assert!(SpanSummaries::from_bytes(&bytes).is_some());
    bytes[0] = 2;
    assert!(SpanSummaries::from_bytes(&bytes).is_none());
    let search = "/v1/logs?start=2026-03-28T08:00:00Z&end=2026-03-28T09:00:00Z&limit=100";
    let answered = |with_summary: bool| {
        let (consumers, _) = indexed();
        if !with_summary {
            raise_first_bytes(&consumers.fakes.shards.object(SHARD), "entry_v1", "summary");
            store_changed(&consumers.fakes, "stored/summaries.hex", |bytes| bytes[0] = 2);
        }
        let reply = Ask::get(search).of(&consumers.fakes);
        without_trailer(&reply.body)
    };
    let expected = answered(true);
    assert!(expected.contains(&b'\n'));
    assert_eq!(answered(false), expected);
}

#[test]
fn packed_rays_of_another_form_fail_the_lookup() {
    let (fakes, _) = stored_batch();
    store(&fakes, "stored/windows.hex");
    raise_first_bytes(&fakes.shards.object(SHARD), "part_v1", "rays");
    let (status, code) = problem(&Ask::get(&format!("/v1/rays/{RAY}")).of(&fakes));
    assert_eq!((status, code.as_str()), (503, "unavailable"), "and not 404");
}

#[test]
fn packs_in_another_folder_are_made_anew() {
    let (consumers, messages) = indexed();
    let bucket = &consumers.fakes.bucket;
    let packs: Vec<_> = bucket.contents().into_iter().filter(|(key, _)| key.starts_with(PAYLOADS)).collect();
    assert_eq!(packs.len(), 1);
    for (key, bytes) in packs {
        assert!(bucket.delete(&key));
        bucket.store(&key.replace("/v1/", "/v2/"), &bytes);
    }
    let verdicts: Vec<_> = messages.iter().map(|message| consumers.send(message, 1).verdict.name()).collect();
    assert_eq!(verdicts, ["delivered", "delivered"]);
}

#[test]
fn keys_of_another_version_are_no_logs() {
    let prefixes = LogPrefixes::one("");
    for key in [
        "raydex/payloads/v2/a",
        "raydex/windows/v2/a",
        "raydex/summaries/v2/a",
        "raydex/first-start/v2",
        "raydex/new/v1/a",
    ] {
        assert!(matches!(classify(key, &prefixes), KeyClass::Ignored(_)), "{key}");
    }
    let hash = "5a".repeat(32);
    for name in ["v2-", "chain-v2-"] {
        let key = format!("raydex/audit/v1/{name}00000000000000000001-00000000000000010000-{hash}.ndjson.gz");
        assert_eq!(SegmentName::parse(&key), None, "{key}");
    }
}

#[test]
fn segment_of_another_form_is_reported() {
    let fakes = Fakes::new();
    load(&fakes.audits.sql, &stored_text("stored/audit.sql"));
    store_changed(&fakes, "stored/audit_segment.hex", |bytes| *bytes = gzip(b"{\"v2\":{\"seq\":1}}\n"));
    let reply = Ask::get("/v1/audit?after=0&limit=2").of(&fakes);
    assert_eq!(problem(&reply), (502, "audit_damaged".into()));
}

#[test]
fn first_start_of_another_form_is_still_one() {
    let mut consumers = Consumers::new(delivering(&[]), |_, _| Reply::Status(200));
    // An isolate that knows of no start, and a registry that was lost.
    consumers.fakes.isolate = IsolateMemory::default();
    let fakes = &consumers.fakes;
    fakes.bucket.store(FIRST_START, b"{\"v2\":1}");
    fakes.bucket.set_clock(NOW_MS - 3_600_000);
    let head = fakes.bucket.store(KEY, &from_hex(&stored_text(BATCH)));
    let event = R2Event::put_object(BUCKET_NAME, KEY, head.size, &head.etag, NOW_MS);
    consumers.parse(&serde_json::to_string(&event).unwrap(), 1);
    assert!(fakes.sends.take().is_empty(), "nothing of before is delivered again");
}

#[test]
fn messages_of_another_form_are_kept() {
    let consumers = Consumers::new(delivering(&[]), |_, _| Reply::Status(200));
    let body = r#"{"v2":{"anything":[1,2,3]}}"#;
    let verdict = consumers.send(body, 1);
    assert_eq!(verdict.verdict.name(), "bad_message");
    for attempt in 1..4 {
        let verdict = consumers.parse(body, attempt);
        assert!(verdict.retry_s.is_some() || !consumers.fakes.dead_letters().is_empty(), "{verdict:?}");
    }
    let kept: Vec<String> = consumers.fakes.dead_letters().into_iter().map(|(_, _, body)| body).collect();
    assert!(kept.iter().any(|kept| kept == body), "a person redrives it after the upgrade: {kept:?}");
}

#[test]
fn unknown_calls_change_nothing_in_any_object() {
    for name in OBJECTS {
        let object = StoryObject::new(name, &stored_text(&format!("stored/{name}.sql")));
        let rows = dump(&object.sql);
        for call in ["v2/read", "v2/begin", "v1/of-a-newer-version", ""] {
            let answer = answer_unknown(name, &object, call);
            assert!(answer.unwrap_err().to_string().contains("the call is unknown"), "{name} {call}");
        }
        assert_eq!(dump(&object.sql), rows, "{name}");
    }
}

/// What the object answers a call that it does not know.
fn answer_unknown(name: &str, object: &StoryObject, call: &str) -> Result<(), BackendError> {
    let (sql, is_open) = (&object.sql, Cell::new(false));
    match name {
        "ledger" => ledger::serve(sql, &is_open, LEDGER, (call, b"{}"), NOW_MS).map(drop),
        "partner" => partner::serve(sql, &is_open, (call, b"{}"), NOW_MS).map(drop),
        "registry" => registry::serve(sql, &is_open, (call, b"{}"), NOW_MS).map(drop),
        "shard" => shard::serve(sql, &is_open, call, b"{}").map(drop),
        "spool" => {
            let settings = spooled();
            spool::serve(sql, &is_open, (call, b"{}"), (&settings, SpoolBounds::default()), "5700", NOW_MS).map(drop)
        }
        _ => run(Fakes::new().audits.call(AUDIT, call, b"{}".to_vec())).map(drop),
    }
}

#[test]
fn cursors_and_places_of_another_form_are_refused() {
    let (consumers, _) = indexed();
    let search = "/v1/logs?start=2026-03-28T08:00:00Z&end=2026-03-28T09:00:00Z&limit=2";
    let reply = Ask::get(search).of(&consumers.fakes);
    let text = String::from_utf8(reply.body).unwrap();
    let trailer: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let cursor = trailer["raydex"]["cursor"].as_str().unwrap().to_owned();
    assert!(cursor.starts_with("Ag"), "the first byte is the form, 2: {cursor}");
    let next = |cursor: &str| Ask::get(&format!("{search}&cursor={cursor}")).of(&consumers.fakes);
    assert_eq!(next(&cursor).status, 200);
    assert_eq!(problem(&next(&cursor.replacen("Ag", "Aw", 1))), (400, "bad_cursor".into()));
    assert_eq!(ChainPositions::parse("c2.7.0.12"), None);
}

#[test]
fn handles_and_tokens_of_another_form_name_nothing() {
    let digest = "63".repeat(32);
    for handle in [
        format!("v2.20260328T08.{digest}"),
        format!("20260328T08.2-{digest}"),
        format!("20260328T08.{digest}.1.000003.v2"),
    ] {
        assert_eq!((BatchId::from_handle(&handle), DeliveryId::from_handle(&handle)), (None, None), "{handle}");
    }
    let fakes = Fakes::new();
    let reply = Ask::get("/v1/stats").by("rdx2_00000000000000000000000000000000000000000001U6qEI").of(&fakes);
    assert_eq!(reply.status, 401);
    assert_eq!(json(&reply)["code"], "unauthorized");
}
