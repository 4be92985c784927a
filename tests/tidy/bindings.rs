//! `wrangler.toml` and the code spell the same names.

use std::collections::BTreeSet;

use raydex::batch::BUCKET_NAME;
use raydex::limits::PARSE_RETRY_S;
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
    assert_eq!(BUCKET_NAME, "cdn-logs-raw");
}

#[test]
fn the_queues_are_bound_and_consumed_as_they_were_asked_for() {
    let wrangler = toml("wrangler.toml");
    let producers = tables(&wrangler, "queues.producers");
    let parse = constant("PARSE_QUEUE_NAME");
    assert_eq!(parse, "parse-queue");
    assert_eq!(of(&producers, "binding", &constant("PARSE_QUEUE"), "queue").as_str(), Some(parse.as_str()));
    assert_eq!(of(&producers, "binding", "SEND_QUEUE", "queue").as_str(), Some("send-queue"));
    let consumers = tables(&wrangler, "queues.consumers");
    for (queue, size, timeout, retries, dead) in
        [(parse.as_str(), 5, 10, 2, "parse-dlq"), ("send-queue", 50, 5, 5, "send-dlq")]
    {
        let value = |name| of(&consumers, "queue", queue, name);
        assert_eq!(value("max_batch_size").as_integer(), Some(size), "{queue}");
        assert_eq!(value("max_batch_timeout").as_integer(), Some(timeout), "{queue}");
        assert_eq!(value("max_retries").as_integer(), Some(retries), "{queue}");
        assert_eq!(value("dead_letter_queue").as_str(), Some(dead), "{queue}");
    }
    let retries = of(&consumers, "queue", &parse, "max_retries").as_integer();
    assert_eq!(retries, i64::try_from(PARSE_RETRY_S.len()).ok(), "a delay for each retry");
}

#[test]
fn the_durable_objects_are_bound_migrated_and_exported() {
    let wrangler = toml("wrangler.toml");
    let objects = tables(&wrangler, "durable_objects.bindings");
    assert_eq!(of(&objects, "name", &constant("RAY_SHARD"), "class_name").as_str(), Some("RayShard"));
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
fn every_binding_of_the_code_is_one_of_wrangler() {
    let env = text("src/platform/env.rs");
    let wrangler = text("wrangler.toml");
    for found in regex("const [A-Z_]+: &str = \"([^\"]+)\";").captures_iter(&env) {
        assert!(wrangler.contains(&format!("\"{}\"", &found[1])), "{} is not in wrangler.toml", &found[1]);
    }
}

#[test]
fn the_time_a_message_may_take_is_what_the_limits_count_with() {
    assert_eq!(toml("wrangler.toml")["limits"]["cpu_ms"].as_integer(), Some(300_000));
}
