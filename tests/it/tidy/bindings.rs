//! `wrangler.toml` and the code spell the same names.

use std::collections::BTreeSet;

use raydex::config::{DEFAULT_BUCKET_NAME as BUCKET_NAME, QueueNames};
use raydex::limits::{EDGE_QUEUE_RETRIES, PARSE_RETRY_S, SEND_RETRY_S};
use toml::{Table, Value};

use super::{capture, regex, text, toml};

/// A constant of `src/platform/env.rs`.
fn constant(name: &str) -> String {
    capture(&text("src/platform/env.rs"), &format!("const {name}: &str = \"([^\"]+)\";"))
}

/// The tables under `path`, such as `queues.producers`.
fn tables(wrangler: &Table, path: &str) -> Vec<Table> {
    let mut keys = path.split('.');
    let first = &wrangler[keys.next().unwrap()];
    let found = keys.fold(first, |value, key| &value[key]);
    found.as_array().unwrap().iter().map(|value| value.as_table().unwrap().clone()).collect()
}

/// The value under `value` of the table whose `key` is `name`.
fn of<'a>(tables: &'a [Table], key: &str, name: &str, value: &str) -> &'a Value {
    let table = tables.iter().find(|table| table[key].as_str() == Some(name));
    &table.unwrap_or_else(|| panic!("no {key} = {name}"))[value]
}

#[test]
fn the_bucket_is_bound_under_its_name() {
    let buckets = tables(&toml("wrangler.toml"), "r2_buckets");
    assert_eq!(of(&buckets, "binding", &constant("BUCKET"), "bucket_name").as_str(), Some(BUCKET_NAME));
    assert_eq!(buckets.len(), 1, "the data bucket is the operator's choice");
}

#[test]
fn queues_are_bound_and_consumed_as_specified() {
    let wrangler = toml("wrangler.toml");
    let (producers, consumers) = (tables(&wrangler, "queues.producers"), tables(&wrangler, "queues.consumers"));
    for (room, name, size, timeout, retries, dead) in [
        ("PARSE", "parse-queue", 5, 10, PARSE_RETRY_S.len(), "parse-dlq"),
        ("SEND", "send-queue", 10, 5, SEND_RETRY_S.len(), "send-dlq"),
    ] {
        let queue = constant(&format!("{room}_QUEUE_NAME"));
        assert_eq!(queue, name);
        assert_eq!(of(&producers, "binding", &constant(&format!("{room}_QUEUE")), "queue").as_str(), Some(name));
        let value = |name| of(&consumers, "queue", &queue, name);
        assert_eq!(value("max_batch_size").as_integer(), Some(size), "{queue}");
        assert_eq!(value("max_batch_timeout").as_integer(), Some(timeout), "{queue}");
        assert_eq!(value("dead_letter_queue").as_str(), Some(dead), "{queue}");
        let names = QueueNames::read(|_| None);
        let of_room = if room == "PARSE" { [names.parse, names.parse_dlq] } else { [names.send, names.send_dlq] };
        assert_eq!(of_room, [name, dead], "the defaults of the settings");
        // A delay for each retry.
        assert_eq!(value("max_retries").as_integer(), i64::try_from(retries).ok(), "{queue}");
    }
    assert_eq!((PARSE_RETRY_S.len(), SEND_RETRY_S.len()), (3, 5));
}

#[test]
fn dead_letter_queues_are_consumed_and_lose_nothing() {
    let wrangler = toml("wrangler.toml");
    let consumers = tables(&wrangler, "queues.consumers");
    let all: Vec<&str> = consumers.iter().map(|consumer| consumer["queue"].as_str().unwrap()).collect();
    for consumer in &consumers {
        let Some(dead) = consumer.get("dead_letter_queue") else {
            assert_eq!(consumer["max_retries"].as_integer(), Some(100), "as often as the platform allows: {consumer}");
            continue;
        };
        assert!(all.contains(&dead.as_str().unwrap()), "{dead} has no consumer");
    }
    assert_eq!(all.len(), 5);
}

#[test]
fn edge_queue_is_consumed_as_limits_say() {
    let consumers = tables(&toml("wrangler.toml"), "queues.consumers");
    let queue = constant("EDGE_QUEUE_NAME");
    assert_eq!((queue.as_str(), QueueNames::read(|_| None).edge.as_str()), ("edge-queue", "edge-queue"));
    assert_eq!(of(&consumers, "queue", &queue, "max_retries").as_integer(), Some(EDGE_QUEUE_RETRIES.into()));
}

#[test]
fn acks_do_not_wait_for_later_work() {
    assert!(flags().contains(&Value::from("queue_consumer_no_wait_for_wait_until")));
    assert!(text("src/platform/send_queue.rs").contains("wait_until"), "what the flag is for");
}

#[test]
fn a_request_learns_that_its_client_is_gone() {
    assert!(flags().contains(&Value::from("enable_request_signal")));
    assert!(text("src/platform/hang_up.rs").contains("fn signal(this: &AbortableRequest)"), "what the flag is for");
    assert_eq!(flags().len(), 2, "every flag has a test");
}

/// What the runtime does for us that it does not do by itself.
fn flags() -> Vec<Value> {
    toml("wrangler.toml")["compatibility_flags"].as_array().unwrap().clone()
}

#[test]
fn the_clock_comes_every_ten_minutes() {
    let crons = [Value::from("*/10 * * * *"), Value::from(constant("BACKFILL_CRON"))];
    assert_eq!(toml("wrangler.toml")["triggers"]["crons"].as_array().unwrap(), &crons);
    assert!(text("src/platform/entry.mjs").contains("wasm.scheduled("), "it is exported");
}

#[test]
fn the_durable_objects_are_bound_migrated_and_exported() {
    let wrangler = toml("wrangler.toml");
    let objects = tables(&wrangler, "durable_objects.bindings");
    let classes = [("RAY_SHARD", "RayShard"), ("LEDGER", "Ledger"), ("AUDIT", "Audit"), ("EDGE_SPOOL", "EdgeSpool")];
    for (binding, class) in classes {
        assert_eq!(of(&objects, "name", &constant(binding), "class_name").as_str(), Some(class));
    }
    let entry = text("src/platform/entry.mjs");
    let migrated: BTreeSet<String> = tables(&wrangler, "migrations")
        .iter()
        .flat_map(|migration| migration["new_sqlite_classes"].as_array().unwrap())
        .map(|class| class.as_str().unwrap().to_owned())
        .collect();
    for object in &objects {
        let class = object["class_name"].as_str().unwrap();
        assert!(migrated.contains(class), "{class} has no migration");
        assert!(
            entry.contains(&format!("export const {class} = durableObject(\"{class}\");")),
            "{class} is not exported"
        );
        let shells = super::files("src/platform");
        let shell = regex(&format!(r"#\[durable_object\([a-z, ]*\)\]\npub struct {class}\b"));
        assert!(shells.iter().any(|file| shell.is_match(&file.text)), "{class} has no shell");
    }
    assert_eq!(migrated.len(), objects.len());
}

#[test]
fn every_binding_in_code_is_in_wrangler() {
    let env = text("src/platform/env.rs");
    let wrangler = text("wrangler.toml");
    for found in regex("const [A-Z_]+: &str = \"([^\"]+)\";").captures_iter(&env) {
        assert!(wrangler.contains(&format!("\"{}\"", &found[1])), "{} is not in wrangler.toml", &found[1]);
    }
}

#[test]
fn edge_logger_has_bucket_producers_and_durable_buffer() {
    let wrangler = toml("wrangler.toml");
    let edge = wrangler["env"]["edge"].as_table().unwrap();
    let buckets = tables(edge, "r2_buckets");
    assert_eq!(of(&buckets, "binding", &constant("BUCKET"), "bucket_name").as_str(), Some(BUCKET_NAME));
    let producers = tables(edge, "queues.producers");
    let queue = of(&producers, "binding", &constant("PARSE_QUEUE"), "queue").as_str();
    assert_eq!((queue, producers.len(), buckets.len()), (Some("parse-queue"), 2, 1));
    let queue = of(&producers, "binding", &constant("EDGE_QUEUE"), "queue").as_str();
    assert_eq!(queue, Some("edge-queue"));
    // The durable buffer is an object of the other Worker.
    let objects = tables(edge, "durable_objects.bindings");
    let script = of(&objects, "name", &constant("EDGE_SPOOL"), "script_name").as_str();
    assert_eq!((script, objects.len()), (toml("wrangler.toml")["name"].as_str(), 1));
    // A queue has one consumer; migrations and crons belong to the other Worker, and would be inherited.
    assert!(edge["queues"].get("consumers").is_none());
    assert_eq!(edge["migrations"].as_array().map(Vec::len), Some(0));
    assert_eq!(edge["triggers"]["crons"].as_array().map(Vec::len), Some(0));
    assert_eq!(edge["main"].as_str(), Some("build/edge.js"));
    assert!(
        text("scripts/build").contains("src/platform/edge.mjs --bundle")
            && text("scripts/build").contains("$out/edge.js")
    );
}

#[test]
fn message_time_limit_is_what_limits_assume() {
    assert_eq!(toml("wrangler.toml")["limits"]["cpu_ms"].as_integer(), Some(300_000));
}
