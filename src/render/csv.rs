//! Records as comma-separated values (RFC 4180): a row of names, then a row for each record.
//!
//! # Invariants
//!
//! Every row has as many cells as the first one. A cell that a spreadsheet would take for a formula becomes a text (an
//! apostrophe precedes it), since log lines contain what clients send.

use crate::record::fields::line_text;
use crate::record::{Dataset, FieldValue, RecordError, RecordMembers};

/// The columns of a dataset where none are asked for.
#[must_use]
pub const fn default_columns(dataset: Dataset) -> &'static [&'static str] {
    dataset.spec().columns
}

/// Appends the header row: the names of the columns.
pub fn write_csv_names<S: AsRef<str>>(out: &mut Vec<u8>, columns: &[S]) {
    write_row(out, columns.iter().map(|name| write_cell(name.as_ref())));
}

/// Appends the row of the record `line`.
///
/// # Errors
/// [`RecordError`] where the line is not a record; nothing is appended then.
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

/// The cell of a value in JSON.
fn cell(value: &str) -> String {
    match FieldValue::from_json(value) {
        FieldValue::Absent => String::new(),
        FieldValue::Number(digits) => digits.to_owned(),
        FieldValue::Bool(value) => value.to_string(),
        FieldValue::Text(text) => write_cell(&text),
        FieldValue::Nested(raw) => write_cell(raw),
    }
}

/// The cell of a text.
fn write_cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let quoted = is_formula || text.contains([',', '"', '\r', '\n']) || text.trim() != text;
    if !quoted {
        return text.to_owned();
    }
    let before = if is_formula { "'" } else { "" };
    format!("\"{before}{}\"", text.replace('"', "\"\""))
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
    fn what_clients_send_is_never_a_formula() {
        for text in ["=1+1", "+1", "-1", "@x", "\\t=1"] {
            let cell = row(&format!(r#"{{"a":"{text}"}}"#), &["a"]);
            assert!(cell.starts_with("\"'"), "{cell}");
        }
        assert_eq!(row(r#"{"a":"1-1=0"}"#, &["a"]), "1-1=0\r\n");
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
