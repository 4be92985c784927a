//! The spans of a request that an exporter brought, as a tree: each below its parent, in the order in which they began.
//!
//! # Invariants
//! A span is shown once, whatever was sent twice. The tree has each span, whatever its parent says, and its depth is bounded.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::RecordFacts;
use super::ray_records::RayRecords;
use super::texts::{ShownText, counted, duration_text};
use crate::limits::{PAGE_LEVELS, PAGE_TRACE_LINES};
use crate::record::Dataset;
use crate::story::TimingUnit;
use crate::traces::field;

/// The most characters of a span's name.
const NAME_CHARACTERS: usize = 120;

/// A span of the tree.
#[derive(Debug)]
struct Span {
    parent: String,
    service: String,
    name: String,
    start_ns: i64,
    lasted_ns: i64,
    is_error: bool,
}

/// A row of the tree.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SpanRow {
    /// The service that it is of.
    pub(super) service: String,
    /// When it began after the first one.
    pub(super) after: String,
    /// Its name and how long it took, below its parent.
    pub(super) words: String,
    /// Whether it failed.
    pub(super) is_error: bool,
}

/// The spans of a ray.
#[derive(Debug, Default)]
pub(super) struct SpanTree {
    /// What they are in a line.
    pub(super) summary: String,
    /// The first of them.
    pub(super) rows: Vec<SpanRow>,
    /// How many follow these.
    pub(super) beyond: u64,
}

impl SpanTree {
    /// Draws the spans of a ray; `None` if it has none.
    pub(super) fn new(records: &RayRecords<'_>) -> Option<Self> {
        let spans: BTreeMap<String, Span> = records.of(Dataset::Traces).filter_map(Span::read).collect();
        let start_ns = spans.values().map(|span| span.start_ns).min()?;
        let end_ns = spans.values().map(|span| span.start_ns.saturating_add(span.lasted_ns)).max()?;
        let services: BTreeSet<&str> = spans.values().map(|span| span.service.as_str()).collect();
        let failed = spans.values().filter(|span| span.is_error).count() as u64;
        let lasted = duration_text(end_ns.saturating_sub(start_ns));
        let counts =
            format!("{} of {}", counted(spans.len() as u64, "span"), counted(services.len() as u64, "service"));
        let failures = if failed > 0 { format!(" · {failed} failed") } else { String::new() };
        let order = in_order(&spans);
        let row = |(id, depth): &(&str, usize)| Some(spans.get(*id)?.row(*depth, start_ns));
        Some(Self {
            summary: format!("{counts} · {lasted}{failures}"),
            rows: order.iter().take(PAGE_TRACE_LINES).filter_map(row).collect(),
            beyond: order.len().saturating_sub(PAGE_TRACE_LINES) as u64,
        })
    }
}

/// Returns the spans with their depths, each before those below it.
fn in_order(spans: &BTreeMap<String, Span>) -> Vec<(&str, usize)> {
    let mut below: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut by_start: Vec<(&str, &Span)> = spans.iter().map(|(id, span)| (id.as_str(), span)).collect();
    by_start.sort_by_key(|(_, span)| span.start_ns);
    for (id, span) in &by_start {
        let is_known = spans.contains_key(&span.parent) && span.parent != *id;
        below.entry(if is_known { span.parent.as_str() } else { "" }).or_default().push(id);
    }
    let (mut order, mut seen) = (Vec::with_capacity(spans.len()), BTreeSet::new());
    // Spans that are each other's parents have no other beginning than the first of their circle.
    for start in std::iter::once("").chain(by_start.iter().map(|(id, _)| *id)) {
        let start = if start.is_empty() || seen.contains(start) { start } else { first_of_circle(spans, start) };
        let mut open = vec![(start, 0)];
        while let Some((id, depth)) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            if !id.is_empty() {
                order.push((id, depth));
            }
            let depth = depth + usize::from(!id.is_empty());
            open.extend(below.get(id).into_iter().flatten().rev().map(|child| (*child, depth)));
        }
    }
    order
}

/// Returns the span that began first of the circle of parents which those above a span end in; the span itself without one.
fn first_of_circle<'s>(spans: &'s BTreeMap<String, Span>, id: &'s str) -> &'s str {
    let (mut way, mut next) = (Vec::new(), id);
    let mut passed = BTreeSet::new();
    while passed.insert(next)
        && let Some((known, span)) = spans.get_key_value(next)
    {
        way.push((span.start_ns, known.as_str()));
        next = &span.parent;
    }
    let circle = way.iter().position(|(_, passed)| *passed == next).and_then(|from| way.get(from..));
    circle.and_then(|circle| circle.iter().min()).map_or(id, |(_, first)| *first)
}

impl Span {
    fn read(facts: &RecordFacts<'_>) -> Option<(String, Self)> {
        let text = |name: &str| facts.text(name).map(|text| ShownText::new(&text, NAME_CHARACTERS).text);
        let instant = |name: &str| facts.nanoseconds(name, TimingUnit::Instant);
        let start_ns = instant(field::START)?;
        let span = Self {
            parent: text(field::PARENT).unwrap_or_default(),
            service: text(field::SERVICE).unwrap_or_default(),
            name: text(field::NAME).unwrap_or_else(|| "span".to_owned()),
            start_ns,
            lasted_ns: instant(field::END).unwrap_or(start_ns).saturating_sub(start_ns).max(0),
            is_error: text(field::STATUS).as_deref() == Some("error"),
        };
        Some((text(field::SPAN)?, span))
    }

    fn row(&self, depth: usize, first_ns: i64) -> SpanRow {
        let indent = "  ".repeat(depth.min(PAGE_LEVELS));
        SpanRow {
            service: self.service.clone(),
            after: format!("+{}", duration_text(self.start_ns.saturating_sub(first_ns))),
            words: format!("{indent}{} ({})", self.name, duration_text(self.lasted_ns)),
            is_error: self.is_error,
        }
    }
}

/// Returns what a span says, in a line.
pub(super) fn span_summary(facts: &RecordFacts<'_>) -> String {
    let text = |name: &str| facts.text(name).map(|text| ShownText::new(&text, NAME_CHARACTERS).text);
    let lasted = Span::read(facts).map(|(_, span)| duration_text(span.lasted_ns));
    let parts = [text(field::NAME), text(field::SERVICE), lasted, text(field::STATUS)];
    itertools::join(parts.into_iter().flatten(), " · ")
}

#[cfg(test)]
mod tests {
    use super::super::AnswerRecord;
    use super::super::facts::RecordFacts;
    use super::super::ray_records::RayRecords;
    use super::SpanTree;

    fn record(members: &str) -> AnswerRecord {
        let json = format!(r#"{{"TraceID":"4bf92f3577b34da6a3ce929d0e0e4736",{members}}}"#);
        AnswerRecord {
            dataset: "traces".into(),
            record: Some(serde_json::value::RawValue::from_string(json).unwrap()),
            ..AnswerRecord::default()
        }
    }

    fn tree(records: &[AnswerRecord]) -> SpanTree {
        let all = records.iter().map(RecordFacts::new).collect();
        SpanTree::new(&RayRecords { ray: String::new(), all }).unwrap()
    }

    fn span(id: &str, parent: &str, start_ms: u64) -> AnswerRecord {
        let (start, end) = (start_ms * 1_000_000, (start_ms + 5) * 1_000_000);
        record(&format!(
            r#""SpanID":"{id}","ParentSpanID":"{parent}","SpanName":"{id}","ServiceName":"shop","SpanStartTimestamp":{start},"SpanEndTimestamp":{end}"#
        ))
    }

    #[test]
    fn spans_are_below_their_parents_once() {
        let at = 1_774_687_345_000;
        let records = [
            span("c", "b", at + 3),
            span("b", "a", at + 2),
            span("a", "x", at),
            span("d", "a", at + 1),
            span("b", "a", at + 2),
        ];
        let SpanTree { summary, rows, beyond } = tree(&records);
        assert_eq!((summary.as_str(), beyond), ("4 spans of 1 service · 8 ms", 0));
        let words: Vec<&str> = rows.iter().map(|row| row.words.as_str()).collect();
        assert_eq!(words, ["a (5 ms)", "  d (5 ms)", "  b (5 ms)", "    c (5 ms)"]);
        assert_eq!(rows[3].after, "+3 ms");
    }

    #[test]
    fn spans_in_a_circle_are_shown() {
        let at = 1_774_687_345_000;
        let records = [span("a", "b", at), span("b", "a", at + 1), span("c", "c", at + 2)];
        assert_eq!(tree(&records).rows.len(), 3);
        // What is below a circle began before it, and its last span before the others.
        let records = [span("below", "a", at), span("a", "b", at + 3), span("b", "c", at + 2), span("c", "a", at + 1)];
        let rows = tree(&records).rows;
        let words: Vec<&str> = rows.iter().map(|row| row.words.as_str()).collect();
        assert_eq!(words, ["c (5 ms)", "  b (5 ms)", "    a (5 ms)", "      below (5 ms)"]);
    }
}
