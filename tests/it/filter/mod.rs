//! Logpush's filter language from outside: every operator on every type, errors, and a naive evaluator as oracle.

mod errors;
mod generate;
mod networks;
mod operators;
mod oracle;
mod possible;

use raydex::filter::Filter;
use raydex::record::RecordError;

/// Whether a record passes a filter.
fn accepts(filter: &str, record: &str) -> bool {
    let filter = Filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
    filter.accepts(record.as_bytes()).unwrap_or_else(|error| panic!("{record}: {error}"))
}

#[test]
fn a_filter_agrees_with_a_naive_evaluator() {
    let mut random = generate::Random::new(20_260_328);
    let mut accepted = 0;
    for _ in 0..100_000 {
        let (filter, record) = (random.filter(), random.record());
        let expected = oracle::passes(&filter, &record);
        assert_eq!(accepts(&filter, &record), expected, "{filter}\n{record}");
        accepted += u32::from(expected);
    }
    assert!((20_000..80_000).contains(&accepted), "{accepted} of 100,000: the pairs show little");
}

#[test]
fn the_example_of_the_documentation_works() {
    let filter = r#"{"where":{"and":[
        {"key":"EdgeResponseStatus","operator":"geq","value":500},
        {"or":[{"key":"ClientRequestHost","operator":"endsWith","value":".example.com"},
               {"key":"BotScore","operator":"in","value":"1,2"}]}]}}"#;
    assert!(accepts(filter, r#"{"EdgeResponseStatus":502,"ClientRequestHost":"a.example.com"}"#));
    assert!(accepts(filter, r#"{"EdgeResponseStatus":"500","BotScore":2}"#));
    assert!(!accepts(filter, r#"{"EdgeResponseStatus":499,"BotScore":2}"#));
    assert!(!accepts(filter, r#"{"EdgeResponseStatus":500}"#));
    let filter = Filter::parse(filter).unwrap();
    assert_eq!(filter.fields().collect::<Vec<_>>(), ["BotScore", "ClientRequestHost", "EdgeResponseStatus"]);
}

#[test]
fn a_filter_keeps_its_text() {
    let text = r#" {"where" : {"key":"A","operator":"neq","value":"\u0041"}} "#;
    let filter = Filter::parse(text).unwrap();
    assert_eq!(filter.text(), text);
    assert_eq!(Filter::parse(filter.text()), Ok(filter));
}

#[test]
fn top_level_counts_and_there_the_last_duplicate() {
    let filter = r#"{"where":{"key":"A","operator":"eq","value":"x"}}"#;
    assert!(accepts(filter, r#"{"A":"y","A":"x"}"#));
    assert!(!accepts(filter, r#"{"A":"x","\u0041":"y"}"#));
    assert!(!accepts(filter, r#"{"A":"x","A":null}"#));
    assert!(!accepts(filter, r#"{"B":{"A":"x"},"C":[{"A":"x"}]}"#));
}

#[test]
fn line_that_is_no_record_is_an_error() {
    let filter = Filter::parse(r#"{"where":{"key":"A","operator":"!eq","value":"x"}}"#).unwrap();
    for (line, error) in [
        (&b""[..], RecordError::NotJson),
        (b"{\"A\":1", RecordError::NotJson),
        (b"{}x", RecordError::NotJson),
        (b"\xff", RecordError::NotJson),
        (b"null", RecordError::NotAnObject),
        (b"[{\"A\":1}]", RecordError::NotAnObject),
    ] {
        assert_eq!(filter.accepts(line), Err(error), "{line:?}");
    }
    assert_eq!(filter.accepts(b"{\"A\":\"\xff\"}"), Ok(true));
}

#[test]
fn depth_without_end_neither_overflows_nor_panics() {
    let filter = r#"{"where":{"key":"A","operator":"contains","value":"x"}}"#;
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    assert!(!accepts(filter, &format!(r#"{{"A":{open}"x"{close}}}"#)));
    assert!(accepts(filter, &format!(r#"{{"B":{open}{close},"A":["x",{open}{close}]}}"#)));
    assert!(Filter::parse(&format!(r#"{{"where":{open}{close}}}"#)).is_err());
}
