//! The fields of a multipart form, by their names.

use std::sync::LazyLock;

use regex::Regex;

use super::text::decoded;
use super::{REDACTED, RedactionRules};

/// The name of a field in the head of its part, in each of its forms.
const FIELD_NAME: &str = concat!(
    "[;",
    space!(),
    r"](?i-u:name)\*?[",
    space!(),
    "]*=[",
    space!(),
    r#"]*(?:"((?:[^"\\]|\\.)*)"|([^;"#,
    space!(),
    "]+))"
);
/// The boundary in a content type.
const BOUNDARY: &str =
    concat!("(?i-u:boundary)[", space!(), "]*=[", space!(), r#"]*(?:"([^"]+)"|([^;"#, space!(), "]+))");

static NAMES: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(FIELD_NAME).ok());
static BOUNDARIES: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(BOUNDARY).ok());

/// Returns what an expression finds in a text.
fn find<'t>(pattern: Option<&Regex>, text: &'t str) -> Option<&'t str> {
    let found = pattern?.captures(text)?;
    found.get(1).or_else(|| found.get(2)).map(|found| found.as_str())
}

impl RedactionRules {
    /// Returns a multipart form without the values of fields that are redacted, and without secrets in the others. Without a
    /// boundary nothing of it is known, so that all of it is redacted.
    pub(super) fn multipart(&self, content_type: &str, text: &str) -> String {
        let Some(boundary) = find(BOUNDARIES.as_ref(), content_type).map(|boundary| format!("--{boundary}")) else {
            return REDACTED.to_owned();
        };
        itertools::join(text.split(boundary.as_str()).map(|part| self.part(part)), &boundary)
    }

    fn part(&self, part: &str) -> String {
        let gap = ["\r\n\r\n", "\n\n"].into_iter().find_map(|gap| Some((part.find(gap)?, gap)));
        let Some((at, gap)) = gap else { return self.text(part).into_owned() };
        let (head, body) = part.split_at_checked(at + gap.len()).unwrap_or((part, ""));
        if NAMES.is_none() {
            return format!("{head}{REDACTED}\r\n");
        }
        let name = find(NAMES.as_ref(), head).unwrap_or_default();
        // RFC 8187: a character set, a language, and the name.
        let name = name.rsplit('\'').next().unwrap_or(name);
        if self.redacts(&decoded(name)) {
            format!("{head}{REDACTED}\r\n")
        } else {
            format!("{head}{}", self.text(body))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BOUNDARIES, NAMES, RedactionRules};

    #[test]
    fn expressions_are_valid() {
        assert!(NAMES.is_some() && BOUNDARIES.is_some());
    }

    #[test]
    fn secret_fields_lose_their_values() {
        for head in [
            "Content-Disposition: form-data; name=\"password\"",
            "content-disposition: form-data; name=password",
            "Content-Disposition: form-data; NAME=\"Password\"\r\ncontent-type: text/plain",
            "Content-Disposition: form-data; name*=utf-8''p%61ssword",
            "Content-Disposition: form-data; filename=\"a.txt\"; name=\"api_key\"",
        ] {
            let form = format!(
                "--b\r\n{head}\r\n\r\ncanary\r\ncanary two\r\n--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nkept\r\n--b--\r\n"
            );
            let kept = RedactionRules::default().multipart("multipart/form-data; boundary=b", &form);
            assert!(!kept.contains("canary") && kept.contains("kept"), "{head}: {kept}");
        }
        assert_eq!(RedactionRules::default().multipart("multipart/form-data", "canary"), "[redacted]");
        let cut = "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\ncana";
        assert!(!RedactionRules::default().multipart("multipart/form-data; boundary=\"b\"", cut).contains("cana"));
    }
}
