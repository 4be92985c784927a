//! Limits on traces in OpenTelemetry's form, and on what Grafana's data source asks.
//!
//! The invariants of [`super`] apply.

use super::{
    CALLER_SHARES, FOUND_BYTES, LOOKUP_BYTES, LOOKUP_RECORDS, MASKING_ROOM, MAX_LINE, MEMORY_BUDGET, MIB,
    REQUEST_BYTES, SENDER_ZONES, STREAM_BYTES, TRACES_SPANS, ZONE_SPAN_BYTES, ZONE_SPANS,
};

/// Memory of a member of a record while spans are made of it, in bytes: 40 in a list that doubles as it grows, 32 in a tree of
/// which every node is half full.
pub const OTLP_MEMBER_BYTES: usize = 3 * 40 + 2 * 32;

/// Memory of an attribute beside its texts, in bytes: 56 in a list that doubles as it grows, and what the allocator rounds.
pub const OTLP_ATTRIBUTE_BYTES: usize = 3 * 56 + 2 * 16;

/// Memory of a span or of an event beside its attributes, in bytes: 296 in a list that doubles as it grows, and its IDs.
pub const OTLP_SPAN_BYTES: usize = 1_024;

/// Memory of the ID of a span among those of its answer, in bytes: 8 in a tree of which every node is half full.
pub const OTLP_ID_BYTES: usize = 2 * 8 + 8;

/// Maximum number of records of a ray in a trace, and of spans with a trace ID: as many spans as one request of an exporter
/// brings. Within [`LOOKUP_BYTES`] each may have 2 KiB. With what is known of each they are 9.5 MiB of the 16 that a caller's
/// share has, and each is dropped once it is written.
pub const TRACE_RECORDS: usize = TRACES_SPANS;

/// Memory of what is known of an exporter's span while those of its ray are put in order, in bytes: four IDs, its service and
/// its times in a list that doubles as it grows, and its place in two trees of which every node is half full.
pub const OTLP_PLANNED_BYTES: usize = 2 * 192 + 4 * 32 + 2 * 128;

/// Number of exporters' spans that are made and written at a time, and the size of their lines from which on no more are added, in
/// bytes: of a kilobyte each with 20 attributes they take 2 MiB.
pub const OTLP_PART_SPANS: usize = 256;
/// See [`OTLP_PART_SPANS`].
pub const OTLP_PART_BYTES: usize = 256 * 1_024;

/// Memory of exporters' spans that are made from which on no more are added, in bytes: those of many short attributes take more of it
/// than their lines say. What is left out of a trace without room in memory is so much at most that would have fitted, and one span.
pub const OTLP_PART_ROOM: usize = 2 * MIB;

/// Memory of a tree that is cut up to which the spans of the trace that was asked for are read again beside it, in bytes: half of what
/// one caller may hold, of which the answer needs the rest. A tree of more has no room for spans that it lacks.
pub const TREE_BESIDE_BYTES: usize = MEMORY_BUDGET / CALLER_SHARES / 2;

const _: () = assert!(TRACE_RECORDS >= LOOKUP_RECORDS);
const _: () = assert!(
    LOOKUP_BYTES
        + SENDER_ZONES * ZONE_SPAN_BYTES
        + (TRACE_RECORDS + SENDER_ZONES * ZONE_SPANS) * (FOUND_BYTES + OTLP_PLANNED_BYTES)
        + STREAM_BYTES
        + REQUEST_BYTES
        < MEMORY_BUDGET / CALLER_SHARES
);

/// Maximum number of characters in the name of a span: lists show no more, and `url.path` has the rest.
pub const OTLP_NAME_CHARS: usize = 128;

/// CPU of making the spans of a record and writing them, in nanoseconds, beside masking it: 60 attributes in 6 KB of JSON, each
/// byte of which takes some 10, and up to seven steps.
pub const OTLP_RECORD_NS: u64 = 100_000;

/// Maximum number of traces in the answer to Grafana's search, and the number where it says nothing, as in Tempo.
pub const TEMPO_TRACES: usize = 100;
/// See [`TEMPO_TRACES`].
pub const TEMPO_TRACES_DEFAULT: usize = 20;

/// Maximum number of requests that are listed of a trace, and the number where the search says nothing, as in Tempo.
pub const TEMPO_SPANS: usize = 10;
/// See [`TEMPO_SPANS`].
pub const TEMPO_SPANS_DEFAULT: usize = 3;

/// Time after which a search of Grafana's ends with what it has, in milliseconds: Grafana waits 30 s for a data source.
pub const TEMPO_SEARCH_MS: i64 = 20_000;

/// The same for the values of an attribute, which a person waits for while writing a query.
pub const TEMPO_VALUES_MS: i64 = 5_000;

/// Maximum number of values of an attribute: as many as a list shows.
pub const TEMPO_VALUES: usize = 500;

/// Maximum length of a value in such a list, in bytes.
pub const TEMPO_VALUE_BYTES: usize = 512;

/// Time that a search covers that names none, in milliseconds: an hour.
pub const TEMPO_DEFAULT_RANGE_MS: i64 = 3_600_000;

/// Memory of the answer to a search, in bytes: [`TEMPO_TRACES`] with two names of four bytes a character, their rays in a tree
/// of which every node is half full, and listed requests with a name each.
pub const TEMPO_SEARCH_BYTES: usize =
    TEMPO_TRACES * (2 * 4 * OTLP_NAME_CHARS + 512) + TEMPO_TRACES * TEMPO_SPANS * (4 * OTLP_NAME_CHARS + 512);

const _: () = assert!(TEMPO_VALUES * (TEMPO_VALUE_BYTES + 128) < TEMPO_SEARCH_BYTES);
const _: () = assert!(
    MASKING_ROOM * MAX_LINE + STREAM_BYTES + TEMPO_SEARCH_BYTES + REQUEST_BYTES < MEMORY_BUDGET / CALLER_SHARES
);
