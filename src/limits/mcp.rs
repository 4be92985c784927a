//! Bounds of what assistants ask and are answered.
//!
//! The invariants of [`super`] apply.

use super::KIB;

/// Maximum size of an answer to an assistant, in bytes. What it says is in it twice, as an object and as its text: clients show
/// their model one of them. Of 16 KB, an assistant reads at most 8,000 tokens, since none is shorter than a byte.
pub const MCP_ANSWER: usize = 16 * KIB;

/// Bytes of an answer around the two forms of what it says: the id of the request as JSON (at most twice [`MCP_ID_BYTES`]), names
/// and brackets.
pub const MCP_ENVELOPE: usize = 512;

/// Maximum length of the id of a request, in bytes: clients count, or draw one of 36 digits.
pub const MCP_ID_BYTES: usize = 128;

/// Bytes that an answer keeps for the figures of what it left out: ten numbers with their names, [`MCP_NAMES_LEFT_OUT`] names of
/// fields, and the sentence that says what to do.
pub const MCP_LEFT_OUT: usize = 1_500;

/// Names of fields that an answer mentions without their values: 45 bytes each at most.
pub const MCP_NAMES_LEFT_OUT: usize = 12;

/// Maximum number of characters of a value: a long address or user agent. A person reads the rest on the page.
pub const MCP_VALUE_CHARS: usize = 300;

/// Maximum length of the JSON of a list or an object that is shown as such, in bytes. A longer one is cut as text.
pub const MCP_NESTED_BYTES: usize = 600;

/// Bytes of the fields of a record that are looked at for an answer: no more of one fit.
pub const MCP_RECORD_BYTES: usize = MCP_ANSWER;

/// Maximum number of records of a ray in an answer: those of its request, its events and its Workers as a rule. With
/// [`MCP_RECORD_BYTES`] each they are 400 KB.
pub const MCP_RECORDS: usize = 24;

/// Fields of each record that come before the others of any: what a person looks at first.
pub const MCP_FIRST_FIELDS: usize = 12;

/// Share of an answer that the tree of requests takes at most where there are records too, in per cent.
pub const MCP_TREE_SHARE: usize = 40;

/// Maximum number of requests in a page of a tree that an assistant asks for.
pub const MCP_TREE_ROWS: u64 = 50;

/// Records of a search: 350 bytes of each fit where all are returned.
pub const MCP_ROWS: u64 = 20;

/// Records of a search that does not say how many.
pub const MCP_ROWS_DEFAULT: u64 = 10;

/// Rows of counts by values, where the request does not say how many values.
pub const MCP_TOP: u64 = 20;

/// Payloads of a record, and deliveries of it once more, that an answer shows: a record is in one payload as a rule, 400 bytes.
pub const MCP_PAYLOADS: usize = 3;

/// Gaps between batches that a verdict in an answer names, 70 bytes each.
pub const MCP_GAPS: usize = 10;

/// Warnings in an answer, 300 bytes each.
pub const MCP_WARNINGS: usize = 3;

/// Maximum range of a search, in milliseconds: a day. An assistant narrows a search down better than it reads a long one.
pub const MCP_SEARCH_MS: i64 = 24 * 3_600_000;

/// Maximum range of counts, in milliseconds: a week.
pub const MCP_COUNTS_MS: i64 = 7 * 24 * 3_600_000;

const _: () = assert!(MCP_ENVELOPE >= 2 * MCP_ID_BYTES + 200);
const _: () = assert!(MCP_LEFT_OUT + MCP_WARNINGS * 600 + 2 * 4_000 < MCP_ANSWER);
