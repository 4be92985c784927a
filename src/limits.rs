//! Every bound of the system, once, each with its arithmetic.
//!
//! # Invariants
//!
//! A number that guards memory, time or money is defined here and nowhere else. Numbers that depend on each other are
//! compared at compile time at the end of the file.

mod answers;
mod form;
mod memory;

pub use answers::*;
pub use form::*;
pub use memory::*;

/// One kibibyte, in bytes.
pub const KIB: usize = 1024;
/// One mebibyte, in bytes.
pub const MIB: usize = 1024 * KIB;

/// Longest line taken as a record, in bytes. Records are 10 KB at most for `http_requests` and 47 KB for
/// `firewall_events`; a Worker trace holds at most 256 KB of console output, which JSON escapes can double
/// twice over. A longer line is rejected and counted, and never held in memory.
pub const MAX_LINE: usize = MIB;

/// Most lines of one batch. Logpush writes at most 1,000,000 records to a file; twice that leaves room for
/// other writers. At 8 bytes a ray while building, and twice that while a vector grows: 48 MB.
pub const MAX_LINES: u64 = 2_000_000;

/// Most bytes that one object may inflate to. Logpush stops at 1 GB, but 1,000,000 records of its own average
/// (1.6 KB) are 1.6 GB; 4 GiB takes about 15 s of the 300 s of CPU that `limits.cpu_ms` grants.
pub const MAX_INFLATED: u64 = 4 * 1024 * MIB as u64;

/// Largest inflated-to-stored ratio believed. Log lines reach 15, very uniform ones 60; deflate itself cannot
/// pass 1032. Judged only after [`RATIO_FREE`] bytes, since a tiny file of equal lines is harmless.
pub const MAX_RATIO: u64 = 200;

/// Inflated bytes before [`MAX_RATIO`] is judged: what a bomb may cost at most, about 50 ms of CPU.
pub const RATIO_FREE: u64 = 16 * MIB as u64;

/// Size of the buffer that inflated bytes are handed on in. Measured: 256 KiB takes 3 % less time than 64, since
/// the last window is moved to its beginning whenever it is full; 512 gains nothing more.
pub const INFLATE_CHUNK: usize = 256 * KIB;

/// Names of members that a scanner keeps in mind. The largest dataset has 150 fields; several jobs share most of them.
pub const SCAN_NAMES: usize = 512;

/// Longest name of a member that a scanner remembers, in bytes, with quotes and colon: Cloudflare's have 45 at most.
/// Each is held twice, with some 40 bytes more: [`SCAN_NAMES`] of them are 86 KB at most.
pub const SCAN_NAME_BYTES: usize = 64;

/// Longest ray id that is not 16 hexadecimal digits, in bytes. Real ones are 12 to 32 characters; a longer one
/// is counted as a record without a ray.
pub const MAX_NONSTANDARD_ID: usize = 128;

/// Most bytes of nonstandard ids of one batch, counted as held in memory: more than they take when packed, so that
/// they fit in one BLOB with the table of their spans. That is 24,000 ids of 50 characters.
pub const MAX_NONSTANDARD_BYTES: usize = SQL_BLOB_MAX - SPAN_TABLE_MAX - KIB;

/// How far a record's start may differ from its ray's time before it is counted as `clock_skewed`, in milliseconds.
/// Measured: 2 to 11 ms. The count is the alarm for a change of the Ray ID's layout.
pub const MAX_RAY_SKEW_MS: i64 = 5_000;

/// Most shards that one batch may write to: one call each, and an invocation may make 10,000. A real batch
/// touches 1 to 5; only made-up Ray IDs or times touch thousands.
pub const MAX_SHARDS: usize = 9_000;

/// Prefixes of one row of the occupancy map, a bit each: 31 days in 512 bytes. Each new prefix (one in 655 s) writes its row
/// anew, whatever its length, and eight of them fit into a page of the database; a search over a month reads two rows,
/// one over all times 256, where days would be 8,000.
pub const OCCUPANCY_ROW: u32 = 4_096;

/// Bytes of one row of the occupancy map.
pub const OCCUPANCY_ROW_BYTES: usize = OCCUPANCY_ROW as usize / 8;

/// Calls to other objects at once: the platform opens six connections and queues the rest.
pub const CONCURRENT_CALLS: usize = 6;

/// Most bytes of a pack of payloads: 1000 lines are 97 KB of gzip, so that the 18 payloads of a batch of 18,000
/// records are one object of 1.7 MB, and the 1,000 of one of 1,000,000 are 24. A payload that is larger by itself has
/// a pack of its own. A pack is held in memory whole, and a parked payload keeps the others of its pack.
pub const PACK_BYTES: usize = 4 * MIB;

/// Most payloads of one pack: each claim reads the row that says where they begin, and 1000 numbers are 8 KB.
pub const PACK_PAYLOADS: usize = 1000;

/// Packs of one batch that are put at once. With the one that waits for its turn and the one that is gathered, four of
/// [`PACK_BYTES`] are held: 16 MiB. A batch of 1,000,000 records closes one in 0.6 s of CPU.
pub const CONCURRENT_PUTS: usize = 2;

/// How long a call to a Durable Object may take, in milliseconds. One writes at most a few megabytes; a
/// trap in the object would otherwise leave the caller waiting for ever.
pub const OBJECT_CALL_MS: u64 = 30_000;

/// Least bytes of inflated text between two access points. A lookup reads one span, and half of it on average.
/// Measured on a batch of 12 MB (159 MB of text, a block each 312 KB): at 1 MiB the windows are 2.7 % of the gzip and
/// a range is 99 KB; at 768 KiB 3.7 % and 75 KB; at 512 KiB 5.5 % and 51 KB. That was with windows at level 3; they take a
/// quarter more now.
pub const SPAN_BYTES: u64 = MIB as u64;

/// Most bytes of the table of spans in a part of an entry: nine numbers a span, of which two are above 2^35 at most.
pub const SPAN_TABLE_MAX: usize = (MAX_INFLATED / SPAN_BYTES) as usize * 40;

/// Stored bytes that are read of the block in which a span's last line ends, in addition to two for each byte of its
/// text up to there: the header of a deflate block, of 286 and 30 code lengths at 7 bits and their own codes, is below
/// 300 bytes. Two are enough for a byte of text: a literal takes 15 bits at most, a match of three bytes 48.
pub const SPAN_MARGIN: u64 = 512;

/// Packed windows of one object, in bytes: 1,000,000 records of 1.6 KB have 1,300 access points of 3.4 KB each. Beyond,
/// no more points are made, and the last span is a long one.
pub const WINDOWS_MAX: usize = 8 * MIB;

/// Bits of a span's number, next to a ray's 44 in one 64-bit word: 2^20 spans of 1 MiB, above [`MAX_INFLATED`].
pub const SPAN_BITS: u32 = 20;

/// Rays of one block of an entry: what a lookup decodes at most. Its directory row of 15 bytes is 0.06 bytes a ray.
pub const BLOCK_RAYS: usize = 256;

/// Rays of one part of an entry. At worst a ray takes 44 + 2 bits and its span 20: 8.25 bytes, and
/// 0.06 for the directory; 204,800 of them stay under [`SQL_BLOB_MAX`].
pub const PART_RAYS: usize = 204_800;

/// Most bytes of the summary of a batch, of which each of its entries has a copy: a query asks a shard for all of
/// them, and 200 of 2 KB are half a megabyte.
pub const SUMMARY_MAX: usize = 2 * KIB;

/// Most different values of a field that a batch's summaries name one by one: a bit each in each span's.
pub const SUMMARY_TOKENS: usize = 256;

/// Most bytes of these values of one field: 256 hosts of 32 bytes.
pub const SUMMARY_TOKEN_BYTES: usize = 8 * KIB;

/// Longest value that a summary names: a host has 253 bytes at most.
pub const SUMMARY_TOKEN_MAX: usize = 256;

/// Most different texts of a field in one span that a filter is made of: lines of 128 bytes fill [`SPAN_BYTES`] with
/// as many, and the filter is 10 KB. The span after the last access point may be a long one.
pub const SUMMARY_TEXTS: usize = 8 * KIB;

/// The same in a whole batch: more make a filter that does not fit into [`SUMMARY_MAX`].
pub const SUMMARY_BATCH_TEXTS: usize = SUMMARY_MAX * 8 / FILTER_TEXT_BITS;

/// Bits of a filter for each text in it: one of 120 others passes.
pub const FILTER_TEXT_BITS: usize = 10;

/// Most bytes of the filters in the summaries of a batch's spans: 1,000,000 records of as many addresses are 1.25 MB.
pub const SUMMARIES_MAX: usize = 4 * MIB;

/// Batches of one page of a shard's list: with their summaries 600 KB of JSON, and [`CONCURRENT_CALLS`] may come at once.
pub const SHARD_PAGE: usize = 200;

/// Most bytes of the summaries of a batch's spans that a query reads into memory: the filters, 12 dictionaries of 8 KB,
/// and below a kilobyte more for each of 4,096 spans.
pub const SUMMARIES_OBJECT_MAX: u64 = (SUMMARIES_MAX + 5 * MIB) as u64;

/// Most bytes of a row, a string or a BLOB in a Durable Object's SQLite.
pub const SQL_BLOB_MAX: usize = 2_000_000;

/// Most folders of unknown datasets that are reported: a row of some 100 bytes each, and a bucket has a few of them.
pub const UNKNOWN_FOLDERS: usize = 1_000;

/// Body looked at for Logpush's test upload, in bytes: it is 19 bytes of JSON, about 39 as gzip.
pub const TEST_UPLOAD_MAX: usize = 512;

/// Object that is read ahead to see whether it is that upload, in bytes. A batch of one short record has more, and none
/// is read twice.
pub const TEST_OBJECT_MAX: u64 = 96;

/// Delay before a parse message is tried again, by attempt, in seconds, spread by up to a quarter more: a hiccup,
/// then an outage of the size R2 had (67 minutes).
pub const PARSE_RETRY_S: [u32; 2] = [60, 5_400];

/// Longest filter, in bytes. Logpush takes 1000; a filter of ours may hold four times that.
pub const FILTER_BYTES: usize = 4 * KIB;

/// Most conditions of a filter. Logpush takes about 30 operators; each costs below 100 ns a line (reading
/// the line, 4 µs), so that 100 of them are 10 s of the 300 s of CPU for a batch of 1,000,000 lines.
pub const FILTER_CONDITIONS: usize = 100;

/// Most groups (`and`, `or`) around one condition of a filter. People write two or three.
pub const FILTER_DEPTH: usize = 10;

/// Most lines of one delivery. A partner's line is below a kilobyte on average: 10 MB of text, held once together with
/// its gzip.
pub const BATCH_SIZE_MAX: u32 = 10_000;

/// Most days for which a deployment may say that its bucket keeps logs: a century.
pub const RETENTION_DAYS_MAX: u32 = 36_500;

/// How long a signature to the partner holds, in seconds: the contract's figure. A send that takes a minute and
/// clocks that are apart by four still fit.
pub const SIGNATURE_S: i64 = 300;

/// How many random numbers a signature can have: 0 to 99,999. An isolate sends some ten deliveries a second, so
/// they last for any second that there will be.
pub const SIGNATURE_NUMBERS: u32 = 100_000;

/// Shortest and longest wait that a partner's `Retry-After` is believed, in milliseconds. Less than a second is
/// no wait; a day is how long an outage is ridden through, and a mistyped year must not stop deliveries.
pub const RETRY_AFTER_MS: (u64, u64) = (1_000, 24 * 60 * 60 * 1_000);

/// Longest key of an object, in bytes: what R2 takes.
pub const KEY_BYTES: usize = 1024;

/// Objects of one page of a listing, and of one removal: what R2 gives and takes.
pub const LIST_PAGE: usize = 1000;

/// How long a POST to the partner may take, in milliseconds. 1000 lines are 100 KB of gzip; a partner that has not
/// answered after half a minute is not going to.
pub const POST_MS: i64 = 30_000;

/// Most bytes of the partner's answer that are read: it says "stored" in its status.
pub const POST_ANSWER_MAX: usize = 64 * KIB;

/// How long a claim holds, in milliseconds: the body is read (a small object, seconds at worst), two POSTs (the
/// second with the second key), and the commit with its tries. No POST begins that could outlast it.
pub const LEASE_MS: i64 = 120_000;

/// What is left of a lease after the last POST, for the commit, in milliseconds.
pub const COMMIT_MS: i64 = 15_000;

/// Pauses between the tries of a commit, in milliseconds: an answer that is lost is a payload in doubt, so a hiccup of
/// the ledger is waited out.
pub const COMMIT_PAUSES_MS: [i64; 4] = [100, 500, 2_000, 8_000];

/// First pause after an attempt that failed, in milliseconds; it doubles.
pub const RETRY_MIN_MS: i64 = 15_000;

/// Longest pause between attempts, in milliseconds: an hour, so that a partner who is back after a day has
/// everything an hour later.
pub const RETRY_MAX_MS: i64 = 3_600_000;

/// Pause after a claim that was given back without a POST, in milliseconds: while the bucket is away, every payload
/// asks for its body twice a minute.
pub const RELEASED_MS: i64 = 30_000;

/// Attempts before a payload waits for a person: with an hour between them, eight days.
pub const MAX_ATTEMPTS: u32 = 200;

/// Failures in a row that open the breaker. With one POST of twenty failing, five in a row come once in three
/// million.
pub const BREAKER_FAILURES: u32 = 5;

/// First pause of an open breaker, in milliseconds; it doubles with each failure.
pub const BREAKER_MIN_MS: i64 = 30_000;

/// Longest pause of an open breaker, in milliseconds: a partner that is back is noticed within a quarter of an hour.
pub const BREAKER_MAX_MS: i64 = 900_000;

/// How long after the seal the ledger sends a message itself, if the payload is not claimed, in milliseconds.
pub const OUTBOX_FIRST_MS: i64 = 60_000;

/// How long after its own message the ledger sends another one, in milliseconds.
pub const OUTBOX_AGAIN_MS: i64 = 600_000;

/// When the alarm comes again while its work has not ended, in milliseconds.
pub const ALARM_AGAIN_MS: i64 = 30_000;

/// Messages that one alarm sends: five calls of the queue.
pub const ALARM_MESSAGES: usize = 500;

/// Strings, bytes and arrays around an event that are unwrapped: text that is JSON in an array in text, and one more.
pub const EVENT_LAYERS: usize = 4;

/// How old an object is before a sweep takes its event for lost, in milliseconds: parsing may wait for its turn.
pub const SWEEP_AGE_MS: i64 = 600_000;

/// How far back a sweep looks for objects, in milliseconds: longer than any outage of R2 so far (67 minutes), and
/// than the queue's own second try.
pub const SWEEP_BACK_MS: i64 = 3 * 3_600_000;

/// How far back a sweep looks after an outage in which none was completed, in milliseconds: four days.
pub const SWEEP_BACK_MAX_MS: i64 = 4 * 24 * 3_600_000;

/// Pages of the folders of now that one sweep lists at most: 150,000 objects are three hours of 13 a second.
pub const SWEEP_PAGES: usize = 150;

/// Pages that one sweep lists in all. The round has what is left of them, at least 50: the 144 sweeps of a day list
/// 7 million objects at the least, and 28 million where the folders of now are few. In a bucket with more, a round
/// takes longer than a day: the sweep reports `more`, and `GET /v1/coverage` has how far it is. A list costs
/// $4.50 a million, so a round of 28 million objects costs 13 cents.
pub const SWEEP_LISTINGS: usize = 200;

/// Objects to examine that end a sweep's part of the round, beside those of its last page: 300 bytes each are 15 MB. A
/// day's sweeps examine 7 million.
pub const SWEEP_FRESH: usize = 50_000;

/// How long after the begin of a round the next one begins, in milliseconds: half a day, so that a small bucket is not
/// listed all day, and what no other listing finds is found within a day.
pub const SWEEP_ROUND_MS: i64 = 12 * 3_600_000;

/// How long a round may take before it is reported, in milliseconds: a day.
pub const SWEEP_BEHIND_MS: i64 = 24 * 3_600_000;

/// Folders that a sweep keeps in mind.
pub const SWEEP_FOLDERS: usize = 10_000;

/// Ledgers that one sweep sees to: the hours of two weeks.
pub const SWEEP_LEDGERS: u64 = 14 * 24;

/// Removals that one sweep does for one ledger.
pub const SWEEP_STEPS: usize = 10;

/// How long the body of a payload is kept after it came to rest, in milliseconds: three days, so that it can be sent
/// once more if the partner lost it.
pub const BODIES_KEPT_MS: i64 = 3 * 24 * 3_600_000;

/// Duplicates of a plan that its row lists one by one: with the handle of a batch each is 130 bytes of JSON.
pub const DUPLICATES_LISTED: usize = 100;

/// How long the claims of an object's lines outlive the object, counted from its upload, in milliseconds: 30 days. An
/// object that is moved is deleted at once, one that has served its time later; a claim is 4 bytes a ray.
pub const CLAIMS_KEPT_MS: i64 = 30 * 24 * 3_600_000;

/// How long after a window batches may still hold records of it, in milliseconds. 95 % are written within five minutes.
pub const BACKFILL_LATE_MS: i64 = 3_600_000;

/// How much earlier than its records a batch may say that it ended, in milliseconds: clocks.
pub const BACKFILL_SKEW_MS: i64 = 60_000;

/// Stored bytes of one line, to guess an object's lines by its size: records of 1.6 KB compress 12 times.
pub const BACKFILL_LINE_BYTES: u64 = 130;

/// Lines a second of a backfill where nothing else is asked for: a tenth of what the partner takes.
pub const BACKFILL_RATE: u64 = 10_000;

/// Seconds of its rate that a backfill may announce at once: two turns of the cron.
pub const BACKFILL_BURST_S: i64 = 120;

/// Pages that a backfill lists in one run of the cron.
pub const BACKFILL_PAGES: usize = 100;

/// Backfills that are looked at: the latest ones.
pub const BACKFILL_JOBS: u64 = 100;

/// Bodies that one step of a sweep removes: one call of R2.
pub const SWEEP_BODIES: usize = LIST_PAGE;

/// Plans of one source that one message works through: what an earlier attempt left open, then its own.
pub const PLANS_AT_ONCE: usize = 4;

/// Most payloads of one batch: each is a row of 200 bytes in one transaction, and a row of the seal's body.
pub const MAX_PAYLOADS: usize = 20_000;

/// Delay before a send message is tried again because the ledger could not be reached, by attempt, in seconds, spread
/// by up to a quarter more.
pub const SEND_RETRY_S: [u32; 5] = [15, 45, 120, 240, 480];

/// Largest body of a POST that is not an upload, in bytes: a reason of [`REASON_CHARS`] characters is 2 KB, and JSON
/// may escape each of them in 12 bytes.
pub const OPERATION_BODY_MAX: usize = 16 * KIB;

/// Longest reason that a person gives, in characters.
pub const REASON_CHARS: usize = 500;

/// Most ledgers that one answer is added up from: a month of hours is 744. At [`CONCURRENT_CALLS`] of 10 ms each, 1.3 s.
pub const LEDGERS_READ: u64 = 800;

/// Most ledgers that the health is added up from: the last day with batches, in four rounds of [`CONCURRENT_CALLS`].
pub const HEALTH_LEDGERS: u64 = 24;

/// Most ledgers that are asked for the newest batch of a dataset: three hours with batches.
pub const SEEN_LEDGERS: u64 = 3;

/// Bytes of a batch that are read for the fields in it: at a compression of 6x to 15x, 200 to 600 records.
pub const SEEN_STORED: usize = 64 * KIB;

/// Bytes of text that are looked at for these fields.
pub const SEEN_TEXT: usize = MIB;

/// Bytes of a batch that are inflated at once for these fields: deflate makes at most a megabyte of them.
pub const SEEN_STEP: usize = KIB;

/// What a list holds where nothing else is asked for.
pub const LISTED: u64 = 100;

/// Most batches of one list: a kilobyte each, and [`CONCURRENT_CALLS`] ledgers may answer with as many.
pub const BATCHES_LISTED: u64 = 1000;

/// Most dead letters of one list: a message has 128 KB at most, and its JSON may be twice that: 26 MB.
pub const DEAD_LETTERS_LISTED: u64 = 100;

/// Messages of one call of a queue: what the platform takes, and of the longest of ours (a key of 1 KB) well below the
/// 256 KB that it takes too.
pub const QUEUE_BATCH: usize = 100;

/// How long a batch of send messages waits for the last of them, in milliseconds. Nearly every POST is answered within
/// a second; acks are not sent before the batch is over.
pub const SEND_PATIENCE_MS: i64 = 5_000;

/// How long the platform lets work go on after a batch, in milliseconds: the platform's own figure. The POST that
/// begins last has its whole time, and the rest is for the claim and the commit.
pub const BEHIND_BATCH_MS: i64 = 30_000;

/// Delay before a dead letter that the registry did not take comes again, in seconds. A hundred retries, which is the
/// most that the platform grants, are 25 hours: an outage of a day loses no letter.
pub const DEAD_LETTER_RETRY_S: u32 = 900;

const _: () = assert!(2 * POST_MS + COMMIT_MS < LEASE_MS);
const _: () = assert!(POST_MS < SEND_PATIENCE_MS + BEHIND_BATCH_MS);
const _: () = assert!(ALARM_MESSAGES.is_multiple_of(QUEUE_BATCH));
const _: () = assert!(SCAN_NAMES <= u16::MAX as usize);
const _: () = assert!(RATIO_FREE < MAX_INFLATED);
const _: () = assert!(INFLATE_CHUNK < MAX_LINE);
const _: () = assert!(MAX_INFLATED / SPAN_BYTES < 1 << SPAN_BITS);
const _: () = assert!(PART_RAYS.is_multiple_of(BLOCK_RAYS));
const _: () = assert!(
    12 + PART_RAYS * (46 + SPAN_BITS as usize) / 8 + PART_RAYS / BLOCK_RAYS * 15 + SPAN_TABLE_MAX < SQL_BLOB_MAX
);
const PACKS_HELD: usize = (CONCURRENT_PUTS + 2) * PACK_BYTES;
const _: () = assert!(MAX_LINES * 8 * 3 + (MAX_NONSTANDARD_BYTES * 3 + PACKS_HELD) as u64 <= WASM_MEMORY_MAX as u64);
const _: () = assert!(PACK_PAYLOADS * 11 < SQL_BLOB_MAX);
const QUERY_MAPS: u64 = (1 << 20) / (OCCUPANCY_ROW as u64 * OCCUPANCY_ROWS as u64) + 1;
const _: () = assert!(QUERY_OPERATIONS + QUERY_MAPS + 3 + 2 * QUERY_RUNS as u64 + CONCURRENT_CALLS as u64 <= 1_000);
const _: () = assert!(OCCUPANCY_ROW.is_multiple_of(8) && OCCUPANCY_ROW_BYTES < SQL_BLOB_MAX);
const _: () = assert!(SUMMARY_BATCH_TEXTS <= SUMMARY_TEXTS);
const _: () = assert!(SWEEP_AGE_MS < SWEEP_BACK_MS);
const _: () = assert!(SWEEP_PAGES < SWEEP_LISTINGS && SWEEP_ROUND_MS < SWEEP_BEHIND_MS);
const _: () = assert!(REASON_CHARS * 12 < OPERATION_BODY_MAX);
