//! The workflows: what they may do, and that each action is one commit.

use super::{File, files, regex};

fn workflows() -> Vec<File> {
    files(".github/workflows")
}

#[test]
fn actions_are_pinned_by_commit_and_tag() {
    let pinned = regex(r"^ *- uses: [A-Za-z-]+/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$");
    let mut seen = 0;
    for file in workflows() {
        for line in file.text.lines().filter(|line| line.contains("uses:")) {
            assert!(pinned.is_match(line), "{}: {line}", file.path);
            seen += 1;
        }
    }
    assert!(seen > 3, "{seen} actions");
}

#[test]
fn workflows_may_only_read() {
    for file in workflows() {
        assert!(file.text.contains("\npermissions:\n  contents: read\n\n"), "{}", file.path);
        assert_eq!(file.text.matches("permissions:").count(), 1, "{}", file.path);
        let checkouts = file.text.matches("actions/checkout@").count();
        assert_eq!(file.text.matches("persist-credentials: false").count(), checkouts, "{}", file.path);
        assert!(!file.text.contains("secrets."), "{}", file.path);
    }
}

#[test]
fn workflows_run_every_long_suite() {
    let nightly = super::text(".github/workflows/nightly.yml");
    for suite in ["simulate", "chaos", "fuzz", "lookups", "large", "load", "clients", "schemathesis", "bench"] {
        assert!(nightly.contains(&format!("- scripts/{suite}")), "{suite}");
    }
}
