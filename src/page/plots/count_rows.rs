//! The rows of `GET /v1/counts` as bars: one for each step, with a part for each group.
//!
//! # Invariants
//! The parts of all bars add up to the counts of the rows.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::scale::TimeAxis;
use crate::limits::{PLOT_BARS, PLOT_GROUPS};
use crate::page::numbers::unix_s;

/// The name of the group of all values that have none of their own.
const OTHERS: &str = "others";
/// The name of the only group of counts without values.
const ALL: &str = "records";

/// A row, read from the JSON of the API.
#[derive(Debug, Clone, Deserialize)]
pub struct CountRowDocument {
    /// The start of the step, in RFC 3339; `None` where the range is one step.
    pub time: Option<String>,
    /// The values by field; `None` in answers without `by`, and for other values.
    pub values: Option<Map<String, Value>>,
    /// Whether it counts all values without rows of their own.
    #[serde(default)]
    pub other: bool,
    /// The number of records.
    pub count: u64,
}

impl CountRowDocument {
    /// Reads the rows of an answer in NDJSON. Lines that are no rows, such as the trailer, are left out.
    #[must_use]
    pub fn read_lines(ndjson: &[u8]) -> Vec<Self> {
        ndjson.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }

    /// Returns the name of the row's group; `None` for other values.
    fn group(&self) -> Option<String> {
        match &self.values {
            _ if self.other => None,
            Some(values) if !values.is_empty() => Some(itertools::join(values.values().map(value_text), " · ")),
            Some(_) | None => Some(ALL.to_owned()),
        }
    }

    fn start_s(&self) -> Option<i64> {
        unix_s(self.time.as_deref()?)
    }
}

/// Returns a value as people read it. A text that looks like another kind of value keeps its quotes: they are two values.
fn value_text(value: &Value) -> String {
    match value {
        Value::Null => "(none)".to_owned(),
        Value::String(text) if text.is_empty() => "(empty)".to_owned(),
        Value::String(text) if serde_json::from_str::<Value>(text).is_err() => text.clone(),
        value => value.to_string(),
    }
}

/// A range of time and its steps.
#[derive(Debug, Clone, Copy)]
pub struct PlotRange {
    /// The start in Unix seconds.
    pub start_s: i64,
    /// The end in Unix seconds, exclusive.
    pub end_s: i64,
    /// The length of a step, in seconds; `None` where the range is one.
    pub step_s: Option<u32>,
}

impl PlotRange {
    /// Returns whether there is no time in it.
    pub(super) const fn is_empty(self) -> bool {
        self.start_s >= self.end_s
    }

    /// Returns the whole steps that the range is in, and the length of a bar: of as many steps as the bound asks for.
    fn bars(self) -> (TimeAxis, u64) {
        let length = self.end_s.abs_diff(self.start_s).max(1);
        let step = self.step_s.map_or(length, u64::from).max(1);
        let signed = i64::try_from(step).unwrap_or(i64::MAX);
        let back = if self.step_s.is_some() { self.start_s.rem_euclid(signed) } else { 0 };
        let start_s = self.start_s.saturating_sub(back);
        let steps = self.end_s.abs_diff(start_s).div_ceil(step).max(1);
        let bar = steps.div_ceil(PLOT_BARS as u64).saturating_mul(step);
        let bars = steps.saturating_mul(step).div_ceil(bar);
        let end_s = start_s.saturating_add_unsigned(bars.saturating_mul(bar));
        (TimeAxis { start_s, end_s }, bar)
    }
}

/// The bars of a range.
#[derive(Debug)]
pub struct CountBars {
    /// The groups, the most frequent one first.
    pub(super) groups: Vec<String>,
    /// For each bar its start in Unix seconds, and the counts in the order of the groups.
    pub(super) bars: Vec<(i64, Vec<u64>)>,
    /// The length of a bar, in seconds.
    pub(super) bar_s: u64,
    /// The range of all bars.
    pub(super) axis: TimeAxis,
}

impl CountBars {
    /// Adds up rows, in bars of one step or, where there are too many, of several. Rows outside of the range count in its
    /// first or last bar.
    #[must_use]
    pub fn new(range: PlotRange, rows: &[CountRowDocument]) -> Self {
        let (axis, bar_s) = range.bars();
        let named = named_groups(rows);
        let has_others = rows.iter().any(|row| row.group().is_none_or(|group| !named.contains(&group)));
        let count = named.len() + usize::from(has_others);
        let length = axis.end_s.abs_diff(axis.start_s).div_ceil(bar_s).clamp(1, PLOT_BARS as u64);
        let start = |n: u64| axis.start_s.saturating_add_unsigned(n.saturating_mul(bar_s));
        let mut drawn: Vec<(i64, Vec<u64>)> = (0..length).map(|n| (start(n), vec![0; count])).collect();
        let last = drawn.len().saturating_sub(1);
        for row in rows {
            let at_s = row.start_s().unwrap_or(axis.start_s).max(axis.start_s);
            let bar = usize::try_from(at_s.abs_diff(axis.start_s) / bar_s).unwrap_or(last).min(last);
            let group = row.group().and_then(|group| named.iter().position(|known| *known == group));
            let part = drawn.get_mut(bar).and_then(|(_, counts)| counts.get_mut(group.unwrap_or(named.len())));
            if let Some(part) = part {
                *part = part.saturating_add(row.count);
            }
        }
        let groups = named.into_iter().chain(has_others.then(|| OTHERS.to_owned())).collect();
        Self { groups, bars: drawn, bar_s, axis }
    }

    /// Returns the number of records in a group.
    pub(super) fn total(&self, group: usize) -> u64 {
        self.bars.iter().filter_map(|(_, counts)| counts.get(group)).fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// Returns the most frequent groups, the most frequent one first.
fn named_groups(rows: &[CountRowDocument]) -> Vec<String> {
    let mut totals: BTreeMap<String, u64> = BTreeMap::new();
    for row in rows {
        if let Some(group) = row.group() {
            let total = totals.entry(group).or_default();
            *total = total.saturating_add(row.count);
        }
    }
    let mut groups: Vec<(String, u64)> = totals.into_iter().collect();
    groups.sort_by_key(|(_, total)| std::cmp::Reverse(*total));
    groups.into_iter().take(PLOT_GROUPS).map(|(group, _)| group).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
    use serde_json::json;

    use super::{CountBars, CountRowDocument, PlotRange};
    use crate::limits::{PLOT_BARS, PLOT_GROUPS};

    #[test]
    fn rows_become_bars_of_groups() {
        let rows = CountRowDocument::read_lines(
            concat!(
                r#"{"time":"2026-03-28T08:00:00Z","values":{"Status":200,"Method":"GET"},"count":7}"#,
                "\n",
                r#"{"time":"2026-03-28T08:01:00Z","values":{"Status":"200","Method":""},"count":9}"#,
                "\n",
                r#"{"time":"2026-03-28T08:01:00Z","values":{"Status":200,"Method":"GET"},"count":1}"#,
                "\n",
                r#"{"time":"2026-03-28T08:01:00Z","values":{"Status":null,"Method":"null"},"count":2}"#,
                "\n",
                r#"{"time":"2026-03-28T08:01:00Z","other":true,"count":3}"#,
                "\n",
                r#"{"raydex":{"complete":true}}"#,
                "\n"
            )
            .as_bytes(),
        );
        let range = PlotRange { start_s: 1_774_684_830, end_s: 1_774_684_920, step_s: Some(60) };
        let bars = CountBars::new(range, &rows);
        assert_eq!(bars.groups, ["(empty) · \"200\"", "GET · 200", "\"null\" · (none)", "others"]);
        assert_eq!(bars.bars, [(1_774_684_800, vec![0, 7, 0, 0]), (1_774_684_860, vec![9, 1, 2, 3])]);
    }

    #[test]
    fn range_without_steps_is_one_bar() {
        let rows = CountRowDocument::read_lines(br#"{"count":5}"#);
        let bars = CountBars::new(PlotRange { start_s: 7, end_s: 11, step_s: None }, &rows);
        assert_eq!((bars.groups, bars.bars, bars.bar_s), (vec!["records".to_owned()], vec![(7, vec![5])], 4));
    }

    fn row() -> impl Strategy<Value = CountRowDocument> {
        (any::<Option<u16>>(), 0_u8..14, any::<bool>(), 0_u64..1_000).prop_map(|(at, value, other, count)| {
            let time = at.map(|at| crate::time::rfc3339_s(1_774_684_800 + i64::from(at)));
            let values = json!({ "Status": value }).as_object().cloned().filter(|_| !other);
            CountRowDocument { time, values, other, count }
        })
    }

    proptest! {
        #[test]
        fn bars_add_up_to_the_rows(
            rows in proptest::collection::vec(row(), 0..60),
            start in -70_000_i64..70_000,
            length in -5_i64..100_000,
            step in any::<Option<u16>>(),
        ) {
            let start_s = 1_774_684_800 + start;
            let range = PlotRange { start_s, end_s: start_s + length, step_s: step.map(u32::from) };
            let bars = CountBars::new(range, &rows);
            let sum: u64 = (0..bars.groups.len()).map(|group| bars.total(group)).sum();
            prop_assert_eq!(sum, rows.iter().map(|row| row.count).sum::<u64>());
            prop_assert!(bars.bars.len() <= PLOT_BARS && bars.groups.len() <= PLOT_GROUPS + 1);
            prop_assert!(bars.bars.is_sorted_by_key(|(start, _)| *start));
        }
    }
}
