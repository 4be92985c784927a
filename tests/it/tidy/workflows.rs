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

/// The workflow that publishes and deploys.
const DEPLOY: &str = ".github/workflows/deploy.yml";

#[test]
fn workflows_may_only_read() {
    for file in workflows() {
        assert!(file.text.contains("\npermissions:\n  contents: read\n\n"), "{}", file.path);
        // One job of a release publishes it.
        let more = usize::from(file.path == DEPLOY);
        assert_eq!(file.text.matches("permissions:").count(), 1 + more, "{}", file.path);
        assert_eq!(file.text.matches(": write").count(), more, "{}", file.path);
        let checkouts = file.text.matches("actions/checkout@").count();
        assert_eq!(file.text.matches("persist-credentials: false").count(), checkouts, "{}", file.path);
        assert!(file.path == DEPLOY || !file.text.contains("secrets."), "{}", file.path);
    }
}

#[test]
fn only_a_tag_deploys() {
    let deploy = super::text(DEPLOY);
    assert!(deploy.contains("\non:\n  push:\n    tags: [\"v*\"]\n\npermissions:"), "another event starts it");
    assert!(
        deploy.contains("\n    environment: ${{ matrix.environment }}\n"),
        "its secrets are those of an environment"
    );
    // What a tag or a variable says is never part of a script.
    let scripts = regex(r"(?m)^ *(- )?run: .*\$\{\{ *github\.");
    assert!(!scripts.is_match(&deploy));
}

#[test]
fn workflows_run_every_long_suite() {
    let nightly = super::text(".github/workflows/nightly.yml");
    for suite in ["simulate", "chaos", "fuzz", "lookups", "large", "load", "clients", "schemathesis", "bench"] {
        assert!(nightly.contains(&format!("- scripts/{suite}")), "{suite}");
    }
}
