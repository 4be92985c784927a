//! Limits on what a page shows of an answer: the whole of it is in the JSON.
//!
//! The invariants of [`super`] apply.

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

/// Maximum number of characters of a word in a command.
pub const PAGE_COMMAND_CHARACTERS: usize = 4_000;
