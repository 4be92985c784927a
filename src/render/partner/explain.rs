//! A partner's line with the way to each of its values: the rule, the fields that it reads, and what was changed.
//!
//! # Invariants
//!
//! The values are the cells of the line that [`super::write_partner_fields`] writes, byte for byte: they are cut out of it.
//! A line is written into the memory that its text allows for, and never outgrows it.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::columns::{COLUMNS, COUNT, ColumnSource, PartnerColumn};
use super::{PartnerLine, PartnerOptions, SEPARATOR, TERMINATOR, UNAVAILABLE, cells, write_cells};
use crate::limits::{EXPLAINED_COPIES, EXPLAINED_SLACK};
use crate::record::{Field, Fields, RecordError};

/// A record's line with what happened to each of its cells.
#[derive(Debug)]
pub struct ExplainedLine<'a> {
    fields: Fields<'a>,
    line: Vec<u8>,
    cells: [PartnerLine; COUNT],
}

impl<'a> ExplainedLine<'a> {
    /// Writes the line of the record in `text`, and keeps what happened to each cell.
    ///
    /// # Errors
    /// [`RecordError`] if the text is not a record.
    pub fn parse(text: &'a str, options: &PartnerOptions) -> Result<Self, RecordError> {
        let fields = Fields::parse(text)?;
        let mut line = Vec::with_capacity(EXPLAINED_COPIES * text.len() + EXPLAINED_SLACK);
        let mut of_cells = [PartnerLine::default(); COUNT];
        write_cells(&mut line, &fields, options, |column, cell, changed| {
            let changed = std::mem::take(changed);
            let sanitised = changed.sanitised || cells::has_line_end(cell);
            if let Some(of_cell) = of_cells.get_mut(column.number - 1) {
                *of_cell = PartnerLine { sanitised, ..changed };
            }
        });
        Ok(Self { fields, line, cells: of_cells })
    }

    /// Returns the line, with its line feed.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// Returns the columns in order. `is_masked` says of a field and its JSON whether the reader may see another value of
    /// it than the record has.
    pub fn columns<F: Fn(Field, &str) -> bool>(&self, is_masked: F) -> impl Iterator<Item = ExplainedColumn<'_>> {
        let line = self.line.strip_suffix(&[TERMINATOR]).unwrap_or(&self.line);
        let values = line.split(|byte| *byte == SEPARATOR);
        COLUMNS.iter().zip(values).zip(&self.cells).map(move |((column, value), changed)| {
            let mut natives = column.fields().filter_map(|field| Some((field, native(&self.fields, field)?)));
            let masked = natives.any(|(field, raw)| is_masked(field, raw));
            let value = std::str::from_utf8(value).unwrap_or_default();
            ExplainedColumn { column, value, changed: *changed, masked, fields: &self.fields }
        })
    }

    /// Hands a table of the columns to `push`, piece by piece: for each a row with its number, its name, the outcome and the
    /// value, and below it the rule and each field. What may be long is last, so that its length moves nothing.
    ///
    /// # Errors
    /// That of `push`.
    pub fn push_table<E>(
        &self,
        is_masked: impl Fn(Field, &str) -> bool,
        mut push: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let [number, name, outcome, value] = HEADS;
        push_cells(&mut push, number, name, outcome)?;
        push(value.as_bytes())?;
        push(b"\n")?;
        for column in self.columns(is_masked) {
            column.push_rows(&mut push)?;
        }
        Ok(())
    }
}

/// Returns the JSON of a field, if the record has it.
fn native<'f>(fields: &Fields<'f>, field: Field) -> Option<&'f str> {
    fields.raw(field).and_then(|raw| std::str::from_utf8(raw).ok())
}

/// One value of a line, and the way to it.
#[derive(Debug, Clone, Copy)]
pub struct ExplainedColumn<'a> {
    /// The column of the format.
    pub column: &'static PartnerColumn,
    /// The value as it is in the line.
    pub value: &'a str,
    /// What was changed in this cell.
    pub changed: PartnerLine,
    /// Whether the reader may see another value of one of the fields than the record has.
    pub masked: bool,
    fields: &'a Fields<'a>,
}

impl<'a> ExplainedColumn<'a> {
    /// Returns the fields that the rule reads, each with its JSON if the record has it.
    pub fn natives(&self) -> impl Iterator<Item = (Field, Option<&'a str>)> + use<'a> {
        let fields = self.fields;
        self.column.fields().map(move |field| (field, native(fields, field)))
    }

    /// Returns the stable names of what happened to the value; none if it is what the rule makes of the fields.
    pub fn outcome(&self) -> impl Iterator<Item = &'static str> + use<> {
        let PartnerLine { sanitised, cut, defaulted } = self.changed;
        let is_unavailable = self.value.as_bytes() == [UNAVAILABLE];
        let happened = [
            ("unavailable", is_unavailable),
            ("defaulted", defaulted),
            ("sanitised", sanitised),
            ("cut", cut),
            ("masked", self.masked),
        ];
        happened.into_iter().filter_map(|(name, is_so)| is_so.then_some(name))
    }

    /// Hands the rows of the column to `push`.
    fn push_rows<E>(&self, push: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let (number, outcome) = (self.column.number.to_string(), itertools::join(self.outcome(), ","));
        push_cells(push, &number, &self.column.name(), if outcome.is_empty() { "-" } else { &outcome })?;
        push(self.value.as_bytes())?;
        push(b"\n")?;
        if self.column.source == ColumnSource::None {
            return Ok(());
        }
        // The rule is in the first of the rows below.
        let mut rule = self.column.rule.to_string();
        if self.column.source == ColumnSource::Setting {
            push_cells(push, "", "", &rule)?;
            push(b"setting\n")?;
        }
        for (field, raw) in self.natives() {
            push_cells(push, "", "", &std::mem::take(&mut rule))?;
            push(field.name().as_bytes())?;
            push(if raw.is_some() { " = " } else { " is absent" }.as_bytes())?;
            push(raw.map(on_one_line).unwrap_or_default().as_bytes())?;
            push(b"\n")?;
        }
        Ok(())
    }
}

/// The members of a column as JSON has them.
#[derive(Serialize)]
struct ColumnDocument<'a> {
    number: usize,
    name: &'a str,
    value: &'a str,
    rule: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<usize>,
    /// The fields that the rule reads, also those that the record lacks.
    fields: Vec<&'static str>,
    native: NativeFields<'a>,
    outcome: Vec<&'static str>,
}

impl Serialize for ExplainedColumn<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (PartnerColumn { number, rule, max, .. }, name) = (*self.column, self.column.name());
        let document = ColumnDocument {
            number,
            name: &name,
            value: self.value,
            rule: rule.to_string(),
            max,
            fields: self.column.fields().map(Field::name).collect(),
            native: NativeFields(*self),
            outcome: self.outcome().collect(),
        };
        document.serialize(serializer)
    }
}

/// The fields of a column that the record has, as JSON has them in the record.
struct NativeFields<'a>(ExplainedColumn<'a>);

impl Serialize for NativeFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let present = self.0.natives().filter_map(|(field, raw)| Some((field.name(), raw_value(raw?)?)));
        serializer.collect_map(present)
    }
}

/// Returns a valid JSON text as a value that is written as it is.
fn raw_value(raw: &str) -> Option<&RawValue> {
    serde_json::from_str(raw).ok()
}

/// The heads of a table's columns.
const HEADS: [&str; 4] = ["#", "column", "outcome", "value"];

/// Hands the cells before the value to `push`, each as wide as its longest text.
fn push_cells<E>(
    push: &mut impl FnMut(&[u8]) -> Result<(), E>,
    number: &str,
    name: &str,
    outcome: &str,
) -> Result<(), E> {
    push(format!("{number:>3}  {name:<24}  {outcome:<30}  ").as_bytes())
}

/// Returns the JSON with a space for each control character and line end, as in the partner's values.
fn on_one_line(raw: &str) -> Cow<'_, str> {
    let breaks = |c: char| c.is_ascii_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
    if raw.contains(breaks) { Cow::Owned(raw.replace(breaks, " ")) } else { Cow::Borrowed(raw) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::{COLUMNS, EXPLAINED_COPIES, ExplainedLine, PartnerOptions};
    use crate::record::Field;
    use crate::render::partner::{ColumnRule, ColumnSource};

    fn explained(text: &str) -> ExplainedLine<'_> {
        ExplainedLine::parse(text, &PartnerOptions::default()).unwrap()
    }

    /// The column of this number, as JSON, for a reader who sees no field masked.
    fn column(number: usize, text: &str) -> Value {
        let line = explained(text);
        serde_json::to_value(line.columns(|_, _| false).nth(number - 1).unwrap()).unwrap()
    }

    #[test]
    fn outcome_is_of_its_own_column_alone() {
        let long = "x".repeat(1_025);
        for (number, text, outcome) in [
            (35, format!(r#"{{"ClientRequestUserAgent":"{long}"}}"#), json!(["cut"])),
            (34, format!(r#"{{"ClientRequestUserAgent":"{long}","ClientRequestReferer":"a"}}"#), json!([])),
            (35, r#"{"ClientRequestUserAgent":"a\nb"}"#.into(), json!(["sanitised"])),
            (35, "{\"ClientRequestUserAgent\":\"a\u{2028}b\"}".into(), json!(["sanitised"])),
            (36, "{\"ClientRequestUserAgent\":\"a\u{2028}b\",\"ClientIP\":\"::1\"}".into(), json!([])),
            (35, format!(r#"{{"ClientRequestUserAgent":"\u0001{long}"}}"#), json!(["sanitised", "cut"])),
            (45, r#"{"EdgeColoCode":"ZZZ"}"#.into(), json!(["defaulted"])),
            (45, r#"{"EdgeColoCode":"SIN"}"#.into(), json!([])),
            (18, r#"{"ClientRequestScheme":"https","ClientRequestURI":"/"}"#.into(), json!([])),
            (18, "{}".into(), json!(["defaulted"])),
            (13, "{}".into(), json!(["unavailable"])),
            (31, "{}".into(), json!(["unavailable"])),
            (58, "{}".into(), json!(["unavailable"])),
            (1, "{}".into(), json!([])),
        ] {
            assert_eq!(column(number, &text)["outcome"], outcome, "{number} {text}");
        }
    }

    #[test]
    fn column_has_its_fields_as_the_record_does() {
        let text =
            r#"{"ClientRequestScheme":"https","ClientRequestURI":"\u002f","EdgeResponseStatus":2e2,"ClientIP":null}"#;
        assert_eq!(
            column(18, text),
            json!({
                "number": 18, "name": "url", "value": "https:///", "rule": "url", "max": 4096,
                "fields": ["ClientRequestScheme", "ClientRequestHost", "ClientRequestURI"],
                "native": { "ClientRequestScheme": "https", "ClientRequestURI": "/" }, "outcome": [],
            })
        );
        let line = explained(text);
        let json: Vec<String> =
            line.columns(|_, _| false).map(|column| serde_json::to_string(&column).unwrap()).collect();
        assert!(json[17].contains(r#""ClientRequestURI":"\u002f""#), "{}", json[17]);
        assert!(json[3].contains(
            r#""value":"200","rule":"number","fields":["EdgeResponseStatus"],"native":{"EdgeResponseStatus":2e2}"#
        ));
        assert_eq!(
            (&column(13, text)["native"], &column(13, text)["value"]),
            (&json!({ "ClientIP": null }), &"-".into())
        );
        let reserved = json!({
            "number": 145, "name": "reserved_145", "value": "-", "rule": "unavailable", "fields": [], "native": {},
            "outcome": ["unavailable"],
        });
        assert_eq!(column(145, text), reserved);
    }

    #[test]
    fn masked_fields_mark_the_columns_that_read_them() {
        let text = r#"{"ClientRequestHost":"a.example","ClientIP":"192.0.2.0"}"#;
        let line = explained(text);
        let masked = line.columns(|field, raw| field == Field::ClientRequestHost && raw == r#""a.example""#);
        let numbers: Vec<usize> = masked.filter(|column| column.masked).map(|column| column.column.number).collect();
        assert_eq!(numbers, [17, 18, 60]);
    }

    #[test]
    fn rows_of_a_table_are_aligned_and_whole() {
        let text = "{\"ClientIP\":\"::1\",\"ResponseHeaders\":{\"x\":\"\u{85}\"\t}}";
        let mut table = Vec::new();
        let pushed = explained(text).push_table(
            |field, _| field == Field::ClientIP,
            |text| {
                table.extend_from_slice(text);
                Ok::<_, ()>(())
            },
        );
        assert_eq!(pushed, Ok(()));
        let table = String::from_utf8(table).unwrap();
        let row = |number: &str, name: &str, outcome: &str, value: &str| {
            format!("{number:>3}  {name:<24}  {outcome:<30}  {value}\n")
        };
        let rows = [
            row("#", "column", "outcome", "value") + &row("1", "version", "-", "cs_vod_v3.0"),
            row("", "", "version", "setting"),
            row("13", "remote_addr", "masked", "::1") + &row("", "", "text", r#"ClientIP = "::1""#),
            row("18", "url", "defaulted", "http:///") + &row("", "", "url", "ClientRequestScheme is absent"),
            row("", "", "first_header:content-length", "ResponseHeaders = {\"x\":\" \" }"),
            row("", "", "", "ResponseFields is absent"),
            row("144", "reserved_144", "unavailable", "-") + &row("145", "reserved_145", "unavailable", "-"),
        ];
        for expected in &rows {
            assert!(table.contains(expected), "{expected}{table}");
        }
        let below: usize = COLUMNS
            .iter()
            .map(|column| column.fields().count().max(usize::from(column.source == ColumnSource::Setting)))
            .sum();
        assert_eq!(table.lines().count(), 1 + COLUMNS.len() + below);
        assert!(table.ends_with("-\n"));
    }

    #[test]
    fn no_field_is_copied_more_often_than_reserved() {
        let mut copies: BTreeMap<&str, usize> = BTreeMap::new();
        for column in &COLUMNS {
            let copies_text =
                matches!(column.rule, ColumnRule::Text | ColumnRule::Number | ColumnRule::Identifier | ColumnRule::Url);
            for field in column.fields().filter(|_| copies_text) {
                *copies.entry(field.name()).or_default() += 1;
            }
        }
        assert_eq!(copies.values().max(), Some(&EXPLAINED_COPIES), "{copies:?}");
        let long = "a".repeat(50_000);
        let text = format!(r#"{{"ClientIP":"{long}\u2028","ClientRequestHost":"{long}","ClientRequestURI":"{long}"}}"#);
        let line = explained(&text);
        assert!(line.line.len() > EXPLAINED_COPIES * long.len());
        assert!(line.line.capacity() < EXPLAINED_COPIES * text.len() + 2 * crate::limits::EXPLAINED_SLACK);
    }

    #[test]
    fn source_is_among_the_fields_of_its_column() {
        for column in &COLUMNS {
            match column.source {
                ColumnSource::Field(field) => assert!(column.fields().any(|read| read == field), "{column:?}"),
                ColumnSource::Setting | ColumnSource::None => assert_eq!(column.fields().count(), 0, "{column:?}"),
            }
        }
    }
}
