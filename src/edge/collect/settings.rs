//! What a deployment of mode `collect` wants. `config` reads it.

use std::fmt;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::rule::CollectRule;
use super::window::WindowForm;
use crate::edge::exchange::route_of;
use crate::edge::redaction::RedactionRules;

/// The place of the key in the address that answers for quotas.
const KEY_PLACE: &str = "{key}";
/// The host of a path at the service binding, which decides by itself where a request goes.
const BINDING_HOST: &str = "https://origin";

/// An address of the origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginUrl {
    /// A URL that begins with `https://`.
    Public(String),
    /// A path at the service binding `ORIGIN`.
    Bound(String),
}

impl OriginUrl {
    /// Parses a URL that begins with `https://` and has a host, or a path that begins with `/`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '#') {
            return None;
        }
        if text.starts_with('/') && !text.starts_with("//") {
            return Some(Self::Bound(text.to_owned()));
        }
        let host = text.strip_prefix("https://")?.split(['/', '?']).next()?;
        let is_host = !host.is_empty() && !host.contains(['@', '{', '}', '\\']);
        is_host.then(|| Self::Public(text.to_owned()))
    }

    /// Returns the URL of a request.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Public(url) => url.clone(),
            Self::Bound(path) => format!("{BINDING_HOST}{path}"),
        }
    }

    /// Returns whether a request goes to the service binding.
    #[must_use]
    pub const fn is_bound(&self) -> bool {
        matches!(self, Self::Bound(_))
    }
}

/// The address that answers for the quota of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaUrl(OriginUrl);

impl QuotaUrl {
    /// Parses an address with `{key}` in its path or its query.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_one = text.matches(KEY_PLACE).count() == 1;
        OriginUrl::parse(text).filter(|_| is_one).map(Self)
    }

    /// Returns the address for a key.
    #[must_use]
    pub fn for_key(&self, key: &str) -> OriginUrl {
        let key = utf8_percent_encode(key, NON_ALPHANUMERIC).to_string();
        match &self.0 {
            OriginUrl::Public(url) => OriginUrl::Public(url.replace(KEY_PLACE, &key)),
            OriginUrl::Bound(path) => OriginUrl::Bound(path.replace(KEY_PLACE, &key)),
        }
    }
}

/// Headers of the POST of a window, which may be secrets: they are not printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct WindowHeaders(pub Vec<(String, String)>);

impl fmt::Debug for WindowHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WindowHeaders")
    }
}

/// The settings of mode `collect`.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectSettings {
    /// Where windows go.
    pub url: OriginUrl,
    /// The form of a window.
    pub form: WindowForm,
    /// Milliseconds after which a window closes.
    pub age_ms: i64,
    /// The headers of its POST.
    pub headers: WindowHeaders,
    /// The rules by route; the first that matches holds.
    pub rules: Vec<CollectRule>,
    /// Who answers for the quota of keys; `None` if they have none.
    pub quota_url: Option<QuotaUrl>,
    /// Whether the distinct reports of a window are stored as edge records too.
    pub stores: bool,
    /// What is redacted.
    pub redaction: RedactionRules,
}

impl CollectSettings {
    /// Returns the rule of a URL; `None` where none of the rules is.
    #[must_use]
    pub fn rule(&self, url: &str) -> Option<&CollectRule> {
        let address = route_of(url);
        self.rules.iter().find(|rule| rule.matches(address))
    }

    /// Returns the maximum size of a body at this URL, in bytes.
    #[must_use]
    pub fn body_bytes(&self, url: &str) -> usize {
        self.rule(url).map_or_else(|| CollectRule::default().max_bytes, |rule| rule.max_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::{OriginUrl, QuotaUrl, WindowHeaders};

    #[test]
    fn origins_are_public_or_bound() {
        for (text, url, is_bound) in [
            ("https://a.example/in?x=1", "https://a.example/in?x=1", false),
            ("https://a.example", "https://a.example", false),
            ("/in", "https://origin/in", true),
        ] {
            let parsed = OriginUrl::parse(text).unwrap();
            assert_eq!((parsed.url().as_str(), parsed.is_bound()), (url, is_bound));
        }
        for odd in [
            "",
            "http://a.example/",
            "https://",
            "https:///x",
            "https://u:p@a.example/",
            "//a.example/",
            "a",
            "/a b",
            "/a#b",
        ] {
            assert_eq!(OriginUrl::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn keys_are_escaped_in_their_place() {
        let quota = QuotaUrl::parse("https://a.example/quota/{key}?v=1").unwrap();
        assert_eq!(quota.for_key("a/../b?c{key}").url(), "https://a.example/quota/a%2F%2E%2E%2Fb%3Fc%7Bkey%7D?v=1");
        for odd in ["https://a.example/quota", "https://{key}.example/", "/{key}/{key}", "http://a.example/{key}"] {
            assert!(QuotaUrl::parse(odd).is_none(), "{odd}");
        }
    }

    #[test]
    fn headers_are_not_printed() {
        let headers = WindowHeaders(vec![("authorization".into(), "canary".into())]);
        assert!(!format!("{headers:?}").contains("canary"));
    }
}
