//! Secrets that are known by their form: private keys in PEM, addresses of webhooks.
//!
//! # Invariants
//! A text is walked once, whatever is in it.

use std::ops::Range;

use super::REDACTED;

/// The beginning and the end of a block in PEM, what ends a line of either, and what a block with a private key is called.
const PEM_BEGIN: &str = "-----BEGIN ";
const PEM_END: &str = "-----END ";
const PEM_DASHES: &str = "-----";
const PEM_PRIVATE: &str = "PRIVATE KEY";
/// Longest name of a block: `ENCRYPTED PRIVATE KEY` has 21 signs.
const PEM_NAME_MAX: usize = 48;

/// Hosts and beginnings of the paths of webhooks, whose address is all that a caller needs.
const WEBHOOKS: [(&str, &str); 6] = [
    ("hooks.slack.com", "/services/"),
    ("hooks.slack.com", "/workflows/"),
    ("discord.com", "/api/webhooks/"),
    ("discordapp.com", "/api/webhooks/"),
    ("api.telegram.org", "/bot"),
    ("webhook.office.com", "/webhookb2/"),
];

/// Finds a private key in the part of a text from here, up to its end, or that of the text.
pub(super) fn next_private_key(text: &str, from: usize) -> Option<Range<usize>> {
    let mut at = from;
    loop {
        let start = at + text.get(at..)?.find(PEM_BEGIN)?;
        at = start + PEM_BEGIN.len();
        let Some((name, _)) = pem_name(text, at) else { continue };
        if !name.contains(PEM_PRIVATE) {
            continue;
        }
        let after = at + name.len();
        let end = text.get(after..).and_then(|rest| rest.find(PEM_END)).map(|place| after + place + PEM_END.len());
        let end = end.map(|end| pem_name(text, end).map_or(end, |(_, end)| end));
        return Some(start..end.unwrap_or(text.len()));
    }
}

/// Returns the name of a block that begins here, and where its line ends.
fn pem_name(text: &str, at: usize) -> Option<(&str, usize)> {
    let rest = text.get(at..)?;
    let head = rest.get(..rest.floor_char_boundary(PEM_NAME_MAX + PEM_DASHES.len()))?;
    let name = head.get(..head.find(PEM_DASHES)?)?;
    Some((name, at + name.len() + PEM_DASHES.len()))
}

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
    use super::{next_private_key, next_webhook};

    #[test]
    fn private_keys_end_with_their_block_or_text() {
        for (text, found) in [
            ("a -----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY----- b", Some(2..65)),
            ("-----BEGIN PRIVATE KEY-----\nx", Some(0..29)),
            ("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----", None),
            ("-----BEGIN -----BEGIN PRIVATE KEY-----", Some(11..38)),
        ] {
            assert_eq!(next_private_key(text, 0), found, "{text}");
        }
    }

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
