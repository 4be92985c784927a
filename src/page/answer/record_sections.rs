//! The records of an answer, ray by ray: what happened first, then every field by its group.

use super::AnswerRecord;
use super::facts::RecordFacts;
use super::field_groups::GroupedFields;
use super::ray_records::{AnswerRays, RayRecords};
use super::span_tree::{SpanRow, SpanTree, span_summary};
use super::texts::{InstantText, ShownText, counted};
use super::worker_trace::TraceFacts;
use crate::limits::PAGE_RECORDS;
use crate::record::Dataset;

/// The records of a ray.
#[derive(Debug)]
pub(super) struct RaySection {
    /// The ray.
    pub(super) ray: String,
    /// Whether it is the ray that was asked for.
    pub(super) is_asked: bool,
    /// Its records.
    pub(super) records: Vec<RecordSection>,
}

/// A record.
#[derive(Debug)]
pub(super) struct RecordSection {
    /// What it is a record of.
    pub(super) title: String,
    /// What it says, in a line; empty for one that says it by its fields alone.
    pub(super) summary: String,
    /// Whether it is open at first.
    pub(super) is_open: bool,
    /// What the lines are.
    pub(super) lines_caption: &'static str,
    /// Log lines and exceptions, or the spans of a trace.
    pub(super) lines: Vec<LogLine>,
    /// How many lines follow the last of these; empty if none does.
    pub(super) lines_beyond: String,
    /// Its fields; `None` if its line is damaged.
    pub(super) fields: Option<GroupedFields>,
    /// Where it is stored.
    pub(super) places: Vec<String>,
}

/// A log line, or an exception.
#[derive(Debug)]
pub(super) struct LogLine {
    /// The level, or the name of the exception.
    pub(super) level: String,
    /// What it is drawn as.
    pub(super) tone: &'static str,
    /// When it was written; empty if that is not known.
    pub(super) time: String,
    /// Its text.
    pub(super) message: ShownText,
}

/// Returns the rays whose records fit on the page: that one first which was asked for, which always does.
pub(super) fn shown_rays<'r>(rays: &'r AnswerRays<'_>) -> Vec<&'r RayRecords<'r>> {
    let mut left = PAGE_RECORDS;
    let filled = rays.iter().filter(|records| !records.all.is_empty());
    let fits = |(at, records): &(usize, &'r RayRecords<'_>)| {
        let fits = *at == 0 || records.all.len() <= left;
        left = if fits { left.saturating_sub(records.all.len()) } else { 0 };
        fits
    };
    filled.enumerate().take_while(fits).map(|(_, records)| records).collect()
}

impl RaySection {
    /// Shows the records of a ray.
    pub(super) fn new(records: &RayRecords<'_>, asked: &str, now_ms: i64) -> Self {
        let is_asked = records.ray == asked;
        let shown = records.all.iter().take(PAGE_RECORDS).enumerate();
        let records_shown = shown.map(|(at, facts)| RecordSection::new(facts, is_asked && at == 0, now_ms));
        let mut sections: Vec<RecordSection> = records_shown.collect();
        if let Some(tree) = SpanTree::new(records) {
            let is_span = |facts: &RecordFacts<'_>| facts.dataset == Some(Dataset::Traces);
            let place = records.all.iter().position(is_span).unwrap_or_default().min(sections.len());
            sections.insert(place, RecordSection::of_spans(tree, is_asked));
        }
        Self { ray: records.ray.clone(), is_asked, records: sections }
    }
}

impl RecordSection {
    fn new(facts: &RecordFacts<'_>, is_open: bool, now_ms: i64) -> Self {
        let (title, summary) = titles(facts);
        let is_trace = facts.dataset == Some(Dataset::WorkersTraceEvents);
        let trace = if is_trace { TraceFacts::new(facts) } else { TraceFacts::default() };
        let beyond = trace.lines_beyond;
        let is_damaged = facts.source.record.is_none();
        Self {
            title,
            summary,
            is_open,
            lines_caption: "Exceptions and log lines",
            lines: trace.lines.into_iter().map(|line| LogLine::new(line, trace.start_ms)).collect(),
            lines_beyond: if beyond > 0 { counted(beyond, "more line") } else { String::new() },
            fields: (!is_damaged).then(|| GroupedFields::new(facts, now_ms)),
            places: places(facts.source),
        }
    }

    /// Shows the spans of a ray together.
    fn of_spans(tree: SpanTree, is_open: bool) -> Self {
        let line = |row: SpanRow| LogLine {
            level: row.service,
            tone: if row.is_error { "error" } else { "" },
            time: row.after,
            message: ShownText { text: row.words, length: None },
        };
        Self {
            title: "Trace".to_owned(),
            summary: tree.summary,
            is_open,
            lines_caption: "Spans",
            lines: tree.rows.into_iter().map(line).collect(),
            lines_beyond: if tree.beyond > 0 { counted(tree.beyond, "more span") } else { String::new() },
            fields: Some(GroupedFields::default()),
            places: Vec::new(),
        }
    }
}

impl LogLine {
    fn new(line: super::worker_trace::TraceLine, start_ms: Option<i64>) -> Self {
        let after = line.unix_ms.zip(start_ms).map(|(at, start)| format!("+{} ms", at.saturating_sub(start)));
        let time = after.or_else(|| line.unix_ms.map(|at| InstantText::new(at, at).text));
        let tone = match line.level.as_str() {
            level if line.is_exception || matches!(level, "error" | "fatal") => "error",
            "warn" | "warning" => "warn",
            _ => "",
        };
        Self { tone, time: time.unwrap_or_default(), level: line.level, message: line.message }
    }
}

/// Returns what a record is of, and what it says.
fn titles(facts: &RecordFacts<'_>) -> (String, String) {
    let text = |name: &str| facts.text(name).map(|text| ShownText::new(&text, 200).text);
    let joined = |parts: Vec<Option<String>>| parts.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    match facts.dataset {
        Some(Dataset::HttpRequests) => {
            let status = facts.positive("EdgeResponseStatus").map(|status| status.to_string());
            ("Request".to_owned(), joined(vec![status, text("ClientRequestMethod"), text("ClientRequestHost")]))
        }
        Some(Dataset::FirewallEvents) => {
            ("Security event".to_owned(), joined(vec![text("Action"), text("Source"), text("Description")]))
        }
        Some(Dataset::WorkersTraceEvents) => {
            ("Worker".to_owned(), joined(vec![text("ScriptName"), text("Outcome"), TraceFacts::new(facts).threw()]))
        }
        Some(Dataset::Traces) => ("Span".to_owned(), span_summary(facts)),
        _ => (facts.source.dataset.replace('_', " "), String::new()),
    }
}

/// Returns the places of a record, as far as the answer has them.
fn places(record: &AnswerRecord) -> Vec<String> {
    let merged = record.merged_in.as_deref();
    let first = (&record.batch, merged);
    let copies = record.copies.iter().map(|copy| (copy, copy.merged_in.as_deref()));
    let place = |(batch, merged): (&super::AnswerBatch, Option<&str>)| {
        let offset = batch.offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default();
        let merged = merged.map(|ray| format!(", merged into the record of {ray}")).unwrap_or_default();
        format!("{}{offset}{merged}", batch.key)
    };
    std::iter::once(first).chain(copies).map(place).take(PAGE_RECORDS).collect()
}
