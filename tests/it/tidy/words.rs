//! The words of the sources: each type's name is its own, and banned words stay away.

use std::collections::BTreeMap;

use super::{core_sources, files, regex};

/// It is an associated type: the trait names it once, each implementation again.
const IN_TRAIT: &str = "an associated type, named by its trait and by each implementation";

/// Type names that are defined more than once, each with its reason. The list only shrinks.
const DEFINED_TWICE: &[(&str, &str)] = &[
    ("Answer", IN_TRAIT),
    ("AuditLog", IN_TRAIT),
    ("Body", IN_TRAIT),
    ("Bucket", IN_TRAIT),
    ("Item", IN_TRAIT),
    ("Ledgers", IN_TRAIT),
    ("ParseQueue", IN_TRAIT),
    ("SendQueue", IN_TRAIT),
    ("Shards", IN_TRAIT),
    ("Upload", IN_TRAIT),
    ("Value", IN_TRAIT),
];

/// Words that are gone, and what is said instead. A phrase holds for `snake_case`, `CamelCase` and prose alike; what
/// stands in brackets behind it are phrases around it that are right.
const BANNED: &[(&str, &[&str], &str)] = &[
    ("as unknown as", &[], "indistinguishable from"),
    ("calendar", &[], "occupancy map"),
    ("deed", &[], "audit event"),
    ("grave", &[], "severity"),
    ("lies", &[], "is"),
    ("nobody", &[], "no, with the noun"),
    ("odd id", &[], "nonstandard id"),
    ("odd ids", &[], "nonstandard ids"),
    ("set aside", &[], "quarantined"),
    ("sight", &[], "view"),
    ("so many", &[], "a number, by its name"),
    ("starved", &[], "out of memory"),
    ("the version before", &[], "nothing: nothing was released before"),
    ("told", &[], "returned, or reported"),
    ("whereabouts", &[], "delivery status"),
    ("whoever", &[], "a person, or the caller"),
];

/// How many definitions each type name has.
fn definitions() -> BTreeMap<String, Vec<String>> {
    let definition = regex(r"^[\s]*(?:pub(?:\([a-z ]+\))? )?(?:struct|enum|trait|type|union) ([A-Z][A-Za-z0-9_]*)");
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files("src").into_iter().filter(|file| file.has_extension("rs")) {
        for (number, line) in file.code_lines() {
            if let Some(name) = definition.captures(line) {
                found.entry(name[1].to_owned()).or_default().push(format!("{}:{number}", file.path));
            }
        }
    }
    found
}

#[test]
fn type_names_are_defined_once() {
    let found = definitions();
    assert!(found.len() > 300, "{} types", found.len());
    for (name, places) in &found {
        let is_listed = DEFINED_TWICE.iter().any(|(listed, _)| listed == name);
        assert!(places.len() == 1 || is_listed, "{name} is defined at {}", places.join(" and "));
    }
    for (name, reason) in DEFINED_TWICE {
        let places = found.get(*name).map_or(0, Vec::len);
        assert!(places > 1, "{name} is defined {places} times: take it from the list");
        assert!(!reason.is_empty(), "{name}");
    }
}

/// A line in lower-case words, with a blank on either side: `odd_id`, `OddId` and "odd id" are the same.
fn words(line: &str) -> String {
    let mut words = String::from(" ");
    let mut before = ' ';
    for c in line.chars() {
        let starts = c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit());
        if starts || !c.is_ascii_alphanumeric() {
            words.push(' ');
        }
        if c.is_ascii_alphanumeric() {
            words.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words.push(' ');
    words.split_whitespace().fold(String::from(" "), |line, word| line + word + " ")
}

/// The first banned phrase of a line, and what is said instead.
fn banned(line: &str, list: &[(&'static str, &[&str], &'static str)]) -> Option<(&'static str, &'static str)> {
    let line = words(line);
    let found = list.iter().find(|(phrase, right, _)| {
        let rest = right.iter().fold(line.clone(), |line, right| line.replace(&format!(" {right} "), " "));
        rest.contains(&format!(" {phrase} "))
    });
    found.map(|(phrase, _, instead)| (*phrase, *instead))
}

#[test]
fn banned_words_stay_away() {
    let sources = core_sources().into_iter().chain(files("src/platform"));
    for file in sources {
        for (number, line) in (1..).zip(file.text.lines()) {
            let found = banned(line, BANNED);
            assert_eq!(found, None, "{}:{number}: {line}", file.path);
        }
    }
}

#[test]
fn banned_words_are_seen_in_every_spelling() {
    const LIST: &[(&str, &[&str], &str)] =
        &[("odd id", &[], "nonstandard id"), ("letter", &["dead letter", "capital letter"], "dead letter")];
    for line in ["let odd_id = 1;", "struct OddId;", "// an odd id", "ODD_ID", "self.odd_id()"] {
        assert_eq!(banned(line, LIST), Some(("odd id", "nonstandard id")), "{line}");
    }
    for line in ["odd_ids", "oddid", "the period", "a dead_letter", "DeadLetter", "a capital letter", "letters"] {
        assert_eq!(banned(line, LIST), None, "{line}");
    }
    assert_eq!(banned("a dead letter and a letter", LIST).map(|found| found.0), Some("letter"));
}
