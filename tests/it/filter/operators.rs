//! Every operator on every type of field, as a table; and negation as the exact complement.

use super::accepts;

/// One value of each type that a field can have, and the ways that types drift.
const FIELDS: [(&str, &str); 16] = [
    ("absent", ""),
    ("null", r#""A":null"#),
    ("empty", r#""A":"""#),
    ("text", r#""A":"abc""#),
    ("digits", r#""A":"20""#),
    ("integer", r#""A":20"#),
    ("zero", r#""A":0"#),
    ("negative", r#""A":-5"#),
    ("float", r#""A":20.5"#),
    ("same", r#""A":2.00e1"#),
    ("nanos", r#""A":1774680145123456789"#),
    ("true", r#""A":true"#),
    ("false", r#""A":false"#),
    ("texts", r#""A":["abc","20"]"#),
    ("integers", r#""A":[20,7]"#),
    ("object", r#""A":{"A":"abc"}"#),
];

/// An operator that can be negated, a value, and the fields that satisfy it.
const TRUE_FOR: [(&str, &str, &[&str]); 31] = [
    ("eq", r#""abc""#, &["text"]),
    ("eq", r#""ab""#, &[]),
    ("eq", r#""""#, &["empty"]),
    ("eq", "20", &["digits", "integer", "same"]),
    ("eq", r#""20""#, &["digits", "integer", "same"]),
    ("eq", r#""20.0""#, &["integer", "same"]),
    ("eq", "-5", &["negative"]),
    ("eq", "-0", &["zero"]),
    ("eq", "1774680145123456789", &["nanos"]),
    ("eq", "1774680145123456788", &[]),
    ("eq", "true", &["true"]),
    ("eq", "false", &["false"]),
    ("eq", r#""true""#, &["true"]),
    ("eq", r#""null""#, &[]),
    ("startsWith", r#""ab""#, &["text"]),
    ("startsWith", r#""2""#, &["digits", "integer", "float", "same"]),
    ("startsWith", r#""""#, &["empty", "text", "digits", "integer", "zero", "negative", "float", "same", "nanos"]),
    ("endsWith", r#""bc""#, &["text"]),
    ("endsWith", r#""0""#, &["digits", "integer", "zero"]),
    ("endsWith", r#""t""#, &[]),
    ("contains", r#""b""#, &["text"]),
    ("contains", r#""abc""#, &["text", "texts"]),
    ("contains", r#""20""#, &["digits", "integer", "float", "texts", "integers"]),
    ("contains", "20", &["digits", "integer", "float", "texts", "integers"]),
    ("contains", r#""rue""#, &[]),
    ("in", r#"["abc",20]"#, &["text", "digits", "integer", "same"]),
    ("in", r#""abc, 20""#, &["text", "digits", "integer", "same"]),
    ("in", r#""-5,0""#, &["negative", "zero"]),
    ("in", r#"[""]"#, &["empty"]),
    ("in", r#"["true"]"#, &["true"]),
    ("in", r#""7""#, &[]),
];

/// An operator of order, its value, and the fields that satisfy it.
const ORDERED: [(&str, &str, &[&str]); 8] = [
    ("lt", "20", &["zero", "negative"]),
    ("leq", "20", &["digits", "integer", "zero", "negative", "same"]),
    ("gt", "20", &["float", "nanos"]),
    ("geq", "20", &["digits", "integer", "float", "same", "nanos"]),
    ("geq", r#""21""#, &["nanos"]),
    ("gt", "1774680145123456788", &["nanos"]),
    ("gt", "1774680145123456789", &[]),
    ("lt", "-99999999999999999999999999", &[]),
];

/// The fields that satisfy an operator.
fn satisfying(operator: &str, value: &str) -> Vec<&'static str> {
    let filter = format!(r#"{{"where":{{"key":"A","operator":"{operator}","value":{value}}}}}"#);
    let holds = |field: &str| accepts(&filter, &format!("{{{field}}}"));
    FIELDS.iter().filter(|(_, field)| holds(field)).map(|(name, _)| *name).collect()
}

#[test]
fn every_operator_holds_for_the_documented_fields() {
    for (operator, value, expected) in TRUE_FOR.iter().chain(&ORDERED) {
        let found = satisfying(operator, value);
        let expected: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).filter(|name| expected.contains(name)).collect();
        assert_eq!(found, expected, "{operator} {value}");
    }
}

#[test]
fn negated_operator_is_the_exact_complement() {
    for (operator, value, _) in TRUE_FOR {
        let positive = satisfying(operator, value);
        let rest: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).filter(|name| !positive.contains(name)).collect();
        assert_eq!(satisfying(&format!("!{operator}"), value), rest, "!{operator} {value}");
        if operator == "eq" {
            assert_eq!(satisfying("neq", value), rest, "neq {value}");
        }
    }
}
