//! What is no filter: each fault by its name and place, and no byte of the text in the words.

use proptest::prelude::{prop_assert, proptest};
use raydex::filter::{Filter, FilterFault};
use raydex::limits::{FILTER_BYTES, FILTER_CONDITIONS, FILTER_DEPTH};

const GOOD: &str = r#"{"key":"hunter2","operator":"eq","value":"hunter2"}"#;

fn fault(text: &str) -> (String, FilterFault) {
    let error = Filter::parse(text).err().unwrap_or_else(|| panic!("a filter: {text}"));
    let words = error.to_string();
    assert!(!words.contains("hunter2"), "{words}");
    let is_whole = error.at.is_empty();
    let expected = if is_whole { error.fault.to_string() } else { format!("{}: {}", error.at, error.fault) };
    assert_eq!(words, expected);
    (error.at.into(), error.fault)
}

#[test]
fn text_that_is_no_filter_is_reported() {
    for (text, expected) in [
        ("", FilterFault::NotJson),
        ("hunter2", FilterFault::NotJson),
        (r#"{"where":"#, FilterFault::NotJson),
        (r#"{"where":{}}}"#, FilterFault::NotJson),
        ("null", FilterFault::NotAFilter),
        ("[1]", FilterFault::NotAFilter),
        ("{}", FilterFault::NotAFilter),
        (r#"{"hunter2":{}}"#, FilterFault::NotAFilter),
        (GOOD, FilterFault::NotAFilter),
    ] {
        assert_eq!(fault(text), (String::new(), expected), "{text}");
    }
    assert_eq!(fault(&format!(r#"{{"where":{GOOD},"hunter2":1}}"#)).1, FilterFault::NotAFilter);
    assert_eq!(fault(&format!(r#"{{"where":{GOOD},"where":{GOOD}}}"#)).1, FilterFault::NotAFilter);
    assert_eq!(fault(&format!("[{GOOD}]")).1, FilterFault::NotAFilter);
}

#[test]
fn neither_group_nor_condition_is_reported() {
    for part in [
        "{}",
        "null",
        "[]",
        "\"hunter2\"",
        "[[],null,\"hunter2\",\"eq\",\"hunter2\"]",
        r#"{"and":{}}"#,
        r#"{"and":null}"#,
        r#"{"and":[1],"or":[1]}"#,
        r#"{"and":[1],"key":"hunter2"}"#,
        r#"{"key":"hunter2","operator":"eq"}"#,
        r#"{"key":"hunter2","operator":"eq","value":null}"#,
        r#"{"key":"hunter2","value":1}"#,
        r#"{"operator":"eq","value":1}"#,
        r#"{"key":7,"operator":"eq","value":1}"#,
        r#"{"key":"hunter2","operator":"eq","value":1,"hunter2":1}"#,
        r#"{"key":"hunter2","key":"b","operator":"eq","value":1}"#,
    ] {
        assert_eq!(fault(&format!(r#"{{"where":{part}}}"#)), ("where".into(), FilterFault::NotANode), "{part}");
        let deep = format!(r#"{{"where":{{"and":[{GOOD},{{"or":[{GOOD},{GOOD},{part}]}}]}}}}"#);
        assert_eq!(fault(&deep), ("where.and[1].or[2]".into(), FilterFault::NotANode), "{part}");
    }
    assert_eq!(fault(r#"{"where":{"or":[]}}"#), ("where".into(), FilterFault::EmptyGroup));
}

#[test]
fn a_condition_says_what_is_wrong_with_it() {
    let of = |key: &str, operator: &str, value: &str| {
        let text = format!(r#"{{"where":{{"and":[{{"key":"{key}","operator":"{operator}","value":{value}}}]}}}}"#);
        let (at, fault) = fault(&text);
        assert_eq!(at, "where.and[0]");
        fault
    };
    assert_eq!(of("", "eq", "1"), FilterFault::Key);
    for operator in ["", "!", "=", "hunter2", "EQ", "ne", "!neq", "!lt", "!geq", "!!eq", "startswith", "notIn"] {
        assert_eq!(of("A", operator, "1"), FilterFault::Operator, "{operator}");
    }
    for (operators, values, expected) in [
        (&["eq", "!eq", "neq"][..], &["1.5", "1e2", "[]", "{}", "[1]"][..], "a string, an integer or a boolean"),
        (
            &["lt", "leq", "gt", "geq"],
            &["1.5", "true", "\"\"", "\"a\"", "\"1.0\"", "\"01\"", "\" 1\"", "[1]"],
            "an integer",
        ),
        (&["startsWith", "!startsWith", "endsWith", "!endsWith"], &["1", "true", "[\"a\"]", "{}"], "a string"),
        (&["contains", "!contains"], &["true", "1.5", "[\"a\"]", "{}"], "a string or an integer"),
        (
            &["in", "!in"],
            &["[]", "\"\"", "\"1,,2\"", "\"1,\"", "1", "true", "{}", "[1.5]", "[true]", "[null]", "[[1]]"],
            "a non-empty array of strings and integers, or a comma-separated string of them",
        ),
    ] {
        for operator in operators {
            for value in values {
                assert_eq!(of("hunter2", operator, value), FilterFault::Value(expected), "{operator} {value}");
            }
        }
    }
}

#[test]
fn a_filter_ends_at_its_bounds() {
    let condition = r#"{"key":"A","operator":"eq","value":1}"#;
    let nested = |depth| format!(r#"{{"where":{}{condition}{}}}"#, r#"{"or":["#.repeat(depth), "]}".repeat(depth));
    assert!(Filter::parse(&nested(FILTER_DEPTH)).is_ok());
    let place = format!("where{}", ".or[0]".repeat(FILTER_DEPTH));
    assert_eq!(fault(&nested(FILTER_DEPTH + 1)), (place, FilterFault::TooDeep));

    let many = |count| format!(r#"{{"where":{{"and":[{}]}}}}"#, vec![condition; count].join(","));
    assert!(Filter::parse(&many(FILTER_CONDITIONS)).is_ok());
    assert_eq!(fault(&many(FILTER_CONDITIONS + 1)), ("where.and[100]".into(), FilterFault::TooManyConditions));

    let long = |bytes: usize| format!(r#"{{"where":{condition}}}{}"#, " ".repeat(bytes - condition.len() - 10));
    assert!(Filter::parse(&long(FILTER_BYTES)).is_ok());
    assert_eq!(fault(&long(FILTER_BYTES + 1)).1, FilterFault::TooLong);
}

proptest! {
    #[test]
    fn no_text_panics(text in "[\\[\\]{}\",:a-z0-9!]{0,60}|.*") {
        let within = format!(r#"{{"where":{text}}}"#);
        prop_assert!(Filter::parse(&text).is_err() || text.contains("where"));
        let _filter = Filter::parse(&within);
    }
}
