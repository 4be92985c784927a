//! Words of Cloudflare's own that have the form of no word: they are long, have digits or many
//! capitals in them, or the name of a secret.
//!
//! `schemas/spellings.toml` lists them among all that its documentation gives; a test compares the two, and shows that
//! every one of them is shown.

/// The words in lower case, sorted.
pub const OWN_WORDS: &[&str] = &[
    "apishieldschemavalidation",
    "apishieldsequencemitigation",
    "apishieldtokenvalidation",
    "cloudflareinternalendpoint",
    "edgeworkercacheapi",
    "ip6",
    "ip6r32",
    "ip6r48",
    "ip6r64",
    "ipr16",
    "ipr24",
    "l7ddos",
    "managedchallengeinteractivesolved",
    "managedchallengenoninteractivesolved",
    "password_leaked",
    "peerreset",
    "precursorinterstitialpagebypassed",
    "precursorinterstitialpageissued",
    "precursorinterstitialpagesolved",
    "reserved_ip6",
    "responsestreamdisconnected",
    "upstreamreset",
    "username_and_password_leaked",
    "username_password_similar",
];

/// Whether a text is one of them, in any case.
pub(super) fn is_own_word(text: &str) -> bool {
    OWN_WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::{OWN_WORDS, is_own_word};

    #[test]
    fn own_words_are_whole_and_in_any_case() {
        assert!(OWN_WORDS.is_sorted_by(|a, b| a < b));
        assert!(is_own_word("managedChallengeNonInteractiveSolved") && is_own_word("L7DDOS"));
        assert!(!is_own_word("") && !is_own_word("l7ddos l7ddos") && !is_own_word("managedchallengenoninteractive"));
    }
}
