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

/// Most bytes of odd ids of one batch, counted as held in memory: more than they take when packed, so that they
/// fit in one BLOB. That is 25,000 ids of 50 characters.
pub const MAX_ODD_BYTES: usize = SQL_BLOB_MAX - KIB;

/// How far a record's start may lie from its ray's time before it is counted as `clock_skewed`, in
/// milliseconds. Measured: 2 to 11 ms. The count is the alarm for a change of the Ray ID's layout.
pub const MAX_RAY_SKEW_MS: i64 = 5_000;

/// Most shards that one batch may write to: one call each, and an invocation may make 10,000. A real batch
/// touches 1 to 5; only made-up Ray IDs touch thousands.
pub const MAX_SHARDS: usize = 9_000;

/// Calls to other objects at once: the platform opens six connections and queues the rest.
pub const CONCURRENT_CALLS: usize = 6;

/// How long a call to a Durable Object may take, in milliseconds. One writes at most a few megabytes; a
/// trap in the object would otherwise leave the caller waiting for ever.
pub const OBJECT_CALL_MS: u64 = 30_000;

/// Bytes of inflated text that one span covers. A lookup reads about one span; at 1 MiB a gigabyte has a
/// thousand of them, ten bits a ray.
pub const SPAN_BYTES: u64 = MIB as u64;

/// Bits of a span's number beside a ray's 44 in one 64-bit word: 2^20 spans of 1 MiB, above [`MAX_INFLATED`].
pub const SPAN_BITS: u32 = 20;

/// Rays of one block of an entry: what a lookup decodes at most. Its directory row of 15 bytes is 0.06 bytes a ray.
pub const BLOCK_RAYS: usize = 256;

/// Rays of one part of an entry. At worst a ray takes 44 + 2 bits and its span 20: 8.25 bytes, and
/// 0.06 for the directory; 204,800 of them stay under [`SQL_BLOB_MAX`].
pub const PART_RAYS: usize = 204_800;

/// Most bytes of a row, a string or a BLOB in a Durable Object's SQLite.
pub const SQL_BLOB_MAX: usize = 2_000_000;

/// Most lines that one lookup returns; a firewall event has a dozen for one ray at most.
pub const LOOKUP_RECORDS: usize = 1_000;

/// Most bytes of lines that one lookup returns.
pub const LOOKUP_BYTES: usize = 8 * MIB;

/// Most batches that one lookup opens. A ray of ordinary form lies in one or two; an id such as `test` may
/// lie in all.
pub const LOOKUP_BATCHES: usize = 100;

/// Largest body of `POST /v1/ingest`, in bytes: what the platform lets a request carry.
pub const INGEST_MAX: u64 = 100 * 1000 * 1000;

/// Size of one part of a multipart upload to R2: the smallest that R2 takes, since each is held in memory once.
pub const UPLOAD_PART: usize = 5 * MIB;

/// Body looked at for Logpush's test upload, in bytes: it is 19 bytes of JSON, about 39 as gzip.
pub const TEST_UPLOAD_MAX: usize = 512;

/// Delay before a parse message is tried again, by attempt, in seconds: a hiccup, then an outage of the size
/// R2 had (67 minutes).
pub const PARSE_RETRY_S: [u32; 2] = [60, 5_400];

/// Longest filter, in bytes. Logpush takes 1000; a filter of ours may hold four times that.
pub const FILTER_BYTES: usize = 4 * KIB;

/// Most conditions of a filter. Logpush takes about 30 operators; each costs below 100 ns a line (reading
/// the line, 4 µs), so that 100 of them are 10 s of the 300 s of CPU for a batch of 1,000,000 lines.
pub const FILTER_CONDITIONS: usize = 100;

/// Most groups (`and`, `or`) that one condition of a filter may stand in. People write two or three.
pub const FILTER_DEPTH: usize = 10;

/// Most lines of one delivery. A partner's line is below a kilobyte on average: 10 MB of text, held once beside
/// its gzip.
pub const BATCH_SIZE_MAX: u32 = 10_000;

/// How long a signature to the partner holds, in seconds: the contract's figure. A send that takes a minute and
/// clocks that are apart by four still fit.
pub const SIGNATURE_S: i64 = 300;

/// How many random numbers a signature can have: 0 to 99,999. An isolate sends some ten deliveries a second, so
/// they last for any second that there will be.
pub const SIGNATURE_NUMBERS: u32 = 100_000;

/// Shortest and longest wait that a partner's `Retry-After` is believed, in milliseconds. Less than a second is
/// no wait; a day is how long an outage is ridden through, and a mistyped year must not stop deliveries.
pub const RETRY_AFTER_MS: (u64, u64) = (1_000, 24 * 60 * 60 * 1_000);

const _: () = assert!(RATIO_FREE < MAX_INFLATED);
const _: () = assert!(INFLATE_CHUNK < MAX_LINE);
const _: () = assert!(MAX_INFLATED / SPAN_BYTES < 1 << SPAN_BITS);
const _: () = assert!(PART_RAYS.is_multiple_of(BLOCK_RAYS));
const _: () = assert!(12 + PART_RAYS * (46 + SPAN_BITS as usize) / 8 + PART_RAYS / BLOCK_RAYS * 15 < SQL_BLOB_MAX);
const _: () = assert!(UPLOAD_PART as u64 * 10_000 > INGEST_MAX);
const _: () = assert!(MAX_LINES * 8 * 3 + MAX_ODD_BYTES as u64 * 3 < WASM_MEMORY_MAX as u64);
