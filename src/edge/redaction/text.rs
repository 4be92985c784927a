//! Takes secrets out of a text: JSON in it, addresses between its words, values behind names of secrets, credentials.
//!
//! # Invariants
//! What follows the name of a secret in a text is redacted up to the end of its line: where a value ends, a text does not say. Of
//! JSON that is not whole, everything that follows is redacted.

use std::borrow::Cow;
use std::ops::Range;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::options::without_options;
use super::scan::{named_values, next_credentials, next_token};
use super::{REDACTED, RedactionRules};
use crate::limits::REDACTION_DEPTH;
use crate::mask::{is_credential_flag, surely_names_secret};

/// What names of headers with secrets end in.
const SECRET_HEADERS: [&str; 2] = ["cookie", "authorization"];
/// Returns a text decoded as often as it is percent-encoded, within a bound.
pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    let mut found = Cow::Borrowed(text);
    for _ in 0..REDACTION_DEPTH {
        if !found.contains('%') {
            break;
        }
        let next = percent_decode_str(&found).decode_utf8_lossy().into_owned();
        if next == *found {
            break;
        }
        found = Cow::Owned(next);
    }
    found
}

/// Returns where the first value begins whose name is redacted, and that is not redacted yet.
fn first_value(text: &str, redacts: impl Fn(&str) -> bool) -> Option<usize> {
    named_values(text).find_map(|(name, value_at)| {
        let rest = text.get(value_at..)?;
        let has_value = !rest.is_empty() && !rest.starts_with(REDACTED) && !rest.starts_with("//");
        (has_value && redacts(&decoded(name))).then_some(value_at)
    })
}

/// Returns a text without the secrets that one of the finders finds.
fn without(text: Cow<'_, str>, next: fn(&str, usize) -> Option<Range<usize>>) -> Cow<'_, str> {
    let (mut out, mut kept_until) = (String::new(), 0);
    while let Some(secret) = next(&text, kept_until) {
        out.push_str(text.get(kept_until..secret.start).unwrap_or_default());
        out.push_str(REDACTED);
        kept_until = secret.end;
    }
    if kept_until == 0 {
        return text;
    }
    out.push_str(text.get(kept_until..).unwrap_or_default());
    out.into()
}

impl RedactionRules {
    /// Returns a text without secrets.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.text_at(text, REDACTION_DEPTH)
    }

    /// Returns a text without secrets, where `levels` of texts within texts are left.
    pub(super) fn text_at<'t>(&self, text: &'t str, levels: u32) -> Cow<'t, str> {
        if text.trim_start().starts_with(['{', '[', '"'])
            && let Ok(mut value) = serde_json::from_str::<Value>(text)
        {
            let Some(levels) = levels.checked_sub(1) else { return Cow::Borrowed(REDACTED) };
            return if self.json_at(&mut value, levels) { value.to_string().into() } else { text.into() };
        }
        let mut out = String::new();
        let mut is_changed = false;
        for line in text.split_inclusive('\n') {
            let kept = self.line(line, levels);
            is_changed |= kept != line;
            out.push_str(&kept);
        }
        if is_changed { out.into() } else { text.into() }
    }

    /// Returns JSON that was cut or is broken, up to the first member that is redacted.
    pub(super) fn broken_json<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match first_value(text, |name| self.redacts_member(name)).and_then(|at| text.get(..at)) {
            Some(before) => format!("{}{REDACTED}", self.text(before)).into(),
            None => self.text(text),
        }
    }

    /// Returns one line, which may have its line feed, without secrets.
    fn line<'l>(&self, line: &'l str, levels: u32) -> Cow<'l, str> {
        let (text, end) = line.strip_suffix('\n').map_or((line, ""), |text| (text, "\n"));
        let mut kept = without_options(self.addresses(text, levels), |name| self.names_next(name));
        if let Some(before) = first_value(&kept, |name| self.surely_redacts(name)).and_then(|at| kept.get(..at)) {
            kept = format!("{before}{REDACTED}").into();
        }
        let kept = without(without(kept, next_credentials), next_token);
        if kept == text { line.into() } else { format!("{kept}{end}").into() }
    }

    /// Returns a line whose addresses have no secrets: a message may have some between its words.
    fn addresses<'l>(&self, line: &'l str, levels: u32) -> Cow<'l, str> {
        if !line.contains(['/', '?', '@']) {
            return line.into();
        }
        let is_between =
            |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>' | '(' | ')' | ',' | '{' | '}');
        let mut out = String::with_capacity(line.len());
        let mut goes_on = false;
        for piece in line.split_inclusive(is_between) {
            let word = piece.trim_end_matches(is_between);
            let (word, rest) = piece.split_at_checked(word.len()).unwrap_or((piece, ""));
            if goes_on && may_go_on(word) {
                continue;
            }
            goes_on = false;
            let has_query = word.split_once('?').is_some_and(|(_, query)| query.contains('='));
            if has_query || word.contains("://") || word.starts_with('/') {
                let kept = self.address_at(word, levels);
                goes_on = kept != word && kept.ends_with(REDACTED) && rest.trim().is_empty();
                out.push_str(&kept);
            } else if let Some(host) = host_after_user(word) {
                out.push_str(REDACTED);
                out.push_str(host);
            } else {
                out.push_str(word);
            }
            out.push_str(rest);
        }
        if out == line { line.into() } else { out.into() }
    }

    /// Returns whether what follows this name in a text is redacted: it is the name of a secret and of nothing else.
    pub(super) fn surely_redacts(&self, name: &str) -> bool {
        let lower = name.to_lowercase();
        let is_header = SECRET_HEADERS.iter().any(|header| lower.ends_with(header));
        (is_header || surely_names_secret(name) || self.parameters.contains(&lower)) && !self.keeps(name)
    }

    /// Returns whether the word or the item after this one is redacted: an option of a program takes a secret, or it is the name of
    /// one.
    pub(super) fn names_next(&self, word: &str) -> bool {
        let name = word.trim_start_matches('-');
        self.surely_redacts(word) || name.len() < word.len() && is_credential_flag(word) && !self.keeps(name)
    }
}

/// Schemes of addresses that have a name before `@`, and no password.
const MAIL_SCHEMES: [&str; 6] = ["mailto", "sip", "sips", "xmpp", "acct", "im"];

/// Returns the host in `user:password@host`, with the sign before it; `None` for what has no password.
fn host_after_user(word: &str) -> Option<&str> {
    let (user, _) = word.rsplit_once('@')?;
    let (name, password) = user.split_once(':')?;
    let is_mail = MAIL_SCHEMES.iter().any(|scheme| name.eq_ignore_ascii_case(scheme));
    // A mail's address may have a password in it, too.
    let has_password = !password.is_empty() && password != REDACTED && (!is_mail || password.contains(':'));
    word.get(user.len()..).filter(|_| has_password)
}

/// Returns whether a word may be the rest of a secret that has blanks in it, such as the number of a card.
fn may_go_on(word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '+' | '=' | '_' | '-' | '.');
    word.contains(|c: char| c.is_ascii_digit()) && word.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::{RedactionRules, decoded};

    #[test]
    fn secrets_leave_texts_of_every_kind() {
        for text in [
            r#"{"d":"{\"password\":\"canary\"}"}"#,
            r#"{"d":"{\"e\":\"{\\\"password\\\":\\\"canary\\\"}\"}"}"#,
            "Authorization: Bearer canary.canary",
            "password=canary",
            "user=a&password=canary&b=2",
            "Cookie: a=b; sid=canary",
            "Set-Cookie: sid=canary",
            "password: a canary",
            "var password = 'canary'",
            "password =canary",
            "login(password:\"canary\"){id}",
            "x Bearer canary1",
            "ключ-password: canary",
            "password\u{a0}=\u{2003}canary",
            "\u{201c}password\u{201d}: canary",
            "é Bearer canary1",
            "éBEARER canary1",
            "GET /?token=5277 2759 canary1 6030",
            "see https://a.example/?password=ab-1 canary2 (again)",
            "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOjF9.canary",
            "see https://a.example/?next=https%3A%2F%2Fc.example%2F%3Ftoken%3Dcanary now",
            "https://a.example/?a=1;token=canary",
            "https://a.example/?a=1&amp;token=canary",
            "https://a.example/p;token=canary/y",
            "https://a.example/?p%2561ssword=canary",
            "data:text/plain,token=canary",
            "mysql --user root --password canary db",
            "mysql --user=root --password=canary db",
            "mysql -u root -p canary db",
            "mysql -pcanary1 db",
            "curl -u ann:canary https://a.example/",
            "login --token 'canary canary' now",
            "login --token \"canary \\\" canary\" now",
            "login --token \"canary and no end",
            "run --api-key canary --verbose",
            "run -token canary",
            "['--password', 'canary']",
            "tool --secret   canary",
            "ann:canary@db.example",
            "ann:canary@db.example:5432/shop",
            "dial ann:can/ary@canary@db.example: refused",
            "root:canary@tcp(10.0.0.1:3306)/shop",
            ":canary@cache.example",
            "sip:ann:canary@a.example",
        ] {
            let kept = RedactionRules::default().text(text).into_owned();
            assert!(!kept.contains("canary"), "{text}: {kept}");
        }
    }

    #[test]
    fn ordinary_texts_stay_as_they_are() {
        for text in [
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
            "default-src 'self'; report-to main",
            "at f (https://a.example/m.4f5e6a7b8c9d.js:1:2)",
            "state: closed, key: ArrowDown, code: 404",
            "{\"a\":1, \"b\": [true]}",
            "Basic plan for two",
            "12:30:45 a=b",
            "mail ann@a.example, or mailto:ann@a.example",
            "git@github.com:org/repo.git",
            "onClick@https://a.example/m.js:1:2",
            "ls -la --color --depth 3 - x",
            "run --password",
            "run --token --verbose",
            "",
        ] {
            assert_eq!(RedactionRules::default().text(text), text);
        }
    }

    #[test]
    fn broken_json_ends_before_the_first_secret() {
        for text in [
            r#"{"password":{"a":"canary","b":"canary"},"zz"#,
            r#"{"a":1,"password":["canary","canary"],"zz"#,
            "{\"a\":1,\n\"password\": {\n \"v\": \"canary\"",
            r#"{"password":"canary"#,
        ] {
            let kept = RedactionRules::default().broken_json(text).into_owned();
            assert!(!kept.contains("canary") && kept.ends_with("[redacted]"), "{text}: {kept}");
        }
        assert_eq!(RedactionRules::default().broken_json(r#"{"a":[1,"#), r#"{"a":[1,"#);
    }

    #[test]
    fn texts_within_texts_end_at_a_depth() {
        for nested in ["https://a.example/?x=", "%3Fx%3D", "/x;y=", "{\"a\":\"", "[", "p="] {
            let text = nested.repeat(32_768 / nested.len());
            let rules = RedactionRules::default();
            let kept = [
                rules.text(&text).into_owned(),
                rules.query(&text),
                rules.address(&text),
                rules.payload("application/json", &text),
            ];
            assert!(kept.iter().all(|kept| kept.len() <= text.len() + 64), "{nested}");
        }
    }

    #[test]
    fn encodings_are_taken_off_within_a_bound() {
        assert_eq!(
            (decoded("p%61ss"), decoded("p%2561ss"), decoded("100%"), decoded("a")),
            ("pass".into(), "pass".into(), "100%".into(), "a".into())
        );
    }
}
