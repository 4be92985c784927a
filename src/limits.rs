//! Every bound of the system, defined once, with its arithmetic.
//!
//! # Invariants
//!
//! A number that guards memory, time or money is defined here and nowhere else. Numbers that depend on each other are
//! compared at compile time at the end of the file.

mod answers;
mod audit;
mod backfill;
mod canary;
mod collect;
mod deadlines;
mod edge;
mod erasure;
mod expiry;
mod family;
mod form;
mod ledgers;
mod mcp;
mod memory;
mod neighbours;
mod otlp;
mod pace;
mod page;
mod plots;
mod prices;
mod sinks;
mod traces;

pub use answers::*;
pub use audit::*;
pub use backfill::*;
pub use canary::*;
pub use collect::*;
pub use deadlines::*;
pub use edge::*;
pub use erasure::*;
pub use expiry::*;
pub use family::*;
pub use form::*;
pub use ledgers::*;
pub use mcp::*;
pub use memory::*;
pub use neighbours::*;
pub use otlp::*;
pub use pace::*;
pub use page::*;
pub use plots::*;
pub use prices::*;
pub use sinks::*;
pub use traces::*;

/// Number of bytes in a kibibyte.
pub const KIB: usize = 1024;
/// Number of bytes in a mebibyte.
pub const MIB: usize = 1024 * KIB;

/// Maximum length of a record's line, in bytes. Records have at most 10 KB for `http_requests` and 47 KB for
/// `firewall_events`; a Worker trace contains at most 256 KB of console output, which JSON escapes can double twice. A
/// longer line is rejected and counted, and never held in memory.
pub const MAX_LINE: usize = MIB;

/// Maximum number of lines in a batch. Logpush writes at most 1,000,000 records to a file; twice that leaves room for
/// other writers. At 8 bytes per ray while building, and twice that while a vector grows: 48 MB.
pub const MAX_LINES: u64 = 2_000_000;

/// Maximum inflated size of an object, in bytes. Logpush stops at 1 GB, but 1,000,000 records of its own average (1.6
/// KB) are 1.6 GB; 4 GiB takes about 15 s of the 300 s of CPU that `limits.cpu_ms` grants.
pub const MAX_INFLATED: u64 = 4 * 1024 * MIB as u64;

/// Maximum ratio of inflated to stored bytes. Log lines reach 15, very uniform ones 60; deflate itself cannot exceed
/// 1032. Checked only after [`RATIO_FREE`] bytes, since a tiny file of equal lines is harmless.
pub const MAX_RATIO: u64 = 200;

/// Inflated bytes before [`MAX_RATIO`] is checked: the maximum cost of a bomb, about 50 ms of CPU.
pub const RATIO_FREE: u64 = 16 * MIB as u64;

/// Size of the buffer for inflated bytes. Measured: 256 KiB takes 3 % less time than 64, since the last window is moved
/// to the start whenever the buffer is full; 512 gains nothing more.
pub const INFLATE_CHUNK: usize = 256 * KIB;

/// Number of member names that a scanner remembers. The largest dataset has 150 fields; several jobs share most of
/// them.
pub const SCAN_NAMES: usize = 512;

/// Maximum length of a member name that a scanner remembers, in bytes, with quotes and colon: Cloudflare's have at most
/// 45. Each is held twice, with some 40 bytes more: [`SCAN_NAMES`] of them are at most 86 KB.
pub const SCAN_NAME_BYTES: usize = 64;

/// Maximum length of a ray id that is not 16 hexadecimal digits, in bytes. Real ones have 12 to 32 characters; a longer
/// one counts as a record without a ray.
pub const MAX_NONSTANDARD_ID: usize = 128;

/// Maximum size of a batch's nonstandard ids in memory, in bytes: more than their packed size, so that they fit in one
/// BLOB with the table of their spans. That is 24,000 ids of 50 characters.
pub const MAX_NONSTANDARD_BYTES: usize = SQL_BLOB_MAX - SPAN_TABLE_MAX - KIB;

/// Maximum difference between a record's start and its ray's time before it counts as `clock_skewed`, in milliseconds.
/// Measured: 2 to 11 ms. The count would reveal a change of the Ray ID's layout.
pub const MAX_RAY_SKEW_MS: i64 = 5_000;

/// Maximum number of shards that a batch may write to: one call each, and an invocation may make 10,000. A real batch
/// writes to 1 to 5; only invented Ray IDs or times reach thousands.
pub const MAX_SHARDS: usize = 9_000;

/// Number of prefixes in a row of the occupancy map, one bit each: 31 days in 512 bytes. Each new prefix (one per 655
/// s) rewrites its row, regardless of its length, and eight rows fit into a page of the database. A search over a month
/// reads two rows, one over all times 256; rows of a day would be 8,000.
pub const OCCUPANCY_ROW: u32 = 4_096;

/// Size of a row of the occupancy map, in bytes.
pub const OCCUPANCY_ROW_BYTES: usize = OCCUPANCY_ROW as usize / 8;

/// Number of concurrent calls to Durable Objects: the platform opens six connections and queues the rest.
pub const CONCURRENT_CALLS: usize = 6;

/// Maximum number of payloads that are claimed and sent together: one for each connection that the platform opens, so that none
/// waits for its connection under its claim. Sealing, claiming and committing six of them takes three rows instead of
/// eighteen.
pub const GROUP_PAYLOADS: usize = CONCURRENT_CALLS;

/// Maximum size of a pack of payloads, in bytes. 1000 lines are 97 KB of gzip, so the 18 payloads of a batch of 18,000
/// records are one object of 1.7 MB, and the 1,000 of a batch of 1,000,000 records are 24 objects. A larger payload has
/// its own pack. A pack is held in memory as a whole, and a parked payload keeps the others in its pack.
pub const PACK_BYTES: usize = 4 * MIB;

/// Maximum number of payloads in a pack: each claim reads the row with their offsets, and 1000 numbers are 8 KB.
pub const PACK_PAYLOADS: usize = 1000;

/// Number of packs of a batch that are written concurrently. With the one that waits for its turn and the one being
/// filled, four of [`PACK_BYTES`] are held: 16 MiB. A batch of 1,000,000 records closes a pack every 0.6 s of CPU.
pub const CONCURRENT_PUTS: usize = 2;

/// Minimum inflated bytes between two access points. A lookup reads one span, and inflates half of it on average.
/// Measured on a batch of 12 MB (159 MB of text, a block every 312 KB): at 1 MiB the windows are 2.7 % of the gzip and
/// a range is 99 KB; at 768 KiB 3.7 % and 75 KB; at 512 KiB 5.5 % and 51 KB. That was with each window compressed alone, at
/// level 3; they now take a sixth less.
pub const SPAN_BYTES: u64 = MIB as u64;

/// Maximum size of the table of spans in a part of an entry, in bytes: nine numbers per span, at most two above 2^35.
pub const SPAN_TABLE_MAX: usize = (MAX_INFLATED / SPAN_BYTES) as usize * 40;

/// Stored bytes that are read of the block in which a span's last line ends, in addition to two per byte of its text up
/// to there: the header of a deflate block, with 286 and 30 code lengths at 7 bits and their own codes, is below 300
/// bytes. Two are enough for a byte of text: a literal takes at most 15 bits, a match of three bytes 48.
pub const SPAN_MARGIN: u64 = 512;

/// Maximum size of the packed windows of an object, in bytes: 1,000,000 records of 1.6 KB have 1,300 access points of
/// 2.2 KB each. Beyond it, no more points are made, and the last span is a long one.
pub const WINDOWS_MAX: usize = 8 * MIB;

/// Maximum number of windows that are compressed as one stream, a group. A lookup reads the windows of the group before its
/// own too: 2.5 on average.
pub const GROUP_WINDOWS: usize = 4;

/// Maximum size of the windows of a group before they are compressed, in bytes: one window that is referred to
/// everywhere, four of 9.5 KB as a rule. Deflate reaches back half as far.
pub const GROUP_TEXT: usize = 64 * KIB;

/// Number of bits of a span's number, beside a ray's 44 in a 64-bit word: 2^20 spans of 1 MiB, above [`MAX_INFLATED`].
pub const SPAN_BITS: u32 = 20;

/// Number of rays in a block of an entry: the maximum that a lookup decodes. Its directory row of 15 bytes is 0.06
/// bytes per ray.
pub const BLOCK_RAYS: usize = 256;

/// Number of rays in a part of an entry. In the worst case a ray takes 44 + 2 bits and its span 20: 8.25 bytes, plus
/// 0.06 for the directory; 204,800 of them stay under [`SQL_BLOB_MAX`].
pub const PART_RAYS: usize = 204_800;

/// Maximum size of a batch's summary, in bytes. Each of its entries has a copy: a query asks a shard for all of them,
/// and 200 of 2 KB are half a megabyte.
pub const SUMMARY_MAX: usize = 2 * KIB;

/// Maximum number of distinct values of a field that a batch's summaries list: one bit each per span.
pub const SUMMARY_TOKENS: usize = 256;

/// Maximum total size of the listed values of one field, in bytes: 256 hosts of 32 bytes.
pub const SUMMARY_TOKEN_BYTES: usize = 8 * KIB;

/// Maximum length of a listed value, in bytes: a host has at most 253.
pub const SUMMARY_TOKEN_MAX: usize = 256;

/// Maximum number of distinct texts of a field in one span's filter: lines of 128 bytes fill [`SPAN_BYTES`] with that
/// number, and the filter is 10 KB. The span after the last access point may be longer.
pub const SUMMARY_TEXTS: usize = 8 * KIB;

/// Maximum number of distinct texts of a field in a batch's filter: more would not fit into [`SUMMARY_MAX`].
pub const SUMMARY_BATCH_TEXTS: usize = SUMMARY_MAX * 8 / FILTER_TEXT_BITS;

/// Number of bits in a filter per text: one of 120 other texts passes.
pub const FILTER_TEXT_BITS: usize = 10;

/// Maximum size of the filters in the summaries of a batch's spans, in bytes: 1,000,000 distinct addresses are 1.25 MB.
pub const SUMMARIES_MAX: usize = 4 * MIB;

/// Number of batches in a page of a shard's list: 600 KB of JSON with summaries, and [`CONCURRENT_CALLS`] may arrive at
/// once.
pub const SHARD_PAGE: usize = 200;

/// Maximum size of the summaries of a batch's spans that a query reads into memory, in bytes: the filters, 12
/// dictionaries of 8 KB, and less than another kilobyte for each of 4,096 spans.
pub const SUMMARIES_OBJECT_MAX: u64 = (SUMMARIES_MAX + 5 * MIB) as u64;

/// Maximum size of a row, a string or a BLOB in a Durable Object's SQLite, in bytes.
pub const SQL_BLOB_MAX: usize = 2_000_000;

/// Maximum number of folders of unknown datasets that are reported: some 100 bytes each, and a bucket has only a few.
pub const UNKNOWN_FOLDERS: usize = 1_000;

/// Maximum size of a body that is examined for Logpush's test upload, in bytes: it is 19 bytes of JSON, about 39 as
/// gzip.
pub const TEST_UPLOAD_MAX: usize = 512;

/// Maximum size of an object that is read ahead to recognise that upload, in bytes. Even a batch of one short record is
/// larger, so no batch is read twice.
pub const TEST_OBJECT_MAX: u64 = 96;

/// Delay before a parse message is retried, by attempt, in seconds, plus up to a quarter: first for a hiccup, then for a
/// restart, then for an outage as long as R2's (67 minutes).
pub const PARSE_RETRY_S: [u32; 3] = [8, 60, 5_400];

/// Maximum length of a filter, in bytes. Logpush accepts 1000; a filter of raydex may have four times that.
pub const FILTER_BYTES: usize = 4 * KIB;

/// Maximum number of conditions in a filter. Logpush accepts about 30 operators; each costs less than 100 ns per line
/// (reading the line takes 4 µs), so 100 of them are 10 s of the 300 s of CPU for a batch of 1,000,000 lines.
pub const FILTER_CONDITIONS: usize = 100;

/// Maximum number of nested groups (`and`, `or`) around a condition of a filter. People write two or three.
pub const FILTER_DEPTH: usize = 10;

/// Maximum number of lines in a delivery. A partner line averages less than a kilobyte: 10 MB of text, held once
/// together with its gzip.
pub const BATCH_SIZE_MAX: u32 = 10_000;

/// Validity of a signature to the partner, in seconds, by contract. It allows for a send that takes a minute plus a
/// clock difference of four.
pub const SIGNATURE_S: i64 = 300;

/// Number of random numbers for a signature: 0 to 99,999. An isolate sends some ten deliveries a second, so they
/// suffice for every second.
pub const SIGNATURE_NUMBERS: u32 = 100_000;

/// Minimum and maximum of an accepted `Retry-After` from the partner, in milliseconds. Less than a second is no pause;
/// a day covers a long outage, and a mistyped year must not stop deliveries.
pub const RETRY_AFTER_MS: (u64, u64) = (1_000, 24 * 60 * 60 * 1_000);

/// Maximum length of an object's key, in bytes, set by R2.
pub const KEY_BYTES: usize = 1024;

/// Maximum number of objects in a page of a listing, and in a removal, set by R2.
pub const LIST_PAGE: usize = 1000;

/// Minimum and maximum of the time limit of a POST to the partner, in seconds. 1000 lines are 100 KB of gzip: less than ten
/// seconds would count slow partners as silent; after five minutes no partner answers any more.
pub const POST_S: (u32, u32) = (10, 300);

/// Maximum number of bytes read of the partner's answer: its status alone says "stored".
pub const POST_ANSWER_MAX: usize = 64 * KIB;

/// Maximum number of bytes kept of the partner's refusal until it is cleaned: words that say why come first.
pub const REFUSAL_BYTES: usize = 4 * KIB;

/// Maximum number of characters of the partner's refusal that a payload's row has: a sentence or two.
pub const REFUSAL_CHARS: usize = 200;

/// Maximum number of payloads that one decision by a filter applies to: 10,000 rows written in the ledger's transaction take
/// half a second, and cost a cent.
pub const DECIDED_AT_ONCE: u64 = 10_000;

/// Maximum number of payloads that one decision names: 100 handles of 100 bytes fit into [`OPERATION_BODY_MAX`].
pub const PAYLOADS_NAMED: usize = 100;

/// Maximum number of payloads in a list across ledgers: a kilobyte each.
pub const PAYLOADS_LISTED: u64 = 1000;

/// Time limit of the request without a body that shows whether the partner's host can be reached, in milliseconds.
pub const CONNECT_MS: i64 = 10_000;

/// Time reserved for reading a body, in milliseconds: a small object, seconds at worst.
pub const BODY_READ_MS: i64 = 30_000;

/// Returns the duration of a claim under this time limit of a POST, in milliseconds: its turn, the body, the connection,
/// two POSTs (the second with the second key), and the commit with its retries. No POST begins that could outlast it.
#[must_use]
pub const fn lease_ms(post_ms: i64) -> i64 {
    PACING_MS + BODY_READ_MS + CONNECT_MS + 2 * post_ms + COMMIT_MS
}

/// Duration of the longest claim, in milliseconds: eleven minutes.
pub const LEASE_MAX_MS: i64 = lease_ms(POST_S.1 as i64 * 1_000);

/// Time reserved for the commit at the end of a lease, after the last POST, in milliseconds.
pub const COMMIT_MS: i64 = 15_000;

/// Time that an outcome waits for those of the payloads that were sent with it, in milliseconds: they are committed in one
/// call, whose answers would otherwise be one for each. An outcome whose isolate ends meanwhile is in doubt.
pub const COMMIT_TOGETHER_MS: i64 = 1_000;

/// Pauses between the attempts of a commit, in milliseconds: a lost answer leaves its payload in doubt, so a hiccup of
/// the ledger is waited out.
pub const COMMIT_PAUSES_MS: [i64; 4] = [100, 500, 2_000, 8_000];

/// First pause after a failed attempt, in milliseconds; it doubles.
pub const RETRY_MIN_MS: i64 = 15_000;

/// Maximum pause between attempts, in milliseconds: an hour, so that a partner that recovers after a day has everything
/// an hour later.
pub const RETRY_MAX_MS: i64 = 3_600_000;

/// First pause after a claim that was returned without a POST, in milliseconds, give or take a quarter; it doubles. Most
/// hiccups of the bucket are over by then.
pub const RELEASED_MIN_MS: i64 = 7_500;

/// Maximum pause after a claim that was returned without a POST, in milliseconds: while the bucket is unavailable, every
/// payload tries to read its body once a minute.
pub const RELEASED_MAX_MS: i64 = 60_000;

/// Number of attempts that the partner leaves without an answer, while it answers for other payloads, before a payload
/// waits for a person. If one POST in fifty hangs by chance, three in a row do once in 125,000 payloads.
pub const UNANSWERED_MAX: u32 = 3;

/// Maximum number of attempts before a payload waits for a person: at one per hour, eight days.
pub const MAX_ATTEMPTS: u32 = 200;

/// Number of consecutive failures that open the breaker. If one POST in twenty fails, five consecutive failures occur
/// once in three million.
pub const BREAKER_FAILURES: u32 = 5;

/// First pause of an open breaker, in milliseconds; it doubles with each probe that fails.
pub const BREAKER_MIN_MS: i64 = 30_000;

/// Maximum pause of an open breaker, in milliseconds. With two waits of five seconds for a queue's batch, the probe's and
/// those of the payloads, everything that was due is out within a minute of the partner's recovery.
pub const BREAKER_MAX_MS: i64 = 45_000;

/// Age of a breaker's standing at which a sender asks again, in milliseconds: a batch of slow POSTs takes minutes.
pub const STANDING_MS: i64 = 30_000;

/// Number of addresses and keys of the partner whose breaker is kept: those of the last changes.
pub const BREAKERS_KEPT: u64 = 8;

/// Delay after the seal at which the ledger sends a message itself, if the payload is not claimed, in milliseconds.
pub const OUTBOX_FIRST_MS: i64 = 60_000;

/// Delay after its own message at which the ledger sends another one, in milliseconds.
pub const OUTBOX_AGAIN_MS: i64 = 600_000;

/// Interval of the alarm while its work is incomplete, in milliseconds.
pub const ALARM_AGAIN_MS: i64 = 30_000;

/// Maximum number of messages that one alarm sends: five calls of the queue.
pub const ALARM_MESSAGES: usize = 500;

/// Maximum number of layers (strings, bytes, arrays) unwrapped around an event: JSON text in an array in text, plus
/// one.
pub const EVENT_LAYERS: usize = 4;

/// Minimum age of an object whose event a sweep considers lost, in milliseconds: parsing may wait for its turn.
pub const SWEEP_AGE_MS: i64 = 600_000;

/// Period that a sweep looks back over, in milliseconds: longer than any outage of R2 so far (67 minutes), and than the
/// queue's own second attempt.
pub const SWEEP_BACK_MS: i64 = 3 * 3_600_000;

/// Maximum period that a sweep looks back over after an outage without completed sweeps, in milliseconds: four days.
pub const SWEEP_BACK_MAX_MS: i64 = 4 * 24 * 3_600_000;

/// Maximum number of pages of recent folders that a sweep lists: 150,000 objects are three hours at 13 per second.
pub const SWEEP_PAGES: usize = 150;

/// Maximum number of pages that a sweep lists in total. The round gets the remaining ones, at least 50: the 144 sweeps
/// of a day list at least 7 million objects, and 28 million if there are few recent folders. In a larger bucket, a
/// round takes longer than a day: the sweep reports `incomplete`, and `GET /v1/coverage` shows its progress. Listing
/// costs $4.50 per million calls, so a round of 28 million objects costs 13 cents.
pub const SWEEP_LISTINGS: usize = 200;

/// Number of objects to examine that ends a sweep's part of the round, apart from those of its last page: at 300 bytes
/// each they are 15 MB. A day's sweeps examine 7 million.
pub const SWEEP_FRESH: usize = 50_000;

/// Interval between the starts of two rounds, in milliseconds: half a day, so that a small bucket is not listed all
/// day, and objects that no other listing finds are found within a day.
pub const SWEEP_ROUND_MS: i64 = 12 * 3_600_000;

/// Duration of a round after which it is reported as late, in milliseconds: a day.
pub const SWEEP_BEHIND_MS: i64 = 24 * 3_600_000;

/// Maximum number of folders that a sweep remembers.
pub const SWEEP_FOLDERS: usize = 10_000;

/// Maximum number of removals that a sweep makes for a ledger.
pub const SWEEP_STEPS: usize = 10;

/// Retention of a payload's body after the payload became terminal, in milliseconds: three days, so that it can be sent
/// again if the partner lost it.
pub const BODIES_KEPT_MS: i64 = 3 * 24 * 3_600_000;

/// Number of a plan's duplicates that its row lists: 130 bytes of JSON each, with the handle of a batch.
pub const DUPLICATES_LISTED: usize = 100;

/// Maximum number of bodies that one step of a sweep removes: one call of R2.
pub const SWEEP_BODIES: usize = LIST_PAGE;

/// Maximum number of plans of a source that one message processes: any left open by an earlier attempt, then its own.
pub const PLANS_AT_ONCE: usize = 4;

/// Maximum number of payloads of a batch: each is a row of 200 bytes in one transaction, and an element of the seal's
/// body.
pub const MAX_PAYLOADS: usize = 20_000;

/// Delay before a send message is retried because the ledger could not be reached, by attempt, in seconds, plus up to a
/// quarter.
pub const SEND_RETRY_S: [u32; 5] = [8, 45, 120, 240, 480];

/// Maximum size of a POST's body other than an upload, in bytes: a reason of [`REASON_CHARS`] characters is 6 KB where JSON
/// escapes each in 12 bytes, and [`ERASURE_VALUES`] rays in quotes are 19 KB.
pub const OPERATION_BODY_MAX: usize = 32 * KIB;

/// Maximum length of a reason given by a person, in characters.
pub const REASON_CHARS: usize = 500;

/// Stored bytes of a batch that are read to find its fields: at a compression of 6x to 15x, 200 to 600 records.
pub const SEEN_STORED: usize = 64 * KIB;

/// Inflated bytes that are examined to find the fields of a batch.
pub const SEEN_TEXT: usize = MIB;

/// Stored bytes inflated at a time to find the fields of a batch: deflate expands them to at most a megabyte.
pub const SEEN_STEP: usize = KIB;

/// Names of ledgers that an isolate knows to be registered: those of six weeks, 40 bytes each.
pub const LEDGERS_KNOWN: usize = 1_000;

/// Default number of elements in a list.
pub const LISTED: u64 = 100;

/// Maximum number of batches in a list: a kilobyte each, and [`CONCURRENT_CALLS`] ledgers may each answer with that
/// number.
pub const BATCHES_LISTED: u64 = 1000;

/// Maximum number of dead letters in a list: a message has at most 128 KB, and its JSON may be twice that: 26 MB.
pub const DEAD_LETTERS_LISTED: u64 = 100;

/// Number of messages in one call of a queue: the platform's maximum; with raydex's longest messages (a key of 1 KB)
/// well below its other limit of 256 KB.
pub const QUEUE_BATCH: usize = 100;

/// Time that a batch of send messages waits for its last message, in milliseconds. Nearly every POST is answered within
/// a second; acks are sent only at the end of the batch.
pub const SEND_PATIENCE_MS: i64 = 5_000;

/// Time for which the platform lets work continue after a batch, in milliseconds.
pub const BEHIND_BATCH_MS: i64 = 30_000;

/// Returns the time that a batch of send messages waits after its last POST began, in milliseconds: what is left of the
/// POST's time limit must fit behind the batch.
#[must_use]
pub const fn batch_patience_ms(post_ms: i64) -> i64 {
    let needed_ms = post_ms + SEND_PATIENCE_MS - BEHIND_BATCH_MS;
    if needed_ms > SEND_PATIENCE_MS { needed_ms } else { SEND_PATIENCE_MS }
}

/// Time for which the platform runs a batch of messages, in milliseconds.
pub const BATCH_RUN_MS: i64 = 15 * 60_000;

/// Delay before a dead letter that the registry did not accept is retried, in seconds. The platform grants at most a
/// hundred retries, which are 25 hours: an outage of a day loses no dead letter.
pub const DEAD_LETTER_RETRY_S: u32 = 900;

const _: () = assert!(LEASE_MAX_MS < BATCH_RUN_MS);
const _: () = assert!(BREAKER_MAX_MS + 2 * 5_000 < 60_000 && BREAKER_MIN_MS <= STANDING_MS);
const _: () = assert!(ALARM_MESSAGES.is_multiple_of(QUEUE_BATCH));
const _: () = assert!(SCAN_NAMES <= u16::MAX as usize);
const _: () = assert!(RATIO_FREE < MAX_INFLATED);
const _: () = assert!(INFLATE_CHUNK < MAX_LINE);
const _: () = assert!(MAX_INFLATED / SPAN_BYTES < 1 << SPAN_BITS);
const _: () = assert!(PART_RAYS.is_multiple_of(BLOCK_RAYS));
const _: () = assert!(
    12 + PART_RAYS * (46 + SPAN_BITS as usize) / 8 + PART_RAYS / BLOCK_RAYS * 15 + SPAN_TABLE_MAX < SQL_BLOB_MAX
);
const _: () = assert!(PACK_PAYLOADS * 11 < SQL_BLOB_MAX);
const QUERY_MAPS: u64 = (1 << 20) / (OCCUPANCY_ROW as u64 * OCCUPANCY_ROWS as u64) + 1;
const QUERY_CALLS: u64 = QUERY_OPERATIONS + QUERY_MAPS + 3 + 2 * QUERY_RUNS as u64 + CONCURRENT_CALLS as u64;
// Two searches, and a lookup or a page of a tree.
const _: () = assert!(2 * QUERY_CALLS + FAMILY_OPERATIONS as u64 <= INVOCATION_CALLS);
const _: () = assert!(MAX_SHARDS as u64 + 100 <= INVOCATION_CALLS);
const _: () = assert!(OCCUPANCY_ROW.is_multiple_of(8) && OCCUPANCY_ROW_BYTES < SQL_BLOB_MAX);
const _: () = assert!(SUMMARY_BATCH_TEXTS <= SUMMARY_TEXTS);
const _: () = assert!(SWEEP_AGE_MS < SWEEP_BACK_MS);
const _: () = assert!(SWEEP_PAGES < SWEEP_LISTINGS && SWEEP_ROUND_MS < SWEEP_BEHIND_MS);
const _: () = assert!(REASON_CHARS * 12 < OPERATION_BODY_MAX);
