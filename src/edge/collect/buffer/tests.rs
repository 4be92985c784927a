//! The equation and the bounds of windows, held against an origin that keeps every report under any failures.

use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::Value;

use super::{ForwardResult, WindowBuffer};
use crate::edge::{DropReason, ReportWindow, WindowForm};
use crate::limits::{
    COLLECT_PAUSE_MAX_MS, COLLECT_WAITING_BYTES, COLLECT_WAITING_WINDOWS, COLLECT_WINDOW_BYTES, EDGE_STORE_MS,
};

fn buffer() -> WindowBuffer {
    WindowBuffer::new("00c0ffee00c0ffee".into(), WindowForm::Map, 5_000)
}

fn add(buffer: &mut WindowBuffer, json: &str, now_ms: i64) {
    buffer.add(json.to_owned(), None, now_ms);
}

/// One step of a schedule.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A report of one of some kinds and sizes.
    Report(u8, usize),
    Drop,
    Wait(i64),
    Take,
    /// The origin answers.
    Settle(ForwardResult),
    /// There is no answer, whether the origin took the window or not.
    Unanswered(bool),
    /// The request that sent a window dies, whether the origin took the window or not.
    Lose(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let result = prop_oneof![4 => Just(ForwardResult::Taken), 1 => Just(ForwardResult::Refused)];
    prop_oneof![
        12 => (0_u8..40, 0_usize..600_000).prop_map(|(kind, size)| Step::Report(kind, size * (size / 600) / 1_000)),
        1 => Just(Step::Drop),
        3 => (0_i64..40_000).prop_map(Step::Wait),
        4 => Just(Step::Take),
        3 => result.prop_map(Step::Settle),
        2 => any::<bool>().prop_map(Step::Unanswered),
        1 => any::<bool>().prop_map(Step::Lose),
    ]
}

/// An origin that knows a window by its name.
#[derive(Default)]
struct Origin {
    windows: BTreeMap<String, Vec<u8>>,
    refused: u64,
    in_flight: Vec<Rc<ReportWindow>>,
}

impl Origin {
    fn take(&mut self, window: &ReportWindow) {
        let before = self.windows.insert(window.name(), window.body.clone());
        assert!(before.is_none_or(|before| before == window.body), "{} has other bytes", window.name());
    }

    fn reports(&self) -> u64 {
        let counts = |body: &Vec<u8>| {
            let body: BTreeMap<String, Value> = serde_json::from_slice(body).unwrap();
            body.values().map(|report| report["count"].as_u64().unwrap()).sum::<u64>()
        };
        self.windows.values().map(counts).sum()
    }
}

proptest! {
    #[test]
    fn every_report_is_counted_once_under_any_failures(steps in prop::collection::vec(step(), 1..150)) {
        let (mut buffer, mut origin, mut now_ms) = (buffer(), Origin::default(), 1_774_687_320_000);
        let (mut seen, mut dropped) = (0_u64, 0_u64);
        for step in steps {
            match step {
                Step::Report(kind, size) => {
                    seen += 1;
                    add(&mut buffer, &format!("\"{kind}{}\"", "x".repeat(size)), now_ms);
                }
                Step::Drop => {
                    (seen, dropped) = (seen + 1, dropped + 1);
                    buffer.drop(DropReason::Filtered, 1);
                }
                Step::Wait(ms) => now_ms += ms,
                Step::Take => {
                    buffer.close_due(now_ms);
                    origin.in_flight.extend(buffer.take_due(now_ms));
                }
                Step::Settle(result) => if let Some(window) = origin.in_flight.pop() {
                    match result {
                        ForwardResult::Refused => origin.refused += window.reports,
                        _ => origin.take(&window),
                    }
                    buffer.settle(window.label.sequence, result, now_ms);
                }
                Step::Unanswered(is_taken) => if let Some(window) = origin.in_flight.pop() {
                    if is_taken {
                        origin.take(&window);
                    }
                    buffer.settle(window.label.sequence, ForwardResult::Failed(1_000), now_ms);
                }
                Step::Lose(is_taken) => if let Some(window) = origin.in_flight.pop() {
                    if is_taken {
                        origin.take(&window);
                    }
                    now_ms += EDGE_STORE_MS;
                }
            }
            let counts = buffer.counts();
            prop_assert!(counts.is_balanced(), "{:?}", counts);
            prop_assert!(buffer.bytes_waiting() <= COLLECT_WAITING_BYTES + 2 * COLLECT_WINDOW_BYTES);
        }
        let counts = buffer.counts();
        prop_assert_eq!((counts.seen, counts.dropped.filtered), (seen, dropped));
        // What the origin has beyond the recorded is of windows whose answer was lost.
        let known = origin.reports() + buffer.reports_held();
        let taken = counts.recorded + counts.merged;
        let doubtful = counts.dropped.unconfirmed + counts.dropped.refused + buffer.reports_held();
        prop_assert!(taken <= known && known - taken <= doubtful, "{} {} {:?}", known, taken, counts);
        prop_assert!(counts.dropped.refused <= origin.refused);
    }
}

#[test]
fn window_closes_by_age_or_size() {
    let mut by_age = buffer();
    add(&mut by_age, "{}", 0);
    by_age.close_due(4_999);
    assert!(by_age.take_due(4_999).is_none() && by_age.next_due_ms() == Some(5_000));
    // The timer was lost: the next report notices.
    add(&mut by_age, "{}", 60_000);
    let window = by_age.take_due(60_000).unwrap();
    assert_eq!((window.reports, window.name().as_str(), by_age.reports_held()), (1, "00c0ffee00c0ffee-1", 2));
    let mut by_size = buffer();
    for number in 0..20 {
        add(&mut by_size, &format!("\"{number}{}\"", "x".repeat(COLLECT_WINDOW_BYTES / 16)), 0);
    }
    assert_eq!(by_size.take_due(0).unwrap().label.lines, 15, "a report has more than its JSON");
}

#[test]
fn failed_window_is_sent_again_unchanged() {
    let mut buffer = buffer();
    add(&mut buffer, "{}", 0);
    add(&mut buffer, "{}", 1);
    buffer.close(5);
    let first = buffer.take_due(5).unwrap();
    assert!(buffer.take_due(5).is_none(), "it is on its way");
    add(&mut buffer, "{}", 6);
    buffer.close(7);
    buffer.settle(1, ForwardResult::Failed(1_000), 10);
    assert!(buffer.take_due(1_009).is_none(), "the origin is left alone for a second");
    assert_eq!(buffer.next_due_ms(), Some(1_010));
    assert_eq!(buffer.take_due(1_010).unwrap(), first);
    assert!(buffer.take_due(1_010).is_none(), "one window at a time tries it");
    buffer.settle(1, ForwardResult::Failed(9_000), 1_020);
    assert!(buffer.take_due(10_019).is_none(), "the origin asked for nine seconds");
    assert_eq!(buffer.take_due(10_020).unwrap(), first);
    buffer.settle(1, ForwardResult::Taken, 10_030);
    assert_eq!(buffer.take_due(10_030).unwrap().label.sequence, 2);
    buffer.settle(2, ForwardResult::Refused, 10_040);
    let counts = buffer.counts();
    assert_eq!((counts.recorded, counts.merged, counts.dropped.refused, buffer.next_due_ms()), (1, 1, 1, None));
}

#[test]
fn pauses_are_bounded() {
    let mut buffer = buffer();
    add(&mut buffer, "{}", 0);
    buffer.close(0);
    let mut now_ms = 0;
    for (pause_ms, least_ms) in
        [(1_000, 0), (2_000, 0), (4_000, 0), (300_000, i64::MAX), (16_000, 0), (32_000, 0), (60_000, 0), (60_000, 0)]
    {
        buffer.take_due(now_ms).unwrap();
        buffer.settle(1, ForwardResult::Failed(least_ms), now_ms);
        assert_eq!(buffer.next_due_ms(), Some(now_ms + pause_ms));
        now_ms += pause_ms;
    }
    assert_eq!(COLLECT_PAUSE_MAX_MS, 300_000);
}

#[test]
fn window_of_a_dead_request_is_due_again() {
    let mut buffer = buffer();
    add(&mut buffer, "{}", 0);
    buffer.close(0);
    buffer.take_due(0).unwrap();
    assert!(buffer.take_due(EDGE_STORE_MS - 1).is_none() && buffer.next_due_ms() == Some(EDGE_STORE_MS));
    assert!(buffer.take_due(EDGE_STORE_MS).is_some());
}

#[test]
fn overflow_drops_the_oldest_with_all_reports() {
    let mut buffer = buffer();
    for number in 0..COLLECT_WAITING_WINDOWS + 3 {
        add(&mut buffer, "{}", 0);
        add(&mut buffer, "{}", 0);
        buffer.close(0);
        if number == 0 {
            buffer.take_due(0).unwrap();
            buffer.settle(1, ForwardResult::Failed(0), 0);
        }
    }
    let (counts, windows) = (buffer.counts(), COLLECT_WAITING_WINDOWS as u64);
    assert_eq!((counts.dropped.unconfirmed, counts.dropped.overflow), (2, 4), "the first one was tried");
    assert_eq!((counts.recorded, counts.merged, buffer.reports_held()), (windows, windows, 2 * windows));
    assert!(counts.is_balanced());
}

#[test]
fn label_has_the_numbers_at_its_close() {
    let mut buffer = buffer();
    buffer.sample_out(3);
    buffer.drop(DropReason::OverQuota, 2);
    for json in ["{}", "{}", "{\"a\":1}"] {
        add(&mut buffer, json, 0);
    }
    buffer.close(1);
    let label: Value = serde_json::from_str(&buffer.take_due(1).unwrap().label_text()).unwrap();
    let counts = serde_json::json!({
        "seen": 8, "recorded": 2, "merged": 1, "sampled_out": 3,
        "dropped": {"filtered": 0, "overflow": 0, "unconfirmed": 0, "unwritable": 0, "invalid": 0, "too_large": 0,
                    "over_quota": 2, "refused": 0}
    });
    let mut expected = counts.clone();
    (expected["isolate"], expected["sequence"], expected["lines"]) = ("00c0ffee00c0ffee".into(), 1.into(), 2.into());
    expected["since"] = counts;
    assert_eq!(label, expected);
}
