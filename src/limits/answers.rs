//! Limits on authenticating callers and answering them.
//!
//! The invariants of [`super`] apply.

use super::{KIB, MAX_INFLATED, MIB};

/// Maximum number of entries in a setting of grants. A setting has at most 5 KB on the platform, which is 30 of them.
pub const ACCESS_ENTRIES: usize = 100;

/// Maximum number of tokens of one id that are valid at the same time: the old one and the new one.
pub const TOKENS_OF_ONE: usize = 2;

/// Maximum number of tokens in the registry: with 400 bytes each 4 MB, and the count that a new one needs takes
/// milliseconds.
pub const TOKENS_KEPT: usize = 10_000;

/// Time for which the registry keeps a token that ended if it needs its place, in milliseconds: 90 days.
pub const TOKEN_KEPT_MS: i64 = 90 * 24 * 3_600_000;

/// Bytes of all zones and datasets of a token: 30 long names.
pub const TOKEN_BYTES: usize = 4 * KIB;

/// Tokens in a list: each has 5 KB at most, 500 KB in all.
pub const TOKENS_LISTED: u64 = 100;

/// Days after which a token expires that is made without an expiry.
pub const TOKEN_DAYS: u32 = 90;

/// Maximum number of days until a token expires: ten years.
pub const TOKEN_DAYS_MAX: u32 = 3_650;

/// Time for which an isolate believes what the registry said of a token, in milliseconds. A revocation counts at once,
/// since the audit log says that there was one; this bounds what it misses.
pub const TOKEN_CACHE_MS: i64 = 60_000;

/// Time after which a stream asks anew whether the token of its reader was revoked, in milliseconds: a stream takes five
/// minutes at most, and so thirty calls.
pub const TOKEN_CHECK_MS: i64 = 10_000;

/// Tokens that an isolate remembers: 500 bytes each.
pub const TOKENS_CACHED: usize = 1_000;

/// Unknown tokens that an isolate asks the registry about at a time: a page that opens with many requests needs a few.
pub const TOKEN_SEARCHES: i64 = 60;

/// Time after which an isolate may ask about another unknown token, in milliseconds: ten a second, of the thousand calls a
/// second that an object answers.
pub const TOKEN_SEARCH_MS: i64 = 100;

/// Time after which an isolate reads the list of the registry's tokens again, in milliseconds, if made-up tokens have used
/// up its searches: [`TOKENS_KEPT`] beginnings of hashes are 190 KB of JSON, read in some milliseconds.
pub const TOKEN_LIST_MS: i64 = 1_000;

/// Hexadecimal digits of a hash in that list. No one finds a text whose hash begins like that of a token, in 64 bits.
pub const TOKEN_LISTED_DIGITS: usize = 16;

/// How often a request looks up its token again because others were revoked meanwhile.
pub const TOKEN_CHECKS: u32 = 3;

/// Maximum size of a Cloudflare Access assertion, in bytes. Real ones have 1 to 2 KB, with many groups 8.
pub const JWT_MAX: usize = 16 * KIB;

/// Maximum difference between the issuer's clock and raydex's, in seconds.
pub const JWT_LEEWAY_S: i64 = 60;

/// Maximum of `ACCESS_SESSION_HOURS`: a month, which is the longest session that Access grants. Its default is the usual
/// session, a day.
pub const SESSION_HOURS_MAX: i64 = 730;

/// Maximum size of an issuer's document of keys, in bytes: a key with its certificate is 1.5 KB, and Access has two or
/// three.
pub const JWKS_MAX: usize = 64 * KIB;

/// Maximum number of keys in such a document.
pub const JWKS_KEYS: usize = 32;

/// Time for which an issuer's keys count as fresh, in milliseconds: an hour. Access rotates them every six weeks, and
/// the old ones stay valid for a week.
pub const JWKS_FRESH_MS: i64 = 3_600_000;

/// Maximum age of keys that are used while no new ones can be fetched, in milliseconds: a day.
pub const JWKS_KEPT_MS: i64 = 24 * 3_600_000;

/// Minimum time between two fetches of an issuer's keys for ids that are not among those kept, and between two that renew
/// those kept, in milliseconds. Neither uses up the other.
pub const JWKS_WINDOW_MS: i64 = 60_000;

/// Maximum number of fetches at a time without usable keys: requests that arrive together at a new isolate all need
/// them.
pub const JWKS_FETCHES: i64 = 10;

/// Time after which another fetch without usable keys is allowed, in milliseconds. Once the issuer is back, any request
/// fetches the keys for all others, so that forged assertions delay honest ones by this at most.
pub const JWKS_RETRY_MS: i64 = 5_000;

/// Number of key ids that are remembered as absent from the issuer's keys, the latest ones: 40
/// bytes of a hash and a time.
pub const JWKS_ABSENT: usize = 256;

/// Time limit of a fetch of an issuer's keys, in milliseconds: a visitor waits for it.
pub const JWKS_FETCH_MS: u64 = 5_000;

/// Minimum size of an accepted key's modulus, in bytes: 2048 bits.
pub const RSA_MIN_BYTES: usize = 256;

/// Maximum size of an accepted key's modulus, in bytes: 8192 bits. Verification time grows with its square.
pub const RSA_MAX_BYTES: usize = 1024;

/// Number of times that percent-encoding in a URL is decoded before the URL is masked as a whole. Honest URLs are
/// encoded once, one inside a parameter twice; each decoding costs another pass over the part.
pub const MASK_ESCAPES: usize = 4;

/// Maximum length of a text in the form in which it is judged (NFKC), as a multiple of its own: letters and digits of
/// other widths and styles get shorter, ligatures of Latin and fractions twice as long. A character that stands for a
/// sentence grows 11 times.
pub const NORMAL_GROWTH: usize = 2;

/// Bytes that may be added to that, for a short text of such characters.
pub const NORMAL_SLACK: usize = 64;

/// Maximum depth of nested objects and arrays that masking examines; a deeper value is masked as a whole. A
/// subrequest's record is two levels below its parent's, its headers three more; each level reads its text again.
pub const MASK_DEPTH: u32 = 10;

/// Entries of the audit log that one call returns, and one page: 600 bytes each as a rule, 120 KB of JSON.
pub const AUDIT_PAGE: u64 = 200;

/// Bytes of texts with which a page of the audit log is full, however few its entries.
pub const AUDIT_PAGE_BYTES: usize = MIB;

/// Entries of one piece of an export of the audit log: a segment is read five times, 60 ms each, and a piece has 1 MB as
/// a rule.
pub const AUDIT_EXPORT: u64 = 2_000;

/// Pieces of one export: a call and a read each, 600 of [`INVOCATION_CALLS`]. The trailer says where the next export
/// continues.
pub const AUDIT_EXPORT_PIECES: u64 = 300;

/// Entries that one export looks at: 60 segments, which take 20 s of CPU where all their entries are asked for.
pub const AUDIT_EXPORT_SCAN: u64 = AUDIT_EXPORT * AUDIT_EXPORT_PIECES;

/// Entries of its own that the audit log looks at in one call for those that a reader asks for: 1 MB of text as a rule,
/// which takes 10 ms, while other calls wait.
pub const AUDIT_SCAN: u64 = 2_000;

/// Entries that one page of a search looks at: ten segments, each of which takes 60 ms to read and to verify. The next page
/// continues there.
pub const AUDIT_SEARCH: u64 = 100_000;

/// How long equal denials are counted together, in milliseconds.
pub const DENIAL_WINDOW_MS: i64 = 60_000;

/// Different denials that are counted at a time: 1 KB each.
pub const DENIALS_WATCHED: usize = 1_000;

/// Different refusals that an isolate counts at a time: 300 bytes each.
pub const REFUSALS_WATCHED: usize = 1_000;

/// Refusals that one call reports to the audit log: 4 KB of JSON.
pub const REFUSALS_REPORTED: usize = 16;

/// How often an isolate reports the requests of unknown callers to the audit log, in milliseconds.
pub const UNKNOWN_REPORT_MS: i64 = 60_000;

/// Requests of unknown callers of which a report says more than that there were some.
pub const UNKNOWN_SAMPLES: usize = 4;

/// Entries of one segment of the audit log, and of one table of its object. 300 bytes each as a rule: 3 MB of text. Making
/// and dropping a table costs 9 written rows, 0.0009 an entry, and the segment one write of R2: 0.00045 dollars a million
/// entries. The row of each segment is 300 bytes: at 1,000 entries a second 1 GB a year of the 10 GB that an object has.
pub const AUDIT_SEGMENT: u64 = 10_000;

/// Bytes of texts at which a segment is full, however few its entries: one has 20 KB at most, [`AUDIT_REQUEST`] and the
/// rest ([`AUDIT_START`]), so that 200 fill it. Calls wait while it is packed: measured under workerd, 80 ms for
/// 10,000 entries of 300 bytes, which come to 0.5 MB.
pub const AUDIT_SEGMENT_BYTES: u64 = 4 * MIB as u64;

/// Maximum inflated size of a segment, in bytes: its texts as JSON strings (at most twice as long), 114 bytes around
/// each, and the entry that fills it. It may grow, but never shrink: segments are kept.
pub const AUDIT_SEGMENT_INFLATED: u64 = 2 * AUDIT_SEGMENT_BYTES + 114 * AUDIT_SEGMENT + MIB as u64;

/// Time after which an alarm of the audit log that has not fired is set again, in milliseconds: the platform ends an
/// alarm after 15 minutes.
pub const AUDIT_ALARM_MS: i64 = 16 * 60_000;

/// First pause of the audit log after the bucket refused a segment, in milliseconds; it doubles each time.
pub const AUDIT_AGAIN_MS: i64 = 10_000;

/// Maximum of that pause, in milliseconds. At 100 entries a second, another 30 MB collect in the object.
pub const AUDIT_AGAIN_MAX_MS: i64 = 600_000;

/// Bytes of a request's values that an entry of the audit log keeps whole: a filter of [`super::FILTER_BYTES`], 100 rays
/// of 35 bytes, and the others. The longest values of a larger request are cut.
pub const AUDIT_REQUEST: usize = 10 * KIB;

/// Characters that an entry keeps of a value that it cuts, beside the SHA-256 of the whole: six bytes each in JSON at most.
/// A route reads 13 values at most, so that a request whose values are all cut keeps 20 KB.
pub const AUDIT_START: usize = 256;

/// Names of ignored parameters that an entry keeps; Cloudflare's clients send none.
pub const AUDIT_IGNORED: usize = 8;

/// Maximum number of callers whose rate is counted at a time: 100 bytes each.
pub const RATED_CALLERS: usize = 10_000;

/// Minimum size of a piece of a streamed body except the last, in bytes: smaller ones would cost more in calls than in
/// bytes.
pub const STREAM_PIECE: usize = 32 * KIB;

/// Maximum number of lines that a lookup returns; a ray has at most a dozen firewall events.
pub const LOOKUP_RECORDS: usize = 1_000;

/// Maximum total size of the lines that a lookup returns, in bytes.
pub const LOOKUP_BYTES: usize = 8 * MIB;

/// Maximum number of batches that a lookup opens. A standard ray is in one or two; an id such as `test` may be in all.
pub const LOOKUP_BATCHES: usize = 100;

/// The same where a caller is limited to zones: hidden batches must not take the place of visible ones, so all that a
/// request can read are read: with a window and a span each, 800 of [`INVOCATION_CALLS`].
pub const LOOKUP_BATCHES_UNSEEN: usize = 400;

/// Lookups of callers limited to zones are answered at multiples of this time, in milliseconds, whatever is hidden: a
/// shard and a span take 100 ms as a rule. It makes `POST /v1/rays` with 100 rays take 9 s.
pub const LOOKUP_STEP_MS: i64 = 250;

/// Maximum number of spans of a batch that a lookup reads individually: a ranged read each, plus one of its window. A
/// ray's lines are in one span, or in two; if they are spread over a batch, the batch is read once as a whole.
pub const LOOKUP_SPANS: usize = 6;

/// Number of spans of a batch that are read at a time: with [`super::CONCURRENT_CALLS`] batches at a time, twelve readers,
/// 6 MiB of a caller's share.
pub const LOOKUP_SPANS_AT_ONCE: usize = 2;

/// Number of concurrent lookups of a request: each reads a range and its window at once, and at most six connections
/// are open.
pub const LOOKUPS_AT_ONCE: usize = 3;

/// Maximum number of rays in one `POST /v1/rays`.
pub const RAYS_ASKED: usize = 100;

/// Earliest instant that a request may give as a count, in Unix seconds: 2010-01-01. Cloudflare began in that year; a
/// count for an earlier time has lost or gained digits (Unix milliseconds of 12 digits end in 2001).
pub const COUNTED_FROM_S: i64 = 1_262_304_000;

/// Time before the first data at which a Logpull client may start, in milliseconds: a day. A polling client lags by
/// minutes; one that starts earlier has a position from before raydex had data.
pub const LOGPULL_EARLY_MS: i64 = 24 * 3_600_000;

/// Maximum number of names in a list of fields: a dataset has 150.
pub const FIELDS_ASKED: usize = 300;

/// Maximum length of a name in a list of fields, in bytes: Cloudflare's have at most 45.
pub const FIELD_NAME_BYTES: usize = 100;

/// Calls to bindings that the platform allows an invocation of a paid Worker. A free one has 50: a search ends there with an
/// error after some 20 batches.
pub const INVOCATION_CALLS: u64 = 10_000;

/// Maximum number of calls to shards and reads of objects by one search. The page of a search makes two in one invocation,
/// for its records and for its counts, and each may open one more batch, which takes up to twenty. At 30 ms for six at a time
/// they take 23 s of [`super::QUERY_MS`], and cost a sixth of a cent.
pub const QUERY_OPERATIONS: u64 = 4_500;

/// Maximum number of occupancy map rows that one call returns: a year, which is 8 KB of JSON, and 6 KiB held by a
/// stream. A search over all times makes 22 such calls.
pub const OCCUPANCY_ROWS: usize = 12;

/// Number of prefixes before the present that a search reads without consulting the occupancy map, which dates from the
/// start of the search: 22 to 33 minutes. A prefix is new until its first batch arrives, which takes minutes, and a
/// search of the present asks at most this number of shards in vain.
pub const OCCUPANCY_MARGIN: u32 = 2;

/// Maximum number of bytes that one request inflates: 4 GiB with a filter take about 34 s of the 300 s of CPU that
/// `limits.cpu_ms` grants, and no batch has more.
pub const QUERY_INFLATED: u64 = MAX_INFLATED;

/// Maximum number of lines that one request returns: 1.6 GB of `http_requests`.
pub const QUERY_LINES: u64 = 1_000_000;

/// Size of the lines that are passed on at a time, in bytes.
pub const QUERY_CHUNK: usize = 64 * KIB;

/// Stored bytes inflated at a time: some 100 KB of lines, and 8 MB in deflate's worst case.
pub const INFLATE_PIECE: usize = 8 * KIB;

/// Maximum gap between two runs of spans that is read along with them, in stored bytes: inflating it takes 10 ms, a
/// separate read with its window 30.
pub const QUERY_GAP: u64 = 256 * KIB as u64;

/// Maximum number of runs of spans in a batch that are read individually: two operations each.
pub const QUERY_RUNS: usize = 8;

/// Minimum number of text bytes that a request processes, whatever its budget: reading a batch without a table of spans
/// restarts at its beginning, so that smaller steps would never reach its end.
pub const QUERY_STEP: u64 = 16 * MIB as u64;

/// Maximum number of fields that records are counted by.
pub const COUNT_FIELDS: usize = 2;

/// Maximum number of steps in a range of counts: a week by 3 minutes, a day by 20 s. Without fields that is a row for each,
/// 250 KB.
pub const COUNT_STEPS: u32 = 5_000;

/// Maximum length of a step, in seconds: a leap year.
pub const COUNT_STEP_MAX_S: i64 = 366 * 86_400;

/// Maximum of `top`: as many values as a person or a chart compares.
pub const COUNT_TOP: u64 = 1_000;

/// Maximum length of a value that has a count of its own, as JSON, in bytes: nine in ten URLs and all other fields are
/// shorter. Longer values are counted together.
pub const COUNT_VALUE_BYTES: usize = KIB;

/// Maximum range of `GET /v1/coverage`, in milliseconds: a week is 169 ledgers, one call each.
pub const COVERAGE_MS: i64 = 7 * 24 * 3_600_000;

/// Maximum number of batches of an hour that `GET /v1/coverage` examines: one every two seconds.
pub const COVERAGE_BATCHES: u64 = 1_800;

/// Maximum length of a window that the name of a batch is believed to span, in milliseconds: Logpush uploads a batch every five
/// minutes at least; twice that. What has a longer name was not written by Logpush.
pub const BATCH_NAME_MS: i64 = 600_000;

/// Maximum number of stretches of time that are kept of a batch's records, 30 bytes each. Most batches have one, and one more
/// for records that come late.
pub const BATCH_STRETCHES: usize = 8;

/// Maximum gap between the windows of two successive batches that does not count as one, in milliseconds: their
/// timestamps are whole seconds.
pub const COVERAGE_JOIN_MS: i64 = 1_000;

/// Maximum number of objects that the Logs Engine lists at once: ten pages of a listing.
pub const ENGINE_LISTED: u64 = 10_000;

/// Maximum number of days that a listing of the Logs Engine covers if the prefix names the day.
pub const ENGINE_DAYS: usize = 366;

/// minutes. The batches of this time must lie in the bucket without a gap before a ray counts as not logged.
pub const LANDING_MS: i64 = 300_000;

/// Age below which a ray may still come, in milliseconds: twice [`LANDING_MS`].
pub const FRESH_RAY_MS: i64 = 600_000;

/// Time by which a ray may be ahead of the clock, in milliseconds: clocks of data centres differ by less than a second.
pub const CLOCK_AHEAD_MS: i64 = 5_000;

/// Minimum and maximum time after which to ask again for a ray that may still come, in seconds.
pub const ASK_AGAIN_S: (i64, i64) = (30, 3_600);

/// Handles that a verdict names, of batches that may hold the ray: 80 bytes each.
pub const UNCERTAIN_BATCHES: usize = 10;

/// Share of records whose ray has another time than they have, in per cent, above which a ray's time says nothing: a change of
/// the layout moves all of them, while odd clients move a few.
pub const SKEWED_SHARE: u64 = 50;

/// Time around skewed rays and their records in which the layout is in doubt, in milliseconds: a window of the index on both
/// sides, since a batch is seldom the first or the last that is skewed.
pub const LAYOUT_MARGIN_MS: i64 = 655_360;

/// Time after the upload of a skewed batch in which the layout counts as doubtful at present, in milliseconds: batches with rays
/// of that time may still land.
pub const LAYOUT_RECENT_MS: i64 = super::BACKFILL_LATE_MS;

/// Maximum number of hours of a dataset whose layout is in doubt that the registry keeps apart, 100 bytes each: 41 days. Of more,
/// the oldest are joined.
pub const LAYOUT_DOUBTS: u64 = 1_000;

/// Maximum of a number of bytes in an HTTP archive: the largest that every reader of JSON has exactly.
pub const HAR_BYTES_MAX: u64 = (1 << 53) - 1;
