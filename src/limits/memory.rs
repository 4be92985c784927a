//! The distribution of the module's memory.
//!
//! The invariants of [`super`] apply.

use super::{KIB, MIB};

/// Maximum size of the wasm module's memory, in bytes: an isolate has 128 MB, and the runtime's own buffers (R2
/// streams, request bodies) need about a quarter of it. `.cargo/config.toml` passes it to the linker.
pub const WASM_MEMORY_MAX: usize = 96 * MIB;

/// Memory that all requests of an isolate may hold at a time, in bytes: half of [`WASM_MEMORY_MAX`], since reading a
/// batch of 1,000,000 records at the same time takes 37 MiB, and the module itself 5.
pub const MEMORY_BUDGET: usize = WASM_MEMORY_MAX / 2;

/// Minimum number of bytes whose allocation is tried before they are reserved: fewer find a hole.
pub const PROBED_BYTES: usize = 256 * KIB;

/// Bytes that must be free beside those, for what is allocated until the next reservation.
pub const PROBE_SLACK: usize = 256 * KIB;

/// Number of callers among whom [`MEMORY_BUDGET`] is divided: one holds at most a third, 16 MiB, whatever others hold.
pub const CALLER_SHARES: usize = 3;

/// Minimum and maximum size of a chunk of a body, in bytes. Chunks grow with the body: one of 1 KB takes a chunk of 4 KiB,
/// one of 8 MiB some forty chunks, so that at most half of what is reserved is unused.
pub const CHUNK_MIN: usize = 4 * KIB;
/// See [`CHUNK_MIN`].
pub const CHUNK_MAX: usize = 256 * KIB;

/// Maximum size of a body that is made without a reservation, in bytes: problems, and Logpull's and Cloudflare's errors,
/// which are sentences of our own. The base amount of a request covers it.
pub const SMALL_BODY: usize = 16 * KIB;

/// Memory of a request in flight beside its head, in bytes: its futures (6 KiB natively, less in the module), its caller,
/// its entry of the audit log and the call that writes it, the parsed parameters. 48 MiB are some 1,500 requests at once,
/// a caller's share some 500.
pub const REQUEST_BYTES: usize = 24 * KIB;

/// Number of copies of a request's path, query and headers that are held at a time: as received, as parsed, as the
/// canonical values, their JSON, the entry and the body of its call.
pub const REQUEST_COPIES: usize = 6;

/// Memory of the body of a request other than an upload, in bytes for each of its own: the piece, the body, its parsed
/// form (an element of two bytes takes 24), the canonical values and their JSON.
pub const BODY_ROOM: usize = 24;

/// Memory of the answer of a Durable Object while it is parsed, in bytes for each of its JSON: the JSON and its parsed form,
/// whose names and numbers are as long in memory as in JSON, and whose maps and rows of few bytes take up to three times
/// as much.
pub const ANSWER_ROOM: usize = 4;

/// Memory that is reserved before a Durable Object is called, in bytes: answers that record something have a few hundred.
pub const ANSWER_MIN: usize = 4 * KIB;

/// Number of batches in a page of a ledger's list: a kilobyte each, and [`super::CONCURRENT_CALLS`] pages may be held at a
/// time: 5 MB with [`ANSWER_ROOM`].
pub const BATCHES_PAGE: u64 = 200;

/// Size of a page of a shard's list as JSON, in bytes: [`super::SHARD_PAGE`] batches of 3 KB with their summaries. A caller's
/// share has room for those that one stream asks for at a time, or for one of them and the longest line.
pub const SHARD_PAGE_BYTES: usize = super::SHARD_PAGE * 3_000;

/// Number of payloads in a page of a batch's: 600 bytes each, 2.4 MB with [`ANSWER_ROOM`]. A batch of
/// [`super::MAX_PAYLOADS`] is 20 pages.
pub const PAYLOADS_PAGE: u64 = 1_000;

/// Number of dead letters in a page of the registry's list: a message has at most 128 KB, and its JSON may be twice that:
/// 2 MB, 8 MB with [`ANSWER_ROOM`].
pub const DEAD_LETTERS_PAGE: u64 = 8;

/// Memory of a page of a listing of the bucket, in bytes: keys have at most [`super::KEY_BYTES`], the rest is 200 bytes.
pub const LIST_PAGE_BYTES: usize = super::LIST_PAGE * (super::KEY_BYTES + 200);

/// Memory of a window of `GET /v1/coverage`, in bytes: two instants, which are held as read, joined, among those that are not
/// complete and among all (both joined, too), as what is left of it, and as a gap.
pub const WINDOW_BYTES: usize = 8 * 16;

/// Memory of a payload in an answer, in bytes: its row, its handles and texts, as read and as shown.
pub const PAYLOAD_BYTES: usize = 2 * KIB;

/// Memory for reading one object or a range of it, in bytes: a piece of the body (64 KiB), its inflated bytes
/// ([`super::INFLATE_CHUNK`]) after the last window (32 KiB), the tables of the inflater (12 KiB), its checksum (68
/// KiB), a line that spans pieces ([`LINE_HELD`]): 464 KiB, and a reserve for the allocator. What a longer line takes is
/// reserved as it comes.
pub const READER_BYTES: usize = 480 * KIB;

/// Memory of a line that spans pieces, in bytes, which a reader holds without a reservation of its own: twice the longest
/// record of `http_requests`, and more than nearly all others have.
pub const LINE_HELD: usize = 32 * KIB;

/// Bytes by which the buffer of a longer line grows at least.
pub const LINE_STEP: usize = 256 * KIB;

/// Number of copies of an entry of the audit log that are held at a time: as kept, as shown, as a document, in the body.
pub const LINE_COPIES: usize = 4;

/// Memory of a found record beside its line, in bytes: its row, its place, the name of its zone; the ray and the zone of the
/// line that it is inside of.
pub const FOUND_BYTES: usize = 384;

/// Maximum length of a line that is compared with others as JSON, in bytes; longer ones are compared byte for byte. An element
/// of two bytes takes 16 in the list of its level, and three times that while the list grows: 1.5 MiB, of one line at a time.
pub const COMPARED_LINE: usize = 64 * KIB;

/// Memory of a collected line of a search beside its bytes, in bytes: its row with its place.
pub const LINE_BYTES: usize = 96;

/// Memory of masking a line, in bytes for each of its own. One line is masked at a time. A list of ones of a digit each
/// grows 2.5 times, a path of words of a letter each 4.5 times, and the buffer doubles as it grows: 9; text that is not
/// UTF-8 exists a second time, up to 3 times as long. Text that grows as it is judged ([`super::NORMAL_GROWTH`]) exists a
/// second time twice as long, and its words are longer than a letter.
pub const MASKING_ROOM: usize = 12;

/// Memory of cutting records out of a line, in bytes for each of its own: text that is not UTF-8 exists a second time; members
/// with records take 32 bytes each and are at least 16 bytes long: 2; what is left of the line, and of each level of
/// [`super::INNER_DEPTH`], is no longer than it was: 3. What is left is then masked: one byte beside [`MASKING_ROOM`].
pub const CUTTING_ROOM: usize = 6;

/// Memory of rendering a line as its caller sees it, in bytes for each of its own. One line is rendered at a time. The
/// members of a record take 16 bytes each and are at least 5 bytes long: 3; the output is at most 1.5 times as long (a
/// quote in a cell is two), and its buffer doubles as it grows: 3.
pub const RENDERING_ROOM: usize = 6;

/// Copies of a field's text in a partner's line: the address of the client is in columns 13, 36 and 40, its host in 17 and
/// 60, and in 18 until that is cut.
pub const EXPLAINED_COPIES: usize = 3;

/// Bytes of a partner's line that its record does not have: 145 separators and dashes, three times of 28 characters, and
/// the settings, of which the platform allows 5 KB.
pub const EXPLAINED_SLACK: usize = 8 * KIB;

/// Memory of explaining a line, in bytes for each of its text, beside [`EXPLAINED_SLACK`]. One line is explained at a time:
/// it is written whole, its rest is copied where it has line ends outside of ASCII, and of its fields one is shown on a line
/// of its own.
pub const EXPLAINING_ROOM: usize = 2 * EXPLAINED_COPIES + 1;

/// Maximum length of a value that is compared with one of another record as JSON, in bytes; longer ones are compared byte for
/// byte. Logpush's longest values other than a Worker's logs are headers.
pub const DIFF_COMPARED: usize = 8 * KIB;

/// Memory of comparing two such values, in bytes: an element of two bytes takes 16 in the list of its level, and three times
/// that while the list grows: 24 for each byte; the texts that are compared are at most six times as long each, as `1e20`.
pub const DIFF_ROOM: usize = DIFF_COMPARED * (24 + 2 * 6);

/// Memory of a member of a record that is compared with another one, in bytes: 40 in the list of members, and three times
/// that while the list grows, and 32 in the list by name. In the module half of that.
pub const DIFF_MEMBER_BYTES: usize = 3 * 40 + 32;

/// Memory of a stream, in bytes: a reader, its lines, and a piece of the answer. Sixty-four of them are 40 MiB, which
/// leaves room for concurrent lookups; measured, 64 at once take 27 MiB of the module's memory in all.
pub const STREAM_BYTES: usize = READER_BYTES + 160 * KIB;

/// Memory of a group of counts beside its key, in bytes: its place in a tree (75, where every node is half full), its row
/// while it is written (40), the allocator's rounding.
pub const COUNT_GROUP_BYTES: usize = 128;

/// Bytes of groups at which their rows are written: some 6,000 groups, such as 20 statuses in each of 288 steps.
pub const COUNT_FULL_BYTES: usize = MIB;

/// Maximum number of bytes of groups: a piece of text has at most some hundred records as a rule, of which each may be a group
/// of its own, after the others are just not full. In a piece that has more values than fit, as deflate's worst case of 8 MB
/// may, the rest is counted together.
pub const COUNT_GROUPS_BYTES: usize = COUNT_FULL_BYTES + MIB / 2;

/// Memory of counts, in bytes: the groups, and for each step a count of other values and its row.
pub const COUNT_BYTES: usize = COUNT_GROUPS_BYTES + super::COUNT_STEPS as usize * 96;

/// Time that an answer waits for memory held by others, in milliseconds, before the client has to retry.
pub const BUSY_MS: i64 = 3_000;

/// Minimum and maximum backoff of a request that waits for memory or its turn, in milliseconds: it doubles each time.
pub const BUSY_PAUSES_MS: (i64, i64) = (20, 1_000);

/// Maximum size of a body of `POST /v1/ingest`, in bytes: the platform's limit for a request.
pub const INGEST_MAX: u64 = 100 * 1000 * 1000;

/// Size of one part of a multipart upload to R2, in bytes: R2's minimum, since each is held in memory once.
pub const UPLOAD_PART: usize = 5 * MIB;

/// Number of lines that the refusal of an upload names by their offsets.
pub const REFUSED_LINES_SHOWN: usize = 8;

/// Bytes of an upload that are processed at a time: the platform usually provides pieces of that size.
pub const UPLOAD_STEP: usize = 64 * KIB;

/// Memory of an upload in addition to its buffer, in bytes: a piece of the body and the current step of it.
pub const UPLOAD_BESIDE: usize = 192 * KIB;

/// Memory of the compressor of an upload that is not compressed, in bytes.
pub const UPLOAD_COMPRESSOR: usize = 288 * KIB;

/// Memory of the beginning of an upload, in bytes for each of its own: as a piece, and as read ahead.
pub const UPLOAD_HEAD_COPIES: usize = 2;

/// Sizes of an upload's buffer before it has that of a part, in bytes: a client that sends a little and stalls holds a little.
pub const UPLOAD_BUFFERS: [usize; 2] = [320 * KIB, MIB];

/// Memory of an upload of more than a part, in bytes: its part, the smaller buffer that it grows from, and what is beside.
pub const UPLOAD_FULL: usize = UPLOAD_PART + 2 * UPLOAD_STEP + UPLOAD_BUFFERS[1] + UPLOAD_BESIDE + UPLOAD_COMPRESSOR;

/// Memory that an upload leaves when it begins, when it takes the second buffer, and when it takes that of a part, in bytes: what
/// one of them needs for all the steps that follow. So the memory that one needs to finish is held only by those that hold
/// all they need.
pub const UPLOAD_LEAVES: [usize; 3] = [UPLOAD_FULL + UPLOAD_BUFFERS[1], UPLOAD_FULL, 0];

/// Memory of an upload that has begun, in bytes: its first buffer, what is beside, and the pieces of its head.
pub const UPLOAD_BEGUN: usize =
    UPLOAD_BUFFERS[0] + UPLOAD_BESIDE + UPLOAD_COMPRESSOR + UPLOAD_HEAD_COPIES * UPLOAD_STEP;

/// Memory of [`MEMORY_BUDGET`] that uploads leave for answers, in bytes: half. The other half is three uploads of more
/// than a part, or eighteen that have just begun. Those of one caller hold at most what leaves another's room to begin and to
/// finish: two of more than a part and three that have just begun.
pub const BESIDE_UPLOADS: usize = MEMORY_BUDGET / 2;

/// Time that an upload waits for memory, in milliseconds. Sending a part to R2 takes some 200 ms, so a hundred uploads
/// of one part each of one caller finish within 10 s; one that still waits then makes Logpush retry, which costs it more.
pub const UPLOAD_BUSY_MS: i64 = 30_000;

/// Time that a message waits for its turn to read a batch, in milliseconds: a batch of 1,000,000 records takes 15 s,
/// and five messages that wait this long stay below the 15 minutes of an invocation.
pub const READ_PERMIT_WAIT_MS: i64 = 120_000;

/// Time without a heartbeat from the reader of a batch after which the next one begins, in milliseconds. A reader sends
/// one with each piece of the batch; the longest silence is that of the calls that write its index,
/// [`super::OBJECT_CALL_MS`] each.
pub const READ_PERMIT_SILENT_MS: i64 = 90_000;

const _: () = assert!(UPLOAD_PART as u64 * 10_000 > INGEST_MAX);
const _: () = assert!(3 * UPLOAD_FULL + 3 * UPLOAD_BEGUN < MEMORY_BUDGET - BESIDE_UPLOADS);
const _: () = assert!(
    super::CONCURRENT_CALLS * SHARD_PAGE_BYTES * ANSWER_ROOM + STREAM_BYTES + REQUEST_BYTES
        < MEMORY_BUDGET / CALLER_SHARES
);
const _: () = assert!(
    SHARD_PAGE_BYTES * ANSWER_ROOM + (MASKING_ROOM + 1) * super::MAX_LINE + STREAM_BYTES + REQUEST_BYTES
        < MEMORY_BUDGET / CALLER_SHARES
);
// The pages that are asked ahead are dropped for a line that does not fit beside them.
const _: () = assert!(
    (MASKING_ROOM + 1) * super::MAX_LINE + STREAM_BYTES + COUNT_BYTES + REQUEST_BYTES < MEMORY_BUDGET / CALLER_SHARES
);
const _: () = assert!(2 * UPLOAD_STEP < UPLOAD_BUFFERS[0]);
const _: () = assert!(5 * READ_PERMIT_WAIT_MS < 15 * 60_000);
const _: () = assert!(READ_PERMIT_SILENT_MS < READ_PERMIT_WAIT_MS);
