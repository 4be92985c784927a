//! Limits on the edge logger: what a record holds, how long records wait, what an isolate keeps of them.
//!
//! The invariants of [`super`] apply.

use super::{KIB, MIB};

/// Depth of texts within texts in which secrets are looked for: JSON in a text of JSON, an address in a parameter, a text in
/// escapes. Each level reads its text once more, and has less of it than the one above. What is deeper is redacted as a whole.
pub const REDACTION_DEPTH: u32 = 4;

/// Maximum length of a text in an edge record, in bytes: twice the longest URL that Cloudflare passes on is 32 KB, but 95 % of
/// URLs and user agents are below 1 KB. A longer one is cut, and its field is listed in `EdgeLoggerCutFields`.
pub const EDGE_TEXT_BYTES: usize = 4 * KIB;

/// Maximum number of bytes of a request's payload that a record keeps. Escaped as JSON, each byte may take six, and the text has
/// twice as many at most: 384 KB, below [`super::MAX_LINE`].
pub const EDGE_PAYLOAD_BYTES: usize = 32 * KIB;

/// Number of records after which a batch is closed, unless a setting says otherwise, and its maximum.
pub const EDGE_FLUSH_LINES: (usize, usize) = (500, 10_000);

/// Number of bytes after which a batch is closed.
pub const EDGE_FLUSH_BYTES: usize = MIB;

/// Maximum number of seconds after which a batch is closed: the platform ends what goes on after a response 30 s later, and the
/// batch has to be stored by then.
pub const EDGE_FLUSH_MAX_S: u32 = 15;

/// Time for which one request keeps a timer for the records of its isolate, in milliseconds. With what a batch takes to be stored
/// it is below the 30 s that the platform grants.
pub const EDGE_TIMER_MS: i64 = 20_000;

/// Minimum time between two looks of a timer, in milliseconds: what is due may have to wait for what is being stored.
pub const EDGE_TIMER_STEP_MS: i64 = 50;

/// Maximum number of bytes of closed batches that wait to be stored, compressed. Records compress six times and more: 24 MB of
/// them, a minute of 250 requests a second.
pub const EDGE_WAITING_BYTES: usize = 4 * MIB;

/// Maximum number of closed batches that wait to be stored.
pub const EDGE_WAITING_BATCHES: usize = 256;

/// Number of batches that an isolate stores at the same time: the platform opens six connections for a request.
pub const EDGE_IN_FLIGHT: usize = 4;

/// Time after which a batch that is being stored counts as failed, in milliseconds: the request that stored it is gone by then.
pub const EDGE_STORE_MS: i64 = 35_000;

/// Minimum and maximum time between two attempts to store a batch, in milliseconds. It doubles with each.
pub const EDGE_RETRY_MS: (i64, i64) = (1_000, 60_000);

/// Maximum number of routes in a setting.
pub const EDGE_ROUTES_MAX: usize = 100;

/// Maximum number of names in a setting that lists headers or parameters.
pub const EDGE_NAMES_MAX: usize = 32;

/// Maximum length of the value of a recorded header, in bytes.
pub const EDGE_HEADER_BYTES: usize = KIB;

// A replaced byte of a payload takes three, and an escaped one of any text six.
const _: () =
    assert!(6 * (2 * EDGE_PAYLOAD_BYTES + 16 * EDGE_TEXT_BYTES + EDGE_NAMES_MAX * EDGE_HEADER_BYTES) < super::MAX_LINE);
const _: () = assert!(EDGE_FLUSH_MAX_S as i64 * 1_000 < EDGE_TIMER_MS && EDGE_TIMER_MS < 30_000);
const _: () = assert!(EDGE_STORE_MS > 30_000);
const _: () = assert!(EDGE_FLUSH_BYTES < EDGE_WAITING_BYTES);
