//! Names of parameters, headers, members and words that carry a secret, and what follows such a name.
//!
//! # Invariants
//!
//! A name is judged in any case and spelling. An ambiguous name counts as that of a secret where a separator or a member
//! says that it is a name: a value too many is masked rather than one too few.

use super::Role;
use super::lists::{
    AMBIGUOUS_PARTS, AMBIGUOUS_WORDS, COPULAS, CREDENTIAL_FLAGS, FOLLOWERS, TELLING_PARTS, TELLING_WORDS,
};
use super::normal::normal;

/// How surely a name is that of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NameStrength {
    /// It is part of such names and of others: `key`, `state`.
    Ambiguous,
    /// It is nothing else: `password`, `token`.
    Telling,
}

/// Longest word that may be no secret after a telling name.
const PLAIN_MAX: usize = 24;
/// Most words of a segment or a sentence's word that is a name: longer ones are titles.
const NAME_WORDS: usize = 4;
/// Shortest value with a digit that is a secret where a hyphen joins it to its name.
const JOINED_MIN: usize = 4;

/// Length of an option of one letter, with its hyphen.
const FLAG_LENGTH: usize = 2;
/// Signs of the longest part of a telling name.
const PART_LENGTH: usize = 13;

/// Three letters in a row, by five bits each: those that begin a part or word of the lists are set.
static BEGINNINGS: [u32; 1024] = beginnings();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn beginnings() -> [u32; 1024] {
    let mut table = [0; 1024];
    let lists = [TELLING_PARTS, TELLING_WORDS, AMBIGUOUS_PARTS, AMBIGUOUS_WORDS];
    let mut list = 0;
    while list < lists.len() {
        let mut word = 0;
        while word < lists[list].len() {
            table = with_beginning(table, lists[list][word].as_bytes());
            word += 1;
        }
        list += 1;
    }
    table
}

/// The table with the first three letters of a word; of a word of two, with any third.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn with_beginning(mut table: [u32; 1024], word: &[u8]) -> [u32; 1024] {
    let row = ((word[0] & 31) as usize) << 5 | (word[1] & 31) as usize;
    table[row] |= if word.len() > 2 { 1 << (word[2] & 31) } else { !0 };
    table
}

/// Whether the name of a secret may be in a text in its [normal] form: `false` where there is none.
pub(super) fn may_name(text: &str) -> bool {
    beginnings_in(text.as_bytes()).next().is_some()
}

/// Where a word of the lists may begin in a text.
fn beginnings_in(text: &[u8]) -> impl Iterator<Item = usize> {
    let mut last = 0_usize;
    // A word of two letters may be the last one.
    text.iter().chain(&[0]).enumerate().filter_map(move |(place, byte)| {
        last = (last << 5 | usize::from(byte & 31)) & 0x7fff;
        let is_set = BEGINNINGS.get(last >> 5).is_some_and(|row| row >> (last & 31) & 1 != 0);
        if is_set { place.checked_sub(2) } else { None }
    })
}

/// Whether a parameter, header or member of this name carries a secret.
#[must_use]
pub fn names_secret(name: &str) -> bool {
    strength(name).is_some()
}

/// Whether a name is that of a secret and of nothing else, so that it is one within a sentence too.
#[must_use]
pub fn surely_names_secret(name: &str) -> bool {
    strength(name) == Some(NameStrength::Telling)
}

/// How surely the name is that of a secret; `None` where it is none.
pub(super) fn strength(name: &str) -> Option<NameStrength> {
    let Some(name) = normal(name) else { return Some(NameStrength::Telling) };
    let (mut is_ambiguous, mut may_be_word) = (false, false);
    for place in beginnings_in(name.as_bytes()) {
        let rest = name.as_bytes().get(place..).unwrap_or_default();
        if has_beginning(rest, TELLING_PARTS) || has_parted_beginning(rest) {
            return Some(NameStrength::Telling);
        }
        is_ambiguous |= has_beginning(rest, AMBIGUOUS_PARTS);
        may_be_word |= has_beginning(rest, TELLING_WORDS) || has_beginning(rest, AMBIGUOUS_WORDS);
    }
    let words = if may_be_word { name_words(&name) } else { Vec::new() };
    let has_word = |list: &[&str]| words.iter().any(|word| is_listed(word, list));
    if has_word(TELLING_WORDS) {
        Some(NameStrength::Telling)
    } else if is_ambiguous || may_be_word && (has_word(AMBIGUOUS_WORDS) || authorizes(&name)) {
        Some(NameStrength::Ambiguous)
    } else {
        None
    }
}

/// Whether a text begins with one of the list, in any case.
fn has_beginning(text: &[u8], list: &[&str]) -> bool {
    let first = text.first().map(u8::to_ascii_lowercase);
    list.iter().any(|word| {
        let word = word.as_bytes();
        word.first().copied() == first && text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
    })
}

/// Whether a text begins with a part of telling names, with hyphens or underscores in it: `api-key`.
fn has_parted_beginning(text: &[u8]) -> bool {
    let is_joint = |byte: &u8| matches!(byte, b'-' | b'_' | b' ');
    let mut signs = text.iter().filter(|byte| !is_joint(byte)).map(u8::to_ascii_lowercase);
    let start: [u8; PART_LENGTH] = std::array::from_fn(|_| signs.next().unwrap_or_default());
    text.iter().take(PART_LENGTH).any(is_joint) && has_beginning(&start, TELLING_PARTS)
}

/// Whether `auth` is in the name: `author` is not such a name, `authorization` and `x-auth-user` are.
fn authorizes(name: &str) -> bool {
    name.to_ascii_lowercase().replace("author", "").contains("auth")
}

/// Whether the list has a word, in the singular or the plural.
fn is_listed(word: &str, list: &[&str]) -> bool {
    list.contains(&word) || word.strip_suffix('s').is_some_and(|word| list.contains(&word))
}

/// The words that a name is put together of, in lower case: `accessKey`, `access_key` and `key2` have two; and what has no
/// separator inside as a whole too.
#[must_use]
pub fn name_words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    for whole in name.split(|c: char| !c.is_alphanumeric()).filter(|whole| !whole.is_empty()) {
        let (mut word, mut before, mut parts) = (String::new(), ' ', 0);
        let mut signs = whole.chars().peekable();
        while let Some(c) = signs.next() {
            let is_next_small = signs.peek().is_some_and(char::is_ascii_lowercase);
            let begins = before.is_ascii_lowercase() && c.is_ascii_uppercase()
                || before.is_ascii_uppercase() && c.is_ascii_uppercase() && is_next_small
                || before.is_ascii_digit() != c.is_ascii_digit() && before != ' ';
            if begins {
                words.push(std::mem::take(&mut word));
                parts += 1;
            }
            word.push(c.to_ascii_lowercase());
            before = c;
        }
        words.push(word);
        if parts > 0 {
            words.push(whole.to_ascii_lowercase());
        }
    }
    words
}

/// How surely a segment of a path or a word of a text names a secret: a long title does not.
pub(super) fn word_strength(word: &str) -> Option<NameStrength> {
    let is_short = || word.split(['-', '_', '.', ' ']).count() <= NAME_WORDS;
    if may_name(word) && is_short() { strength(word) } else { None }
}

/// Whether what follows a name of that strength, after a separator, is the secret: what is not on the list of what may
/// follow, and after an ambiguous name what is not plainly a word either.
pub(super) fn is_secret_after(name: NameStrength, word: &str) -> bool {
    !word.is_empty() && (name == NameStrength::Telling || !is_plain(word)) && !is_follower(word)
}

/// Whether the word after a telling name, in a sentence, is the secret: a viewer sees only what may follow, others see what
/// is plainly a word too.
pub(super) fn is_secret_in_sentence(role: Role, word: &str) -> bool {
    (role == Role::Viewer || !is_plain(word)) && is_secret_after(NameStrength::Telling, word)
}

/// Whether a word is on the list of those that follow the name of a secret and are none, or is such a name itself.
pub(super) fn is_follower(word: &str) -> bool {
    let word = word.split_once('.').map_or(word, |(stem, _)| stem).to_ascii_lowercase();
    // A name as it is on a list; one with more in it may be the secret.
    let lists = [TELLING_PARTS, TELLING_WORDS, AMBIGUOUS_PARTS, AMBIGUOUS_WORDS];
    let is_name = |part: &str| lists.iter().any(|list| is_listed(part, list));
    let is_one = |part: &str| FOLLOWERS.binary_search(&part).is_ok() || is_version(part) || is_name(part);
    !word.is_empty() && word.split(['-', '_']).all(is_one)
}

/// Whether a word is in small letters alone.
pub(super) fn is_plain(word: &str) -> bool {
    word.len() <= PLAIN_MAX && word.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_'))
}

/// Whether a word is a version's: `v2`.
fn is_version(word: &str) -> bool {
    let digits = word.strip_prefix('v').unwrap_or("x");
    (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a word is only between a name and what it is.
pub(super) fn is_copula(word: &str) -> bool {
    COPULAS.iter().any(|copula| word.eq_ignore_ascii_case(copula))
}

/// Whether the argument after an option of a program is a secret.
#[must_use]
pub fn is_credential_flag(word: &str) -> bool {
    word.starts_with('-') && (CREDENTIAL_FLAGS.contains(&word) || strength(word).is_some())
}

/// Whether a word is an option of a program with its credential: `-uann:pw`, `-phunter2`.
#[must_use]
pub fn has_joined_credential(word: &str) -> bool {
    let is_flag = |flag: &str| flag.len() == FLAG_LENGTH && CREDENTIAL_FLAGS.contains(&flag);
    let Some((_, value)) = word.split_at_checked(FLAG_LENGTH).filter(|(flag, _)| is_flag(flag)) else { return false };
    let has = |is: fn(&u8) -> bool| value.bytes().any(|byte| is(&byte));
    has(u8::is_ascii_alphabetic) && (value.contains(':') || has(u8::is_ascii_digit))
}

/// Whether a text names a secret and says it: `token:x`, `password x`, `reset-1a2b`.
pub(super) fn tells_secret(role: Role, text: &str) -> bool {
    may_name(text) && !is_joined(text) && tells(role, text)
}

/// Whether a text is one word without a separator, which can only be a name or a value.
fn is_joined(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn tells(role: Role, text: &str) -> bool {
    let is_between = |c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_' | '.');
    // The name before a word, and whether a separator or a copula says that it is one.
    let (mut name, mut is_named) = (None, false);
    for piece in text.split_inclusive(is_between) {
        let word = piece.trim_end_matches(is_between);
        let is_copula = is_copula(word);
        if !word.is_empty() && !is_copula {
            let follows = match name {
                Some(name) if is_named => is_secret_after(name, word),
                Some(NameStrength::Telling) => is_secret_in_sentence(role, word),
                Some(NameStrength::Ambiguous) | None => false,
            };
            if follows || has_joined_secret(word) {
                return true;
            }
            (name, is_named) = (word_strength(word), false);
        }
        is_named |= is_copula || piece.ends_with([':', '=', '/']);
    }
    false
}

/// Whether a hyphen, underscore or dot joins a secret to its name: `reset-1a2b3c`.
fn has_joined_secret(word: &str) -> bool {
    let mut is_after = false;
    may_name(word)
        && word.split(['-', '_', '.']).any(|part| {
            let is_value = part.len() >= JOINED_MIN && part.bytes().any(|byte| byte.is_ascii_digit());
            let found = is_after && is_value;
            is_after = strength(part) == Some(NameStrength::Telling);
            found
        })
}

/// Whether a text ends in the name of a secret, so that what comes next in its list is the secret: `user token:`.
pub(super) fn ends_in_name(text: &str) -> bool {
    let end = text.trim_end_matches(|c: char| c.is_whitespace() || "\"'`([{<>-".contains(c));
    let bare = end.trim_end_matches([':', '=', ' ']);
    let is_named = bare.len() < end.len();
    let mut words = bare.rsplit(|c: char| c.is_whitespace() || "\"'`()[]{}<>,;|&?".contains(c));
    let mut last = words.next().unwrap_or_default();
    while is_copula(last) || last.is_empty() {
        let Some(before) = words.next() else { return false };
        last = before;
    }
    let is_scheme = super::lists::AUTH_SCHEMES.iter().any(|scheme| last.eq_ignore_ascii_case(scheme));
    is_scheme
        || is_credential_flag(last)
        || match word_strength(last.rsplit([':', '=', '/']).next().unwrap_or(last)) {
            Some(NameStrength::Telling) => true,
            Some(NameStrength::Ambiguous) => is_named || last.len() == text.trim().len(),
            None => false,
        }
}

/// Whether a text has the name of a secret and a place for one of the values that follow it: `token=%s`.
pub(super) fn has_named_place(text: &str) -> bool {
    let places = ["%s", "%d", "%i", "%f", "%o", "%O", "%j", "{}"];
    let mut words = text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_'));
    places.iter().any(|place| text.contains(place)) && words.any(|word| word_strength(word).is_some())
}

#[cfg(test)]
mod tests {
    use super::{
        NameStrength, PART_LENGTH, TELLING_PARTS, ends_in_name, has_named_place, is_follower, names_secret, strength,
        tells_secret,
    };
    use crate::mask::Role;

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for name in [
            "token",
            "access_token",
            "accessKey",
            "X-Api-Key",
            "apikey",
            "Authorization",
            "x-auth-user",
            "PHPSESSID",
            "jsessionid",
            "sig",
            "X-Amz-Signature",
            "X-Amz-Credential",
            "code",
            "otp",
            "Set-Cookie",
            "client-secret",
            "CF-Access-Jwt-Assertion",
            "password",
            "user[password]",
            "passcode",
            "pincode",
            "mfa",
            "mfaCode",
            "2fa",
            "OTP1",
            "ssn",
            "SSNNumber",
            "card_number",
            "cardNumber",
            "cred",
            "creds",
            "seed",
            "mnemonic",
            "private",
            "refresh",
            "invite",
            "magic",
            "activation",
            "hdnea",
            "hdnts",
            "nonces",
            "ｔｏｋｅｎ",
            "pass\u{ad}word",
            "pw",
            "private-key-pem",
        ] {
            assert!(names_secret(name), "{name}");
        }
        for name in [
            "page",
            "q",
            "author",
            "keyword",
            "monkey",
            "postcode",
            "utm_source",
            "accept-language",
            "lang",
            "className",
            "größe",
            "",
        ] {
            assert!(!names_secret(name), "{name}");
        }
        for name in ["reset", "X-Api-Key", "credit_card"] {
            assert_eq!(strength(name), Some(NameStrength::Telling));
        }
        assert!(TELLING_PARTS.iter().all(|part| part.len() <= PART_LENGTH));
        assert_eq!(strength("state"), Some(NameStrength::Ambiguous));
    }

    #[test]
    fn what_a_name_tells_is_found() {
        for text in
            ["token:x", "password hunter2", "auth:Xk1", "reset-1a2b3c", "a b password=c9", "token is abc", "reset/abc"]
        {
            assert!([Role::Viewer, Role::Support].iter().all(|role| tells_secret(*role, text)), "{text}");
        }
        for text in ["team:web", "token", "token expired", "password-reset", "auth:service", "token-v2", "author:ann7"]
        {
            assert!([Role::Viewer, Role::Support].iter().all(|role| !tells_secret(*role, text)), "{text}");
        }
        assert!(tells_secret(Role::Viewer, "password horse") && !tells_secret(Role::Support, "password horse"));
        assert!(is_follower("reset.html") && is_follower("Forgot-Password") && is_follower("tokens"));
        assert!(!is_follower("hunter2") && !is_follower("jwtkeibtxtlo"));
    }

    #[test]
    fn text_that_ends_in_a_name_is_known() {
        for text in [
            "token:",
            "user token",
            "the password is ",
            "key=",
            "code",
            "curl -u",
            "--password",
            "Authorization: Basic",
            "url?token=",
        ] {
            assert!(ends_in_name(text), "{text}");
        }
        for text in ["", "token expired", "status code", "fetch", ":", "is"] {
            assert!(!ends_in_name(text), "{text}");
        }
        assert!(has_named_place("token=%s") && has_named_place("%s has the token %s"));
        assert!(!has_named_place("fetch %s") && !has_named_place("token 100%"));
    }
}
