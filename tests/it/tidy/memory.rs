//! What an answer is made of is reserved: the types see to it, apart from a few places, which are named here.

use super::{core_sources, files, regex};

/// Who makes bodies without a reservation: short ones of words of our own.
const SMALL: [&str; 8] = [
    "src/api/audit_export.rs",
    "src/api/health.rs",
    "src/api/ingest.rs",
    "src/api/ray_list.rs",
    "src/api/traces.rs",
    "src/cloudflare_api/envelope.rs",
    "src/tempo/service.rs",
    "src/web/html.rs",
];

/// Who makes a body of a constant.
const CONSTANT: [&str; 2] = ["src/api/openapi.rs", "src/web/files.rs"];

/// The files of the core outside of `memory` and `http` in which the pattern is found.
fn places(pattern: &str) -> Vec<String> {
    let pattern = regex(pattern);
    let is_ours = |path: &str| path.starts_with("src/memory/") || path.starts_with("src/http/");
    let found = core_sources().into_iter().filter(|file| !is_ours(&file.path) && pattern.is_match(&file.text));
    found.map(|file| file.path).collect()
}

#[test]
fn bodies_without_reservation_are_made_in_few_places() {
    assert_eq!(places(r"(?:ReservedBytes|Reply)::small\("), SMALL);
    assert_eq!(places(r"ReservedBytes::from_constant\("), CONSTANT);
}

#[test]
fn reserved_bytes_have_no_other_constructor() {
    let source = files("src/memory").into_iter().find(|file| file.path.ends_with("reserved_bytes.rs")).unwrap().text;
    let constructor = regex(r"pub (?:const )?fn ([a-z_]+)\([^)]*\) -> (?:Self|Result<ReservedBytes)");
    let makers: Vec<&str> = constructor.captures_iter(&source).map(|found| found.get(1).unwrap().as_str()).collect();
    assert_eq!(makers, ["from_constant", "small", "new", "finish"], "`new` is the writer's");
    assert!(source.contains("pub struct ReservedBytes(ByteSource);"), "what it is made of is private");
    assert!(!source.contains("impl From<"), "nothing turns into it by itself");
}

#[test]
fn answers_hold_what_objects_answer() {
    let direct = places(r"rpc::call\(");
    let of_answers = |path: &String| {
        ["src/api/", "src/cloudflare_api/", "src/lookup/", "src/query/"].iter().any(|folder| path.starts_with(folder))
    };
    assert_eq!(direct.into_iter().filter(of_answers).collect::<Vec<_>>(), Vec::<String>::new());
}
