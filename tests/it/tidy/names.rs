//! The names of tests: subject first, at most eight words.

use super::{File, files, regex};

/// Most words of a test's name, as underscores part them.
const MAX_WORDS: usize = 8;

/// The names of a file's tests.
fn tests(file: &File) -> Vec<String> {
    let function = regex(r"#\[test\][\s\n]*\n(?:[\s]*(?:#\[|//)[^\n]*\n)*[\s]*fn ([a-z0-9_]+)");
    function.captures_iter(&file.text).map(|found| found[1].to_owned()).collect()
}

#[test]
fn test_names_have_at_most_eight_words() {
    let mut seen = 0;
    for file in files("src").iter().chain(&files("tests")).filter(|file| file.has_extension("rs")) {
        for name in tests(file) {
            assert!(name.split('_').count() <= MAX_WORDS, "{}: {name}", file.path);
            seen += 1;
        }
    }
    assert!(seen > 900, "{seen} tests");
}

#[test]
fn tests_are_seen_below_other_attributes() {
    let text =
        "//! x\n#[test]\nfn a_b() {}\nmod x {\n    #[test]\n    #[ignore = \"slow\"]\n    // why\n    fn c() {}\n}\n";
    let file = File { path: "src/x.rs".into(), text: text.into() };
    assert_eq!(tests(&file), ["a_b", "c"]);
}
