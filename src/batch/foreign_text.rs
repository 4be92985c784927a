//! Lines of other kinds of text than JSON: delimited values, markup, names with values.
//!
//! # Invariants
//!
//! The rest of a damaged record is JSON at its beginning or its end, and never counts as such a text.

use super::form::BatchForm;
use super::line_sign::{LinePlace, LineSign};
use crate::record::NameKind;

/// Digits of a ray.
const RAY_DIGITS: usize = 16;

/// The sign of a line that begins with a tag. The `<134>` of syslog is none.
pub(super) fn markup(text: &[u8], place: LinePlace) -> Option<LineSign> {
    let form = BatchForm::Xml;
    match text.get(1)? {
        b'/' => Some(LineSign::Mark(form)),
        b'?' if text.starts_with(b"<?xml") => Some(LineSign::Mark(form)),
        b'?' | b'!' | b'a'..=b'z' | b'A'..=b'Z' if place.is_first => Some(LineSign::Mark(form)),
        b'?' | b'!' | b'a'..=b'z' | b'A'..=b'Z' => {
            let text = std::str::from_utf8(text).ok();
            Some(text.and_then(|text| text_sign(text, form)).unwrap_or(LineSign::Hint(form)))
        }
        _ => None,
    }
}

/// The sign of a line of values with delimiters between them, or of names with their values. With names alone that a
/// record has, it is a heading.
pub(super) fn foreign_text(text: &[u8], place: LinePlace) -> Option<LineSign> {
    let text = std::str::from_utf8(text).ok().filter(|text| !text.contains('\0'))?;
    let cells = || text.split([',', '\t', ';', '|']).map(|cell| cell.trim().trim_matches('"'));
    if cells().nth(1).is_none() {
        return text.contains('=').then(|| text_sign(text, BatchForm::NotNdjson)).flatten();
    }
    if is_heading(cells, place) {
        return Some(LineSign::Mark(BatchForm::Csv));
    }
    let hint = (!text.contains('{')).then_some(LineSign::Hint(BatchForm::Csv));
    text_sign(text, BatchForm::Csv).or(hint)
}

/// Whether cells are names with a ray or a time among them; in the middle, a second one is documented too.
fn is_heading<'t, C: Iterator<Item = &'t str>>(cells: impl Fn() -> C, place: LinePlace) -> bool {
    let is_name =
        |cell: &str| !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !cells().all(is_name) {
        return false;
    }
    let kinds = || cells().filter_map(NameKind::of);
    kinds().any(|kind| matches!(kind, NameKind::Ray | NameKind::Time)) && (place.is_first || kinds().nth(1).is_some())
}

/// The sign of a text, if it is no part of a JSON object: with a ray in it, it stands for a record.
fn text_sign(text: &str, form: BatchForm) -> Option<LineSign> {
    let is_json = text.starts_with('{') || text.ends_with('}') || has_member_name(text);
    (!is_json).then(|| if has_ray(text) { LineSign::Repeat(form) } else { LineSign::Text(form) })
}

/// Whether a JSON string with a colon after it is in the text. In a quoted cell each quote is doubled.
fn has_member_name(text: &str) -> bool {
    text.match_indices("\":").any(|(at, _)| !text.get(..at).is_some_and(|before| before.ends_with(['"', '='])))
}

/// Whether a word of the text is a ray. A number of sixteen digits is none.
fn has_ray(text: &str) -> bool {
    text.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| {
        let is_hex = word.len() == RAY_DIGITS && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex && word.bytes().any(|byte| byte.is_ascii_alphabetic())
    })
}

#[cfg(test)]
mod tests {
    use super::{BatchForm, LinePlace, LineSign, foreign_text, markup};

    #[test]
    fn text_with_a_ray_stands_for_a_record() {
        let sign = |line: &str| foreign_text(line.as_bytes(), LinePlace::default());
        for (line, expected) in [
            ("192.0.2.1,9e35512345678abc,/a", Some(LineSign::Repeat(BatchForm::Csv))),
            (r#""9e35512345678abc"	"{""a"":""b""}"	1"#, Some(LineSign::Repeat(BatchForm::Csv))),
            ("ip=192.0.2.1 ray=9e35512345678abc", Some(LineSign::Repeat(BatchForm::NotNdjson))),
            ("192.0.2.1,1774687320123456,/a", Some(LineSign::Text(BatchForm::Csv))),
            ("RayID,ClientIP", Some(LineSign::Mark(BatchForm::Csv))),
            ("RayID,mine", Some(LineSign::Text(BatchForm::Csv))),
            (r#"9e35512345678abc","EdgeStartTimestamp":1774687320}"#, Some(LineSign::Hint(BatchForm::Csv))),
            (r#"9e35512345678abc","ClientIP":"192.0.2.1","a":{"b"#, None),
            ("9e35512345678abc", None),
            ("cut", None),
        ] {
            assert_eq!(sign(line), expected, "{line}");
        }
        let tag = br#"<record ray="9e35512345678abc"/>"#;
        assert_eq!(markup(tag, LinePlace::default()), Some(LineSign::Repeat(BatchForm::Xml)));
        assert_eq!(markup(b"<record/>", LinePlace::default()), Some(LineSign::Text(BatchForm::Xml)));
        assert_eq!(markup(b"<134>1 a", LinePlace::default()), None);
    }
}
