//! A ray without records, as a page: the verdict, the figures that it follows from, and its time as a line.

use askama::Template;

use super::ago::words_of_age;
use super::frame::PageFrame;
use super::problem::{EvidenceDocument, ProblemDocument, VerdictDocument};
use super::time_line::{TimeLine, unix_ms};

/// A ray without records, as a page.
#[derive(Debug, askama::Template)]
#[template(path = "not_found.html")]
pub struct NotFoundPage<'a> {
    frame: &'a PageFrame,
    heading: &'static str,
    words: &'a str,
    code: &'a str,
    ray: &'a str,
    ray_time: Option<&'a str>,
    age: Option<String>,
    kept_since: Option<&'a str>,
    datasets: &'a [String],
    retry_after: Option<i64>,
    time_line: Option<String>,
    legend: Vec<(&'static str, String)>,
    figures: Vec<EvidenceFigure>,
    uncertain: &'a [String],
}

/// A figure of the evidence.
#[derive(Debug)]
struct EvidenceFigure {
    name: &'static str,
    value: String,
    note: &'static str,
    is_doubt: bool,
}

impl<'a> NotFoundPage<'a> {
    /// Makes the page; `None` where the problem has no verdict on a ray.
    #[must_use]
    pub fn new(frame: &'a PageFrame, problem: &'a ProblemDocument, now_ms: i64) -> Option<Self> {
        let (verdict, ray) = (problem.verdict.as_ref()?, problem.ray.as_deref()?);
        let ray_time = problem.ray_time.as_deref();
        let line = ray_time.and_then(|time| TimeLine::new(time, verdict, now_ms));
        Some(Self {
            frame,
            heading: heading_of(verdict),
            words: problem.hint.as_deref().unwrap_or(&problem.detail),
            code: &verdict.code,
            ray,
            ray_time,
            age: ray_time.and_then(unix_ms).map(|at_ms| words_of_age(now_ms - at_ms)),
            kept_since: verdict.kept_since.as_deref(),
            datasets: &verdict.datasets,
            retry_after: verdict.retry_after_s,
            legend: line.as_ref().map(TimeLine::legend).unwrap_or_default(),
            time_line: line.and_then(|line| line.render().ok()),
            figures: verdict.evidence.as_ref().map(figures_of).unwrap_or_default(),
            uncertain: verdict.evidence.as_ref().map_or(&[], |evidence| evidence.uncertain.as_slice()),
        })
    }
}

/// The heading of a verdict, in plain words.
fn heading_of(verdict: &VerdictDocument) -> &'static str {
    match verdict.code.as_str() {
        "ahead_of_clock" => "Not found: its time is in the future",
        "older_than_kept" => "Not found: older than the logs",
        "in_another_dataset" => "Found in another dataset",
        "not_yet" => "Not yet",
        "of_unknown_layout" => "Not found: its ID does not say when it was",
        "maybe_not_logged" => "Not found: maybe not logged",
        "not_logged" => "Not found: not logged",
        _ => "Not found",
    }
}

fn figures_of(evidence: &EvidenceDocument) -> Vec<EvidenceFigure> {
    let count = |name, value: u64, note, is_doubt: bool| {
        (value > 0).then(|| EvidenceFigure { name, value: value.to_string(), note, is_doubt })
    };
    let text =
        |name, value: Option<String>, note| value.map(|value| EvidenceFigure { name, value, note, is_doubt: false });
    let seconds = |value: Option<u32>| value.map(|value| format!("{value} s"));
    let sealed = evidence.sealed_batches.to_string();
    let figures = [
        text("Batches read", Some(sealed), "cover its time, and have no line that was rejected"),
        text("Records in them", Some(evidence.records.to_string()), "none of them is this ray's"),
        count("Batches being indexed", evidence.open_batches, "may hold it", true),
        count("Quarantined batches", evidence.quarantined_batches, "were not read: may hold it", true),
        count("Rejected lines", evidence.rejected_lines, "are no records: one may be its", true),
        count("Batches gone", evidence.gone_batches, "are no longer in the bucket", true),
        count("Records inside of others", evidence.unindexed_children, "are not found by their own rays", true),
        count("Rays with another time", evidence.clock_skewed, "differ by more than 5 s from their records", true),
        count("Gaps", evidence.gaps.len() as u64, "no batch covers them", true),
        text(
            "Half of the batches landed within",
            seconds(evidence.landed_within_s.p50),
            "of their first record, in its hour",
        ),
        text("99 % landed within", seconds(evidence.landed_within_s.p99), "of their first record, in its hour"),
        text("Bucket searched until", evidence.searched_until.clone(), "for objects whose event was lost"),
        count("Not all ledgers answered", u64::from(!evidence.complete), "so something may be missing", true),
        count("Layout in doubt", u64::from(evidence.layout_doubtful), "rays have other times than their records", true),
    ];
    figures.into_iter().flatten().collect()
}
