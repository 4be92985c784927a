//! An explained line is the partner's line: its values are the cells, its outcomes add up to the line's, and the fields that
//! it names are those that a value comes from.

use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use proptest::sample::select;
use raydex::record::fields::line_text;
use raydex::record::{Field, Fields};
use raydex::render::partner::{COLUMNS, ExplainedLine, PartnerLine};
use raydex::render::{PartnerOptions, write_partner_line};
use serde_json::{Map, Value};

use super::{fixture, records};

/// The partner's line of a record, and its columns as an explanation has them.
fn both(line: &[u8]) -> (String, PartnerLine, Vec<Value>) {
    let options = PartnerOptions::new("tenant", "SG").unwrap();
    let mut written = Vec::new();
    let outcome = write_partner_line(&mut written, line, &options).unwrap();
    let text = line_text(line);
    let explained = ExplainedLine::parse(&text, &options).unwrap();
    assert_eq!(explained.line(), written);
    let columns = explained.columns(|_, _| false).map(|column| serde_json::to_value(column).unwrap()).collect();
    (String::from_utf8(written).unwrap(), outcome, columns)
}

/// The line that the values of the columns are joined to.
fn joined(columns: &[Value]) -> String {
    let values: Vec<&str> = columns.iter().map(|column| column["value"].as_str().unwrap()).collect();
    values.join("\u{1}") + "\n"
}

/// Whether something of this name happened to any of the columns.
fn any_is(columns: &[Value], outcome: &str) -> bool {
    columns.iter().any(|column| column["outcome"].as_array().unwrap().contains(&outcome.into()))
}

#[test]
fn explained_fixtures_are_their_lines() {
    for name in ["typical", "texts", "numbers", "hostile", "empty"] {
        let record = fixture(&format!("{name}.json"));
        let (line, _, columns) = both(record.trim_end().as_bytes());
        assert_eq!(joined(&columns), line, "{name}");
        assert_eq!(columns.len(), 145, "{name}");
        for (column, known) in columns.iter().zip(&COLUMNS) {
            assert_eq!(
                (column["number"].as_u64(), column["rule"].as_str()),
                (Some(known.number as u64), Some(&*known.rule.to_string()))
            );
            assert_eq!(column["name"], known.name().as_ref());
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_explained() {
    let (line, outcome, columns) = both(b"{\"ClientRequestUserAgent\":\"a\xffb\\ud83d\"}");
    assert_eq!(joined(&columns), line);
    assert!(outcome.sanitised);
    assert_eq!(columns[34]["native"]["ClientRequestUserAgent"], "a\u{fffd}b\u{fffd}");
}

proptest! {
    #[test]
    fn explained_values_join_to_the_line(line in records::line()) {
        let (written, outcome, columns) = both(line.as_bytes());
        prop_assert_eq!(joined(&columns), written);
        prop_assert_eq!(any_is(&columns, "cut"), outcome.cut);
        prop_assert_eq!(any_is(&columns, "defaulted"), outcome.defaulted);
        let is_repaired = matches!(line_text(line.as_bytes()), std::borrow::Cow::Owned(_));
        prop_assert_eq!(any_is(&columns, "sanitised") || is_repaired, outcome.sanitised, "{}", line);
    }

    #[test]
    fn explained_fields_are_those_of_the_record(line in records::line()) {
        let (_, _, columns) = both(line.as_bytes());
        let text = line_text(line.as_bytes());
        let record: Map<String, Value> = serde_json::from_str(&text).unwrap();
        let fields = Fields::parse(&text).unwrap();
        for column in &columns {
            let named = column["fields"].as_array().unwrap();
            let present: Vec<&Value> = named.iter().filter(|name| record.contains_key(name.as_str().unwrap())).collect();
            let native = column["native"].as_object().unwrap();
            prop_assert_eq!(native.len(), present.len());
            for name in present.iter().map(|name| name.as_str().unwrap()) {
                prop_assert_eq!(&native[name], &record[name]);
                prop_assert!(fields.raw(Field::from_name(name).unwrap()).is_some());
            }
        }
    }

    #[test]
    fn field_outside_of_a_column_changes_nothing(line in records::line(), field in select(Field::ALL), value in records::value()) {
        let (_, _, before) = both(line.as_bytes());
        // The last of two members counts.
        let changed = line.strip_suffix('}').unwrap().to_owned() + &format!(",\"{}\":{value}}}", field.name());
        let (_, _, after) = both(changed.as_bytes());
        for (one, other) in before.iter().zip(&after) {
            let reads = one["fields"].as_array().unwrap().contains(&field.name().into());
            prop_assert!(reads || one == other, "{} of {}\n{}\n{}", field.name(), one["name"], line, changed);
        }
    }
}

#[test]
fn each_field_of_a_column_can_change_it() {
    let value = |field: Field, other: bool| match field {
        Field::EdgeStartTimestamp => if other { "1774687346" } else { "1774687345" }.to_owned(),
        Field::CacheCacheStatus => if other { r#""hit""# } else { r#""dynamic""# }.to_owned(),
        Field::EdgeColoCode => if other { r#""SIN""# } else { r#""FRA""# }.to_owned(),
        Field::ClientRequestScheme => if other { r#""https""# } else { r#""http""# }.to_owned(),
        Field::ResponseHeaders | Field::ResponseFields => format!(r#"{{"content-length":"{}"}}"#, u8::from(other)),
        _ => u8::from(other).to_string(),
    };
    for column in &COLUMNS {
        for changed in column.fields() {
            // A field that takes the place of another is read where that one is absent.
            let has = |field: Field| field == changed || changed != Field::ResponseFields;
            let record = |other: bool| {
                let members = column.fields().filter(|field| has(*field));
                let members =
                    members.map(|field| format!("\"{}\":{}", field.name(), value(field, other && field == changed)));
                format!("{{{}}}", itertools::join(members, ","))
            };
            let at = column.number - 1;
            let [one, other] = [false, true].map(|other| both(record(other).as_bytes()).2[at]["value"].clone());
            assert_ne!(one, other, "{} of {}", changed.name(), column.name());
        }
    }
}
