//! A stacked histogram: a bar for each step, with a part for each group.

use super::PlotName;
use super::count_rows::{CountBars, PlotRange};
use super::scale::{CountAxis, HEIGHT, LEFT, PlotTick, TOP, Tenths, WIDTH, instant, label};
use crate::limits::PLOT_GROUPS;

/// The lines of the patterns that tell the groups apart, each in a square of 8 units.
const PATTERNS: [&str; PLOT_GROUPS + 1] = [
    "",
    "M0 0L8 8",
    "M0 4H8",
    "M0 8L8 0",
    "M4 0V8",
    "M0 0L8 8M0 8L8 0",
    "M0 2H8M0 6H8",
    "M4 0V8M0 4H8",
    "M2 2h2v2h-2z",
];

/// The histogram of a range, as HTML.
#[derive(Debug, askama::Template)]
#[template(path = "plot_histogram.html")]
pub struct Histogram<'a> {
    name: PlotName<'a>,
    note: String,
    groups: Vec<HistogramGroup>,
    bars: Vec<HistogramBar>,
    parts: Vec<BarPart>,
    time_ticks: Vec<PlotTick>,
    count_ticks: Vec<PlotTick>,
}

/// A group, as the legend shows it.
#[derive(Debug)]
struct HistogramGroup {
    label: String,
    total: u64,
    pattern: &'static str,
}

/// A bar, as the table shows it.
#[derive(Debug)]
struct HistogramBar {
    start: String,
    counts: Vec<u64>,
    total: u64,
}

/// A group's part of a bar.
#[derive(Debug)]
struct BarPart {
    group: usize,
    x: Tenths,
    y: Tenths,
    width: Tenths,
    height: Tenths,
    words: String,
}

impl<'a> Histogram<'a> {
    /// Draws the bars of a range.
    #[must_use]
    pub fn new(name: PlotName<'a>, range: PlotRange, counts: &CountBars) -> Self {
        let totals = |(start, counts): &(i64, Vec<u64>)| HistogramBar {
            start: instant(*start),
            counts: counts.clone(),
            total: counts.iter().fold(0, |sum, count| sum.saturating_add(*count)),
        };
        let bars: Vec<HistogramBar> = counts.bars.iter().map(totals).collect();
        let is_empty = range.is_empty() || bars.iter().all(|bar| bar.total == 0);
        let axis = CountAxis::new(bars.iter().map(|bar| bar.total).max().unwrap_or_default());
        let group = |(nth, name): (usize, &String)| HistogramGroup {
            label: label(name),
            total: counts.total(nth),
            pattern: PATTERNS.get(nth).copied().unwrap_or_default(),
        };
        let note = match (range.is_empty(), is_empty) {
            (true, _) => "The range is empty.".to_owned(),
            (false, true) => "There are no records in this range.".to_owned(),
            (false, false) => format!("Each bar is {}. Times are UTC.", words_of_seconds(counts.bar_s)),
        };
        Self {
            name,
            note,
            groups: counts.groups.iter().enumerate().map(group).collect(),
            parts: if is_empty { Vec::new() } else { parts(counts, axis) },
            bars: if is_empty { Vec::new() } else { bars },
            time_ticks: counts.axis.ticks(),
            count_ticks: axis.ticks(),
        }
    }

    /// The picture's frame: left, right, top and bottom of the axes.
    const fn frame() -> (u64, u64, u64, u64) {
        (LEFT, LEFT + WIDTH, TOP, TOP + HEIGHT)
    }
}

/// Places the parts of all bars: those of one stand on each other without a gap.
fn parts(counts: &CountBars, axis: CountAxis) -> Vec<BarPart> {
    let mut parts = Vec::new();
    for (start, bar) in &counts.bars {
        let (from, to) = (counts.axis.x(*start), counts.axis.x(start.saturating_add_unsigned(counts.bar_s)));
        // A small gap between bars, unless they are thin.
        let width = Tenths(to.0.saturating_sub(from.0).saturating_sub(5).max(5));
        let mut below = 0_u64;
        for (group, count) in bar.iter().enumerate().filter(|(_, count)| **count > 0) {
            let above = below.saturating_add(*count);
            let (y, bottom) = (axis.y(above), axis.y(below));
            let name = counts.groups.get(group).map_or("", String::as_str);
            let words = format!("{} {}: {count}", instant(*start), label(name));
            parts.push(BarPart { group, x: from, y, width, height: Tenths(bottom.0.saturating_sub(y.0)), words });
            below = above;
        }
    }
    parts
}

/// Returns a number of seconds in the largest unit that it is a whole number of.
fn words_of_seconds(seconds: u64) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let (size, unit) = units.into_iter().find(|(size, _)| seconds.is_multiple_of(*size)).unwrap_or((1, "second"));
    let count = seconds / size;
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::super::{CountBars, CountRowDocument, PlotRange};
    use super::{CountAxis, parts, words_of_seconds};

    #[test]
    fn seconds_are_said_in_their_largest_unit() {
        let words = [1, 90, 120, 3_600, 172_800].map(words_of_seconds);
        assert_eq!(words, ["1 second", "90 seconds", "2 minutes", "1 hour", "2 days"]);
    }

    proptest! {
        #[test]
        fn parts_stand_on_each_other(counts in proptest::collection::vec((0_i64..50, 0_u8..12, 1_u64..u64::MAX), 1..60)) {
            let row = |(at, value, count): &(i64, u8, u64)| {
                let time = crate::time::rfc3339_s(1_774_684_800 + at);
                let line = format!(r#"{{"time":"{time}","values":{{"a":{value}}},"count":{count}}}"#);
                serde_json::from_str::<CountRowDocument>(&line).unwrap()
            };
            let rows: Vec<CountRowDocument> = counts.iter().map(row).collect();
            let range = PlotRange { start_s: 1_774_684_800, end_s: 1_774_684_850, step_s: Some(1) };
            let bars = CountBars::new(range, &rows);
            let most = |bar: &Vec<u64>| bar.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
            let axis = CountAxis::new(bars.bars.iter().map(|(_, bar)| most(bar)).max().unwrap());
            let parts = parts(&bars, axis);
            for (nth, (_, bar)) in bars.bars.iter().enumerate() {
                let x = bars.axis.x(bars.bars[nth].0);
                let own: Vec<_> = parts.iter().filter(|part| part.x == x).collect();
                prop_assert_eq!(own.len(), bar.iter().filter(|count| **count > 0).count());
                let height: u64 = own.iter().map(|part| part.height.0).sum();
                prop_assert_eq!(height, axis.height(most(bar)));
                prop_assert!(own.windows(2).all(|two| two[1].y.0 + two[1].height.0 == two[0].y.0));
            }
        }
    }
}
