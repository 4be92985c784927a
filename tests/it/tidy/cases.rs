//! The cases of `tests/fixtures/cases`: each has its row, and each row names tests that exist.

use std::collections::BTreeSet;
use std::fs;

use super::{File, files, regex, root, text};

const FOLDER: &str = "tests/fixtures/cases";

/// The names of all tests of the crate.
fn tests() -> BTreeSet<String> {
    let function = regex(r"#\[test\][\s\n]*\n(?:[\s]*(?:#\[|//)[^\n]*\n)*[\s]*fn ([a-z0-9_]+)");
    let sources = [files("src"), files("tests")].concat();
    let sources = sources.iter().filter(|file: &&File| file.has_extension("rs"));
    sources.flat_map(|file| function.captures_iter(&file.text).map(|found| found[1].to_owned())).collect()
}

/// The rows of the tables: the first cell, and the names of tests in the last.
fn rows(page: &str) -> Vec<(String, Vec<String>)> {
    let quoted = regex("`([a-z0-9_]+)`");
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| case "));
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let (first, last) = (cells.next().unwrap(), cells.next_back().unwrap());
        let named = quoted.captures_iter(last).map(|found| found[1].to_owned());
        (first.trim_matches('`').to_owned(), named.collect())
    })
    .collect()
}

/// What is wrong with the page about these folders, where these tests exist.
fn faults(page: &str, folders: &BTreeSet<String>, tests: &BTreeSet<String>) -> Vec<String> {
    let rows = rows(page);
    let has_row = |folder: &&String| rows.iter().any(|(first, _)| first == *folder);
    let mut faults: Vec<String> =
        folders.iter().filter(|folder| !has_row(folder)).map(|folder| format!("{folder} has no row")).collect();
    let numbered = regex("^[0-9]{2}-");
    for (first, named) in &rows {
        if numbered.is_match(first) && !folders.contains(first) {
            faults.push(format!("{first} is no folder"));
        }
        if named.is_empty() {
            faults.push(format!("{first} names no test"));
        }
        faults
            .extend(named.iter().filter(|name| !tests.contains(*name)).map(|name| format!("{first}: no test {name}")));
    }
    faults
}

#[test]
fn every_case_has_tests_that_exist() {
    let entries = fs::read_dir(root().join(FOLDER)).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.path().is_dir());
    let folders: BTreeSet<String> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert!(folders.len() > 10, "{folders:?}");
    assert_eq!(faults(&text(&format!("{FOLDER}/README.md")), &folders, &tests()), Vec::<String>::new());
}

#[test]
fn faults_of_the_table_are_seen() {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let page = "| case | tests |\n|---|---|\n| `01-a` | `one` |\n| `02-b` | what | `two` |\n| other | none |\n";
    let found = faults(page, &set(&["01-a", "03-c"]), &set(&["one"]));
    let expected = ["03-c has no row", "02-b is no folder", "02-b: no test two", "other names no test"];
    assert_eq!(found, expected);
}
