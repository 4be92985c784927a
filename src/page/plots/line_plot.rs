//! Lines of several series over time.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::PlotName;
use super::count_rows::PlotRange;
use super::scale::{CountAxis, HEIGHT, LEFT, PlotTick, TOP, TimeAxis, WIDTH, instant, label};
use crate::limits::{PLOT_BARS, PLOT_GROUPS};

/// How the lines are dashed, which tells them apart.
const DASHES: [&str; PLOT_GROUPS] = ["none", "8 4", "2 3", "8 3 2 3", "14 4", "4 4", "12 3 2 3 2 3", "1 5"];

/// A series: a name, and its values by the second.
#[derive(Debug, Clone)]
pub struct PlotSeries {
    /// The name.
    pub name: String,
    /// The instants in Unix seconds with their values; in any order.
    pub points: Vec<(i64, u64)>,
}

/// The lines of a range, as HTML.
#[derive(Debug, askama::Template)]
#[template(path = "plot_lines.html")]
pub struct LinePlot<'a> {
    name: PlotName<'a>,
    note: String,
    lines: Vec<PlotLine>,
    rows: Vec<LineRow>,
    time_ticks: Vec<PlotTick>,
    count_ticks: Vec<PlotTick>,
}

/// A line.
#[derive(Debug)]
struct PlotLine {
    label: String,
    dashes: &'static str,
    path: String,
    most: String,
}

/// A row of the table: an instant with the value of each series that has one.
#[derive(Debug)]
struct LineRow {
    at: String,
    values: Vec<Option<u64>>,
}

/// The values of a series by the place of their instants.
type PlacedValues = BTreeMap<usize, u64>;

impl<'a> LinePlot<'a> {
    /// Draws series over a range. The instants are joined to as many as the bound allows: of each the largest value counts.
    /// A line has a gap where a step has no value.
    #[must_use]
    pub fn new(name: PlotName<'a>, range: PlotRange, series: &[PlotSeries]) -> Self {
        let axis = TimeAxis { start_s: range.start_s, end_s: range.end_s };
        let drawn: Vec<&PlotSeries> = series.iter().take(PLOT_GROUPS).collect();
        let step_s = step(range);
        let placed: Vec<PlacedValues> = drawn.iter().map(|series| placed(series, range, step_s)).collect();
        let counts = CountAxis::new(placed.iter().flat_map(BTreeMap::values).copied().max().unwrap_or_default());
        let at = |place: usize| range.start_s.saturating_add_unsigned((place as u64).saturating_mul(step_s));
        let line = |(nth, values): (usize, &PlacedValues)| PlotLine {
            label: label(drawn.get(nth).map_or("", |series| &series.name)),
            dashes: DASHES.get(nth).copied().unwrap_or_default(),
            path: path(values, |place| axis.x(at(place)).to_string(), |value| counts.y(value).to_string()),
            most: values.values().max().map_or_else(|| "none".to_owned(), u64::to_string),
        };
        let instants: std::collections::BTreeSet<usize> = placed.iter().flat_map(BTreeMap::keys).copied().collect();
        let values = |place: &usize| placed.iter().map(|values| values.get(place).copied()).collect();
        let row = |place: &usize| LineRow { at: instant(at(*place)), values: values(place) };
        Self {
            name,
            note: note(range, instants.is_empty(), series.len().saturating_sub(drawn.len())),
            lines: placed.iter().enumerate().map(line).collect(),
            rows: instants.iter().map(row).collect(),
            time_ticks: axis.ticks(),
            count_ticks: counts.ticks(),
        }
    }

    /// The picture's frame: left, right, top and bottom of the axes.
    const fn frame() -> (u64, u64, u64, u64) {
        (LEFT, LEFT + WIDTH, TOP, TOP + HEIGHT)
    }
}

/// Returns the seconds that a point of a line stands for.
fn step(range: PlotRange) -> u64 {
    let length = range.end_s.abs_diff(range.start_s);
    let step = range.step_s.map_or(1, u64::from).max(1);
    length.div_ceil(step).div_ceil(PLOT_BARS as u64).max(1).saturating_mul(step)
}

/// Returns the values of a series inside of a range, by their places.
fn placed(series: &PlotSeries, range: PlotRange, step_s: u64) -> PlacedValues {
    let mut values = PlacedValues::new();
    for (at_s, value) in series.points.iter().filter(|(at_s, _)| (range.start_s..range.end_s).contains(at_s)) {
        let place = usize::try_from(at_s.abs_diff(range.start_s) / step_s).unwrap_or(PLOT_BARS);
        let most = values.entry(place.min(PLOT_BARS)).or_insert(*value);
        *most = (*most).max(*value);
    }
    values
}

/// Returns the path of a line. A value without neighbours is a point, which a round end of no length shows.
fn path(values: &PlacedValues, x: impl Fn(usize) -> String, y: impl Fn(u64) -> String) -> String {
    let (mut path, mut last) = (String::new(), None);
    for (place, value) in values {
        let command = if last.is_some_and(|last: usize| last + 1 == *place) { "L" } else { "M" };
        // Writing to a string cannot fail.
        let _written = write!(path, "{command}{} {}", x(*place), y(*value));
        if command == "M" {
            path.push_str("h0");
        }
        last = Some(*place);
    }
    path
}

/// Returns what is said below the picture.
fn note(range: PlotRange, is_empty: bool, left_out: usize) -> String {
    match (range.is_empty(), is_empty, left_out) {
        (true, ..) => "The range is empty.".to_owned(),
        (false, true, _) => "There are no values in this range.".to_owned(),
        (false, false, 0) => "Times are UTC.".to_owned(),
        (false, false, left_out) => format!("Times are UTC. {left_out} more series are not drawn."),
    }
}

#[cfg(test)]
mod tests {
    use askama::Template;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::super::{PlotName, PlotRange};
    use super::{LinePlot, PlotSeries, path, placed};
    use crate::limits::{PLOT_BARS, PLOT_GROUPS};

    #[test]
    fn line_breaks_where_a_value_lacks() {
        let values = [(0, 1), (1, 2), (4, 3)].into_iter().collect();
        let drawn = path(&values, |place| place.to_string(), |value| value.to_string());
        assert_eq!(drawn, "M0 1h0L1 2M4 3h0");
    }

    proptest! {
        #[test]
        fn points_keep_their_largest_values(points in proptest::collection::vec((0_i64..9_000, 0_u64..u64::MAX), 0..90)) {
            let series = PlotSeries { name: "a".into(), points };
            let range = PlotRange { start_s: 1_000, end_s: 8_000, step_s: Some(7) };
            let inside = series.points.iter().filter(|(at, _)| (1_000..8_000).contains(at)).map(|(_, value)| *value);
            let values = placed(&series, range, super::step(range));
            prop_assert_eq!(values.values().max().copied(), inside.max());
            prop_assert!(values.len() <= PLOT_BARS + 1);
            let many = vec![series; PLOT_GROUPS + 2];
            let plot = LinePlot::new(PlotName { id: "l", title: "t" }, range, &many);
            let html = plot.render().unwrap();
            prop_assert!(plot.lines.len() == PLOT_GROUPS && !html.contains("NaN") && !html.contains("=\"-"));
        }
    }
}
