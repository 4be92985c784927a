//! Addresses of webhooks, whose path is all that a caller needs.
//!
//! # Invariants
//! A text is walked once, whatever is in it.

use std::ops::Range;

use super::REDACTED;

/// Hosts and beginnings of the paths of webhooks.
const WEBHOOKS: [(&str, &str); 6] = [
    ("hooks.slack.com", "/services/"),
    ("hooks.slack.com", "/workflows/"),
    ("discord.com", "/api/webhooks/"),
    ("discordapp.com", "/api/webhooks/"),
    ("api.telegram.org", "/bot"),
    ("webhook.office.com", "/webhookb2/"),
];

/// Finds what follows the beginning of a webhook's path in the part of a text from here.
pub(super) fn next_webhook(text: &str, from: usize) -> Option<Range<usize>> {
    let rest = text.get(from..)?;
    rest.match_indices('/').find_map(|(place, _)| {
        let (before, path) = text.split_at_checked(from + place)?;
        let is_at = |(host, start): &&(&str, &str)| path.starts_with(start) && before.ends_with(host);
        let (_, start) = WEBHOOKS.iter().find(is_at)?;
        let secret = path.get(start.len()..)?;
        let is_end = |sign: char| sign.is_whitespace() || "\"'`<>()?#,\\".contains(sign);
        let length = secret.find(is_end).unwrap_or(secret.len());
        let begin = from + place + start.len();
        (length > 0 && !secret.starts_with(REDACTED)).then_some(begin..begin + length)
    })
}

#[cfg(test)]
mod tests {
    use super::next_webhook;

    #[test]
    fn paths_of_webhooks_are_found() {
        for (text, secret) in [
            ("POST https://hooks.slack.com/services/T0/B0/xyz failed", Some("T0/B0/xyz")),
            ("https://api.telegram.org/bot12:ab/send?x=1", Some("12:ab/send")),
            ("https://hooks.slack.com/", None),
            ("https://a.example/services/T0/B0/xyz", None),
            ("https://hooks.slack.com/services/[redacted]", None),
        ] {
            assert_eq!(next_webhook(text, 0).and_then(|place| text.get(place)), secret, "{text}");
        }
    }
}
