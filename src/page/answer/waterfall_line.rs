//! The time line of a waterfall: where instants and bars are on it.
//!
//! # Invariants
//! Everything is on the line, whatever times the records have.

use super::row_time::RowTime;

/// The units of the time line in its drawing, from the start of the first request to the end of the last.
const WIDTH: i128 = 10_000;

/// A bar of a row, in units of the time line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WaterfallBar {
    /// The name of the phase; `all` for a request of which only its duration is known.
    pub(super) phase: &'static str,
    /// Its left end.
    pub(super) x: String,
    /// Its width.
    pub(super) width: String,
}

/// The time line: from its start, as long as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct WaterfallLine {
    /// When the first request began, in Unix nanoseconds.
    pub(super) start: i64,
    /// How long all of them took, in nanoseconds; not 0.
    pub(super) total: i64,
}

impl WaterfallLine {
    /// Makes the line that all rows are on.
    pub(super) fn new(times: &[RowTime]) -> Self {
        let start = times.iter().filter_map(|time| time.start).min().unwrap_or_default();
        let end = times.iter().filter_map(RowTime::end).max().unwrap_or_default();
        Self { start, total: end.saturating_sub(start).max(1) }
    }

    /// Returns the place of an instant: its nearest one on the line, in tenths of a unit.
    fn tenths(self, instant: i64) -> i128 {
        let after = i128::from(instant) - i128::from(self.start);
        (after * WIDTH * 10 / i128::from(self.total)).clamp(0, WIDTH * 10)
    }

    /// Returns the place of an instant.
    pub(super) fn place(self, instant: i64) -> String {
        decimal(self.tenths(instant))
    }

    /// Returns the bar of a phase, wide enough to be seen and inside of the line.
    pub(super) fn bar(self, phase: &'static str, start: i64, lasted: i64) -> WaterfallBar {
        let (x, end) = (self.tenths(start), self.tenths(start.saturating_add(lasted)));
        let x = x.min(WIDTH * 10 - 20);
        WaterfallBar { phase, x: decimal(x), width: decimal((end - x).max(20)) }
    }
}

fn decimal(tenths: i128) -> String {
    if tenths % 10 == 0 { (tenths / 10).to_string() } else { format!("{}.{}", tenths / 10, tenths % 10) }
}
