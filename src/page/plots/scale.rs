//! Places and ticks: counts from below, instants from the left.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::limits::PLOT_LABEL_CHARS;

/// The left end of the horizontal axis, in units of the picture.
pub(super) const LEFT: u64 = 56;
/// The length of the horizontal axis.
pub(super) const WIDTH: u64 = 640;
/// The upper end of the vertical axis.
pub(super) const TOP: u64 = 12;
/// The length of the vertical axis.
pub(super) const HEIGHT: u64 = 160;

/// The most ticks of the axis of time.
const TIME_TICKS: i64 = 8;
/// The most ticks above zero of the axis of counts.
const COUNT_TICKS: u64 = 5;
/// The seconds of a day.
const DAY_S: i64 = 86_400;
/// Distances between ticks that people count in, in seconds.
const TIME_STEPS: [i64; 20] = [
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1_800,
    3_600,
    7_200,
    10_800,
    21_600,
    43_200,
    DAY_S,
    2 * DAY_S,
    7 * DAY_S,
];

/// A length or a place in tenths of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tenths(pub(super) u64);

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 10 {
            0 => write!(f, "{}", self.0 / 10),
            tenth => write!(f, "{}.{tenth}", self.0 / 10),
        }
    }
}

/// Returns the part of a length, in tenths of its unit, that `part` is of `whole`; all of it for more.
pub(super) fn share(part: u64, whole: u64, length: u64) -> u64 {
    let tenths = u128::from(length) * 10 * u128::from(part.min(whole)) / u128::from(whole.max(1));
    u64::try_from(tenths).unwrap_or(length * 10)
}

/// A mark on an axis.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PlotTick {
    pub(super) at: Tenths,
    pub(super) text: String,
}

/// The axis of time, from one second to another one.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeAxis {
    pub(super) start_s: i64,
    pub(super) end_s: i64,
}

impl TimeAxis {
    fn length(self) -> u64 {
        self.end_s.abs_diff(self.start_s)
    }

    /// Returns the place of an instant, or of the nearest one on the axis.
    pub(super) fn x(self, at_s: i64) -> Tenths {
        let at = at_s.clamp(self.start_s, self.end_s.max(self.start_s));
        Tenths(LEFT * 10 + share(at.abs_diff(self.start_s), self.length(), WIDTH))
    }

    /// Returns the ticks: at multiples of a distance, with the day where another one begins.
    pub(super) fn ticks(self) -> Vec<PlotTick> {
        let length = i64::try_from(self.length()).unwrap_or(i64::MAX);
        let fits = |step: &i64| length / step < TIME_TICKS;
        let weeks = std::iter::successors(Some(7 * DAY_S), |step| step.checked_mul(2));
        let Some(step) = TIME_STEPS.into_iter().chain(weeks).find(fits) else { return Vec::new() };
        let first = self.start_s.saturating_add((step - self.start_s.rem_euclid(step)) % step);
        let places = (0..=TIME_TICKS).map(|n| first.saturating_add(n.saturating_mul(step)));
        let mut day = None;
        let text = |at_s: i64| {
            let (today, at) = (at_s.div_euclid(DAY_S), utc(at_s));
            let is_new = day.replace(today) != Some(today);
            let form = match (step >= DAY_S, is_new, step < 60) {
                (true, ..) => "%Y-%m-%d",
                (false, true, true) => "%d %b %H:%M:%S",
                (false, true, false) => "%d %b %H:%M",
                (false, false, true) => "%H:%M:%S",
                (false, false, false) => "%H:%M",
            };
            at.format(form).to_string()
        };
        let inside: Vec<i64> = places.take_while(|at_s| *at_s <= self.end_s).collect();
        inside.iter().copied().map(text).zip(&inside).map(|(text, at_s)| PlotTick { at: self.x(*at_s), text }).collect()
    }
}

/// The axis of counts, from zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct CountAxis {
    step: u64,
    top: u64,
}

impl CountAxis {
    /// Creates the axis that a count fits on.
    pub(super) fn new(most: u64) -> Self {
        let tens = std::iter::successors(Some(1_u64), |ten| ten.checked_mul(10));
        let steps = tens.flat_map(|ten| [1, 2, 5].into_iter().filter_map(move |of| ten.checked_mul(of)));
        let step = steps.into_iter().find(|step| most.div_ceil(*step) <= COUNT_TICKS).unwrap_or(u64::MAX);
        Self { step, top: most.div_ceil(step).max(1).saturating_mul(step) }
    }

    /// Returns how high a count is, in tenths of a unit.
    pub(super) fn height(self, count: u64) -> u64 {
        share(count, self.top, HEIGHT)
    }

    /// Returns the place of a count.
    pub(super) fn y(self, count: u64) -> Tenths {
        Tenths((TOP + HEIGHT) * 10 - self.height(count))
    }

    /// Returns the ticks, from zero.
    pub(super) fn ticks(self) -> Vec<PlotTick> {
        let counts = (0..=self.top / self.step).map(|n| n.saturating_mul(self.step));
        counts.map(|count| PlotTick { at: self.y(count), text: short_count(count) }).collect()
    }
}

/// Returns a count in few characters: with k, M, G or T, and one decimal where it is not a whole number of these.
pub(super) fn short_count(count: u64) -> String {
    let units = [("T", 1_000_000_000_000), ("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)];
    let Some((unit, size)) = units.into_iter().find(|(_, size)| count >= *size) else { return count.to_string() };
    match count % size * 10 / size {
        0 => format!("{}{unit}", count / size),
        tenth => format!("{}.{tenth}{unit}", count / size),
    }
}

/// Returns the UTC time of an instant, or 1970 for one that is beyond all dates.
pub(super) fn utc(at_s: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_secs(at_s).unwrap_or_default()
}

/// Returns an instant in words.
pub(super) fn instant(at_s: i64) -> String {
    utc(at_s).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Returns a name that is not longer than a picture allows.
pub(super) fn label(name: &str) -> String {
    match name.char_indices().nth(PLOT_LABEL_CHARS) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::{CountAxis, HEIGHT, LEFT, TOP, Tenths, TimeAxis, WIDTH, label, short_count};

    fn times(start_s: i64, end_s: i64) -> Vec<String> {
        TimeAxis { start_s, end_s }.ticks().into_iter().map(|tick| tick.text).collect()
    }

    #[test]
    fn ticks_of_time_are_round() {
        let begin = 1_774_687_200;
        assert_eq!(times(begin + 61, begin + 661), ["28 Mar 08:42", "08:44", "08:46", "08:48", "08:50"]);
        assert_eq!(
            times(begin, begin + 5),
            ["28 Mar 08:40:00", "08:40:01", "08:40:02", "08:40:03", "08:40:04", "08:40:05"]
        );
        assert_eq!(times(begin + 50_000, begin + 80_000), ["29 Mar 00:00", "02:00", "04:00", "06:00"]);
        assert_eq!(
            times(begin, begin + 500_000),
            ["2026-03-29", "2026-03-30", "2026-03-31", "2026-04-01", "2026-04-02", "2026-04-03"]
        );
        assert_eq!(times(begin, begin).len(), 1);
    }

    #[test]
    fn counts_are_short_and_exact_at_ticks() {
        for (count, text) in
            [(0, "0"), (999, "999"), (1_000, "1k"), (1_500, "1.5k"), (20_000_000, "20M"), (u64::MAX, "18446744T")]
        {
            assert_eq!(short_count(count), text);
        }
        let ticks = |most| CountAxis::new(most).ticks().into_iter().map(|tick| tick.text).collect::<Vec<_>>().join(" ");
        assert_eq!(
            [0, 1, 5, 7, 1_100, 23_456].map(ticks),
            ["0 1", "0 1", "0 1 2 3 4 5", "0 2 4 6 8", "0 500 1k 1.5k", "0 5k 10k 15k 20k 25k"]
        );
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(label("ü"), "ü");
        assert_eq!(label(&"ü".repeat(100)), "ü".repeat(60) + "…");
    }

    proptest! {
        #[test]
        fn every_place_is_inside_of_the_picture(start: i64, end: i64, at: i64, most: u64, count: u64) {
            let axis = TimeAxis { start_s: start, end_s: end };
            let is_inside = |x: Tenths| (LEFT * 10..=(LEFT + WIDTH) * 10).contains(&x.0);
            prop_assert!(is_inside(axis.x(at)));
            let ticks = axis.ticks();
            prop_assert!(ticks.len() <= 9 && ticks.iter().all(|tick| is_inside(tick.at)));
            let counts = CountAxis::new(most);
            prop_assert!((TOP * 10..=(TOP + HEIGHT) * 10).contains(&counts.y(count).0));
            prop_assert!((2..=6).contains(&counts.ticks().len()));
        }

        #[test]
        fn higher_counts_are_not_lower(most in any::<u64>(), a: u64, b: u64) {
            let axis = CountAxis::new(most);
            prop_assert_eq!(axis.height(a.max(b)).max(axis.height(a.min(b))), axis.height(a.max(b)));
        }
    }
}
