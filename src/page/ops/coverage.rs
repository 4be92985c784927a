//! The windows of a range as a strip: which are complete, which wait, and where no batch is.

use super::documents::{CoverageDocument, WindowDocument};
use super::figures::duration;
use crate::page::time_line::unix_ms;

/// Width of the strip, in units of the picture.
const WIDTH: i64 = 1_000;

/// The strip, as a picture with the same figures in words.
#[derive(Debug)]
pub(super) struct CoverageStrip {
    pub(super) start: String,
    pub(super) end: String,
    pub(super) dataset: String,
    pub(super) parts: Vec<StripPart>,
    pub(super) sums: Vec<StripSum>,
    pub(super) late: Option<String>,
}

/// A window of the strip.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StripPart {
    pub(super) class: &'static str,
    pub(super) x: i64,
    pub(super) width: i64,
    pub(super) title: String,
}

/// The time of all windows of one kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StripSum {
    pub(super) class: &'static str,
    pub(super) name: &'static str,
    pub(super) windows: usize,
    pub(super) time: String,
}

impl CoverageStrip {
    /// Draws the strip; `None` where the answer has no range.
    pub(super) fn new(document: &CoverageDocument) -> Option<Self> {
        let (start_ms, end_ms) = (unix_ms(&document.start)?, unix_ms(&document.end)?);
        let length_ms = (end_ms > start_ms).then_some(end_ms - start_ms)?;
        let x = |at_ms: i64| (at_ms.clamp(start_ms, end_ms) - start_ms).saturating_mul(WIDTH) / length_ms;
        let CoverageDocument { complete, pending, quarantined, damaged, gaps, .. } = document;
        let (mut parts, mut sums) = (Vec::new(), Vec::new());
        for (class, name, windows) in [
            ("gap", "No batch", gaps),
            ("complete", "Complete", complete),
            ("damaged", "With rejected lines", damaged),
            ("pending", "Not read yet", pending),
            ("quarantined", "Quarantined", quarantined),
        ] {
            let spans = windows.iter().filter_map(|window| Some((window, span_ms(window)?)));
            let spans: Vec<_> = spans.filter(|(_, (from, until))| from < until).collect();
            parts.extend(spans.iter().map(|(window, (from, until))| StripPart {
                class,
                x: x(*from),
                width: (x(*until) - x(*from)).max(1),
                title: format!("{name}: {} to {}", window.start, window.end),
            }));
            let time_ms: i64 = spans.iter().map(|(_, (from, until))| until - from).sum();
            if !spans.is_empty() {
                sums.push(StripSum { class, name, windows: spans.len(), time: duration(time_ms / 1_000) });
            }
        }
        let late = document.late_by_s.filter(|_| document.late_batches > 0).map(|seconds| {
            let batches = document.late_batches;
            let hold = if batches == 1 { "1 batch holds".to_owned() } else { format!("{batches} batches hold") };
            format!("{hold} records of earlier windows, up to {} late", duration(seconds))
        });
        let (start, end, dataset) = (document.start.clone(), document.end.clone(), document.dataset.clone());
        Some(Self { start, end, dataset, parts, sums, late })
    }
}

fn span_ms(window: &WindowDocument) -> Option<(i64, i64)> {
    Some((unix_ms(&window.start)?, unix_ms(&window.end)?))
}

#[cfg(test)]
mod tests {
    use super::{CoverageStrip, StripPart, StripSum};
    use crate::page::ops::documents::{CoverageDocument, WindowDocument};

    fn window(start: &str, end: &str) -> WindowDocument {
        WindowDocument { start: format!("2026-03-28T{start}:00Z"), end: format!("2026-03-28T{end}:00Z") }
    }

    #[test]
    fn strip_has_each_window_in_its_place() {
        let document = CoverageDocument {
            start: "2026-03-28T08:00:00Z".into(),
            end: "2026-03-28T10:00:00Z".into(),
            complete: vec![window("08:00", "09:00")],
            gaps: vec![window("09:00", "10:00"), window("10:00", "10:00")],
            ..CoverageDocument::default()
        };
        let strip = CoverageStrip::new(&document).unwrap();
        let places: Vec<_> = strip.parts.iter().map(|StripPart { class, x, width, .. }| (*class, *x, *width)).collect();
        assert_eq!(places, [("gap", 500, 500), ("complete", 0, 500)]);
        assert_eq!(strip.sums[0], StripSum { class: "gap", name: "No batch", windows: 1, time: "60 min".into() });
    }

    #[test]
    fn empty_range_has_no_strip() {
        let same = "2026-03-28T08:00:00Z".to_owned();
        let document = CoverageDocument { start: same.clone(), end: same, ..CoverageDocument::default() };
        assert!(CoverageStrip::new(&document).is_none());
        assert!(CoverageStrip::new(&CoverageDocument::default()).is_none());
    }
}
