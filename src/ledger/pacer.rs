//! The pacer: gives each payload of a limited rate its turn at the partner.
//!
//! A *lane* is what a rate applies to: everything that goes to the partner, or what one backfill delivers. A turn books time
//! in each lane of its payload, as long as the lane's rate takes for the payload's lines. So a payload that is larger than the
//! allowance of a second takes it in advance.
//!
//! A sender waits for a turn that is near. If none is near, the payload gets a place in line, and goes back to its ledger
//! until then. A place books nothing: it says when to come back, and lets the payload pass those that came later.
//!
//! While a person has stopped a backfill, nothing in its lane gets a turn or a place.
//!
//! # Invariants
//! The booked times of a lane never overlap. So the turns within any second have at most the lines of that second at the
//! lane's rate, and one payload more. Instants are those of the object's clock: a sender hears how long to wait, not when.

use serde::{Deserialize, Serialize};

use super::calls::CallAck;
use super::tables::{LedgerRow, json};
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::limits::{
    PACE_AHEAD_MS, PACE_BACK_MS, PACE_GAPS, PACE_GRAIN_MS, PACE_IDLE_MS, PACE_LANE_KEPT_MS, PACE_TURN_MAX_MS,
};

/// The table of the lanes: a row for each that was used lately, with the Unix milliseconds at which it is free.
pub(super) const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS lane_v1 (
        name TEXT PRIMARY KEY, lane TEXT NOT NULL, free_ms INTEGER NOT NULL) WITHOUT ROWID";

/// The table of the lanes of backfills that were ever stopped: whether they are now, and the number of steps that their jobs had
/// then.
pub(super) const HELD: &str = "CREATE TABLE IF NOT EXISTS held_lane_v1 (
        name TEXT PRIMARY KEY, stopped INTEGER NOT NULL, steps INTEGER NOT NULL) WITHOUT ROWID";

/// The name of the lane of everything that goes to the partner.
const ALL: &str = "all";
/// Number of nanoseconds in a millisecond.
const MS: i64 = 1_000_000;

/// A request for a turn to post a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakeTurn {
    /// Number of lines of the payload.
    pub lines: u64,
    /// The lanes that the payload is in.
    pub lanes: Vec<LaneRate>,
    /// The time that the sender can wait, in milliseconds.
    pub within_ms: i64,
    /// The payload's place in line, if it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub place_ms: Option<i64>,
}

/// A request to hold what backfills send, or to let it go on. Repeating it changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldBackfills {
    /// The backfills.
    pub backfills: Vec<BackfillHold>,
}

/// Whether a backfill is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillHold {
    /// The number of the backfill.
    pub id: i64,
    /// The number of its steps, which a stop and a resume increase: what was read before them changes nothing after them.
    pub steps: u64,
    /// Whether it is stopped.
    pub stopped: bool,
}

/// A lane and its rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneRate {
    /// The name of the lane.
    pub lane: String,
    /// Its rate in lines per second.
    pub lines_per_second: u64,
}

impl LaneRate {
    /// The lane of everything that goes to the partner.
    #[must_use]
    pub fn for_all(lines_per_second: u64) -> Self {
        Self { lane: ALL.to_owned(), lines_per_second }
    }

    /// The lane of a backfill.
    #[must_use]
    pub fn for_backfill(id: i64, lines_per_second: u64) -> Self {
        Self { lane: backfill_lane(id), lines_per_second }
    }

    /// Returns how long a payload of this many lines takes, in nanoseconds, rounded up.
    fn length_ns(&self, lines: u64) -> i64 {
        let length_ns = (u128::from(lines) * 1_000_000_000).div_ceil(u128::from(self.lines_per_second.max(1)));
        i64::try_from(length_ns).unwrap_or(i64::MAX).clamp(1, PACE_TURN_MAX_MS * MS)
    }
}

/// Returns the name of a backfill's lane.
fn backfill_lane(id: i64) -> String {
    format!("backfill/{id}")
}

/// The answer to [`TakeTurn`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "turn", rename_all = "snake_case")]
pub enum TurnAnswer {
    /// The turn is the payload's.
    Granted {
        /// The time until the turn, in milliseconds.
        wait_ms: i64,
    },
    /// Too many lines go first.
    Later {
        /// The time after which to ask again, in milliseconds.
        wait_ms: i64,
        /// The payload's place in line, in Unix milliseconds by the clock of the object.
        place_ms: i64,
    },
    /// Its backfill is stopped.
    Stopped,
}

/// A lane, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct PacedLane {
    /// The booked times, each from one instant until another in Unix nanoseconds: in order, with a gap between any two.
    booked: Vec<(i64, i64)>,
    /// The end of the line: the Unix nanoseconds of the next place in it.
    line_ns: i64,
    /// The end of the line of those whose place has come, and who found no turn near enough; they go before the others.
    due_ns: i64,
}

impl PacedLane {
    /// Returns the first instant, not before `at_ns`, from which so much time is free.
    fn free_from(&self, at_ns: i64, length_ns: i64) -> i64 {
        self.booked.iter().fold(at_ns, |at_ns, (from, until)| {
            let overlaps = at_ns < *until && *from < at_ns + length_ns;
            if overlaps { *until } else { at_ns }
        })
    }

    /// Books free time, and forgets what is over.
    fn book(&mut self, from_ns: i64, length_ns: i64, now_ns: i64) {
        self.booked.retain(|(_, until)| *until > now_ns);
        let at = self.booked.partition_point(|(from, _)| *from < from_ns);
        self.booked.insert(at, (from_ns, from_ns + length_ns));
        self.booked.dedup_by(|later, earlier| {
            let touches = later.0 <= earlier.1;
            if touches {
                earlier.1 = earlier.1.max(later.1);
            }
            touches
        });
        let (first, excess) = (self.booked.first().copied(), self.booked.len().saturating_sub(PACE_GAPS));
        self.booked.drain(..excess);
        if let (Some((from, _)), Some(now_first)) = (first, self.booked.first_mut()) {
            now_first.0 = from;
        }
    }

    /// Returns the Unix nanoseconds of the next place behind all that are in line.
    fn line_end_ns(&self) -> i64 {
        self.line_ns.max(self.due_ns)
    }

    /// Gives out the next place in line from an instant on, in Unix nanoseconds.
    fn next_place(&mut self, is_due: bool, from_ns: i64, length_ns: i64) -> i64 {
        let place_ns = from_ns.max(if is_due { self.due_ns } else { self.line_end_ns() });
        *(if is_due { &mut self.due_ns } else { &mut self.line_ns }) = place_ns + length_ns;
        place_ns
    }

    /// Returns the Unix nanoseconds at which nothing is booked and the line is over.
    fn free_ns(&self) -> i64 {
        self.booked.last().map_or(0, |(_, until)| *until).max(self.line_end_ns())
    }
}

/// A lane while a payload takes its turn in it.
struct UsedLane<'a> {
    name: &'a str,
    lane: PacedLane,
    is_new: bool,
    /// How long the payload takes in it, in nanoseconds.
    length_ns: i64,
}

impl UsedLane<'_> {
    /// Returns the first free time of this lane alone.
    fn own_ns(&self, now_ns: i64) -> i64 {
        self.lane.free_from(now_ns, self.length_ns)
    }
}

/// Gives a payload its turn, or a place in line.
pub(super) fn take_turn(sql: &impl SqlDatabase, call: &TakeTurn, now_ms: i64) -> Result<TurnAnswer, BackendError> {
    if is_stopped(sql, &call.lanes)? {
        return Ok(TurnAnswer::Stopped);
    }
    let mut used = call.lanes.iter().map(|rate| used_lane(sql, rate, call.lines)).collect::<Result<Vec<_>, _>>()?;
    let before: Vec<PacedLane> = used.iter().map(|used| used.lane.clone()).collect();
    let answer = decide(&mut used, call, now_ms * MS);
    for (used, _) in used.iter().zip(&before).filter(|(used, before)| used.lane != **before) {
        if used.is_new {
            let free = [SqlValue::Integer(now_ms - PACE_LANE_KEPT_MS)];
            sql.run("DELETE FROM lane_v1 WHERE free_ms < ?", &free)?;
        }
        let free_ms = SqlValue::Integer(used.lane.free_ns() / MS);
        let parameters = [SqlValue::text(used.name), json(&used.lane), free_ms];
        sql.run("INSERT OR REPLACE INTO lane_v1 (name, lane, free_ms) VALUES (?, ?, ?)", &parameters)?;
    }
    Ok(answer)
}

/// Holds lanes, or lets them go on.
pub(super) fn hold_backfills(sql: &impl SqlDatabase, call: &HoldBackfills) -> Result<CallAck, BackendError> {
    for BackfillHold { id, steps, stopped } in &call.backfills {
        let statement = if *stopped {
            "INSERT INTO held_lane_v1 (name, stopped, steps) VALUES (?1, 1, ?2)
             ON CONFLICT (name) DO UPDATE SET stopped = 1, steps = ?2 WHERE stopped = 0 AND steps < ?2"
        } else {
            "UPDATE held_lane_v1 SET stopped = 0, steps = ?2 WHERE name = ?1 AND stopped = 1 AND steps < ?2"
        };
        sql.run(statement, &[SqlValue::text(backfill_lane(*id)), SqlValue::number(*steps)])?;
    }
    Ok(CallAck {})
}

/// Returns whether one of these lanes is that of a stopped backfill.
fn is_stopped(sql: &impl SqlDatabase, lanes: &[LaneRate]) -> Result<bool, BackendError> {
    for LaneRate { lane, .. } in lanes.iter().filter(|rate| rate.lane != ALL) {
        let found = sql.run("SELECT 1 FROM held_lane_v1 WHERE name = ? AND stopped = 1", &[SqlValue::text(&**lane)])?;
        if !found.rows.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads a lane.
fn used_lane<'a>(sql: &impl SqlDatabase, rate: &'a LaneRate, lines: u64) -> Result<UsedLane<'a>, BackendError> {
    let rows = sql.run("SELECT lane FROM lane_v1 WHERE name = ?", &[SqlValue::text(&*rate.lane)])?.rows;
    let lane: Option<PacedLane> = rows.first().map(|row| LedgerRow(row).json(0)).transpose()?;
    let (is_new, length_ns) = (lane.is_none(), rate.length_ns(lines));
    Ok(UsedLane { name: &rate.lane, lane: lane.unwrap_or_default(), is_new, length_ns })
}

/// Books the first turn that fits into all lanes, if it is near enough.
fn decide(used: &mut [UsedLane<'_>], call: &TakeTurn, now_ns: i64) -> TurnAnswer {
    let is_due = call.place_ms.is_some_and(|place_ms| place_ms <= now_ns / MS + PACE_AHEAD_MS);
    // While others are in line, one that is not yet due gets a turn only where the lane would be idle.
    let is_near = |used: &UsedLane<'_>, turn_ns: i64| {
        let goes_first = is_due || used.lane.line_end_ns() <= turn_ns;
        let within_ms = if goes_first { call.within_ms } else { call.within_ms.min(PACE_IDLE_MS) };
        turn_ns - now_ns <= within_ms.max(0) * MS
    };
    let turn_ns = first_turn(used, now_ns);
    if used.iter().all(|used| is_near(used, turn_ns)) {
        for used in used.iter_mut() {
            used.lane.book(turn_ns, used.length_ns, now_ns);
        }
        return TurnAnswer::Granted { wait_ms: ceil(turn_ns - now_ns, MS) };
    }
    if let Some(place_ms) = call.place_ms.filter(|_| !is_due) {
        return later(place_ms, now_ns / MS);
    }
    let is_full = |used: &UsedLane<'_>| !is_near(used, used.own_ns(now_ns));
    let any_full = used.iter().any(is_full);
    let mut place_ns = turn_ns;
    for used in used.iter_mut().filter(|used| !any_full || is_full(used)) {
        let own_ns = used.own_ns(now_ns);
        place_ns = place_ns.max(used.lane.next_place(is_due, own_ns, used.length_ns));
    }
    later(ceil(place_ns, MS), now_ns / MS)
}

/// Returns the first instant from which all lanes are free for the payload.
fn first_turn(used: &[UsedLane<'_>], now_ns: i64) -> i64 {
    let mut turn_ns = now_ns;
    loop {
        let next_ns = used.iter().fold(turn_ns, |at_ns, used| used.lane.free_from(at_ns, used.length_ns));
        if next_ns == turn_ns {
            return turn_ns;
        }
        turn_ns = next_ns;
    }
}

/// Tells a payload to come back shortly before its place, together with others.
fn later(place_ms: i64, now_ms: i64) -> TurnAnswer {
    let back_ms = ceil(place_ms - PACE_AHEAD_MS, PACE_GRAIN_MS) * PACE_GRAIN_MS;
    let (least_ms, most_ms) = PACE_BACK_MS;
    TurnAnswer::Later { wait_ms: (back_ms - now_ms).clamp(least_ms, most_ms), place_ms }
}

/// Returns a quotient, rounded up.
const fn ceil(dividend: i64, divisor: i64) -> i64 {
    dividend.div_euclid(divisor) + (dividend.rem_euclid(divisor) > 0) as i64
}
