//! The distinct reports of some seconds, and the body that they become.
//!
//! # Invariants
//! A closed window never changes: to forward it again sends the same bytes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::report::ReportDigest;
use crate::edge::batch::BatchLabel;
use crate::limits::{COLLECT_REPORT_BYTES, COLLECT_WINDOW_BYTES, COLLECT_WINDOW_REPORTS};
use crate::record::RayId;
use crate::time::rfc3339;

/// The form of a window's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WindowForm {
    /// A JSON object: the SHA-1 of each report with its JSON, count, first and last time.
    #[default]
    Map,
    /// A line of JSON for each report.
    Ndjson,
}

impl WindowForm {
    /// Every form.
    pub const ALL: &'static [Self] = &[Self::Map, Self::Ndjson];

    /// Returns the name in the setting.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Ndjson => "ndjson",
        }
    }

    /// Returns the content type of the body.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Map => "application/json",
            Self::Ndjson => "application/x-ndjson",
        }
    }
}

/// Where the first report of its kind came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReportOrigin {
    /// The ray of its request.
    pub(super) ray: RayId,
    /// Whether the isolate made the ray.
    pub(super) is_ray_made: bool,
    /// The host of the URL.
    pub(super) host: String,
    /// The number of requests that it counts for.
    pub(super) sample: u32,
}

/// A report and those that equal it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MergedReport {
    /// The canonical JSON.
    pub(super) json: String,
    /// Number of reports.
    pub(super) count: u64,
    /// When the first one came, in Unix milliseconds.
    pub(super) first_ms: i64,
    /// When the last one came.
    pub(super) last_ms: i64,
    /// Where the first one came from, if it is to be stored.
    pub(super) origin: Option<ReportOrigin>,
}

/// What a report became in its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReportPlace {
    /// The first of its kind.
    First,
    /// It is merged.
    Merged,
    /// Another report has the same SHA-1: one of the two was made for that.
    Forged,
}

/// The reports of an open window.
#[derive(Debug, Default)]
pub(super) struct OpenWindow {
    pub(super) reports: BTreeMap<ReportDigest, MergedReport>,
    bytes: usize,
    /// Number of reports, merged ones too.
    pub(super) total: u64,
    /// When its first report came, in Unix milliseconds.
    pub(super) opened_ms: i64,
}

impl OpenWindow {
    pub(super) fn is_empty(&self) -> bool {
        self.reports.is_empty()
    }

    /// Returns whether this report fits in.
    pub(super) fn fits(&self, digest: ReportDigest, json: &str) -> bool {
        let is_small = self.bytes + json.len() + COLLECT_REPORT_BYTES <= COLLECT_WINDOW_BYTES;
        self.reports.contains_key(&digest) || is_small && self.reports.len() < COLLECT_WINDOW_REPORTS
    }

    /// Adds a report.
    pub(super) fn add(
        &mut self,
        (digest, json): (ReportDigest, String),
        origin: Option<ReportOrigin>,
        now_ms: i64,
    ) -> ReportPlace {
        if self.is_empty() {
            self.opened_ms = now_ms;
        }
        match self.reports.entry(digest) {
            Entry::Occupied(known) if known.get().json != json => ReportPlace::Forged,
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.count += 1;
                known.last_ms = known.last_ms.max(now_ms);
                self.total += 1;
                ReportPlace::Merged
            }
            Entry::Vacant(place) => {
                self.bytes += json.len() + COLLECT_REPORT_BYTES;
                self.total += 1;
                place.insert(MergedReport { json, count: 1, first_ms: now_ms, last_ms: now_ms, origin });
                ReportPlace::First
            }
        }
    }

    /// Returns the body of the window in a form.
    pub(super) fn body(&self, form: WindowForm) -> Vec<u8> {
        let mut body = String::with_capacity(self.bytes);
        for (place, (digest, report)) in self.reports.iter().enumerate() {
            let MergedReport { json, count, first_ms, last_ms, .. } = report;
            let (sha1, first, last) = (digest.hex(), rfc3339(*first_ms), rfc3339(*last_ms));
            body.push_str(match (form, place) {
                (WindowForm::Map, 0) => "{\"",
                (WindowForm::Map, _) => ",\"",
                (WindowForm::Ndjson, _) => "{\"sha1\":\"",
            });
            body.push_str(&sha1);
            body.push_str(if form == WindowForm::Map { "\":{\"json\":" } else { "\",\"json\":" });
            let count = count.to_string();
            for piece in [json, ",\"count\":", &count, ",\"first\":\"", &first, "\",\"last\":\"", &last, "\"}"] {
                body.push_str(piece);
            }
            if form == WindowForm::Ndjson {
                body.push('\n');
            }
        }
        if form == WindowForm::Map {
            body.push('}');
        }
        body.into_bytes()
    }
}

/// A closed window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportWindow {
    /// The body of its POST.
    pub body: Vec<u8>,
    /// Whose it is, its number, its distinct reports as lines, and the numbers of its isolate at its close.
    pub label: BatchLabel,
    /// Number of reports that it stands for.
    pub reports: u64,
}

impl ReportWindow {
    /// Returns the name of the window, by which an origin knows one that it has already.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}-{}", self.label.isolate, self.label.sequence)
    }

    /// Returns the label as JSON.
    #[must_use]
    pub fn label_text(&self) -> String {
        serde_json::to_string(&self.label).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{OpenWindow, ReportDigest, ReportPlace, WindowForm};
    use crate::limits::{COLLECT_REPORT_BYTES, COLLECT_WINDOW_BYTES, COLLECT_WINDOW_REPORTS};

    fn add(window: &mut OpenWindow, json: &str, now_ms: i64) -> ReportPlace {
        window.add((ReportDigest::new(json), json.into()), None, now_ms)
    }

    #[test]
    fn equal_reports_share_an_entry_with_its_times() {
        let mut window = OpenWindow::default();
        let places = [("{}", 1_000), ("{\"a\":1}", 2_000), ("{}", 4_000), ("{}", 3_000)]
            .map(|(json, now_ms)| add(&mut window, json, now_ms));
        assert_eq!(places, [ReportPlace::First, ReportPlace::First, ReportPlace::Merged, ReportPlace::Merged]);
        assert_eq!((window.opened_ms, window.total, window.reports.len()), (1_000, 4, 2));
        let map: serde_json::Value = serde_json::from_slice(&window.body(WindowForm::Map)).unwrap();
        let expected = serde_json::json!({
            "bf21a9e8fbc5a3846fb05b4fa0859e0917b2202f":
                {"json": {}, "count": 3, "first": "1970-01-01T00:00:01.000Z", "last": "1970-01-01T00:00:04.000Z"},
            "9f89c740ceb46d7418c924a78ac57941d5e96520":
                {"json": {"a": 1}, "count": 1, "first": "1970-01-01T00:00:02.000Z", "last": "1970-01-01T00:00:02.000Z"},
        });
        assert_eq!(map, expected);
        let lines = String::from_utf8(window.body(WindowForm::Ndjson)).unwrap();
        let expected = "{\"sha1\":\"9f89c740ceb46d7418c924a78ac57941d5e96520\",\"json\":{\"a\":1},\"count\":1,\
                        \"first\":\"1970-01-01T00:00:02.000Z\",\"last\":\"1970-01-01T00:00:02.000Z\"}\n";
        assert!(lines.starts_with(expected) && lines.lines().count() == 2, "{lines}");
    }

    #[test]
    fn forged_report_is_not_merged() {
        let mut window = OpenWindow::default();
        let digest = ReportDigest::new("{}");
        assert_eq!(window.add((digest, "{}".into()), None, 1), ReportPlace::First);
        assert_eq!(window.add((digest, "{\"a\":1}".into()), None, 2), ReportPlace::Forged);
        assert_eq!(window.total, 1);
    }

    #[test]
    fn window_is_full_by_reports_or_bytes() {
        let mut many = OpenWindow::default();
        for number in 0..COLLECT_WINDOW_REPORTS {
            add(&mut many, &number.to_string(), 0);
        }
        assert!(!many.fits(ReportDigest::new("x"), "x") && many.fits(ReportDigest::new("7"), "7"));
        let mut large = OpenWindow::default();
        let json = "x".repeat(COLLECT_WINDOW_BYTES / 2 - COLLECT_REPORT_BYTES);
        add(&mut large, &json, 0);
        let (same, longer) = ("y".repeat(json.len()), "y".repeat(json.len() + 1));
        assert!(large.fits(ReportDigest::new(&same), &same) && !large.fits(ReportDigest::new(&longer), &longer));
        add(&mut large, &same, 0);
        assert!(large.body(WindowForm::Map).len() <= COLLECT_WINDOW_BYTES, "the body fits the bound too");
    }
}
