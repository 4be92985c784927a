//! Limits on the group commit of the audit log: what waits at the same moment shares a call and a row.
//!
//! The invariants of [`super`] apply.

use super::{AUDIT_REQUEST, KIB, MIB, OBJECT_CALL_MS, SQL_BLOB_MAX};

/// Maximum number of events in one call to the audit log. At 100 that wait, a lookup's share of the call and of its row is a
/// hundredth, a cent a million; more would only delay those that came first.
pub const AUDIT_CALL_EVENTS: usize = 128;

/// Bytes of events with which a call to the audit log is full, however few they are: an event has 500 bytes as a rule, 20 KB
/// at most.
pub const AUDIT_CALL_BYTES: usize = 256 * KIB;

/// Maximum number of bytes of events that wait in an isolate: those of 8,000 requests, more than an isolate has at a time. They
/// are part of what each request reserves.
pub const AUDIT_CALLS_WAITING: usize = 4 * MIB;

/// Maximum number of events in one commit of the audit log: four full calls, which take 10 ms of CPU.
pub const AUDIT_COMMIT_EVENTS: usize = 4 * AUDIT_CALL_EVENTS;

/// Bytes of calls with which a commit is full, however few they are.
pub const AUDIT_COMMIT_BYTES: usize = 4 * AUDIT_CALL_BYTES;

/// Maximum number of bytes of calls that wait for a commit: those of 32 isolates with full calls. Beyond it calls are refused.
pub const AUDIT_COMMITS_WAITING: usize = 8 * MIB;

/// Bytes of lines with which a frame is full: 200 entries as a rule.
pub const AUDIT_FRAME_BYTES: usize = 128 * KIB;

/// Number of frames that are read at a time: 16 full ones are 2 MB of JSON; 16 with an entry each take a millisecond.
pub const AUDIT_FRAMES_READ: u64 = 16;

/// Time after which a run that has not ended no longer holds others back, in milliseconds: the calls of each have ended by then.
pub const GROUP_LOST_MS: i64 = OBJECT_CALL_MS.cast_signed() + 5_000;

/// Maximum time that a request waits for the audit log, in milliseconds: for the call that is under way, and for its own.
pub const AUDIT_WAIT_MS: i64 = 2 * GROUP_LOST_MS;

/// Maximum number of chains of the audit log, each an object with 1,000 calls a second and up to 128 lookups in each. A page
/// of the log asks each of them, a revocation tells each, and a cursor has a position of 20 digits in each: 340 bytes.
pub const AUDIT_CHAINS_MAX: u8 = 16;

/// Entries that are read of one of several chains at a time, at least, unless fewer are asked for: of 16 chains 800, 500 KB
/// as a rule, 16 MB of the longest.
pub const AUDIT_CHAIN_ENTRIES: u64 = 50;

// A frame is full with the line that reaches its bound: of an entry whose values are all cut, as a JSON string.
const _: () = assert!(AUDIT_FRAME_BYTES + 2 * 3 * AUDIT_REQUEST < SQL_BLOB_MAX);
const _: () = assert!(AUDIT_CALL_BYTES < AUDIT_COMMIT_BYTES && AUDIT_COMMIT_BYTES < AUDIT_COMMITS_WAITING);
