//! Limits on the part of a batch that decides about its form.
//!
//! The invariants of [`super`] apply.

use super::{INFLATE_CHUNK, KIB};

/// Stored bytes of a body that are read ahead to recognise its form: some 300 records of `http_requests`.
pub const HEAD_STORED: usize = 64 * KIB;

/// Inflated bytes of the head that are examined: five of the longest `firewall_events`.
pub const HEAD_TEXT: u64 = INFLATE_CHUNK as u64;

/// Number of lines of the head that are examined. A job writes every field in each record, so a few lines are enough.
pub const HEAD_LINES: usize = 20;

/// Bytes that are kept of a line longer than [`super::MAX_LINE`]: more than the longest record, so that the start of a
/// second one is visible.
pub const LONG_LINE_HEAD: usize = 64 * KIB;

/// Minimum number of lines in a batch for each rejected one.
pub const REJECTED_RATIO: u64 = 10;

/// Number of lines from which [`REJECTED_RATIO`] is checked: below, a single damaged line would exceed it.
pub const REJECTED_FROM: u64 = 20;

/// Lines of values, tags or names in a row that are another form, and no damage: as many as [`REJECTED_FROM`].
pub const TEXT_RUN: u64 = REJECTED_FROM;

/// If this many first lines are all rejected, the object is not NDJSON, and the rest of it is not read.
pub const EARLY_REJECTED_LINES: u64 = 1000;

/// Maximum length of a text before a record that counts as the job's, in bytes: the head of a syslog line has about
/// 100.
pub const PREFIX_MARK: usize = 256;

/// Maximum number of braces in such a text at which a record is tried, since each may mean reading the line again. The
/// text has one or two of its own.
pub const PREFIX_BRACES: usize = 8;

/// Maximum length of a text after a record, or between two, that counts as the job's, in bytes.
pub const DELIMITER_MARK: usize = 32;

/// Maximum depth below a line's object at which records are searched for: `{"data":{"result":{"events":[`.
pub const WRAPPER_DEPTH: u32 = 3;

/// Elements of a list inside of a line that are looked at: a count or a heading may come before the records.
pub const WRAPPER_ELEMENTS: usize = 8;

/// Longest record with a time, of a dataset without rays, in which records are looked for only where its ends show an
/// object or a list, in bytes: such records have some 500 bytes.
pub const TIMED_WRAPPER: usize = 8 * KIB;

/// Bytes in which the first member's value begins: the longest documented name has some 50.
pub const WRAPPER_HEAD: usize = 64;

/// Maximum number of rejected lines of a batch that an answer lists.
pub const REJECTED_LISTED: usize = 1000;

const _: () = assert!(LONG_LINE_HEAD < super::MAX_LINE);
