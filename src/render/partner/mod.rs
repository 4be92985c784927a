//! The partner format `cs_vod_v3.0`: 145 columns, joined by U+0001, ended by a line feed.
//!
//! One table, [`COLUMNS`], defines the columns; one loop writes them. A rule appends the bytes of its value, or nothing
//! if there is no value. After every rule the loop replaces control characters (unless the rule excludes them), cuts
//! the value, and writes `-` for an unavailable one.
//!
//! # Invariants
//!
//! A line has 144 separators and ends with its only line feed, whatever the record contains; no reader sees another
//! line end in it. It is UTF-8. Nothing is appended for a line that is not a record.

mod cells;
mod columns;
mod country;
mod digest;
mod durations;
mod explain;
mod headers;
mod options;
mod rules;
mod times;

use std::borrow::Cow;

use crate::record::fields::line_text;
use crate::record::{Fields, RecordError};

use columns::{COUNT, NAMED};
use rules::CellContent;

pub use columns::{COLUMNS, ColumnRule, ColumnSource, PartnerColumn};
pub use digest::content_digest;
pub use explain::{ExplainedColumn, ExplainedLine};
pub(crate) use headers::first_header;
pub use options::{OptionsError, PartnerOptions};

/// The name of the format, which is its first column unless a setting has another one.
pub const FORMAT: &str = "cs_vod_v3.0";
/// The byte between two columns.
pub const SEPARATOR: u8 = 0x01;
/// The byte that ends a line.
pub const TERMINATOR: u8 = b'\n';
/// The placeholder for an unavailable value.
pub const UNAVAILABLE: u8 = b'-';

/// The outcome of writing one line, or one cell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PartnerLine {
    /// Whether the line differs from the record: a control character or another line end in a value became a space
    /// (even one that was then cut off), or the record contained something that a text cannot represent.
    pub sanitised: bool,
    /// Whether a value was longer than its column allows, and was cut.
    pub cut: bool,
    /// Whether a value took the place of one that the record lacks: the country of an unknown data centre, or the scheme or
    /// path of a URL.
    pub defaulted: bool,
}

/// Appends the partner's line for the record `line`, including its line feed.
///
/// # Errors
/// [`RecordError`] if the line is not a record; nothing is appended in that case.
pub fn write_partner_line(
    out: &mut Vec<u8>,
    line: &[u8],
    options: &PartnerOptions,
) -> Result<PartnerLine, RecordError> {
    let text = line_text(line);
    let written = write_partner_fields(out, &Fields::parse(&text)?, options);
    Ok(PartnerLine { sanitised: written.sanitised || matches!(text, Cow::Owned(_)), ..written })
}

/// Appends the partner's line for a record that was already read, including its line feed.
pub fn write_partner_fields(out: &mut Vec<u8>, fields: &Fields<'_>, options: &PartnerOptions) -> PartnerLine {
    write_cells(out, fields, options, |_, _, _| ())
}

/// Appends the line, and shows `on_cell` each column that has a rule, its cell before line ends outside of ASCII are
/// replaced, and what was changed since it took the last changes.
#[inline]
fn write_cells(
    out: &mut Vec<u8>,
    fields: &Fields<'_>,
    options: &PartnerOptions,
    mut on_cell: impl FnMut(&PartnerColumn, &[u8], &mut PartnerLine),
) -> PartnerLine {
    let record = rules::PartnerRecord::new(fields, options);
    let (line, mut changed, mut written) = (out.len(), PartnerLine::default(), 0);
    for column in NAMED.iter().filter(|column| column.rule != ColumnRule::Unavailable) {
        put_unavailable(out, column.number - 1 - written);
        let start = out.len();
        match rules::write(out, column, &record) {
            CellContent::Clean => cells::finish_clean(out, start, column.max, &mut changed),
            CellContent::Anything => cells::finish(out, start, column.max, &mut changed),
            CellContent::Default => {
                changed.defaulted = true;
                cells::finish(out, start, column.max, &mut changed);
            }
        }
        on_cell(column, out.get(start..).unwrap_or_default(), &mut changed);
        out.push(SEPARATOR);
        written = column.number;
    }
    put_unavailable(out, COUNT - written);
    if let Some(last) = out.last_mut() {
        *last = TERMINATOR;
    }
    changed.sanitised |= cells::blank_line_ends(out, line);
    changed
}

/// Appends `cells` unavailable cells, each with its separator.
#[inline]
fn put_unavailable(out: &mut Vec<u8>, cells: usize) {
    const CELLS: [[u8; 2]; COUNT] = [[UNAVAILABLE, SEPARATOR]; COUNT];
    cells::put(out, CELLS.as_flattened().get(..2 * cells).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, PartnerLine, PartnerOptions, write_partner_line};
    use crate::record::RecordError;

    fn rendered(line: &[u8]) -> (Vec<u8>, PartnerLine) {
        let mut out = Vec::new();
        let outcome = write_partner_line(&mut out, line, &PartnerOptions::default()).unwrap();
        (out, outcome)
    }

    #[test]
    fn empty_record_has_only_constants_and_settings() {
        let (out, outcome) = rendered(b"{}");
        let line = String::from_utf8(out).unwrap();
        let available: Vec<_> = line.trim_end().split('\u{1}').enumerate().filter(|(_, cell)| *cell != "-").collect();
        assert_eq!(available, [(0, "cs_vod_v3.0"), (17, "http:///"), (44, "CN")]);
        assert!(!outcome.sanitised);
    }

    #[test]
    fn what_is_changed_is_counted_by_kind() {
        let whole = r#""ClientRequestScheme":"https","ClientRequestURI":"/","EdgeColoCode":"SIN""#;
        let changed = |more: &str| {
            let (_, PartnerLine { sanitised, cut, defaulted }) = rendered(format!("{{{whole}{more}}}").as_bytes());
            (sanitised, cut, defaulted)
        };
        assert_eq!(changed(""), (false, false, false));
        assert_eq!(changed(r#","ClientRequestUserAgent":"a\nb""#), (true, false, false));
        let long = "x".repeat(1025);
        assert_eq!(changed(&format!(r#","ClientRequestUserAgent":"{long}""#)), (false, true, false));
        assert_eq!(changed(&format!(r#","ClientRequestReferer":"\u0001{long}{long}""#)), (true, true, false));
        for (name, value) in
            [("EdgeColoCode", r#""XXX""#), ("ClientRequestURI", "null"), ("ClientRequestScheme", "null")]
        {
            let other = whole.split(',').filter(|member| !member.contains(name)).collect::<Vec<_>>().join(",");
            let (_, line) = rendered(format!(r#"{{{other},"{name}":{value}}}"#).as_bytes());
            assert_eq!((line.sanitised, line.cut, line.defaulted), (false, false, true), "{name}");
        }
    }

    #[test]
    fn a_line_that_is_no_record_appends_nothing() {
        for (line, reason) in [
            (&b"null"[..], RecordError::NotAnObject),
            (b"{\"RayID\":\"x\"", RecordError::NotJson),
            (b"\xff", RecordError::NotJson),
            (b"", RecordError::NotJson),
        ] {
            let mut out = b"before".to_vec();
            assert_eq!(write_partner_line(&mut out, line, &PartnerOptions::default()), Err(reason));
            assert_eq!(out, b"before");
        }
    }

    #[test]
    fn a_line_is_appended_behind_what_is_there() {
        let mut out = b"before\n".to_vec();
        for _ in 0..2 {
            write_partner_line(&mut out, b"{}", &PartnerOptions::default()).unwrap();
        }
        let (line, _) = rendered(b"{}");
        assert_eq!(out, [&b"before\n"[..], &line, &line].concat());
    }

    #[test]
    fn invalid_utf8_becomes_replacement_characters_and_is_counted() {
        let (out, outcome) = rendered(b"{\"ClientRequestUserAgent\":\"a\xffb\"}");
        assert!(String::from_utf8(out).unwrap().contains("a\u{fffd}b"));
        assert!(outcome.sanitised);
    }

    #[test]
    fn options_made_without_constructor_cannot_break_lines() {
        let version = "\n\u{1}".into();
        let options = PartnerOptions { version, tenant: "a\u{1}\n\u{2028}b".into(), unknown_country: "\r".into() };
        let mut out = Vec::new();
        let outcome = write_partner_line(&mut out, b"{}", &options).unwrap();
        assert_eq!(memchr::memchr_iter(super::SEPARATOR, &out).count(), COLUMNS.len() - 1);
        assert_eq!(memchr::memchr_iter(super::TERMINATOR, &out).count(), 1);
        assert!(String::from_utf8(out).unwrap().contains("a   b") && outcome.sanitised);
    }
}
