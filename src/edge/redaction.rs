//! Takes out of addresses what is not to be stored: values of parameters, segments of paths.
//!
//! # Invariants
//! The value of a parameter whose name is that of a secret ([`names_secret`]) is always redacted. What is redacted is replaced by
//! [`REDACTED`]; names and the other parts stay as they are.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::mask::{Role, mask_line, names_secret};
use crate::record::Dataset;

/// A field of `http_requests` that holds a program's message.
const MESSAGE: &str = "WAFMatchedVar";

/// Replaces a redacted value.
pub const REDACTED: &str = "[redacted]";

/// A path whose segments are redacted: `*` stands for one segment, which is redacted; as the last one, for all that follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern(Vec<String>);

impl PathPattern {
    /// Parses a pattern such as `/reset/*`; `None` if it does not begin with a slash or redacts nothing.
    #[must_use]
    pub fn parse(pattern: &str) -> Option<Self> {
        let segments: Vec<String> = pattern.strip_prefix('/')?.split('/').map(str::to_owned).collect();
        segments.iter().any(|segment| segment == "*").then_some(Self(segments))
    }

    /// Returns the path with its segments redacted; `None` if the pattern does not match it.
    fn redacted(&self, path: &str) -> Option<String> {
        let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let matches = |(wanted, found): (&String, &&str)| wanted == "*" || wanted == found;
        if segments.len() < self.0.len() || !self.0.iter().zip(&segments).all(matches) {
            return None;
        }
        let redacts_rest = self.0.last().is_some_and(|last| last == "*");
        let mut out = String::new();
        for (place, segment) in segments.iter().enumerate() {
            let is_redacted = self.0.get(place).map_or(redacts_rest, |wanted| wanted == "*");
            out.push('/');
            out.push_str(if is_redacted { REDACTED } else { segment });
        }
        Some(out)
    }
}

/// What a deployment redacts, beside values of parameters with names of secrets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RedactionRules {
    /// The names of parameters, in lower case.
    pub parameters: Vec<String>,
    /// Whether the values of all parameters are redacted.
    pub all_parameters: bool,
    /// The paths.
    pub paths: Vec<PathPattern>,
}

impl RedactionRules {
    /// Returns a path without the segments that are redacted.
    #[must_use]
    pub fn path<'p>(&self, path: &'p str) -> Cow<'p, str> {
        self.paths.iter().find_map(|pattern| pattern.redacted(path)).map_or(Cow::Borrowed(path), Cow::Owned)
    }

    /// Returns a query, or a form, without the values that are redacted.
    #[must_use]
    pub fn query(&self, query: &str) -> String {
        itertools::join(query.split('&').map(|pair| self.pair(pair)), "&")
    }

    fn pair<'p>(&self, pair: &'p str) -> Cow<'p, str> {
        let Some((name, value)) = pair.split_once('=') else { return Cow::Borrowed(pair) };
        if value.is_empty() || !self.redacts(&percent_decode_str(&name.replace('+', " ")).decode_utf8_lossy()) {
            return Cow::Borrowed(pair);
        }
        Cow::Owned(format!("{name}={REDACTED}"))
    }

    fn redacts(&self, name: &str) -> bool {
        self.all_parameters || names_secret(name) || self.parameters.contains(&name.to_lowercase())
    }

    /// Returns an address, such as a referrer, without what is redacted of its path and its query.
    #[must_use]
    pub fn address(&self, address: &str) -> String {
        let address = address.split('#').next().unwrap_or_default();
        let (before, query) = address.split_once('?').map_or((address, None), |(before, query)| (before, Some(query)));
        let start = before.find("://").map_or(0, |at| at + 3);
        let path_at = before.get(start..).and_then(|rest| rest.find('/')).map_or(before.len(), |at| start + at);
        let (host, path) = before.split_at_checked(path_at).unwrap_or((before, ""));
        let mut out = without_user(host);
        out.push_str(&self.path(path));
        if let Some(query) = query {
            out.push('?');
            out.push_str(&self.query(query));
        }
        out
    }

    /// Returns a payload without what is redacted: values of a form and members of JSON by their names. Of any other text, and of
    /// JSON that was cut, what looks like a secret is masked.
    #[must_use]
    pub fn payload(&self, content_type: &str, text: &str) -> String {
        if content_type.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
            return self.query(text);
        }
        let Ok(mut value) = serde_json::from_str::<Value>(text) else { return scrubbed(text) };
        self.json(&mut value);
        value.to_string()
    }

    /// Returns whether the value of a member of JSON with this name is redacted.
    #[must_use]
    pub(super) fn redacts_member(&self, name: &str) -> bool {
        names_secret(name) || self.parameters.contains(&name.to_lowercase())
    }

    /// Redacts the members of a JSON value, however deep they are.
    pub fn json(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.json(item)),
            Value::Object(members) => {
                for (name, member) in members {
                    if self.redacts_member(name) {
                        *member = REDACTED.into();
                    } else {
                        self.json(member);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Returns a text as the role `support` sees a program's message; all of it is masked if it cannot be judged.
fn scrubbed(text: &str) -> String {
    let line = serde_json::json!({ MESSAGE: text }).to_string();
    let mut seen = Vec::with_capacity(line.len());
    let is_judged = mask_line(Role::Support, Dataset::HttpRequests, line.as_bytes(), &mut seen).is_ok();
    let seen = serde_json::from_slice::<Value>(&seen).ok().filter(|_| is_judged);
    seen.and_then(|seen| seen.get(MESSAGE)?.as_str().map(str::to_owned)).unwrap_or_else(|| REDACTED.to_owned())
}

/// Returns a scheme and a host without the user's name and password.
fn without_user(host: &str) -> String {
    let (scheme, authority) = host.split_once("://").unwrap_or(("", host));
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if scheme.is_empty() { authority.to_owned() } else { format!("{scheme}://{authority}") }
}

#[cfg(test)]
mod tests {
    use super::{PathPattern, RedactionRules};

    fn rules() -> RedactionRules {
        let paths = ["/reset/*", "/users/*/mail"].into_iter().filter_map(PathPattern::parse).collect();
        RedactionRules { parameters: vec!["e-mail".into()], all_parameters: false, paths }
    }

    #[test]
    fn secret_parameters_lose_their_values() {
        for (query, redacted) in [
            ("a=1&b=2", "a=1&b=2"),
            ("token=s3cret&a=1", "token=[redacted]&a=1"),
            ("a=1&api%5Fkey=s3cret", "a=1&api%5Fkey=[redacted]"),
            ("E-Mail=x%40y&password=", "E-Mail=[redacted]&password="),
            ("flag&=x&&a==b", "flag&=x&&a==b"),
            ("", ""),
        ] {
            assert_eq!(rules().query(query), redacted, "{query}");
        }
        let all = RedactionRules { all_parameters: true, ..RedactionRules::default() };
        assert_eq!(all.query("a=1&b=&c"), "a=[redacted]&b=&c");
    }

    #[test]
    fn paths_lose_the_segments_of_their_pattern() {
        for (path, redacted) in [
            ("/reset/abc", "/reset/[redacted]"),
            ("/reset/abc/d", "/reset/[redacted]/[redacted]"),
            ("/users/7/mail", "/users/[redacted]/mail"),
            ("/users/7/mail/x", "/users/[redacted]/mail/x"),
            ("/users/7/name", "/users/7/name"),
            ("/reset", "/reset"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(rules().path(path), redacted, "{path}");
        }
        assert!(PathPattern::parse("reset/*").is_none() && PathPattern::parse("/reset").is_none());
    }

    #[test]
    fn referrers_keep_neither_user_nor_fragment() {
        for (address, redacted) in [
            (
                "https://ann:pw@a.example/reset/x?token=y&b=1#frag",
                "https://a.example/reset/[redacted]?token=[redacted]&b=1",
            ),
            ("https://a.example", "https://a.example"),
            ("about:blank", "about:blank"),
            ("/reset/x", "/reset/[redacted]"),
            ("", ""),
        ] {
            assert_eq!(rules().address(address), redacted, "{address}");
        }
    }

    #[test]
    fn payloads_lose_secrets_in_every_form() {
        for (content_type, payload, kept) in [
            ("application/json", r#"{"password":"hunter2","a":1}"#, r#"{"a":1,"password":"[redacted]"}"#),
            ("application/x-www-form-urlencoded", "a=1&password=hunter2", "a=1&password=[redacted]"),
            ("text/plain", "a=1", "a=1"),
        ] {
            assert_eq!(rules().payload(content_type, payload), kept, "{content_type}");
        }
        for cut in [r#"{"a":1,"password":"hunter2"#, r#"{"a":1,"password":"hunter2","b":"#, "password: hunter2"] {
            assert!(!rules().payload("application/json", cut).contains("hunter2"), "{cut}");
        }
    }

    #[test]
    fn members_of_secrets_are_redacted_at_any_depth() {
        let mut value = serde_json::json!({"a": [{"password": "x", "b": 1}], "e-mail": {"c": 2}, "d": "token"});
        rules().json(&mut value);
        let expected =
            serde_json::json!({"a": [{"password": "[redacted]", "b": 1}], "e-mail": "[redacted]", "d": "token"});
        assert_eq!(value, expected);
    }
}
