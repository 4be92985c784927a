//! The documents: how long README is, that links lead somewhere, that names exist.

use std::collections::BTreeSet;

use super::{File, files, regex, root, text};

/// Words that the documents say in another way.
const BANNED: [&str; 9] = ["whoever", "nobody", "so many", "set aside", "is none", "stands", "lies", "told", "at rest"];

/// Every document, without those of installed packages.
fn documents() -> Vec<File> {
    let mut found = files("docs");
    found.extend(files("tests").into_iter().filter(|file| file.path == "tests/README.md"));
    found.extend(files("").into_iter().filter(|file| !file.path.contains('/')));
    found.retain(|file| file.has_extension("md"));
    found
}

/// A document without its fenced blocks.
fn prose(text: &str) -> String {
    text.split("\n```").step_by(2).collect()
}

#[test]
fn readme_fits_on_its_screens() {
    let readme = text("README.md");
    let (lines, words) = (readme.lines().count(), readme.split_whitespace().count());
    assert!(lines <= 150 && words <= 1_500, "{lines} lines, {words} words");
}

#[test]
fn readme_links_every_page() {
    let (readme, decisions) = (text("README.md"), text("docs/adr/README.md"));
    for file in files("docs").into_iter().filter(|file| file.has_extension("md")) {
        let (index, name) = match file.path.strip_prefix("docs/adr/") {
            Some("README.md") | None => (&readme, file.path.as_str()),
            Some(name) => (&decisions, name),
        };
        assert!(index.contains(&format!("]({name})")), "{} is linked nowhere", file.path);
    }
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text);
    let headings = headings.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#'));
    let kept = |c: &char| c.is_alphanumeric() || "-_ ".contains(*c);
    headings.map(|line| line.trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn links_lead_to_files_and_headings() {
    let link = regex(r"\]\(([^)\s]+)\)");
    let mut seen = 0;
    for file in documents() {
        let folder = root().join(&file.path).parent().unwrap().to_owned();
        for found in link.captures_iter(&prose(&file.text)) {
            let target = &found[1];
            if target.starts_with("https://") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if path.is_empty() { root().join(&file.path) } else { folder.join(path) };
            assert!(path.exists(), "{}: {target}", file.path);
            if !anchor.is_empty() {
                let text = std::fs::read_to_string(path).unwrap();
                assert!(anchors(&text).contains(anchor), "{}: {target}", file.path);
            }
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen} links");
}

#[test]
fn scripts_that_documents_name_exist() {
    let script = regex(r"\b(scripts/[a-z-]+|tests/run/[a-z_.]+)");
    let workflows = files(".github");
    for file in documents().iter().chain(&workflows) {
        for found in script.captures_iter(&file.text) {
            assert!(root().join(&found[1]).exists(), "{}: {}", file.path, &found[1]);
        }
    }
}

#[test]
fn documents_use_plain_words() {
    let banned = regex(&format!(r"\b(?:{})\b", BANNED.join("|")));
    assert!(banned.is_match("as it was told"));
    for file in documents() {
        for (number, line) in (1..).zip(file.text.lines()) {
            assert!(!banned.is_match(line), "{}:{number}: {line}", file.path);
        }
    }
}

/// Every definition of the sources, by name.
fn definitions() -> BTreeSet<String> {
    let defined = regex(r"\b(?:fn|struct|enum|trait|type|const|static|mod|macro_rules!) ([A-Za-z_][A-Za-z0-9_]*)");
    let member = regex(r"^ +(?:pub(?:\([a-z]+\))? )?([a-z_]+): ");
    let sources = files("src").into_iter().filter(|file| file.has_extension("rs"));
    let names = |file: File| {
        let defined = defined.captures_iter(&file.text).map(|found| found[1].to_owned());
        let members = file.text.lines().filter_map(|line| Some(member.captures(line)?[1].to_owned()));
        defined.chain(members).collect::<Vec<_>>()
    };
    sources.flat_map(names).collect()
}

#[test]
fn architecture_names_exist_in_the_sources() {
    let (page, definitions) = (text("docs/architecture.md"), definitions());
    let span = regex(r"`([^`\n]+)`");
    let name = regex(r"^[A-Za-z_][A-Za-z0-9_]*(?:::[A-Za-z_][A-Za-z0-9_]*)*$");
    let mut seen = 0;
    for found in span.captures_iter(&page).map(|found| found[1].to_owned()) {
        if found.starts_with("src/") {
            assert!(root().join(&found).exists(), "{found}");
        }
        if name.is_match(&found) && found != "serde_json" {
            let missing = found.split("::").find(|part| !definitions.contains(*part));
            assert!(missing.is_none(), "nothing in src is named {}", missing.unwrap_or_default());
            seen += 1;
        }
    }
    assert!(seen > 60, "{seen} names");
}

#[test]
fn architecture_describes_every_module() {
    let page = text("docs/architecture.md");
    let rows: String = page.lines().filter(|line| line.starts_with("| `")).collect();
    for module in regex(r"(?m)^(?:pub )?mod ([a-z0-9_]+);").captures_iter(&text("src/lib.rs")) {
        assert!(rows.contains(&format!("`{}`", &module[1])), "{} is in no row", &module[1]);
    }
}
