//! Takes out of a command line the values of options that take secrets: `--password x`, `-p x`, `-phunter2`, `--user=ann:x`.
//!
//! # Invariants
//! A value is the word after its option, or what is between quotes there; without the closing one, the rest of the line. Another
//! option is no value. What an option of one letter takes depends on its program.

use std::borrow::Cow;

use super::REDACTED;
use super::values::bare_value;
use crate::mask::has_joined_credential;

/// Signs around the words of a list that a program prints.
const AROUND: [char; 7] = ['"', '\'', '`', '(', ')', '[', ']'];
/// Signs before which an option may begin within a word: `x;--token`, `OPTIONS="-u`.
const BEFORE: [char; 11] = ['"', '\'', '`', '(', '[', '{', ';', '|', '&', '=', ','];
/// Signs after which another command begins.
const BETWEEN_COMMANDS: [char; 3] = [';', '|', '&'];
/// Programs whose options of one letter take no secrets: `mkdir -p x`, `git checkout -b x`.
const PLAIN_PROGRAMS: [&str; 18] = [
    "cargo",
    "chmod",
    "chown",
    "compose",
    "cp",
    "df",
    "docker-compose",
    "git",
    "kubectl",
    "ls",
    "lsof",
    "mkdir",
    "nmap",
    "ps",
    "rmdir",
    "rsync",
    "tar",
    "tsc",
];
/// Options that are secrets with these programs alone: with others `-P` is a port, and `-w` a width.
const PROGRAM_OPTIONS: [(&str, &str); 7] = [
    ("sqlcmd", "-P"),
    ("bcp", "-P"),
    ("osql", "-P"),
    ("isql", "-P"),
    ("ldapsearch", "-w"),
    ("ldapadd", "-w"),
    ("ldapmodify", "-w"),
];
/// Most digits of a port, and of the number of a user.
const PORT_DIGITS: usize = 5;
const USER_DIGITS: usize = 10;

/// The program whose command a line is at, as far as its options differ from those of others.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LineProgram(Option<&'static str>);

impl LineProgram {
    /// Returns the program after the next word of the line.
    pub(super) fn after(self, word: &str) -> Self {
        let command = word.rsplit(BETWEEN_COMMANDS).next().unwrap_or_default();
        let name = command.trim_matches(AROUND).rsplit('/').next().unwrap_or_default();
        let known = || PLAIN_PROGRAMS.iter().copied().chain(PROGRAM_OPTIONS.iter().map(|(program, _)| *program));
        let first = name.as_bytes().first();
        match known().find(|known| first == known.as_bytes().first() && name == *known) {
            None if command.len() == word.len() => self,
            found => Self(found),
        }
    }

    /// Returns whether its options of one letter take no secrets.
    pub(super) fn is_plain(self) -> bool {
        self.0.is_some_and(|program| PLAIN_PROGRAMS.contains(&program))
    }

    /// Returns whether an option is a secret's with this program.
    pub(super) fn takes_secret(self, option: &str) -> bool {
        PROGRAM_OPTIONS.iter().any(|(program, known)| self.0 == Some(*program) && *known == option)
    }
}

/// An option within a word of a line.
struct LineOption<'w> {
    start: usize,
    name: &'w str,
    /// Where its value begins, if it is in the same word.
    value_at: Option<usize>,
    /// Whether it may have its value without a sign between: `-phunter2`.
    may_be_joined: bool,
}

impl<'w> LineOption<'w> {
    /// Returns the last option that begins in a word. After an equals sign one begins in `OPTIONS=-u`, and none in `--mode=-u`.
    fn last_in(word: &'w str) -> Option<Self> {
        let (mut start, mut before) = (None, None);
        for (at, sign) in word.char_indices() {
            let begins = |before| BEFORE.contains(&before) || before == '=' && start.is_none();
            if sign == '-' && before.is_none_or(begins) {
                start = Some((at, before != Some('=')));
            }
            before = Some(sign);
        }
        let (start, may_be_joined) = start?;
        let option = word.get(start..)?;
        let (name, value_at) = match option.split_once('=') {
            Some((name, _)) => (name, Some(start + name.len() + 1)),
            None => (option.trim_end_matches(',').trim_end_matches(AROUND), None),
        };
        Some(Self { start, name, value_at, may_be_joined })
    }
}

/// Returns a line without the values of the options that `takes_secret` names.
pub(super) fn without_options(
    line: Cow<'_, str>,
    takes_secret: impl Fn(LineProgram, &str, &str) -> bool,
) -> Cow<'_, str> {
    if !line.contains('-') {
        return line;
    }
    let (mut out, mut kept_until, mut from) = (String::new(), 0, 0);
    let mut program = LineProgram::default();
    while let Some((start, word)) = next_word(&line, from) {
        from = start + word.len();
        program = program.after(word);
        let Some(option) = LineOption::last_in(word) else { continue };
        let secret = if option.may_be_joined && has_joined_credential(option.name) && !program.is_plain() {
            Some(start + option.start..from)
        } else {
            let value = value_of(&line, option.value_at.map_or(from, |at| start + at), option.value_at.is_some());
            let secret = value.filter(|value| takes_secret(program, option.name, value));
            secret.map(|value| line.len() - value.len()..line.len() - value.len() + value_length(value))
        };
        if let Some(secret) = secret {
            out.push_str(line.get(kept_until..secret.start).unwrap_or_default());
            out.push_str(REDACTED);
            (kept_until, from) = (secret.end, secret.end);
        }
    }
    if kept_until == 0 {
        return line;
    }
    out.push_str(line.get(kept_until..).unwrap_or_default());
    out.into()
}

/// Returns the next word of a line, and where it begins.
fn next_word(line: &str, from: usize) -> Option<(usize, &str)> {
    let word = line.get(from..)?.trim_start();
    let length = word.find(char::is_whitespace).unwrap_or(word.len());
    word.get(..length).filter(|word| !word.is_empty()).map(|found| (line.len() - word.len(), found))
}

/// Returns the line from the value of an option on, which begins here, or after blanks.
fn value_of(line: &str, at: usize, is_joined: bool) -> Option<&str> {
    let rest = line.get(at..)?;
    let value = rest.trim_start();
    let bare = value.trim_start_matches(AROUND);
    let is_value = (value.len() == rest.len()) == is_joined && !value.is_empty() && !bare.starts_with('-');
    (is_value && !value.starts_with(REDACTED)).then_some(value)
}

/// Returns the length of a value: up to the closing quote, or to the next blank.
fn value_length(value: &str) -> usize {
    let quote = value.chars().next().filter(|sign| matches!(sign, '"' | '\'' | '`'));
    let mut is_escaped = false;
    for (at, sign) in value.char_indices().skip(usize::from(quote.is_some())) {
        if is_escaped {
            is_escaped = false;
        } else if sign == '\\' {
            is_escaped = true;
        } else if quote == Some(sign) || quote.is_none() && sign.is_whitespace() {
            return at;
        }
    }
    value.len()
}

/// Returns whether a text begins with a user and a password, which one of these signs parts. Two numbers are a user and a group, what
/// has a scheme is an address, and `+%H:%M` is how `date` writes.
pub(super) fn is_user_with_password(text: &str, signs: &[char]) -> bool {
    let value = text.get(..value_length(text)).unwrap_or_default().trim_matches(AROUND);
    let Some((user, password)) = value.split_once(signs) else { return false };
    let is_number = |part: &str| part.len() <= USER_DIGITS && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_other = password.starts_with("//") || user.starts_with('+') || is_number(user) && is_number(password);
    !password.is_empty() && !is_other
}

/// Returns whether a text begins with a cookie, and not with the name of a file or a branch.
pub(super) fn is_cookie(text: &str) -> bool {
    text.get(..value_length(text)).is_some_and(|value| value.contains('='))
}

/// Returns whether a text begins with a port, or with ports that a container publishes: `22`, `8080:80`, `127.0.0.1:8080:80/tcp`.
pub(super) fn is_published_port(text: &str) -> bool {
    let value = bare_value(text);
    let value = ["/tcp", "/udp"].iter().find_map(|end| value.strip_suffix(end)).unwrap_or(value);
    let is_port = |part: &str| {
        let is_digits = part.bytes().all(|byte| byte.is_ascii_digit());
        is_digits && part.len() <= PORT_DIGITS && part.parse::<u16>().is_ok()
    };
    let is_range = |part: &str| part.split('-').count() <= 2 && part.split('-').all(is_port);
    let (address, ports) = match value.rsplit(':').collect::<Vec<_>>().as_slice() {
        [inner, outer, address] => (Some(*address), vec![*inner, *outer]),
        ports if ports.len() <= 2 => (None, ports.to_vec()),
        _ => return false,
    };
    ports.into_iter().all(is_range) && address.is_none_or(|address| address.parse::<std::net::Ipv4Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::{is_cookie, is_published_port, is_user_with_password};

    #[test]
    fn published_ports_are_known() {
        for text in ["22", "22 host", "8080:80", "127.0.0.1:8080:80", "8080:80/tcp", "3000-3005:3000-3005", "\"80\""] {
            assert!(is_published_port(text), "{text}");
        }
        for text in ["", "x", "123456", "99999", "80:x", "a:80:80", "80:80:80:80", "80/x", "hunter2"] {
            assert!(!is_published_port(text), "{text}");
        }
    }

    #[test]
    fn users_need_a_password_to_be_secret() {
        for text in ["ann:x", "\"ann:x y\" z", "ann%x", ":x", "1000:x"] {
            assert!(is_user_with_password(text, &[':', '%']), "{text}");
        }
        for text in ["www", "ann%x", "+%H:%M", "ann:", "1000:1000", "https://a.example/", "a b:c", ""] {
            assert!(!is_user_with_password(text, &[':']), "{text}");
        }
        assert!(is_cookie("sid=x") && is_cookie("'a=b; c=d'") && !is_cookie("feature a=b"));
    }
}
