//! The self-check: lookups of rays in the newest batch of each dataset, and what a webhook hears of.

use super::KIB;

/// Number of records of a batch that a canary looks up, chosen by chance. With a period of ten minutes each span of a batch
/// of 100 is tried within some hours; each lookup costs 1 ms of CPU and two reads.
pub const CANARY_RECORDS: usize = 8;

/// Number of shards of a batch of which a canary looks up a further record: each holds an entry of its own, and a batch of
/// half an hour has four.
pub const CANARY_SHARDS: usize = 16;

/// Maximum length of a record that a canary looks up, in bytes: usual records have 1.5 KB, and all that are held at a time
/// 384 KiB.
pub const CANARY_LINE: usize = 16 * KIB;

/// Memory of the records that a canary holds at a time, in bytes, with their rays.
pub const CANARY_BYTES: usize = (CANARY_RECORDS + CANARY_SHARDS) * (CANARY_LINE + KIB);

/// Maximum age of a batch that a canary tries, in milliseconds: a day. The newest batch of a job that was ended is an older
/// one, and may be removed by the bucket's lifecycle.
pub const CANARY_AGE_MS: i64 = 24 * HOUR_MS;

/// Milliseconds of an hour.
pub const HOUR_MS: i64 = 3_600_000;

/// Time after which the last self-check counts as missing, in milliseconds: three periods of the cron.
pub const SELF_CHECK_LATE_MS: i64 = 30 * 60_000;

/// Difference between the clock of the partner and ours that is worth a warning, in milliseconds: a signature is valid for
/// minutes, and `Date` has whole seconds.
pub const PARTNER_CLOCK_MS: i64 = 30_000;

/// Time that a webhook has to take a notice, in milliseconds.
pub const NOTICE_MS: i64 = 10_000;

/// Time for which the partner's breaker is open before a webhook hears of it, in milliseconds: as the alert's.
pub const NOTICE_OPEN_MS: i64 = 5 * 60_000;

/// Time for which a payload has waited before a webhook hears of it, in milliseconds: as the critical alert's.
pub const NOTICE_PENDING_MS: i64 = 3_600_000;

const _: () = assert!(CANARY_BYTES < 512 * KIB);
