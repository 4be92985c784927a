//! Every form that another version must read or that a client sees, compared with `tests/fixtures/v0.1/`: calls to
//! objects, stored tables and objects, names, queue messages, public answers, log lines.
//!
//! Each module makes its fixtures from the code as it is now. What is read back somewhere is also read from the files.

use crate::{api, support};

mod answers;
mod calls;
mod logs;
mod names;
mod newer_forms;
mod problems;
mod queues;
mod report_windows;
mod stored;
mod variants;
mod versions;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the fixtures, from the project's root.
const FOLDER: &str = "tests/fixtures/v0.1";
/// The one file of the folder that is not a fixture.
const README: &str = "README.md";

/// A fixture as the code makes it now.
#[derive(Debug, Clone)]
struct Fixture {
    /// Its path below [`FOLDER`], with slashes.
    path: String,
    text: String,
}

impl Fixture {
    fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }
}

/// All fixtures.
fn all() -> Vec<Fixture> {
    let groups = [
        answers::fixtures(),
        calls::fixtures(),
        logs::fixtures(),
        names::fixtures(),
        problems::fixtures(),
        queues::fixtures(),
        report_windows::fixtures(),
        stored::fixtures(),
    ];
    groups.concat()
}

fn place(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER).join(path)
}

/// The text of a fixture's file; empty where there is none yet.
fn stored_text(path: &str) -> String {
    fs::read_to_string(place(path)).unwrap_or_default()
}

/// The paths of all files of the folder.
fn files(folder: &Path, below: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = format!("{below}{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            files(&entry.path(), &format!("{path}/"), found);
        } else {
            found.insert(path);
        }
    }
}

/// The paths of the fixtures in the tree.
fn stored_paths() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    files(&place(""), "", &mut found);
    found.remove(README);
    found
}

/// Fails where a fixture differs from its file.
fn compare(fixtures: &[Fixture]) {
    assert!(!fixtures.is_empty());
    for Fixture { path, text } in fixtures {
        let stored = stored_text(path);
        assert!(
            stored == *text,
            "{FOLDER}/{path} differs from what the code makes.\nThe file:\n{stored}\nThe code:\n{text}\n\
             Where the new form is meant, run scripts/fixtures and commit what it writes ({FOLDER}/{README})."
        );
    }
}

/// Bytes as hexadecimal digits, 32 bytes in a line.
fn to_hex(bytes: &[u8]) -> String {
    bytes.chunks(32).map(|line| hex::encode(line) + "\n").collect()
}

/// The bytes of such lines; lines with a `#` are skipped.
fn from_hex(text: &str) -> Vec<u8> {
    let digits: String = text.lines().filter(|line| !line.starts_with('#')).collect();
    hex::decode(digits).unwrap()
}

#[test]
fn every_fixture_file_is_compared() {
    let made: BTreeSet<String> = all().into_iter().map(|fixture| fixture.path).collect();
    assert_eq!(stored_paths(), made);
}

#[test]
fn hexadecimal_text_is_read_back() {
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(from_hex(&format!("# a key\n{}", to_hex(&bytes))), bytes);
}

#[test]
#[ignore = "it writes the fixtures: scripts/fixtures runs it"]
fn fixtures_are_written_anew() {
    let fixtures = all();
    for Fixture { path, text } in &fixtures {
        let place = place(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, text).unwrap();
    }
    let made: BTreeSet<String> = fixtures.into_iter().map(|fixture| fixture.path).collect();
    for path in stored_paths().difference(&made) {
        fs::remove_file(place(path)).unwrap();
    }
}
