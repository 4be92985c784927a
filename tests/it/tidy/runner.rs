//! `scripts/test` itself, and what calls it.

use std::process::{Command, Output};

use super::{files, root, text};

fn run(option: &str) -> Output {
    Command::new(root().join("scripts/test")).arg(option).output().unwrap()
}

#[test]
fn unknown_options_are_refused_by_name() {
    for option in ["--slow", "quick", ""] {
        let output = run(option);
        let words = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{option}");
        assert!(words.contains(&format!("unknown option {option}")) && words.contains("--help"), "{words}");
    }
}

#[test]
fn help_names_every_option() {
    let output = run("--help");
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    assert!(words.contains("--quick") && words.contains("--help") && words.contains("N passed, N failed"), "{words}");
}

#[test]
fn ci_calls_the_script_and_nothing_else() {
    let file = text(".ci/run");
    let commands: Vec<&str> = file.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(commands, ["exec \"$(dirname \"$0\")/../scripts/test\""]);
}

#[test]
fn modules_are_where_their_names_say() {
    let attribute = concat!("#[", "path");
    for file in files("src").into_iter().chain(files("tests")).filter(|file| file.has_extension("rs")) {
        assert!(!file.text.contains(attribute), "{}", file.path);
    }
}
