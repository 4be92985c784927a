//! What a Worker did, as its trace says: outcome, log lines, exceptions.
//!
//! # Invariants
//! Both spellings of the members count. A member of another type than the documented one settles nothing.

use serde_json::value::RawValue;

use super::facts::{RecordFacts, elements, text_of};
use super::texts::ShownText;
use crate::limits::{PAGE_MESSAGE_CHARACTERS, PAGE_TRACE_LINES};
use crate::record::{FieldValue, RecordMembers};
use crate::story::TimingUnit;

/// The most characters of an exception's words in a sentence.
const THROWN_CHARACTERS: usize = 160;

/// The facts of one trace.
#[derive(Debug, Default)]
pub(super) struct TraceFacts {
    /// The Worker's name.
    pub(super) script: Option<String>,
    /// How it ended.
    pub(super) outcome: Option<String>,
    /// The status that it answered with.
    pub(super) status: Option<u64>,
    /// When it began, in Unix milliseconds.
    pub(super) start_ms: Option<i64>,
    /// Its exceptions, then its log lines, each in order.
    pub(super) lines: Vec<TraceLine>,
    /// How many lines follow the last of these.
    pub(super) lines_beyond: u64,
}

/// A log line or an exception.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TraceLine {
    /// The level of a log line; the name of an exception.
    pub(super) level: String,
    /// Its text.
    pub(super) message: ShownText,
    /// When it was written, in Unix milliseconds.
    pub(super) unix_ms: Option<i64>,
    /// Whether it is an exception.
    pub(super) is_exception: bool,
}

impl TraceFacts {
    /// Reads a record of `workers_trace_events`.
    pub(super) fn new(facts: &RecordFacts<'_>) -> Self {
        let read = |name: &str, is_exception| {
            let lines = facts.raw(name).map(elements).unwrap_or_default();
            lines.into_iter().filter_map(move |line| TraceLine::parse(line.get(), is_exception)).collect::<Vec<_>>()
        };
        let mut lines = read("Exceptions", true);
        lines.extend(read("Logs", false));
        let beyond = lines.len().saturating_sub(PAGE_TRACE_LINES);
        lines.truncate(PAGE_TRACE_LINES);
        Self {
            script: facts.text("ScriptName").map(std::borrow::Cow::into_owned),
            outcome: facts.text("Outcome").map(std::borrow::Cow::into_owned),
            status: facts.raw("Event").and_then(response_status),
            start_ms: facts.nanoseconds("EventTimestampMs", TimingUnit::Milliseconds).map(|ns| ns / 1_000_000),
            lines,
            lines_beyond: u64::try_from(beyond).unwrap_or(u64::MAX),
        }
    }

    /// Returns what it threw, in words.
    pub(super) fn threw(&self) -> Option<String> {
        let thrown = self.lines.iter().find(|line| line.is_exception)?;
        let text = ShownText::new(thrown.message.text.lines().next().unwrap_or_default(), THROWN_CHARACTERS).text;
        Some(if text.is_empty() {
            format!("threw {}", thrown.level)
        } else {
            format!("threw {}: “{text}”", thrown.level)
        })
    }
}

impl TraceLine {
    fn parse(json: &str, is_exception: bool) -> Option<Self> {
        let members = RecordMembers::parse(json).ok()?;
        let get = |names: [&str; 2]| names.into_iter().find_map(|name| members.get(name));
        let level = get(if is_exception { ["Name", "name"] } else { ["Level", "level"] });
        let level = level.and_then(text_of).map(|level| ShownText::new(&level, 60).text);
        let default = if is_exception { "an exception" } else { "log" };
        let message = get(["Message", "message"]).map(message_text).unwrap_or_default();
        let time = get(["TimestampMs", "timestampMs"]);
        Some(Self {
            level: level.unwrap_or_else(|| default.to_owned()),
            message: ShownText::new(&message, PAGE_MESSAGE_CHARACTERS),
            unix_ms: time.and_then(|raw| TimingUnit::Milliseconds.nanoseconds(raw)).map(|ns| ns / 1_000_000),
            is_exception,
        })
    }
}

/// Returns what was logged: a text, or the values of an array with blanks between them, as a console shows them.
fn message_text(raw: &str) -> String {
    match FieldValue::from_json(raw) {
        FieldValue::Text(text) => text.trim_end().to_owned(),
        FieldValue::Nested(_) if raw.starts_with('[') => {
            let text_of = |element: &RawValue| match FieldValue::from_json(element.get()) {
                FieldValue::Text(text) => text.trim_end().to_owned(),
                _ => element.get().to_owned(),
            };
            elements(raw).into_iter().map(text_of).collect::<Vec<_>>().join(" ")
        }
        FieldValue::Absent => String::new(),
        _ => raw.to_owned(),
    }
}

fn response_status(event: &str) -> Option<u64> {
    let event = RecordMembers::parse(event).ok()?;
    let response = RecordMembers::parse(event.get("Response")?).ok()?;
    response.get("Status")?.parse().ok().filter(|status| *status > 0)
}
