//! Bounds of erasures.
//!
//! The invariants of [`super`] apply.

/// Maximum number of values of one erasure: those of a request of 64 KB, 64 bytes each.
pub const ERASURE_VALUES: usize = 1_000;

/// Maximum length of a value, in bytes: that of the longest URL that Cloudflare passes on.
pub const ERASURE_VALUE_BYTES: usize = 16_384;

/// Maximum number of erasures. A line is held against those whose times it has, and takes a digest for each, of a microsecond; of
/// all that erase whole rays, one digest for each of its rays.
pub const ERASURES_KEPT: u64 = 1_000;

/// Maximum number of values of all erasures: 3.2 MB in the registry's answer, and as much in the memory of an
/// isolate.
pub const ERASED_VALUES_KEPT: u64 = 100_000;

/// Maximum number of erasures that a list shows.
pub const ERASURES_LISTED: u64 = 100;

/// Maximum number of payloads that one answer about an erasure lists, of 300 bytes each.
pub const ERASED_PAYLOADS_LISTED: u64 = 1_000;

/// How long an isolate that reads batches may go by the erasures that it knows, in milliseconds: it asks the registry once in that
/// time. The backfill of an erasure begins later than that, so that it meets each batch that was read by older rules.
pub const ERASURES_FRESH_MS: i64 = 20_000;

/// Default rate of an erasure, in lines per second: a batch of 83,000 lines a second, of which reading takes 0.2 s.
pub const ERASURE_RATE: u64 = 100_000;

/// Bytes of erased lines that are taken out of payloads at once; a batch of which all lines are erased is read once for each of
/// these, 17 times if it has 133 MB of text.
pub const ERASED_AT_ONCE: usize = 8 << 20;

/// Time until an object is tried again of which a payload is being sent, in seconds: that of a claim.
pub const ERASURE_RETRY_S: u32 = 60;

/// Maximum number of pages that the backfill of an erasure lists in one run of the cron. The objects of a page are in up to 1,000
/// ledgers, each of which is asked: 8,000 calls of the 10,000 that a run may make.
pub const ERASURE_PAGES: usize = 8;
