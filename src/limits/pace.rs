//! Limits on rates: how many lines go to the partner in a second, and who waits for their turn where.
//!
//! The invariants of [`super`] apply.

/// Minimum and maximum of a rate to the partner, in lines per second. At its maximum, a payload of 10,000 lines takes 10 ms.
pub const LINES_PER_SECOND: (u64, u64) = (1, 1_000_000);

/// Maximum time that a claimed payload waits for its turn at a given rate, in milliseconds.
pub const PACING_MS: i64 = 10_000;

/// Time by which a claimed payload may be ahead of its turn, in milliseconds: its sender waits. A payload that has to come
/// back does so at the next [`PACE_GRAIN_MS`], and its message is on its way for up to 5 s: with 9 s the lane is never idle
/// meanwhile.
pub const PACE_AHEAD_MS: i64 = 9_000;

/// Time that a payload gets ahead of its turn while others are in line before it, in milliseconds: those that come back find
/// their places free, and a lane whose line exists on paper only is idle for no longer than a turn takes to arrange.
pub const PACE_IDLE_MS: i64 = 3_000;

/// Payloads that have to come back do so at multiples of this time, in milliseconds: at 1,000 lines a second and 100 lines a
/// payload, one alarm sends 30 messages.
pub const PACE_GRAIN_MS: i64 = 3_000;

/// Minimum and maximum time after which a payload that has to wait for its turn comes back, in milliseconds. With a line of
/// ten hours each payload comes back sixty times, at three rows written each; if the others drop out meanwhile, the lane is idle for
/// ten minutes at most.
pub const PACE_BACK_MS: (i64, i64) = (1_000, 600_000);

/// Time by which a sender may miss its turn, in milliseconds: half of a call of 200 ms, as one across continents takes. One that
/// is late and one that is early add the lines of twice that time to a second at most. A sender that misses its turn by more
/// asks for another one, which it may miss by twice as much.
pub const PACE_LATE_MS: i64 = 100;

/// Number of turns that a sender asks for, if it is late for each, before it returns its claim.
pub const PACE_TRIES: usize = 3;

/// Number of gaps between the booked times of a lane that are kept: 40 bytes of JSON each. Beyond it the earliest gap is given
/// up.
pub const PACE_GAPS: usize = 64;

/// Longest time that one turn books, in milliseconds: 10,000 lines at one per second are three hours.
pub const PACE_TURN_MAX_MS: i64 = 24 * 3_600_000;

/// Time for which the lines of a backfill that wait may take at its rate, in seconds: beyond it nothing more is announced.
/// Twice the time between two counts and what one run announces ahead.
pub const BACKFILL_WAITING_S: u64 = 600;

/// Time after which a payload of a stopped backfill asks again, in milliseconds: an hour, unless its ledger hears before that the
/// backfill was resumed. Of [`BACKFILL_WAITING_S`] of a rate of 1,000 lines a second, in payloads of 100, that is 1.7 calls a second.
pub const HELD_AGAIN_MS: i64 = 3_600_000;

/// Time after a stop in which payloads of the backfill may still begin to go out, in milliseconds: they had been given their
/// turns, and may be late for them by what the last of [`PACE_TRIES`] allows.
pub const STOP_MS: i64 = PACE_AHEAD_MS + (PACE_LATE_MS << (PACE_TRIES - 1));

/// Time after which a lane that is free is forgotten, in milliseconds.
pub const PACE_LANE_KEPT_MS: i64 = 3_600_000;

const _: () = assert!(PACE_AHEAD_MS < PACING_MS && PACE_IDLE_MS < PACE_AHEAD_MS);
const _: () = assert!(super::BATCH_SIZE_MAX as i64 * 1_000 < PACE_TURN_MAX_MS);
const _: () = assert!(PACE_GRAIN_MS + 5_000 < PACE_AHEAD_MS);
