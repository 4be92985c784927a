//! The tree of requests as a waterfall: when each request ran, in which phases, and what happened in it.
//!
//! # Invariants
//! Every bar is inside of the time line, whatever times the records have. What the bars show is in the text of their rows,
//! too. The nesting of the list is bounded, and the depth that it stands for is said.

use std::collections::HashMap;
use std::fmt::Write;

use super::critical::{RequestSpan, critical_path};
use super::facts::{RecordFacts, ray_in_path};
use super::ray_records::{AnswerRays, RayRecords};
use super::row_time::RowTime;
use super::texts::{ShownText, duration_text};
use super::waterfall_line::{WaterfallBar, WaterfallLine};
use super::worker_trace::TraceFacts;
use super::{AnswerDocument, AnswerNode};
use crate::limits::{PAGE_LEVELS, PAGE_MARKS};
use crate::record::Dataset;
use crate::story::{Phase, TimingUnit};

const SECOND_NS: i64 = 1_000_000_000;
const MILLISECOND_NS: i64 = 1_000_000;

/// The waterfall of an answer.
#[derive(Debug)]
pub(super) struct Waterfall {
    /// A row for each ray: each before those below it.
    pub(super) rows: Vec<WaterfallRow>,
    /// The length of the time line, in nanoseconds.
    pub(super) total_ns: i64,
    /// The same in words.
    pub(super) total: String,
    /// The times below the line: the place in percent, and the words.
    pub(super) ticks: Vec<String>,
    /// The number of levels.
    pub(super) levels: usize,
    /// The phases that a row has, by name and label.
    pub(super) phases: Vec<(&'static str, &'static str)>,
}

/// One ray of the waterfall.
#[derive(Debug, Default)]
pub(super) struct WaterfallRow {
    /// The ray.
    pub(super) ray: String,
    /// Number of rays above it.
    pub(super) depth: usize,
    /// The level in the list.
    pub(super) level: usize,
    /// The number of rays directly below it.
    pub(super) children: usize,
    /// How many levels of the list end after it.
    pub(super) ends: usize,
    /// Its status; empty if it is not known.
    pub(super) status: String,
    /// What the status is drawn as: `ok`, `warn`, `error`, or nothing.
    pub(super) tone: &'static str,
    /// Method, host and path, as far as they are known.
    pub(super) target: String,
    /// How it came from its parent, in words, if no Worker sent it.
    pub(super) link: &'static str,
    /// Where its records are: on this page or on its own.
    pub(super) href: String,
    /// Whether it is the ray that was asked for.
    pub(super) is_asked: bool,
    /// Its start after that of the first request; empty if it is not known.
    pub(super) after: String,
    /// Its duration; empty if it is not known.
    pub(super) lasted: String,
    /// How long the request at the top waited for it alone; empty if it is not on the critical path.
    pub(super) critical: String,
    /// The phases in words.
    pub(super) figures: String,
    /// Its bars.
    pub(super) bars: Vec<WaterfallBar>,
    /// What happened in it.
    pub(super) marks: Vec<WaterfallMark>,
    /// What of its times cannot be.
    pub(super) odd: Vec<String>,
}

/// An event of a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WaterfallMark {
    /// Its place.
    pub(super) x: String,
    /// What it is: `rule`, `exception`.
    pub(super) kind: &'static str,
    /// The same in words.
    pub(super) words: String,
}

impl Waterfall {
    /// Draws the tree of a document. Without one, the rays that have records stand beside each other.
    pub(super) fn new(document: &AnswerDocument, rays: &AnswerRays<'_>, shown: &dyn Fn(&str) -> bool) -> Self {
        let beside: Vec<AnswerNode>;
        let nodes = if let Some(tree) = document.tree.as_ref().filter(|tree| !tree.nodes.is_empty()) {
            tree.nodes.as_slice()
        } else {
            let node = |records: &RayRecords<'_>| AnswerNode { ray: records.ray.clone(), ..AnswerNode::default() };
            beside = rays.iter().filter(|records| !records.all.is_empty()).map(node).collect();
            beside.as_slice()
        };
        let times: Vec<RowTime> = nodes.iter().map(|node| RowTime::new(&node.ray, rays.get(&node.ray))).collect();
        let line = WaterfallLine::new(&times);
        let places: HashMap<&str, usize> = nodes.iter().enumerate().map(|(at, node)| (node.ray.as_str(), at)).collect();
        let critical = critical_parts(&document.ray, nodes, &places, &times);
        let mut rows: Vec<WaterfallRow> = Vec::with_capacity(nodes.len());
        for ((node, time), critical) in nodes.iter().zip(&times).zip(critical) {
            let level = rows.last().map_or(0, |row| row.level + 1).min(node.depth).min(PAGE_LEVELS);
            let row = WaterfallRow::new(node, (time, line), rays.get(&node.ray));
            let to = if shown(&node.ray) { "#r-" } else { "/r/" };
            let href = format!("{to}{}", ray_in_path(&node.ray));
            let critical = if critical > 0 { duration_text(critical) } else { String::new() };
            let parent = node.parent.as_deref().and_then(|parent| times.get(*places.get(parent)?));
            let (is_asked, odd) = (node.ray == document.ray, time.oddities(parent));
            rows.push(WaterfallRow { level, href, is_asked, critical, odd, ..row });
        }
        set_nesting(&mut rows);
        let ticks = (0..=4).map(|part| duration_text(line.total / 4 * part)).collect();
        let levels = rows.iter().map(|row| row.level + 1).max().unwrap_or_default();
        let phases = used_phases(&rows);
        Self { rows, total_ns: line.total, total: duration_text(line.total), ticks, levels, phases }
    }
}

/// Sets how many rays are directly below each row, and how many levels of the list end after it.
fn set_nesting(rows: &mut [WaterfallRow]) {
    let levels: Vec<usize> = rows.iter().map(|row| row.level).collect();
    let mut above: Vec<usize> = Vec::new();
    let mut children = vec![0; rows.len()];
    for (at, level) in levels.iter().enumerate() {
        above.truncate(*level);
        if let Some(count) = above.last().and_then(|parent| children.get_mut(*parent)) {
            *count += 1;
        }
        above.push(at);
    }
    for (at, row) in rows.iter_mut().enumerate() {
        let next = levels.get(at + 1).copied().unwrap_or_default();
        row.children = children.get(at).copied().unwrap_or_default();
        row.ends = row.level.saturating_sub(next);
    }
}

/// Returns what each row adds to the critical path of the request that led to the ray: from the first one that no Worker sent.
fn critical_parts(ray: &str, nodes: &[AnswerNode], places: &HashMap<&str, usize>, times: &[RowTime]) -> Vec<i64> {
    let parent = |at: usize| {
        let node = nodes.get(at).filter(|node| node.link.as_deref() == Some("subrequest"))?;
        places.get(node.parent.as_deref()?).copied().filter(|parent| *parent < at)
    };
    let span = |(at, time): (usize, &RowTime)| {
        let start = time.start.unwrap_or_default();
        RequestSpan { start, end: time.end().unwrap_or(start), parent: parent(at) }
    };
    let spans: Vec<RequestSpan> = times.iter().enumerate().map(span).collect();
    let mut top = places.get(ray).copied().unwrap_or_default();
    while let Some(above) = parent(top) {
        top = above;
    }
    // A path of one request is no path.
    let is_alone = !spans.iter().any(|span| span.parent == Some(top));
    if is_alone { vec![0; nodes.len()] } else { critical_path(&spans, top) }
}

/// The labels of the phases.
const fn phase_label(phase: Phase) -> &'static str {
    match phase {
        Phase::Edge => "edge",
        Phase::Dns => "DNS",
        Phase::Tcp => "connect",
        Phase::Tls => "TLS",
        Phase::Send => "send",
        Phase::Wait => "wait",
        Phase::Receive => "receive",
    }
}

fn used_phases(rows: &[WaterfallRow]) -> Vec<(&'static str, &'static str)> {
    let is_used = |phase: &Phase| rows.iter().any(|row| row.bars.iter().any(|bar| bar.phase == phase.name()));
    Phase::ALL.into_iter().filter(is_used).map(|phase| (phase.name(), phase_label(phase))).collect()
}

impl WaterfallRow {
    fn new(node: &AnswerNode, (time, line): (&RowTime, WaterfallLine), records: Option<&RayRecords<'_>>) -> Self {
        let mut row = Self {
            ray: node.ray.clone(),
            depth: node.depth,
            link: if node.link.as_deref() == Some("challenge") { "after the challenge" } else { "" },
            target: match records.filter(|records| !records.all.is_empty()) {
                None if !node.records.is_empty() => "(records on its page)".to_owned(),
                records => target_of(records),
            },
            ..Self::default()
        };
        let status =
            records.into_iter().flat_map(|records| &records.all).find_map(|facts| facts.positive("EdgeResponseStatus"));
        if let Some(status) = status {
            (row.status, row.tone) = (status.to_string(), tone_of(status));
        }
        if let Some(start) = time.start {
            row.after = format!("+{}", duration_text(start.saturating_sub(line.start)));
            row.draw(start, time, line);
        }
        row.lasted = time.lasted.map(duration_text).unwrap_or_default();
        row.marks = records.map(|records| marks_of(records, time, line)).unwrap_or_default();
        row
    }

    /// Draws the bars, and writes their figures.
    fn draw(&mut self, start: i64, time: &RowTime, line: WaterfallLine) {
        for span in time.phases.spans().filter(|span| span.lasted_ns > 0) {
            let separator = if self.figures.is_empty() { "" } else { ", " };
            let (label, lasted) = (phase_label(span.phase), duration_text(span.lasted_ns));
            let _written = write!(self.figures, "{separator}{label} {lasted}");
            self.bars.push(line.bar(span.phase.name(), start.saturating_add(span.after_ns), span.lasted_ns));
        }
        if self.bars.is_empty() {
            self.bars.push(line.bar("all", start, time.lasted.unwrap_or_default()));
        }
    }
}

/// Returns what a status is drawn as.
pub(super) const fn tone_of(status: u64) -> &'static str {
    match status {
        100..=399 => "ok",
        400..=499 => "warn",
        500..=599 => "error",
        _ => "",
    }
}

/// Returns method, host and path of a request, as far as one of its records has them.
fn target_of(records: Option<&RayRecords<'_>>) -> String {
    let Some(records) = records else { return String::new() };
    let Some(facts) = records.request().or_else(|| records.all.first()) else { return String::new() };
    target_of_record(facts)
}

/// Returns method, host and path of a request, as far as this record has them; of a trace without them the Worker.
pub(super) fn target_of_record(facts: &RecordFacts<'_>) -> String {
    let path = facts.text("ClientRequestPath").or_else(|| facts.text("ClientRequestURI"));
    let parts = [facts.text("ClientRequestMethod"), facts.text("ClientRequestHost"), path];
    let [method, host, path] = parts.map(|part| part.map(|part| ShownText::new(&part, 120).text).unwrap_or_default());
    if host.is_empty() && path.is_empty() {
        let script = facts.text("ScriptName").map(|name| format!("Worker {}", ShownText::new(&name, 80).text));
        return script.unwrap_or_default();
    }
    [method, host + &path].join(" ").trim().to_owned()
}

/// Returns the events of a ray in the order of its records.
fn marks_of(records: &RayRecords<'_>, time: &RowTime, line: WaterfallLine) -> Vec<WaterfallMark> {
    let start = time.start.unwrap_or(line.start);
    let rule = |facts: &RecordFacts<'_>| {
        let at = facts
            .nanoseconds("Datetime", TimingUnit::Instant)
            .map_or(start, |at| if at % SECOND_NS == 0 { start } else { at });
        let action = facts.text("Action").map(|action| ShownText::new(&action, 60).text)?;
        Some(WaterfallMark { x: line.place(at), kind: "rule", words: format!("rule: {action}") })
    };
    let thrown = |facts: &RecordFacts<'_>| {
        let lines = TraceFacts::new(facts).lines.into_iter().filter(|line| line.is_exception);
        let mark = lines.map(|thrown| WaterfallMark {
            x: line.place(thrown.unix_ms.and_then(|ms| ms.checked_mul(MILLISECOND_NS)).unwrap_or(start)),
            kind: "exception",
            words: format!("exception: {}", thrown.level),
        });
        mark.collect::<Vec<_>>()
    };
    let rules = records.of(Dataset::FirewallEvents).filter_map(rule);
    let thrown = records.of(Dataset::WorkersTraceEvents).flat_map(thrown);
    rules.chain(thrown).take(PAGE_MARKS).collect()
}
