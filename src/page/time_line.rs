//! The time in which the batch of a ray is written as a rule, as a line: what batches cover of it, and where none does.

use chrono::DateTime;

use super::numbers::unix_ms;
use super::problem::{EvidenceDocument, VerdictDocument};
use crate::story::AbsenceFacts;

/// Where the line begins, in units of the picture.
const LEFT: f64 = 20.0;
/// How long it is.
const WIDTH: f64 = 600.0;

/// The line, as a picture with the same figures in words.
#[derive(Debug, askama::Template)]
#[template(path = "time_line.svg")]
pub(super) struct TimeLine {
    label: String,
    parts: Vec<TimeLinePart>,
    now_x: Option<String>,
    ticks: Vec<TimeLineTick>,
}

#[derive(Debug, PartialEq)]
struct TimeLinePart {
    class: &'static str,
    x: String,
    width: String,
    title: String,
}

#[derive(Debug)]
struct TimeLineTick {
    x: String,
    anchor: &'static str,
    class: &'static str,
    text: String,
}

/// The time of the day, in UTC with seconds.
fn clock(unix_ms: i64) -> String {
    DateTime::from_timestamp_millis(unix_ms).map(|time| time.format("%H:%M:%S").to_string()).unwrap_or_default()
}

/// A span of the line, and its scale.
struct TimeScale {
    start_ms: i64,
    end_ms: i64,
}

impl TimeScale {
    /// The place of an instant, clamped to the line.
    #[expect(clippy::cast_precision_loss, reason = "five minutes in milliseconds are exact")]
    fn x(&self, at_ms: i64) -> f64 {
        let at = at_ms.clamp(self.start_ms, self.end_ms) - self.start_ms;
        LEFT + WIDTH * at as f64 / (self.end_ms - self.start_ms).max(1) as f64
    }

    fn part(&self, class: &'static str, what: &str, (start, end): (i64, i64)) -> TimeLinePart {
        let (from, to) = (self.x(start), self.x(end));
        let title = format!("{what}: {} to {}", clock(start), clock(end));
        TimeLinePart { class, x: format!("{from:.1}"), width: format!("{:.1}", (to - from).max(1.0)), title }
    }
}

impl TimeLine {
    /// Draws the line; `None` where nothing is known of batches.
    pub(super) fn new(ray_time: &str, verdict: &VerdictDocument, now_ms: i64) -> Option<Self> {
        let (evidence, start_ms) = (verdict.evidence.as_ref()?, unix_ms(ray_time)?);
        let scale = TimeScale { start_ms, end_ms: AbsenceFacts::until_ms(start_ms) };
        let gaps: Vec<(i64, i64)> =
            evidence.gaps.iter().filter_map(|gap| Some((unix_ms(&gap.start)?, unix_ms(&gap.end)?))).collect();
        let (class, what) = covered_class(evidence);
        let covered = between(&gaps, scale.start_ms, scale.end_ms);
        let mut parts: Vec<TimeLinePart> = covered.into_iter().map(|span| scale.part(class, what, span)).collect();
        parts.extend(gaps.iter().map(|gap| scale.part("gap", "No batch", *gap)));
        let now_x = (scale.start_ms..scale.end_ms).contains(&now_ms).then(|| format!("{:.1}", scale.x(now_ms)));
        let minute = |n: i64| scale.start_ms + n * (scale.end_ms - scale.start_ms) / 5;
        let tick = |n: i64| TimeLineTick {
            x: format!("{:.1}", scale.x(minute(n))),
            anchor: match n {
                0 => "start",
                5 => "end",
                _ => "middle",
            },
            class: if matches!(n, 0 | 5) { "end" } else { "between" },
            text: clock(minute(n)),
        };
        let titles: Vec<&str> = parts.iter().map(|part| part.title.as_str()).collect();
        let label = format!("Time line of five minutes from {}. {}.", clock(scale.start_ms), titles.join(". "));
        Some(Self { label, parts, now_x, ticks: (0..=5).map(tick).collect() })
    }
}

impl TimeLine {
    /// Each part as its kind and in words.
    pub(super) fn legend(&self) -> Vec<(&'static str, String)> {
        self.parts.iter().map(|part| (part.class, part.title.clone())).collect()
    }
}

/// How the time that batches cover is drawn: by the least certain of them.
const fn covered_class(evidence: &EvidenceDocument) -> (&'static str, &'static str) {
    if evidence.open_batches > 0 {
        ("pending", "Being indexed, or sealed")
    } else if evidence.quarantined_batches > 0 {
        ("quarantined", "Quarantined, or sealed")
    } else {
        ("sealed", "Sealed")
    }
}

/// The parts of a span that are outside of these sorted ones.
fn between(gaps: &[(i64, i64)], start: i64, end: i64) -> Vec<(i64, i64)> {
    let mut parts = Vec::new();
    let mut at = start;
    for (from, to) in gaps {
        parts.push((at, (*from).min(end)));
        at = at.max(*to);
    }
    parts.push((at, end));
    parts.retain(|(from, to)| from < to);
    parts
}

#[cfg(test)]
mod tests {
    use askama::Template;

    use super::super::problem::{EvidenceDocument, GapDocument, VerdictDocument};
    use super::{TimeLine, between};

    #[test]
    fn covered_parts_are_what_gaps_leave() {
        assert_eq!(between(&[], 0, 9), [(0, 9)]);
        assert_eq!(between(&[(0, 9)], 0, 9), []);
        assert_eq!(between(&[(2, 4), (6, 9)], 0, 9), [(0, 2), (4, 6)]);
        assert_eq!(between(&[(0, 4), (20, 30)], 0, 9), [(4, 9)]);
    }

    #[test]
    fn line_shows_gaps_and_now() {
        let gap = GapDocument { start: "2026-03-28T08:01:00Z".into(), end: "2026-03-28T08:02:30Z".into() };
        let evidence = EvidenceDocument { gaps: vec![gap], sealed_batches: 2, ..EvidenceDocument::default() };
        let verdict = VerdictDocument { evidence: Some(evidence), ..VerdictDocument::default() };
        let line = TimeLine::new("2026-03-28T08:00:00Z", &verdict, 1_774_684_830_000).unwrap();
        assert_eq!(line.now_x.as_deref(), Some("80.0"));
        let text = line.render().unwrap();
        for part in [
            r#"<rect class="sealed" x="20.0" y="22" width="120.0""#,
            r#"<rect class="gap" x="140.0" y="22" width="180.0""#,
            "No batch: 08:01:00 to 08:02:30",
            ">08:05:00<",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(TimeLine::new("2026-03-28T08:00:00Z", &VerdictDocument::default(), 0).is_none());
        assert!(TimeLine::new("today", &verdict, 0).is_none());
    }
}
