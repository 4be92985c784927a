//! How the module's memory is shared out.
//!
//! The invariants of [`super`] apply.

use super::{KIB, MIB};

/// The most that the wasm module may grow to, in bytes: an isolate has 128 MB, and the runtime's own buffers (R2
/// streams, request bodies) need about a quarter of it. `.cargo/config.toml` passes it to the linker.
pub const WASM_MEMORY_MAX: usize = 96 * MIB;

/// What all requests of an isolate may hold at a time, in bytes: half of [`WASM_MEMORY_MAX`], since reading a batch of
/// 1,000,000 records at the same time takes 37 MiB, and the module itself 5.
pub const MEMORY_BUDGET: usize = WASM_MEMORY_MAX / 2;

/// What reading one object or a range of it holds, in bytes: a piece of the body (64 KiB), what it inflates to
/// ([`super::INFLATE_CHUNK`]) after the last window (32 KiB), the tables of the inflater (12 KiB), its checksum (68
/// KiB), a line that is cut (a few KiB as a rule): 440 KiB at most, and a reserve for the allocator.
pub const READER_BYTES: usize = 480 * KIB;

/// How often a line that was found is held at a time: as it was found, as it is seen, as a document, in the body.
pub const LINE_COPIES: usize = 4;

/// What a stream holds, in bytes: a reader, its lines, and a piece of the answer. Sixty-four of them are 40 MiB, which
/// leaves room for lookups at the same time; measured, 64 at once take 27 MiB of the module's memory in all.
pub const STREAM_BYTES: usize = READER_BYTES + 160 * KIB;

/// How long an answer waits for memory that others hold, in milliseconds, before the client has to retry.
pub const BUSY_MS: i64 = 3_000;

/// The first and the longest backoff of a request that waits for memory or its turn, in milliseconds: each is twice
/// the one before.
pub const BUSY_PAUSES_MS: (i64, i64) = (20, 1_000);

/// Largest body of `POST /v1/ingest`, in bytes: what the platform lets a request carry.
pub const INGEST_MAX: u64 = 100 * 1000 * 1000;

/// Size of one part of a multipart upload to R2: the smallest that R2 takes, since each is held in memory once.
pub const UPLOAD_PART: usize = 5 * MIB;

/// Bytes of an upload that are taken in at once: what the platform hands over is mostly a piece of that size.
pub const UPLOAD_STEP: usize = 64 * KIB;

/// What an upload holds in addition to its part, in bytes: a piece of the body and the step that is taken of it, what
/// a step may fill beyond the part (128 KiB for all), and where it is compressed the state of that (270 KiB).
pub const UPLOAD_BESIDE: usize = 512 * KIB;

/// What uploads leave of [`MEMORY_BUDGET`] for answers, in bytes: half. The other half is four uploads of more than a part, or
/// forty of 100 KB.
pub const BESIDE_UPLOADS: usize = MEMORY_BUDGET / 2;

/// How long an upload waits for memory, in milliseconds. A part is on its way to R2 for some 200 ms, so that a hundred
/// uploads of a part each are through in 5 s; an upload that still waits then makes Logpush retry, which costs it
/// more.
pub const UPLOAD_BUSY_MS: i64 = 30_000;

/// How long a message waits for its turn to read a batch, in milliseconds: a batch of 1,000,000 records takes 15 s, and
/// five messages that wait so long stay below the 15 minutes of an invocation.
pub const READ_PERMIT_WAIT_MS: i64 = 120_000;

/// How long the reader of a batch may be silent until the next one begins, in milliseconds. It reports with each piece
/// of the batch; the longest silence is that of the calls that write its index, [`super::OBJECT_CALL_MS`] each.
pub const READ_PERMIT_SILENT_MS: i64 = 90_000;

const _: () = assert!(UPLOAD_PART as u64 * 10_000 > INGEST_MAX);
const _: () = assert!(UPLOAD_PART + UPLOAD_BESIDE < MEMORY_BUDGET - BESIDE_UPLOADS);
const _: () = assert!(5 * READ_PERMIT_WAIT_MS < 15 * 60_000);
const _: () = assert!(READ_PERMIT_SILENT_MS < READ_PERMIT_WAIT_MS);
