//! Deliberate mistakes are patches beside the tests, never switches in the source.

use std::process::{Command, Output};

use super::{File, files, regex, root, text, toml};

/// The patches of `tests/mutants`, each with the name of its mutant.
fn patches() -> Vec<(String, File)> {
    let name = |file: &File| file.path.strip_prefix("tests/mutants/")?.strip_suffix(".patch").map(str::to_owned);
    files("tests/mutants").into_iter().map(|file| (name(&file).unwrap(), file)).collect()
}

#[test]
fn the_source_has_no_switch_for_mistakes() {
    for file in files("src") {
        for (number, line) in (1..).zip(file.text.lines()) {
            assert!(!line.contains("Mistake"), "{}:{number}: {line}", file.path);
        }
    }
    assert!(!toml("Cargo.toml")["features"].as_table().unwrap().contains_key("mistakes"));
}

#[test]
fn a_mutant_names_its_mistake_and_its_check() {
    let head = regex("^# [A-Z][^\\n]*\\.\\n# Killed by: (?:simulator, seed \\d+|test ([a-z_:]+))\\ndiff --git ");
    let changed = regex(r"(?m)^(?:---|\+\+\+) [ab]/(.*)$");
    for (name, File { text: patch, .. }) in patches() {
        let found = head.captures(&patch).unwrap_or_else(|| panic!("{name} begins with {:?}", patch.lines().next()));
        if let Some(test) = found.get(1) {
            let (module, function) = test.as_str().rsplit_once("::").unwrap();
            let module = text(&format!("tests/it/{}.rs", module.replace("::", "/")));
            assert!(module.contains(&format!("#[test]\nfn {function}()")), "{name}: no test is called {function}");
        }
        let paths: Vec<String> = changed.captures_iter(&patch).map(|found| found[1].to_owned()).collect();
        assert!(paths.len() >= 2 && paths.iter().all(|path| path.starts_with("src/")), "{name} changes {paths:?}");
    }
}

#[test]
fn the_documents_list_every_mutant() {
    let listed = text("docs/testing.md");
    let row = regex(r"(?m)^\| `([a-z-]+)` \|");
    let listed: Vec<String> = row.captures_iter(&listed).map(|found| found[1].to_owned()).collect();
    let names: Vec<String> = patches().into_iter().map(|(name, _)| name).collect();
    assert_eq!(listed, names);
}

fn run(argument: &str) -> Output {
    Command::new(root().join("scripts/mutants")).arg(argument).output().unwrap()
}

#[test]
fn unknown_mutants_are_refused_with_the_list() {
    for argument in ["no-such-mutant", "--all"] {
        let output = run(argument);
        let words = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty() && words.contains(argument), "{words}");
        assert!(
            argument.starts_with('-') || patches().iter().all(|(name, _)| words.contains(name.as_str())),
            "{words}"
        );
    }
}
