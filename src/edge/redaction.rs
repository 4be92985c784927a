//! Takes out of addresses, payloads and reports what is not to be stored: values of parameters and members, segments of paths.
//!
//! # Invariants
//! The value of a parameter or member whose name is that of a secret ([`names_secret`]) is redacted, unless the deployment keeps
//! the name. What is redacted is replaced by [`REDACTED`]; names and the other parts stay as they are. A truth value is no secret.

mod apart;
mod escapes;
mod lists;
mod markup;
mod multipart;
mod named;
mod names;
mod options;
mod pairs;
mod pem;
mod places;
mod scan;
mod text;
mod users;
mod values;
mod webhooks;
mod words;

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::limits::REDACTION_DEPTH;
use escapes::decoded;
use options::LineProgram;
use text::without_forms;
use users::without_users;

/// Shortest text that may be a token by its form.
const FORM_MIN: usize = 10;

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
        // An origin may take two slashes for one, and a letter for its encoded or its large form.
        let named = || segments.iter().filter(|segment| !segment.is_empty());
        let matches = |(wanted, found): (&String, &&str)| wanted == "*" || decoded(found).eq_ignore_ascii_case(wanted);
        if named().count() < self.0.len() || !self.0.iter().zip(named()).all(matches) {
            return None;
        }
        let redacts_rest = self.0.last().is_some_and(|last| last == "*");
        let (mut out, mut place) = (String::new(), 0);
        for segment in &segments {
            let is_redacted = self.0.get(place).map_or(redacts_rest, |wanted| wanted == "*") && !segment.is_empty();
            place += usize::from(!segment.is_empty());
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
    /// The names whose values are kept although they look like those of secrets, in lower case.
    pub kept: Vec<String>,
    /// The paths.
    pub paths: Vec<PathPattern>,
}

impl RedactionRules {
    /// Returns a path without the segments and the values of their parameters that are redacted.
    #[must_use]
    pub fn path<'p>(&self, path: &'p str) -> Cow<'p, str> {
        without_forms(self.path_at(path, REDACTION_DEPTH))
    }

    fn path_at<'p>(&self, path: &'p str, levels: u32) -> Cow<'p, str> {
        let path = self.paths.iter().find_map(|pattern| pattern.redacted(path)).map_or(Cow::Borrowed(path), Cow::Owned);
        if !path.contains(';') {
            return path;
        }
        itertools::join(path.split('/').map(|segment| self.query_at(segment, levels)), "/").into()
    }

    /// Returns a query, or a form, without the values that are redacted.
    #[must_use]
    pub fn query(&self, query: &str) -> String {
        self.query_at(query, REDACTION_DEPTH)
    }

    fn query_at(&self, query: &str, levels: u32) -> String {
        let mut out = String::with_capacity(query.len());
        for piece in query.split_inclusive(['&', ';', '\n']) {
            let pair = piece.trim_end_matches(['&', ';', '\n', '\r']);
            out.push_str(&self.pair(pair, levels));
            out.push_str(piece.get(pair.len()..).unwrap_or_default());
        }
        out
    }

    fn pair<'p>(&self, pair: &'p str, levels: u32) -> Cow<'p, str> {
        let Some((name, value)) = pair.split_once('=') else { return Cow::Borrowed(pair) };
        let redacts = || self.redacts_parameter(&decoded(&name.replace('+', " ")), value);
        if value.is_empty() || !(redacts() || self.has_secret(value, levels)) {
            return Cow::Borrowed(pair);
        }
        Cow::Owned(format!("{name}={REDACTED}"))
    }

    /// Returns whether the value of a parameter has a secret inside: an address, a form or JSON, encoded.
    fn has_secret(&self, value: &str, levels: u32) -> bool {
        let inner = decoded(value);
        let Some(levels) = levels.checked_sub(1) else { return true };
        (inner.len() >= FORM_MIN || inner.contains(['=', ':', ' '])) && self.text_at(&inner, levels) != inner
    }

    /// Returns an address, such as a referrer, without what is redacted of its path and its query.
    #[must_use]
    pub fn address(&self, address: &str) -> String {
        without_forms(self.address_at(address, REDACTION_DEPTH).into()).into_owned()
    }

    /// Returns an address without what is redacted, where `levels` of texts within texts are left.
    fn address_at(&self, address: &str, levels: u32) -> String {
        let address = &*without_users(address);
        let (address, fragment) = address.split_once('#').map_or((address, None), |(start, end)| (start, Some(end)));
        let (before, query) = address.split_once('?').map_or((address, None), |(before, query)| (before, Some(query)));
        let start = before.find("://").map_or(0, |at| at + 3);
        let path_at = before.get(start..).and_then(|rest| rest.find('/')).map_or(before.len(), |at| start + at);
        let (host, path) = before.split_at_checked(path_at).unwrap_or((before, ""));
        let mut out = host.to_owned();
        out.push_str(&self.path_at(path, levels));
        if let Some(query) = query {
            out.push('?');
            out.push_str(&self.query_at(query, levels));
        }
        // Within another text, what follows may be no fragment.
        if let Some(fragment) = fragment.filter(|_| levels < REDACTION_DEPTH) {
            out.push('#');
            out.push_str(&self.query_at(fragment, levels));
        }
        out
    }

    /// Returns a payload without what is redacted: values of a form and members of JSON by their names, fields of a multipart form,
    /// and secrets in any other text.
    #[must_use]
    pub fn payload(&self, content_type: &str, text: &str) -> String {
        let media_type = content_type.trim_start().to_ascii_lowercase();
        if media_type.starts_with("application/x-www-form-urlencoded") {
            return self.query(text);
        }
        if media_type.starts_with("multipart/") {
            return self.multipart(content_type, text);
        }
        let is_json = text.trim_start().starts_with(['{', '[']);
        match serde_json::from_str::<Value>(text) {
            Ok(mut value) => {
                self.json(&mut value);
                value.to_string()
            }
            Err(_) if is_json => self.broken_json(text).into_owned(),
            Err(_) => self.text(text).into_owned(),
        }
    }

    /// Redacts the members of a JSON value, however deep they are.
    pub fn json(&self, value: &mut Value) {
        self.json_at(value, REDACTION_DEPTH);
    }

    /// Redacts a value, in which `levels` of texts within texts are left; returns whether it changed.
    fn json_at(&self, value: &mut Value, levels: u32) -> bool {
        match value {
            Value::Array(items) => self.list_at(items, levels),
            Value::Object(members) => self.object_at(members, levels),
            Value::String(text) => {
                let kept = self.text_at(text, levels);
                let is_changed = kept != *text;
                if is_changed {
                    *text = kept.into_owned();
                }
                is_changed
            }
            _ => false,
        }
    }

    /// Redacts the items of a list, and what follows the name of a secret in it.
    fn list_at(&self, items: &mut [Value], levels: u32) -> bool {
        let (mut is_changed, mut name, mut program) = (false, None, LineProgram::default());
        for item in items {
            let next = name.take().filter(|name: &String| self.names_next(program, name, &text_of(item)));
            program = item.as_str().map_or(program, |word| program.after(word));
            let is_name = item.as_str().filter(|name| next.is_none() && is_word(name)).map(str::to_owned);
            is_changed |= if next.is_some() { hide(item) } else { self.json_at(item, levels) };
            name = is_name;
        }
        is_changed
    }

    fn object_at(&self, members: &mut Map<String, Value>, levels: u32) -> bool {
        let named = self.named_secrets(members.iter().map(|(member, value)| (member.as_str(), value.as_str())));
        let mut is_changed = false;
        for (name, member) in members.iter_mut() {
            let is_named = || named.iter().any(|named| named.is_in(name) && self.redacts_member(&named.name, member));
            let is_hidden = self.redacts_member(name, member) || is_named();
            is_changed |= if is_hidden { hide(member) } else { self.json_at(member, levels) };
        }
        is_changed
    }
}

/// Redacts a value as a whole, unless it is a truth value or nothing; returns whether it changed.
fn hide(value: &mut Value) -> bool {
    let is_hidden = !matches!(value, Value::Bool(_) | Value::Null) && value.as_str() != Some(REDACTED);
    if is_hidden {
        *value = REDACTED.into();
    }
    is_hidden
}

/// Returns whether a text can be a name: it is one word.
fn is_word(text: &str) -> bool {
    text.len() <= 64 && !text.contains(char::is_whitespace)
}

/// Returns a value of JSON as a text says it.
fn text_of(value: &Value) -> Cow<'_, str> {
    value.as_str().map_or_else(|| value.to_string().into(), Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::{PathPattern, RedactionRules};

    fn rules() -> RedactionRules {
        let paths = ["/reset/*", "/users/*/mail"].into_iter().filter_map(PathPattern::parse).collect();
        RedactionRules {
            parameters: vec!["e-mail".into()],
            kept: vec!["code".into()],
            paths,
            ..RedactionRules::default()
        }
    }

    #[test]
    fn secret_parameters_lose_their_values() {
        for (query, redacted) in [
            ("a=1&b=2", "a=1&b=2"),
            ("token=s3cret&a=1", "token=[redacted]&a=1"),
            ("a=1&api%5Fkey=s3cret", "a=1&api%5Fkey=[redacted]"),
            ("E-Mail=x%40y&password=", "E-Mail=[redacted]&password="),
            ("flag&=x&&a==b", "flag&=x&&a==b"),
            ("next=https%3A%2F%2Fc%2F%3Ftoken%3Ds3cret&a=1", "next=[redacted]&a=1"),
            ("data=%7B%22password%22%3A%22s3cret%22%7D", "data=[redacted]"),
            ("next=https%3A%2F%2Fc%2F%3Fpage%3D2", "next=https%3A%2F%2Fc%2F%3Fpage%3D2"),
            ("a=1;token=s3cret", "a=1;token=[redacted]"),
            ("a=1&amp;token=s3cret", "a=1&amp;token=[redacted]"),
            ("a=1\npassword=s3cret", "a=1\npassword=[redacted]"),
            ("p%2561ssword=s3cret", "p%2561ssword=[redacted]"),
            ("code=404&state=x", "code=404&state=[redacted]"),
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
            ("//reset//abc", "//reset//[redacted]"),
            ("/%72eset/abc", "/%72eset/[redacted]"),
            ("/RESET/abc", "/RESET/[redacted]"),
            ("/x;token=s3cret/y;v=1", "/x;token=[redacted]/y;v=1"),
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
    fn names_and_values_are_found_in_every_shape() {
        for payload in [
            r#"{"headers":[["authorization","canary"]]}"#,
            r#"["a","1","Password","canary"]"#,
            r#"[{"name":"password","value":"canary"}]"#,
            r#"{"headers":[{"name":"Authorization","value":"canary"}]}"#,
            r#"{"u":"https://a.b/?token=canary"}"#,
            r#"{"d":"{\"password\":\"canary\"}"}"#,
            r#"{"query":"mutation{login(password:\"canary\"){id}}"}"#,
            r#"{"password":{"a":"canary","b":"canary"},"zz"#,
        ] {
            let kept = rules().payload("application/json", payload);
            assert!(!kept.contains("canary"), "{payload}: {kept}");
        }
        let harmless = r#"{"code":"A1","cookieEnabled":true,"list":["token","x y"],"token":null}"#;
        assert_eq!(rules().payload("application/json", harmless).replace("[redacted]", "x y"), harmless);
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
