//! Takes secrets out of a text: JSON in it, addresses between its words, values behind names of secrets, credentials.
//!
//! # Invariants
//! What follows the name of a secret in a text is redacted up to the end of its line: where a value ends, a text does not say. Of
//! JSON that is not whole, everything that follows is redacted.

use std::borrow::Cow;

use serde_json::Value;

use super::escapes::Unescaped;
use super::named::first_secret;
use super::options::without_options;
use super::pem::without_private_keys;
use super::places::without;
use super::scan::{next_credentials, next_token};
use super::users::without_users;
use super::webhooks::next_webhook;
use super::{REDACTED, RedactionRules};
use crate::limits::REDACTION_DEPTH;
use crate::mask::next_known_token;

/// Times that a text is redacted until it stays as it is: ordinary ones do after the first.
const PASSES: usize = 5;

/// Returns a text without the secrets that are known by their form.
pub(super) fn without_forms(text: Cow<'_, str>) -> Cow<'_, str> {
    without(without(without(text, next_token), next_known_token), next_webhook)
}

impl RedactionRules {
    /// Returns a text without secrets.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.text_at(text, REDACTION_DEPTH)
    }

    /// Returns a text without secrets, where `levels` of texts within texts are left. At the top, what was redacted is read again
    /// until nothing more of it is: one secret may have hidden another.
    pub(super) fn text_at<'t>(&self, text: &'t str, levels: u32) -> Cow<'t, str> {
        let mut kept = self.text_once(text, levels);
        if levels < REDACTION_DEPTH || kept == text {
            return kept;
        }
        for _ in 0..PASSES {
            let again = self.text_once(&kept, levels).into_owned();
            if again == kept {
                return kept;
            }
            kept = again.into();
        }
        REDACTED.into()
    }

    fn text_once<'t>(&self, text: &'t str, levels: u32) -> Cow<'t, str> {
        if text.trim_start().starts_with(['{', '[', '"'])
            && let Ok(mut value) = serde_json::from_str::<Value>(text)
        {
            let Some(levels) = levels.checked_sub(1) else { return Cow::Borrowed(REDACTED) };
            return if self.json_at(&mut value, levels) { value.to_string().into() } else { text.into() };
        }
        let marked = self.lines_apart(without_private_keys(self.markup(text)));
        let mut out = String::new();
        for line in marked.split_inclusive('\n') {
            out.push_str(&self.line(line, levels));
        }
        if out == text { text.into() } else { out.into() }
    }

    /// Returns JSON that was cut or is broken, up to the first member that is redacted.
    pub(super) fn broken_json<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.first_member(text).and_then(|at| text.get(..at)) {
            Some(before) => format!("{}{REDACTED}", self.text(before)).into(),
            None => self.text(text),
        }
    }

    /// Returns one line, which may have its line feed, without secrets: as it is, and as it is without its escapes.
    fn line<'l>(&self, line: &'l str, levels: u32) -> Cow<'l, str> {
        let (text, end) = line.strip_suffix('\n').map_or((line, ""), |text| (text, "\n"));
        let mut kept = self.plain_line(text, levels);
        if let Some(unescaped) = Unescaped::new(&kept) {
            kept = match levels.checked_sub(1).map(|levels| self.text_at(&unescaped.plain, levels)) {
                Some(plain) if plain == unescaped.plain => kept,
                Some(plain) => with_redacted(&kept, &unescaped, &plain).into(),
                None => REDACTED.into(),
            };
        }
        if kept == text { line.into() } else { format!("{kept}{end}").into() }
    }

    fn plain_line<'l>(&self, line: &'l str, levels: u32) -> Cow<'l, str> {
        let kept = match without_users(line) {
            Cow::Borrowed(line) => self.addresses(line, levels),
            Cow::Owned(line) => self.addresses(&line, levels).into_owned().into(),
        };
        let first = first_secret(&kept, |name, rest| self.surely_redacts(name, rest));
        let kept = match first.and_then(|at| kept.get(..at)) {
            Some(before) => format!("{before}{REDACTED}").into(),
            None => kept,
        };
        // Options come after what announces the next word: the value of an option may be such a word.
        let kept = without(kept, next_credentials);
        without_forms(without_options(kept, |program, name, value| self.names_next(program, name, value)))
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
            let is_address = word.contains("://") || word.starts_with('/');
            let user = host_after_user(word).filter(|_| !is_address);
            if is_address || has_query && user.is_none() {
                let kept = self.address_at(word, levels);
                goes_on = kept != word && kept.ends_with(REDACTED) && rest.trim().is_empty();
                out.push_str(&kept);
            } else if let Some(host) = user {
                out.push_str(REDACTED);
                out.push_str(host);
            } else {
                out.push_str(word);
            }
            out.push_str(rest);
        }
        if out == line { line.into() } else { out.into() }
    }
}

/// Returns a text in which what differs between its plain text and that without secrets is redacted.
fn with_redacted(text: &str, unescaped: &Unescaped, kept: &str) -> String {
    let plain = &unescaped.plain;
    let alike = |pairs: &mut dyn Iterator<Item = (char, char)>| {
        pairs.take_while(|(a, b)| a == b).map(|(sign, _)| sign.len_utf8()).sum::<usize>()
    };
    let start = alike(&mut plain.chars().zip(kept.chars()));
    let rest = (plain.get(start..).unwrap_or_default(), kept.get(start..).unwrap_or_default());
    let end = plain.len() - alike(&mut rest.0.chars().rev().zip(rest.1.chars().rev()));
    let before = text.get(..unescaped.place(start)).unwrap_or_default();
    let after = text.get(unescaped.place(end)..).unwrap_or_default();
    format!("{before}{REDACTED}{after}")
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
mod tests;
