//! The contracts in `schemas/` and the code say the same.

use raydex::batch::{TEST_MEMBER, TEST_VALUES, is_test_upload};
use raydex::config::SETTINGS;
use raydex::mask::OWN_WORDS;
use raydex::r2_event::{EventBackfill, ObjectChange, R2Event};
use raydex::record::Dataset;
use raydex::record::fields::Field;
use raydex::render::{TimeForm, default_columns, write_csv_row};
use serde_json::{Map, Value};

use super::{json, regex, text};

#[test]
fn the_settings_are_the_ones_of_the_code() {
    let schema = json("schemas/config.json");
    let settings = schema["settings"].as_array().unwrap();
    assert_eq!(settings.len(), SETTINGS.len());
    for (described, setting) in settings.iter().zip(SETTINGS) {
        assert_eq!(described["name"], setting.name);
        assert_eq!(described["secret"], setting.secret, "{}", setting.name);
        assert_eq!(described["default"].as_str(), setting.default(), "{}", setting.name);
        assert!(described["description"].as_str().unwrap().ends_with('.'), "{}", setting.name);
        assert_eq!(described.as_object().unwrap().len(), 4, "{}", setting.name);
    }
}

#[test]
fn configuration_page_lists_every_setting() {
    let page = text("docs/configuration.md");
    let rows: Vec<&str> = page.lines().skip_while(|line| !line.starts_with("| setting |")).skip(2).collect();
    for (row, setting) in rows.iter().zip(SETTINGS) {
        let name = if setting.secret { format!("`{}` (secret)", setting.name) } else { format!("`{}`", setting.name) };
        let default = setting.default().map_or("none".to_owned(), |default| format!("`{default}`"));
        assert!(row.starts_with(&format!("| {name} | {default}")), "{row}");
    }
    assert!(!rows[SETTINGS.len()].starts_with('|'), "the table goes on: {}", rows[SETTINGS.len()]);
}

/// The properties of a JSON Schema's object, and which of them must be there.
fn properties(schema: &Value) -> (&Map<String, Value>, Vec<&str>) {
    let required = schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    (schema["properties"].as_object().unwrap(), required)
}

fn examples(schema: &Value) -> &[Value] {
    schema["examples"].as_array().unwrap()
}

fn parses(event: &Value) -> bool {
    R2Event::parse(&event.to_string()).is_ok()
}

#[test]
fn the_examples_of_an_event_are_events() {
    let schema = json("schemas/r2_event.json");
    let actions = schema["properties"]["action"]["enum"].as_array().unwrap();
    let mut seen = Vec::new();
    for example in examples(&schema) {
        let event = R2Event::parse(&example.to_string()).unwrap();
        assert_eq!(example["object"]["key"], event.object.key);
        assert_eq!(
            example["object"].get("eTag").is_some(),
            event.object_change() == ObjectChange::Written,
            "{example}"
        );
        assert!(actions.contains(&example["action"]));
        seen.push(example["action"].clone());
    }
    assert!(actions.iter().all(|action| seen.contains(action)), "an example for each action");
}

#[test]
fn event_members_are_the_ones_read() {
    let schema = json("schemas/r2_event.json");
    let backfill = EventBackfill {
        id: 1,
        start_ms: 0,
        end_ms: 1,
        index: true,
        deliver: true,
        lines_per_second: 5,
        again: true,
        erasure: Some(1),
        filtered: true,
        rebuild: true,
    };
    let event =
        R2Event { account: Some("a".into()), backfill: Some(backfill), ..R2Event::put_object("b", "k", 1, "e", 0) };
    let event = serde_json::to_value(event).unwrap();
    // A copy's source is in the contract, and stepped over.
    let stepped_over = ["copySource"];
    for (schema, read) in [
        (&schema, &event),
        (&schema["properties"]["object"], &event["object"]),
        (&schema["properties"]["backfill"], &event["backfill"]),
    ] {
        let described = properties(schema).0.keys().filter(|name| !stepped_over.contains(&name.as_str()));
        let mut read: Vec<&String> = read.as_object().unwrap().keys().collect();
        let mut described: Vec<&String> = described.collect();
        read.sort();
        described.sort();
        assert_eq!(described, read);
    }
}

#[test]
fn only_required_event_members_must_be_there() {
    let schema = json("schemas/r2_event.json");
    let example = &examples(&schema)[0];
    assert!(parses(example));
    let (members, required) = properties(&schema);
    for name in members.keys() {
        let mut without = example.clone();
        without.as_object_mut().unwrap().remove(name);
        assert_eq!(parses(&without), !required.contains(&name.as_str()), "without {name}");
    }
    let (members, required) = properties(&schema["properties"]["object"]);
    for name in members.keys() {
        let mut without = example.clone();
        without["object"].as_object_mut().unwrap().remove(name);
        assert_eq!(parses(&without), !required.contains(&name.as_str()), "without object.{name}");
    }
}

/// A list that has a source and a day on which it was compared with it.
fn has_source(list: &toml::Value, name: &str) {
    assert!(list["source"].as_str().is_some_and(|source| source.starts_with("https://")), "{name}");
    let checked = list["checked"].as_datetime().and_then(|checked| checked.date);
    assert!(checked.is_some_and(|day| (2026..2100).contains(&day.year)), "{name}");
}

#[test]
fn spellings_are_those_of_the_code() {
    let lists: toml::Table = text("schemas/spellings.toml").parse().unwrap();
    lists.iter().for_each(|(name, list)| has_source(list, name));
    let texts = |list: &toml::Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let test = &lists["test_upload"];
    assert_eq!(
        (test["member"].as_str(), texts(&test["values"])),
        (Some(TEST_MEMBER), TEST_VALUES.map(String::from).to_vec())
    );
    let names = texts(&lists["timestamps"]["names"]);
    assert!(names.starts_with(&TimeForm::ALL.map(|form| form.name().to_owned())), "{names:?}");
    let (words, odd) = (texts(&lists["words"]["values"]), texts(&lists["words"]["odd"]));
    assert_eq!(odd, OWN_WORDS);
    assert!(odd.iter().all(|odd| words.iter().any(|word| word.eq_ignore_ascii_case(odd))));
    for value in texts(&test["values"]) {
        assert!(is_test_upload(format!("{{\"{TEST_MEMBER}\": \"{value}\"}}").as_bytes()), "{value}");
    }
}

#[test]
fn cell_with_a_formula_starter_is_a_text() {
    let lists: toml::Table = text("schemas/spellings.toml").parse().unwrap();
    let starters = lists["formula"]["starters"].as_array().unwrap();
    assert!(starters.len() >= 4);
    for starter in starters.iter().map(|starter| starter.as_str().unwrap()) {
        let line = serde_json::json!({ "a": format!("{starter}SUM(1)") }).to_string();
        let mut out = Vec::new();
        write_csv_row(&mut out, line.as_bytes(), &["a"]).unwrap();
        let row = String::from_utf8(out).unwrap();
        assert!(row.trim_start_matches('"').starts_with('\''), "{starter}: {row}");
    }
}

#[test]
fn field_classes_have_a_source_and_a_day() {
    let classes: toml::Table = text("schemas/field_classes.toml").parse().unwrap();
    has_source(&toml::Value::Table(classes), "field_classes");
}

#[test]
fn masking_lists_have_a_source_and_a_day() {
    let lists: toml::Table = text("schemas/masking.toml").parse().unwrap();
    lists.iter().for_each(|(name, list)| has_source(list, name));
}

#[test]
fn fields_are_sorted_and_typed() {
    // Of two members with one name a parser sees the last alone: the lines are looked at.
    let text = text("schemas/http_requests_fields.json");
    let form = r#"^  "([A-Z][A-Za-z0-9]*)": "[A-Z][^"]*[^". ] \((int|float|bool|string|time|object|array\[(int|string|object)\])\)",?$"#;
    let form = regex(form);
    let lines: Vec<&str> = text.lines().filter(|line| !["{", "}"].contains(line)).collect();
    let names: Vec<&str> = lines
        .iter()
        .map(|line| form.captures(line).unwrap_or_else(|| panic!("{line}")).get(1).unwrap().as_str())
        .collect();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    assert_eq!(json("schemas/http_requests_fields.json").as_object().unwrap().len(), names.len());
    let read = Field::ALL.iter().map(|field| field.name());
    for name in read.chain(default_columns(Dataset::HttpRequests).iter().copied()) {
        assert!(names.contains(&name), "{name}");
    }
}
