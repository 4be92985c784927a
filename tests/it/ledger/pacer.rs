//! The pacer: whatever is sent, and however late payloads come back, no second has more lines than its rate and one payload
//! more; every payload gets its turn, about when it would in a single line.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, proptest};
use raydex::ledger::pacer::{LaneRate, TakeTurn, TurnAnswer};
use raydex::ledger::partner;
use raydex::limits::{PACE_AHEAD_MS, PACE_BACK_MS, PACE_IDLE_MS, PACE_LANE_KEPT_MS};
use raydex::rpc::Call;

use super::support::{Faults, NOW_MS, SqliteSql};

/// A queue hands a message over after at most this time.
const QUEUE_MS: u64 = 5_000;
/// The longest that the lane is idle at the end, where all that is left has been sent back: as late as a message is ([`QUEUE_MS`]).
const LATE_MS: i64 = 5_000;
/// The longest that a payload waits beyond its place in a single line.
const BEYOND_MS: i64 = 20_000;

/// How many of the largest payloads' times it waits longer, where these are nearly as long as a sender can wait: while the
/// message of one is late, others take the time that is free. None of 150,000 worlds had more; one in 6,000 had more than 15.
const PASSED: i64 = 40;

/// A payload that asks for its turn.
#[derive(Debug, Clone)]
struct Asking {
    arrives_ms: i64,
    lines: u64,
    lanes: Vec<LaneRate>,
}

/// The object with the lanes.
struct Pacer {
    sql: SqliteSql,
    is_open: Cell<bool>,
}

impl Pacer {
    fn new() -> Self {
        Self { sql: SqliteSql::new(&Faults::default()), is_open: Cell::new(false) }
    }

    fn ask(&self, call: &TakeTurn, now_ms: i64) -> TurnAnswer {
        let reply = partner::serve(&self.sql, &self.is_open, (TakeTurn::NAME, &call.to_body()), now_ms).unwrap();
        serde_json::from_slice(&reply.body).unwrap()
    }

    /// Whether a payload that is new gets a turn, and after which time.
    fn wait(&self, lines: u64, rates: &[LaneRate], now_ms: i64) -> Option<i64> {
        let call = TakeTurn { lines, lanes: rates.to_vec(), within_ms: PACE_AHEAD_MS, place_ms: None };
        match self.ask(&call, now_ms) {
            TurnAnswer::Granted { wait_ms } => Some(wait_ms),
            TurnAnswer::Later { .. } | TurnAnswer::Stopped => None,
        }
    }
}

/// The turn of each payload, and how often all of them asked. One that has to come back is late by up to [`QUEUE_MS`].
fn turns(payloads: &[Asking], seed: u64) -> (Vec<i64>, usize) {
    let pacer = Pacer::new();
    let mut waiting: BinaryHeap<_> =
        payloads.iter().enumerate().map(|(nth, payload)| Reverse((payload.arrives_ms, nth, None))).collect();
    let (mut turns, mut asked, mut draw) = (vec![0; payloads.len()], 0, seed | 1);
    while let Some(Reverse((now_ms, nth, place_ms))) = waiting.pop() {
        asked += 1;
        let Asking { lines, lanes, .. } = payloads[nth].clone();
        match pacer.ask(&TakeTurn { lines, lanes, within_ms: PACE_AHEAD_MS, place_ms }, now_ms) {
            TurnAnswer::Granted { wait_ms } => {
                assert!((0..=PACE_AHEAD_MS).contains(&wait_ms), "{wait_ms}");
                turns[nth] = now_ms + wait_ms;
            }
            TurnAnswer::Later { wait_ms, place_ms } => {
                assert!((PACE_BACK_MS.0..=PACE_BACK_MS.1).contains(&wait_ms), "{wait_ms}");
                draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let late_ms = i64::try_from((draw >> 33) % QUEUE_MS).unwrap();
                waiting.push(Reverse((now_ms + wait_ms + late_ms, nth, Some(place_ms))));
            }
            TurnAnswer::Stopped => panic!("nothing was stopped"),
        }
    }
    (turns, asked)
}

/// How long that many lines take at a rate, in milliseconds.
fn takes_ms(lines: u64, rate: u64) -> i64 {
    i64::try_from((lines * 1_000).div_ceil(rate)).unwrap()
}

/// What the turns of one lane look like, in order: instants and lines.
fn of_lane(payloads: &[Asking], turns: &[i64], name: &str) -> (u64, Vec<(i64, u64)>) {
    let mut found = Vec::new();
    let mut rate = 1;
    for (payload, turn) in payloads.iter().zip(turns) {
        if let Some(lane) = payload.lanes.iter().find(|lane| lane.lane == name) {
            rate = lane.lines_per_second;
            found.push((*turn, payload.lines));
        }
    }
    found.sort_unstable();
    (rate, found)
}

/// The most lines of a lane in any second, less its largest payload.
fn most_beyond_one(turns: &[(i64, u64)]) -> u64 {
    let largest = turns.iter().map(|(_, lines)| *lines).max().unwrap_or(0);
    let second =
        |from: i64| turns.iter().filter(move |(at, _)| (from..from + 1_000).contains(at)).map(|(_, lines)| lines);
    turns.iter().map(|(from, _)| second(*from).sum::<u64>()).max().unwrap_or(0).saturating_sub(largest)
}

/// When each payload of a lane would be done in a single line, in order of arrival.
fn single_line(payloads: &[Asking], rate: u64) -> Vec<i64> {
    let mut done_ms = i64::MIN;
    let done = payloads.iter().map(|payload| {
        done_ms = done_ms.max(payload.arrives_ms) + takes_ms(payload.lines, rate);
        done_ms
    });
    done.collect()
}

/// Payloads of the cap alone, in order of arrival.
fn of_cap(arrivals: &[(i64, u64)], rate: u64) -> Vec<Asking> {
    let mut at_ms = NOW_MS;
    let payloads = arrivals.iter().map(|(after_ms, lines)| {
        at_ms += after_ms;
        Asking { arrives_ms: at_ms, lines: *lines, lanes: vec![LaneRate::for_all(rate)] }
    });
    payloads.collect()
}

proptest! {
    #[test]
    fn rate_holds_in_every_second_and_lane(
        rates in (1_u64..2_000, 1_u64..500, 1_u64..3_000),
        arrivals in vec((0_i64..700, 1_u64..400, 0_usize..4), 1..120),
        seed in any::<u64>(),
    ) {
        let (all, one, two) = (LaneRate::for_all(rates.0), LaneRate::for_backfill(1, rates.1), LaneRate::for_backfill(2, rates.2));
        let kinds = [vec![all.clone()], vec![all.clone(), one.clone()], vec![all, two.clone()], vec![two]];
        let mut at_ms = NOW_MS;
        let payloads: Vec<Asking> = arrivals.iter().map(|(after_ms, lines, kind)| {
            at_ms += after_ms;
            Asking { arrives_ms: at_ms, lines: *lines, lanes: kinds[*kind].clone() }
        }).collect();
        let (turns, _) = turns(&payloads, seed);
        for name in ["all", "backfill/1", "backfill/2"] {
            let (rate, found) = of_lane(&payloads, &turns, name);
            prop_assert!(most_beyond_one(&found) <= rate + rate.div_ceil(1_000), "{name} at {rate}: {found:?}");
            for pair in found.windows(2) {
                // Instants are rounded up to whole milliseconds.
                let free_ms = pair[0].0 + takes_ms(pair[0].1, rate) - 1;
                prop_assert!(pair[1].0 >= free_ms, "{name} at {rate}: {pair:?}");
            }
        }
        prop_assert!(payloads.iter().zip(&turns).all(|(payload, turn)| *turn >= payload.arrives_ms));
    }

    #[test]
    fn every_payload_is_about_where_it_belongs(
        rate in 50_u64..2_000,
        arrivals in vec((0_i64..1_000, 1_u64..500), 1..150),
        seed in any::<u64>(),
    ) {
        let payloads = of_cap(&arrivals, rate);
        let (turns, _) = turns(&payloads, seed);
        let single_line = single_line(&payloads, rate);
        let longest_ms = takes_ms(payloads.iter().map(|payload| payload.lines).max().unwrap(), rate);
        // Large payloads let others pass while their messages are late, a few of them each time.
        for (nth, done_ms) in single_line.iter().enumerate() {
            let beyond_ms = turns[nth] - done_ms;
            prop_assert!(beyond_ms <= BEYOND_MS + PASSED * longest_ms, "payload {nth} of {}: {beyond_ms}", turns.len());
        }
        let late_ms = turns.iter().max().unwrap() - single_line.last().unwrap();
        // At the end no other payload takes the time of one whose message is late.
        prop_assert!(late_ms <= LATE_MS, "the lane was idle while payloads waited: {late_ms}");
    }
}

#[test]
fn hour_of_payloads_at_once_leaves_no_gap() {
    let payloads = of_cap(&vec![(0, 100); 6_000], 200);
    let (turns, asked) = turns(&payloads, 7);
    let took_ms = turns.iter().max().unwrap() - NOW_MS;
    assert!(took_ms <= takes_ms(600_000, 200), "{took_ms}");
    assert!(asked < 6 * payloads.len(), "{asked} calls");
}

#[test]
fn newcomers_do_not_starve_those_in_line() {
    // For ten minutes one and a half times as much comes as the rate takes.
    let payloads = of_cap(&vec![(100, 150); 6_000], 1_000);
    let (turns, _) = turns(&payloads, 11);
    let beyond = single_line(&payloads, 1_000).into_iter().zip(&turns).map(|(done_ms, turn)| turn - done_ms).max();
    assert!(beyond.unwrap() <= BEYOND_MS, "{beyond:?}");
}

#[test]
fn slow_backfill_keeps_live_payloads_waiting_for_nothing() {
    let pacer = Pacer::new();
    let live = [LaneRate::for_all(1_000)];
    let backfill = [LaneRate::for_all(1_000), LaneRate::for_backfill(7, 20)];
    assert_eq!((pacer.wait(100, &backfill, NOW_MS), pacer.wait(40, &backfill, NOW_MS)), (Some(0), Some(5_000)));
    assert_eq!(pacer.wait(40, &backfill, NOW_MS), Some(7_000));
    assert_eq!(pacer.wait(1_000, &backfill, NOW_MS), Some(9_000));
    for nth in 0..10 {
        assert_eq!(pacer.wait(100, &backfill, NOW_MS + nth), None, "far behind in its own lane");
    }
    // The cap has room before the turns of the backfill, and between them.
    assert_eq!(pacer.wait(4_900, &live, NOW_MS), Some(100));
    assert_eq!(pacer.wait(1_500, &live, NOW_MS), Some(5_040));
    assert_eq!(pacer.wait(1_500, &live, NOW_MS), Some(7_040));
}

#[test]
fn large_payload_takes_its_allowance_in_advance() {
    let pacer = Pacer::new();
    let lane = [LaneRate::for_backfill(1, 100)];
    assert_eq!(pacer.wait(1_000, &lane, NOW_MS), Some(0), "ten seconds' allowance");
    assert_eq!(pacer.wait(1, &lane, NOW_MS), None);
    assert_eq!(pacer.wait(1, &lane, NOW_MS + 10_000 - PACE_IDLE_MS), Some(PACE_IDLE_MS));
}

#[test]
fn place_is_kept_until_it_is_due() {
    let pacer = Pacer::new();
    let lanes = vec![LaneRate::for_all(10)];
    let call = |place_ms| TakeTurn { lines: 300, lanes: lanes.clone(), within_ms: PACE_AHEAD_MS, place_ms };
    assert_eq!(pacer.ask(&call(None), NOW_MS), TurnAnswer::Granted { wait_ms: 0 });
    let TurnAnswer::Later { place_ms: first, .. } = pacer.ask(&call(None), NOW_MS) else { panic!("no place") };
    let TurnAnswer::Later { place_ms: second, .. } = pacer.ask(&call(None), NOW_MS) else { panic!("no place") };
    assert_eq!((first, second), (NOW_MS + 30_000, NOW_MS + 60_000));
    // Who asks early keeps the place, and no other moves.
    let again = pacer.ask(&call(Some(first)), NOW_MS + 5_000);
    assert!(matches!(again, TurnAnswer::Later { place_ms, .. } if place_ms == first), "{again:?}");
    assert_eq!(pacer.ask(&call(Some(first)), NOW_MS + 22_000), TurnAnswer::Granted { wait_ms: 8_000 });
    // The turn of one that never came is for whom the lane would be idle without.
    let late = NOW_MS + 60_000 - PACE_IDLE_MS;
    assert_eq!(pacer.ask(&call(None), late), TurnAnswer::Granted { wait_ms: PACE_IDLE_MS });
}

#[test]
fn rate_without_a_payload_costs_no_row() {
    let pacer = Pacer::new();
    let lanes = |id| vec![LaneRate::for_backfill(id, 1_000)];
    let names = || {
        let rows = pacer.sql.rows();
        rows.iter().filter(|row| row.contains("backfill/")).count()
    };
    pacer.wait(10, &lanes(1), NOW_MS);
    pacer.wait(10, &lanes(2), NOW_MS + PACE_LANE_KEPT_MS);
    assert_eq!(names(), 2);
    pacer.wait(10, &lanes(3), NOW_MS + PACE_LANE_KEPT_MS + 1_000);
    assert_eq!(names(), 2, "the first one is forgotten");
    assert_eq!(pacer.wait(10, &[], NOW_MS), Some(0), "no lane, no wait");
}
