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
