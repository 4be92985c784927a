//! What batches cover of a range: a row for each kind of window.

use serde::Deserialize;

use super::PlotName;
use super::scale::{PlotTick, Tenths, TimeAxis};
use crate::limits::PLOT_WINDOWS;
use crate::page::numbers::unix_s;

/// The height of a row, in units of the picture.
const ROW: u64 = 22;

/// The JSON of `GET /v1/coverage`, as far as it is drawn.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct CoverageDocument {
    /// The start of the range, in RFC 3339.
    pub start: String,
    /// Its end, exclusive.
    pub end: String,
    /// Windows of sealed batches.
    pub complete: Vec<WindowDocument>,
    /// Windows of batches that are not sealed yet.
    pub pending: Vec<WindowDocument>,
    /// Windows of quarantined batches.
    pub quarantined: Vec<WindowDocument>,
    /// Windows of batches with lines that are no records.
    pub damaged: Vec<WindowDocument>,
    /// Windows without any batch.
    pub gaps: Vec<WindowDocument>,
    /// Where records are that came late.
    pub late: Vec<WindowDocument>,
    /// Whether there may be more than was examined.
    pub truncated: bool,
}

/// A window of the JSON.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WindowDocument {
    /// The start, in RFC 3339.
    pub start: String,
    /// The end, exclusive.
    pub end: String,
}

/// The strip of a range, as HTML.
#[derive(Debug, askama::Template)]
#[template(path = "plot_coverage.html")]
pub struct CoverageStrip<'a> {
    name: PlotName<'a>,
    note: &'static str,
    rows: Vec<StripRow<'a>>,
    ticks: Vec<PlotTick>,
}

/// A kind of windows.
#[derive(Debug)]
struct StripRow<'a> {
    kind: &'static str,
    label: &'static str,
    y: u64,
    bars: Vec<StripBar>,
    windows: &'a [WindowDocument],
    more: usize,
}

/// A run of windows that are drawn as one, because they overlap or are closer than can be seen.
#[derive(Debug, PartialEq, Eq)]
struct StripBar {
    x: Tenths,
    width: Tenths,
}

impl<'a> CoverageStrip<'a> {
    /// Draws the windows of an answer.
    #[must_use]
    pub fn new(name: PlotName<'a>, coverage: &'a CoverageDocument) -> Self {
        let kinds = [
            ("complete", "Complete", &coverage.complete),
            ("pending", "Pending", &coverage.pending),
            ("quarantined", "Quarantined", &coverage.quarantined),
            ("damaged", "Damaged", &coverage.damaged),
            ("gap", "No batch", &coverage.gaps),
            ("late", "Came late", &coverage.late),
        ];
        let axis = unix_s(&coverage.start).zip(unix_s(&coverage.end)).filter(|(start, end)| start < end);
        let axis = axis.map(|(start_s, end_s)| TimeAxis { start_s, end_s });
        let row = |(nth, (kind, label, windows)): (u64, (&'static str, &'static str, &'a Vec<WindowDocument>))| {
            let shown = windows.get(..PLOT_WINDOWS).unwrap_or(windows);
            let bars = axis.map(|axis| bars(axis, windows)).unwrap_or_default();
            StripRow { kind, label, y: nth * ROW, bars, windows: shown, more: windows.len() - shown.len() }
        };
        let note = match (axis, coverage.truncated) {
            (None, _) => "The range is empty.",
            (Some(_), true) => "Times are UTC. There may be more batches than were examined.",
            (Some(_), false) => "Times are UTC.",
        };
        Self {
            name,
            note,
            rows: (0..).zip(kinds).map(row).collect(),
            ticks: axis.map(TimeAxis::ticks).unwrap_or_default(),
        }
    }

    /// The height of all rows.
    fn height(&self) -> u64 {
        self.rows.len() as u64 * ROW
    }
}

/// Places windows: each at least a unit wide, those that overlap as one.
fn bars(axis: TimeAxis, windows: &[WindowDocument]) -> Vec<StripBar> {
    let place = |window: &WindowDocument| {
        let (start, end) = (unix_s(&window.start)?, unix_s(&window.end)?);
        let [from, to] = [start, end].map(|at| axis.x(at).0);
        (start <= end && end >= axis.start_s && start <= axis.end_s).then(|| (from, to.max(from + 10)))
    };
    let mut places: Vec<(u64, u64)> = windows.iter().filter_map(place).collect();
    places.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (from, to) in places {
        match joined.last_mut() {
            Some((_, end)) if *end >= from => *end = to.max(*end),
            _ => joined.push((from, to)),
        }
    }
    joined.into_iter().map(|(from, to)| StripBar { x: Tenths(from), width: Tenths(to - from) }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::super::scale::{LEFT, TimeAxis, WIDTH};
    use super::{WindowDocument, bars};

    fn window(start_s: i64, end_s: i64) -> WindowDocument {
        let [start, end] = [start_s, end_s].map(|at| crate::time::rfc3339_s(1_774_684_800 + at));
        WindowDocument { start, end }
    }

    fn axis() -> TimeAxis {
        TimeAxis { start_s: 1_774_684_800, end_s: 1_774_684_800 + 640 }
    }

    #[test]
    fn windows_are_joined_where_they_touch() {
        let windows =
            [window(100, 200), window(0, 50), window(50, 60), window(300, 300), window(900, 950), window(9, 3)];
        let drawn: Vec<(u64, u64)> = bars(axis(), &windows).iter().map(|bar| (bar.x.0, bar.width.0)).collect();
        let left = LEFT * 10;
        assert_eq!(drawn, [(left, 600), (left + 1_000, 1_000), (left + 3_000, 10)]);
    }

    proptest! {
        #[test]
        fn bars_are_bounded_and_apart(windows in proptest::collection::vec((-900_i64..900, -9_i64..90), 0..900)) {
            let windows: Vec<WindowDocument> = windows.into_iter().map(|(at, length)| window(at, at + length)).collect();
            let bars = bars(axis(), &windows);
            prop_assert!(bars.len() as u64 <= WIDTH);
            prop_assert!(bars.windows(2).all(|two| two[0].x.0 + two[0].width.0 < two[1].x.0));
            prop_assert!(bars.iter().all(|bar| bar.width.0 >= 10 && bar.x.0 + bar.width.0 <= (LEFT + WIDTH) * 10 + 10));
        }
    }
}
