//! Bounds of the ledgers that one answer or one run reads. An hour counts once, however many partitions it has.

/// Maximum number of partitions of an hour, each a ledger of its own: with a bound of 1,400,000 requests a second each
/// (`docs/scale.md`), more than 11,000,000. A sweep of two weeks makes two calls to each: 5,376 of the 10,000 that an
/// invocation may make.
pub const PARTITIONS_MAX: u8 = 8;

/// Maximum number of hours whose ledgers a sweep visits: two weeks.
pub const SWEEP_HOURS: u64 = 14 * 24;

/// Maximum number of hours summed up in one answer: a month has 744. At [`CONCURRENT_CALLS`](super::CONCURRENT_CALLS) per
/// 10 ms, 1.3 s; with [`PARTITIONS_MAX`], 6,400 calls and 11 s.
pub const HOURS_READ: u64 = 800;

/// Maximum number of hours whose health is combined: the last day with batches, in four rounds of
/// [`CONCURRENT_CALLS`](super::CONCURRENT_CALLS).
pub const HEALTH_HOURS: u64 = 24;

/// Maximum number of hours with batches whose ledgers are asked for the newest batch of a dataset.
pub const SEEN_HOURS: u64 = 3;

/// Maximum number of hours whose ledgers are asked whether a range is complete: those of 41 days; with [`PARTITIONS_MAX`], 8,000
/// of the 10,000 calls that an invocation may make.
pub const COMPLETENESS_HOURS: u64 = 1_000;

/// Number of hours whose ledgers are asked for their newest batches: those of
/// [`CANARY_AGE_MS`](super::CANARY_AGE_MS), that of the present and the next one, and some groups without an hour.
pub const CANARY_HOURS: u64 = 40;

/// Maximum number of hours of which an isolate remembers how many partitions they have: those of 41 days.
pub const PARTITIONS_KNOWN: usize = 1_000;

/// Maximum number of prefixes that an isolate remembers to be marked as occupied: those of a month in one dataset.
pub const MARKS_KNOWN: usize = 4_096;

/// Maximum number of erased lines of a batch that are taken out of its payloads together. In three plans, each in a payload of its
/// own, they are 6,000 rows of an answer of 700 bytes each: 4 MB.
pub const ERASED_TOGETHER: usize = 2_000;

/// How often an erasure looks again at payloads, or at a pack, that others change meanwhile. Each such change is one attempt to send,
/// or another erasure.
pub const ERASURE_ROUNDS: usize = 8;

const _: () = assert!(2 * SWEEP_HOURS * PARTITIONS_MAX as u64 <= 10_000);
const _: () = assert!(COMPLETENESS_HOURS * PARTITIONS_MAX as u64 <= 10_000);
