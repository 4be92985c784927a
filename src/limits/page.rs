//! Bounds of the support desk's page.
//!
//! The invariants of [`super`] apply.

/// Maximum number of rays that one paste is read as: what a person can look through on one page, and far below
/// [`super::RAYS_ASKED`].
pub const PAGE_RAYS: usize = 20;

/// Maximum length of a token in the form, in bytes: three bytes of each in a cookie, which browsers keep up to 4,096 bytes.
pub const FORM_TOKEN_BYTES: usize = 1_024;

/// Maximum length of the path to return to after signing in, in bytes: a ray, a tab and filters.
pub const RETURN_PATH_BYTES: usize = 4_096;

/// Memory of an answer that is read to be shown, for each byte of its JSON: its copy, its values as they are parsed and what is
/// made of them for the page.
pub const PAGE_ROOM: usize = 8;

/// Number of entries of the audit log that the page of operations shows.
pub const OPS_AUDIT_ENTRIES: u64 = 25;

/// Time before now whose coverage the page of operations shows, in milliseconds: six hours, which is 72 of the batches that
/// Logpush writes at most.
pub const OPS_COVERAGE_MS: i64 = 6 * 3_600_000;

/// Number of records in the table of a search: a screen of them is 40, and each is 3 KB of HTML at most as a rule.
pub const SEARCH_RECORDS: usize = 100;

/// Memory of the rows of a search's table, in bytes: ten cells of 200 characters and their addresses, twice as they grow.
pub const SEARCH_TABLE_BYTES: usize = SEARCH_RECORDS * 2 * 10 * (800 + 1_000);

/// Number of bars that the histogram of a search has at most: one for each 12 units of its picture.
pub const SEARCH_BARS: i64 = 60;

/// Maximum number of records whose fields are on a page: with 90 fields of 200 bytes each, 700 KB.
pub const PAGE_RECORDS: usize = 40;

/// Maximum number of fields of a record on a page: three times those that Logpush documents.
pub const PAGE_FIELDS: usize = 400;

/// Maximum number of characters of a value in a table: those of a long address or user agent. With the most fields of the
/// most records, each of characters with six bytes as HTML, 29 MB; a page of honest records has a fiftieth of that.
pub const PAGE_VALUE_CHARACTERS: usize = 300;

/// Maximum number of log lines and exceptions of a Worker's trace on a page.
pub const PAGE_TRACE_LINES: usize = 200;

/// Maximum number of characters of such a line: all lines of a trace have at most 800 KB, three times what the platform logs.
pub const PAGE_MESSAGE_CHARACTERS: usize = 4_000;

/// Maximum number of marks of a row in a waterfall: a request matches fewer rules.
pub const PAGE_MARKS: usize = 20;

/// Deepest level of a waterfall that is nested. Browsers flatten documents of more than 512 levels, of which each of these
/// takes three; deeper rays stay at this one, with their level in words.
pub const PAGE_LEVELS: usize = 16;

/// Maximum number of partner lines on a page: with 145 columns of 300 bytes each, 900 KB.
pub const PAGE_PARTNER_LINES: usize = 20;

/// Maximum number of deliveries, and of payloads of each, on a page.
pub const PAGE_DELIVERIES: usize = 100;

/// Maximum number of characters of a value in the text for a ticket: trackers take 64 KB in all.
pub const PAGE_TICKET_CHARACTERS: usize = 500;

/// Maximum number of records of a ray that a text to be passed on is made of: the request, the events with its rules and
/// the traces of its Workers.
pub const PAGE_SHARED_RECORDS: usize = 20;

/// Maximum length of a text of such a record, in bytes, and of one of a record whose partner line is explained: four times
/// what is shown of it. Masking takes 0.4 µs for each byte.
pub const PAGE_SHARED_TEXT_BYTES: usize = 16_384;

const _: () = assert!(PAGE_SHARED_TEXT_BYTES >= 4 * PAGE_COMMAND_CHARACTERS);

/// Maximum length of a record whose partner line the page explains, once its long texts are cut, in bytes: with
/// [`super::EXPLAINED_COPIES`] of it 1 MB.
pub const PAGE_EXPLAINED_BYTES: usize = 262_144;

/// Maximum number of rays of a tree whose records are looked up for its rows, beside those that the answer has: the requests
/// above the one that was asked for, or all that are missing if they are few. Each costs as much as a lookup.
pub const PAGE_TREE_LOOKUPS: usize = 20;

/// Number of requests of a tree on a page where the records of [`super::FAMILY_RAYS`] do not fit into the share of one caller:
/// with records of 8 KB they are 1.6 MB of JSON, and [`PAGE_ROOM`] times that 13 MB of 16.
pub const PAGE_TREE_ROWS: usize = 200;
const _: () = assert!(PAGE_TREE_ROWS * 8 * super::KIB * PAGE_ROOM < super::MEMORY_BUDGET / super::CALLER_SHARES);

/// Maximum number of neighbours that the page lists: a screen before the request and one after it.
pub const PAGE_NEIGHBOURS: u32 = 50;

/// Maximum number of characters of a word in a command.
pub const PAGE_COMMAND_CHARACTERS: usize = 4_000;
