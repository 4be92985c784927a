//! Records as comma-separated values (RFC 4180): a header row, then a row for each record.
//!
//! # Invariants
//!
//! Every row has as many cells as the first one. A value that a spreadsheet would run or respell is marked as text by a
//! leading apostrophe.

use super::spreadsheet::{number_cell, text_cell};
use crate::record::fields::line_text;
use crate::record::{Dataset, FieldValue, RecordError, RecordMembers};

/// Returns the default columns of a dataset.
#[must_use]
pub const fn default_columns(dataset: Dataset) -> &'static [&'static str] {
    dataset.spec().columns
}

/// Appends the header row: the names of the columns.
pub fn write_csv_names<S: AsRef<str>>(out: &mut Vec<u8>, columns: &[S]) {
    write_row(out, columns.iter().map(|name| text_cell(name.as_ref())));
}

/// Appends the row of the record `line`.
///
/// # Errors
/// [`RecordError`] if the line is not a record; nothing is appended in that case.
pub fn write_csv_row<S: AsRef<str>>(out: &mut Vec<u8>, line: &[u8], columns: &[S]) -> Result<(), RecordError> {
    let text = line_text(line);
    let members = RecordMembers::parse(&text)?;
    write_row(out, columns.iter().map(|name| members.get(name.as_ref()).map_or_else(String::new, cell)));
    Ok(())
}

fn write_row(out: &mut Vec<u8>, cells: impl Iterator<Item = String>) {
    out.extend(itertools::join(cells, ",").into_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Returns the cell of a JSON value.
fn cell(value: &str) -> String {
    match FieldValue::from_json(value) {
        FieldValue::Absent => String::new(),
        FieldValue::Number(digits) => number_cell(digits),
        FieldValue::Bool(value) => value.to_string(),
        FieldValue::Text(text) => text_cell(&text),
        FieldValue::Nested(raw) => text_cell(raw),
    }
}

#[cfg(test)]
mod tests {
    use super::{default_columns, write_csv_names, write_csv_row};
    use crate::record::Dataset;

    fn row(line: &str, columns: &[&str]) -> String {
        let mut out = Vec::new();
        write_csv_row(&mut out, line.as_bytes(), columns).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_kind_of_value_has_its_cell() {
        let line = r#"{"s":"a","n":-1.50,"b":true,"z":null,"l":[1,"x"],"q":"say \"no\", twice","m":"a\nb"}"#;
        assert_eq!(
            row(line, &["s", "n", "b", "z", "none", "l", "q", "m"]),
            "a,-1.50,true,,,\"[1,\"\"x\"\"]\",\"say \"\"no\"\", twice\",\"a\nb\"\r\n"
        );
    }

    #[test]
    fn what_a_spreadsheet_would_alter_is_a_text() {
        let line = r#"{"a":"=1+1","b":1795335060904000000,"c":"9123456789012345","d":["=1;=2"],"=e":1}"#;
        assert_eq!(row(line, &["a", "b", "c"]), "\"'=1+1\",\"'1795335060904000000\",\"'9123456789012345\"\r\n");
        assert_eq!(row(line, &["d"]), "\"[\"\"=1;'=2\"\"]\"\r\n");
        let mut out = Vec::new();
        write_csv_names(&mut out, &["=e"]);
        assert_eq!(out, b"\"'=e\"\r\n");
    }

    #[test]
    fn half_a_pair_is_replaced_in_every_cell() {
        let line = r#"{"a":"x\ud83d","b":{"\ude00":"y\ud83d"},"X\ud83d":1}"#;
        let cells = "x\u{fffd},\"{\"\"\\ufffd\"\":\"\"y\\ufffd\"\"}\",1\r\n";
        assert_eq!(row(line, &["a", "b", "X\u{fffd}"]), cells);
    }

    #[test]
    fn row_has_a_cell_for_each_name() {
        for dataset in Dataset::ALL {
            let columns = default_columns(dataset);
            let mut out = Vec::new();
            write_csv_names(&mut out, columns);
            write_csv_row(&mut out, b"{}", columns).unwrap();
            let text = String::from_utf8(out).unwrap();
            let counts: Vec<usize> = text.lines().map(|line| line.split(',').count()).collect();
            assert_eq!(counts, [columns.len(); 2]);
        }
        let mut out = b"before".to_vec();
        assert!(write_csv_row(&mut out, b"null", &["a"]).is_err());
        assert_eq!(out, b"before");
    }
}
