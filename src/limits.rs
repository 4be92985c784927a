//! Every bound of the system, once, each with its arithmetic.
//!
//! What always holds: a number that guards memory, time or money stands here and nowhere else;
//! numbers that depend on each other are compared at compile time at the end of the file.

/// One kibibyte, in bytes.
pub const KIB: usize = 1024;
/// One mebibyte, in bytes.
pub const MIB: usize = 1024 * KIB;

/// The most that the wasm module may grow to, in bytes: an isolate has 128 MB, and the runtime's own
/// buffers (R2 streams, request bodies) need about a quarter of it. `.cargo/config.toml` tells the linker.
pub const WASM_MEMORY_MAX: usize = 96 * MIB;

/// Longest line taken as a record, in bytes. Records are 10 KB at most for `http_requests` and 47 KB for
/// `firewall_events`; a Worker trace holds at most 256 KB of console output, which JSON escapes can double
/// twice over. A longer line is rejected and counted, and never held in memory.
pub const MAX_LINE: usize = MIB;

/// Most lines of one batch. Logpush writes at most 1,000,000 records to a file; twice that leaves room for
/// other writers. At 8 bytes a ray while building, and twice that while a vector grows: 48 MB.
pub const MAX_LINES: u64 = 2_000_000;

/// Most bytes that one object may inflate to. Logpush stops at 1 GB, but 1,000,000 records of its own average
/// (1.6 KB) are 1.6 GB; 4 GiB takes about 15 s of the 300 s of CPU that `limits.cpu_ms` grants.
pub const MAX_INFLATED: u64 = 4 * 1024 * MIB as u64;

/// Largest inflated-to-stored ratio believed. Log lines reach 15, very uniform ones 60; deflate itself cannot
/// pass 1032. Judged only after [`RATIO_FREE`] bytes, since a tiny file of equal lines is harmless.
pub const MAX_RATIO: u64 = 200;

/// Inflated bytes before [`MAX_RATIO`] is judged: what a bomb may cost at most, about 50 ms of CPU.
pub const RATIO_FREE: u64 = 16 * MIB as u64;

/// Size of the buffer that inflated bytes are handed on in. 64 KiB keeps it in the second-level cache, and a
/// line crosses its end only once in forty.
pub const INFLATE_CHUNK: usize = 64 * KIB;

/// If this many first lines are all rejected, the object is no NDJSON and the rest of it is not read.
pub const EARLY_REJECTED_LINES: u64 = 1000;

/// Longest ray id that is not 16 hexadecimal digits, in bytes. Real ones are 12 to 32 characters; a longer one
/// is counted as a record without a ray.
pub const MAX_ODD_ID: usize = 128;

/// Most bytes of odd ids of one batch held while building its entry: 4 MiB is 60,000 ids of 64 bytes.
pub const MAX_ODD_BYTES: usize = 4 * MIB;

/// How far a record's start may lie from its ray's time before it is counted as `clock_skewed`, in
/// milliseconds. Measured: 2 to 11 ms. The count is the alarm for a change of the Ray ID's layout.
pub const MAX_RAY_SKEW_MS: i64 = 5_000;

const _: () = assert!(RATIO_FREE < MAX_INFLATED);
const _: () = assert!(INFLATE_CHUNK < MAX_LINE);
const _: () = assert!(MAX_LINES as usize * 8 * 3 + MAX_ODD_BYTES * 3 < WASM_MEMORY_MAX);
