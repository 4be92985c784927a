//! What people copy out of an answer: a text for a ticket, and a command that sends the request again.
//!
//! # Invariants
//! Both are made of records as they may be passed on: they have no secret, whatever the role sees. In the ticket's Markdown every
//! value is a text: nothing in it starts a table, a link, a mention or the end of what it is in. In the command no value is
//! more than one word of the shell.

use std::fmt::Write;

use super::answer_head::AnswerHead;
use super::facts::{RecordFacts, url_of};
use super::ray_records::RayRecords;
use super::sentence_words::cache_words;
use super::texts::ShownText;
use crate::limits::{PAGE_COMMAND_CHARACTERS, PAGE_TICKET_CHARACTERS};
use crate::record::{Dataset, FieldValue, RecordMembers};

/// The headers of a request that a command repeats: names whose values are no secrets.
const REPEATED_HEADERS: [&str; 8] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-type",
    "if-modified-since",
    "if-none-match",
    "range",
];

/// Returns the text of a ticket: the sentence, the facts, the ray and the link.
pub(super) fn ticket(head: &AnswerHead, records: &RayRecords<'_>, link: &str) -> String {
    let facts = facts_of(head, records);
    let mut text =
        format!("{}\n\n| fact | value |\n|---|---|\n| Ray ID | {} |\n", emphasis(&head.sentence), plain(&head.ray));
    let (short, long): (Vec<_>, Vec<_>) = facts.iter().partition(|(_, value)| is_plain(value, CELL_MARKS));
    for (label, value) in short {
        let _written = writeln!(text, "| {label} | {value} |");
    }
    if !long.is_empty() {
        let lines: Vec<String> = long.iter().map(|(label, value)| format!("{label}: {value}\n")).collect();
        let lines = lines.concat();
        let fence = "`".repeat(longest_ticks(&lines).max(2) + 1);
        let _written = write!(text, "\n{fence}text\n{lines}{fence}\n");
    }
    let _written = write!(text, "\n<{link}>\n");
    text
}

/// The facts of a ticket, each as one line.
fn facts_of(head: &AnswerHead, records: &RayRecords<'_>) -> Vec<(&'static str, String)> {
    let request = records.request();
    let text = |name: &str| request?.text(name).map(|text| one_line(&text));
    let number = |name: &str| request?.positive(name).map(|number| number.to_string());
    let rule = || {
        text("SecurityRuleDescription").or_else(|| {
            records.of(Dataset::FirewallEvents).find_map(|event| event.text("Description").map(|text| one_line(&text)))
        })
    };
    let cache = || {
        Some(match request?.text("CacheCacheStatus")? {
            status if cache_words(&status).is_some() => status.into_owned(),
            status => one_line(&status),
        })
    };
    let facts = [
        ("Time", Some(head.time.text.clone())),
        ("Request", Some(one_line(&head.request_line())).filter(|line| !line.is_empty())),
        ("Status", number("EdgeResponseStatus")),
        ("Origin status", number("OriginResponseStatus")),
        ("Duration", Some(head.lasted.clone()).filter(|lasted| !lasted.is_empty())),
        ("Cache", cache()),
        ("Security", text("SecurityAction")),
        ("Rule", rule()),
        ("Data centre", text("EdgeColoCode")),
        ("Client", text("ClientIP")),
        ("Country", text("ClientCountry")),
        ("User agent", text("ClientRequestUserAgent")),
        ("Worker", text("WorkerScriptName")),
    ];
    facts.into_iter().filter_map(|(label, value)| Some((label, value?))).collect()
}

/// The marks that a cell of a table may have beside letters, digits and blanks: none has a meaning in Markdown there.
const CELL_MARKS: &str = ".,:;()+-/%";
/// The same of a sentence, in which a colon could be that of an address.
const SENTENCE_MARKS: &str = ".,;()+-%“”…";

/// Whether a text means itself in Markdown, with these marks.
fn is_plain(text: &str, marks: &str) -> bool {
    let is_text = text.chars().all(|c| c.is_alphanumeric() || c == ' ' || marks.contains(c));
    let lower = text.to_lowercase();
    is_text && !lower.contains("www.") && !lower.contains("//")
}

/// Returns a sentence that stands out; as code, if something in it could be Markdown.
fn emphasis(sentence: &str) -> String {
    let line = one_line(sentence);
    if is_plain(&line, SENTENCE_MARKS) { format!("**{line}**") } else { code(&line) }
}

fn plain(text: &str) -> String {
    if is_plain(text, "-") { text.to_owned() } else { "(in the link)".to_owned() }
}

/// Returns a text as code, in more backticks than it has in a row.
fn code(line: &str) -> String {
    let ticks = "`".repeat(longest_ticks(line) + 1);
    format!("{ticks} {line} {ticks}")
}

fn longest_ticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

/// Returns a value as one line, cut where it is long.
fn one_line(value: &str) -> String {
    let ShownText { text, length } = ShownText::new(value, PAGE_TICKET_CHARACTERS);
    let line: String = text.chars().map(|c| if is_line_end(c) { '⏎' } else { c }).collect();
    length.map_or_else(|| line.trim().to_owned(), |length| format!("{}… ({length})", line.trim()))
}

const fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\t' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Returns a command for a shell that sends the request again, without its cookies, credentials and body; `None` if the
/// record does not have enough of it.
pub(super) fn curl(facts: &RecordFacts<'_>) -> Option<String> {
    let mut command = format!("curl -sS -g -i{} {}", method_option(facts)?, quoted(&url_of(facts)?));
    for (name, header) in [("ClientRequestUserAgent", "User-Agent"), ("ClientRequestReferer", "Referer")] {
        if let Some(value) = facts.word(name).filter(|value| !value.is_empty()) {
            let _written = write!(command, " \\\n  -H {}", quoted(&format!("{header}: {value}")));
        }
    }
    for (name, value) in repeated_headers(facts) {
        let _written = write!(command, " \\\n  -H {}", quoted(&format!("{name}: {value}")));
    }
    Some(command)
}

fn method_option(facts: &RecordFacts<'_>) -> Option<String> {
    let method = facts.text("ClientRequestMethod")?;
    let is_method = method.len() <= 20 && method.bytes().all(|byte| byte.is_ascii_uppercase());
    match method.as_ref() {
        "GET" => Some(String::new()),
        "HEAD" => Some(" -I".to_owned()),
        method => is_method.then(|| format!(" -X {method}")),
    }
}

/// Returns the headers of a request that are repeated, with their values.
fn repeated_headers(facts: &RecordFacts<'_>) -> Vec<(&'static str, String)> {
    let Some(members) = facts.raw("RequestHeaders").and_then(|headers| RecordMembers::parse(headers).ok()) else {
        return Vec::new();
    };
    let value_of = |name: &'static str| {
        let (_, raw) = members.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        let FieldValue::Text(value) = FieldValue::from_json(raw) else { return None };
        let is_shown = !value.is_empty() && !value.contains(crate::mask::MASKED);
        is_shown.then(|| (name, value.into_owned()))
    };
    REPEATED_HEADERS.into_iter().filter_map(value_of).collect()
}

/// Returns a value as one word of the shell, without characters that end a header.
fn quoted(value: &str) -> String {
    let ShownText { text, .. } = ShownText::new(value, PAGE_COMMAND_CHARACTERS);
    let mut word = String::from("'");
    for c in text.chars() {
        match c {
            '\'' => word.push_str("'\\''"),
            c if c.is_control() => word.push(' '),
            c => word.push(c),
        }
    }
    word + "'"
}
