//! The rules of this code base, as tests over its own files.

mod attacks;
mod bindings;
mod cases;
mod circles;
mod documents;
mod files;
mod memory;
mod mutants;
mod names;
mod platform;
mod rooms;
mod runner;
mod schemas;
mod upgrades;
mod words;
mod workflows;

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Folders that hold no source of ours.
const NOT_OURS: [&str; 8] =
    ["target", "build", "node_modules", ".git", ".tools", ".state", ".wrangler", "proptest-regressions"];

/// A file of the project.
#[derive(Debug, Clone)]
struct File {
    /// Its path from the project's root, with slashes.
    path: String,
    text: String,
}

impl File {
    fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    /// Whether someone wrote it line by line: code, not data and not a lock file.
    fn is_code(&self) -> bool {
        let code = ["rs", "mjs", "js", "ts", "sh", "py"].iter().any(|extension| self.has_extension(extension));
        code || self.text.starts_with("#!")
    }

    /// Whether it is a module of a source that holds its tests.
    fn is_tests(&self) -> bool {
        self.path.starts_with("src/") && (self.path.ends_with("/tests.rs") || self.path.contains("/tests/"))
    }

    /// The lines of Rust that are no comments, numbered from 1, without tests.
    fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_tests = self.is_tests();
        let lines = self.text.lines().take_while(move |line| !is_tests && !line.starts_with("#[cfg(test)]"));
        (1..).zip(lines).filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The text of one file.
fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every text file of the project under `folder` (`""` for all), by path.
fn files(folder: &str) -> Vec<File> {
    let mut found = Vec::new();
    collect(&root().join(folder), &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "there are no files in {folder}");
    found
}

fn collect(folder: &Path, found: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if NOT_OURS.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            collect(&path, found);
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
            found.push(File { path, text });
        }
    }
}

/// The sources of the crate, without the platform's.
fn core_sources() -> Vec<File> {
    let sources = files("src").into_iter().filter(|file| file.has_extension("rs"));
    sources.filter(|file| !file.path.starts_with("src/platform/")).collect()
}

/// A pattern. Words are told by ASCII alone: the crate is built without the tables of Unicode.
fn regex(pattern: &str) -> Regex {
    Regex::new(&pattern.replace(r"\b", r"(?-u:\b)").replace(r"\d", "[0-9]").replace(r"\s", r" \t")).unwrap()
}

/// What the first group of `pattern` matches in `text`, which it must.
fn capture(text: &str, pattern: &str) -> String {
    regex(pattern).captures(text).unwrap_or_else(|| panic!("nothing matches {pattern}"))[1].to_owned()
}

/// A TOML file.
fn toml(path: &str) -> toml::Table {
    text(path).parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A JSON file.
fn json(path: &str) -> serde_json::Value {
    serde_json::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
