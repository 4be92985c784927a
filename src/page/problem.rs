//! A problem of the API as a page.

use serde::Deserialize;

use super::frame::PageFrame;
use super::problem_words::ProblemWords;

/// A problem, read from the JSON that the API gives the same caller.
#[derive(Debug, Clone, Deserialize)]
pub struct ProblemDocument {
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// What is wrong, in a sentence.
    pub detail: String,
    /// What to do.
    pub hint: Option<String>,
    /// The ray that was looked up.
    pub ray: Option<String>,
    /// Its instant, in RFC 3339.
    pub ray_time: Option<String>,
    /// Why there is no record of it.
    pub verdict: Option<VerdictDocument>,
}

/// Why there is no record of a ray.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct VerdictDocument {
    /// The verdict.
    pub code: String,
    /// Seconds after which to ask again.
    pub retry_after_s: Option<i64>,
    /// The datasets that have records of it.
    #[serde(default)]
    pub datasets: Vec<String>,
    /// The instant before which nothing is kept.
    pub kept_since: Option<String>,
    /// The figures, for a caller for whom batches exist.
    pub evidence: Option<EvidenceDocument>,
}

/// The figures of the batches of a ray's time.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct EvidenceDocument {
    /// Batches that were read to their end.
    pub sealed_batches: u64,
    /// Batches that are being indexed.
    pub open_batches: u64,
    /// Objects that are no valid batches.
    pub quarantined_batches: u64,
    /// Lines that are no records.
    pub rejected_lines: u64,
    /// Batches that are no longer in the bucket.
    pub gone_batches: u64,
    /// Records inside of others that are not found by their own rays.
    pub unindexed_children: u64,
    /// Records of the sealed batches.
    pub records: u64,
    /// Those whose ray and start time differ.
    pub clock_skewed: u64,
    /// The handles of batches that may hold the ray.
    pub uncertain: Vec<String>,
    /// The parts of its time that no batch covers.
    pub gaps: Vec<GapDocument>,
    /// Seconds within which batches of its hour landed.
    pub landed_within_s: LandedDocument,
    /// The instant until which the bucket was searched.
    pub searched_until: Option<String>,
    /// Whether all ledgers of its time were asked.
    pub complete: bool,
    /// Whether rays around its time have other times than their records.
    pub layout_doubtful: bool,
}

/// A part of a ray's time that no batch covers, in RFC 3339.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct GapDocument {
    /// Its start.
    pub start: String,
    /// Its end.
    pub end: String,
}

/// Seconds within which half, and all but one per cent, of batches landed.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct LandedDocument {
    /// Half of them.
    pub p50: Option<u32>,
    /// All but one per cent.
    pub p99: Option<u32>,
}

/// A problem as a page.
#[derive(Debug, askama::Template)]
#[template(path = "problem.html")]
pub struct ProblemPage<'a> {
    /// What is around it.
    pub frame: &'a PageFrame,
    heading: &'static str,
    words: ProblemWords,
    problem: &'a ProblemDocument,
    retry_after: Option<i64>,
    way_on: WayOn<'a>,
    /// The parameters of the address that is asked for again with a reason.
    reasons_for: Option<&'a [(String, String)]>,
}

/// Where a person goes on from a problem: an address, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WayOn<'a> {
    /// The address.
    pub href: &'a str,
    /// The words of the link.
    pub words: &'static str,
}

impl<'a> WayOn<'a> {
    /// Returns the way on from a page with this path. `is_parameter`: what is wrong is beside the path.
    #[must_use]
    pub fn of_path(path: &'a str, is_parameter: bool) -> Self {
        if is_parameter && path.starts_with("/r/") {
            Self { href: path, words: "Show this request" }
        } else if path.starts_with("/ops") {
            Self { href: "/ops", words: "Back to operations" }
        } else if path == "/search" {
            Self { href: "/search", words: "Begin another search" }
        } else {
            Self { href: "/", words: "Look up a request" }
        }
    }
}

/// What a problem is shown with.
#[derive(Debug, Clone, Copy)]
pub struct ProblemContext<'a> {
    /// Seconds after which to try again.
    pub retry_after: Option<i64>,
    /// The path of the request.
    pub path: &'a str,
    /// Whether the request was a form that changes something.
    pub is_change: bool,
    /// The parameters of its address.
    pub parameters: &'a [(String, String)],
}

impl<'a> ProblemPage<'a> {
    /// Makes the page.
    #[must_use]
    pub fn new(frame: &'a PageFrame, problem: &'a ProblemDocument, context: ProblemContext<'a>) -> Self {
        let ProblemContext { retry_after, path, is_change, parameters } = context;
        let words = ProblemWords::new(&problem.code, is_change, &problem.detail, problem.hint.as_deref());
        let asks_reason = matches!(problem.code.as_str(), "reason_required" | "bad_reason") && !is_change;
        let reasons_for = asks_reason.then_some(parameters);
        Self {
            frame,
            heading: heading_of(problem),
            words,
            problem,
            retry_after,
            way_on: WayOn::of_path(path, problem.status == 400 && problem.code != "not_a_ray"),
            reasons_for,
        }
    }

    /// The parameters that stay as they are when a reason is given.
    fn kept(parameters: &[(String, String)]) -> impl Iterator<Item = &(String, String)> {
        parameters.iter().filter(|(name, _)| name != "reason")
    }
}

/// The heading of a problem, in plain words.
fn heading_of(problem: &ProblemDocument) -> &'static str {
    match (problem.code.as_str(), problem.status) {
        ("not_a_ray", _) => "This is not a Ray ID",
        ("no_such_path", _) => "There is no such page",
        ("cross_site", _) => "Another site asked for this",
        ("reason_required" | "bad_reason", _) => "Say why you ask",
        ("payloads_changed", _) => "The payloads changed",
        ("not_configured", _) => "This deployment is not configured",
        ("answer_too_large", _) => "The answer is too large to show",
        ("batch_unreadable", _) => "The batch with this record cannot be read",
        (_, 403) => "You may not see this",
        (_, 405) => "This page takes no such request",
        (_, 429) => "Too many requests",
        (_, 400) => "The request is not understood",
        (_, 404) => "Not found",
        (_, 502 | 503) => "Not available right now",
        _ => "This did not work",
    }
}
