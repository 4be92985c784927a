//! Takes out of XML and HTML what elements with names of secrets have: `<password>x</password>`, `<param name="password">x</param>`.
//!
//! # Invariants
//! An element's value ends with its closing tag, or, without one, with its line. A text is walked once; each closing tag is
//! compared with a bounded number of opening ones.

use std::borrow::Cow;
use std::ops::Range;

use super::named::{first_named, names_value};
use super::pairs::has_value;
use super::scan::named_values;
use super::values::unquoted;
use super::{REDACTED, RedactionRules, is_word};

/// Longest name of an element that is looked at.
const NAME_MAX: usize = 64;
/// Most closing tags that are looked at for the one of an element: elements inside of it have their own.
const CLOSINGS_MAX: usize = 16;
/// Elements that have the name of the value in the next one.
const NAME_ELEMENTS: [&str; 3] = ["name", "key", "field"];
/// Attributes that have the name of an element's value.
const NAME_ATTRIBUTES: [&str; 3] = ["name", "key", "property"];
/// Elements of HTML that have a name, and show what they have.
const SHOWN_ELEMENTS: [&str; 6] = ["a", "button", "fieldset", "form", "input", "select"];

impl RedactionRules {
    /// Returns a text without the values of elements whose names are those of secrets.
    pub(super) fn markup<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !text.contains('<') {
            return text.into();
        }
        let closings: Vec<usize> = text.match_indices("</").map(|(at, _)| at).collect();
        let (mut out, mut kept_until, mut is_named) = (String::new(), 0, false);
        let mut from = 0;
        while let Some(element) = MarkupElement::next(text, from) {
            from = element.value_at;
            let mut secret = self.attribute(text, &element);
            if secret.is_none() && element.is_open {
                let content = element.content(text);
                let is_secret = is_named || self.surely_redacts(element.name, content) || self.names_content(&element);
                is_named = NAME_ELEMENTS.iter().any(|name| element.name.eq_ignore_ascii_case(name))
                    && is_word(content)
                    && self.surely_redacts(content, "");
                let end = if is_secret { element.value_end(text, &closings) } else { None };
                secret = end.map(|end| element.value_at..end);
            }
            let Some(secret) = secret else { continue };
            let value = text.get(secret.clone()).unwrap_or_default();
            if value.trim().is_empty() || value == REDACTED {
                continue;
            }
            out.push_str(text.get(kept_until..secret.start).unwrap_or_default());
            out.push_str(REDACTED);
            (kept_until, from) = (secret.end, secret.end);
        }
        if kept_until == 0 {
            return text.into();
        }
        out.push_str(text.get(kept_until..).unwrap_or_default());
        out.into()
    }
}

impl RedactionRules {
    /// Returns whether an attribute of an element has the name of a secret, which is the element's content.
    fn names_content(&self, element: &MarkupElement<'_>) -> bool {
        if SHOWN_ELEMENTS.iter().any(|shown| element.name.eq_ignore_ascii_case(shown)) {
            return false;
        }
        let (mut is_named, mut has_own_value) = (false, false);
        for (name, at) in named_values(element.attributes) {
            let value = unquoted(element.attributes.get(at..).unwrap_or_default());
            has_own_value |= has_value(name);
            is_named |= NAME_ATTRIBUTES.iter().any(|known| name.eq_ignore_ascii_case(known))
                && names_value(value, |name, rest| self.surely_redacts(name, rest));
        }
        is_named && !has_own_value
    }

    /// Returns where the first secret is among the attributes of a tag of several lines: in one line it is found as in any text.
    fn attribute(&self, text: &str, element: &MarkupElement<'_>) -> Option<Range<usize>> {
        let attributes = Some(element.attributes).filter(|attributes| attributes.contains('\n'))?;
        let at = first_named(attributes, |name, rest| self.surely_redacts(name, rest))?;
        let start = element.value_at - 1 - attributes.len() + at;
        // A value may have the sign that ends its tag.
        let rest = text.get(start..)?.split('<').next()?;
        let quoted = rest.chars().next().filter(|sign| matches!(sign, '"' | '\''));
        let length = match quoted.and_then(|quote| rest.get(1..)?.find(quote)) {
            Some(inside) => inside + 2,
            None if quoted.is_some() => rest.len(),
            None => attributes.len() - at,
        };
        Some(start..start + length)
    }
}

/// The tag that opens an element, or is one without content.
struct MarkupElement<'t> {
    /// Without the prefix of its namespace.
    name: &'t str,
    /// What is between its name and the end of its tag.
    attributes: &'t str,
    value_at: usize,
    is_open: bool,
}

impl<'t> MarkupElement<'t> {
    /// Finds the next tag from a place that closes no other.
    fn next(text: &'t str, mut from: usize) -> Option<Self> {
        let is_sign = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '_' | '-' | '.' | ':');
        loop {
            let start = from + text.get(from..)?.find('<')? + 1;
            let rest = text.get(start..)?;
            let end = rest.find(['<', '>'])?;
            let tag = rest.get(..end)?;
            let name = tag.get(..tag.find(|sign| !is_sign(sign)).unwrap_or(tag.len()))?;
            let is_whole = rest.get(end..)?.starts_with('>');
            if is_whole && !name.is_empty() && name.len() <= NAME_MAX {
                let attributes = tag.get(name.len()..)?;
                let name = name.rsplit(':').next().unwrap_or(name);
                return Some(Self { name, attributes, value_at: start + end + 1, is_open: !tag.ends_with('/') });
            }
            from = start + end;
        }
    }

    /// Returns what is between its tag and the next one, if that is short.
    fn content(&self, text: &'t str) -> &'t str {
        let rest = text.get(self.value_at..).unwrap_or_default();
        let near = rest.get(..rest.floor_char_boundary(NAME_MAX + 1)).unwrap_or_default();
        near.split('<').next().unwrap_or_default()
    }

    /// Returns where its value ends: with its closing tag, or with the line if something follows the tag at once.
    fn value_end(&self, text: &str, closings: &[usize]) -> Option<usize> {
        let first = closings.partition_point(|at| *at < self.value_at);
        let mut near = closings.iter().skip(first).take(CLOSINGS_MAX);
        let is_own = |at: &&usize| {
            let name = text.get(**at + 2..).unwrap_or_default();
            let name = name.get(..name.floor_char_boundary(NAME_MAX)).unwrap_or_default();
            let name = name.split('>').next().unwrap_or_default().trim_end();
            name.rsplit(':').next().is_some_and(|name| name.eq_ignore_ascii_case(self.name))
        };
        if let Some(own) = near.find(is_own) {
            return Some(*own);
        }
        let rest = text.get(self.value_at..)?;
        let is_cut = rest.starts_with(|sign: char| !sign.is_whitespace() && sign != '<');
        is_cut.then(|| self.value_at + rest.find('\n').unwrap_or(rest.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::RedactionRules;

    #[test]
    fn elements_with_secrets_lose_their_values() {
        let rules = RedactionRules::default();
        for (text, kept) in [
            ("<password>canary</password><a>b</a>", "<password>[redacted]</password><a>b</a>"),
            ("<w:Password Type=\"t\">canary\n</w:Password>", "<w:Password Type=\"t\">[redacted]</w:Password>"),
            ("<secret><![CDATA[canary]]></secret>", "<secret>[redacted]</secret>"),
            ("<secret><a>x</a><b>y</b></secret> z", "<secret>[redacted]</secret> z"),
            ("<key>password</key>\n<string>canary</string>", "<key>password</key>\n<string>[redacted]</string>"),
            ("<password>canary and more\nb", "<password>[redacted]\nb"),
            ("<property name=\"password\">canary</property>", "<property name=\"password\">[redacted]</property>"),
            (
                "<a:entry x='1' key='api_key' y=2>canary</a:entry>",
                "<a:entry x='1' key='api_key' y=2>[redacted]</a:entry>",
            ),
            ("<s name=\"DbPassword\"><v>canary</v></s>b", "<s name=\"DbPassword\">[redacted]</s>b"),
            ("<add key=\"Password\"\n value=\"ca>nary\"/>b", "<add key=\"Password\"\n value=[redacted]/>b"),
            ("<add value='canary'\n key='Password' />b", "<add value=[redacted]\n key='Password' />b"),
            ("<add key=\"Password\"\n value=canary>b", "<add key=\"Password\"\n value=[redacted]>b"),
            ("<a name=\"password\">b</a><p id='token'>c</p>", "<a name=\"password\">b</a><p id='token'>c</p>"),
            ("<add key=\"page\"\n value=\"2\"/>", "<add key=\"page\"\n value=\"2\"/>"),
            ("<input_tokens>12</input_tokens>", "<input_tokens>12</input_tokens>"),
            ("usage: login <user> <password> now", "usage: login <user> <password> now"),
            ("<password></password><password/>", "<password></password><password/>"),
            ("a < b <", "a < b <"),
        ] {
            assert_eq!(rules.markup(text), kept);
            assert_eq!(rules.markup(kept), kept, "once is as good as twice");
        }
    }
}
