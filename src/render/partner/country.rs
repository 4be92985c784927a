//! The country of a data centre, by its airport code.
//!
//! The table is the file itself, `schemas/colo_country.csv`: rows of equal width sorted by code, so it is searched in
//! place (13 comparisons), and nothing is built when the Worker starts.
//!
//! # Invariants
//!
//! A row is `AAA,CC` and a line feed, or compilation fails.

/// The file, including its header.
const CSV: &[u8] = include_bytes!("../../../schemas/colo_country.csv");

/// One row: `AAA,CC` and a line feed.
type CountryRow = [u8; 7];

/// All rows, sorted by code.
static ROWS: &[CountryRow] = rows_of(CSV);

/// Returns the rows after the header: lines of `#`, then the line of titles.
const fn rows_of(mut csv: &[u8]) -> &[CountryRow] {
    while let [b'#', ..] = csv {
        csv = behind_line(csv);
    }
    let (rows, rest) = behind_line(csv).as_chunks();
    assert!(rest.is_empty(), "every row has the same width");
    rows
}

/// Returns the text after the first line.
const fn behind_line(mut text: &[u8]) -> &[u8] {
    while let [byte, rest @ ..] = text {
        text = rest;
        if *byte == b'\n' {
            break;
        }
    }
    text
}

/// Returns the country (ISO 3166-1 alpha-2) of the data centre `colo`: three letters of any case.
pub(super) fn country_of(colo: &[u8]) -> Option<[u8; 2]> {
    let &[a, b, c] = colo else { return None };
    let code = number_of([a, b, c].map(|letter| letter.to_ascii_uppercase()));
    let at = ROWS.binary_search_by_key(&code, |&[a, b, c, ..]| number_of([a, b, c])).ok()?;
    ROWS.get(at).map(|&[_, _, _, _, first, second, _]| [first, second])
}

/// Returns the code as a number that sorts like it: comparing three bytes would be a call.
const fn number_of([a, b, c]: [u8; 3]) -> u32 {
    u32::from_be_bytes([0, a, b, c])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::{CSV, ROWS, country_of};

    /// Returns the rows of a table as text, without header and comments.
    fn lines_of(csv: &str) -> Vec<(&str, &str)> {
        let lines = csv.lines().filter(|line| !line.starts_with('#'));
        lines.skip(1).map(|line| line.split_once(',').unwrap()).collect()
    }

    fn table() -> Vec<(&'static str, &'static str)> {
        lines_of(std::str::from_utf8(CSV).unwrap())
    }

    #[test]
    fn the_rows_are_sorted_without_a_code_twice() {
        assert!(ROWS.is_sorted_by(|a, b| a[..3] < b[..3]));
        assert_eq!(ROWS.len(), 7893);
        assert_eq!(ROWS.len(), table().len());
    }

    #[test]
    fn rows_are_three_letters_comma_two_letters() {
        for row in ROWS {
            let shape = row.map(|byte| if byte.is_ascii_uppercase() { b'A' } else { byte });
            assert_eq!(&shape, b"AAA,AA\n", "{row:?}");
        }
    }

    #[test]
    fn every_code_is_found_in_any_case() {
        for (code, country) in table() {
            for code in [code, &code.to_lowercase()] {
                assert_eq!(country_of(code.as_bytes()).unwrap(), country.as_bytes(), "{code}");
            }
        }
    }

    #[test]
    fn the_overrides_win() {
        let overrides = lines_of(include_str!("../../../schemas/colo_country_overrides.csv"));
        assert_eq!(overrides.len(), 10);
        for (code, country) in overrides {
            assert_eq!(country_of(code.as_bytes()).unwrap(), country.as_bytes(), "{code}");
        }
    }

    #[test]
    fn what_is_no_known_code_has_no_country() {
        for colo in ["", "S", "SI", "ZZZ", "SING", "SJC-", " SIN", "123", "é1", "語", "\0\0\0", "SIN\n"] {
            assert_eq!(country_of(colo.as_bytes()), None, "{colo:?}");
        }
    }

    proptest! {
        #[test]
        fn a_search_agrees_with_reading_every_row(colo in "[A-Za-z]{3}") {
            let upper = colo.to_uppercase();
            let expected = table().into_iter().find(|(code, _)| *code == upper).map(|(_, country)| country.as_bytes());
            let found = country_of(colo.as_bytes());
            prop_assert_eq!(found.as_ref().map(<[u8; 2]>::as_slice), expected);
        }
    }
}
