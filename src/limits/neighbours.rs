//! Limits on the neighbours of a ray: the records around its moment that have something in common with it.
//!
//! The invariants of [`super`] apply.

use super::{CALLER_SHARES, FAMILY_RAYS, KIB, MASKING_ROOM, MAX_LINE, MEMORY_BUDGET, MIB, REQUEST_BYTES, STREAM_BYTES};

/// Minimum and maximum time before and after a ray in which its neighbours are, in seconds: two hours in all, which are twelve
/// prefixes.
pub const NEIGHBOURS_WITHIN_S: (i64, i64) = (1, 3_600);

/// The same where a request says nothing: the times in which most outages are noticed.
pub const NEIGHBOURS_DEFAULT_WITHIN_S: i64 = 300;

/// Maximum number of neighbours in an answer.
pub const NEIGHBOURS_LISTED: u32 = 500;

/// Number of neighbours in an answer where a request says nothing.
pub const NEIGHBOURS_DEFAULT: u32 = 50;

/// Maximum length of a value that is compared, in bytes: Cloudflare's longest URLs.
pub const NEIGHBOUR_VALUE_BYTES: usize = 16 * KIB;

/// Maximum number of bytes of the listed neighbours: [`NEIGHBOURS_LISTED`] of 2 KB. Of longer ones fewer are listed.
pub const NEIGHBOURS_LIST_BYTES: usize = MIB;

/// Memory of a listed neighbour beside its text, in bytes: its place in a tree (160, where every node is half full), in the list
/// in order (24), the allocator's rounding.
pub const NEIGHBOUR_BYTES: usize = 208;

/// Number of values that neighbours have in common with a ray.
pub const NEIGHBOUR_VALUES: usize = 2;

/// Copies of such a value that a search holds: in four copies of its filter as text and as operand, in the answer, of which a
/// text may be six times as long in JSON.
const VALUE_COPIES: usize = 4 * (1 + 6) + 2 * 6;

/// Memory of the neighbours of a ray, in bytes: those that are listed with the next one, the values that they have in common, and the
/// rays of the tree of requests, 24 bytes each in nodes that are half full.
pub const NEIGHBOURS_BYTES: usize = NEIGHBOURS_LIST_BYTES
    + (NEIGHBOURS_LISTED as usize + 1) * NEIGHBOUR_BYTES
    + NEIGHBOUR_VALUES * NEIGHBOUR_VALUE_BYTES * VALUE_COPIES
    + FAMILY_RAYS * 24;

const _: () =
    assert!(MASKING_ROOM * MAX_LINE + STREAM_BYTES + NEIGHBOURS_BYTES + REQUEST_BYTES < MEMORY_BUDGET / CALLER_SHARES);
