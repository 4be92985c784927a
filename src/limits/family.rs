//! Bounds of parent links, of the memory of indexing, and of the families of requests that links make.
//!
//! The invariants of [`super`] apply.

use super::{CONCURRENT_PUTS, MAX_LINES, MAX_NONSTANDARD_BYTES, MIB, PACK_BYTES, SQL_BLOB_MAX, WASM_MEMORY_MAX};

/// Number of parents in a block of links: the most that are decoded beside those that are asked for. Its directory row of
/// 11 bytes is 0.2 bytes per parent.
pub const LINK_BLOCK_PARENTS: usize = 64;

/// Number of links in a part. In the worst case a link takes 40 bits for the distance of its parent, 1 for its number of
/// children, 75 for the ticks to its child and 28 for what is below the clock: 18 bytes, and less than 0.2 for the
/// directory; 65,536 of them are 1.2 MB.
pub const LINK_PART: usize = 65_536;

/// Maximum size of a batch's packed links, in bytes: six to nine bytes each as a rule, so 2,000,000 fit.
pub const MAX_LINKS_BYTES: usize = 18 * MIB;

/// Number of ticks of 10 ms before a ray in which its shard looks for its parent: 30 s. A parent that was longer ago is
/// named by the record itself, and costs another call.
pub const PARENT_TICKS: u64 = 3_000;

/// Maximum number of rays in a page of a tree, and of links in the answer of a shard: 60 KB of JSON, and 300 KB of the tree's.
pub const FAMILY_RAYS: usize = 1_000;

/// The same for callers who are limited to zones, whose pages must not end where hidden records take up the work of a page:
/// with [`FAMILY_SPANS`], each ray may have a span of its own and every second one another, so that a page ends earlier only
/// where it passes over hundreds of hidden records, each in a span without any of those.
pub const FAMILY_RAYS_UNSEEN: usize = 200;

/// Maximum number of levels below the root of a tree. The platform lets a request go through some 16 Workers, each of which is
/// a level.
pub const FAMILY_LEVELS: usize = 64;

/// Maximum number of places of rays in the answer of a shard: a ray is in one batch of each of two or three datasets as a
/// rule. 450 bytes each: 900 KB of JSON, 3.6 MB of a caller's share while it is read.
pub const FAMILY_MEMBERS: usize = 2_000;

/// Memory of a place of a ray until its records are read, in bytes: its batch, a span and the extent of that.
pub const FAMILY_PLACE_BYTES: usize = 768;

/// Memory of a link, in bytes: its child in a tree of which every node is half full.
pub const FAMILY_LINK_BYTES: usize = 32;

/// Maximum number of spans that are read for a page of what a ray caused and what caused it: with a window each, 600
/// calls, beside 200 for the ray itself and [`FAMILY_CALLS`].
pub const FAMILY_SPANS: usize = 300;

/// Calls and reads of one page, of [`super::INVOCATION_CALLS`]: what the batches of the ray itself leave is divided
/// among [`FAMILY_CALLS`] and two reads for each of [`FAMILY_SPANS`].
pub const FAMILY_OPERATIONS: usize = 900;

/// Maximum number of lines that are read of a batch at a time for rays of a family: those of 6 spans as a rule.
pub const FAMILY_LINES: usize = 500;

/// Number of rays whose records are read at a time where these are part of the answer, before it is known how long they are.
pub const FAMILY_SLICE: usize = 64;

/// Memory of a ray of a tree, in bytes: its facts, its node, and its JSON as it is hashed and as it is written. Of a ray under which
/// senders with zones brought spans, the zones are a few hundred bytes more.
pub const TREE_NODE_BYTES: usize = 1_024;

/// Maximum number of calls to shards for one page. Requests that cause each other are a second apart as a rule, so two
/// windows hold all but the oddest.
pub const FAMILY_CALLS: usize = 100;

const _: () = assert!(200 + FAMILY_CALLS + 2 * FAMILY_SPANS <= FAMILY_OPERATIONS);
const _: () = assert!(FAMILY_RAYS_UNSEEN * 3 <= FAMILY_SPANS * 2);
const _: () = assert!(8 + LINK_PART * 18 + LINK_PART / LINK_BLOCK_PARENTS * 11 + LINK_PART / 4 < SQL_BLOB_MAX);
const PACKS_HELD: usize = (CONCURRENT_PUTS + 2) * PACK_BYTES;
const BESIDE_RAYS: usize = MAX_NONSTANDARD_BYTES * 4 + MAX_LINKS_BYTES + LINK_PART * 16 * 4 + PACKS_HELD;
const _: () = assert!(MAX_LINES * 8 * 3 + BESIDE_RAYS as u64 <= WASM_MEMORY_MAX as u64);

/// Maximum number of records inside of one line that are found by their own rays: sixteen times the 50 that Logpush merges, so
/// that no hidden ones take the place of visible ones. 64 bytes each while a line is read.
pub const MERGED_CHILDREN: usize = 800;

/// Maximum number of records inside of the lines of a batch that are found by their own rays. With the 1,000,000 lines that
/// Logpush writes at most they are as many rays as [`MAX_LINES`] accounts for; in a batch of more lines, those whose memory
/// the lines need are given up.
pub const BATCH_CHILDREN: u64 = MAX_LINES / 2;

/// Maximum number of shards to which the records inside of a batch's lines may add: Logpush merges what was completed within
/// five minutes, which is in two windows beside those of the lines. Invented rays cost no more than these calls.
pub const CHILD_SHARDS: usize = 256;

/// Number of levels of records inside of records that a caller who is limited to zones sees. Logpush writes one.
pub const INNER_DEPTH: usize = 2;

/// Subrequests that are merged into the record of their parent, as many as Logpush merges.
pub const MERGED_SUBREQUESTS: usize = 50;

/// Time after its parent's end within which a subrequest must have ended to be merged, in nanoseconds: Logpush's five minutes.
pub const MERGED_WITHIN_NS: i64 = 300 * 1_000_000_000;

/// Bytes of a merged record besides those of the records in it: the member's name and brackets.
pub const MERGED_TEXT: usize = 32;
