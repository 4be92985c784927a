//! What every file is like.

use super::{files, regex};

/// Most lines of a file of code.
const MAX_LINES: usize = 500;

#[test]
fn every_code_file_opens_with_its_purpose() {
    for file in files("").into_iter().filter(super::File::is_code) {
        let mut lines = file.text.lines().skip_while(|line| line.starts_with("#!/"));
        let first = lines.next().unwrap_or_default();
        let opening = if file.has_extension("rs") {
            first.strip_prefix("//! ")
        } else {
            ["// ", "# ", "\"\"\"", "/** "].iter().find_map(|mark| first.strip_prefix(mark))
        };
        assert!(opening.is_some_and(|words| words.len() > 10), "{} opens with {first:?}", file.path);
    }
}

#[test]
fn no_code_file_is_too_long() {
    for file in files("").into_iter().filter(super::File::is_code) {
        let lines = file.text.lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines", file.path);
    }
}

#[test]
fn nothing_outside_tests_names_a_panic() {
    let panics = regex(r"\.unwrap\(\)|\.expect\(|\b(panic|todo|unimplemented|unreachable)!");
    for file in files("src").into_iter().filter(|file| file.has_extension("rs")) {
        for (number, line) in file.code_lines() {
            assert!(!panics.is_match(line), "{}:{number}: {line}", file.path);
        }
    }
}

#[test]
fn tests_stand_at_the_end_of_their_file() {
    for file in files("src").into_iter().filter(|file| file.has_extension("rs")) {
        let mut lines = file.text.lines().skip_while(|line| !line.starts_with("#[cfg(test)]")).skip(1);
        let module = lines.next();
        assert!(module.is_none_or(|line| line == "mod tests {" || line == "mod tests;"), "{}", file.path);
        let behind = lines.skip_while(|line| *line != "}").skip(1).find(|line| !line.is_empty());
        assert!(module == Some("mod tests;") || behind.is_none(), "{}: {behind:?} behind the tests", file.path);
    }
}

#[test]
fn no_file_names_local_paths_or_package_hosts() {
    let place = regex(r#"(?:^|[\s"'`(=:\[])/(?:work|root|home|tmp|Users)/"#);
    let host = regex(r#"https?://([^/\s"'`<>)]+)"#);
    let package_host = regex(r"registry|mirror|artifactory|nexus|proxy|pypi|npmjs|crates\.io|debian|rust-lang\.org");
    for file in files("") {
        for (number, line) in (1..).zip(file.text.lines()) {
            assert!(!place.is_match(line), "{}:{number}: {line:.200}", file.path);
            let hosts = host.captures_iter(line).map(|found| found[1].to_owned());
            for host in hosts {
                assert!(!package_host.is_match(&host), "{}:{number}: {host}", file.path);
            }
        }
    }
}

#[test]
fn a_rule_that_is_broken_is_seen() {
    let file = super::File {
        path: "src/x.rs".into(),
        text: "//! x\nlet a = b.unwrap();\n// c.unwrap()\n#[cfg(test)]\nmod tests {\n d.unwrap()\n}\n".into(),
    };
    let lines: Vec<usize> =
        file.code_lines().filter(|(_, line)| line.contains("unwrap")).map(|(number, _)| number).collect();
    assert_eq!(lines, [2]);
}
