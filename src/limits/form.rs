//! How much of a batch decides about its form.
//!
//! The invariants of [`super`] apply.

use super::{INFLATE_CHUNK, KIB};

/// Stored bytes of a body that are read ahead, to see what it is: some 300 records of `http_requests`.
pub const HEAD_STORED: usize = 64 * KIB;

/// Bytes of text that are looked at of them: five of the longest `firewall_events`.
pub const HEAD_TEXT: u64 = INFLATE_CHUNK as u64;

/// Lines that are looked at of them. Every field of a job is in each of its records, so that a few lines show it.
pub const HEAD_LINES: usize = 20;

/// Bytes that are kept of a line longer than [`super::MAX_LINE`]: more than the longest record, so that the beginning
/// of a second one shows.
pub const LONG_LINE_HEAD: usize = 64 * KIB;

/// How many lines of a batch there are at least for each rejected one.
pub const REJECTED_RATIO: u64 = 10;

/// Lines from which [`REJECTED_RATIO`] is judged: below, a single damaged line would be more.
pub const REJECTED_FROM: u64 = 20;

/// If this many first lines are all rejected, the object is not NDJSON and the rest of it is not read.
pub const EARLY_REJECTED_LINES: u64 = 1000;

/// Longest text before a record that counts as the job's, in bytes: the head of a syslog line has about 100.
pub const PREFIX_MARK: usize = 256;

/// Braces of such a text at which the record is looked for, since each may mean reading the line once more. A text has
/// one or two of its own.
pub const PREFIX_BRACES: usize = 8;

/// Longest text after a record, or between two, that counts as the job's, in bytes.
pub const DELIMITER_MARK: usize = 32;

/// Levels below a line's object at which records are looked for: `{"data":{"result":{"events":[`.
pub const WRAPPER_DEPTH: u32 = 3;

/// Rejected lines of one batch that an answer lists.
pub const REJECTED_LISTED: usize = 1000;

const _: () = assert!(LONG_LINE_HEAD < super::MAX_LINE);
