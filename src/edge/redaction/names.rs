//! Which names are those of secrets, and which values under such a name are none: counts of tokens, codes of status.
//!
//! The words are those that masking goes by. Where a name alone does not say what it is, its value does.

use serde_json::Value;

use super::{REDACTED, RedactionRules};
use crate::mask::{is_credential_flag, name_words, names_secret, surely_names_secret};

/// What names of headers with secrets end in.
const SECRET_HEADERS: [&str; 2] = ["cookie", "authorization"];
/// Words of names that may be others', and in a text are those of secrets: `pass=`, `sid=`.
const TEXT_WORDS: [&str; 5] = ["pass", "pat", "sid", "sig", "signature"];
/// What says of a key that it is secret: `account_key`.
const KEY_KINDS: [&str; 17] = [
    "access",
    "account",
    "api",
    "auth",
    "aws",
    "client",
    "deploy",
    "encryption",
    "master",
    "private",
    "secret",
    "service",
    "shared",
    "signing",
    "storage",
    "subscription",
    "webhook",
];
/// Words of names whose value is no secret if it is a number: `max_tokens`, `token_count`.
const COUNT_WORDS: [&str; 21] = [
    "age",
    "attempts",
    "budget",
    "count",
    "expires",
    "expiry",
    "len",
    "length",
    "limit",
    "max",
    "min",
    "quota",
    "remaining",
    "retries",
    "seconds",
    "size",
    "tokens",
    "total",
    "ttl",
    "usage",
    "version",
];
/// What says of a code that it is no secret: `status_code`.
const CODE_KINDS: [&str; 14] = [
    "cause", "close", "country", "currency", "error", "exit", "http", "language", "postal", "reason", "region",
    "response", "result", "status",
];
/// Longest number, longest code of a status, and longest word after the name of a kind.
const NUMBER_MAX: usize = 15;
const STATUS_MAX: usize = 40;
const KIND_MAX: usize = 24;
/// Most digits of a code of status without another word: those that sign people in have four and more.
const CODE_DIGITS: usize = 3;
/// Most digits of a number of tests that passed.
const PASS_DIGITS: usize = 4;
/// Length from which the value of a signature, or of a key that may be any, is one.
const MADE_MIN: usize = 16;
/// Most of a value that is looked at.
const VALUE_MAX: usize = 128;
/// Most digits of a port.
const PORT_DIGITS: usize = 5;

impl RedactionRules {
    fn keeps(&self, name: &str) -> bool {
        !self.kept.is_empty() && self.kept.contains(&name.to_lowercase())
    }

    fn is_listed(&self, name: &str) -> bool {
        !self.parameters.is_empty() && self.parameters.contains(&name.to_lowercase())
    }

    /// Returns whether a value with this name is redacted, whatever it is.
    pub(crate) fn redacts_name(&self, name: &str) -> bool {
        (names_secret(name) || is_sure_name(name) || self.is_listed(name)) && !self.keeps(name)
    }

    /// Returns whether the value of a parameter or a member is redacted under this name.
    pub(crate) fn redacts_value(&self, name: &str, text: &str) -> bool {
        let is_one = || bare_value(text).len() == text.trim().len();
        self.redacts_name(name) && (self.is_listed(name) || !(is_one() && is_harmless(name, text)))
    }

    /// Returns whether the value that a text begins with is redacted as a member with this name.
    pub(super) fn redacts_head(&self, name: &str, rest: &str) -> bool {
        self.redacts_name(name) && (self.is_listed(name) || !is_harmless(name, rest))
    }

    /// Returns whether the value of a member of JSON is redacted under this name. A truth value is no secret.
    pub(super) fn redacts_member(&self, name: &str, value: &Value) -> bool {
        match value {
            Value::Bool(_) | Value::Null => false,
            Value::String(text) => self.redacts_text_member(name, text),
            Value::Number(number) => self.redacts_value(name, &number.to_string()),
            Value::Array(_) | Value::Object(_) => self.redacts_name(name),
        }
    }

    /// Returns whether a text is redacted as a member with this name: `key` names what is not secret, too.
    pub(crate) fn redacts_text_member(&self, name: &str, text: &str) -> bool {
        let is_any_key = name.eq_ignore_ascii_case("key") && !self.is_listed(name) && !looks_made(text);
        text != REDACTED && self.redacts_value(name, text) && !is_any_key
    }

    /// Returns whether what follows this name in a text, as in `rest`, is redacted: it is the name of a secret and of nothing else.
    pub(super) fn surely_redacts(&self, name: &str, rest: &str) -> bool {
        let is_name = || surely_names_secret(name) || is_sure_name(name);
        (self.is_listed(name) || is_name() && !is_harmless(name, rest)) && !self.keeps(name)
    }

    /// Returns whether the word or the item after this one is redacted: an option of a program takes a secret, or it is the name of
    /// one.
    pub(super) fn names_next(&self, word: &str, next: &str) -> bool {
        let name = word.trim_start_matches('-');
        if name.len() == word.len() {
            return self.surely_redacts(word, next);
        }
        let is_port = matches!(word, "-p" | "-P") && is_published_port(next);
        let is_flag = is_credential_flag(word) || is_sure_name(name) || self.is_listed(name);
        is_flag && !is_port && !self.keeps(name) && !is_harmless(name, next)
    }
}

/// Returns whether a name is that of a secret in a text, although it may be another's where it is alone.
fn is_sure_name(name: &str) -> bool {
    let lower = name.to_lowercase();
    if SECRET_HEADERS.iter().any(|header| lower.ends_with(header)) || is_session(&lower) {
        return true;
    }
    if !["key", "pass", "pat", "sid", "sig"].iter().any(|part| lower.contains(part)) {
        return false;
    }
    let words = name_words(name);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    has(&TEXT_WORDS) || has(&["key", "keys"]) && has(&KEY_KINDS) || is_joined_key(&lower)
}

/// Returns whether a name is that of a session's cookie. `session.id` is OpenTelemetry's, and no credential.
fn is_session(lower: &str) -> bool {
    ["sessid", "sessionid", "session_id", "session-id"].iter().any(|part| lower.contains(part))
}

/// Returns whether a name is that of a key, in one word: `accountkey`.
fn is_joined_key(lower: &str) -> bool {
    let kind = lower.trim_end_matches('s').strip_suffix("key");
    kind.is_some_and(|kind| KEY_KINDS.iter().any(|known| kind.ends_with(known)))
}

/// Returns whether a value is no secret although its name may be that of one. The text may go on after the value.
fn is_harmless(name: &str, text: &str) -> bool {
    let value = bare_value(text);
    let words = name_words(name);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    if is_number(value) || matches!(value, "true" | "false") {
        return has(&COUNT_WORDS) || is_status(&words, value) || is_test_result(name, text, value);
    }
    let is_kind = |sign: char| sign.is_ascii_alphabetic() || matches!(sign, '_' | '-' | ':' | '.');
    let is_token_type = has(&["type", "types"]) && has(&["token", "tokens"]);
    (is_token_type && value.len() <= KIND_MAX && value.chars().all(is_kind))
        || is_status(&words, value)
        || is_test_result(name, text, value)
        || has(&["signature"]) && !has(&["sig"]) && !looks_made(value) && !name.contains('-')
}

/// Returns the value that a text begins with, without quotes.
fn bare_value(text: &str) -> &str {
    let text = text.trim_start_matches(['\\', '"', '\'', ' ']);
    let text = text.get(..text.floor_char_boundary(VALUE_MAX)).unwrap_or_default();
    let is_end = |sign: char| sign.is_whitespace() || "\"'\\,;&})]<>|".contains(sign);
    text.split(is_end).next().unwrap_or_default()
}

fn is_number(value: &str) -> bool {
    let digits = value.trim_start_matches('-');
    let is_sign = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    value.len() <= NUMBER_MAX && digits.bytes().all(is_sign) && digits.starts_with(|sign: char| sign.is_ascii_digit())
}

/// Returns whether a value is a code of status: `404`, `NOT_FOUND`, `ECONNREFUSED`; with a word that says so, `23505` and `08P01` too.
fn is_status(words: &[String], value: &str) -> bool {
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let is_capital = |byte: u8| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'-' | b'.');
    let is_short = !value.is_empty() && value.len() <= STATUS_MAX;
    if has(&["statuscode"]) || has(&["code", "codes"]) && has(&CODE_KINDS) {
        return is_short && value.bytes().all(|byte| is_capital(byte) || byte.is_ascii_digit());
    }
    let is_code = words.iter().all(|word| word == "code");
    let is_number = value.len() <= CODE_DIGITS && value.bytes().all(|byte| byte.is_ascii_digit());
    is_code && is_short && (is_number || value.bytes().all(is_capital))
}

/// Returns whether `pass` is a test's: `PASS: TestLogin`, `pass: 12`.
fn is_test_result(name: &str, text: &str, value: &str) -> bool {
    let is_count = value.len() <= PASS_DIGITS && value.bytes().all(|byte| byte.is_ascii_digit());
    name == "PASS" && text.starts_with("Test") || name.eq_ignore_ascii_case("pass") && !value.is_empty() && is_count
}

/// Returns whether a value is long, and has letters and digits.
fn looks_made(value: &str) -> bool {
    let has = |is: fn(&u8) -> bool| value.bytes().any(|byte| is(&byte));
    value.len() >= MADE_MIN && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
}

/// Returns whether a text begins with a port, or with ports that a container publishes: `22`, `8080:80`, `127.0.0.1:8080:80/tcp`.
fn is_published_port(text: &str) -> bool {
    let value = bare_value(text);
    let value = ["/tcp", "/udp"].iter().find_map(|end| value.strip_suffix(end)).unwrap_or(value);
    let is_port = |part: &str| {
        let is_digits = part.bytes().all(|byte| byte.is_ascii_digit());
        is_digits && part.len() <= PORT_DIGITS && part.parse::<u16>().is_ok()
    };
    let is_range = |part: &str| part.split('-').count() <= 2 && part.split('-').all(is_port);
    let (address, ports) = match value.rsplit(':').collect::<Vec<_>>().as_slice() {
        [inner, outer, address] => (Some(*address), vec![*inner, *outer]),
        ports if ports.len() <= 2 => (None, ports.to_vec()),
        _ => return false,
    };
    ports.into_iter().all(is_range) && address.is_none_or(|address| address.parse::<std::net::Ipv4Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::{RedactionRules, is_published_port};

    #[test]
    fn names_are_judged_with_their_values() {
        let rules = RedactionRules::default();
        for (name, value) in [
            ("gen_ai.usage.input_tokens", "4096"),
            ("max_tokens", "4096"),
            ("maxTokens", "4096"),
            ("llm.token_count.prompt", "12"),
            ("token_type", "Bearer"),
            ("gen_ai.token.type", "input"),
            ("db.response.status_code", "08P01"),
            ("rpc.response.status_code", "DEADLINE_EXCEEDED"),
            ("error_code", "1045"),
            ("code", "404"),
            ("code", "ECONNREFUSED"),
            ("token_expires", "1764565838"),
        ] {
            assert!(!rules.redacts_value(name, value) && !rules.surely_redacts(name, value), "{name} {value}");
        }
        for (name, value) in [
            ("tokens", "abc"),
            ("max_tokens", "4096a"),
            ("token", "4096"),
            ("code", "123456"),
            ("code", "aB3"),
            ("status_code", "canary"),
            ("token_type", "hunter2"),
            ("pass", "123456"),
            ("PAT", "x"),
            ("AccountKey", "x"),
            ("SharedAccessKey", "x"),
            ("accesskey", "x"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("session_id", "x"),
            ("X-Amz-Signature", "x"),
        ] {
            assert!(rules.redacts_value(name, value), "{name} {value}");
        }
        for name in
            ["pass", "passwd", "pwd", "passphrase", "pat", "api-key", "client_secret", "private_key", "access_key"]
        {
            assert!(rules.surely_redacts(name, "hunter2"), "{name}");
        }
        for name in ["key", "code", "state", "session.id", "pattern", "passed", "monkey", "keyboard"] {
            assert!(!rules.surely_redacts(name, "hunter2"), "{name}");
        }
        assert!(!rules.redacts_text_member("key", "ArrowDown") && rules.redacts_value("key", "ArrowDown"));
        assert!(rules.redacts_text_member("key", "0123456789abcdef"));
    }

    #[test]
    fn published_ports_are_known() {
        for text in ["22", "22 host", "8080:80", "127.0.0.1:8080:80", "8080:80/tcp", "3000-3005:3000-3005", "\"80\""] {
            assert!(is_published_port(text), "{text}");
        }
        for text in ["", "x", "123456", "99999", "80:x", "a:80:80", "80:80:80:80", "80/x", "hunter2"] {
            assert!(!is_published_port(text), "{text}");
        }
    }
}
