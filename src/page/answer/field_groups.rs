//! The groups in which the page shows the fields of a record, with their labels and their units: `schemas/field_groups.json`.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::facts::RecordFacts;
use super::texts::{InstantText, ShownText, duration_text, size_text};
use crate::limits::{PAGE_FIELDS, PAGE_VALUE_CHARACTERS};
use crate::mask::MASKED;
use crate::record::FieldValue;
use crate::record::decimal::Decimal;
use crate::story::{TIMINGS, TimingUnit};

const DOCUMENT: &str = include_str!("../../../schemas/field_groups.json");

/// The groups of the file, read once.
static GROUPS: LazyLock<FieldGroups> = LazyLock::new(|| serde_json::from_str(DOCUMENT).unwrap_or_default());

/// All groups, in the order in which the page shows them.
#[derive(Debug, Default, Deserialize)]
pub(super) struct FieldGroups {
    groups: Vec<FieldGroup>,
    /// What 0 means in fields where it is no measured number.
    zero: HashMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
struct FieldGroup {
    title: String,
    fields: HashMap<String, String>,
}

/// The fields of a record by group.
#[derive(Debug, Default)]
pub(super) struct GroupedFields {
    /// The groups with a value in them.
    pub(super) groups: Vec<ShownGroup>,
    /// The names of fields without a value, with blanks between them.
    pub(super) empty_names: String,
    /// Their number.
    pub(super) empty: usize,
    /// The number of fields whose values are masked in whole or in part.
    pub(super) masked: usize,
    /// The number of fields that are not listed.
    pub(super) beyond: usize,
}

/// A group with its fields.
#[derive(Debug)]
pub(super) struct ShownGroup {
    /// Its heading.
    pub(super) title: &'static str,
    /// The fields, in the order of the record.
    pub(super) fields: Vec<ShownField>,
}

/// A field with its value.
#[derive(Debug)]
pub(super) struct ShownField {
    /// What people call it.
    pub(super) label: String,
    /// The name in the record, cut if it is long.
    pub(super) name: String,
    /// The value: a text without its quotes, anything else as JSON.
    pub(super) value: ShownText,
    /// The same in a unit that people read.
    pub(super) readable: Option<String>,
}

impl GroupedFields {
    /// Groups the fields of a record. `now_ms` is what instants are shown relative to.
    pub(super) fn new(facts: &RecordFacts<'_>, now_ms: i64) -> Self {
        let groups = &GROUPS.groups;
        let mut of_group: Vec<Vec<ShownField>> = (0..=groups.len()).map(|_| Vec::new()).collect();
        let mut grouped = Self::default();
        let mut empty_names: Vec<String> = Vec::new();
        for (at, (name, raw)) in facts.members().enumerate() {
            grouped.masked += usize::from(raw.contains(MASKED));
            if at >= PAGE_FIELDS {
                grouped.beyond += 1;
            } else if is_empty(raw) {
                empty_names.push(ShownText::new(name, 80).text);
            } else {
                let (place, label) = group_of(groups, name);
                if let Some(fields) = of_group.get_mut(place) {
                    fields.push(ShownField::new(name, label, raw, now_ms));
                }
            }
        }
        let titles = groups.iter().map(|group| group.title.as_str()).chain(["Others"]);
        let filled = titles.zip(of_group).filter(|(_, fields)| !fields.is_empty());
        grouped.groups = filled.map(|(title, fields)| ShownGroup { title, fields }).collect();
        grouped.empty = empty_names.len();
        grouped.empty_names = empty_names.join(" ");
        grouped
    }
}

/// Returns what people call a field.
pub(super) fn label_of(name: &str) -> String {
    let (_, label) = group_of(&GROUPS.groups, name);
    label.map_or_else(|| words_of(&ShownText::new(name, 80).text), str::to_owned)
}

/// Returns the position of a field's group, and the field's label; the position after the last for one that no group has.
fn group_of(groups: &'static [FieldGroup], name: &str) -> (usize, Option<&'static str>) {
    let found = groups.iter().enumerate().find_map(|(at, group)| Some((at, group.fields.get(name)?.as_str())));
    found.map_or((groups.len(), None), |(at, label)| (at, Some(label)))
}

impl ShownField {
    fn new(name: &str, label: Option<&'static str>, raw: &str, now_ms: i64) -> Self {
        let value = match FieldValue::from_json(raw) {
            FieldValue::Text(text) => ShownText::new(&text, PAGE_VALUE_CHARACTERS),
            _ => ShownText::new(raw, PAGE_VALUE_CHARACTERS),
        };
        let name = ShownText::new(name, 80).text;
        let label = label.map_or_else(|| words_of(&name), str::to_owned);
        let readable = readable(&name, raw, now_ms);
        Self { label, readable: readable.filter(|text| *text != value.text), name, value }
    }
}

/// Whether a value is nothing: an empty text, list or object, or `null`.
fn is_empty(raw: &str) -> bool {
    matches!(raw, "\"\"" | "null" | "[]" | "{}")
}

/// Returns a value in the unit of its field, as people read it.
fn readable(name: &str, raw: &str, now_ms: i64) -> Option<String> {
    if matches!(raw, "0" | "\"0\"") {
        return GROUPS.zero.get(name).cloned();
    }
    let unit = unit_of(name)?;
    if unit == FieldUnit::Bytes {
        return digits_of(raw).filter(|bytes| *bytes >= 1_000).map(size_text);
    }
    match unit {
        FieldUnit::Timing(TimingUnit::Instant) => {
            let ns = TimingUnit::Instant.nanoseconds(raw)?;
            let InstantText { text, relative, .. } = InstantText::new(ns.div_euclid(1_000_000), now_ms);
            Some(format!("{text}, {relative}"))
        }
        FieldUnit::EpochMilliseconds => {
            let InstantText { text, relative, .. } = InstantText::new(i64::try_from(digits_of(raw)?).ok()?, now_ms);
            Some(format!("{text}, {relative}"))
        }
        FieldUnit::Timing(unit) => unit.nanoseconds(raw).map(duration_text),
        FieldUnit::Bytes => None,
    }
}

fn digits_of(raw: &str) -> Option<u64> {
    match FieldValue::from_json(raw) {
        FieldValue::Number(digits) => Decimal::parse(digits)?.whole(0),
        FieldValue::Text(text) => Decimal::parse(&text)?.whole(0),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FieldUnit {
    Timing(TimingUnit),
    EpochMilliseconds,
    Bytes,
}

/// Returns the unit of a field, which its name says.
fn unit_of(name: &str) -> Option<FieldUnit> {
    if let Some((_, unit)) = TIMINGS.iter().find(|(known, _)| *known == name) {
        return Some(FieldUnit::Timing(*unit));
    }
    Some(match name {
        _ if name.ends_with("TimestampMs") => FieldUnit::EpochMilliseconds,
        "Datetime" | "Timestamp" | "CreatedAt" => FieldUnit::Timing(TimingUnit::Instant),
        _ if name.ends_with("Ms") => FieldUnit::Timing(TimingUnit::Milliseconds),
        _ if name.ends_with("Us") => FieldUnit::Timing(TimingUnit::Microseconds),
        _ if name.ends_with("Bytes") || name.starts_with("Bytes") => FieldUnit::Bytes,
        _ => return None,
    })
}

/// Returns the words of a field's name: `My_NewField` as `My New field`.
fn words_of(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 8);
    let mut before = ' ';
    for c in name.chars() {
        let starts = c.is_ascii_uppercase() && before.is_ascii_lowercase();
        if starts {
            words.push(' ');
        }
        words.push(match c {
            '_' => ' ',
            c if starts => c.to_ascii_lowercase(),
            c => c,
        });
        before = c;
    }
    words
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{FieldUnit, GROUPS, readable, unit_of, words_of};
    use crate::story::{TIMINGS, TimingUnit};

    fn documented() -> BTreeMap<String, String> {
        let datasets: toml::Table = include_str!("../../../schemas/datasets.toml").parse().unwrap();
        let older: BTreeMap<String, String> =
            serde_json::from_str(include_str!("../../../schemas/http_requests_fields.json")).unwrap();
        let mut names = older;
        for dataset in crate::record::Dataset::WITH_RAY {
            let fields = datasets[dataset.name()]["fields"].as_array().unwrap();
            names.extend(fields.iter().map(|field| (field[0].as_str().unwrap().to_owned(), field[1].to_string())));
        }
        names
    }

    #[test]
    fn every_documented_field_has_one_group() {
        let mut listed = BTreeMap::new();
        for group in &GROUPS.groups {
            for (name, label) in &group.fields {
                assert!(!label.is_empty() && listed.insert(name.clone(), &group.title).is_none(), "{name}");
            }
        }
        let documented = documented();
        for name in documented.keys() {
            assert!(listed.contains_key(name), "{name} has no group");
        }
        for name in listed.keys() {
            assert!(documented.contains_key(name), "{name} is in no dataset with a ray");
        }
        assert_eq!(GROUPS.groups.len(), 9);
        for (name, words) in &GROUPS.zero {
            assert!(listed.contains_key(name) && !words.is_empty(), "{name}");
        }
    }

    #[test]
    fn fields_have_the_units_of_their_names() {
        for (name, unit) in TIMINGS {
            assert_eq!(unit_of(name), Some(FieldUnit::Timing(unit)), "{name}");
        }
        assert_eq!(unit_of("EdgeResponseBytes"), Some(FieldUnit::Bytes));
        assert_eq!(unit_of("WallTimeMs"), Some(FieldUnit::Timing(TimingUnit::Milliseconds)));
        assert_eq!((unit_of("BotScore"), unit_of("RayID")), (None, None));
    }

    #[test]
    fn values_are_read_in_their_units() {
        for (name, raw, text) in [
            ("EdgeResponseBytes", "1049111", Some("1 MB")),
            ("EdgeResponseBytes", "999", None),
            ("EdgeResponseBytes", "\"x\"", None),
            ("OriginResponseTime", "149000000", Some("149 ms")),
            ("WorkerWallTimeUs", "2500000", Some("2.5 s")),
            ("OriginDNSResponseTimeMs", "null", None),
            ("EventTimestampMs", "1774687345005", Some("2026-03-28 08:42:25.005 UTC, 60 s ago")),
            ("EdgeStartTimestamp", "\"2026-03-28T08:42:25Z\"", Some("2026-03-28 08:42:25.000 UTC, 60 s ago")),
            ("BotScore", "30", None),
            ("BotScore", "0", Some("not scored")),
            (
                "OriginTLSHandshakeDurationMs",
                "0",
                Some("no step: the connection was open, or the origin was not asked"),
            ),
            ("EdgeResponseBodyBytes", "0", None),
            ("EdgeStartTimestamp", "0", None),
        ] {
            assert_eq!(readable(name, raw, 1_774_687_405_005).as_deref(), text, "{name} {raw}");
        }
    }

    #[test]
    fn names_without_label_become_words() {
        assert_eq!(words_of("My_NewField"), "My New field");
        assert_eq!(words_of("x-id"), "x-id");
    }
}
