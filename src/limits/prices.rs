//! What the platform charges for the work of a request, in nano-dollars, and the bounds on counting it for each caller.
//!
//! The invariants of [`super`] apply. The prices are those of `local/cost.mjs`, which a test compares.

/// Nano-dollars of a dollar.
pub const DOLLAR_NANOS: u64 = 1_000_000_000;

/// Price of a request of the Worker: 0.30 dollars a million.
pub const WORKER_REQUEST_NANOS: u64 = 300;

/// Price of a call of a Durable Object: 0.15 dollars a million.
pub const OBJECT_CALL_NANOS: u64 = 150;

/// Price of a written row: 1 dollar a million.
pub const ROW_WRITTEN_NANOS: u64 = 1_000;

/// Price of a read of R2: 0.36 dollars a million.
pub const R2_READ_NANOS: u64 = 360;

/// Price of a write or a list of R2: 4.50 dollars a million.
pub const R2_WRITE_NANOS: u64 = 4_500;

/// Price of a message: three operations of a queue, 0.40 dollars a million each.
pub const MESSAGE_NANOS: u64 = 3 * 400;

/// Price of the CPU of a look-up: 0.5 ms, at 0.02 dollars a million ms.
pub const REQUEST_CPU_NANOS: u64 = 10;

/// Price of the CPU of 1,000 stored bytes that are read: 12.6 bytes of text each, which a search takes 8 ns for, at 0.02 dollars
/// a million ms.
pub const STORED_KILOBYTE_NANOS: u64 = 2;

/// What a request costs that leaves an entry in the audit log, before it does anything: 1.46 dollars a million.
pub const AUDITED_REQUEST_NANOS: u64 = COUNTED_REQUEST_NANOS + ROW_WRITTEN_NANOS;

/// What a request costs that leaves none.
pub const COUNTED_REQUEST_NANOS: u64 = WORKER_REQUEST_NANOS + REQUEST_CPU_NANOS + OBJECT_CALL_NANOS;

/// What a request that shows records is charged in advance: a call of the index and two reads, as a look-up makes them. So the
/// audit log counts a look-up whole, although the isolate may end before its next report.
pub const ADVANCE_NANOS: u64 = OBJECT_CALL_NANOS + 2 * R2_READ_NANOS;

/// Cost of one caller that an isolate holds back at most before it reports it, while a search runs: a tenth of a cent, as of
/// 2,700 reads. The report is a call, so that it adds a hundredth of a percent.
pub const COST_REPORT_NANOS: u64 = DOLLAR_NANOS / 1_000;

/// Share of a budget at which an isolate reports earlier, so that searches in several isolates exceed a small one by little.
pub const BUDGET_REPORTS: u64 = 16;

/// Pause of an isolate after a report that failed, in milliseconds.
pub const COST_REPORT_PAUSE_MS: i64 = 10_000;

/// Callers whose costs an isolate holds at a time: 150 bytes each.
pub const COSTS_PENDING: usize = 1_000;

/// Callers of whom one call reports costs to the audit log: 1 KB of JSON.
pub const COSTS_REPORTED: usize = 16;

/// Callers whose costs of a day one object of the audit log keeps: 150 bytes each in memory, 100 in a row. The one who cost least
/// gives way to another.
pub const COSTS_KEPT: usize = 1_000;

/// Bytes of a caller's name by which costs are kept; a longer one, and one that JSON escapes, is kept by its hash. An address of mail
/// has 320 at most.
pub const COST_NAME_BYTES: usize = 320;

/// Rows in which an object writes what changed of the costs, before one that has all of them. An object that starts reads that
/// number, which takes a millisecond; where 10 callers are active, all of them are 1 KB.
pub const COST_ROWS: u64 = 64;

/// Cost that an object holds in memory alone, at most, while no entry is appended: a twentieth of a cent. Writing it is a row, a
/// five-hundredth of it.
pub const COSTS_UNSAVED_NANOS: u64 = DOLLAR_NANOS / 2_000;

/// Share of a caller's budget that an object holds in memory alone, at most.
pub const BUDGET_SAVES: u64 = 20;

/// Callers of whom `/metrics` and a page of costs show each: the others are one series together. Four series each.
pub const COSTS_SHOWN: usize = 50;

/// How long an isolate refuses a caller by itself whose budget is spent, in milliseconds, before it asks again.
pub const SPENT_REFUSED_MS: i64 = super::DENIAL_WINDOW_MS;

/// Maximum budget of a day: a million dollars.
pub const BUDGET_MAX_NANOS: u64 = 1_000_000 * DOLLAR_NANOS;

// A row with the costs of all callers fits beside a frame.
const _: () = assert!(COSTS_KEPT * (COST_NAME_BYTES + 120) + 2 * super::AUDIT_FRAME_BYTES < super::SQL_BLOB_MAX);
// What docs/cost.md says of a lookup.
const _: () = assert!(AUDITED_REQUEST_NANOS + ADVANCE_NANOS == 2_330);
