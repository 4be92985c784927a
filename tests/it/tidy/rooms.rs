//! The order of the rooms: data flows one way.

use super::{File, core_sources, regex, text};

/// The rooms, in reading order: each may import those before it.
const ROOMS: [&str; 40] = [
    "limits",
    "memory",
    "time",
    "hmac",
    "record",
    "filter",
    "mask",
    "bucket_keys",
    "batch",
    "erasure",
    "backend",
    "r2_event",
    "rpc",
    "access",
    "summary",
    "index",
    "span_reader",
    "lookup",
    "query",
    "render",
    "partner",
    "edge",
    "ledger",
    "spool",
    "otlp",
    "traces",
    "story",
    "audit",
    "services",
    "config",
    "pipeline",
    "self_check",
    "http",
    "page",
    "api",
    "cloudflare_api",
    "mcp",
    "tempo",
    "web",
    "router",
];
/// What the generator of batches may import.
const FOR_SAMPLE: [&str; 5] = ["limits", "time", "record", "bucket_keys", "batch"];

/// The room of a source; `None` for the crate's root and its programs.
fn room(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let room = inside.split('/').next()?.trim_end_matches(".rs");
    (!["lib", "bin"].contains(&room)).then_some(room)
}

/// The rooms that a source names, each with its line.
fn imports(file: &File) -> Vec<(usize, String)> {
    let named = regex(r"\bcrate::(?:([a-z0-9_]+)|\{([^}]*)\}?)");
    let mut found = Vec::new();
    for (number, line) in file.code_lines() {
        for names in named.captures_iter(line) {
            assert!(names.get(2).is_none(), "{}:{number}: one room for each `use`: {line}", file.path);
            found.push((number, names[1].to_owned()));
        }
    }
    found
}

/// Whether one room may import another.
fn allowed(from: &str, to: &str) -> bool {
    let place = |room| ROOMS.iter().position(|known| *known == room);
    match (from, to) {
        ("sample", to) => to == "sample" || FOR_SAMPLE.contains(&to),
        ("pipeline", "lookup") | ("lookup", "pipeline") => false,
        (from, to) => from == to || place(to).is_some_and(|to| place(from).is_some_and(|from| to < from)),
    }
}

#[test]
fn a_room_imports_only_what_stands_before_it() {
    let mut seen = 0;
    for file in core_sources() {
        let Some(from) = room(&file.path) else { continue };
        assert!(ROOMS.contains(&from) || from == "sample", "{} is in a room that the order lacks", file.path);
        for (number, to) in imports(&file) {
            assert!(allowed(from, &to), "{}:{number}: {from} imports {to}", file.path);
            seen += 1;
        }
    }
    assert!(seen > 60, "{seen} imports seen");
}

#[test]
fn the_crate_declares_its_rooms_in_that_order() {
    let root = text("src/lib.rs");
    let declared: Vec<String> =
        regex(r"(?m)^pub mod ([a-z0-9_]+);").captures_iter(&root).map(|found| found[1].to_owned()).collect();
    assert_eq!(declared[..ROOMS.len()], ROOMS);
    assert_eq!(declared[ROOMS.len()..], ["sample"]);
}

#[test]
fn a_room_that_looks_ahead_is_seen() {
    for (from, to) in
        [("record", "batch"), ("lookup", "pipeline"), ("pipeline", "lookup"), ("batch", "api"), ("sample", "index")]
    {
        assert!(!allowed(from, to), "{from} → {to}");
    }
    let file = File { path: "src/record/x.rs".into(), text: "use crate::batch::BatchLine;\n// crate::api\n".into() };
    assert_eq!(imports(&file), [(1, "batch".to_owned())]);
}
