//! Which names are those of secrets, and which values under such a name are none: counts of tokens, codes of status.
//!
//! The words are those that masking goes by. Where a name alone does not say what it is, its value does.

use serde_json::Value;

use super::options::{LineProgram, is_cookie, is_published_port, is_user_with_password};
use super::values::bare_value;
use super::words::{
    CODE_KINDS, COUNT_WORDS, IDENTIFIER_KINDS, KEY_KINDS, KEY_TRAITS, PASS_KINDS, PLAIN_STEMS, SECRET_CODES,
    SECRET_HEADERS, SECRET_NAMES, TEXT_WORDS,
};
use super::{REDACTED, RedactionRules};
use crate::mask::{name_words, names_secret, surely_names_secret};

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
/// Length from which letters alone are a signature: that of 16 bytes in base64.
const MIXED_MIN: usize = 22;

impl RedactionRules {
    fn keeps(&self, name: &str) -> bool {
        !self.kept.is_empty() && self.kept.contains(&name.to_lowercase())
    }

    fn is_listed(&self, name: &str) -> bool {
        !self.parameters.is_empty() && self.parameters.contains(&name.to_lowercase())
    }

    /// Returns whether a value with this name is redacted, whatever it is.
    pub(crate) fn redacts_name(&self, name: &str) -> bool {
        (is_secret(name, |name| names_secret(name) || is_sure_name(name)) || self.is_listed(name)) && !self.keeps(name)
    }

    /// Returns whether the value of a parameter or a member is redacted under this name.
    pub(crate) fn redacts_value(&self, name: &str, text: &str) -> bool {
        let is_one = || bare_value(text).len() == text.trim().len();
        self.redacts_name(name) && (self.is_listed(name) || !(is_one() && is_harmless(name, text)))
    }

    /// Returns whether the value of a parameter of an address or of a field of a form is redacted: there a signature, however short,
    /// is no part of a program.
    pub(super) fn redacts_parameter(&self, name: &str, value: &str) -> bool {
        let is_signature = name.eq_ignore_ascii_case("signature") && !self.keeps(name);
        self.all_parameters || is_signature || self.redacts_value(name, value)
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
        let is_name = |name: &str| surely_names_secret(name) || is_sure_name(name);
        // A program's assertion is a sentence, and one that signs somebody in is a token.
        let is_assertion = || name.eq_ignore_ascii_case("assertion") && looks_made(bare_value(rest));
        let is_named = || is_secret(name, is_name) && !is_harmless(name, rest) || is_assertion();
        (self.is_listed(name) || is_named()) && !self.keeps(name)
    }

    /// Returns whether the word or the item after this one is redacted: an option of a program takes a secret, or it is the name of
    /// one.
    pub(super) fn names_next(&self, program: LineProgram, word: &str, next: &str) -> bool {
        let name = word.trim_start_matches('-');
        if name.len() == word.len() {
            return self.surely_redacts(word, next);
        }
        let takes_secret = match word {
            "-u" | "-U" | "-p" | "-a" | "-b" if program.is_plain() => false,
            "-u" | "--user" | "--proxy-user" => is_user_with_password(next, &[':']),
            "-U" => is_user_with_password(next, &[':', '%']),
            "-b" => is_cookie(next),
            "-p" => !is_published_port(next),
            "-a" => true,
            _ => {
                let is_name = || is_secret(name, |name| names_secret(name) || is_sure_name(name));
                program.takes_secret(word) || is_name() && !is_harmless(name, next)
            }
        };
        (takes_secret || self.is_listed(name)) && !self.keeps(name)
    }
}

/// Returns whether a name is that of a secret in the judgement of `is_name`, also without its words that only look like such a name,
/// and not that of a key that identifies.
fn is_secret(name: &str, is_name: impl Fn(&str) -> bool) -> bool {
    is_name(name) && !names_identifier(name) && without_plain_words(name).is_none_or(|rest| is_name(&rest))
}

/// Returns a name without what only looks like the name of a secret; `None` if it has nothing like that.
fn without_plain_words(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    PLAIN_STEMS
        .iter()
        .any(|stem| lower.contains(stem))
        .then(|| PLAIN_STEMS.iter().fold(lower, |rest, stem| rest.replace(stem, "")))
}

/// Returns a name without its end, in any case.
fn without_end<'n>(name: &'n str, end: &str) -> Option<&'n str> {
    let (before, last) = name.split_at_checked(name.len().checked_sub(end.len())?)?;
    last.eq_ignore_ascii_case(end).then_some(before)
}

/// Returns whether a name is that of a key that identifies, or of what a key has beside its value: `routing_key`, `cacheKey`, `keyId`.
fn names_identifier(name: &str) -> bool {
    let trait_of = KEY_TRAITS.iter().find_map(|word| before_word(name, word));
    let trait_of = trait_of.map(|key| before_word(key, "pair").unwrap_or(key));
    if let Some(stem) = trait_of.and_then(|key| before_word(key, "key")) {
        return !names_secret(stem) && KEY_KINDS.iter().all(|kind| before_word(stem, kind).is_none());
    }
    let Some(stem) = ["key", "keys"].iter().find_map(|word| without_end(name, word)) else { return false };
    let stem = stem.trim_end_matches(['_', '-', '.', ' ']);
    IDENTIFIER_KINDS.iter().any(|kind| before_word(stem, kind).is_some()) && !names_secret(stem)
}

/// Returns what precedes the last word of a name, if it is this one, in any case: in `accessKey`, `access_key` and `ACCESS-KEY`, of
/// `key`.
pub(super) fn before_word<'n>(name: &'n str, word: &str) -> Option<&'n str> {
    let before = without_end(name, word)?;
    let is_capital = || name.as_bytes().get(before.len()).is_some_and(u8::is_ascii_uppercase);
    let is_apart = |sign: char| !sign.is_alphanumeric() || !sign.is_ascii_uppercase() && is_capital();
    before.chars().next_back().is_none_or(is_apart).then(|| before.trim_end_matches(['_', '-', ' ']))
}

/// Returns whether a name is that of a secret in a text, although it may be another's where it is alone.
fn is_sure_name(name: &str) -> bool {
    let lower = name.to_lowercase();
    if SECRET_HEADERS.iter().any(|header| lower.ends_with(header)) || is_session(&lower) {
        return true;
    }
    if !["key", "pass", "pat", "sid", "sig", "code", "saml", "assertion", "wresult"]
        .iter()
        .any(|part| lower.contains(part))
    {
        return false;
    }
    let words = name_words(name);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    has(&TEXT_WORDS) || has(&["key", "keys"]) && has(&KEY_KINDS) || is_joined(&lower) || is_secret_name(&lower)
}

/// Returns whether a name is one of the list as a whole, with or without signs between its words.
fn is_secret_name(lower: &str) -> bool {
    let joined = lower.replace(['_', '-'], "");
    let kind = joined.strip_suffix("code");
    SECRET_NAMES.contains(&&*joined) || kind.is_some_and(|kind| SECRET_CODES.contains(&kind))
}

/// Returns whether a name is that of a session's cookie. `session.id` is OpenTelemetry's, and no credential.
fn is_session(lower: &str) -> bool {
    ["sessid", "sessionid", "session_id", "session-id"].iter().any(|part| lower.contains(part))
}

/// Returns whether a name is that of a key or a password, in one word: `accountkey`, `storepass`.
fn is_joined(lower: &str) -> bool {
    let kind_of = |word: &str, kinds: &[&str]| {
        lower.strip_suffix(word).is_some_and(|kind| kinds.iter().any(|known| kind.ends_with(known)))
    };
    kind_of("key", &KEY_KINDS) || kind_of("keys", &KEY_KINDS) || kind_of("pass", &PASS_KINDS)
}

/// Returns whether a value is no secret although its name may be that of one. The text may go on after the value.
fn is_harmless(name: &str, text: &str) -> bool {
    let value = bare_value(text);
    let words = name_words(name);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    if is_number(value) || matches!(value, "true" | "false") {
        return has(&COUNT_WORDS) || is_status(&words, value) || is_test_result(name, text, value);
    }
    is_type(&words, value)
        || is_status(&words, value)
        || is_test_result(name, text, value)
        || matches!(name, "PWD" | "OLDPWD") && value.starts_with('/')
        || has(&["signature"]) && !has(&["sig"]) && !looks_signed(value) && !name.contains('-')
}

/// Returns whether a value is the type of a token or an assertion: `Bearer`, `urn:ietf:params:oauth:token-type:jwt`.
fn is_type(words: &[String], value: &str) -> bool {
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let is_kind = |sign: char| sign.is_ascii_alphabetic() || matches!(sign, '_' | '-' | ':' | '.');
    let urn = ["urn:", "urn%3A", "urn%3a"].iter().any(|start| value.starts_with(start));
    let is_urn = || urn && value.chars().all(|sign| is_kind(sign) || sign.is_ascii_digit() || sign == '%');
    let is_word = || value.len() <= KIND_MAX && value.chars().all(is_kind);
    has(&["type", "types"]) && has(&["token", "tokens", "assertion"]) && (is_word() || is_urn())
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

/// Returns whether a value is a signature, and no name of a function: long, with digits or letters of both cases.
fn looks_signed(value: &str) -> bool {
    let has = |is: fn(&u8) -> bool| value.bytes().any(|byte| is(&byte));
    let is_sign =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'%' | b'~' | b'_' | b'-');
    let is_mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    looks_made(value) || value.len() >= MIXED_MIN && is_mixed && value.bytes().all(is_sign)
}

#[cfg(test)]
mod tests {
    use super::RedactionRules;

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
            ("aws.s3.key", "0123456789abcdef"),
            ("messaging.rabbitmq.destination.routing_key", "x"),
            ("cacheKey", "x"),
            ("Key-Pair-Id", "x"),
            ("secretary", "x"),
            ("tokenizer", "x"),
            (":authority", "x"),
            ("PWD", "/app"),
            ("signature", "invalid"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
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
        for name in ["storepass", "SAMLResponse", "client-assertion", "codeVerifier", "device_code", "secretary_pwd"] {
            assert!(rules.surely_redacts(name, "hunter2"), "{name}");
        }
        for name in ["SAMLRequest", "assertion", "user_code", "compass", "bypass", "secretary", "authority"] {
            assert!(!rules.surely_redacts(name, "hunter2"), "{name}");
        }
        for name in ["key", "code", "state", "session.id", "pattern", "passed", "monkey", "keyboard"] {
            assert!(!rules.surely_redacts(name, "hunter2"), "{name}");
        }
        assert!(rules.redacts_parameter("Signature", "hunter2") && !rules.redacts_value("Signature", "hunter2"));
        assert!(!rules.redacts_text_member("key", "ArrowDown") && rules.redacts_value("key", "ArrowDown"));
        assert!(rules.redacts_text_member("key", "0123456789abcdef"));
    }
}
