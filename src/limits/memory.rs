//! The distribution of the module's memory.
//!
//! The invariants of [`super`] apply.

use super::{KIB, MIB};

/// Maximum size of the wasm module's memory, in bytes: an isolate has 128 MB, and the runtime's own buffers (R2
/// streams, request bodies) need about a quarter of it. `.cargo/config.toml` passes it to the linker.
pub const WASM_MEMORY_MAX: usize = 96 * MIB;

/// Memory that all requests of an isolate may hold at a time, in bytes: half of [`WASM_MEMORY_MAX`], since reading a
/// batch of 1,000,000 records at the same time takes 37 MiB, and the module itself 5.
pub const MEMORY_BUDGET: usize = WASM_MEMORY_MAX / 2;

/// Memory for reading one object or a range of it, in bytes: a piece of the body (64 KiB), its inflated bytes
/// ([`super::INFLATE_CHUNK`]) after the last window (32 KiB), the tables of the inflater (12 KiB), its checksum (68
/// KiB), a line that spans pieces (usually a few KiB): at most 440 KiB, and a reserve for the allocator.
pub const READER_BYTES: usize = 480 * KIB;

/// Number of copies of a found line that are held at a time: as stored, as shown, as a document, in the body.
pub const LINE_COPIES: usize = 4;

/// Memory of a stream, in bytes: a reader, its lines, and a piece of the answer. Sixty-four of them are 40 MiB, which
/// leaves room for concurrent lookups; measured, 64 at once take 27 MiB of the module's memory in all.
pub const STREAM_BYTES: usize = READER_BYTES + 160 * KIB;

/// Time that an answer waits for memory held by others, in milliseconds, before the client has to retry.
pub const BUSY_MS: i64 = 3_000;

/// Minimum and maximum backoff of a request that waits for memory or its turn, in milliseconds: it doubles each time.
pub const BUSY_PAUSES_MS: (i64, i64) = (20, 1_000);

/// Maximum size of a body of `POST /v1/ingest`, in bytes: the platform's limit for a request.
pub const INGEST_MAX: u64 = 100 * 1000 * 1000;

/// Size of one part of a multipart upload to R2, in bytes: R2's minimum, since each is held in memory once.
pub const UPLOAD_PART: usize = 5 * MIB;

/// Bytes of an upload that are processed at a time: the platform usually provides pieces of that size.
pub const UPLOAD_STEP: usize = 64 * KIB;

/// Memory of an upload in addition to its part, in bytes: a piece of the body and the current step of it, the bytes of
/// a step beyond the part (128 KiB for all), and the compressor's state if the upload is compressed (270 KiB).
pub const UPLOAD_BESIDE: usize = 512 * KIB;

/// Memory of [`MEMORY_BUDGET`] that uploads leave for answers, in bytes: half. The other half is four uploads of more
/// than a part, or forty of 100 KB.
pub const BESIDE_UPLOADS: usize = MEMORY_BUDGET / 2;

/// Time that an upload waits for memory, in milliseconds. Sending a part to R2 takes some 200 ms, so a hundred uploads
/// of one part each finish within 5 s; an upload that still waits then makes Logpush retry, which costs it more.
pub const UPLOAD_BUSY_MS: i64 = 30_000;

/// Time that a message waits for its turn to read a batch, in milliseconds: a batch of 1,000,000 records takes 15 s,
/// and five messages that wait this long stay below the 15 minutes of an invocation.
pub const READ_PERMIT_WAIT_MS: i64 = 120_000;

/// Time without a heartbeat from the reader of a batch after which the next one begins, in milliseconds. A reader sends
/// one with each piece of the batch; the longest silence is that of the calls that write its index,
/// [`super::OBJECT_CALL_MS`] each.
pub const READ_PERMIT_SILENT_MS: i64 = 90_000;

const _: () = assert!(UPLOAD_PART as u64 * 10_000 > INGEST_MAX);
const _: () = assert!(UPLOAD_PART + UPLOAD_BESIDE < MEMORY_BUDGET - BESIDE_UPLOADS);
const _: () = assert!(5 * READ_PERMIT_WAIT_MS < 15 * 60_000);
const _: () = assert!(READ_PERMIT_SILENT_MS < READ_PERMIT_WAIT_MS);
