//! Limits on time: how long a peer may be silent, how much work an answer may be, and how much of it comes in one go.
//!
//! The invariants of [`super`] apply.

use super::{KIB, QUERY_INFLATED};

/// Time that the reader of a stream has for one piece of it, in milliseconds: 64 KiB in 30 s are 2 KB/s, a hundredth of a
/// slow line.
pub const READER_IDLE_MS: i64 = 30_000;

/// Time that a stream may take in all, in milliseconds: the time of its query, the last piece, and the calls after it.
pub const STREAM_MS: i64 = QUERY_MS + READER_IDLE_MS + 30_000;

/// Time limit of a call to a Durable Object, in milliseconds. A call writes at most a few megabytes; a trap in the
/// object would otherwise leave the caller waiting forever.
pub const OBJECT_CALL_MS: u64 = 30_000;

/// Time that the sender of a body has for each piece of it, in milliseconds: Logpush sends a file of 100 MB without a
/// pause.
pub const SENDER_IDLE_MS: i64 = 30_000;

/// Bytes that buy that much time: 2 KB/s, a hundredth of a slow line. A piece of fewer buys less, so that a line every few
/// seconds is silence.
pub const SENDER_IDLE_BYTES: i64 = 64 * 1024;

/// Time that a body may take in all, in milliseconds: 100 MB in five minutes are 333 KB/s.
pub const BODY_MS: i64 = 300_000;

/// Time limit of a request, in milliseconds: a client that reads slowly continues with its cursor. It is below the 300 s of
/// CPU that `limits.cpu_ms` grants, so that a search which ends by nothing else is not killed without one.
pub const QUERY_MS: i64 = 240_000;

/// CPU of a search for each inflated byte, in nanoseconds: inflating it, finding its line and asking a filter took 4 ns
/// under workerd (0.9 GB in 3.6 s); twice that.
pub const INFLATED_BYTE_NS: u64 = 8;

/// CPU of a search for each masked byte, in nanoseconds: 400 for a viewer, in the worst records.
pub const MASKED_BYTE_NS: u64 = 400;

/// CPU that one search may take by these prices, in nanoseconds: 50 s, a sixth of what `limits.cpu_ms` grants. That is 125 MB
/// of masked bytes, or [`QUERY_INFLATED`] bytes without masks (34 s).
pub const QUERY_WORK_NS: u64 = 50_000_000_000;

/// Work after which a search lets others of its isolate go first, in nanoseconds: 5 ms. With ten searches in an isolate
/// another request waits 50 ms for each of its turns, of which it takes a dozen.
pub const WORK_SLICE_NS: u64 = 5_000_000;

/// Stored bytes inflated at a time where each line may be masked: 7 KB of lines as a rule, which take 3 ms, and 0.5 MB in
/// deflate's worst case, 0.2 s.
pub const MASKED_PIECE: usize = KIB / 2;

/// Searches of one caller that an isolate runs at a time, unless the caller's token says otherwise.
pub const SCANS: u32 = 2;

/// Maximum of that: as many as streams fit into the memory of an isolate.
pub const SCANS_MAX: u32 = 64;

/// Time that a search waits for another one of its caller to end, in milliseconds.
pub const SCAN_WAIT_MS: i64 = 10_000;

/// CPU of explaining a record, in nanoseconds: 145 columns come to 20 KB of JSON, each byte of which takes some 10.
pub const EXPLAINED_RECORD_NS: u64 = 200_000;

const _: () = assert!(QUERY_INFLATED * INFLATED_BYTE_NS < QUERY_WORK_NS);
const _: () = assert!(QUERY_WORK_NS < 60 * 1_000_000_000);
const _: () = assert!(QUERY_MS < 300_000 && SCAN_WAIT_MS < STREAM_MS);

/// CPU of writing a record as an entry of an HTTP archive, in nanoseconds, beside masking it: 50 values are found by name
/// and come to 4 KB of JSON, each byte of which takes some 10.
pub const HAR_RECORD_NS: u64 = 60_000;
