//! Bounds of backfills.
//!
//! The invariants of [`super`] apply.

/// Period after a window in which batches may still hold its records, in milliseconds. 95 % are written within five
/// minutes.
pub const BACKFILL_LATE_MS: i64 = 3_600_000;

/// Time by which a batch's stated end may precede its records, because of clocks, in milliseconds.
pub const BACKFILL_SKEW_MS: i64 = 60_000;

/// Stored bytes per line, to estimate an object's lines from its size: records of 1.6 KB compress 12 times.
pub const BACKFILL_LINE_BYTES: u64 = 130;

/// Default rate of a backfill in lines per second: a tenth of the partner's capacity.
pub const BACKFILL_RATE: u64 = 10_000;

/// Burst of a backfill, in seconds of its rate: two runs of the cron.
pub const BACKFILL_BURST_S: i64 = 120;

/// Maximum number of pages that a backfill lists in one run of the cron.
pub const BACKFILL_PAGES: usize = 100;

/// Maximum number of backfills that one run of the cron advances, and that a list shows.
pub const BACKFILL_JOBS: u64 = 100;

/// Longest range of a backfill, in milliseconds: a leap year. Its 8,784 ledgers are asked for their lines within 44 runs
/// of the cron.
pub const BACKFILL_RANGE_MS: i64 = 366 * 24 * 3_600_000;

/// Maximum number of ledgers that one run of the cron asks for the lines of backfills: in 34 rounds of
/// [`CONCURRENT_CALLS`](super::CONCURRENT_CALLS).
pub const BACKFILL_LEDGERS: u64 = 200;

/// Interval between two counts in a ledger of which only parked lines may change, in milliseconds.
pub const BACKFILL_RECOUNT_MS: i64 = 600_000;

/// Number of deliveries once more that an answer shows for each record, the latest ones: each renders the record's line once more
/// (20 µs), and names a backfill of which the registry is asked once for all records.
pub const REPETITIONS_SHOWN: usize = 10;

/// Number of backfills that one answer about deliveries asks the registry about, each in a call of its own; of others it has the
/// number alone.
pub const REPETITION_BACKFILLS: usize = 20;

/// Time by which the clocks of two Durable Objects may differ, in milliseconds: machines keep it to fractions of a second, so a minute
/// is ample. A ledger that began so much later than the registry says was lost; one that is lost within a minute of its first batch
/// is not recognised.
pub const LEDGER_CLOCKS_MS: i64 = 60_000;

/// Time for which an isolate believes what the registry said of the first start, in milliseconds: a call a minute. If the registry is
/// lost, a batch that was delivered may be delivered again for so long, if it is announced again just then.
pub const FIRST_START_KNOWN_MS: i64 = 60_000;
