//! Limits of what is removed when its time has passed.

/// A day in milliseconds.
const DAY_MS: i64 = 24 * 3_600_000;

/// Maximum number of days for which a deployment may say that its bucket keeps logs: a century.
pub const RETENTION_DAYS_MAX: u32 = 36_500;

/// Retention of the claims of an object's lines after the object was removed, counted from its upload, in milliseconds:
/// 30 days. A moved object is deleted at once, an expired one later; a claim is 4 bytes per ray.
pub const CLAIMS_KEPT_MS: i64 = 30 * DAY_MS;

/// How long the index and the ledgers keep what they have of a batch after its time, in milliseconds: a day, for R2 removes an object
/// within 24 hours of its expiry.
pub const EXPIRY_MARGIN_MS: i64 = DAY_MS;

/// How long a shard or a ledger at most waits until it looks again what has expired, in milliseconds: 30 days, so that a setting that is
/// changed counts for what is there already. A look is a request and a row written: 100,000 shards, those of two years, cost $0.12
/// a month.
pub const EXPIRY_LOOK_MS: i64 = 30 * DAY_MS;

/// After what time a shard first looks, in milliseconds: no batch expires earlier.
pub const EXPIRY_FIRST_MS: i64 = DAY_MS + EXPIRY_MARGIN_MS;

/// Maximum number of entries and claims that a shard drops at once: 3 statements each, 50 ms in all.
pub const EXPIRED_AT_ONCE: usize = 1_000;

/// After what time a shard that has more to drop goes on, in milliseconds.
pub const EXPIRY_AGAIN_MS: i64 = 10_000;

/// Maximum number of batches that a ledger forgets at once, each with up to [`MAX_PAYLOADS`](super::MAX_PAYLOADS) rows, mostly with a few.
pub const EXPIRED_SOURCES_AT_ONCE: usize = 100;

/// How long a ledger at least waits until it looks again at what is due but not settled, in milliseconds.
pub const EXPIRY_UNSETTLED_MS: i64 = DAY_MS;
