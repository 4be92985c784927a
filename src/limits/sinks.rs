//! The bounds of the edge logger's sinks: collectors, the objects of its durable buffer, its queue.
//!
//! The invariants of [`super`] apply.

use super::{EDGE_FLUSH_BYTES, EDGE_TIMER_MS, EDGE_WAITING_BYTES, KIB, MIB, SQL_BLOB_MAX};

/// Maximum number of sinks. One request brings batches to all of them at a time, and the platform opens six connections for it.
pub const SINKS_MAX: usize = 4;

/// Maximum length of a sink's name, in bytes.
pub const SINK_NAME_BYTES: usize = 32;

/// Maximum number of labels of a collector. Loki takes 15 by default.
pub const SINK_LABELS_MAX: usize = 15;

/// Maximum number of headers of a collector, and of bytes in each value: a token, twice the size of the longest one in use.
pub const SINK_HEADERS: (usize, usize) = (16, 8 * KIB);

/// Time limit of a POST to a collector, in milliseconds. The last one of a request begins [`EDGE_TIMER_MS`] and
/// [`EDGE_TIMER_LATE_MS`] after its response at the latest, and ends before the 30 s that the platform grants.
pub const COLLECTOR_POST_MS: i64 = 9_000;

/// Time after its end at which a request begins with no batch any more, in milliseconds: a sink that hangs has had its time.
pub const EDGE_TIMER_LATE_MS: i64 = 500;

/// Time limit of a POST to a collector from an object of the durable buffer, in milliseconds: an alarm may take 15 minutes.
pub const SPOOL_POST_MS: i64 = 15_000;

/// Maximum number of bytes of a collector's answer. An item of Elastic's takes 30, and a batch has 10,000 lines at most.
pub const COLLECTOR_ANSWER_BYTES: usize = MIB;

/// Maximum time that a collector's `Retry-After` is obeyed, in milliseconds. Batches that wait are dropped for memory alone, so a
/// longer one would only make the return later.
pub const COLLECTOR_PAUSE_MS: i64 = 300_000;

/// Time after the first record at which an isolate hands its records over to the durable buffer, in milliseconds: its default and
/// its maximum. What is younger is lost when the isolate ends. At 250 ms an isolate makes four calls a second at most.
pub const EDGE_HANDOVER_MS: (i64, i64) = (250, 5_000);

/// Maximum number of objects of the durable buffer. The platform's limit of one is about 1,000 calls a second, which 250 busy
/// isolates make at the default of [`EDGE_HANDOVER_MS`].
pub const EDGE_OBJECTS_MAX: u32 = 64;

/// Maximum size of a batch in a message of `edge-queue`, in gzip. In base64 it grows by a third, and 8 KB are for its label: less
/// than the 128 KB of a message.
pub const EDGE_MESSAGE_BYTES: usize = 86 * KIB;

/// Number of bytes of records after which a batch for `edge-queue` is closed. Records compress three times and more; a batch that
/// does not is split.
pub const EDGE_MESSAGE_TEXT: usize = 256 * KIB;

/// Maximum number of bytes of the records in a batch: that of the durable buffer and one that goes beyond it.
pub const EDGE_TEXT_MAX: usize = 4 * MIB + EDGE_FLUSH_BYTES;

/// Maximum number of bytes of handed-over batches that an object of the durable buffer holds, in gzip: an hour of 400 requests a
/// second at 170 bytes each. The platform grants 10 GB.
pub const SPOOL_BYTES: u64 = 256 * MIB as u64;

/// Number of bytes of records after which an object of the durable buffer closes a batch. With its gzip and the form of a
/// collector it is held three times: 12 MB of the 128 MB of an isolate.
pub const SPOOL_BATCH_BYTES: u64 = 4 * MIB as u64;

/// Maximum number of records in a batch of the durable buffer: what Elastic's answer has room for.
pub const SPOOL_BATCH_LINES: u64 = 10_000;

/// Maximum number of handed-over batches in a batch of the durable buffer, so that a query of their rows stays short.
pub const SPOOL_BATCH_ROWS: u64 = 2_000;

/// Minimum and maximum time between two attempts of an object of the durable buffer, in milliseconds. It doubles with each.
pub const SPOOL_RETRY_MS: (i64, i64) = (1_000, 60_000);

/// Time after which an object of the durable buffer gives a batch up, in milliseconds: a day.
pub const SPOOL_KEEP_MS: i64 = 86_400_000;

/// Time after which an object of the durable buffer forgets an isolate that has handed nothing over, in milliseconds: a week. An
/// isolate that comes back later would be counted anew.
pub const SPOOL_ISOLATE_MS: i64 = 7 * SPOOL_KEEP_MS;

/// Time for which an alarm of the durable buffer works at most before it ends and is set again, in milliseconds.
pub const SPOOL_ALARM_MS: i64 = 60_000;

/// Time between two looks of a sink of the durable buffer while another one is being brought its batch, in milliseconds.
pub const SPOOL_STEP_MS: i64 = 250;

/// Time after which an alarm of the durable buffer that was killed fires again, in milliseconds.
pub const SPOOL_AGAIN_MS: i64 = 10_000;

/// Number of retries of a message of `edge-queue`: as often as the platform allows, since it has no other home.
pub const EDGE_QUEUE_RETRIES: u32 = 100;

/// Minimum and maximum delay of a message of `edge-queue` that could not be stored, in seconds. 100 retries take four days.
pub const EDGE_QUEUE_RETRY_S: (u32, u32) = (10, 3_600);

const _: () = assert!(EDGE_TIMER_MS + EDGE_TIMER_LATE_MS + COLLECTOR_POST_MS < 30_000);
const _: () = assert!(EDGE_MESSAGE_BYTES / 3 * 4 + 8 * KIB < 128_000);
const _: () = assert!(EDGE_MESSAGE_TEXT < EDGE_FLUSH_BYTES && EDGE_FLUSH_BYTES < SQL_BLOB_MAX);
const _: () = assert!(EDGE_WAITING_BYTES as u64 <= SPOOL_BYTES);
