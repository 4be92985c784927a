//! Limits on mode `collect` of the edge logger: what a report is, how many an isolate holds, how often it asks for quotas.
//!
//! The wasm memory of an isolate that collects stays below 64 MiB: the open window is 4 MiB and twice that while its body is
//! made; windows that wait are 8 MiB; the largest body, as a tree of values, is 12 MiB; keys are 3 MiB; stored records, if the
//! deployment keeps them, are twice the open window and 5 MiB. That is 48 MiB with the 4 MiB that the module has at its start.
//! The invariants of [`super`] apply.

use super::{EDGE_TIMER_MS, KIB, MIB};

/// Size of a body of reports in bytes, unless a rule says otherwise, and its maximum. Browsers send tens of reports of a kilobyte
/// in one body. As a tree, two bytes of an array of digits take 48: the maximum is 6 MiB, and twice that while a list grows.
pub const COLLECT_BODY_BYTES: (usize, usize) = (64 * KIB, 256 * KIB);

/// Depth of nesting of a report. Each level is read once more; reports of browsers have three.
pub const COLLECT_DEPTH: u32 = 16;

/// Maximum number of distinct reports in a window: 5 s of 2,000 distinct ones a second. A full window closes early.
pub const COLLECT_WINDOW_REPORTS: usize = 10_000;

/// Maximum number of bytes of the distinct reports in a window, each with [`COLLECT_REPORT_BYTES`]. A full window closes early.
pub const COLLECT_WINDOW_BYTES: usize = 4 * MIB;

/// Number of bytes that a distinct report takes beside its JSON: 176 in memory (its digest, numbers and a share of the tree), or
/// 150 in the body that is forwarded, and the rest for its host.
pub const COLLECT_REPORT_BYTES: usize = 256;

/// Minimum and maximum number of seconds after which a window closes.
pub const COLLECT_SECONDS: (u32, u32) = (2, 10);

/// Maximum number of bytes of closed windows that wait for the origin, with those on their way. Then the oldest is dropped.
pub const COLLECT_WAITING_BYTES: usize = 8 * MIB;

/// Maximum number of closed windows that wait for the origin: 20 minutes of those that close after 5 s.
pub const COLLECT_WAITING_WINDOWS: usize = 256;

/// Number of windows that an isolate forwards at the same time, while the origin takes them: one more than a window of 2 s needs
/// where the origin takes 2 s.
pub const COLLECT_IN_FLIGHT: usize = 2;

/// Time limit of the POST of a window, in milliseconds. With the timer of a request it is below the 30 s that the platform grants.
pub const COLLECT_POST_MS: i64 = 9_000;

/// Time limit of a request for a key's quota, in milliseconds.
pub const COLLECT_ASK_MS: i64 = 5_000;

/// Minimum and maximum pause after a POST that failed, in milliseconds. It doubles with each.
pub const COLLECT_RETRY_MS: (i64, i64) = (1_000, 60_000);

/// Maximum pause that an origin's `Retry-After` can ask for, in milliseconds: longer ones would only fill the memory.
pub const COLLECT_PAUSE_MAX_MS: i64 = 300_000;

/// Maximum number of headers that the POST of a window has by its setting.
pub const COLLECT_HEADERS_MAX: usize = 32;

/// Depth of nesting of a schema: twice that of a browser's report.
pub const COLLECT_SCHEMA_DEPTH: usize = 8;

/// Maximum number of keys whose quota an isolate keeps: 150 bytes each, in two trees. The least recently used leaves.
pub const QUOTA_KEYS: usize = 10_000;

/// Maximum length of a key that the origin is asked about, in bytes. A longer one counts as within its quota.
pub const QUOTA_KEY_BYTES: usize = 256;

/// Life of the origin's answer about a key in milliseconds, unless the answer says otherwise.
pub const QUOTA_LIFE_MS: i64 = 60_000;

/// Minimum and maximum life of the origin's answer about a key, in milliseconds.
pub const QUOTA_LIFE_BOUNDS_MS: (i64, i64) = (1_000, 3_600_000);

/// Time after which the origin is asked again about a key if it gave no answer, in milliseconds.
pub const QUOTA_RETRY_MS: i64 = 10_000;

/// Number of keys that an isolate asks about in a second at most: made-up keys must not cost the origin a request each.
pub const QUOTA_ASKS_PER_SECOND: u32 = 10;

/// Maximum number of records of a key and minute that a rule can grant.
pub const QUOTA_PER_MINUTE_MAX: u32 = 1_000_000;

const _: () = assert!(EDGE_TIMER_MS + COLLECT_POST_MS < 30_000);
const _: () = assert!(COLLECT_SECONDS.1 as i64 * 1_000 < EDGE_TIMER_MS);
const _: () = assert!(2 * COLLECT_BODY_BYTES.1 + KIB < super::MAX_LINE);
const _: () = assert!(COLLECT_WINDOW_BYTES < COLLECT_WAITING_BYTES);
const _: () = assert!(3 * COLLECT_WINDOW_BYTES + COLLECT_WAITING_BYTES + 48 * COLLECT_BODY_BYTES.1 < 64 * MIB);
