//! Cells of comma-separated values that a spreadsheet shows as text and does not run, since log lines contain whatever
//! clients send.
//!
//! # Invariants
//!
//! No cell begins with something that a spreadsheet takes for a formula, even after characters that it does not show;
//! nor does a part of a cell, should the spreadsheet split cells at semicolons or tabs. A value that it would respell
//! (a Ray ID like a power of ten, 19 digits of nanoseconds) stays unchanged. An apostrophe precedes each such value,
//! and also one that begins with an apostrophe.

use crate::mask::is_invisible;

/// Maximum number of digits that a spreadsheet shows without an exponent; it rounds to 15.
const DIGITS_SHOWN: usize = 11;
/// Marks a value that must stay text.
const TEXT_MARK: char = '\'';

/// Returns the cell of a text.
pub(super) fn text_cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len() + 3);
    let mut pieces = text.split_inclusive(is_separator);
    if text.starts_with(TEXT_MARK) || begins_formula(text) || is_respelled(text) {
        cell.push(TEXT_MARK);
    }
    cell.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        if runs_inside(piece) {
            cell.push(TEXT_MARK);
        }
        cell.push_str(piece);
    }
    quoted(cell)
}

/// Returns the cell of a number, as spelled in JSON.
pub(super) fn number_cell(number: &str) -> String {
    let digits = number.split(['e', 'E']).next().unwrap_or_default().bytes().filter(u8::is_ascii_digit).count();
    if digits > DIGITS_SHOWN { quoted(format!("{TEXT_MARK}{number}")) } else { number.to_owned() }
}

/// Quotes the cell, if necessary.
fn quoted(cell: String) -> String {
    let is_special = |c: char| c.is_control() || matches!(c, ',' | ';' | '"' | '\'' | '\u{2028}' | '\u{2029}');
    if cell.contains(is_special) || cell.trim() != cell { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

/// Returns whether a spreadsheet may begin a cell or a row here, even inside quotes.
const fn is_separator(c: char) -> bool {
    matches!(c, ';' | '\t' | '\n' | '\r')
}

/// Returns whether a cell of this text would run: its first visible character begins a formula, in either width.
fn begins_formula(text: &str) -> bool {
    let shown = text.trim_start_matches(|c| is_separator(c) || is_unseen(c));
    shown.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
}

/// Returns whether the part of a text after a separator would run. A sign alone, as before the URL in the name of a
/// bot, calls nothing.
fn runs_inside(piece: &str) -> bool {
    let shown = piece.trim_start_matches(is_unseen);
    let is_call = || begins_formula(shown) && shown.contains(['(', '!', '|']);
    shown.starts_with(['=', '@', '＝', '＠']) || is_call()
}

/// Returns whether a spreadsheet skips or does not show the character: blanks, controls, quotes, and all characters
/// without width.
fn is_unseen(c: char) -> bool {
    c.is_whitespace() || c.is_control() || c == '"' || is_invisible(c)
}

/// Returns whether a spreadsheet takes the text for a number and respells it: with an exponent, or without its leading
/// or trailing zeros.
fn is_respelled(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let (whole, decimals) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = !whole.is_empty() && is_digits(whole) && is_digits(decimals);
    let has_zeros = whole.len() > 1 && whole.starts_with('0') || decimals.ends_with('0');
    is_number
        && exponent.is_none_or(|digits| !digits.is_empty() && is_digits(digits))
        && (exponent.is_some() || has_zeros || whole.len() + decimals.len() > DIGITS_SHOWN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

    use super::{number_cell, text_cell};

    #[test]
    fn ordinary_texts_stay_as_they_are() {
        for text in [
            "",
            "a",
            "200",
            "a5e675fd08697ca5",
            "1-1=0",
            "192.0.2.1",
            "1.5",
            "99999999999",
            "2026-03-28T08:42:25.123456789Z",
            "/a?b=c",
            "%0A=1",
            "[masked]",
            "e5",
            "1e",
            "1e5f",
            "🙂",
        ] {
            assert_eq!(text_cell(text), text);
        }
    }

    #[test]
    fn what_a_spreadsheet_runs_is_a_text() {
        let signs = ["=", "+", "-", "@", "＝", "＋", "－", "＠"];
        let unseen = [
            "",
            " ",
            "\t",
            "\n",
            "\r\n",
            "\u{a0}",
            "\u{feff}",
            "\u{200b}",
            "\u{200d}\u{2060}",
            ";",
            "; ",
            "\"",
            "\0",
            "\u{3000}",
            "\u{180f}",
            "\u{ad}",
        ];
        for before in unseen {
            for sign in signs {
                let cell = text_cell(&format!("{before}{sign}SUM(1)"));
                assert!(cell.starts_with("\"'"), "{before:?} {sign}: {cell}");
            }
        }
    }

    #[test]
    fn part_of_a_cell_is_no_formula_either() {
        for (text, cell) in [
            ("a;=1", "\"a;'=1\""),
            ("a\t \u{feff}@x", "\"a\t' \u{feff}@x\""),
            ("a\n=1", "\"a\n'=1\""),
            ("a;+cmd|' /C calc'!A0", "\"a;'+cmd|' /C calc'!A0\""),
            ("(compatible; +http://bot.example/b.html)", "\"(compatible; +http://bot.example/b.html)\""),
            ("a,=1", "\"a,=1\""),
        ] {
            assert_eq!(text_cell(text), cell, "{text}");
        }
    }

    #[test]
    fn texts_that_look_like_numbers_keep_their_spelling() {
        for text in ["9123456789012345", "91234e5678901234", "00", "0123", "1.10", "1e5", "1E+5", "123456789012"] {
            assert_eq!(text_cell(text), format!("\"'{text}\""));
        }
        assert_eq!(text_cell("'=1"), "\"''=1\"");
    }

    #[test]
    fn numbers_too_long_to_be_shown_are_texts() {
        for number in ["0", "-1.50", "200", "1e3", "99999999999", "0.9882648587"] {
            assert_eq!(number_cell(number), number);
        }
        for number in ["1795335060904000000", "1.7953350607771236e+18", "1795335060777", "0.98826485872269"] {
            assert_eq!(number_cell(number), format!("\"'{number}\""));
        }
    }

    proptest! {
        #[test]
        fn a_cell_is_one_field_without_a_formula(
            text in prop::collection::vec(
                prop::sample::select(vec![
                    "=", "+", "-", "@", "＝", ";", ",", "\"", "'", "\n", "\r", "\t", " ", "\u{feff}", "\u{200b}", "a", "1", "(", "é",
                ]),
                0..10,
            ),
        ) {
            let (text, cell) = (text.concat(), text_cell(&text.concat()));
            let value = if let Some(inside) = cell.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
                prop_assert_eq!(inside.replace("\"\"", "").matches('"').count(), 0);
                inside.replace("\"\"", "\"")
            } else {
                prop_assert!(!cell.contains(['"', ',', ';', '\r', '\n']));
                cell
            };
            let seen = value.trim_start_matches([';', '"', '\n', '\r', '\t', ' ', '\u{feff}', '\u{200b}']);
            prop_assert!(!seen.starts_with(['=', '+', '-', '@', '＝']), "{}", value);
            for part in value.split([';', '\t', '\n', '\r']) {
                let seen = part.trim_start_matches(['"', ' ', '\u{feff}', '\u{200b}']);
                prop_assert!(!seen.starts_with(['=', '@', '＝']), "{}", value);
            }
            prop_assert_eq!(value.replace('\'', ""), text.replace('\'', ""));
        }
    }
}
