//! The partner format from outside: the published table, lines made by hand, and properties of every line.

mod explained;
pub(crate) mod oracle;
mod records;

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::select;
use raydex::record::Field;
use raydex::render::partner::{COLUMNS, ColumnRule, ColumnSource, FORMAT, SEPARATOR, TERMINATOR, UNAVAILABLE};
use raydex::render::{PartnerOptions, write_partner_line};

/// The cells of a rendered record, and whether it was sanitised.
fn cells(line: &[u8]) -> (Vec<String>, bool) {
    let mut out = Vec::new();
    let outcome = write_partner_line(&mut out, line, &PartnerOptions::default()).unwrap();
    let text = String::from_utf8(out).unwrap();
    let cells = text.strip_suffix('\n').unwrap().split('\u{1}').map(str::to_owned).collect();
    (cells, outcome.sanitised)
}

/// The column `number` of a rendered record.
fn cell(number: usize, line: &str) -> String {
    cells(line.as_bytes()).0.swap_remove(number - 1)
}

/// Whether a column prints a text as it is.
const fn is_text(rule: ColumnRule) -> bool {
    matches!(rule, ColumnRule::Text | ColumnRule::Number | ColumnRule::Identifier)
}

fn fixture(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/partner", name].iter().collect();
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_published_table_is_the_one_that_renders() {
    let table: toml::Table = include_str!("../../../schemas/partner_v3.toml").parse().unwrap();
    let byte = |name: &str| table[name].as_str().unwrap().as_bytes().to_vec();
    assert_eq!(table["format"].as_str(), Some(FORMAT));
    assert_eq!(byte("separator"), [SEPARATOR]);
    assert_eq!(byte("terminator"), [TERMINATOR]);
    assert_eq!(byte("unavailable"), [UNAVAILABLE]);
    let published = table["column"].as_array().unwrap();
    assert_eq!((published.len(), COLUMNS.len()), (145, 145));
    for (row, column) in published.iter().zip(&COLUMNS) {
        let mut expected = toml::Table::new();
        expected.insert("number".into(), i64::try_from(column.number).unwrap().into());
        expected.insert("name".into(), column.name().as_ref().into());
        expected.insert("source".into(), column.source.name().into());
        expected.insert("rule".into(), column.rule.to_string().into());
        if let Some(max) = column.max {
            expected.insert("max".into(), i64::try_from(max).unwrap().into());
        }
        assert_eq!(row.as_table(), Some(&expected));
    }
}

/// Every hand-made record prints what its file says: a line for each column that has a value, with its number
/// and its name; the columns that the file leaves out are unavailable.
#[test]
fn handmade_records_print_as_their_files_say() {
    for name in ["typical", "texts", "numbers", "hostile", "empty"] {
        let (cells, sanitised) = cells(fixture(&format!("{name}.json")).trim_end().as_bytes());
        let mut printed = String::new();
        for (column, cell) in COLUMNS.iter().zip(&cells).filter(|(_, cell)| *cell != "-") {
            writeln!(printed, "{} {} {cell}", column.number, column.name()).unwrap();
        }
        printed.push_str(if sanitised { "sanitised\n" } else { "" });
        assert_eq!(printed, fixture(&format!("{name}.columns")), "{name}");
    }
}

/// The bytes of a whole line never change: the partner reads them by position.
#[test]
fn a_whole_line_is_frozen() {
    let mut out = Vec::new();
    write_partner_line(&mut out, fixture("typical.json").trim_end().as_bytes(), &PartnerOptions::default()).unwrap();
    let visible = String::from_utf8(out).unwrap().replace('\u{1}', "|");
    assert_eq!(visible, fixture("typical.line"));
}

#[test]
fn spellings_of_one_instant_give_equal_columns() {
    let spellings = [
        "1774687345",
        "1774687345.000",
        "1774687345000",
        "1774687345000000",
        "1774687345000000000",
        "\"1774687345\"",
        "\"1774687345000\"",
        "\"1774687345000000\"",
        "\"1774687345000000000\"",
        "\"2026-03-28T08:42:25Z\"",
        "\"2026-03-28T16:42:25.000+08:00\"",
        "\"2026-03-28T08:42:25.000000000Z\"",
    ];
    for spelling in spellings {
        let line = records::record(Field::EdgeStartTimestamp, spelling);
        assert_eq!(cell(2, &line), "[28/Mar/2026:16:42:25 +0800]", "{spelling}");
        assert_eq!(cell(5, &line), "1774687345.000", "{spelling}");
        assert_eq!(cell(55, &line), "28/Mar/2026:16:42:25 +0800", "{spelling}");
    }
}

#[test]
fn control_characters_become_spaces_and_are_counted() {
    for column in COLUMNS.iter().filter(|column| is_text(column.rule) || column.rule == ColumnRule::Url) {
        let ColumnSource::Field(field) = column.source else { panic!("{column:?} has no field") };
        for control in
            ["\u{1}", "\r", "\n", "\0", "\u{1b}", "\r\n\u{1}", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}\u{85}"]
        {
            let line = records::record(field, &records::json(&format!("/a{control}b")));
            let (cells, sanitised) = cells(line.as_bytes());
            let expected = format!("/a{}b", " ".repeat(control.chars().count()));
            assert!(cells[column.number - 1].ends_with(&expected), "{} {control:?}", column.name());
            assert!(sanitised, "{} {control:?}", column.name());
            assert_eq!(cells.len(), 145, "{} {control:?}", column.name());
        }
    }
}

#[test]
fn unprinted_control_characters_are_not_counted() {
    let line =
        r#"{"Unread":"\u0001","CacheCacheStatus":"hit\n","EdgeColoCode":"\u0000","OriginResponseDurationMs":"1\r"}"#;
    assert!(!cells(line.as_bytes()).1);
}

#[test]
fn long_texts_are_cut_between_characters() {
    let cuts = [
        (35, 1024, Field::ClientRequestUserAgent, ""),
        (34, 2048, Field::ClientRequestReferer, ""),
        (18, 4096, Field::ClientRequestURI, "http://"),
    ];
    for (number, max, field, before) in cuts {
        assert_eq!(COLUMNS[number - 1].max, Some(max));
        for unit in ["a", "é", "語", "😀", "e\u{301}", "\u{1}", "\u{2028}"] {
            for length in [max - 2, max - 1, max, max + 1, max + 2, 3 * max] {
                let text: String = unit.chars().cycle().take(length - before.len()).collect();
                let printed = cell(number, &records::record(field, &records::json(&text)));
                let expected: String =
                    before.chars().chain(text.replace(['\u{1}', '\u{2028}'], " ").chars()).take(max).collect();
                assert_eq!(printed, expected, "{number} {unit:?} {length}");
            }
        }
    }
}

#[test]
fn no_other_column_is_cut() {
    let text = "語".repeat(5000);
    for column in COLUMNS.iter().filter(|column| is_text(column.rule) && column.max.is_none()) {
        let ColumnSource::Field(field) = column.source else { panic!("{column:?} has no field") };
        assert_eq!(cell(column.number, &records::record(field, &records::json(&text))), text, "{}", column.name());
    }
}

proptest! {
    #[test]
    fn any_record_gives_145_columns_and_one_line(line in records::line()) {
        let mut out = Vec::new();
        write_partner_line(&mut out, line.as_bytes(), &PartnerOptions::default()).unwrap();
        prop_assert_eq!(memchr::memchr_iter(SEPARATOR, &out).count(), 144);
        prop_assert_eq!(out.iter().filter(|byte| **byte < b' ').count(), 145);
        prop_assert_eq!(out.last(), Some(&TERMINATOR));
        let text = std::str::from_utf8(&out).unwrap();
        let is_split = text.contains(['\u{85}', '\u{2028}', '\u{2029}']);
        prop_assert!(!is_split);
    }

    #[test]
    fn any_record_prints_as_the_oracle_says(line in records::line()) {
        let (cells, sanitised) = cells(line.as_bytes());
        prop_assert_eq!(oracle::Expected { cells, sanitised }, oracle::render(line.as_bytes()), "{}", line);
    }

    #[test]
    fn any_value_in_any_field_prints_like_oracle(field in select(Field::ALL), value in records::value()) {
        let line = records::record(field, &value);
        let (cells, sanitised) = cells(line.as_bytes());
        prop_assert_eq!(oracle::Expected { cells, sanitised }, oracle::render(line.as_bytes()), "{}", line);
    }

    #[test]
    fn any_bytes_give_a_whole_line_or_nothing(mut line in records::line().prop_map(String::into_bytes), at: usize, byte in any::<u8>()) {
        let at = at % line.len();
        line[at] = byte;
        let mut out = Vec::new();
        let outcome = write_partner_line(&mut out, &line, &PartnerOptions::default());
        let whole = memchr::memchr_iter(SEPARATOR, &out).count() == 144 && out.ends_with(b"\n");
        prop_assert_eq!(outcome.is_ok(), whole);
        prop_assert_eq!(outcome.is_err(), out.is_empty());
        if let Ok(line_of) = outcome {
            prop_assert!(line_of.sanitised || std::str::from_utf8(&line).is_ok());
        }
    }
}
