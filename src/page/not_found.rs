//! A ray without records, as a page: the verdict, the figures that it follows from, and its time as a line.

use std::borrow::Cow;

use askama::Template;

use super::ago::words_of_age;
use super::frame::PageFrame;
use super::numbers::unix_ms;
use super::problem::{EvidenceDocument, ProblemDocument, VerdictDocument};
use super::time_line::TimeLine;

/// A ray without records, as a page.
#[derive(Debug, askama::Template)]
#[template(path = "not_found.html")]
pub struct NotFoundPage<'a> {
    frame: &'a PageFrame,
    heading: &'static str,
    words: Cow<'a, str>,
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
            words: words_of(verdict, problem),
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

/// The verdict in a sentence: the API's, unless that names routes.
fn words_of<'a>(verdict: &VerdictDocument, problem: &'a ProblemDocument) -> Cow<'a, str> {
    let (quarantined, open) =
        verdict.evidence.as_ref().map_or((0, 0), |evidence| (evidence.quarantined_batches, evidence.open_batches));
    match verdict.code.as_str() {
        "in_another_dataset" => "It has records, but not in the dataset of this address.".into(),
        "of_unknown_layout" => {
            "Rays do not have the times of their requests then, so that its own does not say which batches to wait for. It \
             is found once its batch is indexed; or search by the time of the request."
                .into()
        }
        "maybe_not_logged" if quarantined > 0 => {
            format!("Quarantined batches of its time may contain it ({quarantined}): they were not read.").into()
        }
        "not_yet" if quarantined > 0 && open == 0 => "Its batch may not have landed, or is in quarantine.".into(),
        _ => Cow::Borrowed(problem.hint.as_deref().unwrap_or(&problem.detail)),
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

#[cfg(test)]
mod tests {
    use askama::Template;
    use serde_json::{Value, json};

    use super::{NotFoundPage, PageFrame, ProblemDocument};

    /// The page of a verdict as the API has it.
    fn page(verdict: &Value) -> String {
        let problem: ProblemDocument = serde_json::from_value(json!({
            "status": 404, "code": "ray_not_found", "detail": "x", "hint": "<i>words</i> & more",
            "ray": "9e3550d8ec5c2ab1", "ray_time": "2026-03-28T08:37:57.260Z", "verdict": verdict,
        }))
        .unwrap();
        NotFoundPage::new(&PageFrame::default(), &problem, 1_774_687_345_000).unwrap().render().unwrap()
    }

    #[test]
    fn every_verdict_has_a_heading_of_its_own() {
        let codes = [
            "ahead_of_clock",
            "older_than_kept",
            "in_another_dataset",
            "not_yet",
            "of_unknown_layout",
            "maybe_not_logged",
            "not_logged",
        ];
        let heading = |code: &str| {
            page(&json!({ "code": code })).split("<h1>").nth(1).unwrap().split("</h1>").next().unwrap().to_owned()
        };
        let headings: std::collections::BTreeSet<String> = codes.iter().map(|code| heading(code)).collect();
        assert_eq!(headings.len(), codes.len(), "{headings:?}");
        for code in codes {
            let html = page(&json!({ "code": code, "evidence": { "quarantined_batches": 2 } }));
            let is_own = matches!(code, "in_another_dataset" | "not_yet" | "of_unknown_layout" | "maybe_not_logged");
            assert_eq!(html.contains("words"), !is_own, "{code}: {html}");
        }
        assert_eq!(heading("another"), "Not found");
        assert!(page(&json!({ "code": "not_logged" })).contains("&lt;i&gt;words&lt;/i&gt; &amp; more"));
    }

    #[test]
    fn evidence_is_shown_as_far_as_it_goes() {
        let bare = page(&json!({ "code": "not_yet", "retry_after_s": 30 }));
        assert!(
            bare.contains(r#"data-retry-after="30""#) && !bare.contains("<svg") && !bare.contains("<table"),
            "{bare}"
        );
        let full = page(&json!({
            "code": "maybe_not_logged", "datasets": ["firewall_events"], "kept_since": "2026-03-01T00:00:00.000Z",
            "evidence": {
                "sealed_batches": 3, "open_batches": 0, "quarantined_batches": 2, "rejected_lines": 7, "gone_batches": 0,
                "records": 9_000, "clock_skewed": 0, "uncertain": ["20260328T08.5a"], "complete": false,
                "gaps": [{ "start": "2026-03-28T08:40:00.000Z", "end": "2026-03-28T08:42:57.260Z" }],
                "landed_within_s": { "p50": 60, "p99": null }, "searched_until": null,
            },
        }));
        for part in [
            r#"<rect class="quarantined""#,
            r#"<rect class="gap""#,
            r#"<li class="gap">No batch: 08:40:00 to 08:42:57</li>"#,
            r#"<th scope="row">Quarantined batches</th><td>2</td>"#,
            r#"<th scope="row">Not all ledgers answered</th>"#,
            r#"<a href="/v1/batches/20260328T08.5a">"#,
            "<code>firewall_events</code>",
            "4 min ago",
        ] {
            assert!(full.contains(part), "{part} in {full}");
        }
        assert!(!full.contains("99 % landed") && !full.contains("Batches being indexed"), "{full}");
    }
}
