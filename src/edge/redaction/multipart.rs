//! The fields of a multipart form, by their names.

use super::escapes::decoded;
use super::scan::{boundary, field_name};
use super::{REDACTED, RedactionRules};

impl RedactionRules {
    /// Returns a multipart form without the values of fields that are redacted, and without secrets in the others. Without a
    /// boundary nothing of it is known, so that all of it is redacted.
    pub(super) fn multipart(&self, content_type: &str, text: &str) -> String {
        let Some(boundary) = boundary(content_type).map(|boundary| format!("--{boundary}")) else {
            return REDACTED.to_owned();
        };
        itertools::join(text.split(boundary.as_str()).map(|part| self.part(part)), &boundary)
    }

    fn part(&self, part: &str) -> String {
        let gap = ["\r\n\r\n", "\n\n"].into_iter().find_map(|gap| Some((part.find(gap)?, gap)));
        let Some((at, gap)) = gap else { return self.text(part).into_owned() };
        let (head, body) = part.split_at_checked(at + gap.len()).unwrap_or((part, ""));
        let name = field_name(head).unwrap_or_default();
        // RFC 8187: a character set, a language, and the name.
        let name = name.rsplit('\'').next().unwrap_or(name);
        if self.redacts_parameter(&decoded(name), body.trim()) {
            format!("{head}{REDACTED}\r\n")
        } else {
            format!("{head}{}", self.text(body))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RedactionRules;

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
