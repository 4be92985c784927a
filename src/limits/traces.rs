//! Limits on the traces that exporters of OpenTelemetry bring.
//!
//! The invariants of [`super`] apply.

use super::{
    BESIDE_UPLOADS, KIB, MAX_LINE, MAX_NONSTANDARD_BYTES, MAX_SHARDS, MEMORY_BUDGET, MIB, READER_BYTES, REQUEST_BYTES,
    UPLOAD_BEGUN, UPLOAD_BESIDE, UPLOAD_COMPRESSOR, UPLOAD_LEAVES,
};

/// Maximum size of the body of `POST /v1/traces`, in bytes, compressed and inflated alike. An exporter sends 512 spans at a time
/// unless it is set otherwise, of a kilobyte of JSON each: half a megabyte.
pub const TRACES_BODY_BYTES: usize = 4 * MIB;

/// Maximum number of spans in a body: of a kilobyte each they fill it. More are rejected one by one.
pub const TRACES_SPANS: usize = 4_096;

/// Maximum size of a span, a resource or a scope as it is sent, in bytes. The SDKs keep 128 attributes, mostly of a few bytes.
pub const TRACE_SPAN_BYTES: usize = 128 * KIB;

/// Maximum memory of one of them as it is read, in bytes, by [`TRACE_OBJECT_ROOM`], [`TRACE_ELEMENT_ROOM`] and twice its own
/// size. Of 128 attributes it takes 200 KB, of 128 events with 10 attributes each 1.7 MB.
pub const TRACE_SPAN_ROOM: usize = 2 * MIB;

/// Memory of an object as it is read, in bytes: the first node of its tree, with eleven names and values of 24 bytes each.
pub const TRACE_OBJECT_ROOM: usize = 640;

/// Memory of a member or an element as it is read, in bytes: 24 in a list that doubles as it grows, or 48 in a tree of which
/// every node is half full, and what the allocator rounds.
pub const TRACE_ELEMENT_ROOM: usize = 128;

/// Number of attributes that are kept of a span, of an event or a link of it, of a resource, a scope or an object in a value:
/// what the SDKs keep unless they are set otherwise. More are dropped and counted.
pub const TRACE_ATTRIBUTES: usize = 128;

/// Number of events that are kept of a span, and of links, and of the elements of a list: the same.
pub const TRACE_PARTS: usize = 128;

/// Maximum length of the name of an attribute, in bytes. One with a longer name is dropped and counted.
pub const TRACE_NAME_BYTES: usize = 256;

/// Maximum length of a text of a span, in bytes: a stack trace has some kilobytes. A longer one is cut and counted.
pub const TRACE_TEXT_BYTES: usize = 8 * KIB;

/// Maximum number of rays whose requests are looked up to judge spans of senders with zones, where a request asks for other records
/// alone: one as a rule.
pub const BOUND_RAYS_ASKED: usize = 20;

/// Spans that an answer has at most of the senders of one zone, where these have a list of zones: half of what an exporter sends
/// at a time unless it is set otherwise. They never take the room of others.
pub const ZONE_SPANS: usize = 256;

/// Maximum size of their lines, in bytes: 1.5 KiB each. One of [`TRACE_LINE_BYTES`] fits.
pub const ZONE_SPAN_BYTES: usize = 384 * KIB;

/// Number of zones whose senders' spans an answer has: a trace is of one as a rule. Of a fifth it has none. Together they have
/// 1.5 MiB of lines, and 1.1 MiB for what is known of each span, beside those of all other senders.
pub const SENDER_ZONES: usize = 4;

/// Number of zones of which it is known that spans are left out, 253 bytes each: of more, the answer says that it is cut.
pub const SENDER_ZONES_CUT: usize = 16;

/// Memory of what is known of it, in bytes: the ray and the zone in a tree of which every node is half full, and its name.
pub const SENDER_CUT_BYTES: usize = 2 * 32 + 256;

/// Number of zones that are kept of those which the records of a ray say, and the maximum length of a host or a name among them, in
/// bytes: they are of one as a rule. Of a ray with more, spans are judged by its records alone.
pub const RAY_ZONES: usize = 4;
/// See [`RAY_ZONES`].
pub const RAY_ZONE_BYTES: usize = 256;

/// Levels of lists and objects in the value of an attribute. What is deeper is dropped and counted.
pub const TRACE_DEPTH: usize = 8;

/// Depth of messages in a protobuf body: a span's event's attribute's value, and two for each level of [`TRACE_DEPTH`], and
/// some that are dropped.
pub const TRACE_WIRE_DEPTH: usize = 64;

/// Maximum length of the line of a span, in bytes. A span with a longer one is rejected.
pub const TRACE_LINE_BYTES: usize = 256 * KIB;

/// Maximum size of the lines of a request, in bytes: a line has the resource of its span, which the body has once for all of them.
/// Eight times the body, which takes a second of CPU to compress. Spans beyond are rejected one by one.
pub const TRACES_TEXT_BYTES: usize = 8 * TRACES_BODY_BYTES;

/// Bytes by which a buffer grows at least while a body is read or a batch written.
pub const TRACES_STEP: usize = 256 * KIB;

/// Memory of what is known of a trace while its spans are read, in bytes: its ID, its ray and its host in a tree of which every node
/// is half full.
pub const TRACE_FACTS_BYTES: usize = 2 * 64 + 256;

/// Difference of the time of a ray and the start of a span up to which a trace ID with zeros before it is a ray, in milliseconds:
/// other systems have trace IDs of 64 bits too.
pub const TRACE_RAY_SKEW_MS: i64 = 3_600_000;

/// Memory of reading spans and writing their lines beside body, inflater and batch, in bytes: two values of a span (it and its
/// resource), three copies of its line, what it is of as text, and what is known of each trace.
pub const TRACES_ROOM: usize = 2 * TRACE_SPAN_ROOM + 4 * TRACE_LINE_BYTES + UPLOAD_COMPRESSOR + UPLOAD_BESIDE;

// A ray and a time in a shard each, and the shard of trace IDs.
const _: () = assert!(2 * TRACES_SPANS + 1 < MAX_SHARDS);
const _: () = assert!(TRACES_SPANS * 64 < MAX_NONSTANDARD_BYTES);
const _: () = assert!(TRACE_LINE_BYTES < MAX_LINE);
const _: () = assert!(TRACE_LINE_BYTES <= ZONE_SPAN_BYTES);
const _: () = assert!(SENDER_ZONES_CUT * 253 < REQUEST_BYTES / 4);
// While the body's buffer grows it exists twice at most; then there is the batch, of a quarter of its size as a rule. That
// is below what one caller's uploads may hold.
const _: () = assert!(
    2 * TRACES_BODY_BYTES + READER_BYTES + TRACES_ROOM + REQUEST_BYTES
        < MEMORY_BUDGET - BESIDE_UPLOADS - UPLOAD_LEAVES[0] - UPLOAD_BEGUN
);
